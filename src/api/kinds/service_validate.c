/* Upstream's validateService and the refusals of its allocators. */
#include "api/ipalloc.h"
#include "api/kinds/service.h"

static void check_port_ref(struct check *k, const char *member, const val *port)
{
    if (val_is_str(port))
        check_name(k, member, NAME_PORT, val_str(port));
    else
        check_port(k, member, val_int(port));
}

static void check_service_port(struct check *k, const val *port, bool named, struct map *names)
{
    static const char *const protocols[] = {"SCTP", "TCP", "UDP", NULL};
    struct str name = VAL_STR(port, "name");
    if (named && name.n == 0) {
        check_required(k, "name", "");
    } else if (name.n) {
        check_name(k, "name", NAME_LABEL, name);
        if (map_set(names, name, (void *)port))
            check_duplicate(k, "name", name);
    }
    check_port(k, "port", VAL_INT(port, "port"));
    check_one_of(k, port, "protocol", true, protocols);
    check_port_ref(k, "targetPort", val_get(port, "targetPort"));
    if (VAL_STR(port, "appProtocol").n)
        check_name(k, "appProtocol", NAME_QUALIFIED, VAL_STR(port, "appProtocol"));
}

/* Go's JSON of a core.ServicePort that has protocol and port only. */
static void report_same_port(struct check *k, const val *port)
{
    size_t mark = k->path.n;
    cause_add(k->d, k->causes, "FieldValueDuplicate", buf_z(&k->path),
              "Duplicate value: {\"Name\":\"\",\"Protocol\":\"%.*s\",\"AppProtocol\":null,\"Port\":"
              "%lld,\"TargetPort\":0,\"NodePort\":0}",
              STR_ARG(VAL_STR(port, "protocol")), (long long)VAL_INT(port, "port"));
    check_out(k, mark);
}

static void report_same_node_port(struct check *k, int64_t number)
{
    size_t mark = check_in(k, "nodePort");
    cause_add(k->d, k->causes, "FieldValueDuplicate", buf_z(&k->path), "Duplicate value: %lld",
              (long long)number);
    check_out(k, mark);
}

static void check_collisions(struct check *k, const val *port, struct map *seen)
{
    struct str protocol = VAL_STR(port, "protocol");
    int64_t number = VAL_INT(port, "port"), node = VAL_INT(port, "nodePort");
    struct str key = arena_printf(k->c->arena, "%.*s/%lld", STR_ARG(protocol), (long long)number);
    if (map_set(seen, key, (void *)port))
        report_same_port(k, port);
    if (node == 0)
        return;
    key = arena_printf(k->c->arena, "node/%.*s/%lld", STR_ARG(protocol), (long long)node);
    if (map_set(seen, key, (void *)port))
        report_same_node_port(k, node);
}

static void check_ports(struct check *k, const val *obj)
{
    struct map names = {0}, seen = {0};
    const val *ports = VAL_PATH(obj, "spec", "ports");
    if (val_len(ports) == 0 && !service_is_headless(obj) && !service_is(obj, "ExternalName"))
        check_required(k, "ports", "");
    size_t i = 0;
    size_t in = check_in(k, "ports");
    VAL_FOR (ports, port) {
        int64_t node = VAL_INT(port, "nodePort");
        size_t at = check_at(k, i++);
        check_service_port(k, port, val_len(ports) > 1, &names);
        check_collisions(k, port, &seen);
        if (node && service_is(obj, "ClusterIP")) {
            check_forbidden(k, "nodePort", "may not be used when `type` is 'ClusterIP'");
        } else if (node && service_needs_node_ports(obj)) {
            const char *refusal = portalloc_refusal(k->c, node);
            if (refusal)
                check_invalid_int(k, "nodePort", node, refusal);
        }
        check_out(k, at);
    }
    check_out(k, in);
    map_done(&names);
    map_done(&seen);
}

static void check_external_name(struct check *k, const val *spec)
{
    static const char *const address[] = {"clusterIPs", "ipFamilies", "ipFamilyPolicy"};
    struct str name = VAL_STR(spec, "externalName");
    for (size_t i = 0; i < ARRAY_LEN(address); i++)
        if (!val_is_null(val_get(spec, address[i])) &&
            (i == 2 || val_len(val_get(spec, address[i])) > 0))
            check_forbidden(k, address[i], "may not be set for ExternalName services");
    if (str_ends(name, STR(".")))
        name.n--;
    if (name.n)
        check_name(k, "externalName", NAME_SUBDOMAIN, name);
    else
        check_required(k, "externalName", "");
}

static void check_families(struct check *k, const val *spec)
{
    static const char *const families[] = {"IPv4", "IPv6", NULL};
    static const char *const policies[] = {"PreferDualStack", "RequireDualStack", "SingleStack",
                                           NULL};
    size_t i = 0;
    VAL_FOR (val_get(spec, "ipFamilies"), family) {
        size_t in = check_in(k, "ipFamilies");
        size_t at = check_at(k, i++);
        if (!check_in_list(val_str(family), families))
            check_unsupported(k, "", val_str(family), families);
        check_out(k, at);
        check_out(k, in);
    }
    check_one_of(k, spec, "ipFamilyPolicy", false, policies);
}

/* Which families this cluster can serve; a headless service without selector may name any. */
static void check_configured(struct check *k, const val *obj)
{
    const val *spec = val_get(obj, "spec");
    if (service_is_headless(obj) && val_len(val_get(spec, "selector")) == 0)
        return;
    if (str_is(VAL_STR(spec, "ipFamilyPolicy"), "RequireDualStack"))
        check_invalid(k, "ipFamilyPolicy", STR("RequireDualStack"),
                      "this cluster is not configured for dual-stack services");
    struct str cidr = ipalloc_cidr(k->c);
    bool v6 = str_find_char(cidr, ':') >= 0;
    size_t i = 0;
    VAL_FOR (val_get(spec, "ipFamilies"), family) {
        struct str at = arena_printf(k->c->arena, "ipFamilies[%zu]", i++);
        if (str_is(val_str(family), v6 ? "IPv4" : "IPv6"))
            check_invalid(k, at.p, val_str(family), "not configured on this cluster");
    }
}

static void check_ips(struct check *k, const val *obj)
{
    const val *spec = val_get(obj, "spec"), *ips = val_get(spec, "clusterIPs");
    struct str ip = VAL_STR(spec, "clusterIP");
    if (ip.n && val_len(ips) == 0)
        check_required(k, "clusterIPs", "");
    else if (ip.n && !str_eq(val_str(val_at(ips, 0)), ip))
        check_invalid_val(k, "clusterIPs", ips, "first value must match `clusterIP`");
    else if (!ip.n && val_len(ips) > 0)
        check_invalid_val(k, "clusterIPs", ips, "must be empty when `clusterIP` is not specified");
    if (val_len(ips) > 2)
        check_invalid_val(k, "clusterIPs", ips, "may only hold up to 2 values");
    size_t i = 0;
    bool sound = true;
    VAL_FOR (ips, one) {
        struct str at = arena_printf(k->c->arena, "clusterIPs[%zu]", i++);
        if (i == 1 && str_is(val_str(one), "None")) {
            if (val_len(ips) > 1)
                check_invalid_val(k, "clusterIPs", ips, "'None' must be the first and only value");
            return;
        }
        sound &= check_is(NAME_IP, val_str(one));
        check_name(k, at.p, NAME_IP, val_str(one));
    }
    if (!sound)
        return;
    if (val_len(ips) > 1)
        check_invalid_val(k, "clusterIPs", ips,
                          "may specify no more than one IP for each IP family");
    const char *refusal = val_len(ips) ? ipalloc_refusal(k->c, val_str(val_at(ips, 0))) : NULL;
    if (refusal) {
        struct str detail = arena_printf(k->c->arena, "failed to allocate IP %.*s: %s",
                                         STR_ARG(val_str(val_at(ips, 0))), refusal);
        check_invalid_val(k, "clusterIPs", ips, detail.p);
    }
}

static void check_affinity(struct check *k, const val *spec)
{
    static const char *const kinds[] = {"ClientIP", "None", NULL};
    check_one_of(k, spec, "sessionAffinity", true, kinds);
    if (!str_is(VAL_STR(spec, "sessionAffinity"), "ClientIP"))
        return;
    int64_t seconds = VAL_INT(spec, "sessionAffinityConfig", "clientIP", "timeoutSeconds");
    if (seconds <= 0 || seconds > 86400)
        check_invalid_int(k, "sessionAffinityConfig.clientIP.timeoutSeconds", seconds,
                          "must be greater than 0 and less than 86400");
}

static void check_traffic(struct check *k, const val *obj)
{
    static const char *const policies[] = {"Cluster", "Local", NULL};
    static const char *const spread[] = {"PreferClose", NULL};
    const val *spec = val_get(obj, "spec");
    struct str external = VAL_STR(spec, "externalTrafficPolicy");
    int64_t check = VAL_INT(spec, "healthCheckNodePort");
    if (service_is_external(obj))
        check_one_of(k, spec, "externalTrafficPolicy", true, policies);
    else if (external.n)
        check_invalid(k, "externalTrafficPolicy", external,
                      "may only be set for externally-accessible services");
    check_one_of(k, spec, "internalTrafficPolicy", service_needs_ip(obj), policies);
    check_one_of(k, spec, "trafficDistribution", false, spread);
    if (check && !service_needs_health_check(obj)) {
        check_invalid_int(k, "healthCheckNodePort", check,
                          "may only be set when `type` is 'LoadBalancer' and "
                          "`externalTrafficPolicy` is 'Local'");
    } else if (check) {
        const char *refusal = portalloc_refusal(k->c, check);
        if (refusal)
            check_invalid_int(k, "healthCheckNodePort", check, refusal);
    }
}

static void check_balancer(struct check *k, const val *obj)
{
    static const char *const only[] = {"allocateLoadBalancerNodePorts", "loadBalancerClass"};
    if (service_is(obj, "LoadBalancer"))
        return;
    for (size_t i = 0; i < ARRAY_LEN(only); i++)
        if (!val_is_null(VAL_PATH(obj, "spec", only[i])))
            check_forbidden(k, only[i], "may only be used when `type` is 'LoadBalancer'");
    if (val_len(VAL_PATH(obj, "spec", "loadBalancerSourceRanges")) > 0)
        check_forbidden(k, "LoadBalancerSourceRanges",
                        "may only be used when `type` is 'LoadBalancer'");
}

static void check_service(struct check *k, const val *obj)
{
    static const char *const types[] = {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort",
                                        NULL};
    const val *spec = val_get(obj, "spec");
    size_t in = check_in(k, "spec");
    bool headless = service_is_headless(obj);
    if (headless && (service_is(obj, "LoadBalancer") || service_is(obj, "NodePort"))) {
        struct str detail = arena_printf(k->c->arena, "may not be set to 'None' for %.*s services",
                                         STR_ARG(VAL_STR(spec, "type")));
        check_invalid(k, "clusterIPs[0]", STR("None"), detail.p);
    }
    check_ports(k, obj);
    check_labels(k, "selector", val_get(spec, "selector"));
    check_affinity(k, spec);
    if (service_is(obj, "ExternalName")) {
        check_external_name(k, spec);
    } else {
        check_families(k, spec);
        check_ips(k, obj);
        check_configured(k, obj);
    }
    size_t i = 0;
    VAL_FOR (val_get(spec, "externalIPs"), ip) {
        struct str at = arena_printf(k->c->arena, "externalIPs[%zu]", i++);
        check_name(k, at.p, NAME_IP, val_str(ip));
    }
    check_one_of(k, spec, "type", true, types);
    check_balancer(k, obj);
    check_traffic(k, obj);
    check_out(k, in);
}

void service_validate(struct strategy_ctx *c, const val *obj, val *causes)
{
    struct check k;
    check_new(&k, c, obj, causes);
    check_service(&k, obj);
    check_done(&k);
}

static void check_ips_kept(struct check *k, const val *obj, const val *old)
{
    const val *now = VAL_PATH(obj, "spec", "clusterIPs"),
              *was = VAL_PATH(old, "spec", "clusterIPs");
    if (!service_needs_ip(obj) || !service_needs_ip(old) || val_len(was) == 0)
        return;
    if (val_len(now) == 0) {
        check_invalid_val(k, "spec.clusterIPs[0]", now, "primary clusterIP can not be unset");
        return;
    }
    if (!str_eq(val_str(val_at(now, 0)), val_str(val_at(was, 0))))
        check_invalid_val(k, "spec.clusterIPs[0]", now, "may not change once set");
}

void service_validate_update(struct strategy_ctx *c, const val *obj, const val *old, val *causes)
{
    struct check k;
    check_init(&k, c, causes);
    check_ips_kept(&k, obj, old);
    if (service_needs_health_check(obj) && service_needs_health_check(old) &&
        VAL_INT(obj, "spec", "healthCheckNodePort") != VAL_INT(old, "spec", "healthCheckNodePort"))
        check_forbidden(&k, "spec.healthCheckNodePort", "field is immutable");
    check_service(&k, obj);
    check_done(&k);
}
