/* item_parts.h: how item.c and its readers of single kinds fill an item's block of memory.
 *
 * An item is built twice, first into an arena to learn its size, then into one block: so reading
 * must be a pure function of the object. Private to the room. */
#pragma once

#include "base/arena.h"
#include "control/item.h"

struct parts {
    struct arena *measure; /* first pass */
    char *base;            /* second pass */
    size_t used;
};

void *part_alloc(struct parts *p, size_t n); /* zeroed */
struct str part_str(struct parts *p, struct str s);
struct labels part_labels(struct parts *p, const val *v);
int64_t part_time(const val *v);                 /* 0: absent or malformed */
int64_t part_quantity(const val *v, bool milli); /* 0: absent or malformed */

struct pod *item_read_pod(struct parts *p, const val *v);
struct node *item_read_node(struct parts *p, const val *v);
