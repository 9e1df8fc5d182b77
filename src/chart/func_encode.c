/* func_encode.c: base64, base32 and checksums. A text that cannot be decoded becomes the error's
 * text: these functions do not fail. */
#include "chart/func_encode.h"

#include <openssl/evp.h>
#include <zlib.h>

#include "chart/func_arg.h"
#include "chart/func_library.h"

#define FN(name)                                                                                   \
    static int name(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)

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

void func_base64(struct buf *b, struct str s)
{
    buf_reserve(b, s.n / 3 * 4 + 4);
    encode(b, s, base64_digits, 6, 4);
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

int func_base64_decode(struct buf *b, struct str s, size_t *ret_at)
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

/* Line breaks were taken out before. */
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

static struct value illegal(struct tmpl_exec *x, const char *what, size_t at)
{
    return value_str(arena_printf(tmpl_arena(x), "illegal %s data at input byte %zu", what, at));
}

FN(b64enc)
{
    struct buf b = {0};
    (void)n;
    func_base64(&b, value_text(args[0]));
    return func_take_spent(x, &b, ret);
}

FN(b64dec)
{
    struct buf b = {0};
    size_t at;
    (void)n;
    int status = func_base64_decode(&b, value_text(args[0]), &at);
    *ret = func_take(x, &b);
    if (status < 0)
        *ret = illegal(x, "base64", at);
    return 0;
}

FN(b32enc)
{
    struct buf b = {0};
    (void)n;
    encode(&b, value_text(args[0]), base32_digits, 5, 8);
    return func_take_spent(x, &b, ret);
}

FN(b32dec)
{
    struct buf b = {0}, text = {0};
    size_t at;
    (void)n;
    for (size_t i = 0; i < args[0].n; i++)
        if (!is_break(args[0].p[i]))
            buf_putc(&text, args[0].p[i]);
    int status = base32_decode(&b, buf_str(&text), &at);
    buf_done(&text);
    *ret = func_take(x, &b);
    if (status < 0)
        *ret = illegal(x, "base32", at);
    return 0;
}

static int digest(struct tmpl_exec *x, struct value v, const EVP_MD *md, struct value *ret)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_Digest(v.p ? v.p : "", v.n, sum, &size, md, NULL) != 1)
        return tmpl_fail(x, "cannot compute the digest");
    char *text = arena_alloc(tmpl_arena(x), 2 * (size_t)size + 1);
    for (unsigned i = 0; i < size; i++) {
        text[2 * i] = "0123456789abcdef"[sum[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[sum[i] & 15];
    }
    *ret = value_str((struct str){text, 2 * (size_t)size});
    return 0;
}

FN(sha1sum)
{
    (void)n;
    return digest(x, args[0], EVP_sha1(), ret);
}

FN(sha256sum)
{
    (void)n;
    return digest(x, args[0], EVP_sha256(), ret);
}

FN(sha512sum)
{
    (void)n;
    return digest(x, args[0], EVP_sha512(), ret);
}

FN(adler32sum)
{
    (void)n;
    uLong sum = adler32_z(1, (const Bytef *)(args[0].p ? args[0].p : ""), args[0].n);
    *ret = value_str(arena_printf(tmpl_arena(x), "%lu", sum));
    return 0;
}

const struct func func_encodings[] = {
    {"adler32sum", adler32sum, {&type_string}, &type_string},
    {"b32dec", b32dec, {&type_string}, &type_string},
    {"b32enc", b32enc, {&type_string}, &type_string},
    {"b64dec", b64dec, {&type_string}, &type_string},
    {"b64enc", b64enc, {&type_string}, &type_string},
    {"sha1sum", sha1sum, {&type_string}, &type_string},
    {"sha256sum", sha256sum, {&type_string}, &type_string},
    {"sha512sum", sha512sum, {&type_string}, &type_string},
    {0},
};
