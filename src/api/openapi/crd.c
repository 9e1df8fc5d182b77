/* The definitions of custom resources in the OpenAPI documents: the schema that their author wrote,
 * with what every object has (k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder). */
#include "api/openapi/internal.h"

#define META "io.k8s.apimachinery.pkg.apis.meta.v1."

static val *reference(struct writer *w, struct doc *d, const char *name)
{
    val *v = val_new_obj(d), *ref = val_new_obj(d);
    val_set(d, ref, "$ref",
            val_new_strf(d, "#/%s/%s", w->v3 ? "components/schemas" : "definitions", name));
    if (!w->v3)
        return ref;
    val_push(val_ensure_arr(d, v, "allOf"), ref);
    return v;
}

/* Swagger 2.0 cannot say everything; what is left out is not checked by clients. */
static void reduce(val *node, int depth)
{
    enum { DEPTH_MAX = 100 };
    static const char *const unknown[] = {
        "nullable", "oneOf", "anyOf", "allOf", "not", "x-kubernetes-validations", "default"};
    if (!val_is_obj(node) || depth > DEPTH_MAX)
        return;
    bool free = VAL_BOOL(node, "x-kubernetes-preserve-unknown-fields") ||
                VAL_BOOL(node, "nullable") || VAL_BOOL(node, "x-kubernetes-int-or-string");
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
        val_del(node, unknown[i]);
    if (free) {
        val_del(node, "type");
        val_del(node, "items");
        val_del(node, "properties");
        return;
    }
    VAL_EACH (val_get(node, "properties"), key, member) {
        (void)key;
        reduce(member, depth + 1);
    }
    reduce(val_get(node, "items"), depth + 1);
    reduce(val_get(node, "additionalProperties"), depth + 1);
}

static void put_kind(struct doc *d, val *node, const struct schema_kind *k, const char *kind)
{
    val *gvk = val_new_obj(d);
    val_set_z(d, gvk, "group", k->group);
    val_set_z(d, gvk, "kind", kind);
    val_set_z(d, gvk, "version", k->version);
    val_push(val_ensure_arr(d, node, "x-kubernetes-group-version-kind"), gvk);
}

static void put_given(struct writer *w, struct doc *d, val *properties, const char *meta)
{
    static const char *const names[] = {"apiVersion", "kind"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        val *text = val_new_obj(d);
        val_set_z(d, text, "description", openapi_description(NULL, names[i]));
        val_set_z(d, text, "type", "string");
        val_set(d, properties, names[i], text);
    }
    val *metadata = reference(w, d, meta);
    const char *text = openapi_description(meta, "metadata");
    if (w->v3)
        val_set_z(d, metadata, "description", text ? text : openapi_description(NULL, "metadata"));
    val_set(d, properties, "metadata", metadata);
}

static void put_definition(struct writer *w, const char *name, const val *node)
{
    struct buf b = {0};
    val_write_json(node, &b);
    json_key(w, name);
    json_raw(w, buf_z(&b));
    buf_done(&b);
}

void openapi_custom_definitions(struct writer *w, const struct crd_version *version)
{
    struct doc d;
    const struct schema_kind *k = &version->info;
    doc_init(&d);
    val *node = version->openapi ? val_copy(&d, version->openapi) : val_new_obj(&d);
    if (!w->v3 && version->schema && version->schema->preserve)
        node = val_new_obj(&d); /* Swagger cannot tell what is kept: nothing is said */
    else if (!w->v3)
        reduce(node, 0);
    if (!val_len(node))
        val_set_z(&d, node, "type", "object");
    put_given(w, &d, val_ensure_obj(&d, node, "properties"), META "ObjectMeta");
    put_kind(&d, node, k, k->kind);
    put_definition(w, k->schema->name, node);

    val *list = val_new_obj(&d), *properties = val_ensure_obj(&d, list, "properties");
    put_given(w, &d, properties, META "ListMeta");
    val *items = val_ensure_obj(&d, properties, "items");
    val_set_z(&d, items, "type", "array");
    val_set(&d, items, "items", reference(w, &d, k->schema->name));
    val_push(val_ensure_arr(&d, list, "required"), val_new_z(&d, "items"));
    val_set_z(&d, list, "type", "object");
    put_kind(&d, list, k, k->list_kind);
    put_definition(w, k->list_schema->name, list);
    doc_done(&d);
}
