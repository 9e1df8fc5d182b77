/* Keeps a cache's picture current: list page by page, watch from there, again from where the watch
 * ended; a list again when the server has forgotten that revision (410). The reflector of
 * k8s.io/client-go/tools/cache does the same. */
#include "client/cache_impl.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "client/status.h"
#include "net/url.h"

enum {
    PAGE = 500,
    BACKOFF_MIN_MS = 200,
    BACKOFF_MAX_MS = 10000,
    WATCH_MIN_S = 300, /* the server ends a watch after 5 to 10 minutes … */
    GRACE_S = 30,      /* … and one that is silent for longer is dead */
    INBOX_MAX = 64 << 20,
};

static uint32_t random_below(uint32_t n)
{
    uint32_t r;
    world_real()->random(world_real(), &r, sizeof(r));
    return (uint32_t)((uint64_t)r * n >> 32);
}

static struct timespec after_ms(int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t ns = t.tv_nsec + ms % 1000 * 1000000;
    t.tv_sec += ms / 1000 + ns / 1000000000;
    t.tv_nsec = ns % 1000000000;
    return t;
}

/* 200 ms, twice as long after each failure in a row up to 10 s, and up to half of it more. */
static void back_off(struct cache *k)
{
    uint32_t ms = k->failures < 6 ? BACKOFF_MIN_MS << k->failures : BACKOFF_MAX_MS;
    ms = ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
    k->failures += k->failures < 6;
    struct timespec until = after_ms(ms + random_below(ms / 2));
    pthread_mutex_lock(&k->feed_lock);
    for (int rc = 0; !k->stop && rc != ETIMEDOUT;)
        rc = pthread_cond_timedwait(&k->changed, &k->feed_lock, &until);
    pthread_mutex_unlock(&k->feed_lock);
}

static bool stopped(struct cache *k)
{
    pthread_mutex_lock(&k->feed_lock);
    bool stop = k->stop;
    pthread_mutex_unlock(&k->feed_lock);
    return stop;
}

static void put_param(struct buf *query, const char *key, struct str value)
{
    if (!value.n)
        return;
    if (query->n)
        buf_putc(query, '&');
    buf_puts(query, key);
    buf_putc(query, '=');
    url_encode(query, value);
}

static void put_selectors(const struct cache *k, struct buf *query)
{
    put_param(query, "labelSelector", str_of(k->config.label_selector));
    put_param(query, "fieldSelector", str_of(k->config.field_selector));
}

/* --- list --- */

struct listing {
    struct obj **objs;
    size_t n, cap;
    struct buf next, rv;
};

static void listing_done(struct listing *l)
{
    obj_unref_all(l->objs, l->n);
    buf_done(&l->next);
    buf_done(&l->rv);
}

static int take_page(struct listing *l, struct str text, struct err *err)
{
    struct str meta = scan_member(text, "metadata"), key, value;
    struct str next = scan_string(scan_member(meta, "continue"));
    struct str rv = scan_string(scan_member(meta, "resourceVersion"));
    struct scan items;
    buf_clear(&l->next);
    buf_put(&l->next, next);
    if (!rv.n)
        return err_internal(err, "the answer is no list");
    buf_clear(&l->rv);
    buf_put(&l->rv, rv);
    if (!scan_open(scan_member(text, "items"), &items))
        return 0; /* "items": null */
    while (scan_next(&items, &key, &value)) {
        struct bytes *b = bytes_new(value);
        struct obj *o = obj_new(b, err);
        bytes_unref(b);
        if (!o)
            return -1;
        if (l->n == l->cap) {
            l->cap = l->cap ? l->cap * 2 : PAGE;
            l->objs = mem_realloc_array(l->objs, l->cap, sizeof(struct obj *));
        }
        l->objs[l->n++] = o;
    }
    return 0;
}

static int get_page(struct cache *k, struct listing *l, size_t limit, struct err *err)
{
    struct buf path = {0}, query = {0};
    resource_path(&k->resource, k->config.ns, NULL, NULL, &path);
    if (limit)
        buf_printf(&query, "limit=%zu", limit);
    put_selectors(k, &query);
    put_param(&query, "continue", buf_str(&l->next));
    struct client_request r = {.method = "GET", .path = buf_str(&path), .query = buf_str(&query)};
    struct client_response response = {0};
    int rc = client_do(k->client, &r, &response, err);
    buf_done(&path);
    buf_done(&query);
    if (rc == 0 && response.status != 200)
        rc = status_err(response.status, bytes_str(response.body), err);
    if (rc == 0)
        rc = take_page(l, bytes_str(response.body), err);
    bytes_unref(response.body);
    return rc;
}

/* Page by page; when the server forgets the revision of the first page meanwhile, all at once. */
static int list_all(struct cache *k, size_t limit, struct listing *l, struct err *err)
{
    do {
        if (get_page(k, l, limit, err) == 0)
            continue;
        if (err->code != 410 || !limit)
            return -1;
        listing_done(l);
        *l = (struct listing){0};
        return list_all(k, 0, l, err);
    } while (l->next.n && !stopped(k));
    return 0;
}

static bool list(struct cache *k)
{
    struct listing l = {0};
    struct err err;
    bool ok = list_all(k, PAGE, &l, &err) == 0 && !stopped(k);
    if (ok) {
        cache_replace(k, l.objs, l.n);
        l.n = 0;
        free(k->rv);
        k->rv = buf_take(&l.rv);
        pthread_mutex_lock(&k->feed_lock);
        k->synced = true;
        pthread_cond_broadcast(&k->changed);
        pthread_mutex_unlock(&k->feed_lock);
    }
    listing_done(&l);
    return ok;
}

/* --- watch --- */

static void on_data(void *arg, struct str bytes)
{
    struct cache *k = arg;
    pthread_mutex_lock(&k->feed_lock);
    if (k->inbox.bytes.n + bytes.n > INBOX_MAX)
        k->inbox.overflow = true; /* too slow: begin again from the last version seen */
    else
        buf_put(&k->inbox.bytes, bytes);
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->feed_lock);
}

static void on_closed(void *arg, const struct err *err)
{
    struct cache *k = arg;
    pthread_mutex_lock(&k->feed_lock);
    k->inbox.closed = true;
    k->inbox.failed = err != NULL;
    if (err)
        k->inbox.err = *err;
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->feed_lock);
}

static void set_version(struct cache *k, struct str rv)
{
    if (!rv.n)
        return;
    free(k->rv);
    k->rv = mem_strndup(rv.p, rv.n);
    k->progress = true;
}

static void watch_failed(struct cache *k, int code)
{
    k->watch_state = code == 410 ? WATCH_EXPIRED : WATCH_FAILED;
}

static void on_frame(void *arg, struct str frame)
{
    struct cache *k = arg;
    if (k->watch_state != WATCH_OK)
        return;
    struct str type = scan_string(scan_member(frame, "type"));
    struct str object = scan_member(frame, "object");
    struct err err;
    if (str_is(type, "BOOKMARK")) {
        struct str meta = scan_member(object, "metadata");
        set_version(k, scan_string(scan_member(meta, "resourceVersion")));
        return;
    }
    if (str_is(type, "ERROR")) {
        status_err(500, object, &err);
        watch_failed(k, err.code);
        return;
    }
    struct bytes *b = bytes_new(object);
    struct obj *o = obj_new(b, &err);
    bytes_unref(b);
    if (!o) {
        watch_failed(k, 500);
        return;
    }
    set_version(k, obj_rv(o));
    if (str_is(type, "DELETED")) {
        cache_del(k, obj_key(o));
        obj_unref(o);
    } else {
        cache_put(k, o);
    }
}

/* Waits for something in the inbox and takes it out. false: nothing came for too long, or stop. */
static bool take_inbox(struct cache *k, const struct timespec *until, struct inbox *ret)
{
    int rc = 0;
    pthread_mutex_lock(&k->feed_lock);
    while (!k->stop && !k->inbox.bytes.n && !k->inbox.closed && !k->inbox.overflow &&
           rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&k->changed, &k->feed_lock, until);
    struct buf emptied = ret->bytes;
    buf_clear(&emptied);
    *ret = k->inbox;
    k->inbox.bytes = emptied; /* the two buffers take turns */
    bool go_on = !k->stop && rc != ETIMEDOUT;
    pthread_mutex_unlock(&k->feed_lock);
    return go_on;
}

static void read_stream(struct cache *k, int64_t seconds)
{
    enum { KEEP = 256 << 10 };
    struct timespec until = after_ms(seconds * 1000);
    struct inbox in = {0};
    while (k->watch_state == WATCH_OK) {
        if (!take_inbox(k, &until, &in)) {
            k->watch_state = WATCH_ENDED;
            break;
        }
        if (!frames_feed(&k->frames, buf_str(&in.bytes), on_frame, k))
            k->watch_state = WATCH_FAILED;
        if (in.bytes.cap > KEEP)
            buf_done(&in.bytes);
        if (k->watch_state == WATCH_OK && (in.closed || in.overflow)) {
            if (in.failed)
                watch_failed(k, in.err.code);
            else
                k->watch_state = in.overflow ? WATCH_FAILED : WATCH_ENDED;
        }
    }
    buf_done(&in.bytes);
}

static void watch(struct cache *k)
{
    struct buf path = {0}, query = {0};
    int64_t seconds = WATCH_MIN_S + random_below(WATCH_MIN_S);
    resource_path(&k->resource, k->config.ns, NULL, NULL, &path);
    buf_printf(&query, "watch=true&allowWatchBookmarks=true&timeoutSeconds=%lld",
               (long long)seconds);
    put_param(&query, "resourceVersion", str_of(k->rv));
    put_selectors(k, &query);
    struct client_request r = {.method = "GET", .path = buf_str(&path), .query = buf_str(&query)};
    struct client_stream_events events = {on_data, on_closed, k};
    struct client_stream *stream;
    struct err err;
    buf_clear(&k->inbox.bytes); /* no stream is open: nobody else looks */
    k->inbox = (struct inbox){.bytes = k->inbox.bytes};
    k->watch_state = WATCH_OK;
    k->progress = false;
    frames_done(&k->frames);
    if (client_stream_open(k->client, &r, &events, &stream, &err)) {
        watch_failed(k, err.code);
    } else {
        read_stream(k, seconds + GRACE_S);
        client_stream_close(k->client, stream);
    }
    buf_done(&path);
    buf_done(&query);
}

void *cache_feed(void *arg)
{
    enum { QUICK_MS = 1000 }; /* a watch that ends sooner is not begun again at once */
    struct cache *k = arg;
    bool listed = false;
    while (!stopped(k)) {
        if (!listed) {
            listed = list(k);
            if (!listed)
                back_off(k);
            continue;
        }
        int64_t start = mono_ms(world_real());
        watch(k);
        if (k->progress)
            k->failures = 0;
        listed = k->watch_state != WATCH_EXPIRED;
        if (k->watch_state == WATCH_ENDED && mono_ms(world_real()) - start >= QUICK_MS)
            k->failures = 0;
        else if (!listed && !k->failures)
            k->failures = 1; /* list at once, but only the first time */
        else
            back_off(k);
    }
    return NULL;
}
