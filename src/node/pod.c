/* The thread of a pod: what is to be done now, and how long it may sleep. */
#include "node/pod.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/log.h"
#include "doc/time.h"
#include "node/probe.h"

enum {
    STACK = 256 * 1024,
    MAX_CONTAINERS = 200,
    BACKOFF_FIRST_MS = 10000,
    BACKOFF_MAX_MS = 300000,
    BACKOFF_RESET_MS = 600000,
    PREPARE_RETRY_MS = 1000,
    NETWORK_RETRY_MS = 50,
    REPORT_RETRY_MS = 1000,
    FOREVER_MS = 3600000,
};

static int64_t now_ms(void)
{
    return mono_ms(world_real());
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void pod_event(struct pod *p, const struct container *c, bool warning, const char *reason,
               const char *format, ...)
{
    char text[1024], field[300] = "";
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (c)
        snprintf(field, sizeof(field), "spec.%s{%s}",
                 c->kind == CONTAINER_MAIN ? "containers" : "initContainers", c->name);
    const struct event_ref about = {"Pod", p->ns, p->name, p->uid, field};
    event_add(p->agent->events, &about, warning, reason, "%s", text);
}

struct str pod_restart_policy(const struct pod *p)
{
    struct str policy = VAL_STR(p->spec, "restartPolicy");
    return policy.n ? policy : STR("Always");
}

/* --- the object --- */

static void take_newest(struct pod *p)
{
    pthread_mutex_lock(&p->lock);
    struct obj *o = p->newest;
    p->newest = NULL;
    pthread_mutex_unlock(&p->lock);
    if (!o)
        return;
    struct doc d = {0};
    val *object = obj_parse(o, &d);
    obj_unref(o);
    if (!object) {
        doc_done(&d);
        return;
    }
    doc_done(&p->doc);
    p->doc = d;
    p->object = object;
    p->spec = val_get(object, "spec");
}

static bool object_gone(struct pod *p)
{
    pthread_mutex_lock(&p->lock);
    bool gone = p->gone;
    pthread_mutex_unlock(&p->lock);
    return gone;
}

static void add_containers(struct pod *p, const char *list, bool init)
{
    size_t index = 0;
    VAL_FOR (val_get(p->spec, list), spec) {
        if (p->count == MAX_CONTAINERS)
            return;
        struct container *c = &p->containers[p->count++];
        bool sidecar = init && str_is(VAL_STR(spec, "restartPolicy"), "Always");
        *c = (struct container){.pod = p,
                                .name =
                                    mem_strndup(VAL_STR(spec, "name").p, VAL_STR(spec, "name").n),
                                .kind = !init     ? CONTAINER_MAIN
                                        : sidecar ? CONTAINER_SIDECAR
                                                  : CONTAINER_INIT,
                                .index = index++,
                                .conn = -1};
    }
}

/* --- finding what runs from before --- */

static void load_run(struct pod *p, struct run *r, const char *id)
{
    snprintf(r->id, sizeof(r->id), "%s", id);
    runtime_pid(&p->agent->runtime, id, &r->started_ns);
}

static void adopt(void *arg, const char *id, const val *meta)
{
    struct pod *p = arg;
    if (!str_is(VAL_STR(meta, "podUID"), p->uid))
        return;
    for (size_t i = 0; i < p->count; i++) {
        struct container *c = &p->containers[i];
        int attempt = (int)VAL_INT(meta, "attempt");
        if (!str_is(VAL_STR(meta, "name"), c->name))
            continue;
        if (!c->now.id[0] || attempt > c->attempt) {
            c->last = c->now;
            c->attempt = attempt;
            load_run(p, &c->now, id);
            snprintf(c->image, sizeof(c->image), "%.*s", STR_ARG(VAL_STR(meta, "image")));
            snprintf(c->image_id, sizeof(c->image_id), "%.*s", STR_ARG(VAL_STR(meta, "imageID")));
        } else {
            load_run(p, &c->last, id);
        }
    }
}

static const val *old_status(const struct pod *p, const struct container *c)
{
    const char *list = c->kind == CONTAINER_MAIN ? "containerStatuses" : "initContainerStatuses";
    VAL_FOR (VAL_PATH(p->object, "status", list), s)
        if (str_is(VAL_STR(s, "name"), c->name))
            return s;
    return NULL;
}

/* What the API remembers of a container whose folder is gone (a new machine under the old name). */
static void recall(struct pod *p, struct container *c)
{
    const val *s = old_status(p, c), *t = VAL_PATH(s, "state", "terminated");
    c->attempt = (int)VAL_INT(s, "restartCount");
    if (!t && VAL_STR(s, "containerID").n)
        c->attempt++;
    if (!t)
        return;
    c->now.exit.code = (int)VAL_INT(t, "exitCode");
    snprintf(c->now.reason, sizeof(c->now.reason), "%.*s", STR_ARG(VAL_STR(t, "reason")));
    time_parse(VAL_STR(t, "finishedAt"), &c->now.exit.ended_ns, NULL);
    time_parse(VAL_STR(t, "startedAt"), &c->now.started_ns, NULL);
    snprintf(c->image_id, sizeof(c->image_id), "%.*s", STR_ARG(VAL_STR(s, "imageID")));
}

static void adopt_all(struct pod *p)
{
    runtime_each(&p->agent->runtime, adopt, p);
    for (size_t i = 0; i < p->count; i++) {
        struct container *c = &p->containers[i];
        if (!c->now.id[0]) {
            recall(p, c);
            continue;
        }
        if (c->last.id[0])
            runtime_exit(&p->agent->runtime, c->last.id, &c->last.exit);
        const val *s = old_status(p, c);
        c->started = VAL_BOOL(s, "started");
        c->ready = VAL_BOOL(s, "ready");
        container_connect(c);
        if (!c->running)
            container_ended(c);
        p->adopted |= c->running;
    }
    if (!p->adopted)
        return;
    VAL_FOR (VAL_PATH(p->object, "status", "podIPs"), ip)
        if (p->addrs.count < PODNET_MAX_ADDRS)
            snprintf(p->addrs.ip[p->addrs.count++], PODNET_ADDR, "%.*s",
                     STR_ARG(VAL_STR(ip, "ip")));
}

static void init_pod(struct pod *p)
{
    take_newest(p);
    p->containers = mem_realloc_array(NULL, MAX_CONTAINERS, sizeof(struct container));
    add_containers(p, "initContainers", true);
    add_containers(p, "containers", false);
    p->containers = mem_realloc_array(p->containers, p->count + 1, sizeof(struct container));
    struct str phase = VAL_STR(p->object, "status", "phase");
    p->phase = str_is(phase, "Succeeded") ? "Succeeded"
               : str_is(phase, "Failed")  ? "Failed"
               : str_is(phase, "Running") ? "Running"
                                          : "Pending";
    if (time_parse(VAL_STR(p->object, "status", "startTime"), &p->start_ns, NULL))
        p->start_ns = wall_ns(world_real());
    adopt_all(p);
}

/* --- one look --- */

static bool all_main_ended(const struct pod *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->containers[i].kind == CONTAINER_MAIN && !container_exited(&p->containers[i]))
            return false;
    return true;
}

static bool may_restart(const struct container *c)
{
    struct str policy = pod_restart_policy(c->pod);
    if (c->kind == CONTAINER_SIDECAR)
        return true;
    if (c->kind == CONTAINER_INIT)
        return c->now.exit.code != 0 && !str_is(policy, "Never");
    return str_is(policy, "Always") || (str_is(policy, "OnFailure") && c->now.exit.code != 0);
}

static void plan_restart(struct container *c)
{
    int64_t lived = c->now.exit.ended_ns - c->now.started_ns;
    if (c->backoff_ms && lived / 1000000 > BACKOFF_RESET_MS)
        c->backoff_ms = 0;
    c->retry_ms = now_ms() + c->backoff_ms;
    if (c->backoff_ms) {
        struct pod *p = c->pod;
        snprintf(c->waiting, sizeof(c->waiting), "CrashLoopBackOff");
        snprintf(c->waiting_message, sizeof(c->waiting_message),
                 "back-off %s restarting failed container=%s pod=%s_%s(%s)",
                 c->backoff_ms >= BACKOFF_MAX_MS ? "5m0s"
                 : c->backoff_ms == 10000        ? "10s"
                 : c->backoff_ms == 20000        ? "20s"
                 : c->backoff_ms == 40000        ? "40s"
                 : c->backoff_ms == 80000        ? "1m20s"
                                                 : "2m40s",
                 c->name, p->name, p->ns, p->uid);
        pod_event(p, c, true, "BackOff", "Back-off restarting failed container %s in pod %s_%s(%s)",
                  c->name, p->name, p->ns, p->uid);
    }
    c->backoff_ms = c->backoff_ms ? sooner(2 * c->backoff_ms, BACKOFF_MAX_MS) : BACKOFF_FIRST_MS;
}

/* Brings a container to running when it should be: ms until it must be looked at again. */
static int64_t drive(struct container *c)
{
    if (c->running)
        return FOREVER_MS;
    if (container_exited(c)) {
        if (!may_restart(c))
            return FOREVER_MS;
        if (!c->retry_ms)
            plan_restart(c);
    }
    int64_t left = c->retry_ms - now_ms();
    if (left > 0)
        return left;
    container_start(c);
    if (c->running)
        return FOREVER_MS;
    left = c->retry_ms - now_ms();
    return left > 0 ? left : 1;
}

/* The end of a pod that is not restarted. */
static void conclude(struct pod *p, bool failed)
{
    pod_stop_containers(p, 30000, false);
    p->phase = failed ? "Failed" : "Succeeded";
    volumes_teardown(p);
    pod_release(p);
}

static int64_t drive_init(struct pod *p)
{
    int64_t wait = FOREVER_MS;
    for (size_t i = 0; i < p->count; i++) {
        struct container *c = &p->containers[i];
        if (c->kind == CONTAINER_MAIN)
            break;
        if (c->kind == CONTAINER_SIDECAR) {
            wait = sooner(wait, drive(c));
            if (!c->running || !c->started)
                return wait;
            continue;
        }
        if (container_exited(c) && c->now.exit.code == 0)
            continue;
        if (container_exited(c) && !may_restart(c)) {
            conclude(p, true);
            return FOREVER_MS;
        }
        return sooner(wait, drive(c));
    }
    p->initialized = true;
    return wait;
}

static bool past_deadline(struct pod *p, int64_t *wait)
{
    const val *limit = val_get(p->spec, "activeDeadlineSeconds");
    if (!limit)
        return false;
    int64_t left = val_int(limit) * 1000 - (wall_ns(world_real()) - p->start_ns) / 1000000;
    if (left > 0) {
        *wait = sooner(*wait, left);
        return false;
    }
    snprintf(p->reason, sizeof(p->reason), "DeadlineExceeded");
    snprintf(p->message, sizeof(p->message),
             "Pod was active on the node longer than the specified deadline");
    pod_event(p, NULL, false, "DeadlineExceeded", "%s", p->message);
    return true;
}

static int64_t drive_main(struct pod *p)
{
    int64_t wait = FOREVER_MS;
    bool failed = false, again = false, up = false;
    for (size_t i = 0; i < p->count; i++) {
        struct container *c = &p->containers[i];
        if (c->kind != CONTAINER_INIT)
            wait = sooner(wait, drive(c));
        if (c->kind != CONTAINER_MAIN)
            continue;
        up |= c->running || c->now.id[0];
        failed |= container_exited(c) && c->now.exit.code != 0;
        again |= container_exited(c) && may_restart(c);
    }
    if (all_main_ended(p) && !again)
        conclude(p, failed);
    else if (up)
        p->phase = "Running";
    return wait;
}

static void restart_unhealthy(struct pod *p)
{
    for (size_t i = 0; i < p->count; i++) {
        struct container *c = &p->containers[i];
        if (!atomic_exchange(&c->kill_unhealthy, false) || !c->running)
            continue;
        char why[200];
        const val *probe =
            val_get(container_spec(c),
                    strcmp(c->unhealthy, "startup") == 0 ? "startupProbe" : "livenessProbe");
        const val *grace = val_get(probe, "terminationGracePeriodSeconds");
        if (!grace)
            grace = val_get(p->spec, "terminationGracePeriodSeconds");
        snprintf(why, sizeof(why), "Container %s failed %s probe, will be restarted", c->name,
                 c->unhealthy);
        container_stop(c, grace ? val_int(grace) * 1000 : 30000, why);
    }
}

static bool over(const struct pod *p)
{
    return strcmp(p->phase, "Succeeded") == 0 || strcmp(p->phase, "Failed") == 0;
}

static int64_t look(struct pod *p)
{
    struct err err = {0};
    int64_t wait = FOREVER_MS;
    if (val_get(val_get(p->object, "metadata"), "deletionTimestamp") || object_gone(p)) {
        pod_finish(p);
        return FOREVER_MS;
    }
    if (over(p)) {
        if (!p->released)
            conclude(p, strcmp(p->phase, "Failed") == 0);
        return FOREVER_MS;
    }
    if (past_deadline(p, &wait)) {
        conclude(p, true);
        return FOREVER_MS;
    }
    if (!p->prepared && podnet_not_ready(p->agent->net))
        return NETWORK_RETRY_MS;
    if (p->prepare_ms > now_ms())
        return p->prepare_ms - now_ms();
    if (pod_prepare(p, &err)) {
        log_warn("node", "pod not prepared", "pod", p->name, "error", err.message);
        p->prepare_ms = now_ms() + PREPARE_RETRY_MS;
        return PREPARE_RETRY_MS;
    }
    restart_unhealthy(p);
    wait = sooner(wait, drive_init(p));
    if (p->initialized && !over(p))
        wait = sooner(wait, drive_main(p));
    if (p->refresh_ms <= now_ms())
        p->refresh_ms = now_ms() + volumes_refresh(p);
    return sooner(wait, p->refresh_ms - now_ms());
}

/* --- reporting --- */

void pod_report(struct pod *p)
{
    struct doc d = {0};
    struct buf text = {0};
    struct err err = {0};
    val *status = pod_status(p, &d);
    val_write_json(status, &text);
    if (str_eq(buf_str(&text), buf_str(&p->reported)) || object_gone(p)) {
        buf_done(&text);
        doc_done(&d);
        return;
    }
    val *patch = val_new_obj(&d);
    val_set_z(&d, val_ensure_obj(&d, patch, "metadata"), "uid", p->uid);
    val_set(&d, patch, "status", status);
    if (client_patch(p->agent->client, &RES_PODS, p->ns, p->name, "status", CLIENT_PATCH_STRATEGIC,
                     patch, &d, NULL, &err) &&
        err.code != 404 && err.code != 409) {
        log_warn("node", "status not written", "pod", p->name, "error", err.message);
        buf_done(&text);
    } else {
        buf_done(&p->reported);
        p->reported = text;
        text = (struct buf){0};
    }
    buf_done(&text);
    doc_done(&d);
}

/* --- sleeping --- */

static void wait_for_news(struct pod *p, int64_t timeout)
{
    struct pollfd *fds = mem_realloc_array(NULL, p->count + 1, sizeof(*fds));
    uint64_t n;
    fds[0] = (struct pollfd){p->wake, POLLIN, 0};
    for (size_t i = 0; i < p->count; i++)
        fds[i + 1] =
            (struct pollfd){p->containers[i].running ? p->containers[i].conn : -1, POLLIN, 0};
    if (poll(fds, p->count + 1, timeout < 0 ? 0 : (int)sooner(timeout, FOREVER_MS)) > 0) {
        if (fds[0].revents && read(p->wake, &n, sizeof(n)) < 0 && errno != EAGAIN)
            log_error("node", "eventfd", "pod", p->name);
        for (size_t i = 0; i < p->count; i++)
            if (fds[i + 1].revents)
                container_ended(&p->containers[i]);
    }
    free(fds);
}

static void pod_free(struct pod *p)
{
    for (size_t i = 0; i < p->count; i++) {
        probes_stop(&p->containers[i]);
        if (p->containers[i].conn >= 0)
            close(p->containers[i].conn);
        free(p->containers[i].name);
    }
    for (struct map_entry *e = NULL; (e = map_next(&p->tokens, e));) {
        buf_done(&((struct pod_token *)e->value)->token);
        free(e->value);
    }
    map_done(&p->tokens);
    free(p->containers);
    obj_unref(p->newest);
    buf_done(&p->reported);
    doc_done(&p->doc);
    close(p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p->ns);
    free(p->name);
    free(p->uid);
    free(p->dir);
    free(p);
}

static void *run(void *arg)
{
    struct pod *p = arg;
    struct agent *a = p->agent;
    init_pod(p);
    while (!a->stopping) {
        take_newest(p);
        int64_t wait = look(p);
        if (p->finished)
            break;
        pod_report(p);
        if (!p->reported.n)
            wait = sooner(wait, REPORT_RETRY_MS);
        wait_for_news(p, wait);
    }
    pthread_mutex_lock(&a->lock);
    map_del(&a->workers, str_of(p->uid));
    pthread_mutex_unlock(&a->lock);
    pod_free(p);
    a->worker_count--;
    return NULL;
}

static char *z(struct str s)
{
    return mem_strndup(s.p ? s.p : "", s.n);
}

struct pod *pod_start(struct agent *a, struct obj *obj)
{
    struct pod *p = NEW(struct pod);
    struct buf dir = {0};
    pthread_attr_t attr;
    p->agent = a;
    p->ns = z(obj_ns(obj));
    p->name = z(obj_name(obj));
    p->uid = z(obj_uid(obj));
    buf_printf(&dir, "%s/pods/%s", a->data_dir, p->uid);
    p->dir = buf_take(&dir);
    p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->newest = obj_ref(obj);
    p->phase = "Pending";
    pthread_mutex_init(&p->lock, NULL);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    a->worker_count++;
    int failed = pthread_create(&p->thread, &attr, run, p);
    pthread_attr_destroy(&attr);
    if (!failed)
        return p;
    log_error("node", "no thread for a pod", "pod", p->name);
    a->worker_count--;
    pod_free(p);
    return NULL;
}

void pod_wake(struct pod *p)
{
    uint64_t one = 1;
    if (write(p->wake, &one, sizeof(one)) < 0 && errno != EAGAIN)
        log_error("node", "eventfd", "pod", p->name);
}

void pod_update(struct pod *p, struct obj *obj, bool gone)
{
    pthread_mutex_lock(&p->lock);
    if (obj) {
        obj_unref(p->newest);
        p->newest = obj_ref(obj);
    }
    p->gone |= gone;
    pthread_mutex_unlock(&p->lock);
    p->cancel = gone || p->cancel;
    pod_wake(p);
}
