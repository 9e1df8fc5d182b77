/* The strings extension, the string functions of the standard library, regular expressions. */
#include <ctype.h>

#include "cel/functions.h"
#include "cel/text.h"

#define FN(name) struct cel_value name(struct eval *ev, const struct cel_value *args, size_t n)
#define UNUSED (void)ev, (void)n

static struct cel_value out_of_range(struct eval *ev, int64_t i)
{
    return cel_error(ev, "index out of range: %lld", (long long)i);
}

FN(cel_fn_contains)
{
    UNUSED;
    return cel_bool(str_find(args[0].s, args[1].s) >= 0);
}

FN(cel_fn_starts_with)
{
    UNUSED;
    return cel_bool(str_starts(args[0].s, args[1].s));
}

FN(cel_fn_ends_with)
{
    UNUSED;
    return cel_bool(str_ends(args[0].s, args[1].s));
}

FN(cel_fn_char_at)
{
    UNUSED;
    int64_t count = (int64_t)cel_utf8_count(args[0].s), i = args[1].i;
    if (i < 0 || i > count)
        return out_of_range(ev, i);
    struct str from = str_from(args[0].s, cel_utf8_offset(args[0].s, (size_t)i));
    return cel_string(str_head(from, cel_utf8_offset(from, 1)));
}

FN(cel_fn_string_index_of)
{
    int64_t offset = n == 3 ? args[2].i : 0;
    if (args[1].s.n == 0)
        return cel_int(offset);
    if (offset < 0)
        return out_of_range(ev, offset);
    size_t begin = cel_utf8_offset(args[0].s, (size_t)offset);
    ssize_t at = str_find(str_from(args[0].s, begin), args[1].s);
    if (at < 0)
        return cel_int(-1);
    return cel_int((int64_t)cel_utf8_count(str_head(args[0].s, begin + (size_t)at)));
}

FN(cel_fn_string_last_index_of)
{
    struct str s = args[0].s, part = args[1].s;
    int64_t count = (int64_t)cel_utf8_count(s), offset = n == 3 ? args[2].i : count - 1;
    if (part.n == 0)
        return cel_int(n == 3 ? offset : count);
    if (n == 2 && s.n < part.n)
        return cel_int(-1);
    if (offset < 0)
        return out_of_range(ev, offset);
    if (offset >= count)
        return cel_int(-1);
    if (s.n < part.n)
        return cel_int(-1);
    size_t at = cel_utf8_offset(s, (size_t)offset);
    if (at > s.n - part.n)
        at = s.n - part.n;
    for (;; at--) {
        if (memcmp(s.p + at, part.p, part.n) == 0)
            return cel_int((int64_t)cel_utf8_count(str_head(s, at)));
        if (at == 0)
            return cel_int(-1);
    }
}

static struct cel_value mapped(struct eval *ev, struct str s, int (*map)(int))
{
    char *p = arena_alloc(ev->a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        p[i] = (unsigned char)s.p[i] < 0x80 ? (char)map((unsigned char)s.p[i]) : s.p[i];
    p[s.n] = 0;
    return cel_string((struct str){p, s.n});
}

FN(cel_fn_lower_ascii)
{
    UNUSED;
    return mapped(ev, args[0].s, tolower);
}

FN(cel_fn_upper_ascii)
{
    UNUSED;
    return mapped(ev, args[0].s, toupper);
}

static void put_char(struct buf *b, struct str *rest)
{
    size_t length = cel_utf8_offset(*rest, 1);
    buf_append(b, rest->p, length);
    *rest = str_from(*rest, length);
}

FN(cel_fn_replace)
{
    struct str rest = args[0].s, old = args[1].s, with = args[2].s;
    int64_t limit = n == 4 ? args[3].i : -1;
    struct buf b = {0};
    bool fits = true;
    if (old.n == 0) {
        for (; limit != 0 && fits; limit--) {
            buf_put(&b, with);
            fits = cel_may_make(ev, b.n);
            if (rest.n == 0)
                break;
            put_char(&b, &rest);
        }
    } else {
        ssize_t at;
        for (; limit != 0 && fits && (at = str_find(rest, old)) >= 0; limit--) {
            buf_put(&b, str_head(rest, (size_t)at));
            buf_put(&b, with);
            fits = cel_may_make(ev, b.n);
            rest = str_from(rest, (size_t)at + old.n);
        }
    }
    buf_put(&b, rest);
    return cel_text(ev, &b);
}

FN(cel_fn_split)
{
    struct str rest = args[0].s, separator = args[1].s;
    int64_t limit = n == 3 ? args[2].i : -1;
    struct cel_value out = cel_list_new(ev, 0);
    if (limit == 0 || (rest.n == 0 && separator.n == 0))
        return out;
    while (--limit != 0) {
        ssize_t at = separator.n ? str_find(rest, separator) : (ssize_t)cel_utf8_offset(rest, 1);
        if (at < 0 || (separator.n == 0 && (size_t)at >= rest.n))
            break;
        cel_list_push(ev, out, cel_string(str_head(rest, (size_t)at)));
        rest = str_from(rest, (size_t)at + separator.n);
    }
    cel_list_push(ev, out, cel_string(rest));
    return out;
}

FN(cel_fn_substring)
{
    int64_t count = (int64_t)cel_utf8_count(args[0].s);
    int64_t begin = args[1].i, end = n == 3 ? args[2].i : count;
    if (n == 3 && begin > end)
        return cel_error(ev, "invalid substring range. start: %lld, end: %lld", (long long)begin,
                         (long long)end);
    if (begin < 0 || begin > count)
        return out_of_range(ev, begin);
    if (end < 0 || end > count)
        return out_of_range(ev, end);
    size_t from = cel_utf8_offset(args[0].s, (size_t)begin);
    struct str rest = str_from(args[0].s, from);
    return cel_string(str_head(rest, cel_utf8_offset(rest, (size_t)(end - begin))));
}

/* unicode.IsSpace. */
static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

FN(cel_fn_trim)
{
    UNUSED;
    struct str s = args[0].s, rest = s;
    size_t begin = s.n, end = 0;
    while (rest.n > 0) {
        size_t at = s.n - rest.n;
        if (is_space(cel_utf8_next(&rest)))
            continue;
        begin = at < begin ? at : begin;
        end = s.n - rest.n;
    }
    return cel_string(begin < end ? (struct str){s.p + begin, end - begin} : (struct str){s.p, 0});
}

FN(cel_fn_join)
{
    struct str separator = n == 2 ? args[1].s : (struct str){0};
    struct buf b = {0};
    for (size_t i = 0; i < args[0].list->n && cel_may_make(ev, b.n); i++) {
        struct cel_value item = cel_list_at(ev, args[0].list, i);
        if (item.kind != CEL_STRING) {
            buf_done(&b);
            return cel_error(ev, "type conversion error from '%s' to 'string'", cel_go_type(item));
        }
        if (i > 0)
            buf_put(&b, separator);
        buf_put(&b, item.s);
    }
    return cel_text(ev, &b);
}

FN(cel_fn_quote)
{
    UNUSED;
    static const char from[] = "\a\b\f\n\r\t\v\\\"", to[] = "abfnrtv\\\"";
    struct buf b = {0};
    buf_putc(&b, '"');
    for (struct str rest = args[0].s; rest.n > 0;) {
        uint32_t c = cel_utf8_next(&rest);
        const char *special = c && c < 0x80 ? strchr(from, (int)c) : NULL;
        if (special) {
            buf_putc(&b, '\\');
            buf_putc(&b, to[special - from]);
        } else {
            cel_utf8_putc(&b, c);
        }
    }
    buf_putc(&b, '"');
    return cel_text(ev, &b);
}

/* --- regular expressions --- */
/* The call's pattern, compiled; *ret_owned is to be freed. NULL: *ret_error says why. */
static const struct regex *pattern_of(struct eval *ev, struct str pattern, const char *illegal,
                                      struct regex **ret_owned, struct cel_value *ret_error)
{
    struct err err;
    *ret_owned = NULL;
    if (ev->call->regex)
        return ev->call->regex;
    *ret_owned = regex_new(pattern, 0, &err);
    if (!*ret_owned)
        *ret_error = cel_error(ev, "%s%s", illegal, err.message);
    return *ret_owned;
}

FN(cel_fn_matches)
{
    UNUSED;
    struct regex *owned;
    struct cel_value error;
    const struct regex *re = pattern_of(ev, args[1].s, "", &owned, &error);
    if (!re)
        return error;
    bool found = regex_match(re, args[0].s);
    regex_free(owned);
    return cel_bool(found);
}

FN(cel_fn_find)
{
    UNUSED;
    struct regex *owned;
    struct cel_value error;
    struct str found = {0};
    const struct regex *re = pattern_of(ev, args[1].s, "Illegal regex: ", &owned, &error);
    if (!re)
        return error;
    regex_find(re, args[0].s, 0, &found, 1);
    regex_free(owned);
    return cel_string(found);
}

FN(cel_fn_find_all)
{
    struct regex *owned;
    struct cel_value error, out = cel_list_new(ev, 0);
    struct str found;
    int64_t limit = n == 3 ? args[2].i : -1;
    const struct regex *re = pattern_of(ev, args[1].s, "Illegal regex: ", &owned, &error);
    if (!re)
        return error;
    for (struct regex_walk w = {0}; limit != 0 && regex_next(re, args[0].s, &w, &found, 1); limit--)
        cel_list_push(ev, out, cel_string(found));
    regex_free(owned);
    return out;
}
