/* pack.h: texts of objects that are kept for a long time and read seldom, made small.
 *
 * Any thread. */
#pragma once

#include "base/bytes.h"

/* zstd, against a dictionary of what objects have in common: a pod becomes a fifth of its size in
 * about ten microseconds. Never NULL. */
struct bytes *pack(struct str text);
/* Appends the text again. false: these bytes are not from pack. */
bool unpack(struct str packed, struct buf *b);
