/* patch_diff.c: patches from documents: what brings one to another, with and without a live object
 * between. The three-way strategic patch is made of two halves, as upstream makes it: what live
 * lacks of `after`, and what `after` no longer has of `before`; then the first is laid over the
 * second. */
#include <stdlib.h>

#include "base/arena.h"
#include "doc/patch_internal.h"
#include "doc/val_internal.h"

enum { MAX_LIST = 10000 };

struct diff {
    struct doc *d;
    struct arena temporary;
    struct err *err;
    bool additions, deletions; /* which half */
};

enum json_type { TYPE_NULL, TYPE_BOOL, TYPE_NUMBER, TYPE_STRING, TYPE_ARRAY, TYPE_OBJECT };

static enum json_type type_of(const val *v)
{
    return val_is_obj(v)    ? TYPE_OBJECT
           : val_is_arr(v)  ? TYPE_ARRAY
           : val_is_str(v)  ? TYPE_STRING
           : val_is_num(v)  ? TYPE_NUMBER
           : val_is_bool(v) ? TYPE_BOOL
                            : TYPE_NULL;
}

/* --- lists by their merge key --- */
struct keyed {
    struct str key; /* what the element is sorted and found by */
    val *item;
    size_t order;
};

struct keyed_list {
    struct keyed *items;
    size_t n;
};

static int by_key(const void *x, const void *y)
{
    const struct keyed *a = x, *b = y;
    int order = str_cmp(a->key, b->key);
    return order ? order : a->order < b->order ? -1 : 1;
}

static struct str text_of(struct diff *x, const val *v)
{
    struct buf b = {0};
    if (val_is_str(v))
        return val_str(v);
    val_write_json(v, &b);
    struct str text = arena_dup(&x->temporary, buf_str(&b));
    buf_done(&b);
    return text;
}

/* The elements, sorted by their keys; scalars (no key) by themselves. */
static int sorted(struct diff *x, const val *list, struct str key, struct keyed_list *ret)
{
    size_t n = val_len(list);
    if (n > MAX_LIST)
        return err_internal(x->err, "a list has more than %d elements", MAX_LIST);
    *ret = (struct keyed_list){arena_alloc(&x->temporary, (n + 1) * sizeof(struct keyed)), 0};
    VAL_FOR (list, item) {
        const val *of = key.n ? val_get_str(item, key) : item;
        if (!of)
            return patch_fail_no_key(item, key, x->err);
        ret->items[ret->n] = (struct keyed){text_of(x, of), item, ret->n};
        ret->n++;
    }
    qsort(ret->items, ret->n, sizeof *ret->items, by_key);
    return 0;
}

static int by_order(const void *x, const void *y)
{
    const struct keyed *a = x, *b = y;
    return a->order < b->order ? -1 : a->order > b->order;
}

static int diff_maps(struct diff *x, const struct schema *s, bool retain, const val *old,
                     const val *now, val **ret);

/* What differs of one list: changed and new elements in the order of `now`, and the keys of gone
 * ones. */
struct list_diff {
    struct keyed *changed;
    size_t changed_count;
    val *gone; /* an array: objects with $patch, or scalars */
};

static int diff_element(struct diff *x, const struct patch_rule *rule, const struct keyed *old,
                        const struct keyed *now, struct list_diff *ret)
{
    val *patch = NULL;
    if (!rule->key.n)
        return 0;
    if (diff_maps(x, rule->schema, rule->retain_keys, old->item, now->item, &patch) != 0)
        return -1;
    if (val_len(patch) == 0)
        return 0;
    val_set_str(x->d, patch, rule->key, val_copy(x->d, val_get_str(now->item, rule->key)));
    ret->changed[ret->changed_count++] = (struct keyed){now->key, patch, now->order};
    return 0;
}

static void note_gone(struct diff *x, const struct patch_rule *rule, const struct keyed *old,
                      struct list_diff *ret)
{
    if (!x->deletions)
        return;
    val *entry = val_copy(x->d, old->item);
    if (rule->key.n) {
        entry = val_new_obj(x->d);
        val_set_z(x->d, entry, "$patch", "delete");
        val_set_str(x->d, entry, rule->key, val_copy(x->d, val_get_str(old->item, rule->key)));
    }
    val_push(ret->gone, entry);
}

/* Walks both lists by their keys. */
static int diff_elements(struct diff *x, const struct patch_rule *rule, const val *old,
                         const val *now, struct list_diff *ret)
{
    struct keyed_list a, b;
    if (sorted(x, old, rule->key, &a) != 0 || sorted(x, now, rule->key, &b) != 0)
        return -1;
    ret->changed = arena_alloc(&x->temporary, (b.n + 1) * sizeof(struct keyed));
    ret->changed_count = 0;
    ret->gone = val_new_arr(x->d);
    for (size_t i = 0, j = 0; i < a.n || j < b.n;) {
        int order = i == a.n ? 1 : j == b.n ? -1 : str_cmp(a.items[i].key, b.items[j].key);
        if (order == 0 && diff_element(x, rule, &a.items[i], &b.items[j], ret) != 0)
            return -1;
        if (order < 0)
            note_gone(x, rule, &a.items[i], ret);
        if (order > 0 && x->additions)
            ret->changed[ret->changed_count++] =
                (struct keyed){b.items[j].key, val_copy(x->d, b.items[j].item), b.items[j].order};
        i += order <= 0;
        j += order >= 0;
    }
    qsort(ret->changed, ret->changed_count, sizeof *ret->changed, by_order);
    return 0;
}

static bool same_order(const struct patch_rule *rule, const val *old, const val *now)
{
    if (!rule->key.n)
        return val_eq(old, now);
    if (val_len(old) != val_len(now))
        return false;
    struct val_walk w = val_walk_arr(old);
    VAL_FOR (now, item)
        if (!val_eq(val_get_str(item, rule->key), val_get_str(val_walk_next(&w), rule->key)))
            return false;
    return true;
}

static void set_prefixed(struct diff *x, val *patch, const char *prefix, struct str name, val *v)
{
    struct buf key = {0};
    buf_printf(&key, "%s/%.*s", prefix, STR_ARG(name));
    val_set_str(x->d, patch, buf_str(&key), v);
    buf_done(&key);
}

/* $setElementOrder: the keys of `now`, in its order. */
static void set_order(struct diff *x, const struct patch_rule *rule, struct str name,
                      const val *now, val *patch)
{
    val *order = val_new_arr(x->d);
    VAL_FOR (now, item) {
        val *entry = rule->key.n ? val_new_obj(x->d) : val_copy(x->d, item);
        if (rule->key.n)
            val_set_str(x->d, entry, rule->key, val_copy(x->d, val_get_str(item, rule->key)));
        val_push(order, entry);
    }
    if (val_len(order))
        set_prefixed(x, patch, "$setElementOrder", name, order);
}

static int diff_merged_list(struct diff *x, const struct patch_rule *rule, struct str name,
                            const val *old, const val *now, val *patch)
{
    struct list_diff l;
    if (val_len(old) == 0) {
        if (val_len(now) && x->additions)
            val_set_str(x->d, patch, name, val_copy(x->d, now));
        return 0;
    }
    struct patch_rule r = *rule;
    const val *first = val_at(val_len(now) ? now : old, 0);
    if (!val_is_obj(first))
        r.key = (struct str){0};
    if (diff_elements(x, &r, old, now, &l) != 0)
        return -1;
    val *list = val_new_arr(x->d);
    for (size_t i = 0; i < l.changed_count; i++)
        val_push(list, l.changed[i].item);
    bool some = l.changed_count || val_len(l.gone);
    if (r.key.n)
        VAL_FOR (l.gone, entry)
            val_push(list, val_copy(x->d, entry));
    if (val_len(list))
        val_set_str(x->d, patch, name, list);
    if (!r.key.n && val_len(l.gone))
        set_prefixed(x, patch, "$deleteFromPrimitiveList", name, l.gone);
    if ((x->deletions && some) || (x->additions && (some || !same_order(&r, old, now))))
        set_order(x, &r, name, now, patch);
    return 0;
}

/* --- objects --- */
static int diff_member(struct diff *x, const struct schema *s, struct str name, const val *old,
                       const val *now, val *patch)
{
    struct patch_rule rule;
    bool list = val_is_arr(now);
    val *sub = NULL;
    if (type_of(old) != type_of(now) || !(list || val_is_obj(now))) {
        if (x->additions && !val_eq(old, now))
            val_set_str(x->d, patch, name, val_copy(x->d, now));
        return 0;
    }
    if (patch_find_rule(s, name, list, &rule, x->err) != 0)
        return val_eq(old, now) ? 0 : -1;
    if (list && rule.merge)
        return diff_merged_list(x, &rule, name, old, now, patch);
    if (list || rule.replace) {
        if (x->additions && (rule.replace || !val_eq(old, now)))
            val_set_str(x->d, patch, name, val_copy(x->d, now));
        return 0;
    }
    if (diff_maps(x, rule.schema, rule.retain_keys, old, now, &sub) != 0)
        return -1;
    if (val_len(sub))
        val_set_str(x->d, patch, name, sub);
    return 0;
}

/* $retainKeys: all members of `now`; those of the old object that are no longer there go. */
static void retain_keys(struct diff *x, const val *old, const val *now, val *patch)
{
    bool more = val_len(patch) > 0;
    val *keys = val_new_arr(x->d);
    VAL_EACH (old, key, member)
        more = more || (!val_is_null(member) && !val_get_str(now, val_str(key)));
    size_t n;
    CLEANUP(mem_freep) struct member *members = val_sorted_members(now, &n);
    for (size_t i = 0; i < n; i++)
        if (!val_is_null(members[i].key->next))
            val_push(keys, val_new_str(x->d, val_str(members[i].key)));
    if (more && val_len(keys))
        val_set(x->d, patch, "$retainKeys", keys);
}

static int diff_maps(struct diff *x, const struct schema *s, bool retain, const val *old,
                     const val *now, val **ret)
{
    val *patch = val_new_obj(x->d);
    VAL_EACH (now, key, member) {
        const val *was = val_get_str(old, val_str(key));
        if (was && diff_member(x, s, val_str(key), was, member, patch) != 0)
            return -1;
        if (!was && x->additions)
            val_set_str(x->d, patch, val_str(key), val_copy(x->d, member));
    }
    if (x->deletions)
        VAL_EACH (old, key, member)
            if (!val_get_str(now, val_str(key)))
                val_set_str(x->d, patch, val_str(key), val_new_null(x->d));
    if (retain)
        retain_keys(x, old, now, patch);
    *ret = patch;
    return 0;
}

/* --- one patch laid over another --- */
static int lay_over(struct diff *x, const struct schema *s, val *under, const val *over,
                    const val *now);

static ssize_t position(const val *list, struct str key, const val *item)
{
    ssize_t i = 0;
    VAL_FOR (list, one) {
        if (val_eq(val_get_str(one, key), val_get_str(item, key)))
            return i;
        i++;
    }
    return -1;
}

/* Elements of both by their keys, in the order of `now`; those to delete come last. */
static int lay_list_over(struct diff *x, const struct patch_rule *rule, val *under, const val *over,
                         const val *now, val **ret)
{
    size_t n = 0;
    struct keyed *all =
        arena_alloc(&x->temporary, (val_len(under) + val_len(over) + 1) * sizeof *all);
    VAL_FOR (over, item) {
        ssize_t at = position(under, rule->key, item);
        val *merged = val_copy(x->d, item);
        ssize_t place = position(now, rule->key, item);
        if (at >= 0) {
            merged = val_at(under, (size_t)at);
            if (lay_over(x, rule->schema, merged, item,
                         place >= 0 ? val_at(now, (size_t)place) : NULL) != 0)
                return -1;
            merged = val_copy(x->d, merged);
        }
        all[n++] = (struct keyed){.item = merged, .order = place < 0 ? SIZE_MAX : (size_t)place};
    }
    VAL_FOR (under, item) {
        ssize_t place = position(now, rule->key, item);
        if (position(over, rule->key, item) < 0)
            all[n++] = (struct keyed){.item = val_copy(x->d, item),
                                      .order = place < 0 ? SIZE_MAX : (size_t)place};
    }
    qsort(all, n, sizeof *all, by_order);
    *ret = val_new_arr(x->d);
    for (size_t i = 0; i < n; i++)
        val_push(*ret, all[i].item);
    return 0;
}

static int lay_over(struct diff *x, const struct schema *s, val *under, const val *over,
                    const val *now)
{
    VAL_EACH (over, key, member) {
        struct str name = val_str(key);
        val *below = val_get_str(under, name), *merged = NULL;
        struct patch_rule rule = {0};
        bool list = val_is_arr(member);
        bool both = below && type_of(below) == type_of(member) && (list || val_is_obj(member)) &&
                    !str_starts(name, STR("$"));
        if (both && patch_find_rule(s, name, list, &rule, x->err) != 0)
            return -1;
        if (both && !list && !rule.replace) {
            if (lay_over(x, rule.schema, below, member, val_get_str(now, name)) != 0)
                return -1;
            continue;
        }
        if (both && list && rule.merge && rule.key.n) {
            if (lay_list_over(x, &rule, below, member, val_get_str(now, name), &merged) != 0)
                return -1;
        } else {
            merged = val_copy(x->d, member);
        }
        val_set_str(x->d, under, name, merged);
    }
    return 0;
}

int patch_three_way_strategic(struct doc *d, const struct schema *s, const val *before,
                              const val *after, const val *live, val **ret, struct err *err)
{
    struct diff x = {.d = d, .err = err, .additions = true};
    val *changes, *patch;
    int rc = diff_maps(&x, s, false, live, after, &changes);
    x.additions = false;
    x.deletions = true;
    rc = rc ? rc : diff_maps(&x, s, false, before, after, &patch);
    rc = rc ? rc : lay_over(&x, s, patch, changes, after);
    arena_done(&x.temporary);
    if (rc == 0)
        *ret = patch;
    return rc;
}

/* --- JSON merge patches --- */
val *patch_two_way_merge(struct doc *d, const val *before, const val *after)
{
    val *patch = val_new_obj(d);
    VAL_EACH (after, key, member) {
        const val *was = val_get_str(before, val_str(key));
        if (was && val_eq(was, member))
            continue;
        bool objects = val_is_obj(was) && val_is_obj(member);
        val *sub = objects ? patch_two_way_merge(d, was, member) : val_copy(d, member);
        val_set_str(d, patch, val_str(key), sub);
    }
    VAL_EACH (before, key, member)
        if (!val_get_str(after, val_str(key)))
            val_set_str(d, patch, val_str(key), val_new_null(d));
    return patch;
}

/* Only the nulls of a patch, or all but them. */
static val *filtered(struct doc *d, const val *patch, bool nulls)
{
    val *kept = val_new_obj(d);
    VAL_EACH (patch, key, member) {
        val *sub = NULL;
        if (val_is_null(member))
            sub = nulls ? val_new_null(d) : NULL;
        else if (val_is_obj(member) && val_len(member)) {
            sub = filtered(d, member, nulls);
            sub = val_len(sub) ? sub : NULL;
        } else if (!nulls)
            sub = val_copy(d, member);
        if (sub)
            val_set_str(d, kept, val_str(key), sub);
    }
    return kept;
}

/* Both patches name different things, so that one can be put into the other. */
static void join(struct doc *d, val *into, const val *patch)
{
    VAL_EACH (patch, key, member) {
        val *there = val_get_str(into, val_str(key));
        if (val_is_obj(there) && val_is_obj(member))
            join(d, there, member);
        else
            val_set_str(d, into, val_str(key), val_copy(d, member));
    }
}

int patch_three_way_merge(struct doc *d, const val *before, const val *after, const val *live,
                          val **ret, struct err *err)
{
    val *patch = filtered(d, patch_two_way_merge(d, before, after), true);
    join(d, patch, filtered(d, patch_two_way_merge(d, live, after), false));
    if (val_get(patch, "apiVersion") || val_get(patch, "kind") ||
        VAL_PATH(patch, "metadata", "name"))
        return err_internal(err, "precondition failed: at least one field was changed: "
                                 "apiVersion, kind or name");
    *ret = patch;
    return 0;
}
