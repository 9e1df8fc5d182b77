/* net_ipam.h: which pod has which address of this node's range.
 *
 * A lease is a file DATA_DIR/net/ips/ADDRESS whose content is the pod's uid, so that leases outlive
 * the agent and no two pods can have one address. Addresses are given out in turn, so that a freed
 * one rests before it is used again. Any thread. */
#pragma once

#include "base/err.h"

struct net_ipam;

/* cidr: the node's range, IPv4; its first address is the bridge's. */
int net_ipam_new(const char *dir, const char *cidr, struct net_ipam **ret, struct err *err);
void net_ipam_free(struct net_ipam *p);
const char *net_ipam_gateway(const struct net_ipam *p);
unsigned net_ipam_prefix(const struct net_ipam *p);
/* The address of the uid, the one it has already when there is one; ret has 46 bytes. */
int net_ipam_take(struct net_ipam *p, const char *uid, char *ret, struct err *err);
void net_ipam_give_back(struct net_ipam *p, const char *uid);
