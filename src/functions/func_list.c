/* func_list.c: sprig's functions on lists. They take slices of any type and make new ones; none
 * changes its argument. A nil has no type to ask for its kind, which in Go is a nil pointer's use.
 */
#include <math.h>

#include "functions/func_arg.h"
#include "functions/func_library.h"

#define FN(name)                                                                                   \
    static int name(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)

static int check_list(struct tmpl_exec *x, struct value v, const char *what)
{
    if (func_is_nil(v))
        return func_fail_nil(x);
    if (!value_is_list(v))
        return tmpl_fail(x, "%s%s", what, gokind_name(value_kind(v)));
    return 0;
}

/* A new []interface{} with room for n elements, counted against the limits. */
static int new_list(struct tmpl_exec *x, size_t n, struct value *ret)
{
    if (tmpl_spend(x, n * sizeof(struct value)) < 0)
        return -1;
    *ret = value_slice_new(tmpl_arena(x), &type_list, n);
    return 0;
}

static void copy_items(struct value *to, struct value list, size_t from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = value_at(list, from + i);
}

/* An element that leaves its list as an interface{}: its nil has no type. */
static struct value item_at(struct value list, size_t i)
{
    struct value v = value_at(list, i);
    return func_is_nil(v) ? VALUE_NIL : v;
}

FN(list)
{
    if (new_list(x, n, ret) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        ret->items[i] = func_is_nil(args[i]) ? VALUE_NIL : args[i];
    return 0;
}

FN(append)
{
    struct value l = args[0];
    (void)n;
    if (check_list(x, l, "Cannot push on type ") < 0 || new_list(x, l.n + (size_t)1, ret) < 0)
        return -1;
    copy_items(ret->items, l, 0, l.n);
    ret->items[l.n] = args[1];
    return 0;
}

FN(prepend)
{
    struct value l = args[0];
    (void)n;
    if (check_list(x, l, "Cannot prepend on type ") < 0 || new_list(x, l.n + (size_t)1, ret) < 0)
        return -1;
    ret->items[0] = args[1];
    copy_items(ret->items + 1, l, 0, l.n);
    return 0;
}

FN(concat)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (func_is_nil(args[i]))
            return func_fail_nil(x);
        if (!value_is_list(args[i]))
            return tmpl_fail(x, "Cannot concat type %s as list", gokind_name(value_kind(args[i])));
        count += args[i].n;
    }
    if (new_list(x, count, ret) < 0)
        return -1;
    for (size_t i = 0, at = 0; i < n; at += args[i].n, i++)
        copy_items(ret->items + at, args[i], 0, args[i].n);
    if (count == 0)
        *ret = (struct value){.type = &type_list};
    return 0;
}

FN(first)
{
    (void)n;
    if (check_list(x, args[0], "Cannot find first on type ") < 0)
        return -1;
    *ret = args[0].n ? item_at(args[0], 0) : VALUE_NIL;
    return 0;
}

FN(last)
{
    (void)n;
    if (check_list(x, args[0], "Cannot find last on type ") < 0)
        return -1;
    *ret = args[0].n ? item_at(args[0], args[0].n - (size_t)1) : VALUE_NIL;
    return 0;
}

/* All but one, from `from` on; of an empty list nil. */
static int all_but_one(struct tmpl_exec *x, struct value l, size_t from, struct value *ret)
{
    if (l.n == 0) {
        *ret = (struct value){.type = &type_list};
        return 0;
    }
    if (new_list(x, l.n - (size_t)1, ret) < 0)
        return -1;
    copy_items(ret->items, l, from, l.n - (size_t)1);
    return 0;
}

FN(rest)
{
    (void)n;
    if (check_list(x, args[0], "Cannot find rest on type ") < 0)
        return -1;
    return all_but_one(x, args[0], 1, ret);
}

FN(initial)
{
    (void)n;
    if (check_list(x, args[0], "Cannot find initial on type ") < 0)
        return -1;
    return all_but_one(x, args[0], 0, ret);
}

FN(reverse)
{
    struct value l = args[0];
    (void)n;
    if (check_list(x, l, "Cannot find reverse on type ") < 0 || new_list(x, l.n, ret) < 0)
        return -1;
    for (size_t i = 0; i < l.n; i++)
        ret->items[l.n - 1 - i] = value_at(l, i);
    return 0;
}

FN(compact)
{
    struct value l = args[0];
    (void)n;
    if (check_list(x, l, "Cannot compact on type ") < 0 || new_list(x, l.n, ret) < 0)
        return -1;
    ret->n = 0;
    for (size_t i = 0; i < l.n; i++)
        if (!func_empty(value_at(l, i)))
            ret->items[ret->n++] = value_at(l, i);
    return 0;
}

static bool in_list(const struct value *items, size_t n, struct value v)
{
    for (size_t i = 0; i < n; i++)
        if (value_deep_equal(v, items[i]))
            return true;
    return false;
}

FN(uniq)
{
    struct value l = args[0];
    (void)n;
    if (check_list(x, l, "Cannot find uniq on type ") < 0 || new_list(x, l.n, ret) < 0)
        return -1;
    ret->n = 0;
    for (size_t i = 0; i < l.n; i++) {
        struct value v = value_at(l, i);
        if (tmpl_spend(x, ret->n) < 0) /* comparisons */
            return -1;
        if (!in_list(ret->items, ret->n, v))
            ret->items[ret->n++] = v;
    }
    return 0;
}

FN(without)
{
    struct value l = args[0];
    if (check_list(x, l, "Cannot find without on type ") < 0 || new_list(x, l.n, ret) < 0)
        return -1;
    ret->n = 0;
    for (size_t i = 0; i < l.n; i++)
        if (!in_list(args + 1, n - 1, value_at(l, i)))
            ret->items[ret->n++] = value_at(l, i);
    return 0;
}

FN(has)
{
    struct value l = args[1];
    (void)n;
    *ret = value_bool(false);
    if (func_is_nil(l))
        return 0;
    if (check_list(x, l, "Cannot find has on type ") < 0)
        return -1;
    for (size_t i = 0; i < l.n && !ret->b; i++)
        ret->b = value_deep_equal(args[0], value_at(l, i));
    return 0;
}

/* Go's reflect.Value.Slice; capacities are lengths here. */
FN(slice)
{
    struct value l = args[0];
    if (check_list(x, l, "list should be type of slice or array but ") < 0)
        return -1;
    if (l.n == 0) {
        *ret = VALUE_NIL;
        return 0;
    }
    int64_t start = n > 1 ? func_int64(args[1]) : 0;
    int64_t end = n > 2 ? func_int64(args[2]) : (int64_t)l.n;
    if (start < 0 || end < start || end > (int64_t)l.n)
        return tmpl_fail(x, "reflect.Value.Slice: slice index out of bounds");
    *ret = l;
    if (l.type->elem->kind == KIND_UINT8)
        ret->p = l.p + start;
    else
        ret->items = l.items + start;
    ret->n = (uint32_t)(end - start);
    return 0;
}

FN(chunk)
{
    struct value l = args[1];
    int64_t size = args[0].i;
    (void)n;
    if (check_list(x, l, "Cannot chunk type ") < 0)
        return -1;
    double chunks = floor((double)((int64_t)l.n - 1) / (double)size) + 1;
    if (!(chunks >= 0 && chunks <= (double)l.n))
        return tmpl_fail(x, "runtime error: makeslice: len out of range");
    size_t count = (size_t)chunks;
    if (tmpl_spend(x, (count + l.n) * sizeof(struct value)) < 0)
        return -1;
    *ret = value_slice_new(tmpl_arena(x), &type_list_list, count);
    for (size_t i = 0, at = 0; i < count; i++) {
        size_t len = l.n - at < (size_t)size ? l.n - at : (size_t)size;
        struct value part = value_slice_new(tmpl_arena(x), &type_list, len);
        copy_items(part.items, l, at, len);
        ret->items[i] = part;
        at += len;
    }
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(value_text(*(const struct value *)a), value_text(*(const struct value *)b));
}

/* As Go's, this sorts a []string where it stands: whoever holds it sees it sorted. */
FN(sort_alpha)
{
    (void)n;
    if (func_is_nil(args[0])) {
        *ret = value_slice_new(tmpl_arena(x), &type_strings, 1);
        ret->items[0] = value_z("<nil>");
        return 0;
    }
    *ret = func_strslice(x, args[0]);
    if (ret->n > 1)
        qsort(ret->items, ret->n, sizeof(*ret->items), by_text);
    return 0;
}

const struct func func_lists[] = {
    {"list", list, {&type_any}, &type_list, .variadic = true},
    {"tuple", list, {&type_any}, &type_list, .variadic = true},
    {"append", append, {&type_any, &type_any}, &type_list},
    {"mustAppend", append, {&type_any, &type_any}, &type_list},
    {"push", append, {&type_any, &type_any}, &type_list},
    {"mustPush", append, {&type_any, &type_any}, &type_list},
    {"prepend", prepend, {&type_any, &type_any}, &type_list},
    {"mustPrepend", prepend, {&type_any, &type_any}, &type_list},
    {"concat", concat, {&type_any}, &type_any, .variadic = true},
    {"first", first, {&type_any}, &type_any},
    {"mustFirst", first, {&type_any}, &type_any},
    {"last", last, {&type_any}, &type_any},
    {"mustLast", last, {&type_any}, &type_any},
    {"rest", rest, {&type_any}, &type_list},
    {"mustRest", rest, {&type_any}, &type_list},
    {"initial", initial, {&type_any}, &type_list},
    {"mustInitial", initial, {&type_any}, &type_list},
    {"reverse", reverse, {&type_any}, &type_list},
    {"mustReverse", reverse, {&type_any}, &type_list},
    {"compact", compact, {&type_any}, &type_list},
    {"mustCompact", compact, {&type_any}, &type_list},
    {"uniq", uniq, {&type_any}, &type_list},
    {"mustUniq", uniq, {&type_any}, &type_list},
    {"without", without, {&type_any, &type_any}, &type_list, .variadic = true},
    {"mustWithout", without, {&type_any, &type_any}, &type_list, .variadic = true},
    {"has", has, {&type_any, &type_any}, &type_bool},
    {"mustHas", has, {&type_any, &type_any}, &type_bool},
    {"slice", slice, {&type_any, &type_any}, &type_any, .variadic = true},
    {"mustSlice", slice, {&type_any, &type_any}, &type_any, .variadic = true},
    {"chunk", chunk, {&type_int, &type_any}, &type_list_list},
    {"mustChunk", chunk, {&type_int, &type_any}, &type_list_list},
    {"sortAlpha", sort_alpha, {&type_any}, &type_strings},
    {0},
};
