/* val_internal.h: what the files of doc/ share about the representation of values. */
#pragma once

#include "doc/val.h"

/* Room for n bytes of text and a NUL, which lives as long as the doc. */
char *doc_alloc_text(struct doc *doc, size_t n);
/* Room for values that lie side by side. */
val *doc_alloc_vals(struct doc *doc, size_t count);

/* A string value of text that lives as long as the doc. */
val *val_new_static(struct doc *doc, struct str s);

/* Levels of nesting: 0 for a scalar, 1 for a container of scalars. */
size_t val_depth(const val *v);

/* Text after which no two reals are the same, as strconv.FormatFloat(r, 'g', -1, bits) would split
 * it: digits without a point, and the power of ten of the first one. */
struct shortest {
    char digits[24];
    int count;
    int exponent;
    bool negative;
};
struct shortest real_shortest(double r, bool single);
void real_write_json(double r, struct buf *b);

/* Where a JSON text goes wrong, in the words of Go's encoding/json. False when its grammar is
 * right. */
bool json_find_error(struct str text, size_t *ret_offset, char *ret_message, size_t size);
