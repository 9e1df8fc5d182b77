/* fieldset.h: sets of field paths in the form of managedFields' fieldsV1, and what server-side
 * apply does with them (sigs.k8s.io/structured-merge-diff).
 *
 * A set is a tree: "f:name" a member, `k:{"name":"a"}` the item of a keyed list, `v:"x"` the
 * element of a set, "." the place itself; an empty object is a leaf. Trees live in a doc. */
#pragma once

#include "doc/schema.h"

/* The place in a schema that a walk has reached: a field's rules and its type. */
struct fieldset_place {
    const struct schema *schema;      /* NULL: unknown, everything is atomic */
    const struct schema_field *field; /* NULL at the top and in items */
};

/* The set of all fields that v has. */
val *fieldset_of(struct doc *d, struct fieldset_place place, const val *v);

/* The members of v that its schema does not declare, as a set; elements of lists without keys go by
 * their index, `i:0`. NULL: none. */
val *fieldset_undeclared(struct doc *d, struct fieldset_place place, const val *v);

/* live with everything that applied says. */
val *fieldset_merge(struct doc *d, struct fieldset_place place, const val *live,
                    const val *applied);

/* Takes out of v what is in `before` and neither in `now` nor in any of the other sets. */
void fieldset_remove(struct doc *d, struct fieldset_place place, val *v, const val *before,
                     const val *now, const val *const *others, size_t other_count);

/* The fields of a whose values differ between two objects: as a set. NULL: none. */
val *fieldset_changed(struct doc *d, struct fieldset_place place, const val *set, const val *a,
                      const val *b);

/* Marks in the set of v, whose predecessor is old or NULL, the places themselves (".") that are new:
 * maps, lists and objects that were not there. `typed`: as a Go type has it, where a struct that is
 * no pointer, and what is written even when it is empty, have always been there. */
void fieldset_mark_new(struct doc *d, struct fieldset_place place, val *set, const val *old,
                       const val *v, bool typed);

/* The paths that are in both sets: NULL when there are none. */
val *fieldset_common(struct doc *d, const val *a, const val *b);

/* Takes the paths of `gone` out of the set. true: nothing is left. */
bool fieldset_subtract(val *set, const val *gone);
/* Adds the paths of `more`. */
void fieldset_add(struct doc *d, val *set, const val *more);

/* Calls fn with each leaf as ".spec.containers[name=\"c\"].image". */
void fieldset_each(const val *set, void (*fn)(void *arg, struct str path), void *arg);
