/* service_rules.h: the proxy's table in the words of nft.h: what stands in it always, and what one
 * Service adds. */
#pragma once

#include "node/nft.h"
#include "node/service_plan.h"

struct service_rules {
    uint8_t pod_network[4];
    unsigned pod_prefix;
};

/* Where a service port stands in the table: its number names its chains and its affinity map; its
 * endpoints have consecutive keys of the endpoints map, so that one random number picks one. */
struct rule_place {
    uint32_t id;
    uint32_t slots, external_slots; /* the first key of each kind of endpoints */
};

enum { RULE_SET_NAME = 24 };
extern const struct nft_set rules_host_ports;

/* The table without any Service. */
void rules_skeleton(struct nft *n, const struct service_rules *r);
/* One plan's chains, elements and endpoints; places[i] is port i's. */
void rules_add(struct nft *n, const struct service_rules *r, const struct plan *p,
               const struct rule_place *places);
/* Takes it out again; keep_affinity leaves the maps that remember clients to the plan that follows.
 */
void rules_remove(struct nft *n, const struct plan *p, const struct rule_place *places,
                  bool keep_affinity);
/* The map that remembers a port's clients; name has RULE_SET_NAME bytes and must outlive the
 * answer's use. */
struct nft_set rules_affinity(uint32_t id, char *name);
