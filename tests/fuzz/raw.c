/* Reading JSON without parsing it: never out of bounds, and of the parser's opinion on what it
 * accepts. */
#include <stdlib.h>
#include <string.h>

#include "api/raw.h"
#include "doc/val.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1); /* of exactly that size, for the sanitizer's sake */
    memcpy(copy, data, size);
    struct str text = {copy, size}, key, raw;
    for (size_t at = 0; raw_next(text, &at, &key, &raw);)
        raw_text(raw);
    raw_path(text, "metadata.labels.app");
    struct buf b = {0};
    raw_put_revision(text, 7, &b);
    struct doc d;
    struct err err;
    val *before, *after;
    doc_init(&d);
    if (doc_parse_json(&d, text, &before, &err) == 0 &&
        val_is_str(VAL_PATH(before, "metadata", "resourceVersion")) &&
        doc_parse_json(&d, buf_str(&b), &after, &err) != 0)
        abort();
    doc_done(&d);
    buf_done(&b);
    free(copy);
    return 0;
}
