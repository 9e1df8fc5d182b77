/* action_install.c: a chart's first revision. */
#include <stdlib.h>

#include "release/action_impl.h"

enum { CRD_MS = 60000 }; /* until the API knows a new resource */

struct installing {
    struct action *x;
    const struct action_install *o;
    struct release *r;
    struct objects resources, adopted;
};

bool action_is_release_name(struct str s)
{
    struct str rest = s, label;
    bool more = true;
    if (s.n == 0 || s.n > 53)
        return false;
    while (more) {
        more = str_cut(rest, '.', &label, &rest);
        if (label.n == 0 || label.p[0] == '-' || label.p[label.n - 1] == '-')
            return false;
        for (size_t i = 0; i < label.n; i++) {
            char c = label.p[i];
            if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
                return false;
        }
    }
    return true;
}

/* --- what comes before --- */
static int check_name(struct installing *in)
{
    struct action *x = in->x;
    struct str name = in->o->name;
    struct release *last;
    if (name.n == 0)
        return chart_fail(x->cx, "release name \"\": no name provided");
    if (!action_is_release_name(name))
        return chart_fail(x->cx,
                          "release name \"%.*s\": invalid release name, must match regex "
                          "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and "
                          "the length must not be longer than 53",
                          STR_ARG(name));
    if (in->o->how.dry_run || storage_last(x->storage, name, &last) != STORAGE_OK)
        return 0;
    if (in->o->replace && (last->status == RELEASE_UNINSTALLED || last->status == RELEASE_FAILED))
        return 0;
    if (release_is_pending(last->status))
        chart_warn(x->cx,
                   "revision %d of \"%.*s\" is %s: what began it was interrupted; `tutti helm "
                   "uninstall %.*s` removes what is there",
                   last->version, STR_ARG(name), release_status_text(last->status), STR_ARG(name));
    return chart_fail(x->cx, "cannot re-use a name that is still in use");
}

static bool is_manifest_file(struct str name)
{
    struct str ext = path_ext(name);
    return str_eq_nocase(ext, STR(".yaml")) || str_eq_nocase(ext, STR(".yml")) ||
           str_eq_nocase(ext, STR(".json"));
}

/* The definitions of crds/, those of the charts inside behind the chart's own. What exists stays as
 * it is. */
static int install_crds(struct installing *in, const struct chart *c, struct objects *made)
{
    struct action *x = in->x;
    for (size_t i = 0; i < c->files.n; i++) {
        const struct chart_file *f = &c->files.items[i];
        struct objects o;
        if (!str_starts(f->name, STR("crds/")) || !is_manifest_file(f->name))
            continue;
        int rc = cluster_build(x->cluster, f->data, false, &o);
        if (rc == 0)
            rc = cluster_create(x->cluster, &o);
        if (rc == CLUSTER_EXISTS)
            continue;
        if (rc != 0)
            return chart_wrap(x->cx, "failed to install CRD %.*s", STR_ARG(f->name));
        for (size_t k = 0; k < o.n; k++)
            objects_add(x->cx->arena, made, &o.items[k]);
    }
    for (size_t i = 0; i < c->dep_count; i++)
        if (install_crds(in, c->deps[i], made) != 0)
            return -1;
    return 0;
}

static int prepare_kinds(struct installing *in, const struct chart *c)
{
    struct objects made = {0};
    if (in->o->skip_crds || in->o->how.dry_run)
        return 0;
    if (install_crds(in, c, &made) != 0)
        return -1;
    if (made.n == 0)
        return 0;
    cluster_forget_kinds(in->x->cluster);
    return cluster_wait(in->x->cluster, &made, 0, CRD_MS);
}

static int render(struct installing *in, struct chart *chart, struct vmap *values)
{
    struct action *x = in->x;
    struct release_time now = release_now();
    struct rendering q = {
        .options = &in->o->how.render,
        .chart = chart,
        .values = values,
        .release = {in->o->name, x->namespace, 1, false, true},
        .ask_cluster = in->o->how.dry_run != DRY_RUN_CLIENT,
        .labels = in->o->how.labels,
    };
    *in->r = (struct release){.name = in->o->name,
                              .namespace = x->namespace,
                              .version = 1,
                              .chart = chart,
                              .config = values,
                              .first_deployed = now,
                              .last_deployed = now,
                              .labels = in->o->how.labels};
    return action_render(x, &q, in->r);
}

static int find_objects(struct installing *in)
{
    struct action *x = in->x;
    in->r->status = RELEASE_PENDING_INSTALL;
    in->r->description = STR("Initial install underway");
    if (cluster_build(x->cluster, in->r->manifest, !in->o->how.no_validation, &in->resources) != 0)
        return chart_wrap(x->cx, "unable to build kubernetes objects from release manifest");
    if (action_own(x, &in->resources, in->r) != 0)
        return -1;
    if (action_existing(x, &in->resources, in->r, in->o->how.take_ownership, &in->adopted) != 0)
        return chart_wrap(x->cx, "Unable to continue with install");
    return 0;
}

static int create_namespace(struct action *x)
{
    struct objects o;
    struct str manifest = arena_printf(x->cx->arena,
                                       "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: "
                                       "%.*s\n  labels:\n    name: %.*s\n",
                                       STR_ARG(x->namespace), STR_ARG(x->namespace));
    if (cluster_build(x->cluster, manifest, true, &o) != 0)
        return -1;
    int rc = cluster_create(x->cluster, &o);
    return rc == CLUSTER_EXISTS ? 0 : rc;
}

/* --replace: the new revision follows the last, which is superseded unless it failed. */
static int supersede_last(struct installing *in)
{
    struct release *last;
    if (storage_last(in->x->storage, in->r->name, &last) != STORAGE_OK)
        return 0;
    in->r->version = last->version + 1;
    if (last->status == RELEASE_FAILED)
        return 0;
    last->status = RELEASE_SUPERSEDED;
    last->description = STR("superseded by new release");
    return storage_update(in->x->storage, last) == STORAGE_OK ? 0 : -1;
}

/* --- the change --- */
static int create_objects(struct installing *in)
{
    struct action *x = in->x;
    struct updated done;
    if (in->resources.n == 0)
        return 0;
    if (in->adopted.n == 0)
        return cluster_create(x->cluster, &in->resources) == 0 ? 0 : -1;
    unsigned flags =
        (in->o->how.force ? CLUSTER_FORCE : 0) | (in->o->how.take_ownership ? 0 : CLUSTER_TWO_WAY);
    return cluster_update(x->cluster, &in->adopted, &in->resources, flags, &done);
}

static int perform(struct installing *in)
{
    struct action *x = in->x;
    const struct action_install *o = in->o;
    if (!o->how.no_hooks && action_hooks(x, in->r, HOOK_PRE_INSTALL, o->how.timeout_ms) != 0)
        return chart_wrap(x->cx, "failed pre-install");
    if (create_objects(in) != 0 || action_wait(x, &in->resources, o->how.wait || o->how.atomic,
                                               o->how.wait_for_jobs, o->how.timeout_ms) != 0)
        return -1;
    if (!o->how.no_hooks && action_hooks(x, in->r, HOOK_POST_INSTALL, o->how.timeout_ms) != 0)
        return chart_wrap(x->cx, "failed post-install");
    in->r->status = RELEASE_DEPLOYED;
    in->r->description = o->how.description.n ? o->how.description : STR("Install complete");
    struct str error = x->cx->error;
    storage_update(x->storage, in->r); /* deployed it is, whether or not that can be written */
    x->cx->error = error;
    return 0;
}

static int fail_release(struct installing *in)
{
    struct action *x = in->x;
    struct release *r = in->r;
    if (cluster_interrupted(x->cluster))
        x->cx->error = STR("context canceled");
    struct str error = x->cx->error, ignored;
    cluster_ignore_interrupts(x->cluster);
    r->status = RELEASE_FAILED;
    r->description = arena_printf(x->cx->arena, "Release \"%.*s\" failed: %.*s", STR_ARG(r->name),
                                  STR_ARG(error));
    if (!in->o->how.atomic) {
        storage_update(x->storage, r);
        x->cx->error = error;
        return -1;
    }
    struct action_uninstall un = {.name = r->name,
                                  .no_hooks = in->o->how.no_hooks,
                                  .cascade = "background",
                                  .timeout_ms = in->o->how.timeout_ms};
    if (action_uninstall(x, &un, &ignored) != 0)
        return chart_wrap(x->cx,
                          "an error occurred while uninstalling the release. original install "
                          "error: %.*s",
                          STR_ARG(error));
    return chart_fail(x->cx,
                      "release %.*s failed, and has been uninstalled due to atomic being set: %.*s",
                      STR_ARG(r->name), STR_ARG(error));
}

int action_install(struct action *x, struct chart *chart, struct vmap *values,
                   const struct action_install *o, struct release **ret)
{
    struct installing in = {.x = x, .o = o, .r = ARENA_NEW(x->cx->arena, struct release)};
    if (cluster_reachable(x->cluster) != 0)
        return -1;
    if (o->how.render.hide_secret && !o->how.dry_run)
        return chart_fail(x->cx, "Hiding Kubernetes secrets requires a dry-run mode");
    if (check_name(&in) != 0 || chart_process_dependencies(x->cx, chart, values) != 0 ||
        prepare_kinds(&in, chart) != 0 || render(&in, chart, values) != 0 || find_objects(&in) != 0)
        return -1;
    *ret = in.r;
    if (o->how.dry_run) {
        in.r->description = STR("Dry run complete");
        return 0;
    }
    if ((o->create_namespace && create_namespace(x) != 0) ||
        (o->replace && supersede_last(&in) != 0) || storage_create(x->storage, in.r) != STORAGE_OK)
        return -1;
    return perform(&in) == 0 ? 0 : fail_release(&in);
}

int action_validate(struct action *x, struct str name, struct str manifest, bool no_validation,
                    bool take_ownership)
{
    struct release r = {.name = name, .namespace = x->namespace, .manifest = manifest};
    struct action_install o = {
        .how = {.no_validation = no_validation, .take_ownership = take_ownership}};
    struct installing in = {.x = x, .o = &o, .r = &r};
    return find_objects(&in);
}
