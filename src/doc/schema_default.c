/* Constant defaults, in the order in which Go's defaulting functions see them: a parent's before
 * its members'. */
#include "doc/schema.h"
#include "doc/schema_internal.h"

static void default_value(const struct schema *s, struct doc *d, val *v);

static val *parse_default(struct doc *d, const char *json)
{
    val *v = NULL;
    struct err err;
    /* Only a broken table could fail here, and the tests read every default. */
    return doc_parse_json(d, str_of(json), &v, &err) == 0 ? v : NULL;
}

/* The default of an object that Go always has is merged in member by member. */
static void merge_object(const struct schema_field *f, struct doc *d, val *obj)
{
    val *with = parse_default(d, f->default_json);
    val *at = val_ensure_obj(d, obj, f->name);
    VAL_EACH(with, key, member)
    {
        const struct schema_field *inner = schema_field(f->schema, val_str(key));
        if (inner && schema_is_zero(inner, val_get_str(at, val_str(key))))
            val_set_str(d, at, val_str(key), val_copy(d, member));
    }
}

static void apply(const struct schema_field *f, struct doc *d, val *obj)
{
    val *now = val_get(obj, f->name);
    if (f->schema->type == SCHEMA_OBJECT && !f->pointer) {
        if (val_is_null(now) || val_is_obj(now))
            merge_object(f, d, obj);
        return;
    }
    if (!schema_is_zero(f, now))
        return;
    val *v = parse_default(d, f->default_json);
    if (v)
        val_set(d, obj, f->name, v);
}

/* "type=A|B" against the object. */
static bool condition_holds(const char *when, const val *obj)
{
    struct str name, values, value;
    str_cut(str_of(when), '=', &name, &values);
    struct str now = val_str(val_get_str(obj, name));
    if (values.n == 0)
        return now.n == 0;
    while (str_next(&values, '|', &value))
        if (str_eq(now, value))
            return true;
    return false;
}

enum pass { PASS_WHEN_EMPTY, PASS_ALWAYS, PASS_WHEN_VALUE };

static enum pass pass_of(const struct schema_field *f)
{
    if (!f->default_when)
        return PASS_ALWAYS;
    return f->default_when[strlen(f->default_when) - 1] == '=' ? PASS_WHEN_EMPTY : PASS_WHEN_VALUE;
}

static void apply_pass(const struct schema *s, struct doc *d, val *obj, enum pass pass)
{
    for (size_t i = 0; i < s->by_name_count; i++) {
        const struct schema_field *f = s->by_name[i];
        if (f->default_json && pass_of(f) == pass &&
            (!f->default_when || condition_holds(f->default_when, obj)))
            apply(f, d, obj);
    }
}

static void default_object(const struct schema *s, struct doc *d, val *obj)
{
    apply_pass(s, d, obj, PASS_WHEN_EMPTY);
    apply_pass(s, d, obj, PASS_ALWAYS);
    apply_pass(s, d, obj, PASS_WHEN_VALUE);
    for (size_t i = 0; i < s->by_name_count; i++) {
        const struct schema_field *f = s->by_name[i];
        if (!f->schema->has_defaults)
            continue;
        val *member = val_get(obj, f->name);
        if (!val_is_null(member)) {
            default_value(f->schema, d, member);
            continue;
        }
        if (f->schema->type != SCHEMA_OBJECT || f->pointer)
            continue;
        val *made = val_new_obj(d);
        default_object(f->schema, d, made);
        if (val_len(made))
            val_set(d, obj, f->name, made);
    }
}

static void default_value(const struct schema *s, struct doc *d, val *v)
{
    if (!s->has_defaults)
        return;
    if (s->type == SCHEMA_OBJECT && val_is_obj(v)) {
        default_object(s, d, v);
    } else if (s->type == SCHEMA_ARRAY && val_is_arr(v)) {
        VAL_FOR(v, item)
        default_value(s->items, d, item);
    } else if (s->type == SCHEMA_MAP && val_is_obj(v)) {
        VAL_EACH(v, key, member)
        default_value(s->items, d, member);
    }
}

void schema_default(const struct schema *s, struct doc *d, val *v)
{
    if (s->custom)
        s->custom->fill(s, d, v);
    else
        default_value(s, d, v);
}
