/* map.h: a hash map from strings to pointers.
 *
 *     struct map pods = {0};
 *     map_set(&pods, key, pod);
 *
 * Keys are copied; values are the caller's. Open addressing, seeded per map, so that a client that
 * picks keys cannot make it slow. Not for two threads at once. */
#pragma once

#include "base/str.h"

struct map_entry {
    char *key; /* NULL: free */
    uint32_t key_n;
    uint32_t hash;
    void *value;
};

struct map {
    struct map_entry *entries;
    size_t count, cap;
    uint64_t seed;
};

void map_done(struct map *m);                       /* frees keys and table, not the values */
void *map_get(const struct map *m, struct str key); /* NULL: not there */
void *map_set(struct map *m, struct str key,
              void *value); /* the value that stood there before, or NULL; value is not NULL */
void *map_del(struct map *m, struct str key); /* the value that was there, or NULL */

/* Walks all entries in no order: `for (struct map_entry *e = NULL; (e = map_next(m, e));)`. The map
 * must not change meanwhile. */
struct map_entry *map_next(const struct map *m, struct map_entry *after);

static inline struct str map_key(const struct map_entry *e)
{
    return (struct str){e->key, e->key_n};
}
