/* EndpointSlices: who answers for a service, at most 100 a slice. Upstream: k8s.io/endpointslice.
 *
 * Slices are watched by every node, so as few as possible are written: an endpoint stays in the
 * slice it is in, new ones go where something is written anyway, then where there is room. */
#include "base/map.h"
#include "control/backends.h"

enum { PER_SLICE = 100 };

#define MANAGED_BY "endpointslice.kubernetes.io/managed-by"
#define CONTROLLER "endpointslice-controller.k8s.io"

struct slice {
    const struct item *item; /* NULL: to be created */
    val *obj;
    val *endpoints; /* as they shall be */
    bool changed;
};

struct plan { /* the slices of one service, family and port list */
    struct view *v;
    struct actions *a;
    const struct backends *s;
    const val *labels;
    const char *family;
    const val *ports;
    struct slice *slices;
    size_t n, cap;
};

/* --- endpoints --- */

static val *endpoint_of(struct view *v, const struct backends *s, const struct backend *b,
                        struct str ip)
{
    struct doc *d = v->doc;
    val *e = val_new_obj(d);
    val_push(val_ensure_arr(d, e, "addresses"), val_new_str(d, ip));
    val *conditions = val_ensure_obj(d, e, "conditions");
    val_set_bool(d, conditions, "ready", b->ready);
    val_set_bool(d, conditions, "serving", b->serving);
    val_set_bool(d, conditions, "terminating", b->terminating);
    if (backend_hostname(s, b).n)
        val_set_s(d, e, "hostname", backend_hostname(s, b));
    val_set(d, e, "targetRef", backend_ref(v, b));
    if (!b->pod->pod->node.n)
        return e;
    val_set_s(d, e, "nodeName", b->pod->pod->node);
    const struct item *node = view_item(v, KIND_NODES, b->pod->pod->node);
    struct str zone =
        node ? labels_get(&node->labels, "topology.kubernetes.io/zone") : (struct str){0};
    if (zone.n)
        val_set_s(d, e, "zone", zone);
    return e;
}

/* --- slices --- */

static struct slice *slice_add(struct plan *p, const struct item *item, val *obj)
{
    struct slice *s = &p->slices[p->n++];
    *s = (struct slice){.item = item, .obj = obj, .endpoints = val_new_arr(p->v->doc)};
    return s;
}

static struct slice *slice_new(struct plan *p)
{
    struct doc *d = p->v->doc;
    char suffix[6];
    world_suffix(p->v->world, 5, suffix);
    struct str service = p->s->service->name;
    val *obj = val_new_obj(d), *meta = val_ensure_obj(d, obj, "metadata");
    val_set(d, meta, "generateName", val_new_strf(d, "%.*s-", STR_ARG(service)));
    val_set(d, meta, "name", val_new_strf(d, "%.*s-%s", STR_ARG(str_head(service, 57)), suffix));
    val_set_s(d, meta, "namespace", p->s->service->ns);
    val_set(d, meta, "labels", val_copy(d, p->labels));
    val_push(val_ensure_arr(d, meta, "ownerReferences"), owner_ref(p->v, p->s->service));
    val_set_z(d, obj, "addressType", p->family);
    val_set(d, obj, "ports", val_copy(d, p->ports));
    struct slice *s = slice_add(p, NULL, obj);
    s->changed = true;
    return s;
}

/* Keeps in a slice what still holds, in its order. Taken endpoints leave `wanted`. */
static void keep(struct plan *p, struct slice *s, struct map *wanted)
{
    VAL_FOR (val_get(s->obj, "endpoints"), old) {
        val *now = map_del(wanted, VAL_STR(old, "targetRef", "uid"));
        if (!now) {
            s->changed = true;
            continue;
        }
        s->changed |= !val_eq(old, now);
        val_push(s->endpoints, now);
    }
    if (!val_eq(VAL_PATH(s->obj, "metadata", "labels"), p->labels))
        s->changed = true;
}

static struct slice *room_for(struct plan *p, size_t left, bool changed_only)
{
    struct slice *best = NULL;
    for (size_t i = 0; i < p->n; i++) {
        struct slice *s = &p->slices[i];
        size_t n = val_len(s->endpoints);
        if (n >= PER_SLICE || (changed_only && !s->changed))
            continue;
        if (!changed_only && n + left > PER_SLICE)
            continue;
        if (!best || n > val_len(best->endpoints))
            best = s;
    }
    return best;
}

static struct slice *slice_to_fill(struct plan *p, size_t left)
{
    struct slice *s = room_for(p, left, true);
    if (!s && left < PER_SLICE)
        s = room_for(p, left, false);
    return s ? s : slice_new(p);
}

static void fill(struct plan *p, val **fresh, size_t n)
{
    struct slice *s = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!s || val_len(s->endpoints) >= PER_SLICE)
            s = slice_to_fill(p, n - i);
        val_push(s->endpoints, fresh[i]);
        s->changed = true;
    }
}

static void write_slices(struct plan *p, size_t *kept)
{
    for (size_t i = 0; i < p->n; i++) {
        struct slice *s = &p->slices[i];
        if (val_len(s->endpoints) == 0 && (*kept || p->n > i + 1)) {
            if (s->item)
                act_delete(p->a, s->item, NULL)->optional = true;
            continue;
        }
        ++*kept;
        if (!s->changed)
            continue;
        val_set(p->v->doc, s->obj, "endpoints", s->endpoints);
        val_set(p->v->doc, val_get(s->obj, "metadata"), "labels", val_copy(p->v->doc, p->labels));
        if (s->item)
            act_update(p->a, KIND_ENDPOINTSLICES, s->obj, NULL);
        else
            act_create(p->a, KIND_ENDPOINTSLICES, s->obj);
    }
}

/* --- one port list --- */

static void plan_ports(struct plan *p, size_t ports_id, const struct item **items, val **objs,
                       size_t n, size_t *kept)
{
    const struct backends *s = p->s;
    bool v6 = str_is(str_of(p->family), "IPv6");
    struct map wanted = {0};
    val **endpoints = arena_alloc(p->v->arena, (s->n + 1) * sizeof *endpoints);
    struct str *uids = arena_alloc(p->v->arena, (s->n + 1) * sizeof *uids);
    size_t count = 0;
    for (size_t i = 0; i < s->n; i++) {
        struct str ip = backend_ip(&s->at[i], v6);
        if (s->at[i].ports_id != ports_id || !ip.n)
            continue;
        uids[count] = s->at[i].pod->uid;
        endpoints[count] = endpoint_of(p->v, s, &s->at[i], ip);
        map_set(&wanted, uids[count], endpoints[count]);
        count++;
    }
    p->cap = n + count / PER_SLICE + 2;
    p->slices = arena_zalloc(p->v->arena, p->cap * sizeof *p->slices);
    p->n = 0;
    for (size_t i = 0; i < n; i++) {
        if (!objs[i] || !str_is(VAL_STR(objs[i], "addressType"), p->family) ||
            !val_eq(val_get(objs[i], "ports"), p->ports))
            continue;
        keep(p, slice_add(p, items[i], objs[i]), &wanted);
        objs[i] = NULL;
    }
    size_t fresh = 0;
    for (size_t i = 0; i < count; i++)
        if (map_get(&wanted, uids[i]))
            endpoints[fresh++] = endpoints[i];
    map_done(&wanted);
    fill(p, endpoints, fresh);
    write_slices(p, kept);
}

/* --- the reconcile --- */

static size_t load_slices(struct view *v, const struct item *service,
                          const struct item ***ret_items, val ***ret_objs)
{
    const struct item **items;
    size_t n = view_group(v, GROUP_OWNER, KIND_ENDPOINTSLICES, service->uid, &items), kept = 0;
    items_sort(items, n);
    for (size_t i = 0; i < n; i++)
        if (!items[i]->deleted && str_is(labels_get(&items[i]->labels, MANAGED_BY), CONTROLLER))
            items[kept++] = items[i];
    *ret_items = items;
    *ret_objs = arena_zalloc(v->arena, (kept + 1) * sizeof **ret_objs);
    for (size_t i = 0; i < kept; i++)
        (*ret_objs)[i] = view_parse(v, items[i]);
    return kept;
}

static void reconcile_family(struct view *v, struct actions *a, const struct backends *s,
                             const val *labels, const char *family, const struct item **items,
                             val **objs, size_t n)
{
    struct plan p = {.v = v, .a = a, .s = s, .labels = labels, .family = family};
    size_t kept = 0;
    for (size_t id = 0; id < s->port_list_count; id++) {
        p.ports = s->port_lists[id];
        plan_ports(&p, id, items, objs, n, &kept);
    }
    if (kept)
        return;
    /* A service without pods has one empty slice, so that who waits for it sees it. */
    p.ports = val_new_arr(v->doc);
    p.slices = arena_zalloc(v->arena, (n + 1) * sizeof *p.slices);
    p.n = 0;
    for (size_t i = 0; i < n && p.n == 0; i++) {
        if (!objs[i] || !str_is(VAL_STR(objs[i], "addressType"), family) ||
            val_len(val_get(objs[i], "ports")))
            continue;
        struct map none = {0};
        keep(&p, slice_add(&p, items[i], objs[i]), &none);
        objs[i] = NULL;
    }
    if (p.n == 0)
        slice_new(&p);
    write_slices(&p, &kept);
}

static void reconcile(struct view *v, struct str key, struct actions *a)
{
    struct backends s;
    if (!backends_load(v, key, &s) || s.service->deleted)
        return;
    const struct item **items;
    val **objs;
    size_t n = load_slices(v, s.service, &items, &objs);
    val *labels = backends_labels(v, &s);
    val_set_z(v->doc, labels, MANAGED_BY, CONTROLLER);
    val_set_s(v->doc, labels, "kubernetes.io/service-name", s.service->name);
    const val *families = VAL_PATH(s.obj, "spec", "ipFamilies");
    if (!val_len(families))
        reconcile_family(v, a, &s, labels, "IPv4", items, objs, n);
    VAL_FOR (families, f)
        reconcile_family(v, a, &s, labels, str_is(val_str(f), "IPv6") ? "IPv6" : "IPv4", items,
                         objs, n);
    for (size_t i = 0; i < n; i++)
        if (objs[i]) /* of ports or a family that are no more */
            act_delete(a, items[i], NULL)->optional = true;
}

static void changed(struct marks *m, const struct change *c)
{
    backends_mark(m, c);
    if (c->kind == KIND_ENDPOINTSLICES && !c->now && c->old->controller)
        mark_key(m, arena_printf(m->arena, "%.*s/%.*s", STR_ARG(c->old->ns),
                                 STR_ARG(c->old->controller->name)));
}

const struct controller controller_endpointslice = {
    .name = "endpointslice",
    .component = "endpoint-slice-controller",
    .reconcile = reconcile,
    .changed = changed,
    .min_interval_ms = 20,
};
