#include "api/authn/token.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "api/authz/authz.h"
#include "api/token64.h"
#include "doc/time.h"
#include "doc/val.h"

enum {
    TOKEN_MAX = 16 * 1024,
    COORDINATE = 32, /* bytes of a P-256 number */
    EXPIRATION_MIN = 600,
};

#define EXPIRATION_MAX ((int64_t)1 << 32)
#define SUBJECT_PREFIX "system:serviceaccount:"

struct token_issuer {
    EVP_PKEY *key;
    char *issuer;
    struct arena arena;
    struct str kid;
    struct str x, y; /* the public point, base64url */
};

/* --- the key --- */
static struct str encode64(struct arena *a, const unsigned char *p, size_t n)
{
    struct buf b = {0};
    token64_write((struct str){(const char *)p, n}, &b);
    struct str s = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return s;
}

/* Upstream's key id: base64url of the SHA-256 of the public key's DER form. */
static int describe_key(struct token_issuer *t)
{
    unsigned char *der = NULL, digest[SHA256_DIGEST_LENGTH], point[2 * COORDINATE + 1];
    int n = i2d_PUBKEY(t->key, &der);
    if (n <= 0)
        return -1;
    SHA256(der, (size_t)n, digest);
    OPENSSL_free(der);
    t->kid = encode64(&t->arena, digest, sizeof(digest));
    size_t got;
    if (!EVP_PKEY_get_octet_string_param(t->key, "pub", point, sizeof(point), &got) ||
        got != sizeof(point))
        return -1;
    t->x = encode64(&t->arena, point + 1, COORDINATE);
    t->y = encode64(&t->arena, point + 1 + COORDINATE, COORDINATE);
    return 0;
}

int token_issuer_new(struct str key_pem, const char *issuer, struct token_issuer **ret,
                     struct err *err)
{
    struct token_issuer *t = NEW(struct token_issuer);
    BIO *b = BIO_new_mem_buf(key_pem.p, (int)key_pem.n);
    t->key = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
    BIO_free(b);
    t->issuer = mem_strdup(issuer ? issuer : TOKEN_ISSUER);
    if (!t->key || EVP_PKEY_get_bits(t->key) != 256 || describe_key(t)) {
        token_issuer_free(t);
        return err_internal(err, "the service-account key is no P-256 private key");
    }
    *ret = t;
    return 0;
}

void token_issuer_free(struct token_issuer *t)
{
    if (t == NULL)
        return;
    EVP_PKEY_free(t->key);
    free(t->issuer);
    arena_done(&t->arena);
    free(t);
}

/* --- signatures: JOSE has r and s side by side, OpenSSL a DER sequence --- */
static int sign(const struct token_issuer *t, struct str text, unsigned char ret[2 * COORDINATE])
{
    unsigned char der[160];
    size_t n = sizeof(der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, t->key) == 1 &&
              EVP_DigestSign(ctx, der, &n, (const unsigned char *)text.p, text.n) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ok)
        return -1;
    const unsigned char *at = der;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)n);
    if (sig == NULL)
        return -1;
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret, COORDINATE);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret + COORDINATE, COORDINATE);
    ECDSA_SIG_free(sig);
    return 0;
}

static bool check_signature(const struct token_issuer *t, struct str text, struct str raw)
{
    if (raw.n != 2 * COORDINATE)
        return false;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    const unsigned char *p = (const unsigned char *)raw.p;
    ECDSA_SIG_set0(sig, BN_bin2bn(p, COORDINATE, NULL),
                   BN_bin2bn(p + COORDINATE, COORDINATE, NULL));
    unsigned char *der = NULL;
    int n = i2d_ECDSA_SIG(sig, &der);
    ECDSA_SIG_free(sig);
    if (n <= 0)
        return false;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, t->key) == 1 &&
              EVP_DigestVerify(ctx, der, (size_t)n, (const unsigned char *)text.p, text.n) == 1;
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    return ok;
}

/* --- issuing --- */
static int refuse_request(struct err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int refuse_request(struct err *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err_setv(err, 422, "Invalid", format, args);
    va_end(args);
    return err_prefix(err, "TokenRequest.authentication.k8s.io \"\" is invalid");
}

static int check_expiration(const val *spec, int64_t *ret, struct err *err)
{
    const val *asked = val_get(spec, "expirationSeconds");
    *ret = val_is_null(asked) ? 3600 : val_int(asked);
    if (*ret < EXPIRATION_MIN)
        return refuse_request(err,
                              "spec.expirationSeconds: Invalid value: %lld: may not specify a "
                              "duration less than 10 minutes",
                              (long long)*ret);
    if (*ret > EXPIRATION_MAX)
        return refuse_request(err,
                              "spec.expirationSeconds: Invalid value: %lld: may not specify a "
                              "duration larger than 2^32 seconds",
                              (long long)*ret);
    return 0;
}

static val *reference(struct doc *d, const val *object)
{
    val *ref = val_new_obj(d);
    val_set_s(d, ref, "name", VAL_STR(object, "metadata", "name"));
    val_set_s(d, ref, "uid", VAL_STR(object, "metadata", "uid"));
    return ref;
}

static const struct {
    const char *kind, *resource, *claim;
    bool namespaced;
} bindable[] = {
    {"Pod", "pods", "pod", true},
    {"Secret", "secrets", "secret", true},
    {"Node", "nodes", "node", false},
};

/* Adds the claim about the object that the token shall not outlive. */
static int bind_claims(struct strategy_ctx *c, const val *ref, const val *account, val *claims,
                       struct err *err)
{
    struct str kind = VAL_STR(ref, "kind"), name = VAL_STR(ref, "name"), uid = VAL_STR(ref, "uid");
    size_t i = 0;
    while (i < ARRAY_LEN(bindable) && !str_is(kind, bindable[i].kind))
        i++;
    if (i == ARRAY_LEN(bindable) || !str_is(VAL_STR(ref, "apiVersion"), "v1"))
        return err_bad(err, "cannot bind token to object of type %.*s, Kind=%.*s",
                       STR_ARG(VAL_STR(ref, "apiVersion")), STR_ARG(kind));
    struct str ns = bindable[i].namespaced ? c->ns : (struct str){0};
    const val *object = strategy_lookup(c, "", bindable[i].resource, ns, name);
    if (object == NULL)
        return err_set(err, 404, "NotFound", "%s \"%.*s\" not found", bindable[i].resource,
                       STR_ARG(name));
    struct str has = VAL_STR(object, "metadata", "uid");
    if (uid.n && !str_eq(uid, has))
        return err_set(err, 409, "Conflict",
                       "Operation cannot be fulfilled on %s \"%.*s\": the UID in the bound object "
                       "reference (%.*s) does not match the UID in record. The object might have "
                       "been deleted and then recreated",
                       bindable[i].kind, STR_ARG(name), STR_ARG(uid));
    val_set(c->d, claims, bindable[i].claim, reference(c->d, object));
    if (i != 0)
        return 0;
    if (!str_eq(VAL_STR(object, "spec", "serviceAccountName"),
                VAL_STR(account, "metadata", "name")))
        return err_bad(err,
                       "cannot bind token for serviceaccount \"%.*s\" to pod running with "
                       "different serviceaccount name.",
                       STR_ARG(VAL_STR(account, "metadata", "name")));
    struct str node_name = VAL_STR(object, "spec", "nodeName");
    const val *node =
        node_name.n ? strategy_lookup(c, "", "nodes", (struct str){0}, node_name) : NULL;
    if (node)
        val_set(c->d, claims, "node", reference(c->d, node));
    return 0;
}

/* A node's agent gets tokens for the pods on its node only: upstream's NodeRestriction. */
static int check_node(struct strategy_ctx *c, const val *ref, const val *account, struct err *err)
{
    struct str node = authz_node_of(c->user);
    const char *why = NULL;
    if (node.n == 0)
        return 0;
    if (!str_is(VAL_STR(ref, "kind"), "Pod") || VAL_STR(ref, "uid").n == 0)
        why = "node requested token not bound to a pod";
    else {
        const val *pod = strategy_lookup(c, "", "pods", c->ns, VAL_STR(ref, "name"));
        if (pod && !str_eq(VAL_STR(pod, "spec", "nodeName"), node))
            why = "node requested token bound to a pod scheduled on a different node";
    }
    return why ? err_set(err, 403, "Forbidden", "serviceaccounts \"%.*s\" is forbidden: %s",
                         STR_ARG(VAL_STR(account, "metadata", "name")), why)
               : 0;
}

static void write_token(struct strategy_ctx *c, const val *claims, struct buf *b)
{
    const struct token_issuer *t = c->config->tokens;
    unsigned char signature[2 * COORDINATE] = {0};
    struct str header =
        arena_printf(c->arena, "{\"alg\":\"ES256\",\"kid\":\"%.*s\"}", STR_ARG(t->kid));
    struct buf payload = {0};
    val_write_json(claims, &payload);
    token64_write(header, b);
    buf_putc(b, '.');
    token64_write(buf_str(&payload), b);
    buf_done(&payload);
    if (sign(t, buf_str(b), signature)) {
        buf_clear(b);
        return;
    }
    buf_putc(b, '.');
    token64_write((struct str){(char *)signature, sizeof(signature)}, b);
}

static val *make_claims(struct strategy_ctx *c, const val *account, val *audiences, int64_t now,
                        int64_t seconds)
{
    char jti[37];
    struct doc *d = c->d;
    val *claims = val_new_obj(d);
    world_uuid(c->world, jti);
    val_set(d, claims, "aud", audiences);
    val_set_int(d, claims, "exp", now + seconds);
    val_set_int(d, claims, "iat", now);
    val_set_z(d, claims, "iss", c->config->tokens->issuer);
    val_set_z(d, claims, "jti", jti);
    val *own = val_set(d, claims, "kubernetes.io", val_new_obj(d));
    val_set_s(d, own, "namespace", VAL_STR(account, "metadata", "namespace"));
    val_set(d, own, "serviceaccount", reference(d, account));
    val_set_int(d, claims, "nbf", now);
    struct str sub = arena_printf(c->arena, SUBJECT_PREFIX "%.*s:%.*s",
                                  STR_ARG(VAL_STR(account, "metadata", "namespace")),
                                  STR_ARG(VAL_STR(account, "metadata", "name")));
    val_set_s(d, claims, "sub", sub);
    return claims;
}

int token_request(struct strategy_ctx *c, val *body, const val *account, struct err *err)
{
    const struct token_issuer *t = c->config ? c->config->tokens : NULL;
    struct doc *d = c->d;
    val *spec = val_ensure_obj(d, body, "spec");
    int64_t seconds, now = wall_ns(c->world) / 1000000000;
    const val *bound = val_get(spec, "boundObjectRef");
    if (t == NULL)
        return err_internal(err, "this server issues no tokens");
    if (check_node(c, bound, account, err) || check_expiration(spec, &seconds, err))
        return -1;
    if (val_len(val_get(spec, "audiences")) == 0)
        val_push(val_ensure_arr(d, spec, "audiences"), val_new_z(d, t->issuer));
    val_set_int(d, spec, "expirationSeconds", seconds);

    val *claims = make_claims(c, account, val_copy(d, val_get(spec, "audiences")), now, seconds);
    if (val_is_null(bound))
        val_set(d, spec, "boundObjectRef", val_new_null(d));
    else if (bind_claims(c, bound, account, val_get(claims, "kubernetes.io"), err))
        return -1;

    struct buf token = {0};
    write_token(c, claims, &token);
    if (token.n == 0 || token.n > TOKEN_MAX) {
        buf_done(&token);
        return err_internal(err, "the token could not be signed");
    }
    char text[TIME_TEXT];
    val *meta = val_ensure_obj(d, body, "metadata");
    val_set_s(d, meta, "name", VAL_STR(account, "metadata", "name"));
    val_set_s(d, meta, "namespace", VAL_STR(account, "metadata", "namespace"));
    time_write(now * 1000000000, text);
    val_set_z(d, meta, "creationTimestamp", text);
    val *status = val_set(d, body, "status", val_new_obj(d));
    val_set_s(d, status, "token", buf_str(&token));
    time_write((now + seconds) * 1000000000, text);
    val_set_z(d, status, "expirationTimestamp", text);
    OPENSSL_cleanse(token.p, token.n);
    buf_done(&token);
    return 0;
}

/* --- verifying --- */
static int bad_token(struct err *err, const char *why)
{
    return err_set(err, 401, "Unauthorized", "invalid bearer token: %s", why);
}

static int parse_part(struct strategy_ctx *c, struct str part, val **ret)
{
    struct str text;
    struct err ignored;
    return token64_read(c->arena, part, &text) && doc_parse_json(c->d, text, ret, &ignored) == 0 &&
                   val_is_obj(*ret)
               ? 0
               : -1;
}

/* The claims of a token that this issuer signed. */
static int open_token(struct strategy_ctx *c, struct str token, val **ret_claims, struct err *err)
{
    const struct token_issuer *t = c->config->tokens;
    struct str head, rest, body, signature, raw;
    val *header;
    if (token.n > TOKEN_MAX || !str_cut(token, '.', &head, &rest) ||
        !str_cut(rest, '.', &body, &signature) || str_find_char(signature, '.') >= 0)
        return bad_token(err, "not a JSON web token");
    if (parse_part(c, head, &header) || !str_is(VAL_STR(header, "alg"), "ES256") ||
        !str_eq(VAL_STR(header, "kid"), t->kid))
        return bad_token(err, "signed with another key");
    struct str signed_text = {token.p, head.n + 1 + body.n};
    if (!token64_read(c->arena, signature, &raw) || !check_signature(t, signed_text, raw))
        return bad_token(err, "wrong signature");
    if (parse_part(c, body, ret_claims))
        return bad_token(err, "the claims are no JSON object");
    return 0;
}

static bool wanted(struct str audience, const struct token_issuer *t, const struct str *audiences,
                   size_t count)
{
    if (count == 0)
        return str_is(audience, t->issuer);
    for (size_t i = 0; i < count; i++)
        if (str_eq(audience, audiences[i]))
            return true;
    return false;
}

static int check_claims(struct strategy_ctx *c, const val *claims, const struct str *audiences,
                        size_t audience_count, val *matched, struct err *err)
{
    const struct token_issuer *t = c->config->tokens;
    int64_t now = wall_ns(c->world) / 1000000000;
    if (!str_is(VAL_STR(claims, "iss"), t->issuer))
        return bad_token(err, "from another issuer");
    if (VAL_INT(claims, "exp") <= now)
        return bad_token(err, "service account token has expired");
    if (VAL_INT(claims, "nbf") > now)
        return bad_token(err, "service account token is not valid yet");
    VAL_FOR (val_get(claims, "aud"), audience) {
        if (wanted(val_str(audience), t, audiences, audience_count))
            val_push(matched, val_copy(c->d, audience));
    }
    return val_len(matched) ? 0 : bad_token(err, "token audiences do not match");
}

/* Every object that the claims name must still be there, itself and not a namesake. */
static int check_object(struct strategy_ctx *c, const char *resource, struct str ns,
                        const val *claim, struct err *err)
{
    const val *object = strategy_lookup(c, "", resource, ns, VAL_STR(claim, "name"));
    struct str uid = VAL_STR(object, "metadata", "uid");
    if (object == NULL || !str_eq(uid, VAL_STR(claim, "uid")))
        return bad_token(err, "the object it is bound to is gone");
    return 0;
}

static int check_objects(struct strategy_ctx *c, const val *own, struct err *err)
{
    struct str ns = VAL_STR(own, "namespace");
    if (check_object(c, "serviceaccounts", ns, val_get(own, "serviceaccount"), err))
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(bindable); i++) {
        const val *claim = val_get(own, bindable[i].claim);
        bool aside =
            i == 2 && val_get(own, "pod"); /* where its pod runs, not what it is bound to */
        if (claim && !aside &&
            check_object(c, bindable[i].resource, bindable[i].namespaced ? ns : (struct str){0},
                         claim, err))
            return -1;
    }
    return 0;
}

static void add_extra(struct api_user *user, struct api_extra *extra, const char *key,
                      struct str value)
{
    if (value.n == 0)
        return;
    struct str *values = arena_alloc(user->arena, sizeof(*values));
    *values = arena_dup(user->arena, value);
    extra[user->extra_count++] = (struct api_extra){str_of(key), values, 1};
}

static void fill_user(struct api_user *user, const val *claims)
{
    enum { GROUPS = 3, EXTRAS = 5 };
    struct arena *a = user->arena;
    const val *own = val_get(claims, "kubernetes.io");
    struct str ns = VAL_STR(own, "namespace");
    struct str *groups = arena_alloc(a, GROUPS * sizeof(*groups));
    struct api_extra *extra = arena_alloc(a, EXTRAS * sizeof(*extra));
    user->name = arena_printf(a, SUBJECT_PREFIX "%.*s:%.*s", STR_ARG(ns),
                              STR_ARG(VAL_STR(own, "serviceaccount", "name")));
    user->uid = arena_dup(a, VAL_STR(own, "serviceaccount", "uid"));
    groups[0] = STR("system:serviceaccounts");
    groups[1] = arena_printf(a, "system:serviceaccounts:%.*s", STR_ARG(ns));
    groups[2] = STR("system:authenticated");
    user->groups = groups;
    user->group_count = GROUPS;
    user->extra = extra;
    user->extra_count = 0;
    struct str jti = VAL_STR(claims, "jti");
    if (jti.n)
        add_extra(user, extra, "authentication.kubernetes.io/credential-id",
                  arena_printf(a, "JTI=%.*s", STR_ARG(jti)));
    add_extra(user, extra, "authentication.kubernetes.io/node-name", VAL_STR(own, "node", "name"));
    add_extra(user, extra, "authentication.kubernetes.io/node-uid", VAL_STR(own, "node", "uid"));
    add_extra(user, extra, "authentication.kubernetes.io/pod-name", VAL_STR(own, "pod", "name"));
    add_extra(user, extra, "authentication.kubernetes.io/pod-uid", VAL_STR(own, "pod", "uid"));
}

int token_verify(struct strategy_ctx *c, struct str token, const struct str *audiences,
                 size_t audience_count, struct api_user *user, val **ret_audiences, struct err *err)
{
    val *claims, *matched = val_new_arr(c->d);
    if (c->config == NULL || c->config->tokens == NULL)
        return bad_token(err, "this server knows no tokens");
    if (open_token(c, token, &claims, err) ||
        check_claims(c, claims, audiences, audience_count, matched, err) ||
        check_objects(c, val_get(claims, "kubernetes.io"), err))
        return -1;
    fill_user(user, claims);
    if (ret_audiences)
        *ret_audiences = matched;
    return 0;
}

/* --- OpenID discovery --- */
void token_openid_configuration(const struct token_issuer *t, struct str server_url, struct buf *b)
{
    buf_printf(b,
               "{\"issuer\":\"%s\",\"jwks_uri\":\"%.*s/openid/v1/jwks\","
               "\"response_types_supported\":[\"id_token\"],\"subject_types_supported\":"
               "[\"public\"],\"id_token_signing_alg_values_supported\":[\"ES256\"]}",
               t->issuer, STR_ARG(server_url));
}

void token_jwks(const struct token_issuer *t, struct buf *b)
{
    buf_printf(b,
               "{\"keys\":[{\"use\":\"sig\",\"kty\":\"EC\",\"kid\":\"%.*s\",\"crv\":\"P-256\","
               "\"alg\":\"ES256\",\"x\":\"%.*s\",\"y\":\"%.*s\"}]}",
               STR_ARG(t->kid), STR_ARG(t->x), STR_ARG(t->y));
}
