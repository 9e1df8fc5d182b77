/* authz.h: authorization's questions beside authz_check (user.h). */
#pragma once

#include "api/authn/user.h"

/* The node that a user is, or empty: system:node:NAME in group system:nodes. */
struct str authz_node_of(const struct api_user *user);

/* What upstream's node authorizer lets a node do: the verbs of its agent, on its own objects and on
 * those that its pods refer to. ret_reason is filled on a denial that has one. */
bool authz_node_allows(const struct api_user *user, struct str node,
                       const struct authz_attributes *a, struct str *ret_reason);
