/* helm_pull.c: `tutti helm pull`, and how commands find the charts that they name. */
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "chart/repo.h"
#include "cli/helm.h"

/* What repositories.yaml says about a name. */
static struct str configured_repo(struct chart_ctx *cx, struct str name)
{
    const char *path = getenv("HELM_REPOSITORY_CONFIG"), *home = getenv("HOME");
    struct str text;
    if (!path || !path[0])
        path = arena_printf(cx->arena, "%s/.config/helm/repositories.yaml", home ? home : "").p;
    if (access(path, R_OK) != 0 || helm_read_file(cx, str_of(path), &text) != 0)
        return (struct str){0};
    return repo_by_name(cx, text, name);
}

static bool is_url(struct str s)
{
    return str_starts(s, STR("http://")) || str_starts(s, STR("https://"));
}

static int fail_reach(struct chart_ctx *cx, struct str url)
{
    return chart_wrap(cx,
                      "looks like \"%.*s\" is not a valid chart repository or cannot be reached",
                      STR_ARG(url));
}

/* The address of the packed chart that a word means. */
static int find_url(struct chart_ctx *cx, struct str name, const struct helm_source *source,
                    struct str *ret)
{
    struct str repo = {0}, chart = name;
    if (is_url(name)) {
        *ret = name;
        return 0;
    }
    if (source->repo) {
        repo = str_of(source->repo);
    } else if (!str_cut(name, '/', &repo, &chart)) {
        return chart_fail(
            cx, "non-absolute URLs should be in form of repo_name/path_to_chart, got: %.*s",
            STR_ARG(name));
    } else {
        struct str url = configured_repo(cx, repo);
        if (url.n == 0)
            return chart_fail(cx, "repo %.*s not found", STR_ARG(repo));
        repo = url;
    }
    struct repo_index index = {0};
    if (repo_read_index(cx, repo, chart, &index) != 0)
        return fail_reach(cx, repo);
    struct str version = str_of(source->version ? source->version : "");
    const struct repo_version *v = repo_pick(cx, &index, version);
    if (!v && version.n)
        return chart_fail(cx, "chart \"%.*s\" version \"%.*s\" not found in %.*s repository",
                          STR_ARG(chart), STR_ARG(version), STR_ARG(repo));
    if (!v)
        return chart_fail(cx, "chart \"%.*s\" not found in %.*s repository", STR_ARG(chart),
                          STR_ARG(repo));
    *ret = repo_chart_url(cx, repo, v);
    return 0;
}

/* Fetches the chart into a folder; *ret_path is the file. */
static int download(struct chart_ctx *cx, struct str name, const struct helm_source *source,
                    const char *dir, const char **ret_path)
{
    struct str url, data;
    struct err err;
    if (find_url(cx, name, source, &url) != 0 || repo_get(cx, url, &data) != 0)
        return -1;
    *ret_path = arena_printf(cx->arena, "%s/%.*s", dir, STR_ARG(path_base(url))).p;
    if (file_mkdirs(dir, 0755, &err) != 0 || file_write(*ret_path, data, 0644, &err) != 0)
        return chart_fail(cx, "%s", err.message);
    return 0;
}

/* Go's filepath.Abs, but for ".." inside. */
static const char *absolute(struct chart_ctx *cx, const char *path)
{
    char here[PATH_MAX];
    while (str_starts(str_of(path), STR("./")))
        path += 2;
    if (path[0] == '/' || !getcwd(here, sizeof(here)))
        return path;
    if (strcmp(path, ".") == 0)
        return arena_printf(cx->arena, "%s", here).p;
    return arena_printf(cx->arena, "%s/%s", here, path).p;
}

int helm_locate_chart(struct chart_ctx *cx, const char *name, const struct helm_source *source,
                      const char **ret)
{
    struct str trimmed = str_trim(str_of(name));
    const char *path = arena_z(cx->arena, trimmed);
    const char *home = getenv("HOME"), *cache = getenv("HELM_REPOSITORY_CACHE");
    struct stat st;
    if (stat(path, &st) == 0) {
        *ret = absolute(cx, path);
        return 0;
    }
    if (path[0] == '/' || path[0] == '.')
        return chart_fail(cx, "path \"%s\" not found", path);
    if (!cache || !cache[0])
        cache = arena_printf(cx->arena, "%s/.cache/helm/repository", home ? home : "").p;
    return download(cx, trimmed, source, cache, ret);
}

/* The files of a packed chart below dir/NAME. */
static int unpack(struct chart_ctx *cx, const char *path, const char *dir)
{
    struct str text;
    struct chart_files files = {0};
    struct chart *c;
    struct err err;
    if (helm_read_file(cx, str_of(path), &text) != 0 || chart_read_archive(cx, text, &files) != 0 ||
        chart_load_files(cx, &files, &c) != 0)
        return -1;
    for (size_t i = 0; i < files.n; i++) {
        const char *file = arena_printf(cx->arena, "%s/%.*s/%.*s", dir, STR_ARG(c->meta.name),
                                        STR_ARG(files.items[i].name))
                               .p;
        const char *folder =
            arena_z(cx->arena, str_head(str_of(file), (size_t)(strrchr(file, '/') - file)));
        if (file_mkdirs(folder, 0755, &err) != 0 ||
            file_write(file, files.items[i].data, 0644, &err) != 0)
            return chart_fail(cx, "%s", err.message);
    }
    return 0;
}

int helm_pull(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct helm_source source = {0};
    const char *destination = ".", *untar_dir = ".";
    bool untar = false;
    const struct helm_flag flags[] = {
        {"destination", 'd', HELM_TEXT, &destination, NULL},
        {"devel", 0, HELM_SWITCH, NULL, NULL},
        {"repo", 0, HELM_TEXT, &source.repo, NULL},
        {"untar", 0, HELM_SWITCH, &untar, NULL},
        {"untardir", 0, HELM_TEXT, &untar_dir, NULL},
        {"version", 0, HELM_TEXT, &source.version, NULL},
        {0},
    };
    (void)out;
    if (helm_flags(cx, flags, helm_ignored_flags, argc, argv, &argc) != 0)
        return -1;
    if (argc == 0)
        return chart_fail(cx, "\"helm pull\" requires at least 1 argument\n\nUsage:  helm pull "
                              "[chart URL | repo/chartname] [...] [flags]");
    for (int i = 0; i < argc; i++) {
        const char *path;
        if (download(cx, str_of(argv[i]), &source, destination, &path) != 0)
            return -1;
        if (!untar)
            continue;
        if (unpack(cx, path, arena_printf(cx->arena, "%s/%s", destination, untar_dir).p) != 0)
            return -1;
        unlink(path);
    }
    return 0;
}
