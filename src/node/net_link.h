/* net_link.h: interfaces, addresses and routes by rtnetlink.
 *
 * A socket speaks for the network namespace it was opened in. Blocking; one thread at a time.
 * Making what exists already is success. */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct net_link;

/* netns_path NULL: this thread's namespace. */
int net_link_open(const char *netns_path, struct net_link **ret, struct err *err);
void net_link_close(struct net_link *l);

/* The interface's number, 0 when there is none. */
unsigned net_link_index(struct net_link *l, const char *name);
int net_link_bridge(struct net_link *l, const char *name, struct err *err);
/* A pair: `name` here, `peer_name` in the namespace at netns_path. */
int net_link_veth(struct net_link *l, const char *name, const char *peer_name,
                  const char *netns_path, struct err *err);
int net_link_delete(struct net_link *l, const char *name, struct err *err); /* missing: success */
int net_link_up(struct net_link *l, const char *name, struct err *err);
int net_link_address(struct net_link *l, const char *name, const char *ip, unsigned prefix,
                     struct err *err);
/* destination NULL: the default route; via NULL: on-link. */
int net_link_route(struct net_link *l, const char *name, const char *destination, unsigned prefix,
                   const char *via, struct err *err);

/* Writes /proc/sys/net/NAME of the namespace (NULL: this thread's). */
int net_link_sysctl(const char *netns_path, const char *name, const char *value, struct err *err);
