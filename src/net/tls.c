#include "net/tls_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>

#include "base/mem.h"

struct tls {
    pthread_mutex_t lock; /* over ctx, which tls_replace_cert exchanges */
    SSL_CTX *ctx;
    struct tls_config config; /* ca_pem is an own copy, the rest of the strings are not kept */
};

int tls_failure(SSL *ssl, const char *what, struct err *err)
{
    int saved = errno;
    unsigned long code = ERR_get_error();
    bool refused = false; /* the failed check may stand behind what made it fail */
    for (unsigned long at = code; at; at = ERR_get_error())
        refused |=
            ERR_GET_LIB(at) == ERR_LIB_SSL && ERR_GET_REASON(at) == SSL_R_CERTIFICATE_VERIFY_FAILED;
    if (refused && ssl)
        return err_internal(err, "%s: tls: failed to verify certificate: %s", what,
                            X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
    if (code && ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return err_internal(err, "%s: unexpected EOF", what);
    if (code) {
        const char *reason = ERR_reason_error_string(code);
        return err_internal(err, "%s: tls: %s", what, reason ? reason : "unknown error");
    }
    errno = saved;
    return saved ? err_errno(err, "%s", what) : err_internal(err, "%s: unexpected EOF", what);
}

/* --- contexts --- */

static BIO *pem_bio(struct str pem)
{
    return pem.n <= INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
}

static int no_password(char *buf, int size, int rwflag, void *arg)
{
    (void)buf, (void)size, (void)rwflag, (void)arg;
    return 0;
}

static int use_certificate(SSL_CTX *ctx, struct str cert_pem, struct str key_pem, struct err *err)
{
    int result = -1;
    X509 *cert = NULL;
    EVP_PKEY *key = NULL;
    BIO *certs = pem_bio(cert_pem), *keys = pem_bio(key_pem);
    cert = certs ? PEM_read_bio_X509(certs, NULL, no_password, NULL) : NULL;
    if (!cert || SSL_CTX_use_certificate(ctx, cert) != 1) {
        tls_failure(NULL, "certificate", err);
        goto out;
    }
    for (X509 *more; (more = PEM_read_bio_X509(certs, NULL, no_password, NULL));)
        if (SSL_CTX_add0_chain_cert(ctx, more) != 1)
            X509_free(more);
    ERR_clear_error(); /* the end of the list reads as an error */
    key = keys ? PEM_read_bio_PrivateKey(keys, NULL, no_password, NULL) : NULL;
    if (!key || SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1) {
        tls_failure(NULL, "private key", err);
        goto out;
    }
    result = 0;
out:
    X509_free(cert);
    EVP_PKEY_free(key);
    BIO_free(certs);
    BIO_free(keys);
    return result;
}

static int trust(SSL_CTX *ctx, struct str ca_pem, bool server, struct err *err)
{
    BIO *bio = pem_bio(ca_pem);
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    int count = 0;
    for (X509 *ca; bio && (ca = PEM_read_bio_X509(bio, NULL, no_password, NULL)); count++) {
        X509_STORE_add_cert(store, ca);
        if (server)
            SSL_CTX_add_client_CA(ctx, ca);
        X509_free(ca);
    }
    BIO_free(bio);
    ERR_clear_error();
    return count ? 0 : err_internal(err, "tls: no certificate in the CA bundle");
}

/* A client certificate that does not verify is let through as an unverified one: the request is
 * answered with 401 above, as kube-apiserver does (tls.RequestClientCert). */
static int check_client(X509_STORE_CTX *store, void *arg)
{
    (void)arg;
    if (X509_verify_cert(store) != 1 && X509_STORE_CTX_get_error(store) == X509_V_OK)
        X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
    return 1;
}

static const unsigned char alpn_both[] = "\x02h2\x08http/1.1";
static const unsigned char *const alpn_http1 = alpn_both + 3;
enum { ALPN_BOTH_N = 12, ALPN_HTTP1_N = 9 };

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                           const unsigned char *in, unsigned in_n, void *arg)
{
    (void)ssl;
    const struct tls *t = arg;
    const unsigned char *ours = t->config.http2 ? alpn_both : alpn_http1;
    unsigned ours_n = t->config.http2 ? ALPN_BOTH_N : ALPN_HTTP1_N;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_n, ours, ours_n, in, in_n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static void set_server(struct tls *t, SSL_CTX *ctx)
{
    static const unsigned char id[] = "tutti";
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, t);
    SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1);
    SSL_CTX_set_num_tickets(ctx, 1);
    /* Resumption is by tickets; a cache on this side would grow with the clients. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(ctx, 3600);
    SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (t->config.ca_pem.n) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_cert_verify_callback(ctx, check_client, NULL);
    }
}

static SSL_CTX *make_context(struct tls *t, struct str cert_pem, struct str key_pem,
                             struct err *err)
{
    const struct tls_config *config = &t->config;
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(config->server ? TLS_server_method() : TLS_client_method());
    if (!ctx) {
        tls_failure(NULL, "TLS context", err);
        return NULL;
    }
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN |
                              SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1); /* a record's header and body in one read(2) */
    if (cert_pem.n && use_certificate(ctx, cert_pem, key_pem, err) < 0)
        goto bad;
    if (config->ca_pem.n && trust(ctx, config->ca_pem, config->server, err) < 0)
        goto bad;
    if (config->system_ca)
        SSL_CTX_set_default_verify_paths(ctx);
    if (config->server)
        set_server(t, ctx);
    else
        SSL_CTX_set_verify(ctx, config->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    return ctx;
bad:
    SSL_CTX_free(ctx);
    return NULL;
}

int tls_new(const struct tls_config *config, struct tls **ret, struct err *err)
{
    if (config->server && !config->cert_pem.n)
        return err_internal(err, "tls: a server needs a certificate");
    if (!config->server && !config->ca_pem.n && !config->system_ca && !config->insecure)
        return err_internal(err, "tls: a client needs CA certificates or must be insecure");
    struct tls *t = NEW(struct tls);
    pthread_mutex_init(&t->lock, NULL);
    t->config = *config;
    t->config.cert_pem = t->config.key_pem = (struct str){0};
    t->config.ca_pem.p = mem_strndup(config->ca_pem.n ? config->ca_pem.p : "", config->ca_pem.n);
    t->ctx = make_context(t, config->cert_pem, config->key_pem, err);
    if (!t->ctx) {
        tls_free(t);
        return -1;
    }
    *ret = t;
    return 0;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    pthread_mutex_destroy(&t->lock);
    free((char *)(uintptr_t)t->config.ca_pem.p);
    free(t);
}

/* A new context, so that sessions under way keep theirs; OpenSSL counts the references. */
int tls_replace_cert(struct tls *t, struct str cert_pem, struct str key_pem, struct err *err)
{
    SSL_CTX *ctx = make_context(t, cert_pem, key_pem, err);
    if (!ctx)
        return -1;
    pthread_mutex_lock(&t->lock);
    SSL_CTX *old = t->ctx;
    t->ctx = ctx;
    pthread_mutex_unlock(&t->lock);
    SSL_CTX_free(old);
    return 0;
}

bool tls_is_server(const struct tls *t)
{
    return t->config.server;
}

/* --- sessions --- */

static void set_client(struct tls *t, SSL *ssl, const char *server_name, bool http1_only)
{
    SSL_set_connect_state(ssl);
    bool both = t->config.http2 && !http1_only;
    SSL_set_alpn_protos(ssl, both ? alpn_both : alpn_http1, both ? ALPN_BOTH_N : ALPN_HTTP1_N);
    if (!server_name || !*server_name)
        return;
    unsigned char address[sizeof(struct in6_addr)];
    bool is_address = inet_pton(AF_INET, server_name, address) == 1 ||
                      inet_pton(AF_INET6, server_name, address) == 1;
    if (!is_address)
        SSL_set_tlsext_host_name(ssl, server_name);
    if (t->config.insecure)
        return;
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (is_address)
        X509_VERIFY_PARAM_set1_ip_asc(param, server_name);
    else
        X509_VERIFY_PARAM_set1_host(param, server_name, 0);
}

SSL *tls_session(struct tls *t, int fd, const char *server_name, bool http1_only, struct err *err)
{
    ERR_clear_error();
    pthread_mutex_lock(&t->lock);
    SSL *ssl = SSL_new(t->ctx);
    pthread_mutex_unlock(&t->lock);
    if (!ssl || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        tls_failure(NULL, "TLS session", err);
        return NULL;
    }
    if (t->config.server)
        SSL_set_accept_state(ssl);
    else
        set_client(t, ssl, server_name, http1_only);
    return ssl;
}

/* A copy of an attribute's value, or NULL when it is too long or holds a NUL. */
static char *attribute(X509_NAME *subject, int at)
{
    unsigned char *text = NULL;
    int n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    char *copy = NULL;
    if (n >= 0 && n <= 4096 && !memchr(text, 0, (size_t)n))
        copy = mem_strndup((const char *)text, (size_t)n);
    OPENSSL_free(text);
    return copy;
}

void tls_peer_init(struct tls_peer *p, SSL *ssl)
{
    *p = (struct tls_peer){0};
    X509 *cert = SSL_get0_peer_certificate(ssl);
    if (!cert)
        return;
    p->verified = SSL_get_verify_result(ssl) == X509_V_OK;
    X509_NAME *subject = X509_get_subject_name(cert);
    /* With several common names the last counts, as in Go's pkix.Name. */
    for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;) {
        free(p->common_name);
        p->common_name = attribute(subject, at);
    }
    for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_organizationName, at)) >= 0 &&
                      p->organization_count < TLS_MAX_GROUPS;) {
        char *group = attribute(subject, at);
        if (group)
            p->organizations[p->organization_count++] = group;
    }
}

void tls_peer_done(struct tls_peer *p)
{
    free(p->common_name);
    for (size_t i = 0; i < p->organization_count; i++)
        free(p->organizations[i]);
    *p = (struct tls_peer){0};
}
