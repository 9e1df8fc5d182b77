#include "client/cache_impl.h"

#include <time.h>

enum { MAX_INDEX_VALUES = 32 };

/* --- the picture --- */

static void index_add(struct map *index, struct str value, struct obj *o)
{
    struct shelf *s = map_get(index, value);
    if (!s)
        map_set(index, value, s = NEW(struct shelf));
    obj_unref(shelf_put(s, obj_ref(o)));
}

static void index_del(struct map *index, struct str value, struct obj *o)
{
    struct shelf *s = map_get(index, value);
    if (!s)
        return;
    obj_unref(shelf_del(s, obj_key(o)));
    if (s->n)
        return;
    map_del(index, value);
    shelf_done(s);
    free(s);
}

static void index_object(struct cache *k, struct obj *o,
                         void (*change)(struct map *index, struct str value, struct obj *o))
{
    if (!o || !k->index_count)
        return;
    struct doc d;
    doc_init(&d);
    val *v = obj_parse(o, &d);
    for (size_t i = 0; v && i < k->index_count; i++) {
        struct str values[MAX_INDEX_VALUES];
        size_t n = k->config.indexes[i](v, values, MAX_INDEX_VALUES);
        for (size_t j = 0; j < n; j++)
            change(&k->index[i], values[j], o);
    }
    doc_done(&d);
}

static void tell(struct cache *k, enum cache_change change, struct obj *old, struct obj *now)
{
    if (k->config.handler)
        k->config.handler(k->config.arg, change, old, now);
}

void cache_put(struct cache *k, struct obj *o)
{
    struct obj *known = shelf_get(&k->all, obj_key(o)); /* only this thread writes */
    if (known && obj_rv(o).n && str_eq(obj_rv(known), obj_rv(o)) &&
        str_eq(obj_uid(known), obj_uid(o))) {
        obj_unref(o);
        return;
    }
    pthread_rwlock_wrlock(&k->lock);
    struct obj *old = shelf_put(&k->all, k->config.bare ? obj_bare(o) : obj_ref(o));
    index_object(k, old, index_del);
    index_object(k, o, index_add);
    pthread_rwlock_unlock(&k->lock);
    tell(k, old ? CACHE_UPDATED : CACHE_ADDED, old, o);
    obj_unref(old);
    obj_unref(o);
}

void cache_del(struct cache *k, struct str key)
{
    pthread_rwlock_wrlock(&k->lock);
    struct obj *old = shelf_del(&k->all, key);
    index_object(k, old, index_del);
    pthread_rwlock_unlock(&k->lock);
    if (old)
        tell(k, CACHE_DELETED, old, NULL);
    obj_unref(old);
}

static int by_key(const void *a, const void *b)
{
    return str_cmp(obj_key(*(struct obj *const *)a), obj_key(*(struct obj *const *)b));
}

void cache_replace(struct cache *k, struct obj **objs, size_t n)
{
    if (n)
        qsort(objs, n, sizeof(*objs), by_key);
    struct obj **known, **gone = NULL;
    size_t known_n = shelf_copy(&k->all, 0, k->all.n, &known), gone_n = 0;
    if (known_n)
        gone = mem_realloc_array(NULL, known_n, sizeof(*gone));
    for (size_t i = 0, j = 0; i < known_n; i++) {
        while (j < n && by_key(&objs[j], &known[i]) < 0)
            j++;
        if (j == n || by_key(&objs[j], &known[i]) > 0)
            gone[gone_n++] = known[i];
    }
    for (size_t i = 0; i < n; i++)
        cache_put(k, objs[i]);
    for (size_t i = 0; i < gone_n; i++)
        cache_del(k, obj_key(gone[i]));
    free(gone);
    obj_unref_all(known, known_n);
}

/* --- life --- */

static char *copy_of(const char *z)
{
    return z ? mem_strdup(z) : NULL;
}

int cache_new(struct client *c, const struct cache_config *config, struct cache **ret,
              struct err *err)
{
    if (!config->resource)
        return err_internal(err, "a cache needs a resource");
    if (config->bare && config->indexes[0])
        return err_internal(err, "a cache without texts has no indexes");
    struct cache *k = NEW(struct cache);
    k->client = c;
    k->config = *config;
    k->resource = *config->resource;
    k->config.resource = &k->resource;
    k->config.ns = copy_of(config->ns);
    k->config.label_selector = copy_of(config->label_selector);
    k->config.field_selector = copy_of(config->field_selector);
    while (k->index_count < MAX_INDEXES && config->indexes[k->index_count])
        k->index_count++;
    pthread_rwlock_init(&k->lock, NULL);
    pthread_mutex_init(&k->feed_lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&k->changed, &attr);
    pthread_condattr_destroy(&attr);
    *ret = k;
    return 0;
}

void cache_start(struct cache *k)
{
    enum { STACK = 512 << 10 };
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    k->started = pthread_create(&k->thread, &attr, cache_feed, k) == 0;
    pthread_attr_destroy(&attr);
}

void cache_free(struct cache *k)
{
    if (!k)
        return;
    pthread_mutex_lock(&k->feed_lock);
    k->stop = true;
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->feed_lock);
    if (k->started)
        pthread_join(k->thread, NULL);
    for (size_t i = 0; i < MAX_INDEXES; i++) {
        for (struct map_entry *e = NULL; (e = map_next(&k->index[i], e));) {
            shelf_done(e->value);
            free(e->value);
        }
        map_done(&k->index[i]);
    }
    shelf_done(&k->all);
    frames_done(&k->frames);
    buf_done(&k->inbox.bytes);
    pthread_rwlock_destroy(&k->lock);
    pthread_mutex_destroy(&k->feed_lock);
    pthread_cond_destroy(&k->changed);
    free((char *)k->config.ns);
    free((char *)k->config.label_selector);
    free((char *)k->config.field_selector);
    free(k->rv);
    free(k);
}

bool cache_wait_synced(struct cache *k, int64_t timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + timeout_ms % 1000 * 1000000;
    until.tv_sec += timeout_ms / 1000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_mutex_lock(&k->feed_lock);
    for (int rc = 0; !k->synced && rc == 0;)
        rc = pthread_cond_timedwait(&k->changed, &k->feed_lock, &until);
    bool synced = k->synced;
    pthread_mutex_unlock(&k->feed_lock);
    return synced;
}

bool cache_synced(const struct cache *k)
{
    return cache_wait_synced((struct cache *)k, 0);
}

/* --- reading --- */

struct obj *cache_get(struct cache *k, struct str key)
{
    pthread_rwlock_rdlock(&k->lock);
    struct obj *o = obj_ref(shelf_get(&k->all, key));
    pthread_rwlock_unlock(&k->lock);
    return o;
}

size_t cache_all(struct cache *k, struct obj ***ret)
{
    pthread_rwlock_rdlock(&k->lock);
    size_t n = shelf_copy(&k->all, 0, k->all.n, ret);
    pthread_rwlock_unlock(&k->lock);
    return n;
}

size_t cache_by_index(struct cache *k, size_t index, struct str value, struct obj ***ret)
{
    *ret = NULL;
    if (index >= k->index_count)
        return 0;
    pthread_rwlock_rdlock(&k->lock);
    const struct shelf *s = map_get(&k->index[index], value);
    size_t n = s ? shelf_copy(s, 0, s->n, ret) : 0;
    pthread_rwlock_unlock(&k->lock);
    return n;
}

size_t cache_in_ns(struct cache *k, struct str ns, struct obj ***ret)
{
    struct buf first = {0}, last = {0};
    buf_put(&first, ns);
    buf_putc(&first, '/');
    buf_put(&last, ns);
    buf_putc(&last, '/' + 1);
    pthread_rwlock_rdlock(&k->lock);
    size_t n = shelf_copy(&k->all, shelf_lower(&k->all, buf_str(&first)),
                          shelf_lower(&k->all, buf_str(&last)), ret);
    pthread_rwlock_unlock(&k->lock);
    buf_done(&first);
    buf_done(&last);
    return n;
}
