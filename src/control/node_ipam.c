/* A range of pod addresses for each node. Upstream: pkg/controller/nodeipam/ipam. One key for all
 * nodes, so that two never get the same range. */
#include <arpa/inet.h>

#include "control/control.h"
#include "control/meta.h"

enum { NODE_BITS = 24, MAX_RANGES = 1 << 16 };

struct range {
    uint32_t base;
    int bits;
};

static bool parse_range(struct str text, struct range *ret)
{
    struct str address, bits;
    int64_t n;
    char z[INET_ADDRSTRLEN];
    struct in_addr in;
    if (!str_cut(text, '/', &address, &bits) || !str_to_i64(bits, &n) || n < 0 || n > 32 ||
        address.n >= sizeof z)
        return false;
    memcpy(z, address.p, address.n);
    z[address.n] = '\0';
    if (inet_pton(AF_INET, z, &in) != 1)
        return false;
    *ret = (struct range){ntohl(in.s_addr), (int)n};
    return true;
}

static void give(struct view *v, struct actions *a, const struct item *node, uint32_t base)
{
    struct doc *d = v->doc;
    struct in_addr in = {htonl(base)};
    char ip[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &in, ip, sizeof ip);
    struct str cidr = arena_printf(v->arena, "%s/%d", ip, NODE_BITS);
    val *patch = val_new_obj(d), *spec = val_ensure_obj(d, patch, "spec");
    val_set_s(d, spec, "podCIDR", cidr);
    val_push(val_ensure_arr(d, spec, "podCIDRs"), val_new_str(d, cidr));
    act_patch(a, node, NULL, CLIENT_PATCH_STRATEGIC, patch);
}

static void reconcile(struct view *v, struct str key, struct actions *a)
{
    (void)key;
    struct range all, one;
    if (!v->config->pod_cidr || !parse_range(str_of(v->config->pod_cidr), &all) ||
        all.bits > NODE_BITS)
        return;
    size_t count = (size_t)1 << (NODE_BITS - all.bits);
    if (count > MAX_RANGES)
        count = MAX_RANGES;
    const struct item **nodes;
    size_t n = view_group(v, GROUP_ALL, KIND_NODES, (struct str){0}, &nodes);
    items_sort(nodes, n);
    bool *used = arena_zalloc(v->arena, count);
    for (size_t i = 0; i < n; i++) {
        if (!parse_range(nodes[i]->node->pod_cidr, &one) || one.base < all.base)
            continue;
        size_t at = (one.base - all.base) >> (32 - NODE_BITS);
        if (at < count)
            used[at] = true;
    }
    size_t next = 0;
    for (size_t i = 0; i < n; i++) {
        if (nodes[i]->node->pod_cidr.n || nodes[i]->deleted)
            continue;
        while (next < count && used[next])
            next++;
        if (next == count) {
            act_event(a, NULL, nodes[i], "Normal", "CIDRNotAvailable",
                      "Node %.*s status is now: CIDRNotAvailable", STR_ARG(nodes[i]->name));
            return;
        }
        give(v, a, nodes[i], all.base + ((uint32_t)next++ << (32 - NODE_BITS)));
    }
}

static void changed(struct marks *m, const struct change *c)
{
    if (c->kind == KIND_NODES && c->now && !c->now->node->pod_cidr.n)
        mark_key(m, STR("all"));
}

const struct controller controller_node_ipam = {
    .name = "node-ipam",
    .component = "cidrAllocator",
    .reconcile = reconcile,
    .changed = changed,
};
