#include "doc/val.h"
#include "doc/val_internal.h"

#include <math.h>
#include <stdio.h>

/* --- parsing --- */
static void locate(struct str text, size_t offset, struct err *err)
{
    if (!err)
        return;
    err->line = err->column = 1;
    for (size_t i = 0; i < offset && i < text.n; i++) {
        err->column++;
        if (text.p[i] == '\n') {
            err->line++;
            err->column = 1;
        }
    }
}

/* The only number that the grammar allows and no double holds is a huge one. */
static void refuse_number(struct str rest, struct err *err)
{
    size_t n = 0;
    while (n < rest.n && rest.p[n] && strchr("+-.0123456789eE", rest.p[n]))
        n++;
    struct str shown = str_head(rest, n < 64 ? n : 64);
    err_bad(err, "json: cannot unmarshal number %.*s into Go value of type float64",
            STR_ARG(shown));
}

static int refuse(struct str text, const yyjson_read_err *why, struct err *err)
{
    size_t offset = why->pos;
    char message[128];
    if (json_find_error(text, &offset, message, sizeof message))
        err_bad(err, "%s", message);
    else if (why->code == YYJSON_READ_ERROR_INVALID_NUMBER)
        refuse_number(str_from(text, offset), err);
    else
        err_bad(err, "invalid UTF-8 in string literal");
    locate(text, offset, err);
    return -1;
}

/* The values lie in reading order; a container knows where the next sibling begins. */
static bool too_deep(const yyjson_val *first, size_t count)
{
    const yyjson_val *ends[DOC_MAX_DEPTH];
    size_t depth = 0;
    for (const yyjson_val *v = first; v < first + count; v++) {
        while (depth > 0 && v >= ends[depth - 1])
            depth--;
        if (!unsafe_yyjson_is_ctn((void *)v))
            continue;
        if (depth == DOC_MAX_DEPTH)
            return true;
        ends[depth++] = unsafe_yyjson_get_next((yyjson_val *)v);
    }
    return false;
}

/* Links the children of a container into the ring that yyjson's mutable values form. */
static void link_children(const yyjson_val *from, val *to, const yyjson_val *all, val *made)
{
    size_t members = unsafe_yyjson_get_len((void *)from);
    bool is_obj = unsafe_yyjson_get_type((void *)from) == YYJSON_TYPE_OBJ;
    if (members == 0)
        return;
    yyjson_val *child = (yyjson_val *)from + 1;
    val *first = made + (child - all), *last = first, *last_key = first;
    size_t children = is_obj ? members * 2 : members;
    for (size_t i = 0; i < children; i++) {
        val *v = made + (child - all);
        last->next = v;
        last = v;
        if (i % 2 == 0)
            last_key = v;
        child = unsafe_yyjson_get_next(child);
    }
    last->next = first;
    to->uni.ptr = is_obj ? last_key : last;
}

static val *take_values(struct doc *doc, const yyjson_val *all, size_t count)
{
    val *made = doc_alloc_vals(doc, count);
    for (size_t i = 0; i < count; i++) {
        made[i].tag = all[i].tag;
        if (unsafe_yyjson_is_ctn((void *)&all[i]))
            link_children(&all[i], &made[i], all, made);
        else
            memcpy(&made[i].uni, &all[i].uni, sizeof made[i].uni);
    }
    return made;
}

int doc_parse_json(struct doc *doc, struct str text, val **ret, struct err *err)
{
    return doc_parse_json_max(doc, text, DOC_MAX_BYTES, ret, err);
}

int doc_parse_json_max(struct doc *doc, struct str text, size_t max, val **ret, struct err *err)
{
    if (text.n > max)
        return err_set(err, 413, "RequestEntityTooLarge", "Request entity too large: limit is %zu",
                       max);
    /* The text is parsed in its copy, to which the values then point. */
    char *copy = doc_alloc_text(doc, text.n + YYJSON_PADDING_SIZE);
    if (text.n)
        memcpy(copy, text.p, text.n);
    memset(copy + text.n, 0, YYJSON_PADDING_SIZE + 1);
    yyjson_read_err why = {0};
    yyjson_doc *read = yyjson_read_opts(copy, text.n, YYJSON_READ_INSITU, &doc->d->alc, &why);
    if (!read)
        return refuse(text, &why, err);
    int status = 0;
    const yyjson_val *root = yyjson_doc_get_root(read);
    size_t count = yyjson_doc_get_val_count(read);
    if (count > DOC_MAX_VALUES)
        status = err_bad(err, "the document holds more than %d values", DOC_MAX_VALUES);
    else if (too_deep(root, count))
        status = err_bad(err, "exceeded max depth");
    else
        *ret = take_values(doc, root, count);
    yyjson_doc_free(read);
    return status;
}

/* --- writing --- */

/* Length of the character at p, or 0 when it is none: no overlong forms, no surrogates. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    unsigned char c = p[0];
    size_t length = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    if (length > n)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool wrong = (c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) ||
                 (c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f);
    return wrong ? 0 : length;
}

/* Where ASCII ends, from `at` on, eight bytes at a time. */
static size_t skip_ascii(struct str s, size_t at)
{
    uint64_t eight;
    for (; s.n - at >= sizeof eight; at += sizeof eight) {
        memcpy(&eight, s.p + at, sizeof eight);
        if (eight & 0x8080808080808080)
            break;
    }
    return at;
}

size_t utf8_valid(struct str s)
{
    size_t at = 0, length;
    while ((at = skip_ascii(s, at)) < s.n &&
           (length = utf8_length((const unsigned char *)s.p + at, s.n - at)))
        at += length;
    return at;
}

void utf8_put(struct str s, struct buf *b)
{
    while (s.n) {
        size_t right = utf8_valid(s);
        buf_append(b, s.p, right);
        if (right < s.n)
            buf_puts(b, "\xef\xbf\xbd");
        s = str_from(s, right + 1);
    }
}

/* What follows the backslash; 'u' stands for a numeric escape, 0 for a byte that needs none. */
static const char escapes[256] = {
    [0x00] = 'u', [0x01] = 'u', [0x02] = 'u', [0x03] = 'u',  [0x04] = 'u', [0x05] = 'u',
    [0x06] = 'u', [0x07] = 'u', [0x08] = 'b', [0x09] = 't',  [0x0a] = 'n', [0x0b] = 'u',
    [0x0c] = 'f', [0x0d] = 'r', [0x0e] = 'u', [0x0f] = 'u',  [0x10] = 'u', [0x11] = 'u',
    [0x12] = 'u', [0x13] = 'u', [0x14] = 'u', [0x15] = 'u',  [0x16] = 'u', [0x17] = 'u',
    [0x18] = 'u', [0x19] = 'u', [0x1a] = 'u', [0x1b] = 'u',  [0x1c] = 'u', [0x1d] = 'u',
    [0x1e] = 'u', [0x1f] = 'u', ['"'] = '"',  ['\\'] = '\\', [0xe2] = 'l',
};

/* U+2028 and U+2029, which encoding/json always escapes. */
static bool is_line_separator(const char *p, const char *end)
{
    return end - p >= 3 && (unsigned char)p[1] == 0x80 && ((unsigned char)p[2] & 0xfe) == 0xa8;
}

static void write_escape(const char *p, char escape, struct buf *b)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char c = (unsigned char)*p;
    if (escape == 'l')
        buf_append(b, (unsigned char)p[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
    else if (escape == 'u')
        buf_append(b, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
    else
        buf_append(b, (char[]){'\\', escape}, 2);
}

static void write_string(struct str s, struct buf *b)
{
    buf_putc(b, '"');
    const char *p = s.p, *end = s.p + s.n, *run = p;
    for (; p < end; p++) {
        char escape = escapes[(unsigned char)*p];
        if (!escape || (escape == 'l' && !is_line_separator(p, end)))
            continue;
        buf_append(b, run, (size_t)(p - run));
        write_escape(p, escape, b);
        p += escape == 'l' ? 2 : 0;
        run = p + 1;
    }
    buf_append(b, run, (size_t)(end - run));
    buf_putc(b, '"');
}

struct shortest real_shortest(double r, bool single)
{
    struct shortest s = {.negative = signbit(r)};
    char text[40] = "";
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, fabs(r));
        if (single ? strtof(text, NULL) == (float)fabs(r) : strtod(text, NULL) == fabs(r))
            break;
    }
    const char *p = text;
    for (; *p && *p != 'e'; p++)
        if (*p != '.')
            s.digits[s.count++] = *p;
    s.exponent = *p ? (int)strtol(p + 1, NULL, 10) : 0;
    return s;
}

static void put_plain(const struct shortest *s, struct buf *b)
{
    if (s->exponent < 0) {
        buf_puts(b, "0.");
        for (int i = s->exponent + 1; i < 0; i++)
            buf_putc(b, '0');
        buf_append(b, s->digits, (size_t)s->count);
        return;
    }
    for (int i = 0; i <= s->exponent || i < s->count; i++) {
        if (i == s->exponent + 1)
            buf_putc(b, '.');
        buf_putc(b, i < s->count ? s->digits[i] : '0');
    }
}

static void put_exponent(const struct shortest *s, int min_digits, struct buf *b)
{
    buf_putc(b, s->digits[0]);
    if (s->count > 1)
        buf_putc(b, '.');
    buf_append(b, s->digits + 1, (size_t)s->count - 1);
    buf_printf(b, "e%c%0*d", s->exponent < 0 ? '-' : '+', min_digits, abs(s->exponent));
}

/* encoding/json: plain between 1e-6 and 1e21. */
void real_write_json(double r, struct buf *b)
{
    if (!isfinite(r)) {
        buf_puts(b, "null");
        return;
    }
    struct shortest s = real_shortest(r, false);
    if (s.negative)
        buf_putc(b, '-');
    if (r == 0 || (fabs(r) >= 1e-6 && fabs(r) < 1e21))
        put_plain(&s, b);
    else
        put_exponent(&s, 1, b);
}

void real_write_short(double r, bool single, struct buf *b)
{
    struct shortest s = real_shortest(r, single);
    if (s.negative)
        buf_putc(b, '-');
    if (s.exponent < -4 || s.exponent >= 6)
        put_exponent(&s, 2, b);
    else
        put_plain(&s, b);
}

static void write_number(const val *v, struct buf *b)
{
    if (yyjson_mut_is_uint((val *)v))
        buf_put_u64(b, yyjson_mut_get_uint((val *)v));
    else if (yyjson_mut_is_sint((val *)v))
        buf_put_i64(b, yyjson_mut_get_sint((val *)v));
    else
        real_write_json(val_real(v), b);
}

void val_write_json(const val *v, struct buf *b)
{
    char before = '[';
    switch (yyjson_mut_get_type((val *)v)) {
    case YYJSON_TYPE_STR:
        write_string(val_str(v), b);
        return;
    case YYJSON_TYPE_NUM:
        write_number(v, b);
        return;
    case YYJSON_TYPE_BOOL:
        buf_puts(b, val_bool(v) ? "true" : "false");
        return;
    case YYJSON_TYPE_ARR:
        VAL_FOR(v, item)
        {
            buf_putc(b, before);
            val_write_json(item, b);
            before = ',';
        }
        buf_puts(b, before == '[' ? "[]" : "]");
        return;
    case YYJSON_TYPE_OBJ:
        before = '{';
        VAL_EACH(v, key, member)
        {
            buf_putc(b, before);
            write_string(val_str(key), b);
            buf_putc(b, ':');
            val_write_json(member, b);
            before = ',';
        }
        buf_puts(b, before == '{' ? "{}" : "}");
        return;
    default:
        buf_puts(b, "null");
    }
}
