/* tmpl_call.c: calling functions and methods: arity, types, conversions. */
#include "template/tmpl_internal.h"

bool gotype_can_be_nil(const struct gotype *t)
{
    switch (t->kind) {
    case KIND_INTERFACE:
    case KIND_SLICE:
    case KIND_MAP:
    case KIND_PTR:
    case KIND_FUNC:
        return true;
    default:
        return t == &type_value;
    }
}

/* Go's assignability: the same type, or the same literal type of which at most one is defined. */
bool gotype_assignable(const struct gotype *from, const struct gotype *to)
{
    if (from == to || to == &type_any || to == &type_value)
        return true;
    if (to == &type_error_iface)
        return from->is_error;
    if (from->kind != to->kind || (from->defined && to->defined))
        return false;
    if (from->kind == KIND_FUNC)
        return from == to;
    return (from->kind == KIND_SLICE || from->kind == KIND_MAP || from->kind == KIND_PTR) &&
           from->elem == to->elem;
}

int tmpl_validate_type(struct state *s, struct value v, const struct gotype *t, struct value *ret)
{
    *ret = v;
    if (t == NULL || t == &type_value)
        return 0;
    if (v.type == NULL) {
        if (!gotype_can_be_nil(t))
            return tmpl_state_fail(s, "invalid value; expected %s", t->name);
        *ret = value_zero(s->x->arena, t);
        return 0;
    }
    ret->boxed = false;
    if (t == &type_any) {
        if (v.type->kind == KIND_INTERFACE) /* a nil error is a plain nil, too */
            *ret = VALUE_NIL;
        return 0;
    }
    if (gotype_assignable(v.type, t)) {
        if (t->kind != KIND_INTERFACE)
            ret->type = t;
        return 0;
    }
    if (v.type->kind == KIND_PTR && gotype_assignable(v.type->elem, t)) {
        if (v.fields == NULL)
            return tmpl_state_fail(s, "dereference of nil pointer of type %s", t->name);
        ret->type = t;
        return 0;
    }
    if (t->kind == KIND_PTR && t->elem == v.type) { /* fields of structs have addresses */
        ret->type = t;
        return 0;
    }
    return tmpl_state_fail(s, "wrong type for value; expected %s; got %s", t->name, v.type->name);
}

/* --- arity --- */

/* The parameters that a caller sees: a method's receiver is not among them. */
struct params {
    const struct gotype *const *types;
    size_t n;
    bool variadic;
};

static struct params params_of(const struct call *c)
{
    size_t n = func_params(c->func), hidden = c->receiver != NULL;
    return (struct params){c->func->in + hidden, n - hidden, c->func->variadic};
}

static const struct gotype *param_type(const struct params *p, size_t i)
{
    return i < p->n ? p->types[i] : p->types[p->n - 1];
}

/* given: the arguments in the command; a value from the pipe comes on top. */
static int check_arity(struct state *s, const struct call *c, const struct params *p, size_t given)
{
    size_t total = given + (c->final != NULL);
    if (p->variadic) {
        if (total + 1 < p->n)
            return tmpl_state_fail(s, "wrong number of args for %.*s: want at least %zu got %zu",
                                   STR_ARG(c->name), p->n - 1, given);
    } else if (total != p->n) {
        return tmpl_state_fail(s, "wrong number of args for %.*s: want %zu got %zu",
                               STR_ARG(c->name), p->n, total);
    }
    return 0;
}

/* --- calls --- */

/* `and` and `or` evaluate only as far as needed. */
static int call_lazy(struct state *s, struct value dot, const struct call *c, struct value *ret)
{
    bool is_or = str_is(c->name, "or");
    *ret = VALUE_NONE;
    for (size_t i = 1; i < c->n_args; i++) {
        if (tmpl_eval_arg(s, dot, &type_value, c->args[i], ret) < 0)
            return -1;
        if (value_truth(*ret) == is_or)
            return 0;
    }
    if (c->final)
        *ret = *c->final;
    return 0;
}

static int failed(struct state *s, const struct call *c)
{
    struct buf b = {0};
    buf_put(&b, c->name);
    buf_puts(&b, ": ");
    buf_put(&b, s->x->error);
    s->node = c->node;
    tmpl_state_fail_text(s, "error calling %s", buf_str(&b));
    buf_done(&b);
    return -1;
}

/* How `call` names what it calls: by its operand, or as reflect.Value.String does. */
static struct str callee_name(struct state *s, const struct call *c)
{
    struct arena *a = s->x->arena;
    struct buf b = {0};
    if (c->n_args > 1)
        tmpl_node_write(c->args[1], &b);
    else if (value_kind(*c->final) == KIND_STRING)
        buf_put(&b, value_text(*c->final));
    else
        buf_printf(&b, "<%s Value>", c->final->type ? c->final->type->name : "invalid");
    struct str name = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return name;
}

static int invoke(struct state *s, const struct call *c, const struct value *argv, size_t n,
                  struct value *ret)
{
    *ret = VALUE_NONE;
    if (c->func->fn == tmpl_call_fn)
        return tmpl_call_builtin(s->x, callee_name(s, c), argv, n, ret);
    return c->func->fn(s->x, argv, n, ret);
}

int tmpl_eval_call(struct state *s, struct value dot, const struct call *c, struct value *ret)
{
    struct value few[8], *argv = few;
    struct params p = params_of(c);
    size_t given = c->n_args > 0 ? c->n_args - 1 : 0, n = 0;
    if (check_arity(s, c, &p, given) < 0)
        return -1;
    if (c->func->lazy)
        return call_lazy(s, dot, c, ret);
    if (given + 2 > ARRAY_LEN(few))
        argv = arena_alloc(s->x->arena, (given + 2) * sizeof(*argv));
    if (c->receiver)
        argv[n++] = *c->receiver;
    for (size_t i = 0; i < given; i++)
        if (tmpl_eval_arg(s, dot, param_type(&p, i), c->args[i + 1], &argv[n++]) < 0)
            return -1;
    if (c->final && tmpl_validate_type(s, *c->final, param_type(&p, given), &argv[n++]) < 0)
        return -1;
    if (invoke(s, c, argv, n, ret) < 0)
        return failed(s, c);
    if (c->func->out == &type_any) {
        if (ret->type == NULL)
            *ret = VALUE_NIL;
        ret->boxed = ret->type != &type_any;
    } else if (c->func->out != &type_value) {
        ret->boxed = false;
    }
    return 0;
}

/* --- calls from functions --- */

static bool is_integer(enum gokind k)
{
    return gokind_is_int(k) || gokind_is_uint(k);
}

/* As the `call` builtin converts: nil to what can be nil, integers among each other. */
static int prepare_arg(struct tmpl_exec *x, struct value v, const struct gotype *t,
                       struct value *ret)
{
    v = value_unboxed(v);
    *ret = v;
    if (t == &type_value)
        return 0;
    if (v.type == NULL) {
        if (!gotype_can_be_nil(t))
            return tmpl_fail(x, "value is nil; should be of type %s", t->name);
        *ret = value_zero(x->arena, t);
        return 0;
    }
    if (gotype_assignable(v.type, t) || (is_integer(v.type->kind) && is_integer(t->kind))) {
        if (t->kind != KIND_INTERFACE)
            ret->type = t;
        *ret = value_fit(*ret);
        return 0;
    }
    return tmpl_fail(x, "value has type %s; should be %s", v.type->name, t->name);
}

int func_call(struct tmpl_exec *x, const struct func *f, const struct value *args, size_t n,
              struct value *ret)
{
    struct params p = {f->in, func_params(f), f->variadic};
    if (p.variadic ? n + 1 < p.n : n != p.n)
        return tmpl_fail(x, "wrong number of args for %s: got %zu want %s%zu", f->name, n,
                         p.variadic ? "at least " : "", p.variadic ? p.n - 1 : p.n);
    struct value *argv = arena_alloc(x->arena, (n + 1) * sizeof(*argv));
    for (size_t i = 0; i < n; i++) {
        if (prepare_arg(x, args[i], param_type(&p, i), &argv[i]) < 0) {
            struct str text = x->error;
            return tmpl_fail(x, "arg %zu: %.*s", i, STR_ARG(text));
        }
    }
    *ret = VALUE_NONE;
    return f->fn(x, argv, n, ret);
}
