/* nft_internal.h: between nft.c (transactions, sets) and nft_rule.c (expressions). */
#pragma once

#include "node/nft.h"

struct nftnl_rule;

const char *nft_table_name(const struct nft *n);
void nft_put_rule(struct nft *n, struct nftnl_rule *rule);
