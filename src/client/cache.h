/* cache.h: an informer: list, then watch, and a local picture that is always some recent state of
 * the server.
 *
 * The cache lists in pages of 500, watches with bookmarks, relists by itself after 410 and
 * reconnects with back-off (200 ms to 10 s) after errors; handlers see the differences only. When
 * an object was deleted and made again while nobody watched, that is one update (the uids differ),
 * as with client-go. Each cache has one thread; beside its own text an object costs about 140
 * bytes. Objects are immutable and shared: an `obj` reference stays valid while the
 * cache moves on. Handlers run on the cache's feeding thread, one at a time, and must only hand
 * over (mark a key dirty, wake a worker). The reading functions may be called on any thread,
 * handlers included. */
#pragma once

#include "client/client.h"

/* One immutable object. The text is the server's JSON; the tree is parsed when first asked for and
 * kept as long as somebody holds the obj_tree. */
struct obj;
struct obj *obj_new(
    struct bytes *json,
    struct err *err); /* takes no reference of the caller's; NULL: not an object with metadata */
struct obj *obj_ref(struct obj *o);
void obj_unref(struct obj *o);
struct str obj_ns(const struct obj *o);
struct str obj_name(const struct obj *o);
struct str obj_uid(const struct obj *o);
struct str obj_rv(const struct obj *o);
struct str obj_key(const struct obj *o); /* "ns/name", or "name" when cluster-scoped: client-go's
                                            MetaNamespaceKey */
struct bytes *obj_json(const struct obj *o); /* borrowed; NULL: a bare one */
/* Parses into d; the caller may change the result, it is a copy. NULL: a bare one. */
val *obj_parse(const struct obj *o, struct doc *d);

enum cache_change { CACHE_ADDED, CACHE_UPDATED, CACHE_DELETED };
typedef void cache_handler(void *arg, enum cache_change change, struct obj *old,
                           struct obj *now); /* borrowed; old, the state known before, is NULL when
                                                added, now is NULL when deleted */

/* An index maps an object to at most `max` (32) strings (a label's value, the owner's uid,
 * spec.nodeName); NULL entries end the list. The strings are views of what `v` holds. */
typedef size_t cache_index_fn(const val *v, struct str *ret, size_t max);

struct cache_config {
    const struct resource *resource;
    const char *ns;                              /* NULL: all */
    const char *label_selector, *field_selector; /* NULL: none */
    cache_index_fn *indexes[4];                  /* NULL ends */
    cache_handler *handler;
    void *arg;
    /* The text is for the handler only: what the cache keeps of an object, and gives as `old`, is
     * bare (key, uid and version). Not with indexes. */
    bool bare;
};

struct cache;
int cache_new(struct client *c, const struct cache_config *config, struct cache **ret,
              struct err *err);
void cache_start(struct cache *k);
/* Stops; no handler runs after it returns. Before client_free. It waits for a list under way. */
void cache_free(struct cache *k);
bool cache_wait_synced(struct cache *k, int64_t timeout_ms);
bool cache_synced(const struct cache *k);
struct obj *cache_get(struct cache *k, struct str key); /* a reference, or NULL */
/* All, or those of an index entry, or those of a namespace, ordered by key. The caller unrefs each
 * and frees the array. */
size_t cache_all(struct cache *k, struct obj ***ret);
size_t cache_by_index(struct cache *k, size_t index, struct str value, struct obj ***ret);
size_t cache_in_ns(struct cache *k, struct str ns, struct obj ***ret);
void obj_unref_all(struct obj **objs, size_t n); /* unrefs n and frees the array */
