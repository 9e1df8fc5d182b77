#include "little_api.h"

static const char discovery[] =
    "{\"kind\":\"APIGroupDiscoveryList\",\"items\":[{\"metadata\":{},\"versions\":[{\"version\":"
    "\"v1\","
    "\"resources\":["
    "{\"resource\":\"configmaps\",\"scope\":\"Namespaced\",\"responseKind\":{\"kind\":"
    "\"ConfigMap\"}},"
    "{\"resource\":\"services\",\"scope\":\"Namespaced\",\"responseKind\":{\"kind\":\"Service\"}},"
    "{\"resource\":\"pods\",\"scope\":\"Namespaced\",\"responseKind\":{\"kind\":\"Pod\"}},"
    "{\"resource\":\"namespaces\",\"scope\":\"Cluster\",\"responseKind\":{\"kind\":\"Namespace\"}}]"
    "}]}]}";
static const char groups[] =
    "{\"kind\":\"APIGroupDiscoveryList\",\"items\":[{\"metadata\":{\"name\":\"apps\"},\"versions\":"
    "[{"
    "\"version\":\"v1\",\"resources\":[{\"resource\":\"deployments\",\"scope\":\"Namespaced\","
    "\"responseKind\":{\"kind\":\"Deployment\"},\"subresources\":[{\"subresource\":\"scale\","
    "\"responseKind\":{\"kind\":\"Scale\"}}]}]}]},{\"metadata\":{\"name\":\"batch\"},\"versions\":["
    "{"
    "\"version\":\"v1\",\"resources\":[{\"resource\":\"jobs\",\"scope\":\"Namespaced\","
    "\"responseKind\":"
    "{\"kind\":\"Job\"}}]}]},{\"metadata\":{\"name\":\"example.com\"},\"versions\":[{\"version\":"
    "\"v1\","
    "\"resources\":[{\"resource\":\"things\",\"scope\":\"Namespaced\",\"responseKind\":{\"kind\":"
    "\"Thing\"}}]}]}]}";

static void put(struct little *l, struct str path, struct str json)
{
    struct little_object *o = map_get(&l->objects, path);
    if (!o) {
        o = NEW(struct little_object);
        map_set(&l->objects, path, o);
    }
    buf_clear(&o->json);
    buf_put(&o->json, json);
}

void little_set(struct little *l, const char *path, const char *json)
{
    put(l, str_of(path), str_of(json));
}

const char *little_get(struct little *l, const char *path)
{
    struct little_object *o = map_get(&l->objects, str_of(path));
    return o ? buf_z(&o->json) : "";
}

static int answer(struct client_response *ret, int status, struct str body)
{
    *ret = (struct client_response){status, bytes_new(body)};
    return 0;
}

static int refuse(struct client_response *ret, int code, const char *reason, const char *message)
{
    struct buf b = {0};
    buf_printf(&b, "{\"kind\":\"Status\",\"reason\":\"%s\",\"message\":\"%s\",\"code\":%d}", reason,
               message, code);
    answer(ret, code, buf_str(&b));
    buf_done(&b);
    return 0;
}

/* Whether the path names a collection: its last part is a resource. */
static bool is_collection(struct str path)
{
    static const char *const names[] = {"configmaps",  "services", "pods",  "namespaces",
                                        "deployments", "jobs",     "things"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_ends(path, str_of(names[i])))
            return true;
    return false;
}

static int list(struct little *l, struct str path, struct client_response *ret)
{
    struct buf b = {0};
    buf_puts(&b, "{\"items\":[");
    size_t n = 0;
    for (struct map_entry *e = NULL; (e = map_next(&l->objects, e));) {
        struct str key = map_key(e);
        struct little_object *o = e->value;
        if (key.n > path.n && str_starts(key, path) && key.p[path.n] == '/')
            buf_printf(&b, "%s%s", n++ ? "," : "", buf_z(&o->json));
    }
    buf_puts(&b, "]}");
    answer(ret, 200, buf_str(&b));
    buf_done(&b);
    return 0;
}

static int get(struct little *l, struct str path, struct client_response *ret)
{
    if (str_is(path, "/version"))
        return answer(ret, 200,
                      STR("{\"gitVersion\":\"v1.34.4\",\"major\":\"1\",\"minor\":\"34\"}"));
    if (str_is(path, "/api") || str_is(path, "/apis"))
        return answer(ret, 200, str_of(path.n == 4 ? discovery : groups));
    if (is_collection(path))
        return list(l, path, ret);
    struct little_object *o = map_get(&l->objects, path);
    if (!o)
        return refuse(ret, 404, "NotFound", "not found");
    if (l->promote && str_is(path, l->promote) && ++l->gets == 2) {
        struct doc d;
        struct err err;
        val *v, *status;
        struct buf b = {0};
        doc_init(&d);
        CHECK_OK(doc_parse_json(&d, buf_str(&o->json), &v, &err), &err);
        CHECK_OK(doc_parse_json(&d, str_of(l->status), &status, &err), &err);
        val_set(&d, v, "status", status);
        val_write_json(v, &b);
        put(l, path, buf_str(&b));
        buf_done(&b);
        doc_done(&d);
    }
    return answer(ret, 200, buf_str(&o->json));
}

static int create(struct little *l, const struct client_request *r, struct client_response *ret)
{
    struct doc d;
    struct err err;
    val *v;
    struct buf path = {0};
    doc_init(&d);
    CHECK_OK(doc_parse_json(&d, r->body, &v, &err), &err);
    struct str name = VAL_STR(v, "metadata", "name");
    buf_printf(&path, "%.*s/%.*s", STR_ARG(r->path), STR_ARG(name));
    if (map_get(&l->objects, buf_str(&path))) {
        refuse(ret, 409, "AlreadyExists", "it already exists");
    } else {
        put(l, buf_str(&path), r->body);
        answer(ret, 201, r->body);
    }
    buf_done(&path);
    doc_done(&d);
    return 0;
}

static int change(struct little *l, const struct client_request *r, struct client_response *ret)
{
    struct little_object *o = map_get(&l->objects, r->path);
    struct doc d;
    struct err err;
    val *live, *patch, *now;
    struct buf b = {0};
    if (!o)
        return refuse(ret, 404, "NotFound", "not found");
    doc_init(&d);
    CHECK_OK(doc_parse_json(&d, buf_str(&o->json), &live, &err), &err);
    CHECK_OK(doc_parse_json(&d, r->body, &patch, &err), &err);
    if (str_is(r->content_type, "application/strategic-merge-patch+json"))
        CHECK_OK(patch_strategic(&d,
                                 schema_of_kind(VAL_STR(live, "apiVersion"), VAL_STR(live, "kind")),
                                 live, patch, &now, &err),
                 &err);
    else
        now = patch_merge(&d, live, patch);
    val_write_json(strcmp(r->method, "PUT") == 0 ? patch : now, &b);
    put(l, r->path, buf_str(&b));
    answer(ret, 200, buf_str(&b));
    buf_done(&b);
    doc_done(&d);
    return 0;
}

static int call(void *self, const struct client_request *r, struct client_response *ret,
                struct err *err)
{
    struct little *l = self;
    struct buf line = {0};
    (void)err;
    buf_printf(&line, "%s %.*s", r->method, STR_ARG(r->path));
    bool refused = l->refuse && str_starts(buf_str(&line), str_of(l->refuse));
    if (strcmp(r->method, "GET") != 0)
        buf_printf(&l->log, "%s\n", buf_z(&line));
    buf_done(&line);
    if (refused)
        return refuse(ret, 403, "Forbidden", "it is forbidden");
    if (strcmp(r->method, "GET") == 0)
        return get(l, r->path, ret);
    if (strcmp(r->method, "POST") == 0)
        return create(l, r, ret);
    if (strcmp(r->method, "DELETE") != 0)
        return change(l, r, ret);
    struct little_object *o = map_del(&l->objects, r->path);
    if (!o)
        return refuse(ret, 404, "NotFound", "not found");
    buf_done(&o->json);
    free(o);
    return answer(ret, 200, STR("{}"));
}

struct client *little_new(struct little *l)
{
    static const struct client_transport transport = {.call = call};
    return client_new(&transport, l);
}

void little_done(struct little *l)
{
    for (struct map_entry *e = NULL; (e = map_next(&l->objects, e));) {
        struct little_object *o = e->value;
        buf_done(&o->json);
        free(o);
    }
    map_done(&l->objects);
    buf_done(&l->log);
}

void bench_init(struct bench *b)
{
    *b = (struct bench){0};
    b->cx = (struct chart_ctx){.arena = &b->arena, .warnings = &b->warnings};
    b->client = little_new(&b->api);
    b->x = (struct action){.cx = &b->cx, .namespace = STR("ns")};
    CHECK(cluster_open(&b->cx, b->client, STR("ns"), &b->x.cluster) == 0);
    CHECK(storage_open(&b->cx, NULL, STR("memory"), STR("ns"), 0, &b->x.storage) == STORAGE_OK);
}

void bench_done(struct bench *b)
{
    client_free(b->client);
    little_done(&b->api);
    buf_done(&b->warnings);
    arena_done(&b->arena);
}

struct chart *bench_chart(struct bench *b, const char *template)
{
    struct chart_files files = {0};
    struct chart *c;
    chart_files_add(&b->arena, &files, STR("Chart.yaml"),
                    STR("apiVersion: v2\nname: c\nversion: 0.1.0\n"));
    chart_files_add(&b->arena, &files, STR("templates/a.yaml"), str_of(template));
    CHECK(chart_load_files(&b->cx, &files, &c) == 0);
    return c;
}
