/* shelf.h: objects in the order of their keys: one pointer each, found by bisection. */
#pragma once

#include "client/cache.h"

struct shelf {
    struct obj **objs;
    size_t n, cap;
};

void shelf_done(struct shelf *s);                             /* unrefs all */
size_t shelf_lower(const struct shelf *s, struct str key);    /* the first that is not below key */
struct obj *shelf_get(const struct shelf *s, struct str key); /* borrowed, or NULL */
struct obj *shelf_put(struct shelf *s, struct obj *o);        /* takes o; the one it replaces */
struct obj *shelf_del(struct shelf *s, struct str key);       /* the one that was there */
/* References to those from `from` on below `to`. */
size_t shelf_copy(const struct shelf *s, size_t from, size_t to, struct obj ***ret);
