#include "api/authn/pki.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

enum {
    PEM_MAX = 64 * 1024,
    CA_DAYS = 3650,
    LEAF_DAYS = 365,
    DAY_SECONDS = 24 * 3600,
    BACKDATE_SECONDS = 300, /* clocks of nodes differ */
};

/* What a certificate is to say. */
struct want {
    const char *common_name;
    const char *organization; /* NULL: none */
    const char *alt_names;    /* OpenSSL's "DNS:a,IP:b"; NULL: none */
    const char *usage;        /* extendedKeyUsage; NULL: a certificate authority */
    int64_t days;
};

struct signer {
    X509 *cert;
    EVP_PKEY *key;
};

static void x509_freep(X509 **x)
{
    X509_free(*x);
}

static void pkey_freep(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
}

static void bio_freep(BIO **b)
{
    BIO_free(*b);
}

/* --- PEM --- */
static struct str bio_text(struct arena *a, BIO *b)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);
    return arena_dup(a, (struct str){p, (size_t)n});
}

static struct str cert_to_pem(struct arena *a, X509 *cert)
{
    CLEANUP(bio_freep) BIO *b = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(b, cert);
    return bio_text(a, b);
}

static struct str key_to_pem(struct arena *a, EVP_PKEY *key)
{
    CLEANUP(bio_freep) BIO *b = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
    return bio_text(a, b);
}

static struct str public_to_pem(struct arena *a, EVP_PKEY *key)
{
    CLEANUP(bio_freep) BIO *b = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(b, key);
    return bio_text(a, b);
}

static X509 *cert_from_pem(struct str pem)
{
    CLEANUP(bio_freep) BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    return PEM_read_bio_X509(b, NULL, NULL, NULL);
}

static EVP_PKEY *key_from_pem(struct str pem)
{
    CLEANUP(bio_freep) BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    return PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
}

/* --- files --- */
static struct str pki_path(struct arena *a, const char *dir, const char *file)
{
    return arena_printf(a, "%s/pki/%s", dir, file);
}

/* A missing file is empty. */
static int read_pem(struct arena *a, const char *dir, const char *file, struct str *ret,
                    struct err *err)
{
    struct buf b = {0};
    struct str path = pki_path(a, dir, file);
    *ret = (struct str){0};
    if (access(path.p, F_OK) != 0)
        return 0;
    if (file_read(path.p, PEM_MAX, &b, err)) {
        buf_done(&b);
        return -1;
    }
    *ret = arena_dup(a, buf_str(&b));
    OPENSSL_cleanse(b.p, b.n);
    buf_done(&b);
    return 0;
}

static int write_pem(struct arena *a, const char *dir, const char *file, struct str pem,
                     mode_t mode, struct err *err)
{
    return file_write(pki_path(a, dir, file).p, pem, mode, err);
}

/* --- certificates --- */
static int add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (ext == NULL)
        return -1;
    int ok = X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
    return ok ? 0 : -1;
}

static int add_extensions(X509 *cert, X509 *issuer, const struct want *w)
{
    bool ca = w->usage == NULL;
    if (add_extension(cert, issuer, NID_basic_constraints,
                      ca ? "critical,CA:TRUE" : "critical,CA:FALSE") ||
        add_extension(cert, issuer, NID_key_usage,
                      ca ? "critical,digitalSignature,keyEncipherment,keyCertSign"
                         : "critical,digitalSignature,keyEncipherment") ||
        add_extension(cert, issuer, NID_subject_key_identifier, "hash"))
        return -1;
    if (!ca && (add_extension(cert, issuer, NID_ext_key_usage, w->usage) ||
                add_extension(cert, issuer, NID_authority_key_identifier, "keyid")))
        return -1;
    return w->alt_names ? add_extension(cert, issuer, NID_subject_alt_name, w->alt_names) : 0;
}

static void set_subject(X509 *cert, const struct want *w)
{
    X509_NAME *name = X509_get_subject_name(cert);
    if (w->organization)
        X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)w->organization,
                                   -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)w->common_name, -1,
                               -1, 0);
}

static int set_serial(X509 *cert)
{
    BIGNUM *serial = BN_new();
    int ok = serial && BN_rand(serial, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
             BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert));
    BN_free(serial);
    return ok ? 0 : -1;
}

/* by NULL: signs itself. */
static X509 *make_cert(const struct want *w, EVP_PKEY *key, const struct signer *by, int64_t now)
{
    X509 *cert = X509_new();
    X509_set_version(cert, X509_VERSION_3);
    set_subject(cert, w);
    ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(now - BACKDATE_SECONDS));
    ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(now + w->days * DAY_SECONDS));
    X509_set_pubkey(cert, key);
    X509 *issuer = by ? by->cert : cert;
    if (set_serial(cert) || !X509_set_issuer_name(cert, X509_get_subject_name(issuer)) ||
        add_extensions(cert, issuer, w) || !X509_sign(cert, by ? by->key : key, EVP_sha256())) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

/* --- is what we have still good --- */
static bool same_alt_names(X509 *cert, const char *want)
{
    int at = X509_get_ext_by_NID(cert, NID_subject_alt_name, -1);
    if (want == NULL || at < 0)
        return want == NULL && at < 0;
    X509_EXTENSION *expected = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, want);
    if (expected == NULL)
        return false;
    bool same = ASN1_OCTET_STRING_cmp(X509_EXTENSION_get_data(X509_get_ext(cert, at)),
                                      X509_EXTENSION_get_data(expected)) == 0;
    X509_EXTENSION_free(expected);
    return same;
}

static bool same_subject(X509 *cert, const struct want *w)
{
    CLEANUP(x509_freep) X509 *model = X509_new();
    set_subject(model, w);
    return X509_NAME_cmp(X509_get_subject_name(cert), X509_get_subject_name(model)) == 0;
}

/* A third of its life is left at least. */
static bool is_fresh(X509 *cert, int64_t now, int64_t days)
{
    time_t at = (time_t)(now + days * DAY_SECONDS / 3);
    time_t today = (time_t)now;
    return X509_cmp_time(X509_get0_notAfter(cert), &at) > 0 &&
           X509_cmp_time(X509_get0_notBefore(cert), &today) < 0;
}

static bool is_good(X509 *cert, EVP_PKEY *key, const struct want *w, const struct signer *by,
                    int64_t now)
{
    return cert && key && X509_check_private_key(cert, key) == 1 && same_subject(cert, w) &&
           same_alt_names(cert, w->alt_names) && is_fresh(cert, now, w->days) &&
           X509_verify(cert, by->key) == 1;
}

/* Reads NAME.crt and NAME.key, or makes them. */
static int ensure_pair(struct arena *a, const char *dir, const char *name, const struct want *w,
                       const struct signer *by, int64_t now, struct str *ret_cert,
                       struct str *ret_key, struct err *err)
{
    struct str cert_file = arena_printf(a, "%s.crt", name);
    struct str key_file = arena_printf(a, "%s.key", name);
    if (read_pem(a, dir, cert_file.p, ret_cert, err) || read_pem(a, dir, key_file.p, ret_key, err))
        return -1;
    CLEANUP(x509_freep) X509 *cert = ret_cert->n ? cert_from_pem(*ret_cert) : NULL;
    CLEANUP(pkey_freep) EVP_PKEY *key = ret_key->n ? key_from_pem(*ret_key) : NULL;
    if (is_good(cert, key, w, by, now))
        return 0;
    EVP_PKEY_free(key);
    X509_free(cert);
    key = EVP_EC_gen("P-256");
    cert = key ? make_cert(w, key, by, now) : NULL;
    if (cert == NULL)
        return err_internal(err, "making the certificate %s failed", name);
    *ret_cert = cert_to_pem(a, cert);
    *ret_key = key_to_pem(a, key);
    if (write_pem(a, dir, key_file.p, *ret_key, 0600, err))
        return -1;
    return write_pem(a, dir, cert_file.p, *ret_cert, 0644, err);
}

/* The authority is made once; without its key the folder is not usable. */
static int ensure_ca(struct arena *a, const char *dir, int64_t now, struct signer *ret,
                     struct str *ret_pem, struct err *err)
{
    const struct want w = {
        .common_name = "kubernetes", .alt_names = "DNS:kubernetes", .days = CA_DAYS};
    struct str key_pem;
    if (read_pem(a, dir, "ca.crt", ret_pem, err) || read_pem(a, dir, "ca.key", &key_pem, err))
        return -1;
    if (ret_pem->n && key_pem.n) {
        ret->cert = cert_from_pem(*ret_pem);
        ret->key = key_from_pem(key_pem);
        if (!ret->cert || !ret->key || X509_check_private_key(ret->cert, ret->key) != 1)
            return err_internal(err, "%s/pki/ca.crt and ca.key do not belong together", dir);
        return 0;
    }
    if (ret_pem->n)
        return err_internal(err, "%s/pki/ca.crt is there and ca.key is not", dir);
    ret->key = EVP_EC_gen("P-256");
    ret->cert = ret->key ? make_cert(&w, ret->key, NULL, now) : NULL;
    if (ret->cert == NULL)
        return err_internal(err, "making the certificate authority failed");
    *ret_pem = cert_to_pem(a, ret->cert);
    /* The key first: a crash between the two leaves a key that the next start replaces. */
    if (write_pem(a, dir, "ca.key", key_to_pem(a, ret->key), 0600, err))
        return -1;
    return write_pem(a, dir, "ca.crt", *ret_pem, 0644, err);
}

static int ensure_sa_key(struct arena *a, const char *dir, struct str *ret, struct err *err)
{
    if (read_pem(a, dir, "sa.key", ret, err))
        return -1;
    CLEANUP(pkey_freep) EVP_PKEY *key = ret->n ? key_from_pem(*ret) : NULL;
    if (ret->n && key == NULL)
        return err_internal(err, "%s/pki/sa.key is not a private key", dir);
    if (key)
        return 0;
    key = EVP_EC_gen("P-256");
    if (key == NULL)
        return err_internal(err, "making the service-account key failed");
    *ret = key_to_pem(a, key);
    if (write_pem(a, dir, "sa.key", *ret, 0600, err))
        return -1;
    return write_pem(a, dir, "sa.pub", public_to_pem(a, key), 0644, err);
}

/* --- names --- */
static bool is_address(const char *host)
{
    unsigned char address[16];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static void add_name(struct buf *b, const char *host)
{
    struct buf item = {0};
    buf_printf(&item, "%s:%s", is_address(host) ? "IP" : "DNS", host);
    struct str rest = buf_str(b), had;
    bool known = false;
    while (str_next(&rest, ',', &had))
        known = known || str_eq(had, buf_str(&item));
    if (!known && *host)
        buf_printf(b, "%s%s", b->n ? "," : "", buf_z(&item));
    buf_done(&item);
}

/* "127.0.0.1:6443", "[::1]:6443" -> host and port. */
static int split_listen(struct arena *a, const char *listen, const char **ret_host,
                        struct str *ret_port, struct err *err)
{
    struct str s = str_of(listen);
    ssize_t colon = -1;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == ':')
            colon = (ssize_t)i;
    if (colon < 0)
        return err_bad(err, "the address to listen on has no port: %s", listen);
    struct str host = str_head(s, (size_t)colon);
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = (struct str){host.p + 1, host.n - 2};
    *ret_port = str_from(s, (size_t)colon + 1);
    *ret_host = arena_z(a, host);
    return 0;
}

static bool is_wildcard(const char *host)
{
    return *host == 0 || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static const char *own_host_name(struct arena *a, const struct pki_config *config)
{
    char z[256] = "localhost";
    if (config->host_name)
        return config->host_name;
    gethostname(z, sizeof(z) - 1);
    return arena_z(a, str_of(z));
}

static struct str server_names(struct arena *a, const struct pki_config *config, const char *host)
{
    static const char *const always[] = {"kubernetes",
                                         "kubernetes.default",
                                         "kubernetes.default.svc",
                                         "kubernetes.default.svc.cluster.local",
                                         "localhost",
                                         "127.0.0.1",
                                         "::1"};
    struct buf b = {0};
    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        add_name(&b, always[i]);
    if (!is_wildcard(host))
        add_name(&b, host);
    if (config->service_ip)
        add_name(&b, config->service_ip);
    add_name(&b, own_host_name(a, config));
    for (size_t i = 0; config->extra && config->extra[i]; i++)
        add_name(&b, config->extra[i]);
    struct str names = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return names;
}

/* --- kubeconfigs --- */
static void put_base64(struct buf *b, struct str s)
{
    char *to = buf_reserve(b, (s.n + 2) / 3 * 4 + 1);
    b->n += (size_t)EVP_EncodeBlock((unsigned char *)to, (const unsigned char *)s.p, (int)s.n);
}

static int write_kubeconfig(const char *path, const char *user, struct str server, struct str ca,
                            struct str cert, struct str key, struct err *err)
{
    struct buf b = {0};
    buf_puts(&b, "apiVersion: v1\nkind: Config\nclusters:\n- name: tutti\n  cluster:\n    "
                 "certificate-authority-data: ");
    put_base64(&b, ca);
    buf_printf(&b, "\n    server: %.*s\n", STR_ARG(server));
    buf_printf(&b,
               "contexts:\n- name: %s@tutti\n  context:\n    cluster: tutti\n    user: "
               "%s\ncurrent-context: %s@tutti\npreferences: {}\n",
               user, user, user);
    buf_printf(&b, "users:\n- name: %s\n  user:\n    client-certificate-data: ", user);
    put_base64(&b, cert);
    buf_puts(&b, "\n    client-key-data: ");
    put_base64(&b, key);
    buf_putc(&b, '\n');

    struct buf old = {0};
    struct err ignored;
    bool same = access(path, F_OK) == 0 && file_read(path, PEM_MAX, &old, &ignored) == 0 &&
                str_eq(buf_str(&old), buf_str(&b));
    int rc = same ? chmod(path, 0600) : file_write(path, buf_str(&b), 0600, err);
    OPENSSL_cleanse(b.p, b.n);
    buf_done(&b);
    buf_done(&old);
    return rc;
}

/* --- the whole --- */
struct maker {
    const struct pki_config *config;
    struct pki *pki;
    struct arena *a;
    struct signer ca;
    int64_t now;
    struct str server_names;
    const char *node_name;
};

static int make_server(struct maker *m, struct err *err)
{
    const struct want server = {.common_name = "kube-apiserver",
                                .alt_names = m->server_names.p,
                                .usage = "serverAuth",
                                .days = LEAF_DAYS};
    const struct want kubelet = {.common_name = "kube-apiserver-kubelet-client",
                                 .organization = "system:masters",
                                 .usage = "clientAuth",
                                 .days = LEAF_DAYS};
    struct pki *p = m->pki;
    const char *dir = m->config->dir;
    if (ensure_pair(m->a, dir, "server", &server, &m->ca, m->now, &p->server_cert, &p->server_key,
                    err))
        return -1;
    return ensure_pair(m->a, dir, "kubelet-client", &kubelet, &m->ca, m->now,
                       &p->kubelet_client_cert, &p->kubelet_client_key, err);
}

static int make_node(struct maker *m, struct err *err)
{
    const char *user = arena_printf(m->a, "system:node:%s", m->node_name).p;
    struct buf names = {0};
    add_name(&names, m->node_name);
    add_name(&names, own_host_name(m->a, m->config));
    add_name(&names, "localhost");
    add_name(&names, "127.0.0.1");
    add_name(&names, "::1");
    const char *alt_names = arena_z(m->a, buf_str(&names));
    buf_done(&names);
    const struct want client = {.common_name = user,
                                .organization = "system:nodes",
                                .usage = "clientAuth",
                                .days = LEAF_DAYS};
    const struct want serving = {.common_name = user,
                                 .organization = "system:nodes",
                                 .alt_names = alt_names,
                                 .usage = "serverAuth",
                                 .days = LEAF_DAYS};
    struct pki *p = m->pki;
    const char *dir = m->config->dir;
    struct str cert, key;
    if (ensure_pair(m->a, dir, "node", &client, &m->ca, m->now, &cert, &key, err) ||
        ensure_pair(m->a, dir, "node-serving", &serving, &m->ca, m->now, &p->node_serving_cert,
                    &p->node_serving_key, err))
        return -1;
    return write_kubeconfig(arena_printf(m->a, "%s/agent.kubeconfig", dir).p, user, p->server_url,
                            p->ca_cert, cert, key, err);
}

static int make_admin(struct maker *m, struct err *err)
{
    const struct want admin = {.common_name = "kubernetes-admin",
                               .organization = "system:masters",
                               .usage = "clientAuth",
                               .days = LEAF_DAYS};
    struct str cert, key;
    const char *dir = m->config->dir;
    if (ensure_pair(m->a, dir, "admin", &admin, &m->ca, m->now, &cert, &key, err))
        return -1;
    return write_kubeconfig(arena_printf(m->a, "%s/admin.kubeconfig", dir).p, "kubernetes-admin",
                            m->pki->server_url, m->pki->ca_cert, cert, key, err);
}

static int make_all(struct maker *m, struct err *err)
{
    const struct pki_config *config = m->config;
    struct pki *p = m->pki;
    struct str port = {0};
    const char *host = NULL;
    if (split_listen(m->a, config->listen, &host, &port, err))
        return -1;
    const char *reach = !is_wildcard(host) ? host : strcmp(host, "::") == 0 ? "::1" : "127.0.0.1";
    bool v6 = strchr(reach, ':') != NULL;
    p->server_url = arena_printf(m->a, "https://%s%s%s:%.*s", v6 ? "[" : "", reach, v6 ? "]" : "",
                                 STR_ARG(port));
    m->server_names = server_names(m->a, config, host);
    m->node_name = config->node_name ? config->node_name : own_host_name(m->a, config);

    if (file_mkdirs(arena_printf(m->a, "%s/pki", config->dir).p, 0700, err) ||
        ensure_ca(m->a, config->dir, m->now, &m->ca, &p->ca_cert, err) ||
        ensure_sa_key(m->a, config->dir, &p->sa_key, err))
        return -1;
    if (make_server(m, err) || make_node(m, err))
        return -1;
    return make_admin(m, err);
}

int pki_ensure(const struct pki_config *config, struct pki *ret, struct err *err)
{
    struct pki p = {0};
    struct world *world = config->world ? config->world : world_real();
    struct maker m = {
        .config = config, .pki = &p, .a = &p.arena, .now = wall_ns(world) / 1000000000};
    int rc = make_all(&m, err);
    X509_free(m.ca.cert);
    EVP_PKEY_free(m.ca.key);
    if (rc) {
        pki_done(&p);
        return -1;
    }
    *ret = p;
    return 0;
}

void pki_done(struct pki *p)
{
    struct str *keys[] = {&p->server_key, &p->kubelet_client_key, &p->node_serving_key, &p->sa_key};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        OPENSSL_cleanse((char *)keys[i]->p, keys[i]->n);
    arena_done(&p->arena);
    *p = (struct pki){0};
}

int pki_issue_client(const char *dir, const char *common_name, const char *organization,
                     int64_t days, struct arena *a, struct str *ret_cert, struct str *ret_key,
                     struct err *err)
{
    struct str cert_pem, key_pem;
    if (read_pem(a, dir, "ca.crt", &cert_pem, err) || read_pem(a, dir, "ca.key", &key_pem, err))
        return -1;
    CLEANUP(x509_freep) X509 *ca_cert = cert_pem.n ? cert_from_pem(cert_pem) : NULL;
    CLEANUP(pkey_freep) EVP_PKEY *ca_key = key_pem.n ? key_from_pem(key_pem) : NULL;
    if (!ca_cert || !ca_key)
        return err_internal(err, "%s/pki holds no certificate authority", dir);
    const struct signer by = {ca_cert, ca_key};
    const struct want w = {.common_name = common_name,
                           .organization = organization,
                           .usage = "clientAuth",
                           .days = days};
    CLEANUP(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    CLEANUP(x509_freep)
    X509 *cert = key ? make_cert(&w, key, &by, wall_ns(world_real()) / 1000000000) : NULL;
    if (cert == NULL)
        return err_internal(err, "making a certificate for %s failed", common_name);
    *ret_cert = cert_to_pem(a, cert);
    *ret_key = key_to_pem(a, key);
    return 0;
}
