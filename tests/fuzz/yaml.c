/* YAML streams: each document that is accepted is written as YAML, which reads back as the same. */
#include <stdlib.h>

#include "doc/val.h"

static void one(struct str text)
{
    struct doc d = {0};
    struct buf written = {0}, duplicates = {0};
    struct err err = {0};
    val *v, *again;
    if (doc_parse_yaml_strict(&d, text, &v, &duplicates, &err) == 0) {
        val_write_yaml(v, &written);
        if (written.n <= DOC_MAX_BYTES && !d.d)
            abort();
        if (doc_parse_yaml(&d, buf_str(&written), &again, &err) == 0 &&
            val_len(v) != val_len(again))
            abort();
    }
    buf_done(&written);
    buf_done(&duplicates);
    doc_done(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size}, part;
    while (doc_next_yaml(&rest, &part))
        one(part);
    return 0;
}
