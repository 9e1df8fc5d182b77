/* server.h: an API server without sockets, for tests. One a test; its store is thrown away. */
#pragma once

#include "api/call.h"
#include "api/authn/pki.h"
#include "test.h"

struct server {
    char dir[64];
    struct store *store;
    struct api *api;
};

struct answer {
    int status;
    struct bytes *body;
    char warnings[1024]; /* one a line */
};

struct ask {
    const char *method, *path, *query;
    const char *type, *body; /* NULL: none */
    const char *accept;
};

void server_start(struct server *s);
void server_start_pki(struct server *s, const struct pki *pki); /* borrowed; NULL: none */
/* The store forgets all but that many revisions as soon as it can. */
void server_start_keeping(struct server *s, int64_t revisions);
void server_start_world(struct server *s, struct world *world); /* with that clock */
void server_stop(struct server *s);
/* Served on this thread as a member of system:masters; the answer's body is the caller's. */
struct answer server_ask(struct server *s, const struct ask *ask);

/* One line of a specification. */
struct expectation {
    const char *method, *path, *query, *type, *body;
    int status;
    const char *excerpt; /* must be in the answer; NULL: anything; "!x": must not */
};
void server_expect(struct server *s, const struct expectation *lines, size_t count);
#define EXPECT(server, ...)                                                                        \
    do {                                                                                           \
        const struct expectation lines_[] = {__VA_ARGS__};                                         \
        server_expect(server, lines_, ARRAY_LEN(lines_));                                          \
    } while (0)

#define JSON "application/json"
#define MERGE "application/merge-patch+json"
#define STRATEGIC "application/strategic-merge-patch+json"
#define JSON_PATCH "application/json-patch+json"
#define APPLY "application/apply-patch+yaml"
