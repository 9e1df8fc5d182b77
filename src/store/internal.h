/* internal.h: what the files of the store share. Nobody else includes it.
 *
 *   store.c   opening, closing, the queue of writes
 *   commit.c  the committer of a store of its own: checks and applies groups of writes
 *   apply.c   changes of one transaction, and its commit
 *   journal*.c  the log that makes commits durable (journal.h)
 *   etcd*.c   the committer that stands before an etcd cluster (etcd.h)
 *   compact.c forgets old versions, a bounded number at a time
 *   snap.c    snapshots, gets and ranges
 *   count.c   how many keys ranges have
 *   watch.c   batches of events, subscriptions, recent and old history
 *
 * Order of a commit: the journal's sync, then LMDB has it and the new revision is visible to
 * readers, then subscribers get the batch, then the writers' callbacks run. So a writer that heard
 * STORE_OK finds its write in every snapshot, and its event is already on the way to every watcher.
 */
#pragma once

#include <lmdb.h>
#include <pthread.h>

#include "base/list.h"
#include "store/record.h"
#include "store/store.h"

enum {
    SNAP_POOL = 64,
    MAX_READERS = 1024,       /* snapshots at once */
    RECENT_SLOTS = 512,       /* the newest values, to share them as `prev` of the next event */
    RECENT_MAX_VALUE = 16384, /* larger ones are not held */
    RING_BATCHES = 4096,
    RING_BYTES = 4 << 20,
    AGE_SAMPLES = 64,
    GROUP_WRITES = 512, /* bounds of one transaction */
    GROUP_BYTES = 4 << 20,
};

struct recent {
    int64_t rev;
    uint64_t hash;
    struct bytes *value;
};

struct resident { /* resident.c */
    void *map;    /* LMDB's; NULL: not found */
    size_t n, base;
    int statm;
    atomic_uint notes, commits;
    _Atomic int64_t dropped_ms;
};

struct age_sample {
    int64_t at_ms, rev;
};

struct store {
    MDB_env *env;
    MDB_dbi kv, hist, log, meta;
    struct store_config config;
    int lock_fd;
    struct etcd *etcd;       /* NULL: a store of its own */
    struct journal *journal; /* of such a one */
    _Atomic int64_t revision, compacted;
    _Atomic(struct store_snap *) pool[SNAP_POOL];
    struct resident resident;
    struct counts *counts;

    pthread_t committer;
    pthread_mutex_t queue_lock;
    pthread_cond_t queue_wake;
    struct store_write *queue, **queue_end;
    bool closing, waiting;

    /* The committer's own. */
    struct store_state state; /* as committed */
    struct recent recent[RECENT_SLOTS];
    struct age_sample ages[AGE_SAMPLES]; /* oldest first */
    size_t age_count;
    struct buf scratch;

    pthread_mutex_t publish_lock;
    struct list subs;
    int64_t published;                      /* subscribers have all up to here */
    struct store_batch *ring[RING_BATCHES]; /* the newest batches, from ring_at on */
    size_t ring_at, ring_count, ring_bytes;
    int64_t ring_floor; /* the ring has all events after this revision */
};

/* --- LMDB in the project's terms --- */
static inline MDB_val mdb_of(struct str s)
{
    return (MDB_val){s.n, (void *)s.p};
}

static inline struct str mdb_str(MDB_val v)
{
    return (struct str){v.mv_data, v.mv_size};
}

int store_mdb_err(struct err *err, int rc, const char *what); /* fills err, returns -1 */

/* --- store.c --- */
/* Opens a store without a committer: the caller is it. Ends with store_free. */
int store_open_still(const struct store_config *config, struct store **ret, struct err *err);
void store_free(struct store *s);
int store_state_read(struct store *s, MDB_txn *txn, struct store_state *ret);
int store_state_write(struct store *s, MDB_txn *txn, const struct store_state *state);
/* What was submitted, oldest first; NULL after timeout_ms (-1: waits) or, with *ret_closing, when
 * the store closes and nothing is left. */
struct store_write *store_queue_take(struct store *s, int64_t timeout_ms, bool *ret_closing);

/* --- resident.c ---
 * Each page of the map that was looked at stays mapped in, so in time the whole database would be.
 * When it is more than a few megabytes, all of it is let go: its pages are clean and stay in the
 * kernel's cache, where the next look finds them for the price of a minor fault. As the faults of
 * one walk cost more than the walk, more may stay while there are only reads, for a second. */
void resident_init(struct store *s);
void resident_done(struct store *s);
void resident_note(struct store *s, bool writes); /* now and then, by whoever looks; any thread */

/* --- upgrade.c --- */
/* Makes a folder of format 1 one of today's. An LMDB code. */
int store_upgrade(struct store *s, MDB_txn *txn, struct store_state *state);

/* --- commit.c --- */
void *store_committer(void *s);
/* Whether a write is well formed: sizes, counts, no key changed twice. */
int store_check_shape(const struct store_write *w, struct err *err);

/* --- apply.c --- */
/* Events gather here before they are one batch. Keys are borrowed, values owned. */
struct event_list {
    struct store_event *events;
    size_t count, cap;
};

struct group { /* one transaction under way */
    struct store *s;
    MDB_txn *txn;
    struct store_state state; /* its revision is that of the changes */
    struct event_list events;
};

struct change {
    struct str key;
    struct bytes *value; /* as stored, digits included; NULL: the key goes */
    int32_t revision_at;
};

/* LMDB codes. A group that was begun ends with a commit or an abort; a failed commit is one. */
int group_begin(struct group *g, struct store *s);
int group_commit(struct group *g, struct store_batch **ret); /* *ret NULL: no events */
void group_abort(struct group *g);
/* Carries out a change whose expectation holds; adds its event. index: among the changes of its
 * revision. */
int group_change(struct group *g, const struct change *c, uint32_t index);
int group_current(struct group *g, struct str key, struct kv_head *ret, struct str *value);
int group_put(struct group *g, struct str key, const struct kv_head *head, struct str value);
/* value with the digits of revision put in. */
struct bytes *value_with_revision(struct str value, int64_t revision_at, int64_t revision);
/* What was committed becomes visible, then b (NULL is fine) goes to the subscribers. Takes b. */
void store_publish(struct store *s, struct store_batch *b);

/* --- compact.c --- */
/* Forgets up to `max` superseded versions that are past the limits of the configuration. Returns an
 * LMDB code; *ret_done counts what was forgotten. */
int compact_step(struct store *s, MDB_txn *txn, struct store_state *state, size_t max,
                 size_t *ret_done);
void compact_note_age(struct store *s, int64_t now_ms, int64_t rev);
/* A step when nobody writes; true: there may be more to do. */
bool compact_idle(struct store *s);

/* --- snap.c --- */
/* The version of key that was valid at rev, in the snapshot. Old versions are rebuilt in out. */
bool snap_version(struct store_snap *snap, struct str key, int64_t rev, struct buf *out,
                  struct store_kv *ret);
MDB_txn *snap_txn(struct store_snap *snap);
int64_t snap_compacted(const struct store_snap *snap);
struct store *snap_store(const struct store_snap *snap);
void snap_pool_done(struct store *s);

/* --- count.c --- */
void counts_init(struct store *s);
void counts_done(struct store *s);
/* All events up to the revision have been told; b may be NULL. */
void counts_note(struct store *s, const struct store_batch *b, int64_t revision);
void counts_forget(struct store *s); /* some were not */

/* --- watch.c --- */
void event_list_add(struct event_list *l, const struct store_event *e); /* takes value and prev */
void event_list_done(struct event_list *l);
struct store_batch *event_list_batch(struct event_list *l); /* NULL when empty; l is empty then */
/* Takes b; NULL: the revision went on without events. */
void watch_publish(struct store *s, struct store_batch *b, int64_t revision);
void watch_forget(struct store *s, int64_t revision); /* history up to it is not to be had */
void watch_done(struct store *s);
