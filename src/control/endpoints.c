/* Endpoints, for those who still read them. Upstream: pkg/controller/endpoint. */
#include <stdlib.h>

#include "control/backends.h"

enum { CAPACITY = 1000 }; /* addresses of one object */

#define MANAGED_BY "endpoints.kubernetes.io/managed-by"
#define OVER_CAPACITY "endpoints.kubernetes.io/over-capacity"

static val *address_of(struct view *v, const struct backends *s, const struct backend *b,
                       struct str ip)
{
    struct doc *d = v->doc;
    val *a = val_new_obj(d);
    val_set_s(d, a, "ip", ip);
    if (backend_hostname(s, b).n)
        val_set_s(d, a, "hostname", backend_hostname(s, b));
    if (b->pod->pod->node.n)
        val_set_s(d, a, "nodeName", b->pod->pod->node);
    val_set(d, a, "targetRef", backend_ref(v, b));
    return a;
}

static bool family_is_v6(const val *service)
{
    struct str ip = VAL_STR(service, "spec", "clusterIP");
    if (ip.n && !str_is(ip, "None"))
        return str_find_char(ip, ':') >= 0;
    return str_is(val_str(val_at(VAL_PATH(service, "spec", "ipFamilies"), 0)), "IPv6");
}

static int by_ip(const void *a, const void *b)
{
    return str_cmp(VAL_STR(*(val *const *)a, "ip"), VAL_STR(*(val *const *)b, "ip"));
}

static void put_sorted(struct doc *d, val *subset, const char *key, val **list, size_t n)
{
    if (n == 0)
        return;
    qsort(list, n, sizeof *list, by_ip);
    val *to = val_ensure_arr(d, subset, key);
    for (size_t i = 0; i < n; i++)
        val_push(to, list[i]);
}

static val *subset_of(struct view *v, const struct backends *s, size_t ports_id, size_t *left)
{
    val **ready = arena_alloc(v->arena, (s->n + 1) * sizeof *ready);
    val **not_ready = arena_alloc(v->arena, (s->n + 1) * sizeof *not_ready);
    size_t n = 0, m = 0;
    bool v6 = family_is_v6(s->obj);
    for (size_t i = 0; i < s->n && *left; i++) {
        const struct backend *b = &s->at[i];
        struct str ip = backend_ip(b, v6);
        if (b->ports_id != ports_id || !ip.n || (b->terminating && !s->publish_not_ready))
            continue;
        --*left;
        if (b->ready)
            ready[n++] = address_of(v, s, b, ip);
        else
            not_ready[m++] = address_of(v, s, b, ip);
    }
    if (n + m == 0)
        return NULL;
    val *subset = val_new_obj(v->doc);
    put_sorted(v->doc, subset, "addresses", ready, n);
    put_sorted(v->doc, subset, "notReadyAddresses", not_ready, m);
    if (val_len(s->port_lists[ports_id])) {
        val *ports = val_set(v->doc, subset, "ports", val_copy(v->doc, s->port_lists[ports_id]));
        VAL_FOR (ports, p)
            if (!VAL_STR(p, "name").n)
                val_del(p, "name");
    }
    return subset;
}

static bool same(const val *obj, const val *subsets, const val *labels, bool over)
{
    const val *has = val_get(obj, "subsets");
    bool was_over = VAL_STR(obj, "metadata", "annotations", OVER_CAPACITY).n > 0;
    return (val_len(has) + val_len(subsets) == 0 || val_eq(has, subsets)) &&
           val_eq(VAL_PATH(obj, "metadata", "labels"), labels) && was_over == over;
}

static void write_endpoints(struct view *v, struct actions *a, const struct backends *s,
                            val *subsets, bool over)
{
    struct doc *d = v->doc;
    val *obj = view_get(v, KIND_ENDPOINTS, s->service->key), *labels = backends_labels(v, s);
    bool fresh = !obj;
    val_set_z(d, labels, MANAGED_BY, "endpoint-controller");
    if (!fresh && same(obj, subsets, labels, over))
        return;
    if (fresh)
        obj = val_new_obj(d);
    val *meta = val_ensure_obj(d, obj, "metadata");
    val_set_s(d, meta, "name", s->service->name);
    val_set_s(d, meta, "namespace", s->service->ns);
    val_set(d, meta, "labels", labels);
    if (over)
        val_set_z(d, val_ensure_obj(d, meta, "annotations"), OVER_CAPACITY, "truncated");
    else
        val_del(val_get(meta, "annotations"), OVER_CAPACITY);
    val_del(obj, "subsets");
    if (val_len(subsets))
        val_set(d, obj, "subsets", subsets);
    if (fresh)
        act_create(a, KIND_ENDPOINTS, obj);
    else
        act_update(a, KIND_ENDPOINTS, obj, NULL);
}

static void reconcile(struct view *v, struct str key, struct actions *a)
{
    struct backends s;
    if (!backends_load(v, key, &s)) {
        const struct item *left = view_item(v, KIND_ENDPOINTS, key);
        if (left && !view_item(v, KIND_SERVICES, key) && labels_get(&left->labels, MANAGED_BY).n)
            act_delete(a, left, NULL);
        return;
    }
    val *subsets = val_new_arr(v->doc);
    size_t left = CAPACITY;
    for (size_t id = 0; id < s.port_list_count; id++) {
        val *subset = subset_of(v, &s, id, &left);
        if (subset)
            val_push(subsets, subset);
    }
    write_endpoints(v, a, &s, subsets, left == 0 && s.n > CAPACITY);
}

static void changed(struct marks *m, const struct change *c)
{
    backends_mark(m, c);
    if (c->kind == KIND_ENDPOINTS && (!c->now || !c->old))
        mark_key(m, change_item(c)->key);
}

const struct controller controller_endpoints = {
    .name = "endpoints",
    .component = "endpoint-controller",
    .reconcile = reconcile,
    .changed = changed,
    .min_interval_ms = 100,
};
