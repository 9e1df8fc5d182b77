/* ReplicaSets and ReplicationControllers: as many pods as asked for. The two differ in their kind
 * and in the form of their selector. Upstream: pkg/controller/replicaset, and replication, which
 * wraps it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "control/meta.h"

enum { BURST = 500 }; /* creations or deletions of one reconcile */

#define SECOND 1000000000LL

static bool is_active(const struct item *p)
{
    return !item_pod_done(p) && !p->deleted;
}

/* --- which pods go first --- */

struct ranked {
    const struct item *item;
    int64_t now;
    size_t rank; /* active pods of the same deployment on its node */
};

static int order_of(enum pod_phase phase)
{
    return phase == POD_RUNNING ? 2 : phase == POD_UNKNOWN ? 1 : 0;
}

static int64_t log_age(int64_t at, int64_t now)
{
    int64_t seconds = (now - at) / SECOND;
    return seconds > 0 ? (int64_t)log2((double)seconds) : -1;
}

/* Times are compared by the order of magnitude of their age, so that of pods about as old any may
 * go (upstream's LogarithmicScaleDown). Younger sorts first. */
static int by_age(int64_t a, int64_t b, const struct ranked *x, const struct ranked *y)
{
    if (a == b)
        return 0;
    if (!a || !b)
        return !a ? -1 : 1;
    int64_t ra = log_age(a, x->now), rb = log_age(b, x->now);
    if (ra == rb)
        return str_cmp(x->item->uid, y->item->uid);
    return ra < rb ? -1 : 1;
}

/* ActivePodsWithRanks: the first is the first to be deleted. */
static int by_worth(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    const struct pod *p = x->item->pod, *q = y->item->pod;
    if (!p->node.n != !q->node.n)
        return !p->node.n ? -1 : 1;
    if (order_of(p->phase) != order_of(q->phase))
        return order_of(p->phase) < order_of(q->phase) ? -1 : 1;
    if (p->ready != q->ready)
        return !p->ready ? -1 : 1;
    if (p->deletion_cost != q->deletion_cost)
        return p->deletion_cost < q->deletion_cost ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank > y->rank ? -1 : 1;
    int c = p->ready && q->ready ? by_age(p->ready_since, q->ready_since, x, y) : 0;
    if (c)
        return c;
    if (p->restarts != q->restarts)
        return p->restarts > q->restarts ? -1 : 1;
    return by_age(x->item->created, y->item->created, x, y);
}

static void count_on_nodes(struct view *v, struct map *counts, struct str uid)
{
    const struct item **pods;
    size_t n = view_group(v, GROUP_OWNER, KIND_PODS, uid, &pods);
    for (size_t i = 0; i < n; i++) {
        if (!is_active(pods[i]) || !pods[i]->pod->node.n)
            continue;
        size_t had = (size_t)map_get(counts, pods[i]->pod->node);
        map_set(counts, pods[i]->pod->node, (void *)(had + 1));
    }
}

/* Active pods per node of all replica sets of the same deployment. */
static void count_related(struct view *v, const struct item *rs, struct map *counts)
{
    if (!rs->controller) {
        count_on_nodes(v, counts, rs->uid);
        return;
    }
    const struct item **siblings;
    size_t n = view_group(v, GROUP_OWNER, rs->kind, rs->controller->uid, &siblings);
    for (size_t i = 0; i < n; i++)
        count_on_nodes(v, counts, siblings[i]->uid);
}

static void delete_pods(struct view *v, struct actions *a, const struct item *rs,
                        const struct item **pods, size_t n, size_t excess)
{
    struct map counts = {0};
    if (excess < n)
        count_related(v, rs, &counts);
    struct ranked *r = arena_alloc(v->arena, n * sizeof *r);
    for (size_t i = 0; i < n; i++)
        r[i] = (struct ranked){pods[i], v->now, (size_t)map_get(&counts, pods[i]->pod->node)};
    map_done(&counts);
    if (excess < n)
        qsort(r, n, sizeof *r, by_worth);
    for (size_t i = 0; i < excess; i++)
        act_event(a, act_delete(a, r[i].item, NULL), rs, "Normal", "SuccessfulDelete",
                  "Deleted pod: %.*s", STR_ARG(r[i].item->name));
}

/* --- making pods --- */

/* What generateName gives on the server: the base cut to 58, five random characters. The name is
 * chosen here so that the event can tell it. */
static struct str pod_name(struct view *v, struct str rs)
{
    char suffix[6];
    world_suffix(v->world, 5, suffix);
    struct str base = str_head(arena_printf(v->arena, "%.*s-", STR_ARG(rs)), 58);
    return arena_printf(v->arena, "%.*s%s", STR_ARG(base), suffix);
}

static void create_pod(struct view *v, struct actions *a, const struct item *rs,
                       const val *template)
{
    struct doc *d = v->doc;
    struct str name = pod_name(v, rs->name);
    val *pod = val_new_obj(d);
    val_set_z(d, pod, "apiVersion", "v1");
    val_set_z(d, pod, "kind", "Pod");
    val *meta = val_ensure_obj(d, pod, "metadata");
    val_set(d, meta, "generateName", val_new_strf(d, "%.*s-", STR_ARG(rs->name)));
    val_set_s(d, meta, "name", name);
    val_set_s(d, meta, "namespace", rs->ns);
    static const char *const kept[] = {"labels", "annotations", "finalizers"};
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        const val *from = VAL_PATH(template, "metadata", kept[i]);
        if (val_len(from))
            val_set(d, meta, kept[i], val_copy(d, from));
    }
    val_push(val_ensure_arr(d, meta, "ownerReferences"), owner_ref(v, rs));
    val_set(d, pod, "spec", val_copy(d, val_get(template, "spec")));
    act_event(a, act_create(a, KIND_PODS, pod), rs, "Normal", "SuccessfulCreate",
              "Created pod: %.*s", STR_ARG(name));
}

/* --- status --- */

struct counts {
    int64_t replicas, labeled, ready, available;
    int64_t next_ms; /* until the next ready pod becomes available; -1: none will */
};

static struct counts count_pods(struct view *v, const val *rs, const struct item **pods, size_t n)
{
    struct counts c = {.replicas = (int64_t)n, .next_ms = -1};
    const val *labels = VAL_PATH(rs, "spec", "template", "metadata", "labels");
    int64_t min_ready = VAL_INT(rs, "spec", "minReadySeconds") * SECOND;
    for (size_t i = 0; i < n; i++) {
        bool all = true;
        VAL_EACH (labels, key, value) {
            struct label want = {val_str(key), val_str(value)};
            all = all && labels_have(&pods[i]->labels, &(struct labels){&want, 1});
        }
        c.labeled += all;
        const struct pod *p = pods[i]->pod;
        if (!p->ready)
            continue;
        c.ready++;
        int64_t left = p->ready_since + min_ready - v->now;
        if (min_ready == 0 || left <= 0)
            c.available++;
        else if (c.next_ms < 0 || left / 1000000 < c.next_ms)
            c.next_ms = left / 1000000 + 1;
    }
    return c;
}

static void set_count(struct doc *d, val *status, const char *key, int64_t n, bool always)
{
    if (n || always)
        val_set_int(d, status, key, n);
}

static void set_failure(struct view *v, val *status)
{
    val *conditions = val_ensure_arr(v->doc, status, "conditions");
    if (!v->failure) {
        condition_remove(conditions, "ReplicaFailure");
    } else if (!condition_find(conditions, "ReplicaFailure")) {
        const char *reason = v->failure->verb == ACT_DELETE ? "FailedDelete" : "FailedCreate";
        condition_set(v, conditions, "ReplicaFailure", "True", reason, v->failure->message, false);
    }
    if (val_len(conditions) == 0)
        val_del(status, "conditions");
}

static void update_status(struct view *v, struct actions *a, enum kind kind, val *rs,
                          const struct counts *c)
{
    struct doc *d = v->doc;
    const val *old = val_get(rs, "status");
    val *status = val_new_obj(d);
    set_count(d, status, "replicas", c->replicas, true);
    set_count(d, status, "fullyLabeledReplicas", c->labeled, false);
    set_count(d, status, "readyReplicas", c->ready, false);
    set_count(d, status, "availableReplicas", c->available, false);
    set_count(d, status, "observedGeneration", VAL_INT(rs, "metadata", "generation"), false);
    if (val_len(val_get(old, "conditions")))
        val_set(d, status, "conditions", val_copy(d, val_get(old, "conditions")));
    set_failure(v, status);
    if (val_eq(status, old))
        return;
    val_set(d, rs, "status", status);
    act_update(a, kind, rs, "status");
}

/* --- the reconcile --- */

static void report(struct view *v, struct actions *a, const struct item *rs)
{
    const struct failure *f = v->failure;
    if (f->kind != KIND_PODS)
        return;
    if (f->verb == ACT_CREATE)
        act_event(a, NULL, rs, "Warning", "FailedCreate", "Error creating: %.*s",
                  STR_ARG(f->message));
    else if (f->verb == ACT_DELETE)
        act_event(a, NULL, rs, "Warning", "FailedDelete", "Error deleting: %.*s",
                  STR_ARG(f->message));
}

static void manage(struct view *v, struct actions *a, const struct item *owner, const val *rs,
                   const struct item **pods, size_t n)
{
    int64_t want =
        val_is_null(VAL_PATH(rs, "spec", "replicas")) ? 1 : VAL_INT(rs, "spec", "replicas");
    int64_t diff = (int64_t)n - want;
    if (diff < 0) {
        const val *template = VAL_PATH(rs, "spec", "template");
        for (int64_t i = 0; i < -diff && i < BURST; i++)
            create_pod(v, a, owner, template);
    } else if (diff > 0) {
        delete_pods(v, a, owner, pods, n, (size_t)(diff < BURST ? diff : BURST));
    }
    if (diff > BURST || -diff > BURST)
        act_requeue(a, 0);
}

/* A ReplicationController's selector is a plain map of labels. */
static int read_selector(struct view *v, enum kind kind, const val *rs, struct selector *ret)
{
    const val *selector = VAL_PATH(rs, "spec", "selector");
    if (kind == KIND_REPLICATIONCONTROLLERS && selector) {
        val *wrapped = val_new_obj(v->doc);
        val_set(v->doc, wrapped, "matchLabels", val_copy(v->doc, selector));
        selector = wrapped;
    }
    return selector_from_object(v->arena, selector, ret, NULL);
}

static void reconcile_kind(struct view *v, enum kind kind, struct str key, struct actions *a)
{
    const struct item *owner = view_item(v, kind, key);
    val *rs = owner ? view_parse(v, owner) : NULL;
    struct selector selector;
    if (!rs || read_selector(v, kind, rs, &selector) < 0)
        return;
    const struct item **pods;
    size_t n = claimable(v, owner, KIND_PODS, &selector, &pods);
    n = claim(v, a, owner, &selector, pods, n);
    size_t active = 0;
    for (size_t i = 0; i < n; i++)
        if (is_active(pods[i]))
            pods[active++] = pods[i];

    if (v->failure)
        report(v, a, owner);
    else if (!owner->deleted)
        manage(v, a, owner, rs, pods, active);
    act_next_phase(a);
    struct counts c = count_pods(v, rs, pods, active);
    update_status(v, a, kind, rs, &c);
    if (c.next_ms >= 0)
        act_requeue(a, c.next_ms);
}

static void reconcile_set(struct view *v, struct str key, struct actions *a)
{
    reconcile_kind(v, KIND_REPLICASETS, key, a);
}

static void reconcile_controller(struct view *v, struct str key, struct actions *a)
{
    reconcile_kind(v, KIND_REPLICATIONCONTROLLERS, key, a);
}

/* --- what concerns whom --- */

static bool same_labels(const struct item *a, const struct item *b)
{
    return a->labels.n == b->labels.n && labels_have(&a->labels, &b->labels);
}

static bool matters(const struct item *old, const struct item *now)
{
    const struct pod *p = old->pod, *q = now->pod;
    return p->phase != q->phase || p->ready != q->ready || p->ready_since != q->ready_since ||
           !old->deleted != !now->deleted || !p->node.n != !q->node.n || !same_labels(old, now);
}

static void mark_owner(struct marks *m, enum kind kind, const struct item *i)
{
    if (i->controller && str_is(i->controller->kind, kind_infos[kind].kind))
        mark_key(m,
                 arena_printf(m->arena, "%.*s/%.*s", STR_ARG(i->ns), STR_ARG(i->controller->name)));
}

static bool selects(void *pod, const struct item *rs)
{
    return labels_have(&((const struct item *)pod)->labels, &rs->selector);
}

static void mark_concerned(struct marks *m, enum kind kind, const struct change *c)
{
    if (c->kind == kind) {
        mark_key(m, change_item(c)->key);
        return;
    }
    if (c->kind != KIND_PODS)
        return;
    bool same_owner = c->old && c->now && c->old->controller && c->now->controller &&
                      str_eq(c->old->controller->uid, c->now->controller->uid);
    if (same_owner && !matters(c->old, c->now))
        return;
    if (c->old && !same_owner)
        mark_owner(m, kind, c->old);
    if (c->now)
        mark_owner(m, kind, c->now);
    if (!c->now || c->now->controller)
        return;
    struct item **sets;
    size_t n = picture_group(m->picture, GROUP_NS, kind, c->now->ns, selects, (void *)c->now,
                             m->arena, &sets);
    for (size_t i = 0; i < n; i++) {
        mark_key(m, sets[i]->key);
        item_unref(sets[i]);
    }
}

static void set_changed(struct marks *m, const struct change *c)
{
    mark_concerned(m, KIND_REPLICASETS, c);
}

static void controller_changed(struct marks *m, const struct change *c)
{
    mark_concerned(m, KIND_REPLICATIONCONTROLLERS, c);
}

const struct controller controller_replicaset = {
    .name = "replicaset",
    .component = "replicaset-controller",
    .reconcile = reconcile_set,
    .changed = set_changed,
    .min_interval_ms = 40,
    .reports_failures = true,
};

const struct controller controller_replication = {
    .name = "replication",
    .component = "replication-controller",
    .reconcile = reconcile_controller,
    .changed = controller_changed,
    .min_interval_ms = 40,
    .reports_failures = true,
};
