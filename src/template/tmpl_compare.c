/* tmpl_compare.c: eq, ne, lt, le, gt, ge. */
#include "template/gofmt.h"
#include "template/tmpl_internal.h"

enum basic {
    BASIC_NONE,
    BASIC_BOOL,
    BASIC_COMPLEX,
    BASIC_INT,
    BASIC_FLOAT,
    BASIC_STRING,
    BASIC_UINT
};

static enum basic basic_kind(struct value v)
{
    enum gokind k = value_kind(v);
    if (gokind_is_int(k))
        return BASIC_INT;
    if (gokind_is_uint(k))
        return BASIC_UINT;
    if (gokind_is_float(k))
        return BASIC_FLOAT;
    return k == KIND_BOOL         ? BASIC_BOOL
           : k == KIND_STRING     ? BASIC_STRING
           : k == KIND_COMPLEX128 ? BASIC_COMPLEX
                                  : BASIC_NONE;
}

/* Go's Type.Comparable. */
static bool is_comparable(const struct gotype *t)
{
    if (t->kind == KIND_SLICE || t->kind == KIND_MAP || t->kind == KIND_FUNC)
        return false;
    for (const struct gofield *f = t->kind == KIND_STRUCT ? t->fields : NULL; f && f->name; f++)
        if (!is_comparable(f->type))
            return false;
    return true;
}

static int fail_values(struct tmpl_exec *x, const char *format, const struct value *args, size_t n)
{
    struct buf b = {0};
    gofmt_printf(x->arena, &b, str_of(format), args, n);
    tmpl_fail_str(x, buf_str(&b));
    buf_done(&b);
    return -1;
}

static int incompatible(struct tmpl_exec *x, struct value a, struct value b)
{
    return tmpl_fail(x, "incompatible types for comparison: %s and %s", a.type->name, b.type->name);
}

/* Values that are not basic: nil, or of comparable types. */
static int eq_other(struct tmpl_exec *x, struct value a, struct value b, bool *ret)
{
    enum gokind ka = value_kind(a), kb = value_kind(b);
    if (ka != kb && ka != KIND_INVALID && kb != KIND_INVALID) {
        struct value args[] = {a, value_z(a.type->name), value_z(b.type->name), b};
        return fail_values(x, "non-comparable types %s: %v, %s: %v", args, ARRAY_LEN(args));
    }
    if (value_is_nil(a) || value_is_nil(b)) {
        *ret = value_is_nil(a) == value_is_nil(b);
        return 0;
    }
    if (!is_comparable(b.type)) {
        struct value args[] = {b, value_z(b.type->name)};
        return fail_values(x, "non-comparable type %s: %v", args, ARRAY_LEN(args));
    }
    if (a.type != b.type)
        *ret = false;
    else if (ka == KIND_PTR)
        *ret = a.fields == b.fields;
    else
        *ret = value_deep_equal(a, b);
    return 0;
}

static int eq_pair(struct tmpl_exec *x, struct value a, struct value b, bool *ret)
{
    enum basic ka = basic_kind(a), kb = basic_kind(b);
    *ret = false;
    if (ka == BASIC_INT && kb == BASIC_UINT)
        *ret = a.i >= 0 && a.u == b.u;
    else if (ka == BASIC_UINT && kb == BASIC_INT)
        *ret = b.i >= 0 && a.u == b.u;
    else if (ka != kb)
        return a.type && b.type ? incompatible(x, a, b) : 0;
    else if (ka == BASIC_BOOL)
        *ret = a.b == b.b;
    else if (ka == BASIC_COMPLEX)
        *ret = a.complex[0] == b.complex[0] && a.complex[1] == b.complex[1];
    else if (ka == BASIC_FLOAT)
        *ret = a.f == b.f;
    else if (ka == BASIC_STRING)
        *ret = str_eq(value_text(a), value_text(b));
    else if (ka == BASIC_NONE)
        return eq_other(x, a, b, ret);
    else
        *ret = a.u == b.u;
    return 0;
}

/* Is the first one equal to any of the others? */
static int eq_any(struct tmpl_exec *x, const struct value *args, size_t n, bool *ret)
{
    struct value first = value_unboxed(args[0]);
    *ret = false;
    if (n < 2)
        return tmpl_fail(x, "missing argument for comparison");
    for (size_t i = 1; i < n && !*ret; i++)
        if (eq_pair(x, first, value_unboxed(args[i]), ret) < 0)
            return -1;
    return 0;
}

static int less(struct tmpl_exec *x, const struct value *args, bool *ret)
{
    struct value a = value_unboxed(args[0]), b = value_unboxed(args[1]);
    enum basic ka = basic_kind(a), kb = basic_kind(b);
    *ret = false;
    if (ka == BASIC_NONE || kb == BASIC_NONE)
        return tmpl_fail(x, "invalid type for comparison");
    if (ka == BASIC_INT && kb == BASIC_UINT)
        *ret = a.i < 0 || a.u < b.u;
    else if (ka == BASIC_UINT && kb == BASIC_INT)
        *ret = b.i >= 0 && a.u < b.u;
    else if (ka != kb)
        return incompatible(x, a, b);
    else if (ka == BASIC_BOOL || ka == BASIC_COMPLEX)
        return tmpl_fail(x, "invalid type for comparison");
    else if (ka == BASIC_FLOAT)
        *ret = a.f < b.f;
    else if (ka == BASIC_STRING)
        *ret = str_cmp(value_text(a), value_text(b)) < 0;
    else
        *ret = ka == BASIC_INT ? a.i < b.i : a.u < b.u;
    return 0;
}

static int less_or_equal(struct tmpl_exec *x, const struct value *args, bool *ret)
{
    if (less(x, args, ret) < 0)
        return -1;
    return *ret ? 0 : eq_any(x, args, 2, ret);
}

static int eq(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    *ret = value_bool(false);
    return eq_any(x, args, n, &ret->b);
}

static int ne(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    *ret = value_bool(false);
    int rc = eq_any(x, args, n, &ret->b);
    ret->b = !ret->b;
    return rc;
}

static int lt(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    (void)n;
    *ret = value_bool(false);
    return less(x, args, &ret->b);
}

static int le(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    (void)n;
    *ret = value_bool(false);
    return less_or_equal(x, args, &ret->b);
}

static int gt(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    int rc = le(x, args, n, ret);
    ret->b = !ret->b;
    return rc;
}

static int ge(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    int rc = lt(x, args, n, ret);
    ret->b = !ret->b;
    return rc;
}

const struct func tmpl_compare_funcs[] = {
    {"eq", eq, {&type_value, &type_value}, &type_bool, .variadic = true},
    {"ne", ne, {&type_value, &type_value}, &type_bool},
    {"lt", lt, {&type_value, &type_value}, &type_bool},
    {"le", le, {&type_value, &type_value}, &type_bool},
    {"gt", gt, {&type_value, &type_value}, &type_bool},
    {"ge", ge, {&type_value, &type_value}, &type_bool},
    {0},
};
