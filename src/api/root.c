/* The paths that name no resource: version, health, metrics, OpenAPI, discovery. */
#include "api/core.h"
#include "api/crd/crd.h"

static const char version_json[] = "{\n"
                                   "  \"major\": \"1\",\n"
                                   "  \"minor\": \"34\",\n"
                                   "  \"emulationMajor\": \"1\",\n"
                                   "  \"emulationMinor\": \"34\",\n"
                                   "  \"minCompatibilityMajor\": \"1\",\n"
                                   "  \"minCompatibilityMinor\": \"33\",\n"
                                   "  \"gitVersion\": \"v1.34.4\",\n"
                                   "  \"gitCommit\": \"tutti-" TUTTI_VERSION "\",\n"
                                   "  \"gitTreeState\": \"clean\",\n"
                                   "  \"buildDate\": \"1970-01-01T00:00:00Z\",\n"
                                   "  \"goVersion\": \"none\",\n"
                                   "  \"compiler\": \"" __VERSION__ "\",\n"
                                   "  \"platform\": \"linux/amd64\"\n"
                                   "}";

/* --- health: the checks of upstream that mean something here --- */
struct check {
    const char *name;
    bool (*ok)(struct api *api);
    bool ready_only;
};

static bool always(struct api *api)
{
    (void)api;
    return true;
}

static bool store_answers(struct api *api)
{
    struct store_snap *snap;
    struct err ignored;
    if (!store_reachable(api->config.store) ||
        store_snap_begin(api->config.store, 0, &snap, &ignored) != 0)
        return false;
    store_snap_end(snap);
    return true;
}

static bool not_draining(struct api *api)
{
    return !atomic_load(&api->draining);
}

static const struct check checks[] = {
    {"ping", always, false},
    {"log", always, false},
    {"etcd", store_answers, false},
    {"shutdown", not_draining, true},
};

static bool excluded(const struct call *c, const char *name)
{
    for (size_t i = 0; i < c->route.query.count; i++)
        if (str_is(c->route.query.params[i].key, "exclude") &&
            str_is(c->route.query.params[i].value, name))
            return true;
    return false;
}

static enum call_next health(struct call *c, const char *kind, struct str only)
{
    struct buf b = {0};
    bool all = true, found = false, ready = strcmp(kind, "readyz") == 0;
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        const struct check *check = &checks[i];
        if ((check->ready_only && !ready) || (only.n && !str_is(only, check->name)))
            continue;
        found = true;
        if (excluded(c, check->name)) {
            buf_printf(&b, "[+]%s excluded: ok\n", check->name);
            continue;
        }
        bool ok = check->ok(c->api);
        all = all && ok;
        buf_printf(&b, ok ? "[+]%s ok\n" : "[-]%s failed: reason withheld\n", check->name);
    }
    buf_printf(&b, "%s check %s\n", kind, all ? "passed" : "failed");
    bool verbose = url_query_has(&c->route.query, "verbose");
    enum call_next next;
    if (!found)
        next = call_reply_not_found_page(c);
    else if (all && (!verbose || only.n))
        next = call_reply_text(c, 200, "text/plain; charset=utf-8", STR("ok"));
    else
        next = call_reply_text(c, all ? 200 : 500, "text/plain; charset=utf-8", buf_str(&b));
    buf_done(&b);
    return next;
}

static bool health_path(struct str path, const char *kind, struct str *ret_only)
{
    struct str rest = str_from(path, 1), head, tail;
    str_cut(rest, '/', &head, &tail);
    *ret_only = tail;
    return str_is(head, kind);
}

/* --- the rest --- */
static void put_path(struct doc *d, val *paths, struct map *seen, struct str path)
{
    if (!map_set(seen, path, d))
        val_push(paths, val_new_str(d, path));
}

static void put_group(struct call *c, val *paths, struct map *seen, const struct schema_kind *k)
{
    if (!*k->group)
        return;
    put_path(&c->doc, paths, seen, arena_printf(&c->arena, "/apis/%s", k->group));
    put_path(&c->doc, paths, seen, arena_printf(&c->arena, "/apis/%s/%s", k->group, k->version));
}

static enum call_next list_paths(struct call *c)
{
    static const char *const fixed[] = {
        "/healthz", "/healthz/etcd", "/healthz/log", "/healthz/ping", "/livez",
        "/metrics", "/openapi/v2",   "/openapi/v3",  "/readyz",       "/version"};
    struct doc *d = &c->doc;
    struct map seen = {0};
    struct crd_catalog *catalog = crd_catalog_get(c->api);
    val *v = val_new_obj(d), *paths = val_ensure_arr(d, v, "paths");
    val_push(paths, val_new_z(d, "/api"));
    val_push(paths, val_new_z(d, "/api/v1"));
    val_push(paths, val_new_z(d, "/apis"));
    for (const struct schema_kind *k = schema_kinds; k->kind; k++)
        put_group(c, paths, &seen, k);
    for (size_t i = 0; i < catalog->kind_count; i++)
        put_group(c, paths, &seen, &catalog->kinds[i]->info);
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        val_push(paths, val_new_z(d, fixed[i]));
    crd_catalog_unref(catalog);
    map_done(&seen);
    return call_reply_val(c, 200, v);
}

static enum call_next metrics(struct call *c)
{
    struct buf b = {0};
    metrics_write(c->api, &b);
    call_reply_text(c, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(&b));
    buf_done(&b);
    return CALL_DONE;
}

static enum call_next token_documents(struct call *c, bool keys)
{
    struct buf b = {0};
    if (!c->api->tokens)
        return call_reply_not_found_page(c);
    if (keys)
        token_jwks(c->api->tokens, &b);
    else
        token_openid_configuration(c->api->tokens, c->api->config.pki->server_url, &b);
    call_reply_text(c, 200, keys ? "application/jwk-set+json" : "application/json", buf_str(&b));
    buf_done(&b);
    return CALL_DONE;
}

enum call_next handle_root(struct call *c)
{
    static const char *const health_kinds[] = {"healthz", "livez", "readyz"};
    const struct route *r = &c->route;
    struct str only;
    if (strcmp(r->verb, "get") != 0 && strcmp(r->verb, "head") != 0)
        return call_reply_text(c, 405, "text/plain; charset=utf-8",
                               STR("405 method not allowed\n"));
    for (size_t i = 0; i < ARRAY_LEN(health_kinds); i++)
        if (health_path(r->path, health_kinds[i], &only))
            return health(c, health_kinds[i], only);
    if (r->core || r->groups)
        return discovery_serve(c);
    if (str_is(r->path, "/version"))
        return call_reply_text(c, 200, "application/json", str_of(version_json));
    if (str_is(r->path, "/metrics"))
        return metrics(c);
    if (str_starts(r->path, STR("/openapi/")))
        return openapi_serve(c);
    if (str_is(r->path, "/.well-known/openid-configuration"))
        return token_documents(c, false);
    if (str_is(r->path, "/openid/v1/jwks"))
        return token_documents(c, true);
    if (str_is(r->path, "/") || !r->path.n)
        return list_paths(c);
    return call_reply_not_found_page(c);
}
