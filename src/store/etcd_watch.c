#include "store/etcd.h"

#include <stdio.h>

enum {
    APPLY_CHANGES = 512, /* bound of one local transaction, but for a revision's own changes */
    NUDGE_MS = 2,        /* how long events may take before the member is asked how far it is */
    NUDGE_AGAIN_MS = 50,
    HEARTBEAT_MS = 1000,
};

static void nudge(struct loop_timer *t);

/* --- what came in --- */

static void incoming_clear(struct etcd *e, size_t from)
{
    for (size_t i = from; i < e->incoming_count; i++)
        bytes_unref(e->incoming[i].value);
    e->incoming_count = from;
    if (from == 0)
        buf_clear(&e->incoming_keys);
}

/* The first n were taken care of. Keys stay until nothing is left. */
static void incoming_drop(struct etcd *e, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes_unref(e->incoming[i].value);
    e->incoming_count -= n;
    e->incoming_whole -= n;
    memmove(e->incoming, e->incoming + n, e->incoming_count * sizeof(*e->incoming));
    if (!e->incoming_count)
        buf_clear(&e->incoming_keys);
}

static void add_event(struct etcd *e, const struct etcd_event *event)
{
    struct str key = event->kv.key, prefix = str_of(e->prefix);
    char encoded[HIST_KEY_ROOM];
    if (str_is(key, e->mark_key) && event->kv.mod_rev > e->marked)
        e->marked = event->kv.mod_rev;
    if (!str_starts(key, prefix) || event->kv.mod_rev <= etcd_picture(e))
        return;
    key = str_from(key, prefix.n);
    if (!key.n || key.n > MAX_KEY || hist_key(key, 0, encoded) > MAX_KEY)
        return; /* not one that a store can have written */
    if (e->incoming_count == e->incoming_cap) {
        e->incoming_cap = e->incoming_cap ? e->incoming_cap * 2 : 64;
        e->incoming = mem_realloc_array(e->incoming, e->incoming_cap, sizeof(*e->incoming));
    }
    struct incoming *in = &e->incoming[e->incoming_count++];
    *in = (struct incoming){e->incoming_keys.n, (uint32_t)key.n, -1, event->kv.mod_rev, NULL, 0};
    buf_put(&e->incoming_keys, key);
    if (event->deleted)
        return;
    struct etcd_mark mark;
    struct str value = etcd_get_value(event->kv.value, &mark);
    in->revision_at = mark.revision_at;
    in->number = mark.writer == e->writer ? mark.number : 0;
    in->value = mark.revision_at < 0 ? bytes_new(value)
                                     : value_with_revision(value, mark.revision_at, in->rev);
}

/* --- into the picture --- */

static struct str incoming_key(const struct etcd *e, const struct incoming *in)
{
    return (struct str){e->incoming_keys.p + in->key_at, in->key_n};
}

/* Some of the first events in one transaction; whole revisions. An LMDB code. */
static int apply_some(struct etcd *e, size_t *ret_n, struct store_batch **ret)
{
    struct group g;
    size_t n = 0;
    int rc = group_begin(&g, e->s);
    if (rc)
        return rc;
    uint32_t index = 0;
    for (; !rc && n < e->incoming_whole; n++) {
        const struct incoming *in = &e->incoming[n];
        bool begins = in->rev != g.state.revision;
        if (begins && n >= APPLY_CHANGES)
            break;
        index = begins ? 0 : index + 1;
        g.state.revision = in->rev;
        const struct change c = {incoming_key(e, in), in->value, in->revision_at};
        rc = group_change(&g, &c, index);
    }
    if (!rc && n == e->incoming_whole && e->progress > g.state.revision)
        g.state.revision = e->progress;
    if (rc) {
        group_abort(&g);
        return rc;
    }
    *ret_n = n;
    return group_commit(&g, ret);
}

static void apply(struct loop_task *t)
{
    struct etcd *e = CONTAINER_OF(t, struct etcd, apply);
    while (e->incoming_whole || e->progress > etcd_picture(e)) {
        struct store_batch *b = NULL;
        struct err err;
        size_t n;
        int rc = apply_some(e, &n, &b);
        if (rc) {
            store_mdb_err(&err, rc, "the picture of etcd");
            etcd_link_lost(e, err.message);
            return;
        }
        store_publish(e->s, b);
        for (size_t i = 0; i < n; i++)
            if (e->incoming[i].number)
                etcd_write_seen(e, e->incoming[i].number, e->incoming[i].rev,
                                incoming_key(e, &e->incoming[i]), e->incoming[i].value);
        incoming_drop(e, n);
    }
    etcd_write_settle(e);
    etcd_barriers_settle(e);
}

/* --- the stream --- */

static void on_message(void *arg, struct str message)
{
    struct etcd *e = arg;
    struct etcd_watch_response r;
    e->heard_ms = loop_now_ms(e->loop);
    if (!etcd_get_watch(message, &r)) {
        etcd_link_lost(e, "a watch response that cannot be read");
        return;
    }
    if (r.canceled && r.compact_revision) {
        etcd_watch_stop(e);
        e->link = LINK_STARTING;
        e->down_since_ms = loop_now_ms(e->loop);
        etcd_sync_start(e, false);
        return;
    }
    if (r.canceled) {
        char why[256];
        snprintf(why, sizeof(why), "the watch was cancelled: %.*s", STR_ARG(r.cancel_reason));
        etcd_link_lost(e, why);
        return;
    }
    if (r.created) {
        etcd_link_up(e);
        return;
    }
    struct pb_reader reader = {message};
    while (pb_next(&reader)) {
        struct etcd_event event;
        if (reader.field != WATCH_RESPONSE_EVENTS)
            continue;
        if (!etcd_get_event(reader.bytes, &event)) {
            etcd_link_lost(e, "an event that cannot be read");
            return;
        }
        add_event(e, &event);
    }
    if (r.fragment)
        return;
    e->incoming_whole = e->incoming_count;
    if (!r.has_events && r.header.revision > e->progress)
        e->progress = r.header.revision; /* a progress notification: all before it was sent */
    if (e->marked > e->progress)
        e->progress = e->marked;
    loop_defer(e->loop, &e->apply, apply);
}

static void on_end(void *arg, int code, struct str message, const char *why)
{
    struct etcd *e = arg;
    (void)code, (void)message;
    e->watch = NULL;
    etcd_link_lost(e, why);
}

void etcd_watch_start(struct etcd *e)
{
    struct buf b = {0};
    size_t create = pb_begin(&b, WATCH_CREATE);
    pb_bytes(&b, 1, str_of(e->prefix));
    pb_bytes(&b, 2, str_of(e->prefix_end));
    pb_u64(&b, 3, (uint64_t)etcd_picture(e) + 1);
    pb_u64(&b, 4, 1); /* progress_notify */
    pb_u64(&b, 8, 1); /* fragment */
    pb_end(&b, create);
    const struct grpc_config config = {.method = "/etcdserverpb.Watch/Watch",
                                       .message = buf_str(&b),
                                       .timeout_ms = ETCD_ATTEMPT_MS,
                                       .max_message = ETCD_MAX_MESSAGE,
                                       .need_leader = true,
                                       .on_message = on_message,
                                       .done = on_end,
                                       .arg = e};
    e->progress = e->marked = 0;
    e->watch = grpc_start(e->http, &config);
    e->heard_ms = loop_now_ms(e->loop);
    buf_done(&b);
}

void etcd_watch_stop(struct etcd *e)
{
    grpc_cancel(e->watch);
    e->watch = NULL;
    grpc_cancel(e->read);
    e->read = NULL;
    grpc_cancel(e->mark);
    e->mark = NULL;
    loop_undefer(e->loop, &e->apply);
    incoming_clear(e, 0);
    e->incoming_whole = 0;
    e->progress = 0;
    /* The read said nothing: its barriers wait for the next one. */
    while (e->reading) {
        struct store_barrier *b = e->reading;
        e->reading = b->next;
        b->next = NULL;
        *e->unread_end = b;
        e->unread_end = &b->next;
    }
}

static void on_mark(void *arg, int code, struct str message, const char *why)
{
    struct etcd *e = arg;
    (void)code, (void)message, (void)why;
    e->mark = NULL;
}

/* A change of one's own that the watch shows says the same as a progress notification; members that
 * may send those ahead of events are asked this way. */
static void make_mark(struct etcd *e)
{
    struct buf b = {0};
    etcd_put_put(&b, str_of(e->mark_key), STR("tutti"));
    if (!e->mark)
        e->mark = etcd_call(e, "/etcdserverpb.KV/Put", buf_str(&b), on_mark, e);
    buf_done(&b);
}

static void ask_progress(struct etcd *e)
{
    if (!e->tells_progress) {
        make_mark(e);
        return;
    }
    struct buf b = {0};
    pb_end(&b, pb_begin(&b, WATCH_PROGRESS));
    grpc_send(e->watch, buf_str(&b));
    buf_done(&b);
}

/* --- waiting for a revision --- */

static void nudge(struct loop_timer *t)
{
    struct etcd *e = CONTAINER_OF(t, struct etcd, nudge);
    if (e->link != LINK_UP || (!e->reaching && !etcd_write_waits(e)))
        return;
    bool moves = e->nudged_at != etcd_picture(e);
    e->nudged_at = etcd_picture(e);
    if (!moves)
        ask_progress(e);
    loop_timer_set(e->loop, t, moves ? NUDGE_MS : NUDGE_AGAIN_MS, nudge);
}

void etcd_watch_want(struct etcd *e)
{
    if (e->nudge.at || e->link != LINK_UP)
        return;
    e->nudged_at = etcd_picture(e);
    loop_timer_set(e->loop, &e->nudge, NUDGE_MS, nudge);
}

static void pass(struct store_barrier *b)
{
    b->failed = false;
    b->done(b);
}

static void fail(struct store_barrier *b)
{
    b->failed = true;
    err_set(&b->err, 504, "Timeout", "etcdserver: request timed out");
    b->done(b);
}

static void on_read(void *arg, int code, struct str message, const char *why)
{
    struct etcd *e = arg;
    struct etcd_header h;
    (void)why;
    struct store_barrier *all = e->reading;
    e->reading = NULL;
    e->read = NULL;
    bool ok = code == GRPC_OK && etcd_get_header(message, &h);
    for (struct store_barrier *b = all, *next; b; b = next) {
        next = b->next;
        if (ok) {
            b->at_least = h.revision;
            b->next = e->reaching;
            e->reaching = b;
        } else { /* once more, with the next tick or connection */
            b->next = NULL;
            *e->unread_end = b;
            e->unread_end = &b->next;
        }
    }
    if (ok)
        etcd_barriers_settle(e);
}

/* One read through the quorum serves all barriers that began before it. */
static void read_revision(struct etcd *e)
{
    if (e->link != LINK_UP || e->read || !e->unread)
        return;
    e->reading = e->unread;
    e->unread = NULL;
    e->unread_end = &e->unread;
    struct buf b = {0};
    etcd_put_range(&b, &(struct etcd_range){.key = str_of(e->prefix), .keys_only = true});
    e->read = etcd_call(e, "/etcdserverpb.KV/Range", buf_str(&b), on_read, e);
    buf_done(&b);
}

void etcd_barrier(struct etcd *e, struct store_barrier *b)
{
    b->deadline_ms = loop_now_ms(e->loop) + (b->wait_ms ? b->wait_ms : e->timeout_ms);
    b->next = NULL;
    if (b->at_least) {
        b->next = e->reaching;
        e->reaching = b;
        etcd_barriers_settle(e);
        return;
    }
    *e->unread_end = b;
    e->unread_end = &b->next;
    read_revision(e);
}

/* Takes out those whose revision the picture has, then calls them: a callback may begin others. */
void etcd_barriers_settle(struct etcd *e)
{
    struct store_barrier *passed = NULL, **at = &e->reaching;
    while (*at) {
        struct store_barrier *b = *at;
        if (b->at_least > etcd_picture(e)) {
            at = &b->next;
            continue;
        }
        *at = b->next;
        b->next = passed;
        passed = b;
    }
    for (struct store_barrier *next; passed; passed = next) {
        next = passed->next;
        pass(passed);
    }
    if (e->reaching)
        etcd_watch_want(e);
    read_revision(e);
}

static struct store_barrier *take_expired(struct store_barrier **at, int64_t now,
                                          struct store_barrier *expired)
{
    while (*at) {
        struct store_barrier *b = *at;
        if (now < b->deadline_ms) {
            at = &b->next;
            continue;
        }
        *at = b->next;
        b->next = expired;
        expired = b;
    }
    return expired;
}

void etcd_watch_tick(struct etcd *e)
{
    int64_t now = loop_now_ms(e->loop), due = etcd_link_hopeless(e) ? INT64_MAX : now;
    struct store_barrier *expired = take_expired(&e->reaching, due, NULL);
    expired = take_expired(&e->unread, due, expired);
    e->unread_end = &e->unread;
    while (*e->unread_end)
        e->unread_end = &(*e->unread_end)->next;
    for (struct store_barrier *next; expired; expired = next) {
        next = expired->next;
        fail(expired);
    }
    read_revision(e);
    if (e->link == LINK_UP && now - e->heard_ms > HEARTBEAT_MS)
        ask_progress(e);
}

void etcd_barriers_end(struct etcd *e)
{
    struct store_barrier *lists[] = {e->reaching, e->unread, e->reading};
    grpc_cancel(e->read);
    e->read = NULL;
    e->reaching = e->unread = e->reading = NULL;
    e->unread_end = &e->unread;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        for (struct store_barrier *b = lists[i], *next; b; b = next) {
            next = b->next;
            fail(b);
        }
}

void etcd_watch_done(struct etcd *e)
{
    incoming_clear(e, 0);
    free(e->incoming);
    buf_done(&e->incoming_keys);
}
