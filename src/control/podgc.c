/* Pods that nobody will ever clean up. Upstream: pkg/controller/podgc. One key: every 20 s the
 * whole picture is looked at. */
#include <stdlib.h>

#include "control/control.h"
#include "control/meta.h"

enum { PERIOD_MS = 20000, THRESHOLD = 12500, QUARANTINE_S = 40, BATCH = 500 };

#define SECOND 1000000000LL

static void remove_now(struct view *v, struct actions *a, const struct item *pod)
{
    struct action *act = act_delete(a, pod, NULL);
    val_set_int(v->doc, act->object, "gracePeriodSeconds", 0);
    act->optional = true;
}

static bool is_terminated(void *arg, const struct item *i)
{
    (void)arg;
    return !i->deleted && (item_pod_done(i) || i->pod->phase == POD_UNKNOWN);
}

static int by_age(const void *a, const void *b)
{
    const struct item *x = *(const struct item *const *)a, *y = *(const struct item *const *)b;
    if (x->created != y->created)
        return x->created < y->created ? -1 : 1;
    return str_cmp(x->key, y->key);
}

/* The oldest finished pods beyond the threshold. */
static void collect_terminated(struct view *v, struct actions *a)
{
    size_t keep = v->config->terminated_pods ? (size_t)v->config->terminated_pods : THRESHOLD;
    const struct item **pods;
    size_t n = view_match(v, GROUP_ALL, KIND_PODS, (struct str){0}, is_terminated, NULL, &pods);
    if (n <= keep)
        return;
    qsort(pods, n, sizeof *pods, by_age);
    for (size_t i = 0; i < n - keep && i < BATCH; i++)
        remove_now(v, a, pods[i]);
}

static bool has_lost_node(void *picture, const struct item *i)
{
    (void)picture;
    return i->pod->node.n > 0;
}

/* Marks a pod of a vanished node as failed, then removes it. */
static void bury(struct view *v, struct actions *a, const struct item *pod)
{
    struct doc *d = v->doc;
    val *obj = item_pod_done(pod) ? NULL : view_parse(v, pod);
    if (obj) {
        val *status = val_ensure_obj(d, obj, "status");
        val_set_z(d, status, "phase", "Failed");
        condition_set(v, val_ensure_arr(d, status, "conditions"), "DisruptionTarget", "True",
                      "DeletionByPodGC", STR("PodGC: node no longer exists"), false);
        act_update(a, KIND_PODS, obj, "status")->optional = true;
    }
    act_next_phase(a);
    remove_now(v, a, pod);
}

/* A node must be gone for good: a pod younger than the quarantine may have arrived in the picture
 * before its node, and the server has the last word. */
static bool node_is_gone(struct view *v, const struct item *pod)
{
    if (view_item(v, KIND_NODES, pod->pod->node) || v->now - pod->created < QUARANTINE_S * SECOND)
        return false;
    struct str path = arena_printf(v->arena, "/api/v1/nodes/%.*s", STR_ARG(pod->pod->node));
    val *node;
    struct err err = {0};
    return v->live->get(v->live->self, path.p, v->doc, &node, &err) < 0 && err.code == 404;
}

static void collect_orphans(struct view *v, struct actions *a)
{
    const struct item **pods;
    size_t n = view_match(v, GROUP_ALL, KIND_PODS, (struct str){0}, has_lost_node, NULL, &pods);
    size_t found = 0;
    for (size_t i = 0; i < n && found < BATCH; i++) {
        if (!node_is_gone(v, pods[i]))
            continue;
        bury(v, a, pods[i]);
        found++;
    }
}

/* Being deleted, but no node ever had them: nobody is there to stop them. */
static void collect_unscheduled(struct view *v, struct actions *a)
{
    const struct item **pods;
    size_t n = view_group(v, GROUP_NODE, KIND_PODS, (struct str){0}, &pods);
    for (size_t i = 0; i < n && i < BATCH; i++)
        if (pods[i]->deleted)
            remove_now(v, a, pods[i]);
}

static void reconcile(struct view *v, struct str key, struct actions *a)
{
    (void)key;
    collect_terminated(v, a);
    collect_orphans(v, a);
    collect_unscheduled(v, a);
    act_requeue(a, PERIOD_MS);
}

static const char *const start_keys[] = {"all", NULL};

const struct controller controller_podgc = {
    .name = "podgc",
    .component = "pod-garbage-collector",
    .reconcile = reconcile,
    .start_keys = start_keys,
};
