/* Kubernetes protobuf bodies of any kind: what decodes also encodes, to bytes that decode to the
 * same. */
#include <stdlib.h>

#include "doc/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str body = {(const char *)data, size}, api_version, kind, raw;
    struct err err = {0};
    if (schema_proto_type(body, &api_version, &kind, &raw, &err) < 0)
        return 0;
    const struct schema *s = schema_of_kind(api_version, kind);
    if (!s)
        return 0;
    struct doc d;
    struct buf again = {0};
    val *first, *second;
    doc_init(&d);
    if (schema_decode_proto(s, &d, body, &first, &err) == 0 && val_is_obj(first)) {
        if (schema_encode_proto(s, first, &again, &err) < 0 ||
            schema_decode_proto(s, &d, buf_str(&again), &second, &err) < 0 ||
            !val_eq(first, second))
            abort();
    }
    buf_done(&again);
    doc_done(&d);
    return 0;
}
