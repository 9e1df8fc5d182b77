/* type.h: types inside the room: making, naming and unifying them. */
#pragma once

#include "cel/ast.h"

const struct cel_type *cel_type_named(char letter); /* a library's type, by its signature letter */
const struct cel_type *cel_type_of_two(struct arena *a, enum cel_type_kind kind,
                                       const struct cel_type *x, const struct cel_type *y);
void cel_type_write_short(const struct cel_type *t,
                          struct buf *b); /* "timestamp", as in messages */

/* What type variables stand for. An attempt that fails leaves it as it was. */
struct bindings {
    struct arena *a;
    const struct cel_type **of; /* by param; NULL: free */
    int count, cap;
    struct undo {
        int param;
        const struct cel_type *was;
    } * trail;
    size_t trail_n, trail_cap;
};

int cel_bindings_new(struct bindings *m); /* a fresh variable */
/* Whether a value of type y can stand where x is wanted, pairwise for lists. */
bool cel_bindings_assign(struct bindings *m, const struct cel_type *x, const struct cel_type *y);
bool cel_bindings_assign_all(struct bindings *m, const struct cel_type *const *x,
                             const struct cel_type *const *y, size_t n);
/* Bound variables replaced; the free ones by dyn when asked. */
const struct cel_type *cel_bindings_apply(struct bindings *m, const struct cel_type *t,
                                          bool free_dyn);
const struct cel_type *cel_type_most_general(const struct cel_type *x, const struct cel_type *y);
