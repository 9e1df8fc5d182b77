/* linediff.h: the unified difference of two texts, line by line. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

struct linediff_style {
    size_t around; /* equal lines that are shown around each change; SIZE_MAX: all */
    bool colour;   /* escapes of a terminal */
};

/* Appends hunks as `diff -u` prints them, without the head that names files; nothing for equal
 * texts. The shortest script is found for up to LINEDIFF_MAX changed lines; what differs in more is
 * one change. */
enum { LINEDIFF_MAX = 1500 };
void linediff_put(struct str before, struct str after, struct linediff_style style,
                  struct buf *out);
