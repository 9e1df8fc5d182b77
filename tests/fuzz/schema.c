/* JSON bodies of any kind: what passes the check passes it again, silently, once it is normal. */
#include <stdlib.h>

#include "doc/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct buf strict = {0}, proto = {0};
    struct doc d;
    val *v;
    doc_init(&d);
    const struct schema *s = NULL;
    if (doc_parse_json(&d, (struct str){(const char *)data, size}, &v, &err) == 0)
        s = schema_of_kind(VAL_STR(v, "apiVersion"), VAL_STR(v, "kind"));
    if (s && schema_check(s, &d, v, &strict, &err) == 0) {
        schema_default(s, &d, v);
        schema_validate(s, v, "", &d, val_new_arr(&d));
        schema_normalize(s, &d, v);
        val *again = val_copy(&d, v);
        buf_clear(&strict);
        if (schema_check(s, &d, again, &strict, &err) < 0 || strict.n)
            abort();
        schema_normalize(s, &d, again);
        if (!val_eq(v, again))
            abort();
        schema_encode_proto(s, v, &proto, &err); /* fails for times that protobuf cannot hold */
    }
    buf_done(&strict);
    buf_done(&proto);
    doc_done(&d);
    return 0;
}
