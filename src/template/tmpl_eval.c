/* tmpl_eval.c: the value of expressions. */
#include "template/gofmt.h"
#include "template/tmpl_internal.h"

static int eval_fields(struct state *s, struct value dot, struct value receiver,
                       const struct node *n, size_t first, struct node **args, size_t n_args,
                       const struct value *final, struct value *ret);

/* Fails with the node's own text where %s stands. */
static int fail_node(struct state *s, const char *format, const struct node *n)
{
    struct buf b = {0};
    tmpl_node_write(n, &b);
    tmpl_state_fail_text(s, format, buf_str(&b));
    buf_done(&b);
    return -1;
}

static bool is_hex_int(struct str s)
{
    return s.n > 2 && s.p[0] == '0' && (s.p[1] | 0x20) == 'x' && str_find_char(s, 'p') < 0 &&
           str_find_char(s, 'P') < 0;
}

static bool has_float_marks(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] && strchr(".eEpP", s.p[i]))
            return true;
    return false;
}

/* A number where no type is asked for: its spelling decides. */
static int ideal_constant(struct state *s, const struct node *n, struct value *ret)
{
    const struct number *c = n->number;
    s->node = n;
    if (c->is_complex)
        *ret = value_complex(s->x->arena, c->complex[0], c->complex[1]);
    else if (c->is_float && !is_hex_int(n->text) && n->text.p[0] != '\'' &&
             has_float_marks(n->text))
        *ret = value_float(c->f);
    else if (c->is_int)
        *ret = value_int(c->i);
    else if (c->is_uint)
        return fail_node(s, "%s overflows int", n);
    else
        *ret = VALUE_NONE;
    return 0;
}

static int not_a_function(struct state *s, struct node **args, size_t n_args,
                          const struct value *final)
{
    if (n_args > 1 || final)
        return fail_node(s, "can't give argument to non-function %s", args[0]);
    return 0;
}

static int eval_variable(struct state *s, struct value dot, const struct node *n,
                         struct node **args, size_t n_args, const struct value *final,
                         struct value *ret)
{
    s->node = n;
    const struct variable *v = NULL;
    for (size_t i = s->x->n_vars; i > s->base && v == NULL; i--)
        if (str_eq(s->x->vars[i - 1].name, n->names[0]))
            v = &s->x->vars[i - 1];
    if (v == NULL)
        return tmpl_state_fail(s, "undefined variable: %.*s", STR_ARG(n->names[0]));
    if (n->n_more > 1)
        return eval_fields(s, dot, v->value, n, 1, args, n_args, final, ret);
    *ret = v->value;
    return not_a_function(s, args, n_args, final);
}

static int eval_field_node(struct state *s, struct value dot, const struct node *n,
                           struct node **args, size_t n_args, const struct value *final,
                           struct value *ret)
{
    s->node = n;
    return eval_fields(s, dot, dot, n, 0, args, n_args, final, ret);
}

static int eval_function(struct state *s, struct value dot, const struct node *n,
                         const struct node *cmd, struct node **args, size_t n_args,
                         const struct value *final, struct value *ret)
{
    s->node = n;
    struct call call = {.func = n->func,
                        .name = n->text,
                        .node = cmd,
                        .args = args,
                        .n_args = n_args,
                        .final = final};
    return tmpl_eval_call(s, dot, &call, ret);
}

static int eval_chain(struct state *s, struct value dot, const struct node *n, struct node **args,
                      size_t n_args, const struct value *final, struct value *ret)
{
    s->node = n;
    if (n->kids[0]->type == NODE_NIL)
        return fail_node(s, "indirection through explicit nil in %s", n);
    struct value receiver;
    if (tmpl_eval_arg(s, dot, NULL, n->kids[0], &receiver) < 0)
        return -1;
    return eval_fields(s, dot, receiver, n, 0, args, n_args, final, ret);
}

/* --- fields --- */

static bool has_field(const struct gotype *t, struct str name)
{
    for (const struct gofield *f = t->fields; f && f->name; f++) {
        const struct gotype *inner = f->type->kind == KIND_PTR ? f->type->elem : f->type;
        if (str_is(name, f->name) || (f->embedded && has_field(inner, name)))
            return true;
    }
    return false;
}

static int map_field(struct state *s, struct str name, struct value map, struct value *ret)
{
    struct value *found = vmap_get(map.map, name);
    if (found) {
        *ret = *found;
        ret->boxed = map.type->elem == &type_any && ret->type != &type_any;
        return 0;
    }
    *ret = VALUE_NONE;
    if (s->x->limits.missing == TMPL_MISSING_ZERO)
        *ret = value_zero(s->x->arena, map.type->elem);
    if (s->x->limits.missing != TMPL_MISSING_ERROR)
        return 0;
    struct buf b = {0};
    gofmt_quote(&b, name, false);
    tmpl_state_fail_text(s, "map has no entry for key %s", buf_str(&b));
    buf_done(&b);
    return -1;
}

/* The field, method or map entry `name` of the receiver. args[0] stands for the field itself. */
static int eval_field(struct state *s, struct value dot, struct str name, const struct node *n,
                      struct node **args, size_t n_args, const struct value *final,
                      struct value receiver, struct value *ret)
{
    *ret = VALUE_NONE;
    if (receiver.type == NULL) {
        if (s->x->limits.missing != TMPL_MISSING_ERROR)
            return 0;
        struct buf b = {0};
        gofmt_quote(&b, name, false);
        tmpl_state_fail_text(s, "nil data; no entry for key %s", buf_str(&b));
        buf_done(&b);
        return -1;
    }
    const char *type = value_static_type(receiver);
    receiver.boxed = false;
    if (receiver.type->kind == KIND_INTERFACE)
        return tmpl_state_fail(s, "nil pointer evaluating %s.%.*s", type, STR_ARG(name));

    const struct func *method = gotype_method(receiver.type, name);
    if (method) {
        struct call call = {.func = method,
                            .receiver = &receiver,
                            .name = name,
                            .node = n,
                            .args = args,
                            .n_args = n_args,
                            .final = final};
        return tmpl_eval_call(s, dot, &call, ret);
    }
    bool has_args = n_args > 1 || final;
    enum gokind k = value_kind(receiver);
    if (k == KIND_MAP) {
        if (has_args)
            return tmpl_state_fail(s, "%.*s is not a method but has arguments", STR_ARG(name));
        return map_field(s, name, receiver, ret);
    }
    const struct gotype *t = k == KIND_PTR ? receiver.type->elem : receiver.type;
    bool exists = t->kind == KIND_STRUCT && has_field(t, name);
    if (k == KIND_PTR && value_is_nil(receiver) && (exists || t->kind != KIND_STRUCT))
        return tmpl_state_fail(s, "nil pointer evaluating %s.%.*s", type, STR_ARG(name));
    if (exists && !value_is_nil(receiver) && name.p[0] >= 'a' && name.p[0] <= 'z')
        return tmpl_state_fail(s, "%.*s is an unexported field of struct type %s", STR_ARG(name),
                               type);
    if (exists && has_args && !value_is_nil(receiver))
        return tmpl_state_fail(s, "%.*s has arguments but cannot be invoked as function",
                               STR_ARG(name));
    if (exists && value_field(receiver, name, ret))
        return 0;
    return tmpl_state_fail(s, "can't evaluate field %.*s in type %s", STR_ARG(name), type);
}

/* .a.b.c from names[first] on; the last one gets the arguments. */
static int eval_fields(struct state *s, struct value dot, struct value receiver,
                       const struct node *n, size_t first, struct node **args, size_t n_args,
                       const struct value *final, struct value *ret)
{
    for (size_t i = first; i + 1 < n->n_more; i++)
        if (eval_field(s, dot, n->names[i], n, NULL, 0, NULL, receiver, &receiver) < 0)
            return -1;
    return eval_field(s, dot, n->names[n->n_more - 1], n, args, n_args, final, receiver, ret);
}

/* --- arguments --- */

/* A constant where the type is known. */
static int typed_constant(struct state *s, const struct gotype *t, const struct node *n,
                          struct value *ret)
{
    const struct number *c = n->type == NODE_NUMBER ? n->number : NULL;
    *ret = (struct value){.type = t};
    s->node = n;
    if (t->kind == KIND_BOOL) {
        ret->b = n->is_true;
        return n->type == NODE_BOOL ? 0 : fail_node(s, "expected bool; found %s", n);
    }
    if (t->kind == KIND_STRING) {
        if (n->type != NODE_STRING)
            return fail_node(s, "expected string; found %s", n);
        ret->p = n->text.p;
        ret->n = (uint32_t)n->text.n;
        return 0;
    }
    if (gokind_is_int(t->kind)) {
        ret->i = c ? c->i : 0;
        *ret = value_fit(*ret);
        return c && c->is_int ? 0 : fail_node(s, "expected integer; found %s", n);
    }
    if (gokind_is_uint(t->kind)) {
        ret->u = c ? c->u : 0;
        *ret = value_fit(*ret);
        return c && c->is_uint ? 0 : fail_node(s, "expected unsigned integer; found %s", n);
    }
    if (gokind_is_float(t->kind)) {
        ret->f = c ? c->f : 0;
        *ret = value_fit(*ret);
        return c && c->is_float ? 0 : fail_node(s, "expected float; found %s", n);
    }
    if (t->kind == KIND_COMPLEX128) {
        if (c == NULL || !c->is_complex)
            return fail_node(s, "expected complex; found %s", n);
        *ret = value_complex(s->x->arena, c->complex[0], c->complex[1]);
        return 0;
    }
    struct buf b = {0};
    tmpl_node_write(n, &b);
    buf_printf(&b, " for arg of type %s", t->name);
    tmpl_state_fail_text(s, "can't handle %s", buf_str(&b));
    buf_done(&b);
    return -1;
}

static int untyped_constant(struct state *s, const struct node *n, struct value *ret)
{
    s->node = n;
    if (n->type == NODE_NUMBER)
        return ideal_constant(s, n, ret);
    *ret = n->type == NODE_BOOL ? value_bool(n->is_true) : value_str(n->text);
    return 0;
}

int tmpl_eval_arg(struct state *s, struct value dot, const struct gotype *t, const struct node *n,
                  struct value *ret)
{
    struct value v;
    int rc;
    s->node = n;
    switch (n->type) {
    case NODE_DOT:
        v = dot;
        rc = 0;
        break;
    case NODE_NIL:
        if (!gotype_can_be_nil(t))
            return tmpl_state_fail(s, "cannot assign nil to %s", t->name);
        *ret = t == &type_value ? VALUE_NONE : value_zero(s->x->arena, t);
        return 0;
    case NODE_FIELD:
        rc = eval_field_node(s, dot, n, NULL, 0, NULL, &v);
        break;
    case NODE_VARIABLE:
        rc = eval_variable(s, dot, n, NULL, 0, NULL, &v);
        break;
    case NODE_PIPE:
        rc = tmpl_eval_pipeline(s, dot, n, &v);
        break;
    case NODE_IDENTIFIER:
        rc = eval_function(s, dot, n, n, NULL, 0, NULL, &v);
        break;
    case NODE_CHAIN:
        rc = eval_chain(s, dot, n, NULL, 0, NULL, &v);
        break;
    default:
        if (t == &type_any || t == &type_value)
            return untyped_constant(s, n, ret);
        return typed_constant(s, t, n, ret);
    }
    return rc < 0 ? -1 : tmpl_validate_type(s, v, t, ret);
}

/* --- pipelines --- */

static int eval_command(struct state *s, struct value dot, const struct node *cmd,
                        const struct value *final, struct value *ret)
{
    const struct node *first = cmd->kids[0];
    struct node **args = cmd->kids;
    size_t n = cmd->n_kids;
    switch (first->type) {
    case NODE_FIELD:
        return eval_field_node(s, dot, first, args, n, final, ret);
    case NODE_CHAIN:
        return eval_chain(s, dot, first, args, n, final, ret);
    case NODE_IDENTIFIER:
        return eval_function(s, dot, first, cmd, args, n, final, ret);
    case NODE_PIPE:
        if (not_a_function(s, args, n, final) < 0)
            return -1;
        return tmpl_eval_pipeline(s, dot, first, ret);
    case NODE_VARIABLE:
        return eval_variable(s, dot, first, args, n, final, ret);
    default:
        break;
    }
    s->node = first;
    if (not_a_function(s, args, n, final) < 0)
        return -1;
    if (first->type == NODE_NIL)
        return tmpl_state_fail(s, "nil is not a command");
    if (first->type != NODE_DOT)
        return untyped_constant(s, first, ret);
    *ret = dot;
    return 0;
}

int tmpl_eval_pipeline(struct state *s, struct value dot, const struct node *pipe,
                       struct value *ret)
{
    struct value v = VALUE_NONE;
    s->node = pipe;
    if (tmpl_state_step(s) < 0)
        return -1;
    for (size_t i = 0; i < pipe->n_kids; i++) {
        struct value final = v;
        if (eval_command(s, dot, pipe->kids[i], i > 0 ? &final : NULL, &v) < 0)
            return -1;
        v = value_unboxed(v);
    }
    for (size_t i = 0; i < pipe->n_more; i++) {
        if (!pipe->is_assign)
            tmpl_vars_push(s->x, pipe->decls[i]->names[0], v);
        else if (tmpl_vars_set(s, pipe->decls[i]->names[0], v) < 0)
            return -1;
    }
    *ret = v;
    return 0;
}
