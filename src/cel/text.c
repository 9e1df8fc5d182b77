#include "cel/text.h"

enum { REPLACEMENT = 0xfffd };

void cel_utf8_putc(struct buf *b, uint32_t c)
{
    if (c < 0x80) {
        buf_putc(b, (char)c);
        return;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    buf_putc(b, (char)(lead[more] | (c >> (6 * more))));
    while (more-- > 0)
        buf_putc(b, (char)(0x80 | ((c >> (6 * more)) & 0x3f)));
}

/* The character at the front and its length, which is 0 when it is no UTF-8. */
static size_t decode(struct str s, uint32_t *ret)
{
    const unsigned char *p = (const unsigned char *)s.p;
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    if (p[0] < 0x80) {
        *ret = p[0];
        return 1;
    }
    int more = p[0] >= 0xf0 && p[0] < 0xf8   ? 3
               : p[0] >= 0xe0 && p[0] < 0xf0 ? 2
               : p[0] >= 0xc0 && p[0] < 0xe0 ? 1
                                             : 0;
    if (more == 0 || s.n <= (size_t)more)
        return 0;
    uint32_t c = p[0] & (0x3f >> more);
    for (int i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    *ret = c;
    return (size_t)more + 1;
}

uint32_t cel_utf8_next(struct str *rest)
{
    uint32_t c;
    size_t n = decode(*rest, &c);
    if (n == 0) {
        n = 1;
        c = REPLACEMENT;
    }
    *rest = str_from(*rest, n);
    return c;
}

size_t cel_utf8_count(struct str s)
{
    size_t n = 0;
    for (; s.n > 0; n++)
        cel_utf8_next(&s);
    return n;
}

size_t cel_utf8_offset(struct str s, size_t i)
{
    struct str rest = s;
    while (i-- > 0 && rest.n > 0)
        cel_utf8_next(&rest);
    return s.n - rest.n;
}

bool cel_utf8_is_valid(struct str s)
{
    uint32_t c;
    while (s.n > 0) {
        size_t n = decode(s, &c);
        if (n == 0)
            return false;
        s = str_from(s, n);
    }
    return true;
}

void cel_quote_go(struct str s, struct buf *b)
{
    static const char from[] = "\a\b\f\n\r\t\v\\\"", to[] = "abfnrtv\\\"";
    buf_putc(b, '"');
    while (s.n > 0) {
        uint32_t c;
        size_t n = decode(s, &c);
        const char *special = n && c && c < 0x80 ? strchr(from, (int)c) : NULL;
        if (n == 0)
            buf_printf(b, "\\x%02x", (unsigned char)s.p[0]);
        else if (special)
            buf_printf(b, "\\%c", to[special - from]);
        else if (c < 0x20 || c == 0x7f)
            buf_printf(b, "\\x%02x", c);
        else if ((c >= 0x80 && c <= 0xa0) || c == 0xad || (c >= 0x2000 && c <= 0x200f) ||
                 (c >= 0x2028 && c <= 0x202f) || (c >= 0x205f && c <= 0x206f) || c == 0x3000 ||
                 c == 0xfeff) /* Go's strconv takes these for unprintable */
            buf_printf(b, "\\u%04x", c);
        else
            buf_append(b, s.p, n);
        s = str_from(s, n ? n : 1);
    }
    buf_putc(b, '"');
}
