/* The node authorizer (upstream's plugin/pkg/auth/authorizer/node). Beyond upstream's a node may
 * list nodes, namespaces and what Services stand for: its agent is also the service proxy, the
 * network and the cluster's DNS. */
#include "api/authz/authz.h"
#include "api/core.h"
#include "api/authz/node_graph.h"

#define NODE_PREFIX "system:node:"
#define NODE_LEASES "kube-node-lease"

struct str authz_node_of(const struct api_user *user)
{
    if (user == NULL || !str_starts(user->name, STR(NODE_PREFIX)) ||
        !api_user_in(user, "system:nodes"))
        return (struct str){0};
    return str_from(user->name, sizeof(NODE_PREFIX) - 1);
}

struct asked {
    const struct api_user *user;
    const struct authz_attributes *a;
    struct str node, *ret_reason;
};

static bool deny(const struct asked *q, struct str why)
{
    *q->ret_reason = why;
    return false;
}

static bool verb_is(const struct asked *q, const char *words)
{
    return str_is_one_of(q->a->verb, words);
}

/* --- what a pod of the node refers to --- */
static bool related(const struct asked *q, bool found)
{
    if (!q->a->name.n)
        return deny(q, STR("No Object name found"));
    if (!found)
        return deny(q, arena_printf(q->user->arena,
                                    "no relationship found between node '%.*s' and this object",
                                    STR_ARG(q->node)));
    return true;
}

static bool refers(const struct asked *q, enum node_ref kind)
{
    return q->a->name.n &&
           node_graph_has(q->a->api->node_graph, q->node, kind, q->a->ns, q->a->name);
}

static bool read_allowed(const struct asked *q, enum node_ref kind)
{
    if (!verb_is(q, "get list watch"))
        return deny(q, STR("can only read resources of this type"));
    if (q->a->subresource.n)
        return deny(q, STR("cannot read subresource"));
    if (!q->a->ns.n)
        return deny(q, STR("can only read namespaced object of this type"));
    return related(q, refers(q, kind));
}

static bool get_only(const struct asked *q)
{
    if (!verb_is(q, "get"))
        return deny(q, STR("can only get individual resources of this type"));
    if (q->a->subresource.n)
        return deny(q, STR("cannot get subresource"));
    return true;
}

static bool get_allowed(const struct asked *q, enum node_ref kind)
{
    return get_only(q) && related(q, refers(q, kind));
}

/* --- what says itself whose it is --- */
typedef bool belongs_fn(const struct asked *q, const val *obj);

static bool belongs(const struct asked *q, const char *group, const char *resource, belongs_fn *fn)
{
    struct strategy_ctx c;
    struct doc d;
    struct err ignored;
    bool found = false;
    doc_init(&d);
    if (q->a->name.n && strategy_ctx_open(&c, q->a->api, &d, q->user->arena, &ignored) == 0) {
        const val *obj = strategy_lookup(&c, group, resource, q->a->ns, q->a->name);
        found = obj && fn(q, obj);
        strategy_ctx_close(&c);
    }
    doc_done(&d);
    return found;
}

static bool volume_is_claimed(const struct asked *q, const val *pv)
{
    const val *claim = VAL_PATH(pv, "spec", "claimRef");
    return node_graph_has(q->a->api->node_graph, q->node, NODE_REF_CLAIM,
                          VAL_STR(claim, "namespace"), VAL_STR(claim, "name"));
}

static bool names_node(const struct asked *q, const val *obj)
{
    return str_eq(VAL_STR(obj, "spec", "nodeName"), q->node);
}

/* --- by resource --- */
static bool claim_allowed(const struct asked *q)
{
    if (!str_is(q->a->subresource, "status"))
        return get_allowed(q, NODE_REF_CLAIM);
    if (!verb_is(q, "update patch"))
        return deny(q, STR("can only get/update/patch this type"));
    return related(q, refers(q, NODE_REF_CLAIM));
}

static bool account_allowed(const struct asked *q)
{
    if (verb_is(q, "get") && !q->a->subresource.n)
        return read_allowed(q, NODE_REF_ACCOUNT);
    if (!verb_is(q, "create") || !q->a->name.n)
        return deny(q, STR("can only create tokens for individual service accounts"));
    if (!str_is(q->a->subresource, "token"))
        return deny(q, STR("can only create token subresource of serviceaccount"));
    return related(q, refers(q, NODE_REF_ACCOUNT));
}

static bool lease_allowed(const struct asked *q)
{
    if (!verb_is(q, "get create update patch delete"))
        return deny(q, STR("can only get, create, update, patch, or delete a node lease"));
    if (!str_is(q->a->ns, NODE_LEASES))
        return deny(q, STR("can only access leases in the \"" NODE_LEASES "\" system namespace"));
    if (!verb_is(q, "create") && !str_eq(q->a->name, q->node))
        return deny(q, STR("can only access node lease with the same name as the requesting node"));
    return true;
}

static bool csinode_allowed(const struct asked *q)
{
    if (!verb_is(q, "get create update patch delete"))
        return deny(q, STR("can only get, create, update, patch, or delete a CSINode"));
    if (q->a->subresource.n)
        return deny(q, STR("cannot authorize CSINode subresources"));
    if (!verb_is(q, "create") && !str_eq(q->a->name, q->node))
        return deny(q, STR("can only access CSINode with the same name as the requesting node"));
    return true;
}

/* Which of the nodes it writes is admission's question (node restriction). */
static bool node_allowed(const struct asked *q)
{
    if (!q->a->subresource.n)
        return verb_is(q, "create update patch get list watch");
    return str_is(q->a->subresource, "status") && verb_is(q, "update patch");
}

static bool selects_node(const struct asked *q, const char *field)
{
    const struct selector *fields = q->a->fields;
    for (size_t i = 0; fields && i < fields->count; i++) {
        const struct requirement *r = &fields->requirements[i];
        if (r->op == SELECT_EQUALS && str_is(r->key, field) && str_eq(r->values[0], q->node))
            return true;
    }
    return false;
}

static bool pod_allowed(const struct asked *q)
{
    struct str sub = q->a->subresource;
    if (str_is(sub, "status"))
        return verb_is(q, "update patch");
    if (str_is(sub, "eviction"))
        return verb_is(q, "create");
    if (sub.n)
        return false;
    if (verb_is(q, "create delete"))
        return true;
    if (verb_is(q, "list watch") && selects_node(q, "spec.nodeName"))
        return true;
    if (verb_is(q, "list watch") && !q->a->name.n)
        return deny(q, STR("can only list/watch pods with spec.nodeName field selector"));
    return verb_is(q, "get list watch") && related(q, belongs(q, "", "pods", names_node));
}

/* --- what is not subdivided --- */
struct rule {
    const char *group, *resources, *verbs; /* words; a subresource as "pods/status" */
};

static const struct rule rules[] = {
    {"authentication.k8s.io", "tokenreviews", "create"},
    {"authorization.k8s.io", "subjectaccessreviews localsubjectaccessreviews", "create"},
    {"", "services endpoints namespaces", "get list watch"},
    {"discovery.k8s.io", "endpointslices", "get list watch"},
    {"networking.k8s.io", "servicecidrs", "get list watch"},
    {"", "events", "create update patch"},
    {"events.k8s.io", "events", "create update patch"},
    {"certificates.k8s.io", "certificatesigningrequests", "create get list watch"},
    {"storage.k8s.io", "csidrivers", "get list watch"},
    {"node.k8s.io", "runtimeclasses", "get list watch"},
};

static bool rule_allows(const struct asked *q)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (!q->a->subresource.n && str_is(q->a->group, rules[i].group) &&
            str_is_one_of(q->a->resource, rules[i].resources) && verb_is(q, rules[i].verbs))
            return true;
    return false;
}

static bool resource_is(const struct asked *q, const char *group, const char *resource)
{
    return str_is(q->a->group, group) && str_is(q->a->resource, resource);
}

bool authz_node_allows(const struct api_user *user, struct str node,
                       const struct authz_attributes *a, struct str *ret_reason)
{
    struct asked ask = {user, a, node, ret_reason}, *q = &ask;
    if (!a->resource_request)
        return false;
    if (resource_is(q, "", "secrets"))
        return read_allowed(q, NODE_REF_SECRET);
    if (resource_is(q, "", "configmaps"))
        return read_allowed(q, NODE_REF_CONFIGMAP);
    if (resource_is(q, "", "persistentvolumeclaims"))
        return claim_allowed(q);
    if (resource_is(q, "", "persistentvolumes"))
        return get_only(q) && related(q, belongs(q, "", "persistentvolumes", volume_is_claimed));
    if (resource_is(q, "resource.k8s.io", "resourceclaims"))
        return get_allowed(q, NODE_REF_RESOURCE_CLAIM);
    if (resource_is(q, "storage.k8s.io", "volumeattachments"))
        return get_only(q) &&
               related(q, belongs(q, "storage.k8s.io", "volumeattachments", names_node));
    if (resource_is(q, "", "serviceaccounts"))
        return account_allowed(q);
    if (resource_is(q, "coordination.k8s.io", "leases"))
        return lease_allowed(q);
    if (resource_is(q, "storage.k8s.io", "csinodes"))
        return csinode_allowed(q);
    if (resource_is(q, "", "nodes"))
        return node_allowed(q);
    if (resource_is(q, "", "pods"))
        return pod_allowed(q);
    return rule_allows(q);
}
