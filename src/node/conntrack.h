/* conntrack.h: forgetting where UDP flows were sent.
 *
 * A UDP client that keeps its port stays with the endpoint its first packet got, even when that is
 * long gone. After a change of a service's UDP endpoints the entries that lead to none of the
 * present ones are deleted. Blocking. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct conntrack_flow { /* addresses and ports in network order */
    uint32_t to_ip;     /* whom the client addresses */
    uint16_t to_port;
    uint32_t answer_ip; /* who answers */
    uint16_t answer_port;
};

/* Asks stale for each IPv4 UDP flow and deletes those it says yes to. */
int conntrack_forget_udp(bool (*stale)(void *arg, const struct conntrack_flow *f), void *arg,
                         struct err *err);
