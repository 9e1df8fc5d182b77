/* Types from schemas, as k8s.io/apiserver/pkg/cel/common.SchemaDeclType makes them. */
#include <stdlib.h>

#include "cel/type.h"

/* Sizes of texts of a format, with their quotation marks. */
enum {
    DURATION_MAX = 32,
    DURATION_MIN = 3,
    DATE_TIME_MAX = 32,
    DATE_TIME_MIN = 21,
    DATE_SIZE = 12,
    STRING_MIN = 2,
    BOOL_MIN = 4,
    NUMBER_MIN = 1,
    MAX_TURNS = 64, /* nesting of schemas */
};

struct maker {
    struct arena *a;
    const struct schema *above[MAX_TURNS]; /* the built-in definitions that are being made */
    int depth;
};

uint64_t cel_max_cardinality(int64_t min_size)
{
    return (uint64_t)(CEL_REQUEST_BYTES / (min_size + 1));
}

static struct cel_type *declare(struct maker *m, enum cel_type_kind kind, int64_t min, int64_t max)
{
    struct cel_type *t = ARENA_NEW(m->a, struct cel_type);
    t->kind = kind;
    t->declared = true;
    t->min_size = min;
    t->max_elements = max;
    return t;
}

static int64_t limit(const val *schema, const char *key, int64_t otherwise, int64_t factor)
{
    const val *v = val_get(schema, key);
    if (!val_is_num(v))
        return otherwise;
    int64_t n = val_int(v), scaled;
    if (n < 0)
        return 0;
    return __builtin_mul_overflow(n, factor, &scaled) ? INT64_MAX : scaled;
}

static int64_t longest(const val *values)
{
    int64_t max = 0;
    VAL_FOR (values, v) {
        int64_t n = (int64_t)val_str(v).n;
        max = n > max ? n : max;
    }
    return max;
}

static struct cel_type *make_string(struct maker *m, const val *schema)
{
    struct str format = val_str(val_get(schema, "format"));
    struct cel_type *t;
    if (str_is(format, "byte")) {
        t = declare(m, CEL_T_BYTES, STRING_MIN,
                    limit(schema, "maxLength", CEL_REQUEST_BYTES - 2, 1));
        t->form = CEL_FORM_BYTE;
    } else if (str_is(format, "duration")) {
        t = declare(m, CEL_T_DURATION, DURATION_MIN, DURATION_MAX);
        t->form = CEL_FORM_DURATION;
    } else if (str_is(format, "date")) {
        t = declare(m, CEL_T_TIMESTAMP, DATE_SIZE, DATE_SIZE);
        t->form = CEL_FORM_DATE;
    } else if (str_is(format, "date-time")) {
        t = declare(m, CEL_T_TIMESTAMP, DATE_TIME_MIN, DATE_TIME_MAX);
        t->form = CEL_FORM_DATE_TIME;
    } else {
        const val *values = val_get(schema, "enum");
        int64_t otherwise = val_len(values) ? longest(values) : CEL_REQUEST_BYTES - 2;
        t = declare(m, CEL_T_STRING, STRING_MIN, limit(schema, "maxLength", otherwise, 4));
    }
    return t;
}

static int64_t max_items(int64_t item_size)
{
    return (CEL_REQUEST_BYTES - 2) / (item_size + 1);
}

static int64_t max_members(int64_t value_size)
{
    return (CEL_REQUEST_BYTES - 2) / (value_size + 6);
}

static struct cel_type *make(struct maker *m, const val *schema, bool root, struct str name);

static struct cel_type *make_nested(struct maker *m, const val *schema, struct str name,
                                    const char *suffix)
{
    bool embedded = val_bool(val_get(schema, "x-kubernetes-embedded-resource"));
    return make(m, schema, embedded, arena_printf(m->a, "%.*s%s", STR_ARG(name), suffix));
}

static struct str *copy_keys(struct maker *m, const val *keys)
{
    struct str *copy = arena_zalloc(m->a, (val_len(keys) + 1) * sizeof *copy);
    size_t n = 0;
    VAL_FOR (keys, key) {
        if (!cel_escape(m->a, val_str(key), &copy[n]))
            copy[n] = arena_dup(m->a, val_str(key));
        n++;
    }
    return copy;
}

static struct cel_type *make_array(struct maker *m, const val *schema, struct str name)
{
    const val *items = val_get(schema, "items");
    struct cel_type *item = items ? make_nested(m, items, name, ".@idx") : NULL;
    if (!item)
        return NULL;
    struct cel_type *t =
        declare(m, CEL_T_LIST, 2, limit(schema, "maxItems", max_items(item->min_size), 1));
    struct str list = val_str(val_get(schema, "x-kubernetes-list-type"));
    t->a = item;
    if (str_is(list, "set"))
        t->list = SCHEMA_LIST_SET;
    if (str_is(list, "map")) {
        const val *keys = val_get(schema, "x-kubernetes-list-map-keys");
        t->list = SCHEMA_LIST_MAP;
        t->list_keys = copy_keys(m, keys);
        t->list_key_count = val_len(keys);
    }
    return t;
}

static struct cel_type *make_map(struct maker *m, const val *schema, const val *values,
                                 struct str name)
{
    struct cel_type *value = make_nested(m, values, name, ".@elem");
    if (!value)
        return NULL;
    struct cel_type *t =
        declare(m, CEL_T_MAP, 2, limit(schema, "maxProperties", max_members(value->min_size), 1));
    t->a = declare(m, CEL_T_STRING, STRING_MIN, 0);
    t->b = value;
    return t;
}

struct fields {
    struct cel_field *p;
    size_t n;
};

/* Replaces a field of the same name. */
static void put_field(struct maker *m, struct fields *f, struct str name,
                      const struct cel_type *type)
{
    struct cel_field field = {.json_name = arena_dup(m->a, name), .type = type};
    if (!type || !cel_escape(m->a, field.json_name, &field.name))
        return;
    for (size_t i = 0; i < f->n; i++) {
        if (str_eq(f->p[i].json_name, name)) {
            f->p[i] = field;
            return;
        }
    }
    f->p[f->n++] = field;
}

static int by_name(const void *x, const void *y)
{
    return str_cmp(((const struct cel_field *)x)->name, ((const struct cel_field *)y)->name);
}

static struct cel_type *finish_object(struct maker *m, struct fields f, int64_t size,
                                      struct str name)
{
    struct cel_type *t = declare(m, CEL_T_STRUCT, size, 0);
    t->name = arena_dup(m->a, name);
    t->object = true;
    qsort(f.p, f.n, sizeof *f.p, by_name);
    t->fields = f.p;
    t->field_count = f.n;
    return t;
}

/* What the root of a resource has whatever its schema says. */
static void put_root_fields(struct maker *m, struct fields *f, struct str name)
{
    const struct cel_type *text = declare(m, CEL_T_STRING, STRING_MIN, CEL_REQUEST_BYTES - 2);
    struct fields meta = {arena_zalloc(m->a, 2 * sizeof *meta.p), 0};
    put_field(m, &meta, STR("name"), text);
    put_field(m, &meta, STR("generateName"), text);
    put_field(m, f, STR("kind"), text);
    put_field(m, f, STR("apiVersion"), text);
    put_field(m, f, STR("metadata"),
              finish_object(m, meta, 2, arena_printf(m->a, "%.*s.metadata", STR_ARG(name))));
}

static bool is_required(const val *required, struct str name)
{
    VAL_FOR (required, item)
        if (str_eq(val_str(item), name))
            return true;
    return false;
}

/* Only members that a client has to write count: the server adds those that have a default. */
static int64_t member_size(const val *schema, const val *property, struct str name,
                           const struct cel_type *t)
{
    if (!t || val_get(property, "default") || !is_required(val_get(schema, "required"), name))
        return 0;
    return (int64_t)name.n + t->min_size + 4;
}

static struct cel_type *make_object(struct maker *m, const val *schema, bool root, struct str name)
{
    const val *values = val_get(schema, "additionalProperties");
    const val *properties = val_get(schema, "properties");
    int64_t size = 2;
    if (val_is_obj(values) && !root)
        return make_map(m, schema, values, name);
    struct fields f = {arena_zalloc(m->a, (val_len(properties) + 4) * sizeof *f.p), 0};
    VAL_EACH (properties, key, property) {
        struct str field = val_str(key);
        const char *suffix = arena_z(m->a, arena_printf(m->a, ".%.*s", STR_ARG(field)));
        const struct cel_type *t = make_nested(m, property, name, suffix);
        put_field(m, &f, field, t);
        size += member_size(schema, property, field, t);
    }
    if (root)
        put_root_fields(m, &f, name);
    return finish_object(m, f, size, name);
}

static struct cel_type *make(struct maker *m, const val *schema, bool root, struct str name)
{
    struct str type = val_str(val_get(schema, "type"));
    struct cel_type *t = NULL;
    if (m->depth == MAX_TURNS)
        return NULL;
    m->depth++;
    if (val_bool(val_get(schema, "x-kubernetes-int-or-string"))) {
        t = declare(m, CEL_T_DYN, NUMBER_MIN, limit(schema, "maxLength", CEL_REQUEST_BYTES - 2, 4));
        t->form = CEL_FORM_INT_OR_STRING;
    } else if (str_is(type, "array")) {
        t = make_array(m, schema, name);
    } else if (str_is(type, "object") || root) {
        t = make_object(m, schema, root, name);
    } else if (str_is(type, "string")) {
        t = make_string(m, schema);
    } else if (str_is(type, "boolean")) {
        t = declare(m, CEL_T_BOOL, BOOL_MIN, 0);
    } else if (str_is(type, "number")) {
        t = declare(m, CEL_T_DOUBLE, NUMBER_MIN, 0);
    } else if (str_is(type, "integer")) {
        t = declare(m, CEL_T_INT, NUMBER_MIN, 0);
    }
    m->depth--;
    if (t)
        t->nullable = val_bool(val_get(schema, "nullable"));
    return t;
}

const struct cel_type *cel_type_of_openapi(struct arena *a, const val *schema, bool root,
                                           struct str name)
{
    struct maker m = {.a = a};
    return make(&m, schema, root, name);
}

/* --- built-in kinds --- */
static const struct cel_type *make_builtin(struct maker *m, const struct schema *s,
                                           struct str name);

static const struct cel_type *make_fields(struct maker *m, const struct schema *s, struct str name)
{
    struct fields f = {arena_zalloc(m->a, (s->by_name_count + 1u) * sizeof *f.p), 0};
    for (size_t i = 0; i < s->by_name_count; i++) {
        struct str field = str_of(s->by_name[i]->name);
        struct str inner = arena_printf(m->a, "%.*s.%.*s", STR_ARG(name), STR_ARG(field));
        put_field(m, &f, field, make_builtin(m, s->by_name[i]->schema, inner));
    }
    return finish_object(m, f, 2, s->name ? str_of(s->name) : name);
}

static const struct cel_type *make_many(struct maker *m, const struct schema *s, struct str name)
{
    bool array = s->type == SCHEMA_ARRAY;
    const struct cel_type *item = make_builtin(m, s->items, name);
    struct cel_type *t = declare(m, array ? CEL_T_LIST : CEL_T_MAP, 2,
                                 array ? max_items(item->min_size) : max_members(item->min_size));
    t->a = array ? item : declare(m, CEL_T_STRING, STRING_MIN, 0);
    t->b = array ? NULL : item;
    return t;
}

static const struct cel_type *make_plain(struct maker *m, const struct schema *s)
{
    struct cel_type *t;
    switch (s->type) {
    case SCHEMA_BOOL:
        return declare(m, CEL_T_BOOL, BOOL_MIN, 0);
    case SCHEMA_INT32:
    case SCHEMA_INT64:
        return declare(m, CEL_T_INT, NUMBER_MIN, 0);
    case SCHEMA_DOUBLE:
        return declare(m, CEL_T_DOUBLE, NUMBER_MIN, 0);
    case SCHEMA_BYTES:
        t = declare(m, CEL_T_BYTES, STRING_MIN, CEL_REQUEST_BYTES - 2);
        t->form = CEL_FORM_BYTE;
        return t;
    case SCHEMA_TIME:
    case SCHEMA_MICRO_TIME:
        t = declare(m, CEL_T_TIMESTAMP, DATE_TIME_MIN, DATE_TIME_MAX);
        t->form = CEL_FORM_DATE_TIME;
        t->nullable = true;
        return t;
    case SCHEMA_INT_OR_STRING:
        t = declare(m, CEL_T_DYN, NUMBER_MIN, CEL_REQUEST_BYTES - 2);
        t->form = CEL_FORM_INT_OR_STRING;
        return t;
    case SCHEMA_STRING:
    case SCHEMA_QUANTITY: /* OpenAPI calls both, and durations, strings without a format */
    case SCHEMA_DURATION:
        return declare(m, CEL_T_STRING, STRING_MIN, CEL_REQUEST_BYTES - 2);
    default:
        return declare(m, CEL_T_DYN, NUMBER_MIN, 0);
    }
}

static const struct cel_type *make_builtin(struct maker *m, const struct schema *s, struct str name)
{
    const struct cel_type *t;
    for (int i = 0; i < m->depth; i++)
        if (m->above[i] == s)
            return declare(m, CEL_T_DYN, NUMBER_MIN, 0);
    if (m->depth == MAX_TURNS)
        return declare(m, CEL_T_DYN, NUMBER_MIN, 0);
    m->above[m->depth++] = s;
    if (s->type == SCHEMA_OBJECT)
        t = make_fields(m, s, name);
    else if (s->type == SCHEMA_ARRAY || s->type == SCHEMA_MAP)
        t = make_many(m, s, name);
    else
        t = make_plain(m, s);
    m->depth--;
    return t;
}

const struct cel_type *cel_type_of_schema(struct arena *a, const struct schema *schema,
                                          struct str name)
{
    struct maker m = {.a = a};
    return make_builtin(&m, schema, name);
}
