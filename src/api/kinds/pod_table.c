/* A pod's line in kubectl get: upstream's printPod. */
#include "api/kinds/kinds.h"

const struct schema_column pod_columns[] = {
    COLUMN_NAME,
    COLUMN("Ready"),
    COLUMN("Status"),
    COLUMN("Restarts"),
    COLUMN_AGE,
    COLUMN_WIDE("IP"),
    COLUMN_WIDE("Node"),
    COLUMN_WIDE("Nominated Node"),
    COLUMN_WIDE("Readiness Gates"),
    COLUMN_END,
};

struct summary {
    struct arena *arena;
    struct str reason;
    int64_t restarts, total, ready;
    struct str last_restart; /* RFC 3339 texts in UTC compare as times do */
};

static const val *find_container(const val *list, struct str name)
{
    VAL_FOR (list, container) {
        if (str_eq(VAL_STR(container, "name"), name))
            return container;
    }
    return NULL;
}

static bool is_sidecar(const val *container)
{
    return str_is(VAL_STR(container, "restartPolicy"), "Always");
}

static void count_restart(const val *status, int64_t *restarts, struct str *last)
{
    struct str at = VAL_STR(status, "lastState", "terminated", "finishedAt");
    *restarts += VAL_INT(status, "restartCount");
    if (str_cmp(*last, at) < 0)
        *last = at;
}

static struct str ended_reason(struct arena *a, const char *prefix, const val *terminated)
{
    struct str reason = VAL_STR(terminated, "reason");
    if (reason.n)
        return arena_printf(a, "%s%.*s", prefix, STR_ARG(reason));
    if (VAL_INT(terminated, "signal"))
        return arena_printf(a, "%sSignal:%lld", prefix, (long long)VAL_INT(terminated, "signal"));
    return arena_printf(a, "%sExitCode:%lld", prefix, (long long)VAL_INT(terminated, "exitCode"));
}

/* Goes through the init containers up to the one that is still at work; false when all are done. */
static bool sum_init(struct summary *s, const val *pod, int64_t *sidecar_restarts,
                     struct str *sidecar_last)
{
    const val *specs = VAL_PATH(pod, "spec", "initContainers");
    size_t i = 0;
    VAL_FOR (VAL_PATH(pod, "status", "initContainerStatuses"), status) {
        bool sidecar = is_sidecar(find_container(specs, VAL_STR(status, "name")));
        const val *ended = VAL_PATH(status, "state", "terminated");
        struct str waiting = VAL_STR(status, "state", "waiting", "reason");
        size_t index = i++;
        count_restart(status, &s->restarts, &s->last_restart);
        if (sidecar)
            count_restart(status, sidecar_restarts, sidecar_last);
        if (ended && VAL_INT(ended, "exitCode") == 0)
            continue;
        if (sidecar && VAL_BOOL(status, "started")) {
            s->ready += VAL_BOOL(status, "ready");
            continue;
        }
        if (ended)
            s->reason = ended_reason(s->arena, "Init:", ended);
        else if (waiting.n && !str_is(waiting, "PodInitializing"))
            s->reason = arena_printf(s->arena, "Init:%.*s", STR_ARG(waiting));
        else
            s->reason = arena_printf(s->arena, "Init:%zu/%zu", index, val_len(specs));
        return true;
    }
    return false;
}

static void sum_containers(struct summary *s, const val *pod)
{
    bool running = false;
    const val *statuses = VAL_PATH(pod, "status", "containerStatuses");
    for (size_t i = val_len(statuses); i-- > 0;) { /* the first container's reason wins */
        const val *status = val_at(statuses, i);
        const val *ended = VAL_PATH(status, "state", "terminated");
        struct str waiting = VAL_STR(status, "state", "waiting", "reason");
        count_restart(status, &s->restarts, &s->last_restart);
        if (waiting.n) {
            s->reason = waiting;
        } else if (ended) {
            s->reason = ended_reason(s->arena, "", ended);
        } else if (VAL_BOOL(status, "ready") && VAL_PATH(status, "state", "running")) {
            running = true;
            s->ready++;
        }
    }
    if (running && str_is(s->reason, "Completed")) {
        bool ready = condition_is_true(VAL_PATH(pod, "status", "conditions"), "Ready");
        s->reason = ready ? STR("Running") : STR("NotReady");
    }
}

static void summarize(struct summary *s, const val *pod)
{
    const val *status = val_get(pod, "status");
    const val *conditions = val_get(status, "conditions");
    struct str phase = VAL_STR(status, "phase"), why = VAL_STR(status, "reason");
    s->reason = why.n ? why : phase;
    if (str_is(VAL_STR(kind_condition_find(conditions, "PodScheduled"), "reason"),
               "SchedulingGated"))
        s->reason = STR("SchedulingGated");
    s->total = (int64_t)val_len(VAL_PATH(pod, "spec", "containers"));
    VAL_FOR (VAL_PATH(pod, "spec", "initContainers"), container) {
        s->total += is_sidecar(container);
    }

    int64_t sidecar_restarts = 0;
    struct str sidecar_last = {0};
    bool initializing = sum_init(s, pod, &sidecar_restarts, &sidecar_last);
    if (!initializing || condition_is_true(conditions, "Initialized")) {
        s->restarts = sidecar_restarts;
        s->last_restart = sidecar_last;
        sum_containers(s, pod);
    }
    if (val_is_null(VAL_PATH(pod, "metadata", "deletionTimestamp")))
        return;
    if (str_is(why, "NodeLost"))
        s->reason = STR("Unknown");
    else if (!str_is(phase, "Succeeded") && !str_is(phase, "Failed"))
        s->reason = STR("Terminating");
}

static void cell_gates(struct doc *d, val *cells, const val *pod)
{
    const val *gates = VAL_PATH(pod, "spec", "readinessGates");
    size_t open = 0;
    VAL_FOR (gates, gate) {
        VAL_FOR (VAL_PATH(pod, "status", "conditions"), condition) {
            if (str_eq(VAL_STR(condition, "type"), VAL_STR(gate, "conditionType")))
                open += str_is(VAL_STR(condition, "status"), "True");
        }
    }
    if (val_len(gates) == 0)
        cell_z(d, cells, "<none>");
    else
        cell_f(d, cells, "%zu/%zu", open, val_len(gates));
}

void pod_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    struct summary s = {.arena = c->arena};
    summarize(&s, obj);
    cell_name(d, cells, obj);
    cell_f(d, cells, "%lld/%lld", (long long)s.ready, (long long)s.total);
    cell_s(d, cells, s.reason);
    if (s.restarts && s.last_restart.n) {
        struct buf ago = {0};
        write_since(c, s.last_restart, &ago);
        cell_f(d, cells, "%lld (%s ago)", (long long)s.restarts, buf_z(&ago));
        buf_done(&ago);
    } else {
        cell_f(d, cells, "%lld", (long long)s.restarts);
    }
    cell_age(c, d, cells, obj);
    cell_or(d, cells, VAL_STR(val_at(VAL_PATH(obj, "status", "podIPs"), 0), "ip"), "<none>");
    cell_or(d, cells, VAL_STR(obj, "spec", "nodeName"), "<none>");
    cell_or(d, cells, VAL_STR(obj, "status", "nominatedNodeName"), "<none>");
    cell_gates(d, cells, obj);
}
