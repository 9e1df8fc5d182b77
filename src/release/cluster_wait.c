/* cluster_wait.c: waiting for objects: ready, gone, or a hook's end. */
#include <time.h>

#include "base/clock.h"
#include "release/cluster_impl.h"

enum {
    FIRST_MS = 50,       /* between two looks, at first */
    LONGEST_MS = 1000,   /* and later */
    SLICE_MS = 50,       /* an interruption is noticed after at most this time */
    FORGIVEN_MS = 60000, /* an object's errors that may pass are let go for so long (Helm: thirty
                            looks, two seconds apart) */
};

struct wait {
    struct cluster *c;
    int64_t deadline, interval;
    struct str shown;
};

static int64_t now(void)
{
    return mono_ms(world_real());
}

static struct wait wait_begin(struct cluster *c, int64_t timeout_ms)
{
    return (struct wait){.c = c, .deadline = now() + timeout_ms, .interval = FIRST_MS};
}

/* Tells the person who watches, when there is something new. */
static void show(struct wait *w, struct str line)
{
    struct cluster *c = w->c;
    if (!c->watcher.progress || str_eq(line, w->shown))
        return;
    w->shown = arena_dup(c->cx->arena, line);
    c->watcher.progress(c->watcher.arg, w->shown);
}

/* Sleeps to the next look. 1: the time is over. */
static int pause_a_while(struct wait *w)
{
    int64_t end = now() + w->interval;
    w->interval = w->interval * 3 / 2 < LONGEST_MS ? w->interval * 3 / 2 : LONGEST_MS;
    for (int64_t t; (t = now()) < end;) {
        int64_t left = end - t < SLICE_MS ? end - t : SLICE_MS;
        if (cluster_check_interrupt(w->c) != 0)
            return -1;
        if (t >= w->deadline)
            return 1;
        nanosleep(&(struct timespec){.tv_nsec = left * 1000000}, NULL);
    }
    return 0;
}

/* One look at what is waited for. 0: it is over, 1: not yet, and line says why, -1: failed. */
typedef int look_fn(struct wait *w, void *arg, struct buf *line);

/* Looks until it is over. */
static int wait_until(struct wait *w, look_fn *look, void *arg, const char *too_late)
{
    struct chart_ctx *cx = w->c->cx;
    struct buf line = {0};
    int rc;
    while ((rc = look(w, arg, &line)) == 1) {
        show(w, buf_str(&line));
        int paused = pause_a_while(w);
        if (paused > 0)
            chart_warn(cx, "not ready: %.*s", STR_ARG(buf_str(&line)));
        rc = paused > 0 ? chart_fail(cx, "%s", too_late) : paused;
        if (rc != 0)
            break;
        buf_clear(&line);
    }
    show(w, STR(""));
    buf_done(&line);
    return rc;
}

/* --- ready --- */
struct looked_at {
    const struct objects *objects;
    unsigned what;
    int64_t *errors; /* since when each cannot be asked; 0: it can */
};

static bool may_pass(const struct answer *failure)
{
    int code = failure->code;
    return code == 0 || code == 429 || (code >= 500 && code != 501);
}

/* One look at all, up to the first that is not ready. 1: not yet. */
static int look_at_all(struct wait *w, void *arg, struct buf *line)
{
    struct looked_at *at = arg;
    const struct objects *o = at->objects;
    int64_t *errors = at->errors;
    for (size_t i = 0; i < o->n; i++) {
        const struct object *one = &o->items[i];
        struct buf why = {0};
        struct answer failure;
        bool ready;
        int rc = cluster_is_ready(w->c, one, at->what, &ready, &failure, &why);
        if (rc != 0 && may_pass(&failure)) {
            errors[i] = errors[i] ? errors[i] : now();
            rc = now() - errors[i] > FORGIVEN_MS ? -1 : 0;
            ready = false;
            buf_clear(&why);
            buf_put(&why, w->c->cx->error);
        } else {
            errors[i] = 0;
        }
        if (rc == 0 && !ready)
            buf_printf(line, "%.*s %.*s: %.*s", STR_ARG(one->kind), STR_ARG(one->name),
                       STR_ARG(buf_str(&why)));
        buf_done(&why);
        if (rc != 0 || !ready)
            return rc ? rc : 1;
    }
    return 0;
}

static int look_for_any(struct wait *w, void *arg, struct buf *line)
{
    const struct objects *o = ((struct looked_at *)arg)->objects;
    for (size_t i = 0; i < o->n; i++) {
        struct client_request r = {.method = "GET", .path = o->items[i].path};
        struct answer a;
        int rc = cluster_call(w->c, &r, &a);
        bytes_unref(a.body);
        if (rc != 0 && a.code == 404)
            continue;
        if (rc == 0)
            buf_printf(line, "%.*s %.*s: still there", STR_ARG(o->items[i].kind),
                       STR_ARG(o->items[i].name));
        return rc ? -1 : 1;
    }
    return 0;
}

int cluster_wait(struct cluster *c, const struct objects *o, unsigned what, int64_t timeout_ms)
{
    struct wait w = wait_begin(c, timeout_ms);
    struct looked_at at = {o, what, arena_zalloc(c->cx->arena, (o->n + 1) * sizeof *at.errors)};
    return wait_until(&w, what & WAIT_GONE ? look_for_any : look_at_all, &at,
                      "context deadline exceeded");
}

/* --- hooks --- */

/* 0: ended well, 1: not yet, -1: failed. */
static int look_at_job(struct cluster *c, const struct object *o, const val *live, struct buf *why)
{
    VAL_FOR (VAL_PATH(live, "status", "conditions"), condition) {
        if (!str_is(VAL_STR(condition, "status"), "True"))
            continue;
        if (str_is(VAL_STR(condition, "type"), "Complete"))
            return 0;
        if (str_is(VAL_STR(condition, "type"), "Failed"))
            return chart_fail(c->cx, "job %.*s failed: %.*s", STR_ARG(o->name),
                              STR_ARG(VAL_STR(condition, "reason")));
    }
    struct str selector =
        arena_printf(c->cx->arena, "batch.kubernetes.io/job-name=%.*s", STR_ARG(o->name));
    cluster_explain_pods(c, o->namespace, selector, why);
    return 1;
}

static int look_at_pod(struct cluster *c, const struct object *o, const val *live, struct buf *why)
{
    struct str phase = VAL_STR(live, "status", "phase");
    if (str_is(phase, "Succeeded"))
        return 0;
    if (str_is(phase, "Failed"))
        return chart_fail(c->cx, "pod %.*s failed", STR_ARG(o->name));
    cluster_explain_pod(live, why);
    return 1;
}

struct looked_at_hook {
    const struct object *object;
    bool seen;
};

static int look_at_hook(struct wait *w, void *arg, struct buf *line)
{
    struct looked_at_hook *at = arg;
    const struct object *o = at->object;
    struct cluster *c = w->c;
    struct doc d;
    struct buf why = {0};
    val *live;
    doc_init(&d);
    int rc = cluster_get_val(c, o->path, STR(""), &d, &live);
    if (rc == 0 && !live)
        rc = at->seen ? 0 : 1; /* deleted while it was watched: over */
    else if (rc == 0)
        rc = str_is(o->kind, "Job") ? look_at_job(c, o, live, &why) : look_at_pod(c, o, live, &why);
    at->seen = at->seen || live;
    buf_printf(line, "hook %.*s %.*s: %s", STR_ARG(o->kind), STR_ARG(o->name),
               why.n ? buf_z(&why) : "running");
    buf_done(&why);
    doc_done(&d);
    return rc;
}

static int wait_for_one(struct cluster *c, const struct object *o, int64_t timeout_ms)
{
    struct wait w = wait_begin(c, timeout_ms);
    struct looked_at_hook at = {.object = o};
    if (!str_is(o->kind, "Job") && !str_is(o->kind, "Pod"))
        return 0;
    return wait_until(&w, look_at_hook, &at, "timed out waiting for the condition");
}

int cluster_wait_hook(struct cluster *c, const struct objects *o, int64_t timeout_ms)
{
    struct buf errors = {0};
    size_t failed = 0;
    for (size_t i = 0; i < o->n; i++)
        if (wait_for_one(c, &o->items[i], timeout_ms) != 0) {
            buf_printf(&errors, "\t* %.*s\n", STR_ARG(c->cx->error));
            failed++;
        }
    if (o->n == 0)
        return chart_fail(c->cx, "no objects visited");
    if (failed)
        chart_fail(c->cx, "%zu error%s occurred:\n%.*s\n", failed, failed > 1 ? "s" : "",
                   STR_ARG(buf_str(&errors)));
    buf_done(&errors);
    return failed ? -1 : 0;
}
