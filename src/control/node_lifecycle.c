/* Is the node alive? Upstream: pkg/controller/nodelifecycle. The key is a node's name.
 *
 * A node whose lease and status have been silent for the grace period becomes Unknown; conditions
 * become taints; the pods of a node that is not ready are not ready. One thing is written at a
 * time, each on the object as it then is; the change leads to the next reconcile. */
#include "control/control.h"
#include "control/meta.h"
#include "doc/time.h"

enum { GRACE_MS = 40000 };

#define MS 1000000LL

/* --- heartbeats --- */

static int64_t time_of(const val *v)
{
    int64_t ns = 0;
    return val_is_str(v) && time_parse(val_str(v), &ns, NULL) == 0 ? ns : 0;
}

static int64_t last_heartbeat(struct view *v, const struct item *node, const val *obj)
{
    val *lease = view_get(v, KIND_LEASES,
                          arena_printf(v->arena, "kube-node-lease/%.*s", STR_ARG(node->name)));
    const val *ready = condition_find(VAL_PATH(obj, "status", "conditions"), "Ready");
    int64_t at[] = {
        node->created,
        v->config->started,
        time_of(VAL_PATH(lease, "spec", "renewTime")),
        time_of(val_get(ready, "lastHeartbeatTime")),
    };
    int64_t last = 0;
    for (size_t i = 0; i < ARRAY_LEN(at); i++)
        if (at[i] > last && at[i] <= v->now + 60000 * MS)
            last = at[i];
    return last;
}

static bool mark_unknown(struct view *v, val *obj)
{
    static const char *const types[] = {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"};
    val *conditions = val_ensure_arr(v->doc, val_ensure_obj(v->doc, obj, "status"), "conditions");
    bool changed = false;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        val *c = condition_find(conditions, types[i]);
        if (c && str_is(VAL_STR(c, "status"), "Unknown"))
            continue;
        if (c)
            changed |= condition_set(v, conditions, types[i], "Unknown", "NodeStatusUnknown",
                                     STR("Kubelet stopped posting node status."), false);
        else
            changed |= condition_set(v, conditions, types[i], "Unknown", "NodeStatusNeverUpdated",
                                     STR("Kubelet never posted node status."), false);
    }
    return changed;
}

/* --- taints --- */

struct rule {
    const char *condition, *status, *key;
};

static const struct rule no_schedule[] = {
    {"Ready", "False", "node.kubernetes.io/not-ready"},
    {"Ready", "Unknown", "node.kubernetes.io/unreachable"},
    {"MemoryPressure", "True", "node.kubernetes.io/memory-pressure"},
    {"DiskPressure", "True", "node.kubernetes.io/disk-pressure"},
    {"PIDPressure", "True", "node.kubernetes.io/pid-pressure"},
    {"NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"},
};

static const struct rule no_execute[] = {
    {"Ready", "False", "node.kubernetes.io/not-ready"},
    {"Ready", "Unknown", "node.kubernetes.io/unreachable"},
};

static val *taint_find(const val *taints, const char *key, const char *effect, size_t *ret_at)
{
    *ret_at = 0;
    VAL_FOR (taints, t) {
        if (str_is(VAL_STR(t, "key"), key) && str_is(VAL_STR(t, "effect"), effect))
            return t;
        ++*ret_at;
    }
    return NULL;
}

static bool set_taint(struct view *v, val *taints, const char *key, const char *effect, bool wanted,
                      bool timed)
{
    size_t at;
    bool has = taint_find(taints, key, effect, &at) != NULL;
    if (has == wanted)
        return false;
    if (has) {
        val_remove_at(taints, at);
        return true;
    }
    val *t = val_new_obj(v->doc);
    val_set_z(v->doc, t, "key", key);
    val_set_z(v->doc, t, "effect", effect);
    if (timed)
        set_time(v, t, "timeAdded", v->now);
    val_push(taints, t);
    return true;
}

static bool applies(const val *conditions, const struct rule *r)
{
    return str_is(VAL_STR(condition_find(conditions, r->condition), "status"), r->status);
}

static bool update_taints(struct view *v, val *obj)
{
    const val *conditions = VAL_PATH(obj, "status", "conditions");
    val *spec = val_ensure_obj(v->doc, obj, "spec"),
        *taints = val_ensure_arr(v->doc, spec, "taints");
    bool changed = false;
    for (size_t i = 0; i < ARRAY_LEN(no_schedule); i++)
        changed |= set_taint(v, taints, no_schedule[i].key, "NoSchedule",
                             applies(conditions, &no_schedule[i]), true);
    changed |= set_taint(v, taints, "node.kubernetes.io/unschedulable", "NoSchedule",
                         VAL_BOOL(spec, "unschedulable"), true);
    for (size_t i = 0; i < ARRAY_LEN(no_execute); i++)
        changed |= set_taint(v, taints, no_execute[i].key, "NoExecute",
                             applies(conditions, &no_execute[i]), true);
    if (val_len(taints) == 0)
        val_del(spec, "taints");
    return changed;
}

/* --- pods --- */

static bool is_ready_pod(void *arg, const struct item *i)
{
    (void)arg;
    return i->pod->ready && !i->deleted;
}

static void unready_pods(struct view *v, struct actions *a, const struct item *node)
{
    const struct item **pods;
    size_t n = view_match(v, GROUP_NODE, KIND_PODS, node->name, is_ready_pod, NULL, &pods);
    items_sort(pods, n);
    for (size_t i = 0; i < n; i++) {
        val *obj = view_parse(v, pods[i]);
        val *ready = condition_find(VAL_PATH(obj, "status", "conditions"), "Ready");
        if (!ready)
            continue;
        val_set_z(v->doc, ready, "status", "False");
        set_time(v, ready, "lastTransitionTime", v->now);
        struct action *act = act_update(a, KIND_PODS, obj, "status");
        act->optional = true;
        act_event(a, act, pods[i], "Warning", "NodeNotReady", "Node is not ready");
    }
}

/* --- the reconcile --- */

static void reconcile(struct view *v, struct str key, struct actions *a)
{
    const struct item *node = view_item(v, KIND_NODES, key);
    val *obj = node && !node->deleted ? view_parse(v, node) : NULL;
    if (!obj)
        return;
    int64_t grace = v->config->node_grace_ms ? v->config->node_grace_ms : GRACE_MS;
    int64_t left = (last_heartbeat(v, node, obj) - v->now) / MS + grace;
    if (left > 0) {
        act_requeue(a, left + 1);
    } else {
        act_requeue(a, grace / 8 + 1);
        if (mark_unknown(v, obj)) {
            struct action *act = act_update(a, KIND_NODES, obj, "status");
            act_event(a, act, node, "Normal", "NodeNotReady",
                      "Node %.*s status is now: NodeNotReady", STR_ARG(node->name));
            return;
        }
    }
    if (node->node->ready != TRUTH_TRUE && node->node->ready != TRUTH_ABSENT)
        unready_pods(v, a, node);
    if (update_taints(v, obj))
        act_update(a, KIND_NODES, obj, NULL);
}

static void changed(struct marks *m, const struct change *c)
{
    if (c->kind == KIND_NODES && c->now)
        mark_key(m, c->now->key);
}

const struct controller controller_node_lifecycle = {
    .name = "node-lifecycle",
    .component = "node-controller",
    .reconcile = reconcile,
    .changed = changed,
    .min_interval_ms = 100,
};
