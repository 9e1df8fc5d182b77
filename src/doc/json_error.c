/* Finds what is wrong with a JSON text, and says it as Go's encoding/json does. Runs only after the
 * real parser has refused a text, so it may be simple: one pass, one level per bit. */
#include <stdio.h>

#include "doc/val_internal.h"

enum { MAX_LEVELS = 10000 }; /* encoding/json's own limit */

struct scan {
    const unsigned char *p;
    size_t n, at;
    char *message;
    size_t size;
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

/* Always false, so that scanners end with `return fail(…)`. */
static bool fail(struct scan *s, const char *context)
{
    if (s->at >= s->n) {
        snprintf(s->message, s->size, "unexpected end of JSON input");
        return false;
    }
    char quoted[12];
    quote(s->p[s->at], quoted);
    snprintf(s->message, s->size, "invalid character %s %s", quoted, context);
    return false;
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
        return fail(s, "in string escape code");
    s->at++;
    for (int i = 0; c == 'u' && i < 4; i++, s->at++)
        if (!is_hex(peek(s)))
            return fail(s, "in \\u hexadecimal character escape");
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
        return fail(s, context);
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
            return fail(s, context);
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
        skip_space(s);
        *ret_end = s->depth == 0;
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

bool json_find_error(struct str text, size_t *ret_offset, char *ret_message, size_t size)
{
    struct scan s = {(const unsigned char *)text.p, text.n, 0, ret_message, size, {0}, 0};
    bool right = true, done = false, end = false;
    while (right && !end) {
        right = scan_value(&s, &done);
        if (right && done)
            right = scan_after(&s, &end);
    }
    if (!right)
        *ret_offset = s.at;
    return !right;
}
