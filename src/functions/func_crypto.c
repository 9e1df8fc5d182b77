/* func_crypto.c: passwords, random texts and AES. */
#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/clock.h"
#include "functions/func_arg.h"
#include "template/gobase.h"
#include "functions/func_library.h"
#include "functions/func_random.h"

#define FN(name)                                                                                   \
    static int name(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)

enum { BCRYPT_COST = 10, BCRYPT_MAX = 72, AES_KEY = 32, AES_BLOCK = 16 };

static struct value bcrypt_of(struct tmpl_exec *x, struct str password)
{
    char salt_bytes[16], setting[CRYPT_GENSALT_OUTPUT_SIZE];
    if (password.n > BCRYPT_MAX)
        return value_str(STR("failed to encrypt string with bcrypt: bcrypt: password length "
                             "exceeds 72 bytes"));
    func_random(salt_bytes, sizeof(salt_bytes));
    struct crypt_data *data = NEW(struct crypt_data);
    const char *hash = NULL;
    if (!memchr(password.p ? password.p : "", 0, password.n) &&
        crypt_gensalt_rn("$2a$", BCRYPT_COST, salt_bytes, sizeof(salt_bytes), setting,
                         sizeof(setting)))
        hash = crypt_rn(arena_z(tmpl_arena(x), password), setting, data, sizeof(*data));
    struct value ret = hash ? tmpl_str(x, str_of(hash))
                            : value_str(STR("failed to encrypt string with bcrypt: bcrypt: "
                                            "password cannot be hashed"));
    OPENSSL_cleanse(data, sizeof(*data));
    free(data);
    return ret;
}

FN(bcrypt)
{
    (void)n;
    if (tmpl_check_time(x) < 0)
        return -1;
    *ret = bcrypt_of(x, value_text(args[0]));
    return 0;
}

FN(htpasswd)
{
    struct str user = value_text(args[0]);
    (void)n;
    if (tmpl_check_time(x) < 0)
        return -1;
    if (str_find_char(user, ':') >= 0) {
        *ret = value_str(arena_printf(tmpl_arena(x), "invalid username: %.*s", STR_ARG(user)));
        return 0;
    }
    struct str hash = value_text(bcrypt_of(x, value_text(args[1])));
    *ret = value_str(arena_printf(tmpl_arena(x), "%.*s:%.*s", STR_ARG(user), STR_ARG(hash)));
    return 0;
}

/* --- derivePassword: the Master Password algorithm, version 0 to 2 --- */

/* Each letter of a template stands for a class of characters. */
static const char *const password_maximum[] = {"anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"};
static const char *const password_long[] = {
    "CvcvnoCvcvCvcv", "CvcvCvcvnoCvcv", "CvcvCvcvCvcvno", "CvccnoCvcvCvcv", "CvccCvcvnoCvcv",
    "CvccCvcvCvcvno", "CvcvnoCvccCvcv", "CvcvCvccnoCvcv", "CvcvCvccCvcvno", "CvcvnoCvcvCvcc",
    "CvcvCvcvnoCvcc", "CvcvCvcvCvccno", "CvccnoCvccCvcv", "CvccCvccnoCvcv", "CvccCvccCvcvno",
    "CvcvnoCvccCvcc", "CvcvCvccnoCvcc", "CvcvCvccCvccno", "CvccnoCvcvCvcc", "CvccCvcvnoCvcc",
    "CvccCvcvCvccno"};
static const char *const password_medium[] = {"CvcnoCvc", "CvcCvcno"};
static const char *const password_short[] = {"Cvcn"};
static const char *const password_basic[] = {"aaanaaan", "aannaaan", "aaannaaa"};
static const char *const password_pin[] = {"nnnn"};

static const struct {
    const char *type;
    const char *const *templates;
    size_t count;
} password_types[] = {
    {"maximum", password_maximum, ARRAY_LEN(password_maximum)},
    {"long", password_long, ARRAY_LEN(password_long)},
    {"medium", password_medium, ARRAY_LEN(password_medium)},
    {"short", password_short, ARRAY_LEN(password_short)},
    {"basic", password_basic, ARRAY_LEN(password_basic)},
    {"pin", password_pin, ARRAY_LEN(password_pin)},
};

static const char *password_class(char c)
{
    switch (c) {
    case 'V':
        return "AEIOU";
    case 'C':
        return "BCDFGHJKLMNPQRSTVWXYZ";
    case 'v':
        return "aeiou";
    case 'c':
        return "bcdfghjklmnpqrstvwxyz";
    case 'a':
        return "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
    case 'n':
        return "0123456789";
    case 'o':
        return "@&%?,=[]_:-+*$#!'^~;()/.";
    default:
        return "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()";
    }
}

static void put_u32(struct buf *b, uint32_t v)
{
    const char bytes[] = {(char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v};
    buf_append(b, bytes, sizeof(bytes));
}

static bool password_seed(const struct value *args, unsigned char seed[EVP_MAX_MD_SIZE])
{
    struct buf salt = {0}, site = {0};
    unsigned char key[64];
    buf_puts(&salt, "com.lyndir.masterpassword");
    buf_put(&site, buf_str(&salt));
    put_u32(&salt, args[3].n);
    buf_put(&salt, value_text(args[3]));
    put_u32(&site, args[4].n);
    buf_put(&site, value_text(args[4]));
    put_u32(&site, (uint32_t)args[0].u);
    bool made = EVP_PBE_scrypt(args[2].p ? args[2].p : "", args[2].n, (unsigned char *)salt.p,
                               salt.n, 32768, 8, 2, 128 << 20, key, sizeof(key)) == 1 &&
                HMAC(EVP_sha256(), key, sizeof(key), (unsigned char *)site.p, site.n, seed, NULL);
    OPENSSL_cleanse(key, sizeof(key));
    buf_done(&salt);
    buf_done(&site);
    return made;
}

FN(derive_password)
{
    struct str type = value_text(args[1]);
    unsigned char seed[EVP_MAX_MD_SIZE];
    size_t kind = 0;
    (void)n;
    if (tmpl_check_time(x) < 0)
        return -1;
    while (kind < ARRAY_LEN(password_types) && !str_is(type, password_types[kind].type))
        kind++;
    if (kind == ARRAY_LEN(password_types)) {
        *ret = value_str(
            arena_printf(tmpl_arena(x), "cannot find password template %.*s", STR_ARG(type)));
        return 0;
    }
    if (!password_seed(args, seed))
        return tmpl_fail(x, "failed to derive password");
    const char *template = password_types[kind].templates[seed[0] % password_types[kind].count];
    char *text = arena_z(tmpl_arena(x), str_of(template));
    for (size_t i = 0; template[i]; i++) {
        const char *class = password_class(template[i]);
        text[i] = class[seed[i + 1] % strlen(class)];
    }
    *ret = value_z(text);
    return 0;
}

/* --- AES-256 in CBC mode, the password cut or filled with zeros; IV, then text, in base64 --- */

static bool run_cipher(bool encrypt, const unsigned char *key, const unsigned char *iv,
                       struct str in, unsigned char *out, int *ret_n)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int head = 0, tail = 0;
    bool done = ctx && EVP_CipherInit_ex(ctx, EVP_aes_256_cbc(), NULL, key, iv, encrypt) == 1 &&
                EVP_CIPHER_CTX_set_padding(ctx, encrypt) == 1 &&
                EVP_CipherUpdate(ctx, out, &head, (const unsigned char *)in.p, (int)in.n) == 1 &&
                EVP_CipherFinal_ex(ctx, out + head, &tail) == 1;
    *ret_n = head + tail;
    EVP_CIPHER_CTX_free(ctx);
    return done;
}

static void fill_key(unsigned char key[AES_KEY], struct str password)
{
    memset(key, 0, AES_KEY);
    if (password.n > 0)
        memcpy(key, password.p, password.n < AES_KEY ? password.n : AES_KEY);
}

FN(encrypt_aes)
{
    struct str text = value_text(args[1]);
    unsigned char key[AES_KEY];
    int size;
    (void)n;
    *ret = value_str(STR(""));
    if (text.n == 0)
        return 0;
    fill_key(key, value_text(args[0]));
    unsigned char *out = arena_alloc(tmpl_arena(x), text.n + 2 * AES_BLOCK);
    func_random(out, AES_BLOCK);
    if (!run_cipher(true, key, out, text, out + AES_BLOCK, &size))
        return tmpl_fail(x, "cannot encrypt");
    struct buf b = {0};
    gobase64_write(&b, (struct str){(const char *)out, (size_t)size + AES_BLOCK});
    return func_take_spent(x, &b, ret);
}

/* The last byte says how many are padding. */
static int cut_padding(struct tmpl_exec *x, const unsigned char *out, size_t n, struct value *ret)
{
    if (n == 0)
        return tmpl_fail(x, "runtime error: index out of range [-1]");
    if (out[n - 1] > n)
        return tmpl_fail(x, "runtime error: slice bounds out of range [:%d]",
                         (int)n - (int)out[n - 1]);
    *ret = value_str((struct str){(const char *)out, n - out[n - 1]});
    return 0;
}

FN(decrypt_aes)
{
    struct str text = value_text(args[1]);
    unsigned char key[AES_KEY];
    struct buf b = {0};
    size_t at;
    int size;
    (void)n;
    *ret = value_str(STR(""));
    if (text.n == 0)
        return 0;
    int status = gobase64_decode(&b, text, &at);
    struct str data = arena_dup(tmpl_arena(x), buf_str(&b));
    buf_done(&b);
    if (status < 0)
        return tmpl_fail(x, "illegal base64 data at input byte %zu", at);
    if (data.n < AES_BLOCK && text.n / 4 * 3 < AES_BLOCK)
        return tmpl_fail(x, "runtime error: slice bounds out of range [:16] with capacity %zu",
                         text.n / 4 * 3);
    if (data.n < AES_BLOCK)
        return tmpl_fail(x, "runtime error: slice bounds out of range [16:%zu]", data.n);
    if (data.n % AES_BLOCK)
        return tmpl_fail(x, "crypto/cipher: input not full blocks");
    fill_key(key, value_text(args[0]));
    unsigned char *out = arena_alloc(tmpl_arena(x), data.n + AES_BLOCK);
    if (!run_cipher(false, key, (const unsigned char *)data.p, str_from(data, AES_BLOCK), out,
                    &size))
        return tmpl_fail(x, "cannot decrypt");
    return cut_padding(x, out, (size_t)size, ret);
}

/* --- random texts --- */

static int random_text(struct tmpl_exec *x, int64_t count, char first, char last,
                       bool (*fits)(char), struct value *ret)
{
    *ret = value_str(STR(""));
    if (count <= 0)
        return 0;
    if (count > VALUE_MAX_BYTES)
        return tmpl_fail(x, "runtime error: makeslice: len out of range");
    if (tmpl_spend(x, (size_t)count) < 0)
        return -1;
    char *text = arena_alloc(tmpl_arena(x), (size_t)count + 1);
    for (int64_t i = 0; i < count;) {
        char c = (char)(first + (char)func_random_below((uint64_t)(last - first) + 1));
        if (fits == NULL || fits(c))
            text[i++] = c;
    }
    *ret = value_str((struct str){text, (size_t)count});
    return 0;
}

static bool is_letter(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_alphanumeric(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9');
}

FN(rand_alpha)
{
    (void)n;
    return random_text(x, args[0].i, 'A', 'z', is_letter, ret);
}

FN(rand_alphanum)
{
    (void)n;
    return random_text(x, args[0].i, '0', 'z', is_alphanumeric, ret);
}

FN(rand_ascii)
{
    (void)n;
    return random_text(x, args[0].i, ' ', '~', NULL, ret);
}

FN(rand_numeric)
{
    (void)n;
    return random_text(x, args[0].i, '0', '9', NULL, ret);
}

FN(rand_bytes)
{
    struct buf b = {0};
    (void)n;
    if (args[0].i < 0 || args[0].i > VALUE_MAX_BYTES / 2)
        return tmpl_fail(x, "runtime error: makeslice: len out of range");
    size_t count = (size_t)args[0].i;
    if (tmpl_spend(x, count) < 0)
        return -1;
    char *bytes = arena_alloc(tmpl_arena(x), count + 1);
    func_random(bytes, count);
    gobase64_write(&b, (struct str){bytes, count});
    return func_take_spent(x, &b, ret);
}

FN(uuidv4)
{
    char text[37];
    (void)args, (void)n;
    world_uuid(world_real(), text);
    *ret = tmpl_str(x, str_of(text));
    return 0;
}

const struct func func_cryptos[] = {
    {"bcrypt", bcrypt, {&type_string}, &type_string},
    {"decryptAES", decrypt_aes, {&type_string, &type_string}, &type_string},
    {"derivePassword",
     derive_password,
     {&type_uint32, &type_string, &type_string, &type_string, &type_string},
     &type_string},
    {"encryptAES", encrypt_aes, {&type_string, &type_string}, &type_string},
    {"htpasswd", htpasswd, {&type_string, &type_string}, &type_string},
    {"randAlpha", rand_alpha, {&type_int}, &type_string},
    {"randAlphaNum", rand_alphanum, {&type_int}, &type_string},
    {"randAscii", rand_ascii, {&type_int}, &type_string},
    {"randBytes", rand_bytes, {&type_int}, &type_string},
    {"randNumeric", rand_numeric, {&type_int}, &type_string},
    {"uuidv4", uuidv4, {0}, &type_string},
    {0},
};
