#include "api/route.h"

#include <ctype.h>

enum { MAX_PARTS = 64 };

bool route_flag(const struct route *r, const char *key)
{
    if (!url_query_has(&r->query, key))
        return false;
    struct str v = url_query_get(&r->query, key);
    return v.n != 0 && !str_eq_nocase(v, STR("false")) && !str_is(v, "0");
}

static const char *lower_method(struct arena *a, struct str method)
{
    char *z = arena_z(a, method);
    for (char *p = z; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return z;
}

static const char *resource_verb(struct arena *a, const struct route *r, struct str method)
{
    if (str_is(method, "POST"))
        return "create";
    if (str_is(method, "PUT"))
        return "update";
    if (str_is(method, "PATCH"))
        return "patch";
    if (str_is(method, "DELETE"))
        return r->name.n ? "delete" : "deletecollection";
    if (str_is(method, "GET") || str_is(method, "HEAD")) {
        if (r->name.n)
            return "get";
        return route_flag(r, "watch") ? "watch" : "list";
    }
    return lower_method(a, method);
}

static void parse_resource(struct route *r, struct str *parts, size_t count, bool *watch)
{
    size_t at = 0;
    if (count > 1 && str_is(parts[0], "watch")) {
        *watch = true;
        at++;
    }
    if (at + 2 < count && str_is(parts[at], "namespaces") && !str_is(parts[at + 2], "status") &&
        !str_is(parts[at + 2], "finalize")) {
        r->ns = parts[at + 1];
        at += 2;
    }
    if (at < count)
        r->resource = parts[at++];
    if (at < count)
        r->name = parts[at++];
    if (at < count)
        r->subresource = parts[at++];
    if (at < count)
        r->rest = (struct str){parts[at].p, (size_t)(r->path.p + r->path.n - parts[at].p)};
    r->resource_request = r->resource.n != 0;
    if (str_is(r->resource, "namespaces") && r->core && !r->ns.n && r->name.n)
        r->ns = r->name;
}

int route_parse(struct arena *a, struct str method, struct str path, struct str query,
                struct route *ret, struct err *err)
{
    struct route r = {0};
    if (!url_decode(a, path, false, &r.path) || !url_query_parse(a, query, &r.query))
        return err_bad(err, "the request's URL cannot be decoded");

    struct str parts[MAX_PARTS], rest = r.path, part;
    size_t count = 0;
    while (count < MAX_PARTS && str_next(&rest, '/', &part))
        if (part.n)
            parts[count++] = part;

    bool watch = false;
    size_t prefix = 0;
    if (count >= 1 && str_is(parts[0], "api")) {
        r.core = true;
        prefix = 2;
    } else if (count >= 1 && str_is(parts[0], "apis")) {
        r.groups = true;
        prefix = 3;
        if (count >= 2)
            r.group = parts[1];
    }
    if (prefix && count >= prefix)
        r.version = parts[prefix - 1];
    if (prefix && count > prefix)
        parse_resource(&r, parts + prefix, count - prefix, &watch);
    r.verb = r.resource_request ? resource_verb(a, &r, method) : lower_method(a, method);
    if (watch && str_is(method, "GET"))
        r.verb = "watch";
    *ret = r;
    return 0;
}
