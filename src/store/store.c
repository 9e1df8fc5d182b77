#include "store/etcd.h"
#include "store/journal.h"

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
    bool read_only = s->config.read_only;
    unsigned create = read_only ? 0 : MDB_CREATE;
    int rc = mdb_txn_begin(s->env, NULL, read_only ? MDB_RDONLY : 0, &txn);
    if (rc)
        return rc;
    if ((rc = mdb_dbi_open(txn, "kv", create, &s->kv)) ||
        (rc = mdb_dbi_open(txn, "hist", create, &s->hist)) ||
        (rc = mdb_dbi_open(txn, "log", create, &s->log)) ||
        (rc = mdb_dbi_open(txn, "meta", create, &s->meta)))
        goto fail;
    rc = store_state_read(s, txn, &s->state);
    if (rc == MDB_VERSION_MISMATCH && s->state.format == 1 && !read_only)
        rc = store_upgrade(s, txn, &s->state);
    if (rc == MDB_NOTFOUND && !read_only) {
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

static int take_lock(struct store *s, struct err *err)
{
    struct buf path = {0};
    buf_printf(&path, "%s/lock", s->config.dir);
    s->lock_fd = open(buf_z(&path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    buf_done(&path);
    if (s->lock_fd < 0)
        return err_errno(err, "open %s/lock", s->config.dir);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB))
        return err_internal(err, "store: %s is in use by another process", s->config.dir);
    return 0;
}

/* A picture of etcd can be made again, so it is not synced. */
static unsigned env_flags(const struct store_config *config)
{
    unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | MDB_NOMEMINIT;
    if (config->read_only)
        return flags | MDB_RDONLY;
    return config->no_sync || config->etcd_endpoints ? flags | MDB_NOSYNC : flags;
}

/* A folder is either a store of its own or a picture of etcd. */
static int check_kind(struct store *s, struct err *err)
{
    MDB_txn *txn;
    MDB_val key = mdb_of(STR("etcd")), data;
    int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);
    if (rc)
        return store_mdb_err(err, rc, s->config.dir);
    rc = mdb_get(txn, s->meta, &key, &data);
    mdb_txn_abort(txn);
    const struct store_config *config = &s->config;
    if (rc == 0 && !config->etcd_endpoints && !config->read_only)
        return err_bad(
            err,
            "store: %s is a picture of what an etcd cluster holds; `tutti store migrate` "
            "copies it to a store of its own",
            config->dir);
    if (rc == MDB_NOTFOUND && config->etcd_endpoints && s->state.revision > 1)
        return err_bad(
            err, "store: %s holds a store of its own; `tutti store migrate` copies it to etcd",
            config->dir);
    return 0;
}

static int open_env(struct store *s, struct err *err)
{
    const struct store_config *config = &s->config;
    if (!config->read_only && take_lock(s, err))
        return -1;
    if (config->etcd_endpoints && etcd_dir_check(config->dir, err))
        return -1;
    bool journal = !config->read_only && !config->etcd_endpoints;
    if (journal && (!config->no_sync || journal_unclosed(config->dir)) && journal_open(s, err))
        return -1;
    int rc, dead;
    if ((rc = mdb_env_create(&s->env)) || (rc = mdb_env_set_maxdbs(s->env, 4)) ||
        (rc = mdb_env_set_maxreaders(s->env, MAX_READERS)) ||
        (rc = mdb_env_set_mapsize(s->env, s->config.map_bytes)) ||
        (rc = mdb_env_open(s->env, config->dir, env_flags(config), 0600)) ||
        (rc = mdb_reader_check(s->env, &dead)) || (rc = open_databases(s)))
        return store_mdb_err(err, rc, s->config.dir);
    if (journal_replay(s, err) || check_kind(s, err) ||
        (config->etcd_endpoints && etcd_dir_mark(config->dir, err)))
        return -1;
    resident_init(s);
    return config->no_sync || config->read_only ? 0 : sync_dir(config->dir, err);
}

/* All but the committer thread. */
void store_free(struct store *s)
{
    etcd_free(s->etcd);
    watch_done(s);
    snap_pool_done(s);
    journal_close(s);
    if (s->env)
        mdb_env_close(s->env);
    resident_done(s);
    counts_done(s);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    for (size_t i = 0; i < RECENT_SLOTS; i++)
        bytes_unref(s->recent[i].value);
    buf_done(&s->scratch);
    pthread_mutex_destroy(&s->queue_lock);
    pthread_mutex_destroy(&s->publish_lock);
    pthread_cond_destroy(&s->queue_wake);
    char **strings[] = {(char **)&s->config.dir,           (char **)&s->config.etcd_endpoints,
                        (char **)&s->config.etcd_prefix,   (char **)&s->config.etcd_cafile,
                        (char **)&s->config.etcd_certfile, (char **)&s->config.etcd_keyfile};
    for (size_t i = 0; i < ARRAY_LEN(strings); i++)
        free(*strings[i]);
    free(s);
}

static const char *copy_z(const char *z)
{
    return z ? mem_strdup(z) : NULL;
}

static void copy_config(struct store *s, const struct store_config *config)
{
    s->config = *config;
    s->config.dir = mem_strdup(config->dir);
    s->config.etcd_endpoints = copy_z(config->etcd_endpoints);
    s->config.etcd_prefix = copy_z(config->etcd_prefix);
    s->config.etcd_cafile = copy_z(config->etcd_cafile);
    s->config.etcd_certfile = copy_z(config->etcd_certfile);
    s->config.etcd_keyfile = copy_z(config->etcd_keyfile);
    s->config.map_bytes = config->map_bytes ? config->map_bytes : (size_t)64 << 30;
    s->config.history_ms = config->history_ms ? config->history_ms : 300000;
    s->config.history_bytes = config->history_bytes ? config->history_bytes : 24 << 20;
    s->config.checkpoint_commits = config->checkpoint_commits ? config->checkpoint_commits : 1024;
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

/* What a crash left is not for readers. One that runs has the lock, and its store is whole. */
static void recover_for_reader(const struct store_config *config)
{
    struct store_config writer = *config;
    struct store *s;
    struct err ignored;
    writer.read_only = false;
    if (!store_open_still(&writer, &s, &ignored))
        store_free(s);
}

int store_open_still(const struct store_config *config, struct store **ret, struct err *err)
{
    if (!config->read_only && file_mkdirs(config->dir, 0700, err))
        return -1;
    if (config->read_only && journal_unclosed(config->dir))
        recover_for_reader(config);
    struct store *s = NEW(struct store);
    copy_config(s, config);
    s->lock_fd = -1;
    s->queue_end = &s->queue;
    list_init(&s->subs);
    init_locks(s);
    if (open_env(s, err)) {
        store_free(s);
        return -1;
    }
    s->revision = s->published = s->ring_floor = s->state.revision;
    s->compacted = s->state.compacted;
    counts_init(s);
    compact_note_age(s, mono_ms(world_real()), s->state.revision);
    *ret = s;
    return 0;
}

int store_open(const struct store_config *config, struct store **ret, struct err *err)
{
    struct store *s;
    if (store_open_still(config, &s, err))
        return -1;
    if ((config->etcd_endpoints && etcd_new(s, &s->etcd, err)) || journal_start(s, err))
        goto fail;
    s->waiting = s->etcd;
    int rc = config->read_only
                 ? 0
                 : pthread_create(&s->committer, NULL, s->etcd ? etcd_thread : store_committer, s);
    if (rc) {
        errno = rc;
        err_errno(err, "store: thread");
        goto fail;
    }
    if (s->etcd && etcd_wait_open(s, err)) {
        store_close(s);
        return -1;
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
    if (s->etcd)
        etcd_wake(s);
    pthread_cond_signal(&s->queue_wake);
    pthread_mutex_unlock(&s->queue_lock);
    if (!s->config.read_only)
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
    bool wake = s->waiting && !s->etcd;
    if (s->etcd)
        etcd_wake(s);
    else
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

/* --- barriers --- */

bool store_barrier(struct store *s, struct store_barrier *b)
{
    bool reached = b->at_least && b->at_least <= store_revision(s);
    b->failed = false;
    if (reached || (!s->etcd && !b->at_least))
        return true;
    if (!s->etcd) { /* nobody can have been told of a revision that was not given out */
        b->failed = true;
        err_set(&b->err, 504, "Timeout", "Too large resource version: %lld, current: %lld",
                (long long)b->at_least, (long long)store_revision(s));
        return true;
    }
    b->next = NULL;
    pthread_mutex_lock(&s->queue_lock);
    *s->etcd->barriers_end = b;
    s->etcd->barriers_end = &b->next;
    etcd_wake(s);
    pthread_mutex_unlock(&s->queue_lock);
    return false;
}

/* --- the waiting forms --- */

static void wake(atomic_uint *ready)
{
    atomic_store_explicit(ready, 1, memory_order_release);
    /* The waiter may be gone by now; waking an address that nobody waits on does no harm. */
    syscall(SYS_futex, ready, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void wait_for(atomic_uint *ready)
{
    while (!atomic_load_explicit(ready, memory_order_acquire))
        syscall(SYS_futex, ready, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

struct waited_barrier {
    struct store_barrier b;
    atomic_uint ready;
};

bool store_is_shared(const struct store *s)
{
    return s->etcd != NULL;
}

void store_hurry(struct store *s)
{
    if (s->etcd)
        atomic_store(&s->etcd->hurried, true);
}

bool store_reachable(struct store *s)
{
    return !s->etcd || atomic_load(&s->etcd->reachable);
}

static void waited_barrier_done(struct store_barrier *b)
{
    wake(&CONTAINER_OF(b, struct waited_barrier, b)->ready);
}

void store_barrier_until(struct store *s, struct store_barrier *b)
{
    struct waited_barrier waited = {.b = *b};
    waited.b.done = waited_barrier_done;
    if (!store_barrier(s, &waited.b))
        wait_for(&waited.ready);
    *b = waited.b;
}

int store_barrier_wait(struct store *s, int64_t at_least, struct err *err)
{
    struct store_barrier b = {.at_least = at_least};
    store_barrier_until(s, &b);
    if (b.failed)
        *err = b.err;
    return b.failed ? -1 : 0;
}

struct waited_write {
    struct store_write w;
    atomic_uint ready;
};

static void waited_done(struct store_write *w)
{
    wake(&CONTAINER_OF(w, struct waited_write, w)->ready);
}

void store_commit(struct store *s, struct store_write *w)
{
    struct waited_write waited = {.w = *w};
    waited.w.done = waited_done;
    store_submit(s, &waited.w);
    wait_for(&waited.ready);
    waited.w.done = w->done;
    *w = waited.w;
}
