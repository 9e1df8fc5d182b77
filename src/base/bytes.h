/* bytes.h: immutable bytes, shared by reference count.
 *
 * What fans out to many readers (an object's JSON, a watch event) is made once and shared. The
 * count is atomic: a reference may be taken and dropped on any thread. Nobody writes to p after
 * bytes_new returned. */
#pragma once

#include <stdatomic.h>

#include "base/buf.h"

struct bytes {
    atomic_uint refs;
    uint32_t reserved;
    size_t n;
    char p[]; /* ends in a NUL that n does not count */
};

struct bytes *bytes_new(struct str s); /* one reference, the caller's */
struct bytes *bytes_new_uninit(size_t n,
                               char **ret_p); /* the maker fills *ret_p before it shares */
struct bytes *bytes_ref(struct bytes *b);     /* NULL passes through */
void bytes_unref(struct bytes *b);            /* NULL is fine */

static inline struct str bytes_str(const struct bytes *b)
{
    return b ? (struct str){b->p, b->n} : (struct str){0};
}

static inline void bytes_unrefp(struct bytes **b)
{
    bytes_unref(*b);
}
