/* Pods: upstream's pkg/registry/core/pod. */
#include "api/authz/authz.h"
#include "api/kinds/pod_parts.h"

static void defaults(struct strategy_ctx *c, val *obj)
{
    pod_spec_default(c->d, val_get(obj, "spec"), true);
}

/* --- quality of service (pkg/apis/core/helper/qos) --- */
static bool add_positive(const val *list, const char *resource, struct quantity *sum)
{
    struct quantity q;
    struct err err;
    struct str text = val_str(val_get(list, resource));
    if (text.n == 0 || quantity_parse(text, &q, &err) || q.nano <= 0)
        return false;
    quantity_add(sum, &q);
    return true;
}

const char *pod_qos(const val *spec)
{
    static const char *const resources[] = {"cpu", "memory"};
    static const char *const lists[] = {"containers", "initContainers"};
    struct quantity requests[2] = {0}, limits[2] = {0};
    bool any = false, all_limited = true;
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        VAL_FOR (val_get(spec, lists[l]), container) {
            const val *r = val_get(container, "resources");
            for (size_t i = 0; i < 2; i++) {
                any |= add_positive(val_get(r, "requests"), resources[i], &requests[i]);
                bool limited = add_positive(val_get(r, "limits"), resources[i], &limits[i]);
                any |= limited;
                all_limited &= limited;
            }
        }
    }
    if (!any)
        return "BestEffort";
    for (size_t i = 0; i < 2; i++)
        if (!all_limited || quantity_cmp(&requests[i], &limits[i]) != 0)
            return "Burstable";
    return "Guaranteed";
}

/* A node's agent touches the pods bound to its node only: upstream's NodeRestriction. */
static int check_node(struct strategy_ctx *c, const val *pod, const char *what, struct err *err)
{
    struct str node = authz_node_of(c->user);
    if (node.n == 0 || str_eq(node, VAL_STR(pod, "spec", "nodeName")))
        return 0;
    return err_set(err, 403, "Forbidden",
                   "pods \"%.*s\" is forbidden: node \"%.*s\" can only %s pods with spec.nodeName "
                   "set to itself",
                   STR_ARG(VAL_STR(pod, "metadata", "name")), STR_ARG(node), what);
}

static int prepare_create(struct strategy_ctx *c, val *obj, struct err *err)
{
    struct str node = authz_node_of(c->user);
    if (node.n && VAL_STR(obj, "metadata", "annotations", "kubernetes.io/config.mirror").n == 0)
        return err_set(err, 403, "Forbidden",
                       "pods \"%.*s\" is forbidden: pod does not have "
                       "\"kubernetes.io/config.mirror\" annotation, node \"%.*s\" can only create "
                       "mirror pods",
                       STR_ARG(VAL_STR(obj, "metadata", "name")), STR_ARG(node));
    if (check_node(c, obj, "create", err))
        return -1;
    if (pod_admit(c, obj, err))
        return -1;
    const val *spec = val_get(obj, "spec");
    val *status = val_set(c->d, obj, "status", val_new_obj(c->d));
    val_set_z(c->d, status, "phase", "Pending");
    if (val_len(val_get(spec, "schedulingGates")) > 0)
        kind_condition_set(c, val_ensure_arr(c->d, status, "conditions"), "PodScheduled", "False",
                           "SchedulingGated",
                           "Scheduling is blocked due to non-empty scheduling gates");
    val_set_z(c->d, status, "qosClass", pod_qos(spec));
    return 0;
}

static int prepare_status(struct strategy_ctx *c, val *obj, const val *old, struct err *err)
{
    if (check_node(c, old, "update pod status for", err))
        return -1;
    keep_metadata(c, obj, old, "ownerReferences");
    val *status = val_ensure_obj(c->d, obj, "status");
    if (VAL_STR(status, "qosClass").n == 0 && VAL_STR(old, "status", "qosClass").n)
        val_set_s(c->d, status, "qosClass", VAL_STR(old, "status", "qosClass"));
    if (VAL_INT(status, "observedGeneration") == 0 && VAL_INT(old, "status", "observedGeneration"))
        val_set_int(c->d, status, "observedGeneration",
                    VAL_INT(old, "status", "observedGeneration"));
    return 0;
}

/* --- validation --- */
static void validate_token_volumes(struct check *k, const val *spec)
{
    if (VAL_STR(spec, "serviceAccountName").n)
        return;
    size_t v = 0;
    VAL_FOR (val_get(spec, "volumes"), volume) {
        size_t s = 0;
        VAL_FOR (VAL_PATH(volume, "projected", "sources"), source) {
            if (val_get(source, "serviceAccountToken")) {
                struct str at = arena_printf(
                    k->c->arena, "volumes[%zu].projected.sources[%zu].serviceAccountToken", v, s);
                check_forbidden(k, at.p,
                                "must not be specified when serviceAccountName is not set");
            }
            s++;
        }
        v++;
    }
}

static void validate_spec(struct check *k, const val *obj)
{
    const val *spec = val_get(obj, "spec");
    size_t in = check_in(k, "spec");
    pod_spec_validate(k, spec, true);
    validate_token_volumes(k, spec);
    check_out(k, in);
}

static void validate(struct strategy_ctx *c, const val *obj, val *causes)
{
    struct check k;
    check_new(&k, c, obj, causes);
    validate_spec(&k, obj);
    size_t in = check_in(&k, "spec");
    if (val_len(VAL_PATH(obj, "spec", "ephemeralContainers")) > 0)
        check_forbidden(&k, "ephemeralContainers", "cannot be set on create");
    if (VAL_STR(obj, "spec", "nodeName").n && val_len(VAL_PATH(obj, "spec", "schedulingGates")) > 0)
        check_forbidden(&k, "nodeName",
                        "cannot be set until all schedulingGates have been cleared");
    check_out(&k, in);
    check_done(&k);
}

static bool same_but_seconds(struct doc *d, const val *old, const val *now)
{
    val *a = val_copy(d, old), *b = val_copy(d, now);
    val_del(a, "tolerationSeconds");
    val_del(b, "tolerationSeconds");
    return val_eq(a, b);
}

static void validate_tolerations_kept(struct check *k, const val *now, const val *old)
{
    VAL_FOR (val_get(old, "tolerations"), had) {
        bool found = false;
        VAL_FOR (val_get(now, "tolerations"), has) {
            found = found || same_but_seconds(k->d, had, has);
        }
        if (!found) {
            check_forbidden(k, "tolerations",
                            "existing toleration can not be modified except its tolerationSeconds");
            return;
        }
    }
}

static void validate_gates_kept(struct check *k, const val *now, const val *old)
{
    size_t i = 0;
    VAL_FOR (val_get(now, "schedulingGates"), gate) {
        bool found = false;
        VAL_FOR (val_get(old, "schedulingGates"), had) {
            found = found || str_eq(VAL_STR(had, "name"), VAL_STR(gate, "name"));
        }
        if (!found) {
            struct str at = arena_printf(k->c->arena, "schedulingGates[%zu]", i);
            check_forbidden(k, at.p, "only deletion is allowed, but found new scheduling gate");
        }
        i++;
    }
}

/* Makes what may change in an update equal to the old value, so that the rest can be compared. */
static void munge(struct doc *d, val *spec, const val *old)
{
    static const char *const lists[] = {"containers", "initContainers"};
    static const char *const free_members[] = {"activeDeadlineSeconds", "tolerations",
                                               "schedulingGates"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const val *before = val_get(old, lists[i]);
        size_t n = 0;
        VAL_FOR (val_get(spec, lists[i]), container) {
            const val *was = val_at(before, n++);
            val_set_s(d, container, "image", VAL_STR(was, "image"));
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(free_members); i++) {
        const val *was = val_get(old, free_members[i]);
        val_del(spec, free_members[i]);
        if (was)
            val_set(d, spec, free_members[i], val_copy(d, was));
    }
    const val *grace = val_get(old, "terminationGracePeriodSeconds");
    if (val_int(grace) < 0 && VAL_INT(spec, "terminationGracePeriodSeconds") == 1)
        val_set_int(d, spec, "terminationGracePeriodSeconds", val_int(grace));
    /* A gated pod's scheduling may still be narrowed. */
    if (val_len(val_get(old, "schedulingGates")) > 0) {
        static const char *const narrowing[] = {"nodeSelector", "affinity"};
        for (size_t i = 0; i < ARRAY_LEN(narrowing); i++) {
            const val *was = val_get(old, narrowing[i]);
            val_del(spec, narrowing[i]);
            if (was)
                val_set(d, spec, narrowing[i], val_copy(d, was));
        }
    }
}

/* Members of two objects that differ, one line each, for the reader of the message. */
static void write_difference(const val *now, const val *old, struct buf *b)
{
    VAL_EACH (old, key, before) {
        const val *after = val_get_str(now, val_str(key));
        if (after && val_eq(before, after))
            continue;
        buf_printf(b, "\n-  %.*s: ", STR_ARG(val_str(key)));
        val_write_json(before, b);
        buf_printf(b, "\n+  %.*s: ", STR_ARG(val_str(key)));
        if (after)
            val_write_json(after, b);
    }
    VAL_EACH (now, key, after) {
        if (val_get_str(old, val_str(key)))
            continue;
        buf_printf(b, "\n+  %.*s: ", STR_ARG(val_str(key)));
        val_write_json(after, b);
    }
}

static void validate_unchanged(struct check *k, const val *now, const val *old)
{
    val *munged = val_copy(k->d, now);
    munge(k->d, munged, old);
    if (val_eq(munged, old))
        return;
    struct buf text = {0};
    buf_puts(&text, "pod updates may not change fields other than `spec.containers[*].image`,"
                    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
                    "`spec.tolerations` (only additions to existing tolerations),"
                    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
                    "previously negative)");
    write_difference(munged, old, &text);
    check_forbidden(k, "", buf_z(&text));
    buf_done(&text);
}

static bool validate_deadline(struct check *k, const val *now, const val *old)
{
    const val *seconds = val_get(now, "activeDeadlineSeconds");
    const val *before = val_get(old, "activeDeadlineSeconds");
    if (val_is_null(seconds)) {
        if (!val_is_null(before))
            check_invalid_val(k, "activeDeadlineSeconds", NULL,
                              "must not update from a positive integer to nil value");
        return true;
    }
    if (val_int(seconds) < 0 || val_int(seconds) > INT32_MAX)
        check_invalid_int(k, "activeDeadlineSeconds", val_int(seconds),
                          "must be between 0 and 2147483647, inclusive");
    else if (!val_is_null(before) && val_int(before) < val_int(seconds))
        check_invalid_int(k, "activeDeadlineSeconds", val_int(seconds),
                          "must be less than or equal to previous value");
    else
        return true;
    return false;
}

static void validate_update(struct strategy_ctx *c, const val *obj, const val *old, val *causes)
{
    static const char *const lists[] = {"containers", "initContainers"};
    const val *now = val_get(obj, "spec"), *was = val_get(old, "spec");
    struct check k;
    check_init(&k, c, causes);
    validate_spec(&k, obj);
    size_t in = check_in(&k, "spec");
    bool same_count = true;
    for (size_t i = 0; i < ARRAY_LEN(lists) && same_count; i++) {
        same_count = val_len(val_get(now, lists[i])) == val_len(val_get(was, lists[i]));
        if (!same_count)
            check_forbidden(&k, lists[i], "pod updates may not add or remove containers");
    }
    if (same_count && validate_deadline(&k, now, was)) {
        validate_tolerations_kept(&k, now, was);
        validate_gates_kept(&k, now, was);
        validate_unchanged(&k, now, was);
    }
    check_out(&k, in);
    check_done(&k);
}

static void validate_transitions(struct check *k, const char *member, const val *obj,
                                 const val *old)
{
    struct str policy = VAL_STR(old, "spec", "restartPolicy");
    size_t i = 0;
    size_t in = check_in(k, member);
    VAL_FOR (VAL_PATH(old, "status", member), before) {
        const val *ended = VAL_PATH(before, "state", "terminated");
        size_t at = check_at(k, i++);
        bool may = str_is(policy, "Always") ||
                   (str_is(policy, "OnFailure") && VAL_INT(ended, "exitCode") != 0);
        VAL_FOR (VAL_PATH(obj, "status", member), after) {
            if (ended && !may && str_eq(VAL_STR(before, "name"), VAL_STR(after, "name")) &&
                !VAL_PATH(after, "state", "terminated"))
                check_forbidden(k, "state", "may not be transitioned to non-terminated state");
        }
        check_out(k, at);
    }
    check_out(k, in);
}

static void validate_status(struct strategy_ctx *c, const val *obj, const val *old, val *causes)
{
    struct check k;
    check_init(&k, c, causes);
    size_t in = check_in(&k, "status");
    check_immutable(&k, "qosClass", VAL_PATH(obj, "status", "qosClass"),
                    VAL_PATH(old, "status", "qosClass"));
    if (VAL_STR(obj, "status", "nominatedNodeName").n)
        check_name(&k, "nominatedNodeName", NAME_SUBDOMAIN,
                   VAL_STR(obj, "status", "nominatedNodeName"));
    validate_transitions(&k, "containerStatuses", obj, old);
    size_t i = 0;
    VAL_FOR (VAL_PATH(obj, "status", "podIPs"), ip) {
        size_t list = check_in(&k, "podIPs");
        size_t at = check_at(&k, i++);
        check_name(&k, "", NAME_IP, VAL_STR(ip, "ip"));
        check_out(&k, at);
        check_out(&k, list);
    }
    check_out(&k, in);
    check_done(&k);
}

static int64_t grace(struct strategy_ctx *c, val *obj, const val *options, struct err *err)
{
    if (check_node(c, obj, "delete", err))
        return -1;
    const val *asked = val_get(options, "gracePeriodSeconds");
    struct str phase = VAL_STR(obj, "status", "phase");
    int64_t seconds =
        val_is_null(asked) ? VAL_INT(obj, "spec", "terminationGracePeriodSeconds") : val_int(asked);
    if (VAL_STR(obj, "spec", "nodeName").n == 0 || str_is(phase, "Failed") ||
        str_is(phase, "Succeeded"))
        return 0;
    return seconds < 0 ? 1 : seconds;
}

/* --- subresources --- */
static int bind_refused(struct strategy_ctx *c, struct err *err, const char *why)
{
    return err_set(err, 409, "Conflict",
                   "Operation cannot be fulfilled on pods/binding \"%.*s\": %s", STR_ARG(c->name),
                   why);
}

static int check_binding(struct strategy_ctx *c, const val *pod, const val *body, struct err *err)
{
    struct str name = VAL_STR(pod, "metadata", "name"), uid = VAL_STR(body, "metadata", "uid");
    struct str kind = VAL_STR(body, "target", "kind"), node = VAL_STR(pod, "spec", "nodeName");
    if (kind.n && !str_is(kind, "Node"))
        return err_set(err, 422, "Invalid",
                       "Binding \"%.*s\" is invalid: target.kind: Unsupported value: \"%.*s\": "
                       "supported values: \"Node\", \"<empty>\"",
                       STR_ARG(name), STR_ARG(kind));
    if (VAL_STR(body, "target", "name").n == 0)
        return err_set(err, 422, "Invalid",
                       "Binding \"%.*s\" is invalid: target.name: Required value", STR_ARG(name));
    struct str why = {0};
    if (uid.n && !str_eq(uid, VAL_STR(pod, "metadata", "uid")))
        why = arena_printf(c->arena,
                           "Precondition failed: UID in precondition: %.*s, UID in object meta: "
                           "%.*s",
                           STR_ARG(uid), STR_ARG(VAL_STR(pod, "metadata", "uid")));
    else if (!val_is_null(VAL_PATH(pod, "metadata", "deletionTimestamp")))
        why = arena_printf(c->arena, "pod %.*s is being deleted, cannot be assigned to a host",
                           STR_ARG(name));
    else if (node.n)
        why = arena_printf(c->arena, "pod %.*s is already assigned to node \"%.*s\"", STR_ARG(name),
                           STR_ARG(node));
    else if (val_len(VAL_PATH(pod, "spec", "schedulingGates")) > 0)
        why = arena_printf(c->arena, "pod %.*s has non-empty .spec.schedulingGates", STR_ARG(name));
    return why.n ? bind_refused(c, err, why.p) : 0;
}

static int bind(struct strategy_ctx *c, val *pod, const val *body, struct err *err)
{
    static const char *const topology[] = {"topology.kubernetes.io/zone",
                                           "topology.kubernetes.io/region"};
    if (check_binding(c, pod, body, err))
        return -1;
    struct str node_name = VAL_STR(body, "target", "name");
    val *meta = val_ensure_obj(c->d, pod, "metadata");
    val_set_s(c->d, val_ensure_obj(c->d, pod, "spec"), "nodeName", node_name);
    VAL_EACH (VAL_PATH(body, "metadata", "annotations"), key, value) {
        val_set_str(c->d, val_ensure_obj(c->d, meta, "annotations"), val_str(key),
                    val_copy(c->d, value));
    }
    const val *node = strategy_lookup(c, "", "nodes", (struct str){0}, node_name);
    for (size_t i = 0; i < ARRAY_LEN(topology); i++) {
        struct str value = VAL_STR(node, "metadata", "labels", topology[i]);
        if (value.n)
            val_set_s(c->d, val_ensure_obj(c->d, meta, "labels"), topology[i], value);
    }
    val *status = val_ensure_obj(c->d, pod, "status");
    kind_condition_set(c, val_ensure_arr(c->d, status, "conditions"), "PodScheduled", "True", NULL,
                       NULL);
    return 0;
}

static int set_ephemeral(struct strategy_ctx *c, val *pod, const val *body, struct err *err)
{
    val *spec = val_ensure_obj(c->d, pod, "spec");
    const val *now = VAL_PATH(body, "spec", "ephemeralContainers");
    VAL_FOR (val_get(spec, "ephemeralContainers"), had) {
        bool kept = false;
        VAL_FOR (now, has) {
            kept = kept || val_eq(had, has);
        }
        if (!kept)
            return err_set(err, 422, "Invalid",
                           "Pod \"%.*s\" is invalid: spec.ephemeralContainers: Forbidden: existing "
                           "ephemeral containers \"%.*s\" may not be removed or changed\n",
                           STR_ARG(c->name), STR_ARG(VAL_STR(had, "name")));
    }
    if (now)
        val_set(c->d, spec, "ephemeralContainers", val_copy(c->d, now));
    pod_spec_default(c->d, spec, true);
    return 0;
}

static int change_sub(struct strategy_ctx *c, val *obj, const val *body, struct err *err)
{
    if (strcmp(c->subresource, "binding") == 0)
        return bind(c, obj, body, err);
    if (strcmp(c->subresource, "ephemeralcontainers") == 0)
        return set_ephemeral(c, obj, body, err);
    return err_set(err, 404, "NotFound", "the server could not find the requested resource");
}

static const char *const fields[] = {"spec.nodeName",
                                     "spec.restartPolicy",
                                     "spec.schedulerName",
                                     "spec.serviceAccountName",
                                     "spec.hostNetwork",
                                     "status.phase",
                                     "status.podIP",
                                     "status.nominatedNodeName",
                                     NULL};

static struct str field(const val *obj, struct str name)
{
    if (str_is(name, "spec.hostNetwork"))
        return VAL_BOOL(obj, "spec", "hostNetwork") ? STR("true") : STR("false");
    return field_of(obj, name);
}

const struct strategy pod_strategy = {
    .group = "",
    .resource = "pods",
    .defaults = defaults,
    .prepare_create = prepare_create,
    .prepare_status = prepare_status,
    .validate = validate,
    .validate_update = validate_update,
    .validate_status = validate_status,
    .grace = grace,
    .change_sub = change_sub,
    .fields = fields,
    .field = field,
    .columns = pod_columns,
    .row = pod_row,
    .spec_generation = true,
    .has_status = true,
    .unconditional_update = true,
    .return_deleted = true,
};
