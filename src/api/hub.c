#include "api/hub.h"

#include "api/crd/crd.h"
#include "api/raw.h"

enum { TICK_MS = 10000, BOOKMARK_MS = 60000 };

struct pending {
    struct pending *next;
    struct store_batch *batch;
};

struct hub {
    struct api_loop *at;
    struct store_sub *sub;
    int64_t revision;
    struct map buckets; /* by scope: a kind's prefix, or a namespace's behind it */
    struct loop_timer tick;

    pthread_mutex_t lock; /* below: shared with the committer and hub_drain */
    struct pending *first, **last;
    bool posted, drain;
    struct loop_msg msg;
};

int64_t hub_revision(const struct hub *h)
{
    return h->revision;
}

void hub_add(struct hub *h, struct watcher *w)
{
    struct hub_bucket *bucket = map_get(&h->buckets, w->scope);
    if (!bucket) {
        bucket = NEW(struct hub_bucket);
        list_init(&bucket->watchers);
        map_set(&h->buckets, w->scope, bucket);
    }
    list_add_tail(&bucket->watchers, &w->link);
}

/* "/registry/group/resource/" is up to the fourth slash, a namespace's part of it up to the fifth;
 * empty: there are less. */
static struct str scope_of(struct str key, size_t slashes)
{
    for (size_t i = 0; i < key.n; i++)
        if (key.p[i] == '/' && --slashes == 0)
            return str_head(key, i + 1);
    return (struct str){0};
}

static void offer(struct hub *h, struct str scope, struct store_event *e)
{
    struct hub_bucket *bucket = scope.n ? map_get(&h->buckets, scope) : NULL;
    if (bucket)
        LIST_FOR (&bucket->watchers, it)
            watcher_offer(CONTAINER_OF(it, struct watcher, link), e);
}

/* Namespaces come and go. */
static void drop_empty(struct hub *h)
{
    for (struct map_entry *e = NULL; (e = map_next(&h->buckets, e));) {
        struct hub_bucket *bucket = e->value;
        if (!list_empty(&bucket->watchers))
            continue;
        map_del(&h->buckets, map_key(e));
        free(bucket);
        e = NULL; /* the map has changed */
    }
}

static bool is_same_at(const struct store_event *e, const char *path)
{
    return e->value && e->prev &&
           str_eq(raw_path(bytes_str(e->value), path), raw_path(bytes_str(e->prev), path));
}

/* A watch of custom resources sees them as one state of their definition has it, and ends when that
 * changes; its client comes back to the new one, or to a 404. */
static void end_custom(struct hub *h, const struct store_event *e)
{
    struct str plural, group;
    char room[KIND_KEY];
    if (is_same_at(e, "spec") && is_same_at(e, "status.acceptedNames"))
        return;
    if (!str_cut(str_from(e->key, strlen(CRD_PREFIX)), '.', &plural, &group))
        return;
    int n = snprintf(room, sizeof(room), "/registry/%.*s/%.*s/", STR_ARG(group), STR_ARG(plural));
    if (n >= KIND_KEY)
        return;
    for (struct map_entry *entry = NULL; (entry = map_next(&h->buckets, entry));) {
        struct hub_bucket *bucket = entry->value;
        if (str_starts(map_key(entry), (struct str){room, (size_t)n}))
            LIST_FOR (&bucket->watchers, it)
                watcher_end(CONTAINER_OF(it, struct watcher, link));
    }
}

static void deliver(struct hub *h, struct store_batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        struct store_event *e = &b->events[i];
        offer(h, scope_of(e->key, 4), e);
        offer(h, scope_of(e->key, 5), e);
        if (str_starts(e->key, STR(CRD_PREFIX)))
            end_custom(h, e);
        if (e->revision > h->revision)
            h->revision = e->revision;
    }
}

static void each_watcher(struct hub *h, void (*fn)(struct hub *h, struct watcher *w))
{
    for (struct map_entry *e = NULL; (e = map_next(&h->buckets, e));) {
        struct hub_bucket *bucket = e->value;
        LIST_FOR (&bucket->watchers, it)
            fn(h, CONTAINER_OF(it, struct watcher, link));
    }
}

static void end_one(struct hub *h, struct watcher *w)
{
    (void)h;
    watcher_end(w);
}

static void drain_queue(struct loop_msg *m)
{
    struct hub *h = CONTAINER_OF(m, struct hub, msg);
    pthread_mutex_lock(&h->lock);
    struct pending *p = h->first;
    bool drain = h->drain;
    h->first = NULL;
    h->last = &h->first;
    h->posted = false;
    pthread_mutex_unlock(&h->lock);
    while (p) {
        struct pending *next = p->next;
        deliver(h, p->batch);
        store_batch_unref(p->batch);
        free(p);
        p = next;
    }
    if (drain)
        each_watcher(h, end_one);
}

static void post_locked(struct hub *h)
{
    if (h->posted)
        return;
    h->posted = true;
    h->msg.fn = drain_queue;
    loop_post(h->at->loop, &h->msg);
}

/* On the committer's thread. */
static void on_batch(void *arg, struct store_batch *b)
{
    struct hub *h = arg;
    struct pending *p = NEW(struct pending);
    p->batch = store_batch_ref(b);
    pthread_mutex_lock(&h->lock);
    *h->last = p;
    h->last = &p->next;
    post_locked(h);
    pthread_mutex_unlock(&h->lock);
}

void hub_drain(struct hub *h)
{
    pthread_mutex_lock(&h->lock);
    h->drain = true;
    post_locked(h);
    pthread_mutex_unlock(&h->lock);
}

static void bookmark_one(struct hub *h, struct watcher *w)
{
    if (w->bookmarks && !w->behind && loop_now_ms(h->at->loop) - w->bookmark_ms >= BOOKMARK_MS)
        watcher_bookmark(w, h->revision, false);
}

static void on_tick(struct loop_timer *t)
{
    struct hub *h = CONTAINER_OF(t, struct hub, tick);
    each_watcher(h, bookmark_one);
    drop_empty(h);
    loop_timer_set(h->at->loop, t, TICK_MS, on_tick);
}

int hub_new(struct api_loop *at, struct hub **ret, struct err *err)
{
    struct hub *h = NEW(struct hub);
    h->at = at;
    h->last = &h->first;
    pthread_mutex_init(&h->lock, NULL);
    h->sub = store_subscribe(at->api->config.store, on_batch, h, &h->revision);
    if (!h->sub) {
        pthread_mutex_destroy(&h->lock);
        free(h);
        return err_internal(err, "the store takes no more subscribers");
    }
    loop_timer_set(at->loop, &h->tick, TICK_MS, on_tick);
    *ret = h;
    return 0;
}

void hub_free(struct hub *h)
{
    if (!h)
        return;
    store_unsubscribe(h->sub);
    each_watcher(h, end_one);
    for (struct pending *p = h->first, *next; p; p = next) {
        next = p->next;
        store_batch_unref(p->batch);
        free(p);
    }
    for (struct map_entry *e = NULL; (e = map_next(&h->buckets, e));)
        free(e->value);
    map_done(&h->buckets);
    loop_timer_clear(h->at->loop, &h->tick);
    pthread_mutex_destroy(&h->lock);
    free(h);
}
