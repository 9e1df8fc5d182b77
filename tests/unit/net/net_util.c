#include "net_util.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/socket.h>

#include "test.h"

struct guard {
    struct loop_timer timer;
    struct loop *loop;
    bool fired;
};

static void on_guard(struct loop_timer *t)
{
    struct guard *g = CONTAINER_OF(t, struct guard, timer);
    g->fired = true;
    loop_stop(g->loop);
}

bool run_for(struct loop *l, int64_t ms)
{
    struct guard g = {.loop = l};
    loop_timer_set(l, &g.timer, ms, on_guard);
    loop_run(l);
    loop_timer_clear(l, &g.timer);
    return !g.fired;
}

static void add_names(X509_NAME *name, const char *common_name, const char *organizations)
{
    struct str rest = str_of(organizations), one;
    while (str_next(&rest, ',', &one))
        X509_NAME_add_entry_by_NID(name, NID_organizationName, MBSTRING_UTF8,
                                   (const unsigned char *)one.p, (int)one.n, -1, 0);
    X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                               (const unsigned char *)common_name, -1, -1, 0);
}

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    X509_add_ext(cert, e, -1);
    X509_EXTENSION_free(e);
}

static X509 *make(EVP_PKEY *key, const char *common_name, const char *organizations)
{
    static long serial = 1;
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    add_names(X509_get_subject_name(cert), common_name, organizations);
    return cert;
}

void ca_new(struct test_ca *ca)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    char name[32];
    snprintf(name, sizeof(name), "test-ca-%p", (void *)key); /* two of them differ */
    X509 *cert = make(key, name, NULL);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
    X509_sign(cert, key, EVP_sha256());
    *ca = (struct test_ca){cert, key};
}

void ca_done(struct test_ca *ca)
{
    X509_free(ca->cert);
    EVP_PKEY_free(ca->key);
}

static void put_pem(BIO *bio, struct buf *b)
{
    char *p;
    long n = BIO_get_mem_data(bio, &p);
    buf_append(b, p, (size_t)n);
    BIO_free(bio);
}

void ca_pem(const struct test_ca *ca, struct buf *cert_pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, ca->cert);
    put_pem(bio, cert_pem);
}

void ca_issue(const struct test_ca *ca, const char *common_name, const char *organizations,
              bool server, struct buf *cert_pem, struct buf *key_pem)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = make(key, common_name, organizations);
    X509_set_issuer_name(cert, X509_get_subject_name(ca->cert));
    add_extension(cert, NID_ext_key_usage, server ? "serverAuth" : "clientAuth");
    if (server)
        add_extension(cert, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    X509_sign(cert, ca->key, EVP_sha256());
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, cert);
    put_pem(bio, cert_pem);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    put_pem(bio, key_pem);
    X509_free(cert);
    EVP_PKEY_free(key);
}

int raw_connect(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int small = 4096; /* so that a server feels soon that nobody reads */
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    CHECK(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
    return fd;
}
