/* ipalloc.h: who holds which service address and node port.
 *
 * An allocation is a key of its own in the store ("alloc/ip/10.96.0.10", value: the holder's
 * "namespace/name"), written in the same atomic write as the Service, with the precondition that it
 * was absent: two servers or two requests can never give out the same one. A request that loses
 * the race is run again and picks anew. */
#pragma once

#include "api/strategy.h"

enum { IPALLOC_TRIES = 64 };

/* Picks a free address of the service range (any but the network, the first, the broadcast one). */
int ipalloc_next(struct strategy_ctx *c, char ret[48], struct err *err);
/* Takes a certain one; -1 with the reason in err->message: "provided IP is not in the valid range.
 * The range of valid IPs is 10.96.0.0/16", "provided IP is already allocated". */
int ipalloc_take(struct strategy_ctx *c, struct str ip, struct err *err);
void ipalloc_release(struct strategy_ctx *c, struct str ip);

int portalloc_next(struct strategy_ctx *c, int *ret, struct err *err);
int portalloc_take(struct strategy_ctx *c, int port, struct err *err);
void portalloc_release(struct strategy_ctx *c, int port);

/* The n-th address of a range: 1 is the API server's own service. false: not a range, or smaller.
 */
bool ipalloc_nth(struct str cidr, unsigned n, char ret[48]);
/* Is the text an address (v4 or v6) in canonical form; does it lie in the range. */
bool ip_valid(struct str ip);
bool ip_in_cidr(struct str ip, struct str cidr);
