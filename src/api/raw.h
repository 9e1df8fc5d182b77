/* raw.h: reading stored objects without parsing them.
 *
 * The store's values are JSON that this program wrote, so they are well formed; these functions
 * step over them and hand out views. On anything else they answer "not there", never out of
 * bounds. */
#pragma once

#include "base/buf.h"

/* The raw text of an object's member ("\"x\"", "{…}", "12"); p is NULL when it is not there. */
struct str raw_member(struct str object, const char *key);

/* Down a dotted path ("metadata.labels"). */
struct str raw_path(struct str object, const char *dotted);
struct str raw_at(struct str object, struct str dotted);

/* The content of a raw string; p is NULL when raw is no string or has escapes (then a parser has to
 * look). */
struct str raw_text(struct str raw);

/* Walks an object's members: at starts as 0. */
bool raw_next(struct str object, size_t *at, struct str *ret_key, struct str *ret_raw);

/* Appends the object with another metadata.resourceVersion. */
void raw_put_revision(struct str object, int64_t revision, struct buf *b);
