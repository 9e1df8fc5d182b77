/* service_proxy.h: Services in the kernel: nftables maps that send a service address to one of its
 * endpoints.
 *
 * Upstream's counterpart is kube-proxy in nftables mode. One table `tag` (inet) belongs to this
 * proxy. A packet costs one lookup in a verdict map (address . protocol . port -> the chain of that
 * service port), whatever the number of Services; a change of one Service touches its own chain and
 * map elements only, in one netlink batch (libnftnl over libmnl). What stood in the table from an
 * earlier agent is replaced in one transaction, without a moment in between.
 *
 * Served: ClusterIP, externalIPs, NodePort, LoadBalancer addresses, session affinity (ClientIP with
 * timeout), internalTrafficPolicy and externalTrafficPolicy Local, endpoints that are terminating
 * but serving when no ready one is left, hairpin, masquerade of traffic that enters from outside,
 * rejection (ICMP, TCP reset) where a Service has no endpoint, host ports of pods, masquerade of
 * pods' traffic to the outside. UDP: conntrack entries of endpoints that went are deleted.
 *
 * Functions may be called on any thread; the work is done by one thread inside, which collects
 * changes for a few milliseconds. */
#pragma once

#include "client/cache.h"
#include "node/podnet.h"

struct service_proxy;

struct service_proxy_config {
    const char *tag; /* name of the table */
    const char *node_name, *node_ip;
    const char *pod_cidr;   /* of this node */
    struct cache *services; /* borrowed, synced */
    struct cache *slices;   /* borrowed, synced; its index 0 is the label kubernetes.io/service-name
                               as "ns/name" */
};

int service_proxy_start(const struct service_proxy_config *config, struct service_proxy **ret,
                        struct err *err);
void service_proxy_stop(struct service_proxy *p); /* rules stay */
void service_proxy_changed(struct service_proxy *p,
                           struct str ns_name); /* a Service or one of its slices changed */
/* Replaces the pod's host ports; count 0 removes them. */
void service_proxy_host_ports(struct service_proxy *p, const char *uid, const char *pod_ip,
                              const struct podnet_port *ports, size_t count);
int service_proxy_teardown(const char *tag, struct err *err);
