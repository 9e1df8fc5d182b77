/* tls_impl.h: what conn.c needs of a TLS context. Inside net/ only. */
#pragma once

#include <openssl/ssl.h>

#include "net/tls.h"

/* A session on fd. server_name: what a client verifies and sends as SNI (a name or an address). */
SSL *tls_session(struct tls *t, int fd, const char *server_name, bool http1_only, struct err *err);
bool tls_is_server(const struct tls *t);
/* Fills p from a client certificate; p is zeroed when there is none. */
void tls_peer_init(struct tls_peer *p, SSL *ssl);
void tls_peer_done(struct tls_peer *p);
/* Says why an SSL call failed, and clears OpenSSL's error queue. */
int tls_failure(SSL *ssl, const char *what, struct err *err);
