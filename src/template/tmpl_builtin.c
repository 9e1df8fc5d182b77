/* tmpl_builtin.c: text/template's functions on containers, and the print family. */
#include <math.h>

#include "template/gofmt.h"
#include "template/tmpl_internal.h"

/* Never called: the evaluator stops early. */
static int lazy(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    (void)x;
    *ret = n > 0 ? args[n - 1] : VALUE_NONE;
    return 0;
}

static int not_fn(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    (void)x, (void)n;
    *ret = value_bool(!value_truth(args[0]));
    return 0;
}

/* A struct for a pointer to it; *ret_nil: there is nothing at the end. */
static struct value indirect(struct value v, bool *ret_nil)
{
    enum gokind k = value_kind(v);
    v.boxed = false;
    *ret_nil = k == KIND_INTERFACE || (k == KIND_PTR && value_is_nil(v));
    if (k == KIND_PTR && !*ret_nil)
        v.type = v.type->elem;
    return v;
}

static int index_arg(struct tmpl_exec *x, struct value index, size_t cap, size_t *ret)
{
    enum gokind k = value_kind(index);
    if (k == KIND_INVALID)
        return tmpl_fail(x, "cannot index slice/array with nil");
    if (index.boxed || (!gokind_is_int(k) && !gokind_is_uint(k)))
        return tmpl_fail(x, "cannot index slice/array with type %s", value_static_type(index));
    if (index.i < 0 || (uint64_t)index.i > cap)
        return tmpl_fail(x, "index out of range: %lld", (long long)index.i);
    *ret = (size_t)index.i;
    return 0;
}

static int index_map(struct tmpl_exec *x, struct value map, struct value key, struct value *ret)
{
    if (key.type == NULL)
        return tmpl_fail(x, "value is nil; should be of type string");
    if (key.type != &type_string)
        return tmpl_fail(x, "value has type %s; should be string", key.type->name);
    struct value *found = vmap_get(map.map, value_text(key));
    *ret = found ? *found : value_zero(x->arena, map.type->elem);
    ret->boxed = map.type->elem == &type_any && ret->type != &type_any;
    return 0;
}

static int index_one(struct tmpl_exec *x, struct value item, struct value index, struct value *ret)
{
    size_t at;
    switch (value_kind(item)) {
    case KIND_SLICE:
        if (index_arg(x, index, item.n, &at) < 0)
            return -1;
        if (at == item.n)
            return tmpl_fail(x, "reflect: slice index out of range");
        *ret = value_at(item, at);
        ret->boxed = ret->boxed && ret->type != &type_any;
        return 0;
    case KIND_STRING:
        if (index_arg(x, index, item.n, &at) < 0)
            return -1;
        if (at == item.n)
            return tmpl_fail(x, "reflect: string index out of range");
        *ret = (struct value){.type = &type_uint8, .u = (uint8_t)item.p[at]};
        return 0;
    case KIND_MAP:
        return index_map(x, item, index, ret);
    default:
        return tmpl_fail(x, "can't index item of type %s", item.type->name);
    }
}

static int index_fn(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    struct value item = value_unboxed(args[0]);
    if (item.type == NULL)
        return tmpl_fail(x, "index of untyped nil");
    for (size_t i = 1; i < n; i++) {
        bool nil;
        item = indirect(item, &nil);
        if (nil)
            return tmpl_fail(x, "index of nil pointer");
        if (index_one(x, item, value_unboxed(args[i]), &item) < 0)
            return -1;
    }
    *ret = item;
    return 0;
}

static int slice_fn(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    struct value item = value_unboxed(args[0]);
    bool nil;
    if (item.type == NULL)
        return tmpl_fail(x, "slice of untyped nil");
    item = indirect(item, &nil);
    if (nil)
        return tmpl_fail(x, "slice of nil pointer");
    if (n > 4)
        return tmpl_fail(x, "too many slice indexes: %zu", n - 1);
    enum gokind k = value_kind(item);
    if (k == KIND_STRING && n == 4)
        return tmpl_fail(x, "cannot 3-index slice a string");
    if (k != KIND_STRING && k != KIND_SLICE)
        return tmpl_fail(x, "can't slice item of type %s", item.type->name);
    size_t at[3] = {0, item.n, item.n};
    for (size_t i = 1; i < n; i++) /* `slice`, unlike `index`, does not look into interfaces */
        if (index_arg(x, args[i], item.n, &at[i - 1]) < 0)
            return -1;
    if (at[0] > at[1])
        return tmpl_fail(x, "invalid slice index: %zu > %zu", at[0], at[1]);
    if (at[1] > at[2])
        return tmpl_fail(x, "invalid slice index: %zu > %zu", at[1], at[2]);
    if (k == KIND_STRING || item.type->elem->kind == KIND_UINT8)
        item.p += item.p ? at[0] : 0;
    else
        item.items += item.items ? at[0] : 0;
    item.n = (uint32_t)(at[1] - at[0]);
    *ret = item;
    return 0;
}

static int len_fn(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    (void)n;
    bool nil;
    struct value v = indirect(args[0], &nil);
    if (nil)
        return tmpl_fail(x, "len of nil pointer");
    switch (value_kind(v)) {
    case KIND_INVALID:
        return tmpl_fail(x, "reflect: call of reflect.Value.Type on zero Value");
    case KIND_MAP:
        *ret = value_int((int64_t)vmap_len(v.map));
        return 0;
    case KIND_SLICE:
    case KIND_STRING:
        *ret = value_int(v.n);
        return 0;
    default:
        return tmpl_fail(x, "len of type %s", v.type->name);
    }
}

int tmpl_call_fn(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    return tmpl_call_builtin(x, STR("function"), args, n, ret);
}

int tmpl_call_builtin(struct tmpl_exec *x, struct str callee, const struct value *args, size_t n,
                      struct value *ret)
{
    struct value f = value_unboxed(args[0]);
    if (f.type == NULL)
        return tmpl_fail(x, "call of nil");
    if (value_kind(f) != KIND_FUNC) {
        struct buf b = {0};
        buf_puts(&b, "non-function ");
        buf_put(&b, callee);
        buf_printf(&b, " of type %s", f.type->name);
        tmpl_fail_str(x, buf_str(&b));
        buf_done(&b);
        return -1;
    }
    if (f.func == NULL)
        return tmpl_fail(x, "reflect: call of nil function");
    struct func named = *f.func;
    named.name = arena_z(x->arena, callee);
    return func_call(x, &named, args + 1, n - 1, ret);
}

/* --- print --- */

static int printed(struct tmpl_exec *x, struct buf *b, struct value *ret)
{
    int rc = tmpl_spend(x, b->n);
    if (rc == 0)
        *ret = tmpl_str(x, buf_str(b));
    buf_done(b);
    return rc;
}

static int print_fn(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    struct buf b = {0};
    gofmt_print(x->arena, &b, args, n);
    return printed(x, &b, ret);
}

static int println_fn(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    struct buf b = {0};
    gofmt_println(x->arena, &b, args, n);
    return printed(x, &b, ret);
}

static int printf_fn(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    struct buf b = {0};
    gofmt_printf(x->arena, &b, value_text(args[0]), args + 1, n - 1);
    return printed(x, &b, ret);
}

const struct func tmpl_builtin_funcs[] = {
    {"and", lazy, {&type_value, &type_value}, &type_value, .variadic = true, .lazy = true},
    {"or", lazy, {&type_value, &type_value}, &type_value, .variadic = true, .lazy = true},
    {"not", not_fn, {&type_value}, &type_bool},
    {"call", tmpl_call_fn, {&type_value, &type_value}, &type_value, .variadic = true},
    {"index", index_fn, {&type_value, &type_value}, &type_value, .variadic = true},
    {"slice", slice_fn, {&type_value, &type_value}, &type_value, .variadic = true},
    {"len", len_fn, {&type_value}, &type_int},
    {"print", print_fn, {&type_any}, &type_string, .variadic = true},
    {"println", println_fn, {&type_any}, &type_string, .variadic = true},
    {"printf", printf_fn, {&type_string, &type_any}, &type_string, .variadic = true},
    {0},
};
