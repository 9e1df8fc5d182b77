/* helm_diff.c: `tutti helm diff upgrade|revision|rollback|release`: what would change, or two
 * revisions, releases or clusters differ in. Exit code 0, or 2 with --detailed-exitcode when there
 * is a difference. */
#include "cli/helm_release.h"
#include "release/diff.h"

enum { DIFFERS = 2 };

struct options {
    const char *context, *against_context, *against_namespace;
    int64_t around, revision, against_revision;
    bool all_lines, show_secrets, no_hooks, no_colour, detailed, install;
    struct helm_chart_options chart;
    struct action_upgrade upgrade;
    struct str before, after; /* what is compared, for the head */
};

/* What the four have in common; the first entries of each table. */
enum { COMMON_FLAGS = 7 };
static void common_flags(struct options *o, struct helm_flag ret[COMMON_FLAGS])
{
    const struct helm_flag flags[COMMON_FLAGS] = {
        {"all-lines", 0, HELM_SWITCH, &o->all_lines, NULL},
        {"context", 0, HELM_TEXT, &o->context, NULL},
        {"detailed-exitcode", 0, HELM_SWITCH, &o->detailed, NULL},
        {"no-color", 0, HELM_SWITCH, &o->no_colour, NULL},
        {"no-hooks", 0, HELM_SWITCH, &o->no_hooks, NULL},
        {"show-secrets", 0, HELM_SWITCH, &o->show_secrets, NULL},
        {"unified", 'U', HELM_INT, &o->around, NULL},
    };
    memcpy(ret, flags, sizeof flags);
}

static int read_flags(struct chart_ctx *cx, struct options *o, const struct helm_flag *own,
                      size_t own_n, int argc, char **argv, int *ret_n)
{
    struct helm_flag *all =
        arena_zalloc(cx->arena, (COMMON_FLAGS + own_n + 1) * sizeof(struct helm_flag));
    common_flags(o, all);
    if (own_n)
        memcpy(all + COMMON_FLAGS, own, own_n * sizeof(*own));
    if (helm_flags(cx, all, helm_common_flags, argc, argv, ret_n) != 0)
        return -1;
    return o->around >= 0 ? 0 : chart_fail(cx, "--unified must not be negative");
}

/* --- comparing --- */
/* "web revision 3 in context staging" */
static struct str side_name(struct chart_ctx *cx, const struct release *r, const char *context)
{
    return arena_printf(cx->arena, "%.*s revision %d%s%s", STR_ARG(r->name), r->version,
                        context ? " in context " : "", context ? context : "");
}

static int compare(struct chart_ctx *cx, const struct options *o, const struct release *before,
                   const struct release *after, struct diff *ret)
{
    struct diff_side s = {0}, t = {0};
    if (before)
        s = (struct diff_side){diff_manifest_of(cx, before, !o->no_hooks), before->namespace};
    if (after)
        t = (struct diff_side){diff_manifest_of(cx, after, !o->no_hooks), after->namespace};
    return diff_manifests(cx, &s, &t, o->show_secrets, ret);
}

static struct str facts(struct chart_ctx *cx, const struct release *r)
{
    return arena_printf(cx->arena, "chart: %.*s\nappVersion: %.*s\n",
                        STR_ARG(helm_chart_name(cx->arena, r)), STR_ARG(helm_app_version(r)));
}

/* Two releases as a whole: their charts and values, too. */
static int compare_releases(struct chart_ctx *cx, const struct options *o,
                            const struct release *before, const struct release *after,
                            struct diff *ret)
{
    diff_texts(cx, STR("chart"), facts(cx, before), facts(cx, after), ret);
    return diff_values(cx, STR("values"), before->config, after->config, o->show_secrets, ret) !=
                       0 ||
                   compare(cx, o, before, after, ret) != 0
               ? -1
               : 0;
}

static int show(const struct options *o, const struct diff *d, struct buf *out)
{
    struct linediff_style style = {o->all_lines ? SIZE_MAX : (size_t)o->around,
                                   !o->no_colour && helm_colours()};
    if (d->n)
        buf_printf(out, "--- %.*s\n+++ %.*s\n", STR_ARG(o->before), STR_ARG(o->after));
    diff_put(d, style, out);
    return d->n && o->detailed ? DIFFERS : 0;
}

/* --- upgrade --- */
/* What is deployed, or else the last that was tried; NULL: the release does not exist. */
static int find_current(struct chart_ctx *cx, const struct options *o, const char *name,
                        struct release **ret)
{
    struct helm_records records;
    *ret = NULL;
    int rc = helm_records_open_in(cx, o->context, NULL, &records);
    if (rc == 0) {
        int code = storage_deployed(records.storage, str_of(name), ret);
        if (code == STORAGE_NOT_FOUND)
            code = storage_last(records.storage, str_of(name), ret);
        rc = code == STORAGE_OK || (code == STORAGE_NOT_FOUND && o->install) ? 0 : -1;
    }
    helm_records_close(&records);
    return rc;
}

static int render_next(struct chart_ctx *cx, struct options *o, char **argv, bool exists,
                       struct release **ret, struct buf *out)
{
    struct chart *chart;
    struct vmap *values;
    struct helm_work w;
    struct action_install in = {.name = str_of(argv[0]), .how.dry_run = DRY_RUN_SERVER};
    o->upgrade.name = in.name;
    o->upgrade.how.dry_run = DRY_RUN_SERVER;
    if (helm_render_options(cx, &o->chart, &o->upgrade.how.render) != 0 ||
        helm_load_release(cx, argv[1], &o->chart, !exists, &chart, &values, out) != 0)
        return -1;
    in.how.render = o->upgrade.how.render;
    int rc = helm_work_open(cx, 0, NULL, &w);
    if (rc == 0)
        rc = exists ? action_upgrade(&w.action, chart, values, &o->upgrade, ret)
                    : action_install(&w.action, chart, values, &in, ret);
    helm_work_close(&w);
    return rc;
}

static int diff_upgrade(struct chart_ctx *cx, struct options *o, int argc, char **argv,
                        struct diff *ret)
{
    struct action_upgrade *u = &o->upgrade;
    const struct helm_flag flags[] = {
        HELM_CHART_FLAGS(o->chart),
        {"allow-unreleased", 0, HELM_SWITCH, &o->install, NULL},
        {"enable-dns", 0, HELM_SWITCH, &u->how.render.enable_dns, NULL},
        {"install", 'i', HELM_SWITCH, &o->install, NULL},
        {"reset-then-reuse-values", 0, HELM_SWITCH, &u->reset_then_reuse_values, NULL},
        {"reset-values", 0, HELM_SWITCH, &u->reset_values, NULL},
        {"reuse-values", 0, HELM_SWITCH, &u->reuse_values, NULL},
        {"skip-schema-validation", 0, HELM_SWITCH, &u->how.render.skip_schema, NULL},
        {"take-ownership", 0, HELM_SWITCH, &u->how.take_ownership, NULL},
    };
    struct release *before, *after = NULL;
    struct buf said = {0}; /* of dependencies that were fetched: not part of the difference */
    if (read_flags(cx, o, flags, ARRAY_LEN(flags), argc, argv, &argc) != 0)
        return -1;
    if (argc != 2)
        return chart_fail(cx, "\"helm diff upgrade\" requires 2 arguments\n\nUsage:  helm diff "
                              "upgrade RELEASE_NAME CHART [flags]");
    if (o->context)
        helm_settings(cx)->kube_context = o->context;
    int rc = find_current(cx, o, argv[0], &before);
    rc = rc ? rc : render_next(cx, o, argv, before != NULL, &after, &said);
    buf_done(&said);
    if (rc != 0)
        return rc;
    o->before = before ? side_name(cx, before, NULL) : STR("nothing");
    o->after = side_name(cx, after, NULL);
    return compare(cx, o, before, after, ret);
}

/* --- revisions --- */
static int read_revision(struct chart_ctx *cx, const char *text, int64_t *ret)
{
    if (str_to_i64(str_of(text), ret) && *ret > 0)
        return 0;
    return chart_fail(cx, "\"%s\" is no revision", text);
}

static int compare_revisions(struct chart_ctx *cx, struct options *o, const char *name,
                             int64_t before, int64_t after, struct diff *ret)
{
    struct helm_records records;
    struct release *x, *y;
    int rc = helm_records_open_in(cx, o->context, NULL, &records);
    rc = rc ? rc : helm_release_content(cx, records.storage, name, before, &x);
    rc = rc ? rc : helm_release_content(cx, records.storage, name, after, &y);
    helm_records_close(&records);
    if (rc != 0)
        return rc;
    o->before = side_name(cx, x, o->context);
    o->after = side_name(cx, y, o->context);
    return compare(cx, o, x, y, ret);
}

static int diff_revision(struct chart_ctx *cx, struct options *o, int argc, char **argv,
                         struct diff *ret)
{
    int64_t before, after = 0;
    if (read_flags(cx, o, NULL, 0, argc, argv, &argc) != 0)
        return -1;
    if (argc != 2 && argc != 3)
        return chart_fail(cx, "\"helm diff revision\" requires 2 or 3 arguments\n\nUsage:  helm "
                              "diff revision RELEASE_NAME REVISION [REVISION] [flags]");
    if (read_revision(cx, argv[1], &before) != 0 ||
        (argc == 3 && read_revision(cx, argv[2], &after) != 0))
        return -1;
    return compare_revisions(cx, o, argv[0], before, after, ret);
}

static int diff_rollback(struct chart_ctx *cx, struct options *o, int argc, char **argv,
                         struct diff *ret)
{
    int64_t revision;
    if (read_flags(cx, o, NULL, 0, argc, argv, &argc) != 0)
        return -1;
    if (argc != 2)
        return chart_fail(cx, "\"helm diff rollback\" requires 2 arguments\n\nUsage:  helm diff "
                              "rollback RELEASE_NAME REVISION [flags]");
    if (read_revision(cx, argv[1], &revision) != 0)
        return -1;
    return compare_revisions(cx, o, argv[0], 0, revision, ret);
}

/* --- releases --- */
static int diff_release(struct chart_ctx *cx, struct options *o, int argc, char **argv,
                        struct diff *ret)
{
    const struct helm_flag flags[] = {
        {"against-context", 0, HELM_TEXT, &o->against_context, NULL},
        {"against-namespace", 0, HELM_TEXT, &o->against_namespace, NULL},
        {"against-revision", 0, HELM_INT, &o->against_revision, NULL},
        {"revision", 0, HELM_INT, &o->revision, NULL},
    };
    struct helm_records own, other = {0};
    struct release *before, *after;
    if (read_flags(cx, o, flags, ARRAY_LEN(flags), argc, argv, &argc) != 0)
        return -1;
    if (argc != 1 && argc != 2)
        return chart_fail(cx, "\"helm diff release\" requires 1 or 2 arguments\n\nUsage:  helm "
                              "diff release RELEASE_NAME [RELEASE_NAME] [--context A] "
                              "[--against-context B] [flags]");
    const char *against = o->against_context ? o->against_context : o->context;
    int rc = helm_records_open_in(cx, o->context, NULL, &own);
    rc = rc ? rc : helm_release_content(cx, own.storage, argv[0], o->revision, &before);
    rc = rc ? rc : helm_records_open_in(cx, against, o->against_namespace, &other);
    rc = rc ? rc
            : helm_release_content(cx, other.storage, argv[argc - 1], o->against_revision, &after);
    helm_records_close(&own);
    helm_records_close(&other);
    if (rc != 0)
        return rc;
    o->before = side_name(cx, before, o->context);
    o->after = side_name(cx, after, against);
    return compare_releases(cx, o, before, after, ret);
}

/* --- choosing --- */
static const struct form {
    const char *name;
    int (*compare)(struct chart_ctx *cx, struct options *o, int argc, char **argv,
                   struct diff *ret);
    const char *help;
} forms[] = {
    {"release", diff_release, "two releases, or one release in two contexts or namespaces"},
    {"revision", diff_revision, "a revision and a later one, or the last"},
    {"rollback", diff_rollback, "what a rollback to a revision would change"},
    {"upgrade", diff_upgrade, "what an upgrade with these values would change"},
};

static int usage(struct buf *out)
{
    buf_puts(out, "Differences of releases\n\nUsage:\n  tutti helm diff [command]\n\nAvailable "
                  "Commands:\n");
    for (const struct form *f = forms; f < forms + ARRAY_LEN(forms); f++)
        buf_printf(out, "  %-11s %s\n", f->name, f->help);
    return 0;
}

int helm_diff(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct options o = {.around = 3};
    struct diff d = {0};
    const struct form *f = forms;
    while (f < forms + ARRAY_LEN(forms) && (argc == 0 || strcmp(argv[0], f->name) != 0))
        f++;
    if (f == forms + ARRAY_LEN(forms))
        return usage(out);
    if (f->compare(cx, &o, argc - 1, argv + 1, &d) != 0)
        return -1;
    return show(&o, &d, out);
}
