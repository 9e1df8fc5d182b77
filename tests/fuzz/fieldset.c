/* Server-side apply's sets of fields: two documents, parted by a NUL, are merged and taken apart as
 * Deployments. An object differs from itself nowhere. */
#include <stdlib.h>

#include "api/fieldset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size}, one, two;
    struct doc d;
    struct err err;
    struct buf strict = {0};
    val *live, *applied;
    const struct schema *s = schema_find(STR("io.k8s.api.apps.v1.Deployment"));
    struct fieldset_place top = {s, NULL};
    str_cut(text, '\0', &one, &two);
    doc_init(&d);
    if (doc_parse_json(&d, one, &live, &err) == 0 && doc_parse_json(&d, two, &applied, &err) == 0 &&
        val_is_obj(live) && val_is_obj(applied) && schema_check(s, &d, live, &strict, &err) == 0 &&
        schema_check(s, &d, applied, &strict, &err) == 0) {
        val *before = fieldset_of(&d, top, live), *now = fieldset_of(&d, top, applied);
        val *merged = fieldset_merge(&d, top, live, applied);
        if (fieldset_changed(&d, top, before, live, live))
            abort();
        fieldset_common(&d, before, now);
        const val *others[] = {now};
        fieldset_remove(&d, top, merged, before, now, others, 1);
        fieldset_add(&d, now, before);
        fieldset_subtract(now, before);
    }
    buf_done(&strict);
    doc_done(&d);
    return 0;
}
