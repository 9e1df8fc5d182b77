/* {"schema": an openAPIV3Schema, "object": a custom resource}: the schema is judged, and what is
 * accepted is compiled; the object is pruned, filled in and judged by it. */
#include "api/crd/crd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct doc d;
    struct arena a = {0};
    struct err err;
    val *v;
    doc_init(&d);
    if (doc_parse_json(&d, (struct str){(const char *)data, size}, &v, &err) == 0) {
        val *causes = val_new_arr(&d), *object = val_get(v, "object");
        const val *schema = val_get(v, "schema");
        struct crd_compiled compiled = {.arena = &a};
        crd_check_structural(&d, schema, STR("schema"), causes);
        if (val_is_obj(schema) && val_is_obj(object) && val_len(causes) == 0) {
            const struct crd_schema *s = crd_schema_compile(&compiled, schema);
            struct buf strict = {0};
            crd_prune(s, object, true, &strict);
            crd_default(s, &d, object);
            crd_validate(s, object, NULL, &d, causes);
            crd_rules_check(s, object, NULL, &a, &d, causes);
            buf_done(&strict);
        }
        crd_compiled_done(&compiled);
    }
    doc_done(&d);
    arena_done(&a);
    return 0;
}
