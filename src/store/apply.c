#include "store/internal.h"

#include <xxhash.h>

#include "base/clock.h"
#include "store/delta.h"
#include "store/journal.h"

enum {
    TRIM_BASE = 16,  /* versions forgotten with each commit, and … */
    TRIM_PER_OP = 2, /* … for each change in it, so that compaction keeps up with any load */
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

int group_current(struct group *g, struct str key, struct kv_head *ret, struct str *value)
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

int group_put(struct group *g, struct str key, const struct kv_head *head, struct str value)
{
    MDB_val k = mdb_of(key), room = {sizeof(*head) + value.n, NULL};
    int rc = mdb_put(g->txn, g->s->kv, &k, &room, MDB_RESERVE);
    if (rc)
        return rc;
    memcpy(room.mv_data, head, sizeof(*head));
    if (value.n)
        memcpy((char *)room.mv_data + sizeof(*head), value.p, value.n);
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

struct bytes *value_with_revision(struct str value, int64_t revision_at, int64_t revision)
{
    struct buf digits = {0};
    buf_put_i64(&digits, revision);
    size_t at = (size_t)revision_at;
    char *p;
    struct bytes *b = bytes_new_uninit(value.n + digits.n, &p);
    memcpy(p, value.p, at);
    memcpy(p + at, digits.p, digits.n);
    memcpy(p + at + digits.n, value.p + at, value.n - at);
    buf_done(&digits);
    return b;
}

int group_change(struct group *g, const struct change *c, uint32_t index)
{
    struct kv_head old, now = {g->state.revision, g->state.revision, 0, c->revision_at};
    struct str old_value;
    int rc = group_current(g, c->key, &old, &old_value);
    if (rc && rc != MDB_NOTFOUND)
        return rc;
    bool exists = rc == 0;
    if (!exists && !c->value)
        return 0;
    struct store_event e = {.revision = g->state.revision, .key = c->key};
    if (exists && !(e.prev = recent_get(g->s, c->key, old.mod_rev)))
        e.prev = bytes_new(old_value);
    e.value = bytes_ref(c->value);
    e.type = !e.value ? STORE_DELETED : exists ? STORE_MODIFIED : STORE_CREATED;
    if (exists) {
        now.create_rev = old.create_rev;
        now.deltas = old.deltas;
        rc = keep_version(g, c->key, &old, e.prev, e.value, &now.deltas);
    } else {
        rc = 0;
    }
    MDB_val k = mdb_of(c->key);
    if (!rc)
        rc = e.value ? group_put(g, c->key, &now, bytes_str(e.value))
                     : mdb_del(g->txn, g->s->kv, &k, NULL);
    if (!rc)
        rc = put_log(g, c->key, index, exists ? old.mod_rev : 0, e.type);
    journal_put(g->s, g->state.revision, index, c);
    recent_set(g->s, c->key, now.mod_rev, rc ? NULL : e.value);
    event_list_add(&g->events, &e);
    return rc;
}

/* --- the transaction --- */

int group_begin(struct group *g, struct store *s)
{
    *g = (struct group){.s = s, .state = s->state};
    journal_begin(s);
    return mdb_txn_begin(s->env, NULL, 0, &g->txn);
}

void group_abort(struct group *g)
{
    if (g->txn)
        mdb_txn_abort(g->txn);
    for (size_t i = 0; i < g->events.count; i++)
        recent_set(g->s, g->events.events[i].key, 0, NULL);
    event_list_done(&g->events);
    g->txn = NULL;
}

int group_commit(struct group *g, struct store_batch **ret)
{
    struct store *s = g->s;
    size_t trimmed;
    int rc =
        compact_step(s, g->txn, &g->state, TRIM_BASE + TRIM_PER_OP * g->events.count, &trimmed);
    if (!rc)
        rc = store_state_write(s, g->txn, &g->state);
    if (!rc)
        rc = journal_write(s, s->state.revision, g->state.revision);
    if (!rc) {
        rc = mdb_txn_commit(g->txn);
        g->txn = NULL;
        int settled = journal_settle(s, rc == 0);
        rc = rc ? rc : settled;
    }
    if (rc) {
        group_abort(g);
        return rc;
    }
    resident_note(s, true);
    *ret = event_list_batch(&g->events);
    event_list_done(&g->events);
    s->state = g->state;
    return 0;
}

void store_publish(struct store *s, struct store_batch *b)
{
    atomic_store_explicit(&s->compacted, s->state.compacted, memory_order_release);
    atomic_store_explicit(&s->revision, s->state.revision, memory_order_release);
    compact_note_age(s, mono_ms(world_real()), s->state.revision);
    counts_note(s, b, s->state.revision);
    watch_publish(s, b, s->state.revision);
}
