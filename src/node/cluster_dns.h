/* cluster_dns.h: the name server of pods: CoreDNS with its kubernetes plugin, as far as pods ask
 * it.
 *
 * Answers A, AAAA, SRV and PTR for services (NAME.NS.svc.DOMAIN), named ports
 * (_http._tcp.NAME.NS.svc.DOMAIN), headless services' endpoints (all of them, and by host name),
 * pods (1-2-3-4.NS.pod.DOMAIN), external names (CNAME); NXDOMAIN and empty answers with the zone's
 * SOA as the specification says (github.com/kubernetes/dns, specification 1.1). Everything else
 * goes to the name servers of the host's /etc/resolv.conf, and the answer is kept for its time to
 * live (bounded cache). UDP with EDNS, truncation, and TCP. One thread with a loop; answers are
 * read from the caches, nothing is copied. */
#pragma once

#include "client/cache.h"

struct cluster_dns;

struct cluster_dns_config {
    const char *address; /* where to listen, port 53: the cluster DNS service's address, which the
                            caller has put on an interface */
    int port;            /* 0: 53 */
    const char *domain;  /* "cluster.local" */
    const char *resolv_conf; /* "/etc/resolv.conf" */
    struct cache *services;  /* borrowed */
    struct cache *slices;    /* borrowed; index 0: the label kubernetes.io/service-name */
};

int cluster_dns_start(const struct cluster_dns_config *config, struct cluster_dns **ret,
                      struct err *err);
void cluster_dns_stop(struct cluster_dns *d);
