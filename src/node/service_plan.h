/* service_plan.h: what one Service asks of the kernel, computed from its object and its endpoint
 * slices. Pure. */
#pragma once

#include "base/arena.h"
#include "doc/val.h"

struct plan_endpoint {
    uint8_t ip[4];
    uint16_t port; /* network order */
    bool local;
};

enum plan_map { PLAN_SERVICES, PLAN_NODE_PORTS, PLAN_REJECTS, PLAN_REJECT_PORTS };

struct plan_element { /* address . protocol . port, or protocol . port for the two port maps; each
                         part padded to four bytes */
    enum plan_map map;
    uint8_t key[12];
    bool external; /* leads to the chain for traffic from outside */
};

struct plan_port {
    uint8_t protocol; /* IPPROTO_* */
    struct plan_endpoint *endpoints,
        *external_endpoints; /* external: with externalTrafficPolicy Local, those of this node */
    size_t count, external_count;
    bool external_chain, external_local;
    struct plan_element *elements;
    size_t element_count;
};

struct plan {
    struct plan_port *ports;
    size_t port_count;
    int64_t affinity_ms; /* 0: none */
};

/* slices: the service's endpoint slices (IPv4 ones count). An ExternalName or headless service has
 * no ports. Memory from the arena. */
void plan_service(struct arena *a, const val *service, const val *const *slices, size_t slice_count,
                  const char *node_name, struct plan *ret);

bool plan_eq(const struct plan *a, const struct plan *b);
