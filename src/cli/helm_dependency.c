/* helm_dependency.c: `tutti helm dependency`; its subcommand `list`. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/helm.h"

/* --- list --- */
static const char *version_status(struct chart_ctx *cx, const struct chart_dependency *d,
                                  const struct chart *found, const char *fitting)
{
    bool fits = str_eq(found->meta.version, d->version) ||
                chart_version_fits(cx->arena, d->version, found->meta.version);
    return fits ? fitting : "wrong version";
}

/* What is to be said about charts/NAME-*.tgz; NULL: there is not exactly one. */
static const char *archive_status(struct chart_ctx *cx, const char *path,
                                  const struct chart_dependency *d)
{
    const char *folder = arena_printf(cx->arena, "%s/charts", path).p;
    struct str prefix = arena_printf(cx->arena, "%.*s-", STR_ARG(d->name));
    DIR *dir = opendir(folder);
    const char *archive = NULL;
    size_t n = 0;
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;)
        if (str_starts(str_of(e->d_name), prefix) && str_ends(str_of(e->d_name), STR(".tgz"))) {
            archive = arena_printf(cx->arena, "%s/%s", folder, e->d_name).p;
            n++;
        }
    if (dir)
        closedir(dir);
    struct chart *c;
    if (n != 1)
        return NULL;
    if (chart_load(cx, archive, &c) != 0)
        return "corrupt";
    return str_eq(c->meta.name, d->name) ? version_status(cx, d, c, "ok") : "misnamed";
}

static const char *status_of(struct chart_ctx *cx, const char *path, const struct chart *c,
                             const struct chart_dependency *d)
{
    const char *status = archive_status(cx, path, d);
    for (size_t i = 0; i < c->dep_count && !status; i++)
        if (str_eq(c->deps[i]->meta.name, d->name))
            status = version_status(cx, d, c->deps[i], "unpacked");
    return status ? status : "missing";
}

enum { COLUMNS = 4 };

static void put_table(struct str (*rows)[COLUMNS], size_t n, struct buf *out)
{
    size_t width[COLUMNS] = {0};
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < COLUMNS; k++)
            width[k] = rows[i][k].n > width[k] ? rows[i][k].n : width[k];
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < COLUMNS; k++)
            buf_printf(out, "%-*.*s%s", (int)width[k], STR_ARG(rows[i][k]),
                       k + 1 < COLUMNS ? "\t" : "\n");
}

/* Charts on disk that Chart.yaml does not name. */
static void put_unlisted(struct chart_ctx *cx, const char *path, const struct chart *c,
                         struct buf *out)
{
    const char *folder = arena_printf(cx->arena, "%s/charts", path).p;
    struct dirent **names;
    int n = scandir(folder, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        struct stat st;
        struct chart *inner;
        const char *file = arena_printf(cx->arena, "%s/%s", folder, names[i]->d_name).p;
        bool hidden = names[i]->d_name[0] == '.';
        free(names[i]);
        if (hidden || stat(file, &st) != 0 ||
            (!S_ISDIR(st.st_mode) && !str_ends(str_of(file), STR(".tgz"))))
            continue;
        if (chart_load(cx, file, &inner) != 0) {
            buf_printf(out, "WARNING: \"%s\" is not a chart.\n", file);
            continue;
        }
        bool found = false;
        for (size_t k = 0; k < c->meta.dependency_count; k++)
            found = found || str_eq(c->meta.dependencies[k]->name, inner->meta.name);
        if (!found)
            buf_printf(out, "WARNING: \"%s\" is not in Chart.yaml.\n", file);
    }
    if (n >= 0)
        free(names);
}

static int list(struct chart_ctx *cx, const char *path, struct buf *out)
{
    struct chart *c;
    if (chart_load(cx, path, &c) != 0)
        return -1;
    if (!c->meta.has_dependencies) {
        buf_printf(out, "WARNING: no dependencies at %s/charts\n", path);
        return 0;
    }
    size_t n = c->meta.dependency_count;
    struct str(*rows)[COLUMNS] = arena_alloc(cx->arena, (n + 1) * sizeof(*rows));
    const char *const heads[COLUMNS] = {"NAME", "VERSION", "REPOSITORY", "STATUS"};
    for (size_t k = 0; k < COLUMNS; k++)
        rows[0][k] = str_of(heads[k]);
    for (size_t i = 0; i < n; i++) {
        const struct chart_dependency *d = c->meta.dependencies[i];
        rows[i + 1][0] = d->name;
        rows[i + 1][1] = d->version;
        rows[i + 1][2] = d->repository;
        rows[i + 1][3] = str_of(status_of(cx, path, c, d));
    }
    put_table(rows, n + 1, out);
    buf_putc(out, '\n');
    put_unlisted(cx, path, c, out);
    return 0;
}

int helm_dependency(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct helm_dependency_options o = {0};
    const struct helm_flag flags[] = {
        HELM_ACCESS_FLAGS(o.source),
        {"keyring", 0, HELM_TEXT, &o.source.keyring, NULL},
        {"max-col-width", 0, HELM_TEXT, NULL, NULL},
        {"skip-refresh", 0, HELM_SWITCH, &o.skip_refresh, NULL},
        {"verify", 0, HELM_SWITCH, &o.source.verify, NULL},
        {0},
    };
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0)
        return -1;
    if (argc == 0)
        return chart_fail(cx, "\"helm dependency\" needs one of build, list, update");
    const char *path = argc > 1 ? argv[1] : ".";
    if (argc > 2)
        return chart_fail(cx,
                          "\"helm dependency %s\" accepts at most 1 argument\n\nUsage:  helm "
                          "dependency %s CHART [flags]",
                          argv[0], argv[0]);
    if (strcmp(argv[0], "list") == 0 || strcmp(argv[0], "ls") == 0)
        return list(cx, path, out);
    if (strcmp(argv[0], "update") == 0 || strcmp(argv[0], "up") == 0)
        return helm_dependency_fetch(cx, path, &o, out);
    o.from_lock = true;
    if (strcmp(argv[0], "build") == 0)
        return helm_dependency_fetch(cx, path, &o, out);
    return chart_fail(cx, "unknown command \"%s\" for \"helm dependency\"", argv[0]);
}
