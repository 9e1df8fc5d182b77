/* dns_forward.h: questions to the name servers of the host, on a loop, with a cache.
 *
 * Everything on the loop's thread. */
#pragma once

#include "net/loop.h"
#include "node/dns_wire.h"

struct dns_forward;

/* Reads the "nameserver" lines of the file (at most 3, as resolvers do). `own_address` is left out:
 * a name server that asks itself never stops. */
int dns_forward_new(struct loop *l, const char *resolv_conf, const char *own_address,
                    struct dns_forward **ret, struct err *err);
void dns_forward_free(struct dns_forward *f); /* no callback follows */

/* Asks for name and type; done is called once, later or at once, with the whole message, or an
 * empty one when no server answered within 5 s or none is known. tcp: the asker can take more than
 * a datagram. */
void dns_forward_ask(struct dns_forward *f, const char *name, uint16_t type, bool tcp,
                     void (*done)(void *arg, struct str message), void *arg);
