/* All three patch types: two JSON texts in a row, the object and the patch, with a NUL between. The
 * current object must come out unchanged. */
#include <stdlib.h>

#include "doc/patch.h"

static void apply_all(struct doc *d, const val *current, const val *patch)
{
    struct buf cause = {0}, written = {0};
    struct err err = {0};
    val *result;
    if (patch_json_cause(d, current, patch, &result, &cause, &err) == 0)
        val_write_json(result, &written);
    val_write_json(patch_merge(d, current, patch), &written);
    const struct schema *pod = schema_find(STR("io.k8s.api.core.v1.Pod"));
    if (patch_strategic(d, pod, current, patch, &result, &err) == 0)
        val_write_json(result, &written);
    buf_done(&cause);
    buf_done(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size}, current_text, patch_text;
    struct doc d = {0};
    struct err err = {0};
    val *current, *patch;
    str_cut(text, 0, &current_text, &patch_text);
    if (doc_parse_json(&d, current_text, &current, &err) == 0 &&
        doc_parse_json(&d, patch_text, &patch, &err) == 0) {
        const val *before = val_copy(&d, current);
        apply_all(&d, current, patch);
        if (!val_eq(before, current))
            abort();
    }
    doc_done(&d);
    return 0;
}
