/* arena.h: memory that is freed all at once.
 *
 * One arena serves one request, reconcile or render. Everything allocated from it lives until
 * arena_done. Not for two threads at once. Allocation cannot fail (see mem.h). */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *block; /* newest first */
    char *at, *end;
    size_t total; /* bytes taken from the system */
};

void arena_done(struct arena *a);              /* frees everything; a is empty and usable again */
void *arena_alloc(struct arena *a, size_t n);  /* uninitialised, 16-byte aligned */
void *arena_zalloc(struct arena *a, size_t n); /* zeroed */
struct str arena_dup(struct arena *a,
                     struct str s);           /* the copy ends in a NUL that n does not count */
char *arena_z(struct arena *a, struct str s); /* the same as a C string */
struct str arena_printf(struct arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3))); /* ends in a NUL likewise */

#define ARENA_NEW(a, type) ((type *)arena_zalloc((a), sizeof(type)))
