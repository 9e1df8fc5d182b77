#include "api/fieldset.h"

#include <stdlib.h>

/* --- walking a schema along a value --- */
enum shape { SHAPE_LEAF, SHAPE_STRUCT, SHAPE_MAP, SHAPE_KEYED, SHAPE_SET };

static enum shape shape_of(struct fieldset_place p, const val *v)
{
    const struct schema *s = p.schema;
    if (!s)
        return SHAPE_LEAF;
    if (s->type == SCHEMA_OBJECT && val_is_obj(v)) {
        bool atomic =
            s->map == SCHEMA_MAP_ATOMIC || (p.field && p.field->list == SCHEMA_MAP_ATOMIC);
        return atomic || s->preserve_unknown ? SHAPE_LEAF : SHAPE_STRUCT;
    }
    if (s->type == SCHEMA_MAP && val_is_obj(v))
        return p.field && p.field->list == SCHEMA_MAP_ATOMIC ? SHAPE_LEAF : SHAPE_MAP;
    if (s->type == SCHEMA_ARRAY && val_is_arr(v) && p.field) {
        if (p.field->list == SCHEMA_LIST_MAP && p.field->list_keys)
            return SHAPE_KEYED;
        if (p.field->list == SCHEMA_LIST_SET)
            return SHAPE_SET;
    }
    return SHAPE_LEAF;
}

static struct fieldset_place member_place(struct fieldset_place p, struct str name)
{
    if (p.schema->type == SCHEMA_MAP)
        return (struct fieldset_place){p.schema->items, NULL};
    const struct schema_field *f = schema_field(p.schema, name);
    if (f)
        return (struct fieldset_place){f->schema, f};
    return (struct fieldset_place){p.schema->items, NULL}; /* of an object that takes any member */
}

static struct fieldset_place item_place(struct fieldset_place p)
{
    return (struct fieldset_place){p.schema->items, NULL};
}

/* --- keys of a set's tree --- */
static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* `k:{"containerPort":80,"protocol":"TCP"}`: names in order, a missing one by its default. */
static void put_item_key(struct fieldset_place p, const val *item, struct buf *b)
{
    const char *names[8];
    size_t n = 0;
    for (const char *const *k = p.field->list_keys; *k && n < ARRAY_LEN(names); k++)
        names[n++] = *k;
    qsort(names, n, sizeof(*names), by_text);
    buf_puts(b, "k:{");
    for (size_t i = 0; i < n; i++) {
        const val *v = val_get(item, names[i]);
        const struct schema_field *f =
            p.schema->items ? schema_field(p.schema->items, str_of(names[i])) : NULL;
        if (!v && !(f && f->default_json))
            continue;
        buf_printf(b, "%s\"%s\":", b->p[b->n - 1] == '{' ? "" : ",", names[i]);
        if (v)
            val_write_json(v, b);
        else
            buf_puts(b, f->default_json);
    }
    buf_putc(b, '}');
}

static void put_value_key(const val *v, struct buf *b)
{
    buf_puts(b, "v:");
    val_write_json(v, b);
}

static void put_element_key(struct fieldset_place p, enum shape shape, const val *item,
                            struct buf *b)
{
    if (shape == SHAPE_KEYED)
        put_item_key(p, item, b);
    else
        put_value_key(item, b);
}

static bool is_leaf(const val *set)
{
    return val_len(set) == 0;
}

/* The index of the list's element with that key, or -1. */
static ssize_t find_element(struct fieldset_place p, enum shape shape, const val *list,
                            struct str key)
{
    struct buf b = {0};
    ssize_t at = 0, found = -1;
    VAL_FOR(list, item)
    {
        buf_clear(&b);
        put_element_key(p, shape, item, &b);
        if (str_eq(buf_str(&b), key)) {
            found = at;
            break;
        }
        at++;
    }
    buf_done(&b);
    return found;
}

/* The child of v that a key of a set names, and its place. */
static val *child_of(struct fieldset_place p, const val *v, struct str key,
                     struct fieldset_place *ret)
{
    enum shape shape = shape_of(p, v);
    *ret = (struct fieldset_place){0};
    if (str_starts(key, STR("f:")) && (shape == SHAPE_STRUCT || shape == SHAPE_MAP)) {
        *ret = member_place(p, str_from(key, 2));
        return val_get_str(v, str_from(key, 2));
    }
    if (shape == SHAPE_KEYED || shape == SHAPE_SET) {
        ssize_t at = find_element(p, shape, v, key);
        *ret = item_place(p);
        return at >= 0 ? val_at(v, (size_t)at) : NULL;
    }
    return NULL;
}

/* --- making --- */
val *fieldset_of(struct doc *d, struct fieldset_place p, const val *v)
{
    val *set = val_new_obj(d);
    enum shape shape = shape_of(p, v);
    struct buf key = {0};
    if (shape == SHAPE_STRUCT || shape == SHAPE_MAP)
        VAL_EACH(v, name, member)
        {
            buf_clear(&key);
            buf_printf(&key, "f:%.*s", STR_ARG(val_str(name)));
            val_set_str(d, set, buf_str(&key),
                        fieldset_of(d, member_place(p, val_str(name)), member));
        }
    else if (shape == SHAPE_KEYED || shape == SHAPE_SET)
        VAL_FOR(v, item)
        {
            buf_clear(&key);
            put_element_key(p, shape, item, &key);
            val *child = val_new_obj(d);
            if (shape == SHAPE_KEYED) {
                val_set(d, child, ".", val_new_obj(d));
                val *inner = fieldset_of(d, item_place(p), item);
                VAL_EACH(inner, k, m)
                val_set_str(d, child, val_str(k), val_copy(d, m));
            }
            val_set_str(d, set, buf_str(&key), child);
        }
    buf_done(&key);
    return set;
}

static void add_undeclared(struct doc *d, val **set, struct fieldset_place p, const val *v,
                           struct str key)
{
    val *inner = p.schema ? fieldset_undeclared(d, p, v) : val_new_obj(d);
    if (!inner)
        return;
    if (!*set)
        *set = val_new_obj(d);
    val_set_str(d, *set, key, inner);
}

val *fieldset_undeclared(struct doc *d, struct fieldset_place p, const val *v)
{
    const struct schema *s = p.schema;
    struct buf key = {0};
    val *set = NULL;
    bool object = (s->type == SCHEMA_OBJECT && !s->preserve_unknown) || s->type == SCHEMA_MAP;
    if (object && val_is_obj(v)) {
        VAL_EACH(v, name, member)
        {
            buf_clear(&key);
            buf_printf(&key, "f:%.*s", STR_ARG(val_str(name)));
            add_undeclared(d, &set, member_place(p, val_str(name)), member, buf_str(&key));
        }
    } else if (s->type == SCHEMA_ARRAY && val_is_arr(v)) {
        enum shape shape = shape_of(p, v);
        size_t at = 0;
        VAL_FOR(v, item)
        {
            buf_clear(&key);
            if (shape == SHAPE_KEYED)
                put_item_key(p, item, &key);
            else
                buf_printf(&key, "i:%zu", at);
            add_undeclared(d, &set, item_place(p), item, buf_str(&key));
            at++;
        }
    }
    buf_done(&key);
    return set;
}

val *fieldset_merge(struct doc *d, struct fieldset_place p, const val *live, const val *applied)
{
    enum shape shape = shape_of(p, applied);
    if (!live || shape == SHAPE_LEAF || shape_of(p, live) != shape)
        return val_copy(d, applied);
    val *out = val_copy(d, live);
    if (shape == SHAPE_STRUCT || shape == SHAPE_MAP) {
        VAL_EACH(applied, name, member)
        val_set_str(d, out, val_str(name),
                    fieldset_merge(d, member_place(p, val_str(name)),
                                   val_get_str(live, val_str(name)), member));
        return out;
    }
    struct buf key = {0};
    VAL_FOR(applied, item)
    {
        buf_clear(&key);
        put_element_key(p, shape, item, &key);
        ssize_t at = find_element(p, shape, out, buf_str(&key));
        if (at < 0)
            val_push(out, val_copy(d, item));
        else if (shape == SHAPE_KEYED)
            val_replace_at(out, (size_t)at,
                           fieldset_merge(d, item_place(p), val_at(live, (size_t)at), item));
    }
    buf_done(&key);
    return out;
}

/* --- taking out --- */
static void delete_child(struct fieldset_place p, val *v, struct str key)
{
    enum shape shape = shape_of(p, v);
    if (str_starts(key, STR("f:"))) {
        val_del_str(v, str_from(key, 2));
        return;
    }
    ssize_t at = shape == SHAPE_KEYED || shape == SHAPE_SET ? find_element(p, shape, v, key) : -1;
    if (at >= 0)
        val_remove_at(v, (size_t)at);
}

enum { MAX_OTHERS = 64 };

void fieldset_remove(struct doc *d, struct fieldset_place p, val *v, const val *before,
                     const val *now, const val *const *others, size_t other_count)
{
    VAL_EACH(before, key_val, was)
    {
        struct str key = val_str(key_val);
        const val *is = val_get_str(now, key);
        struct fieldset_place child_place;
        val *child = child_of(p, v, key, &child_place);
        if (str_is(key, ".") || !child)
            continue;
        const val *theirs[MAX_OTHERS];
        size_t n = 0;
        for (size_t i = 0; i < other_count && n < MAX_OTHERS; i++)
            if (val_get_str(others[i], key))
                theirs[n++] = val_get_str(others[i], key);
        if (is_leaf(was)) {
            if (!is && n == 0)
                delete_child(p, v, key);
            continue;
        }
        if (!is && n == 0 && val_get(was, ".")) {
            delete_child(p, v, key); /* an item that was ours alone */
            continue;
        }
        fieldset_remove(d, child_place, child, was, is, theirs, n);
        if (!is && n == 0 && val_len(child) == 0)
            delete_child(p, v, key);
    }
}

bool fieldset_subtract(val *set, const val *gone)
{
    VAL_EACH(gone, key_val, lost)
    {
        val *mine = val_get_str(set, val_str(key_val));
        if (!mine)
            continue;
        if (is_leaf(lost) || is_leaf(mine) || fieldset_subtract(mine, lost))
            val_del_str(set, val_str(key_val));
    }
    return val_len(set) == 0 || (val_len(set) == 1 && val_get(set, ".") != NULL);
}

void fieldset_add(struct doc *d, val *set, const val *more)
{
    VAL_EACH(more, key_val, theirs)
    {
        val *mine = val_get_str(set, val_str(key_val));
        if (!mine)
            val_set_str(d, set, val_str(key_val), val_copy(d, theirs));
        else
            fieldset_add(d, mine, theirs);
    }
}

/* --- comparing --- */
val *fieldset_common(struct doc *d, const val *a, const val *b)
{
    val *out = NULL;
    VAL_EACH(a, key_val, x)
    {
        const val *y = val_get_str(b, val_str(key_val));
        if (!y || str_is(val_str(key_val), "."))
            continue;
        val *child = is_leaf(x) || is_leaf(y) ? val_new_obj(d) : fieldset_common(d, x, y);
        if (!child)
            continue;
        if (!out)
            out = val_new_obj(d);
        val_set_str(d, out, val_str(key_val), child);
    }
    return out;
}

val *fieldset_changed(struct doc *d, struct fieldset_place p, const val *set, const val *a,
                      const val *b)
{
    val *out = NULL;
    VAL_EACH(set, key_val, sub)
    {
        struct str key = val_str(key_val);
        struct fieldset_place place_a, place_b;
        if (str_is(key, "."))
            continue;
        const val *x = child_of(p, a, key, &place_a), *y = child_of(p, b, key, &place_b);
        if ((!x && !y) || (x && y && val_eq(x, y)))
            continue;
        struct fieldset_place place = x ? place_a : place_b;
        val *child = is_leaf(sub) ? val_new_obj(d) : fieldset_changed(d, place, sub, x, y);
        if (!child)
            continue;
        if (!out)
            out = val_new_obj(d);
        val_set_str(d, out, key, child);
    }
    return out;
}

static bool was_always(struct fieldset_place p, bool typed)
{
    const struct schema_field *f = p.field;
    return typed && f && (f->keep_empty || (f->schema->type == SCHEMA_OBJECT && !f->pointer));
}

void fieldset_mark_new(struct doc *d, struct fieldset_place p, val *set, const val *old,
                       const val *v, bool typed)
{
    VAL_EACH(set, key_val, sub)
    {
        struct str key = val_str(key_val);
        struct fieldset_place place, ignored;
        if (str_is(key, ".") || is_leaf(sub))
            continue;
        const val *now = child_of(p, v, key, &place);
        const val *was = old ? child_of(p, old, key, &ignored) : NULL;
        if (!now)
            continue;
        fieldset_mark_new(d, place, sub, was, now, typed);
        if (val_is_null(was) && !was_always(place, typed) && !val_get(sub, "."))
            val_set(d, sub, ".", val_new_obj(d));
    }
}

/* --- telling --- */
static void put_key_text(struct str key, struct buf *b)
{
    if (str_starts(key, STR("f:"))) {
        buf_printf(b, ".%.*s", STR_ARG(str_from(key, 2)));
        return;
    }
    if (str_starts(key, STR("v:"))) {
        buf_printf(b, "[=%.*s]", STR_ARG(str_from(key, 2)));
        return;
    }
    if (str_starts(key, STR("i:"))) {
        buf_printf(b, "[%.*s]", STR_ARG(str_from(key, 2)));
        return;
    }
    struct doc d;
    struct err ignored;
    val *v;
    doc_init(&d);
    buf_putc(b, '[');
    size_t n = 0;
    if (doc_parse_json(&d, str_from(key, 2), &v, &ignored) == 0)
        VAL_EACH(v, name, value)
        {
            buf_printf(b, "%s%.*s=", n++ ? "," : "", STR_ARG(val_str(name)));
            val_write_json(value, b);
        }
    buf_putc(b, ']');
    doc_done(&d);
}

static void each(const val *set, struct buf *path, void (*fn)(void *arg, struct str path),
                 void *arg)
{
    size_t mark = path->n;
    VAL_EACH(set, key_val, sub)
    {
        if (str_is(val_str(key_val), "."))
            continue;
        put_key_text(val_str(key_val), path);
        if (is_leaf(sub))
            fn(arg, buf_str(path));
        else
            each(sub, path, fn, arg);
        path->n = mark;
    }
}

void fieldset_each(const val *set, void (*fn)(void *arg, struct str path), void *arg)
{
    struct buf path = {0};
    each(set, &path, fn, arg);
    buf_done(&path);
}
