#include "store/etcd.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"

enum { TIMEOUT_MS = 15000 };

struct str etcd_key(struct etcd *e, struct str key, struct buf *scratch)
{
    buf_clear(scratch);
    buf_puts(scratch, e->prefix);
    buf_put(scratch, key);
    return buf_str(scratch);
}

/* --- the thread --- */

static bool is_idle(const struct etcd *e)
{
    return !e->queued && list_empty(&e->ready) && list_empty(&e->sent) && list_empty(&e->landed) &&
           list_empty(&e->doubtful);
}

static void on_left(void *arg, int code, struct str message, const char *why)
{
    struct etcd *e = arg;
    (void)code, (void)message, (void)why;
    e->probe = NULL;
    loop_stop(e->loop);
}

/* All is answered: the fence, if one was made, is not needed any more. */
static void leave(struct etcd *e)
{
    if (!e->fence || e->link != LINK_UP) {
        loop_stop(e->loop);
        return;
    }
    struct buf b = {0};
    pb_bytes(&b, 1, str_of(e->fence_key));
    if (!e->probe)
        e->probe = etcd_call(e, "/etcdserverpb.KV/DeleteRange", buf_str(&b), on_left, e);
    buf_done(&b);
}

static void tick(struct loop_timer *t)
{
    struct etcd *e = CONTAINER_OF(t, struct etcd, tick);
    int64_t now = loop_now_ms(e->loop);
    etcd_link_tick(e);
    etcd_write_tick(e);
    etcd_watch_tick(e);
    etcd_compact_tick(e);
    if (now >= e->trim_at_ms && !e->sync)
        e->trim_at_ms = compact_idle(e->s) ? now : now + e->s->config.history_ms / 8 + 1;
    if (e->closing && is_idle(e))
        leave(e);
    loop_timer_set(e->loop, t, ETCD_TICK_MS, tick);
}

/* What other threads brought. */
static void on_wake(struct loop_msg *m)
{
    struct etcd *e = CONTAINER_OF(m, struct etcd, wake);
    struct store *s = e->s;
    pthread_mutex_lock(&s->queue_lock);
    s->waiting = true;
    struct store_write *writes = s->queue;
    struct store_barrier *barriers = e->barriers;
    s->queue = NULL;
    e->barriers = NULL;
    bool closing = s->closing;
    struct store_write **writes_end = s->queue_end;
    s->queue_end = &s->queue;
    e->barriers_end = &e->barriers;
    pthread_mutex_unlock(&s->queue_lock);
    if (writes) {
        *e->queued_end = writes;
        e->queued_end = writes_end;
    }
    for (struct store_barrier *next; barriers; barriers = next) {
        next = barriers->next;
        etcd_barrier(e, barriers);
    }
    etcd_write_more(e);
    e->closing = closing;
    if (closing && is_idle(e))
        leave(e);
}

void etcd_wake(struct store *s)
{
    if (!s->waiting)
        return;
    s->waiting = false;
    loop_post(s->etcd->loop, &s->etcd->wake);
}

void *etcd_thread(void *arg)
{
    struct store *s = arg;
    struct etcd *e = s->etcd;
    etcd_link_start(e);
    loop_timer_set(e->loop, &e->tick, ETCD_TICK_MS, tick);
    loop_run(e->loop);
    etcd_barriers_end(e);
    return NULL;
}

/* --- opening --- */

/* What was not synced is lost with the machine's memory, not with the process: a picture of another
 * boot that was not closed in order is thrown away. */
static int read_boot_id(char ret[64], struct err *err)
{
    struct buf b = {0};
    int rc = file_read("/proc/sys/kernel/random/boot_id", 63, &b, err);
    if (!rc)
        snprintf(ret, 64, "%s", buf_z(&b));
    buf_done(&b);
    return rc;
}

static void remove_file(const char *dir, const char *name)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s", dir, name);
    unlink(buf_z(&path));
    buf_done(&path);
}

int etcd_dir_check(const char *dir, struct err *err)
{
    char boot[64];
    if (read_boot_id(boot, err))
        return -1;
    struct buf path = {0}, then = {0};
    struct err missing;
    buf_printf(&path, "%s/boot", dir);
    if (file_read(buf_z(&path), 64, &then, &missing) == 0 && !str_is(buf_str(&then), boot)) {
        remove_file(dir, "data.mdb");
        remove_file(dir, "lock.mdb");
        remove_file(dir, "boot");
    }
    buf_done(&then);
    buf_done(&path);
    return 0;
}

int etcd_dir_mark(const char *dir, struct err *err)
{
    char boot[64];
    if (read_boot_id(boot, err))
        return -1;
    struct buf path = {0};
    buf_printf(&path, "%s/boot", dir);
    int rc = file_write(buf_z(&path), str_of(boot), 0600, err);
    buf_done(&path);
    return rc;
}

static void close_in_order(struct store *s)
{
    if (mdb_env_sync(s->env, 1) == 0)
        remove_file(s->config.dir, "boot");
}

/* The first key behind all that begin with the prefix. */
static char *end_of_prefix(const char *prefix)
{
    char *end = mem_strdup(prefix);
    end[strlen(end) - 1]++;
    return end;
}

/* A key longer than any of a store's: no picture takes it in. */
static char *mark_key(const char *prefix)
{
    struct buf b = {0};
    buf_puts(&b, prefix);
    memset(buf_reserve(&b, MAX_KEY + 1), '~', MAX_KEY + 1);
    b.n += MAX_KEY + 1;
    return buf_take(&b);
}

int etcd_new(struct store *s, struct etcd **ret, struct err *err)
{
    const struct store_config *config = &s->config;
    const char *prefix = config->etcd_prefix ? config->etcd_prefix : "/tutti/";
    size_t n = strlen(prefix);
    if (n == 0 || n > 256 || (unsigned char)prefix[n - 1] >= 0x7f)
        return err_bad(err, "etcd: bad prefix \"%s\"", prefix);
    struct etcd *e = NEW(struct etcd);
    *ret = e;
    e->s = s;
    e->prefix = mem_strdup(prefix);
    e->prefix_end = end_of_prefix(prefix);
    e->timeout_ms = config->etcd_timeout_ms ? config->etcd_timeout_ms : TIMEOUT_MS;
    world_real()->random(world_real(), &e->writer, sizeof(e->writer));
    e->writer |= 1;
    struct buf fence = {0};
    struct str name = str_of(prefix); /* beside the prefix: "/tutti.fence/0123456789abcdef" */
    while (str_ends(name, STR("/")))
        name.n--;
    buf_printf(&fence, "%.*s.fence/%016llx", STR_ARG(name), (unsigned long long)e->writer);
    e->fence_key = buf_take(&fence);
    e->mark_key = mark_key(prefix);
    atomic_init(&e->reachable, true);
    e->wake.fn = on_wake;
    e->barriers_end = &e->barriers;
    e->unread_end = &e->unread;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&e->opened_wake, &attr);
    pthread_condattr_destroy(&attr);
    etcd_write_init(e);
    err_set(&e->open_err, 504, "Timeout", "etcd: no answer from %s", config->etcd_endpoints);
    return loop_new(&e->loop, err) || etcd_link_init(e, err) ? -1 : 0;
}

void etcd_begun(struct etcd *e, bool begun)
{
    pthread_mutex_lock(&e->s->queue_lock);
    e->begun = begun;
    pthread_mutex_unlock(&e->s->queue_lock);
}

void etcd_opened(struct etcd *e)
{
    pthread_mutex_lock(&e->s->queue_lock);
    e->opened = true;
    pthread_cond_broadcast(&e->opened_wake);
    pthread_mutex_unlock(&e->s->queue_lock);
}

int etcd_wait_open(struct store *s, struct err *err)
{
    struct etcd *e = s->etcd;
    pthread_mutex_lock(&s->queue_lock);
    do { /* reading a large keyspace may take longer */
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += e->timeout_ms / 1000 + 1;
        for (int rc = 0; !e->opened && !e->refused && rc != ETIMEDOUT;)
            rc = pthread_cond_timedwait(&e->opened_wake, &s->queue_lock, &until);
    } while (!e->opened && !e->refused && e->begun);
    bool opened = e->opened;
    if (!opened)
        *err = e->open_err;
    pthread_mutex_unlock(&s->queue_lock);
    return opened ? 0 : -1;
}

/* After the thread ended. */
void etcd_free(struct etcd *e)
{
    if (!e)
        return;
    if (e->loop) {
        grpc_cancel(e->probe);
        grpc_cancel(e->version);
        etcd_watch_stop(e);
        etcd_sync_stop(e);
        etcd_compact_stop(e);
        http_client_free(e->http);
        loop_free(e->loop);
    }
    if (e->s->env)
        close_in_order(e->s);
    etcd_watch_done(e);
    etcd_link_done(e);
    buf_done(&e->scratch);
    buf_done(&e->value);
    pthread_cond_destroy(&e->opened_wake);
    free(e->prefix);
    free(e->prefix_end);
    free(e->fence_key);
    free(e->mark_key);
    free(e);
}
