#include "api/openapi/openapi.h"
#include "api/openapi/internal.h"

#include <stdio.h>
#include <xxhash.h>

#include "base/map.h"

/* --- JSON --- */
static void separate(struct writer *w)
{
    char last = w->b->n ? w->b->p[w->b->n - 1] : '{';
    if (last != '{' && last != '[' && last != ':')
        buf_putc(w->b, ',');
}

void json_open(struct writer *w, char bracket)
{
    separate(w);
    buf_putc(w->b, bracket);
}

void json_close(struct writer *w, char bracket)
{
    buf_putc(w->b, bracket);
}

void json_str(struct writer *w, const char *value)
{
    separate(w);
    buf_putc(w->b, '"');
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            buf_putc(w->b, '\\');
        buf_putc(w->b, *value);
    }
    buf_putc(w->b, '"');
}

void json_key(struct writer *w, const char *key)
{
    json_str(w, key);
    buf_putc(w->b, ':');
}

void json_pair(struct writer *w, const char *key, const char *value)
{
    json_key(w, key);
    json_str(w, value);
}

void json_raw(struct writer *w, const char *json)
{
    separate(w);
    buf_puts(w->b, json);
}

static void json_list(struct writer *w, const char *key, const char *const *values)
{
    json_key(w, key);
    json_open(w, '[');
    for (; *values; values++)
        json_str(w, *values);
    json_close(w, ']');
}

/* The least of the values that comes after `after` (NULL: of all), or NULL. */
static const char *next_sorted(const char *const *values, const char *after)
{
    const char *least = NULL;
    for (; *values; values++)
        if ((!after || strcmp(*values, after) > 0) && (!least || strcmp(*values, least) < 0))
            least = *values;
    return least;
}

/* Sorted, as upstream publishes enums; the tables have the order of error messages. */
static void json_enum(struct writer *w, const char *const *values)
{
    json_key(w, "enum");
    json_open(w, '[');
    for (const char *v = NULL; (v = next_sorted(values, v));)
        json_str(w, v);
    json_close(w, ']');
}

/* --- definitions --- */
void openapi_gvk(struct writer *w, const char *group, const char *version, const char *kind)
{
    json_open(w, '{');
    json_pair(w, "group", group);
    json_pair(w, "kind", kind);
    json_pair(w, "version", version);
    json_close(w, '}');
}

void openapi_ref(struct writer *w, const char *name)
{
    json_open(w, '{');
    json_key(w, "$ref");
    separate(w);
    buf_printf(w->b, "\"#/%s/%s\"", w->v3 ? "components/schemas" : "definitions", name);
    json_close(w, '}');
}

static void write_type(struct writer *w, const char *type, const char *format)
{
    if (format)
        json_pair(w, "format", format);
    json_pair(w, "type", type);
}

/* v3 can say that a value has one of two types; v2 names the first one. */
static void write_either(struct writer *w, const char *format, const char *one, const char *other)
{
    if (format)
        json_pair(w, "format", format);
    if (!w->v3) {
        json_pair(w, "type", "string");
        return;
    }
    json_key(w, "oneOf");
    json_open(w, '[');
    for (int i = 0; i < 2; i++) {
        json_open(w, '{');
        json_pair(w, "type", i == 0 ? one : other);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void write_items(struct writer *w, const struct schema *s, const char *const *enums);

/* The members that describe a type, inside an open object. The enums of an array or a
 * map are its items'. */
static void write_members(struct writer *w, const struct schema *s, const char *const *enums)
{
    switch (s->type) {
    case SCHEMA_OBJECT: /* written by write_definition */
        break;
    case SCHEMA_MAP:
        json_key(w, "additionalProperties");
        write_items(w, s->items, enums);
        write_type(w, "object", NULL);
        break;
    case SCHEMA_ARRAY:
        json_key(w, "items");
        write_items(w, s->items, enums);
        write_type(w, "array", NULL);
        break;
    case SCHEMA_STRING:
    case SCHEMA_DURATION:
        write_type(w, "string", NULL);
        if (enums)
            json_enum(w, enums);
        break;
    case SCHEMA_BYTES:
        write_type(w, "string", "byte");
        break;
    case SCHEMA_BOOL:
        write_type(w, "boolean", NULL);
        break;
    case SCHEMA_INT32:
        write_type(w, "integer", "int32");
        break;
    case SCHEMA_INT64:
        write_type(w, "integer", "int64");
        break;
    case SCHEMA_DOUBLE:
        write_type(w, "number", "double");
        break;
    case SCHEMA_QUANTITY:
        write_either(w, NULL, "string", "number");
        break;
    case SCHEMA_TIME:
    case SCHEMA_MICRO_TIME:
        write_type(w, "string", "date-time");
        break;
    case SCHEMA_INT_OR_STRING:
        write_either(w, "int-or-string", "integer", "string");
        break;
    case SCHEMA_FIELDS_V1:
        write_type(w, "object", NULL);
        break;
    case SCHEMA_RAW:
        if (s->name && str_ends(str_of(s->name), STR(".RawExtension")))
            write_type(w, "object", NULL);
        break;
    case SCHEMA_PROPS_OR_BOOL:
    case SCHEMA_PROPS_OR_ARRAY:
    case SCHEMA_PROPS_OR_STRINGS:
        break; /* any JSON */
    }
}

/* What an array or a map holds. */
static void write_items(struct writer *w, const struct schema *s, const char *const *enums)
{
    if (s->name) {
        openapi_ref(w, s->name);
        return;
    }
    json_open(w, '{');
    write_members(w, s, enums);
    json_close(w, '}');
}

static void write_patch(struct writer *w, const struct schema_field *f)
{
    static const struct {
        uint8_t bit;
        const char *name;
    } strategies[] = {{SCHEMA_PATCH_MERGE, "merge"},
                      {SCHEMA_PATCH_REPLACE, "replace"},
                      {SCHEMA_PATCH_RETAIN_KEYS, "retainKeys"}};
    if (f->merge_key)
        json_pair(w, "x-kubernetes-patch-merge-key", f->merge_key);
    if (!f->patch)
        return;
    char text[32] = "";
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(strategies); i++)
        if (f->patch & strategies[i].bit)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? "," : "",
                                  strategies[i].name);
    json_pair(w, "x-kubernetes-patch-strategy", text);
}

static void write_lists(struct writer *w, const struct schema_field *f)
{
    static const char *const names[] = {
        [SCHEMA_LIST_ATOMIC] = "atomic", [SCHEMA_LIST_SET] = "set", [SCHEMA_LIST_MAP] = "map"};
    if (f->list_keys)
        json_list(w, "x-kubernetes-list-map-keys", f->list_keys);
    if (f->schema->type == SCHEMA_ARRAY)
        json_pair(w, "x-kubernetes-list-type", names[f->list]);
    else if (f->list == SCHEMA_MAP_ATOMIC && !f->schema->name)
        json_pair(w, "x-kubernetes-map-type", "atomic");
}

static void write_field(struct writer *w, const struct schema *of, const struct schema_field *f)
{
    const struct schema *s = f->schema;
    const char *text = openapi_description(of->name, f->name);
    json_key(w, f->name);
    if (s->name && !w->v3) {
        openapi_ref(w, s->name); /* nothing may stand beside a reference */
        return;
    }
    json_open(w, '{');
    if (text)
        json_pair(w, "description", text);
    if (s->name) {
        json_key(w, "allOf");
        json_open(w, '[');
        openapi_ref(w, s->name);
        json_close(w, ']');
    } else {
        write_members(w, s, f->enums);
    }
    if (f->default_json && !f->default_when && s->type != SCHEMA_OBJECT && w->v3) {
        json_key(w, "default");
        json_raw(w, f->default_json);
    } else if (s->type == SCHEMA_OBJECT && !f->pointer && w->v3) {
        json_key(w, "default");
        json_raw(w, "{}");
    }
    write_lists(w, f);
    write_patch(w, f);
    json_close(w, '}');
}

struct gvk {
    const char *group, *version, *kind;
};

/* The kind that a definition is the schema of. False: it is a part of others. */
static bool find_gvk(const struct schema *s, struct gvk *ret)
{
    for (const struct schema_kind *k = schema_kinds; k->kind; k++) {
        *ret = (struct gvk){k->group, k->version, k->schema == s ? k->kind : k->list_kind};
        if (k->schema == s || k->list_schema == s)
            return true;
    }
    for (const struct schema_kind *k = schema_kinds; k->kind; k++)
        for (const struct schema_subresource *sub = k->subresource_info; sub->name; sub++)
            if (sub->schema == s) {
                *ret = (struct gvk){sub->group, sub->version, sub->kind};
                return true;
            }
    *ret = (struct gvk){"", "v1", strrchr(s->name, '.') + 1};
    return schema_of_kind(STR("v1"), str_of(ret->kind)) == s;
}

static void write_definition(struct writer *w, const struct schema *s)
{
    json_key(w, s->name);
    json_open(w, '{');
    if (s->type != SCHEMA_OBJECT) {
        write_members(w, s, NULL);
        json_close(w, '}');
        return;
    }
    bool required = false;
    if (s->by_name_count) {
        json_key(w, "properties");
        json_open(w, '{');
        for (size_t i = 0; i < s->by_name_count; i++) {
            write_field(w, s, s->by_name[i]);
            required = required || s->by_name[i]->required;
        }
        json_close(w, '}');
    }
    if (required) {
        json_key(w, "required");
        json_open(w, '[');
        for (size_t i = 0; i < s->by_name_count; i++)
            if (s->by_name[i]->required)
                json_str(w, s->by_name[i]->name);
        json_close(w, ']');
    }
    write_type(w, "object", NULL);
    struct gvk gvk;
    if (find_gvk(s, &gvk)) {
        json_key(w, "x-kubernetes-group-version-kind");
        json_open(w, '[');
        openapi_gvk(w, gvk.group, gvk.version, gvk.kind);
        json_close(w, ']');
    }
    if (s->map == SCHEMA_MAP_ATOMIC)
        json_pair(w, "x-kubernetes-map-type", "atomic");
    json_close(w, '}');
}

/* --- which definitions a document needs --- */
struct reach {
    struct map seen;
    const struct schema **list; /* named ones */
    size_t count, cap;
};

static void reach(struct reach *r, const struct schema *s)
{
    while (s && !s->name)
        s = s->items;
    if (!s || map_set(&r->seen, str_of(s->name), r))
        return;
    if (r->count == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 256;
        r->list = mem_realloc_array(r->list, r->cap, sizeof(struct schema *));
    }
    r->list[r->count++] = s;
    for (size_t i = 0; i < s->by_name_count; i++)
        reach(r, s->by_name[i]->schema);
}

static void reach_kind(struct reach *r, const struct schema_kind *k)
{
    reach(r, k->schema);
    reach(r, k->list_schema);
    for (const struct schema_subresource *sub = k->subresource_info; sub->name; sub++)
        if (!openapi_is_stream(sub))
            reach(r, sub->schema);
    reach(r, schema_of_kind(STR("v1"), STR("DeleteOptions")));
    reach(r, schema_of_kind(STR("v1"), STR("Status")));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const struct schema *const *)a)->name,
                  (*(const struct schema *const *)b)->name);
}

static bool same_group(const struct schema_kind *a, const struct schema_kind *b)
{
    return a->kind && strcmp(a->group, b->group) == 0 && strcmp(a->version, b->version) == 0;
}

/* group: the custom resources of this group-version; NULL: all. */
static void write_definitions(struct writer *w, struct reach *r, const struct crd_catalog *custom,
                              const struct schema_kind *group)
{
    qsort(r->list, r->count, sizeof(*r->list), compare_names);
    json_open(w, '{');
    for (size_t i = 0; i < r->count; i++)
        write_definition(w, r->list[i]);
    for (size_t i = 0; custom && i < custom->kind_count; i++)
        if (!group || same_group(&custom->kinds[i]->info, group))
            openapi_custom_definitions(w, custom->kinds[i]);
    /* The body of a patch: any JSON. */
    json_key(w, "io.k8s.apimachinery.pkg.apis.meta.v1.Patch");
    json_open(w, '{');
    write_type(w, "object", NULL);
    json_close(w, '}');
    json_close(w, '}');
    map_done(&r->seen);
    free(r->list);
}

/* --- documents --- */
static void write_info(struct writer *w)
{
    json_key(w, "info");
    json_open(w, '{');
    json_pair(w, "title", "Kubernetes");
    json_pair(w, "version", "unversioned");
    json_close(w, '}');
}

static size_t group_path(const struct schema_kind *k, char *ret, size_t size)
{
    int n = k->group[0] ? snprintf(ret, size, "apis/%s/%s", k->group, k->version)
                        : snprintf(ret, size, "api/%s", k->version);
    return (size_t)n;
}

static bool is_at(const struct schema_kind *k, struct str path)
{
    char name[512];
    return str_eq(path, (struct str){name, group_path(k, name, sizeof(name))});
}

/* The first kind of the group-version, or NULL. */
static const struct schema_kind *first_kind(const struct crd_catalog *custom, struct str path)
{
    for (const struct schema_kind *k = schema_kinds; k->kind; k++)
        if (is_at(k, path))
            return k;
    for (size_t i = 0; custom && i < custom->kind_count; i++)
        if (is_at(&custom->kinds[i]->info, path))
            return &custom->kinds[i]->info;
    return NULL;
}

/* What the definitions of custom resources refer to. */
static void reach_custom(struct reach *r, const struct schema_kind *k)
{
    reach(r, schema_find(STR("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")));
    reach(r, schema_find(STR("io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta")));
    reach(r, schema_of_kind(STR("v1"), STR("DeleteOptions")));
    reach(r, schema_of_kind(STR("v1"), STR("Status")));
    for (const struct schema_subresource *sub = k->subresource_info; sub->name; sub++)
        if (sub->schema != k->schema)
            reach(r, sub->schema);
}

/* The members of "paths", and what they need. group as above. */
static void write_paths(struct writer *w, struct reach *r, const struct crd_catalog *custom,
                        const struct schema_kind *group)
{
    for (const struct schema_kind *k = schema_kinds; k->kind; k++) {
        if (group && !same_group(k, group))
            continue;
        openapi_kind_paths(w, k);
        reach_kind(r, k);
    }
    for (size_t i = 0; custom && i < custom->kind_count; i++) {
        const struct schema_kind *k = &custom->kinds[i]->info;
        if (group && !same_group(k, group))
            continue;
        openapi_kind_paths(w, k);
        reach_custom(r, k);
    }
}

int openapi_v3(const struct crd_catalog *custom, struct str path, struct buf *b)
{
    const struct schema_kind *first = first_kind(custom, path);
    if (!first)
        return -1;
    struct buf text = {0};
    struct writer w = {&text, true};
    struct reach r = {0};
    json_open(&w, '{');
    json_pair(&w, "openapi", "3.0.0");
    write_info(&w);
    json_key(&w, "paths");
    json_open(&w, '{');
    write_paths(&w, &r, custom, first);
    json_close(&w, '}');
    json_key(&w, "components");
    json_open(&w, '{');
    json_key(&w, "schemas");
    write_definitions(&w, &r, custom, first);
    json_raw(&w, "\"securitySchemes\":{\"BearerToken\":{\"in\":\"header\","
                 "\"name\":\"authorization\",\"type\":\"apiKey\"}}");
    json_close(&w, '}');
    json_close(&w, '}');
    buf_put(b, buf_str(&text));
    buf_done(&text);
    return 0;
}

int openapi_v3_hash(const struct crd_catalog *custom, struct str path, char ret[OPENAPI_HASH_TEXT])
{
    struct buf b = {0};
    if (openapi_v3(custom, path, &b) < 0)
        return -1;
    XXH128_hash_t hash = XXH3_128bits(b.p, b.n);
    snprintf(ret, OPENAPI_HASH_TEXT, "%016llX%016llX", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
    buf_done(&b);
    return 0;
}

static void index_group(struct writer *w, const struct crd_catalog *custom,
                        const struct schema_kind *k)
{
    char path[512], hash[OPENAPI_HASH_TEXT], url[640];
    size_t n = group_path(k, path, sizeof(path));
    openapi_v3_hash(custom, (struct str){path, n}, hash);
    snprintf(url, sizeof(url), "/openapi/v3/%s?hash=%s", path, hash);
    json_key(w, path);
    json_open(w, '{');
    json_pair(w, "serverRelativeURL", url);
    json_close(w, '}');
}

static bool is_built_in(const struct schema_kind *group)
{
    for (const struct schema_kind *k = schema_kinds; k->kind; k++)
        if (same_group(k, group))
            return true;
    return false;
}

int openapi_v3_index(const struct crd_catalog *custom, struct buf *b)
{
    struct buf text = {0};
    struct writer w = {&text, true};
    const struct schema_kind *last = NULL;
    json_open(&w, '{');
    json_key(&w, "paths");
    json_open(&w, '{');
    for (const struct schema_kind *k = schema_kinds; k->kind; k++) {
        if (!last || !same_group(k, last))
            index_group(&w, custom, k);
        last = k;
    }
    for (size_t i = 0; custom && i < custom->kind_count; i++) {
        const struct schema_kind *k = &custom->kinds[i]->info;
        if (!same_group(k, last) && !is_built_in(k))
            index_group(&w, custom, k);
        last = k;
    }
    json_close(&w, '}');
    json_close(&w, '}');
    buf_put(b, buf_str(&text));
    buf_done(&text);
    return 0;
}

int openapi_v2(const struct crd_catalog *custom, struct buf *b)
{
    struct buf text = {0};
    struct writer w = {&text, false};
    struct reach r = {0};
    json_open(&w, '{');
    json_pair(&w, "swagger", "2.0");
    write_info(&w);
    json_key(&w, "paths");
    json_open(&w, '{');
    write_paths(&w, &r, custom, NULL);
    json_close(&w, '}');
    json_key(&w, "definitions");
    write_definitions(&w, &r, custom, NULL);
    json_raw(&w, "\"security\":[{\"BearerToken\":[]}],\"securityDefinitions\":{\"BearerToken\":{"
                 "\"in\":\"header\",\"name\":\"authorization\",\"type\":\"apiKey\"}}");
    json_close(&w, '}');
    buf_put(b, buf_str(&text));
    buf_done(&text);
    return 0;
}
