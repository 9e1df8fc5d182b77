/* Discovery: which groups, versions and resources there are, in the old form (APIVersions,
 * APIGroupList, APIResourceList) and the aggregated one (apidiscovery.k8s.io/v2). The documents are
 * made once for each catalog of custom resources; clients compare their ETag. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "api/core.h"
#include "api/crd/crd.h"

struct document {
    struct bytes *json;
    char etag[20]; /* with its quotes */
};

struct discovery {
    const struct schema_kind **kinds; /* while the documents are made; the last is NULL */
    struct document api, apis;        /* aggregated */
    struct document versions, groups; /* /api, /apis */
    struct map resources;             /* "v1", "apps/v1" -> document */
    struct map by_group;              /* "apps" -> document */
};

#define AGGREGATED "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

/* --- subresources --- */
struct sub {
    const char *name, *group, *version, *kind; /* kind NULL: that of the parent */
    const char *verbs[5];
};

static const struct sub subs[] = {
    {"status", NULL, NULL, NULL, {"get", "patch", "update"}},
    {"scale", "autoscaling", "v1", "Scale", {"get", "patch", "update"}},
    {"log", NULL, NULL, NULL, {"get"}},
    {"exec", NULL, NULL, "PodExecOptions", {"create", "get"}},
    {"attach", NULL, NULL, "PodAttachOptions", {"create", "get"}},
    {"portforward", NULL, NULL, "PodPortForwardOptions", {"create", "get"}},
    {"binding", NULL, NULL, "Binding", {"create"}},
    {"eviction", "policy", "v1", "Eviction", {"create"}},
    {"token", "authentication.k8s.io", "v1", "TokenRequest", {"create"}},
    {"finalize", NULL, NULL, NULL, {"update"}},
    {"ephemeralcontainers", NULL, NULL, NULL, {"get", "patch", "update"}},
    {"resize", NULL, NULL, NULL, {"get", "patch", "update"}},
    {"proxy", NULL, NULL, "NodeProxyOptions", {"create", "delete", "get", "patch", "update"}},
};

static const struct sub *find_sub(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(subs); i++)
        if (strcmp(subs[i].name, name) == 0)
            return &subs[i];
    return &subs[0];
}

static void put_words(struct buf *b, const char *key, const char *const *words, size_t max)
{
    if (!words || !words[0])
        return;
    buf_printf(b, ",\"%s\":[", key);
    for (size_t i = 0; i < max && words[i]; i++)
        buf_printf(b, "%s\"%s\"", i ? "," : "", words[i]);
    buf_putc(b, ']');
}

/* --- the old form --- */

/* Built-in kinds that are stored as another one. */
static const struct {
    const char *group, *version, *resource, *stored_group, *stored_version;
} stored_otherwise[] = {
    {"autoscaling", "v1", "horizontalpodautoscalers", "autoscaling", "v2"},
    {"events.k8s.io", "v1", "events", "", "v1"},
};

/* Tells clients, in upstream's words, whether a kind is stored otherwise than before. */
static void put_storage_hash(struct buf *b, const struct schema_kind *k)
{
    enum { BYTES = 8 };
    const char *group = k->group, *version = k->version;
    if (k->schema && k->schema->custom)
        version = crd_version_of(k)->crd->storage->info.version;
    for (size_t i = 0; i < ARRAY_LEN(stored_otherwise); i++)
        if (strcmp(k->group, stored_otherwise[i].group) == 0 &&
            strcmp(k->version, stored_otherwise[i].version) == 0 &&
            strcmp(k->resource, stored_otherwise[i].resource) == 0) {
            group = stored_otherwise[i].stored_group;
            version = stored_otherwise[i].stored_version;
        }
    unsigned char digest[EVP_MAX_MD_SIZE], text[2 * BYTES];
    struct buf id = {0};
    buf_printf(&id, "%s/%s/%s", group, version, k->kind);
    EVP_Digest(id.p, id.n, digest, NULL, EVP_sha256(), NULL);
    EVP_EncodeBlock(text, digest, BYTES);
    buf_printf(b, ",\"storageVersionHash\":\"%s\"", (const char *)text);
    buf_done(&id);
}

static bool is_stored(const struct schema_kind *k)
{
    for (const char *const *verb = k->verbs; verb && *verb; verb++)
        if (strcmp(*verb, "get") == 0)
            return true;
    return false;
}

static void put_resource(struct buf *b, const struct schema_kind *k)
{
    buf_printf(b, "{\"name\":\"%s\",\"singularName\":\"%s\",\"namespaced\":%s,\"kind\":\"%s\"",
               k->resource, k->singular, k->namespaced ? "true" : "false", k->kind);
    put_words(b, "verbs", k->verbs, SIZE_MAX);
    put_words(b, "shortNames", k->short_names, SIZE_MAX);
    put_words(b, "categories", k->categories, SIZE_MAX);
    if (is_stored(k))
        put_storage_hash(b, k);
    buf_putc(b, '}');
    for (const char *const *s = k->subresources; s && *s; s++) {
        const struct sub *sub = find_sub(*s);
        buf_printf(b, ",{\"name\":\"%s/%s\",\"singularName\":\"\",\"namespaced\":%s", k->resource,
                   *s, k->namespaced ? "true" : "false");
        if (sub->group)
            buf_printf(b, ",\"group\":\"%s\",\"version\":\"%s\"", sub->group, sub->version);
        buf_printf(b, ",\"kind\":\"%s\"", sub->kind ? sub->kind : k->kind);
        put_words(b, "verbs", sub->verbs, ARRAY_LEN(sub->verbs));
        buf_putc(b, '}');
    }
}

static bool same_version(const struct schema_kind *a, const struct schema_kind *b)
{
    return strcmp(a->group, b->group) == 0 && strcmp(a->version, b->version) == 0;
}

static void put_group_version(struct buf *b, const struct schema_kind *k)
{
    buf_printf(b, "{\"groupVersion\":\"%s%s%s\",\"version\":\"%s\"}", k->group,
               *k->group ? "/" : "", k->version, k->version);
}

/* Whether no kind before this place in the list has its version, or its group. */
static bool first_of_version(const struct discovery *d, const struct schema_kind **k)
{
    for (const struct schema_kind **at = d->kinds; at < k; at++)
        if (same_version(*at, *k))
            return false;
    return true;
}

static bool first_of_group(const struct discovery *d, const struct schema_kind **k)
{
    for (const struct schema_kind **at = d->kinds; at < k; at++)
        if (strcmp((*at)->group, (*k)->group) == 0)
            return false;
    return true;
}

static void put_group(struct buf *b, const struct discovery *d, const struct schema_kind **first,
                      bool alone)
{
    buf_puts(b, alone ? "{\"kind\":\"APIGroup\",\"apiVersion\":\"v1\"," : "{");
    buf_printf(b, "\"name\":\"%s\",\"versions\":[", (*first)->group);
    size_t n = 0;
    for (const struct schema_kind **k = first; *k; k++) {
        if (strcmp((*k)->group, (*first)->group) != 0 || !first_of_version(d, k))
            continue;
        buf_puts(b, n++ ? "," : "");
        put_group_version(b, *k);
    }
    buf_puts(b, "],\"preferredVersion\":");
    put_group_version(b, *first);
    buf_putc(b, '}');
}

/* --- the aggregated form --- */
static void put_kind(struct buf *b, const char *group, const char *version, const char *kind)
{
    buf_printf(b, "\"responseKind\":{\"group\":\"%s\",\"version\":\"%s\",\"kind\":\"%s\"}", group,
               version, kind);
}

static void put_aggregated_resource(struct buf *b, const struct schema_kind *k)
{
    buf_printf(b, "{\"resource\":\"%s\",", k->resource);
    put_kind(b, k->group, k->version, k->kind);
    buf_printf(b, ",\"scope\":\"%s\",\"singularResource\":\"%s\"",
               k->namespaced ? "Namespaced" : "Cluster", k->singular);
    put_words(b, "verbs", k->verbs, SIZE_MAX);
    put_words(b, "shortNames", k->short_names, SIZE_MAX);
    put_words(b, "categories", k->categories, SIZE_MAX);
    for (const char *const *s = k->subresources; s && *s; s++) {
        const struct sub *sub = find_sub(*s);
        buf_printf(b, "%s{\"subresource\":\"%s\",",
                   s == k->subresources ? ",\"subresources\":[" : ",", *s);
        put_kind(b, sub->group ? sub->group : k->group, sub->version ? sub->version : k->version,
                 sub->kind ? sub->kind : k->kind);
        put_words(b, "verbs", sub->verbs, ARRAY_LEN(sub->verbs));
        buf_putc(b, '}');
    }
    buf_puts(b, k->subresources && k->subresources[0] ? "]}" : "}");
}

static void put_aggregated_group(struct buf *b, const struct discovery *d,
                                 const struct schema_kind **first)
{
    buf_puts(b, "{\"metadata\":{");
    if (*(*first)->group)
        buf_printf(b, "\"name\":\"%s\"", (*first)->group);
    buf_puts(b, "},\"versions\":[");
    size_t versions = 0;
    for (const struct schema_kind **v = first; *v; v++) {
        if (strcmp((*v)->group, (*first)->group) != 0 || !first_of_version(d, v))
            continue;
        buf_printf(b, "%s{\"version\":\"%s\",\"resources\":[", versions++ ? "," : "",
                   (*v)->version);
        size_t n = 0;
        for (const struct schema_kind **k = v; *k; k++) {
            if (!same_version(*k, *v))
                continue;
            buf_puts(b, n++ ? "," : "");
            put_aggregated_resource(b, *k);
        }
        buf_puts(b, "],\"freshness\":\"Current\"}");
    }
    buf_puts(b, "]}");
}

/* --- documents --- */
static void seal(struct document *doc, struct buf *b)
{
    buf_putc(b, '\n');
    doc->json = bytes_new(buf_str(b));
    snprintf(doc->etag, sizeof(doc->etag), "\"%016llX\"",
             (unsigned long long)XXH3_64bits(b->p, b->n));
    buf_clear(b);
}

static void make_aggregated(struct discovery *d, struct buf *b)
{
    for (int core = 0; core < 2; core++) {
        buf_puts(b, "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":\"apidiscovery.k8s.io/v2\","
                    "\"metadata\":{},\"items\":[");
        size_t n = 0;
        for (const struct schema_kind **k = d->kinds; *k; k++) {
            if ((*(*k)->group == '\0') != core || !first_of_group(d, k))
                continue;
            buf_puts(b, n++ ? "," : "");
            put_aggregated_group(b, d, k);
        }
        buf_puts(b, "]}");
        seal(core ? &d->api : &d->apis, b);
    }
}

static void make_groups(struct discovery *d, struct buf *b)
{
    struct buf list = {0};
    buf_puts(&list, "{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[");
    size_t n = 0;
    for (const struct schema_kind **k = d->kinds; *k; k++) {
        if (!*(*k)->group || !first_of_group(d, k))
            continue;
        buf_puts(&list, n++ ? "," : "");
        put_group(&list, d, k, false);
        struct document *doc = NEW(struct document);
        put_group(b, d, k, true);
        seal(doc, b);
        map_set(&d->by_group, str_of((*k)->group), doc);
    }
    buf_puts(&list, "]}");
    seal(&d->groups, &list);
    buf_done(&list);
}

static void make_resources(struct discovery *d, struct buf *b)
{
    for (const struct schema_kind **v = d->kinds; *v; v++) {
        if (!first_of_version(d, v))
            continue;
        char name[512];
        snprintf(name, sizeof(name), "%s%s%s", (*v)->group, *(*v)->group ? "/" : "", (*v)->version);
        /* Upstream leaves apiVersion out of v1's list. */
        buf_printf(b, "{\"kind\":\"APIResourceList\",%s\"groupVersion\":\"%s\",\"resources\":[",
                   *(*v)->group ? "\"apiVersion\":\"v1\"," : "", name);
        size_t n = 0;
        for (const struct schema_kind **k = v; *k; k++) {
            if (!same_version(*k, *v))
                continue;
            buf_puts(b, n++ ? "," : "");
            put_resource(b, *k);
        }
        buf_puts(b, "]}");
        struct document *doc = NEW(struct document);
        seal(doc, b);
        map_set(&d->resources, str_of(name), doc);
    }
}

struct discovery *discovery_new(const struct schema_kind *const *custom)
{
    struct discovery *d = NEW(struct discovery);
    struct buf b = {0};
    size_t built_in = 0, more = 0;
    while (schema_kinds[built_in].kind)
        built_in++;
    while (custom[more])
        more++;
    d->kinds = mem_zalloc((built_in + more + 1) * sizeof(*d->kinds));
    for (size_t i = 0; i < built_in; i++)
        d->kinds[i] = &schema_kinds[i];
    for (size_t i = 0; i < more; i++)
        d->kinds[built_in + i] = custom[i];
    make_aggregated(d, &b);
    make_groups(d, &b);
    make_resources(d, &b);
    buf_puts(&b,
             "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"],\"serverAddressByClientCIDRs\":[]}");
    seal(&d->versions, &b);
    buf_done(&b);
    free(d->kinds);
    d->kinds = NULL;
    return d;
}

static void free_documents(struct map *m)
{
    for (struct map_entry *e = NULL; (e = map_next(m, e));) {
        struct document *doc = e->value;
        bytes_unref(doc->json);
        free(doc);
    }
    map_done(m);
}

void discovery_free(struct discovery *d)
{
    if (!d)
        return;
    bytes_unref(d->api.json);
    bytes_unref(d->apis.json);
    bytes_unref(d->versions.json);
    bytes_unref(d->groups.json);
    free_documents(&d->resources);
    free_documents(&d->by_group);
    free(d);
}

static enum call_next reply_document(struct call *c, const struct document *doc, const char *type)
{
    call_header(c, "etag", str_of(doc->etag));
    call_header(c, "vary", STR("Accept"));
    c->reply_type = type;
    if (c->request && str_is(http_request_header(c->request, "if-none-match"), doc->etag))
        return call_reply(c, 304, NULL);
    return call_reply(c, 200, bytes_ref(doc->json));
}

static bool wants_aggregated(struct str accept)
{
    struct str range;
    while (str_next(&accept, ',', &range))
        if (str_find(range, STR("as=APIGroupDiscoveryList")) >= 0 &&
            str_find(range, STR("v=v2")) >= 0 && str_find(range, STR("v=v2beta1")) < 0)
            return true;
    return false;
}

static const struct document *find_document(struct call *c, const struct discovery *d)
{
    const struct route *r = &c->route;
    if (!r->group.n && !r->version.n)
        return r->core ? &d->versions : &d->groups;
    if (!r->version.n)
        return map_get(&d->by_group, r->group);
    return map_get(&d->resources, r->core ? r->version
                                          : arena_printf(&c->arena, "%.*s/%.*s", STR_ARG(r->group),
                                                         STR_ARG(r->version)));
}

enum call_next discovery_serve(struct call *c)
{
    const struct route *r = &c->route;
    struct crd_catalog *catalog = crd_catalog_get(c->api);
    const struct discovery *d = catalog->discovery;
    bool aggregated = !r->group.n && !r->version.n && wants_aggregated(c->accept);
    const struct document *doc = aggregated ? (r->core ? &d->api : &d->apis) : find_document(c, d);
    enum call_next next =
        doc ? reply_document(c, doc, aggregated ? AGGREGATED : NULL) : call_reply_not_found_page(c);
    crd_catalog_unref(catalog);
    return next;
}
