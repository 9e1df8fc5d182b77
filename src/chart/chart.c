#include "chart/chart.h"

#include "functions/semver.h"

static struct str format_text(struct arena *a, const char *format, va_list args, struct str behind)
{
    struct buf b = {0};
    buf_vprintf(&b, format, args);
    if (behind.p) {
        buf_puts(&b, ": ");
        buf_put(&b, behind);
    }
    struct str text = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return text;
}

int chart_fail(struct chart_ctx *cx, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cx->error = format_text(cx->arena, format, args, (struct str){0});
    va_end(args);
    return -1;
}

int chart_wrap(struct chart_ctx *cx, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cx->error = format_text(cx->arena, format, args, cx->error.p ? cx->error : STR(""));
    va_end(args);
    return -1;
}

void chart_warn(struct chart_ctx *cx, const char *format, ...)
{
    if (!cx->warnings)
        return;
    va_list args;
    va_start(args, format);
    buf_vprintf(cx->warnings, format, args);
    va_end(args);
    buf_putc(cx->warnings, '\n');
}

void chart_files_add(struct arena *a, struct chart_files *f, struct str name, struct str data)
{
    if (f->n == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 16;
        struct chart_file *grown = arena_alloc(a, cap * sizeof(*grown));
        if (f->n)
            memcpy(grown, f->items, f->n * sizeof(*grown));
        f->items = grown;
        f->cap = cap;
    }
    f->items[f->n++] = (struct chart_file){name, data};
}

const struct chart_file *chart_files_find(const struct chart_files *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++)
        if (str_is(f->items[i].name, name))
            return &f->items[i];
    return NULL;
}

struct str chart_full_path(struct arena *a, const struct chart *c)
{
    if (!c->parent)
        return c->meta.name;
    struct str above = chart_full_path(a, c->parent);
    return arena_printf(a, "%.*s/charts/%.*s", STR_ARG(above), STR_ARG(c->meta.name));
}

void chart_set_deps(struct chart *c, struct chart **deps, size_t n)
{
    c->deps = deps;
    c->dep_count = n;
    for (size_t i = 0; i < n; i++)
        deps[i]->parent = c;
}

bool chart_is_library(const struct chart *c)
{
    return str_eq_nocase(c->meta.type, STR("library"));
}

bool chart_version_fits(struct arena *a, struct str constraint, struct str version)
{
    struct semver v;
    struct err err;
    if (semver_parse(version, &v, &err) != 0)
        return false;
    const struct semver_constraint *c = semver_constraint_parse(a, constraint, &err);
    return c && semver_constraint_fits(c, &v);
}

struct str path_base(struct str path)
{
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    for (size_t i = path.n; i-- > 0;)
        if (path.p[i] == '/' && path.n > 1)
            return str_from(path, i + 1);
    return path.n ? path : STR(".");
}

struct str path_ext(struct str path)
{
    for (size_t i = path.n; i-- > 0 && path.p[i] != '/';)
        if (path.p[i] == '.')
            return str_from(path, i);
    return STR("");
}
