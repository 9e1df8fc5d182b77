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
    if (helm_refuse_rest(cx, argc, argv) != 0)
        return -1;
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
        helm_load_release(cx, source, &o->how.chart, true, &chart, &values, out) != 0)
        return -1;
    int rc = helm_work_open(cx, 0, argv[0], &w);
    rc = rc ? rc : action_install(&w.action, chart, values, &o->action, &r);
    helm_work_close(&w);
    struct helm_shown shown = {.debug = helm_settings(cx)->debug, .hide_notes = o->how.hide_notes};
    return rc ? rc : helm_put_release(cx, r, o->how.format, shown, out);
}

static int read_options(struct chart_ctx *cx, int argc, char **argv, struct helm_install *o,
                        int *ret_n)
{
    struct action_install *a = &o->action;
    const struct helm_flag flags[] = {
        HELM_HOW_FLAGS(o->how, a->how),
        {"create-namespace", 0, HELM_SWITCH, &a->create_namespace, NULL},
        {"generate-name", 'g', HELM_SWITCH, &o->generate_name, NULL},
        {"name-template", 0, HELM_TEXT, &o->name_template, NULL},
        {"replace", 0, HELM_SWITCH, &a->replace, NULL},
        {"skip-crds", 0, HELM_SWITCH, &a->skip_crds, NULL},
        {0},
    };
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, ret_n) != 0 ||
        helm_read_how(cx, &o->how, &a->how) != 0)
        return -1;
    if (*ret_n < 1)
        return chart_fail(cx, "\"helm install\" requires at least 1 argument\n\nUsage:  helm "
                              "install [NAME] [CHART] [flags]");
    return helm_dry_run(cx, o->how.dry_run, &a->how.dry_run) == 0
               ? 0
               : chart_wrap(cx, "INSTALLATION FAILED");
}

int helm_install(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct helm_install o = {0};
    if (read_options(cx, argc, argv, &o, &argc) != 0)
        return -1;
    return helm_run_install(cx, &o, argc, argv, out) == 0 ? 0
                                                          : chart_wrap(cx, "INSTALLATION FAILED");
}
