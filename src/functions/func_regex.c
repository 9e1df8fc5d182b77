/* func_regex.c: sprig's functions on regular expressions. A pattern that does not compile is an
 * error; regexMatch alone says that nothing matches. */
#include "regex/regex.h"

#include "functions/func_arg.h"
#include "functions/func_library.h"
#include "template/gofmt.h"
#include "template/unicode.h"

#define FN(name)                                                                                   \
    static int name(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)

/* strconv.CanBackquote. */
static bool can_backquote(struct str s)
{
    size_t size;
    for (; s.n > 0; s = str_from(s, size)) {
        uint32_t r = rune_decode(s, &size);
        if ((r == RUNE_ERROR && size == 1) || (r < ' ' && r != '\t') || r == '`' || r == 0x7F ||
            r == 0xFEFF)
            return false;
    }
    return true;
}

/* Go's MustCompile panics with the pattern in front, Compile returns the bare error. */
static struct regex *compile(struct tmpl_exec *x, struct str pattern, bool must)
{
    struct err err;
    struct regex *re = regex_new(pattern, 0, &err);
    if (re || must) {
        if (re == NULL)
            tmpl_fail(x, "%s", err.message);
        return re;
    }
    struct buf b = {0};
    buf_puts(&b, "regexp: Compile(");
    if (can_backquote(pattern))
        buf_printf(&b, "`%.*s`", STR_ARG(pattern));
    else
        gofmt_quote(&b, pattern, false);
    buf_printf(&b, "): %s", err.message);
    tmpl_fail_str(x, buf_str(&b));
    buf_done(&b);
    return NULL;
}

FN(match)
{
    struct err err;
    struct regex *re = regex_new(value_text(args[0]), 0, &err);
    (void)x, (void)n;
    *ret = value_bool(re && regex_match(re, value_text(args[1])));
    regex_free(re);
    return 0;
}

FN(must_match)
{
    struct regex *re = compile(x, value_text(args[0]), true);
    (void)n;
    if (re == NULL)
        return -1;
    *ret = value_bool(regex_match(re, value_text(args[1])));
    regex_free(re);
    return 0;
}

static int find_in(struct tmpl_exec *x, const struct value *args, bool must, struct value *ret)
{
    struct regex *re = compile(x, value_text(args[0]), must);
    struct str found;
    if (re == NULL)
        return -1;
    *ret = value_str(STR(""));
    if (regex_find(re, value_text(args[1]), 0, &found, 1))
        *ret = value_str(found);
    regex_free(re);
    return 0;
}

FN(find)
{
    (void)n;
    return find_in(x, args, false, ret);
}

FN(must_find)
{
    (void)n;
    return find_in(x, args, true, ret);
}

static void push_text(struct buf *b, struct str s)
{
    struct value v = value_str(s);
    buf_append(b, &v, sizeof(v));
}

/* The buffer holds values; they become a []string. */
static int take_texts(struct tmpl_exec *x, struct buf *b, struct value *ret)
{
    size_t count = b->n / sizeof(struct value);
    int status = tmpl_spend(x, b->n);
    *ret = value_slice_new(tmpl_arena(x), &type_strings, status == 0 ? count : 0);
    if (status == 0 && count > 0)
        memcpy(ret->items, b->p, b->n);
    buf_done(b);
    return status;
}

/* Go's FindAllString: nil when there is none. */
static int find_all_in(struct tmpl_exec *x, const struct value *args, bool must, struct value *ret)
{
    struct regex *re = compile(x, value_text(args[0]), must);
    int64_t left = args[2].i < 0 ? INT64_MAX : args[2].i;
    struct buf found = {0};
    struct str group;
    if (re == NULL)
        return -1;
    for (struct regex_walk w = {0}; left > 0 && regex_next(re, value_text(args[1]), &w, &group, 1);
         left--)
        push_text(&found, group);
    regex_free(re);
    if (found.n == 0) {
        *ret = (struct value){.type = &type_strings};
        return 0;
    }
    return take_texts(x, &found, ret);
}

FN(find_all)
{
    (void)n;
    return find_all_in(x, args, false, ret);
}

FN(must_find_all)
{
    (void)n;
    return find_all_in(x, args, true, ret);
}

static int replace_in(struct tmpl_exec *x, const struct value *args, bool must, bool literal,
                      struct value *ret)
{
    struct regex *re = compile(x, value_text(args[0]), must);
    struct str text = value_text(args[1]), with = value_text(args[2]), group;
    struct buf b = {0};
    if (re == NULL)
        return -1;
    size_t from = 0;
    if (!literal)
        regex_replace(re, text, with, true, &b);
    for (struct regex_walk w = {0}; literal && regex_next(re, text, &w, &group, 1);) {
        size_t at = (size_t)(group.p - text.p);
        buf_put(&b, str_head(str_from(text, from), at - from));
        buf_put(&b, with);
        from = at + group.n;
        if (b.n > VALUE_MAX_BYTES)
            break;
    }
    if (literal)
        buf_put(&b, str_from(text, from));
    regex_free(re);
    return func_take_spent(x, &b, ret);
}

FN(replace_all)
{
    (void)n;
    return replace_in(x, args, false, false, ret);
}

FN(must_replace_all)
{
    (void)n;
    return replace_in(x, args, true, false, ret);
}

FN(replace_literal)
{
    (void)n;
    return replace_in(x, args, false, true, ret);
}

FN(must_replace_literal)
{
    (void)n;
    return replace_in(x, args, true, true, ret);
}

/* regexp.Split: at most `limit` pieces, the last one being all the rest. */
static int split_in(struct tmpl_exec *x, const struct value *args, bool must, struct value *ret)
{
    struct regex *re = compile(x, value_text(args[0]), must);
    struct str text = value_text(args[1]), group;
    int64_t limit = args[2].i;
    struct buf pieces = {0};
    if (re == NULL)
        return -1;
    if (limit == 0) {
        regex_free(re);
        *ret = (struct value){.type = &type_strings};
        return 0;
    }
    size_t begin = 0, end = 0, count = 0;
    bool blank = args[0].n > 0 && text.n == 0;
    for (struct regex_walk w = {0}; !blank && regex_next(re, text, &w, &group, 1);) {
        if (limit > 0 && (int64_t)count == limit - 1)
            break;
        size_t at = (size_t)(group.p - text.p);
        end = at;
        if (at + group.n != 0) {
            push_text(&pieces, str_head(str_from(text, begin), end - begin));
            count++;
        }
        begin = at + group.n;
    }
    if (blank || end != text.n)
        push_text(&pieces, str_from(text, begin));
    regex_free(re);
    return take_texts(x, &pieces, ret);
}

FN(split)
{
    (void)n;
    return split_in(x, args, false, ret);
}

FN(must_split)
{
    (void)n;
    return split_in(x, args, true, ret);
}

FN(quote_meta)
{
    struct buf b = {0};
    (void)n;
    regex_quote(value_text(args[0]), &b);
    return func_take_spent(x, &b, ret);
}

#define TEXTS2                                                                                     \
    {                                                                                              \
        &type_string, &type_string                                                                 \
    }
#define TEXTS3                                                                                     \
    {                                                                                              \
        &type_string, &type_string, &type_string                                                   \
    }
#define LIMITED                                                                                    \
    {                                                                                              \
        &type_string, &type_string, &type_int                                                      \
    }

const struct func func_regexes[] = {
    {"mustRegexFind", must_find, TEXTS2, &type_string},
    {"mustRegexFindAll", must_find_all, LIMITED, &type_strings},
    {"mustRegexMatch", must_match, TEXTS2, &type_bool},
    {"mustRegexReplaceAll", must_replace_all, TEXTS3, &type_string},
    {"mustRegexReplaceAllLiteral", must_replace_literal, TEXTS3, &type_string},
    {"mustRegexSplit", must_split, LIMITED, &type_strings},
    {"regexFind", find, TEXTS2, &type_string},
    {"regexFindAll", find_all, LIMITED, &type_strings},
    {"regexMatch", match, TEXTS2, &type_bool},
    {"regexQuoteMeta", quote_meta, {&type_string}, &type_string},
    {"regexReplaceAll", replace_all, TEXTS3, &type_string},
    {"regexReplaceAllLiteral", replace_literal, TEXTS3, &type_string},
    {"regexSplit", split, LIMITED, &type_strings},
    {0},
};
