/* service_rules.h: the proxy's table in the words of nft.h: what stands in it always, and what one
 * Service adds. */
#pragma once

#include "node/nft.h"
#include "node/service_plan.h"

struct service_rules {
    const char *bridge;
    uint8_t pod_network[4];
    unsigned pod_prefix;
};

/* Ids name the chains of service ports and are the first half of the endpoints map's keys. */
enum { SERVICE_EXTERNAL_ID = 0x40000000 };

extern const struct nft_set rules_endpoints, rules_affinity, rules_host_ports;

/* The table without any Service. */
void rules_skeleton(struct nft *n, const struct service_rules *r);
/* One plan's chains, elements and endpoints; ids[i] is port i's. */
void rules_add(struct nft *n, const struct service_rules *r, const struct plan *p,
               const uint32_t *ids);
/* Takes it out again. */
void rules_remove(struct nft *n, const struct plan *p, const uint32_t *ids);
