/* func_string.c: sprig's functions on text, but for those that change case or break lines. */
#include "functions/func_arg.h"
#include "functions/func_library.h"
#include "template/gofmt.h"
#include "template/unicode.h"

#define ARG(i) value_text(args[i])
#define FN(name)                                                                                   \
    static int name(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)

/* Go's panics of a slice expression s[low:high] over n bytes. */
static int slice_text(struct tmpl_exec *x, struct str s, int64_t low, int64_t high,
                      struct value *ret)
{
    if (high < 0 || high > (int64_t)s.n)
        return tmpl_fail(x, "runtime error: slice bounds out of range [:%lld]%s%s", (long long)high,
                         high < 0 ? "" : " with length ",
                         high < 0 ? "" : arena_printf(tmpl_arena(x), "%zu", s.n).p);
    if (low < 0)
        return tmpl_fail(x, "runtime error: slice bounds out of range [%lld:]", (long long)low);
    if (low > high)
        return tmpl_fail(x, "runtime error: slice bounds out of range [%lld:%lld]", (long long)low,
                         (long long)high);
    *ret = value_str((struct str){s.p + low, (size_t)(high - low)});
    return 0;
}

FN(truncate_text)
{
    struct str s = ARG(1);
    int64_t c = args[0].i, len = (int64_t)s.n;
    (void)x, (void)n;
    if (c < 0 && len + c > 0)
        s = str_from(s, (size_t)(len + c));
    else if (c >= 0 && len > c)
        s = str_head(s, (size_t)c);
    *ret = value_str(s);
    return 0;
}

FN(trim)
{
    (void)x, (void)n;
    *ret = value_str(rune_trim_space(ARG(0)));
    return 0;
}

static bool in_cutset(struct str cutset, uint32_t rune)
{
    size_t size;
    for (; cutset.n > 0; cutset = str_from(cutset, size))
        if (rune_decode(cutset, &size) == rune)
            return true;
    return false;
}

FN(trim_all)
{
    struct str cutset = ARG(0), s = ARG(1);
    size_t size;
    (void)x, (void)n;
    while (s.n > 0 && in_cutset(cutset, rune_decode(s, &size)))
        s = str_from(s, size);
    while (s.n > 0 && in_cutset(cutset, rune_decode_last(s, &size)))
        s.n -= size;
    *ret = value_str(s);
    return 0;
}

FN(trim_suffix)
{
    struct str s = ARG(1);
    (void)x, (void)n;
    *ret = value_str(str_ends(s, ARG(0)) ? str_head(s, s.n - args[0].n) : s);
    return 0;
}

FN(trim_prefix)
{
    struct str s = ARG(1);
    (void)x, (void)n;
    *ret = value_str(str_starts(s, ARG(0)) ? str_from(s, args[0].n) : s);
    return 0;
}

FN(contains)
{
    (void)x, (void)n;
    *ret = value_bool(args[0].n == 0 || str_find(ARG(1), ARG(0)) >= 0);
    return 0;
}

FN(has_prefix)
{
    (void)x, (void)n;
    *ret = value_bool(str_starts(ARG(1), ARG(0)));
    return 0;
}

FN(has_suffix)
{
    (void)x, (void)n;
    *ret = value_bool(str_ends(ARG(1), ARG(0)));
    return 0;
}

FN(substr)
{
    struct str s = ARG(2);
    int64_t start = args[0].i, end = args[1].i, len = (int64_t)s.n;
    (void)n;
    if (start < 0)
        return slice_text(x, s, 0, end, ret);
    return slice_text(x, s, start, end < 0 || end > len ? len : end, ret);
}

FN(repeat)
{
    struct str s = ARG(1);
    int64_t count = args[0].i;
    size_t size;
    (void)n;
    if (count < 0)
        return tmpl_fail(x, "strings: negative Repeat count");
    if (__builtin_mul_overflow(s.n, (size_t)count, &size) || size > VALUE_MAX_BYTES)
        return tmpl_fail(x, "strings: Repeat output length overflow");
    if (tmpl_spend(x, size) < 0)
        return -1;
    char *p = arena_alloc(tmpl_arena(x), size + 1);
    for (int64_t i = 0; s.n > 0 && i < count; i++)
        memcpy(p + (size_t)i * s.n, s.p, s.n);
    *ret = value_str((struct str){p, size});
    return 0;
}

/* Puts a line break (may be none) and `spaces` blanks in front of each line. */
static int indent_lines(struct tmpl_exec *x, int64_t spaces, struct str s, bool newline,
                        struct value *ret)
{
    if (spaces < 0)
        return tmpl_fail(x, "strings: negative Repeat count");
    size_t lines = 1, size;
    for (const char *p = s.p; s.n && (p = memchr(p, '\n', s.n - (size_t)(p - s.p))); p++)
        lines++;
    if (__builtin_mul_overflow(lines, (size_t)spaces, &size) || size > VALUE_MAX_BYTES)
        return tmpl_fail(x, "strings: Repeat output length overflow");
    size += s.n + newline;
    if (tmpl_spend(x, size) < 0)
        return -1;
    char *out = arena_alloc(tmpl_arena(x), size + 1), *at = out;
    if (newline)
        *at++ = '\n';
    for (;;) {
        memset(at, ' ', (size_t)spaces);
        at += spaces;
        const char *end = s.n ? memchr(s.p, '\n', s.n) : NULL;
        size_t len = end ? (size_t)(end - s.p) + 1 : s.n;
        if (len > 0)
            memcpy(at, s.p, len);
        at += len;
        if (end == NULL)
            break;
        s = str_from(s, len);
    }
    *ret = value_str((struct str){out, size});
    return 0;
}

FN(indent)
{
    (void)n;
    return indent_lines(x, args[0].i, ARG(1), false, ret);
}

FN(nindent)
{
    (void)n;
    return indent_lines(x, args[0].i, ARG(1), true, ret);
}

/* strings.Replace: an empty `old` stands before each rune and at the end. */
FN(replace)
{
    struct str old = ARG(0), new = ARG(1), s = ARG(2);
    struct buf b = {0};
    (void)n;
    if (old.n > 0 && str_find(s, old) < 0) {
        *ret = args[2];
        return 0;
    }
    while (old.n > 0) {
        ssize_t at = str_find(s, old);
        if (at < 0)
            break;
        buf_put(&b, str_head(s, (size_t)at));
        buf_put(&b, new);
        s = str_from(s, (size_t)at + old.n);
        if (b.n > VALUE_MAX_BYTES)
            break;
    }
    for (size_t size = 0; old.n == 0 && s.n > 0; s = str_from(s, size)) {
        rune_decode(s, &size);
        buf_put(&b, new);
        buf_put(&b, str_head(s, size));
        if (b.n > VALUE_MAX_BYTES)
            break;
    }
    if (old.n == 0)
        buf_put(&b, new);
    buf_put(&b, s);
    return func_take_spent(x, &b, ret);
}

FN(quote)
{
    struct buf b = {0};
    for (size_t i = 0; i < n; i++) {
        if (func_is_nil(args[i]))
            continue;
        if (b.n)
            buf_putc(&b, ' ');
        gofmt_quote(&b, func_strval(x, args[i]), false);
    }
    return func_take_spent(x, &b, ret);
}

FN(squote)
{
    struct buf b = {0};
    for (size_t i = 0; i < n; i++) {
        if (func_is_nil(args[i]))
            continue;
        buf_puts(&b, b.n ? " '" : "'");
        gofmt_value(tmpl_arena(x), &b, args[i]);
        buf_putc(&b, '\'');
    }
    return func_take_spent(x, &b, ret);
}

FN(cat)
{
    struct buf b = {0};
    for (size_t i = 0, shown = 0; i < n; i++) {
        if (func_is_nil(args[i]))
            continue;
        if (shown++)
            buf_putc(&b, ' ');
        gofmt_value(tmpl_arena(x), &b, args[i]);
    }
    return func_take_spent(x, &b, ret);
}

FN(plural)
{
    (void)x, (void)n;
    *ret = args[2].i == 1 ? args[0] : args[1];
    return 0;
}

FN(to_string)
{
    (void)n;
    *ret = value_str(func_strval(x, args[0]));
    return 0;
}

FN(to_strings)
{
    (void)n;
    *ret = func_strslice(x, args[0]);
    return 0;
}

FN(join)
{
    struct value list = func_strslice(x, args[1]);
    struct str sep = ARG(0);
    size_t size = 0;
    (void)n;
    for (size_t i = 0; i < list.n; i++)
        size += list.items[i].n + (i > 0 ? sep.n : 0);
    if (size > VALUE_MAX_BYTES)
        return tmpl_fail(x, "strings: Join output length overflow");
    if (tmpl_spend(x, size) < 0)
        return -1;
    char *out = arena_alloc(tmpl_arena(x), size + 1), *at = out;
    for (size_t i = 0; i < list.n; i++) {
        if (i > 0 && sep.n > 0)
            at = (char *)memcpy(at, sep.p, sep.n) + sep.n;
        if (list.items[i].n > 0)
            at = (char *)memcpy(at, list.items[i].p, list.items[i].n) + list.items[i].n;
    }
    *ret = value_str((struct str){out, size});
    return 0;
}

/* strings.SplitN: an empty separator splits into runes; n < 0 is no limit. */
static int split_n(struct tmpl_exec *x, struct str s, struct str sep, int64_t limit,
                   struct value *ret)
{
    if (limit == 0) {
        *ret = (struct value){.type = &type_strings};
        return 0;
    }
    size_t count = sep.n == 0 ? rune_count(s) : 1;
    for (struct str rest = s; sep.n > 0;) {
        ssize_t at = str_find(rest, sep);
        if (at < 0)
            break;
        rest = str_from(rest, (size_t)at + sep.n);
        count++;
    }
    if (limit > 0 && (int64_t)count > limit)
        count = (size_t)limit;
    if (tmpl_spend(x, count * sizeof(struct value)) < 0)
        return -1;
    struct value list = value_slice_new(tmpl_arena(x), &type_strings, count);
    for (size_t i = 0; i < count; i++) {
        size_t len = s.n, size = 0;
        if (i + 1 < count && sep.n == 0)
            rune_decode(s, &len);
        else if (i + 1 < count)
            len = (size_t)str_find(s, sep), size = sep.n;
        list.items[i] = value_str(str_head(s, len));
        s = str_from(s, len + size);
    }
    *ret = list;
    return 0;
}

FN(split_list)
{
    (void)n;
    return split_n(x, ARG(1), ARG(0), -1, ret);
}

static int split_map(struct tmpl_exec *x, struct str s, struct str sep, int64_t limit,
                     struct value *ret)
{
    struct value list;
    if (split_n(x, s, sep, limit, &list) < 0)
        return -1;
    *ret = value_map_new(tmpl_arena(x), &type_map_strings);
    for (size_t i = 0; i < list.n; i++)
        vmap_set(ret->map, arena_printf(tmpl_arena(x), "_%zu", i), list.items[i]);
    return 0;
}

FN(split)
{
    (void)n;
    return split_map(x, ARG(1), ARG(0), -1, ret);
}

FN(splitn)
{
    (void)n;
    return split_map(x, ARG(2), ARG(0), args[1].i, ret);
}

FN(hello)
{
    (void)x, (void)args, (void)n;
    *ret = value_str(STR("Hello!"));
    return 0;
}

const struct func func_strings[] = {
    {"cat", cat, {&type_any}, &type_string, .variadic = true},
    {"contains", contains, {&type_string, &type_string}, &type_bool},
    {"hasPrefix", has_prefix, {&type_string, &type_string}, &type_bool},
    {"hasSuffix", has_suffix, {&type_string, &type_string}, &type_bool},
    {"hello", hello, {0}, &type_string},
    {"indent", indent, {&type_int, &type_string}, &type_string},
    {"join", join, {&type_string, &type_any}, &type_string},
    {"nindent", nindent, {&type_int, &type_string}, &type_string},
    {"plural", plural, {&type_string, &type_string, &type_int}, &type_string},
    {"quote", quote, {&type_any}, &type_string, .variadic = true},
    {"repeat", repeat, {&type_int, &type_string}, &type_string},
    {"replace", replace, {&type_string, &type_string, &type_string}, &type_string},
    {"split", split, {&type_string, &type_string}, &type_map_strings},
    {"splitList", split_list, {&type_string, &type_string}, &type_strings},
    {"splitn", splitn, {&type_string, &type_int, &type_string}, &type_map_strings},
    {"squote", squote, {&type_any}, &type_string, .variadic = true},
    {"substr", substr, {&type_int, &type_int, &type_string}, &type_string},
    {"toString", to_string, {&type_any}, &type_string},
    {"toStrings", to_strings, {&type_any}, &type_strings},
    {"trim", trim, {&type_string}, &type_string},
    {"trimAll", trim_all, {&type_string, &type_string}, &type_string},
    {"trimPrefix", trim_prefix, {&type_string, &type_string}, &type_string},
    {"trimSuffix", trim_suffix, {&type_string, &type_string}, &type_string},
    {"trimall", trim_all, {&type_string, &type_string}, &type_string},
    {"trunc", truncate_text, {&type_int, &type_string}, &type_string},
    {0},
};
