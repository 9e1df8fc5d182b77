/* containers.h: large documents by index. Documents are linked lists; what an expression reads by
 * number or by name is indexed once in an evaluation, so that a loop over it stays linear. */
#pragma once

#include "cel/eval.h"

const val *cel_doc_index_at(struct eval *ev, const val *arr, size_t i);
const val *cel_doc_index_get(struct eval *ev, const val *obj, struct str name);
/* The members of a keyed list's item that make its key, as one list. */
struct cel_value cel_doc_item_key(struct eval *ev, const struct cel_type *list,
                                  struct cel_value item);
void cel_doc_indexes_done(struct eval *ev);
