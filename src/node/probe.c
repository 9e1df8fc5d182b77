#include "node/probe.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "node/probe_action.h"

enum { STACK = 128 * 1024, KINDS = 3 };

static const char *const fields[KINDS] = {"startupProbe", "livenessProbe", "readinessProbe"};
static const char *const names[KINDS] = {"Startup", "Liveness", "Readiness"};
enum { STARTUP, LIVENESS, READINESS };

/* Shared by the pod's thread and the probe's; the last one frees it. The probe writes to its
 * container only under the lock and while it is not stopped. */
struct probe {
    int kind;
    struct container *c;
    struct action action;
    int64_t delay_ms, period_ms, timeout_ms;
    int success, failure; /* thresholds */
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool stop;
    int refs;
};

static void unref(struct probe *p)
{
    pthread_mutex_lock(&p->lock);
    bool last = --p->refs == 0;
    pthread_mutex_unlock(&p->lock);
    if (!last)
        return;
    action_done(&p->action);
    pthread_cond_destroy(&p->cond);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* false: stopped. */
static bool pause_for(struct probe *p, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&p->lock);
    while (!p->stop && pthread_cond_timedwait(&p->cond, &p->lock, &until) == 0)
        ;
    bool go = !p->stop;
    pthread_mutex_unlock(&p->lock);
    return go;
}

static bool is_started(struct probe *p)
{
    pthread_mutex_lock(&p->lock);
    bool started = !p->stop && p->c->started;
    pthread_mutex_unlock(&p->lock);
    return started;
}

/* A result that counts: true when the probe's work is over. */
static bool apply(struct probe *p, bool good)
{
    struct container *c = p->c;
    bool over = false;
    pthread_mutex_lock(&p->lock);
    if (p->stop) {
        pthread_mutex_unlock(&p->lock);
        return true;
    }
    bool changed = true;
    if (p->kind == READINESS) {
        changed = c->ready != good;
        c->ready = good;
    } else if (p->kind == STARTUP && good) {
        c->started = true;
        if (!c->probes[READINESS])
            c->ready = true;
        over = true;
    } else if (!good) {
        snprintf(c->unhealthy, sizeof(c->unhealthy), "%s",
                 p->kind == STARTUP ? "startup" : "liveness");
        c->kill_unhealthy = true;
        over = true;
    } else {
        changed = false;
    }
    if (changed)
        pod_wake(c->pod);
    pthread_mutex_unlock(&p->lock);
    return over;
}

static void tell(struct probe *p, int result, const struct buf *message)
{
    pthread_mutex_lock(&p->lock);
    if (!p->stop && result)
        pod_event(p->c->pod, p->c, true, "Unhealthy", "%s probe %s: %.*s", names[p->kind],
                  result > 0 ? "failed" : "errored", (int)(message->n < 900 ? message->n : 900),
                  buf_z(message));
    pthread_mutex_unlock(&p->lock);
}

static void *run(void *arg)
{
    struct probe *p = arg;
    int same = 0;
    int last = -2;
    bool go = pause_for(p, p->delay_ms);
    while (go) {
        if (p->kind != STARTUP && !is_started(p)) {
            go = pause_for(p, p->period_ms < 500 ? p->period_ms : 500);
            continue;
        }
        struct buf message = {0};
        int result = action_run(&p->action, p->timeout_ms, &message);
        tell(p, result, &message);
        buf_done(&message);
        bool good = result == 0;
        same = last == good ? same + 1 : 1;
        last = good;
        if (same >= (good ? p->success : p->failure) && apply(p, good))
            break;
        go = pause_for(p, p->period_ms);
    }
    unref(p);
    return NULL;
}

static int64_t number(const val *spec, const char *key, int64_t otherwise)
{
    const val *v = val_get(spec, key);
    return v && val_int(v) > 0 ? val_int(v) : otherwise;
}

static struct probe *start(struct container *c, int kind, const val *spec)
{
    struct probe *p = NEW(struct probe);
    struct err err = {0};
    pthread_attr_t attr;
    pthread_condattr_t monotonic;
    pthread_t thread;
    *p = (struct probe){.kind = kind,
                        .c = c,
                        .delay_ms = number(spec, "initialDelaySeconds", 0) * 1000,
                        .period_ms = number(spec, "periodSeconds", 10) * 1000,
                        .timeout_ms = number(spec, "timeoutSeconds", 1) * 1000,
                        .success = (int)number(spec, "successThreshold", 1),
                        .failure = (int)number(spec, "failureThreshold", 3),
                        .refs = 2};
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&p->lock, NULL);
    if (action_prepare(c, spec, &p->action, &err))
        pod_event(c->pod, c, true, "Unhealthy", "%s probe errored: %s", names[kind], err.message);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attr, run, p)) {
        log_error("node", "no thread for a probe", "container", c->name);
        p->refs = 1;
        unref(p);
        p = NULL;
    }
    pthread_attr_destroy(&attr);
    return p;
}

void probes_start(struct container *c)
{
    const val *specs[KINDS];
    for (int i = 0; i < KINDS; i++)
        specs[i] = c->kind == CONTAINER_INIT ? NULL : val_get(container_spec(c), fields[i]);
    if (!specs[STARTUP])
        c->started = true;
    if (!specs[READINESS] && c->started)
        c->ready = true;
    for (int i = KINDS - 1; i >= 0;
         i--) /* a startup probe must see that a readiness probe is there */
        if (specs[i] && !(i == STARTUP && c->started))
            c->probes[i] = start(c, i, specs[i]);
}

void probes_stop(struct container *c)
{
    for (int i = 0; i < KINDS; i++) {
        struct probe *p = c->probes[i];
        if (!p)
            continue;
        pthread_mutex_lock(&p->lock);
        p->stop = true;
        pthread_cond_signal(&p->cond);
        pthread_mutex_unlock(&p->lock);
        unref(p);
        c->probes[i] = NULL;
    }
}

int probe_action(struct container *c, const val *handler, int64_t timeout_ms, struct buf *message)
{
    struct action a;
    struct err err = {0};
    if (action_prepare(c, handler, &a, &err)) {
        buf_puts(message, err.message);
        action_done(&a);
        return -1;
    }
    int result = action_run(&a, timeout_ms, message);
    action_done(&a);
    return result;
}
