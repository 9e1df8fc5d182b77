/* The registry: which strategy serves which kind. */
#include "api/kinds/kinds.h"

static const struct strategy *const strategies[] = {
    &pod_strategy,
    &event_strategy,
    &endpointslice_strategy,
    &lease_strategy,
    &node_strategy,
    &service_strategy,
    &endpoints_strategy,
    &replicaset_strategy,
    &deployment_strategy,
    &configmap_strategy,
    &crd_strategy,
    &secret_strategy,
    &namespace_strategy,
    &serviceaccount_strategy,
    &controllerrevision_strategy,
    &events_event_strategy,
    &role_strategy,
    &clusterrole_strategy,
    &rolebinding_strategy,
    &clusterrolebinding_strategy,
    &resourcequota_strategy,
    &limitrange_strategy,
};

const struct schema_column strategy_default_columns[] = {
    {"Name", "string", "name", "Name of the resource", 0},
    {"Created At", "date", "", "Creation timestamp of the resource", 0},
    {NULL},
};

static const struct strategy default_strategy = {.validate = kind_validate_name,
                                                 .unconditional_update = true};

static bool serves(const struct strategy *s, const struct schema_kind *kind)
{
    return strcmp(s->resource, kind->resource) == 0 && strcmp(s->group, kind->group) == 0;
}

static const struct strategy *find(const struct strategy *table, const struct schema_kind *kind)
{
    for (const struct strategy *s = table; s->resource; s++)
        if (serves(s, kind))
            return s;
    return NULL;
}

const struct strategy *strategy_of(const struct schema_kind *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(strategies); i++)
        if (serves(strategies[i], kind))
            return strategies[i];
    const struct strategy *s = find(review_strategies, kind);
    if (s == NULL)
        s = find(other_strategies, kind);
    return s ? s : &default_strategy;
}
