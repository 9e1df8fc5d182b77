/* Endpoints and EndpointSlices. */
#include "api/kinds/kinds.h"

#include <arpa/inet.h>

enum { SHOWN_MAX = 3, ADDRESSES_MAX = 100, ENDPOINTS_MAX = 1000, PORTS_MAX = 20000 };

static const char *const protocols[] = {"SCTP", "TCP", "UDP", NULL};

/* Addresses that cannot be another machine's: upstream's ValidateEndpointIP. */
static void check_endpoint_ip(struct check *k, const char *field, struct str ip)
{
    unsigned char a[16];
    const char *z = arena_z(k->c->arena, ip);
    const char *wrong = NULL;
    if (!check_is(NAME_IP, ip)) {
        check_name(k, field, NAME_IP, ip);
        return;
    }
    if (inet_pton(AF_INET, z, a) == 1) {
        if (a[0] == 0 && a[1] == 0 && a[2] == 0 && a[3] == 0)
            wrong = "may not be unspecified (0.0.0.0)";
        else if (a[0] == 127)
            wrong = "may not be in the loopback range (127.0.0.0/8, ::1/128)";
        else if (a[0] == 169 && a[1] == 254)
            wrong = "may not be in the link-local range (169.254.0.0/16, fe80::/10)";
        else if (a[0] == 224 && a[1] == 0 && a[2] == 0)
            wrong = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)";
    } else if (inet_pton(AF_INET6, z, a) == 1) {
        static const unsigned char zero[15];
        bool head = memcmp(a, zero, 15) == 0;
        if (head && a[15] == 0)
            wrong = "may not be unspecified (::)";
        else if (head && a[15] == 1)
            wrong = "may not be in the loopback range (127.0.0.0/8, ::1/128)";
        else if (a[0] == 0xfe && (a[1] & 0xc0) == 0x80)
            wrong = "may not be in the link-local range (169.254.0.0/16, fe80::/10)";
        else if (a[0] == 0xff && a[1] == 2)
            wrong = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)";
    }
    if (wrong)
        check_invalid(k, field, ip, wrong);
}

/* --- Endpoints --- */
static void endpoints_defaults(struct strategy_ctx *c, val *obj)
{
    VAL_FOR (val_get(obj, "subsets"), subset) {
        VAL_FOR (val_get(subset, "ports"), port) {
            default_z(c->d, port, "protocol", "TCP");
        }
    }
}

static void check_addresses(struct check *k, const val *subset, const char *member)
{
    size_t i = 0;
    size_t in = check_in(k, member);
    VAL_FOR (val_get(subset, member), address) {
        size_t at = check_at(k, i++);
        check_endpoint_ip(k, "ip", VAL_STR(address, "ip"));
        if (VAL_STR(address, "hostname").n)
            check_name(k, "hostname", NAME_LABEL, VAL_STR(address, "hostname"));
        if (VAL_STR(address, "nodeName").n)
            check_name(k, "nodeName", NAME_SUBDOMAIN, VAL_STR(address, "nodeName"));
        check_out(k, at);
    }
    check_out(k, in);
}

static void check_subset(struct check *k, const val *subset)
{
    const val *ports = val_get(subset, "ports");
    size_t i = 0;
    if (val_len(val_get(subset, "addresses")) == 0 &&
        val_len(val_get(subset, "notReadyAddresses")) == 0)
        check_required(k, "", "must specify `addresses` or `notReadyAddresses`");
    check_addresses(k, subset, "addresses");
    check_addresses(k, subset, "notReadyAddresses");
    size_t in = check_in(k, "ports");
    VAL_FOR (ports, port) {
        size_t at = check_at(k, i++);
        if (VAL_STR(port, "name").n)
            check_name(k, "name", NAME_LABEL, VAL_STR(port, "name"));
        else if (val_len(ports) > 1)
            check_required(k, "name", "");
        check_port(k, "port", VAL_INT(port, "port"));
        check_one_of(k, port, "protocol", true, protocols);
        check_out(k, at);
    }
    check_out(k, in);
}

static void endpoints_validate(struct strategy_ctx *c, const val *obj, val *causes)
{
    struct check k;
    size_t i = 0;
    check_new(&k, c, obj, causes);
    size_t in = check_in(&k, "subsets");
    VAL_FOR (val_get(obj, "subsets"), subset) {
        size_t at = check_at(&k, i++);
        check_subset(&k, subset);
        check_out(&k, at);
    }
    check_out(&k, in);
    check_done(&k);
}

/* What was stored once stays valid while it does not change. */
static void endpoints_validate_update(struct strategy_ctx *c, const val *obj, const val *old,
                                      val *causes)
{
    const val *now = val_get(obj, "subsets"), *was = val_get(old, "subsets");
    if (!now || !was || !val_eq(now, was))
        endpoints_validate(c, obj, causes);
}

/* At most three items, then how many more there are. */
struct listing {
    struct buf text;
    size_t count;
};

static void list_add(struct listing *l, struct str item, int64_t port)
{
    if (l->count++ >= SHOWN_MAX)
        return;
    bool v6 = port && str_find_char(item, ':') >= 0;
    buf_printf(&l->text, "%s%s%.*s%s", l->text.n ? "," : "", v6 ? "[" : "", STR_ARG(item),
               v6 ? "]" : "");
    if (port)
        buf_printf(&l->text, ":%lld", (long long)port);
}

static void list_cell(struct listing *l, struct doc *d, val *cells, const char *none)
{
    if (l->count > SHOWN_MAX)
        buf_printf(&l->text, " + %zu more...", l->count - SHOWN_MAX);
    cell_or(d, cells, buf_str(&l->text), none);
    buf_done(&l->text);
}

static const struct schema_column endpoints_columns[] = {
    COLUMN_NAME,
    COLUMN("Endpoints"),
    COLUMN_AGE,
    COLUMN_END,
};

static void endpoints_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    struct listing l = {0};
    VAL_FOR (val_get(obj, "subsets"), subset) {
        const val *addresses = val_get(subset, "addresses"), *ports = val_get(subset, "ports");
        if (val_len(ports) == 0) {
            VAL_FOR (addresses, address) {
                list_add(&l, VAL_STR(address, "ip"), 0);
            }
        }
        VAL_FOR (ports, port) {
            VAL_FOR (addresses, address) {
                list_add(&l, VAL_STR(address, "ip"), VAL_INT(port, "port"));
            }
        }
    }
    cell_name(d, cells, obj);
    list_cell(&l, d, cells, val_len(val_get(obj, "subsets")) ? "" : "<none>");
    cell_age(c, d, cells, obj);
}

const struct strategy endpoints_strategy = {
    .group = "",
    .resource = "endpoints",
    .defaults = endpoints_defaults,
    .validate = endpoints_validate,
    .validate_update = endpoints_validate_update,
    .columns = endpoints_columns,
    .row = endpoints_row,
    .create_on_update = true,
    .unconditional_update = true,
};

/* --- EndpointSlice --- */
static void slice_defaults(struct strategy_ctx *c, val *obj)
{
    VAL_FOR (val_get(obj, "ports"), port) {
        if (val_is_null(val_get(port, "name")))
            val_set_z(c->d, port, "name", "");
        default_z(c->d, port, "protocol", "TCP");
    }
}

static void check_slice_endpoint(struct check *k, const val *endpoint, struct str type)
{
    const val *addresses = val_get(endpoint, "addresses");
    size_t i = 0;
    if (val_len(addresses) == 0)
        check_required(k, "addresses", "must contain at least 1 address");
    else if (val_len(addresses) > ADDRESSES_MAX)
        check_too_many(k, "addresses", val_len(addresses), ADDRESSES_MAX);
    VAL_FOR (addresses, address) {
        struct str text = val_str(address);
        bool v6 = str_find_char(text, ':') >= 0;
        struct str at = arena_printf(k->c->arena, "addresses[%zu]", i++);
        if (str_is(type, "FQDN")) {
            check_name(k, at.p, NAME_SUBDOMAIN, text);
            continue;
        }
        check_endpoint_ip(k, at.p, text);
        if (check_is(NAME_IP, text) && v6 != str_is(type, "IPv6"))
            check_invalid(k, "addresses", text,
                          v6 ? "must be an IPv4 address" : "must be an IPv6 address");
    }
    if (VAL_STR(endpoint, "nodeName").n)
        check_name(k, "nodeName", NAME_SUBDOMAIN, VAL_STR(endpoint, "nodeName"));
    if (VAL_STR(endpoint, "hostname").n)
        check_name(k, "hostname", NAME_LABEL, VAL_STR(endpoint, "hostname"));
}

static void check_slice_ports(struct check *k, const val *ports)
{
    struct map names = {0};
    size_t i = 0;
    if (val_len(ports) > PORTS_MAX) {
        check_too_many(k, "ports", val_len(ports), PORTS_MAX);
        return;
    }
    size_t in = check_in(k, "ports");
    VAL_FOR (ports, port) {
        struct str name = VAL_STR(port, "name");
        size_t at = check_at(k, i++);
        if (name.n)
            check_name(k, "name", NAME_LABEL, name);
        if (map_set(&names, name, port))
            check_duplicate(k, "name", name);
        check_one_of(k, port, "protocol", true, protocols);
        if (VAL_STR(port, "appProtocol").n)
            check_name(k, "appProtocol", NAME_QUALIFIED, VAL_STR(port, "appProtocol"));
        check_out(k, at);
    }
    check_out(k, in);
    map_done(&names);
}

static void slice_validate(struct strategy_ctx *c, const val *obj, val *causes)
{
    static const char *const types[] = {"FQDN", "IPv4", "IPv6", NULL};
    const val *endpoints = val_get(obj, "endpoints");
    struct check k;
    size_t i = 0;
    check_new(&k, c, obj, causes);
    check_one_of(&k, obj, "addressType", true, types);
    check_slice_ports(&k, val_get(obj, "ports"));
    if (val_len(endpoints) > ENDPOINTS_MAX) {
        check_too_many(&k, "endpoints", val_len(endpoints), ENDPOINTS_MAX);
    } else {
        size_t in = check_in(&k, "endpoints");
        VAL_FOR (endpoints, endpoint) {
            size_t at = check_at(&k, i++);
            check_slice_endpoint(&k, endpoint, VAL_STR(obj, "addressType"));
            check_out(&k, at);
        }
        check_out(&k, in);
    }
    check_done(&k);
}

static void slice_validate_update(struct strategy_ctx *c, const val *obj, const val *old,
                                  val *causes)
{
    struct check k;
    slice_validate(c, obj, causes);
    check_init(&k, c, causes);
    check_immutable(&k, "addressType", val_get(obj, "addressType"), val_get(old, "addressType"));
    check_done(&k);
}

static const struct schema_column slice_columns[] = {
    COLUMN_NAME, COLUMN("AddressType"), COLUMN("Ports"), COLUMN("Endpoints"), COLUMN_AGE,
    COLUMN_END,
};

static void slice_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    struct listing ports = {0}, addresses = {0};
    VAL_FOR (val_get(obj, "ports"), port) {
        struct str text = STR("*");
        if (!val_is_null(val_get(port, "port")))
            text = arena_printf(c->arena, "%lld", (long long)VAL_INT(port, "port"));
        else if (val_get(port, "name"))
            text = VAL_STR(port, "name");
        list_add(&ports, text, 0);
    }
    VAL_FOR (val_get(obj, "endpoints"), endpoint) {
        VAL_FOR (val_get(endpoint, "addresses"), address) {
            list_add(&addresses, val_str(address), 0);
        }
    }
    cell_name(d, cells, obj);
    cell_s(d, cells, VAL_STR(obj, "addressType"));
    list_cell(&ports, d, cells, "<unset>");
    list_cell(&addresses, d, cells, "<unset>");
    cell_age(c, d, cells, obj);
}

const struct strategy endpointslice_strategy = {
    .group = "discovery.k8s.io",
    .resource = "endpointslices",
    .defaults = slice_defaults,
    .validate = slice_validate,
    .validate_update = slice_validate_update,
    .columns = slice_columns,
    .row = slice_row,
    .spec_generation = true,
    .unconditional_update = true,
};
