#include "api/crd/schema.h"

#include <stdlib.h>

#include "base/map.h"

enum { DEPTH_MAX = 100 };

static const struct crd_schema *compile(struct crd_compiled *c, const val *node, bool structural,
                                        bool root, int depth);

static enum crd_type type_of(struct str name)
{
    static const char *const names[] = {
        [CRD_OBJECT] = "object",   [CRD_ARRAY] = "array",   [CRD_STRING] = "string",
        [CRD_INTEGER] = "integer", [CRD_NUMBER] = "number", [CRD_BOOLEAN] = "boolean",
    };
    for (size_t i = CRD_OBJECT; i < ARRAY_LEN(names); i++)
        if (str_is(name, names[i]))
            return (enum crd_type)i;
    return CRD_ANY;
}

static struct crd_number number_of(const val *node, const char *member)
{
    const val *v = val_get(node, member);
    return (struct crd_number){val_is_num(v), val_real(v), val_int(v)};
}

static struct str *texts(struct arena *a, const val *list, size_t *ret_count)
{
    struct str *out = arena_zalloc(a, val_len(list) * sizeof(*out) + 1);
    size_t n = 0;
    VAL_FOR (list, item)
        out[n++] = val_str(item);
    *ret_count = n;
    return out;
}

static const struct crd_schema **alternatives(struct crd_compiled *c, const val *list,
                                              size_t *ret_count, int depth)
{
    const struct crd_schema **out = arena_zalloc(c->arena, val_len(list) * sizeof(*out) + 1);
    size_t n = 0;
    VAL_FOR (list, item)
        out[n++] = compile(c, item, false, false, depth + 1);
    *ret_count = n;
    return out;
}

static void compile_pattern(struct crd_compiled *c, struct crd_schema *s, struct str text)
{
    struct err ignored;
    if (!text.n || !(s->pattern = regex_new(text, 0, &ignored)))
        return;
    s->pattern_text = text;
    if (c->pattern_count == c->pattern_cap) {
        c->pattern_cap = c->pattern_cap ? c->pattern_cap * 2 : 8;
        c->patterns = mem_realloc_array(c->patterns, c->pattern_cap, sizeof(*c->patterns));
    }
    c->patterns[c->pattern_count++] = s->pattern;
}

static void compile_limits(struct crd_compiled *c, struct crd_schema *s, const val *node)
{
    s->minimum = number_of(node, "minimum");
    s->maximum = number_of(node, "maximum");
    s->exclusive_minimum = VAL_BOOL(node, "exclusiveMinimum");
    s->exclusive_maximum = VAL_BOOL(node, "exclusiveMaximum");
    s->multiple_of = number_of(node, "multipleOf");
    s->min_length = number_of(node, "minLength");
    s->max_length = number_of(node, "maxLength");
    s->min_items = number_of(node, "minItems");
    s->max_items = number_of(node, "maxItems");
    s->min_properties = number_of(node, "minProperties");
    s->max_properties = number_of(node, "maxProperties");
    s->unique = VAL_BOOL(node, "uniqueItems");
    s->enums = val_get(node, "enum");
    s->format = VAL_STR(node, "format");
    s->required = texts(c->arena, val_get(node, "required"), &s->required_count);
    compile_pattern(c, s, VAL_STR(node, "pattern"));
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct crd_property *)a)->name, ((const struct crd_property *)b)->name);
}

static bool is_given(struct str name)
{
    return str_is(name, "apiVersion") || str_is(name, "kind") || str_is(name, "metadata");
}

static void compile_members(struct crd_compiled *c, struct crd_schema *s, const val *node,
                            bool structural, bool root, int depth)
{
    const val *properties = val_get(node, "properties");
    s->properties = arena_zalloc(c->arena, val_len(properties) * sizeof(*s->properties) + 1);
    VAL_EACH (properties, key, member) {
        const struct crd_schema *p = compile(c, member, structural, false, depth + 1);
        s->properties[s->property_count++] = (struct crd_property){val_str(key), p};
        s->has_rules |= p->has_rules;
        s->has_embedded |= p->has_embedded;
    }
    qsort(s->properties, s->property_count, sizeof(*s->properties), by_name);
    const val *more = val_get(node, "additionalProperties"), *items = val_get(node, "items");
    if (val_is_obj(more))
        s->additional = compile(c, more, structural, false, depth + 1);
    s->additional_any = val_bool(more);
    if (val_is_obj(items))
        s->items = compile(c, items, structural, false, depth + 1);
    s->has_rules |=
        (s->items && s->items->has_rules) || (s->additional && s->additional->has_rules);
    s->has_embedded |= s->embedded || (s->items && s->items->has_embedded) ||
                       (s->additional && s->additional->has_embedded);
    (void)root;
}

static const struct crd_schema *compile(struct crd_compiled *c, const val *node, bool structural,
                                        bool root, int depth)
{
    struct crd_schema *s = ARENA_NEW(c->arena, struct crd_schema);
    if (depth > DEPTH_MAX) {
        s->preserve = true;
        return s;
    }
    s->type = type_of(VAL_STR(node, "type"));
    s->nullable = VAL_BOOL(node, "nullable");
    s->int_or_string = VAL_BOOL(node, "x-kubernetes-int-or-string");
    s->preserve = VAL_BOOL(node, "x-kubernetes-preserve-unknown-fields");
    s->embedded = VAL_BOOL(node, "x-kubernetes-embedded-resource");
    s->set_list = str_is(VAL_STR(node, "x-kubernetes-list-type"), "set");
    s->map_list = str_is(VAL_STR(node, "x-kubernetes-list-type"), "map");
    s->list_keys = texts(c->arena, val_get(node, "x-kubernetes-list-map-keys"), &s->list_key_count);
    s->def = structural ? val_get(node, "default") : NULL;
    compile_limits(c, s, node);
    compile_members(c, s, node, structural, root, depth);
    s->all_of = alternatives(c, val_get(node, "allOf"), &s->all_count, depth);
    s->any_of = alternatives(c, val_get(node, "anyOf"), &s->any_count, depth);
    s->one_of = alternatives(c, val_get(node, "oneOf"), &s->one_count, depth);
    if (val_is_obj(val_get(node, "not")))
        s->not_of = compile(c, val_get(node, "not"), false, false, depth + 1);
    if (structural)
        crd_rules_compile(c, s, node, root);
    return s;
}

const struct crd_schema *crd_schema_compile(struct crd_compiled *c, const val *openapi)
{
    return compile(c, openapi, true, true, 0);
}

void crd_compiled_done(struct crd_compiled *c)
{
    for (size_t i = 0; i < c->pattern_count; i++)
        regex_free(c->patterns[i]);
    for (size_t i = 0; i < c->program_count; i++)
        cel_program_free(c->programs[i]);
    free(c->patterns);
    free(c->programs);
    *c = (struct crd_compiled){0};
}

const struct crd_schema *crd_schema_property(const struct crd_schema *s, struct str name)
{
    size_t low = 0, high = s->property_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = str_cmp(name, s->properties[mid].name);
        if (order == 0)
            return s->properties[mid].schema;
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

/* --- pruning --- */
struct prune {
    struct buf path;
    struct buf *strict;
};

static void report(struct prune *p, const char *what, struct str name)
{
    if (p->strict)
        buf_printf(p->strict, "%s field \"%s%s%.*s\"\n", what, buf_z(&p->path),
                   p->path.n ? "." : "", STR_ARG(name));
}

static size_t enter(struct prune *p, struct str name)
{
    size_t back = p->path.n;
    buf_printf(&p->path, "%s%.*s", back ? "." : "", STR_ARG(name));
    return back;
}

static void leave(struct prune *p, size_t back)
{
    p->path.n = back;
    if (p->path.p)
        p->path.p[back] = '\0';
}

static void prune(struct prune *p, const struct crd_schema *s, val *v, bool root);

/* The last member of each name, where looking for it one by one would take long. */
static void find_last(const val *obj, struct map *last)
{
    enum { FEW = 16 };
    if (val_len(obj) <= FEW)
        return;
    VAL_EACH (obj, key, member) {
        (void)member;
        map_set(last, val_str(key), key);
    }
}

static bool is_duplicate(const val *obj, const struct map *last, const val *key)
{
    if (last->count)
        return map_get(last, val_str(key)) != key;
    return val_get_str(obj, val_str(key)) != key->next;
}

static const struct crd_schema nothing = {.type = CRD_ANY};

static void prune_object(struct prune *p, const struct crd_schema *s, val *v, bool root)
{
    struct map last = {0};
    find_last(v, &last);
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(v);
    for (val *key; (key = yyjson_mut_obj_iter_next(&it));) {
        struct str name = val_str(key);
        val *member = yyjson_mut_obj_iter_get_val(key);
        if (is_duplicate(v, &last, key)) {
            report(p, "duplicate", name);
            yyjson_mut_obj_iter_remove(&it);
            continue;
        }
        if (root && is_given(name))
            continue;
        const struct crd_schema *inner = s ? crd_schema_property(s, name) : NULL;
        if (!inner && s && s->additional_any)
            inner = &nothing; /* upstream keeps the members, and what they hold goes */
        else if (!inner && s && s->additional)
            inner = s->additional;
        else if (!inner && s && !s->preserve && !s->int_or_string) {
            report(p, "unknown", name);
            yyjson_mut_obj_iter_remove(&it);
            continue;
        }
        size_t back = enter(p, name);
        prune(p, inner, member, inner && inner->embedded);
        leave(p, back);
    }
    map_done(&last);
}

/* s NULL: everything is known; only duplicates go. */
static void prune(struct prune *p, const struct crd_schema *s, val *v, bool root)
{
    if (val_is_obj(v)) {
        prune_object(p, s, v, root);
        return;
    }
    size_t i = 0;
    VAL_FOR (v, item) {
        size_t back = p->path.n;
        buf_printf(&p->path, "[%zu]", i++);
        prune(p, s ? s->items : NULL, item, s && s->items && s->items->embedded);
        leave(p, back);
    }
}

void crd_prune(const struct crd_schema *s, val *v, bool root, struct buf *strict)
{
    struct prune p = {.strict = strict};
    prune(&p, s, v, root);
    buf_done(&p.path);
}

/* --- defaults --- */
static bool is_wrong_null(const struct crd_schema *s, const val *v)
{
    return v && val_is_null(v) && s && !s->nullable && !(s->type == CRD_ANY && s->preserve);
}

static void default_object(const struct crd_schema *s, struct doc *d, val *v)
{
    for (size_t i = 0; i < s->property_count; i++) {
        const struct crd_property *p = &s->properties[i];
        const val *now = val_get_str(v, p->name);
        if (p->schema->def && (!now || is_wrong_null(p->schema, now)))
            val_set_str(d, v, p->name, val_copy(d, p->schema->def));
    }
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(v);
    for (val *key; (key = yyjson_mut_obj_iter_next(&it));) {
        const struct crd_schema *inner = crd_schema_property(s, val_str(key));
        val *member = yyjson_mut_obj_iter_get_val(key);
        if (!inner)
            inner = s->additional;
        if (inner && is_wrong_null(inner, member))
            yyjson_mut_obj_iter_remove(&it);
        else if (inner)
            crd_default(inner, d, member);
    }
}

void crd_default(const struct crd_schema *s, struct doc *d, val *v)
{
    if (val_is_obj(v)) {
        default_object(s, d, v);
    } else if (s->items) {
        VAL_FOR (v, item)
            crd_default(s->items, d, item);
    }
}

void crd_drop_nulls(const struct crd_schema *s, val *v)
{
    if (!val_is_obj(v)) {
        VAL_FOR (s->items ? v : NULL, item)
            crd_drop_nulls(s->items, item);
        return;
    }
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(v);
    for (val *key; (key = yyjson_mut_obj_iter_next(&it));) {
        const struct crd_schema *inner = crd_schema_property(s, val_str(key));
        val *member = yyjson_mut_obj_iter_get_val(key);
        if (!inner)
            inner = s->additional;
        if (inner && is_wrong_null(inner, member) && !inner->def)
            yyjson_mut_obj_iter_remove(&it);
        else if (inner)
            crd_drop_nulls(inner, member);
    }
}
