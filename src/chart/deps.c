/* deps.c: which of the charts inside take part, under which name, and what values they export. */
#include "chart/chart.h"
#include "template/gofmt.h"
#include "chart/values.h"

static bool fits(struct arena *a, const struct chart *c, const struct chart_dependency *d)
{
    return str_eq(c->meta.name, d->name) && chart_version_fits(a, d->version, c->meta.version);
}

/* A copy of the chart that the entry asks for, under its alias; NULL: there is none. */
static struct chart *pick(struct arena *a, const struct chart *outer,
                          const struct chart_dependency *d)
{
    for (size_t i = 0; i < outer->dep_count; i++) {
        if (!fits(a, outer->deps[i], d))
            continue;
        struct chart *copy = arena_alloc(a, sizeof(*copy));
        *copy = *outer->deps[i];
        if (d->alias.n)
            copy->meta.name = d->alias;
        return copy;
    }
    return NULL;
}

/* First the charts that no entry names, then the entries' in their order. */
static void pick_all(struct arena *a, struct chart *c)
{
    struct chart **deps =
        arena_alloc(a, (c->dep_count + c->meta.dependency_count + 1) * sizeof(*deps));
    size_t n = 0;
    for (size_t i = 0; i < c->dep_count; i++) {
        bool named = false;
        for (size_t k = 0; k < c->meta.dependency_count; k++)
            named = named || fits(a, c->deps[i], c->meta.dependencies[k]);
        if (!named)
            deps[n++] = c->deps[i];
    }
    for (size_t i = 0; i < c->meta.dependency_count; i++) {
        struct chart_dependency *d = c->meta.dependencies[i];
        struct chart *picked = pick(a, c, d);
        if (picked)
            deps[n++] = picked;
        if (d->alias.n)
            d->name = d->alias;
    }
    chart_set_deps(c, deps, n);
}

/* One true tag is enough; without any that is set the chart stays. */
static void apply_tags(struct chart_ctx *cx, struct chart_dependency *d, const struct vmap *values)
{
    const struct vmap *tags = values_table(values, STR("tags"), NULL);
    bool has_true = false, has_false = false;
    for (size_t i = 0; tags && i < d->tags.n; i++) {
        struct value *v = vmap_get(tags, d->tags.items[i]);
        if (v && value_kind(*v) == KIND_BOOL) {
            has_true = has_true || v->b;
            has_false = has_false || !v->b;
        } else if (v) {
            chart_warn(cx, "Warning: Tag '%.*s' for chart %.*s returned non-bool value",
                       STR_ARG(d->tags.items[i]), STR_ARG(d->name));
        }
    }
    d->enabled = has_true || !has_false;
}

/* The first path that leads to a boolean decides. */
static void apply_condition(struct chart_ctx *cx, struct chart_dependency *d,
                            const struct vmap *values, struct str path)
{
    struct str rest = str_trim(d->condition), one;
    while (str_next(&rest, ',', &one)) {
        struct value v;
        struct str whole = arena_printf(cx->arena, "%.*s%.*s", STR_ARG(path), STR_ARG(one));
        if (one.n == 0 || !values_path(values, whole, &v))
            continue;
        if (value_kind(v) == KIND_BOOL) {
            d->enabled = v.b;
            return;
        }
        chart_warn(cx, "Warning: Condition path '%.*s' for chart %.*s returned non-bool value",
                   STR_ARG(one), STR_ARG(d->name));
    }
}

static bool is_disabled(const struct chart_meta *m, struct str name)
{
    for (size_t i = 0; i < m->dependency_count; i++)
        if (!m->dependencies[i]->enabled && str_eq(m->dependencies[i]->name, name))
            return true;
    return false;
}

static int process_enabled(struct chart_ctx *cx, struct chart *c, const struct vmap *values,
                           struct str path)
{
    struct chart_meta *m = &c->meta;
    if (!m->has_dependencies)
        return 0;
    pick_all(cx->arena, c);
    struct vmap *coalesced;
    if (values_coalesce(cx, c, values, false, &coalesced) != 0)
        return -1;
    for (size_t i = 0; i < m->dependency_count; i++) {
        apply_tags(cx, m->dependencies[i], coalesced);
        apply_condition(cx, m->dependencies[i], coalesced, path);
    }
    struct chart **deps = arena_alloc(cx->arena, (c->dep_count + 1) * sizeof(*deps));
    struct chart_dependency **entries =
        arena_alloc(cx->arena, (m->dependency_count + 1) * sizeof(*entries));
    size_t n = 0, entry_n = 0;
    for (size_t i = 0; i < c->dep_count; i++)
        if (!is_disabled(m, c->deps[i]->meta.name))
            deps[n++] = c->deps[i];
    for (size_t i = 0; i < m->dependency_count; i++)
        if (!is_disabled(m, m->dependencies[i]->name))
            entries[entry_n++] = m->dependencies[i];
    for (size_t i = 0; i < n; i++) {
        struct str below =
            arena_printf(cx->arena, "%.*s%.*s.", STR_ARG(path), STR_ARG(deps[i]->meta.name));
        if (process_enabled(cx, deps[i], coalesced, below) != 0)
            return -1;
    }
    m->dependencies = entries;
    m->dependency_count = entry_n;
    m->has_dependencies = entry_n > 0;
    chart_set_deps(c, deps, n);
    return 0;
}

/* --- import-values --- */
/* The table at "a.b" holding data; "." is data itself. */
static struct vmap *nest(struct arena *a, struct str path, struct vmap *data)
{
    if (str_is(path, "."))
        return data;
    for (size_t end = path.n;;) {
        size_t start = end;
        while (start > 0 && path.p[start - 1] != '.')
            start--;
        struct vmap *outer = vmap_new(a, 1);
        vmap_set(outer, (struct str){path.p + start, end - start}, value_map(&type_map, data));
        data = outer;
        if (start == 0)
            return data;
        end = start - 1;
    }
}

static struct str member_text(struct arena *a, struct value map, const char *key)
{
    struct value *v = vmap_get(map.map, str_of(key));
    return gofmt_text(a, v ? *v : VALUE_NIL);
}

/* *done is what Helm keeps of the item in the chart; false: it is none that imports. */
static bool import_one(struct chart_ctx *cx, const struct chart_dependency *d, struct value item,
                       const struct vmap *values, struct vmap *into, struct value *done)
{
    struct str child, parent;
    if (values_is_table(item)) {
        child = member_text(cx->arena, item, "child");
        parent = member_text(cx->arena, item, "parent");
    } else if (value_kind(item) == KIND_STRING) {
        child = arena_printf(cx->arena, "exports.%.*s", STR_ARG(value_text(item)));
        parent = STR(".");
    } else {
        return false;
    }
    *done = value_map_new(cx->arena, &type_map_strings);
    vmap_set(done->map, STR("child"), value_str(child));
    vmap_set(done->map, STR("parent"), value_str(parent));
    struct str missing;
    struct str path = arena_printf(cx->arena, "%.*s.%.*s", STR_ARG(d->name), STR_ARG(child));
    struct vmap *table = values_table(values, path, &missing);
    if (table)
        values_coalesce_tables(cx, into, nest(cx->arena, parent, table), true);
    else if (values_is_table(item))
        chart_warn(cx,
                   "Warning: ImportValues missing table from chart %.*s: \"%.*s\" is not a table",
                   STR_ARG(d->name), STR_ARG(missing));
    else
        chart_warn(cx, "Warning: ImportValues missing table: \"%.*s\" is not a table",
                   STR_ARG(missing));
    return true;
}

/* A chart that comes under two aliases imports once: what was imported is kept in a form that
 * imports no more, and entries are shared by the copies. */
static void import_all(struct chart_ctx *cx, struct chart_dependency *d, const struct vmap *values,
                       struct vmap *into)
{
    struct value items = d->import_values;
    if (!items.type || value_is_nil(items))
        return;
    struct value done = value_slice_new(cx->arena, &type_list, items.n);
    size_t n = 0;
    for (size_t k = 0; k < items.n; k++)
        n += import_one(cx, d, items.items[k], values, into, &done.items[n]);
    done.n = (uint32_t)n;
    d->import_values = done;
}

static int import_values(struct chart_ctx *cx, struct chart *c)
{
    for (size_t i = 0; i < c->dep_count; i++)
        if (import_values(cx, c->deps[i]) != 0)
            return -1;
    if (!c->meta.has_dependencies)
        return 0;
    struct vmap *merged;
    if (values_coalesce(cx, c, NULL, true, &merged) != 0)
        return -1;
    struct vmap *imported = vmap_new(cx->arena, 0);
    for (size_t i = 0; i < c->meta.dependency_count; i++)
        import_all(cx, c->meta.dependencies[i], merged, imported);
    struct vmap *own = imported->n ? values_copy_map(cx->arena, merged) : merged;
    values_coalesce_tables(cx, own, imported, true);
    c->values = own;
    return 0;
}

int chart_process_dependencies(struct chart_ctx *cx, struct chart *c, struct vmap *values)
{
    if (process_enabled(cx, c, values, STR("")) != 0)
        return -1;
    return import_values(cx, c);
}

int chart_missing_dependencies(struct chart_ctx *cx, const struct chart *c)
{
    struct buf missing = {0};
    for (size_t i = 0; i < c->meta.dependency_count; i++) {
        struct str name = c->meta.dependencies[i]->name;
        bool found = false;
        for (size_t k = 0; k < c->dep_count; k++)
            found = found || str_eq(c->deps[k]->meta.name, name);
        if (!found)
            buf_printf(&missing, "%s%.*s", missing.n ? ", " : "", STR_ARG(name));
    }
    int status = missing.n
                     ? chart_fail(cx, "found in Chart.yaml, but missing in charts/ directory: %s",
                                  buf_z(&missing))
                     : 0;
    buf_done(&missing);
    return status;
}

int chart_check_dependencies(struct chart_ctx *cx, const struct chart *c)
{
    if (chart_missing_dependencies(cx, c) == 0)
        return 0;
    return chart_wrap(cx, "An error occurred while checking for chart dependencies. You may need "
                          "to run `helm dependency build` to fetch missing dependencies");
}
