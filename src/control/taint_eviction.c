/* Pods that do not tolerate a NoExecute taint leave its node, at once or after tolerationSeconds.
 * Upstream: pkg/controller/tainteviction. The key is a node's name. */
#include "control/meta.h"
#include "control/scheduler.h"

#define SECOND 1000000000LL

static bool executes(const struct item *node)
{
    for (size_t i = 0; i < node->node->taint_count; i++)
        if (node->node->taints[i].effect == TAINT_NO_EXECUTE)
            return true;
    return false;
}

/* The seconds that a toleration grants: -1 for ever. */
static int64_t granted(const val *toleration)
{
    const val *seconds = val_get(toleration, "tolerationSeconds");
    if (val_is_null(seconds))
        return -1;
    return val_int(seconds) > 0 ? val_int(seconds) : 0;
}

/* When the pod has to go: 0 at once, -1 never; ns otherwise. The shortest toleration counts, from
 * the taint that came first. */
static int64_t leaves_at(struct view *v, const struct item *node, const val *list)
{
    size_t n;
    struct toleration *t = tolerations_read(v, list, &n);
    int64_t shortest = -1, since = INT64_MAX;
    for (size_t i = 0; i < node->node->taint_count; i++) {
        const struct taint *taint = &node->node->taints[i];
        if (taint->effect != TAINT_NO_EXECUTE)
            continue;
        bool tolerated = false;
        size_t at = 0;
        VAL_FOR (list, from) {
            if (!toleration_covers(&t[at++], taint))
                continue;
            tolerated = true;
            int64_t seconds = granted(from);
            if (seconds >= 0 && (shortest < 0 || seconds < shortest))
                shortest = seconds;
        }
        if (!tolerated)
            return 0;
        int64_t added = taint->added ? taint->added : v->now;
        if (added < since)
            since = added;
    }
    return shortest < 0 ? -1 : since + shortest * SECOND;
}

static void evict(struct view *v, struct actions *a, const struct item *pod, val *obj)
{
    val *conditions = val_ensure_arr(v->doc, val_ensure_obj(v->doc, obj, "status"), "conditions");
    condition_set(v, conditions, "DisruptionTarget", "True", "DeletionByTaintManager",
                  STR("Taint manager: deleting due to NoExecute taint"), false);
    act_update(a, KIND_PODS, obj, "status")->optional = true;
    act_event(a, NULL, pod, "Normal", "TaintManagerEviction", "Marking for deletion Pod %.*s",
              STR_ARG(pod->key));
}

static void reconcile(struct view *v, struct str key, struct actions *a)
{
    const struct item *node = view_item(v, KIND_NODES, key), **pods;
    if (!node || !executes(node))
        return;
    size_t n = view_group(v, GROUP_NODE, KIND_PODS, node->name, &pods), going = 0;
    items_sort(pods, n);
    for (size_t i = 0; i < n; i++) {
        val *obj = pods[i]->deleted ? NULL : view_parse(v, pods[i]);
        if (!obj)
            continue;
        int64_t at = leaves_at(v, node, VAL_PATH(obj, "spec", "tolerations"));
        if (at < 0)
            continue;
        if (at > v->now) {
            act_requeue(a, (at - v->now) / 1000000 + 1);
            continue;
        }
        evict(v, a, pods[i], obj);
        pods[going++] = pods[i];
    }
    act_next_phase(a);
    for (size_t i = 0; i < going; i++)
        act_delete(a, pods[i], NULL);
}

static void changed(struct marks *m, const struct change *c)
{
    if (c->kind == KIND_NODES && c->now && executes(c->now)) {
        mark_key(m, c->now->key);
        return;
    }
    if (c->kind != KIND_PODS || !c->now || !c->now->pod->node.n ||
        (c->old && str_eq(c->old->pod->node, c->now->pod->node)))
        return;
    struct item *node = picture_get(m->picture, KIND_NODES, c->now->pod->node);
    if (node && executes(node))
        mark_key(m, node->key);
    item_unref(node);
}

const struct controller controller_taint_eviction = {
    .name = "taint-eviction",
    .component = "taint-eviction-controller",
    .reconcile = reconcile,
    .changed = changed,
    .min_interval_ms = 100,
};
