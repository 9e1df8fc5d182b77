/* PodDisruptionBudgets: how many of the pods that one selects are healthy, how many must be, and so
 * how many an eviction may take (the API server counts those down itself until this controller has
 * seen them go). Upstream: pkg/controller/disruption. */
#include "control/meta.h"
#include "doc/time.h"

enum { MAX_CONTROLLERS = 64 }; /* different ones behind one budget's pods; more are not counted */

/* A pod that the server agreed to evict counts as gone so long, then it was a mistake. */
static const int64_t deletion_timeout = 2 * 60 * 1000000000LL;

struct budget {
    struct view *v;
    struct actions *a;
    const struct item *item;
    val *obj;
    const struct item **pods;
    size_t pod_count, unmanaged;
    int64_t expected, desired, healthy;
    val *disrupted;    /* those agreed to and still there: name → time */
    int64_t recheck;   /* when the first of them is over; 0: none is */
    const char *wrong; /* why nothing can be said */
};

/* --- how many there should be --- */

struct scale { /* of one controller of pods */
    struct str uid;
    int64_t replicas;
};

static int64_t replicas_of(const val *obj)
{
    const val *n = VAL_PATH(obj, "spec", "replicas");
    return val_is_int(n) ? val_int(n) : 1;
}

static bool scale_in_picture(struct view *v, enum kind kind, struct str ns, const struct owner *o,
                             struct scale *ret)
{
    const struct item *i =
        view_item(v, kind, arena_printf(v->arena, "%.*s/%.*s", STR_ARG(ns), STR_ARG(o->name)));
    if (!i || !str_eq(i->uid, o->uid))
        return false;
    if (kind == KIND_REPLICASETS && i->controller && str_is(i->controller->kind, "Deployment"))
        return scale_in_picture(v, KIND_DEPLOYMENTS, ns, i->controller, ret);
    *ret = (struct scale){i->uid, replicas_of(view_parse(v, i))};
    return true;
}

/* The resource of a kind, when it can be scaled. */
static struct str scalable_resource(struct view *v, struct str root, struct str kind)
{
    struct err err;
    val *list;
    struct str name = {0};
    if (v->live->get(v->live->self, root.p, v->doc, &list, &err) < 0)
        return name;
    VAL_FOR (val_get(list, "resources"), r)
        if (str_eq(VAL_STR(r, "kind"), kind) && str_find_char(VAL_STR(r, "name"), '/') < 0)
            name = VAL_STR(r, "name");
    struct str sub = arena_printf(v->arena, "%.*s/scale", STR_ARG(name));
    VAL_FOR (val_get(list, "resources"), r)
        if (str_eq(VAL_STR(r, "name"), sub))
            return name;
    return (struct str){0};
}

/* Whatever else has a scale subresource: StatefulSets, custom resources. */
static bool scale_from_server(struct view *v, struct str ns, const struct owner *o,
                              struct scale *ret)
{
    struct err err;
    val *answer;
    const char *prefix = str_find_char(o->api_version, '/') < 0 ? "/api" : "/apis";
    struct str root = arena_printf(v->arena, "%s/%.*s", prefix, STR_ARG(o->api_version));
    struct str resource = scalable_resource(v, root, o->kind);
    if (!resource.n)
        return false;
    struct str path = arena_printf(v->arena, "%.*s/namespaces/%.*s/%.*s/%.*s/scale", STR_ARG(root),
                                   STR_ARG(ns), STR_ARG(resource), STR_ARG(o->name));
    if (v->live->get(v->live->self, path.p, v->doc, &answer, &err) < 0 ||
        !str_eq(VAL_STR(answer, "metadata", "uid"), o->uid))
        return false;
    *ret = (struct scale){o->uid, VAL_INT(answer, "spec", "replicas")};
    return true;
}

static bool find_scale(struct view *v, struct str ns, const struct owner *o, struct scale *ret)
{
    enum kind kind = kind_find(o->api_version, o->kind);
    if (kind == KIND_REPLICASETS || kind == KIND_REPLICATIONCONTROLLERS)
        return scale_in_picture(v, kind, ns, o, ret);
    return scale_from_server(v, ns, o, ret);
}

/* The sum of what the pods' controllers were asked for. */
static bool expected_scale(struct budget *b)
{
    struct str asked[MAX_CONTROLLERS];
    struct scale known[MAX_CONTROLLERS];
    size_t asked_count = 0, known_count = 0;
    for (size_t i = 0; i < b->pod_count; i++) {
        const struct owner *o = b->pods[i]->controller;
        struct scale s;
        size_t at = 0;
        if (!o) {
            b->unmanaged++;
            continue;
        }
        while (at < asked_count && !str_eq(asked[at], o->uid))
            at++;
        if (at < asked_count || asked_count == MAX_CONTROLLERS)
            continue;
        asked[asked_count++] = o->uid;
        if (!find_scale(b->v, b->item->ns, o, &s)) {
            b->wrong = arena_printf(b->v->arena, "found no controllers for pod \"%.*s\"",
                                    STR_ARG(b->pods[i]->name))
                           .p;
            return false;
        }
        for (at = 0; at < known_count && !str_eq(known[at].uid, s.uid);)
            at++;
        if (at < known_count) /* two replica sets of one deployment */
            continue;
        known[known_count++] = s;
        b->expected += s.replicas;
    }
    return true;
}

static bool count_expected(struct budget *b)
{
    const val *max = VAL_PATH(b->obj, "spec", "maxUnavailable");
    const val *min = VAL_PATH(b->obj, "spec", "minAvailable");
    if (!val_is_null(max)) {
        if (!expected_scale(b))
            return false;
        b->desired = b->expected - int_or_percent(max, b->expected, true);
        if (b->desired < 0)
            b->desired = 0;
    } else if (val_is_num(min)) {
        b->desired = val_int(min);
        b->expected = (int64_t)b->pod_count;
    } else if (!val_is_null(min)) {
        if (!expected_scale(b))
            return false;
        b->desired = int_or_percent(min, b->expected, true);
    }
    return true;
}

/* --- how many there are --- */

/* Whether the server agreed to evict the pod and it has not had its time yet. */
static bool is_disrupted(struct budget *b, const struct item *pod)
{
    const val *at = val_get_str(VAL_PATH(b->obj, "status", "disruptedPods"), pod->name);
    int64_t agreed;
    if (!at || pod->deleted || time_parse(val_str(at), &agreed, NULL) < 0)
        return false;
    int64_t over = agreed + deletion_timeout;
    if (over < b->v->now) {
        act_event(b->a, NULL, pod, "Warning", "NotDeleted",
                  "Pod was expected by PDB %.*s/%.*s to be deleted but it wasn't",
                  STR_ARG(b->item->ns), STR_ARG(b->item->ns));
        return false;
    }
    if (!b->recheck || over < b->recheck)
        b->recheck = over;
    val_set_str(b->v->doc, b->disrupted, pod->name, val_copy(b->v->doc, at));
    return true;
}

static void count_healthy(struct budget *b)
{
    b->disrupted = val_new_obj(b->v->doc);
    for (size_t i = 0; i < b->pod_count; i++)
        if (!is_disrupted(b, b->pods[i]) && !b->pods[i]->deleted && b->pods[i]->pod->ready)
            b->healthy++;
}

/* --- saying so --- */

static void set_condition(struct budget *b, val *status, bool allowed, const char *reason,
                          const char *message, int64_t generation)
{
    val *conditions = val_ensure_arr(b->v->doc, status, "conditions");
    condition_set(b->v, conditions, "DisruptionAllowed", allowed ? "True" : "False", reason,
                  str_of(message), false);
    if (generation)
        val_set_int(b->v->doc, condition_find(conditions, "DisruptionAllowed"),
                    "observedGeneration", generation);
}

static void write_status(struct budget *b)
{
    struct doc *d = b->v->doc;
    const val *old = val_get(b->obj, "status");
    val *status = old ? val_copy(d, old) : val_new_obj(d);
    int64_t generation = VAL_INT(b->obj, "metadata", "generation");
    int64_t allowed = b->healthy - b->desired;
    if (b->wrong) {
        val_set_int(d, status, "disruptionsAllowed", 0);
        set_condition(b, status, false, "SyncFailed", b->wrong,
                      VAL_INT(status, "observedGeneration"));
    } else {
        if (b->expected <= 0 || allowed < 0)
            allowed = 0;
        val_set_int(d, status, "currentHealthy", b->healthy);
        val_set_int(d, status, "desiredHealthy", b->desired);
        val_set_int(d, status, "expectedPods", b->expected);
        val_set_int(d, status, "disruptionsAllowed", allowed);
        val_set_int(d, status, "observedGeneration", generation);
        val_del(status, "disruptedPods");
        if (val_len(b->disrupted))
            val_set(d, status, "disruptedPods", b->disrupted);
        set_condition(b, status, allowed > 0, allowed > 0 ? "SufficientPods" : "InsufficientPods",
                      "", generation);
    }
    if (old && val_eq(status, old))
        return;
    val_set(d, b->obj, "status", status);
    act_update(b->a, KIND_PODDISRUPTIONBUDGETS, b->obj, "status");
}

/* The selector as Go prints it in upstream's event. */
static void write_selector(const val *selector, struct buf *out)
{
    buf_puts(out, "&LabelSelector{MatchLabels:map[string]string{");
    VAL_EACH (val_get(selector, "matchLabels"), key, value)
        buf_printf(out, "%.*s: %.*s,", STR_ARG(val_str(key)), STR_ARG(val_str(value)));
    buf_puts(out, "},MatchExpressions:[]LabelSelectorRequirement{");
    VAL_FOR (val_get(selector, "matchExpressions"), e) {
        const char *space = "";
        buf_printf(out, "LabelSelectorRequirement{Key:%.*s,Operator:%.*s,Values:[",
                   STR_ARG(VAL_STR(e, "key")), STR_ARG(VAL_STR(e, "operator")));
        VAL_FOR (val_get(e, "values"), value) {
            buf_printf(out, "%s%.*s", space, STR_ARG(val_str(value)));
            space = " ";
        }
        buf_puts(out, "],},");
    }
    buf_puts(out, "},}");
}

static void report(struct budget *b)
{
    if (b->pod_count == 0)
        act_event(b->a, NULL, b->item, "Normal", "NoPods", "No matching pods found");
    if (b->wrong)
        act_event(b->a, NULL, b->item, "Warning", "CalculateExpectedPodCountFailed",
                  "Failed to calculate the number of expected pods: %s", b->wrong);
    if (b->wrong || !b->unmanaged)
        return;
    struct buf selector = {0};
    write_selector(VAL_PATH(b->obj, "spec", "selector"), &selector);
    act_event(b->a, NULL, b->item, "Warning", "UnmanagedPods",
              "Pods selected by this PodDisruptionBudget (selector: %s) were found to be "
              "unmanaged. As a result, the status of the PDB cannot be calculated correctly, which "
              "may result in undefined behavior. To account for these pods please set "
              "\".spec.minAvailable\" field of the PDB to an integer value.",
              buf_z(&selector));
    buf_done(&selector);
}

/* --- the reconcile --- */

static void select_pods(struct budget *b)
{
    struct selector selector;
    if (selector_from_object(b->v->arena, VAL_PATH(b->obj, "spec", "selector"), &selector, NULL) <
        0)
        return;
    size_t n = view_group(b->v, GROUP_NS, KIND_PODS, b->item->ns, &b->pods);
    items_sort(b->pods, n);
    for (size_t i = 0; i < n; i++)
        if (selector_match_item(b->v, &selector, b->pods[i]))
            b->pods[b->pod_count++] = b->pods[i];
}

static void reconcile(struct view *v, struct str key, struct actions *a)
{
    const struct item *item = view_item(v, KIND_PODDISRUPTIONBUDGETS, key);
    struct budget b = {.v = v, .a = a, .item = item};
    b.obj = item ? view_parse(v, item) : NULL;
    if (!b.obj)
        return;
    select_pods(&b);
    if (count_expected(&b))
        count_healthy(&b);
    report(&b);
    write_status(&b);
    if (b.recheck)
        act_requeue(a, (b.recheck - v->now) / 1000000 + 1);
}

/* --- what concerns whom --- */

static bool selects(void *pod, const struct item *budget)
{
    return labels_have(&((const struct item *)pod)->labels, &budget->selector);
}

static void mark_budgets(struct marks *m, const struct item *pod)
{
    struct item **budgets;
    size_t n = picture_group(m->picture, GROUP_NS, KIND_PODDISRUPTIONBUDGETS, pod->ns, selects,
                             (void *)pod, m->arena, &budgets);
    for (size_t i = 0; i < n; i++) {
        mark_key(m, budgets[i]->key);
        item_unref(budgets[i]);
    }
}

static bool matters(const struct item *old, const struct item *now)
{
    return old->pod->ready != now->pod->ready || !old->deleted != !now->deleted ||
           old->labels.n != now->labels.n || !labels_have(&old->labels, &now->labels) ||
           !old->controller != !now->controller;
}

static void changed(struct marks *m, const struct change *c)
{
    if (c->kind == KIND_PODDISRUPTIONBUDGETS && c->now)
        mark_key(m, c->now->key);
    if (c->kind != KIND_PODS || (c->old && c->now && !matters(c->old, c->now)))
        return;
    if (c->old)
        mark_budgets(m, c->old);
    if (c->now)
        mark_budgets(m, c->now);
}

const struct controller controller_disruption = {
    .name = "disruption",
    .component = "controllermanager",
    .reconcile = reconcile,
    .changed = changed,
    .min_interval_ms = 40,
};
