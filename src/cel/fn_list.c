/* The Kubernetes lists library, the lists and sets extensions. */
#include "cel/functions.h"
#include "cel/overload.h"

#define FN(name) struct cel_value name(struct eval *ev, const struct cel_value *args, size_t n)
#define UNUSED (void)ev, (void)n

FN(cel_fn_is_sorted)
{
    UNUSED;
    const struct cel_list *l = args[0].list;
    for (size_t i = 1; i < l->n; i++) {
        struct cel_value order = cel_compare(ev, cel_list_at(ev, l, i - 1), cel_list_at(ev, l, i));
        if (order.kind == CEL_INT && order.i > 0)
            return cel_bool(false);
    }
    return cel_bool(true);
}

FN(cel_fn_sum)
{
    UNUSED;
    static const struct cel_value zeros[] = {
        {.kind = CEL_INT}, {.kind = CEL_UINT}, {.kind = CEL_DOUBLE}, {.kind = CEL_DURATION}};
    static const char letters[] = "iudD"; /* of the result's type */
    struct cel_value sum[2] = {zeros[strchr(letters, ev->overload->signature[0]) - letters]};
    for (size_t i = 0; i < args[0].list->n; i++) {
        sum[1] = cel_list_at(ev, args[0].list, i);
        if (sum[1].kind != sum[0].kind)
            return cel_no_overload();
        sum[0] = cel_fn_add(ev, sum, 2);
        if (cel_is_error(sum[0]))
            return sum[0];
    }
    return sum[0];
}

static struct cel_value extreme(struct eval *ev, const struct cel_list *l, const char *name,
                                int wanted)
{
    if (l->n == 0)
        return cel_error(ev, "%s called on empty list", name);
    struct cel_value best = cel_list_at(ev, l, 0);
    for (size_t i = 1; i < l->n; i++) {
        struct cel_value v = cel_list_at(ev, l, i);
        struct cel_value order = cel_compare(ev, v, best);
        if (order.kind == CEL_INT && order.i == wanted)
            best = v;
    }
    return best;
}

FN(cel_fn_min)
{
    UNUSED;
    return extreme(ev, args[0].list, "min", -1);
}

FN(cel_fn_max)
{
    UNUSED;
    return extreme(ev, args[0].list, "max", 1);
}

FN(cel_fn_list_index_of)
{
    UNUSED;
    for (size_t i = 0; i < args[0].list->n; i++)
        if (cel_same(ev, cel_list_at(ev, args[0].list, i), args[1]))
            return cel_int((int64_t)i);
    return cel_int(-1);
}

FN(cel_fn_list_last_index_of)
{
    UNUSED;
    for (size_t i = args[0].list->n; i-- > 0;)
        if (cel_same(ev, cel_list_at(ev, args[0].list, i), args[1]))
            return cel_int((int64_t)i);
    return cel_int(-1);
}

/* --- the extension --- */
FN(cel_fn_first)
{
    UNUSED;
    return args[0].list->n ? cel_optional_of(ev->a, cel_list_at(ev, args[0].list, 0))
                           : cel_optional_none();
}

FN(cel_fn_last)
{
    UNUSED;
    size_t count = args[0].list->n;
    return count ? cel_optional_of(ev->a, cel_list_at(ev, args[0].list, count - 1))
                 : cel_optional_none();
}

FN(cel_fn_slice)
{
    UNUSED;
    const struct cel_list *l = args[0].list;
    long long begin = args[1].i, end = args[2].i;
    if (begin < 0 || end < 0)
        return cel_error(ev, "cannot slice(%lld, %lld), negative indexes not supported", begin,
                         end);
    if (begin > end)
        return cel_error(
            ev, "cannot slice(%lld, %lld), start index must be less than or equal to end index",
            begin, end);
    if ((uint64_t)end > l->n)
        return cel_error(ev, "cannot slice(%lld, %lld), list is length %zu", begin, end, l->n);
    struct cel_value out = cel_list_new(ev, (size_t)(end - begin));
    for (size_t i = (size_t)begin; i < (size_t)end; i++)
        cel_list_push(ev, out, cel_list_at(ev, l, i));
    return out;
}

static void flatten(struct eval *ev, const struct cel_list *l, int64_t depth, struct cel_value out)
{
    for (size_t i = 0; i < l->n && cel_may_make(ev, out.list->n * 8); i++) {
        struct cel_value v = cel_list_at(ev, l, i);
        if (v.kind == CEL_LIST && depth > 0)
            flatten(ev, v.list, depth - 1, out);
        else
            cel_list_push(ev, out, v);
    }
}

FN(cel_fn_flatten)
{
    int64_t depth = n == 2 ? args[1].i : 1;
    if (depth < 0)
        return cel_error(ev, "level must be non-negative");
    struct cel_value out = cel_list_new(ev, 0);
    flatten(ev, args[0].list, depth, out);
    return out;
}

FN(cel_fn_range)
{
    UNUSED;
    int64_t count = args[0].i > 0 ? args[0].i : 0;
    struct cel_value out = cel_list_new(ev, 0);
    if (!cel_affordable(ev, (uint64_t)count)) {
        cel_charge(ev, (uint64_t)count);
        return out;
    }
    for (int64_t i = 0; i < count; i++)
        cel_list_push(ev, out, cel_int(i));
    return out;
}

FN(cel_fn_list_reverse)
{
    UNUSED;
    struct cel_value out = cel_list_new(ev, args[0].list->n);
    for (size_t i = args[0].list->n; i-- > 0;)
        cel_list_push(ev, out, cel_list_at(ev, args[0].list, i));
    return out;
}

FN(cel_fn_distinct)
{
    UNUSED;
    struct cel_value out = cel_list_new(ev, 0), seen = cel_map_new(ev, 0);
    for (size_t i = 0; i < args[0].list->n && !ev->over; i++) {
        struct cel_value v = cel_list_at(ev, args[0].list, i);
        if (cel_map_put(ev, seen, v, cel_null()))
            cel_list_push(ev, out, v);
    }
    return out;
}

struct pair {
    struct cel_value key, value;
};

/* Stable; `room` is as long as `p`. */
static void merge_sort(struct eval *ev, struct pair *p, struct pair *room, size_t n)
{
    if (n < 2)
        return;
    size_t half = n / 2, i = 0, j = half, k = 0;
    merge_sort(ev, p, room, half);
    merge_sort(ev, p + half, room, n - half);
    while (i < half && j < n)
        room[k++] = cel_compare(ev, p[j].key, p[i].key).i < 0 ? p[j++] : p[i++];
    while (i < half)
        room[k++] = p[i++];
    memcpy(p, room, k * sizeof *p);
}

static bool is_comparable(struct cel_value v)
{
    return v.kind >= CEL_BOOL && v.kind <= CEL_DURATION;
}

FN(cel_fn_sort_by)
{
    UNUSED;
    const struct cel_list *l = args[0].list, *keys = args[1].list;
    if (l->n != keys->n)
        return cel_error(ev,
                         "@sortByAssociatedKeys() expected a list of the same size as the "
                         "associated keys list, but got %zu and %zu elements respectively",
                         l->n, keys->n);
    if (l->n == 0)
        return args[0];
    struct pair *pairs = arena_alloc(ev->a, 2 * l->n * sizeof *pairs);
    for (size_t i = 0; i < l->n; i++) {
        pairs[i] = (struct pair){cel_list_at(ev, keys, i), cel_list_at(ev, l, i)};
        if (i == 0 && !is_comparable(pairs[i].key))
            return cel_error(ev, "list elements must be comparable");
        if (pairs[i].key.kind != pairs[0].key.kind)
            return cel_error(ev, "list elements must have the same type");
    }
    merge_sort(ev, pairs, pairs + l->n, l->n);
    struct cel_value out = cel_list_new(ev, l->n);
    for (size_t i = 0; i < l->n; i++)
        cel_list_push(ev, out, pairs[i].value);
    return out;
}

FN(cel_fn_sort)
{
    UNUSED;
    struct cel_value both[] = {args[0], args[0]};
    return cel_fn_sort_by(ev, both, 2);
}

/* --- sets --- */
static bool too_many(const struct eval *ev, const struct cel_value *args)
{
    return !cel_affordable(ev, (uint64_t)args[0].list->n * args[1].list->n);
}

static struct cel_value contains_all(struct eval *ev, const struct cel_list *l,
                                     const struct cel_list *part)
{
    for (size_t i = 0; i < part->n; i++) {
        struct cel_value found = cel_list_contains(ev, l, cel_list_at(ev, part, i));
        if (found.kind != CEL_BOOL || !found.b)
            return found;
    }
    return cel_bool(true);
}

FN(cel_fn_sets_contains)
{
    UNUSED;
    if (too_many(ev, args))
        return cel_bool(false); /* the call's cost ends the evaluation */
    return contains_all(ev, args[0].list, args[1].list);
}

FN(cel_fn_sets_equivalent)
{
    UNUSED;
    if (too_many(ev, args))
        return cel_bool(false);
    struct cel_value v = contains_all(ev, args[0].list, args[1].list);
    return v.kind == CEL_BOOL && v.b ? contains_all(ev, args[1].list, args[0].list) : v;
}

FN(cel_fn_sets_intersects)
{
    UNUSED;
    if (too_many(ev, args))
        return cel_bool(false);
    for (size_t i = 0; i < args[0].list->n; i++) {
        struct cel_value found =
            cel_list_contains(ev, args[1].list, cel_list_at(ev, args[0].list, i));
        if (found.kind == CEL_BOOL && found.b)
            return found;
    }
    return cel_bool(false);
}
