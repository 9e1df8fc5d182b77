/* url.h: percent-encoding and query strings. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

/* Decodes %XX; in queries '+' is a blank as well. false: a bad escape or a NUL. */
bool url_decode(struct arena *a, struct str s, bool query, struct str *ret);
void url_encode(struct buf *b, struct str s); /* everything but unreserved characters */

struct url_param {
    struct str key, value;
};
struct url_query {
    struct url_param *params;
    size_t count;
};
bool url_query_parse(struct arena *a, struct str query,
                     struct url_query *ret);                          /* at most 1,000 parameters */
struct str url_query_get(const struct url_query *q, const char *key); /* the first; empty: absent */
bool url_query_has(const struct url_query *q, const char *key);

/* An absolute address: scheme://[user[:password]@]host[:port][/path][?query]. Views of the text,
 * still encoded; a fragment is dropped. */
struct url {
    struct str scheme, user, password, host; /* host: without brackets */
    struct str authority;                    /* host and port as written */
    int port;                                /* 0: not given */
    struct str path, query;                  /* path may be empty; query without '?' */
    bool has_query;
};
/* false: no scheme or host, a bad port, blanks or control characters. */
bool url_split(struct str text, struct url *ret);
/* The scheme's port when none was given; 0 for schemes other than http, https. */
int url_port(const struct url *u);
/* What `ref` means in a document at `base`, an absolute address (RFC 3986 section 5.2). */
struct str url_resolve(struct arena *a, struct str base, struct str ref);
