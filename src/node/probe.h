/* probe.h: startup, liveness and readiness probes. Each is a thread with a small stack from the
 * start of its container to its end; it sets the container's started, ready and kill_unhealthy and
 * wakes the pod. */
#pragma once

#include "node/pod.h"

void probes_start(struct container *c); /* without probes: started and ready at once */
void probes_stop(struct container *c);  /* none of them writes to the container afterwards */

/* Does one probe or handler action (exec, httpGet, tcpSocket, grpc): 0 success, 1 failure, -1 could
 * not be tried. message receives what happened, in upstream's words. Used by hooks, too. */
int probe_action(struct container *c, const val *probe, int64_t timeout_ms, struct buf *message);
