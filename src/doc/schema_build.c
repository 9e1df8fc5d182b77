#include "doc/schema_build.h"

#include <stdlib.h>

enum { DEPTH_MAX = 100 };

/* What nothing is said about: objects are merged member by member, lists are one value
 * (structured-merge-diff's deduced type). */
static const struct schema anything = {.type = SCHEMA_MAP, .items = &anything};
static const struct schema text = {.type = SCHEMA_STRING};

static const struct schema *build(struct arena *a, const val *node, bool root, int depth);

static bool is(const val *node, const char *member, const char *word)
{
    return str_is(VAL_STR(node, member), word);
}

static const char *const *words(struct arena *a, const val *list)
{
    const char **out = arena_zalloc(a, (val_len(list) + 1) * sizeof(*out));
    size_t n = 0;
    VAL_FOR (list, word)
        out[n++] = arena_z(a, val_str(word));
    return out;
}

static const char *json_text(struct arena *a, const val *v)
{
    struct buf b = {0};
    val_write_json(v, &b);
    const char *z = arena_z(a, buf_str(&b));
    buf_done(&b);
    return z;
}

/* What stands on a list or map is kept by the field that holds it. */
static void describe(struct arena *a, struct schema_field *f, const val *node)
{
    if (is(node, "x-kubernetes-list-type", "map")) {
        f->list = SCHEMA_LIST_MAP;
        f->list_keys = words(a, val_get(node, "x-kubernetes-list-map-keys"));
    } else if (is(node, "x-kubernetes-list-type", "set")) {
        f->list = SCHEMA_LIST_SET;
    } else if (f->schema->type == SCHEMA_MAP || f->schema->type == SCHEMA_OBJECT) {
        f->list =
            is(node, "x-kubernetes-map-type", "atomic") ? SCHEMA_MAP_ATOMIC : SCHEMA_MAP_GRANULAR;
    }
    const val *def = val_get(node, "default");
    if (def)
        f->default_json = json_text(a, def);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct schema_field *const *)a)->name,
                  (*(const struct schema_field *const *)b)->name);
}

static void index_fields(struct arena *a, struct schema *s)
{
    const struct schema_field **index = arena_zalloc(a, (s->field_count + 1) * sizeof(*index));
    for (size_t i = 0; i < s->field_count; i++)
        index[i] = &s->fields[i];
    qsort(index, s->field_count, sizeof(*index), by_name);
    s->by_name = index;
    s->by_name_count = (uint16_t)s->field_count;
}

static bool is_given(struct str name)
{
    return str_is(name, "apiVersion") || str_is(name, "kind") || str_is(name, "metadata");
}

static struct schema *build_object(struct arena *a, const val *node, bool root, int depth)
{
    const val *properties = val_get(node, "properties");
    size_t room = val_len(properties) + 3;
    struct schema_field *fields = arena_zalloc(a, room * sizeof(*fields));
    struct schema *s = ARENA_NEW(a, struct schema);
    size_t n = 0;
    if (root) {
        fields[n++] = (struct schema_field){.name = "apiVersion", .schema = &text};
        fields[n++] = (struct schema_field){.name = "kind", .schema = &text};
        fields[n++] = (struct schema_field){
            .name = "metadata",
            .schema = schema_find(STR("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"))};
    }
    VAL_EACH (properties, key, member) {
        if ((root && is_given(val_str(key))) || n == UINT16_MAX)
            continue;
        struct schema_field *f = &fields[n++];
        f->name = arena_z(a, val_str(key));
        f->schema = build(a, member, false, depth + 1);
        f->pointer = true;
        describe(a, f, member);
    }
    s->type = SCHEMA_OBJECT;
    s->fields = fields;
    s->field_count = n;
    if (VAL_BOOL(node, "x-kubernetes-preserve-unknown-fields"))
        s->items = &anything;
    s->map = is(node, "x-kubernetes-map-type", "atomic") ? SCHEMA_MAP_ATOMIC : SCHEMA_MAP_GRANULAR;
    index_fields(a, s);
    return s;
}

static struct schema *build_of(struct arena *a, enum schema_type type, const struct schema *items)
{
    struct schema *s = ARENA_NEW(a, struct schema);
    s->type = type;
    s->items = items;
    return s;
}

static const struct schema *build(struct arena *a, const val *node, bool root, int depth)
{
    static const struct schema either = {.type = SCHEMA_INT_OR_STRING},
                               boolean = {.type = SCHEMA_BOOL}, integer = {.type = SCHEMA_INT64},
                               number = {.type = SCHEMA_DOUBLE};
    if (depth > DEPTH_MAX)
        return &anything;
    bool embedded = VAL_BOOL(node, "x-kubernetes-embedded-resource");
    if (VAL_BOOL(node, "x-kubernetes-int-or-string"))
        return &either;
    if (is(node, "type", "object") && (val_len(val_get(node, "properties")) || root || embedded))
        return build_object(a, node, root || embedded, depth);
    if (is(node, "type", "object")) {
        const val *more = val_get(node, "additionalProperties");
        return val_is_obj(more) ? build_of(a, SCHEMA_MAP, build(a, more, false, depth + 1))
                                : &anything;
    }
    if (is(node, "type", "array"))
        return build_of(a, SCHEMA_ARRAY, build(a, val_get(node, "items"), false, depth + 1));
    return is(node, "type", "string")    ? &text
           : is(node, "type", "boolean") ? &boolean
           : is(node, "type", "integer") ? &integer
           : is(node, "type", "number")  ? &number
                                         : &anything;
}

struct schema *schema_build(struct arena *a, const val *openapi)
{
    return build_object(a, openapi, true, 0);
}
