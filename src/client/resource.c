#include "client/client.h"

const struct resource RES_PODS = {"", "v1", "pods", true};
const struct resource RES_NODES = {"", "v1", "nodes", false};
const struct resource RES_NAMESPACES = {"", "v1", "namespaces", false};
const struct resource RES_SERVICES = {"", "v1", "services", true};
const struct resource RES_ENDPOINTS = {"", "v1", "endpoints", true};
const struct resource RES_ENDPOINTSLICES = {"discovery.k8s.io", "v1", "endpointslices", true};
const struct resource RES_CONFIGMAPS = {"", "v1", "configmaps", true};
const struct resource RES_SECRETS = {"", "v1", "secrets", true};
const struct resource RES_SERVICEACCOUNTS = {"", "v1", "serviceaccounts", true};
const struct resource RES_EVENTS = {"", "v1", "events", true};
const struct resource RES_LEASES = {"coordination.k8s.io", "v1", "leases", true};
const struct resource RES_DEPLOYMENTS = {"apps", "v1", "deployments", true};
const struct resource RES_REPLICASETS = {"apps", "v1", "replicasets", true};
const struct resource RES_CONTROLLERREVISIONS = {"apps", "v1", "controllerrevisions", true};

void resource_path(const struct resource *r, const char *ns, const char *name, const char *sub,
                   struct buf *b)
{
    if (*r->group)
        buf_printf(b, "/apis/%s/%s", r->group, r->version);
    else
        buf_printf(b, "/api/%s", r->version);
    if (r->namespaced && ns && *ns)
        buf_printf(b, "/namespaces/%s", ns);
    buf_printf(b, "/%s", r->name);
    if (name && *name)
        buf_printf(b, "/%s", name);
    if (sub && *sub)
        buf_printf(b, "/%s", sub);
}
