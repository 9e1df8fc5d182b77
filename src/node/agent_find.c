/* The agent's answers to the HTTP server of the node (streams.h). They come from the cache of pods
 * and from the containers' folders, so that no pod's thread is asked. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "node/pod.h"
#include "node/shim/shim.h"

static struct obj *find_object(struct agent *a, const char *ns, const char *pod, const char *uid,
                               struct err *err)
{
    struct buf key = {0};
    buf_printf(&key, "%s/%s", ns, pod);
    struct obj *o = cache_get(a->pods, buf_str(&key));
    buf_done(&key);
    if (o && uid && *uid && !str_is(obj_uid(o), uid)) {
        obj_unref(o);
        o = NULL;
    }
    if (!o)
        err_set(err, 404, "NotFound", "pods \"%s\" not found", pod);
    return o;
}

int agent_find_pod(struct agent *a, const char *ns, const char *pod, const char *uid,
                   struct streams_pod *ret, struct err *err)
{
    struct doc d = {0};
    struct obj *o = find_object(a, ns, pod, uid, err);
    if (!o)
        return -1;
    *ret = (struct streams_pod){0};
    val *object = obj_parse(o, &d);
    ret->host_network = VAL_BOOL(object, "spec", "hostNetwork");
    snprintf(ret->uid, sizeof(ret->uid), "%.*s", STR_ARG(obj_uid(o)));
    if (!ret->host_network)
        snprintf(ret->netns, sizeof(ret->netns), "%s/pods/%s/ns/net", a->data_dir, ret->uid);
    doc_done(&d);
    obj_unref(o);
    return 0;
}

/* The newest two runs of a container. */
struct found {
    struct str uid, name;
    char id[RUNTIME_ID];
    int attempt, previous; /* -1: none */
};

static void look_at(void *arg, const char *id, const val *meta)
{
    struct found *f = arg;
    int attempt = (int)VAL_INT(meta, "attempt");
    if (!str_eq(VAL_STR(meta, "podUID"), f->uid) || !str_eq(VAL_STR(meta, "name"), f->name))
        return;
    if (attempt < f->attempt) {
        f->previous = attempt > f->previous ? attempt : f->previous;
        return;
    }
    f->previous = f->attempt;
    f->attempt = attempt;
    snprintf(f->id, sizeof(f->id), "%s", id);
}

static const val *find_spec(const val *spec, struct str name)
{
    static const char *const lists[] = {"containers", "initContainers"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        VAL_FOR (val_get(spec, lists[i]), c)
            if (str_eq(VAL_STR(c, "name"), name))
                return c;
    return NULL;
}

static void log_name(struct agent *a, const val *object, struct str name, int attempt,
                     char ret[STREAMS_PATH])
{
    const val *meta = val_get(object, "metadata");
    *ret = '\0';
    if (attempt < 0)
        return;
    snprintf(ret, STREAMS_PATH, "%s/logs/%.*s_%.*s_%.*s/%.*s/%d.log", a->data_dir,
             STR_ARG(VAL_STR(meta, "namespace")), STR_ARG(VAL_STR(meta, "name")),
             STR_ARG(VAL_STR(meta, "uid")), STR_ARG(name), attempt);
    if (access(ret, F_OK))
        *ret = '\0';
}

static const char *waiting_reason(const val *object, struct str name, char ret[64])
{
    static const char *const lists[] = {"containerStatuses", "initContainerStatuses"};
    snprintf(ret, 64, "ContainerCreating");
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        VAL_FOR (VAL_PATH(object, "status", lists[i]), s)
            if (str_eq(VAL_STR(s, "name"), name) && VAL_STR(s, "state", "waiting", "reason").n)
                snprintf(ret, 64, "%.*s", STR_ARG(VAL_STR(s, "state", "waiting", "reason")));
    return ret;
}

static int fill(struct agent *a, const val *object, const val *spec, struct streams_container *ret,
                struct err *err)
{
    const val *pod_spec = val_get(object, "spec");
    struct str policy = VAL_STR(pod_spec, "restartPolicy"),
               phase = VAL_STR(object, "status", "phase");
    struct found f = {.uid = VAL_STR(object, "metadata", "uid"),
                      .name = VAL_STR(spec, "name"),
                      .attempt = -1,
                      .previous = -1};
    char why[64];
    *ret = (struct streams_container){.tty = VAL_BOOL(spec, "tty"),
                                      .stdin_open = VAL_BOOL(spec, "stdin")};
    runtime_each(&a->runtime, look_at, &f);
    if (!f.id[0])
        return err_bad(err, "container \"%.*s\" in pod \"%.*s\" is waiting to start: %s",
                       STR_ARG(f.name), STR_ARG(VAL_STR(object, "metadata", "name")),
                       waiting_reason(object, f.name, why));
    snprintf(ret->id, sizeof(ret->id), "%s", f.id);
    log_name(a, object, f.name, f.attempt, ret->log);
    log_name(a, object, f.name, f.previous, ret->previous_log);
    int fd = runtime_connect(&a->runtime, f.id);
    ret->running = fd >= 0;
    if (ret->running) {
        close(fd);
        return 0;
    }
    struct runtime_exit e;
    CLEANUP(mem_freep) char *exit_file = runtime_path(&a->runtime, f.id, "exit");
    if (access(exit_file, F_OK) == 0) {
        runtime_exit(&a->runtime, f.id, &e);
        ret->exit_code = e.code;
    }
    bool init = val_len(val_get(pod_spec, "initContainers")) &&
                !str_is(VAL_STR(spec, "restartPolicy"), "Always") &&
                find_spec(pod_spec, f.name) == spec;
    ret->ended = str_is(phase, "Succeeded") || str_is(phase, "Failed") || str_is(policy, "Never") ||
                 (str_is(policy, "OnFailure") && ret->exit_code == 0) ||
                 (init && ret->exit_code == 0 && str_is(phase, "Running"));
    return 0;
}

int agent_find_container(struct agent *a, const char *ns, const char *pod, const char *container,
                         struct streams_container *ret, struct err *err)
{
    struct doc d = {0};
    struct obj *o = find_object(a, ns, pod, NULL, err);
    if (!o)
        return -1;
    val *object = obj_parse(o, &d);
    struct str name = str_of(container);
    if (!name.n)
        name =
            VAL_STR(object, "metadata", "annotations", "kubectl.kubernetes.io/default-container");
    if (!name.n)
        name = VAL_STR(val_at(VAL_PATH(object, "spec", "containers"), 0), "name");
    const val *spec = find_spec(val_get(object, "spec"), name);
    int failed = spec ? fill(a, object, spec, ret, err)
                      : err_bad(err, "container %.*s is not valid for pod %s", STR_ARG(name), pod);
    doc_done(&d);
    obj_unref(o);
    return failed;
}

int agent_exec_start(struct agent *a, const struct agent_exec *x, pid_t *ret_pid, int *ret_tty,
                     struct err *err)
{
    struct doc d = {0};
    val *process, *args = val_new_arr(&d);
    for (const char *const *word = x->argv; *word; word++)
        val_push(args, val_new_z(&d, *word));
    int failed = runtime_process(&a->runtime, x->id, args, x->tty, &d, &process, err);
    if (!failed) {
        const struct runtime_exec exec = {.id = x->id,
                                          .process = process,
                                          .tty = x->tty,
                                          .fds = {x->stdin_fd, x->stdout_fd, x->stderr_fd}};
        failed = runtime_exec(&a->runtime, &exec, ret_pid, ret_tty, err);
    }
    doc_done(&d);
    return failed;
}

/* The shim answers the request with a packet of its own kind, so that a container that ended in
 * between is noticed. */
int agent_attach_open(struct agent *a, const char *id, int *ret_fd, struct err *err)
{
    enum { ANSWER_MS = 2000 };
    char packet = SHIM_ATTACH;
    int fd = runtime_connect(&a->runtime, id);
    struct pollfd wait = {fd, POLLIN, 0};
    if (fd < 0 || send(fd, &packet, 1, MSG_NOSIGNAL) != 1 || poll(&wait, 1, ANSWER_MS) != 1 ||
        recv(fd, &packet, 1, 0) != 1 || packet != SHIM_ATTACH) {
        if (fd >= 0)
            close(fd);
        return err_set(err, 404, "NotFound", "container %s is not running", id);
    }
    *ret_fd = fd;
    return 0;
}

void agent_list_pods(struct agent *a, struct buf *b)
{
    struct obj **objs = NULL;
    size_t n = cache_all(a->pods, &objs);
    buf_puts(b, "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[");
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_putc(b, ',');
        buf_put(b, bytes_str(obj_json(objs[i])));
    }
    buf_puts(b, "]}");
    obj_unref_all(objs, n);
}
