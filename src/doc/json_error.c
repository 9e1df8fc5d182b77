/* Finds what is wrong with a JSON text, and says it as Go's encoding/json does; mends what
 * encoding/json lets pass. Runs only after the real parser has refused a text, or to find the end
 * of a short one, so it may be simple: one pass, one level per bit. */
#include <stdio.h>

#include "doc/val_internal.h"

enum { MAX_LEVELS = 10000 }; /* encoding/json's own limit */

struct scan {
    const unsigned char *p;
    size_t n, at;
    char *message;
    size_t size;
    bool first; /* what stands behind the first value does not matter */
    uint8_t is_obj[MAX_LEVELS / 8 + 1];
    size_t depth;
};

/* A byte as encoding/json quotes it: strconv.Quote with single quotes. */
static void quote(unsigned char c, char ret[12])
{
    if (c == '\'')
        snprintf(ret, 12, "'\\''");
    else if (c == '"')
        snprintf(ret, 12, "'\"'");
    else if (c == '\\')
        snprintf(ret, 12, "'\\\\'");
    else if (c >= 0x20 && c < 0x7f)
        snprintf(ret, 12, "'%c'", c);
    else if (c >= 0xa1 && c != 0xad)
        snprintf(ret, 12, "'%c%c'", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
    else if (c >= 0x80)
        snprintf(ret, 12, "'\\u%04x'", c);
    else if (c >= 7 && c <= 13)
        snprintf(ret, 12, "'\\%c'", "abtnvfr"[c - 7]);
    else
        snprintf(ret, 12, "'\\x%02x'", c);
}

static bool fail_char(struct scan *s, unsigned char c, const char *context)
{
    char quoted[12];
    quote(c, quoted);
    snprintf(s->message, s->size, "invalid character %s %s", quoted, context);
    return false;
}

/* Always false, so that scanners end with `return fail(…)`. */
static bool fail(struct scan *s, const char *context)
{
    if (s->at < s->n)
        return fail_char(s, s->p[s->at], context);
    snprintf(s->message, s->size, s->first ? "unexpected EOF" : "unexpected end of JSON input");
    return false;
}

/* The same inside of what no blank may divide: Go tries one there when the text ends. */
static bool fail_token(struct scan *s, const char *context)
{
    return s->at < s->n || s->first ? fail(s, context) : fail_char(s, ' ', context);
}

static int peek(const struct scan *s)
{
    return s->at < s->n ? s->p[s->at] : -1;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(int c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void skip_space(struct scan *s)
{
    for (int c = peek(s); c == ' ' || c == '\t' || c == '\r' || c == '\n'; c = peek(s))
        s->at++;
}

static bool scan_escape(struct scan *s)
{
    int c = peek(s);
    if (c < 0 || !strchr("bfnrt\\/\"u", c))
        return fail_token(s, "in string escape code");
    s->at++;
    for (int i = 0; c == 'u' && i < 4; i++, s->at++)
        if (!is_hex(peek(s)))
            return fail_token(s, "in \\u hexadecimal character escape");
    return true;
}

/* From behind the opening quote to behind the closing one. */
static bool scan_string(struct scan *s)
{
    for (;;) {
        int c = peek(s);
        if (c < 0x20)
            return fail(s, "in string literal");
        s->at++;
        if (c == '"')
            return true;
        if (c == '\\' && !scan_escape(s))
            return false;
    }
}

static bool scan_digits(struct scan *s, const char *context)
{
    if (!is_digit(peek(s)))
        return fail_token(s, context);
    while (is_digit(peek(s)))
        s->at++;
    return true;
}

static bool scan_number(struct scan *s)
{
    if (peek(s) == '-')
        s->at++;
    if (peek(s) == '0')
        s->at++;
    else if (!scan_digits(s, "in numeric literal"))
        return false;
    if (peek(s) == '.') {
        s->at++;
        if (!scan_digits(s, "after decimal point in numeric literal"))
            return false;
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->at++;
        if (peek(s) == '+' || peek(s) == '-')
            s->at++;
        return scan_digits(s, "in exponent of numeric literal");
    }
    return true;
}

static bool scan_word(struct scan *s, const char *word)
{
    for (const char *w = word; *w; w++, s->at++) {
        char context[64];
        snprintf(context, sizeof context, "in literal %s (expecting '%c')", word, *w);
        if (peek(s) != *w)
            return fail_token(s, context);
    }
    return true;
}

static bool in_object(const struct scan *s)
{
    size_t level = s->depth - 1;
    return s->is_obj[level / 8] >> level % 8 & 1;
}

static bool enter(struct scan *s, bool is_obj)
{
    if (s->depth == MAX_LEVELS) {
        snprintf(s->message, s->size, "exceeded max depth");
        return false;
    }
    size_t level = s->depth++;
    s->is_obj[level / 8] &= (uint8_t) ~(1 << level % 8);
    s->is_obj[level / 8] |= (uint8_t)(is_obj << level % 8);
    s->at++;
    return true;
}

/* A key and its colon. */
static bool scan_key(struct scan *s)
{
    skip_space(s);
    if (peek(s) != '"')
        return fail(s, "looking for beginning of object key string");
    s->at++;
    if (!scan_string(s))
        return false;
    skip_space(s);
    if (peek(s) != ':')
        return fail(s, "after object key");
    s->at++;
    return true;
}

/* The start of a value: a whole scalar or an empty container (*ret_done), or the way into a
 * container. */
static bool scan_value(struct scan *s, bool *ret_done)
{
    *ret_done = true;
    skip_space(s);
    int c = peek(s);
    switch (c) {
    case '"':
        s->at++;
        return scan_string(s);
    case 't':
        return scan_word(s, "true");
    case 'f':
        return scan_word(s, "false");
    case 'n':
        return scan_word(s, "null");
    case '{':
    case '[':
        if (!enter(s, c == '{'))
            return false;
        skip_space(s);
        if (peek(s) == (c == '{' ? '}' : ']')) {
            s->depth--;
            s->at++;
            return true;
        }
        *ret_done = false;
        return c == '[' || scan_key(s);
    default:
        return c == '-' || is_digit(c) ? scan_number(s) : fail(s, "looking for beginning of value");
    }
}

/* Behind a value: closes containers until one goes on, or the text ends. */
static bool scan_after(struct scan *s, bool *ret_end)
{
    for (;;) {
        *ret_end = s->depth == 0;
        if (s->depth == 0 && s->first)
            return true;
        skip_space(s);
        if (s->depth == 0)
            return s->at == s->n || fail(s, "after top-level value");
        bool is_obj = in_object(s);
        int c = peek(s);
        if (c == ',') {
            s->at++;
            return !is_obj || scan_key(s);
        }
        if (c != (is_obj ? '}' : ']'))
            return fail(s, is_obj ? "after object key:value pair" : "after array element");
        s->at++;
        s->depth--;
    }
}

static bool scan_text(struct scan *s)
{
    bool right = true, done = false, end = false;
    while (right && !end) {
        right = scan_value(s, &done);
        if (right && done)
            right = scan_after(s, &end);
    }
    return right;
}

bool json_find_error(struct str text, size_t *ret_offset, char *ret_message, size_t size)
{
    struct scan s = {.p = (const unsigned char *)text.p, .n = text.n};
    s.message = ret_message;
    s.size = size;
    bool right = scan_text(&s);
    if (!right)
        *ret_offset = s.at;
    return !right;
}

/* --- what encoding/json lets pass --- */

static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

static void put_valid(struct buf *b, struct str s)
{
    while (s.n > 0) {
        size_t n = utf8_valid(s);
        buf_append(b, s.p, n);
        if (n < s.n)
            buf_puts(b, replacement);
        s = str_from(s, n < s.n ? n + 1 : n);
    }
}

/* The code unit of the \uXXXX at the front; -1: there is none. */
static int32_t unit_at(struct str s)
{
    char digits[5] = {0};
    if (s.n < 6 || s.p[0] != '\\' || s.p[1] != 'u')
        return -1;
    memcpy(digits, s.p + 2, 4);
    return (int32_t)strtol(digits, NULL, 16);
}

/* The escape at the front; how long it is. A surrogate without its other half is U+FFFD. */
static size_t put_escape(struct buf *b, struct str s)
{
    int32_t unit = unit_at(s), next = unit < 0 ? -1 : unit_at(str_from(s, 6));
    size_t n = unit < 0 ? 2 : 6;
    if (unit >= 0xd800 && unit < 0xdc00 && next >= 0xdc00 && next < 0xe000)
        n = 12;
    else if (unit >= 0xd800 && unit < 0xe000)
        return buf_puts(b, replacement), n;
    buf_append(b, s.p, n);
    return n;
}

/* Escapes and strange bytes only stand in strings, as the grammar is right. */
static void mend(struct buf *b, struct str s)
{
    while (s.n > 0) {
        const char *escape = memchr(s.p, '\\', s.n);
        size_t n = escape ? (size_t)(escape - s.p) : s.n;
        put_valid(b, str_head(s, n));
        s = str_from(s, n);
        if (s.n > 0)
            s = str_from(s, put_escape(b, s));
    }
}

static int parse_mended(struct doc *doc, struct str text, val **ret, struct err *err)
{
    struct buf b = {0};
    mend(&b, text);
    int status = doc_parse_json(doc, buf_str(&b), ret, err);
    buf_done(&b);
    return status;
}

int doc_parse_json_go(struct doc *doc, struct str text, val **ret, struct err *err)
{
    char message[128];
    size_t offset;
    if (doc_parse_json(doc, text, ret, err) == 0)
        return 0;
    if (text.n > DOC_MAX_BYTES || json_find_error(text, &offset, message, sizeof message))
        return -1;
    return parse_mended(doc, text, ret, err);
}

int doc_parse_json_first(struct doc *doc, struct str text, size_t *ret_n, val **ret,
                         struct err *err)
{
    char message[128];
    struct scan s = {.p = (const unsigned char *)text.p, .n = text.n, .first = true};
    s.message = message;
    s.size = sizeof message;
    if (!scan_text(&s))
        return err_bad(err, "%s", message);
    *ret_n = s.at;
    return parse_mended(doc, str_head(text, s.at), ret, err);
}
