#include "store/internal.h"

#include <errno.h>
#include <xxhash.h>

#include "base/clock.h"
#include "store/delta.h"

enum {
    MAX_OPS = 4096,
    TRIM_BASE = 16,   /* versions forgotten with each commit, and … */
    TRIM_PER_OP = 2,  /* … for each change in it, so that compaction keeps up with any load */
    TRIM_IDLE = 1024, /* in a commit of its own */
};

/* One transaction under way. */
struct group {
    struct store *s;
    MDB_txn *txn;
    struct store_state state;
    struct event_list events;
};

/* --- the newest values, kept to be the next event's prev --- */

static struct recent *recent_slot(struct store *s, struct str key, uint64_t *ret_hash)
{
    *ret_hash = XXH3_64bits(key.p, key.n);
    return &s->recent[*ret_hash % RECENT_SLOTS];
}

static struct bytes *recent_get(struct store *s, struct str key, int64_t rev)
{
    uint64_t hash;
    struct recent *r = recent_slot(s, key, &hash);
    return r->value && r->rev == rev && r->hash == hash ? bytes_ref(r->value) : NULL;
}

static void recent_set(struct store *s, struct str key, int64_t rev, struct bytes *value)
{
    uint64_t hash;
    struct recent *r = recent_slot(s, key, &hash);
    bytes_unref(r->value);
    bool keep = value && value->n <= RECENT_MAX_VALUE;
    *r = (struct recent){rev, hash, keep ? bytes_ref(value) : NULL};
}

/* --- one change --- */

static int current_version(struct group *g, struct str key, struct kv_head *ret, struct str *value)
{
    MDB_val k = mdb_of(key), data;
    int rc = mdb_get(g->txn, g->s->kv, &k, &data);
    if (rc)
        return rc;
    return record_split(mdb_str(data), ret, sizeof(*ret), value) ? 0 : MDB_CORRUPTED;
}

/* Moves a superseded version to hist: as a delta to its successor if there is one, that pays off
 * and the row of deltas is not too long. *deltas is the length of the row, before and after. */
static int keep_version(struct group *g, struct str key, const struct kv_head *old,
                        struct bytes *value, struct bytes *successor, uint8_t *deltas)
{
    struct hist_head head = {old->create_rev, g->state.revision, (uint32_t)value->n, 0};
    struct buf *b = &g->s->scratch;
    buf_clear(b);
    if (successor && *deltas < MAX_DELTAS) {
        delta_encode(bytes_str(successor), bytes_str(value), b);
        head.delta = b->n < value->n / 4 * 3;
    }
    struct str data = head.delta ? buf_str(b) : bytes_str(value);
    *deltas = head.delta ? *deltas + 1 : 0;
    char encoded[HIST_KEY_ROOM];
    MDB_val k = {hist_key(key, old->mod_rev, encoded), encoded};
    MDB_val room = {sizeof(head) + data.n, NULL};
    int rc = mdb_put(g->txn, g->s->hist, &k, &room, MDB_RESERVE);
    if (rc)
        return rc;
    memcpy(room.mv_data, &head, sizeof(head));
    if (data.n)
        memcpy((char *)room.mv_data + sizeof(head), data.p, data.n);
    g->state.hist_bytes += (int64_t)(k.mv_size + room.mv_size);
    return 0;
}

static int put_version(struct group *g, struct str key, const struct kv_head *head,
                       struct bytes *value)
{
    MDB_val k = mdb_of(key), room = {sizeof(*head) + value->n, NULL};
    int rc = mdb_put(g->txn, g->s->kv, &k, &room, MDB_RESERVE);
    if (rc)
        return rc;
    memcpy(room.mv_data, head, sizeof(*head));
    memcpy((char *)room.mv_data + sizeof(*head), value->p, value->n);
    return 0;
}

static int put_log(struct group *g, struct str key, uint32_t index, int64_t prev_rev,
                   enum store_event_type type)
{
    struct log_head head = {prev_rev, (uint8_t)type};
    char encoded[LOG_KEY];
    log_key(g->state.revision, index, encoded);
    MDB_val k = {LOG_KEY, encoded}, room = {sizeof(head) + key.n, NULL};
    int rc = mdb_put(g->txn, g->s->log, &k, &room, MDB_RESERVE | MDB_APPEND);
    if (rc)
        return rc;
    memcpy(room.mv_data, &head, sizeof(head));
    memcpy((char *)room.mv_data + sizeof(head), key.p, key.n);
    g->state.hist_bytes += (int64_t)(k.mv_size + room.mv_size);
    return 0;
}

/* The bytes to store: the caller's, with the revision put in where it asked for it. */
static struct bytes *value_with_revision(const struct store_op *op, int64_t revision)
{
    if (op->revision_at < 0)
        return bytes_ref(op->value);
    struct buf digits = {0};
    buf_put_i64(&digits, revision);
    size_t at = (size_t)op->revision_at;
    char *p;
    struct bytes *b = bytes_new_uninit(op->value->n + digits.n, &p);
    memcpy(p, op->value->p, at);
    memcpy(p + at, digits.p, digits.n);
    memcpy(p + at + digits.n, op->value->p + at, op->value->n - at);
    buf_done(&digits);
    return b;
}

/* Carries out a put or delete whose expectation holds; adds its event. */
static int apply_op(struct group *g, const struct store_op *op, uint32_t index)
{
    struct kv_head old, now = {g->state.revision, g->state.revision, 0};
    struct str old_value;
    int rc = current_version(g, op->key, &old, &old_value);
    if (rc && rc != MDB_NOTFOUND)
        return rc;
    bool exists = rc == 0;
    if (!exists && op->type == STORE_DELETE)
        return 0;
    struct store_event e = {.revision = g->state.revision, .key = op->key};
    if (exists && !(e.prev = recent_get(g->s, op->key, old.mod_rev)))
        e.prev = bytes_new(old_value);
    if (op->type == STORE_PUT)
        e.value = value_with_revision(op, g->state.revision);
    e.type = !e.value ? STORE_DELETED : exists ? STORE_MODIFIED : STORE_CREATED;
    if (exists) {
        now.create_rev = old.create_rev;
        now.deltas = old.deltas;
        rc = keep_version(g, op->key, &old, e.prev, e.value, &now.deltas);
    } else {
        rc = 0;
    }
    MDB_val k = mdb_of(op->key);
    if (!rc)
        rc = e.value ? put_version(g, op->key, &now, e.value) : mdb_del(g->txn, g->s->kv, &k, NULL);
    if (!rc)
        rc = put_log(g, op->key, index, exists ? old.mod_rev : 0, e.type);
    recent_set(g->s, op->key, now.mod_rev, rc ? NULL : e.value);
    event_list_add(&g->events, &e);
    return rc;
}

/* --- one write --- */

static int check_shape(const struct store_write *w, struct err *err)
{
    char encoded[HIST_KEY_ROOM];
    if (w->op_count > MAX_OPS)
        return err_bad(err, "etcdserver: too many operations in txn request");
    for (size_t i = 0; i < w->op_count; i++) {
        const struct store_op *op = &w->ops[i];
        if (op->key.n == 0)
            return err_bad(err, "etcdserver: key is not provided");
        if (op->key.n > MAX_KEY || hist_key(op->key, 0, encoded) > MAX_KEY)
            return err_bad(err, "store: key of %zu bytes is too long (at most %d)", op->key.n,
                           MAX_KEY - HIST_TAIL);
        if (op->type == STORE_PUT && (!op->value || op->revision_at > (int64_t)op->value->n))
            return err_bad(err, "store: bad value");
        if (op->type == STORE_PUT && op->value->n > MAX_VALUE)
            return err_set(err, 413, "RequestEntityTooLarge", "etcdserver: request is too large");
        for (size_t j = 0; j < i && op->type != STORE_CHECK; j++)
            if (w->ops[j].type != STORE_CHECK && str_eq(w->ops[j].key, op->key))
                return err_bad(err, "etcdserver: duplicate key given in txn request");
    }
    return 0;
}

/* All expectations, before anything is changed: a write that fails leaves no trace. */
static int check_expectations(struct group *g, struct store_write *w, bool *ret_change)
{
    *ret_change = false;
    for (size_t i = 0; i < w->op_count; i++) {
        const struct store_op *op = &w->ops[i];
        struct kv_head head = {0};
        struct str value;
        int rc = current_version(g, op->key, &head, &value);
        if (rc && rc != MDB_NOTFOUND)
            return rc;
        if (op->expect != STORE_ANY && op->expect != head.mod_rev) {
            w->result = STORE_CONFLICT;
            w->failed_op = i;
            return 0;
        }
        *ret_change |= op->type == STORE_PUT || (op->type == STORE_DELETE && head.mod_rev);
    }
    w->result = STORE_OK;
    return 0;
}

/* An LMDB code: the transaction is of no use any more. */
static int apply_write(struct group *g, struct store_write *w)
{
    w->first_value = NULL;
    w->result = STORE_FAILED;
    w->revision = g->state.revision;
    if (check_shape(w, &w->err))
        return 0;
    bool change;
    int rc = check_expectations(g, w, &change);
    if (rc || w->result != STORE_OK || !change)
        return rc;
    w->revision = ++g->state.revision;
    for (size_t i = 0; i < w->op_count && !rc; i++) {
        if (w->ops[i].type == STORE_CHECK)
            continue;
        rc = apply_op(g, &w->ops[i], (uint32_t)i);
        if (!rc && w->ops[i].type == STORE_PUT && !w->first_value)
            w->first_value = bytes_ref(g->events.events[g->events.count - 1].value);
    }
    return rc;
}

/* --- a group --- */

static void forget_results(struct store_write *first, size_t n)
{
    for (; n; n--, first = first->next) {
        bytes_unref(first->first_value);
        first->first_value = NULL;
    }
}

/* All n writes in one transaction. An LMDB code: nothing happened. */
static int try_group(struct store *s, struct store_write *first, size_t n,
                     struct store_batch **ret_batch)
{
    struct group g = {.s = s, .state = s->state};
    *ret_batch = NULL;
    int rc = mdb_txn_begin(s->env, NULL, 0, &g.txn);
    if (rc)
        return rc;
    size_t applied = 0, trimmed;
    for (struct store_write *w = first; applied < n && !rc; applied++, w = w->next)
        rc = apply_write(&g, w);
    if (rc || !g.events.count) {
        mdb_txn_abort(g.txn);
    } else {
        rc = compact_step(s, g.txn, &g.state, TRIM_BASE + TRIM_PER_OP * g.events.count, &trimmed);
        if (!rc)
            rc = store_state_write(s, g.txn, &g.state);
        if (rc)
            mdb_txn_abort(g.txn);
        else
            rc = mdb_txn_commit(g.txn);
    }
    if (rc) {
        forget_results(first, applied);
        for (size_t i = 0; i < g.events.count; i++)
            recent_set(s, g.events.events[i].key, 0, NULL);
    } else {
        *ret_batch = event_list_batch(&g.events);
        s->state = g.state;
    }
    event_list_done(&g.events);
    return rc;
}

static void publish(struct store *s, struct store_batch *b)
{
    if (!b)
        return;
    atomic_store_explicit(&s->compacted, s->state.compacted, memory_order_release);
    atomic_store_explicit(&s->revision, s->state.revision, memory_order_release);
    compact_note_age(s, mono_ms(world_real()), s->state.revision);
    watch_publish(s, b, s->state.revision);
}

/* The writes may be gone once done was called: the link is read before. */
static void finish(struct store_write *first, size_t n)
{
    for (struct store_write *next; n; n--, first = next) {
        next = first->next;
        first->done(first);
    }
}

static void commit_group(struct store *s, struct store_write *first, size_t n)
{
    struct store_batch *b;
    int rc = try_group(s, first, n, &b);
    if (!rc) {
        publish(s, b);
        finish(first, n);
        return;
    }
    if (n == 1) {
        first->result = STORE_FAILED;
        store_mdb_err(&first->err, rc, "write");
        finish(first, 1);
        return;
    }
    /* One write may be what the others suffer from (the disk is nearly full): each on its own. */
    for (struct store_write *next; n; n--, first = next) {
        next = first->next;
        commit_group(s, first, 1);
    }
}

/* How many of the queued writes go into one transaction. */
static size_t group_size(const struct store_write *first)
{
    size_t n = 0, bytes = 0;
    for (; first && n < GROUP_WRITES && bytes < GROUP_BYTES; first = first->next, n++)
        for (size_t i = 0; i < first->op_count; i++)
            if (first->ops[i].type == STORE_PUT && first->ops[i].value)
                bytes += first->ops[i].value->n;
    return n;
}

/* A step of compaction when nobody writes; true: there may be more to do. */
static bool compact_idle(struct store *s)
{
    MDB_txn *txn;
    struct store_state state = s->state;
    size_t done = 0;
    compact_note_age(s, mono_ms(world_real()), s->state.revision);
    if (mdb_txn_begin(s->env, NULL, 0, &txn))
        return false;
    if (compact_step(s, txn, &state, TRIM_IDLE, &done) || !done ||
        store_state_write(s, txn, &state)) {
        mdb_txn_abort(txn);
        return false;
    }
    if (mdb_txn_commit(txn))
        return false;
    s->state = state;
    atomic_store_explicit(&s->compacted, state.compacted, memory_order_release);
    return true;
}

void *store_committer(void *arg)
{
    struct store *s = arg;
    int64_t pause_ms = s->config.history_ms / 8 + 1;
    bool more = false, closing;
    for (;;) {
        struct store_write *w = store_queue_take(s, more ? 0 : pause_ms, &closing);
        if (closing)
            return NULL;
        if (!w) {
            more = compact_idle(s);
            continue;
        }
        for (size_t n; w;) {
            n = group_size(w);
            struct store_write *rest = w;
            for (size_t i = 0; i < n; i++)
                rest = rest->next;
            commit_group(s, w, n);
            w = rest;
        }
    }
}
