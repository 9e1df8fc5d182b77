#include "functions.h"

#include "template/gofmt.h"

#define FUNCTION(id)                                                                               \
    static int id(struct tmpl_exec *x __attribute__((unused)),                                     \
                  const struct value *args __attribute__((unused)),                                \
                  size_t n __attribute__((unused)), struct value *ret)

FUNCTION(identity)
{
    *ret = args[0];
    return 0;
}

FUNCTION(list)
{
    *ret = value_slice_new(tmpl_arena(x), &type_list, n);
    for (size_t i = 0; i < n; i++)
        ret->items[i] = args[i];
    return 0;
}

FUNCTION(strs)
{
    *ret = value_slice_new(tmpl_arena(x), &type_strings, n);
    for (size_t i = 0; i < n; i++)
        ret->items[i] = args[i];
    return 0;
}

FUNCTION(dict)
{
    *ret = value_map_new(tmpl_arena(x), &type_map);
    for (size_t i = 0; i + 1 < n; i += 2)
        vmap_set(ret->map, gofmt_text(tmpl_arena(x), args[i]), args[i + 1]);
    return 0;
}

FUNCTION(set)
{
    if (args[0].map == NULL)
        return tmpl_fail(x, "assignment to entry in nil map");
    vmap_set(args[0].map, value_text(args[1]), args[2]);
    *ret = args[0];
    return 0;
}

FUNCTION(unset)
{
    vmap_del(args[0].map, value_text(args[1]));
    *ret = args[0];
    return 0;
}

FUNCTION(to_int64)
{
    *ret = value_int64(args[0].i);
    return 0;
}

FUNCTION(bytes)
{
    *ret = value_bytes(value_text(args[0]));
    return 0;
}

FUNCTION(join)
{
    struct buf b = {0};
    for (size_t i = 0; i < n; i++) {
        buf_puts(&b, i ? "," : "");
        buf_put(&b, value_text(args[i]));
    }
    *ret = tmpl_str(x, buf_str(&b));
    buf_done(&b);
    return 0;
}

FUNCTION(fail)
{
    (void)ret;
    return tmpl_fail_str(x, value_text(args[0]));
}

FUNCTION(make_nil)
{
    *ret = VALUE_NIL;
    return 0;
}

FUNCTION(nil_map)
{
    *ret = value_map(&type_map, NULL);
    return 0;
}

FUNCTION(nil_list)
{
    *ret = (struct value){.type = &type_list};
    return 0;
}

FUNCTION(make_error)
{
    *ret = value_error(tmpl_arena(x), value_text(args[0]));
    return 0;
}

FUNCTION(add_one)
{
    *ret = value_int(args[0].i + 1);
    return 0;
}

FUNCTION(make_func)
{
    static const struct gotype type = {.kind = KIND_FUNC, .name = "func(int) int"};
    static const struct func add = {"add", add_one, {&type_int}, &type_int};
    *ret = (struct value){.type = &type, .func = &add};
    return 0;
}

FUNCTION(duration)
{
    *ret = (struct value){.type = &type_duration, .i = args[0].i};
    return 0;
}

FUNCTION(values)
{
    static const struct gotype type = {
        .kind = KIND_MAP, .name = "template.valuesMap", .defined = true, .elem = &type_any};
    *ret = value_map(&type, args[0].map);
    return 0;
}

/* A Go struct S with methods on *S. */
static const struct gotype type_s, type_ps;

FUNCTION(hello)
{
    struct value name;
    if (!value_field(args[0], STR("Name"), &name))
        return tmpl_fail(x, "runtime error: invalid memory address or nil pointer dereference");
    struct buf b = {0};
    buf_puts(&b, "hello ");
    buf_put(&b, value_text(args[1]));
    buf_putc(&b, ' ');
    buf_put(&b, value_text(name));
    *ret = tmpl_str(x, buf_str(&b));
    buf_done(&b);
    return 0;
}

FUNCTION(get_name)
{
    if (!value_field(args[0], STR("Name"), ret))
        return tmpl_fail(x, "runtime error: invalid memory address or nil pointer dereference");
    return 0;
}

static const struct func methods[] = {
    {"Hello", hello, {&type_ps, &type_string}, &type_string},
    {"GetName", get_name, {&type_ps}, &type_string},
    {0},
};
static const struct gofield fields[] = {{"Name", &type_string}, {"Age", &type_int},
                                        {"Any", &type_any},     {"Kids", &type_strings},
                                        {"Next", &type_ps},     {0}};
static const struct gotype type_s = {
    .kind = KIND_STRUCT, .name = "template.S", .defined = true, .fields = fields};
static const struct gotype type_ps = {
    .kind = KIND_PTR, .name = "*template.S", .elem = &type_s, .methods = methods};

FUNCTION(object)
{
    *ret = value_struct_new(tmpl_arena(x), &type_ps);
    value_set_field(*ret, "Name", value_z("bob"));
    value_set_field(*ret, "Age", value_int(7));
    return 0;
}

const struct func test_funcs[] = {
    {"list", list, {&type_any}, &type_list, .variadic = true},
    {"strs", strs, {&type_string}, &type_strings, .variadic = true},
    {"dict", dict, {&type_any}, &type_map, .variadic = true},
    {"set", set, {&type_map, &type_string, &type_any}, &type_map},
    {"unset", unset, {&type_map, &type_string}, &type_map},
    {"int64", to_int64, {&type_int}, &type_int64},
    {"bytes", bytes, {&type_string}, &type_bytes},
    {"takesInt", identity, {&type_int}, &type_int},
    {"takesInt64", identity, {&type_int64}, &type_int64},
    {"takesU32", identity, {&type_uint32}, &type_uint32},
    {"takesU8", identity, {&type_uint8}, &type_uint8},
    {"takesFloat", identity, {&type_float64}, &type_float64},
    {"takesF32", identity, {&type_float32}, &type_float32},
    {"takesCplx", identity, {&type_complex128}, &type_complex128},
    {"takesStr", identity, {&type_string}, &type_string},
    {"takesMap", identity, {&type_map}, &type_map},
    {"takesList", identity, {&type_list}, &type_list},
    {"takesBool", identity, {&type_bool}, &type_bool},
    {"takesAny", identity, {&type_any}, &type_any},
    {"takesErr", identity, {&type_error_iface}, &type_error_iface},
    {"takesS", identity, {&type_s}, &type_s},
    {"takesPS", identity, {&type_ps}, &type_ps},
    {"two", join, {&type_string, &type_string}, &type_string},
    {"vs", join, {&type_string, &type_string}, &type_string, .variadic = true},
    {"fail", fail, {&type_string}, &type_string},
    {"mkNil", make_nil, {0}, &type_any},
    {"nilMap", nil_map, {0}, &type_map},
    {"nilList", nil_list, {0}, &type_list},
    {"mkErr", make_error, {&type_string}, &type_any},
    {"mkFn", make_func, {0}, &type_any},
    {"dur", duration, {&type_int64}, &type_duration},
    {"obj", object, {0}, &type_ps},
    {"values", values, {&type_map}, &type_any},
    {0},
};
