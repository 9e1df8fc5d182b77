#include "regex/regex.h"

#include <ctype.h>

#include "regex/re2_shim.h"

struct regex {
    void *re2;
    bool full;
};

/* regexp/syntax.ErrorCode of Go, by enum shim_error. */
static const char *const error_texts[] = {
    [SHIM_INTERNAL] = "regexp/syntax: internal error",
    [SHIM_BAD_ESCAPE] = "invalid escape sequence",
    [SHIM_BAD_CLASS] = "invalid character class",
    [SHIM_BAD_RANGE] = "invalid character class range",
    [SHIM_MISSING_BRACKET] = "missing closing ]",
    [SHIM_MISSING_PAREN] = "missing closing )",
    [SHIM_UNEXPECTED_PAREN] = "unexpected )",
    [SHIM_TRAILING_BACKSLASH] = "trailing backslash at end of expression",
    [SHIM_REPEAT_ARGUMENT] = "missing argument to repetition operator",
    [SHIM_REPEAT_SIZE] = "invalid repeat count",
    [SHIM_REPEAT_OP] = "invalid nested repetition operator",
    [SHIM_PERL_OP] = "invalid or unsupported Perl syntax",
    [SHIM_UTF8] = "invalid UTF-8",
    [SHIM_NAMED_CAPTURE] = "invalid named capture",
    [SHIM_TOO_LARGE] = "expression too large",
};

/* How many bytes the character at p takes; a byte that is no UTF-8 counts as one. */
static size_t char_length(struct str s, size_t at)
{
    unsigned char c = (unsigned char)s.p[at];
    size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
    if (at + n > s.n)
        return 1;
    for (size_t i = 1; i < n; i++)
        if (((unsigned char)s.p[at + i] & 0xc0) != 0x80)
            return 1;
    return n;
}

/* What begins with the first byte that is no UTF-8. */
static struct str wrong_utf8(struct str s)
{
    while (s.n > 0 && (char_length(s, 0) > 1 || (unsigned char)s.p[0] < 0x80))
        s = str_from(s, char_length(s, 0));
    return s;
}

/* Where the pattern says \C, any byte, which RE2 knows and Go does not; its length otherwise. */
static size_t any_byte_at(struct str pattern)
{
    bool quoted = false; /* between \Q and \E */
    for (size_t i = 0; i + 1 < pattern.n; i++) {
        if (pattern.p[i] != '\\')
            continue;
        char c = pattern.p[i + 1];
        if (!quoted && c == 'C')
            return i;
        quoted = quoted ? c != 'E' : c == 'Q';
        i += !quoted || c == 'Q';
    }
    return pattern.n;
}

/* The part of a pattern at fault as Go shows it; `arg` is RE2's, cut out of what it was given. */
static struct str shown_fault(struct str pattern, struct str given, enum shim_error error,
                              const char *arg)
{
    if (error == SHIM_TRAILING_BACKSLASH) /* at fault for its end alone */
        return STR("");
    if (error == SHIM_UTF8)
        return wrong_utf8(pattern);
    ssize_t at = str_find(given, str_of(arg));
    return at < 0 ? str_of(arg) : str_head(str_from(pattern, (size_t)at), strlen(arg));
}

struct regex *regex_new(struct str pattern, unsigned flags, struct err *err)
{
    enum shim_error error;
    char arg[512];
    struct buf given = {0};
    buf_append(&given, pattern.p, pattern.n);
    size_t any_byte = any_byte_at(pattern);
    if (any_byte < pattern.n)
        given.p[any_byte + 1] = '8'; /* \8 is wrong to both */
    void *re2 = shim_compile(given.p, given.n, flags & REGEX_CASELESS, flags & REGEX_DOT_NL, &error,
                             arg, sizeof arg);
    if (!re2) {
        struct str fault = shown_fault(pattern, buf_str(&given), error, arg);
        err_bad(err, "error parsing regexp: %s: `%.*s`", error_texts[error], STR_ARG(fault));
    }
    buf_done(&given);
    if (!re2)
        return NULL;
    struct regex *re = NEW(struct regex);
    re->re2 = re2;
    re->full = flags & REGEX_FULL;
    return re;
}

void regex_free(struct regex *re)
{
    if (!re)
        return;
    shim_free(re->re2);
    free(re);
}

int regex_check(struct str pattern, struct err *err)
{
    struct regex *re = regex_new(pattern, 0, err);
    if (!re)
        return -1;
    regex_free(re);
    return 0;
}

bool regex_match(const struct regex *re, struct str text)
{
    return shim_match(re->re2, text.p, text.n, 0, re->full, NULL, 0);
}

bool regex_find(const struct regex *re, struct str text, size_t from, struct str *groups,
                size_t count)
{
    struct shim_piece pieces[REGEX_MAX_GROUPS];
    size_t have = regex_group_count(re) + 1;
    size_t ask = count < have ? count : have;
    if (ask > REGEX_MAX_GROUPS)
        ask = REGEX_MAX_GROUPS;
    if (from > text.n || !shim_match(re->re2, text.p, text.n, from, re->full, pieces, ask))
        return false;
    for (size_t i = 0; i < count; i++)
        groups[i] = i < ask ? (struct str){pieces[i].p, pieces[i].n} : (struct str){0};
    return true;
}

bool regex_next(const struct regex *re, struct str text, struct regex_walk *walk,
                struct str *groups, size_t count)
{
    struct str whole[1];
    struct str *found = count ? groups : whole;
    while (!walk->done) {
        if (!regex_find(re, text, walk->at, found, count ? count : 1))
            break;
        size_t begin = text.p ? (size_t)(found[0].p - text.p) : 0;
        size_t end = begin + found[0].n;
        bool report = true;
        if (end > walk->at) {
            walk->at = end;
        } else { /* empty, so the next search has to begin one character further */
            report = !walk->matched || begin != walk->end;
            if (walk->at < text.n)
                walk->at += char_length(text, walk->at);
            else
                walk->done = true;
        }
        walk->matched = true;
        walk->end = end;
        if (report)
            return true;
    }
    walk->done = true;
    return false;
}

size_t regex_group_count(const struct regex *re)
{
    return shim_groups(re->re2);
}

int regex_group_named(const struct regex *re, struct str name)
{
    return shim_named(re->re2, name.p, name.n);
}

/* How long the name at the front is: letters, digits and underscores. */
static size_t name_length(struct str s)
{
    size_t n = 0;
    while (n < s.n && (isalnum((unsigned char)s.p[n]) || s.p[n] == '_'))
        n++;
    if (n == s.n || (unsigned char)s.p[n] < 0x80)
        return n;
    struct regex *re = regex_new(STR("^[\\pL\\p{Nd}_]+"), 0, NULL); /* RE2 knows Unicode */
    struct str name = {0};
    if (re)
        regex_find(re, s, 0, &name, 1);
    regex_free(re);
    return name.n;
}

/* Reads what stands behind a dollar sign: a name, with or without braces. */
static bool read_reference(struct str s, size_t at, struct str *ret_name, size_t *ret_end)
{
    bool braces = at < s.n && s.p[at] == '{';
    size_t begin = at + braces, end = begin + name_length(str_from(s, begin));
    if (end == begin || (braces && (end == s.n || s.p[end] != '}')))
        return false;
    *ret_name = (struct str){s.p + begin, end - begin};
    *ret_end = end + braces;
    return true;
}

static void put_group(const struct regex *re, struct str name, const struct str *groups,
                      struct buf *out)
{
    uint64_t number;
    int i = -1;
    if (str_to_u64(name, &number))
        i = number < REGEX_MAX_GROUPS ? (int)number : -1;
    else
        i = regex_group_named(re, name);
    if (i >= 0 && i < REGEX_MAX_GROUPS)
        buf_put(out, groups[i]);
}

static void expand(const struct regex *re, struct str with, const struct str *groups,
                   struct buf *out)
{
    for (size_t i = 0; i < with.n && out->n <= REGEX_MAX_OUTPUT;) {
        struct str name;
        size_t end;
        if (with.p[i] != '$') {
            buf_putc(out, with.p[i++]);
        } else if (i + 1 < with.n && with.p[i + 1] == '$') {
            buf_putc(out, '$');
            i += 2;
        } else if (read_reference(with, i + 1, &name, &end)) {
            put_group(re, name, groups, out);
            i = end;
        } else {
            buf_putc(out, with.p[i++]);
        }
    }
}

void regex_replace(const struct regex *re, struct str text, struct str with, bool all,
                   struct buf *out)
{
    struct str groups[REGEX_MAX_GROUPS];
    size_t done = 0;
    for (struct regex_walk w = {0}; regex_next(re, text, &w, groups, REGEX_MAX_GROUPS);) {
        size_t begin = text.p ? (size_t)(groups[0].p - text.p) : 0;
        buf_append(out, text.p + done, begin - done);
        expand(re, with, groups, out);
        done = begin + groups[0].n;
        if (!all || out->n > REGEX_MAX_OUTPUT)
            break;
    }
    buf_put(out, str_from(text, done));
}

void regex_quote(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] && strchr("\\.+*?()|[]{}^$", text.p[i]))
            buf_putc(out, '\\');
        buf_putc(out, text.p[i]);
    }
}
