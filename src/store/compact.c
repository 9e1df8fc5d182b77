#include "store/internal.h"

#include "base/clock.h"

enum { TRIM_IDLE = 1024 }; /* versions forgotten in a commit of its own */

void compact_note_age(struct store *s, int64_t now_ms, int64_t rev)
{
    int64_t spacing = s->config.history_ms / (AGE_SAMPLES / 2);
    if (s->age_count && now_ms - s->ages[s->age_count - 1].at_ms < spacing)
        return;
    if (s->age_count == AGE_SAMPLES)
        memmove(s->ages, s->ages + 1, --s->age_count * sizeof(*s->ages));
    s->ages[s->age_count++] = (struct age_sample){now_ms, rev};
    /* Of the samples that are old enough only the last tells something. */
    size_t old = 0;
    while (old + 1 < s->age_count && s->ages[old + 1].at_ms <= now_ms - s->config.history_ms)
        old++;
    if (old)
        memmove(s->ages, s->ages + old, (s->age_count -= old) * sizeof(*s->ages));
}

/* The newest revision known to be older than history_ms, 0: none. After a restart all history
 * counts as new, since the monotonic clock began again. */
static int64_t aged_revision(const struct store *s)
{
    const struct age_sample *first = s->ages, *last = s->ages + s->age_count - 1;
    return s->age_count && first->at_ms <= last->at_ms - s->config.history_ms ? first->rev : 0;
}

static bool past_limits(const struct store *s, const struct store_state *state, int64_t rev)
{
    if (state->hist_bytes > (int64_t)s->config.history_bytes)
        return true;
    return rev <= state->revision - s->config.history_count && rev <= aged_revision(s);
}

/* Forgets the version that the log entry's revision superseded. */
static int forget_version(struct store *s, MDB_txn *txn, struct store_state *state, struct str key,
                          int64_t rev)
{
    char encoded[HIST_KEY_ROOM];
    MDB_val k = {hist_key(key, rev, encoded), encoded}, data;
    int rc = mdb_get(txn, s->hist, &k, &data);
    if (rc)
        return rc == MDB_NOTFOUND ? 0 : rc;
    state->hist_bytes -= (int64_t)(k.mv_size + data.mv_size);
    return mdb_del(txn, s->hist, &k, NULL);
}

int compact_step(struct store *s, MDB_txn *txn, struct store_state *state, size_t max,
                 size_t *ret_done)
{
    *ret_done = 0;
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(txn, s->log, &cursor);
    if (rc)
        return rc;
    int64_t rev = 0; /* being forgotten; a revision is forgotten as a whole */
    MDB_val k, data;
    while ((rc = mdb_cursor_get(cursor, &k, &data, MDB_FIRST)) == 0) {
        struct log_head head;
        struct str key;
        int64_t entry_rev = log_key_revision(mdb_str(k));
        if (!record_split(mdb_str(data), &head, sizeof(head), &key)) {
            rc = MDB_CORRUPTED;
            break;
        }
        if (entry_rev != rev && (*ret_done >= max || !past_limits(s, state, entry_rev)))
            break;
        rev = entry_rev;
        if (head.prev_rev && (rc = forget_version(s, txn, state, key, head.prev_rev)))
            break;
        state->hist_bytes -= (int64_t)(k.mv_size + data.mv_size);
        if ((rc = mdb_cursor_del(cursor, 0)))
            break;
        state->compacted = rev;
        ++*ret_done;
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

bool compact_idle(struct store *s)
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
