/* meta.h: what several controllers do alike: owner references, conditions, adoption. */
#pragma once

#include "control/reconcile.h"

/* --- conditions, {type, status, reason, message, lastTransitionTime} --- */
val *condition_find(const val *conditions, const char *type);
void condition_remove(val *conditions, const char *type);
/* Sets status, reason and message; the transition time moves when the status does. True when
 * something changed (the times alone do not count). `update_time`: as
 * Deployments do, keep a lastUpdateTime and put what changed last at the end. */
bool condition_set(struct view *v, val *conditions, const char *type, const char *status,
                   const char *reason, struct str message, bool update_time);

/* --- owners --- */
val *owner_ref(struct view *v, const struct item *owner); /* controller, blockOwnerDeletion */

/* Claims as upstream's ControllerRefManager: of `items` (the owned and the orphans) keeps those
 * that the owner controls and whose labels match; orphans that match are adopted, owned ones that
 * do not are released, both by a patch. While the owner is being deleted nothing is adopted.
 * Answers how many are left in front of the array; adopted ones count from the next reconcile on.
 */
size_t claim(struct view *v, struct actions *a, const struct item *owner,
             const struct selector *selector, const struct item **items, size_t n);

/* The members of kind that the owner controls or could adopt, as claim wants them. */
size_t claimable(struct view *v, const struct item *owner, enum kind kind,
                 const struct selector *selector, const struct item ***ret);

bool selector_match_item(struct view *v, const struct selector *s, const struct item *i);

/* --- finalizers --- */
void finalizer_add(struct view *v, struct actions *a, const struct item *i, const char *name);
/* By an update; nothing when it is not there. */
void finalizer_drop(struct view *v, struct actions *a, const struct item *i, const char *name);

/* --- small things --- */
void set_time(struct view *v, val *obj, const char *key, int64_t ns);
/* A 32-bit hash of v's JSON with sorted keys, in the alphabet of SafeEncodeString. */
void hash_val(const val *v, const val *also, char ret[12]);
/* "50%" of total, or the number; up: rounded up. */
int64_t int_or_percent(const val *v, int64_t total, bool up);
