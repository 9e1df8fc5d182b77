/* patch.h: the three patch types that name no owner. Server-side apply has a room of its own.
 *
 * Each takes the current object and gives the patched one as a new tree in d; the current one is
 * not changed. */
#pragma once

#include "doc/schema.h"
#include "doc/val.h"

/* RFC 6902 as evanphx/json-patch does it (upstream's library): at most 10,000 operations, copies
 * limited in size. 400 for malformed patches, 422 Invalid when an operation cannot be applied ("the
 * server rejected our request due to an error in our request"). */
int patch_json(struct doc *d, const val *current, const val *patch, val **ret, struct err *err);

/* The same; `cause` (may be NULL) receives what upstream puts into the status's cause: `testing
 * value /a failed: test failed`. */
int patch_json_cause(struct doc *d, const val *current, const val *patch, val **ret,
                     struct buf *cause, struct err *err);

/* RFC 7386, as the same library does it. */
val *patch_merge(struct doc *d, const val *current, const val *patch);

/* Strategic merge, k8s.io/apimachinery/pkg/util/strategicpatch: merge keys and strategies from the
 * schema, $patch (replace, delete, merge), $deleteFromPrimitiveList, $setElementOrder, $retainKeys.
 * 422 Invalid and 500 InternalError as upstream gives them; merged lists have at most 10,000
 * elements. */
int patch_strategic(struct doc *d, const struct schema *s, const val *current, const val *patch,
                    val **ret, struct err *err);

/* --- making patches: patch_diff.c ---
 * The values are not changed, and the patch is a new tree in d. An empty object: nothing to do. */

/* RFC 7386: what brings `before` to `after`. */
val *patch_two_way_merge(struct doc *d, const val *before, const val *after);
/* The same with a live object between: deletions are those from before to after, all else is what
 * live differs from after. Fails when the patch would change apiVersion, kind or metadata.name.
 * Source: k8s.io/apimachinery/pkg/util/jsonmergepatch. */
int patch_three_way_merge(struct doc *d, const val *before, const val *after, const val *live,
                          val **ret, struct err *err);
/* A strategic merge patch of that kind: strategicpatch.CreateThreeWayMergePatch. */
int patch_three_way_strategic(struct doc *d, const struct schema *s, const val *before,
                              const val *after, const val *live, val **ret, struct err *err);
