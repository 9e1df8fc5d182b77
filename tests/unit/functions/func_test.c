/* What templates can call. func/NAME.golden holds helm's own answers; the rest is about what no two
 * renders have in common, and about limits. */
#include "test.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/file.h"
#include "functions/func_library.h"
#include "functions/rsa_key.h"
#include "functions/semver.h"
#include "template/unicode.h"

static const struct gotype type_values = {
    .kind = KIND_MAP, .name = "chartutil.Values", .defined = true, .elem = &type_any};

struct run {
    struct arena arena;
    struct tmpl_set *set;
    struct tmpl_limits limits;
    struct value top;
};

static void run_init(struct run *r)
{
    struct doc doc;
    struct buf file = {0};
    struct err err;
    val *v;
    *r = (struct run){0};
    setenv("TZ", "UTC", 1);
    doc_init(&doc);
    CHECK_OK(file_read(GOLDEN_DIR "/values.yaml", 1 << 20, &file, &err), &err);
    CHECK_OK(doc_parse_yaml(&doc, buf_str(&file), &v, &err), &err);
    struct value values = value_from_val(&r->arena, v);
    values.type = &type_values;
    r->top = value_map_new(&r->arena, &type_values);
    vmap_set(r->top.map, STR("Values"), values);
    r->set = tmpl_set_new("gotpl");
    func_library_add(r->set);
    tmpl_set_funcs(r->set, tmpl_helm_funcs);
    doc_done(&doc);
    buf_done(&file);
}

static void run_done(struct run *r)
{
    tmpl_set_free(r->set);
    arena_done(&r->arena);
}

/* A chart's own message stands alone, as helm shows it. */
static struct str shown_error(struct arena *a, struct str e)
{
    ssize_t start = str_find(e, STR(FUNC_MESSAGE_START)), end = str_find(e, STR(FUNC_MESSAGE_END));
    if (start < 0 || end < start)
        return arena_dup(a, e);
    struct str place, rest = str_from(e, strlen("template: "));
    place = str_head(rest, (size_t)str_find(rest, STR(": ")));
    size_t from = (size_t)start + strlen(FUNC_MESSAGE_START);
    return arena_printf(a, "execution error at (%.*s): %.*s", STR_ARG(place),
                        (int)((size_t)end - from), e.p + from);
}

/* The text that Helm goes on with: "<no value>" is taken out, wrong UTF-8 is marked. */
static struct str shown_output(struct arena *a, struct str s)
{
    struct buf b = {0};
    for (size_t size; s.n > 0; s = str_from(s, size)) {
        if (str_starts(s, STR("<no value>"))) {
            size = strlen("<no value>");
            continue;
        }
        rune_put(&b, rune_decode(s, &size));
    }
    struct str text = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return text;
}

/* '=' and the output, or '!' and the error. */
static char render(struct run *r, struct str text, struct str *ret)
{
    struct buf out = {0};
    char kind = '!';
    if (tmpl_parse(r->set, STR("c/t"), text, NULL, ret) < 0)
        return kind;
    struct tmpl_exec *x = tmpl_exec_new(r->set, &r->arena, &r->limits, NULL);
    if (tmpl_execute(x, STR("c/t"), r->top, &out) < 0) {
        *ret = shown_error(&r->arena, tmpl_error(x));
    } else {
        *ret = shown_output(&r->arena, buf_str(&out));
        kind = '=';
    }
    tmpl_exec_done(x);
    buf_done(&out);
    return kind;
}

static void check_case(struct run *r, struct str template, struct str answer)
{
    struct doc doc;
    struct err err;
    val *want;
    struct str got;
    doc_init(&doc);
    CHECK_OK(doc_parse_json(&doc, str_from(answer, 4), &want, &err), &err);
    char kind = render(r, template, &got);
    if (kind != answer.p[2] || !str_eq(got, val_str(want)))
        test_fail(__FILE__, __LINE__, "%.*s\n  gives %c %.*s\n  not   %c %.*s", STR_ARG(template),
                  kind, STR_ARG(got), answer.p[2], STR_ARG(val_str(want)));
    doc_done(&doc);
}

static void check_golden(const char *name)
{
    struct buf file = {0};
    struct err err;
    char path[512];
    struct str line, template = {0};
    size_t cases = 0;
    snprintf(path, sizeof(path), "%s/%s.golden", GOLDEN_DIR, name);
    CHECK_OK(file_read(path, 1 << 20, &file, &err), &err);
    for (struct str rest = buf_str(&file); str_next(&rest, '\n', &line);) {
        if (line.n == 0 || line.p[0] == '#')
            continue;
        if (line.p[0] != ' ') {
            template = line;
            continue;
        }
        struct run r;
        run_init(&r);
        check_case(&r, template, line);
        run_done(&r);
        cases++;
    }
    CHECK(cases > 30);
    buf_done(&file);
}

#define GOLDEN(name)                                                                               \
    TEST(golden_##name)                                                                            \
    {                                                                                              \
        check_golden(#name);                                                                       \
    }

GOLDEN(strings)
GOLDEN(numbers)
GOLDEN(lists)
GOLDEN(dicts)
GOLDEN(flow)
GOLDEN(dates)
GOLDEN(semver)
GOLDEN(regex)
GOLDEN(urls)
GOLDEN(data)
GOLDEN(crypto)

/* --- certificates --- */

static X509 *next_certificate(struct str *pem)
{
    BIO *bio = BIO_new_mem_buf(pem->p, (int)pem->n);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    ssize_t end = str_find(*pem, STR("END CERTIFICATE-----\n"));
    *pem = str_from(*pem, end < 0 ? pem->n : (size_t)end + strlen("END CERTIFICATE-----\n"));
    return cert;
}

static void check_extension(X509 *cert, int nid, const char *want, bool critical)
{
    int at = X509_get_ext_by_NID(cert, nid, -1);
    CHECK(at >= 0);
    X509_EXTENSION *ext = X509_get_ext(cert, at);
    CHECK_INT(X509_EXTENSION_get_critical(ext), critical);
    BIO *bio = BIO_new(BIO_s_mem());
    X509V3_EXT_print(bio, ext, 0, 0);
    char *p;
    long n = BIO_get_mem_data(bio, &p);
    CHECK_STR(((struct str){p, (size_t)n}), want);
    BIO_free(bio);
}

TEST(a_ca_signs_for_names_and_addresses)
{
    struct run r;
    struct str out;
    run_init(&r);
    CHECK_INT(render(&r,
                     STR("{{ $ca := genCA \"my ca\" 10 }}{{ $ca.Cert }}"
                         "{{ (genSignedCert \"cn\" (list \"10.0.0.1\" \"::1\") (list \"a.b\" "
                         "\"*.c\") 5 $ca).Cert }}"),
                     &out),
              '=');
    X509 *ca = next_certificate(&out), *cert = next_certificate(&out);
    CHECK(ca && cert);
    CHECK_INT(X509_verify(ca, X509_get0_pubkey(ca)), 1);
    CHECK_INT(X509_verify(cert, X509_get0_pubkey(ca)), 1);
    CHECK_INT(X509_check_issued(ca, cert), X509_V_OK);
    CHECK_INT(X509_check_ca(ca), 1);
    CHECK_INT(X509_check_ca(cert), 0);
    check_extension(ca, NID_key_usage, "Digital Signature, Key Encipherment, Certificate Sign",
                    true);
    check_extension(cert, NID_key_usage, "Digital Signature, Key Encipherment", true);
    check_extension(cert, NID_ext_key_usage,
                    "TLS Web Server Authentication, TLS Web Client Authentication", false);
    check_extension(cert, NID_basic_constraints, "CA:FALSE", true);
    check_extension(cert, NID_subject_alt_name,
                    "DNS:a.b, DNS:*.c, IP Address:10.0.0.1, IP Address:0:0:0:0:0:0:0:1", false);
    int days, seconds;
    ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(cert), X509_get0_notAfter(cert));
    CHECK_INT(days, 5);
    CHECK_INT(EVP_PKEY_get_bits(X509_get0_pubkey(cert)), 2048);
    X509_free(ca);
    X509_free(cert);
    run_done(&r);
}

TEST(rsa_keys_are_sound)
{
    EVP_PKEY *keys[2];
    for (int i = 0; i < 2; i++) {
        keys[i] = rsa_key_new(2048);
        CHECK(keys[i] != NULL);
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(keys[i], NULL);
        CHECK_INT(EVP_PKEY_check(ctx), 1); /* primes, and exponents that fit them */
        CHECK_INT(EVP_PKEY_get_bits(keys[i]), 2048);
        EVP_PKEY_CTX_free(ctx);
    }
    CHECK(EVP_PKEY_eq(keys[0], keys[1]) == 0);
    for (int i = 0; i < 2; i++)
        EVP_PKEY_free(keys[i]);
}

TEST(random_texts_differ)
{
    struct run r;
    struct str out;
    run_init(&r);
    CHECK_INT(render(&r,
                     STR("{{ ne (randAlphaNum 20) (randAlphaNum 20) }} {{ ne uuidv4 uuidv4 }} "
                         "{{ ne (randBytes 16) (randBytes 16) }} {{ ne (bcrypt \"a\") (bcrypt "
                         "\"a\") }} {{ ne (encryptAES \"k\" \"a\") (encryptAES \"k\" \"a\") }}"),
                     &out),
              '=');
    CHECK_STR(out, "true true true true true");
    run_done(&r);
}

/* --- limits --- */

TEST(what_multiplies_is_limited)
{
    static const char *const templates[] = {
        "{{ repeat 1000000000 \"abc\" }}",
        "{{ until 4000000000 }}",
        "{{ until 100000000 }}",
        "{{ indent 900000000 \"a\\nb\" }}",
        "{{ randAlpha 1000000000 }}",
        "{{ $s := repeat 1000000 \"a\" }}{{ replace \"a\" $s $s }}",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ deepCopy $d }}",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ toJson $d }}{{ fail \"swallowed\" }}",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ toYamlPretty $d }}{{ fail \"swallowed\" }}",
    };
    for (size_t i = 0; i < ARRAY_LEN(templates); i++) {
        struct run r;
        struct str out;
        run_init(&r);
        r.limits.max_output = 64 << 20;
        CHECK_INT(render(&r, str_of(templates[i]), &out), '!');
        run_done(&r);
    }
}

/* --- versions, without a template --- */

TEST(strict_versions)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"1.2.3", NULL},
        {"1.2.3-a.1+b", NULL},
        {"", "version string empty"},
        {"1.2", "invalid semantic version"},
        {"v1.2.3", "invalid characters in version"},
        {"01.2.3", "version segment starts with 0"},
        {"1.2.3-", "invalid prerelease string"},
        {"1.2.3-a..b", "invalid prerelease string"},
        {"1.2.3-01", "version segment starts with 0"},
        {"1.2.3+", "invalid metadata string"},
        {"1.2.3+a_b", "invalid metadata string"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct semver v;
        struct err err;
        int status = semver_parse_strict(str_of(cases[i].text), &v, &err);
        CHECK_INT(status, cases[i].error ? -1 : 0);
        if (status < 0)
            CHECK_STR(str_of(err.message), cases[i].error);
    }
}
