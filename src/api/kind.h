/* kind.h: the kinds that this server knows, ready for the request path.
 *
 * The built-in ones are made once in api_new from schema_kinds and never change. Those of
 * CustomResourceDefinitions come and go: crd.h has them, and whoever uses one holds a reference.
 * Any thread. */
#pragma once

#include "api/strategy.h"
#include "base/map.h"

struct kind {
    const struct schema_kind *k;
    const struct strategy *s;
    struct str api_version;    /* "v1", "apps/v1" */
    struct str group_resource; /* "pods", "deployments.apps" */
    struct str prefix, end;    /* of all its keys: "/registry/core/pods/", and behind the last */
    struct str head;           /* how each stored object begins:
                                  {"kind":"Pod","apiVersion":"v1", */
    bool stored;               /* false: answered by the strategy's review */
};

struct kinds {
    struct arena arena;
    struct kind *all;
    size_t count;
    struct map by_resource; /* "group/version/resource" */
    struct map by_prefix;   /* "/registry/group/resource/" of stored kinds */
};

/* Fills k in from what its kind and strategy say; both outlive it. */
void kind_init(struct kind *k, struct arena *a, const struct schema_kind *sk,
               const struct strategy *s);
void kinds_init(struct kinds *ks);
void kinds_done(struct kinds *ks);

/* A built-in kind, or NULL. */
const struct kind *kinds_find(const struct kinds *ks, struct str group, struct str version,
                              struct str resource);

/* "group/version/resource" in the caller's room; empty when it does not fit. */
enum { KIND_KEY = 512 };
struct str kind_lookup_key(char room[KIND_KEY], struct str group, struct str version,
                           struct str resource);

bool kind_has_subresource(const struct kind *k, struct str sub);
bool kind_has_verb(const struct kind *k, const char *verb);

/* The key of an object, as "/registry/apps/deployments/default/web". */
struct str kind_key(struct arena *a, const char *group, const char *resource, struct str ns,
                    struct str name);
/* The stored object as this kind shows it: json itself, or a text made in room, which is emptied
 * before (strategy.view). */
struct str kind_view(const struct kind *k, struct str json, struct buf *room);
/* Whether it is json itself. */
bool kind_is_plain(const struct kind *k, struct str json);

/* Namespace and name in a key of this kind. */
void kind_split_key(const struct kind *k, struct str key, struct str *ret_ns, struct str *ret_name);
