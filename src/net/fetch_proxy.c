/* fetch_proxy.c: which proxy the environment names for an address. */
#include <arpa/inet.h>
#include <stdlib.h>

#include "net/fetch.h"
#include "net/url.h"

static const char *from_env(const char *upper, const char *lower)
{
    const char *value = getenv(upper);
    if (!value || !*value)
        value = getenv(lower);
    return value ? value : "";
}

static bool numeric(struct arena *a, struct str host, int *ret_family, unsigned char ret[16])
{
    const char *z = arena_z(a, host);
    *ret_family = AF_INET;
    if (inet_pton(AF_INET, z, ret) == 1)
        return true;
    *ret_family = AF_INET6;
    return inet_pton(AF_INET6, z, ret) == 1;
}

static bool is_loopback(struct arena *a, struct str host)
{
    static const unsigned char v6[16] = {[15] = 1};
    unsigned char address[16];
    int family;
    if (str_eq_nocase(host, STR("localhost")))
        return true;
    if (!numeric(a, host, &family, address))
        return false;
    return family == AF_INET ? address[0] == 127 : memcmp(address, v6, 16) == 0;
}

/* "10.0.0.0/8" */
static bool in_block(struct arena *a, struct str block, struct str host)
{
    struct str prefix, bits_text;
    unsigned char net[16], address[16];
    int net_family, family;
    uint64_t bits;
    if (!str_cut(block, '/', &prefix, &bits_text) || !str_to_u64(bits_text, &bits) ||
        !numeric(a, prefix, &net_family, net) || !numeric(a, host, &family, address) ||
        family != net_family || bits > (family == AF_INET ? 32 : 128))
        return false;
    for (uint64_t i = 0; i < bits; i++)
        if ((net[i / 8] ^ address[i / 8]) >> (7 - i % 8) & 1)
            return false;
    return true;
}

static bool ends_nocase(struct str s, struct str tail)
{
    return s.n >= tail.n && str_eq_nocase(str_from(s, s.n - tail.n), tail);
}

/* A word of NO_PROXY: "*", an address or block, a domain with all below it, ".domain" without the
 * domain itself, each perhaps with a port. */
static bool word_matches(struct arena *a, struct str word, const struct url *u)
{
    struct str name = word, port;
    uint64_t number;
    if (str_is(word, "*") || in_block(a, word, u->host))
        return true;
    unsigned char address[16];
    int family;
    if (!numeric(a, word, &family, address) && str_cut(word, ':', &name, &port) &&
        (!str_to_u64(port, &number) || number != (uint64_t)url_port(u)))
        return false;
    if (str_starts(name, STR("*.")))
        name = str_from(name, 1);
    if (!name.n)
        return false;
    if (name.p[0] == '.')
        return ends_nocase(u->host, name);
    if (str_eq_nocase(u->host, name))
        return true;
    return u->host.n > name.n && u->host.p[u->host.n - name.n - 1] == '.' &&
           ends_nocase(u->host, name);
}

struct str fetch_proxy(struct arena *a, struct str text)
{
    struct url u;
    if (!url_split(text, &u))
        return (struct str){0};
    bool secure = str_is(u.scheme, "https");
    struct str proxy = str_trim(str_of(secure ? from_env("HTTPS_PROXY", "https_proxy")
                                              : from_env("HTTP_PROXY", "http_proxy")));
    /* A CGI program gets HTTP_PROXY from its client. */
    if (!proxy.n || is_loopback(a, u.host) || (!secure && getenv("REQUEST_METHOD")))
        return (struct str){0};
    struct str rest = str_of(from_env("NO_PROXY", "no_proxy")), word;
    while (str_next(&rest, ',', &word))
        if (str_trim(word).n && word_matches(a, str_trim(word), &u))
            return (struct str){0};
    if (str_find(proxy, STR("://")) < 0)
        return arena_printf(a, "http://%.*s", STR_ARG(proxy));
    return arena_dup(a, proxy);
}
