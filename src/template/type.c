/* type.c: the constant types of value.h, and looking into structs. */
#include "template/func.h"
#include "template/value.h"

#define BASIC(id, k, text) const struct gotype type_##id = {.kind = (k), .name = (text)}
#define SLICE(id, text, of)                                                                        \
    const struct gotype type_##id = {.kind = KIND_SLICE, .name = (text), .elem = &type_##of}

BASIC(any, KIND_INTERFACE, "interface {}");
BASIC(bool, KIND_BOOL, "bool");
BASIC(string, KIND_STRING, "string");
BASIC(int, KIND_INT, "int");
BASIC(int8, KIND_INT8, "int8");
BASIC(int16, KIND_INT16, "int16");
BASIC(int32, KIND_INT32, "int32");
BASIC(int64, KIND_INT64, "int64");
BASIC(uint, KIND_UINT, "uint");
BASIC(uint8, KIND_UINT8, "uint8");
BASIC(uint16, KIND_UINT16, "uint16");
BASIC(uint32, KIND_UINT32, "uint32");
BASIC(uint64, KIND_UINT64, "uint64");
BASIC(float32, KIND_FLOAT32, "float32");
BASIC(float64, KIND_FLOAT64, "float64");
BASIC(complex128, KIND_COMPLEX128, "complex128");
SLICE(bytes, "[]uint8", uint8);
SLICE(list, "[]interface {}", any);
SLICE(strings, "[]string", string);
SLICE(ints, "[]int", int);
SLICE(list_list, "[][]interface {}", list);
SLICE(map_list, "[]map[string]interface {}", map);

const struct gotype type_map = {
    .kind = KIND_MAP, .name = "map[string]interface {}", .elem = &type_any};
const struct gotype type_map_strings = {
    .kind = KIND_MAP, .name = "map[string]string", .elem = &type_string};
const struct gotype type_value = {.kind = KIND_STRUCT, .name = "reflect.Value", .defined = true};
const struct gotype type_error_iface = {.kind = KIND_INTERFACE, .name = "error", .defined = true};

static struct str error_text(struct arena *a, const struct value *v)
{
    (void)a;
    return value_error_text(*v);
}

static const struct gofield error_fields[] = {{"s", &type_string}, {0}};
static const struct gotype type_error_struct = {
    .kind = KIND_STRUCT, .name = "errors.errorString", .defined = true, .fields = error_fields};
static int error_method(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    (void)x, (void)n;
    *ret = value_str(value_error_text(args[0]));
    return 0;
}
static const struct func error_methods[] = {
    {"Error", error_method, {&type_error}, &type_string},
    {0},
};
const struct gotype type_error = {.kind = KIND_PTR,
                                  .name = "*errors.errorString",
                                  .elem = &type_error_struct,
                                  .methods = error_methods,
                                  .is_error = true,
                                  .string = error_text};

/* time.Duration.String, down to the last rule: "0s", fractions only below the second. */
static struct str duration_text(struct arena *a, const struct value *v)
{
    uint64_t u = v->i < 0 ? -(uint64_t)v->i : (uint64_t)v->i;
    char text[48];
    size_t at = sizeof(text);
    if (u == 0)
        return STR("0s");
    text[--at] = 's';
    int digits = 9;
    if (u < 1000000000) {
        digits = u < 1000 ? 0 : u < 1000000 ? 3 : 6;
        if (digits == 3) {
            text[--at] = (char)0xB5; /* µ */
            text[--at] = (char)0xC2;
        } else {
            text[--at] = digits == 0 ? 'n' : 'm';
        }
    }
    bool started = false;
    for (int i = 0; i < digits; i++, u /= 10) {
        started = started || u % 10 != 0;
        if (started)
            text[--at] = (char)('0' + u % 10);
    }
    if (started)
        text[--at] = '.';
    uint64_t rest = 0;
    char unit = 0;
    if (digits == 9) {
        rest = u / 60;
        u %= 60;
        unit = 'm';
    }
    do
        text[--at] = (char)('0' + u % 10);
    while (u /= 10);
    while (rest > 0 && unit) {
        uint64_t part = unit == 'm' ? rest % 60 : rest;
        rest = unit == 'm' ? rest / 60 : 0;
        text[--at] = unit;
        do
            text[--at] = (char)('0' + part % 10);
        while (part /= 10);
        unit = unit == 'm' ? 'h' : 0;
    }
    if (v->i < 0)
        text[--at] = '-';
    return arena_dup(a, (struct str){text + at, sizeof(text) - at});
}

const struct gotype type_duration = {
    .kind = KIND_INT64, .name = "time.Duration", .defined = true, .string = duration_text};

const char *gokind_name(enum gokind k)
{
    static const char *const names[] = {
        [KIND_INVALID] = "invalid", [KIND_BOOL] = "bool",
        [KIND_INT] = "int",         [KIND_INT8] = "int8",
        [KIND_INT16] = "int16",     [KIND_INT32] = "int32",
        [KIND_INT64] = "int64",     [KIND_UINT] = "uint",
        [KIND_UINT8] = "uint8",     [KIND_UINT16] = "uint16",
        [KIND_UINT32] = "uint32",   [KIND_UINT64] = "uint64",
        [KIND_UINTPTR] = "uintptr", [KIND_FLOAT32] = "float32",
        [KIND_FLOAT64] = "float64", [KIND_COMPLEX128] = "complex128",
        [KIND_STRING] = "string",   [KIND_INTERFACE] = "interface",
        [KIND_SLICE] = "slice",     [KIND_MAP] = "map",
        [KIND_STRUCT] = "struct",   [KIND_PTR] = "ptr",
        [KIND_FUNC] = "func",
    };
    return names[k];
}

struct value value_fit(struct value v)
{
    switch (value_kind(v)) {
    case KIND_INT8:
        v.i = (int8_t)v.i;
        break;
    case KIND_INT16:
        v.i = (int16_t)v.i;
        break;
    case KIND_INT32:
        v.i = (int32_t)v.i;
        break;
    case KIND_UINT8:
        v.u = (uint8_t)v.u;
        break;
    case KIND_UINT16:
        v.u = (uint16_t)v.u;
        break;
    case KIND_UINT32:
        v.u = (uint32_t)v.u;
        break;
    case KIND_FLOAT32:
        v.f = (float)v.f;
        break;
    default:
        break;
    }
    return v;
}

/* The struct type that holds the fields of v: its own, or the one that it points to. */
static const struct gotype *struct_type(const struct gotype *t)
{
    if (t != NULL && t->kind == KIND_PTR)
        t = t->elem;
    return t != NULL && t->kind == KIND_STRUCT ? t : NULL;
}

bool value_field(struct value v, struct str name, struct value *ret)
{
    const struct gotype *t = struct_type(v.type);
    if (t == NULL || t->fields == NULL || v.fields == NULL)
        return false;
    for (size_t i = 0; t->fields[i].name; i++) {
        if (!str_is(name, t->fields[i].name) || !gofield_exported(&t->fields[i]))
            continue;
        *ret = v.fields[i];
        if (ret->type == NULL)
            *ret = VALUE_NIL;
        ret->boxed = t->fields[i].type == &type_any;
        return true;
    }
    for (size_t i = 0; t->fields[i].name; i++)
        if (t->fields[i].embedded && value_field(v.fields[i], name, ret))
            return true;
    return false;
}

void value_set_field(struct value v, const char *name, struct value field)
{
    const struct gotype *t = struct_type(v.type);
    for (size_t i = 0; t->fields[i].name; i++) {
        if (strcmp(t->fields[i].name, name) == 0) {
            v.fields[i] = field;
            return;
        }
    }
}

const struct func *gotype_method(const struct gotype *t, struct str name)
{
    if (t == NULL)
        return NULL;
    for (const struct func *f = t->methods; f != NULL && f->name; f++)
        if (str_is(name, f->name))
            return f;
    return NULL;
}

size_t func_params(const struct func *f)
{
    size_t n = 0;
    while (n < FUNC_MAX_PARAMS && f->in[n])
        n++;
    return n;
}
