/* downward.h: what a pod may learn about itself: fieldRef and resourceFieldRef. */
#pragma once

#include "base/buf.h"
#include "doc/val.h"

/* What the API's picture of the pod does not have yet. */
struct downward {
    const val *pod;
    const char *host_ip;
    const char *pod_ips[2];
    size_t pod_ip_count;
    int64_t node_milli_cpu, node_memory; /* limits of containers that have none */
};

/* "metadata.labels['app']", "status.podIP", …; whole maps as key="value" lines. Appends. */
int downward_field(const struct downward *d, struct str path, struct buf *b, struct err *err);
/* resourceFieldRef {containerName, resource, divisor}; container: whose it is when no name is
 * given.
 */
int downward_resource(const struct downward *d, const val *container, const val *ref, struct buf *b,
                      struct err *err);
