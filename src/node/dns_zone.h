/* dns_zone.h: what the cluster's zone says about a name, read from the caches. Blocking on nothing;
 * any thread. */
#pragma once

#include "client/cache.h"
#include "node/dns_wire.h"

enum { DNS_ZONE_TTL = 30 };

struct dns_zone {
    const char *domain; /* "cluster.local" */
    struct cache *services, *slices;
};

enum dns_zone_result {
    DNS_ZONE_ANSWERED, /* the answer is complete but for its end (an empty or negative one has its
                          SOA) */
    DNS_ZONE_EXTERNAL, /* an ExternalName: ret_external is the name to look up next */
    DNS_ZONE_NOT_OURS, /* ask the name servers of the host */
};

enum dns_zone_result dns_zone_lookup(const struct dns_zone *z, const struct dns_query *q,
                                     struct dns_answer *a, char ret_external[DNS_NAME]);
