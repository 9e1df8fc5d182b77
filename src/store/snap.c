#include "store/internal.h"

#include "base/arena.h"
#include "store/delta.h"

struct store_snap {
    struct store *s;
    MDB_txn *txn;
    int64_t rev, compacted;
    bool newest;          /* hist need not be asked */
    struct buf old, old2; /* where old versions are rebuilt */
    struct arena kept;    /* rebuilt versions that a get handed out */
};

/* --- a pool of reset transactions: a snapshot costs a renewal, not a reader slot --- */

static size_t pool_start(void)
{
    static _Thread_local char here; /* threads begin at different slots */
    return ((uintptr_t)&here >> 12) * 7;
}

static struct store_snap *pool_take(struct store *s)
{
    for (size_t i = 0, at = pool_start(); i < SNAP_POOL; i++) {
        _Atomic(struct store_snap *) *slot = &s->pool[(at + i) % SNAP_POOL];
        if (!atomic_load_explicit(slot, memory_order_relaxed))
            continue;
        struct store_snap *snap = atomic_exchange_explicit(slot, NULL, memory_order_acquire);
        if (snap)
            return snap;
    }
    return NULL;
}

static bool pool_put(struct store *s, struct store_snap *snap)
{
    for (size_t i = 0, at = pool_start(); i < SNAP_POOL; i++) {
        struct store_snap *empty = NULL;
        if (atomic_compare_exchange_strong_explicit(&s->pool[(at + i) % SNAP_POOL], &empty, snap,
                                                    memory_order_release, memory_order_relaxed))
            return true;
    }
    return false;
}

static void snap_free(struct store_snap *snap)
{
    mdb_txn_abort(snap->txn);
    arena_done(&snap->kept);
    buf_done(&snap->old);
    buf_done(&snap->old2);
    free(snap);
}

void snap_pool_done(struct store *s)
{
    for (size_t i = 0; i < SNAP_POOL; i++)
        if (s->pool[i])
            snap_free(s->pool[i]);
}

static int snap_open(struct store *s, struct store_snap **ret, struct err *err)
{
    struct store_snap *snap = pool_take(s);
    int rc;
    if (snap) {
        rc = mdb_txn_renew(snap->txn);
    } else {
        snap = NEW(struct store_snap);
        snap->s = s;
        rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &snap->txn);
        if (rc) {
            free(snap);
            return store_mdb_err(err, rc, "snapshot");
        }
    }
    struct store_state state;
    if (rc || (rc = store_state_read(s, snap->txn, &state))) {
        snap_free(snap);
        return store_mdb_err(err, rc, "snapshot");
    }
    snap->rev = state.revision;
    snap->compacted = state.compacted;
    resident_note(s, false);
    *ret = snap;
    return 0;
}

int store_snap_begin(struct store *s, int64_t rev, struct store_snap **ret, struct err *err)
{
    struct store_snap *snap = NULL;
    if (snap_open(s, &snap, err))
        return -1;
    snap->newest = rev == 0 || rev == snap->rev;
    int failed = 0;
    if (!snap->newest && rev > snap->rev)
        failed = err_internal(err, "etcdserver: mvcc: required revision is a future revision");
    else if (!snap->newest && rev < snap->compacted)
        failed =
            err_set(err, 410, "Expired", "etcdserver: mvcc: required revision has been compacted");
    if (failed) {
        store_snap_end(snap);
        return -1;
    }
    if (rev)
        snap->rev = rev;
    *ret = snap;
    return 0;
}

void store_snap_end(struct store_snap *snap)
{
    enum { KEEP = 64 << 10 };
    if (!snap)
        return;
    if (snap->old.cap + snap->old2.cap > KEEP) {
        buf_done(&snap->old);
        buf_done(&snap->old2);
    }
    arena_done(&snap->kept);
    mdb_txn_reset(snap->txn);
    if (!pool_put(snap->s, snap))
        snap_free(snap);
}

int64_t store_snap_revision(const struct store_snap *snap)
{
    return snap->rev;
}

int64_t snap_compacted(const struct store_snap *snap)
{
    return snap->compacted;
}

struct store *snap_store(const struct store_snap *snap)
{
    return snap->s;
}

MDB_txn *snap_txn(struct store_snap *snap)
{
    return snap->txn;
}

/* --- versions --- */

static bool newest_version(struct store_snap *snap, struct str key, struct store_kv *ret)
{
    MDB_val k = mdb_of(key), data;
    struct kv_head head;
    if (!key.n || key.n > MAX_KEY || mdb_get(snap->txn, snap->s->kv, &k, &data) ||
        !record_split(mdb_str(data), &head, sizeof(head), &ret->value))
        return false;
    ret->key = key;
    ret->create_rev = head.create_rev;
    ret->mod_rev = head.mod_rev;
    ret->revision_at = head.revision_at;
    return true;
}

static bool same_key(MDB_val k, struct str encoded)
{
    return k.mv_size == encoded.n && memcmp(k.mv_data, encoded.p, encoded.n - sizeof(int64_t)) == 0;
}

/* Places the cursor on the last version of the key that began at or before rev. */
static bool seek_version(MDB_cursor *c, struct str key, int64_t rev, char encoded[HIST_KEY_ROOM],
                         MDB_val *k, MDB_val *data)
{
    struct str want = {encoded, hist_key(key, rev + 1, encoded)};
    *k = mdb_of(want);
    int rc = mdb_cursor_get(c, k, data, MDB_SET_RANGE);
    if (rc && rc != MDB_NOTFOUND)
        return false;
    rc = mdb_cursor_get(c, k, data, rc ? MDB_LAST : MDB_PREV);
    return rc == 0 && same_key(*k, want);
}

/* Rebuilds the version under the cursor: collects deltas up to the next whole version or the
 * newest one, then applies them backwards. */
static bool rebuild(struct store_snap *snap, MDB_cursor *c, struct str encoded, struct str newest,
                    MDB_val data, struct buf *out, struct str *ret)
{
    struct {
        struct str data;
        size_t raw_n;
    } chain[MAX_DELTAS + 1];
    size_t n = 0;
    struct str base = newest;
    for (;;) {
        struct hist_head head;
        struct str rest;
        if (!record_split(mdb_str(data), &head, sizeof(head), &rest))
            return false;
        if (!head.delta) {
            base = rest;
            break;
        }
        if (n == ARRAY_LEN(chain))
            return false;
        chain[n].data = rest;
        chain[n++].raw_n = head.raw_n;
        MDB_val k;
        int rc = mdb_cursor_get(c, &k, &data, MDB_NEXT);
        if (rc && rc != MDB_NOTFOUND)
            return false;
        if (rc || !same_key(k, encoded))
            break;
    }
    struct buf *bufs[2] = {&snap->old2, out};
    while (n--) {
        struct buf *to = bufs[(n & 1) == 0];
        buf_clear(to);
        if (!delta_apply(base, chain[n].data, chain[n].raw_n, to) || to->n != chain[n].raw_n)
            return false;
        base = buf_str(to);
    }
    *ret = base;
    return true;
}

bool snap_version(struct store_snap *snap, struct str key, int64_t rev, struct buf *out,
                  struct store_kv *ret)
{
    struct store_kv now = {0};
    if (newest_version(snap, key, &now) && now.mod_rev <= rev) {
        *ret = now;
        return true;
    }
    char encoded[HIST_KEY_ROOM];
    MDB_cursor *c;
    MDB_val k, data;
    struct hist_head head;
    struct str rest, body = {0};
    if (key.n > MAX_KEY || mdb_cursor_open(snap->txn, snap->s->hist, &c))
        return false;
    bool ok = seek_version(c, key, rev, encoded, &k, &data) &&
              record_split(mdb_str(data), &head, sizeof(head), &rest) && head.end_rev > rev;
    if (ok) {
        struct buf name = {0};
        *ret = (struct store_kv){.key = key, .create_rev = head.create_rev, .revision_at = -1};
        ok = hist_key_parse(mdb_str(k), &name, &ret->mod_rev);
        buf_done(&name);
        ok = ok && rebuild(snap, c, mdb_str(k), now.value, data, out, &body);
        ret->value = body;
    }
    mdb_cursor_close(c);
    return ok;
}

int store_get(struct store_snap *snap, struct str key, struct store_kv *ret)
{
    if (snap->newest)
        return newest_version(snap, key, ret);
    if (!snap_version(snap, key, snap->rev, &snap->old, ret))
        return 0;
    if (ret->value.p == snap->old.p)
        ret->value = arena_dup(&snap->kept, ret->value);
    return 1;
}

/* --- ranges --- */

/* Walks kv and, at an old revision, hist beside it: of each key in either, the version valid at the
 * revision. */
struct store_iter {
    struct store_snap *snap;
    MDB_cursor *kv, *hist;
    MDB_val kv_key, kv_data;
    struct buf hist_name; /* the key under the hist cursor */
    bool kv_on, hist_on;  /* the cursor is on something within the range */
    struct buf out;
    size_t end_n;
    char end[];
};

static bool within(const struct store_iter *it, struct str key)
{
    return !it->end_n || str_cmp(key, (struct str){it->end, it->end_n}) < 0;
}

static void kv_move(struct store_iter *it, MDB_cursor_op op)
{
    int rc = mdb_cursor_get(it->kv, &it->kv_key, &it->kv_data, op);
    it->kv_on = rc == 0 && within(it, mdb_str(it->kv_key));
}

/* To the first history key at or after the encoded one. */
static void hist_move(struct store_iter *it, struct str encoded)
{
    MDB_val k = mdb_of(encoded), data;
    int64_t rev;
    buf_clear(&it->hist_name);
    it->hist_on = mdb_cursor_get(it->hist, &k, &data, MDB_SET_RANGE) == 0 &&
                  hist_key_parse(mdb_str(k), &it->hist_name, &rev) &&
                  within(it, buf_str(&it->hist_name));
}

struct store_iter *store_range(struct store_snap *snap, struct str start, struct str end)
{
    struct store_iter *it = mem_zalloc(sizeof(*it) + end.n);
    it->snap = snap;
    it->end_n = end.n;
    if (end.n)
        memcpy(it->end, end.p, end.n);
    start = str_head(start, MAX_KEY);
    if (mdb_cursor_open(snap->txn, snap->s->kv, &it->kv)) {
        it->kv = NULL;
        return it;
    }
    it->kv_key = mdb_of(start);
    kv_move(it, start.n ? MDB_SET_RANGE : MDB_FIRST);
    if (snap->newest || mdb_cursor_open(snap->txn, snap->s->hist, &it->hist)) {
        it->hist = NULL;
        return it;
    }
    char encoded[HIST_KEY_ROOM];
    hist_move(it, (struct str){encoded, hist_key(start, 0, encoded)});
    return it;
}

/* The key that stands lower, if it had a value then; steps over it in both. */
static bool next_merged(struct store_iter *it, struct store_kv *ret)
{
    while (it->kv_on || it->hist_on) {
        struct str a = mdb_str(it->kv_key), b = buf_str(&it->hist_name);
        int order = !it->hist_on ? -1 : !it->kv_on ? 1 : str_cmp(a, b);
        struct str key = order <= 0 ? a : b;
        buf_clear(&it->out);
        bool found = snap_version(it->snap, key, it->snap->rev, &it->snap->old, ret);
        if (found) {
            /* Key and value move to the iterator: the steps below reuse their places. */
            size_t n = ret->key.n;
            buf_put(&it->out, ret->key);
            buf_put(&it->out, ret->value);
            ret->key = str_head(buf_str(&it->out), n);
            ret->value = str_from(buf_str(&it->out), n);
        }
        if (order >= 0) {
            char encoded[HIST_KEY_ROOM];
            hist_move(it, (struct str){encoded, hist_key(key, INT64_MAX, encoded)});
        }
        if (order <= 0)
            kv_move(it, MDB_NEXT);
        if (found)
            return true;
    }
    return false;
}

bool store_next(struct store_iter *it, struct store_kv *ret)
{
    if (it->hist)
        return next_merged(it, ret);
    if (!it->kv_on)
        return false;
    struct kv_head head;
    if (!record_split(mdb_str(it->kv_data), &head, sizeof(head), &ret->value))
        return false;
    ret->key = mdb_str(it->kv_key);
    ret->create_rev = head.create_rev;
    ret->mod_rev = head.mod_rev;
    ret->revision_at = head.revision_at;
    kv_move(it, MDB_NEXT);
    resident_note(it->snap->s, false);
    return true;
}

void store_iter_free(struct store_iter *it)
{
    if (!it)
        return;
    if (it->kv)
        mdb_cursor_close(it->kv);
    if (it->hist)
        mdb_cursor_close(it->hist);
    buf_done(&it->hist_name);
    buf_done(&it->out);
    free(it);
}
