/* ipalloc.h: who holds which service address and node port.
 *
 * An allocation is a key of its own in the store ("/alloc/ip/10.96.0.10", value: the holder's
 * "namespace/name"), written in the same atomic write as the Service, with the precondition that it
 * was absent: two servers or two requests can never give out the same one. A request that loses
 * the race is run again and picks anew. */
#pragma once

#include "api/strategy.h"

/* Picks a free address of the service range (neither its network, nor the first, which is the API
 * server's own, nor the last). */
int ipalloc_next(struct strategy_ctx *c, char ret[48], struct err *err);
/* The state of a certain one, NULL when it is this object's to have, else why not: "provided IP is
 * already allocated", "the provided IP (10.1.1.1) is not in the valid range. The range of valid IPs
 * is 10.96.0.0/16". */
const char *ipalloc_refusal(struct strategy_ctx *c, struct str ip);
void ipalloc_take(struct strategy_ctx *c, struct str ip);
void ipalloc_release(struct strategy_ctx *c, struct str ip);

/* The same for node ports. */
int portalloc_next(struct strategy_ctx *c, int *ret, struct err *err);
const char *portalloc_refusal(struct strategy_ctx *c, int64_t port);
void portalloc_take(struct strategy_ctx *c, int64_t port);
void portalloc_release(struct strategy_ctx *c, int64_t port);

/* The n-th address of a range: 1 is the API server's own service. false: not a range, or smaller.
 */
bool ipalloc_nth(struct str cidr, unsigned n, char ret[48]);
struct str ipalloc_cidr(const struct strategy_ctx *c); /* the service range */
bool ip_is_v6(struct str ip);
bool ip_in_cidr(struct str ip, struct str cidr);
