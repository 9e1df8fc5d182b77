#include "api/crd/crd.h"

#include <sched.h>
#include <stdlib.h>

#include "api/core.h"
#include "api/raw.h"

/* Readers take the current catalog between two counters of their epoch, so that the one writer at a
 * time can tell when nobody can be about to take a reference to the old one. A reader never waits
 * unless definitions changed; the writer waits for a few instructions of others. */
struct crd_registry {
    struct api *api;
    struct store_sub *sub;
    struct crd_janitor *janitor;
    atomic_llong wanted;  /* the revision of the newest change of a definition */
    atomic_llong built;   /* up to which the current catalog knows them */
    pthread_mutex_t lock; /* who builds */
    _Atomic(struct crd_catalog *) current;
    atomic_ulong epoch;
    atomic_long readers[2];
};

/* --- catalogs --- */
void crd_unref(struct crd *crd)
{
    if (crd && atomic_fetch_sub(&crd->refs, 1) == 1)
        crd_free(crd);
}

void crd_catalog_unref(struct crd_catalog *catalog)
{
    if (!catalog || atomic_fetch_sub(&catalog->refs, 1) != 1)
        return;
    for (size_t i = 0; i < catalog->count; i++)
        crd_unref(catalog->all[i]);
    map_done(&catalog->by_resource);
    discovery_free(catalog->discovery);
    free(catalog->all);
    free(catalog->kinds);
    free(catalog);
}

static int by_place(const void *a, const void *b)
{
    const struct schema_kind *x = &(*(struct crd_version *const *)a)->info,
                             *y = &(*(struct crd_version *const *)b)->info;
    int order = strcmp(x->group, y->group);
    if (order == 0)
        order = crd_version_compare(str_of(x->version), str_of(y->version));
    return order ? order : strcmp(x->resource, y->resource);
}

/* Built-in kinds cannot be replaced. */
static void index_kinds(struct api *api, struct crd_catalog *catalog)
{
    size_t room = 1;
    for (size_t i = 0; i < catalog->count; i++)
        room += catalog->all[i]->version_count;
    catalog->kinds = mem_zalloc(room * sizeof(struct crd_version *));
    for (size_t i = 0; i < catalog->count; i++)
        for (size_t n = 0; n < catalog->all[i]->version_count; n++) {
            struct crd_version *v = &catalog->all[i]->versions[n];
            struct str group = str_of(v->info.group), version = str_of(v->info.version),
                       resource = str_of(v->info.resource);
            char key[KIND_KEY];
            if (kinds_find(&api->kinds, group, version, resource))
                continue;
            catalog->kinds[catalog->kind_count++] = v;
            map_set(&catalog->by_resource, kind_lookup_key(key, group, version, resource), v);
        }
    qsort(catalog->kinds, catalog->kind_count, sizeof(struct crd_version *), by_place);
    const struct schema_kind **list = mem_zalloc((catalog->kind_count + 1) * sizeof(*list));
    for (size_t i = 0; i < catalog->kind_count; i++)
        list[i] = &catalog->kinds[i]->info;
    catalog->discovery = discovery_new(list);
    free(list);
}

static struct crd *find_crd(const struct crd_catalog *catalog, struct str name)
{
    size_t low = 0, high = catalog ? catalog->count : 0;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = str_cmp(name, catalog->all[mid]->name);
        if (order == 0)
            return catalog->all[mid];
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

/* What did not change is shared with the catalog before. */
static struct crd_catalog *read_catalog(struct api *api, const struct crd_catalog *before,
                                        struct store_snap *snap, bool *ret_leaving)
{
    struct crd_catalog *catalog = NEW(struct crd_catalog);
    struct str prefix = STR(CRD_PREFIX), end = STR(CRD_PREFIX);
    char last[sizeof(CRD_PREFIX)];
    memcpy(last, end.p, end.n);
    last[end.n - 1] = '/' + 1;
    atomic_init(&catalog->refs, 1);
    struct store_iter *it = store_range(snap, prefix, (struct str){last, end.n});
    struct store_kv kv;
    size_t cap = 0;
    while (store_next(it, &kv)) {
        struct str name = str_from(kv.key, prefix.n);
        struct crd *crd = find_crd(before, name);
        if (crd && crd->revision == kv.mod_rev)
            atomic_fetch_add(&crd->refs, 1);
        else
            crd = crd_define(name, kv.value, kv.mod_rev);
        if (!crd)
            continue;
        if (catalog->count == cap) {
            cap = cap ? cap * 2 : 16;
            catalog->all = mem_realloc_array(catalog->all, cap, sizeof(struct crd *));
        }
        catalog->all[catalog->count++] = crd;
        *ret_leaving |= crd->terminating;
    }
    store_iter_free(it);
    index_kinds(api, catalog);
    return catalog;
}

/* --- publication --- */
static void publish(struct crd_registry *r, struct crd_catalog *next)
{
    struct crd_catalog *old = atomic_exchange(&r->current, next);
    unsigned long epoch = atomic_fetch_add(&r->epoch, 1);
    while (atomic_load(&r->readers[epoch & 1]))
        sched_yield();
    crd_catalog_unref(old);
}

static struct crd_catalog *take(struct crd_registry *r)
{
    for (;;) {
        unsigned long epoch = atomic_load(&r->epoch);
        atomic_fetch_add(&r->readers[epoch & 1], 1);
        struct crd_catalog *catalog = NULL;
        if (atomic_load(&r->epoch) == epoch) {
            catalog = atomic_load(&r->current);
            atomic_fetch_add(&catalog->refs, 1);
        }
        atomic_fetch_sub(&r->readers[epoch & 1], 1);
        if (catalog)
            return catalog;
    }
}

static int build(struct crd_registry *r, struct err *err)
{
    struct store_snap *snap;
    bool leaving = false;
    if (store_snap_begin(r->api->config.store, 0, &snap, err) != 0)
        return -1;
    int64_t revision = store_snap_revision(snap);
    publish(r, read_catalog(r->api, atomic_load(&r->current), snap, &leaving));
    atomic_store(&r->built, revision);
    store_snap_end(snap);
    if (leaving && r->janitor)
        crd_janitor_wake(r->janitor);
    return 0;
}

static bool is_stale(struct crd_registry *r)
{
    return atomic_load(&r->wanted) > atomic_load(&r->built);
}

struct crd_catalog *crd_catalog_get(struct api *api)
{
    struct crd_registry *r = api->crds;
    if (is_stale(r)) {
        struct err ignored; /* a store that cannot be read will say so to the request */
        pthread_mutex_lock(&r->lock);
        if (is_stale(r))
            build(r, &ignored);
        pthread_mutex_unlock(&r->lock);
    }
    return take(r);
}

struct crd_version *crd_find(struct api *api, struct str group, struct str version,
                             struct str resource)
{
    char room[KIND_KEY];
    struct str key = kind_lookup_key(room, group, version, resource);
    struct crd_catalog *catalog = crd_catalog_get(api);
    struct crd_version *v = key.n ? map_get(&catalog->by_resource, key) : NULL;
    if (v)
        atomic_fetch_add(&v->crd->refs, 1);
    crd_catalog_unref(catalog);
    return v;
}

static bool is_custom(struct api *api, struct str key)
{
    return str_starts(key, STR("/registry/")) &&
           !map_get(&api->kinds.by_prefix, crd_key_prefix(key));
}

static bool is_held(struct str json)
{
    if (!raw_path(json, "metadata.deletionTimestamp").p)
        return false;
    struct str finalizers = raw_path(json, "metadata.finalizers");
    return str_find(finalizers, STR("\"orphan\"")) >= 0 ||
           str_find(finalizers, STR("\"foregroundDeletion\"")) >= 0;
}

/* On the committer's thread, before any writer hears of its write. */
static void on_batch(void *arg, struct store_batch *b)
{
    struct crd_registry *r = arg;
    for (size_t i = 0; i < b->count; i++) {
        const struct store_event *e = &b->events[i];
        if (e->type == STORE_DELETED && e->prev && is_custom(r->api, e->key))
            crd_janitor_gone(r->janitor, raw_text(raw_path(bytes_str(e->prev), "metadata.uid")));
        if (e->type == STORE_MODIFIED && is_custom(r->api, e->key) && is_held(bytes_str(e->value)))
            crd_janitor_held(r->janitor, e->key);
        if (!str_starts(e->key, STR(CRD_PREFIX)))
            continue;
        atomic_store(&r->wanted, e->revision);
        if (e->type == STORE_DELETED)
            crd_janitor_freed(r->janitor);
        crd_janitor_wake(r->janitor);
    }
}

int crd_start(struct api *api, struct err *err)
{
    struct crd_registry *r = NEW(struct crd_registry);
    int64_t revision;
    r->api = api;
    pthread_mutex_init(&r->lock, NULL);
    atomic_init(&r->built, -1);
    api->crds = r;
    r->janitor = crd_janitor_start(api);
    r->sub = store_subscribe(api->config.store, on_batch, r, &revision);
    if (!r->sub)
        return err_internal(err, "the store takes no more subscribers");
    atomic_store(&r->wanted, revision);
    pthread_mutex_lock(&r->lock);
    int rc = build(r, err);
    pthread_mutex_unlock(&r->lock);
    return rc;
}

void crd_stop(struct api *api)
{
    struct crd_registry *r = api->crds;
    if (!r)
        return;
    crd_janitor_stop(r->janitor);
    if (r->sub)
        store_unsubscribe(r->sub);
    crd_catalog_unref(atomic_load(&r->current));
    pthread_mutex_destroy(&r->lock);
    free(r);
    api->crds = NULL;
}
