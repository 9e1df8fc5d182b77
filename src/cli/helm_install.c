/* helm_install.c: `tutti helm install`. */
#include <time.h>

#include "cli/helm_release.h"

/* --- the name --- */
static struct str generated_name(struct chart_ctx *cx, const char *chart)
{
    struct str base = path_base(str_of(chart)), head, tail;
    if (base.n == 0 || str_is(base, "."))
        base = STR("chart");
    str_cut(base, '.', &head, &tail);
    return arena_printf(cx->arena, "%.*s-%lld", STR_ARG(head), (long long)time(NULL));
}

static int name_and_chart(struct chart_ctx *cx, const struct helm_install *o, int argc, char **argv,
                          struct str *ret_name, const char **ret_chart)
{
    bool templated = o->name_template && o->name_template[0];
    if (argc > 2) {
        struct buf rest = {0};
        for (int i = 2; i < argc; i++)
            buf_printf(&rest, "%s%s", i > 2 ? ", " : "", argv[i]);
        chart_fail(cx, "expected at most two arguments, unexpected arguments: %s", buf_z(&rest));
        buf_done(&rest);
        return -1;
    }
    *ret_chart = argv[argc - 1];
    *ret_name = str_of(argv[0]);
    if (argc == 2 && o->generate_name)
        return chart_fail(cx, "cannot set --generate-name and also specify a name");
    if (argc == 2 && templated)
        return chart_fail(cx, "cannot set --name-template and also specify a name");
    if (argc == 2)
        return 0;
    if (templated) {
        struct buf name = {0};
        int rc = helm_run_template(cx, "name-template", o->name_template, VALUE_NONE, &name);
        *ret_name = arena_dup(cx->arena, buf_str(&name));
        buf_done(&name);
        return rc;
    }
    if (!o->generate_name)
        return chart_fail(cx, "must either provide a name or specify --generate-name");
    *ret_name = generated_name(cx, *ret_chart);
    return 0;
}

int helm_run_install(struct chart_ctx *cx, struct helm_install *o, int argc, char **argv,
                     struct buf *out)
{
    struct chart *chart;
    struct vmap *values;
    const char *source;
    struct helm_work w;
    struct release *r = NULL;
    if (name_and_chart(cx, o, argc, argv, &o->action.name, &source) != 0 ||
        helm_load_release(cx, source, &o->chart, true, &chart, &values, out) != 0)
        return -1;
    int rc = helm_work_open(cx, 0, argv[0], &w);
    rc = rc ? rc : action_install(&w.action, chart, values, &o->action, &r);
    helm_work_close(&w);
    struct helm_shown shown = {.debug = helm_settings(cx)->debug, .hide_notes = o->hide_notes};
    return rc ? rc : helm_put_release(cx, r, o->format, shown, out);
}

static int read_options(struct chart_ctx *cx, int argc, char **argv, struct helm_install *o,
                        int *ret_n)
{
    struct action_install *a = &o->action;
    const char *dry_run = NULL, *timeout = NULL, *format = NULL, *description = NULL;
    struct chart_strs labels = {0};
    const struct helm_flag flags[] = {
        HELM_CHART_FLAGS(o->chart),
        {"atomic", 0, HELM_SWITCH, &a->atomic, NULL},
        {"create-namespace", 0, HELM_SWITCH, &a->create_namespace, NULL},
        {"description", 0, HELM_TEXT, &description, NULL},
        {"disable-openapi-validation", 0, HELM_SWITCH, &a->no_validation, NULL},
        {"dry-run", 0, HELM_TEXT, &dry_run, "client"},
        {"enable-dns", 0, HELM_SWITCH, &a->render.enable_dns, NULL},
        {"force", 0, HELM_SWITCH, &a->force, NULL},
        {"generate-name", 'g', HELM_SWITCH, &o->generate_name, NULL},
        {"hide-notes", 0, HELM_SWITCH, &o->hide_notes, NULL},
        {"hide-secret", 0, HELM_SWITCH, &a->render.hide_secret, NULL},
        {"labels", 'l', HELM_COMMAS, &labels, NULL},
        {"name-template", 0, HELM_TEXT, &o->name_template, NULL},
        {"no-hooks", 0, HELM_SWITCH, &a->no_hooks, NULL},
        {"output", 'o', HELM_TEXT, &format, NULL},
        {"render-subchart-notes", 0, HELM_SWITCH, &a->render.sub_notes, NULL},
        {"replace", 0, HELM_SWITCH, &a->replace, NULL},
        {"skip-crds", 0, HELM_SWITCH, &a->skip_crds, NULL},
        {"skip-schema-validation", 0, HELM_SWITCH, &a->render.skip_schema, NULL},
        {"take-ownership", 0, HELM_SWITCH, &a->take_ownership, NULL},
        {"timeout", 0, HELM_TEXT, &timeout, NULL},
        {"wait", 0, HELM_SWITCH, &a->wait, NULL},
        {"wait-for-jobs", 0, HELM_SWITCH, &a->wait_for_jobs, NULL},
        {0},
    };
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, ret_n) != 0 ||
        helm_timeout(cx, timeout, &a->timeout_ms) != 0 ||
        helm_labels(cx, &labels, &a->labels) != 0 || helm_format_of(cx, format, &o->format) != 0 ||
        helm_render_options(cx, &o->chart, &a->render) != 0)
        return -1;
    a->description = str_of(description);
    if (*ret_n < 1)
        return chart_fail(cx, "\"helm install\" requires at least 1 argument\n\nUsage:  helm "
                              "install [NAME] [CHART] [flags]");
    return helm_dry_run(cx, dry_run, &a->dry_run) == 0 ? 0 : chart_wrap(cx, "INSTALLATION FAILED");
}

int helm_install(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct helm_install o = {0};
    if (read_options(cx, argc, argv, &o, &argc) != 0)
        return -1;
    return helm_run_install(cx, &o, argc, argv, out) == 0 ? 0
                                                          : chart_wrap(cx, "INSTALLATION FAILED");
}
