/* Who may do what, in constant rules: administrators everything, a node what its agent needs, any
 * authenticated user discovery and questions about itself, everybody health and version. The
 * names and scopes of the rules are those of upstream's default cluster roles and of its node
 * authorizer (plugin/pkg/auth/authorizer). */
#include "api/authz.h"

#include <stdio.h>

#define NODE_PREFIX "system:node:"
#define NODE_LEASES "kube-node-lease"

struct str authz_node_of(const struct api_user *user)
{
    if (user == NULL || !str_starts(user->name, STR(NODE_PREFIX)) ||
        !api_user_in(user, "system:nodes"))
        return (struct str){0};
    return str_from(user->name, sizeof(NODE_PREFIX) - 1);
}

static bool one_of(struct str s, const char *words)
{
    struct str rest = str_of(words), word;
    while (str_next(&rest, ' ', &word))
        if (str_eq(word, s))
            return true;
    return false;
}

/* --- requests for no resource --- */
static bool is_public_path(struct str path)
{
    return one_of(path, "/healthz /livez /readyz /version /version/");
}

static bool is_discovery_path(struct str path)
{
    return one_of(path, "/api /apis /openapi") || str_starts(path, STR("/api/")) ||
           str_starts(path, STR("/apis/")) || str_starts(path, STR("/openapi/"));
}

static bool path_allowed(const struct api_user *u, const struct authz_attributes *a)
{
    if (!one_of(a->verb, "get head"))
        return false;
    if (is_public_path(a->path))
        return true;
    if (!api_user_in(u, "system:authenticated"))
        return false;
    if (one_of(a->path, "/.well-known/openid-configuration /openid/v1/jwks"))
        return api_user_in(u, "system:serviceaccounts");
    return is_discovery_path(a->path);
}

/* --- nodes --- */
struct rule {
    const char *group, *resources, *verbs; /* words; a subresource as "pods/status" */
    bool own;                              /* only the object with the node's own name */
    bool named;                            /* only one object, by its name */
};

static const struct rule node_rules[] = {
    {"authentication.k8s.io", "tokenreviews", "create"},
    {"authorization.k8s.io", "subjectaccessreviews localsubjectaccessreviews", "create"},
    {"", "services", "get list watch"},
    {"", "endpoints", "get list watch"},
    {"discovery.k8s.io", "endpointslices", "get list watch"},
    {"", "namespaces", "get list watch"},
    {"", "nodes", "create"},
    {"", "nodes", "get list watch"},
    {"", "nodes nodes/status", "update patch", .own = true},
    {"", "events", "create update patch"},
    {"events.k8s.io", "events", "create update patch"},
    {"", "pods", "get list watch create delete"},
    {"", "pods/status", "update patch"},
    {"", "pods/eviction", "create"},
    {"", "secrets configmaps", "get list watch", .named = true},
    {"", "persistentvolumeclaims persistentvolumes", "get", .named = true},
    {"", "serviceaccounts", "get", .named = true},
    {"", "serviceaccounts/token", "create", .named = true},
    {"certificates.k8s.io", "certificatesigningrequests", "create get list watch"},
    {"storage.k8s.io", "volumeattachments", "get", .named = true},
    {"storage.k8s.io", "csidrivers", "get list watch"},
    {"storage.k8s.io", "csinodes", "create"},
    {"storage.k8s.io", "csinodes", "get update patch delete", .own = true},
    {"node.k8s.io", "runtimeclasses", "get list watch"},
    {"networking.k8s.io", "servicecidrs", "get list watch"},
};

static bool rule_fits(const struct rule *r, const struct authz_attributes *a, struct str resource)
{
    return str_is(a->group, r->group) && one_of(resource, r->resources) &&
           one_of(a->verb, r->verbs);
}

static bool deny(struct str *ret_reason, struct str why)
{
    *ret_reason = why;
    return false;
}

static bool lease_allowed(struct str node, const struct authz_attributes *a, struct str *ret_reason)
{
    if (!one_of(a->verb, "get create update patch delete"))
        return deny(ret_reason, STR("can only get, create, update, patch, or delete a node lease"));
    if (!str_is(a->ns, NODE_LEASES))
        return deny(ret_reason,
                    STR("can only access leases in the \"" NODE_LEASES "\" system namespace"));
    if (!str_is(a->verb, "create") && !str_eq(a->name, node))
        return deny(ret_reason,
                    STR("can only access node lease with the same name as the requesting node"));
    return true;
}

static bool node_allowed(const struct api_user *u, struct str node,
                         const struct authz_attributes *a, struct str *ret_reason)
{
    struct str resource = a->resource;
    if (str_is(a->group, "coordination.k8s.io") && str_is(a->resource, "leases"))
        return lease_allowed(node, a, ret_reason);
    if (a->subresource.n)
        resource =
            arena_printf(u->arena, "%.*s/%.*s", STR_ARG(a->resource), STR_ARG(a->subresource));
    for (size_t i = 0; i < ARRAY_LEN(node_rules); i++) {
        const struct rule *r = &node_rules[i];
        if (!rule_fits(r, a, resource))
            continue;
        if (r->own && !str_eq(a->name, node))
            return deny(ret_reason,
                        arena_printf(u->arena,
                                     "node \"%.*s\" is not allowed to modify node \"%.*s\"",
                                     STR_ARG(node), STR_ARG(a->name)));
        if (r->named && a->name.n == 0)
            return deny(ret_reason, STR("No Object name found"));
        return true;
    }
    return false;
}

/* --- everybody --- */
static bool asks_about_itself(const struct authz_attributes *a)
{
    if (!str_is(a->verb, "create"))
        return false;
    return (str_is(a->group, "authorization.k8s.io") &&
            one_of(a->resource, "selfsubjectaccessreviews selfsubjectrulesreviews")) ||
           (str_is(a->group, "authentication.k8s.io") && str_is(a->resource, "selfsubjectreviews"));
}

/* The control plane's own identities; only this cluster's authority can sign for them. */
static bool is_control_plane(const struct api_user *u)
{
    return one_of(u->name, "system:kube-controller-manager system:kube-scheduler system:apiserver");
}

int authz_check(const struct api_user *user, const struct authz_attributes *attributes,
                struct str *ret_reason)
{
    struct str reason = {0};
    bool allowed = api_user_in(user, "system:masters") || is_control_plane(user);
    if (!allowed && !attributes->resource_request)
        allowed = path_allowed(user, attributes);
    if (!allowed && attributes->resource_request && api_user_in(user, "system:authenticated")) {
        struct str node = authz_node_of(user);
        allowed = asks_about_itself(attributes) ||
                  (node.n && node_allowed(user, node, attributes, &reason));
    }
    if (ret_reason)
        *ret_reason = allowed ? (struct str){0} : reason;
    return allowed;
}
