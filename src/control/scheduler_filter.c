/* May the pod go to the node? */
#include "control/scheduler.h"

static const char *const UNSCHEDULABLE = "node(s) were unschedulable";
static const char *const TAINTS = "node(s) had untolerated taint(s)";
static const char *const AFFINITY = "node(s) didn't match Pod's node affinity/selector";
static const char *const PORTS = "node(s) didn't have free ports for the requested pod ports";

/* --- taints --- */

struct toleration *tolerations_read(struct view *v, const val *list, size_t *ret_n)
{
    struct toleration *t = arena_zalloc(v->arena, (val_len(list) + 1) * sizeof *t);
    *ret_n = 0;
    VAL_FOR (list, from) {
        struct str effect = VAL_STR(from, "effect");
        t[(*ret_n)++] = (struct toleration){
            .key = VAL_STR(from, "key"),
            .value = VAL_STR(from, "value"),
            .exists = str_is(VAL_STR(from, "operator"), "Exists"),
            .effect = !effect.n                            ? -1
                      : str_is(effect, "NoExecute")        ? TAINT_NO_EXECUTE
                      : str_is(effect, "PreferNoSchedule") ? TAINT_PREFER_NO_SCHEDULE
                                                           : TAINT_NO_SCHEDULE,
        };
    }
    return t;
}

bool toleration_covers(const struct toleration *t, const struct taint *taint)
{
    if (t->effect >= 0 && t->effect != (int)taint->effect)
        return false;
    if (t->key.n && !str_eq(t->key, taint->key))
        return false;
    return t->exists || (t->key.n && str_eq(t->value, taint->value));
}

static bool is_tolerated(const struct taint *taint, const struct toleration *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (toleration_covers(&t[i], taint))
            return true;
    return false;
}

const struct taint *taint_untolerated(const struct item *node, const struct toleration *t, size_t n,
                                      bool (*counts)(enum taint_effect))
{
    for (size_t i = 0; i < node->node->taint_count; i++) {
        const struct taint *taint = &node->node->taints[i];
        if (counts(taint->effect) && !is_tolerated(taint, t, n))
            return taint;
    }
    return NULL;
}

static bool keeps_out(enum taint_effect e)
{
    return e != TAINT_PREFER_NO_SCHEDULE;
}

static const char *check_taints(const struct needs *n, const struct item *node)
{
    static const struct taint not_ready = {.key = STR_INIT("node.kubernetes.io/not-ready")};
    if (taint_untolerated(node, n->tolerations, n->toleration_count, keeps_out))
        return TAINTS;
    /* A node is tainted a moment after it turned unready. */
    if (node->node->ready != TRUTH_TRUE &&
        !is_tolerated(&not_ready, n->tolerations, n->toleration_count))
        return TAINTS;
    return NULL;
}

static const char *check_unschedulable(const struct needs *n, const struct item *node)
{
    static const struct taint cordon = {.key = STR_INIT("node.kubernetes.io/unschedulable")};
    return node->node->unschedulable && !is_tolerated(&cordon, n->tolerations, n->toleration_count)
               ? UNSCHEDULABLE
               : NULL;
}

/* --- node affinity --- */

static bool has_label(const struct item *node, struct str key, struct str *ret)
{
    for (size_t i = 0; i < node->labels.n; i++) {
        if (!str_eq(node->labels.at[i].key, key))
            continue;
        *ret = node->labels.at[i].value;
        return true;
    }
    return false;
}

static bool is_among(struct str s, const val *values)
{
    VAL_FOR (values, v)
        if (str_eq(val_str(v), s))
            return true;
    return false;
}

static bool match_requirement(const val *e, bool has, struct str value)
{
    struct str op = VAL_STR(e, "operator");
    const val *values = val_get(e, "values");
    int64_t got, want;
    if (str_is(op, "In"))
        return has && is_among(value, values);
    if (str_is(op, "NotIn"))
        return !has || !is_among(value, values);
    if (str_is(op, "Exists"))
        return has;
    if (str_is(op, "DoesNotExist"))
        return !has;
    if (!has || !str_to_i64(value, &got) || !str_to_i64(val_str(val_at(values, 0)), &want))
        return false;
    return str_is(op, "Gt") ? got > want : str_is(op, "Lt") && got < want;
}

/* A term without requirements matches no node. */
static bool match_term(const val *term, const struct item *node)
{
    const val *labels = val_get(term, "matchExpressions"), *fields = val_get(term, "matchFields");
    VAL_FOR (labels, e) {
        struct str value = {0};
        bool has = has_label(node, VAL_STR(e, "key"), &value);
        if (!match_requirement(e, has, value))
            return false;
    }
    VAL_FOR (fields, e)
        if (!str_is(VAL_STR(e, "key"), "metadata.name") || !match_requirement(e, true, node->name))
            return false;
    return val_len(labels) + val_len(fields) > 0;
}

static const char *check_affinity(const struct needs *n, const struct item *node)
{
    VAL_EACH (val_get(n->spec, "nodeSelector"), key, want) {
        struct str value;
        if (!has_label(node, val_str(key), &value) || !str_eq(value, val_str(want)))
            return AFFINITY;
    }
    const val *required = VAL_PATH(n->spec, "affinity", "nodeAffinity",
                                   "requiredDuringSchedulingIgnoredDuringExecution");
    if (val_is_null(required))
        return NULL;
    VAL_FOR (val_get(required, "nodeSelectorTerms"), term)
        if (match_term(term, node))
            return NULL;
    return AFFINITY;
}

static int preference_of(const struct needs *n, const struct item *node)
{
    int sum = 0;
    VAL_FOR (VAL_PATH(n->spec, "affinity", "nodeAffinity",
                      "preferredDuringSchedulingIgnoredDuringExecution"),
             p)
        if (match_term(val_get(p, "preference"), node))
            sum += (int)VAL_INT(p, "weight");
    return sum;
}

static int dislike_of(const struct needs *n, const struct item *node)
{
    int sum = 0;
    for (size_t i = 0; i < node->node->taint_count; i++) {
        const struct taint *t = &node->node->taints[i];
        sum += t->effect == TAINT_PREFER_NO_SCHEDULE &&
               !is_tolerated(t, n->tolerations, n->toleration_count);
    }
    return sum;
}

void filter_static(struct pass *p, struct needs *n)
{
    n->verdict = arena_zalloc(p->v->arena, (p->slot_count + 1) * sizeof *n->verdict);
    n->preference = arena_zalloc(p->v->arena, (p->slot_count + 1) * sizeof *n->preference);
    n->dislike = arena_zalloc(p->v->arena, (p->slot_count + 1) * sizeof *n->dislike);
    for (size_t i = 0; i < p->slot_count; i++) {
        const struct item *node = p->slots[i].item;
        const char *why = check_unschedulable(n, node);
        if (!why)
            why = check_taints(n, node);
        if (!why)
            why = check_affinity(n, node);
        n->verdict[i] = why;
        if (why)
            continue;
        n->preference[i] = preference_of(n, node);
        n->dislike[i] = dislike_of(n, node);
        if (n->preference[i] > n->most_preference)
            n->most_preference = n->preference[i];
        if (n->dislike[i] > n->most_dislike)
            n->most_dislike = n->dislike[i];
    }
}

/* --- room on the node --- */

static bool ports_clash(const struct pod *a, const struct pod *b)
{
    for (size_t i = 0; i < a->port_count; i++) {
        const struct pod_port *p = &a->ports[i];
        for (size_t j = 0; p->host_port && j < b->port_count; j++) {
            const struct pod_port *q = &b->ports[j];
            bool same_ip = str_eq(p->host_ip, q->host_ip) || !p->host_ip.n || !q->host_ip.n ||
                           str_is(p->host_ip, "0.0.0.0") || str_is(q->host_ip, "0.0.0.0");
            if (p->host_port == q->host_port && str_eq(p->protocol, q->protocol) && same_ip)
                return true;
        }
    }
    return false;
}

static bool port_taken(struct pass *p, const struct item *pod, const struct slot *s)
{
    const struct item **there;
    size_t n = view_group(p->v, GROUP_NODE, KIND_PODS, s->item->name, &there);
    for (size_t i = 0; i < n; i++)
        if (there[i]->pod->host_ports && !item_pod_done(there[i]) &&
            ports_clash(pod->pod, there[i]->pod))
            return true;
    return false;
}

static int64_t other_of(const struct amounts *a, struct str name)
{
    for (size_t i = 0; i < a->other_count; i++)
        if (str_eq(a->other[i].name, name))
            return a->other[i].value;
    return 0;
}

static int64_t other_used(struct pass *p, const struct slot *s, struct str name)
{
    const struct item **there;
    int64_t sum = 0;
    size_t n = view_group(p->v, GROUP_NODE, KIND_PODS, s->item->name, &there);
    for (size_t i = 0; i < n; i++)
        if (!item_pod_done(there[i]))
            sum += other_of(&there[i]->pod->requests, name);
    return sum;
}

struct verdicts {
    const char **reasons;
    size_t n, max;
    bool lasting;
};

static void check_amount(struct verdicts *to, int64_t ask, int64_t has, int64_t used,
                         const char *reason)
{
    if (ask <= 0 || ask <= has - used || to->n == to->max)
        return;
    to->reasons[to->n++] = reason;
    to->lasting |= ask > has;
}

size_t filter_dynamic(struct pass *p, const struct item *pod, const struct slot *s,
                      const char **reasons, size_t max, bool *ret_lasting)
{
    const struct amounts *ask = &pod->pod->requests, *has = &s->item->node->allocatable;
    struct verdicts to = {.reasons = reasons, .max = max};
    *ret_lasting = false;
    if (pod->pod->host_ports && port_taken(p, pod, s)) {
        reasons[0] = PORTS;
        return 1;
    }
    if (s->used.pods + 1 > s->item->node->pods)
        reasons[to.n++] = "Too many pods";
    check_amount(&to, ask->cpu, has->cpu, s->used.cpu, "Insufficient cpu");
    check_amount(&to, ask->memory, has->memory, s->used.memory, "Insufficient memory");
    check_amount(&to, ask->ephemeral, has->ephemeral, s->used.ephemeral,
                 "Insufficient ephemeral-storage");
    for (size_t i = 0; i < ask->other_count; i++) {
        struct str name = ask->other[i].name;
        check_amount(&to, ask->other[i].value, other_of(has, name), other_used(p, s, name),
                     arena_printf(p->v->arena, "Insufficient %.*s", STR_ARG(name)).p);
    }
    *ret_lasting = to.lasting;
    return to.n;
}
