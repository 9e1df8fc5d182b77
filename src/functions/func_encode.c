/* func_encode.c: base64, base32 and checksums. A text that cannot be decoded becomes the error's
 * text: these functions do not fail. */
#include <openssl/evp.h>
#include <zlib.h>

#include "functions/func_arg.h"
#include "functions/func_library.h"
#include "template/gobase.h"

#define FN(name)                                                                                   \
    static int name(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)

static struct value illegal(struct tmpl_exec *x, const char *what, size_t at)
{
    return value_str(arena_printf(tmpl_arena(x), "illegal %s data at input byte %zu", what, at));
}

FN(b64enc)
{
    struct buf b = {0};
    (void)n;
    gobase64_write(&b, value_text(args[0]));
    return func_take_spent(x, &b, ret);
}

FN(b64dec)
{
    struct buf b = {0};
    size_t at;
    (void)n;
    int status = gobase64_decode(&b, value_text(args[0]), &at);
    *ret = func_take(x, &b);
    if (status < 0)
        *ret = illegal(x, "base64", at);
    return 0;
}

FN(b32enc)
{
    struct buf b = {0};
    (void)n;
    gobase32_write(&b, value_text(args[0]));
    return func_take_spent(x, &b, ret);
}

FN(b32dec)
{
    struct buf b = {0};
    size_t at;
    (void)n;
    int status = gobase32_decode(&b, value_text(args[0]), &at);
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
