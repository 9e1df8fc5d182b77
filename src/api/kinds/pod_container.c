/* One container of a pod spec: upstream's validateContainerCommon and what hangs below it. */
#include "api/kinds/pod_parts.h"

static const char *const field_paths_env[] = {"metadata.name",
                                              "metadata.namespace",
                                              "metadata.uid",
                                              "spec.nodeName",
                                              "spec.serviceAccountName",
                                              "status.hostIP",
                                              "status.hostIPs",
                                              "status.podIP",
                                              "status.podIPs",
                                              NULL};
static const char *const field_paths_volume[] = {"metadata.annotations", "metadata.labels",
                                                 "metadata.name",        "metadata.namespace",
                                                 "metadata.uid",         NULL};
static const char *const resource_paths[] = {"limits.cpu",
                                             "limits.ephemeral-storage",
                                             "limits.memory",
                                             "requests.cpu",
                                             "requests.ephemeral-storage",
                                             "requests.memory",
                                             NULL};

/* "metadata.labels['app']" -> path and subscript. */
static bool split_subscript(struct str s, struct str *ret_path, struct str *ret_key)
{
    ssize_t at = str_find(s, STR("['"));
    if (at < 0 || !str_ends(s, STR("']")) || (size_t)at + 4 > s.n)
        return false;
    *ret_path = str_head(s, (size_t)at);
    *ret_key = (struct str){s.p + at + 2, s.n - (size_t)at - 4};
    return true;
}

void check_field_ref(struct check *k, const val *ref, bool volume)
{
    const char *const *paths = volume ? field_paths_volume : field_paths_env;
    struct str path = VAL_STR(ref, "fieldPath"), key;
    if (VAL_STR(ref, "apiVersion").n == 0) {
        check_required(k, "apiVersion", "");
        return;
    }
    if (path.n == 0) {
        check_required(k, "fieldPath", "");
        return;
    }
    struct str whole = path;
    if (split_subscript(path, &path, &key)) {
        if (str_is(path, "metadata.annotations") || str_is(path, "metadata.labels"))
            check_name(k, "", NAME_QUALIFIED, key);
        else
            check_invalid(k, "", path, "does not support subscript");
        return;
    }
    if (check_in_list(path, paths))
        return;
    if (check_in_list(path, field_paths_env) || check_in_list(path, field_paths_volume)) {
        check_unsupported(k, "fieldPath", path, paths);
        return;
    }
    struct str detail = arena_printf(
        k->c->arena, "error converting fieldPath: field label not supported: %.*s", STR_ARG(whole));
    check_invalid(k, "fieldPath", whole, detail.p);
}

void check_resource_field_ref(struct check *k, const val *ref, bool volume)
{
    struct str resource = VAL_STR(ref, "resource");
    if (volume && VAL_STR(ref, "containerName").n == 0)
        check_required(k, "containerName", "");
    else if (resource.n == 0)
        check_required(k, "resource", "");
    else if (!check_in_list(resource, resource_paths) &&
             !str_starts(resource, STR("limits.hugepages-")) &&
             !str_starts(resource, STR("requests.hugepages-")))
        check_unsupported(k, "resource", resource, resource_paths);

    struct str divisor = VAL_STR(ref, "divisor");
    if (divisor.n && !str_is(divisor, "0") && !str_is(divisor, "1") && !str_is(divisor, "1m") &&
        str_ends(resource, STR(".cpu")))
        check_invalid(k, "divisor", resource,
                      "only divisor's values 1m and 1 are supported with the cpu resource");
}

static void check_ports(struct check *k, const val *ports)
{
    static const char *const protocols[] = {"SCTP", "TCP", "UDP", NULL};
    struct map names = {0};
    size_t i = 0;
    VAL_FOR (ports, port) {
        struct str name = VAL_STR(port, "name");
        size_t at = check_at(k, i++);
        if (name.n) {
            if (!check_is(NAME_PORT, name))
                check_name(k, "name", NAME_PORT, name);
            else if (map_set(&names, name, (void *)port))
                check_duplicate(k, "name", name);
        }
        if (VAL_INT(port, "containerPort") == 0)
            check_required(k, "containerPort", "");
        else
            check_port(k, "containerPort", VAL_INT(port, "containerPort"));
        if (VAL_INT(port, "hostPort") != 0)
            check_port(k, "hostPort", VAL_INT(port, "hostPort"));
        check_one_of(k, port, "protocol", true, protocols);
        check_out(k, at);
    }
    map_done(&names);
}

static void check_key_ref(struct check *k, const char *member, const val *ref)
{
    size_t in = check_in(k, member);
    check_name(k, "name", NAME_SUBDOMAIN, VAL_STR(ref, "name"));
    if (VAL_STR(ref, "key").n == 0)
        check_required(k, "key", "");
    else
        check_name(k, "key", NAME_CONFIG_KEY, VAL_STR(ref, "key"));
    check_out(k, in);
}

static void check_value_from(struct check *k, const val *e)
{
    const val *from = val_get(e, "valueFrom");
    if (val_is_null(from))
        return;
    size_t count = 0;
    size_t in = check_in(k, "valueFrom");
    const val *ref;
    if ((ref = val_get(from, "fieldRef"))) {
        size_t at = check_in(k, "fieldRef");
        check_field_ref(k, ref, false);
        check_out(k, at);
        count++;
    }
    if ((ref = val_get(from, "resourceFieldRef"))) {
        size_t at = check_in(k, "resourceFieldRef");
        check_resource_field_ref(k, ref, false);
        check_out(k, at);
        count++;
    }
    static const char *const keyed[] = {"configMapKeyRef", "secretKeyRef"};
    for (size_t i = 0; i < ARRAY_LEN(keyed); i++) {
        if ((ref = val_get(from, keyed[i]))) {
            check_key_ref(k, keyed[i], ref);
            count++;
        }
    }
    if (count == 0)
        check_invalid(k, "", STR(""),
                      "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or "
                      "`secretKeyRef`");
    else if (VAL_STR(e, "value").n)
        check_invalid(k, "", STR(""), "may not be specified when `value` is not empty");
    else if (count > 1)
        check_invalid(k, "", STR(""), "may not have more than one field specified at a time");
    check_out(k, in);
}

static void check_env(struct check *k, const val *env)
{
    size_t i = 0;
    VAL_FOR (env, e) {
        size_t at = check_at(k, i++);
        if (VAL_STR(e, "name").n == 0)
            check_required(k, "name", "");
        else
            check_name(k, "name", NAME_ENV, VAL_STR(e, "name"));
        check_value_from(k, e);
        check_out(k, at);
    }
}

static void check_env_from(struct check *k, const val *sources)
{
    static const char *const refs[] = {"configMapRef", "secretRef"};
    size_t i = 0;
    VAL_FOR (sources, source) {
        size_t count = 0;
        size_t at = check_at(k, i++);
        if (VAL_STR(source, "prefix").n)
            check_name(k, "prefix", NAME_ENV, VAL_STR(source, "prefix"));
        for (size_t r = 0; r < ARRAY_LEN(refs); r++) {
            const val *ref = val_get(source, refs[r]);
            if (val_is_null(ref))
                continue;
            count++;
            size_t in = check_in(k, refs[r]);
            if (VAL_STR(ref, "name").n == 0)
                check_required(k, "name", "");
            else
                check_name(k, "name", NAME_SUBDOMAIN, VAL_STR(ref, "name"));
            check_out(k, in);
        }
        check_out(k, at);
        if (count == 0)
            check_invalid(k, "", STR(""), "must specify one of: `configMapRef` or `secretRef`");
        else if (count > 1)
            check_invalid(k, "", STR(""), "may not have more than one field specified at a time");
    }
}

static void check_mount_propagation(struct check *k, const val *mount, const val *container)
{
    static const char *const modes[] = {"Bidirectional", "HostToContainer", "None", NULL};
    struct str mode = VAL_STR(mount, "mountPropagation");
    if (mode.n == 0)
        return;
    check_one_of(k, mount, "mountPropagation", false, modes);
    if (str_is(mode, "Bidirectional") && !VAL_BOOL(container, "securityContext", "privileged"))
        check_forbidden(k, "mountPropagation",
                        "Bidirectional mount propagation is available only to privileged "
                        "containers");
}

static void check_mounts(struct check *k, const val *container, const struct map *volumes)
{
    struct map paths = {0};
    size_t i = 0;
    VAL_FOR (val_get(container, "volumeMounts"), mount) {
        struct str name = VAL_STR(mount, "name"), path = VAL_STR(mount, "mountPath");
        size_t at = check_at(k, i++);
        if (name.n == 0)
            check_required(k, "name", "");
        if (!map_get(volumes, name))
            check_not_found(k, "name", name);
        if (path.n == 0)
            check_required(k, "mountPath", "");
        if (map_set(&paths, path, (void *)mount))
            check_invalid(k, "mountPath", path, "must be unique");
        struct str sub = VAL_STR(mount, "subPath");
        if (sub.n && sub.p[0] == '/')
            check_invalid(k, "subPath", sub, "must be a relative path");
        struct str rest = sub, part;
        while (str_next(&rest, '/', &part)) {
            if (str_is(part, "..")) {
                check_invalid(k, "subPath", sub, "must not contain '..'");
                break;
            }
        }
        if (sub.n && VAL_STR(mount, "subPathExpr").n)
            check_invalid(k, "subPathExpr", VAL_STR(mount, "subPathExpr"),
                          "subPathExpr and subPath are mutually exclusive");
        check_mount_propagation(k, mount, container);
        check_out(k, at);
    }
    map_done(&paths);
}

static bool is_overcommitable(struct str resource)
{
    return str_find_char(resource, '/') < 0 && !str_starts(resource, STR("hugepages-"));
}

/* validateContainerResourceName; names with a prefix are a device plugin's. */
static void check_resource_name(struct check *k, struct str name)
{
    static const char *const compute[] = {"cpu", "memory", "ephemeral-storage", NULL};
    static const char *const countable[] = {"storage",
                                            "pods",
                                            "services",
                                            "replicationcontrollers",
                                            "resourcequotas",
                                            "secrets",
                                            "configmaps",
                                            "persistentvolumeclaims",
                                            "services.nodeports",
                                            "services.loadbalancers",
                                            NULL};
    if (!check_is(NAME_QUALIFIED, name)) {
        check_name(k, "", NAME_QUALIFIED, name);
        return;
    }
    if (str_find_char(name, '/') >= 0 || check_in_list(name, compute) ||
        str_starts(name, STR("hugepages-")))
        return;
    if (!check_in_list(name, countable) && !str_starts(name, STR("requests.")) &&
        !str_starts(name, STR("limits.")))
        check_invalid(k, "", name, "must be a standard resource type or fully qualified");
    check_invalid(k, "", name, "must be a standard resource for containers");
}

static void check_quantity(struct check *k, struct str resource, const val *value,
                           struct quantity *ret)
{
    struct err err;
    size_t at = check_key(k, resource);
    check_resource_name(k, resource);
    *ret = (struct quantity){0};
    if (val_is_str(value) && quantity_parse(val_str(value), ret, &err) == 0) {
        if (ret->nano < 0)
            check_invalid(k, "", val_str(value), "must be greater than or equal to 0");
        if (!is_overcommitable(resource) && ret->nano % 1000000000)
            check_invalid_val(k, "", value, "must be an integer");
    }
    check_out(k, at);
}

void pod_resources_validate(struct check *k, const val *resources)
{
    struct quantity request, limit;
    size_t in = check_in(k, "limits");
    VAL_EACH (val_get(resources, "limits"), name, value) {
        check_quantity(k, val_str(name), value, &limit);
    }
    check_out(k, in);
    VAL_EACH (val_get(resources, "requests"), name, value) {
        struct err err;
        in = check_in(k, "requests");
        check_quantity(k, val_str(name), value, &request);
        check_out(k, in);
        struct str most = val_str(val_get_str(val_get(resources, "limits"), val_str(name)));
        bool free = is_overcommitable(val_str(name));
        if (most.n == 0) {
            if (!free)
                check_required(k, "limits", "Limit must be set for non overcommitable resources");
            continue;
        }
        if (quantity_parse(most, &limit, &err))
            continue;
        int cmp = quantity_cmp(&request, &limit);
        if (cmp > 0 || (cmp != 0 && !free)) {
            struct str detail = arena_printf(k->c->arena, "must be %s %.*s limit of %.*s",
                                             free ? "less than or equal to" : "equal to",
                                             STR_ARG(val_str(name)), STR_ARG(most));
            check_invalid(k, "requests", val_str(value), detail.p);
        }
    }
}

static void check_id(struct check *k, const val *obj, const char *member)
{
    const val *id = val_get(obj, member);
    if (!val_is_null(id) && (val_int(id) < 0 || val_int(id) > INT32_MAX))
        check_invalid_int(k, member, val_int(id), "must be between 0 and 2147483647, inclusive");
}

void pod_ids_validate(struct check *k, const val *security)
{
    static const char *const ids[] = {"runAsUser", "runAsGroup", "fsGroup"};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        check_id(k, security, ids[i]);
}

static void check_security(struct check *k, const val *security)
{
    pod_ids_validate(k, security);
    const val *escalate = val_get(security, "allowPrivilegeEscalation");
    if (!val_is_bool(escalate) || val_bool(escalate))
        return;
    if (VAL_BOOL(security, "privileged"))
        check_invalid_val(k, "", security,
                          "cannot set `allowPrivilegeEscalation` to false and `privileged` to "
                          "true");
    if (val_str_list_has(VAL_PATH(security, "capabilities", "add"), STR("CAP_SYS_ADMIN")))
        check_invalid_val(k, "", security,
                          "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` "
                          "CAP_SYS_ADMIN");
}

void pod_container_validate(struct check *k, const val *container, const struct map *volumes)
{
    static const char *const message[] = {"File", "FallbackToLogsOnError", NULL};
    static const char *const pull[] = {"Always", "IfNotPresent", "Never", NULL};
    if (VAL_STR(container, "name").n == 0)
        check_required(k, "name", "");
    else
        check_name(k, "name", NAME_LABEL, VAL_STR(container, "name"));
    if (VAL_STR(container, "image").n == 0)
        check_required(k, "image", "");
    check_one_of(k, container, "terminationMessagePolicy", true, message);

    size_t in = check_in(k, "ports");
    check_ports(k, val_get(container, "ports"));
    check_out(k, in);
    in = check_in(k, "env");
    check_env(k, val_get(container, "env"));
    check_out(k, in);
    in = check_in(k, "envFrom");
    check_env_from(k, val_get(container, "envFrom"));
    check_out(k, in);
    in = check_in(k, "volumeMounts");
    check_mounts(k, container, volumes);
    check_out(k, in);
    check_one_of(k, container, "imagePullPolicy", true, pull);
    in = check_in(k, "resources");
    pod_resources_validate(k, val_get(container, "resources"));
    check_out(k, in);
    in = check_in(k, "securityContext");
    check_security(k, val_get(container, "securityContext"));
    check_out(k, in);
}
