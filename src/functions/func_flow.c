/* func_flow.c: choosing and refusing values, and asking for their types. */
#include "functions/func_arg.h"
#include "functions/func_library.h"

#define FN(name)                                                                                   \
    static int name(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)

FN(default_to)
{
    (void)x;
    *ret = n < 2 || func_empty(args[1]) ? args[0] : args[1];
    return 0;
}

FN(empty)
{
    (void)x, (void)n;
    *ret = value_bool(func_empty(args[0]));
    return 0;
}

FN(coalesce)
{
    (void)x;
    *ret = VALUE_NIL;
    for (size_t i = 0; i < n; i++) {
        if (!func_empty(args[i])) {
            *ret = args[i];
            return 0;
        }
    }
    return 0;
}

FN(all)
{
    (void)x;
    *ret = value_bool(true);
    for (size_t i = 0; i < n && ret->b; i++)
        ret->b = !func_empty(args[i]);
    return 0;
}

FN(any)
{
    (void)x;
    *ret = value_bool(false);
    for (size_t i = 0; i < n && !ret->b; i++)
        ret->b = !func_empty(args[i]);
    return 0;
}

FN(ternary)
{
    (void)x, (void)n;
    *ret = args[2].b ? args[0] : args[1];
    return 0;
}

FN(type_of)
{
    (void)x, (void)n;
    *ret = value_z(value_type_name(args[0]));
    return 0;
}

FN(type_is)
{
    (void)x, (void)n;
    *ret = value_bool(str_is(value_text(args[0]), value_type_name(args[1])));
    return 0;
}

/* The type, or a pointer to it. */
FN(type_is_like)
{
    struct str target = value_text(args[0]), type = str_of(value_type_name(args[1]));
    (void)x, (void)n;
    *ret = value_bool(str_eq(target, type) ||
                      (str_starts(type, STR("*")) && str_eq(target, str_from(type, 1))));
    return 0;
}

static const char *kind_name(struct value v)
{
    return func_is_nil(v) ? "invalid" : gokind_name(value_kind(v));
}

FN(kind_of)
{
    (void)x, (void)n;
    *ret = value_z(kind_name(args[0]));
    return 0;
}

FN(kind_is)
{
    (void)x, (void)n;
    *ret = value_bool(str_is(value_text(args[0]), kind_name(args[1])));
    return 0;
}

FN(deep_equal)
{
    (void)x, (void)n;
    *ret = value_bool(value_deep_equal(args[0], args[1]));
    return 0;
}

/* A chart's own message: Helm shows what stands between the marks, and nothing else. */
static int fail_message(struct tmpl_exec *x, struct str message)
{
    struct buf b = {0};
    buf_puts(&b, FUNC_MESSAGE_START);
    buf_put(&b, message);
    buf_puts(&b, FUNC_MESSAGE_END);
    tmpl_fail_str(x, buf_str(&b));
    buf_done(&b);
    return -1;
}

FN(fail)
{
    (void)n, (void)ret;
    return fail_message(x, value_text(args[0]));
}

static bool is_missing(struct value v)
{
    return func_is_nil(v) || (v.type == &type_string && v.n == 0);
}

FN(required)
{
    (void)n;
    if (is_missing(args[1]))
        return fail_message(x, value_text(args[0]));
    *ret = args[1];
    return 0;
}

FN(lint_fail)
{
    (void)x, (void)args, (void)n;
    *ret = value_str(STR(""));
    return 0;
}

FN(lint_required)
{
    (void)x, (void)n;
    *ret = is_missing(args[1]) ? value_str(STR("")) : args[1];
    return 0;
}

FN(lookup)
{
    (void)args, (void)n;
    *ret = value_map_new(tmpl_arena(x), &type_map);
    return 0;
}

const struct func func_flows[] = {
    {"all", all, {&type_any}, &type_bool, .variadic = true},
    {"any", any, {&type_any}, &type_bool, .variadic = true},
    {"coalesce", coalesce, {&type_any}, &type_any, .variadic = true},
    {"deepEqual", deep_equal, {&type_any, &type_any}, &type_bool},
    {"default", default_to, {&type_any, &type_any}, &type_any, .variadic = true},
    {"empty", empty, {&type_any}, &type_bool},
    {"fail", fail, {&type_string}, &type_string},
    {"kindIs", kind_is, {&type_string, &type_any}, &type_bool},
    {"kindOf", kind_of, {&type_any}, &type_string},
    {"lookup", lookup, {&type_string, &type_string, &type_string, &type_string}, &type_map},
    {"required", required, {&type_string, &type_any}, &type_any},
    {"ternary", ternary, {&type_any, &type_any, &type_bool}, &type_any},
    {"typeIs", type_is, {&type_string, &type_any}, &type_bool},
    {"typeIsLike", type_is_like, {&type_string, &type_any}, &type_bool},
    {"typeOf", type_of, {&type_any}, &type_string},
    {0},
};

const struct func func_lint[] = {
    {"fail", lint_fail, {&type_string}, &type_string},
    {"required", lint_required, {&type_string, &type_any}, &type_any},
    {0},
};
