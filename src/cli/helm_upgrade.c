/* helm_upgrade.c: `tutti helm upgrade`. */
#include "cli/helm_release.h"

struct options {
    struct helm_how how;
    struct action_upgrade action;
    int64_t history_max;
    bool install, create_namespace, skip_crds;
};

static int read_options(struct chart_ctx *cx, int argc, char **argv, struct options *o, int *ret_n)
{
    struct action_upgrade *a = &o->action;
    const struct helm_flag flags[] = {
        HELM_HOW_FLAGS(o->how, a->how),
        {"cleanup-on-fail", 0, HELM_SWITCH, &a->cleanup_on_fail, NULL},
        {"create-namespace", 0, HELM_SWITCH, &o->create_namespace, NULL},
        {"history-max", 0, HELM_INT, &o->history_max, NULL},
        {"install", 'i', HELM_SWITCH, &o->install, NULL},
        {"recreate-pods", 0, HELM_SWITCH, &a->recreate_pods, NULL},
        {"reset-then-reuse-values", 0, HELM_SWITCH, &a->reset_then_reuse_values, NULL},
        {"reset-values", 0, HELM_SWITCH, &a->reset_values, NULL},
        {"reuse-values", 0, HELM_SWITCH, &a->reuse_values, NULL},
        {"skip-crds", 0, HELM_SWITCH, &o->skip_crds, NULL},
        {0},
    };
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, ret_n) != 0 ||
        helm_read_how(cx, &o->how, &a->how) != 0)
        return -1;
    if (a->recreate_pods)
        chart_warn(cx, "Flag --recreate-pods has been deprecated, functionality will no longer be "
                       "updated. Consult the documentation for other methods to recreate pods");
    if (*ret_n != 2)
        return chart_fail(cx, "\"helm upgrade\" requires 2 arguments\n\nUsage:  helm upgrade "
                              "[RELEASE] [CHART] [flags]");
    return helm_dry_run(cx, o->how.dry_run, &a->how.dry_run);
}

/* --install: the same flags as an installation has them. */
static int install(struct chart_ctx *cx, struct options *o, bool replace, char **argv,
                   struct buf *out)
{
    struct helm_install in = {
        .how = o->how,
        .action = {.how = o->action.how,
                   .create_namespace = o->create_namespace,
                   .replace = replace,
                   .skip_crds = o->skip_crds},
    };
    if (o->how.format == HELM_TABLE)
        buf_printf(out, "Release \"%s\" does not exist. Installing it now.\n", argv[0]);
    return helm_run_install(cx, &in, 2, argv, out);
}

/* 1: there is a release to upgrade; 0: it was installed. */
static int install_if_missing(struct chart_ctx *cx, struct options *o, char **argv, struct buf *out)
{
    struct helm_records records;
    struct release *last = NULL;
    if (!action_is_release_name(str_of(argv[0])))
        return chart_fail(cx, "release name is invalid: %s", argv[0]);
    int rc = helm_records_open(cx, helm_namespace(cx), 0, &records);
    int found = rc ? STORAGE_FAILED : storage_last(records.storage, str_of(argv[0]), &last);
    helm_records_close(&records);
    if (found == STORAGE_NOT_FOUND)
        return install(cx, o, false, argv, out);
    if (found != STORAGE_OK)
        return -1;
    return last->status == RELEASE_UNINSTALLED ? install(cx, o, true, argv, out) : 1;
}

static int upgrade(struct chart_ctx *cx, struct options *o, char **argv, struct buf *out)
{
    struct chart *chart;
    struct vmap *values;
    struct helm_work w;
    struct release *r = NULL;
    o->action.name = str_of(argv[0]);
    if (helm_load_release(cx, argv[1], &o->how.chart, false, &chart, &values, out) != 0)
        return -1;
    int rc = helm_work_open(cx, o->history_max, argv[0], &w);
    rc = rc ? rc : action_upgrade(&w.action, chart, values, &o->action, &r);
    helm_work_close(&w);
    if (rc != 0)
        return chart_wrap(cx, "UPGRADE FAILED");
    if (o->how.format == HELM_TABLE)
        buf_printf(out, "Release \"%s\" has been upgraded. Happy Helming!\n", argv[0]);
    struct helm_shown shown = {.debug = helm_settings(cx)->debug, .hide_notes = o->how.hide_notes};
    return helm_put_release(cx, r, o->how.format, shown, out);
}

int helm_upgrade(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct options o = {.history_max = helm_history_max()};
    if (read_options(cx, argc, argv, &o, &argc) != 0)
        return -1;
    int rc = o.install ? install_if_missing(cx, &o, argv, out) : 1;
    return rc == 1 ? upgrade(cx, &o, argv, out) : rc;
}
