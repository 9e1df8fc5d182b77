/* control.h: the controllers and the scheduler, the door of this room.
 *
 * control_start watches the cluster through the client and starts the workers; from then on
 * everything happens on the room's own threads until control_stop. What a controller may do is in
 * reconcile.h. */
#pragma once

#include "base/clock.h"
#include "client/client.h"

struct control_config {
    struct str ca_pem;    /* for the ConfigMap kube-root-ca.crt of each namespace; empty: none */
    const char *pod_cidr; /* "10.244.0.0/16": each node gets a /24 of it; NULL: none does */

    /* Zeros mean upstream's defaults. */
    int node_grace_ms;        /* without a heartbeat until a node is Unknown: 40 s
                                 (--node-monitor-grace-period) */
    int terminated_pods;      /* finished pods that are kept: 12,500
                                 (--terminated-pod-gc-threshold) */
    int64_t started;          /* set by control_start, wall clock in ns: nobody is late before the
                                 grace counts from here */
    int workers, connections; /* threads that reconcile: 4; writes under way at a time: 24 */
};

struct control;

/* Borrows c and w until control_stop; the strings of config too. */
int control_start(struct client *c, struct world *w, const struct control_config *config,
                  struct control **ret, struct err *err);
void control_stop(struct control *c); /* waits for what is under way; NULL is fine */
