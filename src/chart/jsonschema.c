#include "chart/jsonschema.h"

#include <math.h>
#include <stdio.h>

#include "template/gofmt.h"
#include "template/unicode.h"
#include "chart/values.h"
#include "regex/regex.h"

enum {
    MAX_DEPTH = 300,      /* schemas and values entered */
    MAX_CHECKS = 1000000, /* of a value against a schema */
};

/* One value against one schema. */
struct check {
    const struct check *outer;
    struct schema_set *set;
    const struct schema_resource *resource;
    const val *schema;
    struct value v;
    const struct schema_place *place;
    int depth;
    struct schema_problem *first, *last; /* what was found */
    bool *seen;                          /* members or elements that some keyword has looked at */
};

static struct schema_problem *check_value(const struct check *outer, const val *schema,
                                          struct value v, const struct schema_place *place,
                                          bool *seen);

/* --- problems --- */
static struct schema_problem *new_problem(const struct check *k, enum schema_problem_kind kind,
                                          struct str text)
{
    struct arena *a = k->set->cx->arena;
    struct schema_problem *p = ARENA_NEW(a, struct schema_problem);
    p->kind = kind;
    p->place = schema_place_text(a, k->place);
    p->text = text;
    return p;
}

static void add(struct check *k, struct schema_problem *p)
{
    if (!p)
        return;
    if (k->last)
        k->last->next = p;
    else
        k->first = p;
    k->last = p;
}

static void add_cause(struct schema_problem *p, struct schema_problem *cause)
{
    if (p->last_cause)
        p->last_cause->next = cause;
    else
        p->causes = cause;
    p->last_cause = cause;
}

static struct schema_problem *problem(struct check *k, struct buf *text)
{
    struct schema_problem *p =
        new_problem(k, SCHEMA_PLAIN, arena_dup(k->set->cx->arena, buf_str(text)));
    buf_done(text);
    return p;
}

static void add_text(struct check *k, const char *text)
{
    add(k, new_problem(k, SCHEMA_PLAIN, str_of(text)));
}

/* "maxItems: got 3, want 2" */
static void add_limit(struct check *k, const char *keyword, double got, double want)
{
    struct buf b = {0};
    buf_printf(&b, "%s: got ", keyword);
    schema_put_number(&b, got);
    buf_puts(&b, ", want ");
    schema_put_number(&b, want);
    add(k, problem(k, &b));
}

/* --- values --- */
static const char *type_of(struct value v)
{
    enum gokind kind = value_kind(v);
    if (values_is_nil(v))
        return "null";
    if (kind == KIND_BOOL)
        return "boolean";
    if (kind == KIND_STRING)
        return "string";
    if (kind == KIND_MAP)
        return "object";
    return kind == KIND_SLICE ? "array" : "number";
}

static double number_of(struct value v)
{
    enum gokind kind = value_kind(v);
    return gokind_is_float(kind) ? v.f : gokind_is_uint(kind) ? (double)v.u : (double)v.i;
}

static bool is_number(struct value v)
{
    return strcmp(type_of(v), "number") == 0;
}

static bool is_type(struct value v, struct str type)
{
    if (str_is(type, "integer"))
        return is_number(v) && number_of(v) == floor(number_of(v));
    return str_is(type, type_of(v));
}

static bool equals(struct value v, const val *w, int depth)
{
    if (depth > MAX_DEPTH)
        return false;
    if (is_number(v))
        return val_is_num(w) && number_of(v) == val_real(w);
    switch (value_kind(v)) {
    case KIND_BOOL:
        return val_is_bool(w) && val_bool(w) == v.b;
    case KIND_STRING:
        return val_is_str(w) && str_eq(val_str(w), value_text(v));
    case KIND_SLICE: {
        size_t i = 0;
        if (!val_is_arr(w) || val_len(w) != v.n)
            return false;
        VAL_FOR (w, item)
            if (!equals(v.items[i++], item, depth + 1))
                return false;
        return true;
    }
    case KIND_MAP:
        if (!val_is_obj(w) || val_len(w) != vmap_len(v.map))
            return false;
        for (size_t i = 0; i < vmap_len(v.map); i++) {
            const val *member = val_get_str(w, v.map->entries[i].key);
            if (!member || !equals(v.map->entries[i].value, member, depth + 1))
                return false;
        }
        return true;
    default:
        return val_is_null(w);
    }
}

static bool same_value(struct value a, struct value b)
{
    if (is_number(a) && is_number(b))
        return number_of(a) == number_of(b);
    return value_deep_equal(a, b);
}

/* --- any type --- */
static struct schema_problem *check_type(struct check *k, const val *type)
{
    static const char *const order[] = {"null",   "boolean", "number", "integer",
                                        "string", "array",   "object"};
    bool named[ARRAY_LEN(order)] = {false}, any = false, fits = false;
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        named[i] = val_is_str(type) && str_is(val_str(type), order[i]);
        VAL_FOR (type, item)
            named[i] = named[i] || str_is(val_str(item), order[i]);
        any = any || named[i];
        fits = fits || (named[i] && is_type(k->v, str_of(order[i])));
    }
    if (!any || fits)
        return NULL;
    struct buf b = {0};
    buf_printf(&b, "got %s, want ", type_of(k->v));
    const char *between = "";
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        if (named[i]) {
            buf_printf(&b, "%s%s", between, order[i]);
            between = " or ";
        }
    return problem(k, &b);
}

static struct schema_problem *check_const(struct check *k, const val *want)
{
    if (!want || equals(k->v, want, 0))
        return NULL;
    struct buf b = {0};
    if (val_is_obj(want) || val_is_arr(want)) {
        buf_puts(&b, "'const' failed");
    } else {
        buf_puts(&b, "value must be ");
        schema_put_display(&b, want);
    }
    return problem(k, &b);
}

static struct schema_problem *check_enum(struct check *k, const val *want)
{
    bool plain = true;
    if (!val_is_arr(want))
        return NULL;
    VAL_FOR (want, item) {
        if (equals(k->v, item, 0))
            return NULL;
        plain = plain && !val_is_obj(item) && !val_is_arr(item);
    }
    struct buf b = {0};
    if (!plain) {
        buf_puts(&b, "'enum' failed");
        return problem(k, &b);
    }
    buf_puts(&b, val_len(want) == 1 ? "value must be " : "value must be one of ");
    const char *between = "";
    VAL_FOR (want, item) {
        buf_puts(&b, between);
        schema_put_display(&b, item);
        between = ", ";
    }
    return problem(k, &b);
}

static struct schema_problem *check_ref(struct check *k, struct str ref)
{
    const struct schema_resource *resource;
    const val *target = schema_resolve(k->set, ref, k->resource, &resource);
    if (!target)
        return new_problem(k, SCHEMA_PLAIN, k->set->cx->error);
    struct check from = *k;
    from.resource = resource;
    struct schema_problem *found = check_value(&from, target, k->v, k->place, k->seen);
    if (!found)
        return NULL;
    struct schema_problem *p = new_problem(k, SCHEMA_REF, STR("validation failed"));
    if (found->kind == SCHEMA_GROUP) {
        p->causes = found->causes;
        p->last_cause = found->last_cause;
    } else {
        add_cause(p, found);
    }
    return p;
}

/* --- objects --- */
static void put_missing(struct check *k, const val *names, struct buf *b, size_t *count)
{
    VAL_FOR (names, name) {
        if (!val_is_str(name) || vmap_get(k->v.map, val_str(name)))
            continue;
        if ((*count)++)
            buf_puts(b, ", ");
        schema_put_quoted(b, val_str(name));
    }
}

static void check_required(struct check *k)
{
    struct buf names = {0}, b = {0};
    size_t n = 0;
    put_missing(k, val_get(k->schema, "required"), &names, &n);
    if (n) {
        buf_printf(&b, "missing propert%s %s", n == 1 ? "y" : "ies", buf_z(&names));
        add(k, problem(k, &b));
    }
    buf_done(&names);
}

static void check_dependent(struct check *k, const val *dependencies)
{
    VAL_EACH (dependencies, key, wanted) {
        if (!vmap_get(k->v.map, val_str(key)))
            continue;
        if (!val_is_arr(wanted)) {
            add(k, check_value(k, wanted, k->v, k->place, k->seen));
            continue;
        }
        struct buf names = {0}, b = {0};
        size_t n = 0;
        put_missing(k, wanted, &names, &n);
        if (n) {
            buf_printf(&b, "properties %s required, if ", buf_z(&names));
            schema_put_quoted(&b, val_str(key));
            buf_puts(&b, " exists");
            add(k, problem(k, &b));
        }
        buf_done(&names);
    }
}

static bool matches(struct str pattern, struct str text)
{
    struct err err;
    struct regex *re = regex_new(pattern, 0, &err);
    bool answer = re && regex_match(re, text);
    regex_free(re);
    return answer;
}

/* One member; whether `properties` or `patternProperties` know it. */
static bool check_member(struct check *k, const struct vmap_entry *e)
{
    struct schema_place place = {k->place, e->key};
    const val *known = val_get_str(val_get(k->schema, "properties"), e->key);
    bool evaluated = known != NULL;
    if (known)
        add(k, check_value(k, known, e->value, &place, NULL));
    VAL_EACH (val_get(k->schema, "patternProperties"), key, member) {
        if (!matches(val_str(key), e->key))
            continue;
        evaluated = true;
        add(k, check_value(k, member, e->value, &place, NULL));
    }
    return evaluated;
}

static void check_members(struct check *k)
{
    const val *additional = val_get(k->schema, "additionalProperties");
    struct buf extra = {0};
    for (size_t i = 0; i < vmap_len(k->v.map); i++) {
        const struct vmap_entry *e = &k->v.map->entries[i];
        bool evaluated = check_member(k, e);
        if (!evaluated && additional) {
            struct schema_place place = {k->place, e->key};
            evaluated = true;
            if (val_is_bool(additional) && !val_bool(additional)) {
                if (extra.n)
                    buf_puts(&extra, ", ");
                schema_put_quoted(&extra, e->key);
            } else if (val_is_obj(additional)) {
                add(k, check_value(k, additional, e->value, &place, NULL));
            }
        }
        if (evaluated && k->seen)
            k->seen[i] = true;
    }
    if (extra.n) {
        struct buf b = {0};
        buf_printf(&b, "additional properties %s not allowed", buf_z(&extra));
        add(k, problem(k, &b));
    }
    buf_done(&extra);
}

static void check_names(struct check *k, const val *schema)
{
    for (size_t i = 0; schema && i < vmap_len(k->v.map); i++) {
        struct str name = k->v.map->entries[i].key;
        struct schema_problem *found = check_value(k, schema, value_str(name), NULL, NULL);
        if (!found)
            continue;
        struct buf b = {0};
        buf_puts(&b, "invalid propertyName ");
        schema_put_quoted(&b, name);
        struct schema_problem *p = problem(k, &b);
        p->causes = found->kind == SCHEMA_GROUP ? found->causes : found;
        add(k, p);
    }
}

/* A limit that is a number; false: there is none. */
static bool limit(const struct check *k, const char *keyword, double *ret)
{
    const val *v = val_get(k->schema, keyword);
    *ret = val_real(v);
    return val_is_num(v);
}

static void check_size(struct check *k, const char *min, const char *max, double size)
{
    double want;
    if (limit(k, min, &want) && size < want)
        add_limit(k, min, size, want);
    if (limit(k, max, &want) && size > want)
        add_limit(k, max, size, want);
}

static void check_object(struct check *k)
{
    check_size(k, "minProperties", "maxProperties", (double)vmap_len(k->v.map));
    check_required(k);
    check_dependent(k, val_get(k->schema, "dependencies"));
    check_members(k);
    if (k->resource->draft == 4)
        return;
    check_names(k, val_get(k->schema, "propertyNames"));
    if (k->resource->draft < 2019)
        return;
    check_dependent(k, val_get(k->schema, "dependentSchemas"));
    check_dependent(k, val_get(k->schema, "dependentRequired"));
}

/* --- arrays --- */
static struct schema_problem *check_item(struct check *k, const val *schema, size_t i)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%zu", i);
    struct schema_place place = {k->place, str_of(digits)};
    return check_value(k, schema, k->v.items[i], &place, NULL);
}

/* Elements from `from` on against one schema, or against false. */
static void check_rest(struct check *k, const val *schema, size_t from)
{
    for (size_t i = from; schema && i < k->v.n; i++) {
        add(k, check_item(k, schema, i));
        if (k->seen)
            k->seen[i] = true;
    }
}

static size_t check_prefix(struct check *k, const val *schemas)
{
    size_t i = 0;
    VAL_FOR (schemas, schema) {
        if (i >= k->v.n)
            break;
        add(k, check_item(k, schema, i));
        if (k->seen)
            k->seen[i] = true;
        i++;
    }
    return i;
}

static void check_items(struct check *k)
{
    const val *items = val_get(k->schema, "items");
    if (k->resource->draft >= 2020) {
        check_rest(k, items, check_prefix(k, val_get(k->schema, "prefixItems")));
        return;
    }
    if (!val_is_arr(items)) {
        check_rest(k, items, 0);
        return;
    }
    size_t n = check_prefix(k, items);
    const val *additional = val_get(k->schema, "additionalItems");
    if (val_is_bool(additional) && !val_bool(additional) && n < k->v.n) {
        struct buf b = {0};
        buf_printf(&b, "last %zu additionalItem(s) not allowed", k->v.n - n);
        add(k, problem(k, &b));
    } else if (val_is_obj(additional)) {
        check_rest(k, additional, n);
    }
}

static void check_unique(struct check *k)
{
    enum { MAX_ITEMS = 5000 }; /* they are compared in pairs */
    size_t n = k->v.n < MAX_ITEMS ? k->v.n : MAX_ITEMS;
    for (size_t i = 1; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (same_value(k->v.items[i], k->v.items[j])) {
                struct buf b = {0};
                buf_printf(&b, "items at %zu and %zu are equal", j, i);
                add(k, problem(k, &b));
                return;
            }
}

static void put_matched(struct buf *b, const struct buf *matched, size_t count)
{
    if (count == 0)
        buf_puts(b, " items required to match contains schema, but none matched");
    else
        buf_printf(b, " items required to match contains schema, but matched %zu items at %s",
                   count, buf_z(matched));
}

static void check_contains(struct check *k, const val *schema)
{
    struct schema_problem all = {0};
    struct buf matched = {0}, b = {0};
    size_t count = 0;
    double min = 1, max;
    bool has_min = k->resource->draft >= 2019 && limit(k, "minContains", &min);
    for (size_t i = 0; i < k->v.n; i++) {
        struct schema_problem *found = check_item(k, schema, i);
        if (found) {
            add_cause(&all, found);
            continue;
        }
        buf_printf(&matched, "%s%zu", count++ ? " " : "", i);
        if (k->seen && k->resource->draft >= 2020)
            k->seen[i] = true;
    }
    if (!has_min && count == 0)
        buf_puts(&b, "no items match contains schema");
    if (has_min && (double)count < min) {
        buf_printf(&b, "min %.0f", min);
        put_matched(&b, &matched, count);
    }
    if (b.n) {
        struct schema_problem *p = problem(k, &b);
        p->causes = all.causes;
        add(k, p);
    }
    if (k->resource->draft >= 2019 && limit(k, "maxContains", &max) && (double)count > max) {
        buf_printf(&b, "max %.0f", max);
        put_matched(&b, &matched, count);
        add(k, problem(k, &b));
    }
    buf_done(&matched);
}

static void check_array(struct check *k)
{
    check_size(k, "minItems", "maxItems", k->v.n);
    if (val_bool(val_get(k->schema, "uniqueItems")))
        check_unique(k);
    check_items(k);
    const val *contains = val_get(k->schema, "contains");
    if (contains && k->resource->draft >= 6)
        check_contains(k, contains);
}

/* --- strings and numbers --- */
static void check_string(struct check *k)
{
    struct str text = value_text(k->v);
    const val *pattern = val_get(k->schema, "pattern");
    check_size(k, "minLength", "maxLength", (double)rune_count(text));
    if (!val_is_str(pattern) || matches(val_str(pattern), text))
        return;
    struct buf b = {0};
    schema_put_quoted(&b, text);
    buf_puts(&b, " does not match pattern ");
    schema_put_quoted(&b, val_str(pattern));
    add(k, problem(k, &b));
}

static void check_number(struct check *k)
{
    double got = number_of(k->v), want;
    bool min_exclusive = VAL_BOOL(k->schema, "exclusiveMinimum"); /* draft 4 */
    bool max_exclusive = VAL_BOOL(k->schema, "exclusiveMaximum");
    if (limit(k, "minimum", &want) && (min_exclusive ? got <= want : got < want))
        add_limit(k, min_exclusive ? "exclusiveMinimum" : "minimum", got, want);
    if (limit(k, "maximum", &want) && (max_exclusive ? got >= want : got > want))
        add_limit(k, max_exclusive ? "exclusiveMaximum" : "maximum", got, want);
    if (limit(k, "exclusiveMinimum", &want) && got <= want)
        add_limit(k, "exclusiveMinimum", got, want);
    if (limit(k, "exclusiveMaximum", &want) && got >= want)
        add_limit(k, "exclusiveMaximum", got, want);
    if (limit(k, "multipleOf", &want) && want != 0) {
        double parts = got / want;
        if (fabs(parts - round(parts)) > 1e-9 * fmax(1, fabs(parts)))
            add_limit(k, "multipleOf", got, want);
    }
}

/* --- combinations --- */
static struct schema_problem *check_self(struct check *k, const val *schema)
{
    return check_value(k, schema, k->v, k->place, k->seen);
}

static void add_with_causes(struct check *k, const char *text, struct schema_problem *all)
{
    struct schema_problem *p = new_problem(k, SCHEMA_PLAIN, str_of(text));
    p->causes = all->causes;
    p->last_cause = all->last_cause;
    add(k, p);
}

static void check_all_of(struct check *k, const val *schemas)
{
    struct schema_problem all = {0};
    VAL_FOR (schemas, schema) {
        struct schema_problem *found = check_self(k, schema);
        if (found)
            add_cause(&all, found);
    }
    if (all.causes)
        add_with_causes(k, "'allOf' failed", &all);
}

static void check_any_of(struct check *k, const val *schemas)
{
    struct schema_problem all = {0};
    bool matched = val_len(schemas) == 0;
    VAL_FOR (schemas, schema) {
        struct schema_problem *found = check_self(k, schema);
        if (found)
            add_cause(&all, found);
        matched = matched || !found;
        if (matched && !k->seen)
            return;
    }
    if (!matched)
        add_with_causes(k, "'anyOf' failed", &all);
}

static void check_one_of(struct check *k, const val *schemas)
{
    struct schema_problem all = {0};
    int i = 0, first = -1;
    VAL_FOR (schemas, schema) {
        struct schema_problem *found = check_self(k, schema);
        if (found && first < 0)
            add_cause(&all, found);
        if (!found && first >= 0) {
            struct buf b = {0};
            buf_printf(&b, "'oneOf' failed, subschemas %d, %d matched", first, i);
            add(k, problem(k, &b));
            return;
        }
        if (!found)
            first = i;
        i++;
    }
    if (first < 0 && i > 0)
        add_with_causes(k, "'oneOf' failed, none matched", &all);
}

static void check_combinations(struct check *k)
{
    const val *not_schema = val_get(k->schema, "not"), *if_schema = val_get(k->schema, "if");
    if (not_schema && !check_self(k, not_schema))
        add_text(k, "'not' failed");
    check_all_of(k, val_get(k->schema, "allOf"));
    check_any_of(k, val_get(k->schema, "anyOf"));
    check_one_of(k, val_get(k->schema, "oneOf"));
    if (!if_schema || k->resource->draft < 7)
        return;
    const val *then = val_get(k->schema, check_self(k, if_schema) ? "else" : "then");
    if (then)
        add(k, check_self(k, then));
}

static void check_unevaluated(struct check *k)
{
    const val *members = val_get(k->schema, "unevaluatedProperties");
    const val *items = val_get(k->schema, "unevaluatedItems");
    if (members && value_kind(k->v) == KIND_MAP)
        for (size_t i = 0; i < vmap_len(k->v.map); i++) {
            struct schema_place place = {k->place, k->v.map->entries[i].key};
            if (!k->seen[i])
                add(k, check_value(k, members, k->v.map->entries[i].value, &place, NULL));
            k->seen[i] = true;
        }
    if (items && value_kind(k->v) == KIND_SLICE)
        for (size_t i = 0; i < k->v.n; i++) {
            if (!k->seen[i])
                add(k, check_item(k, items, i));
            k->seen[i] = true;
        }
}

/* --- a schema --- */
static size_t size_of(struct value v)
{
    return value_kind(v) == KIND_MAP ? vmap_len(v.map) : value_kind(v) == KIND_SLICE ? v.n : 0;
}

/* The keywords beside type, const, enum and an old draft's $ref. */
static struct schema_problem *check_keywords(struct check *k)
{
    bool recent = k->resource->draft >= 2019;
    const val *ref = val_get(k->schema, "$ref");
    if (val_is_str(ref) && recent)
        add(k, check_ref(k, val_str(ref)));
    if (value_kind(k->v) == KIND_MAP)
        check_object(k);
    else if (value_kind(k->v) == KIND_SLICE)
        check_array(k);
    else if (value_kind(k->v) == KIND_STRING)
        check_string(k);
    else if (is_number(k->v))
        check_number(k);
    static const char *const dynamic[] = {"$recursiveRef", "$dynamicRef"};
    for (size_t i = 0; recent && i < ARRAY_LEN(dynamic); i++) {
        const val *target = val_get(k->schema, dynamic[i]);
        if (val_is_str(target))
            add(k, check_ref(k, val_str(target)));
    }
    check_combinations(k);
    if (recent)
        check_unevaluated(k);
    if (!k->first || !k->first->next)
        return k->first;
    struct schema_problem *group = new_problem(k, SCHEMA_GROUP, STR("validation failed"));
    group->causes = k->first;
    group->last_cause = k->last;
    return group;
}

/* Has the same value come to the same schema, with nothing but references between? */
static bool is_cycle(const struct check *k)
{
    for (const struct check *o = k->outer; o && o->place == k->place; o = o->outer)
        if (o->schema == k->schema)
            return true;
    return false;
}

/* NULL: it fits. `seen`, when the outer schema asks for it, learns what was looked at. */
static struct schema_problem *check_value(const struct check *outer, const val *schema,
                                          struct value v, const struct schema_place *place,
                                          bool *seen)
{
    struct check k = {.outer = outer,
                      .set = outer->set,
                      .resource = schema_resource_of(outer->set, schema, outer->resource),
                      .schema = schema,
                      .v = v,
                      .place = place,
                      .depth = outer->depth + 1};
    if (val_is_bool(schema))
        return val_bool(schema) ? NULL : new_problem(&k, SCHEMA_PLAIN, STR("false schema"));
    if (is_cycle(&k))
        return new_problem(&k, SCHEMA_PLAIN, STR("references of the schema lead in a circle"));
    if (++k.set->checks > MAX_CHECKS)
        return new_problem(&k, SCHEMA_PLAIN, STR("the schema takes too many steps"));
    if (k.depth > MAX_DEPTH)
        return new_problem(&k, SCHEMA_PLAIN, STR("schema and value are nested too deep"));
    bool counts =
        seen || val_get(schema, "unevaluatedProperties") || val_get(schema, "unevaluatedItems");
    if (counts)
        k.seen = arena_zalloc(outer->set->cx->arena, size_of(v) + 1);
    const val *ref = val_get(schema, "$ref");
    bool only_ref = val_is_str(ref) && k.resource->draft < 2019;
    struct schema_problem *found = only_ref ? NULL : check_type(&k, val_get(schema, "type"));
    if (!found && k.resource->draft >= 6)
        found = check_const(&k, val_get(schema, "const"));
    if (!found && !only_ref)
        found = check_enum(&k, val_get(schema, "enum"));
    if (!found)
        found = only_ref ? check_ref(&k, val_str(ref)) : check_keywords(&k);
    for (size_t i = 0; !found && seen && i < size_of(v); i++)
        seen[i] = seen[i] || k.seen[i];
    return found;
}

/* --- charts --- */
int values_validate_schema(struct chart_ctx *cx, struct str schema, const struct vmap *values)
{
    struct doc d;
    struct err err;
    val *root;
    struct schema_set set;
    int status = 0;
    doc_init(&d);
    if (doc_parse_json(&d, schema, &root, &err) != 0)
        status = chart_fail(cx, "%s", err.message);
    else
        status = schema_set_init(&set, cx, root);
    if (status == 0) {
        struct check start = {.set = &set, .resource = &set.items[0]};
        struct value v = value_map(&type_map, (struct vmap *)values);
        struct schema_problem *found = check_value(&start, root, v, NULL, NULL);
        struct buf text = {0};
        if (found) {
            schema_put_problems(&text, found->kind == SCHEMA_GROUP ? found->causes : found, 0);
            status = chart_fail(cx, "%s\n", buf_z(&text));
        }
        buf_done(&text);
    }
    doc_done(&d);
    return status;
}

static void validate_all(struct chart_ctx *cx, const struct chart *c, const struct vmap *values,
                         struct buf *b)
{
    if (c->has_schema && values_validate_schema(cx, c->schema, values) != 0)
        buf_printf(b, "%.*s:\n%.*s", STR_ARG(c->meta.name), STR_ARG(cx->error));
    for (size_t i = 0; i < c->dep_count; i++) {
        const struct chart *sub = c->deps[i];
        struct value *v = vmap_get(values, sub->meta.name);
        if (!v || values_is_nil(*v))
            continue;
        if (values_is_table(*v))
            validate_all(cx, sub, v->map, b);
        else
            buf_printf(b, "%.*s:\ninvalid type for values: expected object (map), got %s\n",
                       STR_ARG(sub->meta.name), value_type_name(*v));
    }
}

int values_validate(struct chart_ctx *cx, const struct chart *c, const struct vmap *values)
{
    struct buf b = {0};
    validate_all(cx, c, values, &b);
    int status = b.n ? chart_fail(cx,
                                  "values don't meet the specifications of the schema(s) in the "
                                  "following chart(s):\n%s",
                                  buf_z(&b))
                     : 0;
    buf_done(&b);
    return status;
}
