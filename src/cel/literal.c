#include "cel/ast.h"

#include <errno.h>

#include "cel/text.h"

static int hex_value(char ch)
{
    return ch <= '9' ? ch - '0' : (ch | 0x20) - 'a' + 10;
}

static uint32_t read_number(const char *p, int n, int base)
{
    uint32_t v = 0;
    for (int i = 0; i < n; i++)
        v = v * (uint32_t)base + (uint32_t)hex_value(p[i]);
    return v;
}

static char plain_escape(char ch)
{
    static const char from[] = "abfnrtv", to[] = "\a\b\f\n\r\t\v";
    const char *at = strchr(from, ch);
    return at ? to[at - from] : ch;
}

/* One escape; p stands behind the backslash. In bytes, \x and octal digits are bytes; in strings
 * they are characters. NULL: not a character. */
static const char *unescape(const char *p, bool bytes, struct buf *b)
{
    int digits = *p == 'x' || *p == 'X' ? 2 : *p == 'u' ? 4 : *p == 'U' ? 8 : 0;
    int base = 16;
    if (digits) {
        p++;
    } else if (*p >= '0' && *p <= '3') {
        digits = 3;
        base = 8;
    } else {
        buf_putc(b, plain_escape(*p));
        return p + 1;
    }
    uint32_t v = read_number(p, digits, base);
    if (bytes && digits < 4)
        buf_putc(b, (char)v);
    else if (v > 0x10ffff || (v >= 0xd800 && v < 0xe000) || bytes)
        return NULL;
    else
        cel_utf8_putc(b, v);
    return p + digits;
}

bool cel_literal_text(struct compiler *c, const struct token *t, struct str *ret)
{
    bool bytes = t->kind == TOKEN_BYTES;
    const char *p = t->text.p + bytes, *end = t->text.p + t->text.n;
    bool raw = *p == 'r' || *p == 'R';
    p += raw;
    size_t quotes = end - p >= 6 && p[1] == p[0] && p[2] == p[0] ? 3 : 1;
    p += quotes;
    end -= quotes;
    struct buf b = {0};
    while (p && p < end) {
        if (*p == '\r') { /* line ends are one newline, as in Go's raw strings */
            buf_putc(&b, '\n');
            p += p + 1 < end && p[1] == '\n' ? 2 : 1;
        } else if (*p == '\\' && !raw) {
            p = unescape(p + 1, bytes, &b);
        } else {
            buf_putc(&b, *p++);
        }
    }
    if (p)
        *ret = arena_dup(c->a, buf_str(&b));
    else
        cel_issue_add(c, t->at, bytes ? "unable to unescape string" : "invalid unicode code point");
    buf_done(&b);
    return p;
}

bool cel_literal_uint(struct str digits, uint64_t *ret)
{
    int base = digits.n > 2 && digits.p[1] == 'x' ? 16 : 10;
    uint64_t v = 0;
    for (size_t i = base == 16 ? 2 : 0; i < digits.n; i++)
        if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
            __builtin_add_overflow(v, (uint64_t)hex_value(digits.p[i]), &v))
            return false;
    *ret = v;
    return true;
}

bool cel_literal_int(struct str digits, bool negative, int64_t *ret)
{
    uint64_t v;
    if (!cel_literal_uint(digits, &v) || v > (uint64_t)INT64_MAX + negative)
        return false;
    *ret = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

bool cel_literal_double(struct str text, double *ret)
{
    CLEANUP(mem_freep) char *z = mem_strndup(text.p, text.n);
    char *end;
    errno = 0;
    *ret = strtod(z, &end);
    return end == z + text.n && !(errno == ERANGE && (*ret > 1 || *ret < -1));
}
