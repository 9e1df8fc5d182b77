/* cluster_lookup.c: the template function `lookup`. */
#include "release/cluster_impl.h"

#include "template/func.h"

/* As the API machinery decodes JSON: whole numbers are int64, where charts' files have float64. */
static struct value from_json(struct arena *a, const val *v, size_t depth)
{
    if (val_is_int(v))
        return value_int64(val_int(v));
    if (depth >= DOC_MAX_DEPTH || (!val_is_obj(v) && !val_is_arr(v)))
        return value_from_val(a, v);
    size_t i = 0;
    if (val_is_arr(v)) {
        struct value list = value_slice_new(a, &type_list, val_len(v));
        VAL_FOR (v, item)
            list.items[i++] = from_json(a, item, depth + 1);
        return list;
    }
    struct value map = value_map_new(a, &type_map);
    VAL_EACH (v, key, member)
        vmap_set(map.map, arena_dup(a, val_str(key)), from_json(a, member, depth + 1));
    return map;
}

static int fail(struct tmpl_exec *x, struct cluster *c)
{
    return tmpl_fail_str(x, c->cx->error);
}

/* (apiVersion, kind, namespace, name): an object, or the list when the name is empty; an empty map
 * for what does not exist. */
static int lookup(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    struct cluster *c = tmpl_user(x);
    struct str api_version = value_text(args[0]), kind = value_text(args[1]),
               namespace = value_text(args[2]), name = value_text(args[3]);
    const struct served *s;
    struct doc d;
    val *v;
    (void)n;
    if (cluster_find_kind(c, api_version, kind, &s) != 0)
        return fail(x, c);
    if (!s)
        return tmpl_fail(x,
                         "unable to get apiresource from unstructured: %s%.*s, Kind=%.*s: the "
                         "server could not find the requested resource",
                         str_find_char(api_version, '/') < 0 ? "/" : "", STR_ARG(api_version),
                         STR_ARG(kind));
    struct str path = cluster_collection(c, s, namespace);
    if (name.n)
        path = arena_printf(c->cx->arena, "%.*s/%.*s", STR_ARG(path), STR_ARG(name));
    doc_init(&d);
    int rc = cluster_get_val(c, path, STR(""), &d, &v);
    if (rc == 0)
        *ret = v ? from_json(tmpl_arena(x), v, 0) : value_map_new(tmpl_arena(x), &type_map);
    doc_done(&d);
    return rc ? fail(x, c) : 0;
}

const struct func cluster_lookup[] = {
    {"lookup", lookup, {&type_string, &type_string, &type_string, &type_string}, &type_map},
    {0},
};
