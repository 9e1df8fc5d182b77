#include "store/internal.h"

struct store_sub {
    struct list in_subs;
    struct store *s;
    void (*fn)(void *arg, struct store_batch *b);
    void *arg;
};

enum { ANSWER_BYTES = 8 << 20 }; /* of one limited answer of store_history */

/* --- batches --- */

void event_list_add(struct event_list *l, const struct store_event *e)
{
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 16;
        l->events = mem_realloc_array(l->events, l->cap, sizeof(*l->events));
    }
    memcpy(&l->events[l->count++], e, sizeof(*e));
}

void event_list_done(struct event_list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        bytes_unref(l->events[i].value);
        bytes_unref(l->events[i].prev);
    }
    free(l->events);
    *l = (struct event_list){0};
}

/* Events and, behind them, their keys in one piece of memory. */
struct store_batch *event_list_batch(struct event_list *l)
{
    if (!l->count)
        return NULL;
    size_t keys = 0;
    for (size_t i = 0; i < l->count; i++)
        keys += l->events[i].key.n;
    struct store_batch *b = mem_zalloc(sizeof(*b) + l->count * sizeof(*b->events) + keys);
    char *at = (char *)&b->events[l->count];
    atomic_init(&b->refs, 1);
    b->count = l->count;
    for (size_t i = 0; i < l->count; i++) {
        struct store_event *e = &b->events[i];
        memcpy(e, &l->events[i], sizeof(*e));
        memcpy(at, e->key.p, e->key.n);
        e->key.p = at;
        at += e->key.n;
    }
    l->count = 0;
    return b;
}

struct store_batch *store_batch_ref(struct store_batch *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void store_batch_unref(struct store_batch *b)
{
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < b->count; i++) {
        struct store_event *e = &b->events[i];
        void *derived = atomic_load_explicit(&e->derived, memory_order_acquire);
        if (derived && e->derived_free)
            e->derived_free(derived);
        bytes_unref(e->value);
        bytes_unref(e->prev);
    }
    free(b);
}

/* --- the ring of recent batches; under publish_lock --- */

static size_t event_bytes(const struct store_event *e)
{
    return sizeof(*e) + e->key.n + (e->value ? e->value->n : 0) + (e->prev ? e->prev->n : 0);
}

static size_t batch_bytes(const struct store_batch *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->count; i++)
        n += event_bytes(&b->events[i]);
    return n;
}

static void ring_drop(struct store *s)
{
    struct store_batch *b = s->ring[s->ring_at];
    s->ring_floor = b->events[b->count - 1].revision;
    s->ring_bytes -= batch_bytes(b);
    s->ring_at = (s->ring_at + 1) % RING_BATCHES;
    s->ring_count--;
    store_batch_unref(b);
}

static void ring_add(struct store *s, struct store_batch *b)
{
    if (s->ring_count == RING_BATCHES)
        ring_drop(s);
    s->ring[(s->ring_at + s->ring_count++) % RING_BATCHES] = b;
    s->ring_bytes += batch_bytes(b);
    while (s->ring_bytes > RING_BYTES)
        ring_drop(s);
}

void watch_publish(struct store *s, struct store_batch *b, int64_t revision)
{
    pthread_mutex_lock(&s->publish_lock);
    LIST_FOR (&s->subs, at) {
        struct store_sub *sub = CONTAINER_OF(at, struct store_sub, in_subs);
        if (b)
            sub->fn(sub->arg, b);
    }
    s->published = revision;
    if (b)
        ring_add(s, b);
    pthread_mutex_unlock(&s->publish_lock);
}

void watch_forget(struct store *s, int64_t revision)
{
    pthread_mutex_lock(&s->publish_lock);
    while (s->ring_count)
        ring_drop(s);
    s->ring_floor = revision;
    pthread_mutex_unlock(&s->publish_lock);
    counts_forget(s);
}

void watch_done(struct store *s)
{
    while (s->ring_count)
        ring_drop(s);
}

struct store_sub *store_subscribe(struct store *s, void (*fn)(void *arg, struct store_batch *b),
                                  void *arg, int64_t *ret_revision)
{
    struct store_sub *sub = NEW(struct store_sub);
    sub->s = s;
    sub->fn = fn;
    sub->arg = arg;
    pthread_mutex_lock(&s->publish_lock);
    list_add_tail(&s->subs, &sub->in_subs);
    *ret_revision = s->published;
    pthread_mutex_unlock(&s->publish_lock);
    return sub;
}

void store_unsubscribe(struct store_sub *sub)
{
    if (!sub)
        return;
    pthread_mutex_lock(&sub->s->publish_lock);
    list_del(&sub->in_subs);
    pthread_mutex_unlock(&sub->s->publish_lock);
    free(sub);
}

/* --- history --- */

struct history {
    int64_t after, upto;
    struct str prefix;
    size_t limit;
    struct event_list found;
    size_t bytes;
    int64_t complete; /* the answer is complete up to here */
};

/* Whether the event that comes next would begin a revision past the limit. */
static bool history_full(const struct history *h, int64_t rev)
{
    return h->limit && h->found.count && (h->found.count >= h->limit || h->bytes > ANSWER_BYTES) &&
           h->found.events[h->found.count - 1].revision != rev;
}

static void history_add(struct history *h, const struct store_event *e)
{
    event_list_add(&h->found, e);
    h->bytes += event_bytes(e);
}

/* The batches that may matter, if the ring reaches back to `after`, and up to where it reaches: a
 * commit is readable a moment before its batch is here. The lock is held for taking references
 * only. */
static struct store_batch **ring_batches(struct store *s, int64_t after, size_t *ret_n,
                                         int64_t *ret_upto)
{
    struct store_batch **all = NULL;
    pthread_mutex_lock(&s->publish_lock);
    *ret_upto = s->published;
    if (after >= s->ring_floor) {
        all = mem_realloc_array(NULL, s->ring_count + 1, sizeof(struct store_batch *));
        *ret_n = 0;
        for (size_t i = s->ring_count; i--;) {
            struct store_batch *b = s->ring[(s->ring_at + i) % RING_BATCHES];
            if (b->events[b->count - 1].revision <= after)
                break;
            all[(*ret_n)++] = store_batch_ref(b); /* newest first */
        }
    }
    pthread_mutex_unlock(&s->publish_lock);
    return all;
}

static bool history_from_ring(struct store *s, struct history *h, struct store_batch **ret)
{
    size_t n;
    int64_t upto;
    struct store_batch **all = ring_batches(s, h->after, &n, &upto);
    if (!all)
        return false;
    if (upto < h->upto)
        h->upto = upto > h->after ? upto : h->after;
    bool full = false;
    for (size_t i = n; i-- && !full;)
        for (size_t j = 0; j < all[i]->count; j++) {
            const struct store_event *from = &all[i]->events[j];
            if (from->revision <= h->after || !str_starts(from->key, h->prefix))
                continue;
            if (from->revision > h->upto || (full = history_full(h, from->revision)))
                break;
            struct store_event e = {.revision = from->revision,
                                    .type = from->type,
                                    .key = from->key,
                                    .value = bytes_ref(from->value),
                                    .prev = bytes_ref(from->prev)};
            history_add(h, &e);
        }
    h->complete = full ? h->found.events[h->found.count - 1].revision : h->upto;
    *ret = event_list_batch(&h->found); /* copies the keys, which belong to the batches */
    for (size_t i = 0; i < n; i++)
        store_batch_unref(all[i]);
    free(all);
    return true;
}

/* Rebuilds an event of the log from the versions before and after it. */
static bool event_of_log(struct store_snap *snap, int64_t rev, struct str record, struct buf *b,
                         struct store_event *ret)
{
    struct log_head head;
    struct store_kv kv;
    *ret = (struct store_event){.revision = rev};
    if (!record_split(record, &head, sizeof(head), &ret->key))
        return false;
    ret->type = head.type;
    if (ret->type != STORE_DELETED) {
        if (!snap_version(snap, ret->key, rev, b, &kv))
            return false;
        ret->value = bytes_new(kv.value);
    }
    if (head.prev_rev) {
        if (!snap_version(snap, ret->key, head.prev_rev, b, &kv)) {
            bytes_unref(ret->value);
            return false;
        }
        ret->prev = bytes_new(kv.value);
    }
    return true;
}

static int history_from_log(struct store *s, struct store_snap *snap, struct history *h,
                            struct err *err)
{
    MDB_cursor *c;
    char start[LOG_KEY];
    log_key(h->after + 1, 0, start);
    MDB_val k = {LOG_KEY, start}, data;
    int rc = mdb_cursor_open(snap_txn(snap), s->log, &c);
    if (rc)
        return store_mdb_err(err, rc, "history");
    struct buf b = {0};
    h->complete = h->upto;
    for (rc = mdb_cursor_get(c, &k, &data, MDB_SET_RANGE); rc == 0;
         rc = mdb_cursor_get(c, &k, &data, MDB_NEXT)) {
        int64_t rev = log_key_revision(mdb_str(k));
        struct store_event e;
        if (rev > h->upto)
            break;
        if (!str_starts(str_from(mdb_str(data), sizeof(struct log_head)), h->prefix))
            continue;
        if (history_full(h, rev)) {
            h->complete = h->found.events[h->found.count - 1].revision;
            break;
        }
        if (!event_of_log(snap, rev, mdb_str(data), &b, &e)) {
            rc = MDB_CORRUPTED;
            break;
        }
        history_add(h, &e);
    }
    buf_done(&b);
    mdb_cursor_close(c);
    return rc && rc != MDB_NOTFOUND ? store_mdb_err(err, rc, "history") : 0;
}

int store_history(struct store *s, int64_t after, int64_t upto, struct str prefix, size_t limit,
                  struct store_batch **ret, int64_t *ret_next, struct err *err)
{
    int64_t now = store_revision(s);
    struct history h = {
        .after = after, .upto = upto < now ? upto : now, .prefix = prefix, .limit = limit};
    *ret = NULL;
    *ret_next = after;
    if (h.upto <= after)
        return 0;
    if (history_from_ring(s, &h, ret)) {
        event_list_done(&h.found);
        *ret_next = h.complete;
        return 0;
    }
    struct store_snap *snap;
    if (store_snap_begin(s, 0, &snap, err))
        return -1;
    int rc;
    if (after < snap_compacted(snap))
        rc = err_set(err, 410, "Expired", "etcdserver: mvcc: required revision has been compacted");
    else
        rc = history_from_log(s, snap, &h, err);
    if (rc == 0) {
        *ret = event_list_batch(&h.found); /* while the keys, views of the map, are valid */
        *ret_next = h.complete;
    }
    event_list_done(&h.found);
    store_snap_end(snap);
    return rc;
}
