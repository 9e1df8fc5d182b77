/* Affinity of a pod spec: upstream's validateAffinity. The check stands at spec.affinity. */
#include "api/kinds/pod_parts.h"

#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED "preferredDuringSchedulingIgnoredDuringExecution"

static void check_expression(struct check *k, const val *e)
{
    struct str op = VAL_STR(e, "operator");
    size_t values = val_len(val_get(e, "values"));
    if (str_is(op, "In") || str_is(op, "NotIn")) {
        if (values == 0)
            check_required(k, "values", "must be specified when `operator` is 'In' or 'NotIn'");
    } else if (str_is(op, "Exists") || str_is(op, "DoesNotExist")) {
        if (values > 0)
            check_forbidden(k, "values",
                            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    } else if (str_is(op, "Gt") || str_is(op, "Lt")) {
        if (values != 1)
            check_required(k, "values",
                           "must be specified single value when `operator` is 'Lt' or 'Gt'");
    } else {
        check_invalid(k, "operator", op, "not a valid selector operator");
    }
    check_name(k, "key", NAME_QUALIFIED, VAL_STR(e, "key"));
}

static void check_field(struct check *k, const val *e)
{
    struct str op = VAL_STR(e, "operator");
    if (!str_is(op, "In") && !str_is(op, "NotIn"))
        check_invalid(k, "operator", op, "not a valid selector operator");
    else if (val_len(val_get(e, "values")) != 1)
        check_required(k, "values",
                       "must be only one value when `operator` is 'In' or 'NotIn' for node field "
                       "selector");
    if (!str_is(VAL_STR(e, "key"), "metadata.name"))
        check_invalid(k, "key", VAL_STR(e, "key"), "not a valid field selector key");
}

static void check_each(struct check *k, const char *member, const val *list,
                       void (*check)(struct check *k, const val *item))
{
    size_t i = 0;
    size_t in = check_in(k, member);
    VAL_FOR (list, item) {
        size_t at = check_at(k, i++);
        check(k, item);
        check_out(k, at);
    }
    check_out(k, in);
}

static void check_node_term(struct check *k, const val *term)
{
    check_each(k, "matchExpressions", val_get(term, "matchExpressions"), check_expression);
    check_each(k, "matchFields", val_get(term, "matchFields"), check_field);
}

static void check_weight(struct check *k, const val *item)
{
    int64_t weight = VAL_INT(item, "weight");
    if (weight <= 0 || weight > 100)
        check_invalid_int(k, "weight", weight, "must be in the range 1-100");
}

static void check_preferred_node(struct check *k, const val *item)
{
    check_weight(k, item);
    size_t in = check_in(k, "preference");
    check_node_term(k, val_get(item, "preference"));
    check_out(k, in);
}

static void check_pod_term(struct check *k, const val *term)
{
    check_selector(k, "labelSelector", val_get(term, "labelSelector"));
    check_selector(k, "namespaceSelector", val_get(term, "namespaceSelector"));
    VAL_FOR (val_get(term, "namespaces"), name) {
        check_name(k, "namespace", NAME_LABEL, val_str(name));
    }
    if (VAL_STR(term, "topologyKey").n == 0)
        check_required(k, "topologyKey", "can not be empty");
    check_name(k, "topologyKey", NAME_QUALIFIED, VAL_STR(term, "topologyKey"));
}

static void check_preferred_pod(struct check *k, const val *item)
{
    check_weight(k, item);
    size_t in = check_in(k, "podAffinityTerm");
    check_pod_term(k, val_get(item, "podAffinityTerm"));
    check_out(k, in);
}

void pod_affinity_validate(struct check *k, const val *affinity)
{
    static const char *const pods[] = {"podAffinity", "podAntiAffinity"};
    const val *node = val_get(affinity, "nodeAffinity");
    size_t in = check_in(k, "nodeAffinity");
    const val *required = val_get(node, REQUIRED);
    if (!val_is_null(required)) {
        size_t at = check_in(k, REQUIRED);
        if (val_len(val_get(required, "nodeSelectorTerms")) == 0)
            check_required(k, "nodeSelectorTerms", "must have at least one node selector term");
        check_each(k, "nodeSelectorTerms", val_get(required, "nodeSelectorTerms"), check_node_term);
        check_out(k, at);
    }
    check_each(k, PREFERRED, val_get(node, PREFERRED), check_preferred_node);
    check_out(k, in);
    for (size_t i = 0; i < ARRAY_LEN(pods); i++) {
        const val *side = val_get(affinity, pods[i]);
        in = check_in(k, pods[i]);
        check_each(k, REQUIRED, val_get(side, REQUIRED), check_pod_term);
        check_each(k, PREFERRED, val_get(side, PREFERRED), check_preferred_pod);
        check_out(k, in);
    }
}
