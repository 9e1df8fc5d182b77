#include "chart/render.h"

#include "functions/func_library.h"
#include "chart/objects.h"
#include "template/template.h"
#include "chart/values.h"

/* A template that is to be parsed and, unless it is a partial, executed. */
struct source {
    struct str name, text;
    struct str base_path;
    struct vmap *dot; /* shared by all templates of a chart */
    size_t slashes;
};

struct sources {
    struct source *items;
    size_t n, cap;
};

static void add_source(struct arena *a, struct sources *s, const struct source *one)
{
    for (size_t i = 0; i < s->n; i++) /* charts of one name: the later one wins */
        if (str_eq(s->items[i].name, one->name)) {
            s->items[i] = *one;
            return;
        }
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 64;
        struct source *grown = arena_alloc(a, cap * sizeof(*grown));
        if (s->n)
            memcpy(grown, s->items, s->n * sizeof(*grown));
        s->items = grown;
        s->cap = cap;
    }
    s->items[s->n++] = *one;
}

static size_t count_slashes(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == '/';
    return n;
}

/* Go's path.Join of a chart's path and a file's name. */
static struct str template_name(struct arena *a, struct str chart_path, struct str file)
{
    return arena_printf(a, "%.*s/%.*s", STR_ARG(chart_path), STR_ARG(file));
}

struct collector {
    struct chart_ctx *cx;
    struct sources *sources;
    struct value release, capabilities;
};

/* The dot of a chart's templates; values is what the chart sees as .Values. */
static struct vmap *collect(struct collector *k, const struct chart *c, struct vmap *values)
{
    struct arena *a = k->cx->arena;
    struct vmap *dot = vmap_new(a, 8);
    struct vmap *inner = vmap_new(a, c->dep_count);
    vmap_set(dot, STR("Chart"), chart_value(a, c));
    vmap_set(dot, STR("Files"), chart_files_value(a, &c->files));
    vmap_set(dot, STR("Release"), k->release);
    vmap_set(dot, STR("Capabilities"), k->capabilities);
    vmap_set(dot, STR("Values"), value_map(&type_values, values));
    vmap_set(dot, STR("Subcharts"), value_map(&type_map, inner));
    for (size_t i = 0; i < c->dep_count; i++) {
        struct str name = c->deps[i]->meta.name;
        struct vmap *table = values_table(values, name, NULL);
        struct vmap *sub = collect(k, c->deps[i], table ? table : vmap_new(a, 0));
        vmap_set(inner, name, value_map(&type_map, sub));
    }
    struct str path = chart_full_path(a, c);
    struct str base_path = template_name(a, path, STR("templates"));
    for (size_t i = 0; i < c->templates.n; i++) {
        const struct chart_file *f = &c->templates.items[i];
        if (chart_is_library(c) && !str_starts(path_base(f->name), STR("_")))
            continue;
        struct str name = template_name(a, path, f->name);
        add_source(a, k->sources,
                   &(struct source){name, f->data, base_path, dot, count_slashes(name)});
    }
    return dot;
}

/* Deep files first, and backwards by name: what is parsed later wins. */
static int by_depth(const void *x, const void *y)
{
    const struct source *a = x, *b = y;
    if (a->slashes != b->slashes)
        return a->slashes < b->slashes ? 1 : -1;
    return str_cmp(b->name, a->name);
}

/* --- errors --- */
/* "template: FILE:LINE: …: what is wrong" to "parse error at (FILE:LINE): what is wrong". */
static int fail_parse(struct chart_ctx *cx, struct str name, struct str error)
{
    ssize_t first = str_find(error, STR(": "));
    if (first < 0)
        return chart_fail(cx, "parse error in (%.*s): %.*s", STR_ARG(name), STR_ARG(error));
    struct str rest = str_from(error, (size_t)first + 2);
    ssize_t second = str_find(rest, STR(": "));
    struct str location = second < 0 ? rest : str_head(rest, (size_t)second);
    struct str last = rest;
    for (ssize_t at; (at = str_find(last, STR(": "))) >= 0;)
        last = str_from(last, (size_t)at + 2);
    return chart_fail(cx, "parse error at (%.*s): %.*s", STR_ARG(location), STR_ARG(last));
}

/* The chart's own message of `fail` or `required`: the longest text between the marks. */
static bool own_message(struct str error, struct str *ret)
{
    struct str start = STR(FUNC_MESSAGE_START), end = STR(FUNC_MESSAGE_END);
    ssize_t from = str_find(error, start);
    if (from < 0)
        return false;
    struct str inside = str_from(error, (size_t)from + start.n);
    for (size_t n = inside.n + 1; n-- > 0;)
        if (str_starts(str_from(inside, n), end)) {
            *ret = str_head(inside, n);
            return true;
        }
    return false;
}

static int fail_exec(struct chart_ctx *cx, struct str name, struct str error)
{
    struct str rest, message;
    ssize_t first = str_find(error, STR(": "));
    ssize_t second =
        first < 0 ? -1 : str_find(rest = str_from(error, (size_t)first + 2), STR(": "));
    if (second < 0)
        return chart_fail(cx, "execution error in (%.*s): %.*s", STR_ARG(name), STR_ARG(error));
    struct str location = str_head(rest, (size_t)second);
    if (own_message(str_from(rest, (size_t)second + 2), &message))
        return chart_fail(cx, "execution error at (%.*s): %.*s", STR_ARG(location),
                          STR_ARG(message));
    return chart_fail(cx, "%.*s", STR_ARG(error));
}

/* --- execution --- */
/* Go prints "<no value>" for what is not there; Helm takes it out again. */
static struct str without_no_value(struct arena *a, struct str text)
{
    struct str mark = STR("<no value>");
    if (str_find(text, mark) < 0)
        return arena_dup(a, text);
    char *out = arena_alloc(a, text.n + 1);
    size_t n = 0;
    for (ssize_t at; (at = str_find(text, mark)) >= 0; text = str_from(text, (size_t)at + mark.n)) {
        memcpy(out + n, text.p, (size_t)at);
        n += (size_t)at;
    }
    if (text.n)
        memcpy(out + n, text.p, text.n);
    return (struct str){out, n + text.n};
}

static int execute_all(struct chart_ctx *cx, struct tmpl_set *set, const struct sources *sources,
                       const struct render_options *o, struct rendered_list *ret)
{
    struct tmpl_limits limits = o->limits ? *o->limits : (struct tmpl_limits){0};
    limits.missing = o->strict ? TMPL_MISSING_ERROR : TMPL_MISSING_ZERO;
    struct tmpl_exec *x = tmpl_exec_new(set, cx->arena, &limits, o->user);
    ret->items = arena_alloc(cx->arena, (sources->n + 1) * sizeof(*ret->items));
    ret->n = 0;
    struct buf out = {0};
    int status = 0;
    for (size_t i = 0; i < sources->n && status == 0; i++) {
        const struct source *s = &sources->items[i];
        if (str_starts(path_base(s->name), STR("_")))
            continue;
        struct vmap *own = vmap_new(cx->arena, 2);
        vmap_set(own, STR("Name"), value_str(s->name));
        vmap_set(own, STR("BasePath"), value_str(s->base_path));
        vmap_set(s->dot, STR("Template"), value_map(&type_values, own));
        buf_clear(&out);
        if (tmpl_execute(x, s->name, value_map(&type_values, s->dot), &out) != 0)
            status = fail_exec(cx, s->name, tmpl_error(x));
        else
            ret->items[ret->n++] = (struct rendered){
                s->name, out.n ? without_no_value(cx->arena, buf_str(&out)) : STR("")};
    }
    buf_done(&out);
    tmpl_exec_done(x);
    return status;
}

struct job {
    struct chart_ctx *cx;
    const struct sources *sources;
    const struct render_options *options;
    struct rendered_list *ret;
    int status;
};

static void render_sources(void *arg)
{
    struct job *job = arg;
    struct chart_ctx *cx = job->cx;
    const struct sources *sources = job->sources;
    const struct render_options *o = job->options;
    struct tmpl_set *set = tmpl_set_new("gotpl");
    func_library_add(set);
    tmpl_set_funcs(set, tmpl_helm_funcs);
    if (o->lint)
        tmpl_set_funcs(set, func_lint);
    if (o->lookup)
        tmpl_set_funcs(set, o->lookup);
    if (o->enable_dns)
        tmpl_set_funcs(set, func_dns);
    int status = 0;
    for (size_t i = 0; i < sources->n && status == 0; i++) {
        struct str error;
        if (tmpl_parse(set, sources->items[i].name, sources->items[i].text, NULL, &error) != 0)
            status = fail_parse(cx, sources->items[i].name, error);
    }
    if (status == 0)
        status = execute_all(cx, set, sources, o, job->ret);
    tmpl_set_free(set);
    job->status = status;
}

static struct value release_value(struct arena *a, const struct render_release *r)
{
    struct vmap *m = vmap_new(a, 6);
    vmap_set(m, STR("Name"), value_str(r->name));
    vmap_set(m, STR("Namespace"), value_str(r->namespace));
    vmap_set(m, STR("IsUpgrade"), value_bool(r->is_upgrade));
    vmap_set(m, STR("IsInstall"), value_bool(r->is_install));
    vmap_set(m, STR("Revision"), value_int(r->revision));
    vmap_set(m, STR("Service"), value_z("Helm"));
    return value_map(&type_map, m);
}

int chart_check_kube_version(struct chart_ctx *cx, const struct chart *c,
                             const struct capabilities *capabilities)
{
    if (c->meta.kube_version.n == 0 ||
        chart_version_fits(cx->arena, c->meta.kube_version, capabilities->version))
        return 0;
    return chart_fail(cx,
                      "chart requires kubeVersion: %.*s which is incompatible with Kubernetes %.*s",
                      STR_ARG(c->meta.kube_version), STR_ARG(capabilities->version));
}

int chart_render(struct chart_ctx *cx, const struct chart *c, struct vmap *values,
                 const struct render_options *o, struct rendered_list *ret)
{
    struct sources sources = {0};
    struct collector k = {cx, &sources, release_value(cx->arena, &o->release),
                          capabilities_value(cx->arena, &o->capabilities)};
    collect(&k, c, values);
    if (sources.n)
        qsort(sources.items, sources.n, sizeof(*sources.items), by_depth);
    struct job job = {cx, &sources, o, ret, 0};
    tmpl_on_large_stack(render_sources, &job);
    return job.status;
}
