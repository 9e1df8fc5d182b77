/* rbac_aggregate.h: ClusterRoles that gather the rules of others by their labels.
 *
 * Upstream's clusterrole-aggregation controller follows a moment later; here the gathered rules
 * change in the same atomic write as the role that they come from. */
#pragma once

#include "api/strategy.h"

/* The ClusterRole of c's write is about to be `now` (its own rules are replaced when it gathers),
 * or to go (NULL): adds the writes of all that gather from it. */
void rbac_aggregate(struct strategy_ctx *c, val *now);
