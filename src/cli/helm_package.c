/* helm_package.c: `tutti helm package`: folders into .tgz files. */
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "chart/package.h"
#include "functions/semver.h"
#include "cli/helm.h"

struct options {
    const char *destination, *version, *app_version;
    bool update;
};

static int package_one(struct chart_ctx *cx, const struct options *o, const char *path,
                       struct buf *out)
{
    struct stat st;
    struct chart_files files = {0};
    struct chart *c;
    struct semver version;
    struct err err;
    const char *saved;
    char here[PATH_MAX];
    if (stat(path, &st) != 0)
        return chart_fail(cx, "stat %s: no such file or directory", path);
    if (chart_read_dir(cx, path, &files) != 0 || chart_load_files(cx, &files, &c) != 0)
        return -1;
    if (o->version)
        c->meta.version = str_of(o->version);
    if (semver_parse(c->meta.version, &version, &err) != 0)
        return chart_fail(cx, "%s", err.message);
    if (o->app_version)
        c->meta.app_version = str_of(o->app_version);
    if (c->meta.has_dependencies && chart_missing_dependencies(cx, c) != 0)
        return -1;
    const char *dir = o->destination;
    if (strcmp(dir, ".") == 0 && getcwd(here, sizeof(here)))
        dir = here;
    if (chart_save(cx, c, dir, &saved) != 0)
        return chart_wrap(cx, "failed to save");
    buf_printf(out, "Successfully packaged chart and saved it to: %s\n", saved);
    return 0;
}

int helm_package(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct options o = {.destination = "."};
    const struct helm_flag flags[] = {
        {"app-version", 0, HELM_TEXT, &o.app_version, NULL},
        {"dependency-update", 'u', HELM_SWITCH, &o.update, NULL},
        {"destination", 'd', HELM_TEXT, &o.destination, NULL},
        {"version", 0, HELM_TEXT, &o.version, NULL},
        {0},
    };
    if (helm_flags(cx, flags, helm_ignored_flags, argc, argv, &argc) != 0)
        return -1;
    if (argc == 0)
        return chart_fail(cx, "need at least one argument, the path to the chart");
    for (int i = 0; i < argc; i++) {
        if (o.update && helm_dependency_update(cx, argv[i], out) != 0)
            return -1;
        if (package_one(cx, &o, argv[i], out) != 0)
            return -1;
    }
    return 0;
}
