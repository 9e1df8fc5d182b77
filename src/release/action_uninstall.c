/* action_uninstall.c: a release's end. */
#include <stdlib.h>

#include "release/action_impl.h"

struct removing {
    struct action *x;
    const struct action_uninstall *o;
    struct release *r;
    struct release_list all;
    struct str problems[4]; /* what went wrong on the way */
    size_t problem_count;
};

static void note(struct removing *u)
{
    if (u->problem_count < ARRAY_LEN(u->problems))
        u->problems[u->problem_count++] = u->x->cx->error;
}

/* --- the order --- */

/* The order of installing, backwards; but Services go before what they lead to. */
static int uninstall_rank(struct str kind)
{
    int rank = manifest_install_rank(kind), last = manifest_install_rank(STR(""));
    if (str_is(kind, "Service"))
        return -2 * manifest_install_rank(STR("CronJob")) - 1;
    return rank == last ? 1 : -2 * rank;
}

static int by_kind(const void *x, const void *y)
{
    const struct manifest *a = x, *b = y;
    int rank_a = uninstall_rank(a->kind), rank_b = uninstall_rank(b->kind);
    if (rank_a != rank_b)
        return rank_a - rank_b;
    int names = rank_a == 1 ? str_cmp(a->kind, b->kind) : 0;
    return names ? names : a->order - b->order;
}

static int split(struct action *x, struct str manifest, struct manifests *ret)
{
    struct rendered_list parts = {0};
    struct manifests hooks;
    struct str rest = str_trim(manifest), part;
    size_t cap = 0;
    if (str_starts(rest, STR("---")))
        rest = str_from(rest, 3);
    while (manifest_next(&rest, &part)) {
        if (str_trim(part).n == 0)
            continue;
        if (parts.n == cap) {
            cap = cap ? cap * 2 : 32;
            struct rendered *grown = arena_alloc(x->cx->arena, cap * sizeof *grown);
            if (parts.n)
                memcpy(grown, parts.items, parts.n * sizeof *grown);
            parts.items = grown;
        }
        parts.items[parts.n] =
            (struct rendered){arena_printf(x->cx->arena, "manifest-%zu", parts.n), part};
        parts.n++;
    }
    if (manifests_sort(x->cx, &parts, &hooks, ret) != 0)
        return -1;
    for (size_t i = 0; i < ret->n; i++)
        ret->items[i].order = (int)i;
    qsort(ret->items, ret->n, sizeof *ret->items, by_kind);
    return 0;
}

/* --- the steps --- */

/* helm.sh/resource-policy: keep it, delete it (no policy), or, for a policy nobody knows, neither.
 */
static void sort_out(const struct manifests *all, struct buf *kept, struct buf *doomed)
{
    for (size_t i = 0; i < all->n; i++) {
        const struct manifest *m = &all->items[i];
        const struct value *policy = vmap_get(m->annotations, STR("helm.sh/resource-policy"));
        if (!policy)
            buf_printf(doomed, "\n---\n%.*s", STR_ARG(m->content));
        else if (str_eq_nocase(str_trim(value_text(*policy)), STR("keep")))
            buf_printf(kept, "[%.*s] %.*s\n", STR_ARG(m->kind), STR_ARG(m->name));
    }
}

static int delete_objects(struct removing *u, struct objects *ret, struct buf *kept)
{
    struct action *x = u->x;
    struct manifests all;
    struct buf doomed = {0};
    struct chart_strs errors;
    *ret = (struct objects){0};
    if (split(x, u->r->manifest, &all) != 0)
        return -1;
    sort_out(&all, kept, &doomed);
    int rc = cluster_build(x->cluster, buf_str(&doomed), false, ret);
    buf_done(&doomed);
    if (rc == 0 && ret->n)
        rc = cluster_delete(x->cluster, ret, u->o->cascade, &errors);
    return rc;
}

static int purge(struct removing *u)
{
    for (size_t i = 0; i < u->all.n; i++)
        if (storage_delete(u->x->storage, u->all.items[i]->name, u->all.items[i]->version) !=
            STORAGE_OK)
            return chart_wrap(u->x->cx, "uninstall: Failed to purge the release");
    return 0;
}

/* The record's end: purged, or kept as uninstalled. */
static int close_record(struct removing *u)
{
    struct action *x = u->x;
    u->r->status = RELEASE_UNINSTALLED;
    u->r->description = u->o->description.n ? u->o->description : STR("Uninstallation complete");
    if (!u->o->keep_history) {
        if (purge(u) != 0)
            note(u);
    } else {
        storage_update(x->storage, u->r);
        if (action_supersede_deployed(x, u->o->name) != 0)
            return -1;
    }
    struct chart_strs problems = {u->problems, u->problem_count};
    if (problems.n == 0)
        return 0;
    return chart_fail(x->cx, "uninstallation completed with %zu error(s): %.*s", problems.n,
                      STR_ARG(action_join(x->cx->arena, &problems, "; ")));
}

static int remove_release(struct removing *u, struct str *ret_info)
{
    struct action *x = u->x;
    const struct action_uninstall *o = u->o;
    struct objects gone;
    struct buf kept = {0};
    u->r->status = RELEASE_UNINSTALLING;
    u->r->deleted = release_now();
    u->r->description = STR("Deletion in progress (or silently failed)");
    if (!o->no_hooks && action_hooks(x, u->r, HOOK_PRE_DELETE, o->timeout_ms) != 0)
        return -1;
    storage_update(x->storage, u->r);
    int rc = delete_objects(u, &gone, &kept);
    if (kept.n)
        *ret_info = arena_printf(x->cx->arena,
                                 "These resources were kept due to the resource policy:\n%.*s",
                                 STR_ARG(buf_str(&kept)));
    buf_done(&kept);
    if (rc != 0)
        return chart_fail(x->cx, "failed to delete release: %.*s", STR_ARG(o->name));
    if (o->wait && cluster_wait(x->cluster, &gone, WAIT_GONE, o->timeout_ms) != 0)
        note(u);
    if (!o->no_hooks && action_hooks(x, u->r, HOOK_POST_DELETE, o->timeout_ms) != 0)
        note(u);
    return close_record(u);
}

static int find_release(struct removing *u)
{
    struct action *x = u->x;
    struct str name = u->o->name;
    if (!action_is_release_name(name))
        return chart_fail(x->cx, "uninstall: Release name is invalid: %.*s", STR_ARG(name));
    if (storage_history(x->storage, name, &u->all) != STORAGE_OK)
        return chart_wrap(x->cx, "uninstall: Release not loaded: %.*s", STR_ARG(name));
    u->r = u->all.items[0];
    for (size_t i = 1; i < u->all.n; i++)
        if (u->all.items[i]->version > u->r->version)
            u->r = u->all.items[i];
    return 0;
}

static int dry_run(struct action *x, struct str name)
{
    struct release *r;
    if (!action_is_release_name(name))
        return chart_fail(x->cx, "releaseContent: Release name is invalid: %.*s", STR_ARG(name));
    return storage_last(x->storage, name, &r) == STORAGE_OK ? 0 : -1;
}

int action_uninstall(struct action *x, const struct action_uninstall *o, struct str *ret_info)
{
    struct removing u = {.x = x, .o = o};
    *ret_info = STR("");
    if (cluster_reachable(x->cluster) != 0)
        return -1;
    if (o->dry_run)
        return dry_run(x, o->name);
    if (find_release(&u) != 0)
        return o->ignore_not_found && action_is_release_name(o->name) ? 0 : -1;
    if (u.r->status != RELEASE_UNINSTALLED)
        return remove_release(&u, ret_info);
    if (o->keep_history)
        return chart_fail(x->cx, "the release named \"%.*s\" is already deleted", STR_ARG(o->name));
    return purge(&u);
}
