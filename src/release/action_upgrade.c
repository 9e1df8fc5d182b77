/* action_upgrade.c: the next revision of a release. */
#include "chart/values.h"
#include "release/action_impl.h"

struct upgrading {
    struct action *x;
    const struct action_upgrade *o;
    struct release *last, *current, *next; /* the newest, the one that is deployed, the new one */
    struct objects before, after;
    struct updated done;
};

/* --- what comes before --- */
static int fail_pending(struct action *x, const struct release *last)
{
    const char *name = arena_z(x->cx->arena, last->name);
    if (last->status == RELEASE_PENDING_INSTALL && last->version == 1)
        chart_warn(x->cx,
                   "revision 1 of \"%s\" is pending-install. If nothing works on it any more, "
                   "`tutti helm uninstall %s` removes what it left",
                   name, name);
    else
        chart_warn(x->cx,
                   "revision %d of \"%s\" is %s. If nothing works on it any more, `tutti helm "
                   "rollback %s` goes back to the revision before",
                   last->version, name, release_status_text(last->status), name);
    return chart_fail(x->cx, "another operation (install/upgrade/rollback) is in progress");
}

static int find_releases(struct upgrading *u)
{
    struct action *x = u->x;
    struct str name = u->o->name;
    int rc = storage_last(x->storage, name, &u->last);
    if (rc == STORAGE_NOT_FOUND)
        return chart_fail(x->cx, "\"%.*s\" has no deployed releases", STR_ARG(name));
    if (rc != STORAGE_OK)
        return -1;
    if (release_is_pending(u->last->status))
        return fail_pending(x, u->last);
    u->current = u->last;
    if (u->last->status == RELEASE_DEPLOYED)
        return 0;
    rc = storage_deployed(x->storage, name, &u->current);
    if (rc == STORAGE_NOT_FOUND &&
        (u->last->status == RELEASE_FAILED || u->last->status == RELEASE_SUPERSEDED)) {
        u->current = u->last;
        return 0;
    }
    return rc == STORAGE_OK ? 0 : -1;
}

static int reuse_values(struct upgrading *u, struct chart *chart, struct vmap **values)
{
    struct chart_ctx *cx = u->x->cx;
    struct vmap *config = u->current->config;
    if (u->o->reset_values)
        return 0;
    if (u->o->reuse_values) {
        struct vmap *old;
        if (values_coalesce(cx, u->current->chart, config, false, &old) != 0)
            return chart_wrap(cx, "failed to rebuild old values");
        if (config)
            values_coalesce_tables(cx, *values, config, false);
        chart->values = old;
    } else if (u->o->reset_then_reuse_values) {
        if (config)
            values_coalesce_tables(cx, *values, config, false);
    } else if (vmap_len(*values) == 0 && vmap_len(config) > 0) {
        *values = config;
    }
    return 0;
}

static struct vmap *merge_labels(struct arena *a, struct vmap *old, struct vmap *new)
{
    struct vmap *merged = vmap_new(a, vmap_len(old) + vmap_len(new));
    struct vmap *const both[] = {old, new};
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        struct vmap_walk w = vmap_walk(both[i]);
        for (struct vmap_entry *e; both[i] && (e = vmap_next(&w));)
            vmap_set(merged, e->key, e->value);
    }
    struct vmap_walk w = vmap_walk(merged);
    for (struct vmap_entry *e; (e = vmap_next(&w));)
        if (str_is(value_text(e->value), "null"))
            vmap_del(merged, e->key);
    return merged;
}

static int render(struct upgrading *u, struct chart *chart, struct vmap *values)
{
    struct action *x = u->x;
    int version = u->last->version + 1;
    struct rendering q = {
        .options = &u->o->how.render,
        .chart = chart,
        .values = values,
        .release = {u->o->name, u->current->namespace, version, true, false},
        .ask_cluster = u->o->how.dry_run != DRY_RUN_CLIENT,
        .labels = u->o->how.labels,
    };
    u->next = ARENA_NEW(x->cx->arena, struct release);
    *u->next = (struct release){
        .name = u->o->name,
        .namespace = u->current->namespace,
        .version = version,
        .chart = chart,
        .config = values,
        .first_deployed = u->current->first_deployed,
        .last_deployed = release_now(),
        .status = RELEASE_PENDING_UPGRADE,
        .description = STR("Preparing upgrade"),
        .labels = merge_labels(x->cx->arena, u->last->labels, u->o->how.labels),
    };
    return action_render(x, &q, u->next);
}

static int prepare(struct upgrading *u, struct chart *chart, struct vmap *values)
{
    struct action *x = u->x;
    struct objects ignored;
    if (!action_is_release_name(u->o->name))
        return chart_fail(x->cx, "release name is invalid: %.*s", STR_ARG(u->o->name));
    if (u->o->how.render.hide_secret && !u->o->how.dry_run)
        return chart_fail(x->cx, "Hiding Kubernetes secrets requires a dry-run mode");
    if (find_releases(u) != 0 || reuse_values(u, chart, &values) != 0 ||
        chart_process_dependencies(x->cx, chart, values) != 0 || render(u, chart, values) != 0)
        return -1;
    return cluster_build(x->cluster, u->next->manifest, !u->o->how.no_validation, &ignored);
}

static int find_objects(struct upgrading *u)
{
    struct action *x = u->x;
    struct objects new = {0}, adopted;
    if (cluster_build(x->cluster, u->current->manifest, false, &u->before) != 0) {
        bool removed =
            str_find(x->cx->error, STR("unable to recognize \"\": no matches for kind")) >= 0;
        return removed ? chart_wrap(x->cx, "current release manifest contains removed kubernetes "
                                           "api(s) for this kubernetes version and it is therefore "
                                           "unable to build the kubernetes objects for performing "
                                           "the diff. error from kubernetes")
                       : chart_wrap(x->cx, "unable to build kubernetes objects from current "
                                           "release manifest");
    }
    if (cluster_build(x->cluster, u->next->manifest, !u->o->how.no_validation, &u->after) != 0)
        return chart_wrap(x->cx, "unable to build kubernetes objects from new release manifest");
    if (action_own(x, &u->after, u->next) != 0)
        return -1;
    for (size_t i = 0; i < u->after.n; i++) {
        const struct object *known = objects_find(&u->before, &u->after.items[i]);
        if (!known || !str_eq(known->api_version, u->after.items[i].api_version))
            objects_add(x->cx->arena, &new, &u->after.items[i]);
    }
    if (action_existing(x, &new, u->next, u->o->how.take_ownership, &adopted) != 0)
        return chart_wrap(x->cx, "Unable to continue with update");
    for (size_t i = 0; i < adopted.n; i++)
        objects_add(x->cx->arena, &u->before, &adopted.items[i]);
    return 0;
}

/* --- the change --- */

/* What was deployed stays so in the records: the newer one failed. */
static int keep_current(struct upgrading *u)
{
    struct str error = u->x->cx->error;
    storage_update(u->x->storage, u->current);
    u->x->cx->error = error;
    return -1;
}

static int perform(struct upgrading *u)
{
    struct action *x = u->x;
    const struct action_upgrade *o = u->o;
    if (!o->how.no_hooks && action_hooks(x, u->next, HOOK_PRE_UPGRADE, o->how.timeout_ms) != 0)
        return chart_wrap(x->cx, "pre-upgrade hooks failed");
    unsigned flags = (o->how.force ? CLUSTER_FORCE : 0) | CLUSTER_TWO_WAY;
    if (cluster_update(x->cluster, &u->before, &u->after, flags, &u->done) != 0)
        return keep_current(u);
    if (o->recreate_pods)
        action_recreate(x, &u->done.updated);
    if (action_wait(x, &u->after, o->how.wait || o->how.atomic, o->how.wait_for_jobs,
                    o->how.timeout_ms) != 0)
        return keep_current(u);
    if (!o->how.no_hooks && action_hooks(x, u->next, HOOK_POST_UPGRADE, o->how.timeout_ms) != 0)
        return chart_wrap(x->cx, "post-upgrade hooks failed");
    u->current->status = RELEASE_SUPERSEDED;
    storage_update(x->storage, u->current);
    u->next->status = RELEASE_DEPLOYED;
    u->next->description = o->how.description.n ? o->how.description : STR("Upgrade complete");
    return storage_update(x->storage, u->next) == STORAGE_OK ? 0 : -1;
}

/* The newest revision that was good once; NULL: none. */
static struct release *last_good(const struct release_list *all)
{
    for (size_t i = all->n; i-- > 0;)
        if (all->items[i]->status == RELEASE_SUPERSEDED ||
            all->items[i]->status == RELEASE_DEPLOYED)
            return all->items[i];
    return NULL;
}

static int roll_back(struct upgrading *u, struct str error)
{
    struct action *x = u->x;
    struct release_list all;
    const struct action_upgrade *o = u->o;
    if (storage_history(x->storage, o->name, &all) != STORAGE_OK)
        return chart_wrap(x->cx,
                          "an error occurred while finding last successful release. original "
                          "upgrade error: %.*s",
                          STR_ARG(error));
    const struct release *good = last_good(&all);
    if (!good)
        return chart_fail(x->cx,
                          "unable to find a previously successful release when attempting to "
                          "rollback. original upgrade error: %.*s",
                          STR_ARG(error));
    struct action_rollback back = {.name = o->name,
                                   .version = good->version,
                                   .wait = true,
                                   .wait_for_jobs = o->how.wait_for_jobs,
                                   .no_hooks = o->how.no_hooks,
                                   .recreate_pods = o->recreate_pods,
                                   .force = o->how.force,
                                   .timeout_ms = o->how.timeout_ms};
    if (action_rollback(x, &back) != 0)
        return chart_wrap(x->cx,
                          "an error occurred while rolling back the release. original upgrade "
                          "error: %.*s",
                          STR_ARG(error));
    return chart_fail(x->cx,
                      "release %.*s failed, and has been rolled back due to atomic being set: %.*s",
                      STR_ARG(o->name), STR_ARG(error));
}

static int fail_release(struct upgrading *u)
{
    struct action *x = u->x;
    struct str error = x->cx->error;
    u->next->status = RELEASE_FAILED;
    u->next->description = arena_printf(x->cx->arena, "Upgrade \"%.*s\" failed: %.*s",
                                        STR_ARG(u->next->name), STR_ARG(error));
    storage_update(x->storage, u->next);
    x->cx->error = error;
    if (u->o->cleanup_on_fail && u->done.created.n &&
        action_clean_up(x, &u->done.created, "upgrade", error) != 0)
        return -1;
    return u->o->how.atomic ? roll_back(u, error) : -1;
}

int action_upgrade(struct action *x, struct chart *chart, struct vmap *values,
                   const struct action_upgrade *o, struct release **ret)
{
    struct upgrading u = {.x = x, .o = o};
    if (cluster_reachable(x->cluster) != 0 || prepare(&u, chart, values) != 0 ||
        find_objects(&u) != 0)
        return -1;
    *ret = u.next;
    if (o->how.dry_run) {
        u.next->description = o->how.description.n ? o->how.description : STR("Dry run complete");
        return 0;
    }
    if (storage_create(x->storage, u.next) != STORAGE_OK)
        return -1;
    if (perform(&u) == 0)
        return 0;
    if (cluster_interrupted(x->cluster))
        x->cx->error = STR("context canceled");
    cluster_ignore_interrupts(x->cluster);
    return fail_release(&u);
}
