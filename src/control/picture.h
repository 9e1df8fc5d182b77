/* picture.h: the local picture of the cluster that reconciles look at.
 *
 * One item a known object, in hash maps by key, by uid and in groups (by namespace, owner, node).
 * It is fed by the caches' handlers, one thread a kind, or by a test from a file. All functions may
 * be called on any thread; answers are references that the caller drops. */
#pragma once

#include "base/arena.h"
#include "control/item.h"

struct picture;

enum group {
    GROUP_ALL,     /* of a kind; value empty */
    GROUP_NS,      /* of a kind in a namespace */
    GROUP_OWNER,   /* of a kind, by an owner's uid */
    GROUP_ORPHANS, /* of a kind in a namespace, without a controller */
    GROUP_NODE,    /* pods by spec.nodeName; "" are the unassigned */
};

struct usage { /* sums over a node's unfinished pods */
    int64_t cpu, memory, ephemeral;
    int64_t cpu_nonzero, memory_nonzero;
    int64_t pods;
};

struct picture *picture_new(void);
void picture_free(struct picture *p);

/* Puts `now` (taken) in the place of the object with its key, or removes the object at key (now is
 * NULL). *ret_old receives what stood there, or NULL. */
void picture_apply(struct picture *p, enum kind kind, struct str key, struct item *now,
                   struct item **ret_old);

struct item *picture_get(struct picture *p, enum kind kind, struct str key);
struct item *picture_uid(struct picture *p, struct str uid); /* any kind */
bool picture_has_uid(struct picture *p, struct str uid);
/* The largest resourceVersion that has arrived for a kind. */
int64_t picture_seen(struct picture *p, enum kind kind);
void picture_saw(struct picture *p, enum kind kind, int64_t rv); /* a deletion's version */

/* Members of a group, in no order; the array comes from the arena. `match`, if not NULL, chooses
 * under the lock, so that the others cost nothing. */
typedef bool picture_match(void *arg, const struct item *i);
size_t picture_group(struct picture *p, enum group group, enum kind kind, struct str value,
                     picture_match *match, void *arg, struct arena *a, struct item ***ret);
size_t picture_count(struct picture *p, enum group group, enum kind kind, struct str value);
/* Members of any kind that name uid as an owner. */
size_t picture_dependents(struct picture *p, struct str uid, struct arena *a, struct item ***ret);
struct usage picture_usage(struct picture *p, struct str node);
