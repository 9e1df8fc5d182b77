#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"

int store_mdb_err(struct err *err, int rc, const char *what)
{
    if (rc == MDB_MAP_FULL || rc == ENOSPC)
        return err_set(err, 500, "InternalError", "etcdserver: mvcc: database space exceeded");
    return err_internal(err, "store: %s: %s", what, mdb_strerror(rc));
}

int store_state_read(struct store *s, MDB_txn *txn, struct store_state *ret)
{
    MDB_val key = mdb_of(STR("state")), data;
    int rc = mdb_get(txn, s->meta, &key, &data);
    if (rc)
        return rc;
    if (data.mv_size != sizeof(*ret))
        return MDB_CORRUPTED;
    memcpy(ret, data.mv_data, sizeof(*ret));
    return ret->format == STORE_FORMAT ? 0 : MDB_VERSION_MISMATCH;
}

int store_state_write(struct store *s, MDB_txn *txn, const struct store_state *state)
{
    MDB_val key = mdb_of(STR("state")), data = {sizeof(*state), (void *)state};
    return mdb_put(txn, s->meta, &key, &data, 0);
}

/* The databases, and the first state of an empty store: revision 1, as etcd has it. */
static int open_databases(struct store *s)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(s->env, NULL, 0, &txn);
    if (rc)
        return rc;
    if ((rc = mdb_dbi_open(txn, "kv", MDB_CREATE, &s->kv)) ||
        (rc = mdb_dbi_open(txn, "hist", MDB_CREATE, &s->hist)) ||
        (rc = mdb_dbi_open(txn, "log", MDB_CREATE, &s->log)) ||
        (rc = mdb_dbi_open(txn, "meta", MDB_CREATE, &s->meta)))
        goto fail;
    rc = store_state_read(s, txn, &s->state);
    if (rc == MDB_NOTFOUND) {
        s->state = (struct store_state){.format = STORE_FORMAT, .revision = 1, .compacted = 1};
        rc = store_state_write(s, txn, &s->state);
    }
    if (rc)
        goto fail;
    return mdb_txn_commit(txn);
fail:
    mdb_txn_abort(txn);
    return rc;
}

/* So that the files themselves survive power loss, not only what is in them. */
static int sync_dir(const char *dir, struct err *err)
{
    CLEANUP(fd_closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || fsync(fd) ? err_errno(err, "sync %s", dir) : 0;
}

static int open_env(struct store *s, struct err *err)
{
    struct buf path = {0};
    buf_printf(&path, "%s/lock", s->config.dir);
    s->lock_fd = open(buf_z(&path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    buf_done(&path);
    if (s->lock_fd < 0)
        return err_errno(err, "open %s/lock", s->config.dir);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB))
        return err_internal(err, "store: %s is in use by another process", s->config.dir);
    int rc, dead;
    unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | MDB_NOMEMINIT;
    if ((rc = mdb_env_create(&s->env)) || (rc = mdb_env_set_maxdbs(s->env, 4)) ||
        (rc = mdb_env_set_maxreaders(s->env, MAX_READERS)) ||
        (rc = mdb_env_set_mapsize(s->env, s->config.map_bytes)) ||
        (rc = mdb_env_open(s->env, s->config.dir, flags | (s->config.no_sync ? MDB_NOSYNC : 0),
                           0600)) ||
        (rc = mdb_reader_check(s->env, &dead)) || (rc = open_databases(s)))
        return store_mdb_err(err, rc, s->config.dir);
    return s->config.no_sync ? 0 : sync_dir(s->config.dir, err);
}

/* All but the committer thread. */
static void store_free(struct store *s)
{
    watch_done(s);
    snap_pool_done(s);
    if (s->env)
        mdb_env_close(s->env);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    for (size_t i = 0; i < RECENT_SLOTS; i++)
        bytes_unref(s->recent[i].value);
    buf_done(&s->scratch);
    pthread_mutex_destroy(&s->queue_lock);
    pthread_mutex_destroy(&s->publish_lock);
    pthread_cond_destroy(&s->queue_wake);
    free((char *)s->config.dir);
    free(s);
}

static void init_locks(struct store *s)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->queue_wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&s->queue_lock, NULL);
    pthread_mutex_init(&s->publish_lock, NULL);
}

int store_open(const struct store_config *config, struct store **ret, struct err *err)
{
    if (file_mkdirs(config->dir, 0700, err))
        return -1;
    struct store *s = NEW(struct store);
    s->config = *config;
    s->config.dir = mem_strdup(config->dir);
    s->config.map_bytes = config->map_bytes ? config->map_bytes : (size_t)64 << 30;
    s->config.history_count = config->history_count ? config->history_count : 10000;
    s->config.history_ms = config->history_ms ? config->history_ms : 300000;
    s->config.history_bytes = config->history_bytes ? config->history_bytes : 24 << 20;
    s->lock_fd = -1;
    s->queue_end = &s->queue;
    list_init(&s->subs);
    init_locks(s);
    if (open_env(s, err))
        goto fail;
    s->revision = s->published = s->ring_floor = s->state.revision;
    s->compacted = s->state.compacted;
    compact_note_age(s, mono_ms(world_real()), s->state.revision);
    int rc = pthread_create(&s->committer, NULL, store_committer, s);
    if (rc) {
        errno = rc;
        err_errno(err, "store: thread");
        goto fail;
    }
    *ret = s;
    return 0;
fail:
    store_free(s);
    return -1;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->queue_lock);
    s->closing = true;
    pthread_cond_signal(&s->queue_wake);
    pthread_mutex_unlock(&s->queue_lock);
    pthread_join(s->committer, NULL);
    store_free(s);
}

int64_t store_revision(struct store *s)
{
    return atomic_load_explicit(&s->revision, memory_order_acquire);
}

int64_t store_compacted(struct store *s)
{
    return atomic_load_explicit(&s->compacted, memory_order_acquire);
}

void store_submit(struct store *s, struct store_write *w)
{
    w->next = NULL;
    pthread_mutex_lock(&s->queue_lock);
    *s->queue_end = w;
    s->queue_end = &w->next;
    bool wake = s->waiting;
    s->waiting = false;
    pthread_mutex_unlock(&s->queue_lock);
    if (wake)
        pthread_cond_signal(&s->queue_wake);
}

struct store_write *store_queue_take(struct store *s, int64_t timeout_ms, bool *ret_closing)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&s->queue_lock);
    for (int rc = 0; !s->queue && !s->closing && rc != ETIMEDOUT && timeout_ms;) {
        s->waiting = true;
        rc = timeout_ms < 0 ? pthread_cond_wait(&s->queue_wake, &s->queue_lock)
                            : pthread_cond_timedwait(&s->queue_wake, &s->queue_lock, &until);
    }
    s->waiting = false;
    struct store_write *all = s->queue;
    s->queue = NULL;
    s->queue_end = &s->queue;
    *ret_closing = s->closing && !all;
    pthread_mutex_unlock(&s->queue_lock);
    return all;
}

/* --- the waiting form --- */

struct waited_write {
    struct store_write w;
    atomic_uint ready;
};

static void waited_done(struct store_write *w)
{
    struct waited_write *waited = CONTAINER_OF(w, struct waited_write, w);
    atomic_uint *ready = &waited->ready;
    atomic_store_explicit(ready, 1, memory_order_release);
    /* The waiter may be gone by now; waking an address that nobody waits on does no harm. */
    syscall(SYS_futex, ready, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void store_commit(struct store *s, struct store_write *w)
{
    struct waited_write waited = {.w = *w};
    waited.w.done = waited_done;
    store_submit(s, &waited.w);
    while (!atomic_load_explicit(&waited.ready, memory_order_acquire))
        syscall(SYS_futex, &waited.ready, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    waited.w.done = w->done;
    *w = waited.w;
}
