/* tutti simulate: nodes that pretend to run their pods, many in one small process.
 *
 * A pod that is bound to one of the nodes is reported Running and Ready after --start-ms, one that
 * is being deleted goes at once. A pod that shall end says so in annotations:
 *
 *     simulate.tutti.dev/outcome: succeed | fail
 *     simulate.tutti.dev/after: 5s         from its start (Go duration; default 1s)
 *     simulate.tutti.dev/exit-code: "3"    of a failing pod (default 1)
 *
 * What is to be done is a job with a due time in one heap; a few threads take the jobs and wait for
 * the answers, so that as many calls are under way as there are threads. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/map.h"
#include "cli/cli.h"
#include "client/cache.h"
#include "doc/time.h"

enum {
    THREADS = 32,
    STACK = 256 * 1024,
    MAX_NODES = 50000,
    ADDRESSES = 1024, /* a node's pods have one each */
    LEASE_S = 40,
    RENEW_MS = 10000,
    AGAIN_MS = 500, /* after a call that failed */
    MAX_TRIES = 20,
};

#define NOTE_OUTCOME "simulate.tutti.dev/outcome"
#define NOTE_AFTER "simulate.tutti.dev/after"
#define NOTE_EXIT "simulate.tutti.dev/exit-code"

struct fake_node {
    char name[64];
    uint32_t at;
    bool registered;
    uint64_t taken[ADDRESSES / 64]; /* addresses in use */
    unsigned next;
};

enum task { TASK_REGISTER, TASK_STATUS, TASK_RENEW, TASK_START, TASK_READY, TASK_END, TASK_REMOVE };

struct job {
    int64_t due;
    enum task task;
    struct fake_node *node;
    struct obj *pod;
    int tries;
};

struct sim {
    struct client *client;
    struct world *world;
    const char *prefix, *cpu, *memory;
    int64_t start_ms, pods_per_node;
    struct fake_node *nodes;
    size_t node_count;
    struct map by_name;
    struct map begun; /* uid of a pod -> itself, while a start is due or done */
    pthread_mutex_t lock;
    pthread_cond_t wake, ready;
    struct job *heap;
    size_t heap_n, heap_cap, registered;
    struct cache *pods, *node_cache;
    pthread_t threads[THREADS];
    size_t thread_count;
    bool stop;
};

/* --- jobs --- */

static void job_add(struct sim *s, struct job j)
{
    pthread_mutex_lock(&s->lock);
    if (s->heap_n == s->heap_cap) {
        s->heap_cap = s->heap_cap ? 2 * s->heap_cap : 256;
        s->heap = mem_realloc_array(s->heap, s->heap_cap, sizeof *s->heap);
    }
    size_t at = s->heap_n++;
    for (; at > 0 && s->heap[(at - 1) / 2].due > j.due; at = (at - 1) / 2)
        s->heap[at] = s->heap[(at - 1) / 2];
    s->heap[at] = j;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

static struct job heap_pop(struct sim *s)
{
    struct job top = s->heap[0], last = s->heap[--s->heap_n];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < s->heap_n; at = child) {
        if (child + 1 < s->heap_n && s->heap[child + 1].due < s->heap[child].due)
            child++;
        if (s->heap[child].due >= last.due)
            break;
        s->heap[at] = s->heap[child];
    }
    s->heap[at] = last;
    return top;
}

static void sleep_until_due(struct sim *s, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&s->wake, &s->lock, &until);
}

static bool job_take(struct sim *s, struct job *ret)
{
    pthread_mutex_lock(&s->lock);
    while (!s->stop) {
        int64_t wait = s->heap_n ? s->heap[0].due - mono_ms(s->world) : 1000;
        if (s->heap_n && wait <= 0) {
            *ret = heap_pop(s);
            pthread_mutex_unlock(&s->lock);
            return true;
        }
        sleep_until_due(s, wait);
    }
    pthread_mutex_unlock(&s->lock);
    return false;
}

/* --- addresses: 1,024 of 10.64.0.0/10 a node --- */

static uint32_t address_take(struct sim *s, struct fake_node *n)
{
    pthread_mutex_lock(&s->lock);
    unsigned i = n->next;
    for (unsigned k = 0; k < ADDRESSES; k++) {
        i = 1 + (n->next + k) % (ADDRESSES - 2);
        if (!(n->taken[i / 64] >> i % 64 & 1))
            break;
    }
    n->taken[i / 64] |= (uint64_t)1 << i % 64;
    n->next = i;
    pthread_mutex_unlock(&s->lock);
    return (10u << 24 | 64u << 16) + n->at % 4096 * ADDRESSES + i;
}

static void address_mark(struct sim *s, struct fake_node *n, struct str text, bool taken)
{
    unsigned a, b, c, d;
    char ip[32];
    snprintf(ip, sizeof ip, "%.*s", STR_ARG(text));
    if (sscanf(ip, "%u.%u.%u.%u", &a, &b, &c, &d) != 4)
        return;
    unsigned i = (c << 8 | d) % ADDRESSES;
    pthread_mutex_lock(&s->lock);
    if (taken)
        n->taken[i / 64] |= (uint64_t)1 << i % 64;
    else
        n->taken[i / 64] &= ~((uint64_t)1 << i % 64);
    pthread_mutex_unlock(&s->lock);
}

static void host_ip(const struct fake_node *n, char ret[32])
{
    snprintf(ret, 32, "10.%u.%u.%u", 32 + (n->at >> 16 & 31), n->at >> 8 & 255, n->at & 255);
}

/* --- documents --- */

static void set_now(struct sim *s, struct doc *d, val *obj, const char *key)
{
    char text[TIME_TEXT];
    time_write(wall_ns(s->world), text);
    val_set_z(d, obj, key, text);
}

static void push_condition(struct sim *s, struct doc *d, val *list, const char *type,
                           const char *status, const char *reason)
{
    val *c = val_new_obj(d);
    val_set_z(d, c, "type", type);
    val_set_z(d, c, "status", status);
    if (reason)
        val_set_z(d, c, "reason", reason);
    set_now(s, d, c, "lastTransitionTime");
    val_push(list, c);
}

static val *node_status(struct sim *s, struct doc *d, const struct fake_node *n)
{
    static const char *const fine[][3] = {
        {"MemoryPressure", "False", "KubeletHasSufficientMemory"},
        {"DiskPressure", "False", "KubeletHasNoDiskPressure"},
        {"PIDPressure", "False", "KubeletHasSufficientPID"},
        {"Ready", "True", "KubeletReady"},
    };
    val *status = val_new_obj(d), *conditions = val_ensure_arr(d, status, "conditions");
    for (size_t i = 0; i < ARRAY_LEN(fine); i++)
        push_condition(s, d, conditions, fine[i][0], fine[i][1], fine[i][2]);
    VAL_FOR (conditions, c)
        set_now(s, d, c, "lastHeartbeatTime");
    val *capacity = val_ensure_obj(d, status, "capacity");
    val_set_z(d, capacity, "cpu", s->cpu);
    val_set_z(d, capacity, "memory", s->memory);
    val_set_z(d, capacity, "ephemeral-storage", "1Ti");
    val_set(d, capacity, "pods", val_new_strf(d, "%lld", (long long)s->pods_per_node));
    val_set(d, status, "allocatable", val_copy(d, capacity));
    char ip[32];
    host_ip(n, ip);
    for (int i = 0; i < 2; i++) {
        val *a = val_new_obj(d);
        val_set_z(d, a, "type", i == 0 ? "InternalIP" : "Hostname");
        val_set_z(d, a, "address", i == 0 ? ip : n->name);
        val_push(val_ensure_arr(d, status, "addresses"), a);
    }
    val *info = val_ensure_obj(d, status, "nodeInfo");
    static const char *const words[][2] = {
        {"architecture", "amd64"},    {"containerRuntimeVersion", "simulated"},
        {"operatingSystem", "linux"}, {"kubeletVersion", "v1.34.4-tutti"},
        {"osImage", "simulated"},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        val_set_z(d, info, words[i][0], words[i][1]);
    return status;
}

static val *node_object(struct sim *s, struct doc *d, const struct fake_node *n)
{
    val *o = val_new_obj(d), *meta = val_ensure_obj(d, o, "metadata");
    val_set_z(d, o, "apiVersion", "v1");
    val_set_z(d, o, "kind", "Node");
    val_set_z(d, meta, "name", n->name);
    val *labels = val_ensure_obj(d, meta, "labels");
    val_set_z(d, labels, "kubernetes.io/hostname", n->name);
    val_set_z(d, labels, "kubernetes.io/os", "linux");
    val_set_z(d, labels, "kubernetes.io/arch", "amd64");
    val_set_z(d, labels, "type", "simulated");
    val_set(d, o, "status", node_status(s, d, n));
    return o;
}

static val *lease_object(struct sim *s, struct doc *d, const struct fake_node *n, bool whole)
{
    char now[TIME_TEXT];
    time_write_micro(wall_ns(s->world), now);
    val *o = val_new_obj(d);
    if (whole) {
        val_set_z(d, o, "apiVersion", "coordination.k8s.io/v1");
        val_set_z(d, o, "kind", "Lease");
        val *meta = val_ensure_obj(d, o, "metadata");
        val_set_z(d, meta, "name", n->name);
        val_set_z(d, meta, "namespace", "kube-node-lease");
    }
    val *spec = val_ensure_obj(d, o, "spec");
    val_set_z(d, spec, "renewTime", now);
    if (whole) {
        val_set_z(d, spec, "holderIdentity", n->name);
        val_set_int(d, spec, "leaseDurationSeconds", LEASE_S);
    }
    return o;
}

static void container_state(struct sim *s, struct doc *d, val *c, const char *end, int64_t code)
{
    val *state = val_ensure_obj(d, c, "state");
    if (!end) {
        set_now(s, d, val_ensure_obj(d, state, "running"), "startedAt");
        return;
    }
    val *t = val_ensure_obj(d, state, "terminated");
    val_set_int(d, t, "exitCode", code);
    val_set_z(d, t, "reason", end);
    set_now(s, d, t, "startedAt");
    set_now(s, d, t, "finishedAt");
}

/* The containers as a kubelet reports them; end: NULL while they run, else the reason. */
static val *container_statuses(struct sim *s, struct doc *d, const val *pod, const char *end,
                               int64_t code)
{
    val *list = val_new_arr(d);
    VAL_FOR (VAL_PATH(pod, "spec", "containers"), from) {
        val *c = val_new_obj(d);
        val_set_s(d, c, "name", VAL_STR(from, "name"));
        container_state(s, d, c, end, code);
        val_set_bool(d, c, "ready", !end);
        val_set_int(d, c, "restartCount", 0);
        val_set_s(d, c, "image", VAL_STR(from, "image"));
        val_set_s(d, c, "imageID", VAL_STR(from, "image"));
        val_set(d, c, "containerID",
                val_new_strf(d, "simulated://%.*s/%.*s", STR_ARG(VAL_STR(pod, "metadata", "uid")),
                             STR_ARG(VAL_STR(from, "name"))));
        val_set_bool(d, c, "started", !end);
        val_push(list, c);
    }
    return list;
}

/* A patch with the pod's conditions; end: NULL while it runs. */
static val *pod_conditions(struct sim *s, struct doc *d, const val *pod, const char *end,
                           int64_t code)
{
    val *patch = val_new_obj(d);
    val_set_s(d, val_ensure_obj(d, patch, "metadata"), "uid", VAL_STR(pod, "metadata", "uid"));
    val *status = val_ensure_obj(d, patch, "status");
    val *conditions = val_ensure_arr(d, status, "conditions");
    const char *why = !end ? NULL : code ? "PodFailed" : "PodCompleted";
    push_condition(s, d, conditions, "PodReadyToStartContainers", end ? "False" : "True", NULL);
    push_condition(s, d, conditions, "Initialized", "True", NULL);
    push_condition(s, d, conditions, "Ready", end ? "False" : "True", why);
    push_condition(s, d, conditions, "ContainersReady", end ? "False" : "True", why);
    push_condition(s, d, conditions, "PodScheduled", "True", NULL);
    return patch;
}

static val *pod_status(struct sim *s, struct doc *d, const val *pod, const char *phase,
                       const char *end, int64_t code)
{
    val *patch = pod_conditions(s, d, pod, end, code), *status = val_get(patch, "status");
    val_set_z(d, status, "phase", phase);
    val_set(d, status, "containerStatuses", container_statuses(s, d, pod, end, code));
    return patch;
}

/* --- the tasks; 0, or -1 when it has to be tried again --- */

static int done_or_gone(int failed, const struct err *err)
{
    return failed && err->code != 404 && err->code != 409 ? -1 : 0;
}

static int patch_node(struct sim *s, struct fake_node *n, struct err *err)
{
    struct doc d = {0};
    doc_init(&d);
    val *patch = val_new_obj(&d);
    val_set(&d, patch, "status", node_status(s, &d, n));
    int failed = client_patch(s->client, &RES_NODES, NULL, n->name, "status", CLIENT_PATCH_MERGE,
                              patch, &d, NULL, err);
    doc_done(&d);
    return failed;
}

static int renew(struct sim *s, struct fake_node *n, struct err *err)
{
    struct doc d = {0};
    doc_init(&d);
    int failed = client_patch(s->client, &RES_LEASES, "kube-node-lease", n->name, NULL,
                              CLIENT_PATCH_MERGE, lease_object(s, &d, n, false), &d, NULL, err);
    if (failed && err->code == 404)
        failed = client_create(s->client, &RES_LEASES, "kube-node-lease",
                               lease_object(s, &d, n, true), &d, NULL, err);
    doc_done(&d);
    return failed;
}

static int register_node(struct sim *s, struct fake_node *n, struct err *err)
{
    struct doc d = {0};
    doc_init(&d);
    int failed = client_create(s->client, &RES_NODES, NULL, node_object(s, &d, n), &d, NULL, err);
    doc_done(&d);
    if (failed && err->code != 409)
        return -1;
    if (patch_node(s, n, err) < 0 || renew(s, n, err) < 0)
        return -1;
    pthread_mutex_lock(&s->lock);
    s->registered += !n->registered;
    n->registered = true;
    pthread_cond_signal(&s->ready);
    pthread_mutex_unlock(&s->lock);
    job_add(s, (struct job){.due = mono_ms(s->world) + RENEW_MS, .task = TASK_RENEW, .node = n});
    return 0;
}

static void pod_names(const struct obj *pod, char ns[256], char name[256])
{
    snprintf(ns, 256, "%.*s", STR_ARG(obj_ns(pod)));
    snprintf(name, 256, "%.*s", STR_ARG(obj_name(pod)));
}

static int patch_pod(struct sim *s, struct obj *pod, val *patch, struct doc *d, struct err *err)
{
    char ns[256], name[256];
    pod_names(pod, ns, name);
    return client_patch(s->client, &RES_PODS, ns, name, "status", CLIENT_PATCH_MERGE, patch, d,
                        NULL, err);
}

static struct str note(const val *pod, const char *name)
{
    return VAL_STR(pod, "metadata", "annotations", name);
}

static void plan_end(struct sim *s, struct fake_node *n, struct obj *o, const val *pod)
{
    int64_t ns = 1000000000;
    if (!note(pod, NOTE_OUTCOME).n)
        return;
    if (note(pod, NOTE_AFTER).n)
        duration_parse(note(pod, NOTE_AFTER), &ns, NULL);
    job_add(s, (struct job){.due = mono_ms(s->world) + ns / 1000000,
                            .task = TASK_END,
                            .node = n,
                            .pod = obj_ref(o)});
}

static int start_pod(struct sim *s, struct fake_node *n, struct obj *o, struct err *err)
{
    struct doc d = {0};
    doc_init(&d);
    val *pod = obj_parse(o, &d);
    val *patch = pod_status(s, &d, pod, "Running", NULL, 0), *status = val_get(patch, "status");
    uint32_t ip = address_take(s, n);
    char text[32];
    host_ip(n, text);
    val_set_z(&d, status, "hostIP", text);
    val *host = val_new_obj(&d);
    val_set_z(&d, host, "ip", text);
    val_push(val_ensure_arr(&d, status, "hostIPs"), host);
    snprintf(text, sizeof text, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
    val_set_z(&d, status, "podIP", text);
    val *own = val_new_obj(&d);
    val_set_z(&d, own, "ip", text);
    val_push(val_ensure_arr(&d, status, "podIPs"), own);
    set_now(s, &d, status, "startTime");
    int failed = patch_pod(s, o, patch, &d, err);
    if (failed)
        address_mark(s, n, str_of(text), false);
    else
        plan_end(s, n, o, pod);
    doc_done(&d);
    return done_or_gone(failed, err);
}

static val *end_status(struct sim *s, struct doc *d, const val *pod)
{
    bool fails = str_is(note(pod, NOTE_OUTCOME), "fail");
    int64_t code = fails ? 1 : 0;
    if (fails)
        str_to_i64(note(pod, NOTE_EXIT), &code);
    return pod_status(s, d, pod, fails ? "Failed" : "Succeeded", fails ? "Error" : "Completed",
                      code);
}

static int report_pod(struct sim *s, struct obj *o, bool end, struct err *err)
{
    struct doc d = {0};
    doc_init(&d);
    val *pod = obj_parse(o, &d);
    val *patch = end ? end_status(s, &d, pod) : pod_conditions(s, &d, pod, NULL, 0);
    int failed = patch_pod(s, o, patch, &d, err);
    doc_done(&d);
    return done_or_gone(failed, err);
}

static int remove_pod(struct sim *s, struct obj *o, struct err *err)
{
    struct doc d = {0};
    doc_init(&d);
    val *options = val_new_obj(&d);
    val_set_z(&d, options, "apiVersion", "v1");
    val_set_z(&d, options, "kind", "DeleteOptions");
    val_set_int(&d, options, "gracePeriodSeconds", 0);
    val_set_s(&d, val_ensure_obj(&d, options, "preconditions"), "uid", obj_uid(o));
    char ns[256], name[256];
    pod_names(o, ns, name);
    int failed = client_delete(s->client, &RES_PODS, ns, name, options, err);
    doc_done(&d);
    return done_or_gone(failed, err);
}

static int perform(struct sim *s, const struct job *j, struct err *err)
{
    switch (j->task) {
    case TASK_REGISTER:
        return register_node(s, j->node, err);
    case TASK_STATUS:
        return done_or_gone(patch_node(s, j->node, err), err);
    case TASK_RENEW:
        renew(s, j->node, err);
        job_add(s, (struct job){
                       .due = mono_ms(s->world) + RENEW_MS, .task = TASK_RENEW, .node = j->node});
        return 0;
    case TASK_START:
        return start_pod(s, j->node, j->pod, err);
    case TASK_READY:
    case TASK_END:
        return report_pod(s, j->pod, j->task == TASK_END, err);
    case TASK_REMOVE:
        return remove_pod(s, j->pod, err);
    }
    return 0;
}

static void *work(void *arg)
{
    struct sim *s = arg;
    for (struct job j; job_take(s, &j);) {
        struct err err = {0};
        if (perform(s, &j, &err) < 0 && (++j.tries < MAX_TRIES || j.task == TASK_REGISTER)) {
            if (j.tries == 1)
                log_warn("simulate", "call failed, trying again", "node",
                         j.node ? j.node->name : "", "error", err.message);
            j.due = mono_ms(s->world) + AGAIN_MS;
            job_add(s, j);
            continue;
        }
        obj_unref(j.pod);
    }
    return NULL;
}

/* --- watching --- */

/* Answers whether this is the first time that the pod is seen to need it. */
static bool begin_once(struct sim *s, struct str uid)
{
    pthread_mutex_lock(&s->lock);
    bool first = !map_get(&s->begun, uid);
    if (first)
        map_set(&s->begun, uid, s);
    pthread_mutex_unlock(&s->lock);
    return first;
}

static void pod_gone(struct sim *s, struct fake_node *n, struct obj *o, const val *pod)
{
    if (VAL_STR(pod, "status", "podIP").n)
        address_mark(s, n, VAL_STR(pod, "status", "podIP"), false);
    pthread_mutex_lock(&s->lock);
    map_del(&s->begun, obj_uid(o));
    pthread_mutex_unlock(&s->lock);
}

static bool is_ready(const val *pod)
{
    VAL_FOR (VAL_PATH(pod, "status", "conditions"), c)
        if (str_is(VAL_STR(c, "type"), "Ready"))
            return str_is(VAL_STR(c, "status"), "True");
    return false;
}

static void pod_seen(struct sim *s, struct fake_node *n, struct obj *old, struct obj *o,
                     const val *pod)
{
    struct str ip = VAL_STR(pod, "status", "podIP");
    if (ip.n)
        address_mark(s, n, ip, true);
    struct job j = {.due = mono_ms(s->world), .node = n};
    if (!val_is_null(VAL_PATH(pod, "metadata", "deletionTimestamp"))) {
        j.task = TASK_REMOVE;
    } else if (str_is(VAL_STR(pod, "status", "phase"), "Running")) {
        if (!old) /* it was started by a simulator before this one */
            plan_end(s, n, o, pod);
        if (is_ready(pod))
            return;
        j.task = TASK_READY; /* the node was found silent in between */
    } else if (!ip.n && str_is(VAL_STR(pod, "status", "phase"), "Pending") &&
               begin_once(s, obj_uid(o))) {
        j.task = TASK_START;
        j.due += s->start_ms;
    } else {
        return;
    }
    j.pod = obj_ref(o);
    job_add(s, j);
}

static void on_pod(void *arg, enum cache_change change, struct obj *old, struct obj *now)
{
    (void)change;
    struct sim *s = arg;
    struct doc d = {0};
    val *pod = obj_parse(now ? now : old, &d);
    struct fake_node *n = map_get(&s->by_name, VAL_STR(pod, "spec", "nodeName"));
    if (n && now)
        pod_seen(s, n, old, now, pod);
    else if (n)
        pod_gone(s, n, old, pod);
    doc_done(&d);
}

/* A node that was found silent, because this process was, is well again. */
static void on_node(void *arg, enum cache_change change, struct obj *old, struct obj *now)
{
    (void)change;
    (void)old;
    struct sim *s = arg;
    struct fake_node *n = now ? map_get(&s->by_name, obj_name(now)) : NULL;
    if (!n || !n->registered)
        return;
    struct doc d = {0};
    val *node = obj_parse(now, &d);
    VAL_FOR (VAL_PATH(node, "status", "conditions"), c)
        if (str_is(VAL_STR(c, "type"), "Ready") && !str_is(VAL_STR(c, "status"), "True"))
            job_add(s, (struct job){.due = mono_ms(s->world), .task = TASK_STATUS, .node = n});
    doc_done(&d);
}

/* --- starting and stopping --- */

static void make_nodes(struct sim *s)
{
    s->nodes = mem_zalloc(s->node_count * sizeof *s->nodes);
    int64_t now = mono_ms(s->world);
    for (size_t i = 0; i < s->node_count; i++) {
        struct fake_node *n = &s->nodes[i];
        n->at = (uint32_t)i;
        snprintf(n->name, sizeof n->name, "%s%zu", s->prefix, i);
        map_set(&s->by_name, str_of(n->name), n);
        job_add(s, (struct job){.due = now, .task = TASK_REGISTER, .node = n});
    }
}

static int start(struct sim *s, struct err *err)
{
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    for (size_t i = 0; i < THREADS; i++)
        if (pthread_create(&s->threads[s->thread_count], &attr, work, s) == 0)
            s->thread_count++;
    pthread_attr_destroy(&attr);
    pthread_mutex_lock(&s->lock);
    while (s->registered < s->node_count && !s->stop)
        pthread_cond_wait(&s->ready, &s->lock);
    pthread_mutex_unlock(&s->lock);
    const struct cache_config pods = {
        .resource = &RES_PODS, .field_selector = "spec.nodeName!=", .handler = on_pod, .arg = s};
    const struct cache_config nodes = {
        .resource = &RES_NODES, .label_selector = "type=simulated", .handler = on_node, .arg = s};
    if (cache_new(s->client, &pods, &s->pods, err) < 0 ||
        cache_new(s->client, &nodes, &s->node_cache, err) < 0)
        return -1;
    cache_start(s->pods);
    cache_start(s->node_cache);
    return 0;
}

static void stop(struct sim *s)
{
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < s->thread_count; i++)
        pthread_join(s->threads[i], NULL);
    if (s->pods)
        cache_free(s->pods);
    if (s->node_cache)
        cache_free(s->node_cache);
    for (size_t i = 0; i < s->heap_n; i++)
        obj_unref(s->heap[i].pod);
    free(s->heap);
    free(s->nodes);
    map_done(&s->by_name);
    map_done(&s->begun);
    client_free(s->client);
}

/* --- where the server is --- */

/* Files that a kubeconfig names beside itself, for a copy that lies elsewhere. */
static void make_absolute(struct doc *d, val *of, const char *key, const char *path)
{
    struct str file = VAL_STR(of, key);
    const char *slash = strrchr(path, '/');
    if (!file.n || file.p[0] == '/' || !slash)
        return;
    val_set(d, of, key, val_new_strf(d, "%.*s/%.*s", (int)(slash - path), path, STR_ARG(file)));
}

static void point_at(struct doc *d, val *config, const char *server, const char *path)
{
    VAL_FOR (val_get(config, "clusters"), c) {
        val *cluster = val_get(c, "cluster");
        val_set_z(d, cluster, "server", server);
        make_absolute(d, cluster, "certificate-authority", path);
    }
    VAL_FOR (val_get(config, "users"), u) {
        make_absolute(d, val_get(u, "user"), "client-certificate", path);
        make_absolute(d, val_get(u, "user"), "client-key", path);
        make_absolute(d, val_get(u, "user"), "tokenFile", path);
    }
}

/* A copy of the kubeconfig with another server, in memory. */
static int connect_to(const char *server, const char *path, struct client **ret, struct err *err)
{
    struct buf text = {0}, out = {0};
    struct doc d = {0};
    val *config;
    int fd = -1, failed = -1;
    if (file_read(path, 1 << 20, &text, err) < 0 ||
        doc_parse_yaml(&d, buf_str(&text), &config, err) < 0)
        goto out;
    point_at(&d, config, server, path);
    val_write_json(config, &out);
    fd = memfd_create("kubeconfig", MFD_CLOEXEC);
    if (fd < 0 || write(fd, out.p, out.n) != (ssize_t)out.n) {
        err_errno(err, "copying %s", path);
        goto out;
    }
    char copy[64];
    snprintf(copy, sizeof copy, "/proc/self/fd/%d", fd);
    failed = client_from_kubeconfig(copy, ret, err);
out:
    if (fd >= 0)
        close(fd);
    buf_done(&text);
    buf_done(&out);
    doc_done(&d);
    return failed;
}

static bool number(const char *name, const char *text, int64_t least, int64_t most, int64_t *ret)
{
    if (str_to_i64(str_of(text), ret) && *ret >= least && *ret <= most)
        return true;
    fprintf(stderr, "tutti simulate: --%s: \"%s\" is no number from %lld to %lld\n", name, text,
            (long long)least, (long long)most);
    return false;
}

static int run(struct sim *s)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* the threads inherit it: only sigwait sees them */
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_cond_init(&s->ready, NULL);
    pthread_mutex_init(&s->lock, NULL);
    make_nodes(s);
    struct err err = {0};
    if (start(s, &err) < 0) {
        stop(s);
        return cli_fail("simulate", &err);
    }
    printf("%zu nodes simulated\n", s->node_count);
    fflush(stdout);
    int signal_number;
    sigwait(&set, &signal_number);
    stop(s);
    return 0;
}

int cmd_simulate(int argc, char **argv)
{
    struct sim s = {.world = world_real(), .prefix = "fake-", .cpu = "64", .memory = "256Gi"};
    const char *server = NULL, *kubeconfig = getenv("KUBECONFIG");
    const char *nodes = "1", *start_ms = "0", *pods = "250";
    const struct cli_option options[] = {
        {"nodes", &nodes, NULL, "N", "how many nodes (1)"},
        {"server", &server, NULL, "URL", "the server (the kubeconfig's)"},
        {"kubeconfig", &kubeconfig, NULL, "FILE",
         "credentials ($KUBECONFIG, " CLI_DEFAULT_DATA_DIR "/admin.kubeconfig)"},
        {"start-ms", &start_ms, NULL, "M", "how long a pod takes to start (0)"},
        {"pods-per-node", &pods, NULL, "N", "a node's capacity (250)"},
        {"cpu", &s.cpu, NULL, "QUANTITY", "a node's processors (64)"},
        {"memory", &s.memory, NULL, "QUANTITY", "a node's memory (256Gi)"},
        {"prefix", &s.prefix, NULL, "TEXT", "the nodes' names are PREFIX0, PREFIX1, … (fake-)"},
        {0},
    };
    int rest;
    int parsed = cli_parse("simulate", options, argc, argv, &rest);
    if (parsed)
        return parsed < 0 ? 2 : 0;
    int64_t count;
    if (!number("nodes", nodes, 1, MAX_NODES, &count) ||
        !number("start-ms", start_ms, 0, 3600000, &s.start_ms) ||
        !number("pods-per-node", pods, 1, ADDRESSES - 2, &s.pods_per_node))
        return 2;
    if (strlen(s.prefix) > 48) {
        fputs("tutti simulate: --prefix: at most 48 characters\n", stderr);
        return 2;
    }
    s.node_count = (size_t)count;
    if (!kubeconfig)
        kubeconfig = CLI_DEFAULT_DATA_DIR "/admin.kubeconfig";
    struct err err = {0};
    int failed = server ? connect_to(server, kubeconfig, &s.client, &err)
                        : client_from_kubeconfig(kubeconfig, &s.client, &err);
    return failed ? cli_fail("simulate", &err) : run(&s);
}
