#include "control/backends.h"

static bool is_v6(struct str ip)
{
    return str_find_char(ip, ':') >= 0;
}

struct str backend_ip(const struct backend *b, bool v6)
{
    for (size_t i = 0; i < b->pod->pod->ip_count; i++)
        if (is_v6(b->pod->pod->ips[i]) == v6)
            return b->pod->pod->ips[i];
    return (struct str){0};
}

struct str backend_hostname(const struct backends *s, const struct backend *b)
{
    return str_eq(b->pod->pod->subdomain, s->service->name) ? b->pod->pod->hostname
                                                            : (struct str){0};
}

val *backend_ref(struct view *v, const struct backend *b)
{
    val *ref = val_new_obj(v->doc);
    val_set_z(v->doc, ref, "kind", "Pod");
    val_set_s(v->doc, ref, "namespace", b->pod->ns);
    val_set_s(v->doc, ref, "name", b->pod->name);
    val_set_s(v->doc, ref, "uid", b->pod->uid);
    return ref;
}

val *backends_labels(struct view *v, const struct backends *s)
{
    static const char *const owned[] = {
        "endpointslice.kubernetes.io/managed-by",
        "endpoints.kubernetes.io/managed-by",
        "kubernetes.io/service-name",
        "service.kubernetes.io/headless",
    };
    const val *from = VAL_PATH(s->obj, "metadata", "labels");
    val *labels = val_is_obj(from) ? val_copy(v->doc, from) : val_new_obj(v->doc);
    for (size_t i = 0; i < ARRAY_LEN(owned); i++)
        val_del(labels, owned[i]);
    if (s->headless)
        val_set_z(v->doc, labels, "service.kubernetes.io/headless", "");
    return labels;
}

/* --- ports --- */

/* The number that a service port's target has in a pod; 0: the pod has no port of that name. */
static int64_t target_of(const val *port, const struct pod *pod)
{
    const val *target = val_get(port, "targetPort");
    if (val_is_num(target) && val_int(target) > 0)
        return val_int(target);
    if (!val_is_str(target))
        return VAL_INT(port, "port");
    struct str protocol = VAL_STR(port, "protocol");
    for (size_t i = 0; i < pod->port_count; i++)
        if (str_eq(pod->ports[i].name, val_str(target)) &&
            (!protocol.n || str_eq(pod->ports[i].protocol, protocol)))
            return pod->ports[i].port;
    return 0;
}

static val *ports_of(struct view *v, const struct backends *s, const struct pod *pod)
{
    struct doc *d = v->doc;
    val *list = val_new_arr(d);
    VAL_FOR (VAL_PATH(s->obj, "spec", "ports"), port) {
        int64_t number = target_of(port, pod);
        if (!number)
            continue;
        val *p = val_new_obj(d);
        val_set_s(d, p, "name", VAL_STR(port, "name"));
        struct str protocol = VAL_STR(port, "protocol");
        val_set_s(d, p, "protocol", protocol.n ? protocol : STR("TCP"));
        val_set_int(d, p, "port", number);
        if (VAL_STR(port, "appProtocol").n)
            val_set_s(d, p, "appProtocol", VAL_STR(port, "appProtocol"));
        val_push(list, p);
    }
    return list;
}

static bool has_named_target(const val *service)
{
    VAL_FOR (VAL_PATH(service, "spec", "ports"), port)
        if (val_is_str(val_get(port, "targetPort")))
            return true;
    return false;
}

static size_t ports_id(struct view *v, struct backends *s, const struct pod *pod, bool named)
{
    if (!named && s->port_list_count)
        return 0;
    const val *list = ports_of(v, s, pod);
    for (size_t i = 0; i < s->port_list_count; i++)
        if (val_eq(s->port_lists[i], list))
            return i;
    s->port_lists[s->port_list_count] = list;
    return s->port_list_count++;
}

/* --- loading --- */

static bool is_backend(void *service, const struct item *pod)
{
    return labels_have(&pod->labels, &((const struct item *)service)->selector) &&
           pod->pod->ip_count && !item_pod_done(pod);
}

bool backends_load(struct view *v, struct str key, struct backends *ret)
{
    struct backends s = {.service = view_item(v, KIND_SERVICES, key)};
    if (!s.service || s.service->selector.n == 0)
        return false;
    s.obj = view_parse(v, s.service);
    if (!s.obj || str_is(VAL_STR(s.obj, "spec", "type"), "ExternalName"))
        return false;
    s.headless = str_is(VAL_STR(s.obj, "spec", "clusterIP"), "None");
    s.publish_not_ready = VAL_BOOL(s.obj, "spec", "publishNotReadyAddresses");
    const struct item **pods;
    s.n = view_match(v, GROUP_NS, KIND_PODS, s.service->ns, is_backend, (void *)s.service, &pods);
    items_sort(pods, s.n);
    s.at = arena_zalloc(v->arena, (s.n + 1) * sizeof *s.at);
    s.port_lists = arena_zalloc(v->arena, (s.n + 1) * sizeof *s.port_lists);
    bool named = has_named_target(s.obj);
    for (size_t i = 0; i < s.n; i++) {
        bool terminating = pods[i]->deleted, serving = pods[i]->pod->ready;
        s.at[i] = (struct backend){
            .pod = pods[i],
            .ports_id = ports_id(v, &s, pods[i]->pod, named),
            .ready = s.publish_not_ready || (serving && !terminating),
            .serving = serving,
            .terminating = terminating,
        };
        s.at[i].ports = s.port_lists[s.at[i].ports_id];
    }
    *ret = s;
    return true;
}

/* --- marking --- */

static bool matters(const struct item *a, const struct item *b)
{
    const struct pod *p = a->pod, *q = b->pod;
    if (p->ready != q->ready || !a->deleted != !b->deleted || p->ip_count != q->ip_count ||
        item_pod_done(a) != item_pod_done(b) || a->labels.n != b->labels.n ||
        !labels_have(&a->labels, &b->labels))
        return true;
    for (size_t i = 0; i < p->ip_count; i++)
        if (!str_eq(p->ips[i], q->ips[i]))
            return true;
    return false;
}

static bool selects(void *pod, const struct item *service)
{
    return service->selector.n &&
           labels_have(&((const struct item *)pod)->labels, &service->selector);
}

static void mark_selecting(struct marks *m, const struct item *pod)
{
    struct item **services;
    size_t n = picture_group(m->picture, GROUP_NS, KIND_SERVICES, pod->ns, selects, (void *)pod,
                             m->arena, &services);
    for (size_t i = 0; i < n; i++) {
        mark_key(m, services[i]->key);
        item_unref(services[i]);
    }
}

void backends_mark(struct marks *m, const struct change *c)
{
    if (c->kind == KIND_SERVICES) {
        mark_key(m, change_item(c)->key);
        return;
    }
    if (c->kind != KIND_PODS || (c->old && c->now && !matters(c->old, c->now)))
        return;
    bool had = c->old && c->old->pod->ip_count, has = c->now && c->now->pod->ip_count;
    if (had)
        mark_selecting(m, c->old);
    if (has && !(had && c->old->labels.n == c->now->labels.n &&
                 labels_have(&c->old->labels, &c->now->labels)))
        mark_selecting(m, c->now);
}
