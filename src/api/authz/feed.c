#include "api/authz/feed.h"

#include "base/mem.h"

bool feed_concerns(const struct feed *f, const struct store_event *e)
{
    for (size_t i = 0; i < FEED_PREFIXES; i++)
        if (f->prefixes[i].n && str_starts(e->key, f->prefixes[i]))
            return true;
    return false;
}

static void keep(void *arg, struct store_batch *b)
{
    struct feed *f = arg;
    size_t n = 0;
    for (size_t i = 0; i < b->count; i++)
        n += feed_concerns(f, &b->events[i]);
    if (!n)
        return;
    pthread_mutex_lock(&f->lock);
    if (f->count == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 16;
        f->batches = mem_realloc_array(f->batches, f->cap, sizeof(struct store_batch *));
    }
    f->batches[f->count++] = store_batch_ref(b);
    atomic_fetch_add_explicit(&f->waiting, n, memory_order_release);
    pthread_mutex_unlock(&f->lock);
}

void feed_open(struct feed *f, struct store *store, int64_t *ret_revision)
{
    pthread_mutex_init(&f->lock, NULL);
    f->sub = store_subscribe(store, keep, f, ret_revision);
}

size_t feed_take(struct feed *f, struct store_batch ***ret)
{
    pthread_mutex_lock(&f->lock);
    size_t n = f->count;
    *ret = f->batches;
    f->batches = NULL;
    f->count = f->cap = 0;
    atomic_store_explicit(&f->waiting, 0, memory_order_release);
    pthread_mutex_unlock(&f->lock);
    return n;
}

void feed_close(struct feed *f)
{
    struct store_batch **batches;
    if (!f->sub)
        return;
    store_unsubscribe(f->sub);
    size_t n = feed_take(f, &batches);
    for (size_t i = 0; i < n; i++)
        store_batch_unref(batches[i]);
    free(batches);
    pthread_mutex_destroy(&f->lock);
}
