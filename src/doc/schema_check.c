/* What a Go decoder of the kind's types would say about a document: k8s.io/apimachinery's JSON
 * serializer over sigs.k8s.io/json, case-sensitive, integers kept. */
#include "doc/schema.h"
#include "doc/schema_internal.h"

#include <stdio.h>

enum { STRICT_MAX = 100, SMALL_OBJECT = 16, GO_TYPE_MAX = 256 };

struct check {
    struct doc *d;
    struct buf *strict; /* NULL: nobody asks */
    size_t strict_count;
    struct buf path;         /* for strict errors: "spec.containers[0].name" */
    struct buf go_path;      /* for type errors: without indices and map keys */
    const struct schema *in; /* the innermost struct, or NULL */
    struct err *err;
};

static int check_value(struct check *c, const struct schema *s, const char *go, val *v);

/* --- duplicates --- */
bool schema_seen_before(const val *obj, const val *key, struct map *seen)
{
    struct str name = val_str(key);
    if (val_len(obj) > SMALL_OBJECT)
        return map_set(seen, name, seen) != NULL;
    VAL_EACH(obj, other, member)
    {
        if (other == key)
            return false;
        if (str_eq(val_str(other), name))
            return true;
    }
    return false;
}

void schema_drop_duplicates(val *obj)
{
    struct map left = {0};
    VAL_EACH(obj, key, member)
    {
        uintptr_t count = (uintptr_t)map_get(&left, val_str(key));
        map_set(&left, val_str(key), (void *)(count + 1));
    }
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(obj);
    for (val *key; (key = yyjson_mut_obj_iter_next(&it));) {
        uintptr_t count = (uintptr_t)map_get(&left, val_str(key));
        if (count < 2)
            continue;
        map_set(&left, val_str(key), (void *)(count - 1));
        yyjson_mut_obj_iter_remove(&it);
    }
    map_done(&left);
}

/* --- errors --- */

/* strconv.Quote, for what JSON keys hold. */
static void put_quoted(struct buf *b, struct str s)
{
    buf_putc(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        if (ch == '"' || ch == '\\')
            buf_printf(b, "\\%c", ch);
        else if (ch == '\n' || ch == '\t' || ch == '\r')
            buf_puts(b, ch == '\n' ? "\\n" : ch == '\t' ? "\\t" : "\\r");
        else if (ch < 0x20 || ch == 0x7f)
            buf_printf(b, "\\x%02x", ch);
        else
            buf_putc(b, (char)ch);
    }
    buf_putc(b, '"');
}

static bool has_line(const struct buf *lines, struct str line)
{
    struct str rest = buf_str(lines), one;
    while (str_next(&rest, '\n', &one))
        if (str_eq(one, line))
            return true;
    return false;
}

static void strict_error(struct check *c, const char *what, struct str name)
{
    if (!c->strict || c->strict_count >= STRICT_MAX)
        return;
    CLEANUP(buf_done) struct buf line = {0};
    size_t back = path_push(&c->path, name);
    buf_printf(&line, "%s field ", what);
    put_quoted(&line, buf_str(&c->path));
    path_pop(&c->path, back);
    if (has_line(c->strict, buf_str(&line)))
        return;
    c->strict_count++;
    buf_put(c->strict, buf_str(&line));
    buf_putc(c->strict, '\n');
}

/* The name of the Go type that a schema was made from: "v1.PodSpec", "[]v1.Container". */
static void go_type_name(const struct schema *s, char *ret, size_t size)
{
    static const char *const scalars[] = {
        [SCHEMA_STRING] = "string", [SCHEMA_BYTES] = "[]uint8", [SCHEMA_BOOL] = "bool",
        [SCHEMA_INT32] = "int32",   [SCHEMA_INT64] = "int64",   [SCHEMA_DOUBLE] = "float64",
    };
    size_t n = 0;
    while ((s->type == SCHEMA_ARRAY || s->type == SCHEMA_MAP) && n + 16 < size) {
        n += (size_t)snprintf(ret + n, size - n, "%s",
                              s->type == SCHEMA_ARRAY ? "[]" : "map[string]");
        s = s->items;
    }
    const char *name = s->name;
    if (name) {
        const char *end = strrchr(name, '.');
        const char *start = end;
        while (start && start > name && start[-1] != '.')
            start--;
        snprintf(ret + n, size - n, "%s", start ? start : name);
    } else {
        bool scalar = s->type < ARRAY_LEN(scalars) && scalars[s->type];
        snprintf(ret + n, size - n, "%s", scalar ? scalars[s->type] : "interface {}");
    }
}

static int type_error(struct check *c, const char *value, const struct schema *s, const char *go)
{
    char type[GO_TYPE_MAX];
    if (!go)
        go_type_name(s, type, sizeof(type));
    const char *name = go ? go : type;
    if (!c->in)
        return err_bad(c->err, "json: cannot unmarshal %s into Go value of type %s", value, name);
    const char *in = strrchr(c->in->name ? c->in->name : "", '.');
    return err_bad(c->err, "json: cannot unmarshal %s into Go struct field %s.%s of type %s", value,
                   in ? in + 1 : "", buf_z(&c->go_path), name);
}

/* --- scalars --- */
static bool int_fits(const val *v, bool wide)
{
    if (!val_is_int(v))
        return false;
    if (yyjson_mut_is_uint((val *)v))
        return yyjson_mut_get_uint((val *)v) <= (wide ? (uint64_t)INT64_MAX : INT32_MAX);
    return wide || val_int(v) >= INT32_MIN;
}

static void number_text(const val *v, char *ret, size_t size)
{
    CLEANUP(buf_done) struct buf b = {0};
    val_write_json(v, &b);
    snprintf(ret, size, "number %s", buf_z(&b));
}

static int check_int(struct check *c, const struct schema *s, const char *go, const val *v)
{
    if (!val_is_num(v))
        return type_error(c, val_type_name(v), s, go);
    if (int_fits(v, s->type == SCHEMA_INT64))
        return 0;
    char text[64];
    number_text(v, text, sizeof(text));
    return type_error(c, text, s, go);
}

static int check_int_or_string(struct check *c, const struct schema *s, const val *v)
{
    if (val_is_str(v) || int_fits(v, false))
        return 0;
    char text[64];
    if (val_is_num(v))
        number_text(v, text, sizeof(text));
    else
        snprintf(text, sizeof(text), "%s", val_type_name(v));
    return type_error(c, text, s, "int32");
}

static int check_text(struct check *c, const struct schema *s, const char *go, val *v)
{
    if (!val_is_str(v) && s->type != SCHEMA_QUANTITY)
        return s->type == SCHEMA_BYTES ? type_error(c, val_type_name(v), s, go)
                                       : type_error(c, val_type_name(v), s, "string");
    return schema_canonical(s, c->d, v, c->err);
}

void schema_set_zero(const struct schema *s, val *v)
{
    switch (s->type) {
    case SCHEMA_OBJECT:
        yyjson_mut_set_obj(v);
        return;
    case SCHEMA_STRING:
        yyjson_mut_set_strn(v, "", 0);
        return;
    case SCHEMA_BOOL:
        yyjson_mut_set_bool(v, false);
        return;
    case SCHEMA_INT32:
    case SCHEMA_INT64:
    case SCHEMA_DOUBLE:
    case SCHEMA_INT_OR_STRING:
        yyjson_mut_set_uint(v, 0);
        return;
    case SCHEMA_QUANTITY:
        yyjson_mut_set_strn(v, "0", 1);
        return;
    case SCHEMA_DURATION:
        yyjson_mut_set_strn(v, "0s", 2);
        return;
    default:
        yyjson_mut_set_null(v);
    }
}

/* --- containers --- */

/* A named element type, out of "[]v1.Capability" or "map[string]v1.ExtraValue". */
static const char *element_go(const char *go)
{
    if (!go)
        return NULL;
    if (strncmp(go, "[]", 2) == 0)
        return go + 2;
    return strncmp(go, "map[", 4) == 0 && strchr(go, ']') ? strchr(go, ']') + 1 : NULL;
}

static int check_array(struct check *c, const struct schema *s, const char *go, val *v)
{
    if (!val_is_arr(v))
        return type_error(c, val_type_name(v), s, go);
    size_t i = 0;
    VAL_FOR(v, item)
    {
        size_t back = path_push_index(&c->path, i++);
        if (val_is_null(item))
            schema_set_zero(s->items, item);
        else if (check_value(c, s->items, element_go(go), item) < 0)
            return -1;
        path_pop(&c->path, back);
    }
    return 0;
}

static int check_map(struct check *c, const struct schema *s, const char *go, val *v,
                     struct map *seen, bool *ret_duplicates)
{
    VAL_EACH(v, key, member)
    {
        if (schema_seen_before(v, key, seen)) {
            strict_error(c, "duplicate", val_str(key));
            *ret_duplicates = true;
        }
        size_t back = path_push(&c->path, val_str(key));
        if (val_is_null(member))
            schema_set_zero(s->items, member);
        else if (check_value(c, s->items, element_go(go), member) < 0)
            return -1;
        path_pop(&c->path, back);
    }
    return 0;
}

static int check_member(struct check *c, const struct schema_field *f, val *member)
{
    size_t back = path_push(&c->path, str_of(f->name));
    size_t go_back = path_push(&c->go_path, str_of(f->name));
    if (check_value(c, f->schema, f->go_type, member) < 0)
        return -1;
    path_pop(&c->path, back);
    path_pop(&c->go_path, go_back);
    return 0;
}

static int check_fields(struct check *c, const struct schema *s, val *v, struct map *seen,
                        bool *ret_duplicates)
{
    const struct schema *outer = c->in;
    c->in = s;
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(v);
    for (val *key; (key = yyjson_mut_obj_iter_next(&it));) {
        const struct schema_field *f = schema_field(s, val_str(key));
        if (!f && s->preserve_unknown)
            continue;
        if (!f) {
            strict_error(c, "unknown", val_str(key));
            yyjson_mut_obj_iter_remove(&it);
            continue;
        }
        if (schema_seen_before(v, key, seen)) {
            strict_error(c, "duplicate", val_str(key));
            *ret_duplicates = true;
        }
        val *member = yyjson_mut_obj_iter_get_val(key);
        if (val_is_null(member))
            yyjson_mut_obj_iter_remove(&it);
        else if (check_member(c, f, member) < 0)
            return -1;
    }
    c->in = outer;
    return 0;
}

static int check_object(struct check *c, const struct schema *s, const char *go, val *v)
{
    if (!val_is_obj(v))
        return type_error(c, val_type_name(v), s, go);
    struct map seen = {0};
    bool duplicates = false;
    int status = s->type == SCHEMA_MAP ? check_map(c, s, go, v, &seen, &duplicates)
                                       : check_fields(c, s, v, &seen, &duplicates);
    map_done(&seen);
    if (duplicates)
        schema_drop_duplicates(v);
    return status;
}

/* apiextensions' JSONSchemaPropsOr… types. */
static int check_either(struct check *c, const struct schema *s, val *v)
{
    if (val_is_obj(v))
        return check_value(c, s->items, NULL, v);
    if (s->type == SCHEMA_PROPS_OR_BOOL)
        return val_is_bool(v) ? 0 : err_bad(c->err, "boolean or JSON schema expected");
    if (!val_is_arr(v))
        return type_error(c, val_type_name(v), s,
                          s->type == SCHEMA_PROPS_OR_ARRAY ? "[]v1.JSONSchemaProps" : "[]string");
    VAL_FOR(v, item)
    {
        if (s->type == SCHEMA_PROPS_OR_ARRAY) {
            if (check_value(c, s->items, NULL, item) < 0)
                return -1;
        } else if (!val_is_str(item)) {
            return type_error(c, val_type_name(item), s, "string");
        }
    }
    return 0;
}

static int check_value(struct check *c, const struct schema *s, const char *go, val *v)
{
    switch (s->type) {
    case SCHEMA_OBJECT:
    case SCHEMA_MAP:
        return check_object(c, s, go, v);
    case SCHEMA_ARRAY:
        return check_array(c, s, go, v);
    case SCHEMA_STRING:
        return val_is_str(v) ? 0 : type_error(c, val_type_name(v), s, go);
    case SCHEMA_BOOL:
        return val_is_bool(v) ? 0 : type_error(c, val_type_name(v), s, go);
    case SCHEMA_INT32:
    case SCHEMA_INT64:
        return check_int(c, s, go, v);
    case SCHEMA_DOUBLE:
        return val_is_num(v) ? 0 : type_error(c, val_type_name(v), s, go);
    case SCHEMA_BYTES:
    case SCHEMA_QUANTITY:
    case SCHEMA_TIME:
    case SCHEMA_MICRO_TIME:
    case SCHEMA_DURATION:
        return check_text(c, s, go, v);
    case SCHEMA_INT_OR_STRING:
        return check_int_or_string(c, s, v);
    case SCHEMA_PROPS_OR_BOOL:
    case SCHEMA_PROPS_OR_ARRAY:
    case SCHEMA_PROPS_OR_STRINGS:
        return check_either(c, s, v);
    case SCHEMA_FIELDS_V1:
    case SCHEMA_RAW:
        return 0;
    }
    return 0;
}

int schema_check(const struct schema *s, struct doc *d, val *v, struct buf *strict, struct err *err)
{
    if (s->custom)
        return s->custom->check(s, d, v, strict, err);
    struct check c = {.d = d, .strict = strict, .err = err};
    int status = check_value(&c, s, NULL, v);
    buf_done(&c.path);
    buf_done(&c.go_path);
    return status;
}
