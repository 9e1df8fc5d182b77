/* scheduler.h: what the parts of the scheduler share. Private to the room.
 *
 * One reconcile is one pass over the pending pods. It takes the nodes' sums from the picture,
 * places pod after pod on them, counting in what it has placed, and writes all bindings side by
 * side. The pods of one replica set are alike, so what only depends on their spec (selectors,
 * taints, affinity) is worked out once a set and pass. Upstream: pkg/scheduler and its plugins. */
#pragma once

#include "control/meta.h"

struct slot { /* a node during a pass */
    const struct item *item;
    struct usage used;
};

struct toleration {
    struct str key, value;
    bool exists;
    int effect; /* enum taint_effect, -1: any */
};

struct needs { /* what pods of one shape ask of a node */
    const val *spec;
    struct toleration *tolerations;
    size_t toleration_count;
    const char **verdict; /* a node: why not, NULL when it would do; static reasons only */
    int *preference;      /* a node: sum of preferred affinity weights */
    int *dislike;         /* a node: PreferNoSchedule taints that are not tolerated */
    int *siblings;        /* a node: pods of the same owner */
    int most_preference, most_dislike, most_siblings;
    bool hopeless; /* a pod of this shape found no node in this pass */
    struct str message;
};

struct pass {
    struct view *v;
    struct actions *a;
    struct slot *slots;
    size_t slot_count;
    struct map *shapes; /* needs by the controller's uid */
    size_t turn;        /* where ties begin */
};

struct toleration *tolerations_read(struct view *v, const val *list, size_t *ret_n);
bool toleration_covers(const struct toleration *t, const struct taint *taint);
const struct taint *taint_untolerated(const struct item *node, const struct toleration *t, size_t n,
                                      bool (*counts)(enum taint_effect));

/* Fills in verdicts and preferences. */
void filter_static(struct pass *p, struct needs *n);
/* Why the pod does not fit now; at most `max` (one or more) reasons, 0: it fits. *ret_lasting: it
 * would not fit on the empty node either, so that preemption cannot help. */
size_t filter_dynamic(struct pass *p, const struct item *pod, const struct slot *s,
                      const char **reasons, size_t max, bool *ret_lasting);

int64_t score(const struct needs *n, const struct item *pod, const struct slot *s, size_t at);
