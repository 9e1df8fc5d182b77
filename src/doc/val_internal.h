/* val_internal.h: what the files of doc/ share about the representation of values. */
#pragma once

#include "doc/val.h"

/* Room for n bytes of text and a NUL, which lives as long as the doc. */
char *doc_alloc_text(struct doc *doc, size_t n);
/* Room for values that lie side by side. */
val *doc_alloc_vals(struct doc *doc, size_t count);

/* A string value of text that lives as long as the doc. */
val *val_new_static(struct doc *doc, struct str s);

val *val_new_uint(struct doc *doc, uint64_t u);

/* The key value of a member (the last of duplicates), or NULL; the member is its `next`. */
val *val_get_key(const val *obj, struct str name);

struct member {
    val *key; /* its value is key->next */
    size_t index;
};
/* The members that val_get can see, sorted by name. The caller frees the array. */
struct member *val_sorted_members(const val *obj, size_t *ret_count);

/* Levels of nesting: 0 for a scalar, 1 for a container of scalars. */
size_t val_depth(const val *v);

/* The fewest digits that give back the number, and the power of ten of the first one. */
struct shortest {
    char digits[24];
    int count;
    int exponent;
    bool negative;
};
struct shortest real_shortest(double r, bool single);
void real_write_json(double r, struct buf *b);
/* strconv.FormatFloat(r, 'g', -1, 64 or 32) of a finite number. */
void real_write_short(double r, bool single, struct buf *b);

/* How many bytes of s are valid UTF-8 from its start. */
size_t utf8_valid(struct str s);
/* Appends s with U+FFFD for each byte that is not UTF-8, as encoding/json does. */
void utf8_put(struct str s, struct buf *b);

/* Where a JSON text goes wrong, in the words of Go's encoding/json. False when its grammar is
 * right. */
bool json_find_error(struct str text, size_t *ret_offset, char *ret_message, size_t size);
