#include "node/service_rules.h"

#include <arpa/inet.h>
#include <stdio.h>

#include <linux/netfilter.h>
#include <linux/rtnetlink.h>

enum {
    MASQUERADE_MARK = 0x4000, /* as kube-proxy's */
    DSTNAT = -100,
    SRCNAT = 100,
    BEFORE_DSTNAT = -110,
    MAX_HAIRPIN_PREFIX = 20, /* a wider range than this would need too many pairs */
    CHAIN = 24,
};

enum {
    IP_PORT = NFT_T_IPV4 << 6 | NFT_T_PORT,
    PROTO_PORT = NFT_T_PROTO << 6 | NFT_T_PORT,
    IP_PROTO_PORT = (NFT_T_IPV4 << 6 | NFT_T_PROTO) << 6 | NFT_T_PORT
};

static const struct nft_set services = {
    .name = "services", .key_type = IP_PROTO_PORT, .key_n = 12, .verdicts = true};
static const struct nft_set node_ports = {
    .name = "node_ports", .key_type = PROTO_PORT, .key_n = 8, .verdicts = true};
static const struct nft_set rejects = {
    .name = "rejects", .key_type = IP_PROTO_PORT, .key_n = 12, .verdicts = true};
static const struct nft_set reject_ports = {
    .name = "reject_ports", .key_type = PROTO_PORT, .key_n = 8, .verdicts = true};
static const struct nft_set hairpin = {
    .name = "hairpin", .key_type = NFT_T_IPV4 << 6 | NFT_T_IPV4, .key_n = 8};
static const struct nft_set endpoints = {
    .name = "endpoints", .key_type = NFT_T_MARK, .key_n = 4, .data_type = IP_PORT, .data_n = 8};
const struct nft_set rules_host_ports = {
    .name = "host_ports", .key_type = PROTO_PORT, .key_n = 8, .data_type = IP_PORT, .data_n = 8};

static const struct nft_set *const maps[] = {[PLAN_SERVICES] = &services,
                                             [PLAN_NODE_PORTS] = &node_ports,
                                             [PLAN_REJECTS] = &rejects,
                                             [PLAN_REJECT_PORTS] = &reject_ports};

static void chain_name(char kind, uint32_t id, char ret[CHAIN])
{
    snprintf(ret, CHAIN, "%c%u", kind, id);
}

/* --- what stands in the table always --- */

static void add_sets(struct nft *n)
{
    for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++)
        nft_add_set(n, maps[i]);
    nft_add_set(n, &hairpin);
    nft_add_set(n, &endpoints);
    nft_add_set(n, &rules_host_ports);
}

/* A pod that reaches itself through a service must see another source than its own address.
 * Registers cannot be compared with each other, so the pairs of equal addresses are listed. */
static void fill_hairpin(struct nft *n, const struct service_rules *r)
{
    if (r->pod_prefix < MAX_HAIRPIN_PREFIX)
        return;
    uint32_t size = 1u << (32 - r->pod_prefix);
    uint32_t base = (uint32_t)r->pod_network[0] << 24 | (uint32_t)r->pod_network[1] << 16 |
                    (uint32_t)r->pod_network[2] << 8 | r->pod_network[3];
    nft_begin_elements(n, &hairpin, false);
    for (uint32_t i = 2; i + 1 < size; i++) {
        uint32_t ip = htonl(base + i), pair[2] = {ip, ip};
        nft_element(n, pair, NULL, NULL);
    }
    nft_end_elements(n);
}

static void jump_from(struct nft *n, const char *chain, const char *to)
{
    struct nft_rule *rule = nft_rule_begin(n, chain);
    nft_is_ipv4(rule);
    nft_jump(rule, to);
    nft_rule_end(n, rule);
}

/* Addressed to this machine, but not by loopback: a translated packet with a loopback source could
 * not leave. */
static void is_local(struct nft_rule *rule)
{
    nft_load_fib_daddr_type(rule, 8);
    nft_is_number(rule, 8, RTN_LOCAL, true);
    nft_load_daddr(rule, 8);
    nft_in_network(rule, 8, (const uint8_t[4]){127, 0, 0, 0}, 8, false);
}

/* The keys of the maps: address . protocol . port from register 0 on, or protocol . port. */
static void load_service_key(struct nft_rule *rule)
{
    nft_load_daddr(rule, 0);
    nft_load_l4proto(rule, 1);
    nft_load_dport(rule, 2);
}

static void load_port_key(struct nft_rule *rule)
{
    nft_load_l4proto(rule, 0);
    nft_load_dport(rule, 1);
}

static void add_services_chain(struct nft *n)
{
    struct nft_rule *rule = nft_rule_begin(n, "services");
    nft_is_ipv4(rule);
    load_service_key(rule);
    nft_lookup_verdict(rule, &services, 0);
    nft_rule_end(n, rule);

    rule = nft_rule_begin(n, "services");
    nft_is_ipv4(rule);
    is_local(rule);
    load_port_key(rule);
    nft_lookup_verdict(rule, &node_ports, 0);
    nft_rule_end(n, rule);

    rule = nft_rule_begin(n, "services");
    nft_is_ipv4(rule);
    is_local(rule);
    load_port_key(rule);
    nft_lookup(rule, &rules_host_ports, 0, 4);
    nft_dnat(rule, 4, 5);
    nft_rule_end(n, rule);
}

static void add_refusals(struct nft *n)
{
    struct nft_rule *rule = nft_rule_begin(n, "refused");
    nft_is_ipv4(rule);
    load_service_key(rule);
    nft_lookup_verdict(rule, &rejects, 0);
    nft_rule_end(n, rule);

    rule = nft_rule_begin(n, "refused_ports");
    nft_is_ipv4(rule);
    load_port_key(rule);
    nft_lookup_verdict(rule, &reject_ports, 0);
    nft_rule_end(n, rule);

    rule = nft_rule_begin(n, "refuse");
    nft_is_l4proto(rule, IPPROTO_TCP);
    nft_reject(rule, true);
    nft_rule_end(n, rule);
    rule = nft_rule_begin(n, "refuse");
    nft_reject(rule, false);
    nft_rule_end(n, rule);
}

static void add_postrouting(struct nft *n, const struct service_rules *r)
{
    struct nft_rule *rule = nft_rule_begin(n, "postrouting");
    nft_is_ipv4(rule);
    nft_has_mark_bit(rule, MASQUERADE_MARK);
    nft_masquerade(rule);
    nft_rule_end(n, rule);

    rule = nft_rule_begin(n, "postrouting");
    nft_is_ipv4(rule);
    nft_load_saddr(rule, 0);
    nft_load_daddr(rule, 1);
    nft_is_in(rule, &hairpin, 0);
    nft_masquerade(rule);
    nft_rule_end(n, rule);

    rule = nft_rule_begin(n, "postrouting");
    nft_is_ipv4(rule);
    nft_load_saddr(rule, 0);
    nft_in_network(rule, 0, r->pod_network, r->pod_prefix, true);
    nft_load_daddr(rule, 0);
    nft_in_network(rule, 0, r->pod_network, r->pod_prefix, false);
    nft_masquerade(rule);
    nft_rule_end(n, rule);
}

void rules_skeleton(struct nft *n, const struct service_rules *r)
{
    nft_add_table(n);
    add_sets(n);
    static const char *const chains[] = {"services", "refused", "refused_ports", "refuse"};
    for (size_t i = 0; i < sizeof(chains) / sizeof(*chains); i++)
        nft_add_chain(n, chains[i]);
    nft_add_base_chain(n, "prerouting", "nat", NF_INET_PRE_ROUTING, DSTNAT);
    nft_add_base_chain(n, "output", "nat", NF_INET_LOCAL_OUT, DSTNAT);
    nft_add_base_chain(n, "postrouting", "nat", NF_INET_POST_ROUTING, SRCNAT);
    nft_add_base_chain(n, "filter_forward", "filter", NF_INET_FORWARD, BEFORE_DSTNAT);
    nft_add_base_chain(n, "filter_output", "filter", NF_INET_LOCAL_OUT, BEFORE_DSTNAT);
    nft_add_base_chain(n, "filter_input", "filter", NF_INET_LOCAL_IN, BEFORE_DSTNAT);
    fill_hairpin(n, r);
    add_services_chain(n);
    add_refusals(n);
    add_postrouting(n, r);
    jump_from(n, "prerouting", "services");
    jump_from(n, "output", "services");
    jump_from(n, "filter_forward", "refused");
    jump_from(n, "filter_output", "refused");
    jump_from(n, "filter_input", "refused_ports");
}

/* --- what one Service adds --- */

struct nft_set rules_affinity(uint32_t id, char *name)
{
    snprintf(name, RULE_SET_NAME, "affinity-%u", id);
    return (struct nft_set){.name = name,
                            .key_type = NFT_T_IPV4,
                            .key_n = 4,
                            .data_type = IP_PORT,
                            .data_n = 8,
                            .dynamic = true};
}

/* Registers: 0 client, 1 slot, 4 address, 5 port. */
static void add_choice(struct nft *n, const char *chain, const struct rule_place *at,
                       uint32_t slots, size_t count, int64_t affinity_ms)
{
    char name[RULE_SET_NAME];
    const struct nft_set affinity = rules_affinity(at->id, name);
    struct nft_rule *rule;
    if (affinity_ms) {
        rule = nft_rule_begin(n, chain);
        nft_load_saddr(rule, 0);
        nft_lookup(rule, &affinity, 0, 4);
        nft_dnat(rule, 4, 5);
        nft_rule_end(n, rule);
    }
    rule = nft_rule_begin(n, chain);
    nft_load_random(rule, 1, (uint32_t)count, slots);
    nft_lookup(rule, &endpoints, 1, 4);
    if (affinity_ms) {
        nft_load_saddr(rule, 0);
        nft_remember(rule, &affinity, 0, 4, (uint64_t)affinity_ms);
    }
    nft_dnat(rule, 4, 5);
    nft_rule_end(n, rule);
}

static void add_external_chain(struct nft *n, const struct service_rules *r, const struct plan *p,
                               const struct plan_port *port, const struct rule_place *at)
{
    char chain[CHAIN], internal[CHAIN];
    chain_name('x', at->id, chain);
    chain_name('s', at->id, internal);
    struct nft_rule *rule = nft_rule_begin(n, chain);
    if (!port->external_local) {
        nft_set_mark_bit(rule, MASQUERADE_MARK);
        nft_goto(rule, internal);
        nft_rule_end(n, rule);
        return;
    }
    nft_load_saddr(rule, 0); /* pods of this node reach every endpoint, as inside the cluster */
    nft_in_network(rule, 0, r->pod_network, r->pod_prefix, true);
    nft_goto(rule, internal);
    nft_rule_end(n, rule);
    if (port->external_count) {
        add_choice(n, chain, at, at->external_slots, port->external_count, p->affinity_ms);
        return;
    }
    rule = nft_rule_begin(n, chain);
    nft_drop(rule);
    nft_rule_end(n, rule);
}

static void change_endpoints(struct nft *n, const struct plan_endpoint *list, size_t count,
                             uint32_t slots, bool delete)
{
    nft_begin_elements(n, &endpoints, delete);
    for (size_t i = 0; i < count; i++) {
        uint32_t key = slots + (uint32_t)i;
        uint8_t data[8] = {0};
        memcpy(data, list[i].ip, 4);
        memcpy(data + 4, &list[i].port, 2);
        nft_element(n, &key, delete ? NULL : data, NULL);
    }
    nft_end_elements(n);
}

static void change_elements(struct nft *n, const struct plan_port *port, uint32_t id, bool delete)
{
    for (size_t i = 0; i < port->element_count; i++) {
        const struct plan_element *e = &port->elements[i];
        char chain[CHAIN];
        bool refused = e->map == PLAN_REJECTS || e->map == PLAN_REJECT_PORTS;
        chain_name(e->external ? 'x' : 's', id, chain);
        nft_begin_elements(n, maps[e->map], delete);
        nft_element(n, e->key, NULL, delete ? NULL : refused ? "refuse" : chain);
        nft_end_elements(n);
    }
}

static void add_port(struct nft *n, const struct service_rules *r, const struct plan *p,
                     const struct plan_port *port, const struct rule_place *at)
{
    char chain[CHAIN], name[RULE_SET_NAME];
    if (p->affinity_ms) {
        const struct nft_set affinity = rules_affinity(at->id, name);
        nft_add_set(n, &affinity);
    }
    chain_name('s', at->id, chain);
    nft_add_chain(n, chain);
    change_endpoints(n, port->endpoints, port->count, at->slots, false);
    if (port->count)
        add_choice(n, chain, at, at->slots, port->count, p->affinity_ms);
    if (port->external_chain) {
        chain_name('x', at->id, chain);
        nft_add_chain(n, chain);
        change_endpoints(n, port->external_endpoints, port->external_count, at->external_slots,
                         false);
        add_external_chain(n, r, p, port, at);
    }
    change_elements(n, port, at->id, false);
}

void rules_add(struct nft *n, const struct service_rules *r, const struct plan *p,
               const struct rule_place *places)
{
    for (size_t i = 0; i < p->port_count; i++)
        add_port(n, r, p, &p->ports[i], &places[i]);
}

static void remove_port(struct nft *n, const struct plan_port *port, const struct rule_place *at)
{
    char internal[CHAIN], external[CHAIN];
    chain_name('s', at->id, internal);
    chain_name('x', at->id, external);
    change_elements(n, port, at->id, true);
    if (port->external_chain) {
        nft_flush_chain(n, external);
        nft_delete_chain(n, external);
        change_endpoints(n, port->external_endpoints, port->external_count, at->external_slots,
                         true);
    }
    nft_flush_chain(n, internal);
    nft_delete_chain(n, internal);
    change_endpoints(n, port->endpoints, port->count, at->slots, true);
}

void rules_remove(struct nft *n, const struct plan *p, const struct rule_place *places,
                  bool keep_affinity)
{
    for (size_t i = 0; i < p->port_count; i++) {
        remove_port(n, &p->ports[i], &places[i]);
        if (!p->affinity_ms || keep_affinity)
            continue;
        char name[RULE_SET_NAME];
        const struct nft_set affinity = rules_affinity(places[i].id, name);
        nft_delete_set(n, &affinity);
    }
}
