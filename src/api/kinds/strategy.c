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
    &secret_strategy,
    &namespace_strategy,
    &serviceaccount_strategy,
    &controllerrevision_strategy,
    &events_event_strategy,
};

const struct schema_column strategy_default_columns[] = {
    {"Name", "string", "name", "Name of the resource", 0},
    {"Created At", "date", "", "Creation timestamp of the resource", 0},
    {NULL},
};

static const struct strategy default_strategy = {.unconditional_update = true};

const struct strategy *strategy_of(const struct schema_kind *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(strategies); i++)
        if (strcmp(strategies[i]->resource, kind->resource) == 0 &&
            strcmp(strategies[i]->group, kind->group) == 0)
            return strategies[i];
    return &default_strategy;
}
