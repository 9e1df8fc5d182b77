/* action_rollback.c: an old revision, made the newest. */
#include "release/action_impl.h"

struct rolling {
    struct action *x;
    const struct action_rollback *o;
    struct release *current, *target;
};

static int check_version(struct action *x, struct str name, int version)
{
    struct release_list all;
    if (storage_history(x->storage, name, &all) != STORAGE_OK)
        return -1;
    for (size_t i = 0; i < all.n; i++)
        if (all.items[i]->version == version)
            return 0;
    return chart_fail(x->cx, "release has no %d version", version);
}

static int prepare(struct rolling *r)
{
    struct action *x = r->x;
    struct str name = r->o->name;
    struct release *old;
    if (!action_is_release_name(name))
        return chart_fail(x->cx, "prepareRollback: Release name is invalid: %.*s", STR_ARG(name));
    if (r->o->version < 0)
        return chart_fail(x->cx, "invalid release revision");
    if (storage_last(x->storage, name, &r->current) != STORAGE_OK)
        return -1;
    int version = r->o->version ? r->o->version : r->current->version - 1;
    if (check_version(x, name, version) != 0 ||
        storage_get(x->storage, name, version, &old) != STORAGE_OK)
        return -1;
    r->target = ARENA_NEW(x->cx->arena, struct release);
    *r->target = *old;
    r->target->namespace = r->current->namespace;
    r->target->first_deployed = r->current->first_deployed;
    r->target->last_deployed = release_now();
    r->target->deleted = (struct release_time){0};
    r->target->status = RELEASE_PENDING_ROLLBACK;
    r->target->description = arena_printf(x->cx->arena, "Rollback to %d", version);
    r->target->version = r->current->version + 1;
    return 0;
}

/* The change of the objects failed. */
static int fail_update(struct rolling *r, const struct updated *done)
{
    struct action *x = r->x;
    struct str error = x->cx->error;
    r->current->status = RELEASE_SUPERSEDED;
    r->target->status = RELEASE_FAILED;
    r->target->description = arena_printf(x->cx->arena, "Rollback \"%.*s\" failed: %.*s",
                                          STR_ARG(r->target->name), STR_ARG(error));
    storage_update(x->storage, r->current);
    storage_update(x->storage, r->target);
    x->cx->error = error;
    if (r->o->cleanup_on_fail)
        action_clean_up(x, &done->created, "rollback", error);
    return -1;
}

static int fail_wait(struct rolling *r)
{
    struct action *x = r->x;
    struct str error = x->cx->error;
    r->target->status = RELEASE_FAILED;
    r->target->description = arena_printf(x->cx->arena, "Release \"%.*s\" failed: %.*s",
                                          STR_ARG(r->target->name), STR_ARG(error));
    storage_update(x->storage, r->current);
    storage_update(x->storage, r->target);
    x->cx->error = error;
    return chart_wrap(x->cx, "release %.*s failed", STR_ARG(r->target->name));
}

int action_supersede_deployed(struct action *x, struct str name)
{
    struct release_list all;
    if (storage_history(x->storage, name, &all) != STORAGE_OK)
        return -1;
    for (size_t i = 0; i < all.n; i++) {
        if (all.items[i]->status != RELEASE_DEPLOYED)
            continue;
        all.items[i]->status = RELEASE_SUPERSEDED;
        storage_update(x->storage, all.items[i]);
    }
    return 0;
}

static int perform(struct rolling *r)
{
    struct action *x = r->x;
    const struct action_rollback *o = r->o;
    struct objects before, after;
    struct updated done;
    if (cluster_build(x->cluster, r->current->manifest, false, &before) != 0)
        return chart_wrap(x->cx,
                          "unable to build kubernetes objects from current release manifest");
    if (cluster_build(x->cluster, r->target->manifest, false, &after) != 0)
        return chart_wrap(x->cx, "unable to build kubernetes objects from new release manifest");
    if (!o->no_hooks && action_hooks(x, r->target, HOOK_PRE_ROLLBACK, o->timeout_ms) != 0)
        return -1;
    if (action_own(x, &after, r->target) != 0)
        return chart_wrap(x->cx, "unable to set metadata visitor from target release");
    if (cluster_update(x->cluster, &before, &after,
                       (o->force ? CLUSTER_FORCE : 0) | CLUSTER_TWO_WAY, &done) != 0)
        return fail_update(r, &done);
    if (o->recreate_pods)
        action_recreate(x, &done.updated);
    if (action_wait(x, &after, o->wait, o->wait_for_jobs, o->timeout_ms) != 0)
        return fail_wait(r);
    if (!o->no_hooks && action_hooks(x, r->target, HOOK_POST_ROLLBACK, o->timeout_ms) != 0)
        return -1;
    if (action_supersede_deployed(x, r->current->name) != 0)
        return -1;
    r->target->status = RELEASE_DEPLOYED;
    return 0;
}

int action_rollback(struct action *x, const struct action_rollback *o)
{
    struct rolling r = {.x = x, .o = o};
    if (cluster_reachable(x->cluster) != 0 || prepare(&r) != 0)
        return -1;
    if (o->dry_run)
        return 0;
    if (storage_create(x->storage, r.target) != STORAGE_OK || perform(&r) != 0)
        return -1;
    return storage_update(x->storage, r.target) == STORAGE_OK ? 0 : -1;
}
