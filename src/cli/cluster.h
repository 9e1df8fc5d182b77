/* cluster.h: what the servers on one etcd cluster must have in common.
 *
 * The address ranges, the authority that signs certificates and the key that signs service-account
 * tokens belong to the cluster, not to a server. The keys themselves never leave DIR/pki; whoever
 * adds a server copies DIR/pki/{ca.crt,ca.key,sa.key,sa.pub}. The store keeps the public halves and
 * the ranges under a key of its own, by which a server notices at its start that it is a stranger.
 * A store of one's own needs none of this. */
#pragma once

#include "base/err.h"
#include "cli/ranges.h"
#include "store/store.h"

/* The cluster's ranges, or empty strings: none are agreed on. For ranges_ensure as wishes. */
int cluster_ranges(struct store *s, struct ranges *ret, struct err *err);

/* Notes what this server has, or compares it with what the first server noted. */
int cluster_agree(struct store *s, const char *data_dir, const struct ranges *ranges,
                  struct str ca_cert, struct err *err);
