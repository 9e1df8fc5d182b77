/* Schemas of values: a schema and values in JSON, divided by the first newline. Who refuses says
 * why. */
#include <stdlib.h>

#include "chart/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct chart_ctx cx = {.arena = &a};
    struct str schema, text;
    struct err err;
    struct doc d;
    val *v;
    if (size > 8192)
        return 0;
    doc_init(&d);
    str_cut((struct str){(const char *)data, size}, '\n', &schema, &text);
    if (doc_parse_json(&d, text, &v, &err) < 0 || !val_is_obj(v))
        v = val_new_obj(&d);
    struct value values = value_from_val(&a, v);
    if (values_validate_schema(&cx, schema, values.map) < 0 && cx.error.n == 0)
        abort();
    doc_done(&d);
    arena_done(&a);
    return 0;
}
