/* A definition that is being deleted takes its objects along: a thread deletes them, waits until
 * those with finalizers are gone too, and takes the definition's own finalizer off
 * (k8s.io/apiextensions-apiserver/pkg/controller/finalizer). Several servers on one store may do it
 * at once; each step may be repeated. */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "api/core.h"
#include "api/crd/crd.h"
#include "api/kinds/kinds.h"

enum { AGAIN_MS = 200, OBJECTS_A_PASS = 5000 };

struct crd_janitor {
    struct api *api;
    struct client *client;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool awake, stop, freed;
    struct map gone; /* uids of custom resources that went */
    struct map held; /* keys of those that are to go when their dependents are seen to */
};

static const struct resource definitions = {"apiextensions.k8s.io", "v1",
                                            "customresourcedefinitions", false};

/* How many objects there are; each that is not on its way out is deleted. */
static size_t delete_objects(struct crd_janitor *j, const struct crd_version *version)
{
    struct resource resource = {version->info.group, version->info.version, version->info.resource,
                                version->info.namespaced};
    struct arena a = {0};
    struct store_snap *snap;
    struct err err;
    if (store_snap_begin(j->api->config.store, 0, &snap, &err) != 0)
        return 1;
    struct store_iter *it = store_range(snap, version->kind.prefix, version->kind.end);
    struct store_kv kv;
    size_t n = 0;
    struct str *keys = arena_alloc(&a, OBJECTS_A_PASS * sizeof(*keys));
    while (n < OBJECTS_A_PASS && store_next(it, &kv))
        keys[n++] = arena_dup(&a, kv.key);
    store_iter_free(it);
    store_snap_end(snap);
    for (size_t i = 0; i < n; i++) {
        struct str ns, name;
        kind_split_key(&version->kind, keys[i], &ns, &name);
        client_delete(j->client, &resource, ns.n ? arena_z(&a, ns) : NULL, arena_z(&a, name), NULL,
                      &err);
    }
    arena_done(&a);
    return n;
}

/* All objects are gone: so may the definition. */
static void release(struct crd_janitor *j, struct str name)
{
    struct doc d;
    struct arena a = {0};
    struct err err;
    val *obj;
    size_t i = 0;
    doc_init(&d);
    const char *z = arena_z(&a, name);
    if (client_get(j->client, &definitions, NULL, z, &d, &obj, &err) == 0) {
        val *finalizers = VAL_PATH(obj, "metadata", "finalizers");
        VAL_FOR (finalizers, f) {
            if (str_is(val_str(f), CRD_CLEANUP)) {
                val_remove_at(finalizers, i);
                client_update(j->client, &definitions, NULL, z, NULL, obj, &d, NULL, &err);
                break;
            }
            i++;
        }
    }
    doc_done(&d);
    arena_done(&a);
}

/* False: something is left to do. */
static bool pass(struct crd_janitor *j)
{
    bool clean = true;
    struct crd_catalog *catalog = crd_catalog_get(j->api);
    for (size_t i = 0; i < catalog->count; i++) {
        struct crd *crd = catalog->all[i];
        if (!crd->terminating)
            continue;
        clean = false;
        if (!crd->version_count || delete_objects(j, &crd->versions[0]) == 0)
            release(j, crd->name);
    }
    crd_catalog_unref(catalog);
    return clean;
}

static void wait_ms(struct crd_janitor *j, int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&j->changed, &j->lock, &until);
}

/* Definitions that wait for names are written as they are: their strategy looks again. */
static void reconsider(struct crd_janitor *j)
{
    struct doc d;
    struct err err;
    val *list;
    doc_init(&d);
    if (client_get(j->client, &definitions, NULL, NULL, &d, &list, &err) == 0)
        VAL_FOR (val_get(list, "items"), item) {
            struct arena a = {0};
            if (!condition_is_true(VAL_PATH(item, "status", "conditions"), "Established"))
                client_update(j->client, &definitions, NULL,
                              arena_z(&a, VAL_STR(item, "metadata", "name")), NULL, item, &d, NULL,
                              &err);
            arena_done(&a);
        }
    doc_done(&d);
}

static bool settle(struct crd_janitor *j, const struct map *held)
{
    bool clean = true;
    for (struct map_entry *e = NULL; (e = map_next(held, e));) {
        if (crd_settle(j->api, j->client, map_key(e)))
            continue;
        clean = false;
        pthread_mutex_lock(&j->lock);
        map_set(&j->held, map_key(e), j);
        pthread_mutex_unlock(&j->lock);
    }
    return clean;
}

static void *work(void *arg)
{
    struct crd_janitor *j = arg;
    pthread_mutex_lock(&j->lock);
    while (!j->stop) {
        if (!j->awake) {
            pthread_cond_wait(&j->changed, &j->lock);
            continue;
        }
        j->awake = false;
        struct map gone = j->gone, held = j->held;
        j->gone = j->held = (struct map){0};
        bool freed = j->freed;
        j->freed = false;
        pthread_mutex_unlock(&j->lock);
        if (freed)
            reconsider(j);
        if (gone.count)
            crd_collect(j->api, j->client, &gone);
        map_done(&gone);
        bool clean = settle(j, &held);
        clean &= pass(j);
        map_done(&held);
        pthread_mutex_lock(&j->lock);
        if (clean || j->stop || j->awake)
            continue;
        wait_ms(j, AGAIN_MS);
        j->awake = true;
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

struct crd_janitor *crd_janitor_start(struct api *api)
{
    static const char *const groups[] = {"system:masters", NULL};
    struct crd_janitor *j = NEW(struct crd_janitor);
    struct err err;
    j->api = api;
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->changed, NULL);
    if (api_client(api, "system:apiserver", groups, &j->client, &err) != 0 ||
        pthread_create(&j->thread, NULL, work, j) != 0)
        abort(); /* as with memory: a process that gets no thread cannot serve */
    return j;
}

void crd_janitor_wake(struct crd_janitor *j)
{
    pthread_mutex_lock(&j->lock);
    j->awake = true;
    pthread_cond_signal(&j->changed);
    pthread_mutex_unlock(&j->lock);
}

void crd_janitor_freed(struct crd_janitor *j)
{
    pthread_mutex_lock(&j->lock);
    j->freed = true;
    pthread_mutex_unlock(&j->lock);
}

void crd_janitor_gone(struct crd_janitor *j, struct str uid)
{
    if (!uid.n)
        return;
    pthread_mutex_lock(&j->lock);
    map_set(&j->gone, uid, j);
    j->awake = true;
    pthread_cond_signal(&j->changed);
    pthread_mutex_unlock(&j->lock);
}

void crd_janitor_held(struct crd_janitor *j, struct str key)
{
    pthread_mutex_lock(&j->lock);
    map_set(&j->held, key, j);
    j->awake = true;
    pthread_cond_signal(&j->changed);
    pthread_mutex_unlock(&j->lock);
}

void crd_janitor_stop(struct crd_janitor *j)
{
    pthread_mutex_lock(&j->lock);
    j->stop = true;
    pthread_cond_signal(&j->changed);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->thread, NULL);
    client_free(j->client);
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->changed);
    map_done(&j->gone);
    map_done(&j->held);
    free(j);
}
