/* load.c: charts from folders and packed files. */
#include "chart/chart.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "chart/ignore.h"
#include "chart/values.h"

static const struct str bom = STR_INIT("\xEF\xBB\xBF");

/* --- folders --- */
struct walk {
    struct chart_ctx *cx;
    struct ignore_rules rules;
    struct chart_files *files;
    size_t top;        /* length of the chart's own path and a slash */
    struct str bounds; /* where links may lead: see find_bounds */
    size_t total;      /* bytes read */
    int depth;
};

static int read_entry(struct walk *w, const char *path);

/* Go's texts of errors of package os. */
static int fail_os(struct chart_ctx *cx, const char *call, const char *path)
{
    char text[128];
    const char *problem = strerror_r(errno, text, sizeof(text));
    return chart_fail(cx, "%s %s: %c%s", call, path, problem[0] | 0x20, problem + 1);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_folder(struct walk *w, const char *path)
{
    enum { MAX_DEPTH = 100 }; /* a link may lead back up */
    if (w->depth >= MAX_DEPTH)
        return chart_fail(w->cx, "too many levels of folders in %s", path);
    DIR *dir = opendir(path);
    if (!dir)
        return fail_os(w->cx, "open", path);
    char **names = NULL;
    size_t n = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        names = mem_realloc_array(names, n + 1, sizeof(*names));
        names[n++] = arena_z(w->cx->arena, str_of(e->d_name));
    }
    closedir(dir);
    if (n)
        qsort(names, n, sizeof(*names), by_name);
    w->depth++;
    int status = 0;
    for (size_t i = 0; i < n && status == 0; i++)
        status = read_entry(w, arena_printf(w->cx->arena, "%s/%s", path, names[i]).p);
    w->depth--;
    free(names);
    return status;
}

static int read_regular(struct walk *w, const char *path, const struct stat *st)
{
    struct chart_ctx *cx = w->cx;
    const char *name = path + w->top;
    if (!S_ISREG(st->st_mode))
        return chart_fail(cx, "cannot load irregular file %s as it has file mode type bits set",
                          path);
    if (st->st_size > CHART_MAX_FILE)
        return chart_fail(cx, "chart file \"%.*s\" is larger than the maximum file size %d",
                          STR_ARG(path_base(str_of(name))), CHART_MAX_FILE);
    w->total += (size_t)st->st_size;
    if (w->total > CHART_MAX_TOTAL || w->files->n >= CHART_MAX_FILES)
        return chart_fail(cx, "chart is larger than the maximum size %d", CHART_MAX_TOTAL);
    FILE *f = fopen(path, "re");
    if (!f) {
        fail_os(cx, "open", path);
        return chart_wrap(cx, "error reading %s", name);
    }
    char *text = arena_alloc(cx->arena, (size_t)st->st_size + 1);
    size_t n = fread(text, 1, (size_t)st->st_size, f);
    fclose(f);
    struct str data = {text, n};
    if (str_starts(data, bom))
        data = str_from(data, bom.n);
    chart_files_add(cx->arena, w->files, str_of(name), data);
    return 0;
}

/* A chart must not bring what its author does not have: the links of a chart lead to files of its
 * own folder, or of the working tree of Git that it lies in, whose charts share files. */
static struct str find_bounds(struct arena *a, const char *top)
{
    struct str above = str_of(top);
    while (above.n > 1) {
        if (access(arena_printf(a, "%.*s/.git", STR_ARG(above)).p, F_OK) == 0)
            return above;
        above.n = (size_t)((const char *)memrchr(above.p, '/', above.n) - above.p);
    }
    return str_of(top);
}

static bool is_inside(struct str folder, struct str path)
{
    return str_starts(path, folder) && (path.n == folder.n || path.p[folder.n] == '/');
}

static int read_entry(struct walk *w, const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return fail_os(w->cx, "lstat", path);
    if (S_ISLNK(st.st_mode)) {
        char resolved[PATH_MAX];
        if (!realpath(path, resolved)) {
            fail_os(w->cx, "lstat", path);
            return chart_wrap(w->cx, "error evaluating symlink %s", path);
        }
        chart_warn(w->cx,
                   "found symbolic link in path: %s resolves to %s. Contents of linked file "
                   "included and used",
                   path, resolved);
        if (stat(resolved, &st) != 0)
            return fail_os(w->cx, "lstat", resolved);
        if (!is_inside(w->bounds, str_of(resolved)))
            return chart_fail(w->cx, "symbolic link %s leads out of the chart, to %s", path,
                              resolved);
    }
    if (ignore_path(&w->rules, str_of(path + w->top), S_ISDIR(st.st_mode)))
        return 0;
    return S_ISDIR(st.st_mode) ? read_folder(w, path) : read_regular(w, path, &st);
}

int chart_read_dir(struct chart_ctx *cx, const char *path, struct chart_files *ret)
{
    char top[PATH_MAX];
    struct buf rules = {0};
    struct walk w = {.cx = cx, .files = ret};
    if (!realpath(path, top))
        return fail_os(cx, "stat", path);
    w.top = strlen(top) + 1;
    w.bounds = find_bounds(cx->arena, top);
    struct err err;
    const char *ignore_file = arena_printf(cx->arena, "%s/.helmignore", top).p;
    if (access(ignore_file, F_OK) == 0 &&
        file_read(ignore_file, CHART_MAX_FILE, &rules, &err) != 0) {
        buf_done(&rules);
        return chart_fail(cx, "%s", err.message);
    }
    struct str text = arena_dup(cx->arena, buf_str(&rules));
    buf_done(&rules);
    if (ignore_parse(cx, text, &w.rules) != 0)
        return -1;
    return read_folder(&w, top);
}

/* --- files to a chart --- */
static int load_files(struct chart_ctx *cx, const struct chart_files *files, int depth,
                      struct chart **ret);

static int read_lock(struct chart_ctx *cx, const struct chart_file *f, struct chart *c)
{
    c->lock = ARENA_NEW(cx->arena, struct chart_lock);
    return chart_lock_read(cx, f->data, c->lock) == 0
               ? 0
               : chart_wrap(cx, "cannot load %.*s", STR_ARG(f->name));
}

static int read_requirements(struct chart_ctx *cx, const struct chart_file *f, struct chart *c)
{
    c->has_meta = true;
    if (!str_is(c->meta.api_version, "v1"))
        chart_warn(cx,
                   "Warning: Dependencies are handled in Chart.yaml since apiVersion \"v2\". We "
                   "recommend migrating dependencies to Chart.yaml.");
    if (chart_meta_read(cx, f->data, &c->meta) != 0)
        return chart_wrap(cx, "cannot load requirements.yaml");
    if (str_is(c->meta.api_version, "v1"))
        chart_files_add(cx->arena, &c->files, f->name, f->data);
    return 0;
}

/* A chart inside: its folder's or packed file's name, and what lies there. */
struct inner {
    struct str name;
    struct chart_files files;
};

struct inners {
    struct inner *items;
    size_t n;
};

static void add_inner(struct arena *a, struct inners *in, const struct chart_file *f)
{
    struct str path = str_from(f->name, strlen("charts/")), name, rest;
    str_cut(path, '/', &name, &rest);
    size_t i = 0;
    while (i < in->n && !str_eq(in->items[i].name, name))
        i++;
    if (i == in->n) {
        if (in->n % 16 == 0) {
            struct inner *grown = arena_alloc(a, (in->n + 16) * sizeof(*grown));
            if (in->n)
                memcpy(grown, in->items, in->n * sizeof(*grown));
            in->items = grown;
        }
        in->items[in->n++] = (struct inner){.name = name};
    }
    chart_files_add(a, &in->items[i].files, path, f->data);
}

static int sort_file(struct chart_ctx *cx, const struct chart_file *f, struct chart *c,
                     struct inners *in)
{
    if (str_is(f->name, "Chart.yaml"))
        return 0;
    if (str_is(f->name, "Chart.lock"))
        return read_lock(cx, f, c);
    if (str_is(f->name, "values.yaml"))
        return values_read_yaml(cx, f->data, &c->values) == 0
                   ? 0
                   : chart_wrap(cx, "cannot load values.yaml");
    if (str_is(f->name, "requirements.yaml"))
        return read_requirements(cx, f, c);
    if (str_is(f->name, "values.schema.json")) {
        c->schema = f->data;
        c->has_schema = true;
    } else if (str_is(f->name, "requirements.lock")) {
        if (read_lock(cx, f, c) != 0)
            return -1;
        if (str_is(c->meta.api_version, "v1"))
            chart_files_add(cx->arena, &c->files, f->name, f->data);
    } else if (str_starts(f->name, STR("templates/"))) {
        chart_files_add(cx->arena, &c->templates, f->name, f->data);
    } else if (str_starts(f->name, STR("charts/")) && !str_is(path_ext(f->name), ".prov")) {
        add_inner(cx->arena, in, f);
    } else {
        chart_files_add(cx->arena, &c->files, f->name, f->data);
    }
    return 0;
}

static int load_inner(struct chart_ctx *cx, const struct inner *in, const struct chart *outer,
                      int depth, struct chart **ret)
{
    struct chart_files files = {0};
    if (str_is(path_ext(in->name), ".tgz")) {
        const struct chart_file *f = &in->files.items[0];
        if (!str_eq(f->name, in->name))
            return chart_fail(cx, "error unpacking subchart tar in %.*s: expected %.*s, got %.*s",
                              STR_ARG(outer->meta.name), STR_ARG(in->name), STR_ARG(f->name));
        if (chart_read_archive(cx, f->data, &files) == 0 &&
            load_files(cx, &files, depth + 1, ret) == 0)
            return 0;
    } else {
        for (size_t i = 0; i < in->files.n; i++) {
            struct str head, rest;
            if (str_cut(in->files.items[i].name, '/', &head, &rest))
                chart_files_add(cx->arena, &files, rest, in->files.items[i].data);
        }
        if (load_files(cx, &files, depth + 1, ret) == 0)
            return 0;
    }
    return chart_wrap(cx, "error unpacking subchart %.*s in %.*s", STR_ARG(in->name),
                      STR_ARG(outer->meta.name));
}

static int load_inners(struct chart_ctx *cx, const struct inners *in, struct chart *c, int depth)
{
    struct chart **deps = arena_alloc(cx->arena, (in->n + 1) * sizeof(*deps));
    size_t n = 0;
    for (size_t i = 0; i < in->n; i++) {
        char first = in->items[i].name.n ? in->items[i].name.p[0] : 0;
        if (first == '_' || first == '.')
            continue;
        if (load_inner(cx, &in->items[i], c, depth, &deps[n]) != 0)
            return -1;
        n++;
    }
    chart_set_deps(c, deps, n);
    return 0;
}

static int load_files(struct chart_ctx *cx, const struct chart_files *files, int depth,
                      struct chart **ret)
{
    if (depth > CHART_MAX_DEPTH)
        return chart_fail(cx, "charts are nested more than %d deep", CHART_MAX_DEPTH);
    struct chart *c = ARENA_NEW(cx->arena, struct chart);
    struct inners in = {0};
    c->raw = *files;
    for (size_t i = 0; i < files->n; i++) {
        if (!str_is(files->items[i].name, "Chart.yaml"))
            continue;
        c->has_meta = true;
        if (chart_meta_read(cx, files->items[i].data, &c->meta) != 0)
            return chart_wrap(cx, "cannot load Chart.yaml");
        if (c->meta.api_version.n == 0)
            c->meta.api_version = STR("v1");
    }
    for (size_t i = 0; i < files->n; i++)
        if (sort_file(cx, &files->items[i], c, &in) != 0)
            return -1;
    if (!c->has_meta)
        return chart_fail(cx, "Chart.yaml file is missing");
    if (chart_meta_validate(cx, &c->meta) != 0 || load_inners(cx, &in, c, depth) != 0)
        return -1;
    *ret = c;
    return 0;
}

int chart_load_files(struct chart_ctx *cx, const struct chart_files *files, struct chart **ret)
{
    return load_files(cx, files, 0, ret);
}

/* --- packed files --- */
static int load_archive(struct chart_ctx *cx, const char *path, struct chart_files *files)
{
    struct buf b = {0};
    struct err err;
    if (file_read(path, CHART_MAX_TOTAL, &b, &err) != 0) {
        buf_done(&b);
        return chart_fail(cx, "%s", err.message);
    }
    int status;
    struct str text = buf_str(&b);
    if (str_starts(text, STR("\x1F\x8B\x08")))
        status = chart_read_archive(cx, text, files);
    else if (str_ends(str_of(path), STR(".yml")) || str_ends(str_of(path), STR(".yaml")))
        status = chart_fail(cx, "file '%s' seems to be a YAML file, but expected a gzipped archive",
                            path);
    else
        status = chart_fail(cx, "file '%s' does not appear to be a gzipped archive; got '%s'", path,
                            b.n < 512 || memchr(b.p, 0, 512) ? "application/octet-stream"
                                                             : "text/plain; charset=utf-8");
    buf_done(&b);
    return status;
}

int chart_load(struct chart_ctx *cx, const char *path, struct chart **ret)
{
    struct stat st;
    struct chart_files files = {0};
    if (stat(path, &st) != 0)
        return fail_os(cx, "stat", path);
    int status =
        S_ISDIR(st.st_mode) ? chart_read_dir(cx, path, &files) : load_archive(cx, path, &files);
    return status == 0 ? chart_load_files(cx, &files, ret) : -1;
}
