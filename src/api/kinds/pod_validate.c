/* A pod spec as a whole: upstream's ValidatePodSpec and ValidatePodTemplateSpec. */
#include "api/kinds/pod_parts.h"

static const char *const list_names[] = {"containers", "initContainers", "ephemeralContainers"};

/* No two ports of the containers may want the same port of the node. */
static void check_host_ports(struct check *k, const val *containers, bool each_alone)
{
    struct map taken = {0};
    size_t c = 0;
    VAL_FOR (containers, container) {
        size_t p = 0;
        VAL_FOR (val_get(container, "ports"), port) {
            int64_t number = VAL_INT(port, "hostPort");
            struct str key =
                arena_printf(k->c->arena, "%.*s/%.*s/%lld", STR_ARG(VAL_STR(port, "protocol")),
                             STR_ARG(VAL_STR(port, "hostIP")), (long long)number);
            if (number && map_set(&taken, key, (void *)port)) {
                struct str at = arena_printf(k->c->arena, "[%zu].ports[%zu].hostPort", c, p);
                check_duplicate(k, at.p, key);
            }
            p++;
        }
        c++;
        if (each_alone) {
            map_done(&taken);
            taken = (struct map){0};
        }
    }
    map_done(&taken);
}

static void check_init_only(struct check *k, const val *container)
{
    static const char *const members[] = {"lifecycle", "livenessProbe", "readinessProbe",
                                          "startupProbe"};
    const val *policy = val_get(container, "restartPolicy");
    if (!val_is_null(policy) && !str_is(val_str(policy), "Always")) {
        static const char *const only[] = {"Always", NULL};
        check_unsupported(k, "restartPolicy", val_str(policy), only);
    }
    if (str_is(val_str(policy), "Always")) {
        pod_probes_validate(k, container);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (!val_is_null(val_get(container, members[i])))
            check_forbidden(k, members[i],
                            "may not be set for init containers without restartPolicy=Always");
}

/* which: index into list_names. Names are unique over all lists; the later list reports. */
static void check_list(struct check *k, const val *spec, size_t which, const struct map *volumes,
                       struct map *names, bool pod)
{
    const val *list = val_get(spec, list_names[which]);
    size_t i = 0;
    size_t in = check_in(k, list_names[which]);
    if (which == 0 && val_len(list) == 0)
        check_required(k, "", "");
    VAL_FOR (list, container) {
        struct str name = VAL_STR(container, "name"), image = VAL_STR(container, "image");
        size_t at = check_at(k, i++);
        pod_container_validate(k, container, volumes);
        if (name.n && map_set(names, name, (void *)container))
            check_duplicate(k, "name", name);
        if (pod && str_trim(image).n != image.n)
            check_invalid(k, "image", image, "must not have leading or trailing whitespace");
        if (which == 1) {
            check_init_only(k, container);
        } else if (which == 0) {
            pod_probes_validate(k, container);
            if (!val_is_null(val_get(container, "restartPolicy")))
                check_forbidden(k, "restartPolicy", "may not be set for non-init containers");
        }
        check_out(k, at);
    }
    check_host_ports(k, list, which == 1);
    check_out(k, in);
}

static void check_containers(struct check *k, const val *spec, bool pod)
{
    struct map volumes = {0}, names = {0};
    VAL_FOR (val_get(spec, "volumes"), volume) {
        if (VAL_STR(volume, "name").n)
            map_set(&volumes, VAL_STR(volume, "name"), volume);
    }
    for (size_t i = 0; i < ARRAY_LEN(list_names); i++)
        check_list(k, spec, i, &volumes, &names, pod);
    map_done(&volumes);
    map_done(&names);
}

static void check_host_network(struct check *k, const val *spec, bool pod)
{
    if (!VAL_BOOL(spec, "hostNetwork"))
        return;
    size_t c = 0;
    VAL_FOR (val_get(spec, "containers"), container) {
        size_t p = 0;
        VAL_FOR (val_get(container, "ports"), port) {
            int64_t host = VAL_INT(port, "hostPort"), own = VAL_INT(port, "containerPort");
            if ((pod || host) && host != own) {
                struct str at =
                    arena_printf(k->c->arena, "containers[%zu].ports[%zu].hostPort", c, p);
                check_invalid_int(k, at.p, host,
                                  "must match `containerPort` when `hostNetwork` is true");
            }
            p++;
        }
        c++;
    }
}

static void check_dns(struct check *k, const val *spec)
{
    const val *config = val_get(spec, "dnsConfig");
    size_t in = check_in(k, "dnsConfig");
    if (str_is(VAL_STR(spec, "dnsPolicy"), "None")) {
        if (val_is_null(config))
            check_required(k, "", "must provide `dnsConfig` when `dnsPolicy` is None");
        else if (val_len(val_get(config, "nameservers")) == 0)
            check_required(k, "nameservers",
                           "must provide at least one DNS nameserver when `dnsPolicy` is None");
    }
    if (val_len(val_get(config, "nameservers")) > 3)
        check_invalid_val(k, "nameservers", val_get(config, "nameservers"),
                          "must not have more than 3 nameservers");
    size_t i = 0;
    VAL_FOR (val_get(config, "nameservers"), server) {
        size_t list = check_in(k, "nameservers");
        size_t at = check_at(k, i++);
        check_name(k, "", NAME_IP, val_str(server));
        check_out(k, at);
        check_out(k, list);
    }
    if (val_len(val_get(config, "searches")) > 32)
        check_invalid_val(k, "searches", val_get(config, "searches"),
                          "must not have more than 32 search paths");
    check_out(k, in);
}

static void check_toleration_value(struct check *k, const val *t)
{
    static const char *const operators[] = {"Equal", "Exists", NULL};
    struct str op = VAL_STR(t, "operator"), value = VAL_STR(t, "value");
    if (op.n == 0 || str_is(op, "Equal"))
        check_name(k, "operator", NAME_LABEL_VALUE, value);
    else if (!str_is(op, "Exists"))
        check_unsupported(k, "operator", op, operators);
    else if (value.n)
        check_invalid(k, "operator", value, "value must be empty when `operator` is 'Exists'");
}

void pod_tolerations_validate(struct check *k, const val *tolerations)
{
    static const char *const effects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute", NULL};
    size_t i = 0;
    VAL_FOR (tolerations, t) {
        struct str key = VAL_STR(t, "key"), effect = VAL_STR(t, "effect");
        size_t at = check_at(k, i++);
        if (key.n)
            check_name(k, "key", NAME_QUALIFIED, key);
        else if (!str_is(VAL_STR(t, "operator"), "Exists"))
            check_invalid(k, "operator", VAL_STR(t, "operator"),
                          "operator must be Exists when `key` is empty, which means \"match all "
                          "values and all keys\"");
        if (!val_is_null(val_get(t, "tolerationSeconds")) && !str_is(effect, "NoExecute"))
            check_invalid(k, "effect", effect,
                          "effect must be 'NoExecute' when `tolerationSeconds` is set");
        check_toleration_value(k, t);
        if (effect.n && !check_in_list(effect, effects))
            check_unsupported(k, "effect", effect, effects);
        check_out(k, at);
    }
}

static void check_spread(struct check *k, const val *constraints)
{
    static const char *const actions[] = {"DoNotSchedule", "ScheduleAnyway", NULL};
    size_t i = 0;
    VAL_FOR (constraints, constraint) {
        size_t at = check_at(k, i++);
        if (VAL_INT(constraint, "maxSkew") <= 0)
            check_invalid_int(k, "maxSkew", VAL_INT(constraint, "maxSkew"),
                              "must be greater than zero");
        if (VAL_STR(constraint, "topologyKey").n == 0)
            check_required(k, "topologyKey", "can not be empty");
        if (!check_in_list(VAL_STR(constraint, "whenUnsatisfiable"), actions))
            check_unsupported(k, "whenUnsatisfiable", VAL_STR(constraint, "whenUnsatisfiable"),
                              actions);
        check_selector(k, "labelSelector", val_get(constraint, "labelSelector"));
        check_out(k, at);
    }
}

static void check_names(struct check *k, const val *spec)
{
    static const struct {
        const char *member;
        enum name_form form;
    } names[] = {
        {"serviceAccountName", NAME_SUBDOMAIN},
        {"nodeName", NAME_SUBDOMAIN},
        {"hostname", NAME_LABEL},
        {"subdomain", NAME_LABEL},
        {"priorityClassName", NAME_SUBDOMAIN},
        {"runtimeClassName", NAME_SUBDOMAIN},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (VAL_STR(spec, names[i].member).n)
            check_name(k, names[i].member, names[i].form, VAL_STR(spec, names[i].member));
}

static void check_security(struct check *k, const val *spec)
{
    size_t in = check_in(k, "securityContext");
    pod_ids_validate(k, val_get(spec, "securityContext"));
    if (VAL_BOOL(spec, "shareProcessNamespace") && VAL_BOOL(spec, "hostPID"))
        check_invalid_val(k, "shareProcessNamespace", val_get(spec, "shareProcessNamespace"),
                          "ShareProcessNamespace and HostPID cannot both be enabled");
    check_out(k, in);
}

static void check_gates(struct check *k, const val *spec)
{
    size_t i = 0;
    size_t in = check_in(k, "readinessGates");
    VAL_FOR (val_get(spec, "readinessGates"), gate) {
        size_t at = check_at(k, i++);
        check_name(k, "conditionType", NAME_QUALIFIED, VAL_STR(gate, "conditionType"));
        check_out(k, at);
    }
    check_out(k, in);
    in = check_in(k, "schedulingGates");
    i = 0;
    struct map seen = {0};
    VAL_FOR (val_get(spec, "schedulingGates"), gate) {
        size_t at = check_at(k, i++);
        check_name(k, "", NAME_QUALIFIED, VAL_STR(gate, "name"));
        if (map_set(&seen, VAL_STR(gate, "name"), gate))
            check_duplicate(k, "", VAL_STR(gate, "name"));
        check_out(k, at);
    }
    map_done(&seen);
    check_out(k, in);
}

void pod_spec_validate(struct check *k, const val *spec, bool pod)
{
    static const char *const restart[] = {"Always", "OnFailure", "Never", NULL};
    static const char *const dns[] = {"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None",
                                      NULL};
    static const char *const preempt[] = {"PreemptLowerPriority", "Never", NULL};
    pod_volumes_validate(k, spec);
    check_containers(k, spec, pod);
    check_host_network(k, spec, pod);
    check_one_of(k, spec, "restartPolicy", true, restart);
    check_one_of(k, spec, "dnsPolicy", true, dns);
    check_labels(k, "nodeSelector", val_get(spec, "nodeSelector"));
    check_security(k, spec);
    check_dns(k, spec);
    check_gates(k, spec);
    size_t in = check_in(k, "topologySpreadConstraints");
    check_spread(k, val_get(spec, "topologySpreadConstraints"));
    check_out(k, in);
    in = check_in(k, "affinity");
    pod_affinity_validate(k, val_get(spec, "affinity"));
    check_out(k, in);
    check_names(k, spec);
    const val *deadline = val_get(spec, "activeDeadlineSeconds");
    if (!val_is_null(deadline) && (val_int(deadline) < 1 || val_int(deadline) > INT32_MAX))
        check_invalid_int(k, "activeDeadlineSeconds", val_int(deadline),
                          "must be between 1 and 2147483647, inclusive");
    in = check_in(k, "tolerations");
    pod_tolerations_validate(k, val_get(spec, "tolerations"));
    check_out(k, in);
    check_one_of(k, spec, "preemptionPolicy", false, preempt);
}

void pod_template_validate(struct check *k, const val *template)
{
    size_t in = check_in(k, "metadata");
    check_labels(k, "labels", VAL_PATH(template, "metadata", "labels"));
    check_out(k, in);
    in = check_in(k, "spec");
    pod_spec_validate(k, val_get(template, "spec"), false);
    if (val_len(VAL_PATH(template, "spec", "ephemeralContainers")) > 0)
        check_forbidden(k, "ephemeralContainers",
                        "ephemeral containers not allowed in pod template");
    check_out(k, in);
}
