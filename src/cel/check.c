/* Types of nodes, names and overloads resolved, as cel-go's checker does it. */
#include "cel/overload.h"
#include "cel/type.h"

/* A comprehension's variables, innermost first. */
struct local {
    struct str name;
    const struct cel_type *type;
    const struct local *outer;
};

struct checker {
    struct compiler *c;
    struct bindings m;
    const struct local *locals;
};

static void check_node(struct checker *k, struct node *n);

static struct str short_name(struct checker *k, const struct cel_type *t)
{
    struct buf b = {0};
    cel_type_write_short(t, &b);
    struct str s = arena_dup(k->c->a, buf_str(&b));
    buf_done(&b);
    return s;
}

static const struct cel_type *applied(struct checker *k, const struct cel_type *t)
{
    return cel_bindings_apply(&k->m, t, false);
}

static bool is_dyn_or_error(const struct cel_type *t)
{
    return t->kind == CEL_T_DYN || t->kind == CEL_T_ERROR;
}

static void mismatch(struct checker *k, const struct node *n, const struct cel_type *want,
                     const struct cel_type *got)
{
    cel_issue_add(k->c, n->at, "expected type '%.*s' but found '%.*s'",
                  STR_ARG(short_name(k, want)), STR_ARG(short_name(k, got)));
}

/* --- names --- */
struct type_ident {
    const char *name, *signature;
};

static const struct type_ident type_idents[] = {
    {"bool", "b"},
    {"bytes", "y"},
    {"double", "d"},
    {"int", "i"},
    {"list", "L*"},
    {"map", "M**"},
    {"null_type", "n"},
    {"string", "s"},
    {"type", "T"},
    {"uint", "u"},
    {"google.protobuf.Timestamp", "t"},
    {"google.protobuf.Duration", "D"},
    {"optional_type", "O*"},
    {"net.IP", "I"},
    {"net.CIDR", "C"},
};

/* The type that a name stands for, or NULL. */
static const struct cel_type *find_type_ident(struct checker *k, struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(type_idents); i++) {
        if (!str_is(name, type_idents[i].name))
            continue;
        const char *at = type_idents[i].signature;
        if (str_is(name, "type"))
            return cel_type_of_two(k->c->a, CEL_T_TYPE, NULL, NULL);
        return cel_signature_next(k->c->a, &at, 0);
    }
    return NULL;
}

static bool resolve_ident(struct checker *k, struct node *n, struct str name)
{
    if (name.n > 0 && name.p[0] == '.')
        name = str_from(name, 1);
    for (const struct local *l = k->locals; l; l = l->outer) {
        if (str_eq(l->name, name)) {
            n->type = l->type;
            n->name = name;
            return true;
        }
    }
    for (size_t i = 0; i < k->c->env->var_count; i++) {
        if (str_eq(k->c->env->vars[i].name, name)) {
            n->type = k->c->env->vars[i].type;
            n->name = name;
            return true;
        }
    }
    const struct cel_type *t = find_type_ident(k, name);
    if (!t)
        return false;
    n->type = cel_type_of_two(k->c->a, CEL_T_TYPE, t, NULL);
    n->name = name;
    n->type_name = true;
    n->literal = (struct cel_value){.kind = CEL_TYPE, .type = t};
    return true;
}

static void undeclared(struct checker *k, struct node *n, struct str name)
{
    cel_issue_add(k->c, n->at, "undeclared reference to '%.*s' (in container '')", STR_ARG(name));
    n->type = cel_type_plain(CEL_T_ERROR);
}

/* --- selections --- */
static const struct cel_type *find_field(const struct cel_type *t, struct str name)
{
    size_t low = 0, high = t->field_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = str_cmp(t->fields[middle].name, name);
        if (order == 0)
            return t->fields[middle].type;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static const struct cel_type *select_field(struct checker *k, struct node *n, struct str field,
                                           bool optional)
{
    check_node(k, n->args[0]);
    const struct cel_type *target = applied(k, n->args[0]->type);
    if (target->kind == CEL_T_OPTIONAL) {
        optional = true;
        target = target->a;
    }
    const struct cel_type *result = cel_type_plain(CEL_T_ERROR);
    switch (target->kind) {
    case CEL_T_MAP:
        result = target->b;
        break;
    case CEL_T_STRUCT: {
        const struct cel_type *found = find_field(target, field);
        if (!found) /* keywords may stand for themselves */
            found = find_field(target, arena_printf(k->c->a, "__%.*s__", STR_ARG(field)));
        if (found)
            result = found;
        else if (!target->declared) /* a library's type: upstream has no fields to look at */
            cel_issue_add(k->c, n->at, "unexpected failed resolution of '%.*s'",
                          STR_ARG(target->name));
        else
            cel_issue_add(k->c, n->at, "undefined field '%.*s'", STR_ARG(field));
        break;
    }
    case CEL_T_PARAM:
        cel_bindings_assign(&k->m, cel_type_plain(CEL_T_DYN), target);
        result = cel_type_plain(CEL_T_DYN);
        break;
    default:
        if (!is_dyn_or_error(target))
            cel_issue_add(k->c, n->at, "type '%.*s' does not support field selection",
                          STR_ARG(short_name(k, target)));
        result = cel_type_plain(CEL_T_DYN);
    }
    return optional ? cel_type_optional(k->c->a, result) : result;
}

static void check_select(struct checker *k, struct node *n)
{
    struct str name;
    if (!n->test_only && cel_node_qualified(k->c, n, &name) && resolve_ident(k, n, name)) {
        n->kind = NODE_IDENT;
        n->count = 0;
        return;
    }
    const struct cel_type *t = select_field(k, n, n->name, false);
    n->type = n->test_only ? cel_type_plain(CEL_T_BOOL) : applied(k, t);
}

/* --- calls --- */
static bool is_declared(const struct checker *k, struct str function)
{
    for (const struct overload *o = cel_overloads; o->function; o++)
        if (str_is(function, o->function) && (k->c->env->stored || !(o->flags & OVERLOAD_STORED)))
            return true;
    return false;
}

enum { MAX_ARGS = 16, MAX_MATCHES = 32 };

static void no_match(struct checker *k, struct node *n)
{
    struct buf b = {0};
    for (size_t i = 0; i < n->count; i++) {
        bool first = i == (n->member ? 1 : 0);
        const struct cel_type *t = cel_bindings_apply(&k->m, n->args[i]->type, true);
        if (!n->member || i > 0)
            buf_puts(&b, first ? "(" : ", ");
        cel_type_write_short(t, &b);
        if (n->member && i == 0)
            buf_putc(&b, '.');
    }
    if (n->count == (n->member ? 1 : 0))
        buf_putc(&b, '(');
    cel_issue_add(k->c, n->at, "found no matching overload for '%.*s' applied to '%s)'",
                  STR_ARG(n->name), buf_z(&b));
    buf_done(&b);
    n->type = cel_type_plain(CEL_T_ERROR);
}

static void add_overload(struct checker *k, struct node *n, const struct overload *o)
{
    const struct overload **more = arena_alloc(k->c->a, (n->overload_count + 1) * sizeof *more);
    if (n->overload_count)
        memcpy(more, n->overloads, n->overload_count * sizeof *more);
    more[n->overload_count++] = o;
    n->overloads = more;
}

/* Whether the arguments fit the overload, whose result they decide. */
static bool try_overload(struct checker *k, struct node *n, const struct overload *o,
                         const struct cel_type **ret)
{
    const char *at = o->signature;
    int base = 0;
    if (strpbrk(at, "AB")) {
        base = cel_bindings_new(&k->m);
        cel_bindings_new(&k->m);
    }
    const struct cel_type *result = cel_signature_next(k->c->a, &at, base);
    const struct cel_type *want[MAX_ARGS], *got[MAX_ARGS];
    size_t count = 0;
    for (; *at && count < MAX_ARGS; count++)
        want[count] = cel_signature_next(k->c->a, &at, base);
    if (count != n->count)
        return false;
    for (size_t i = 0; i < count; i++)
        got[i] = n->args[i]->type;
    if (!cel_bindings_assign_all(&k->m, got, want, count))
        return false;
    *ret = applied(k, result);
    return true;
}

static void check_logic(struct checker *k, struct node *n, const struct overload *o)
{
    bool wrong = false;
    for (size_t i = 0; i < n->count; i++) {
        if (cel_bindings_assign(&k->m, n->args[i]->type, cel_type_plain(CEL_T_BOOL)))
            continue;
        mismatch(k, n->args[i], cel_type_plain(CEL_T_BOOL), n->args[i]->type);
        wrong = true;
    }
    add_overload(k, n, o);
    n->type = cel_type_plain(wrong ? CEL_T_ERROR : CEL_T_BOOL);
}

static void resolve(struct checker *k, struct node *n)
{
    const struct cel_type *result = NULL, *t;
    for (const struct overload *o = cel_overloads; o->function; o++) {
        if (!str_is(n->name, o->function) || n->member != !!(o->flags & OVERLOAD_MEMBER))
            continue;
        if (o->cost == COST_LOGIC) {
            check_logic(k, n, o);
            return;
        }
        if (!try_overload(k, n, o, &t))
            continue;
        add_overload(k, n, o);
        if (!result)
            result = t;
        else if (result->kind != CEL_T_DYN && !cel_type_eq(result, t))
            result = cel_type_plain(CEL_T_DYN);
    }
    if (result)
        n->type = result;
    else
        no_match(k, n);
}

static void check_opt_select(struct checker *k, struct node *n)
{
    n->args[1]->type = cel_type_plain(CEL_T_STRING);
    n->type = applied(k, select_field(k, n, n->args[1]->literal.s, true));
    for (const struct overload *o = cel_overloads; o->function; o++)
        if (str_is(n->name, o->function))
            add_overload(k, n, o);
}

static void check_call(struct checker *k, struct node *n)
{
    if (str_is(n->name, "_?._")) {
        check_opt_select(k, n);
        return;
    }
    for (size_t i = n->member; i < n->count; i++)
        check_node(k, n->args[i]);
    struct str prefix;
    if (n->member && cel_node_qualified(k->c, n->args[0], &prefix)) {
        struct str name = arena_printf(k->c->a, "%.*s.%.*s", STR_ARG(prefix), STR_ARG(n->name));
        if (is_declared(k, name)) {
            n->name = name;
            n->member = false;
            n->args++;
            n->count--;
            resolve(k, n);
            return;
        }
    }
    if (n->member)
        check_node(k, n->args[0]);
    if (n->name.n > 0 && n->name.p[0] == '.' && is_declared(k, str_from(n->name, 1)))
        n->name = str_from(n->name, 1);
    if (is_declared(k, n->name))
        resolve(k, n);
    else
        undeclared(k, n, n->name);
}

/* --- literals of containers --- */
static const struct cel_type *join(struct checker *k, const struct cel_type *so_far,
                                   const struct cel_type *next)
{
    if (!so_far)
        return next;
    if (cel_bindings_assign(&k->m, so_far, next))
        return cel_type_most_general(so_far, next);
    return cel_type_plain(CEL_T_DYN); /* cel_validate refuses it, but in string.format */
}

static const struct cel_type *unwrap(struct checker *k, const struct node *n)
{
    const struct cel_type *t = n->type;
    if (t->kind == CEL_T_OPTIONAL)
        return t->a;
    if (t->kind != CEL_T_DYN)
        mismatch(k, n, cel_type_optional(k->c->a, t), t);
    return t;
}

static const struct cel_type *fresh(struct checker *k)
{
    struct cel_type *t = ARENA_NEW(k->c->a, struct cel_type);
    t->kind = CEL_T_PARAM;
    t->param = cel_bindings_new(&k->m);
    return t;
}

static void check_list(struct checker *k, struct node *n)
{
    const struct cel_type *item = NULL;
    for (size_t i = 0; i < n->count; i++) {
        check_node(k, n->args[i]);
        bool optional = n->optional && n->optional[i];
        item = join(k, item, optional ? unwrap(k, n->args[i]) : n->args[i]->type);
    }
    n->type = cel_type_list(k->c->a, item ? item : fresh(k));
}

static void check_map(struct checker *k, struct node *n)
{
    const struct cel_type *key = NULL, *value = NULL;
    for (size_t i = 0; i + 1 < n->count; i += 2) {
        check_node(k, n->args[i]);
        key = join(k, key, n->args[i]->type);
        check_node(k, n->args[i + 1]);
        bool optional = n->optional && n->optional[i / 2];
        value = join(k, value, optional ? unwrap(k, n->args[i + 1]) : n->args[i + 1]->type);
    }
    if (!key) {
        key = fresh(k);
        value = fresh(k);
    }
    n->type = cel_type_map(k->c->a, key, value);
}

/* --- comprehensions --- */
static void range_vars(struct checker *k, const struct node *range, bool two,
                       const struct cel_type **ret, const struct cel_type **ret2)
{
    const struct cel_type *t = applied(k, range->type);
    const struct cel_type *dyn = cel_type_plain(CEL_T_DYN);
    switch (t->kind) {
    case CEL_T_LIST:
        *ret = two ? cel_type_plain(CEL_T_INT) : t->a;
        *ret2 = t->a;
        break;
    case CEL_T_MAP:
        *ret = t->a;
        *ret2 = t->b;
        break;
    case CEL_T_DYN:
    case CEL_T_ERROR:
    case CEL_T_PARAM:
        cel_bindings_assign(&k->m, dyn, t);
        *ret = *ret2 = dyn;
        break;
    default:
        cel_issue_add(k->c, range->at,
                      "expression of type '%.*s' cannot be range of a comprehension (must be list, "
                      "map, or dynamic)",
                      STR_ARG(short_name(k, t)));
        *ret = *ret2 = cel_type_plain(CEL_T_ERROR);
    }
}

static void must_be(struct checker *k, const struct node *n, const struct cel_type *want)
{
    if (!cel_bindings_assign(&k->m, want, n->type))
        mismatch(k, n, want, n->type);
}

static void check_fold(struct checker *k, struct node *n)
{
    const struct cel_type *first, *second;
    check_node(k, n->args[FOLD_RANGE]);
    check_node(k, n->args[FOLD_INIT]);
    bool two = n->name2.n > 0;
    const struct local *outer = k->locals;
    struct local accumulator = {n->accumulator, n->args[FOLD_INIT]->type, outer};
    range_vars(k, n->args[FOLD_RANGE], two, &first, &second);
    struct local one = {n->name, first, &accumulator};
    struct local other = {n->name2, second, &one};
    k->locals = two ? &other : &one;
    check_node(k, n->args[FOLD_CONDITION]);
    must_be(k, n->args[FOLD_CONDITION], cel_type_plain(CEL_T_BOOL));
    check_node(k, n->args[FOLD_STEP]);
    must_be(k, n->args[FOLD_STEP], accumulator.type);
    k->locals = &accumulator;
    check_node(k, n->args[FOLD_RESULT]);
    k->locals = outer;
    n->type = applied(k, n->args[FOLD_RESULT]->type);
}

static const struct cel_type *literal_type(struct cel_value v)
{
    static const enum cel_type_kind kinds[] = {
        [CEL_NULL] = CEL_T_NULL,   [CEL_BOOL] = CEL_T_BOOL,     [CEL_INT] = CEL_T_INT,
        [CEL_UINT] = CEL_T_UINT,   [CEL_DOUBLE] = CEL_T_DOUBLE, [CEL_STRING] = CEL_T_STRING,
        [CEL_BYTES] = CEL_T_BYTES,
    };
    return cel_type_plain(kinds[v.kind]);
}

static void check_node(struct checker *k, struct node *n)
{
    switch (n->kind) {
    case NODE_LITERAL:
        n->type = literal_type(n->literal);
        break;
    case NODE_IDENT:
        if (!resolve_ident(k, n, n->name))
            undeclared(k, n, n->name);
        break;
    case NODE_SELECT:
        check_select(k, n);
        break;
    case NODE_CALL:
        check_call(k, n);
        break;
    case NODE_LIST:
        check_list(k, n);
        break;
    case NODE_MAP:
        check_map(k, n);
        break;
    case NODE_STRUCT:
        undeclared(k, n, n->name);
        break;
    case NODE_FOLD:
        check_fold(k, n);
        break;
    }
}

static void settle(struct checker *k, struct node *n)
{
    if (n->type)
        n->type = cel_bindings_apply(&k->m, n->type, true);
    for (size_t i = 0; i < n->count; i++)
        settle(k, n->args[i]);
}

void cel_check(struct compiler *c, struct node *root)
{
    struct checker k = {.c = c, .m = {.a = c->a}};
    check_node(&k, root);
    settle(&k, root);
}
