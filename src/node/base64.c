#include "node/base64.h"

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(struct str text, struct buf *b)
{
    uint32_t bits = 0;
    size_t n = 0, padding = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\n' || c == '\r')
            continue;
        if (c == '=') {
            padding++;
            n++;
            continue;
        }
        int v = digit(c);
        if (v < 0 || padding)
            return -1;
        bits = bits << 6 | (uint32_t)v;
        if (n++ % 4)
            buf_putc(b, (char)(bits >> (2 * (3 - (n - 1) % 4))));
    }
    return n % 4 || padding > 2 ? -1 : 0;
}
