#include "store/journal.h"

#include <errno.h>
#include <unistd.h>

#include "store/journal_file.h"

/* What the committer and the journal's thread share. */
struct journal {
    struct journal_file file;
    struct store *s;
    bool started;
    pthread_t thread;
    atomic_bool filled; /* the file, with zeros */

    /* The committer's own. */
    bool active;    /* LMDB does not sync */
    uint64_t epoch; /* of the records written now */
    size_t at;
    int64_t commits; /* since the checkpoint; bounds what LMDB's file grows by */
    size_t wrote;    /* bytes of the record of the group under way */
    bool wide;       /* that group does not fit into a half */
    bool failed;     /* a record's fate is unknown: nothing more may be written */
    struct buf payload;

    /* A checkpoint under way; under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool closing, busy, bad;
    struct journal_checkpoint next;
    MDB_txn *pin, *next_pin; /* of the last checkpoint, of the next one */
};

/* --- checkpoints --- */

/* Pins what LMDB has committed last, and remembers how to get back to it. */
static int capture(struct journal *j, uint64_t epoch, struct journal_checkpoint *ret,
                   MDB_txn **ret_pin)
{
    MDB_txn *pin;
    int fd, rc = mdb_txn_begin(j->s->env, NULL, MDB_RDONLY, &pin);
    if (rc)
        return rc;
    *ret = (struct journal_checkpoint){.epoch = epoch, .txn = mdb_txn_id(pin)};
    if ((rc = mdb_env_get_fd(j->s->env, &fd)) == 0 && !checkpoint_read_meta(fd, ret))
        rc = MDB_INVALID;
    if (rc) {
        mdb_txn_abort(pin);
        return rc;
    }
    *ret_pin = pin;
    return 0;
}

static int sync_lmdb(struct store *s)
{
    int fd, rc = mdb_env_get_fd(s->env, &fd);
    return rc ? rc : fdatasync(fd) ? errno : 0;
}

static void *journal_thread(void *arg)
{
    struct journal *j = arg;
    atomic_store(&j->filled, journal_file_fill(&j->file));
    pthread_mutex_lock(&j->lock);
    while (!j->closing || j->busy) {
        if (!j->busy) {
            pthread_cond_wait(&j->wake, &j->lock);
            continue;
        }
        struct journal_checkpoint next = j->next;
        pthread_mutex_unlock(&j->lock);
        bool ok = sync_lmdb(j->s) == 0 && journal_file_checkpoint(&j->file, &next) == 0;
        pthread_mutex_lock(&j->lock);
        /* The pages of the older checkpoint are let go only when it is not needed any more. */
        mdb_txn_abort(ok ? j->pin : j->next_pin);
        j->pin = ok ? j->next_pin : j->pin;
        j->bad |= !ok;
        j->busy = false;
        pthread_cond_broadcast(&j->wake);
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

static int wait_checkpoint(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    while (j->busy)
        pthread_cond_wait(&j->wake, &j->lock);
    bool bad = j->bad;
    pthread_mutex_unlock(&j->lock);
    return bad ? EIO : 0;
}

/* Begins a checkpoint of what LMDB has; the records from here on go to the other half. */
static int turn(struct journal *j)
{
    struct journal_checkpoint next;
    MDB_txn *pin;
    int rc = wait_checkpoint(j);
    if (rc || (rc = capture(j, j->epoch + 1, &next, &pin)))
        return rc;
    j->epoch++;
    j->at = j->commits = 0;
    pthread_mutex_lock(&j->lock);
    j->next = next;
    j->next_pin = pin;
    j->busy = true;
    pthread_cond_broadcast(&j->wake);
    pthread_mutex_unlock(&j->lock);
    return 0;
}

/* --- the committer's --- */

void journal_begin(struct store *s)
{
    struct journal *j = s->journal;
    if (!j)
        return;
    buf_clear(&j->payload);
    j->wide = false;
    j->wrote = 0;
    if (j->active || !atomic_load_explicit(&j->filled, memory_order_acquire))
        return;
    /* LMDB has synced everything so far: a checkpoint needs writing down only. */
    struct journal_checkpoint first;
    MDB_txn *pin;
    if (capture(j, j->epoch + 1, &first, &pin)) {
        atomic_store(&j->filled, false); /* an LMDB of another layout */
        return;
    }
    if (journal_file_checkpoint(&j->file, &first) || mdb_env_set_flags(s->env, MDB_NOSYNC, 1)) {
        mdb_txn_abort(pin);
        atomic_store(&j->filled, false);
        return;
    }
    j->pin = pin;
    j->epoch++;
    j->at = j->commits = 0;
    j->active = true;
}

void journal_put(struct store *s, int64_t revision, uint32_t index, const struct change *c)
{
    if (s->journal && s->journal->active)
        journal_put_change(&s->journal->payload, revision, index, c);
}

int journal_write(struct store *s, int64_t before, int64_t after)
{
    struct journal *j = s->journal;
    if (!j || !j->active)
        return 0;
    if (j->failed)
        return EIO;
    struct journal_record head = {.epoch = j->epoch, .before = before, .after = after};
    size_t n = journal_record_size(j->payload.n);
    if (n > JOURNAL_HALF) {
        j->wide = true;
        return 0;
    }
    if (j->at + n > JOURNAL_HALF || j->commits >= s->config.checkpoint_commits) {
        int rc = turn(j);
        if (rc)
            return rc;
        head.epoch = j->epoch;
    }
    if (journal_file_append(&j->file, j->at, &head, buf_str(&j->payload))) {
        int rc = errno;
        j->failed = true;
        return rc;
    }
    j->wrote = n;
    j->at += n;
    j->commits++;
    return 0;
}

int journal_settle(struct store *s, bool committed)
{
    struct journal *j = s->journal;
    if (!j || !j->active)
        return 0;
    if (j->payload.cap > JOURNAL_HALF / 8)
        buf_done(&j->payload);
    if (!committed && j->wrote) {
        j->at -= j->wrote;
        j->commits--;
        j->failed = journal_file_erase(&j->file, j->epoch, j->at) != 0;
        return 0;
    }
    if (!committed || !j->wide)
        return 0;
    int rc = turn(j);
    rc = rc ? rc : wait_checkpoint(j);
    j->failed |= rc != 0; /* LMDB has what its writer is told was refused */
    return rc;
}

/* --- opening and closing --- */

int journal_open(struct store *s, struct err *err)
{
    struct journal *j = NEW(struct journal);
    s->journal = j;
    j->s = s;
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->wake, NULL);
    if (journal_file_open(&j->file, s->config.dir, err))
        return -1;
    j->epoch = j->file.checkpoint.epoch;
    if (!j->epoch || j->file.checkpoint.closed)
        return 0;
    return checkpoint_put_back(&j->file.checkpoint, s->config.dir, err);
}

/* One record is one transaction, as it was. */
static int replay_record(struct store *s, const struct journal_record *head, struct str payload)
{
    struct group g;
    struct store_batch *b = NULL;
    struct journal_change c;
    int rc = group_begin(&g, s);
    if (rc)
        return rc;
    while (!rc && payload.n) {
        if (!journal_get_change(&payload, &c)) {
            rc = MDB_CORRUPTED;
            break;
        }
        g.state.revision = c.revision;
        rc = group_change(&g, &c.change, c.index);
        bytes_unref(c.change.value);
    }
    if (!rc && g.state.revision != head->after)
        rc = MDB_CORRUPTED;
    if (rc)
        group_abort(&g);
    else
        rc = group_commit(&g, &b);
    store_batch_unref(b);
    return rc;
}

static int replay_half(struct store *s, uint64_t epoch, struct err *err)
{
    struct journal_reader r = {.file = &s->journal->file, .epoch = epoch};
    struct journal_record head;
    struct str payload;
    int rc;
    while ((rc = journal_next(&r, s->state.revision, &head, &payload, err)) > 0) {
        int failed = replay_record(s, &head, payload);
        if (failed) {
            rc = store_mdb_err(err, failed, "replay of the journal");
            break;
        }
    }
    buf_done(&r.body);
    return rc;
}

int journal_replay(struct store *s, struct err *err)
{
    struct journal *j = s->journal;
    if (!j || !j->epoch || j->file.checkpoint.closed)
        return 0;
    MDB_txn *pin; /* should this be interrupted, the checkpoint is needed again */
    int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &pin);
    if (rc)
        return store_mdb_err(err, rc, "journal");
    mdb_env_set_flags(s->env, MDB_NOSYNC, 1);
    rc = replay_half(s, j->epoch, err) || replay_half(s, j->epoch + 1, err) ? -1 : 0;
    mdb_env_set_flags(s->env, MDB_NOSYNC, s->config.no_sync);
    j->epoch += 2; /* past every record there is */
    struct journal_checkpoint closed = {.epoch = j->epoch, .closed = 1};
    int failed = rc ? 0 : sync_lmdb(s);
    if (!rc && (failed || (failed = journal_file_checkpoint(&j->file, &closed))))
        rc = store_mdb_err(err, failed, "journal");
    mdb_txn_abort(pin);
    return rc;
}

int journal_start(struct store *s, struct err *err)
{
    struct journal *j = s->journal;
    if (s->config.no_sync || !j)
        return 0;
    int rc = pthread_create(&j->thread, NULL, journal_thread, j);
    if (rc) {
        errno = rc;
        return err_errno(err, "store: thread");
    }
    j->started = true;
    return 0;
}

void journal_close(struct store *s)
{
    struct journal *j = s->journal;
    if (!j)
        return;
    if (j->started) {
        pthread_mutex_lock(&j->lock);
        j->closing = true;
        pthread_cond_broadcast(&j->wake);
        pthread_mutex_unlock(&j->lock);
        pthread_join(j->thread, NULL);
    }
    struct journal_checkpoint closed = {.epoch = j->epoch + 1, .closed = 1};
    if (j->active && !j->failed && !j->bad && sync_lmdb(s) == 0)
        journal_file_checkpoint(&j->file, &closed);
    if (j->pin)
        mdb_txn_abort(j->pin);
    journal_file_close(&j->file);
    buf_done(&j->payload);
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->wake);
    free(j);
    s->journal = NULL;
}
