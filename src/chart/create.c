#include "chart/create.h"

#include <sys/stat.h>

#include "base/file.h"
#include "chart/package.h"
#include "chart/repo.h"

enum { MAX_NAME = 250 };

static const struct chart_file starter[] = {
#include "starter_files.inc"
};

static int check_name(struct chart_ctx *cx, struct str name)
{
    if (!name.n || name.n > MAX_NAME)
        return chart_fail(cx, "chart name must be between 1 and %d characters", MAX_NAME);
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!letter && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-')
            return chart_fail(cx, "chart name must match the regular expression "
                                  "\"^[a-zA-Z0-9._-]+$\"");
    }
    return 0;
}

static struct str fill_in(struct arena *a, struct str text, struct str name)
{
    static const struct str mark = STR_INIT("<CHARTNAME>");
    struct buf b = {0};
    for (ssize_t at; (at = str_find(text, mark)) >= 0;) {
        buf_put(&b, str_head(text, (size_t)at));
        buf_put(&b, name);
        text = str_from(text, (size_t)at + mark.n);
    }
    buf_put(&b, text);
    struct str ret = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return ret;
}

static int put_file(struct chart_ctx *cx, const char *path, struct str data)
{
    struct err err;
    const char *slash = strrchr(path, '/');
    const char *folder = arena_z(cx->arena, str_head(str_of(path), (size_t)(slash - path)));
    return file_mkdirs(folder, 0755, &err) == 0 && file_write(path, data, 0644, &err) == 0
               ? 0
               : chart_fail_file(cx, &err);
}

/* The folder of the chart, which may be there, but not as a file. */
static int place(struct chart_ctx *cx, const char *dir, struct str name, const char **ret)
{
    struct stat st;
    *ret = arena_printf(cx->arena, "%s/%.*s", dir, STR_ARG(name)).p;
    if (stat(*ret, &st) == 0 && !S_ISDIR(st.st_mode))
        return chart_fail(cx, "file %s already exists and is not a directory", *ret);
    return 0;
}

int chart_create(struct chart_ctx *cx, const char *dir, struct str name, struct buf *out)
{
    const char *root;
    struct stat st;
    struct err err;
    if (check_name(cx, name) != 0)
        return -1;
    if (stat(dir, &st) != 0)
        return chart_fail(cx, "stat %s: no such file or directory", dir);
    if (!S_ISDIR(st.st_mode))
        return chart_fail(cx, "no such directory %s", dir);
    if (place(cx, dir, name, &root) != 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(starter); i++) {
        const char *path = arena_printf(cx->arena, "%s/%.*s", root, STR_ARG(starter[i].name)).p;
        if (stat(path, &st) == 0)
            buf_printf(out, "WARNING: File \"%s\" already exists. Overwriting.\n", path);
        if (put_file(cx, path, fill_in(cx->arena, starter[i].data, name)) != 0)
            return -1;
    }
    return file_mkdirs(arena_printf(cx->arena, "%s/charts", root).p, 0755, &err) == 0
               ? 0
               : chart_fail_file(cx, &err);
}

static int copy_files(struct chart_ctx *cx, const char *root, const struct chart_files *files,
                      struct str name, bool fill)
{
    for (size_t i = 0; i < files->n; i++) {
        const struct chart_file *f = &files->items[i];
        const char *path = arena_printf(cx->arena, "%s/%.*s", root, STR_ARG(f->name)).p;
        if (put_file(cx, path, fill ? fill_in(cx->arena, f->data, name) : f->data) != 0)
            return -1;
    }
    return 0;
}

int chart_create_from(struct chart_ctx *cx, const char *dir, struct str name, const char *from)
{
    struct chart *c;
    const char *root, *saved;
    if (chart_load(cx, from, &c) != 0)
        return chart_wrap(cx, "could not load %s", from);
    c->meta = (struct chart_meta){.name = name,
                                  .description = STR("A Helm chart for Kubernetes"),
                                  .type = STR("application"),
                                  .version = STR("0.1.0"),
                                  .app_version = STR("0.1.0"),
                                  .api_version = STR("v2")};
    if (check_name(cx, name) != 0 || place(cx, dir, name, &root) != 0)
        return -1;
    const struct chart_file *values = chart_files_find(&c->raw, "values.yaml");
    struct chart_files own = {0};
    chart_files_add(cx->arena, &own, STR("Chart.yaml"), chart_meta_yaml(cx, &c->meta));
    if (values)
        chart_files_add(cx->arena, &own, STR("values.yaml"),
                        fill_in(cx->arena, values->data, name));
    if (c->has_schema)
        chart_files_add(cx->arena, &own, STR("values.schema.json"), c->schema);
    if (copy_files(cx, root, &own, name, false) != 0 ||
        copy_files(cx, root, &c->templates, name, true) != 0 ||
        copy_files(cx, root, &c->files, name, false) != 0)
        return -1;
    const char *charts = arena_printf(cx->arena, "%s/charts", root).p;
    for (size_t i = 0; i < c->dep_count; i++)
        if (chart_save(cx, c->deps[i], charts, &saved) != 0)
            return chart_wrap(cx, "saving %.*s", STR_ARG(chart_full_path(cx->arena, c->deps[i])));
    return 0;
}
