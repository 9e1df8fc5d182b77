/* func_cert.c: private keys and certificates, with the fields that Go's x509.CreateCertificate
 * writes, in its order. */
#include <arpa/inet.h>
#include <limits.h>
#include <openssl/bn.h>
#include <openssl/dsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "functions/func_arg.h"
#include "template/gobase.h"
#include "functions/func_library.h"
#include "functions/func_random.h"
#include "functions/rsa_key.h"
#include "template/gofmt.h"

#define FN(name)                                                                                   \
    static int name(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)

static const struct gofield certificate_fields[] = {
    {.name = "Cert", .type = &type_string}, {.name = "Key", .type = &type_string}, {0}};
static const struct gotype type_certificate = {.kind = KIND_STRUCT,
                                               .name = "sprig.certificate",
                                               .defined = true,
                                               .fields = certificate_fields};

static struct value certificate(struct tmpl_exec *x, struct str cert, struct str key)
{
    struct value v = value_struct_new(tmpl_arena(x), &type_certificate);
    value_set_field(v, "Cert", value_str(cert));
    value_set_field(v, "Key", value_str(key));
    return v;
}

static struct str take_bio(struct tmpl_exec *x, BIO *bio)
{
    char *p = NULL;
    long size = BIO_get_mem_data(bio, &p);
    struct str text = arena_dup(tmpl_arena(x), (struct str){p, size > 0 ? (size_t)size : 0});
    BIO_free(bio);
    return text;
}

/* --- keys --- */

/* PKCS #1, SEC 1 and OpenSSL's DSA format where a key has one, else PKCS #8. */
static struct str key_pem(struct tmpl_exec *x, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519)
        PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    else
        PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL);
    return take_bio(x, bio);
}

static EVP_PKEY *make_dsa(void)
{
    EVP_PKEY *parameters = NULL, *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_DSA, NULL);
    if (ctx && EVP_PKEY_paramgen_init(ctx) == 1 &&
        EVP_PKEY_CTX_set_dsa_paramgen_bits(ctx, 2048) == 1 &&
        EVP_PKEY_CTX_set_dsa_paramgen_q_bits(ctx, 256) == 1)
        EVP_PKEY_paramgen(ctx, &parameters);
    EVP_PKEY_CTX_free(ctx);
    ctx = parameters ? EVP_PKEY_CTX_new(parameters, NULL) : NULL;
    if (ctx && EVP_PKEY_keygen_init(ctx) == 1)
        EVP_PKEY_keygen(ctx, &key);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(parameters);
    return key;
}

static EVP_PKEY *make_key(struct str type)
{
    if (type.n == 0 || str_is(type, "rsa"))
        return rsa_key_new(4096);
    if (str_is(type, "dsa"))
        return make_dsa();
    if (str_is(type, "ecdsa"))
        return EVP_EC_gen("P-256");
    return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

FN(gen_private_key)
{
    struct str type = value_text(args[0]);
    (void)n;
    if (type.n > 0 && !str_is(type, "rsa") && !str_is(type, "dsa") && !str_is(type, "ecdsa") &&
        !str_is(type, "ed25519")) {
        *ret = value_str(arena_printf(tmpl_arena(x), "Unknown type %.*s", STR_ARG(type)));
        return 0;
    }
    if (tmpl_check_time(x) < 0)
        return -1;
    EVP_PKEY *key = make_key(type);
    if (key == NULL) {
        *ret = value_str(STR("failed to generate private key: no key was made"));
        return 0;
    }
    *ret = value_str(key_pem(x, key));
    EVP_PKEY_free(key);
    return 0;
}

struct pem { /* of OpenSSL's memory */
    char *name, *header;
    unsigned char *data;
    long n;
};

static bool pem_read(struct str text, struct pem *p)
{
    *p = (struct pem){0};
    if (text.n == 0 || text.n > INT_MAX)
        return false;
    BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
    bool found = PEM_read_bio(bio, &p->name, &p->header, &p->data, &p->n) == 1;
    BIO_free(bio);
    return found;
}

static void pem_done(struct pem *p)
{
    OPENSSL_free(p->name);
    OPENSSL_free(p->header);
    OPENSSL_free(p->data);
}

/* NULL: *ret_why has Go's text for it. */
static EVP_PKEY *parse_key(struct tmpl_exec *x, struct str text, struct str *ret_why)
{
    struct pem p;
    EVP_PKEY *key = NULL;
    if (!pem_read(text, &p)) {
        *ret_why = STR("no PEM data in input");
        return NULL;
    }
    const unsigned char *data = p.data;
    struct str name = str_of(p.name);
    if (str_is(name, "PRIVATE KEY")) {
        key = d2i_AutoPrivateKey(NULL, &data, p.n);
        *ret_why = STR("decoding PEM as PKCS#8: asn1: structure error: tags don't match");
    } else if (!str_ends(name, STR(" PRIVATE KEY"))) {
        *ret_why =
            arena_printf(tmpl_arena(x), "no private key data in PEM block of type %s", p.name);
    } else {
        struct str kind = str_head(name, name.n - 12);
        int id = str_is(kind, "RSA")   ? EVP_PKEY_RSA
                 : str_is(kind, "EC")  ? EVP_PKEY_EC
                 : str_is(kind, "DSA") ? EVP_PKEY_DSA
                                       : 0;
        *ret_why = arena_printf(tmpl_arena(x),
                                id ? "parsing %.*s private key from PEM: asn1: structure error"
                                   : "invalid private key type %.*s",
                                STR_ARG(id ? kind : name));
        if (id)
            key = d2i_PrivateKey(id, NULL, &data, p.n);
    }
    pem_done(&p);
    return key;
}

/* --- certificates --- */

struct request {
    struct str common_name;
    struct value ips, names; /* lists of texts; may be nil */
    int64_t days;
    bool ca;
    EVP_PKEY *key;    /* the certificate's own */
    X509 *issuer;     /* NULL: signs itself */
    EVP_PKEY *signer; /* the issuer's key */
};

static bool add_extension(X509 *cert, int nid, void *value, bool critical)
{
    return X509_add1_ext_i2d(cert, nid, value, critical, X509V3_ADD_APPEND) == 1;
}

static bool add_usages(X509 *cert, bool ca)
{
    ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();
    ASN1_BIT_STRING_set_bit(usage, 0, 1); /* digital signature */
    ASN1_BIT_STRING_set_bit(usage, 2, 1); /* key encipherment */
    ASN1_BIT_STRING_set_bit(usage, 5, ca);
    bool done = add_extension(cert, NID_key_usage, usage, true);
    ASN1_BIT_STRING_free(usage);
    EXTENDED_KEY_USAGE *extended = EXTENDED_KEY_USAGE_new();
    sk_ASN1_OBJECT_push(extended, OBJ_nid2obj(NID_server_auth));
    sk_ASN1_OBJECT_push(extended, OBJ_nid2obj(NID_client_auth));
    done = done && add_extension(cert, NID_ext_key_usage, extended, false);
    EXTENDED_KEY_USAGE_free(extended);
    BASIC_CONSTRAINTS *basic = BASIC_CONSTRAINTS_new();
    basic->ca = ca ? 0xFF : 0;
    done = done && add_extension(cert, NID_basic_constraints, basic, true);
    BASIC_CONSTRAINTS_free(basic);
    return done;
}

/* The id of a CA's key is a hash of it; what others sign refers to the id of the issuer. */
static bool add_key_ids(X509 *cert, const struct request *r)
{
    bool done = true;
    if (r->ca) {
        unsigned char hash[EVP_MAX_MD_SIZE];
        ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
        ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(cert);
        done = EVP_Digest(ASN1_STRING_get0_data(bits), (size_t)ASN1_STRING_length(bits), hash, NULL,
                          EVP_sha256(), NULL) == 1 &&
               ASN1_OCTET_STRING_set(id, hash, 20) == 1 &&
               add_extension(cert, NID_subject_key_identifier, id, false);
        ASN1_OCTET_STRING_free(id);
    }
    const ASN1_OCTET_STRING *issuer_id = r->issuer ? X509_get0_subject_key_id(r->issuer) : NULL;
    if (issuer_id == NULL ||
        X509_NAME_cmp(X509_get_subject_name(cert), X509_get_issuer_name(cert)) == 0)
        return done;
    AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();
    authority->keyid = ASN1_OCTET_STRING_dup(issuer_id);
    done = done && add_extension(cert, NID_authority_key_identifier, authority, false);
    AUTHORITY_KEYID_free(authority);
    return done;
}

static void push_name(GENERAL_NAMES *names, int type, const void *p, size_t n)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *text =
        ASN1_STRING_type_new(type == GEN_DNS ? V_ASN1_IA5STRING : V_ASN1_OCTET_STRING);
    ASN1_STRING_set(text, p, (int)n);
    GENERAL_NAME_set0_value(name, type, text);
    sk_GENERAL_NAME_push(names, name);
}

static bool add_names(struct tmpl_exec *x, X509 *cert, const struct request *r)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    for (size_t i = 0; i < r->names.n; i++)
        push_name(names, GEN_DNS, r->names.items[i].p, r->names.items[i].n);
    for (size_t i = 0; i < r->ips.n; i++) {
        unsigned char address[16];
        const char *z = arena_z(tmpl_arena(x), value_text(r->ips.items[i]));
        bool four = inet_pton(AF_INET, z, address) == 1;
        if (!four)
            inet_pton(AF_INET6, z, address);
        bool mapped = !four && memcmp(address, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0;
        push_name(names, GEN_IPADD, mapped ? address + 12 : address, four || mapped ? 4 : 16);
    }
    bool done = sk_GENERAL_NAME_num(names) == 0 ||
                add_extension(cert, NID_subject_alt_name, names, r->common_name.n == 0);
    GENERAL_NAMES_free(names);
    return done;
}

static bool fits_printable(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!plain && (c == 0 || !strchr(" '()+,-./:=?*&", c)))
            return false;
    }
    return true;
}

static bool fill_certificate(struct tmpl_exec *x, X509 *cert, const struct request *r)
{
    unsigned char serial[16];
    func_random(serial, sizeof(serial));
    BIGNUM *number = BN_bin2bn(serial, sizeof(serial), NULL);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
    BN_free(number);
    time_t now = time(NULL);
    int64_t days = r->days > 1000000 ? 1000000 : r->days < -1000000 ? -1000000 : r->days;
    X509_NAME *subject = X509_get_subject_name(cert);
    int type = fits_printable(r->common_name) ? V_ASN1_PRINTABLESTRING : V_ASN1_UTF8STRING;
    if (r->common_name.n > 0)
        X509_NAME_add_entry_by_NID(subject, NID_commonName, type,
                                   (const unsigned char *)r->common_name.p, (int)r->common_name.n,
                                   -1, 0);
    return X509_set_version(cert, X509_VERSION_3) == 1 &&
           X509_set_issuer_name(cert, r->issuer ? X509_get_subject_name(r->issuer) : subject) ==
               1 &&
           X509_time_adj_ex(X509_getm_notBefore(cert), 0, 0, &now) &&
           X509_time_adj_ex(X509_getm_notAfter(cert), (int)days, 0, &now) &&
           X509_set_pubkey(cert, r->key) == 1 && add_usages(cert, r->ca) && add_key_ids(cert, r) &&
           add_names(x, cert, r);
}

static int check_names(struct tmpl_exec *x, const struct request *r)
{
    struct in6_addr address;
    for (size_t i = 0; i < r->ips.n; i++) {
        struct value v = r->ips.items[i];
        struct str shown = gofmt_text(tmpl_arena(x), v);
        if (v.type != &type_string)
            return tmpl_fail(x, "error parsing ip: %.*s is not a string", STR_ARG(shown));
        const char *z = arena_z(tmpl_arena(x), shown);
        if (strlen(z) != shown.n ||
            (inet_pton(AF_INET, z, &address) != 1 && inet_pton(AF_INET6, z, &address) != 1))
            return tmpl_fail(x, "error parsing ip: %.*s", STR_ARG(shown));
    }
    for (size_t i = 0; i < r->names.n; i++) {
        struct value v = r->names.items[i];
        struct str shown = gofmt_text(tmpl_arena(x), v);
        if (v.type != &type_string)
            return tmpl_fail(x, "error processing alternate dns name: %.*s is not a string",
                             STR_ARG(shown));
    }
    return 0;
}

static int check_signer(struct tmpl_exec *x, const struct request *r)
{
    if (EVP_PKEY_get_base_id(r->signer) == EVP_PKEY_DSA)
        return tmpl_fail(x, "error creating certificate: x509: certificate private key does not "
                            "implement crypto.Signer");
    if (EVP_PKEY_get_base_id(r->key) == EVP_PKEY_DSA)
        return tmpl_fail(x, "error creating certificate: x509: unsupported public key type: "
                            "*dsa.PublicKey");
    for (size_t i = 0; i < r->names.n; i++)
        for (size_t j = 0; j < r->names.items[i].n; j++)
            if ((unsigned char)r->names.items[i].p[j] >= 0x80) {
                struct buf b = {0};
                gofmt_quote(&b, value_text(r->names.items[i]), false);
                tmpl_fail(x,
                          "error creating certificate: x509: %s cannot be encoded as an IA5String",
                          buf_z(&b));
                buf_done(&b);
                return -1;
            }
    if (r->issuer && EVP_PKEY_eq(X509_get0_pubkey(r->issuer), r->signer) != 1)
        return tmpl_fail(x, "error creating certificate: x509: provided PrivateKey doesn't match "
                            "parent's PublicKey");
    return 0;
}

static int make_certificate(struct tmpl_exec *x, const struct request *r, struct value *ret)
{
    if (check_names(x, r) < 0 || check_signer(x, r) < 0)
        return -1;
    X509 *cert = X509_new();
    const EVP_MD *md = EVP_PKEY_get_base_id(r->signer) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
    int status = 0;
    if (fill_certificate(x, cert, r) && X509_sign(cert, r->signer, md) > 0) {
        BIO *bio = BIO_new(BIO_s_mem());
        PEM_write_bio_X509(bio, cert);
        *ret = certificate(x, take_bio(x, bio), key_pem(x, r->key));
    } else {
        status = tmpl_fail(x, "error creating certificate: it cannot be encoded");
    }
    X509_free(cert);
    return status;
}

/* Signs with the certificate's own key, which is made or read from PEM (pem.p not NULL). */
static int self_signed(struct tmpl_exec *x, struct request *r, struct str pem, struct value *ret)
{
    struct str why = STR("no key was made");
    if (tmpl_check_time(x) < 0)
        return -1;
    r->key = pem.p ? parse_key(x, pem, &why) : rsa_key_new(2048);
    if (r->key == NULL)
        return tmpl_fail(x, "%s: %.*s", pem.p ? "parsing private key" : "error generating rsa key",
                         STR_ARG(why));
    r->signer = r->key;
    int status = make_certificate(x, r, ret);
    EVP_PKEY_free(r->key);
    return status;
}

static struct str given_pem(struct value v)
{
    return (struct str){v.p ? v.p : "", v.n};
}

FN(gen_ca)
{
    struct request r = {.common_name = value_text(args[0]), .days = args[1].i, .ca = true};
    return self_signed(x, &r, n > 2 ? given_pem(args[2]) : (struct str){0}, ret);
}

FN(gen_self_signed)
{
    struct request r = {
        .common_name = value_text(args[0]), .ips = args[1], .names = args[2], .days = args[3].i};
    return self_signed(x, &r, n > 4 ? given_pem(args[4]) : (struct str){0}, ret);
}

static X509 *parse_certificate(struct str text, struct str *ret_why)
{
    struct pem p;
    *ret_why = STR("unable to decode certificate");
    if (!pem_read(text, &p))
        return NULL;
    const unsigned char *data = p.data;
    X509 *cert = d2i_X509(NULL, &data, p.n);
    if (cert && data != p.data + p.n) {
        X509_free(cert);
        cert = NULL;
    }
    pem_done(&p);
    *ret_why = STR("error parsing certificate: decodedCert.Bytes: x509: malformed certificate");
    return cert;
}

FN(gen_signed)
{
    struct request r = {
        .common_name = value_text(args[0]), .ips = args[1], .names = args[2], .days = args[3].i};
    struct str why, pem = n > 5 ? given_pem(args[5]) : (struct str){0};
    struct str cert = value_text(args[4].fields[0]), key = value_text(args[4].fields[1]);
    int status = -1;
    if (tmpl_check_time(x) < 0)
        return -1;
    r.key = pem.p ? parse_key(x, pem, &why) : rsa_key_new(2048);
    if (r.key == NULL)
        return tmpl_fail(x, "parsing private key: %.*s", STR_ARG(why));
    r.issuer = parse_certificate(cert, &why);
    if (r.issuer == NULL) {
        if (str_starts(why, STR("error")))
            why = STR("error parsing certificate: decodedSignerCert.Bytes: x509: malformed "
                      "certificate");
        tmpl_fail(x, "%.*s", STR_ARG(why));
    } else if ((r.signer = parse_key(x, key, &why)) == NULL) {
        tmpl_fail(x, "error parsing private key: %.*s", STR_ARG(why));
    } else {
        status = make_certificate(x, &r, ret);
    }
    EVP_PKEY_free(r.key);
    EVP_PKEY_free(r.signer);
    X509_free(r.issuer);
    return status;
}

FN(build_custom)
{
    struct str part[2], why;
    (void)n;
    for (int i = 0; i < 2; i++) {
        struct buf b = {0};
        size_t at;
        int status = gobase64_decode(&b, value_text(args[i]), &at);
        part[i] = arena_dup(tmpl_arena(x), buf_str(&b));
        buf_done(&b);
        if (status < 0)
            return tmpl_fail(x, "unable to decode base64 %s", i ? "private key" : "certificate");
    }
    X509 *cert = parse_certificate(part[0], &why);
    if (cert == NULL)
        return tmpl_fail(x, "%.*s", STR_ARG(why));
    X509_free(cert);
    EVP_PKEY *key = parse_key(x, part[1], &why);
    if (key == NULL)
        return tmpl_fail(x, "error parsing private key: %.*s", STR_ARG(why));
    EVP_PKEY_free(key);
    *ret = certificate(x, part[0], part[1]);
    return 0;
}

const struct func func_certs[] = {
    {"buildCustomCert", build_custom, {&type_string, &type_string}, &type_certificate},
    {"genCA", gen_ca, {&type_string, &type_int}, &type_certificate},
    {"genCAWithKey", gen_ca, {&type_string, &type_int, &type_string}, &type_certificate},
    {"genPrivateKey", gen_private_key, {&type_string}, &type_string},
    {"genSelfSignedCert",
     gen_self_signed,
     {&type_string, &type_list, &type_list, &type_int},
     &type_certificate},
    {"genSelfSignedCertWithKey",
     gen_self_signed,
     {&type_string, &type_list, &type_list, &type_int, &type_string},
     &type_certificate},
    {"genSignedCert",
     gen_signed,
     {&type_string, &type_list, &type_list, &type_int, &type_certificate},
     &type_certificate},
    {"genSignedCertWithKey",
     gen_signed,
     {&type_string, &type_list, &type_list, &type_int, &type_certificate, &type_string},
     &type_certificate},
    {0},
};
