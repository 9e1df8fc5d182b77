#include "api/token64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void token64_write(struct str s, struct buf *b)
{
    for (size_t i = 0; i < s.n; i += 3) {
        size_t left = s.n - i;
        unsigned bits = (unsigned)(unsigned char)s.p[i] << 16;
        if (left > 1)
            bits |= (unsigned)(unsigned char)s.p[i + 1] << 8;
        if (left > 2)
            bits |= (unsigned char)s.p[i + 2];
        size_t digits = left > 2 ? 4 : left + 1;
        for (size_t k = 0; k < digits; k++)
            buf_putc(b, alphabet[bits >> (18 - 6 * k) & 63]);
    }
}

bool token64_read(struct arena *a, struct str s, struct str *ret)
{
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    unsigned bits = 0, have = 0;
    for (size_t i = 0; i < s.n; i++) {
        const char *at = s.p[i] ? strchr(alphabet, s.p[i]) : NULL;
        if (!at)
            return false;
        bits = bits << 6 | (unsigned)(at - alphabet);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (char)(bits >> have & 255);
        }
    }
    out[n] = '\0';
    *ret = (struct str){out, n};
    return s.n % 4 != 1;
}
