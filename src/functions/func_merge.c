/* func_merge.c: merging maps as dario.cat/mergo does it for sprig.
 *
 * The first map is changed in place, nested ones too. What it lacks it gets by reference, so that
 * nested maps and lists of the sources are shared from then on. A value that is false, 0 or empty
 * counts as missing. With `overwrite` every value of a source wins, nil, false and empty lists
 * included; but an empty map does not displace one that holds something. */
#include "functions/func_arg.h"
#include "functions/func_library.h"

#define FN(name)                                                                                   \
    static int name(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)

static bool is_map(struct value v)
{
    return value_kind(v) == KIND_MAP;
}

static int merge_into(struct tmpl_exec *x, struct value to, struct value from, bool overwrite,
                      int depth);

/* A map of strings takes no interfaces, even when strings are in them. */
static int put_member(struct tmpl_exec *x, struct value to, struct value from, struct str key,
                      struct value v)
{
    const struct gotype *want = to.type->elem, *got = from.type->elem;
    if (want != &type_any && want != got)
        return tmpl_fail(x,
                         "reflect.Value.SetMapIndex: value of type %s is not assignable to type %s",
                         got->name, want->name);
    vmap_set(to.map, key, v);
    return 0;
}

static int merge_member(struct tmpl_exec *x, struct value to, struct value from, struct str key,
                        struct value v, bool overwrite, int depth)
{
    struct value *place = vmap_get(to.map, key), old = place ? *place : VALUE_NONE;
    if (func_is_nil(v))
        return overwrite ? put_member(x, to, from, key, v) : 0;
    bool both_maps = place && is_map(v) && is_map(old);
    if (both_maps && old.map && merge_into(x, old, v, overwrite, depth + 1) < 0)
        return -1;
    if (place == NULL || func_empty(old) || (overwrite && !both_maps))
        return put_member(x, to, from, key, v);
    return 0;
}

static int merge_into(struct tmpl_exec *x, struct value to, struct value from, bool overwrite,
                      int depth)
{
    if (depth > VALUE_MAX_DEPTH)
        return tmpl_fail(x, "maps are nested too deeply to merge");
    if (tmpl_spend(x, vmap_len(from.map)) < 0)
        return -1;
    struct vmap_walk w = vmap_walk(from.map);
    for (struct vmap_entry *e; (e = vmap_next(&w));) {
        if (merge_member(x, to, from, e->key, e->value, overwrite, depth) < 0)
            return -1;
    }
    return 0;
}

static int merge_all(struct tmpl_exec *x, const struct value *args, size_t n, bool overwrite,
                     struct value *ret)
{
    *ret = args[0];
    for (size_t i = 1; i < n; i++) {
        if (ret->map == NULL && args[i].map != NULL)
            *ret = value_map_new(tmpl_arena(x), &type_map);
        if (ret->map && merge_into(x, *ret, args[i], overwrite, 0) < 0)
            return -1;
    }
    return 0;
}

FN(merge)
{
    return merge_all(x, args, n, false, ret);
}

FN(merge_overwrite)
{
    return merge_all(x, args, n, true, ret);
}

const struct func func_merges[] = {
    {"merge", merge, {&type_map, &type_map}, &type_any, .variadic = true},
    {"mergeOverwrite", merge_overwrite, {&type_map, &type_map}, &type_any, .variadic = true},
    {"mustMerge", merge, {&type_map, &type_map}, &type_any, .variadic = true},
    {"mustMergeOverwrite", merge_overwrite, {&type_map, &type_map}, &type_any, .variadic = true},
    {0},
};
