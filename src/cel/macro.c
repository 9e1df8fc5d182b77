/* The macros: calls that are rewritten before types are checked. Their comprehensions accumulate in
 * a variable that expressions cannot name. */
#include "cel/ast.h"

#define RESULT STR("@result")

/* What every macro gets; args[0] is the first argument. */
struct call {
    struct compiler *c;
    uint32_t at;
    struct node *target;
    size_t count;
    struct node **args;
};

static struct node *complain(const struct call *m, const struct node *about, const char *message)
{
    cel_issue_add(m->c, about->at, "%s", message);
    return cel_node_new(m->c, NODE_LITERAL, m->at);
}

static struct node *result(const struct call *m)
{
    return cel_node_ident(m->c, m->at, RESULT);
}

static struct node *literal(const struct call *m, struct cel_value v)
{
    return cel_node_literal(m->c, m->at, v);
}

static struct node *call1(const struct call *m, const char *function, struct node *a)
{
    return cel_node_call(m->c, m->at, str_of(function), 1, &a);
}

static struct node *call2(const struct call *m, const char *function, struct node *a,
                          struct node *b)
{
    struct node *args[] = {a, b};
    return cel_node_call(m->c, m->at, str_of(function), 2, args);
}

static struct node *call3(const struct call *m, const char *function, struct node *a,
                          struct node *b, struct node *c)
{
    struct node *args[] = {a, b, c};
    return cel_node_call(m->c, m->at, str_of(function), 3, args);
}

/* A loop over the target that leaves @result. */
static struct node *fold(const struct call *m, struct str iter, struct str iter2, struct node *init,
                         struct node *condition, struct node *step, struct node *end)
{
    struct node *n = cel_node_new(m->c, NODE_FOLD, m->at);
    n->name = iter;
    n->name2 = iter2;
    n->accumulator = RESULT;
    n->count = FOLD_PARTS;
    n->args = arena_zalloc(m->c->a, FOLD_PARTS * sizeof *n->args);
    n->args[FOLD_RANGE] = m->target;
    n->args[FOLD_INIT] = init;
    n->args[FOLD_CONDITION] = condition;
    n->args[FOLD_STEP] = step;
    n->args[FOLD_RESULT] = end;
    return n;
}

/* A variable for one value: a loop over nothing, whose accumulator starts as the value. */
static struct node *bind(const struct call *m, struct str name, struct node *value, struct node *in)
{
    struct node *n = cel_node_new(m->c, NODE_FOLD, m->at);
    n->name = STR("#unused");
    n->accumulator = name;
    n->count = FOLD_PARTS;
    n->args = arena_zalloc(m->c->a, FOLD_PARTS * sizeof *n->args);
    n->args[FOLD_RANGE] = cel_node_list(m->c, m->at, 0, NULL);
    n->args[FOLD_INIT] = value;
    n->args[FOLD_CONDITION] = literal(m, cel_bool(false));
    n->args[FOLD_STEP] = cel_node_ident(m->c, m->at, name);
    n->args[FOLD_RESULT] = in;
    return n;
}

static const char *const not_a_name = "argument must be a simple name";
static const char *const overwrites = "iteration variable overwrites accumulator variable";

static bool names_result(const struct node *n)
{
    return str_eq(n->name, RESULT) || str_is(n->name, "__result__");
}

/* The first `vars` arguments have to name variables. NULL: they do. */
static struct node *check_vars(const struct call *m, size_t vars, const char *message)
{
    for (size_t i = 0; i < vars; i++)
        if (m->args[i]->kind != NODE_IDENT)
            return complain(m, m->args[i], message);
    if (vars == 2 && str_eq(m->args[0]->name, m->args[1]->name)) {
        cel_issue_add(m->c, m->args[1]->at, "duplicate variable name: %.*s",
                      STR_ARG(m->args[0]->name));
        return cel_node_new(m->c, NODE_LITERAL, m->at);
    }
    for (size_t i = 0; i < vars; i++)
        if (names_result(m->args[i]))
            return complain(m, m->args[i], overwrites);
    return NULL;
}

static struct str second(const struct call *m, size_t vars)
{
    return vars == 2 ? m->args[1]->name : (struct str){0};
}

static struct node *expand_has(const struct call *m, size_t vars)
{
    (void)vars;
    struct node *arg = m->args[0];
    if (arg->kind != NODE_SELECT)
        return complain(m, arg, "invalid argument to has() macro");
    struct node *n = cel_node_select(m->c, m->at, arg->args[0], arg->name);
    n->test_only = true;
    return n;
}

static struct node *expand_all(const struct call *m, size_t vars)
{
    struct node *bad = check_vars(m, vars, not_a_name);
    if (bad)
        return bad;
    return fold(m, m->args[0]->name, second(m, vars), literal(m, cel_bool(true)),
                call1(m, "@not_strictly_false", result(m)),
                call2(m, "_&&_", result(m), m->args[vars]), result(m));
}

static struct node *expand_exists(const struct call *m, size_t vars)
{
    struct node *bad = check_vars(m, vars, not_a_name);
    if (bad)
        return bad;
    return fold(m, m->args[0]->name, second(m, vars), literal(m, cel_bool(false)),
                call1(m, "@not_strictly_false", call1(m, "!_", result(m))),
                call2(m, "_||_", result(m), m->args[vars]), result(m));
}

static struct node *expand_exists_one(const struct call *m, size_t vars)
{
    struct node *bad = check_vars(m, vars, not_a_name);
    if (bad)
        return bad;
    struct node *more = call2(m, "_+_", result(m), literal(m, cel_int(1)));
    return fold(m, m->args[0]->name, second(m, vars), literal(m, cel_int(0)),
                literal(m, cel_bool(true)), call3(m, "_?_:_", m->args[vars], more, result(m)),
                call2(m, "_==_", result(m), literal(m, cel_int(1))));
}

/* map, transformList: arguments behind the variables are [filter,] transformation. */
static struct node *expand_list(const struct call *m, size_t vars, const char *message)
{
    struct node *bad = check_vars(m, vars, message);
    if (bad)
        return bad;
    struct node *item = cel_node_list(m->c, m->at, 1, &m->args[m->count - 1]);
    struct node *step = call2(m, "_+_", result(m), item);
    if (m->count == vars + 2)
        step = call3(m, "_?_:_", m->args[vars], step, result(m));
    return fold(m, m->args[0]->name, second(m, vars), cel_node_list(m->c, m->at, 0, NULL),
                literal(m, cel_bool(true)), step, result(m));
}

static struct node *expand_map(const struct call *m, size_t vars)
{
    return expand_list(m, vars, "argument is not an identifier");
}

static struct node *expand_transform_list(const struct call *m, size_t vars)
{
    return expand_list(m, vars, not_a_name);
}

static struct node *expand_filter(const struct call *m, size_t vars)
{
    struct node *bad = check_vars(m, vars, "argument is not an identifier");
    if (bad)
        return bad;
    struct node *item = cel_node_copy(m->c, m->args[0]);
    struct node *step = call2(m, "_+_", result(m), cel_node_list(m->c, m->at, 1, &item));
    step = call3(m, "_?_:_", m->args[1], step, result(m));
    return fold(m, m->args[0]->name, (struct str){0}, cel_node_list(m->c, m->at, 0, NULL),
                literal(m, cel_bool(true)), step, result(m));
}

static struct node *transform_map(const struct call *m, struct node *step)
{
    if (m->count == 4)
        step = call3(m, "_?_:_", m->args[2], step, result(m));
    return fold(m, m->args[0]->name, m->args[1]->name, cel_node_new(m->c, NODE_MAP, m->at),
                literal(m, cel_bool(true)), step, result(m));
}

static struct node *expand_transform_map(const struct call *m, size_t vars)
{
    struct node *bad = check_vars(m, vars, not_a_name);
    if (bad)
        return bad;
    return transform_map(m, call3(m, "cel.@mapInsert", result(m),
                                  cel_node_ident(m->c, m->at, m->args[0]->name),
                                  m->args[m->count - 1]));
}

static struct node *expand_transform_entry(const struct call *m, size_t vars)
{
    struct node *bad = check_vars(m, vars, not_a_name);
    if (bad)
        return bad;
    return transform_map(m, call2(m, "cel.@mapInsert", result(m), m->args[m->count - 1]));
}

static struct node *opt_map(const struct call *m, const char *message, bool flat)
{
    if (m->args[0]->kind != NODE_IDENT)
        return complain(m, m->args[0], message);
    struct node *value =
        cel_node_member(m->c, m->at, STR("value"), cel_node_copy(m->c, m->target), 0, NULL);
    struct node *bound = bind(m, m->args[0]->name, value, m->args[1]);
    return call3(m, "_?_:_", cel_node_member(m->c, m->at, STR("hasValue"), m->target, 0, NULL),
                 flat ? bound : call1(m, "optional.of", bound),
                 cel_node_call(m->c, m->at, STR("optional.none"), 0, NULL));
}

static struct node *expand_opt_map(const struct call *m, size_t vars)
{
    (void)vars;
    return opt_map(m, "optMap() variable name must be a simple identifier", false);
}

static struct node *expand_opt_flat_map(const struct call *m, size_t vars)
{
    (void)vars;
    return opt_map(m, "optFlatMap() variable name must be a simple identifier", true);
}

static struct node *expand_sort_by(const struct call *m, size_t vars)
{
    static const struct str input = STR_INIT("@__sortBy_input__");
    if (m->target->kind == NODE_LITERAL || m->target->kind == NODE_MAP ||
        m->target->kind == NODE_STRUCT)
        return complain(m, m->target,
                        "sortBy can only be applied to a list, identifier, comprehension, call or "
                        "select expression");
    struct call inner = *m;
    inner.target = cel_node_ident(m->c, m->at, input);
    struct node *keys = expand_map(&inner, vars);
    struct node *sorted = cel_node_member(m->c, m->at, STR("@sortByAssociatedKeys"),
                                          cel_node_ident(m->c, m->at, input), 1, &keys);
    return bind(m, input, m->target, sorted);
}

static const struct macro {
    const char *name;
    bool member, stored_only;
    size_t min, max; /* arguments */
    size_t vars;
    struct node *(*expand)(const struct call *m, size_t vars);
} macros[] = {
    {"has", false, false, 1, 1, 0, expand_has},
    {"all", true, false, 2, 2, 1, expand_all},
    {"all", true, false, 3, 3, 2, expand_all},
    {"exists", true, false, 2, 2, 1, expand_exists},
    {"exists", true, false, 3, 3, 2, expand_exists},
    {"exists_one", true, false, 2, 2, 1, expand_exists_one},
    {"exists_one", true, false, 3, 3, 2, expand_exists_one},
    {"existsOne", true, false, 3, 3, 2, expand_exists_one},
    {"map", true, false, 2, 3, 1, expand_map},
    {"filter", true, false, 2, 2, 1, expand_filter},
    {"transformList", true, false, 3, 4, 2, expand_transform_list},
    {"transformMap", true, false, 3, 4, 2, expand_transform_map},
    {"transformMapEntry", true, false, 3, 4, 2, expand_transform_entry},
    {"optMap", true, false, 2, 2, 1, expand_opt_map},
    {"optFlatMap", true, false, 2, 2, 1, expand_opt_flat_map},
    {"sortBy", true, true, 2, 2, 1, expand_sort_by},
};

struct node *cel_macro(struct compiler *c, uint32_t at, struct str function, struct node *target,
                       size_t count, struct node **args)
{
    struct call m = {c, at, target, count, args};
    for (size_t i = 0; i < ARRAY_LEN(macros); i++) {
        const struct macro *x = &macros[i];
        if (x->member == (target != NULL) && count >= x->min && count <= x->max &&
            (c->env->stored || !x->stored_only) && str_is(function, x->name))
            return x->expand(&m, x->vars);
    }
    return NULL;
}
