/* action_impl.h: the steps that several actions share. */
#pragma once

#include "release/action.h"

/* --- action_render.c --- */
struct rendering {
    const struct action_render *options;
    struct chart *chart;
    struct vmap *values; /* the user's */
    struct render_release release;
    bool ask_cluster; /* `lookup` */
    struct vmap *labels;
};
/* Fills in hooks, manifest and notes of a release. */
int action_render(struct action *x, const struct rendering *q, struct release *ret);

/* --- action_own.c --- */
/* Puts Helm's label and annotations on the objects. */
int action_own(struct action *x, struct objects *o, const struct release *r);
/* Those that exist already: an error unless they are of this release, or `take` them anyway. */
int action_existing(struct action *x, const struct objects *o, const struct release *r, bool take,
                    struct objects *ret);

/* --- action_hooks.c --- */
int action_hooks(struct action *x, struct release *r, enum hook_event event, int64_t timeout_ms);
void action_sort_hooks(struct release_hook **hooks, size_t n); /* by weight, then name */
struct str action_join(struct arena *a, const struct chart_strs *texts, const char *between);

/* --- action_apply.c --- */
/* Waits as --wait and --wait-for-jobs say. */
int action_wait(struct action *x, const struct objects *o, bool wait, bool jobs,
                int64_t timeout_ms);
/* --recreate-pods: deletes the pods of what was updated; failures are passed over. */
void action_recreate(struct action *x, const struct objects *updated);
/* --cleanup-on-fail after the failure `error`: deletes what was created. */
int action_clean_up(struct action *x, const struct objects *created, const char *what,
                    struct str error);

/* --- action_rollback.c --- */
/* The newest revisions that count as deployed are superseded. */
int action_supersede_deployed(struct action *x, struct str name);
