/* The scheduler: one pass over the pending pods, in order of priority and age. */
#include "control/scheduler.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"

enum { BATCH = 1000, AGAIN_MS = 60000, MAX_REASONS = 16, MAX_DIFFERENT = 64 };

/* --- shapes --- */

static void count_siblings(struct pass *p, struct needs *n, const struct item *pod)
{
    n->siblings = arena_zalloc(p->v->arena, (p->slot_count + 1) * sizeof *n->siblings);
    if (!pod->controller)
        return;
    struct map at = {0}; /* node -> its position + 1 */
    for (size_t i = 0; i < p->slot_count; i++)
        map_set(&at, p->slots[i].item->name, (void *)(i + 1));
    const struct item **pods;
    size_t count = view_group(p->v, GROUP_OWNER, KIND_PODS, pod->controller->uid, &pods);
    for (size_t i = 0; i < count; i++) {
        size_t slot = (size_t)map_get(&at, pods[i]->pod->node);
        if (!slot || item_pod_done(pods[i]))
            continue;
        if (++n->siblings[slot - 1] > n->most_siblings)
            n->most_siblings = n->siblings[slot - 1];
    }
    map_done(&at);
}

/* The pods of a replica set have one spec; others are each of their own shape. */
static struct needs *needs_of(struct pass *p, const struct item *pod)
{
    bool shared = pod->controller && str_is(pod->controller->kind, "ReplicaSet");
    struct needs *n = shared ? map_get(p->shapes, pod->controller->uid) : NULL;
    if (n)
        return n;
    n = ARENA_NEW(p->v->arena, struct needs);
    n->spec = val_get(view_parse(p->v, pod), "spec");
    n->tolerations = tolerations_read(p->v, val_get(n->spec, "tolerations"), &n->toleration_count);
    filter_static(p, n);
    count_siblings(p, n, pod);
    if (shared)
        map_set(p->shapes, pod->controller->uid, n);
    return n;
}

/* --- one pod --- */

static struct slot *choose(struct pass *p, const struct needs *n, const struct item *pod)
{
    struct slot *best = NULL;
    int64_t most = -1;
    const char *reasons[1];
    bool lasting;
    for (size_t k = 0; k < p->slot_count; k++) {
        size_t i = (k + p->turn) % p->slot_count;
        if (n->verdict[i] || filter_dynamic(p, pod, &p->slots[i], reasons, 1, &lasting))
            continue;
        int64_t points = score(n, pod, &p->slots[i], i);
        if (points > most) {
            most = points;
            best = &p->slots[i];
        }
    }
    return best;
}

static void count_in(struct pass *p, struct needs *n, const struct item *pod, struct slot *s)
{
    const struct pod *q = pod->pod;
    s->used.cpu += q->requests.cpu;
    s->used.memory += q->requests.memory;
    s->used.ephemeral += q->requests.ephemeral;
    s->used.cpu_nonzero += q->cpu_nonzero;
    s->used.memory_nonzero += q->memory_nonzero;
    s->used.pods++;
    size_t at = (size_t)(s - p->slots);
    if (++n->siblings[at] > n->most_siblings)
        n->most_siblings = n->siblings[at];
    p->turn++;
}

static void bind_to(struct pass *p, const struct item *pod, const struct item *node)
{
    struct doc *d = p->v->doc;
    val *b = val_new_obj(d), *meta = val_ensure_obj(d, b, "metadata");
    val_set_z(d, b, "apiVersion", "v1");
    val_set_z(d, b, "kind", "Binding");
    val_set_s(d, meta, "name", pod->name);
    val_set_s(d, meta, "namespace", pod->ns);
    val_set_s(d, meta, "uid", pod->uid);
    val *target = val_ensure_obj(d, b, "target");
    val_set_z(d, target, "kind", "Node");
    val_set_s(d, target, "name", node->name);
    act_event(p->a, act_post_sub(p->a, pod, "binding", b), pod, "Normal", "Scheduled",
              "Successfully assigned %.*s/%.*s to %.*s", STR_ARG(pod->ns), STR_ARG(pod->name),
              STR_ARG(node->name));
}

/* --- why there is no node --- */

struct histogram {
    const char *reason[MAX_DIFFERENT];
    size_t count[MAX_DIFFERENT];
    size_t n;
};

static void count_reason(struct histogram *h, const char *reason)
{
    for (size_t i = 0; i < h->n; i++) {
        if (!str_is(str_of(h->reason[i]), reason))
            continue;
        h->count[i]++;
        return;
    }
    if (h->n == MAX_DIFFERENT)
        return;
    h->reason[h->n] = reason;
    h->count[h->n++] = 1;
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void write_histogram(struct pass *p, const struct histogram *h, struct buf *b)
{
    struct str parts[MAX_DIFFERENT];
    for (size_t i = 0; i < h->n; i++)
        parts[i] = arena_printf(p->v->arena, "%zu %s", h->count[i], h->reason[i]);
    qsort(parts, h->n, sizeof *parts, by_text);
    buf_printf(b, "0/%zu nodes are available: ", p->slot_count);
    for (size_t i = 0; i < h->n; i++)
        buf_printf(b, "%s%.*s", i ? ", " : "", STR_ARG(parts[i]));
    buf_putc(b, '.');
}

/* FitError.Error and the words of the preemption that found nobody to evict. */
static struct str explain(struct pass *p, const struct needs *n, const struct item *pod)
{
    if (p->slot_count == 0)
        return STR("no nodes available to schedule pods");
    struct histogram why = {0}, preemption = {0};
    for (size_t i = 0; i < p->slot_count; i++) {
        const char *reasons[MAX_REASONS];
        size_t count = 1;
        bool lasting = true;
        if (n->verdict[i])
            reasons[0] = n->verdict[i];
        else
            count = filter_dynamic(p, pod, &p->slots[i], reasons, MAX_REASONS, &lasting);
        for (size_t r = 0; r < count; r++)
            count_reason(&why, reasons[r]);
        count_reason(&preemption, lasting ? "Preemption is not helpful for scheduling"
                                          : "No preemption victims found for incoming pod");
    }
    struct buf b = {0};
    write_histogram(p, &why, &b);
    /* The words of the plugins that could have made room: device claims, then preemption. */
    buf_puts(&b, " no new claims to deallocate, preemption: ");
    write_histogram(p, &preemption, &b);
    struct str text = arena_dup(p->v->arena, buf_str(&b));
    buf_done(&b);
    return text;
}

/* Says so once, and again only in other words. */
static void report(struct pass *p, const struct item *pod, struct str message)
{
    struct view *v = p->v;
    val *obj = view_parse(v, pod);
    if (!obj)
        return;
    val *conditions = val_ensure_arr(v->doc, val_ensure_obj(v->doc, obj, "status"), "conditions");
    if (!condition_set(v, conditions, "PodScheduled", "False", "Unschedulable", message, false))
        return;
    struct action *act = act_update(p->a, KIND_PODS, obj, "status");
    act->optional = true;
    act_event(p->a, act, pod, "Warning", "FailedScheduling", "%.*s", STR_ARG(message));
}

/* True when the pass must end: host ports and extended resources are not summed up along the way,
 * so a pod that asks for them is the last of its pass. */
static bool place(struct pass *p, const struct item *pod)
{
    struct needs *n = needs_of(p, pod);
    struct slot *s = n->hopeless ? NULL : choose(p, n, pod);
    if (s) {
        count_in(p, n, pod, s);
        bind_to(p, pod, s->item);
        return pod->pod->host_ports || pod->pod->requests.other_count > 0;
    }
    if (!n->hopeless)
        n->message = explain(p, n, pod);
    n->hopeless = true;
    report(p, pod, n->message);
    return false;
}

/* --- the pass --- */

/* Not another scheduler's. */
static bool is_ours(const struct item *pod)
{
    struct str scheduler = pod->pod->scheduler;
    return !scheduler.n || str_is(scheduler, "default-scheduler");
}

static bool is_pending(void *arg, const struct item *i)
{
    (void)arg;
    return !i->deleted && !i->pod->gated && !item_pod_done(i) && is_ours(i);
}

/* Fresh ones before those that found no node before, then by priority and age. */
static int by_turn(const void *a, const void *b)
{
    const struct item *x = *(const struct item *const *)a, *y = *(const struct item *const *)b;
    if (x->pod->priority != y->pod->priority)
        return x->pod->priority > y->pod->priority ? -1 : 1;
    if (x->pod->unschedulable_reported != y->pod->unschedulable_reported)
        return x->pod->unschedulable_reported ? 1 : -1;
    return x->rv != y->rv ? (x->rv < y->rv ? -1 : 1) : str_cmp(x->key, y->key);
}

static void load_nodes(struct pass *p)
{
    const struct item **nodes;
    size_t n = view_group(p->v, GROUP_ALL, KIND_NODES, (struct str){0}, &nodes);
    items_sort(nodes, n);
    p->slots = arena_zalloc(p->v->arena, (n + 1) * sizeof *p->slots);
    for (size_t i = 0; i < n; i++)
        if (!nodes[i]->deleted)
            p->slots[p->slot_count++] =
                (struct slot){nodes[i], picture_usage(p->v->picture, nodes[i]->name)};
}

static void reconcile(struct view *v, struct str key, struct actions *a)
{
    (void)key;
    const struct item **pods;
    size_t n = view_match(v, GROUP_NODE, KIND_PODS, (struct str){0}, is_pending, NULL, &pods);
    if (n == 0)
        return;
    qsort(pods, n, sizeof *pods, by_turn);
    struct map shapes = {0};
    struct pass p = {.v = v, .a = a, .shapes = &shapes};
    load_nodes(&p);
    size_t done = 0;
    for (bool last = false; done < n && a->count < BATCH && !last; done++)
        last = place(&p, pods[done]);
    map_done(&shapes);
    act_requeue(a, done == n ? AGAIN_MS : 0);
}

/* --- what gives reason for a pass --- */

static bool frees_room(const struct change *c)
{
    return c->old && c->old->pod->node.n && !item_pod_done(c->old) &&
           (!c->now || item_pod_done(c->now));
}

static bool waits(const struct change *c)
{
    if (!c->now || c->now->pod->node.n || c->now->deleted || !is_ours(c->now))
        return false;
    return !c->old || c->old->pod->gated != c->now->pod->gated ||
           c->old->labels.n != c->now->labels.n || !c->now->pod->unschedulable_reported;
}

static bool same_node(const struct item *a, const struct item *b)
{
    const struct node *x = a->node, *y = b->node;
    if (x->ready != y->ready || x->unschedulable != y->unschedulable || x->pods != y->pods ||
        x->allocatable.cpu != y->allocatable.cpu ||
        x->allocatable.memory != y->allocatable.memory || x->taint_count != y->taint_count ||
        a->labels.n != b->labels.n)
        return false;
    for (size_t i = 0; i < x->taint_count; i++)
        if (!str_eq(x->taints[i].key, y->taints[i].key) ||
            x->taints[i].effect != y->taints[i].effect)
            return false;
    return labels_have(&a->labels, &b->labels);
}

static void changed(struct marks *m, const struct change *c)
{
    bool matters = false;
    if (c->kind == KIND_PODS)
        matters = waits(c) || frees_room(c);
    else if (c->kind == KIND_NODES)
        matters = !c->old || !c->now || !same_node(c->old, c->now);
    if (matters)
        mark_key(m, STR("pods"));
}

const struct controller controller_scheduler = {
    .name = "scheduler",
    .component = "default-scheduler",
    .reconcile = reconcile,
    .changed = changed,
};
