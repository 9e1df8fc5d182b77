/* presence.h: which API servers are there, and the endpoints of the Service `kubernetes`.
 *
 * Each server renews a Lease of its own in kube-system every ten seconds, named and labelled as
 * kube-apiserver's identity Lease, with its address in the annotation tutti.dev/address. All look
 * at all of them and put the addresses of those that were seen to renew within the last 15 seconds
 * (the times of kube-apiserver's lease endpoint reconciler) into the Endpoints and EndpointSlice
 * objects. A clean stop takes the own address out. Where the store is nobody else's there is one
 * address. */
#pragma once

#include "base/clock.h"
#include "client/client.h"

struct presence_config {
    const char *host;    /* the machine's name */
    const char *address; /* IPv4 or IPv6, where agents and pods reach this server … */
    int port;            /* … and its port */
    bool alone;          /* the store is nobody else's */
};

struct presence;

/* Borrows the client and the world until presence_stop; copies the config. */
int presence_start(struct client *c, struct world *w, const struct presence_config *config,
                   struct presence **ret, struct err *err);
void presence_stop(struct presence *p); /* NULL is fine */
