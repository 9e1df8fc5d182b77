/* helm_dependency.c: `tutti helm dependency list|update|build`. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "chart/package.h"
#include "chart/repo.h"
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

/* --- update --- */
static const char *local_path(struct chart_ctx *cx, const char *chart, struct str repository)
{
    struct str path = str_from(repository, strlen("file://"));
    if (str_starts(path, STR("/")))
        return arena_z(cx->arena, path);
    return arena_printf(cx->arena, "%s/%.*s", chart, STR_ARG(path)).p;
}

static int fail_version(struct chart_ctx *cx, const struct chart_dependency *d)
{
    return chart_fail(
        cx,
        "can't get a valid version for 1 subchart(s): \"%.*s\" (repository \"%.*s\", version "
        "\"%.*s\"). Make sure a matching chart version exists in the repo, or change the version "
        "constraint in Chart.yaml",
        STR_ARG(d->name), STR_ARG(d->repository), STR_ARG(d->version));
}

/* What an entry is fixed to, and the packed chart (NULL: it lies in charts/ already). */
struct resolved {
    struct chart_dependency locked;
    struct chart *local;
    struct str url;
};

static int resolve(struct chart_ctx *cx, const char *path, const struct chart_dependency *d,
                   struct resolved *ret, struct buf *out)
{
    *ret = (struct resolved){
        .locked = {.name = d->name, .version = d->version, .repository = d->repository}};
    if (d->repository.n == 0)
        return 0;
    if (str_starts(d->repository, STR("file://"))) {
        const char *where = local_path(cx, path, d->repository);
        if (access(where, F_OK) != 0)
            return chart_fail(cx, "directory %s not found", where);
        if (chart_load(cx, where, &ret->local) != 0)
            return -1;
        if (!chart_version_fits(cx->arena, d->version, ret->local->meta.version))
            return fail_version(cx, d);
        ret->locked.version = ret->local->meta.version;
        return 0;
    }
    if (str_starts(d->repository, STR("@")) || str_starts(d->repository, STR("alias:")))
        return chart_fail(cx,
                          "no repository definition for %.*s. Please add them via 'helm repo add'",
                          STR_ARG(d->repository));
    struct repo_index index = {0};
    buf_puts(out, "Getting updates for unmanaged Helm repositories...\n");
    if (repo_read_index(cx, d->repository, d->name, &index) != 0) {
        buf_printf(out, "...Unable to get an update from the \"%.*s\" chart repository:\n\t%.*s\n",
                   STR_ARG(d->repository), STR_ARG(cx->error));
        return -1;
    }
    buf_printf(out, "...Successfully got an update from the \"%.*s\" chart repository\n",
               STR_ARG(d->repository));
    if (index.n == 0)
        return chart_fail(cx, "%.*s chart not found in repo %.*s", STR_ARG(d->name),
                          STR_ARG(d->repository));
    const struct repo_version *v = repo_pick(cx, &index, d->version);
    if (!v)
        return fail_version(cx, d);
    ret->locked.version = v->version;
    ret->url = repo_chart_url(cx, d->repository, v);
    return 0;
}

/* Older packed versions of the same chart go. */
static void remove_others(struct chart_ctx *cx, const char *charts, struct str name,
                          struct str kept)
{
    DIR *dir = opendir(charts);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        struct str file = str_of(e->d_name);
        struct str prefix = arena_printf(cx->arena, "%.*s-", STR_ARG(name));
        char digit = file.n > prefix.n ? file.p[prefix.n] : 0;
        if (str_starts(file, prefix) && str_ends(file, STR(".tgz")) && digit >= '0' &&
            digit <= '9' && !str_eq(file, kept))
            unlink(arena_printf(cx->arena, "%s/%s", charts, e->d_name).p);
    }
    if (dir)
        closedir(dir);
}

static int save(struct chart_ctx *cx, const char *charts, const struct resolved *r, struct buf *out)
{
    const char *saved;
    struct str data;
    struct err err;
    if (r->locked.repository.n == 0) {
        buf_printf(out,
                   "Dependency %.*s did not declare a repository. Assuming it exists in the charts "
                   "directory\n",
                   STR_ARG(r->locked.name));
        return 0;
    }
    if (r->local) {
        if (chart_save(cx, r->local, charts, &saved) != 0)
            return -1;
    } else {
        buf_printf(out, "Downloading %.*s from repo %.*s\n", STR_ARG(r->locked.name),
                   STR_ARG(r->locked.repository));
        if (repo_get(cx, r->url, &data) != 0)
            return chart_wrap(cx, "could not download %.*s", STR_ARG(r->url));
        saved = arena_printf(cx->arena, "%s/%.*s", charts, STR_ARG(path_base(r->url))).p;
        if (file_write(saved, data, 0644, &err) != 0)
            return chart_fail(cx, "%s", err.message);
    }
    remove_others(cx, charts, r->locked.name, path_base(str_of(saved)));
    return 0;
}

static int save_all(struct chart_ctx *cx, const char *path, const struct resolved *all, size_t n,
                    struct buf *out)
{
    const char *charts = arena_printf(cx->arena, "%s/charts", path).p;
    struct err err;
    if (file_mkdirs(charts, 0755, &err) != 0)
        return chart_fail(cx, "%s", err.message);
    buf_printf(out, "Saving %zu charts\n", n);
    for (size_t i = 0; i < n; i++)
        if (save(cx, charts, &all[i], out) != 0)
            return -1;
    buf_puts(out, "Deleting outdated charts\n");
    return 0;
}

static struct str now_text(struct arena *a)
{
    struct timespec now;
    struct tm parts;
    char text[40];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    return arena_printf(a, "%s.%09ldZ", text, now.tv_nsec);
}

static int write_lock(struct chart_ctx *cx, const char *path, const struct chart *c,
                      struct resolved *all, size_t n)
{
    struct chart_dependency **locked = arena_alloc(cx->arena, (n + 1) * sizeof(*locked));
    struct err err;
    for (size_t i = 0; i < n; i++)
        locked[i] = &all[i].locked;
    struct chart_lock lock = {now_text(cx->arena),
                              chart_lock_digest(cx, c->meta.dependencies, n, locked, n), locked, n};
    if (c->lock && str_eq(c->lock->digest, lock.digest))
        return 0;
    const char *file =
        arena_printf(cx->arena, "%s/%s", path,
                     str_is(c->meta.api_version, "v1") ? "requirements.lock" : "Chart.lock")
            .p;
    if (file_write(file, chart_lock_yaml(cx, &lock), 0644, &err) != 0)
        return chart_fail(cx, "%s", err.message);
    return 0;
}

static int load_dir(struct chart_ctx *cx, const char *path, struct chart **ret)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return chart_fail(cx, "could not find %s: stat %s: no such file or directory", path, path);
    if (!S_ISDIR(st.st_mode))
        return chart_fail(cx, "only unpacked charts can be updated");
    return chart_load(cx, path, ret);
}

int helm_dependency_update(struct chart_ctx *cx, const char *path, struct buf *out)
{
    struct chart *c;
    if (load_dir(cx, path, &c) != 0)
        return -1;
    size_t n = c->meta.dependency_count;
    struct resolved *all = arena_alloc(cx->arena, (n + 1) * sizeof(*all));
    if (!c->meta.has_dependencies)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (resolve(cx, path, c->meta.dependencies[i], &all[i], out) != 0)
            return -1;
    if (save_all(cx, path, all, n, out) != 0)
        return -1;
    return write_lock(cx, path, c, all, n);
}

/* What the lock fixes, and nothing else. */
static int build(struct chart_ctx *cx, const char *path, struct buf *out)
{
    struct chart *c;
    if (load_dir(cx, path, &c) != 0)
        return -1;
    if (!c->lock)
        return helm_dependency_update(cx, path, out);
    struct str digest = chart_lock_digest(cx, c->meta.dependencies, c->meta.dependency_count,
                                          c->lock->dependencies, c->lock->dependency_count);
    bool old = str_is(c->meta.api_version, "v1");
    if (!str_eq(digest, c->lock->digest))
        return chart_fail(
            cx,
            "the lock file (%s) is out of sync with the dependencies file (%s). Please "
            "update the dependencies",
            old ? "requirements.lock" : "Chart.lock", old ? "requirements.yaml" : "Chart.yaml");
    size_t n = c->lock->dependency_count;
    struct resolved *all = arena_alloc(cx->arena, (n + 1) * sizeof(*all));
    for (size_t i = 0; i < n; i++)
        if (resolve(cx, path, c->lock->dependencies[i], &all[i], out) != 0)
            return -1;
    return save_all(cx, path, all, n, out);
}

int helm_dependency(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    const struct helm_flag flags[] = {
        {"keyring", 0, HELM_TEXT, NULL, NULL},
        {"max-col-width", 0, HELM_TEXT, NULL, NULL},
        {"skip-refresh", 0, HELM_SWITCH, NULL, NULL},
        {"verify", 0, HELM_SWITCH, NULL, NULL},
        {0},
    };
    if (helm_flags(cx, flags, helm_ignored_flags, argc, argv, &argc) != 0)
        return -1;
    if (argc == 0)
        return chart_fail(cx, "\"helm dependency\" needs one of build, list, update");
    const char *path = argc > 1 ? argv[1] : ".";
    if (strcmp(argv[0], "list") == 0 || strcmp(argv[0], "ls") == 0)
        return list(cx, path, out);
    if (strcmp(argv[0], "update") == 0 || strcmp(argv[0], "up") == 0)
        return helm_dependency_update(cx, path, out);
    if (strcmp(argv[0], "build") == 0)
        return build(cx, path, out);
    return chart_fail(cx, "unknown command \"%s\" for \"helm dependency\"", argv[0]);
}
