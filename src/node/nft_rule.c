#include <arpa/inet.h>
#include <stdio.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

#include "base/mem.h"
#include "node/nft_internal.h"

enum {
    IP_SADDR_AT = 12,
    IP_DADDR_AT = 16,
    TH_DPORT_AT = 2,
    SCRATCH = 15,
    ICMPX_PORT_UNREACHABLE = NFT_REJECT_ICMPX_PORT_UNREACH
};

struct nft_rule {
    struct nftnl_rule *rule;
};

struct nft_rule *nft_rule_begin(struct nft *n, const char *chain)
{
    struct nft_rule *r = NEW(struct nft_rule);
    r->rule = nftnl_rule_alloc();
    nftnl_rule_set_str(r->rule, NFTNL_RULE_TABLE, nft_table_name(n));
    nftnl_rule_set_str(r->rule, NFTNL_RULE_CHAIN, chain);
    return r;
}

void nft_rule_end(struct nft *n, struct nft_rule *r)
{
    nft_put_rule(n, r->rule);
    nftnl_rule_free(r->rule);
    free(r);
}

static uint32_t reg32(unsigned reg)
{
    return NFT_REG32_00 + reg;
}

static struct nftnl_expr *add(struct nft_rule *r, const char *name)
{
    struct nftnl_expr *e = nftnl_expr_alloc(name);
    nftnl_rule_add_expr(r->rule, e);
    return e;
}

static void load_payload(struct nft_rule *r, uint32_t base, uint32_t offset, uint32_t n,
                         unsigned reg)
{
    struct nftnl_expr *e = add(r, "payload");
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, n);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, reg32(reg));
}

static void load_meta(struct nft_rule *r, uint32_t key, unsigned reg)
{
    struct nftnl_expr *e = add(r, "meta");
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, reg32(reg));
}

static void compare(struct nft_rule *r, unsigned reg, bool equal, const void *data, uint32_t n)
{
    struct nftnl_expr *e = add(r, "cmp");
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, reg32(reg));
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, equal ? NFT_CMP_EQ : NFT_CMP_NEQ);
    nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data, n);
}

static void bitwise(struct nft_rule *r, unsigned reg, const void *mask, const void *flip)
{
    struct nftnl_expr *e = add(r, "bitwise");
    nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, reg32(reg));
    nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, reg32(reg));
    nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, 4);
    nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, mask, 4);
    nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, flip, 4);
}

void nft_is_ipv4(struct nft_rule *r)
{
    load_meta(r, NFT_META_NFPROTO, SCRATCH);
    compare(r, SCRATCH, true, &(uint8_t){NFPROTO_IPV4}, 1);
}

void nft_load_saddr(struct nft_rule *r, unsigned reg)
{
    load_payload(r, NFT_PAYLOAD_NETWORK_HEADER, IP_SADDR_AT, 4, reg);
}

void nft_load_daddr(struct nft_rule *r, unsigned reg)
{
    load_payload(r, NFT_PAYLOAD_NETWORK_HEADER, IP_DADDR_AT, 4, reg);
}

void nft_load_l4proto(struct nft_rule *r, unsigned reg)
{
    load_meta(r, NFT_META_L4PROTO, reg);
}

void nft_load_dport(struct nft_rule *r, unsigned reg)
{
    load_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, TH_DPORT_AT, 2, reg);
}

void nft_load_random(struct nft_rule *r, unsigned reg, uint32_t modulus, uint32_t offset)
{
    struct nftnl_expr *e = add(r, "numgen");
    nftnl_expr_set_u32(e, NFTNL_EXPR_NG_DREG, reg32(reg));
    nftnl_expr_set_u32(e, NFTNL_EXPR_NG_MODULUS, modulus);
    nftnl_expr_set_u32(e, NFTNL_EXPR_NG_TYPE, NFT_NG_RANDOM);
    nftnl_expr_set_u32(e, NFTNL_EXPR_NG_OFFSET, offset);
}

void nft_load_fib_daddr_type(struct nft_rule *r, unsigned reg)
{
    struct nftnl_expr *e = add(r, "fib");
    nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR);
    nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
    nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, reg32(reg));
}

void nft_is_number(struct nft_rule *r, unsigned reg, uint32_t number, bool equal)
{
    compare(r, reg, equal, &number, sizeof(number));
}

void nft_is_l4proto(struct nft_rule *r, uint8_t proto)
{
    load_meta(r, NFT_META_L4PROTO, SCRATCH);
    compare(r, SCRATCH, true, &proto, 1);
}

void nft_in_network(struct nft_rule *r, unsigned reg, const uint8_t address[4], unsigned prefix,
                    bool inside)
{
    uint32_t mask = htonl(prefix ? ~0u << (32 - prefix) : 0), zero = 0, network;
    memcpy(&network, address, 4);
    network &= mask;
    bitwise(r, reg, &mask, &zero);
    compare(r, reg, inside, &network, 4);
}

static struct nftnl_expr *add_lookup(struct nft_rule *r, const struct nft_set *s, unsigned key_reg)
{
    struct nftnl_expr *e = add(r, "lookup");
    nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, reg32(key_reg));
    nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, s->name);
    return e;
}

void nft_lookup(struct nft_rule *r, const struct nft_set *s, unsigned key_reg, unsigned data_reg)
{
    nftnl_expr_set_u32(add_lookup(r, s, key_reg), NFTNL_EXPR_LOOKUP_DREG, reg32(data_reg));
}

void nft_lookup_verdict(struct nft_rule *r, const struct nft_set *s, unsigned key_reg)
{
    nftnl_expr_set_u32(add_lookup(r, s, key_reg), NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
}

void nft_is_in(struct nft_rule *r, const struct nft_set *s, unsigned key_reg)
{
    add_lookup(r, s, key_reg);
}

void nft_remember(struct nft_rule *r, const struct nft_set *s, unsigned key_reg, unsigned data_reg,
                  uint64_t timeout_ms)
{
    struct nftnl_expr *e = add(r, "dynset");
    nftnl_expr_set_str(e, NFTNL_EXPR_DYNSET_SET_NAME, s->name);
    nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
    nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, reg32(key_reg));
    nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_DATA, reg32(data_reg));
    nftnl_expr_set_u64(e, NFTNL_EXPR_DYNSET_TIMEOUT, timeout_ms);
}

void nft_set_mark_bit(struct nft_rule *r, uint32_t bit)
{
    uint32_t mask = ~bit;
    load_meta(r, NFT_META_MARK, SCRATCH);
    bitwise(r, SCRATCH, &mask, &bit);
    struct nftnl_expr *e = add(r, "meta");
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, NFT_META_MARK);
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_SREG, reg32(SCRATCH));
}

void nft_has_mark_bit(struct nft_rule *r, uint32_t bit)
{
    uint32_t zero = 0;
    load_meta(r, NFT_META_MARK, SCRATCH);
    bitwise(r, SCRATCH, &bit, &zero);
    compare(r, SCRATCH, false, &zero, sizeof(zero));
}

static void verdict(struct nft_rule *r, int code, const char *chain)
{
    struct nftnl_expr *e = add(r, "immediate");
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)code);
    if (chain)
        nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain);
}

void nft_jump(struct nft_rule *r, const char *chain)
{
    verdict(r, NFT_JUMP, chain);
}

void nft_goto(struct nft_rule *r, const char *chain)
{
    verdict(r, NFT_GOTO, chain);
}

void nft_drop(struct nft_rule *r)
{
    verdict(r, NF_DROP, NULL);
}

void nft_dnat(struct nft_rule *r, unsigned address_reg, unsigned port_reg)
{
    struct nftnl_expr *e = add(r, "nat");
    nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
    nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, NFPROTO_IPV4);
    nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, reg32(address_reg));
    nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, reg32(port_reg));
    nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
}

void nft_masquerade(struct nft_rule *r)
{
    add(r, "masq");
}

void nft_reject(struct nft_rule *r, bool tcp_reset)
{
    struct nftnl_expr *e = add(r, "reject");
    nftnl_expr_set_u32(e, NFTNL_EXPR_REJECT_TYPE,
                       tcp_reset ? NFT_REJECT_TCP_RST : NFT_REJECT_ICMPX_UNREACH);
    nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, tcp_reset ? 0 : ICMPX_PORT_UNREACHABLE);
}
