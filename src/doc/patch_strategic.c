/* Strategic merge, step by step as k8s.io/apimachinery/pkg/util/strategicpatch: original and patch
 * are copies that the merge may take apart. */
#include <stdio.h>

#include "base/arena.h"
#include "doc/patch_internal.h"
#include "doc/val_internal.h"

enum { MAX_LIST = 10000 }; /* merging is quadratic */

#define DELETE_PREFIX "$deleteFromPrimitiveList/"
#define ORDER_PREFIX "$setElementOrder/"

struct merge {
    struct doc *d;
    struct arena temporary;
    struct err *err;
};

struct items {
    val **v;
    size_t n;
};

static val *merge_map(struct merge *m, const struct schema *s, val *original, val *patch);

/* --- errors --- */
static void write_go(const val *v, struct buf *b) /* fmt's %v */
{
    size_t count = 0;
    if (val_is_obj(v)) {
        CLEANUP(mem_freep) struct member *members = val_sorted_members(v, &count);
        buf_puts(b, "map[");
        for (size_t i = 0; i < count; i++) {
            buf_puts(b, i ? " " : "");
            buf_put(b, val_str(members[i].key));
            buf_putc(b, ':');
            write_go(members[i].key->next, b);
        }
        buf_putc(b, ']');
    } else if (val_is_arr(v)) {
        buf_putc(b, '[');
        VAL_FOR (v, item) {
            buf_puts(b, count++ ? " " : "");
            write_go(item, b);
        }
        buf_putc(b, ']');
    } else if (val_is_str(v)) {
        buf_put(b, val_str(v));
    } else if (val_is_null(v)) {
        buf_puts(b, "<nil>");
    } else {
        val_write_json(v, b);
    }
}

static int fail_format(struct merge *m, const char *what)
{
    return err_set(m->err, 422, "Invalid", "invalid patch format of %s", what);
}

int patch_fail_no_key(const val *v, struct str key, struct err *err)
{
    struct buf shown = {0};
    write_go(v, &shown);
    err_internal(err, "map: %.*s does not contain declared merge key: %.*s",
                 STR_ARG(str_head(buf_str(&shown), 800)), STR_ARG(key));
    buf_done(&shown);
    return -1;
}

static int fail_directive(struct merge *m, const val *directive, const val *in)
{
    struct buf shown = {0}, kind = {0};
    write_go(in, &shown);
    write_go(directive, &kind);
    err_internal(m->err, "unknown patch type: %s in map: %.*s", buf_z(&kind),
                 STR_ARG(str_head(buf_str(&shown), 800)));
    buf_done(&shown);
    buf_done(&kind);
    return -1;
}

static const char *go_type(const val *v)
{
    if (val_is_obj(v))
        return "map[string]interface {}";
    if (val_is_arr(v))
        return "[]interface {}";
    if (val_is_null(v))
        return "%!s(<nil>)";
    return val_is_str(v) ? "string" : val_is_bool(v) ? "bool" : val_is_int(v) ? "int64" : "float64";
}

static int fail_type(struct merge *m, const char *expected, const val *got)
{
    return err_internal(m->err, "expected a %s, but received a %s", expected, go_type(got));
}

/* --- lists as arrays of pointers --- */
static struct items items_of(struct merge *m, const val *arr)
{
    struct items list = {arena_alloc(&m->temporary, (val_len(arr) + 1) * sizeof(val *)), 0};
    VAL_FOR (arr, item)
        list.v[list.n++] = item;
    return list;
}

/* The same value for a second place. The first one keeps its links, so that the patch can still be
 * walked after its parts have gone into the original. */
static val *share(struct merge *m, const val *v)
{
    val *twin = doc_alloc_vals(m->d, 1);
    *twin = *v;
    return twin;
}

static val *to_array(struct merge *m, struct items list)
{
    val *arr = val_new_arr(m->d);
    for (size_t i = 0; i < list.n; i++)
        val_push(arr, share(m, list.v[i]));
    return arr;
}

static struct items joined(struct merge *m, struct items a, struct items b)
{
    struct items all = {arena_alloc(&m->temporary, (a.n + b.n + 1) * sizeof(val *)), 0};
    for (size_t i = 0; i < a.n; i++)
        all.v[all.n++] = a.v[i];
    for (size_t i = 0; i < b.n; i++)
        all.v[all.n++] = b.v[i];
    return all;
}

/* What identifies an element: its merge key's value, or itself. */
static const val *identity(const val *item, struct str key)
{
    return key.n ? val_get_str(item, key) : item;
}

static ssize_t position(struct items list, const val *item, struct str key)
{
    const val *wanted = identity(item, key);
    for (size_t i = 0; i < list.n; i++)
        if (val_eq(identity(list.v[i], key), wanted))
            return (ssize_t)i;
    return -1;
}

static int need_keys(struct merge *m, struct items list, struct str key)
{
    for (size_t i = 0; key.n && i < list.n; i++) {
        if (!val_is_obj(list.v[i]))
            return fail_type(m, "map[string]interface {}", list.v[i]);
        if (!val_get_str(list.v[i], key))
            return patch_fail_no_key(list.v[i], key, m->err);
    }
    return 0;
}

/* Sorts by the place in `order`. Like upstream's comparison, one that is not in it goes before what
 * stands to its left. */
static void sort_by(struct merge *m, struct items list, struct items order, struct str key)
{
    ssize_t *places = arena_alloc(&m->temporary, (list.n + 1) * sizeof *places);
    for (size_t i = 0; i < list.n; i++)
        places[i] = position(order, list.v[i], key);
    for (size_t i = 1; i < list.n; i++)
        for (size_t j = i; j > 0; j--) {
            bool known = places[j] >= 0 && places[j - 1] >= 0;
            if (known && places[j] >= places[j - 1])
                break;
            ssize_t place = places[j];
            val *item = list.v[j];
            places[j] = places[j - 1], list.v[j] = list.v[j - 1];
            places[j - 1] = place, list.v[j - 1] = item;
        }
}

/* The order that upstream gives a merged list: what the patch names in the patch's order, the rest
 * in the server's, and between the two the server's where it knows both. */
static int in_order(struct merge *m, struct items all, struct items patch_order,
                    struct items server_order, struct str key, struct items *ret)
{
    struct items patch = {arena_alloc(&m->temporary, (all.n + 1) * sizeof(val *)), 0};
    struct items rest = {arena_alloc(&m->temporary, (all.n + 1) * sizeof(val *)), 0};
    if (need_keys(m, all, key) != 0 || need_keys(m, patch_order, key) != 0 ||
        need_keys(m, server_order, key) != 0)
        return -1;
    for (size_t i = 0; i < all.n; i++) {
        struct items *side = position(patch_order, all.v[i], key) >= 0 ? &patch : &rest;
        side->v[side->n++] = all.v[i];
    }
    sort_by(m, patch, patch_order, key);
    sort_by(m, rest, server_order, key);
    struct items out = {arena_alloc(&m->temporary, (all.n + 1) * sizeof(val *)), 0};
    for (size_t i = 0, j = 0; out.n < all.n;) {
        bool left = j == patch.n;
        if (i < rest.n && j < patch.n) {
            ssize_t a = position(server_order, rest.v[i], key);
            ssize_t b = position(server_order, patch.v[j], key);
            left = a >= 0 && b >= 0 && a < b;
        }
        out.v[out.n++] = left ? rest.v[i++] : patch.v[j++];
    }
    *ret = out;
    return 0;
}

/* --- directives --- */

/* Takes out what carries $patch. False: v itself does. */
static bool strip_directives(struct merge *m, val *v)
{
    if (val_is_obj(v)) {
        if (val_get(v, "$patch"))
            return false;
        struct items gone = {arena_alloc(&m->temporary, (val_len(v) + 1) * sizeof(val *)), 0};
        VAL_EACH (v, key, member)
            if (!strip_directives(m, member))
                gone.v[gone.n++] = key;
        for (size_t i = 0; i < gone.n; i++)
            val_del_str(v, val_str(gone.v[i]));
    } else if (val_is_arr(v)) {
        for (size_t i = 0, n = val_len(v); i < n; i++) {
            val *item = yyjson_mut_arr_remove_first(v);
            if (strip_directives(m, item))
                val_push(v, item);
        }
    }
    return true;
}

static void drop_nulls(struct merge *m, val *v)
{
    VAL_FOR (v, item)
        drop_nulls(m, item);
    struct items gone = {arena_alloc(&m->temporary, (val_len(v) + 1) * sizeof(val *)), 0};
    VAL_EACH (v, key, member) {
        if (val_is_null(member))
            gone.v[gone.n++] = key;
        else
            drop_nulls(m, member);
    }
    for (size_t i = 0; i < gone.n; i++)
        val_del_str(v, val_str(gone.v[i]));
}

/* --- the schema's part --- */
static struct str short_name(const struct schema *s)
{
    struct str name = str_of(s && s->name ? s->name : "");
    for (ssize_t dot; (dot = str_find_char(name, '.')) >= 0;)
        name = str_from(name, (size_t)dot + 1);
    return name;
}

int patch_find_rule(const struct schema *s, struct str name, bool list, struct patch_rule *ret,
                    struct err *err)
{
    *ret = (struct patch_rule){0};
    if (s && s->type == SCHEMA_MAP)
        return err_internal(err,
                            "merging an %s in json but data type is not struct, instead "
                            "is: map",
                            list ? "array" : "object");
    const struct schema_field *f = s ? schema_field(s, name) : NULL;
    if (!f)
        return err_internal(err,
                            "unable to find api field in struct %.*s for the json field "
                            "\"%.*s\"",
                            STR_ARG(short_name(s)), STR_ARG(name));
    ret->schema =
        list && f->schema && f->schema->type == SCHEMA_ARRAY ? f->schema->items : f->schema;
    ret->merge = f->patch & SCHEMA_PATCH_MERGE;
    ret->replace = f->patch & SCHEMA_PATCH_REPLACE;
    ret->retain_keys = f->patch & SCHEMA_PATCH_RETAIN_KEYS;
    ret->key = str_of(f->merge_key);
    return 0;
}

/* --- lists --- */

/* 1: objects, 0: scalars, -1: neither. */
static int element_kind(struct merge *m, struct items a, struct items b)
{
    struct items all = joined(m, a, b);
    if (all.n == 0)
        return err_internal(m->err, "no elements in any of the given slices");
    if (val_is_arr(all.v[0]))
        return err_set(m->err, 422, "Invalid", "lists of lists are not supported");
    for (size_t i = 1; i < all.n; i++)
        if (strcmp(go_type(all.v[i]), go_type(all.v[0])) != 0)
            return err_internal(m->err, "list element types are not identical");
    return val_is_obj(all.v[0]);
}

static struct items without(struct merge *m, struct items list, struct items gone, struct str key)
{
    struct items kept = {arena_alloc(&m->temporary, (list.n + 1) * sizeof(val *)), 0};
    for (size_t i = 0; i < list.n; i++)
        if (position(gone, list.v[i], key) < 0)
            kept.v[kept.n++] = list.v[i];
    return kept;
}

static struct items distinct(struct merge *m, struct items list)
{
    struct items kept = {arena_alloc(&m->temporary, (list.n + 1) * sizeof(val *)), 0};
    for (size_t i = 0; i < list.n; i++)
        if (position(kept, list.v[i], (struct str){0}) < 0)
            kept.v[kept.n++] = list.v[i];
    return kept;
}

/* Obeys the elements with $patch: delete takes its like out of the original, replace makes the
 * patch's other elements the whole list. */
static int obey_elements(struct merge *m, struct items *original, struct items *patch,
                         struct str key)
{
    struct items plain = {arena_alloc(&m->temporary, (patch->n + 1) * sizeof(val *)), 0};
    struct items gone = {arena_alloc(&m->temporary, (patch->n + 1) * sizeof(val *)), 0};
    bool replace = false;
    for (size_t i = 0; i < patch->n; i++) {
        val *item = patch->v[i], *directive = val_get(item, "$patch");
        if (!directive) {
            plain.v[plain.n++] = item;
        } else if (str_is(val_str(directive), "delete")) {
            if (!val_get_str(item, key))
                return patch_fail_no_key(item, key, m->err);
            gone.v[gone.n++] = item;
        } else if (str_is(val_str(directive), "replace")) {
            replace = true;
        } else if (str_is(val_str(directive), "merge")) {
            return err_internal(m->err, "merging lists cannot yet be specified in the patch");
        } else {
            return fail_directive(m, directive, item);
        }
    }
    if (gone.n)
        *original = without(m, *original, gone, key);
    if (replace) {
        *original = plain;
        *patch = (struct items){0};
    } else {
        *patch = plain;
    }
    return 0;
}

static int merge_objects(struct merge *m, const struct patch_rule *rule, struct items original,
                         struct items patch, struct items *ret)
{
    struct items all = joined(m, original, patch);
    all.n = original.n;
    for (size_t i = 0; i < patch.n; i++) {
        if (!val_get_str(patch.v[i], rule->key))
            return patch_fail_no_key(patch.v[i], rule->key, m->err);
        ssize_t at = position(all, patch.v[i], rule->key);
        if (at < 0) {
            all.v[all.n++] = patch.v[i];
            continue;
        }
        val *merged = merge_map(m, rule->schema, all.v[at], patch.v[i]);
        if (!merged)
            return -1;
        all.v[at] = merged;
    }
    *ret = all;
    return 0;
}

static int merge_list(struct merge *m, const struct patch_rule *rule, const val *old,
                      const val *new, bool deletions, struct items *ret)
{
    struct items original = items_of(m, old), patch = items_of(m, new), all;
    if (!rule->merge && !deletions) {
        *ret = patch;
        return 0;
    }
    if (original.n + patch.n > MAX_LIST)
        return err_set(m->err, 422, "Invalid", "lists of more than %d elements cannot be merged",
                       MAX_LIST);
    *ret = original;
    if (original.n + patch.n == 0)
        return 0;
    int objects = element_kind(m, original, patch);
    if (objects < 0)
        return -1;
    if (!objects && deletions) {
        *ret = without(m, original, patch, (struct str){0});
        return 0;
    }
    if (!objects) {
        all = distinct(m, joined(m, original, patch));
        return in_order(m, all, patch, original, rule->key, ret);
    }
    if (rule->key.n == 0)
        return err_internal(m->err, "cannot merge lists without merge key for %.*s",
                            STR_ARG(short_name(rule->schema)));
    if (obey_elements(m, &original, &patch, rule->key) != 0 ||
        merge_objects(m, rule, original, patch, &all) != 0)
        return -1;
    return in_order(m, all, patch, original, rule->key, ret);
}

/* --- $setElementOrder --- */

static int fail_order(struct merge *m, struct items patch, struct items order)
{
    struct buf shown = {0}, wanted = {0};
    write_go(to_array(m, patch), &shown);
    write_go(to_array(m, order), &wanted);
    err_internal(m->err,
                 "The order in patch list:\n%.*s\n doesn't match $setElementOrder list:\n%.*s\n",
                 STR_ARG(str_head(buf_str(&shown), 400)), STR_ARG(str_head(buf_str(&wanted), 400)));
    buf_done(&shown);
    buf_done(&wanted);
    return -1;
}

/* The patch's elements must come in the order that it asks for. */
static int check_order(struct merge *m, struct items patch, struct items order, struct str key)
{
    size_t next = 0;
    if (patch.n == 0 || order.n == 0)
        return 0;
    for (size_t i = 0; i < patch.n; i++) {
        if (key.n && val_get(patch.v[i], "$patch"))
            continue;
        if (next < order.n && need_keys(m, (struct items){&patch.v[i], 1}, key) != 0)
            return -1;
        while (next < order.n && !val_eq(identity(patch.v[i], key), identity(order.v[next], key)))
            next++;
        if (next++ >= order.n)
            return fail_order(m, patch, order);
    }
    return 0;
}

static int obey_order(struct merge *m, const struct schema *s, val *original, val *patch,
                      struct str name, const val *wanted)
{
    struct patch_rule rule;
    val *old = val_get_str(original, name), *new = val_get_str(patch, name);
    if (!val_is_arr(wanted))
        return fail_type(m, "[]interface {}", wanted);
    if (old && !val_is_arr(old))
        return fail_type(m, "[]interface {}", old);
    if (new && !val_is_arr(new))
        return fail_type(m, "[]interface {}", new);
    if (patch_find_rule(s, name, true, &rule, m->err) != 0)
        return -1;
    struct items order = items_of(m, wanted), server = items_of(m, old);
    struct items named = items_of(m, new), all;
    if (order.n > MAX_LIST || val_len(old) + val_len(new) > MAX_LIST)
        return err_set(m->err, 422, "Invalid", "lists of more than %d elements cannot be merged",
                       MAX_LIST);
    if (check_order(m, named, order, rule.key) != 0)
        return -1;
    if (!old && !new)
        return 0;
    if (old && new) {
        if (merge_list(m, &rule, old, new, false, &all) != 0)
            return -1;
    } else {
        if (new)
            strip_directives(m, new);
        all = items_of(m, old ? old : new);
    }
    if (element_kind(m, server, named) < 0 || in_order(m, all, order, server, rule.key, &all) != 0)
        return -1;
    val_set_str(m->d, original, name, to_array(m, all));
    val_del_str(patch, name);
    return 0;
}

static int obey_orders(struct merge *m, const struct schema *s, val *original, val *patch)
{
    struct items keys = {arena_alloc(&m->temporary, (val_len(patch) + 1) * sizeof(val *)), 0};
    VAL_EACH (patch, key, member)
        if (str_starts(val_str(key), STR(ORDER_PREFIX)))
            keys.v[keys.n++] = key;
    for (size_t i = 0; i < keys.n; i++) {
        struct str key = val_str(keys.v[i]);
        const val *wanted = val_get_str(patch, key);
        val_del_str(patch, key);
        struct str name = str_from(key, sizeof ORDER_PREFIX - 1);
        if (wanted && obey_order(m, s, original, patch, name, wanted) != 0)
            return -1;
    }
    return 0;
}

/* --- $retainKeys --- */
static int obey_retain_keys(struct merge *m, val *original, val *patch)
{
    val *retain = val_get(patch, "$retainKeys");
    if (!retain)
        return 0;
    val_del(patch, "$retainKeys");
    struct items kept = items_of(m, retain);
    if (!val_is_arr(retain))
        return fail_format(m, "retainKeys");
    VAL_EACH (patch, key, member) {
        struct str name = val_str(key);
        bool directive =
            str_starts(name, STR(DELETE_PREFIX)) || str_starts(name, STR(ORDER_PREFIX));
        if (!val_is_null(member) && !directive && position(kept, key, (struct str){0}) < 0)
            return fail_format(m, "retainKeys");
    }
    struct items gone = {arena_alloc(&m->temporary, (val_len(original) + 1) * sizeof(val *)), 0};
    VAL_EACH (original, key, member)
        if (position(kept, key, (struct str){0}) < 0)
            gone.v[gone.n++] = key;
    for (size_t i = 0; i < gone.n; i++)
        val_del_str(original, val_str(gone.v[i]));
    return 0;
}

/* --- objects --- */
static void set_stripped(struct merge *m, val *original, struct str name, val *v)
{
    drop_nulls(m, v);
    if (strip_directives(m, v))
        val_set_str(m->d, original, name, share(m, v));
    else
        val_del_str(original, name);
}

static int merge_member(struct merge *m, const struct schema *s, val *original, struct str name,
                        val *new)
{
    struct patch_rule rule;
    bool deletions = str_starts(name, STR(DELETE_PREFIX));
    if (deletions)
        name = str_from(name, sizeof DELETE_PREFIX - 1);
    val *old = val_get_str(original, name);
    if (val_is_null(new)) {
        val_del_str(original, name);
        return 0;
    }
    bool objects = val_is_obj(old) && val_is_obj(new), lists = val_is_arr(old) && val_is_arr(new);
    if (!objects && !lists) {
        if (!deletions)
            set_stripped(m, original, name, new);
        return 0;
    }
    if (patch_find_rule(s, name, lists, &rule, m->err) != 0)
        return -1;
    val *merged;
    if (lists) {
        struct items all;
        if (merge_list(m, &rule, old, new, deletions, &all) != 0)
            return -1;
        merged = to_array(m, all);
    } else {
        merged = rule.replace ? new : merge_map(m, rule.schema, old, new);
        if (!merged)
            return -1;
    }
    val_set_str(m->d, original, name, share(m, merged));
    return 0;
}

/* The merged object, or NULL with err filled. */
static val *merge_map(struct merge *m, const struct schema *s, val *original, val *patch)
{
    val *directive = val_get(patch, "$patch");
    if (directive) {
        if (str_is(val_str(directive), "delete"))
            return val_new_obj(m->d);
        if (!str_is(val_str(directive), "replace"))
            return fail_directive(m, directive, patch), NULL;
        val_del(patch, "$patch");
        return patch;
    }
    if (obey_retain_keys(m, original, patch) != 0 || obey_orders(m, s, original, patch) != 0)
        return NULL;
    struct items keys = {arena_alloc(&m->temporary, (val_len(patch) + 1) * sizeof(val *)), 0};
    VAL_EACH (patch, key, member)
        keys.v[keys.n++] = key;
    for (size_t i = 0; i < keys.n; i++) {
        val *member = keys.v[i]->next; /* its own links change when it moves */
        if (merge_member(m, s, original, val_str(keys.v[i]), member) != 0)
            return NULL;
    }
    return original;
}

int patch_strategic(struct doc *d, const struct schema *s, const val *current, const val *patch,
                    val **ret, struct err *err)
{
    if (!val_is_obj(patch))
        return err_bad(err,
                       "json: cannot unmarshal %s into Go value of type map[string]interface "
                       "{}",
                       val_type_name(patch));
    struct merge m = {.d = d, .err = err};
    val *original = val_is_obj(current) ? val_copy(d, current) : val_new_obj(d);
    val *merged = merge_map(&m, s, original, val_copy(d, patch));
    arena_done(&m.temporary);
    if (!merged)
        return -1;
    *ret = merged;
    return 0;
}
