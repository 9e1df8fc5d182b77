/* Services: upstream's pkg/registry/core/service. Addresses and node ports are given out here and
 * checked in service_validate.c. */
#include "api/ipalloc.h"
#include "api/kinds/service.h"

bool service_is(const val *obj, const char *type)
{
    return str_is(VAL_STR(obj, "spec", "type"), type);
}

bool service_is_headless(const val *obj)
{
    return str_is(val_str(val_at(VAL_PATH(obj, "spec", "clusterIPs"), 0)), "None");
}

bool service_needs_ip(const val *obj)
{
    return !service_is(obj, "ExternalName");
}

bool service_needs_node_ports(const val *obj)
{
    if (service_is(obj, "NodePort"))
        return true;
    const val *wanted = VAL_PATH(obj, "spec", "allocateLoadBalancerNodePorts");
    return service_is(obj, "LoadBalancer") && (val_is_null(wanted) || val_bool(wanted));
}

bool service_is_external(const val *obj)
{
    return service_is(obj, "LoadBalancer") || service_is(obj, "NodePort") ||
           (service_is(obj, "ClusterIP") && val_len(VAL_PATH(obj, "spec", "externalIPs")) > 0);
}

bool service_needs_health_check(const val *obj)
{
    return service_is(obj, "LoadBalancer") &&
           str_is(VAL_STR(obj, "spec", "externalTrafficPolicy"), "Local");
}

static void defaults(struct strategy_ctx *c, val *obj)
{
    struct doc *d = c->d;
    val *spec = val_ensure_obj(d, obj, "spec");
    default_z(d, spec, "sessionAffinity", "None");
    default_z(d, spec, "type", "ClusterIP");
    if (str_is(VAL_STR(spec, "sessionAffinity"), "None"))
        val_del(spec, "sessionAffinityConfig");
    VAL_FOR (val_get(spec, "ports"), port) {
        const val *target = val_get(port, "targetPort");
        default_z(d, port, "protocol", "TCP");
        bool unset = val_is_str(target) ? val_str(target).n == 0 : val_int(target) == 0;
        if (unset)
            val_set_int(d, port, "targetPort", VAL_INT(port, "port"));
    }
    if (service_is_external(obj))
        default_z(d, spec, "externalTrafficPolicy", "Cluster");
    if (service_needs_ip(obj))
        default_z(d, spec, "internalTrafficPolicy", "Cluster");
    if (service_is(obj, "LoadBalancer"))
        default_bool(d, spec, "allocateLoadBalancerNodePorts", true);
}

/* --- addresses --- */
static void set_ips(struct doc *d, val *spec, struct str ip)
{
    val *ips = val_new_arr(d);
    val_set_s(d, spec, "clusterIP", ip);
    val_push(ips, val_new_str(d, ip));
    val_set(d, spec, "clusterIPs", ips);
}

/* spec.clusterIP and spec.clusterIPs[0] say the same; a client may have changed one of them. */
static void normalize_ips(struct doc *d, val *spec, const val *old_spec)
{
    struct str ip = VAL_STR(spec, "clusterIP");
    if (old_spec == NULL) {
        if (ip.n && val_len(val_get(spec, "clusterIPs")) == 0)
            set_ips(d, spec, ip);
        return;
    }
    bool same_ip = str_eq(ip, VAL_STR(old_spec, "clusterIP"));
    const val *now = val_get(spec, "clusterIPs"), *was = val_get(old_spec, "clusterIPs");
    bool same_ips = val_is_null(now) ? val_len(was) == 0 : was && val_eq(now, was);
    if (!same_ip && (same_ips || val_len(now) == 0)) {
        if (ip.n)
            set_ips(d, spec, ip);
        else
            val_del(spec, "clusterIPs");
    } else if (same_ip && !same_ips && val_len(now) == 0) {
        val_del(spec, "clusterIP");
    }
}

static void init_families(struct strategy_ctx *c, val *obj, const val *old)
{
    val *spec = val_get(obj, "spec");
    const char *own =
        ip_is_v6(str_head(ipalloc_cidr(c), (size_t)str_find_char(ipalloc_cidr(c), '/'))) ? "IPv6"
                                                                                         : "IPv4";
    bool dual = service_is_headless(obj) && val_len(val_get(spec, "selector")) == 0;
    struct str policy = VAL_STR(old, "spec", "ipFamilyPolicy");
    default_z(c->d, spec, "ipFamilyPolicy",
              policy.n ? arena_z(c->arena, policy)
              : dual   ? "RequireDualStack"
                       : "SingleStack");
    val *families = val_ensure_arr(c->d, spec, "ipFamilies");
    VAL_FOR (val_get(spec, "clusterIPs"), ip) {
        if (str_is(val_str(ip), "None") ||
            val_len(families) >= val_len(val_get(spec, "clusterIPs")))
            break;
        val_push(families, val_new_z(c->d, ip_is_v6(val_str(ip)) ? "IPv6" : "IPv4"));
    }
    if (val_len(families) == 0)
        val_push(families, val_new_z(c->d, own));
    if (dual && val_len(families) == 1 && !str_is(VAL_STR(spec, "ipFamilyPolicy"), "SingleStack")) {
        bool v6 = str_is(val_str(val_at(families, 0)), "IPv6");
        val_push(families, val_new_z(c->d, v6 ? "IPv4" : "IPv6"));
    }
}

static int allocate_ips(struct strategy_ctx *c, val *obj, struct err *err)
{
    val *spec = val_get(obj, "spec");
    if (val_len(val_get(spec, "clusterIPs")) == 0) {
        char ip[48];
        if (ipalloc_next(c, ip, err))
            return -1;
        set_ips(c->d, spec, str_of(ip));
    }
    VAL_FOR (val_get(spec, "clusterIPs"), ip) {
        if (!str_is(val_str(ip), "None") && !ipalloc_refusal(c, val_str(ip)))
            ipalloc_take(c, val_str(ip));
    }
    return 0;
}

/* --- node ports --- */
/* TCP and UDP of one port number may share a node port. */
static int64_t shared_node_port(const val *ports, const val *wanted)
{
    VAL_FOR (ports, port) {
        if (port != wanted && VAL_INT(port, "nodePort") &&
            VAL_INT(port, "port") == VAL_INT(wanted, "port") &&
            !str_eq(VAL_STR(port, "protocol"), VAL_STR(wanted, "protocol")))
            return VAL_INT(port, "nodePort");
    }
    return 0;
}

static int allocate_node_ports(struct strategy_ctx *c, val *obj, struct err *err)
{
    const val *ports = VAL_PATH(obj, "spec", "ports");
    VAL_FOR (ports, port) { /* the given ones first, so that none of them is picked for another */
        int64_t number = VAL_INT(port, "nodePort");
        if (number && !portalloc_refusal(c, number))
            portalloc_take(c, number);
    }
    VAL_FOR (ports, port) {
        int picked;
        if (VAL_INT(port, "nodePort"))
            continue;
        int64_t shared = shared_node_port(ports, port);
        if (!shared) {
            if (portalloc_next(c, &picked, err))
                return -1;
            portalloc_take(c, picked);
            shared = picked;
        }
        val_set_int(c->d, port, "nodePort", shared);
    }
    return 0;
}

static int allocate_health_check(struct strategy_ctx *c, val *obj, struct err *err)
{
    val *spec = val_get(obj, "spec");
    int64_t port = VAL_INT(spec, "healthCheckNodePort");
    if (port) {
        if (!portalloc_refusal(c, port))
            portalloc_take(c, port);
        return 0;
    }
    int picked;
    if (portalloc_next(c, &picked, err))
        return -1;
    portalloc_take(c, picked);
    val_set_int(c->d, spec, "healthCheckNodePort", picked);
    return 0;
}

static int allocate(struct strategy_ctx *c, val *obj, const val *old, struct err *err)
{
    if (!service_needs_ip(obj))
        return 0;
    init_families(c, obj, old);
    if (allocate_ips(c, obj, err))
        return -1;
    if (service_needs_node_ports(obj) && allocate_node_ports(c, obj, err))
        return -1;
    return service_needs_health_check(obj) ? allocate_health_check(c, obj, err) : 0;
}

/* --- hooks --- */
static int prepare_create(struct strategy_ctx *c, val *obj, struct err *err)
{
    val *spec = val_ensure_obj(c->d, obj, "spec");
    val *status = val_set(c->d, obj, "status", val_new_obj(c->d));
    val_set(c->d, status, "loadBalancer", val_new_obj(c->d));
    normalize_ips(c->d, spec, NULL);
    return allocate(c, obj, NULL, err);
}

static const val *find_port(const val *ports, const val *like)
{
    VAL_FOR (ports, port) {
        if (VAL_INT(port, "port") == VAL_INT(like, "port") &&
            str_eq(VAL_STR(port, "protocol"), VAL_STR(like, "protocol")))
            return port;
    }
    return NULL;
}

/* What the server gave and the client left out stays (a PUT of the user's own manifest). */
static void keep_allocated(struct doc *d, val *obj, const val *old)
{
    val *spec = val_get(obj, "spec");
    const val *was = val_get(old, "spec");
    if (service_needs_ip(obj) && service_needs_ip(old) && VAL_STR(spec, "clusterIP").n == 0 &&
        val_len(val_get(spec, "clusterIPs")) == 0 && VAL_STR(was, "clusterIP").n) {
        val_set_s(d, spec, "clusterIP", VAL_STR(was, "clusterIP"));
        val_set(d, spec, "clusterIPs", val_copy(d, val_get(was, "clusterIPs")));
    }
    if (service_needs_node_ports(obj) && service_needs_node_ports(old)) {
        VAL_FOR (val_get(spec, "ports"), port) {
            int64_t number = VAL_INT(find_port(val_get(was, "ports"), port), "nodePort");
            if (VAL_INT(port, "nodePort") == 0 && number)
                val_set_int(d, port, "nodePort", number);
        }
    }
    int64_t check = VAL_INT(was, "healthCheckNodePort");
    if (service_needs_health_check(obj) && service_needs_health_check(old) &&
        VAL_INT(spec, "healthCheckNodePort") == 0 && check)
        val_set_int(d, spec, "healthCheckNodePort", check);
}

static void drop_same(val *spec, const val *was, const char *member)
{
    const val *a = val_get(spec, member), *b = val_get(was, member);
    if (a && b && val_eq(a, b))
        val_del(spec, member);
}

/* What belonged to the old type goes, unless the client changed it on purpose. */
static void drop_outdated(val *obj, const val *old)
{
    static const char *const address[] = {"clusterIP", "clusterIPs", "ipFamilies",
                                          "ipFamilyPolicy"};
    val *spec = val_get(obj, "spec");
    const val *was = val_get(old, "spec");
    if (service_needs_ip(old) && !service_needs_ip(obj))
        for (size_t i = 0; i < ARRAY_LEN(address); i++)
            drop_same(spec, was, address[i]);
    if (service_needs_node_ports(old) && !service_needs_node_ports(obj)) {
        VAL_FOR (val_get(spec, "ports"), port) {
            const val *before = find_port(val_get(was, "ports"), port);
            if (VAL_INT(before, "nodePort") == VAL_INT(port, "nodePort"))
                val_del(port, "nodePort");
        }
    }
    if (service_needs_health_check(old) && !service_needs_health_check(obj))
        drop_same(spec, was, "healthCheckNodePort");
    if (service_is_external(old) && !service_is_external(obj))
        drop_same(spec, was, "externalTrafficPolicy");
    if (service_is(old, "LoadBalancer") && !service_is(obj, "LoadBalancer")) {
        drop_same(spec, was, "allocateLoadBalancerNodePorts");
        drop_same(spec, was, "loadBalancerClass");
    }
}

static bool uses_port(const val *obj, int64_t number)
{
    if (VAL_INT(obj, "spec", "healthCheckNodePort") == number)
        return true;
    VAL_FOR (VAL_PATH(obj, "spec", "ports"), port) {
        if (VAL_INT(port, "nodePort") == number)
            return true;
    }
    return false;
}

/* Gives back what old held and now (may be NULL) does not use. */
static void release_unused(struct strategy_ctx *c, const val *old, const val *now)
{
    VAL_FOR (VAL_PATH(old, "spec", "clusterIPs"), ip) {
        if (!val_str_list_has(VAL_PATH(now, "spec", "clusterIPs"), val_str(ip)))
            ipalloc_release(c, val_str(ip));
    }
    VAL_FOR (VAL_PATH(old, "spec", "ports"), port) {
        int64_t number = VAL_INT(port, "nodePort");
        if (number && !uses_port(now, number))
            portalloc_release(c, number);
    }
    int64_t check = VAL_INT(old, "spec", "healthCheckNodePort");
    if (check && !uses_port(now, check))
        portalloc_release(c, check);
}

static int prepare_update(struct strategy_ctx *c, val *obj, const val *old, struct err *err)
{
    val *spec = val_ensure_obj(c->d, obj, "spec");
    normalize_ips(c->d, spec, val_get(old, "spec"));
    keep_allocated(c->d, obj, old);
    drop_outdated(obj, old);
    if (allocate(c, obj, old, err))
        return -1;
    release_unused(c, old, obj);
    return 0;
}

static int removed(struct strategy_ctx *c, const val *obj, struct err *err)
{
    (void)err;
    release_unused(c, obj, NULL);
    return 0;
}

/* --- table (printService) --- */
static const struct schema_column columns[] = {
    COLUMN_NAME,       COLUMN("Type"), COLUMN("Cluster-IP"),    COLUMN("External-IP"),
    COLUMN("Port(s)"), COLUMN_AGE,     COLUMN_WIDE("Selector"), COLUMN_END,
};

static void put_list_item(struct buf *b, struct str s)
{
    if (s.n)
        buf_printf(b, "%s%.*s", b->n ? "," : "", STR_ARG(s));
}

static void cell_external(struct doc *d, val *cells, const val *obj)
{
    struct buf b = {0};
    if (service_is(obj, "ExternalName")) {
        buf_put(&b, VAL_STR(obj, "spec", "externalName"));
    } else {
        bool balanced = service_is(obj, "LoadBalancer");
        if (balanced) {
            VAL_FOR (VAL_PATH(obj, "status", "loadBalancer", "ingress"), ingress) {
                struct str ip = VAL_STR(ingress, "ip");
                put_list_item(&b, ip.n ? ip : VAL_STR(ingress, "hostname"));
            }
        }
        VAL_FOR (VAL_PATH(obj, "spec", "externalIPs"), ip) {
            put_list_item(&b, val_str(ip));
        }
        if (b.n == 0)
            buf_puts(&b, balanced ? "<pending>" : "<none>");
    }
    cell_s(d, cells, buf_str(&b));
    buf_done(&b);
}

static void cell_ports(struct doc *d, val *cells, const val *obj)
{
    struct buf b = {0};
    VAL_FOR (VAL_PATH(obj, "spec", "ports"), port) {
        buf_printf(&b, "%s%lld", b.n ? "," : "", (long long)VAL_INT(port, "port"));
        if (VAL_INT(port, "nodePort") > 0)
            buf_printf(&b, ":%lld", (long long)VAL_INT(port, "nodePort"));
        buf_printf(&b, "/%.*s", STR_ARG(VAL_STR(port, "protocol")));
    }
    cell_or(d, cells, buf_str(&b), "<none>");
    buf_done(&b);
}

static void row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    cell_name(d, cells, obj);
    cell_s(d, cells, VAL_STR(obj, "spec", "type"));
    cell_or(d, cells, val_str(val_at(VAL_PATH(obj, "spec", "clusterIPs"), 0)), "<none>");
    cell_external(d, cells, obj);
    cell_ports(d, cells, obj);
    cell_age(c, d, cells, obj);
    cell_labels(d, cells, VAL_PATH(obj, "spec", "selector"));
}

static const char *const fields[] = {"spec.clusterIP", "spec.type", NULL};

const struct strategy service_strategy = {
    .group = "",
    .resource = "services",
    .defaults = defaults,
    .prepare_create = prepare_create,
    .prepare_update = prepare_update,
    .validate = service_validate,
    .validate_update = service_validate_update,
    .removed = removed,
    .fields = fields,
    .field = field_of,
    .columns = columns,
    .row = row,
    .name_form = NAME_LABEL_1035,
    .has_status = true,
    .create_on_update = true,
    .unconditional_update = true,
    .return_deleted = true,
};
