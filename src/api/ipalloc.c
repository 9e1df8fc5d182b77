#include "api/ipalloc.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { TRIES = 64, PORT_MIN = 30000, PORT_MAX = 32767, SCAN_MAX = 65536 };

struct range {
    int family;
    unsigned char base[16]; /* host bits are zero */
    size_t bytes;           /* 4 or 16 */
    unsigned host_bits;
};

static bool parse_ip(struct str ip, int *ret_family, unsigned char ret[16])
{
    char z[INET6_ADDRSTRLEN];
    if (ip.n == 0 || ip.n >= sizeof(z) || memchr(ip.p, 0, ip.n))
        return false;
    memcpy(z, ip.p, ip.n);
    z[ip.n] = 0;
    *ret_family = memchr(z, ':', ip.n) ? AF_INET6 : AF_INET;
    return inet_pton(*ret_family, z, ret) == 1;
}

static bool parse_range(struct str cidr, struct range *ret)
{
    struct str ip, prefix;
    uint64_t bits;
    if (!str_cut(cidr, '/', &ip, &prefix) || !str_to_u64(prefix, &bits) ||
        !parse_ip(ip, &ret->family, ret->base))
        return false;
    ret->bytes = ret->family == AF_INET ? 4 : 16;
    if (bits > ret->bytes * 8)
        return false;
    ret->host_bits = (unsigned)(ret->bytes * 8 - bits);
    for (unsigned i = 0; i < ret->host_bits; i++)
        ret->base[ret->bytes - 1 - i / 8] &= (unsigned char)~(1u << (i % 8));
    return true;
}

/* How many addresses the range has, as far as anybody needs to know. */
static uint64_t range_size(const struct range *r)
{
    return r->host_bits >= 20 ? (uint64_t)1 << 20 : (uint64_t)1 << r->host_bits;
}

static void format_nth(const struct range *r, uint64_t n, char ret[48])
{
    unsigned char address[16];
    memcpy(address, r->base, sizeof(address));
    for (size_t i = r->bytes; i-- > 0 && n > 0; n >>= 8)
        address[i] |= (unsigned char)n;
    inet_ntop(r->family, address, ret, 48);
}

bool ipalloc_nth(struct str cidr, unsigned n, char ret[48])
{
    struct range r;
    if (!parse_range(cidr, &r) || n >= range_size(&r))
        return false;
    format_nth(&r, n, ret);
    return true;
}

bool ip_is_v6(struct str ip)
{
    int family;
    unsigned char address[16];
    return parse_ip(ip, &family, address) && family == AF_INET6;
}

bool ip_in_cidr(struct str ip, struct str cidr)
{
    struct range r;
    int family;
    unsigned char address[16];
    if (!parse_range(cidr, &r) || !parse_ip(ip, &family, address) || family != r.family)
        return false;
    for (unsigned i = 0; i < r.host_bits; i++)
        address[r.bytes - 1 - i / 8] &= (unsigned char)~(1u << (i % 8));
    return memcmp(address, r.base, r.bytes) == 0;
}

struct str ipalloc_cidr(const struct strategy_ctx *c)
{
    return c->config && c->config->service_cidr.n ? c->config->service_cidr
                                                  : STR(STRATEGY_SERVICE_CIDR);
}

/* --- allocation keys --- */
static struct str ip_key(struct strategy_ctx *c, struct str ip)
{
    return arena_printf(c->arena, "/alloc/ip/%.*s", STR_ARG(ip));
}

static struct str port_key(struct strategy_ctx *c, int64_t port)
{
    return arena_printf(c->arena, "/alloc/port/%05lld", (long long)port);
}

static struct str holder_of(struct strategy_ctx *c, struct str key)
{
    struct store_kv kv;
    return c->snap && store_get(c->snap, key, &kv) == 1 ? arena_dup(c->arena, kv.value)
                                                        : (struct str){0};
}

static struct str self(struct strategy_ctx *c)
{
    return arena_printf(c->arena, "%.*s/%.*s", STR_ARG(c->ns), STR_ARG(c->name));
}

/* This very write may already have taken it. */
static bool is_pending(const struct strategy_ctx *c, struct str key)
{
    for (size_t i = 0; i < c->extra_count; i++)
        if (c->extra_ops[i].type == STORE_PUT && str_eq(c->extra_ops[i].key, key))
            return true;
    return false;
}

static bool is_free(struct strategy_ctx *c, struct str key)
{
    return holder_of(c, key).n == 0 && !is_pending(c, key);
}

static void take(struct strategy_ctx *c, struct str key)
{
    if (is_free(c, key))
        strategy_add_op(c, STORE_PUT, key, bytes_new(self(c)), STORE_ABSENT);
}

static void release(struct strategy_ctx *c, struct str key)
{
    if (str_eq(holder_of(c, key), self(c)))
        strategy_add_op(c, STORE_DELETE, key, NULL, STORE_ANY);
}

static bool held_by_other(struct strategy_ctx *c, struct str key)
{
    struct str holder = holder_of(c, key);
    return holder.n > 0 && !str_eq(holder, self(c));
}

/* --- addresses --- */
int ipalloc_next(struct strategy_ctx *c, char ret[48], struct err *err)
{
    struct range r;
    struct str cidr = ipalloc_cidr(c);
    if (!parse_range(cidr, &r) || r.host_bits < 2)
        return err_internal(err, "the service range %.*s is not usable", STR_ARG(cidr));
    uint64_t usable = range_size(&r) - 3; /* 2 … size - 2 */
    uint64_t start;
    c->world->random(c->world, &start, sizeof(start));
    for (uint64_t i = 0; i < usable && i < SCAN_MAX; i++) {
        if (i < TRIES && i > 0)
            c->world->random(c->world, &start, sizeof(start));
        format_nth(&r, 2 + (start + i) % usable, ret);
        if (is_free(c, ip_key(c, str_of(ret))))
            return 0;
    }
    return err_internal(err, "failed to allocate a serviceIP: range is full");
}

const char *ipalloc_refusal(struct strategy_ctx *c, struct str ip)
{
    struct str cidr = ipalloc_cidr(c);
    if (!ip_in_cidr(ip, cidr))
        return arena_printf(c->arena,
                            "the provided IP (%.*s) is not in the valid range. The range of valid "
                            "IPs is %.*s",
                            STR_ARG(ip), STR_ARG(cidr))
            .p;
    return held_by_other(c, ip_key(c, ip)) ? "provided IP is already allocated" : NULL;
}

void ipalloc_take(struct strategy_ctx *c, struct str ip)
{
    take(c, ip_key(c, ip));
}

void ipalloc_release(struct strategy_ctx *c, struct str ip)
{
    release(c, ip_key(c, ip));
}

/* --- ports --- */
static void port_range(const struct strategy_ctx *c, int *ret_min, int *ret_max)
{
    bool set = c->config && c->config->node_port_min > 0;
    *ret_min = set ? c->config->node_port_min : PORT_MIN;
    *ret_max = set ? c->config->node_port_max : PORT_MAX;
}

int portalloc_next(struct strategy_ctx *c, int *ret, struct err *err)
{
    int min, max;
    port_range(c, &min, &max);
    unsigned count = (unsigned)(max - min + 1), start;
    c->world->random(c->world, &start, sizeof(start));
    start %= count;
    for (unsigned i = 0; i < count; i++) {
        *ret = min + (int)((start + i) % count);
        if (is_free(c, port_key(c, *ret)))
            return 0;
    }
    return err_internal(err, "failed to allocate a nodePort: range is full");
}

const char *portalloc_refusal(struct strategy_ctx *c, int64_t port)
{
    int min, max;
    port_range(c, &min, &max);
    if (port < min || port > max)
        return arena_printf(c->arena,
                            "provided port is not in the valid range. The range of valid ports is "
                            "%d-%d",
                            min, max)
            .p;
    return held_by_other(c, port_key(c, port)) ? "provided port is already allocated" : NULL;
}

void portalloc_take(struct strategy_ctx *c, int64_t port)
{
    take(c, port_key(c, port));
}

void portalloc_release(struct strategy_ctx *c, int64_t port)
{
    release(c, port_key(c, port));
}
