#include "doc/schema.h"
#include "doc/schema_internal.h"

#include <stdio.h>

const struct schema *schema_find(struct str name)
{
    size_t low = 0, high = schema_table_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = str_cmp(name, str_of(schema_table[mid].name));
        if (order == 0)
            return &schema_table[mid];
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

ssize_t schema_field_index(const struct schema *s, struct str name)
{
    size_t low = 0, high = s ? s->by_name_count : 0;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = str_cmp(name, str_of(s->by_name[mid]->name));
        if (order == 0)
            return (ssize_t)mid;
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return -1;
}

const struct schema_field *schema_field(const struct schema *s, struct str name)
{
    ssize_t i = schema_field_index(s, name);
    return i < 0 ? NULL : s->by_name[i];
}

static bool is_version(struct str api_version, const char *group, const char *version)
{
    size_t n = strlen(group);
    if (n == 0)
        return str_is(api_version, version);
    return api_version.n > n && api_version.p[n] == '/' && memcmp(api_version.p, group, n) == 0 &&
           str_is(str_from(api_version, n + 1), version);
}

/* The kinds of meta/v1 that every group serves under its own version. */
static const struct schema *meta_kind(struct str kind)
{
    static const char *const kinds[] = {
        "Status",        "DeleteOptions",
        "CreateOptions", "UpdateOptions",
        "PatchOptions",  "GetOptions",
        "ListOptions",   "PartialObjectMetadata",
        "List",          "PartialObjectMetadataList",
    };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!str_is(kind, kinds[i]))
            continue;
        char name[96];
        int n = snprintf(name, sizeof(name), "io.k8s.apimachinery.pkg.apis.meta.v1.%s", kinds[i]);
        return schema_find((struct str){name, (size_t)n});
    }
    return NULL;
}

const struct schema *schema_of_kind(struct str api_version, struct str kind)
{
    for (const struct schema_kind *k = schema_kinds; k->kind; k++) {
        if (is_version(api_version, k->group, k->version)) {
            if (str_is(kind, k->kind))
                return k->schema;
            if (k->list_kind && str_is(kind, k->list_kind))
                return k->list_schema;
        }
        for (const struct schema_subresource *sub = k->subresource_info; sub->name; sub++)
            if (str_is(kind, sub->kind) && is_version(api_version, sub->group, sub->version))
                return sub->schema;
    }
    return meta_kind(kind);
}

bool schema_is_zero(const struct schema_field *f, const val *v)
{
    if (val_is_null(v))
        return true;
    if (f->pointer)
        return false;
    switch (f->schema->type) {
    case SCHEMA_OBJECT:
        return false;
    case SCHEMA_MAP:
    case SCHEMA_ARRAY:
        return val_len(v) == 0;
    case SCHEMA_STRING:
    case SCHEMA_BYTES:
        return val_is_str(v) && val_str(v).n == 0;
    case SCHEMA_BOOL:
        return val_is_bool(v) && !val_bool(v);
    case SCHEMA_INT32:
    case SCHEMA_INT64:
    case SCHEMA_DOUBLE:
        return val_is_num(v) && val_real(v) == 0;
    default:
        return false;
    }
}

size_t path_push(struct buf *path, struct str name)
{
    size_t n = path->n;
    if (n)
        buf_putc(path, '.');
    buf_put(path, name);
    return n;
}

size_t path_push_index(struct buf *path, size_t i)
{
    size_t n = path->n;
    buf_printf(path, "[%zu]", i);
    return n;
}

void path_pop(struct buf *path, size_t n)
{
    path->n = n;
    if (path->p)
        path->p[n] = '\0';
}
