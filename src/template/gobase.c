/* gobase.c: base64 and base32, and what Go's decoders complain about. */
#include "template/gobase.h"

#include <string.h>

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base32_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* Groups of `size` digits of `bits` bits, the last one padded. */
static void encode(struct buf *b, struct str s, const char *digits, unsigned bits, size_t size)
{
    size_t bytes = size * bits / 8;
    for (size_t i = 0; i < s.n; i += bytes) {
        uint64_t group = 0;
        size_t have = s.n - i < bytes ? s.n - i : bytes;
        for (size_t j = 0; j < bytes; j++)
            group = group << 8 | (j < have ? (unsigned char)s.p[i + j] : 0);
        size_t used = (have * 8 + bits - 1) / bits;
        for (size_t j = 0; j < size; j++) {
            unsigned shift = (unsigned)(size - 1 - j) * bits;
            buf_putc(b, j < used ? digits[group >> shift & ((1u << bits) - 1)] : '=');
        }
    }
}

void gobase64_write(struct buf *b, struct str s)
{
    buf_reserve(b, s.n / 3 * 4 + 4);
    encode(b, s, base64_digits, 6, 4);
}

void gobase32_write(struct buf *b, struct str s)
{
    encode(b, s, base32_digits, 5, 8);
}

static int digit_of(const char *digits, char c)
{
    const char *p = c ? strchr(digits, c) : NULL;
    return p ? (int)(p - digits) : -1;
}

static bool is_break(char c)
{
    return c == '\n' || c == '\r';
}

static void put_group(struct buf *b, uint64_t group, unsigned bits, size_t size, size_t digits)
{
    size_t bytes = size * bits / 8, used = digits * bits / 8;
    group <<= bits * (size - digits);
    for (size_t i = 0; i < used; i++)
        buf_putc(b, (char)(group >> 8 * (bytes - 1 - i)));
}

/* The padding behind two or three digits, the first '=' of which is taken; nothing may follow. */
static int end_base64(struct str s, size_t at, size_t digits, size_t *ret_at)
{
    *ret_at = at - 1;
    if (digits < 2)
        return -1;
    if (digits == 2) {
        while (at < s.n && is_break(s.p[at]))
            at++;
        *ret_at = at == s.n ? s.n : at - 1;
        if (at == s.n || s.p[at] != '=')
            return -1;
        at++;
    }
    while (at < s.n && is_break(s.p[at]))
        at++;
    *ret_at = at;
    return at < s.n ? -1 : 0;
}

int gobase64_decode(struct buf *b, struct str s, size_t *ret_at)
{
    uint64_t group = 0;
    size_t digits = 0;
    for (size_t i = 0; i < s.n; i++) {
        int d = digit_of(base64_digits, s.p[i]);
        if (is_break(s.p[i]))
            continue;
        if (s.p[i] == '=') {
            if (end_base64(s, i + 1, digits, ret_at) < 0)
                return -1;
            put_group(b, group, 6, 4, digits);
            return 0;
        }
        *ret_at = i;
        if (d < 0)
            return -1;
        group = group << 6 | (uint64_t)d;
        if (++digits == 4) {
            put_group(b, group, 6, 4, 4);
            group = digits = 0;
        }
    }
    *ret_at = s.n - digits;
    return digits ? -1 : 0;
}

/* Checks the padding that begins at byte `at`, behind so many digits of the group. */
static int end_base32(struct str s, size_t at, size_t digits, size_t *ret_at)
{
    size_t left = s.n - at - 1;
    *ret_at = s.n;
    if (left + digits < 7)
        return -1;
    for (size_t k = 0; k < 7 - digits; k++) {
        *ret_at = at + k;
        if (left > k && s.p[at + 1 + k] != '=')
            return -1;
    }
    *ret_at = at;
    return digits == 1 || digits == 3 || digits == 6 ? -1 : 0;
}

static int base32_decode(struct buf *b, struct str s, size_t *ret_at)
{
    uint64_t group = 0;
    size_t digits = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '=' && digits >= 2 && s.n - i - 1 < 8) {
            if (end_base32(s, i, digits, ret_at) < 0)
                return -1;
            put_group(b, group, 5, 8, digits);
            return 0;
        }
        int d = digit_of(base32_digits, s.p[i]);
        *ret_at = i;
        if (d < 0)
            return -1;
        group = group << 5 | (uint64_t)d;
        if (++digits == 8) {
            put_group(b, group, 5, 8, 8);
            group = digits = 0;
        }
    }
    *ret_at = s.n - digits;
    return digits ? -1 : 0;
}

int gobase32_decode(struct buf *b, struct str s, size_t *ret_at)
{
    struct buf text = {0};
    for (size_t i = 0; i < s.n; i++)
        if (!is_break(s.p[i]))
            buf_putc(&text, s.p[i]);
    int ret = base32_decode(b, buf_str(&text), ret_at);
    buf_done(&text);
    return ret;
}
