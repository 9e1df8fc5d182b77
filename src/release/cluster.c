/* cluster.c: calls to a cluster, and what kinds it serves. */
#include "release/cluster_impl.h"

#include "doc/val.h"

enum {
    MAX_KINDS = 100000,
    MAX_DISCOVERY = 64 * 1024 * 1024,
    MAX_LIST = 256 * 1024 * 1024,
};

int cluster_open(struct chart_ctx *cx, struct client *client, struct str namespace,
                 struct cluster **ret)
{
    struct cluster *c = ARENA_NEW(cx->arena, struct cluster);
    c->cx = cx;
    c->client = client;
    c->namespace = arena_dup(cx->arena, namespace);
    *ret = c;
    return 0;
}

void cluster_watch(struct cluster *c, const struct cluster_watcher *w)
{
    c->watcher = *w;
}

bool cluster_interrupted(struct cluster *c)
{
    return c->watcher.interrupted && c->watcher.interrupted(c->watcher.arg);
}

int cluster_check_interrupt(struct cluster *c)
{
    return cluster_interrupted(c) ? chart_fail(c->cx, "context canceled") : 0;
}

void cluster_ignore_interrupts(struct cluster *c)
{
    c->watcher.interrupted = NULL;
}

/* --- calls --- */
static int refused(struct cluster *c, int status, struct str body, struct answer *ret)
{
    struct doc d;
    struct err err;
    val *v = NULL;
    doc_init(&d);
    ret->code = status;
    ret->reason = "";
    if (doc_parse_json(&d, body, &v, &err) == 0 && str_is(VAL_STR(v, "kind"), "Status")) {
        ret->reason = arena_z(c->cx->arena, VAL_STR(v, "reason"));
        chart_fail(c->cx, "%.*s", STR_ARG(VAL_STR(v, "message")));
    } else if (status == 404) {
        chart_fail(c->cx, "the server could not find the requested resource");
    } else {
        chart_fail(c->cx,
                   "an error on the server (\"%.*s\") has prevented the request from "
                   "succeeding",
                   STR_ARG(str_head(str_trim(body), 1024)));
    }
    doc_done(&d);
    return -1;
}

static void tell(struct cluster *c, struct str warnings)
{
    struct str line;
    while (str_next(&warnings, '\n', &line))
        if (line.n)
            chart_warn(c->cx, "Warning: %.*s", STR_ARG(line));
}

int cluster_call(struct cluster *c, const struct client_request *request, struct answer *ret)
{
    struct client_response response = {0};
    struct client_request r = *request;
    struct buf warnings = {0};
    struct err err;
    *ret = (struct answer){.reason = ""};
    r.warnings = strcmp(r.method, "GET") != 0 ? &warnings : NULL;
    int rc = client_do(c->client, &r, &response, &err);
    tell(c, buf_str(&warnings));
    buf_done(&warnings);
    if (rc != 0)
        return chart_fail(c->cx, "%s", err.message);
    if (response.status < 200 || response.status > 299) {
        refused(c, response.status, bytes_str(response.body), ret);
        bytes_unref(response.body);
        return -1;
    }
    ret->code = response.status;
    ret->body = response.body;
    return 0;
}

int cluster_get_val(struct cluster *c, struct str path, struct str query, struct doc *d, val **ret)
{
    struct client_request r = {.method = "GET", .path = path, .query = query};
    struct answer a;
    struct err err;
    *ret = NULL;
    if (cluster_call(c, &r, &a) != 0)
        return a.code == 404 ? 0 : -1;
    int rc = doc_parse_json_max(d, bytes_str(a.body), MAX_LIST, ret, &err);
    bytes_unref(a.body);
    return rc ? chart_fail(c->cx, "%s", err.message) : 0;
}

int cluster_read(struct cluster *c, struct str path, struct str query, struct str *ret_body)
{
    struct client_request r = {.method = "GET", .path = path, .query = query};
    struct answer a;
    if (cluster_call(c, &r, &a) != 0)
        return -1;
    *ret_body = arena_dup(c->cx->arena, bytes_str(a.body));
    bytes_unref(a.body);
    return 0;
}

void cluster_query_escape(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                     (ch >= '0' && ch <= '9') || strchr("-_.~", ch);
        if (plain && ch)
            buf_putc(b, (char)ch);
        else
            buf_printf(b, "%%%02X", ch);
    }
}

int cluster_pods(struct cluster *c, struct str namespace, struct str selector, struct objects *ret)
{
    struct arena *a = c->cx->arena;
    struct buf query = {0};
    struct doc d;
    val *list;
    struct str path = arena_printf(a, "/api/v1/namespaces/%.*s/pods", STR_ARG(namespace));
    *ret = (struct objects){0};
    buf_puts(&query, "labelSelector=");
    cluster_query_escape(&query, selector);
    doc_init(&d);
    int rc = cluster_get_val(c, path, buf_str(&query), &d, &list);
    VAL_FOR (val_get(list, "items"), pod) {
        struct str name = VAL_STR(pod, "metadata", "name");
        struct object o = {.api_version = STR("v1"),
                           .kind = STR("Pod"),
                           .namespace = arena_dup(a, namespace),
                           .name = arena_dup(a, name),
                           .collection = path,
                           .path = arena_printf(a, "%.*s/%.*s", STR_ARG(path), STR_ARG(name))};
        objects_add(a, ret, &o);
    }
    doc_done(&d);
    buf_done(&query);
    return rc;
}

int cluster_reachable(struct cluster *c)
{
    struct client_request r = {.method = "GET", .path = STR("/version")};
    struct answer a;
    if (cluster_call(c, &r, &a) != 0) {
        if (a.code == 401)
            chart_fail(c->cx, "the server has asked for the client to provide credentials");
        return chart_wrap(c->cx, "Kubernetes cluster unreachable");
    }
    bytes_unref(a.body);
    return 0;
}

/* --- discovery --- */
static void add_version(struct cluster *c, struct str text)
{
    for (size_t i = 0; i < c->api_versions.n; i++)
        if (str_eq(c->api_versions.items[i], text))
            return;
    if (c->api_versions.n == c->api_versions_cap) {
        c->api_versions_cap = c->api_versions_cap ? c->api_versions_cap * 2 : 256;
        struct str *grown = arena_alloc(c->cx->arena, c->api_versions_cap * sizeof *grown);
        if (c->api_versions.n)
            memcpy(grown, c->api_versions.items, c->api_versions.n * sizeof *grown);
        c->api_versions.items = grown;
    }
    c->api_versions.items[c->api_versions.n++] = text;
}

static void add_kind(struct cluster *c, const struct served *s)
{
    if (c->served_count == c->served_cap) {
        c->served_cap = c->served_cap ? c->served_cap * 2 : 128;
        struct served *grown = arena_alloc(c->cx->arena, c->served_cap * sizeof *grown);
        if (c->served_count)
            memcpy(grown, c->served, c->served_count * sizeof *grown);
        c->served = grown;
    }
    c->served[c->served_count++] = *s;
}

static void add_resource(struct cluster *c, struct str api_version, struct str kind,
                         struct str resource, bool namespaced)
{
    struct arena *a = c->cx->arena;
    if (kind.n == 0 || c->served_count >= MAX_KINDS)
        return;
    add_version(c, arena_printf(a, "%.*s/%.*s", STR_ARG(api_version), STR_ARG(kind)));
    if (resource.n == 0 || str_find_char(resource, '/') >= 0)
        return;
    struct served s = {api_version, arena_dup(a, kind), arena_dup(a, resource), namespaced};
    add_kind(c, &s);
}

/* One group of the aggregated form (apidiscovery.k8s.io/v2). */
static void add_group(struct cluster *c, const val *group)
{
    struct str name = VAL_STR(group, "metadata", "name");
    VAL_FOR (val_get(group, "versions"), version) {
        struct str v = VAL_STR(version, "version");
        struct str api_version =
            name.n ? arena_printf(c->cx->arena, "%.*s/%.*s", STR_ARG(name), STR_ARG(v))
                   : arena_dup(c->cx->arena, v);
        add_version(c, api_version);
        VAL_FOR (val_get(version, "resources"), r) {
            add_resource(c, api_version, VAL_STR(r, "responseKind", "kind"), VAL_STR(r, "resource"),
                         str_is(VAL_STR(r, "scope"), "Namespaced"));
            VAL_FOR (val_get(r, "subresources"), sub)
                add_resource(c, api_version, VAL_STR(sub, "responseKind", "kind"), STR(""), false);
        }
    }
}

/* The list of one version, for servers that do not aggregate. */
static int add_listed(struct cluster *c, struct str path, struct str api_version)
{
    struct doc d;
    val *v;
    doc_init(&d);
    api_version = arena_dup(c->cx->arena, api_version);
    int rc = cluster_get_val(c, path, STR(""), &d, &v);
    if (rc == 0)
        add_version(c, api_version);
    VAL_FOR (val_get(v, "resources"), r)
        add_resource(c, api_version, VAL_STR(r, "kind"), VAL_STR(r, "name"),
                     VAL_BOOL(r, "namespaced"));
    doc_done(&d);
    return rc;
}

static int add_plain(struct cluster *c, const val *root)
{
    struct arena *a = c->cx->arena;
    VAL_FOR (val_get(root, "versions"), version) { /* of /api: texts */
        struct str v = val_str(version);
        if (add_listed(c, arena_printf(a, "/api/%.*s", STR_ARG(v)), v) != 0)
            return -1;
    }
    VAL_FOR (val_get(root, "groups"), group)
        VAL_FOR (val_get(group, "versions"), version) {
            struct str gv = VAL_STR(version, "groupVersion");
            if (add_listed(c, arena_printf(a, "/apis/%.*s", STR_ARG(gv)), gv) != 0)
                return -1;
        }
    return 0;
}

static int discover_root(struct cluster *c, struct str path)
{
    struct client_request r = {
        .method = "GET",
        .path = path,
        .accept = STR("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
                      "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,"
                      "application/json"),
    };
    struct answer a;
    struct doc d;
    struct err err;
    val *v = NULL;
    if (cluster_call(c, &r, &a) != 0)
        return chart_wrap(c->cx, "could not get apiVersions from Kubernetes");
    doc_init(&d);
    int rc = doc_parse_json_max(&d, bytes_str(a.body), MAX_DISCOVERY, &v, &err);
    bytes_unref(a.body);
    if (rc != 0)
        chart_fail(c->cx, "%.*s: %s", STR_ARG(path), err.message);
    else if (!str_is(VAL_STR(v, "kind"), "APIGroupDiscoveryList"))
        rc = add_plain(c, v);
    else
        VAL_FOR (val_get(v, "items"), group)
            add_group(c, group);
    doc_done(&d);
    return rc;
}

static int discover(struct cluster *c)
{
    if (c->discovered)
        return 0;
    cluster_forget_kinds(c);
    if (discover_root(c, STR("/api")) != 0 || discover_root(c, STR("/apis")) != 0)
        return -1;
    c->discovered = true;
    return 0;
}

void cluster_forget_kinds(struct cluster *c)
{
    c->discovered = false;
    c->served_count = 0;
    c->api_versions.n = 0;
}

int cluster_find_kind(struct cluster *c, struct str api_version, struct str kind,
                      const struct served **ret)
{
    *ret = NULL;
    if (discover(c) != 0)
        return -1;
    for (size_t i = 0; i < c->served_count && !*ret; i++)
        if (str_eq(c->served[i].kind, kind) && str_eq(c->served[i].api_version, api_version))
            *ret = &c->served[i];
    return 0;
}

struct str cluster_collection(struct cluster *c, const struct served *s, struct str namespace)
{
    bool grouped = str_find_char(s->api_version, '/') >= 0;
    struct str within = s->namespaced && namespace.n
                            ? arena_printf(c->cx->arena, "namespaces/%.*s/", STR_ARG(namespace))
                            : STR("");
    return arena_printf(c->cx->arena, "/%s/%.*s/%.*s%.*s", grouped ? "apis" : "api",
                        STR_ARG(s->api_version), STR_ARG(within), STR_ARG(s->resource));
}

int cluster_capabilities(struct cluster *c, struct capabilities *ret)
{
    struct arena *a = c->cx->arena;
    struct doc d;
    val *v;
    doc_init(&d);
    int rc = cluster_get_val(c, STR("/version"), STR(""), &d, &v);
    if (rc != 0)
        chart_wrap(c->cx, "could not get server version from Kubernetes");
    else
        *ret = (struct capabilities){.version = arena_dup(a, VAL_STR(v, "gitVersion")),
                                     .major = arena_dup(a, VAL_STR(v, "major")),
                                     .minor = arena_dup(a, VAL_STR(v, "minor"))};
    doc_done(&d);
    if (rc != 0 || discover(c) != 0)
        return -1;
    ret->api_versions = c->api_versions;
    return 0;
}
