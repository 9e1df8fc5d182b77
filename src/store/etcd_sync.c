#include "store/etcd.h"

#include <errno.h>

#include "base/arena.h"

/* Pages of some megabytes, whatever the size of values. */
enum {
    FIRST_KEYS = 100,
    MIN_KEYS = 10,
    MAX_KEYS = 10000,
    SMALL_PAGE = 1 << 20,
    LARGE_PAGE = 8 << 20,
    PAGE_MS = 15000,
};

/* What the folder remembers of where its picture is from. */
struct origin {
    uint64_t cluster_id;
    /* the prefix follows */
} __attribute__((packed));

/* A key that is not in etcd as it is in the picture. */
struct difference {
    struct store_event event; /* its value and prev are owned */
    struct kv_head head;
    uint64_t number;
};

/* The whole keyspace, read page by page at one revision. An empty picture is filled as pages come;
 * one that readers and watchers see is compared with them, and changed by one transaction in the
 * end.
 */
struct sync {
    struct etcd *e;
    struct grpc_call *call;
    bool from_nothing;
    int64_t revision; /* of the first page */
    uint64_t cluster_id;
    int64_t limit;    /* keys of the next page */
    struct buf after; /* the last key of the page before */
    struct group g;   /* from_nothing */
    MDB_txn *old;     /* else: the picture, and where the comparison stands in it */
    MDB_cursor *cursor;
    MDB_val old_key, old_data;
    bool old_on;
    struct arena keys;
    struct difference *differences;
    size_t count, cap;
};

static void read_page(struct sync *y);

/* --- whose picture it is --- */

static int origin_read(struct etcd *e, MDB_txn *txn, struct origin *ret, struct str *ret_prefix)
{
    MDB_val key = mdb_of(STR("etcd")), data;
    int rc = mdb_get(txn, e->s->meta, &key, &data);
    if (rc)
        return rc;
    return record_split(mdb_str(data), ret, sizeof(*ret), ret_prefix) ? 0 : MDB_CORRUPTED;
}

static int origin_write(struct etcd *e, MDB_txn *txn, uint64_t cluster_id)
{
    struct buf b = {0};
    const struct origin origin = {cluster_id};
    buf_append(&b, &origin, sizeof(origin));
    buf_puts(&b, e->prefix);
    MDB_val key = mdb_of(STR("etcd")), data = mdb_of(buf_str(&b));
    int rc = mdb_put(txn, e->s->meta, &key, &data, 0);
    buf_done(&b);
    return rc;
}

int etcd_picture_check(struct etcd *e, const struct etcd_header *h, bool *ret_usable,
                       struct err *err)
{
    MDB_txn *txn;
    struct origin origin;
    struct str prefix;
    int rc = mdb_txn_begin(e->s->env, NULL, MDB_RDONLY, &txn);
    if (rc)
        return store_mdb_err(err, rc, "the picture of etcd");
    rc = origin_read(e, txn, &origin, &prefix); /* MDB_NOTFOUND: an empty folder */
    *ret_usable = !rc && origin.cluster_id == h->cluster_id && str_is(prefix, e->prefix) &&
                  h->revision >= etcd_picture(e);
    mdb_txn_abort(txn);
    return rc && rc != MDB_NOTFOUND ? store_mdb_err(err, rc, "the picture of etcd") : 0;
}

/* --- the life of a sync --- */

static void free_sync(struct sync *y)
{
    grpc_cancel(y->call);
    if (y->from_nothing)
        group_abort(&y->g);
    if (y->cursor)
        mdb_cursor_close(y->cursor);
    if (y->old)
        mdb_txn_abort(y->old);
    for (size_t i = 0; i < y->count; i++) {
        bytes_unref(y->differences[i].event.value);
        bytes_unref(y->differences[i].event.prev);
    }
    free(y->differences);
    arena_done(&y->keys);
    buf_done(&y->after);
    y->e->sync = NULL;
    free(y);
}

void etcd_sync_stop(struct etcd *e)
{
    if (e->sync)
        free_sync(e->sync);
}

static void fail(struct sync *y, const char *why)
{
    etcd_link_lost(y->e, why); /* frees y */
}

static void old_move(struct sync *y, MDB_cursor_op op)
{
    y->old_on = mdb_cursor_get(y->cursor, &y->old_key, &y->old_data, op) == 0;
}

static int begin(struct sync *y)
{
    struct store *s = y->e->s;
    int rc;
    if (y->from_nothing) {
        if ((rc = group_begin(&y->g, s)) || (rc = mdb_drop(y->g.txn, s->kv, 0)))
            return rc;
        return 0;
    }
    if ((rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &y->old)) ||
        (rc = mdb_cursor_open(y->old, s->kv, &y->cursor)))
        return rc;
    old_move(y, MDB_FIRST);
    return 0;
}

void etcd_sync_start(struct etcd *e, bool from_nothing)
{
    struct sync *y = NEW(struct sync);
    y->e = e;
    y->from_nothing = from_nothing;
    y->limit = FIRST_KEYS;
    e->sync = y;
    int rc = begin(y);
    struct err err;
    if (rc) {
        store_mdb_err(&err, rc, "the picture of etcd");
        fail(y, err.message);
        return;
    }
    read_page(y);
}

/* --- pages --- */

static struct difference *add_difference(struct sync *y, struct str key)
{
    if (y->count == y->cap) {
        y->cap = y->cap ? y->cap * 2 : 64;
        y->differences = mem_realloc_array(y->differences, y->cap, sizeof(*y->differences));
    }
    struct difference *d = &y->differences[y->count++];
    *d = (struct difference){.event.key = arena_dup(&y->keys, key)};
    return d;
}

/* The picture's key under the cursor is not in etcd. When it went is not known; by the sync's
 * revision it had. */
static void gone(struct sync *y)
{
    struct kv_head head;
    struct str value;
    struct difference *d = add_difference(y, mdb_str(y->old_key));
    d->event.type = STORE_DELETED;
    if (record_split(mdb_str(y->old_data), &head, sizeof(head), &value))
        d->event.prev = bytes_new(value);
    old_move(y, MDB_NEXT);
}

static struct bytes *stored_value(const struct etcd_kv *kv, struct etcd_mark *ret_mark)
{
    struct str value = etcd_get_value(kv->value, ret_mark);
    return ret_mark->revision_at < 0
               ? bytes_new(value)
               : value_with_revision(value, ret_mark->revision_at, kv->mod_rev);
}

static void compare(struct sync *y, const struct etcd_kv *kv)
{
    while (y->old_on && str_cmp(mdb_str(y->old_key), kv->key) < 0)
        gone(y);
    struct kv_head head = {0};
    struct str old = {0};
    bool exists = y->old_on && str_eq(mdb_str(y->old_key), kv->key);
    if (exists && !record_split(mdb_str(y->old_data), &head, sizeof(head), &old))
        exists = false;
    if (!exists || head.mod_rev != kv->mod_rev) {
        struct etcd_mark mark;
        struct difference *d = add_difference(y, kv->key);
        d->event.type = exists ? STORE_MODIFIED : STORE_CREATED;
        d->event.revision = kv->mod_rev;
        d->event.prev = exists ? bytes_new(old) : NULL;
        d->event.value = stored_value(kv, &mark);
        d->head = (struct kv_head){kv->create_rev, kv->mod_rev, 0, mark.revision_at};
        d->number = mark.writer == y->e->writer ? mark.number : 0;
    }
    if (exists)
        old_move(y, MDB_NEXT);
}

static int fill(struct sync *y, const struct etcd_kv *kv)
{
    struct etcd_mark mark;
    struct bytes *value = stored_value(kv, &mark);
    const struct kv_head head = {kv->create_rev, kv->mod_rev, 0, mark.revision_at};
    int rc = group_put(&y->g, kv->key, &head, bytes_str(value));
    bytes_unref(value);
    return rc;
}

/* --- the end --- */

static int by_revision(const void *pa, const void *pb)
{
    const struct difference *a = pa, *b = pb;
    if (a->event.revision != b->event.revision)
        return a->event.revision < b->event.revision ? -1 : 1;
    return str_cmp(a->event.key, b->event.key);
}

/* The differences become events in the order of their revisions. */
static int put_differences(struct sync *y, struct group *g)
{
    for (size_t i = 0; i < y->count; i++)
        if (y->differences[i].event.type == STORE_DELETED)
            y->differences[i].event.revision = y->revision;
    if (y->count)
        qsort(y->differences, y->count, sizeof(*y->differences), by_revision);
    for (size_t i = 0; i < y->count; i++) {
        struct difference *d = &y->differences[i];
        MDB_val k = mdb_of(d->event.key);
        int rc = d->event.value ? group_put(g, d->event.key, &d->head, bytes_str(d->event.value))
                                : mdb_del(g->txn, g->s->kv, &k, NULL);
        if (rc)
            return rc;
        struct store_event e = {.revision = d->event.revision,
                                .type = d->event.type,
                                .key = d->event.key,
                                .value = bytes_ref(d->event.value),
                                .prev = bytes_ref(d->event.prev)};
        event_list_add(&g->events, &e);
    }
    return 0;
}

/* History before the sync's revision has holes, so there is none. */
static int commit(struct sync *y, struct store_batch **ret)
{
    struct store *s = y->e->s;
    struct group g;
    int rc = 0;
    if (y->from_nothing) {
        g = y->g;
        y->from_nothing = false; /* the transaction's end is ours */
    } else {
        mdb_cursor_close(y->cursor);
        mdb_txn_abort(y->old);
        y->cursor = NULL;
        y->old = NULL;
        rc = group_begin(&g, s);
        if (rc)
            return rc;
        rc = put_differences(y, &g);
    }
    g.state.revision = g.state.compacted = y->revision;
    g.state.hist_bytes = 0;
    if (rc || (rc = mdb_drop(g.txn, s->hist, 0)) || (rc = mdb_drop(g.txn, s->log, 0)) ||
        (rc = origin_write(y->e, g.txn, y->cluster_id))) {
        group_abort(&g);
        return rc;
    }
    return group_commit(&g, ret);
}

static void complete(struct sync *y)
{
    struct etcd *e = y->e;
    struct store_batch *b = NULL;
    struct err err;
    while (y->old_on)
        gone(y);
    int rc = commit(y, &b);
    if (rc) {
        store_mdb_err(&err, rc, "the picture of etcd");
        fail(y, err.message);
        return;
    }
    store_publish(e->s, b);
    watch_forget(e->s, y->revision);
    for (size_t i = 0; i < y->count; i++)
        if (y->differences[i].number)
            etcd_write_seen(e, y->differences[i].number, y->differences[i].event.revision,
                            y->differences[i].event.key, y->differences[i].event.value);
    free_sync(y);
    if (!e->opened)
        etcd_opened(e);
    etcd_write_lost_sight(e);
    etcd_write_settle(e);
    etcd_watch_start(e);
    etcd_barriers_settle(e);
}

static void on_page(void *arg, int code, struct str message, const char *why)
{
    struct sync *y = arg;
    struct etcd_header h;
    struct err err;
    y->call = NULL;
    if (code != GRPC_OK || !etcd_get_header(message, &h)) {
        fail(y, code ? why : "an answer that cannot be read");
        return;
    }
    if (!y->revision) {
        y->revision = h.revision;
        y->cluster_id = h.cluster_id;
    }
    if (message.n < SMALL_PAGE && y->limit < MAX_KEYS)
        y->limit *= 2;
    else if (message.n > LARGE_PAGE && y->limit > MIN_KEYS)
        y->limit /= 2;
    struct str prefix = str_of(y->e->prefix);
    struct pb_reader r = {message};
    struct etcd_kv kv;
    int rc = 0;
    while (!rc && etcd_next_kv(&r, &kv)) {
        char encoded[HIST_KEY_ROOM];
        buf_clear(&y->after);
        buf_put(&y->after, kv.key);
        kv.key = str_from(kv.key, prefix.n);
        if (!kv.key.n || kv.key.n > MAX_KEY || hist_key(kv.key, 0, encoded) > MAX_KEY)
            continue;
        if (y->from_nothing)
            rc = fill(y, &kv);
        else
            compare(y, &kv);
    }
    if (rc || r.bad) {
        store_mdb_err(&err, rc ? rc : EINVAL, "the picture of etcd");
        fail(y, err.message);
    } else if (etcd_range_more(message)) {
        read_page(y);
    } else {
        complete(y);
    }
}

static void read_page(struct sync *y)
{
    struct etcd *e = y->e;
    struct buf b = {0};
    struct str start = str_of(e->prefix);
    if (y->after.n) {
        buf_putc(&y->after, '\0'); /* the key behind it */
        start = buf_str(&y->after);
    }
    etcd_put_range(&b, &(struct etcd_range){.key = start,
                                            .end = str_of(e->prefix_end),
                                            .limit = y->limit,
                                            .revision = y->revision});
    const struct grpc_config config = {.method = "/etcdserverpb.KV/Range",
                                       .message = buf_str(&b),
                                       .timeout_ms = PAGE_MS,
                                       .max_message = ETCD_MAX_MESSAGE,
                                       .done = on_page,
                                       .arg = y};
    y->call = grpc_start(e->http, &config);
    buf_done(&b);
}
