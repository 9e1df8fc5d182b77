/* helm_dependency_fetch.c: `tutti helm dependency update` and `build`: what Chart.yaml or its lock
 * names is looked up, fetched into a folder beside charts/, and moved there once all of it is
 * there. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "chart/index.h"
#include "chart/oci.h"
#include "chart/package.h"
#include "cli/helm.h"

/* Indexes of repositories that the user has not added are cached under names that begin so. */
static const char unmanaged[] = "helm-manager-";

struct manager {
    struct chart_ctx *cx;
    const struct helm_dependency_options *options;
    struct chart_home home;
    const char *path; /* of the chart */
    struct chart *chart;
    struct repo_file repos;
    struct chart_strs repo_names; /* of each dependency: under which its index is cached */
    struct buf *out;
};

static bool is_file(struct str repository)
{
    return str_starts(repository, STR("file://"));
}

static int local_path(struct manager *m, struct str repository, const char **ret)
{
    struct str path = is_file(repository) ? str_from(repository, 7) : repository;
    *ret = str_starts(path, STR("/"))
               ? arena_z(m->cx->arena, path)
               : arena_printf(m->cx->arena, "%s/%.*s", m->path, STR_ARG(path)).p;
    return access(*ret, F_OK) == 0 ? 0 : chart_fail(m->cx, "directory %s not found", *ret);
}

/* --- repositories --- */
static const struct repo_entry *managed_repo(const struct manager *m, struct str repository)
{
    for (size_t i = 0; i < m->repos.n; i++) {
        const struct repo_entry *e = &m->repos.items[i];
        bool by_name =
            (str_starts(repository, STR("@")) && str_eq(str_from(repository, 1), e->name)) ||
            (str_starts(repository, STR("alias:")) && str_eq(str_from(repository, 6), e->name));
        if (by_name || repo_url_same(e->url, repository))
            return e;
    }
    return NULL;
}

static int fail_missing(struct chart_ctx *cx, struct str names)
{
    bool plain = false;
    struct str rest = names, name;
    while (str_next(&rest, ',', &name)) {
        name = str_trim(name);
        plain |= str_find(name, STR("//")) < 0 && !str_starts(name, STR("@")) &&
                 !str_starts(name, STR("alias:"));
    }
    return chart_fail(cx,
                      "no repository definition for %.*s. Please add them via 'helm repo add'%s",
                      STR_ARG(names),
                      plain ? "\nNote that repositories must be URLs or aliases. For example, to "
                              "refer to the \"example\"\nrepository, use "
                              "\"https://charts.example.com/\" or \"@example\" instead of\n"
                              "\"example\". Don't forget to add the repo, too ('helm repo add')."
                            : "");
}

/* Names the repositories of all dependencies; aliases become addresses. */
static int name_repos(struct manager *m)
{
    struct chart_ctx *cx = m->cx;
    const struct chart_meta *meta = &m->chart->meta;
    struct buf missing = {0};
    int status = 0;
    m->repo_names.items =
        arena_zalloc(cx->arena, (meta->dependency_count + 1) * sizeof(*m->repo_names.items));
    m->repo_names.n = meta->dependency_count;
    for (size_t i = 0; i < meta->dependency_count && status == 0; i++) {
        struct chart_dependency *d = meta->dependencies[i];
        const char *unused;
        if (!d->repository.n || oci_is_url(d->repository))
            continue;
        if (is_file(d->repository)) {
            status = local_path(m, d->repository, &unused);
            continue;
        }
        const struct repo_entry *e = managed_repo(m, d->repository);
        if (e) {
            d->repository = e->url;
            m->repo_names.items[i] = e->name;
        } else if (str_find(d->repository, STR("://")) > 0 || str_starts(d->repository, STR("/"))) {
            m->repo_names.items[i] =
                arena_printf(cx->arena, "%s%s", unmanaged, chart_digest(cx, d->repository).p);
        } else if (!m->repos.missing) {
            buf_printf(&missing, "%s%.*s", missing.n ? ", " : "", STR_ARG(d->repository));
        }
    }
    if (status == 0 && missing.n)
        status = fail_missing(cx, buf_str(&missing));
    buf_done(&missing);
    return status;
}

/* A repository that does not answer is told of; what is cached may do. */
static void update_repo(struct manager *m, const struct repo_entry *e, struct str shown)
{
    struct buf *out = m->out;
    if (repo_update(m->cx, &m->home, e) == 0) {
        buf_printf(out, "...Successfully got an update from the \"%.*s\" chart repository\n",
                   STR_ARG(shown));
        return;
    }
    buf_printf(out, "...Unable to get an update from the \"%.*s\" chart repository",
               STR_ARG(shown));
    if (!str_eq(shown, e->url))
        buf_printf(out, " (%.*s)", STR_ARG(e->url));
    buf_printf(out, ":\n\t%.*s\n", STR_ARG(m->cx->error));
}

static void update_unmanaged(struct manager *m)
{
    bool said = false;
    for (size_t i = 0; i < m->repo_names.n; i++) {
        struct repo_entry e = {.name = m->repo_names.items[i],
                               .url = m->chart->meta.dependencies[i]->repository};
        bool again = false;
        for (size_t k = 0; k < i; k++)
            again |= str_eq(m->repo_names.items[k], e.name);
        if (again || !str_starts(e.name, str_of(unmanaged)))
            continue;
        if (!said)
            buf_puts(m->out, "Getting updates for unmanaged Helm repositories...\n");
        said = true;
        update_repo(m, &e, e.url);
    }
}

static void update_managed(struct manager *m)
{
    if (!m->repos.n)
        return;
    buf_puts(m->out, "Hang tight while we grab the latest from your chart repositories...\n");
    for (size_t i = 0; i < m->repos.n; i++)
        update_repo(m, &m->repos.items[i], m->repos.items[i].name);
    buf_puts(m->out, "Update Complete. ⎈Happy Helming!⎈\n");
}

/* --- resolving --- */
static void add_missing(struct buf *missing, size_t *count, const struct chart_dependency *d)
{
    buf_printf(missing, "%s\"%.*s\" (repository \"%.*s\", version \"%.*s\")", *count ? ", " : "",
               STR_ARG(d->name), STR_ARG(d->repository), STR_ARG(d->version));
    ++*count;
}

/* 1: no version fits. */
static int resolve_cached(struct manager *m, const struct chart_dependency *d, struct str repo,
                          const struct semver_constraint *c, struct str *ret)
{
    struct index index;
    struct chart_ctx *cx = m->cx;
    if (index_read(cx, repo_index_path(cx, &m->home, repo), &index) != 0)
        return chart_wrap(cx, "no cached repository for %.*s found. (try 'helm repo update')",
                          STR_ARG(repo));
    const struct index_entry *e = index_entry(&index, d->name);
    int status = e ? 1
                   : chart_fail(cx, "%.*s chart not found in repo %.*s", STR_ARG(d->name),
                                STR_ARG(d->repository));
    for (size_t i = 0; status == 1 && i < e->n; i++)
        if (index_version_url(&e->items[i]).n && semver_constraint_fits(c, &e->items[i].parsed)) {
            *ret = arena_dup(cx->arena, e->items[i].version);
            status = 0;
        }
    index_done(&index);
    return status;
}

static int resolve_oci(struct manager *m, const struct chart_dependency *d,
                       const struct semver_constraint *c, struct str *ret)
{
    struct chart_ctx *cx = m->cx;
    struct chart_access access = helm_access(&m->options->source);
    struct str url = arena_printf(cx->arena, "%.*s/%.*s", STR_ARG(d->repository), STR_ARG(d->name));
    struct chart_strs versions;
    struct semver v;
    *ret = d->version;
    if (semver_parse(d->version, &v, NULL) == 0)
        return 0;
    if (oci_versions(cx, &m->home, &access, url, &versions) != 0)
        return chart_wrap(cx, "could not retrieve list of tags for repository %.*s",
                          STR_ARG(d->repository));
    for (size_t i = 0; i < versions.n; i++)
        if (semver_parse(versions.items[i], &v, NULL) == 0 && semver_constraint_fits(c, &v)) {
            *ret = versions.items[i];
            break;
        }
    return 0;
}

static int resolve_local(struct manager *m, const struct chart_dependency *d,
                         const struct semver_constraint *c, struct str *ret)
{
    const char *path;
    struct chart *found;
    struct semver v;
    if (!d->repository.n) {
        *ret = d->version;
        return local_path(m, arena_printf(m->cx->arena, "charts/%.*s", STR_ARG(d->name)), &path);
    }
    if (local_path(m, d->repository, &path) != 0 || chart_load(m->cx, path, &found) != 0)
        return -1;
    *ret = found->meta.version;
    return semver_parse(*ret, &v, NULL) == 0 && semver_constraint_fits(c, &v) ? 0 : 1;
}

/* The versions that the dependencies mean. */
static int resolve(struct manager *m, struct chart_dependency ***ret)
{
    struct chart_ctx *cx = m->cx;
    size_t n = m->chart->meta.dependency_count, missing_count = 0;
    struct chart_dependency **locked = arena_zalloc(cx->arena, (n + 1) * sizeof(*locked));
    struct buf missing = {0};
    struct err err;
    int status = 0;
    for (size_t i = 0; i < n && status >= 0; i++) {
        const struct chart_dependency *d = m->chart->meta.dependencies[i];
        struct semver_constraint *c = semver_constraint_parse(cx->arena, d->version, &err);
        locked[i] = ARENA_NEW(cx->arena, struct chart_dependency);
        *locked[i] = (struct chart_dependency){.name = d->name, .repository = d->repository};
        if (!c) {
            chart_fail(cx, "%s", err.message);
            status = chart_wrap(cx, "dependency \"%.*s\" has an invalid version/constraint format",
                                STR_ARG(d->name));
        } else if (!d->repository.n || is_file(d->repository)) {
            status = resolve_local(m, d, c, &locked[i]->version);
        } else if (oci_is_url(d->repository)) {
            status = resolve_oci(m, d, c, &locked[i]->version);
        } else {
            status = resolve_cached(m, d, m->repo_names.items[i], c, &locked[i]->version);
        }
        if (status == 1)
            add_missing(&missing, &missing_count, d);
    }
    if (status >= 0 && missing_count)
        status = chart_fail(cx,
                            "can't get a valid version for %zu subchart(s): %.*s. Make sure a "
                            "matching chart version exists in the repo, or change the version "
                            "constraint in Chart.yaml",
                            missing_count, STR_ARG(buf_str(&missing)));
    buf_done(&missing);
    *ret = locked;
    return status < 0 ? -1 : 0;
}

/* --- fetching --- */
static int check_unpacked(struct manager *m, const struct chart_dependency *d)
{
    struct chart_ctx *cx = m->cx;
    const char *path = arena_printf(cx->arena, "%s/charts/%.*s", m->path, STR_ARG(d->name)).p;
    struct chart *c;
    buf_printf(m->out,
               "Dependency %.*s did not declare a repository. Assuming it exists in the charts "
               "directory\n",
               STR_ARG(d->name));
    if (chart_load(cx, path, &c) != 0)
        return chart_wrap(cx, "unable to load chart '%s'", path);
    if (!chart_version_fits(cx->arena, d->version, c->meta.version))
        return chart_fail(cx,
                          "dependency %.*s at version %.*s does not satisfy the constraint %.*s",
                          STR_ARG(d->name), STR_ARG(c->meta.version), STR_ARG(d->version));
    return 0;
}

static int pack_local(struct manager *m, struct chart_dependency *d, const char *dir)
{
    const char *path, *saved;
    struct chart *c;
    if (local_path(m, d->repository, &path) != 0 || chart_load(m->cx, path, &c) != 0)
        return -1;
    if (!chart_version_fits(m->cx->arena, d->version, c->meta.version))
        return chart_fail(m->cx, "can't get a valid version for dependency %.*s", STR_ARG(d->name));
    d->version = c->meta.version;
    return chart_save(m->cx, c, dir, &saved);
}

/* In the cached index of a repository that the user has added. */
static int find_managed(struct manager *m, const struct chart_dependency *d,
                        const struct repo_entry *e, struct str *ret_url)
{
    struct chart_ctx *cx = m->cx;
    struct index index;
    struct semver want;
    bool is_semver = semver_parse(d->version, &want, NULL) == 0;
    if (index_read(cx, repo_index_path(cx, &m->home, e->name), &index) != 0)
        return -1;
    const struct index_entry *entry = index_entry(&index, d->name);
    const struct index_version *found = NULL;
    for (size_t i = 0; entry && i < entry->n && !found; i++) {
        const struct index_version *v = &entry->items[i];
        bool same = is_semver ? semver_cmp(&v->parsed, &want) == 0 : str_eq(v->version, d->version);
        if (index_version_url(v).n && same)
            found = v;
    }
    if (found)
        *ret_url = repo_url(cx, e->url, arena_dup(cx->arena, index_version_url(found)));
    index_done(&index);
    if (found)
        return 0;
    chart_fail(cx, entry ? "no matching version" : "entry not found");
    return chart_wrap(cx, "could not find ");
}

/* The address to fetch, and how. */
static int find_remote(struct manager *m, const struct chart_dependency *d,
                       struct chart_source *source, struct str *ret_url)
{
    struct chart_ctx *cx = m->cx;
    source->version = (struct str){0};
    if (oci_is_url(d->repository)) {
        source->version = d->version;
        *ret_url = arena_printf(cx->arena, "%.*s/%.*s", STR_ARG(d->repository), STR_ARG(d->name));
        return 0;
    }
    const struct repo_entry *e = managed_repo(m, d->repository);
    if (e) {
        source->access = e->access;
        return find_managed(m, d, e, ret_url);
    }
    struct chart_source in_repo = {.repo = d->repository, .version = d->version};
    if (chart_find_in_repo(cx, d->name, &in_repo, ret_url) == 0)
        return 0;
    chart_wrap(cx, "chart %.*s not found in %.*s", STR_ARG(d->name), STR_ARG(d->repository));
    return chart_wrap(cx, "could not find ");
}

static int fetch_remote(struct manager *m, const struct chart_dependency *d, const char *dir,
                        struct chart_strs *seen)
{
    struct chart_ctx *cx = m->cx;
    struct chart_source source = helm_chart_source(cx, &m->options->source);
    struct chart_download got;
    struct str url, key;
    if (m->options->source.verify && m->options->from_lock)
        source.verify = VERIFY_IF_POSSIBLE;
    if (find_remote(m, d, &source, &url) != 0)
        return -1;
    key = arena_printf(cx->arena, "%.*s:%.*s", STR_ARG(url), STR_ARG(source.version));
    for (size_t i = 0; i < seen->n; i++)
        if (str_eq(seen->items[i], key)) {
            buf_printf(m->out, "Already downloaded %.*s from repo %.*s\n", STR_ARG(d->name),
                       STR_ARG(d->repository));
            return 0;
        }
    buf_printf(m->out, "Downloading %.*s from repo %.*s\n", STR_ARG(d->name),
               STR_ARG(d->repository));
    if (chart_fetch(cx, &m->home, url, &source, dir, &got) != 0)
        return chart_wrap(cx, "could not download %.*s", STR_ARG(url));
    buf_put(m->out, got.warning);
    seen->items[seen->n++] = key;
    return 0;
}

static bool is_local_dependency(struct chart_dependency *const *deps, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (!deps[i]->repository.n && str_eq(deps[i]->name, name))
            return true;
    return false;
}

static bool has_name(const struct chart_strs *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (str_is(names->items[i], name))
            return true;
    return false;
}

/* The files of a folder, in order. */
static struct chart_strs files_of(struct chart_ctx *cx, const char *dir)
{
    struct dirent **names;
    int n = scandir(dir, &names, NULL, alphasort);
    struct chart_strs files = {
        arena_alloc(cx->arena, ((size_t)(n < 0 ? 0 : n) + 1) * sizeof(struct str)), 0};
    for (int i = 0; i < n; i++) {
        struct stat st;
        const char *path = arena_printf(cx->arena, "%s/%s", dir, names[i]->d_name).p;
        if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
            files.items[files.n++] = arena_dup(cx->arena, str_of(names[i]->d_name));
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    return files;
}

/* Moves what was fetched, and removes packed charts that nothing names any more. */
static void move_all(struct manager *m, struct chart_dependency *const *deps, size_t n,
                     const char *from, const char *to)
{
    struct chart_ctx *cx = m->cx;
    struct chart_strs fresh = files_of(cx, from), old = files_of(cx, to);
    for (size_t i = 0; i < fresh.n; i++) {
        const char *source = arena_printf(cx->arena, "%s/%s", from, fresh.items[i].p).p;
        if (rename(source, arena_printf(cx->arena, "%s/%s", to, fresh.items[i].p).p) != 0)
            buf_printf(m->out, "Unable to move %s to charts dir %s (Skipping)", source,
                       strerror(errno));
    }
    buf_puts(m->out, "Deleting outdated charts\n");
    for (size_t i = 0; i < old.n; i++) {
        const char *path = arena_printf(cx->arena, "%s/%s", to, old.items[i].p).p;
        struct chart *c;
        if (has_name(&fresh, old.items[i].p))
            continue;
        if (chart_load(cx, path, &c) != 0)
            buf_printf(m->out, "Could not verify %s for deletion: %.*s (Skipping)\n", path,
                       STR_ARG(cx->error));
        else if (!is_local_dependency(deps, n, c->meta.name))
            unlink(path);
    }
}

static int fetch_all(struct manager *m, struct chart_dependency *const *deps, size_t n)
{
    struct chart_ctx *cx = m->cx;
    const char *charts = arena_printf(cx->arena, "%s/charts", m->path).p;
    const char *tmp = arena_printf(cx->arena, "%s/tmpcharts-%d", m->path, (int)getpid()).p;
    struct chart_strs seen = {arena_alloc(cx->arena, (n + 1) * sizeof(struct str)), 0};
    struct stat st;
    struct err err;
    int status = 0;
    if (stat(charts, &st) == 0 && !S_ISDIR(st.st_mode))
        return chart_fail(cx, "\"%s\" is not a directory", charts);
    if (file_mkdirs(charts, 0755, &err) != 0 || file_mkdirs(tmp, 0755, &err) != 0)
        return chart_fail_file(cx, &err);
    buf_printf(m->out, "Saving %zu charts\n", n);
    for (size_t i = 0; i < n && status == 0; i++) {
        if (!deps[i]->repository.n)
            status = check_unpacked(m, deps[i]);
        else if (is_file(deps[i]->repository))
            status = pack_local(m, deps[i], tmp);
        else
            status = fetch_remote(m, deps[i], tmp, &seen);
    }
    if (status == 0)
        move_all(m, deps, n, tmp, charts);
    else
        buf_printf(m->out, "Save error occurred:  %.*s\n", STR_ARG(cx->error));
    file_remove_tree(tmp, NULL);
    return status;
}

/* --- the lock --- */
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

static int write_lock(struct manager *m, struct chart_dependency **locked, size_t n)
{
    struct chart_ctx *cx = m->cx;
    const struct chart *c = m->chart;
    const char *name = str_is(c->meta.api_version, "v1") ? "requirements.lock" : "Chart.lock";
    const char *file = arena_printf(cx->arena, "%s/%s", m->path, name).p;
    char target[4096];
    struct err err;
    struct chart_lock lock = {now_text(cx->arena),
                              chart_lock_digest(cx, c->meta.dependencies, n, locked, n), locked, n};
    if (c->lock && str_eq(c->lock->digest, lock.digest))
        return 0;
    ssize_t length = readlink(file, target, sizeof(target));
    if (length >= 0)
        return chart_fail(cx, "the %s file is a symlink to \"%.*s\"", name, (int)length, target);
    if (file_write(file, chart_lock_yaml(cx, &lock), 0644, &err) != 0)
        return chart_fail_file(cx, &err);
    return 0;
}

static int update(struct manager *m)
{
    struct chart_dependency **locked;
    size_t n = m->chart->meta.dependency_count;
    if (!m->chart->meta.has_dependencies)
        return 0;
    if (name_repos(m) != 0)
        return -1;
    if (!m->options->skip_refresh) {
        update_unmanaged(m);
        update_managed(m);
    }
    if (resolve(m, &locked) != 0 || fetch_all(m, locked, n) != 0)
        return -1;
    return write_lock(m, locked, n);
}

static int check_lock(struct manager *m)
{
    struct chart_ctx *cx = m->cx;
    const struct chart *c = m->chart;
    struct str digest = chart_lock_digest(cx, c->meta.dependencies, c->meta.dependency_count,
                                          c->lock->dependencies, c->lock->dependency_count);
    bool old = str_is(c->meta.api_version, "v1");
    if (str_eq(digest, c->lock->digest))
        return 0;
    return chart_fail(cx,
                      "the lock file (%s) is out of sync with the dependencies file (%s). Please "
                      "update the dependencies",
                      old ? "requirements.lock" : "Chart.lock",
                      old ? "requirements.yaml" : "Chart.yaml");
}

static int check_managed(struct manager *m)
{
    const struct chart_lock *lock = m->chart->lock;
    struct buf missing = {0};
    for (size_t i = 0; i < lock->dependency_count; i++) {
        struct str repository = lock->dependencies[i]->repository;
        if (repository.n && !is_file(repository) && !oci_is_url(repository) &&
            !managed_repo(m, repository))
            buf_printf(&missing, "%s%.*s", missing.n ? ", " : "", STR_ARG(repository));
    }
    int status = missing.n ? chart_fail(m->cx,
                                        "no repository definition for %s. Please add the missing "
                                        "repos via 'helm repo add'",
                                        missing.p)
                           : 0;
    buf_done(&missing);
    return status;
}

static int build(struct manager *m)
{
    const struct chart_lock *lock = m->chart->lock;
    if (!lock)
        return update(m);
    if (name_repos(m) != 0 || check_lock(m) != 0 || check_managed(m) != 0)
        return -1;
    if (!m->options->skip_refresh)
        update_managed(m);
    return fetch_all(m, lock->dependencies, lock->dependency_count);
}

int helm_dependency_fetch(struct chart_ctx *cx, const char *path,
                          const struct helm_dependency_options *o, struct buf *out)
{
    struct manager m = {.cx = cx, .options = o, .home = helm_home(cx), .path = path, .out = out};
    struct stat st;
    if (stat(path, &st) != 0)
        return chart_fail(cx, "could not find %s: stat %s: no such file or directory", path, path);
    if (!S_ISDIR(st.st_mode))
        return chart_fail(cx, "only unpacked charts can be updated");
    if (chart_load(cx, path, &m.chart) != 0 ||
        repo_file_read(cx, m.home.repositories, &m.repos) != 0)
        return -1;
    return o->from_lock ? build(&m) : update(&m);
}

int helm_dependency_update(struct chart_ctx *cx, const char *path, struct buf *out)
{
    return helm_dependency_fetch(cx, path, &(struct helm_dependency_options){0}, out);
}
