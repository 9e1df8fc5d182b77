/* Hooks, and how containers and pods end. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "node/container.h"
#include "node/probe.h"

enum { KILL_WAIT_MS = 10000, MAX_LOG = 1 << 20, MIN_GRACE_MS = 2000, TURN_MS = 500 };

static int64_t now_ms(void)
{
    return mono_ms(world_real());
}

int hook_run(struct container *c, const val *handler, int64_t timeout_ms, struct buf *message)
{
    const val *sleep_for = val_get(handler, "sleep");
    if (sleep_for) {
        int64_t ms = VAL_INT(sleep_for, "seconds") * 1000;
        struct pollfd wait = {c->conn, POLLIN, 0}; /* its end ends the pause */
        poll(&wait, 1, (int)(ms < timeout_ms ? ms : timeout_ms));
        return 0;
    }
    return probe_action(c, handler, timeout_ms, message);
}

static int signal_number(struct str name)
{
    static const struct {
        const char *name;
        int number;
    } known[] = {{"HUP", SIGHUP},   {"INT", SIGINT},     {"QUIT", SIGQUIT}, {"ABRT", SIGABRT},
                 {"KILL", SIGKILL}, {"USR1", SIGUSR1},   {"USR2", SIGUSR2}, {"TERM", SIGTERM},
                 {"STOP", SIGSTOP}, {"WINCH", SIGWINCH}, {"PWR", SIGPWR},   {"CONT", SIGCONT}};
    struct str rest = str_starts(name, STR("SIG")) ? str_from(name, 3) : name;
    int64_t number, base = 0;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq_nocase(rest, str_of(known[i].name)))
            return known[i].number;
    if (str_starts(rest, STR("RTMIN"))) {
        base = SIGRTMIN;
        rest = str_from(rest, str_starts(rest, STR("RTMIN+")) ? 6 : 5);
        if (!rest.n)
            return (int)base;
    }
    return str_to_i64(rest, &number) && base + number > 0 && base + number < 65
               ? (int)(base + number)
               : SIGTERM;
}

static int stop_signal(struct container *c)
{
    struct arena a = {0};
    struct image_ref ref;
    struct image image = {0};
    struct str own = VAL_STR(container_spec(c), "lifecycle", "stopSignal");
    int number = SIGTERM;
    if (own.n)
        return signal_number(own);
    if (image_ref_parse(&a, VAL_STR(container_spec(c), "image"), &ref, NULL) == 0 &&
        image_open(c->pod->agent->data_dir, &ref, &image, NULL) == 0 &&
        VAL_STR(image.config, "StopSignal").n)
        number = signal_number(VAL_STR(image.config, "StopSignal"));
    image_done(&image);
    arena_done(&a);
    return number;
}

static bool pod_gone(struct pod *p)
{
    pthread_mutex_lock(&p->lock);
    bool gone = p->gone;
    pthread_mutex_unlock(&p->lock);
    return gone;
}

/* A deletion by force, which removes the object at once, cuts the wait short. */
static bool wait_end(struct container *c, int64_t until)
{
    while (c->running) {
        struct pollfd wait = {c->conn, POLLIN, 0};
        int64_t left = until - now_ms();
        int turn = left > TURN_MS ? TURN_MS : left > 0 ? (int)left : 0;
        if (poll(&wait, 1, turn) == 1) {
            container_ended(c);
            return true;
        }
        if (left <= 0)
            return false;
        if (left > MIN_GRACE_MS && pod_gone(c->pod))
            until = now_ms() + MIN_GRACE_MS;
    }
    return true;
}

void container_kill_wait(struct container *c, int64_t timeout_ms)
{
    runtime_kill(&c->pod->agent->runtime, c->now.id, SIGKILL);
    if (!wait_end(c, now_ms() + timeout_ms))
        log_error("node", "container does not end", "container", c->now.id);
}

static void run_pre_stop(struct container *c, int64_t until)
{
    const val *hook = VAL_PATH(container_spec(c), "lifecycle", "preStop");
    struct buf message = {0};
    int64_t left = until - now_ms();
    if (hook && left > 0 && hook_run(c, hook, left, &message))
        pod_event(c->pod, c, true, "FailedPreStopHook", "PreStopHook failed");
    buf_done(&message);
}

void container_stop(struct container *c, int64_t grace_ms, const char *why)
{
    if (!c->running)
        return;
    probes_stop(c);
    c->ready = false;
    pod_event(c->pod, c, false, "Killing", "%s", why);
    int64_t until = now_ms() + grace_ms;
    run_pre_stop(c, until);
    /* However long the hook took, the signal has two seconds to work. */
    if (grace_ms > 0 && until - now_ms() < MIN_GRACE_MS)
        until = now_ms() + MIN_GRACE_MS;
    runtime_kill(&c->pod->agent->runtime, c->now.id, grace_ms > 0 ? stop_signal(c) : SIGKILL);
    if (!wait_end(c, until))
        container_kill_wait(c, KILL_WAIT_MS);
}

/* --- all of a pod --- */

struct stop {
    struct container *c;
    int64_t grace_ms;
    pthread_t thread;
    bool threaded;
};

static void *stop_one(void *arg)
{
    struct stop *s = arg;
    char why[300];
    snprintf(why, sizeof(why), "Stopping container %s", s->c->name);
    container_stop(s->c, s->grace_ms, why);
    return NULL;
}

/* Hooks may take their time: each container that has one is stopped by a thread of its own. */
static void stop_kind(struct pod *p, enum container_kind kind, int64_t grace_ms)
{
    struct stop *stops = mem_realloc_array(NULL, p->count + 1, sizeof(*stops));
    pthread_attr_t attr;
    size_t n = 0;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 128 * 1024);
    for (size_t i = 0; i < p->count; i++)
        if (p->containers[i].running && p->containers[i].kind == kind)
            stops[n++] = (struct stop){.c = &p->containers[i], .grace_ms = grace_ms};
    for (size_t i = 1; i < n; i++)
        stops[i].threaded = pthread_create(&stops[i].thread, &attr, stop_one, &stops[i]) == 0;
    for (size_t i = 0; i < n; i++)
        if (!stops[i].threaded)
            stop_one(&stops[i]);
    for (size_t i = 0; i < n; i++)
        if (stops[i].threaded)
            pthread_join(stops[i].thread, NULL);
    pthread_attr_destroy(&attr);
    free(stops);
}

/* Sidecars outlive what they serve, and end in the reverse order of their start. */
void pod_stop_containers(struct pod *p, int64_t grace_ms, bool main_only)
{
    int64_t until = now_ms() + grace_ms;
    stop_kind(p, CONTAINER_MAIN, grace_ms);
    stop_kind(p, CONTAINER_INIT, grace_ms);
    for (size_t i = p->count; !main_only && i-- > 0;) {
        struct container *c = &p->containers[i];
        int64_t left = until - now_ms();
        char why[300];
        snprintf(why, sizeof(why), "Stopping container %s", c->name);
        if (c->kind == CONTAINER_SIDECAR)
            container_stop(c, grace_ms > 0 && left < MIN_GRACE_MS ? MIN_GRACE_MS : left, why);
    }
}

static void delete_object(struct pod *p)
{
    struct doc d = {0};
    struct err err = {0};
    val *options = val_new_obj(&d);
    val_set_z(&d, options, "kind", "DeleteOptions");
    val_set_z(&d, options, "apiVersion", "v1");
    val_set_int(&d, options, "gracePeriodSeconds", 0);
    val_set_z(&d, val_ensure_obj(&d, options, "preconditions"), "uid", p->uid);
    for (int i = 0; i < 600 && !p->agent->stopping; i++) {
        if (client_delete(p->agent->client, &RES_PODS, p->ns, p->name, options, &err) == 0 ||
            err.code == 404 || err.code == 409)
            break;
        log_warn("node", "pod not deleted", "pod", p->name, "error", err.message);
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
    }
    doc_done(&d);
}

static void forget(struct pod *p)
{
    struct buf logs = {0};
    for (size_t i = 0; i < p->count; i++) {
        struct container *c = &p->containers[i];
        if (c->now.id[0])
            runtime_remove(&p->agent->runtime, c->now.id);
        if (c->last.id[0])
            runtime_remove(&p->agent->runtime, c->last.id);
    }
    volumes_teardown(p);
    pod_release(p);
    file_remove_tree(p->dir, NULL);
    buf_printf(&logs, "%s/logs/%s_%s_%s", p->agent->data_dir, p->ns, p->name, p->uid);
    file_remove_tree(logs.p, NULL);
    buf_done(&logs);
}

void pod_finish(struct pod *p)
{
    const val *meta = val_get(p->object, "metadata"),
              *grace = val_get(meta, "deletionGracePeriodSeconds");
    int64_t ms = (grace ? val_int(grace) : 30) * 1000;
    bool had_any = false, failed = false;
    pod_stop_containers(p, pod_gone(p) ? MIN_GRACE_MS : ms, false);
    for (size_t i = 0; i < p->count; i++) {
        const struct container *c = &p->containers[i];
        had_any |= c->now.id[0] != '\0';
        failed |= c->kind == CONTAINER_MAIN && container_exited(c) && c->now.exit.code;
    }
    if (had_any && strcmp(p->phase, "Pending"))
        p->phase = failed ? "Failed" : "Succeeded";
    pod_release(p);
    pod_report(p);
    forget(p);
    if (!pod_gone(p))
        delete_object(p);
    p->finished = true;
}

/* --- the end of a log --- */

void container_log_tail(const char *path, size_t lines, size_t bytes, struct buf *b)
{
    struct buf text = {0};
    size_t from, found = 0;
    if (file_read(path, 64 << 20, &text, NULL))
        return;
    for (from = text.n; from > 0; from--)
        if (text.p[from - 1] == '\n' && from < text.n && ++found == lines)
            break;
    struct str rest = str_from(buf_str(&text), from), line;
    struct buf plain = {0};
    while (str_next(&rest, '\n', &line)) {
        struct str time, stream, tag;
        if (!str_cut(line, ' ', &time, &line) || !str_cut(line, ' ', &stream, &line) ||
            !str_cut(line, ' ', &tag, &line))
            continue;
        buf_put(&plain, line);
        if (str_is(tag, "F"))
            buf_putc(&plain, '\n');
    }
    buf_put(b, str_from(buf_str(&plain), plain.n > bytes ? plain.n - bytes : 0));
    buf_done(&plain);
    buf_done(&text);
}
