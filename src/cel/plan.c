/* What can be done once: constants, conversions of constants, literal patterns. */
#include "cel/overload.h"

struct planner {
    struct cel_program *p;
    struct err *err;
};

static int plan_node(struct planner *k, struct node *n);

static bool all_constant(const struct node *n)
{
    for (size_t i = 0; i < n->count; i++)
        if (!n->args[i]->constant)
            return false;
    return true;
}

static int fold_constant(struct planner *k, struct node *n)
{
    static const struct cel_input none;
    struct eval ev = {.a = &k->p->a, .in = &none, .limit = UINT64_MAX};
    struct cel_value v = cel_run(&ev, n);
    if (cel_is_error(v))
        return err_bad(k->err, "%.*s", STR_ARG(v.s));
    n->literal = v;
    n->constant = true;
    return 0;
}

static bool is_conversion(struct str name)
{
    static const char *const names[] = {"bool", "bytes",  "double",    "duration", "dyn",
                                        "int",  "string", "timestamp", "type",     "uint"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_is(name, names[i]))
            return true;
    return false;
}

static bool is_plain_member(struct cel_value v)
{
    return v.kind == CEL_BOOL || v.kind == CEL_INT || v.kind == CEL_UINT || v.kind == CEL_DOUBLE ||
           v.kind == CEL_STRING;
}

/* `x in [literals]` costs nothing, and an empty list needs no x. */
static void plan_membership(struct planner *k, struct node *n)
{
    const struct node *list = n->args[1];
    if (n->overload_count != 1 || n->overloads[0]->cost != COST_IN_LIST || !list->constant)
        return;
    const struct cel_list *l = list->literal.list;
    struct eval ev = {.a = &k->p->a};
    for (size_t i = 0; i < l->n; i++)
        if (!is_plain_member(cel_list_at(&ev, l, i)))
            return;
    if (l->n > 0) {
        n->member_of_set = true;
        return;
    }
    n->constant = true;
    n->literal = cel_bool(false);
}

static int plan_pattern(struct planner *k, struct node *n)
{
    if (n->count < 2 || !n->args[1]->constant || n->args[1]->literal.kind != CEL_STRING)
        return 0;
    struct regex *re = regex_new(n->args[1]->literal.s, 0, k->err);
    if (!re)
        return -1;
    struct cel_program *p = k->p;
    p->patterns = mem_realloc_array(p->patterns, p->pattern_count + 1, sizeof *p->patterns);
    p->patterns[p->pattern_count++] = re;
    n->regex = re;
    return 0;
}

static int plan_call(struct planner *k, struct node *n)
{
    if (n->count == 1 && n->args[0]->constant && is_conversion(n->name))
        return fold_constant(k, n);
    if (str_is(n->name, "@in"))
        plan_membership(k, n);
    else if (str_is(n->name, "matches") || str_is(n->name, "find") || str_is(n->name, "findAll"))
        return plan_pattern(k, n);
    return 0;
}

static int plan_node(struct planner *k, struct node *n)
{
    for (size_t i = 0; i < n->count; i++)
        if (plan_node(k, n->args[i]) != 0)
            return -1;
    switch (n->kind) {
    case NODE_LITERAL:
        n->constant = true;
        return 0;
    case NODE_IDENT:
        n->constant = n->type_name;
        if (n->type->kind == CEL_T_TYPE && !n->type_name) /* upstream takes it for a type's name */
            return err_bad(k->err, "reference to undefined type: %.*s", STR_ARG(n->name));
        return 0;
    case NODE_CALL:
        return plan_call(k, n);
    case NODE_LIST:
    case NODE_MAP:
        return all_constant(n) ? fold_constant(k, n) : 0;
    default:
        return 0;
    }
}

int cel_plan(struct cel_program *p, struct node *root, struct err *err)
{
    struct planner k = {p, err};
    return plan_node(&k, root);
}
