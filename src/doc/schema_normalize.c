/* The form in which Go's encoding/json writes an object of the kind's types. */
#include "doc/schema.h"
#include "doc/schema_internal.h"

enum { FIELDS_MAX = 256 }; /* of one object; beyond, presence is looked up member by member */

static void normalize_value(const struct schema *s, struct doc *d, val *v);

static void add_missing(const struct schema_field *f, struct doc *d, val *obj)
{
    val *made = val_new_null(d);
    if (!f->pointer) {
        schema_set_zero(f->schema, made);
        normalize_value(f->schema, d, made);
    }
    val_set(d, obj, f->name, made);
}

static void normalize_object(const struct schema *s, struct doc *d, val *obj)
{
    uint64_t present[FIELDS_MAX / 64] = {0};
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(obj);
    for (val *key; (key = yyjson_mut_obj_iter_next(&it));) {
        ssize_t i = schema_field_index(s, val_str(key));
        if (i < 0)
            continue;
        const struct schema_field *f = s->by_name[i];
        val *member = yyjson_mut_obj_iter_get_val(key);
        if (schema_is_zero(f, member) && (!f->keep_empty || val_is_null(member))) {
            yyjson_mut_obj_iter_remove(&it);
            continue;
        }
        if (i < FIELDS_MAX)
            present[i / 64] |= 1ULL << (i % 64);
        normalize_value(f->schema, d, member);
    }
    for (size_t i = 0; i < s->by_name_count; i++) {
        const struct schema_field *f = s->by_name[i];
        bool has = i < FIELDS_MAX ? present[i / 64] >> (i % 64) & 1 : val_get(obj, f->name) != NULL;
        if (f->keep_empty && !has)
            add_missing(f, d, obj);
    }
}

static void normalize_value(const struct schema *s, struct doc *d, val *v)
{
    if (s->type == SCHEMA_OBJECT && val_is_obj(v)) {
        normalize_object(s, d, v);
    } else if (s->type == SCHEMA_ARRAY && val_is_arr(v)) {
        VAL_FOR(v, item)
        normalize_value(s->items, d, item);
    } else if (s->type == SCHEMA_MAP && val_is_obj(v)) {
        VAL_EACH(v, key, member)
        normalize_value(s->items, d, member);
    } else if (s->type >= SCHEMA_PROPS_OR_BOOL && val_is_obj(v)) {
        normalize_value(s->items, d, v);
    } else if (s->type == SCHEMA_PROPS_OR_ARRAY && val_is_arr(v)) {
        VAL_FOR(v, item)
        normalize_value(s->items, d, item);
    }
}

void schema_normalize(const struct schema *s, struct doc *d, val *v)
{
    if (s->custom)
        s->custom->normalize(s, d, v);
    else
        normalize_value(s, d, v);
}
