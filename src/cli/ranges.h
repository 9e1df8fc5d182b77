/* ranges.h: which addresses this cluster gives to its pods and services.
 *
 * Chosen on first start and kept in DIR/cluster.json. Without a wish it is the first pair
 * of 10.(96+i).0.0/16 for services and 10.(244+i).0.0/16 for pods, 0 <= i < 12, that no route of
 * the machine covers and no other tutti of the machine has (each leaves its data directory's path
 * in /run/tutti/ranges/i while it has it), so that several run side by side. */
#pragma once

#include "base/err.h"

struct ranges {
    char service_cidr[64]; /* "10.96.0.0/16" */
    char pod_cidr[64];     /* "10.244.0.0/16" */
    char service_ip[48];   /* the API server's: the first of the service range */
    char dns_ip[48];       /* cluster DNS: the tenth */
    char gateway_ip[48];   /* the first of the pod range: the first node's side of its bridge */
};

/* Empty wishes mean "choose". A wish that differs from what the directory has is an error: running
 * pods would lose their addresses. */
int ranges_ensure(const char *data_dir, const char *service_wish, const char *pod_wish,
                  struct ranges *ret, struct err *err);

/* Lets go of the pair; for tutti reset. */
void ranges_release(const char *data_dir);
