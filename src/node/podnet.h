/* podnet.h: the network of a node: addresses of pods, service addresses, cluster DNS.
 *
 * The agent calls podnet_start once, podnet_attach for each pod that does not use the host's
 * network, podnet_detach when it is gone. Everything may be called on any thread. State that must
 * outlive the agent (which pod has which address) is kept below DATA_DIR/net; interface, table and
 * bridge names derive from agent_tag. */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "client/client.h"

enum { PODNET_ADDR = 46, PODNET_MAX_ADDRS = 2 };

struct podnet;

struct podnet_config {
    const char *data_dir;
    const char *node_name;
    const char *node_ip;
    const char *tag;       /* agent_tag */
    struct client *client; /* borrowed; for caches of nodes, services, endpoint slices, pods */
};

struct podnet_addrs { /* primary family first */
    char ip[PODNET_MAX_ADDRS][PODNET_ADDR];
    size_t count;
};

struct podnet_port {      /* hostPort */
    const char *protocol; /* "TCP", "UDP", "SCTP" */
    const char *host_ip;  /* "" : any */
    uint16_t host_port, container_port;
};

/* Starts the pod network (its range is the node's spec.podCIDRs, awaited by a thread inside), the
 * service proxy and the cluster DNS. Does not block on the server. */
int podnet_start(const struct podnet_config *config, struct podnet **ret, struct err *err);
void podnet_stop(struct podnet *n); /* ends threads; leaves network and rules as they are */

/* Why pods cannot have addresses yet, in upstream's words for the node's Ready condition ("cni
 * plugin not initialized"), or NULL when they can. Static string. */
const char *podnet_not_ready(struct podnet *n);

/* Puts an interface eth0 with an address and a default route into the network namespace that
 * netns_path is a bind mount of; loopback is up already. Calling it again for the same uid gives
 * the same addresses and repairs what is missing. An error is retried by the caller. */
int podnet_attach(struct podnet *n, const char *uid, const char *netns_path,
                  const struct podnet_port *ports, size_t port_count, struct podnet_addrs *ret,
                  struct err *err);
/* Gives the addresses back. Unknown uids are fine; the namespace may be gone already. */
void podnet_detach(struct podnet *n, const char *uid);

/* The name server for pods with dnsPolicy ClusterFirst (the address of Service kube-system/kube-dns
 * as a rule); false while it is not known. */
bool podnet_dns(struct podnet *n, char ret[PODNET_ADDR]);

/* All Services as JSON objects for the environment of a container: calls visit for each service of
 * the namespace, and for default/kubernetes; false while services are not known yet. */
bool podnet_services(struct podnet *n, const char *ns, void (*visit)(void *arg, const val *service),
                     void *arg);

/* Removes what agents of this data directory left on the host: bridge, interfaces, rules, routes.
 */
int podnet_teardown(const char *data_dir, const char *tag, struct err *err);
