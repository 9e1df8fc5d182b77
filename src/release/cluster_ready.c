/* cluster_ready.c: when an object counts as ready: Helm's ReadyChecker, kind by kind.
 *
 * Each check answers READY, WAITING with what is missing in `why`, or FAILED with the error in the
 * chart_ctx. Source: helm.sh/helm/v3 pkg/kube/ready.go. */
#include "release/cluster_impl.h"

#include "doc/selector.h"

enum ready { READY, WAITING, FAILED };

struct look { /* at one object */
    struct cluster *c;
    const struct object *o;
    val *live;
    struct doc *d;
    struct answer *failure;
    struct buf *why;
};

/* --- what several kinds share --- */
static bool condition_is(const val *live, const char *type, const char *status)
{
    VAL_FOR (VAL_PATH(live, "status", "conditions"), condition)
        if (str_is(VAL_STR(condition, "type"), type))
            return str_is(VAL_STR(condition, "status"), status);
    return false;
}

static enum ready waiting(struct look *l, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static enum ready waiting(struct look *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(l->why, format, args);
    va_end(args);
    return WAITING;
}

static bool is_observed(const val *live)
{
    return VAL_INT(live, "status", "observedGeneration") == VAL_INT(live, "metadata", "generation");
}

/* intstr.GetScaledValueFromIntOrPercent */
static int64_t scaled(const val *v, int64_t total, bool up, int64_t otherwise)
{
    struct str text = val_str(v);
    int64_t percent;
    if (val_is_null(v))
        return 0;
    if (!val_is_str(v))
        return val_int(v);
    if (!str_ends(text, STR("%")) || !str_to_i64(str_head(text, text.n - 1), &percent) ||
        percent < 0 || percent > 1000000)
        return otherwise;
    return (percent * total + (up ? 99 : 0)) / 100;
}

static int selector_text(struct look *l, const val *selector, struct str *ret)
{
    struct selector parsed;
    struct err err;
    struct buf b = {0};
    if (selector_from_object(l->c->cx->arena, selector, &parsed, &err) != 0)
        return chart_fail(l->c->cx, "invalid label selector: %s", err.message);
    selector_write(&parsed, &b);
    *ret = arena_dup(l->c->cx->arena, buf_str(&b));
    buf_done(&b);
    return 0;
}

static struct str label_query(struct look *l, struct str selector)
{
    struct buf b = {0};
    buf_puts(&b, "labelSelector=");
    cluster_query_escape(&b, selector);
    struct str query = arena_dup(l->c->cx->arena, buf_str(&b));
    buf_done(&b);
    return query;
}

static struct str namespaced_path(struct look *l, const char *prefix, const char *resource)
{
    return arena_printf(l->c->cx->arena, "%s/namespaces/%.*s/%s", prefix, STR_ARG(l->o->namespace),
                        resource);
}

static void explain(struct look *l, const val *selector)
{
    struct str text;
    if (selector_text(l, selector, &text) == 0)
        cluster_explain_pods(l->c, l->o->namespace, text, l->why);
}

/* --- the kinds --- */
static enum ready pod(struct look *l)
{
    if (condition_is(l->live, "Ready", "True"))
        return READY;
    cluster_explain_pod(l->live, l->why);
    return WAITING;
}

static enum ready job(struct look *l)
{
    struct str namespace = l->o->namespace, name = l->o->name;
    if (VAL_INT(l->live, "status", "failed") > VAL_INT(l->live, "spec", "backoffLimit")) {
        chart_fail(l->c->cx, "job is failed: %.*s/%.*s", STR_ARG(namespace), STR_ARG(name));
        return FAILED;
    }
    const val *completions = VAL_PATH(l->live, "spec", "completions");
    int64_t done = VAL_INT(l->live, "status", "succeeded");
    if (!val_is_null(completions) && done < val_int(completions)) {
        waiting(l, "%lld of %lld completions", (long long)done, (long long)val_int(completions));
        explain(l, VAL_PATH(l->live, "spec", "selector"));
        return WAITING;
    }
    return READY;
}

/* The ReplicaSet of the Deployment whose pods are those of its template now. */
static int new_replica_set(struct look *l, const val **ret)
{
    struct str selector;
    val *list;
    *ret = NULL;
    if (selector_text(l, VAL_PATH(l->live, "spec", "selector"), &selector) != 0 ||
        cluster_get_val(l->c, namespaced_path(l, "/apis/apps/v1", "replicasets"),
                        label_query(l, selector), l->d, &list) != 0)
        return -1;
    const val *template = VAL_PATH(l->live, "spec", "template");
    struct str uid = VAL_STR(l->live, "metadata", "uid"), oldest = {0};
    VAL_FOR (val_get(list, "items"), rs) {
        bool owned = false;
        VAL_FOR (VAL_PATH(rs, "metadata", "ownerReferences"), owner)
            owned = owned || (VAL_BOOL(owner, "controller") && str_eq(VAL_STR(owner, "uid"), uid));
        val *copy = val_copy(l->d, VAL_PATH(rs, "spec", "template"));
        val_del(VAL_PATH(copy, "metadata", "labels"), "pod-template-hash");
        struct str made = VAL_STR(rs, "metadata", "creationTimestamp");
        if (!owned || !val_eq(copy, template) || (*ret && str_cmp(made, oldest) >= 0))
            continue;
        *ret = rs;
        oldest = made;
    }
    return 0;
}

static int64_t max_unavailable(const val *deployment, int64_t replicas)
{
    const val *rolling = VAL_PATH(deployment, "spec", "strategy", "rollingUpdate");
    if (!str_is(VAL_STR(deployment, "spec", "strategy", "type"), "RollingUpdate") || replicas == 0)
        return 0;
    int64_t surge = scaled(val_get(rolling, "maxSurge"), replicas, true, 0);
    int64_t unavailable = scaled(val_get(rolling, "maxUnavailable"), replicas, false, 0);
    if (surge == 0 && unavailable == 0)
        unavailable = 1;
    return unavailable < replicas ? unavailable : replicas;
}

static enum ready deployment(struct look *l)
{
    const val *rs;
    if (VAL_BOOL(l->live, "spec", "paused"))
        return READY;
    if (new_replica_set(l, &rs) != 0)
        return FAILED;
    if (!rs || !is_observed(rs) || !is_observed(l->live))
        return waiting(l, "its controller has not seen it yet");
    int64_t replicas = VAL_INT(l->live, "spec", "replicas");
    int64_t expected = replicas - max_unavailable(l->live, replicas);
    int64_t ready = VAL_INT(rs, "status", "readyReplicas");
    if (ready >= expected)
        return READY;
    waiting(l, "%lld of %lld pods ready", (long long)ready, (long long)expected);
    explain(l, VAL_PATH(rs, "spec", "selector"));
    return WAITING;
}

static enum ready volume_claim(struct look *l)
{
    struct str phase = VAL_STR(l->live, "status", "phase");
    return str_is(phase, "Bound") ? READY : waiting(l, "not bound (%.*s)", STR_ARG(phase));
}

static enum ready service(struct look *l)
{
    struct str type = VAL_STR(l->live, "spec", "type");
    if (str_is(type, "ExternalName"))
        return READY;
    if (VAL_STR(l->live, "spec", "clusterIP").n == 0)
        return waiting(l, "no cluster IP address");
    if (str_is(type, "LoadBalancer") && val_len(VAL_PATH(l->live, "spec", "externalIPs")) == 0 &&
        val_is_null(VAL_PATH(l->live, "status", "loadBalancer", "ingress")))
        return waiting(l, "no load balancer address");
    return READY;
}

static enum ready daemon_set(struct look *l)
{
    const val *status = val_get(l->live, "status"),
              *strategy = VAL_PATH(l->live, "spec", "updateStrategy");
    if (!is_observed(l->live))
        return waiting(l, "its controller has not seen it yet");
    if (!str_is(VAL_STR(strategy, "type"), "RollingUpdate"))
        return READY;
    int64_t desired = VAL_INT(status, "desiredNumberScheduled");
    int64_t updated = VAL_INT(status, "updatedNumberScheduled");
    int64_t expected = desired - scaled(VAL_PATH(strategy, "rollingUpdate", "maxUnavailable"),
                                        desired, true, desired);
    int64_t ready = VAL_INT(status, "numberReady");
    if (updated != desired)
        waiting(l, "%lld of %lld pods scheduled", (long long)updated, (long long)desired);
    else if (ready < expected)
        waiting(l, "%lld of %lld pods ready", (long long)ready, (long long)expected);
    else
        return READY;
    explain(l, VAL_PATH(l->live, "spec", "selector"));
    return WAITING;
}

static enum ready stateful_set(struct look *l)
{
    const val *status = val_get(l->live, "status"), *spec = val_get(l->live, "spec"),
              *strategy = val_get(spec, "updateStrategy");
    if (!is_observed(l->live))
        return waiting(l, "its controller has not seen it yet");
    if (!str_is(VAL_STR(strategy, "type"), "RollingUpdate"))
        return READY;
    int64_t partition = VAL_INT(strategy, "rollingUpdate", "partition");
    int64_t replicas = val_get(spec, "replicas") ? VAL_INT(spec, "replicas") : 1;
    int64_t updated = VAL_INT(status, "updatedReplicas"), ready = VAL_INT(status, "readyReplicas");
    if (updated < replicas - partition)
        waiting(l, "%lld of %lld pods scheduled", (long long)updated,
                (long long)(replicas - partition));
    else if (ready != replicas)
        waiting(l, "%lld of %lld pods ready", (long long)ready, (long long)replicas);
    else if (partition == 0 &&
             !str_eq(VAL_STR(status, "currentRevision"), VAL_STR(status, "updateRevision")))
        waiting(l, "not all pods are of the new revision");
    else
        return READY;
    explain(l, val_get(spec, "selector"));
    return WAITING;
}

/* Established, or refused for its names: then it is not for a wait to complain. */
static enum ready resource_definition(struct look *l)
{
    if (condition_is(l->live, "Established", "True") ||
        condition_is(l->live, "NamesAccepted", "False"))
        return READY;
    return waiting(l, "not established");
}

static enum ready all_pods_ready(struct look *l, struct str selector)
{
    val *list;
    if (cluster_get_val(l->c, namespaced_path(l, "/api/v1", "pods"), label_query(l, selector), l->d,
                        &list) != 0)
        return FAILED;
    VAL_FOR (val_get(list, "items"), one)
        if (!condition_is(one, "Ready", "True")) {
            cluster_explain_pods(l->c, l->o->namespace, selector, l->why);
            return WAITING;
        }
    return READY;
}

static enum ready replica_set(struct look *l)
{
    struct str selector;
    if (!is_observed(l->live))
        return waiting(l, "its controller has not seen it yet");
    if (selector_text(l, VAL_PATH(l->live, "spec", "selector"), &selector) != 0)
        return FAILED;
    return all_pods_ready(l, selector);
}

static enum ready replication_controller(struct look *l)
{
    struct buf b = {0};
    if (!is_observed(l->live))
        return waiting(l, "its controller has not seen it yet");
    VAL_EACH (VAL_PATH(l->live, "spec", "selector"), key, member)
        buf_printf(&b, "%s%.*s=%.*s", b.n ? "," : "", STR_ARG(val_str(key)),
                   STR_ARG(val_str(member)));
    struct str selector = arena_dup(l->c->cx->arena, buf_str(&b));
    buf_done(&b);
    return all_pods_ready(l, selector);
}

/* Kinds that are not here are ready when they are there; nobody asks. */
static const struct {
    const char *group, *kind;
    enum ready (*check)(struct look *l);
} checks[] = {
    {"", "Pod", pod},
    {"batch", "Job", job},
    {"apps", "Deployment", deployment},
    {"", "PersistentVolumeClaim", volume_claim},
    {"", "Service", service},
    {"apps", "DaemonSet", daemon_set},
    {"apiextensions.k8s.io", "CustomResourceDefinition", resource_definition},
    {"apps", "StatefulSet", stateful_set},
    {"", "ReplicationController", replication_controller},
    {"apps", "ReplicaSet", replica_set},
};

static int take_look(struct look *l, enum ready (*check)(struct look *l), bool *ret_ready)
{
    struct client_request r = {.method = "GET", .path = l->o->path};
    struct err err;
    if (cluster_call(l->c, &r, l->failure) != 0)
        return -1;
    int rc = doc_parse_json(l->d, bytes_str(l->failure->body), &l->live, &err);
    bytes_unref(l->failure->body);
    *l->failure = (struct answer){.reason = ""};
    if (rc != 0)
        return chart_fail(l->c->cx, "%s", err.message);
    enum ready ready = check(l);
    *ret_ready = ready == READY;
    return ready == FAILED ? -1 : 0;
}

int cluster_is_ready(struct cluster *c, const struct object *o, unsigned what, bool *ret_ready,
                     struct answer *ret_failure, struct buf *why)
{
    struct str group, version;
    struct doc d;
    if (!str_cut(o->api_version, '/', &group, &version))
        group = STR("");
    *ret_ready = true;
    *ret_failure = (struct answer){.reason = ""};
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        if (!str_is(o->kind, checks[i].kind) || !str_is(group, checks[i].group))
            continue;
        if (checks[i].check == job && !(what & WAIT_JOBS))
            return 0;
        doc_init(&d);
        struct look l = {c, o, NULL, &d, ret_failure, why};
        int rc = take_look(&l, checks[i].check, ret_ready);
        doc_done(&d);
        return rc;
    }
    return 0;
}
