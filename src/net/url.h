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
