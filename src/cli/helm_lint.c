/* helm_lint.c: `tutti helm lint`. */
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "chart/lint.h"
#include "cli/helm.h"

struct options {
    struct helm_values values;
    const char *kube_version, *namespace;
    bool strict, quiet, with_subcharts, skip_schema;
};

struct tally {
    size_t linted, failed, noted;
};

static int lint_one(struct chart_ctx *cx, const struct options *o, const char *path,
                    struct tally *tally, struct buf *out)
{
    struct capabilities capabilities = capabilities_default(cx->arena, NULL);
    struct lint_result result;
    struct vmap *values;
    if (o->kube_version &&
        capabilities_set_version(cx, &capabilities, str_of(o->kube_version)) != 0)
        return -1;
    if (helm_merge_values(cx, &o->values, &values) != 0)
        return -1;
    bool loaded =
        chart_lint(cx, path, values, o->namespace, &capabilities, o->skip_schema, &result) == 0;
    enum lint_severity limit = o->strict ? LINT_WARNING : LINT_ERROR;
    bool failed = !loaded, noted = !loaded;
    for (size_t i = 0; i < result.n; i++) {
        failed = failed || result.items[i].severity >= limit;
        noted = noted || result.items[i].severity > LINT_INFO;
    }
    tally->linted++;
    tally->failed += failed;
    tally->noted += noted;
    if (o->quiet && !noted)
        return 0;
    buf_printf(out, "==> Linting %s\n", path);
    if (!loaded)
        buf_printf(out, "Error %.*s\n", STR_ARG(cx->error));
    for (size_t i = 0; i < result.n; i++)
        if (!o->quiet || result.items[i].severity > LINT_INFO)
            lint_put(out, &result.items[i]);
    buf_putc(out, '\n');
    return 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* The charts below a folder, unpacked and packed, in the order of Go's filepath.Walk. */
static int lint_inner(struct chart_ctx *cx, const struct options *o, const char *folder,
                      struct tally *tally, struct buf *out, int depth)
{
    enum { MAX_DEPTH = 100 };
    struct dirent **names;
    int n = depth < MAX_DEPTH ? scandir(folder, &names, NULL, by_bytes) : -1;
    int status = 0;
    for (int i = 0; i < n; i++) {
        struct stat st;
        struct str name = arena_dup(cx->arena, str_of(names[i]->d_name));
        free(names[i]);
        const char *path = arena_printf(cx->arena, "%s/%s", folder, name.p).p;
        if (status != 0 || str_is(name, ".") || str_is(name, "..") || lstat(path, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode))
            status = lint_inner(cx, o, path, tally, out, depth + 1);
        else if (str_is(name, "Chart.yaml"))
            status = lint_one(cx, o, folder, tally, out);
        else if (str_ends(name, STR(".tgz")) || str_ends(name, STR(".tar.gz")))
            status = lint_one(cx, o, path, tally, out);
    }
    if (n >= 0)
        free(names);
    return status;
}

int helm_lint(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct options o = {.namespace = helm_namespace(cx)};
    struct tally tally = {0};
    const struct helm_flag flags[] = {
        HELM_VALUES_FLAGS(o.values),
        {"kube-version", 0, HELM_TEXT, &o.kube_version, NULL},
        {"namespace", 'n', HELM_TEXT, &o.namespace, NULL},
        {"quiet", 0, HELM_SWITCH, &o.quiet, NULL},
        {"skip-schema-validation", 0, HELM_SWITCH, &o.skip_schema, NULL},
        {"strict", 0, HELM_SWITCH, &o.strict, NULL},
        {"with-subcharts", 0, HELM_SWITCH, &o.with_subcharts, NULL},
        {0},
    };
    static char here[] = ".";
    char *default_paths[] = {here};
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0)
        return -1;
    if (argc == 0) {
        argv = default_paths;
        argc = 1;
    }
    for (int i = 0; i < argc; i++)
        if (lint_one(cx, &o, argv[i], &tally, out) != 0)
            return -1;
    for (int i = 0; i < argc && o.with_subcharts; i++) {
        const char *charts = arena_printf(cx->arena, "%s/charts", argv[i]).p;
        if (lint_inner(cx, &o, charts, &tally, out, 0) != 0)
            return -1;
    }
    struct str summary = arena_printf(cx->arena, "%zu chart(s) linted, %zu chart(s) failed",
                                      tally.linted, tally.failed);
    if (tally.failed)
        return chart_fail(cx, "%.*s", STR_ARG(summary));
    if (!o.quiet || tally.noted)
        buf_printf(out, "%.*s\n", STR_ARG(summary));
    return 0;
}
