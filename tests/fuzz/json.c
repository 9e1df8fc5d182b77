/* JSON texts: what is accepted is written so that it reads back as the same value. */
#include <stdlib.h>

#include "doc/val.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct doc d = {0};
    struct buf first = {0};
    struct err err = {0};
    val *v, *again;
    if (doc_parse_json(&d, (struct str){(const char *)data, size}, &v, &err) == 0) {
        val_write_json(v, &first);
        if (doc_parse_json(&d, buf_str(&first), &again, &err) != 0 || !val_eq(v, again) ||
            !val_eq(v, val_copy(&d, v)))
            abort();
    } else if (!err.message[0]) {
        abort();
    }
    buf_done(&first);
    doc_done(&d);
    return 0;
}
