#include "node/service_plan.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

enum { MAX_ENDPOINTS = 100000, MAX_ADDRESSES = 64, DEFAULT_AFFINITY_S = 10800 };

static bool parse_ip4(struct str text, uint8_t ret[4])
{
    char z[INET_ADDRSTRLEN];
    snprintf(z, sizeof(z), "%.*s", STR_ARG(text));
    return text.n < sizeof(z) && inet_pton(AF_INET, z, ret) == 1;
}

static uint8_t protocol_of(struct str name)
{
    return str_is(name, "UDP") ? IPPROTO_UDP : str_is(name, "SCTP") ? IPPROTO_SCTP : IPPROTO_TCP;
}

/* Which endpoints count: ready ones; when there is none, those that end but still serve. */
enum wanted { READY, SERVING };

static bool is_wanted(const val *endpoint, enum wanted wanted)
{
    const val *conditions = val_get(endpoint, "conditions"), *ready = val_get(conditions, "ready");
    if (wanted == READY)
        return val_is_null(ready) || val_bool(ready);
    return VAL_BOOL(conditions, "serving") && VAL_BOOL(conditions, "terminating");
}

/* The slice's number for a port of that name; 0: it has none. */
static int slice_port(const val *slice, struct str name)
{
    VAL_FOR (val_get(slice, "ports"), port) {
        if (str_eq(VAL_STR(port, "name"), name))
            return (int)VAL_INT(port, "port");
    }
    return 0;
}

static size_t collect(const val *const *slices, size_t slice_count, struct str port_name,
                      enum wanted wanted, bool local_only, const char *node,
                      struct plan_endpoint *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < slice_count; i++) {
        int port = slice_port(slices[i], port_name);
        if (!port || !str_is(VAL_STR(slices[i], "addressType"), "IPv4"))
            continue;
        VAL_FOR (val_get(slices[i], "endpoints"), endpoint) {
            struct plan_endpoint e = {.port = htons((uint16_t)port),
                                      .local = str_is(VAL_STR(endpoint, "nodeName"), node)};
            if (n == MAX_ENDPOINTS || !is_wanted(endpoint, wanted) || (local_only && !e.local) ||
                !parse_ip4(val_str(val_at(val_get(endpoint, "addresses"), 0)), e.ip))
                continue;
            if (ret)
                ret[n] = e;
            n++;
        }
    }
    return n;
}

static size_t pick(struct arena *a, const val *const *slices, size_t slice_count,
                   struct str port_name, bool local_only, const char *node,
                   struct plan_endpoint **ret)
{
    enum wanted wanted = READY;
    size_t n = collect(slices, slice_count, port_name, wanted, local_only, node, NULL);
    if (!n)
        n = collect(slices, slice_count, port_name, wanted = SERVING, local_only, node, NULL);
    *ret = arena_zalloc(a, n * sizeof(**ret));
    return collect(slices, slice_count, port_name, wanted, local_only, node, *ret);
}

static void add_element(struct plan_port *p, enum plan_map map, const uint8_t *ip, int port,
                        bool external)
{
    struct plan_element *e = &p->elements[p->element_count++];
    *e = (struct plan_element){.map = map, .external = external};
    uint8_t *at = e->key;
    uint16_t wire = htons((uint16_t)port);
    if (ip) {
        memcpy(at, ip, 4);
        at += 4;
    }
    at[0] = p->protocol;
    memcpy(at + 4, &wire, 2);
}

/* An address of the service, in the map that fits: one without endpoints is refused. */
static void add_address(struct plan_port *p, struct str text, int port, bool external)
{
    uint8_t ip[4];
    if (p->element_count + 1 < MAX_ADDRESSES && parse_ip4(text, ip))
        add_element(p, p->count ? PLAN_SERVICES : PLAN_REJECTS, ip, port, external);
}

static void plan_addresses(struct plan_port *p, const val *service, const val *port)
{
    int number = (int)VAL_INT(port, "port"), node_port = (int)VAL_INT(port, "nodePort");
    const val *spec = val_get(service, "spec"), *ips = val_get(spec, "clusterIPs");
    if (val_len(ips) == 0)
        add_address(p, VAL_STR(spec, "clusterIP"), number, false);
    VAL_FOR (ips, ip) {
        add_address(p, val_str(ip), number, false);
    }
    VAL_FOR (val_get(spec, "externalIPs"), ip) {
        add_address(p, val_str(ip), number, true);
    }
    VAL_FOR (VAL_PATH(service, "status", "loadBalancer", "ingress"), ingress) {
        if (!str_is(VAL_STR(ingress, "ipMode"), "Proxy"))
            add_address(p, VAL_STR(ingress, "ip"), number, true);
    }
    if (node_port)
        add_element(p, p->count ? PLAN_NODE_PORTS : PLAN_REJECT_PORTS, NULL, node_port, true);
}

static void plan_port(struct arena *a, const val *service, const val *port,
                      const val *const *slices, size_t slice_count, const char *node,
                      struct plan_port *p)
{
    const val *spec = val_get(service, "spec");
    struct str name = VAL_STR(port, "name");
    bool internal_local = str_is(VAL_STR(spec, "internalTrafficPolicy"), "Local");
    p->protocol = protocol_of(VAL_STR(port, "protocol"));
    p->external_local = str_is(VAL_STR(spec, "externalTrafficPolicy"), "Local");
    p->count = pick(a, slices, slice_count, name, internal_local, node, &p->endpoints);
    if (p->external_local)
        p->external_count = pick(a, slices, slice_count, name, true, node, &p->external_endpoints);
    p->elements = arena_zalloc(a, MAX_ADDRESSES * sizeof(*p->elements));
    plan_addresses(p, service, port);
    for (size_t i = 0; i < p->element_count; i++)
        p->external_chain |= p->elements[i].external && (p->elements[i].map == PLAN_SERVICES ||
                                                         p->elements[i].map == PLAN_NODE_PORTS);
}

void plan_service(struct arena *a, const val *service, const val *const *slices, size_t slice_count,
                  const char *node_name, struct plan *ret)
{
    *ret = (struct plan){0};
    const val *spec = val_get(service, "spec"), *ports = val_get(spec, "ports");
    struct str ip = VAL_STR(spec, "clusterIP");
    if (!ip.n || str_is(ip, "None") || str_is(VAL_STR(spec, "type"), "ExternalName"))
        return;
    if (str_is(VAL_STR(spec, "sessionAffinity"), "ClientIP")) {
        int64_t seconds = VAL_INT(spec, "sessionAffinityConfig", "clientIP", "timeoutSeconds");
        ret->affinity_ms = (seconds > 0 ? seconds : DEFAULT_AFFINITY_S) * 1000;
    }
    ret->ports = arena_zalloc(a, val_len(ports) * sizeof(*ret->ports));
    VAL_FOR (ports, port) {
        plan_port(a, service, port, slices, slice_count, node_name, &ret->ports[ret->port_count++]);
    }
}

static bool endpoints_eq(const struct plan_endpoint *a, size_t a_n, const struct plan_endpoint *b,
                         size_t b_n)
{
    if (a_n != b_n)
        return false;
    for (size_t i = 0; i < a_n; i++)
        if (memcmp(a[i].ip, b[i].ip, 4) || a[i].port != b[i].port)
            return false;
    return true;
}

static bool port_eq(const struct plan_port *a, const struct plan_port *b)
{
    if (a->protocol != b->protocol || a->external_chain != b->external_chain ||
        a->external_local != b->external_local || a->element_count != b->element_count)
        return false;
    for (size_t i = 0; i < a->element_count; i++) {
        const struct plan_element *x = &a->elements[i], *y = &b->elements[i];
        if (x->map != y->map || x->external != y->external ||
            memcmp(x->key, y->key, sizeof(x->key)))
            return false;
    }
    return endpoints_eq(a->endpoints, a->count, b->endpoints, b->count) &&
           endpoints_eq(a->external_endpoints, a->external_count, b->external_endpoints,
                        b->external_count);
}

bool plan_eq(const struct plan *a, const struct plan *b)
{
    if (a->port_count != b->port_count || a->affinity_ms != b->affinity_ms)
        return false;
    for (size_t i = 0; i < a->port_count; i++)
        if (!port_eq(&a->ports[i], &b->ports[i]))
            return false;
    return true;
}
