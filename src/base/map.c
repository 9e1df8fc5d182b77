#include "base/map.h"

#include <xxhash.h>

#include "base/clock.h"
#include "base/mem.h"

static uint32_t hash_of(const struct map *m, struct str key)
{
    return (uint32_t)XXH3_64bits_withSeed(key.p ? key.p : "", key.n, m->seed);
}

static size_t slot_of(const struct map *m, struct str key, uint32_t hash)
{
    size_t mask = m->cap - 1, at = hash & mask;
    while (m->entries[at].key) {
        const struct map_entry *e = &m->entries[at];
        if (e->hash == hash && str_eq(map_key(e), key))
            break;
        at = (at + 1) & mask;
    }
    return at;
}

void map_done(struct map *m)
{
    for (size_t i = 0; i < m->cap; i++)
        free(m->entries[i].key);
    free(m->entries);
    *m = (struct map){0};
}

void *map_get(const struct map *m, struct str key)
{
    if (!m->count)
        return NULL;
    const struct map_entry *e = &m->entries[slot_of(m, key, hash_of(m, key))];
    return e->key ? e->value : NULL;
}

static void grow(struct map *m)
{
    struct map old = *m;
    if (!old.cap)
        world_real()->random(world_real(), &m->seed, sizeof(m->seed));
    m->cap = old.cap ? old.cap * 2 : 16;
    m->entries = mem_realloc_array(NULL, m->cap, sizeof(*m->entries));
    memset(m->entries, 0, m->cap * sizeof(*m->entries));
    for (size_t i = 0; i < old.cap; i++) {
        struct map_entry *e = &old.entries[i];
        if (e->key)
            m->entries[slot_of(m, map_key(e), e->hash)] = *e;
    }
    free(old.entries);
}

void *map_set(struct map *m, struct str key, void *value)
{
    if ((m->count + 1) * 4 > m->cap * 3)
        grow(m);
    uint32_t hash = hash_of(m, key);
    struct map_entry *e = &m->entries[slot_of(m, key, hash)];
    void *old = e->key ? e->value : NULL;
    if (!e->key) {
        e->key = mem_strndup(key.p, key.n);
        e->key_n = (uint32_t)key.n;
        e->hash = hash;
        m->count++;
    }
    e->value = value;
    return old;
}

void *map_del(struct map *m, struct str key)
{
    if (!m->count)
        return NULL;
    size_t mask = m->cap - 1, hole = slot_of(m, key, hash_of(m, key));
    if (!m->entries[hole].key)
        return NULL;
    void *old = m->entries[hole].value;
    free(m->entries[hole].key);
    m->entries[hole].key = NULL;
    m->count--;
    /* Moves later entries of the same run into the hole, so that no search stops early. */
    for (size_t at = (hole + 1) & mask; m->entries[at].key; at = (at + 1) & mask) {
        size_t home = m->entries[at].hash & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        m->entries[hole] = m->entries[at];
        m->entries[at].key = NULL;
        hole = at;
    }
    return old;
}

struct map_entry *map_next(const struct map *m, struct map_entry *after)
{
    for (struct map_entry *e = after ? after + 1 : m->entries; m->cap && e < m->entries + m->cap;
         e++)
        if (e->key)
            return e;
    return NULL;
}
