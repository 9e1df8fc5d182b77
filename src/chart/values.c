#include "chart/values.h"

#include "template/gofmt.h"

struct value values_copy(struct arena *a, struct value v)
{
    if (value_kind(v) == KIND_MAP && v.map) {
        v.map = values_copy_map(a, v.map);
    } else if (v.type == &type_list && v.items) {
        struct value copy = value_slice_new(a, v.type, v.n);
        for (size_t i = 0; i < v.n; i++)
            copy.items[i] = values_copy(a, v.items[i]);
        return copy;
    }
    return v;
}

struct vmap *values_copy_map(struct arena *a, const struct vmap *m)
{
    struct vmap *copy = vmap_new(a, vmap_len(m));
    for (size_t i = 0; i < vmap_len(m); i++)
        vmap_set(copy, m->entries[i].key, values_copy(a, m->entries[i].value));
    return copy;
}

int values_read_yaml(struct chart_ctx *cx, struct str yaml, struct vmap **ret)
{
    struct doc d;
    struct err err;
    val *root;
    doc_init(&d);
    int status = 0;
    *ret = NULL;
    if (doc_parse_yaml(&d, yaml, &root, &err) != 0)
        status = chart_fail(cx, "%s", err.message);
    else if (val_is_obj(root))
        *ret = value_from_val(cx->arena, root).map;
    else if (!val_is_null(root))
        status = chart_fail(cx,
                            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal "
                            "%s into Go value of type map[string]interface {}",
                            val_type_name(root));
    doc_done(&d);
    return status;
}

struct vmap *values_merge_files(struct arena *a, struct vmap *base, struct vmap *over)
{
    struct vmap *out = vmap_new(a, vmap_len(base) + vmap_len(over));
    for (size_t i = 0; i < vmap_len(base); i++)
        vmap_set(out, base->entries[i].key, base->entries[i].value);
    for (size_t i = 0; i < vmap_len(over); i++) {
        struct vmap_entry *e = &over->entries[i];
        struct value *old = vmap_get(out, e->key);
        if (old && values_is_table(*old) && values_is_table(e->value))
            vmap_set(out, e->key,
                     value_map(&type_map, values_merge_files(a, old->map, e->value.map)));
        else
            vmap_set(out, e->key, e->value);
    }
    return out;
}

static struct str join(struct arena *a, struct str prefix, struct str key)
{
    return prefix.n ? arena_printf(a, "%.*s.%.*s", STR_ARG(prefix), STR_ARG(key)) : key;
}

static void warn_table(struct chart_ctx *cx, const char *format, struct str prefix, struct str key,
                       struct value v)
{
    if (!cx->warnings)
        return;
    struct str path = join(cx->arena, prefix, key);
    struct str text = gofmt_text(cx->arena, v);
    buf_puts(cx->warnings, "warning: ");
    buf_puts(cx->warnings, format);
    buf_printf(cx->warnings, " %.*s", STR_ARG(path));
    buf_printf(cx->warnings, format[0] == 'd' ? " is a table. Ignoring non-table value (" : " (");
    buf_put(cx->warnings, text);
    buf_puts(cx->warnings, ")\n");
}

/* coalesceTablesFullKey. Nulls of dst are set in src, too: later users of src must see them. */
static void coalesce_tables(struct chart_ctx *cx, struct vmap *dst, struct vmap *src,
                            struct str prefix, bool merge)
{
    size_t nulls = 0;
    struct str *null_keys = NULL;
    for (size_t i = 0; i < vmap_len(dst); i++)
        if (values_is_nil(dst->entries[i].value)) {
            if (!null_keys)
                null_keys = arena_alloc(cx->arena, dst->n * sizeof(*null_keys));
            null_keys[nulls++] = dst->entries[i].key;
        }
    struct vmap_walk w = vmap_walk(src);
    for (struct vmap_entry *e; (e = vmap_next(&w));) {
        struct value *at = vmap_get(dst, e->key);
        if (!at) {
            vmap_set(dst, e->key, e->value);
        } else if (values_is_nil(*at)) {
            if (!merge && !values_is_nil(e->value))
                vmap_del(dst, e->key);
        } else if (values_is_table(e->value)) {
            if (values_is_table(*at))
                coalesce_tables(cx, at->map, e->value.map, join(cx->arena, prefix, e->key), merge);
            else
                warn_table(cx, "cannot overwrite table with non table for", prefix, e->key,
                           e->value);
        } else if (values_is_table(*at) && !values_is_nil(e->value)) {
            warn_table(cx, "destination for", prefix, e->key, e->value);
        }
    }
    for (size_t i = 0; i < nulls; i++)
        vmap_set(src, null_keys[i], VALUE_NIL);
}

void values_coalesce_tables(struct chart_ctx *cx, struct vmap *dst, struct vmap *src, bool merge)
{
    if (dst && src)
        coalesce_tables(cx, dst, src, (struct str){0}, merge);
}

static bool is_child(const struct chart *c, struct str name)
{
    for (size_t i = 0; i < c->dep_count; i++)
        if (str_eq(c->deps[i]->meta.name, name))
            return true;
    return false;
}

/* The chart's own values below v. */
static void coalesce_own(struct chart_ctx *cx, const struct chart *c, struct vmap *v,
                         struct str prefix, bool merge)
{
    struct str below = join(cx->arena, prefix, c->meta.name);
    struct vmap *own = values_copy_map(cx->arena, c->values);
    for (size_t i = 0; i < own->n; i++) {
        struct str key = own->entries[i].key;
        struct value own_value = own->entries[i].value;
        struct value *given = vmap_get(v, key);
        if (!given) {
            vmap_set(v, key, own_value);
        } else if (values_is_nil(*given)) {
            if (!merge)
                vmap_del(v, key);
        } else if (values_is_table(*given)) {
            if (values_is_table(own_value))
                coalesce_tables(cx, given->map, own_value.map, join(cx->arena, below, key),
                                merge || is_child(c, key));
            else if (!values_is_nil(own_value))
                chart_warn(cx, "warning: skipped value for %.*s.%.*s: Not a table.", STR_ARG(below),
                           STR_ARG(key));
        }
    }
}

/* A table under `global`, made when it is not there; NULL with a warning when it is no table. */
static struct vmap *globals_of(struct chart_ctx *cx, struct vmap *m, const char *which)
{
    struct value *v = vmap_get(m, STR("global"));
    if (!v)
        return vmap_new(cx->arena, 0);
    if (values_is_table(*v))
        return v->map;
    chart_warn(cx, "warning: skipping globals because %s global is not a table.", which);
    return NULL;
}

/* The outer chart's globals reach the inner one, whose own are below them. */
static void coalesce_globals(struct chart_ctx *cx, struct vmap *dest, struct vmap *src,
                             struct str prefix)
{
    struct vmap *to = globals_of(cx, dest, "destination");
    struct vmap *from = to ? globals_of(cx, src, "source") : NULL;
    if (!from)
        return;
    for (size_t i = 0; i < from->n; i++) {
        struct str key = from->entries[i].key;
        struct value own_value = from->entries[i].value;
        struct value *own = vmap_get(to, key);
        if (!values_is_table(own_value)) {
            if (own && values_is_table(*own))
                chart_warn(cx, "key %.*s is table. Skipping", STR_ARG(key));
            else
                vmap_set(to, key, own_value);
            continue;
        }
        struct vmap *copy = vmap_new(cx->arena, vmap_len(own_value.map)); /* of this level only */
        for (size_t k = 0; k < vmap_len(own_value.map); k++)
            vmap_set(copy, own_value.map->entries[k].key, own_value.map->entries[k].value);
        if (own && !values_is_table(*own)) {
            chart_warn(cx, "Conflict: cannot merge map onto non-map for \"%.*s\". Skipping.",
                       STR_ARG(key));
            continue;
        }
        if (own)
            coalesce_tables(cx, copy, own->map, join(cx->arena, prefix, key), true);
        vmap_set(to, key, value_map(&type_map, copy));
    }
    vmap_set(dest, STR("global"), value_map(&type_map, to));
}

static int coalesce(struct chart_ctx *cx, const struct chart *c, struct vmap *dest,
                    struct str prefix, bool merge)
{
    coalesce_own(cx, c, dest, prefix, merge);
    struct str below = join(cx->arena, prefix, c->meta.name);
    for (size_t i = 0; i < c->dep_count; i++) {
        struct str name = c->deps[i]->meta.name;
        struct value *at = vmap_get(dest, name);
        if (at && !values_is_table(*at)) {
            struct buf b = {0};
            struct value args[] = {value_str(name), *at};
            gofmt_printf(cx->arena, &b, STR("type mismatch on %s: %t"), args, 2);
            chart_fail(cx, "%s", buf_z(&b));
            buf_done(&b);
            return -1;
        }
        struct vmap *inner = at ? at->map : vmap_new(cx->arena, 0);
        if (!at || !inner) {
            inner = inner ? inner : vmap_new(cx->arena, 0);
            vmap_set(dest, name, value_map(&type_map, inner));
        }
        coalesce_globals(cx, inner, dest, below);
        if (coalesce(cx, c->deps[i], inner, below, merge) != 0)
            return -1;
    }
    return 0;
}

int values_coalesce(struct chart_ctx *cx, const struct chart *c, const struct vmap *values,
                    bool merge, struct vmap **ret)
{
    *ret = values_copy_map(cx->arena, values);
    return coalesce(cx, c, *ret, (struct str){0}, merge);
}

struct vmap *values_table(const struct vmap *m, struct str path, struct str *ret_missing)
{
    struct str part, rest = path;
    bool more = true;
    while (more) {
        more = str_cut(rest, '.', &part, &rest);
        struct value *v = vmap_get(m, part);
        if (!v || value_kind(*v) != KIND_MAP) {
            if (ret_missing)
                *ret_missing = part;
            return NULL;
        }
        m = v->map;
    }
    return (struct vmap *)m;
}

bool values_path(const struct vmap *m, struct str path, struct value *ret)
{
    struct str key = path;
    for (size_t i = path.n; i-- > 0;)
        if (path.p[i] == '.') {
            m = values_table(m, str_head(path, i), NULL);
            key = str_from(path, i + 1);
            break;
        }
    struct value *v = vmap_get(m, key);
    if (!v || values_is_table(*v))
        return false;
    *ret = *v;
    return true;
}
