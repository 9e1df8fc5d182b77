/* digest.h: which objects a list's selectors cannot mean, known without reading them.
 *
 * Of each object of a kind its key and 128 bits are kept: three for each label and for each
 * selectable field, chosen by a hash of name and value. An object that lacks a bit of what a
 * selector wants does not have it; one that has them all is read and judged as ever. Equality and
 * "in" of labels and of plain fields, and metadata.name, can leave objects out; other requirements
 * never do.
 *
 * A kind's digest is made when its lists are selected from for the second time, and stands at one
 * revision. The next list moves it on by the changes since then, or makes it anew when they are
 * many. A list at an older revision does without, and so do custom resources and kinds that would
 * take all digests together past 200,000 objects (about 90 bytes each). */
#pragma once

#include "api/list.h"

struct digests;

struct digests *digests_new(const struct kinds *kinds); /* borrowed */
void digests_free(struct digests *d);                   /* NULL is fine */

/* Fills p->keys with the keys that may match, in order, when they are known and few: at most a
 * quarter of those between p->start and p->end, at c->snap's revision. When the list is of the
 * newest state (p->revision is 0) c->snap may become a newer one. The keys lie in room. Any
 * thread. */
void digest_pick(struct call *c, struct list_plan *p, struct arena *room);
