/* store.h: the revisioned store under the API server.
 *
 * Keys are ordered byte strings, values are bytes. Every committed write has its own revision, one
 * higher than the last; the first is 2 (as with etcd, where an empty store is at 1). A key
 * remembers the revision that created it and the one that changed it last. Old values stay readable
 * until compaction, so a range can be read page by page at one revision, and a watch can start in
 * the past.
 *
 * One committer thread carries out writes, many in one transaction with one sync; a write's
 * callback runs after the sync. Readers take snapshots and never wait.
 *
 * With etcd_endpoints the truth is in an etcd cluster that several stores may share, each with a
 * folder of its own. A write is an etcd transaction; a watch keeps a picture of everything in the
 * folder, which readers read as ever, and a write's callback runs when the picture has it. What
 * differs: writes that were submitted together may take effect in any order; revisions are etcd's
 * and may skip; other stores' writes appear a moment after they were acknowledged there, unless a
 * reader asks for store_barrier first; a watcher that etcd's compaction overtook while the cluster
 * was unreachable gets each key's last change only, and history before it is 410. A write whose
 * outcome cannot be found out is STORE_FAILED with 504, and may have happened.
 *
 * Crash rule: after the callback said STORE_OK the write survives kill -9 and power loss; a write
 * without a callback may or may not have happened. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

struct store;

struct store_config {
    const char *dir;  /* made when missing, mode 0700 */
    size_t map_bytes; /* upper bound of the store's size; 0: 64 GiB of address space */
    /* Compaction keeps at least this many revisions and those younger than this (0: 300,000,
     * kube-apiserver's compaction interval), but drops the oldest past this many bytes of history
     * (0: 24 MiB). Superseded values are kept as differences, so that is about 100,000 updates of
     * pods. */
    int64_t history_count, history_ms;
    size_t history_bytes;
    int64_t checkpoint_commits; /* between two syncs of everything; 0: 1,024 */
    bool no_sync;               /* tests and simulations only */
    /* Reads what another process may be writing (a backup while the server runs). Nothing but
     * reading functions may be called. */
    bool read_only;

    const char *etcd_endpoints; /* "http://10.0.0.1:2379,https://10.0.0.2:2379"; NULL: no etcd */
    const char *etcd_prefix;    /* of all keys in etcd; NULL: "/tutti/" */
    /* PEM files. NULL: the system's authorities, no certificate of one's own. */
    const char *etcd_cafile, *etcd_certfile, *etcd_keyfile;
    int64_t etcd_compact_ms; /* how long etcd keeps history, at least; 0: 300,000 */
    int64_t etcd_timeout_ms; /* for a write or barrier to succeed; 0: 15,000. store_open waits as
                                long for the first picture's beginning */
};

int store_open(const struct store_config *config, struct store **ret, struct err *err);
void store_close(struct store *s); /* finishes submitted writes first */

int64_t store_revision(struct store *s);  /* the last committed one; any thread */
int64_t store_compacted(struct store *s); /* reads below this revision are 410 */

/* --- reading: any thread; a snapshot stays on the thread that made it and is short-lived (it pins
 * pages) --- */
struct store_snap;

struct store_kv {
    struct str key,
        value; /* valid until the snapshot ends or, with an iterator, until the next step */
    int64_t create_rev, mod_rev;
    int32_t
        revision_at; /* where mod_rev's digits stand in value; -1: nowhere. Newest versions only */
};

/* rev 0: the newest. Otherwise the state at that revision: 410 Expired with etcd's "required
 * revision has been compacted" when it is too old, 500 when it lies in the future. */
int store_snap_begin(struct store *s, int64_t rev, struct store_snap **ret, struct err *err);
void store_snap_end(struct store_snap *snap); /* NULL is fine */
int64_t store_snap_revision(const struct store_snap *snap);

/* 1: found, 0: not there. */
int store_get(struct store_snap *snap, struct str key, struct store_kv *ret);

/* Ordered walk over start <= key < end; an empty end means no bound. */
struct store_iter;
struct store_iter *store_range(struct store_snap *snap, struct str start, struct str end);
bool store_next(struct store_iter *it, struct store_kv *ret);
void store_iter_free(struct store_iter *it);
/* How many keys. A range that was asked for before is not walked again. */
int64_t store_count(struct store_snap *snap, struct str start, struct str end);

/* --- writing --- */
enum store_op_type {
    STORE_PUT, /* create or replace */
    STORE_DELETE,
    STORE_CHECK, /* precondition only */
};

enum { STORE_ANY = -1, STORE_ABSENT = 0 };

struct store_op {
    enum store_op_type type;
    struct str key;
    struct bytes *value; /* STORE_PUT; the store takes its own reference */
    /* Where in value the decimal digits of the new revision are put in (they are inserted, nothing
     * is overwritten); -1: nowhere. This is how an object's bytes get their
     * metadata.resourceVersion, which only the committer knows. */
    int64_t revision_at;
    int64_t expect; /* the key's mod_rev, or STORE_ABSENT, or STORE_ANY */
};

enum store_result {
    STORE_OK,
    STORE_CONFLICT, /* an expectation did not hold; failed_op says which one */
    STORE_FAILED,   /* disk full, I/O error: err is filled */
};

/* One atomic write; lives in the caller's memory until done was called. All its changes get one
 * revision; a write that changes nothing (checks, a delete of what is not there) takes none and
 * reports the current one. A key is changed at most once in it. Keys have 1 to 501 bytes (a NUL
 * counts twice), values at most 16 MiB, a write 4,096 ops; else it is STORE_FAILED, 400 or 413.
 * done runs on the committer's thread and must only hand over (loop_post, futex). */
struct store_write {
    struct store_write *next; /* the store's */
    struct store_op *ops;
    size_t op_count;
    void (*done)(struct store_write *w);
    /* results */
    enum store_result result;
    size_t failed_op;
    int64_t revision;
    struct bytes
        *first_value; /* what the first PUT stored, revision included; the receiver unrefs it */
    struct err err;
};

void store_submit(struct store *s, struct store_write *w); /* any thread */
void store_commit(struct store *s,
                  struct store_write *w); /* the same, waiting; done is not called */

/* --- consistent reads ---
 *
 * A list that must not be stale (no resourceVersion given) first passes a barrier: every write that
 * anybody heard STORE_OK of before the barrier began is in every snapshot taken after it. */
struct store_barrier {
    struct store_barrier *next; /* the store's, and so is deadline_ms */
    int64_t deadline_ms;
    /* On the committer's thread; must only hand over. */
    void (*done)(struct store_barrier *b);
    int64_t at_least; /* wait for this revision instead; 0: for all that is acknowledged by now */
    int64_t wait_ms;  /* 0: etcd_timeout_ms */
    /* results */
    bool failed; /* err: 504 after wait_ms */
    struct err err;
};

/* true: passed already, done is not called (always so without etcd and without at_least). */
bool store_barrier(struct store *s, struct store_barrier *b);       /* any thread */
void store_barrier_until(struct store *s, struct store_barrier *b); /* the same, waiting */
int store_barrier_wait(struct store *s, int64_t at_least, struct err *err);

/* Whether others write to it too: without a barrier a snapshot may be older than what they were
 * told. */
bool store_is_shared(const struct store *s);

/* false: no member of the etcd cluster has answered for two seconds. Any thread. */
bool store_reachable(struct store *s);

/* The process is about to end: what waits for an etcd that is not reached fails within a second
 * from now on, and not after etcd_timeout_ms. Any thread. */
void store_hurry(struct store *s);

/* --- watching --- */
enum store_event_type { STORE_CREATED, STORE_MODIFIED, STORE_DELETED };

/* One change of one key. Shared by all watchers; immutable but for `derived`. */
struct store_event {
    int64_t revision;
    enum store_event_type type;
    struct str key;
    struct bytes *value;     /* after the change; NULL when deleted */
    struct bytes *prev;      /* before it; NULL when created */
    _Atomic(void *) derived; /* a place for the reader's own cached view (labels, fields); set once
                                by compare-and-swap, freed by derived_free */
    void (*derived_free)(void *);
};

struct store_batch { /* the events of one commit, in order */
    atomic_uint refs;
    size_t count;
    struct store_event events[];
};
void store_batch_unref(struct store_batch *b);
struct store_batch *store_batch_ref(struct store_batch *b);

/* fn gets every batch committed after the subscription, in order, on the committer's thread, and
 * must only hand over; it takes its own reference. Readers see the new revision before fn runs, and
 * the writers' callbacks run after it: whoever heard STORE_OK finds the write in every snapshot,
 * and its event has been handed to every subscriber. fn must not subscribe or unsubscribe. The
 * answer is the revision up to which history has to be read to have seen everything. */
struct store_sub;
struct store_sub *store_subscribe(struct store *s, void (*fn)(void *arg, struct store_batch *b),
                                  void *arg, int64_t *ret_revision);
void store_unsubscribe(struct store_sub *sub); /* fn is not running any more when this returns */

/* Events with after < revision <= upto whose key has the prefix, oldest first, at most `limit` (0:
 * all), as one batch (NULL: none). A limited answer is also cut at about 8 MiB, but never within a
 * revision. *ret_next is the revision up to which the answer is complete; ask again from there. The
 * newest 4 MiB come from memory, older ones are rebuilt from the store.
 * 410 Expired when `after` is older than the history. */
int store_history(struct store *s, int64_t after, int64_t upto, struct str prefix, size_t limit,
                  struct store_batch **ret, int64_t *ret_next, struct err *err);

/* --- moving whole stores --- */

/* Writes one snapshot of all keys, with their revisions, to path (mode 0600, replaced only when it
 * is complete and synced). Any thread, beside any traffic. *ret_keys: how many. */
int store_backup(struct store *s, const char *path, int64_t *ret_keys, struct err *err);

/* Puts a backup into an empty store, which no other process has open. A store of its own gets keys,
 * values and revisions as they were (history before them is 410); in etcd revisions begin anew, and
 * the digits in the values with them. A file that was changed or cut is refused before anything is
 * written. */
int store_restore(const struct store_config *config, const char *path, int64_t *ret_keys,
                  struct err *err);

/* Copies all keys and values into a store that is empty. Revisions, and the digits in the values,
 * are the new store's: clients have to list again. */
int store_copy(struct store *from, struct store *to, int64_t *ret_keys, struct err *err);
