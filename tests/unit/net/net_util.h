/* net_util.h: a loop with a time limit, throw-away certificates, and raw client sockets. */
#pragma once

#include "base/buf.h"
#include "net/http.h"

/* Runs the loop until loop_stop, at most `ms`; false when the time was up. */
bool run_for(struct loop *l, int64_t ms);

struct test_ca {
    void *cert, *key; /* X509, EVP_PKEY */
};
void ca_new(struct test_ca *ca);
void ca_done(struct test_ca *ca);
void ca_pem(const struct test_ca *ca, struct buf *cert_pem);
/* A leaf. organizations: separated by commas; may be NULL. */
void ca_issue(const struct test_ca *ca, const char *common_name, const char *organizations,
              bool server, struct buf *cert_pem, struct buf *key_pem);

/* Blocking client socket to a port of 127.0.0.1. */
int raw_connect(int port);
