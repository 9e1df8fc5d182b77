/* registry.h: requests to a registry that speaks the OCI distribution protocol
 * (github.com/opencontainers/distribution-spec), with docker's authentication: what is asked for
 * without credentials is refused with a challenge, which says where a token is to be had or that
 * the registry wants the password itself.
 *
 * A session belongs to one thread. Credentials never get into an error or a log, and never from an
 * https registry to a server that is not. */
#pragma once

#include "net/fetch.h"

/* WWW-Authenticate: Bearer realm="…",service="…",scope="…" (RFC 9110 section 11.6.1). */
struct registry_challenge {
    enum { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER } scheme;
    struct str realm, service, scope; /* in the arena */
};
struct registry_challenge registry_challenge_parse(struct arena *a, struct str header);

struct registry_auth {
    struct str username, password;
    struct str identity_token; /* to be exchanged for an access token */
    struct str access_token;   /* used as it is */
};

struct registry_config {
    struct fetcher *fetcher; /* borrowed, as all of this */
    struct registry_auth auth;
    struct str scope; /* what tokens are asked for besides what challenges name:
                         "repository:charts/web:pull,push" */
    bool oauth2;      /* passwords are exchanged by POST (OAuth 2) rather than by GET */
};

struct registry_session {
    struct registry_config config;
    struct buf authorization; /* what the registry has accepted */
};
void registry_session_init(struct registry_session *s, const struct registry_config *config);
void registry_session_done(struct registry_session *s);

/* fetch, answering challenges. An answer of 401 means that credentials are missing or wrong. */
int registry_fetch(struct registry_session *s, const struct fetch_request *r,
                   struct fetch_answer *ret, struct err *err);

/* An answer that is none of the expected ones, in ORAS' words: `GET "https://…": response status
 * code 404: name unknown: repository not found`. */
int registry_fail(const struct fetch_request *r, const struct fetch_answer *answer,
                  struct err *err);
