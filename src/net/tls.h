/* tls.h: TLS 1.2 and 1.3 contexts, and who the peer is.
 *
 * A context is made once from PEM text and shared by the connections of one loop (SSL_CTX caches
 * are not contended that way). Ciphers and curves are OpenSSL's secure defaults. */
#pragma once

#include "base/err.h"

struct tls;

struct tls_config {
    struct str cert_pem, key_pem; /* own chain and key; empty for a client without one */
    struct str ca_pem; /* whom to trust; empty: nobody is asked (server), no check (client: only
                          with insecure) */
    bool system_ca;    /* client: trust whom the system trusts, besides ca_pem */
    bool insecure;     /* client: do not verify the server */
    bool server; /* server: client certificates are asked for when ca_pem is set, never demanded */
    bool http2;  /* offer h2 by ALPN before http/1.1 */
};

int tls_new(const struct tls_config *config, struct tls **ret, struct err *err);
void tls_free(struct tls *t);

/* Server certificates that a running server should use from now on (rotation). Any thread. */
int tls_replace_cert(struct tls *t, struct str cert_pem, struct str key_pem, struct err *err);

enum { TLS_MAX_GROUPS = 32 };

/* Subject of a client certificate: CN is the user, each O a group (Kubernetes' x509 authenticator).
 * One that does not verify is let through with verified == false, to be answered with 401. Without
 * a certificate common_name is NULL. */
struct tls_peer {
    bool verified;
    char *common_name;
    char *organizations[TLS_MAX_GROUPS];
    size_t organization_count;
};
