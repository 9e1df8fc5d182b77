/* Who may do what: upstream's authorizers in their usual order, system:masters, Node, RBAC. */
#include "api/authz/authz.h"

#include "api/core.h"
#include "api/authz/node_graph.h"
#include "api/authz/rbac.h"

int authz_check(const struct api_user *user, const struct authz_attributes *attributes,
                struct str *ret_reason)
{
    struct api *api = attributes->api;
    struct str reason = {0}, why = {0};
    bool allowed = api_user_in(user, "system:masters");
    if (api->node_graph)
        node_graph_tend(api->node_graph);
    if (!allowed && api->rbac) {
        struct str node = authz_node_of(user);
        allowed = (node.n && authz_node_allows(user, node, attributes, &reason)) ||
                  rbac_allows(api->rbac, user, attributes, attributes->explain ? &why : NULL);
    }
    if (ret_reason)
        *ret_reason = allowed ? why : reason;
    return allowed;
}
