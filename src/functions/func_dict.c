/* func_dict.c: sprig's functions on maps. Maps are shared: set and unset change what every holder
 * of the map sees. */
#include "functions/func_arg.h"
#include "functions/func_library.h"

#define FN(name)                                                                                   \
    static int name(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)

FN(dict)
{
    *ret = value_map_new(tmpl_arena(x), &type_map);
    for (size_t i = 0; i < n; i += 2)
        vmap_set(ret->map, func_strval(x, args[i]), i + 1 < n ? args[i + 1] : value_str(STR("")));
    return 0;
}

FN(get)
{
    const struct value *v = vmap_get(args[0].map, value_text(args[1]));
    (void)x, (void)n;
    *ret = v ? *v : value_str(STR(""));
    return 0;
}

FN(set)
{
    (void)n;
    if (args[0].map == NULL)
        return tmpl_fail(x, "assignment to entry in nil map");
    vmap_set(args[0].map, value_text(args[1]), args[2]);
    *ret = args[0];
    return 0;
}

FN(unset)
{
    (void)x, (void)n;
    if (args[0].map)
        vmap_del(args[0].map, value_text(args[1]));
    *ret = args[0];
    return 0;
}

FN(has_key)
{
    (void)x, (void)n;
    *ret = value_bool(vmap_get(args[0].map, value_text(args[1])) != NULL);
    return 0;
}

FN(pluck)
{
    *ret = value_slice_new(tmpl_arena(x), &type_list, n);
    ret->n = 0;
    for (size_t i = 1; i < n; i++) {
        const struct value *v = vmap_get(args[i].map, value_text(args[0]));
        if (v)
            ret->items[ret->n++] = *v;
    }
    return 0;
}

FN(keys)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += vmap_len(args[i].map);
    if (tmpl_spend(x, count * sizeof(struct value)) < 0)
        return -1;
    *ret = value_slice_new(tmpl_arena(x), &type_strings, count);
    size_t at = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < vmap_len(args[i].map); j++)
            ret->items[at++] = value_str(args[i].map->entries[j].key);
    return 0;
}

FN(values)
{
    struct vmap *m = args[0].map;
    (void)n;
    *ret = value_slice_new(tmpl_arena(x), &type_list, vmap_len(m));
    for (size_t i = 0; i < vmap_len(m); i++)
        ret->items[i] = m->entries[i].value;
    return 0;
}

FN(pick)
{
    *ret = value_map_new(tmpl_arena(x), &type_map);
    for (size_t i = 1; i < n; i++) {
        const struct value *v = vmap_get(args[0].map, value_text(args[i]));
        if (v)
            vmap_set(ret->map, value_text(args[i]), *v);
    }
    return 0;
}

FN(omit)
{
    struct vmap *m = args[0].map;
    *ret = value_map_new(tmpl_arena(x), &type_map);
    for (size_t i = 0; i < vmap_len(m); i++) {
        bool omitted = false;
        for (size_t j = 1; j < n && !omitted; j++)
            omitted = str_eq(value_text(args[j]), m->entries[i].key);
        if (!omitted)
            vmap_set(ret->map, m->entries[i].key, m->entries[i].value);
    }
    return 0;
}

/* Go's text for a type assertion that does not hold; the interface holds v. */
static int fail_assertion(struct tmpl_exec *x, struct value v, const char *want)
{
    return tmpl_fail(x, "interface conversion: interface {} is %s, not %s",
                     func_is_nil(v) ? "nil" : value_type_name(v), want);
}

FN(dig)
{
    if (n < 3)
        return tmpl_fail(x, "dig needs at least three arguments");
    struct value at = args[n - 1];
    if (at.type != &type_map)
        return fail_assertion(x, at, type_map.name);
    for (size_t i = 0; i + 2 < n; i++)
        if (args[i].type != &type_string)
            return fail_assertion(x, args[i], type_string.name);
    for (size_t i = 0; i + 2 < n; i++) {
        if (at.type != &type_map)
            return fail_assertion(x, at, type_map.name);
        const struct value *step = vmap_get(at.map, value_text(args[i]));
        if (step == NULL) {
            *ret = args[n - 2];
            return 0;
        }
        at = *step;
    }
    *ret = at;
    return 0;
}

/* --- deepCopy: mitchellh/copystructure --- */

static int copy_deep(struct tmpl_exec *x, struct value v, int depth, struct value *ret)
{
    *ret = v;
    if (depth > VALUE_MAX_DEPTH)
        return tmpl_fail(x, "value is nested too deeply to copy");
    enum gokind k = value_kind(v);
    if (k == KIND_MAP && v.map) {
        struct vmap *m = vmap_new(tmpl_arena(x), v.map->n);
        if (tmpl_spend(x, v.map->n * sizeof(struct vmap_entry)) < 0)
            return -1;
        for (uint32_t i = 0; i < v.map->n; i++) { /* in the order of keys */
            m->entries[i].key = v.map->entries[i].key;
            if (copy_deep(x, v.map->entries[i].value, depth + 1, &m->entries[i].value) < 0)
                return -1;
            m->n++;
        }
        *ret = value_map(v.type, m);
    } else if (k == KIND_SLICE && v.items && v.type->elem->kind != KIND_UINT8) {
        if (tmpl_spend(x, v.n * sizeof(struct value)) < 0)
            return -1;
        *ret = value_slice_new(tmpl_arena(x), v.type, v.n);
        for (uint32_t i = 0; i < v.n; i++)
            if (copy_deep(x, v.items[i], depth + 1, &ret->items[i]) < 0)
                return -1;
    }
    return 0;
}

FN(deep_copy)
{
    (void)n;
    if (func_is_nil(args[0]))
        return tmpl_fail(x, "reflect: call of reflect.Value.Type on zero Value");
    return copy_deep(x, args[0], 0, ret);
}

const struct func func_dicts[] = {
    {"dict", dict, {&type_any}, &type_map, .variadic = true},
    {"get", get, {&type_map, &type_string}, &type_any},
    {"set", set, {&type_map, &type_string, &type_any}, &type_map},
    {"unset", unset, {&type_map, &type_string}, &type_map},
    {"hasKey", has_key, {&type_map, &type_string}, &type_bool},
    {"pluck", pluck, {&type_string, &type_map}, &type_list, .variadic = true},
    {"keys", keys, {&type_map}, &type_strings, .variadic = true},
    {"values", values, {&type_map}, &type_list},
    {"pick", pick, {&type_map, &type_string}, &type_map, .variadic = true},
    {"omit", omit, {&type_map, &type_string}, &type_map, .variadic = true},
    {"dig", dig, {&type_any}, &type_any, .variadic = true},
    {"deepCopy", deep_copy, {&type_any}, &type_any},
    {"mustDeepCopy", deep_copy, {&type_any}, &type_any},
    {0},
};
