/* Values against a compiled schema: kube-openapi's validator (type, then compositions, strings,
 * formats, numbers, lists, enums, objects), its messages, and how apiextensions turns them into
 * field errors. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/crd/format.h"
#include "api/crd/schema.h"
#include "base/map.h"

struct validate {
    struct doc *d;
    val *causes;
    struct buf path;
};

static void value(struct validate *c, const struct crd_schema *s, const val *v, const val *old);

/* --- reporting --- */
__attribute__((format(printf, 4, 5))) static void report(struct validate *c, const char *reason,
                                                         const char *field, const char *format, ...)
{
    struct buf b = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    val *cause = val_new_obj(c->d);
    val_set_z(c->d, cause, "reason", reason);
    val_set_s(c->d, cause, "message", buf_str(&b));
    val_set_z(c->d, cause, "field", field);
    val_push(c->causes, cause);
    buf_done(&b);
}

/* `Invalid value: V: PATH in body TAIL` */
__attribute__((format(printf, 3, 4))) static void invalid(struct validate *c, const val *v,
                                                          const char *format, ...)
{
    struct buf text = {0}, tail = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&tail, format, args);
    va_end(args);
    val_write_json(v, &text);
    report(c, "FieldValueInvalid", buf_z(&c->path), "Invalid value: %s: %s in body %s",
           buf_z(&text), buf_z(&c->path), buf_z(&tail));
    buf_done(&text);
    buf_done(&tail);
}

static void wrong_type(struct validate *c, struct str wanted, struct str got)
{
    report(c, "FieldValueTypeInvalid", buf_z(&c->path),
           "Invalid value: \"%.*s\": %s in body must be of type %.*s: \"%.*s\"", STR_ARG(got),
           buf_z(&c->path), STR_ARG(wanted), STR_ARG(got));
}

/* Compositions speak of a place in words only: their field is Go's nil path. */
static void composite(struct validate *c, const char *what, const char *more)
{
    report(c, "FieldValueInvalid", "<nil>", "Invalid value: \"\": \"%s\" must %s%s",
           buf_z(&c->path), what, more);
}

/* Go's %v of a float64. */
static void put_real(double r, char *ret, size_t size)
{
    char text[40];
    int digits = 1;
    for (; digits < 17; digits++) {
        snprintf(text, sizeof(text), "%.*e", digits - 1, r);
        if (strtod(text, NULL) == r)
            break;
    }
    snprintf(text, sizeof(text), "%.*e", digits - 1, r);
    int exponent = atoi(strchr(text, 'e') + 1);
    if (exponent < -4 || exponent >= 6)
        snprintf(ret, size, "%s", text);
    else
        snprintf(ret, size, "%.*f", digits - 1 > exponent ? digits - 1 - exponent : 0, r);
}

/* --- types --- */
static bool is_int64(const val *v)
{
    return val_is_int(v) &&
           !(yyjson_mut_is_uint((val *)v) && yyjson_mut_get_uint((val *)v) > INT64_MAX);
}

static const char *json_type(const val *v)
{
    if (val_is_null(v))
        return "null";
    if (val_is_obj(v))
        return "object";
    if (val_is_arr(v))
        return "array";
    if (val_is_str(v))
        return "string";
    if (val_is_bool(v))
        return "boolean";
    return is_int64(v) ? "integer" : "number";
}

/* A number with a fraction of zero is an integer as far as JSON has exact ones. */
static bool is_whole(const val *v)
{
    const double most = 0x1p53 - 1;
    if (!val_is_num(v) || is_int64(v))
        return val_is_num(v);
    double r = val_real(v);
    return r >= -most && r <= most && floor(r) == r;
}

static bool type_fits(const struct crd_schema *s, const val *v)
{
    if (val_is_null(v))
        return s->nullable || (s->type == CRD_ANY && !s->int_or_string);
    if (s->int_or_string)
        return val_is_str(v) || is_whole(v);
    switch (s->type) {
    case CRD_ANY:
        return true;
    case CRD_OBJECT:
        return val_is_obj(v);
    case CRD_ARRAY:
        return val_is_arr(v);
    case CRD_STRING:
        return val_is_str(v);
    case CRD_INTEGER:
        return is_whole(v);
    case CRD_NUMBER:
        return val_is_num(v);
    case CRD_BOOLEAN:
        return val_is_bool(v);
    }
    return true;
}

static void check_type(struct validate *c, const struct crd_schema *s, const val *v)
{
    static const char *const names[] = {
        [CRD_ANY] = "any",         [CRD_OBJECT] = "object",   [CRD_ARRAY] = "array",
        [CRD_STRING] = "string",   [CRD_INTEGER] = "integer", [CRD_NUMBER] = "number",
        [CRD_BOOLEAN] = "boolean",
    };
    if (!type_fits(s, v))
        wrong_type(c, str_of(s->int_or_string ? "integer,string" : names[s->type]),
                   str_of(json_type(v)));
}

/* --- compositions --- */

/* What a schema says of the value, apart from the other findings. */
static val *findings(struct validate *c, const struct crd_schema *s, const val *v, const val *old)
{
    val *before = c->causes, *found = val_new_arr(c->d);
    c->causes = found;
    value(c, s, v, old);
    c->causes = before;
    return found;
}

static void append(struct validate *c, const val *found)
{
    VAL_FOR (found, cause)
        val_push(c->causes, val_copy(c->d, cause));
}

static void check_any_of(struct validate *c, const struct crd_schema *s, const val *v,
                         const val *old)
{
    const val *first = NULL;
    for (size_t i = 0; i < s->any_count; i++) {
        const val *found = findings(c, s->any_of[i], v, old);
        if (!val_len(found))
            return;
        first = first ? first : found;
    }
    if (!s->any_count)
        return;
    composite(c, "validate at least one schema (anyOf)", "");
    append(c, first);
}

static void check_one_of(struct validate *c, const struct crd_schema *s, const val *v,
                         const val *old)
{
    const val *first = NULL;
    size_t valid = 0;
    for (size_t i = 0; i < s->one_count; i++) {
        const val *found = findings(c, s->one_of[i], v, old);
        valid += val_len(found) == 0;
        first = first ? first : found;
    }
    if (!s->one_count || valid == 1)
        return;
    char more[64];
    if (valid)
        snprintf(more, sizeof(more), ". Found %zu valid alternatives", valid);
    else
        snprintf(more, sizeof(more), ". Found none valid");
    composite(c, "validate one and only one schema (oneOf)", more);
    if (!valid)
        append(c, first);
}

static void check_compositions(struct validate *c, const struct crd_schema *s, const val *v,
                               const val *old)
{
    size_t valid = 0;
    check_any_of(c, s, v, old);
    check_one_of(c, s, v, old);
    for (size_t i = 0; i < s->all_count; i++) {
        const val *found = findings(c, s->all_of[i], v, old);
        valid += val_len(found) == 0;
        append(c, found);
    }
    if (valid < s->all_count)
        composite(c, "validate all the schemas (allOf)", valid ? "" : ". None validated");
    if (s->not_of && !val_len(findings(c, s->not_of, v, NULL)))
        composite(c, "not validate the schema (not)", "");
}

/* --- scalars --- */
static size_t rune_count(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static void check_string(struct validate *c, const struct crd_schema *s, const val *v)
{
    struct str text = val_str(v);
    if (s->max_length.set && rune_count(text) > (size_t)s->max_length.integer)
        report(c, "FieldValueTooLong", buf_z(&c->path), "Too long: may not be more than %lld %s",
               (long long)s->max_length.integer, s->max_length.integer == 1 ? "byte" : "bytes");
    else if (s->min_length.set && rune_count(text) < (size_t)s->min_length.integer)
        invalid(c, v, "should be at least %lld chars long", (long long)s->min_length.integer);
    else if (s->pattern && !regex_match(s->pattern, text))
        invalid(c, v, "should match '%.*s'", STR_ARG(s->pattern_text));
    if (s->format.n && !crd_format_fits(s->format, text))
        wrong_type(c, s->format, text);
}

/* An integer is compared with what is left of the limit as an int64. */
static void limit_text(const struct crd_number *limit, const val *v, char *ret, size_t size)
{
    if (val_is_int(v))
        snprintf(ret, size, "%lld", (long long)limit->integer);
    else
        put_real(limit->value, ret, size);
}

static int compare(const val *v, const struct crd_number *limit)
{
    if (val_is_int(v)) {
        int64_t i = val_int(v);
        return i < limit->integer ? -1 : i > limit->integer;
    }
    double r = val_real(v);
    return r < limit->value ? -1 : r > limit->value;
}

static void check_multiple(struct validate *c, const struct crd_schema *s, const val *v)
{
    char text[64];
    bool whole = val_is_int(v);
    if (!s->multiple_of.set)
        return;
    if (whole ? s->multiple_of.integer <= 0 : s->multiple_of.value <= 0) {
        limit_text(&s->multiple_of, v, text, sizeof(text));
        report(c, "FieldValueInvalid", buf_z(&c->path),
               "Invalid value: %s: factor MultipleOf declared for %s must be positive: %s", text,
               buf_z(&c->path), text);
        return;
    }
    double times = val_real(v) / s->multiple_of.value;
    if (whole ? val_int(v) % s->multiple_of.integer == 0 : times == floor(times))
        return;
    limit_text(&s->multiple_of, v, text, sizeof(text));
    invalid(c, v, "should be a multiple of %s", text);
}

static void check_number(struct validate *c, const struct crd_schema *s, const val *v)
{
    char text[64];
    check_multiple(c, s, v);
    int order = s->minimum.set ? compare(v, &s->minimum) : 1;
    if (order < 0 || (order == 0 && s->exclusive_minimum)) {
        limit_text(&s->minimum, v, text, sizeof(text));
        invalid(c, v, "should be greater than %s%s", s->exclusive_minimum ? "" : "or equal to ",
                text);
    }
    order = s->maximum.set ? compare(v, &s->maximum) : -1;
    if (order > 0 || (order == 0 && s->exclusive_maximum)) {
        limit_text(&s->maximum, v, text, sizeof(text));
        invalid(c, v, "should be less than %s%s", s->exclusive_maximum ? "" : "or equal to ", text);
    }
}

static void check_enum(struct validate *c, const struct crd_schema *s, const val *v)
{
    if (!val_len(s->enums))
        return;
    struct buf b = {0};
    size_t n = 0;
    VAL_FOR (s->enums, e) {
        if (val_eq(e, v)) {
            buf_done(&b);
            return;
        }
        struct buf one = {0};
        val_write_json(e, &one);
        buf_puts(&b, n++ ? ", " : "");
        if (val_is_str(e))
            buf_put(&b, buf_str(&one));
        else
            val_write_json(val_new_str(c->d, buf_str(&one)), &b);
        buf_done(&one);
    }
    struct buf text = {0};
    val_write_json(v, &text);
    report(c, "FieldValueNotSupported", buf_z(&c->path),
           "Unsupported value: %s: supported values: %s", buf_z(&text), buf_z(&b));
    buf_done(&text);
    buf_done(&b);
}

/* --- lists --- */
static bool same_keys(const struct crd_schema *s, const val *a, const val *b)
{
    for (size_t i = 0; i < s->list_key_count; i++) {
        const val *x = val_get_str(a, s->list_keys[i]), *y = val_get_str(b, s->list_keys[i]);
        if (x && y ? !val_eq(x, y) : x != y)
            return false;
    }
    return true;
}

static const val *item_like(const struct crd_schema *s, const val *list, const val *item)
{
    if (s->map_list)
        VAL_FOR (list, other)
            if (same_keys(s, other, item))
                return other;
    return NULL;
}

static bool check_all_objects(struct validate *c, const val *v)
{
    size_t i = 0;
    VAL_FOR (v, item) {
        if (!val_is_obj(item) && !val_is_null(item)) {
            struct buf text = {0}, field = {0};
            val_write_json(item, &text);
            buf_printf(&field, "%s[%zu]", buf_z(&c->path), i);
            report(c, "FieldValueInvalid", buf_z(&field),
                   "Invalid value: %s: must be an object for an array of list-type map",
                   buf_z(&text));
            buf_done(&text);
            buf_done(&field);
            return false;
        }
        i++;
    }
    return true;
}

/* listtype.ValidateListSetsAndMaps: compares what identifies an item, as text, through a map. */
static void check_duplicates(struct validate *c, const struct crd_schema *s, const val *v)
{
    static const char once[] = "once", reported[] = "reported";
    struct map seen = {0};
    struct buf text = {0};
    size_t i = 0;
    if (s->map_list && !check_all_objects(c, v))
        return;
    VAL_FOR (v, item) {
        buf_clear(&text);
        if (s->map_list) {
            val *keys = val_new_obj(c->d);
            for (size_t k = 0; k < s->list_key_count; k++) {
                const val *key = val_get_str(item, s->list_keys[k]);
                if (key)
                    val_set_str(c->d, keys, s->list_keys[k], val_copy(c->d, key));
            }
            val_write_json(keys, &text);
        } else {
            val_write_json(item, &text);
        }
        size_t back = c->path.n;
        buf_printf(&c->path, "[%zu]", i++);
        const void *before = map_get(&seen, buf_str(&text));
        map_set(&seen, buf_str(&text), (void *)(before ? reported : once));
        if (before == once)
            report(c, "FieldValueDuplicate", buf_z(&c->path), "Duplicate value: %s", buf_z(&text));
        c->path.n = back;
        c->path.p[back] = '\0';
    }
    map_done(&seen);
    buf_done(&text);
}

static void too_many(struct validate *c, size_t got, int64_t most)
{
    report(c, "FieldValueTooMany", buf_z(&c->path), "Too many: %zu: must have at most %lld %s", got,
           (long long)most, most == 1 ? "item" : "items");
}

static void check_list(struct validate *c, const struct crd_schema *s, const val *v, const val *old)
{
    size_t n = val_len(v), i = 0;
    VAL_FOR (v, item) {
        size_t back = c->path.n;
        buf_printf(&c->path, "[%zu]", i++);
        if (s->items)
            value(c, s->items, item, old ? item_like(s, old, item) : NULL);
        c->path.n = back;
        c->path.p[back] = '\0';
    }
    if (s->min_items.set && (int64_t)n < s->min_items.integer)
        invalid(c, val_new_int(c->d, (int64_t)n), "should have at least %lld items",
                (long long)s->min_items.integer);
    if (s->max_items.set && (int64_t)n > s->max_items.integer)
        too_many(c, n, s->max_items.integer);
    if (s->set_list || s->map_list)
        check_duplicates(c, s, v);
}

/* --- objects --- */
static void check_required(struct validate *c, const struct crd_schema *s, const val *v)
{
    for (size_t i = 0; i < s->required_count; i++) {
        if (val_get_str(v, s->required[i]))
            continue;
        struct buf field = {0};
        buf_printf(&field, "%s%s%.*s", buf_z(&c->path), c->path.n ? "." : "",
                   STR_ARG(s->required[i]));
        report(c, "FieldValueRequired", buf_z(&field), "Required value");
        buf_done(&field);
    }
}

static void check_object(struct validate *c, const struct crd_schema *s, const val *v,
                         const val *old)
{
    size_t n = val_len(v);
    if (s->min_properties.set && (int64_t)n < s->min_properties.integer)
        invalid(c, val_new_int(c->d, (int64_t)n), "should have at least %lld properties",
                (long long)s->min_properties.integer);
    if (s->max_properties.set && (int64_t)n > s->max_properties.integer)
        too_many(c, n, s->max_properties.integer);
    check_required(c, s, v);
    VAL_EACH (v, key, member) {
        const struct crd_schema *inner = crd_schema_property(s, val_str(key));
        if (!inner)
            inner = s->additional;
        if (!inner)
            continue;
        size_t back = c->path.n;
        buf_printf(&c->path, "%s%.*s", back ? "." : "", STR_ARG(val_str(key)));
        value(c, inner, member, old ? val_get_str(old, val_str(key)) : NULL);
        c->path.n = back;
        c->path.p[back] = '\0';
    }
}

static void value(struct validate *c, const struct crd_schema *s, const val *v, const val *old)
{
    if (old && val_eq(v, old))
        return;
    check_type(c, s, v);
    if (val_is_null(v)) {
        if (!s->nullable)
            check_enum(c, s, v);
        return;
    }
    check_compositions(c, s, v, old);
    if (val_is_str(v))
        check_string(c, s, v);
    else if (val_is_num(v))
        check_number(c, s, v);
    else if (val_is_arr(v))
        check_list(c, s, v, old);
    check_enum(c, s, v);
    if (val_is_obj(v))
        check_object(c, s, v, old);
}

void crd_validate(const struct crd_schema *s, const val *v, const val *old, struct doc *d,
                  val *causes)
{
    struct validate c = {.d = d, .causes = causes};
    buf_puts(&c.path, "");
    value(&c, s, v, old);
    buf_done(&c.path);
}
