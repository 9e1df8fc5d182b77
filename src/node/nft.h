/* nft.h: nftables transactions: objects and rules are put into one batch, which the kernel carries
 * out whole or not at all.
 *
 * The functions are the few words of the nft language that the service proxy speaks, in one table
 * of family inet. Registers are the sixteen 32-bit ones (0 … 15); a concatenated key or datum lies
 * in registers that follow each other. One thread at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct nft;
struct nft_rule;

int nft_open(const char *table, struct nft **ret, struct err *err);
void nft_close(struct nft *n);

/* --- a transaction: begin, any number of changes, commit --- */
void nft_begin(struct nft *n);
int nft_commit(struct nft *n, struct err *err);

void nft_add_table(struct nft *n);
void nft_delete_table(struct nft *n);
void nft_add_chain(struct nft *n, const char *chain);
/* type "nat" or "filter"; hook NF_INET_*. */
void nft_add_base_chain(struct nft *n, const char *chain, const char *type, unsigned hook,
                        int priority);
void nft_flush_chain(struct nft *n, const char *chain);
void nft_delete_chain(
    struct nft *n, const char *chain); /* must be flushed and unreferenced within the transaction */

/* Types of keys and data, as `nft list` prints them; joined by nft_concat. */
enum { NFT_T_IPV4 = 7, NFT_T_PROTO = 12, NFT_T_PORT = 13, NFT_T_MARK = 19 };
static inline uint32_t nft_concat(uint32_t types, uint32_t next)
{
    return types << 6 | next;
}
struct nft_set {
    const char *name;
    uint32_t key_type, key_n;   /* bytes; each part padded to four */
    uint32_t data_type, data_n; /* 0, 0: a set; otherwise a map */
    bool verdicts;              /* a map to chains */
    bool dynamic;               /* filled by rules, elements time out */
};
void nft_add_set(struct nft *n, const struct nft_set *s);
void nft_delete_set(struct nft *n, const struct nft_set *s);
/* Elements are collected and written in messages of bounded size; one set at a time:
 * nft_end_elements closes. */
void nft_begin_elements(struct nft *n, const struct nft_set *s, bool delete);
void nft_element(struct nft *n, const void *key, const void *data,
                 const char *chain); /* data or chain or neither */
void nft_end_elements(struct nft *n);

/* Calls visit for each element of a map, as it is now (outside a transaction). */
int nft_dump(struct nft *n, const struct nft_set *s,
             void (*visit)(void *arg, const void *key, const void *data), void *arg,
             struct err *err);

/* --- rules: expressions in order; the rule is added to the transaction by nft_rule_end --- */
struct nft_rule *nft_rule_begin(struct nft *n, const char *chain);
void nft_rule_end(struct nft *n, struct nft_rule *r);

void nft_is_ipv4(struct nft_rule *r);
void nft_load_saddr(struct nft_rule *r, unsigned reg);
void nft_load_daddr(struct nft_rule *r, unsigned reg);
void nft_load_l4proto(struct nft_rule *r, unsigned reg);
void nft_load_dport(struct nft_rule *r, unsigned reg);
void nft_load_random(struct nft_rule *r, unsigned reg, uint32_t modulus,
                     uint32_t offset); /* offset … offset+modulus-1 */
void nft_load_fib_daddr_type(struct nft_rule *r, unsigned reg);
void nft_is_number(struct nft_rule *r, unsigned reg, uint32_t number, bool equal);
void nft_is_l4proto(struct nft_rule *r, uint8_t proto);
void nft_in_network(struct nft_rule *r, unsigned reg, const uint8_t address[4], unsigned prefix,
                    bool inside);
void nft_lookup(struct nft_rule *r, const struct nft_set *s, unsigned key_reg,
                unsigned data_reg); /* no match ends the rule */
void nft_lookup_verdict(struct nft_rule *r, const struct nft_set *s, unsigned key_reg);
void nft_is_in(struct nft_rule *r, const struct nft_set *s, unsigned key_reg);
void nft_remember(struct nft_rule *r, const struct nft_set *s, unsigned key_reg, unsigned data_reg,
                  uint64_t timeout_ms);
void nft_set_mark_bit(struct nft_rule *r, uint32_t bit);
void nft_has_mark_bit(struct nft_rule *r, uint32_t bit);
void nft_jump(struct nft_rule *r, const char *chain);
void nft_goto(struct nft_rule *r, const char *chain);
void nft_drop(struct nft_rule *r);
void nft_dnat(struct nft_rule *r, unsigned address_reg, unsigned port_reg);
void nft_masquerade(struct nft_rule *r);
void nft_reject(struct nft_rule *r, bool tcp_reset);
