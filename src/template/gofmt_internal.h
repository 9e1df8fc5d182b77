/* gofmt_internal.h: the two halves of package fmt: formats (gofmt.c) and values (gofmt_print.c). */
#pragma once

#include "template/gofmt.h"

enum { GOFMT_MAX_BYTES = 256 << 20 }; /* longer texts are cut; nobody prints them */

struct flags {
    bool has_width, has_precision;
    bool minus, plus, sharp, space, zero;
    bool plus_v, sharp_v; /* %+v and %#v, which mean something else than the plain flags */
};

struct printer {
    struct arena *arena;
    struct buf *out;
    struct flags f;
    int width, precision;
    bool erroring;      /* inside %!verb(…): methods are not called */
    bool reordered;     /* an explicit index was used */
    bool good_index;    /* all indexes so far exist */
    struct buf scratch; /* one number or string before it is padded */
};

/* Prints one argument with the flags as they are. */
void gofmt_arg(struct printer *p, struct value v, uint32_t verb);
