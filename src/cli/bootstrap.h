/* bootstrap.h: the objects that every cluster has from its first start on, besides the system's
 * namespaces that api/ makes. */
#pragma once

#include "cli/ranges.h"
#include "client/client.h"

struct bootstrap_config {
    const struct ranges *ranges;
    const char *advertise_ip; /* where pods reach the API server */
    int advertise_port;
};

/* Makes what is missing: Service default/kubernetes with its Endpoints and EndpointSlice, Service
 * kube-system/kube-dns, ServiceCIDR kubernetes. */
int bootstrap(struct client *c, const struct bootstrap_config *config, struct err *err);
