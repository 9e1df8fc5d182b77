/* bootstrap.h: the objects that every cluster has from its first start on, besides the system's
 * namespaces that api/ makes. */
#pragma once

#include "cli/ranges.h"
#include "client/client.h"

struct bootstrap_config {
    const struct ranges *ranges;
    int port; /* of the API server */
};

/* Makes what is missing: Service default/kubernetes (its endpoints are presence.h's), Service
 * kube-system/kube-dns, ServiceCIDR kubernetes. */
int bootstrap(struct client *c, const struct bootstrap_config *config, struct err *err);
