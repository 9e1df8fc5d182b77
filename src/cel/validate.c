/* What is checked when all types are right: literals that a function would refuse, lists and maps
 * of mixed types that hide behind dyn, clauses of string.format. */
#include "cel/format.h"
#include "cel/overload.h"
#include "cel/type.h"

static void walk(struct compiler *c, struct node *n, bool in_format,
                 void (*visit)(struct compiler *, struct node *, bool))
{
    visit(c, n, in_format);
    bool format = in_format || (n->kind == NODE_CALL && str_is(n->name, "format"));
    for (size_t i = 0; i < n->count; i++)
        walk(c, n->args[i], format, visit);
}

/* The first argument behind the target, when it is a literal of the kind. */
static struct node *literal_argument(const struct node *n, const char *function, enum cel_kind kind)
{
    if (n->kind != NODE_CALL || !str_is(n->name, function) || n->count <= n->member)
        return NULL;
    struct node *arg = n->args[n->member];
    return arg->kind == NODE_LITERAL && arg->literal.kind == kind ? arg : NULL;
}

static void check_literals(struct compiler *c, struct node *n, bool in_format)
{
    (void)in_format;
    int64_t ns;
    struct cel_value t;
    struct err err;
    const struct node *arg = literal_argument(n, "duration", CEL_STRING);
    if (arg && !cel_duration_parse(arg->literal.s, &ns))
        cel_issue_add(c, arg->at, "invalid duration argument");
    arg = literal_argument(n, "timestamp", CEL_STRING);
    if (arg && !cel_timestamp_parse(arg->literal.s, &t))
        cel_issue_add(c, arg->at, "invalid timestamp argument");
    arg = literal_argument(n, "timestamp", CEL_INT);
    if (arg && !cel_timestamp_fits(arg->literal.i))
        cel_issue_add(c, arg->at, "invalid timestamp argument");
    arg = literal_argument(n, "matches", CEL_STRING);
    if (arg && regex_check(arg->literal.s, &err) != 0)
        cel_issue_add(c, arg->at, "invalid matches argument");
}

static void mixed(struct compiler *c, const struct node *n, const struct cel_type *want,
                  const struct cel_type *got)
{
    struct buf x = {0}, y = {0};
    cel_type_write_short(want, &x);
    cel_type_write_short(got, &y);
    cel_issue_add(c, n->at, "expected type '%s' but found '%s'", buf_z(&x), buf_z(&y));
    buf_done(&x);
    buf_done(&y);
}

static const struct cel_type *item_type(const struct node *n, size_t entry, size_t i)
{
    const struct cel_type *t = n->args[i]->type;
    return n->optional && n->optional[entry] && t->kind == CEL_T_OPTIONAL ? t->a : t;
}

static void check_mixed(struct compiler *c, struct node *n, bool in_format)
{
    if (in_format || (n->kind != NODE_LIST && n->kind != NODE_MAP))
        return;
    size_t step = n->kind == NODE_MAP ? 2 : 1;
    for (size_t i = step; i < n->count; i++) {
        bool value = step == 1 || i % 2;
        const struct cel_type *first = value ? item_type(n, 0, step - 1) : n->args[0]->type;
        const struct cel_type *t = value ? item_type(n, i / step, i) : n->args[i]->type;
        if (cel_type_eq(first, t))
            continue;
        mixed(c, n->args[i], first, t);
        if (step == 1)
            break;
    }
}

/* --- string.format --- */
static bool takes(char verb, const struct cel_type *t)
{
    switch (t->kind) {
    case CEL_T_DYN:
        return true;
    case CEL_T_INT:
    case CEL_T_UINT:
        return verb != 'f' && verb != 'e';
    case CEL_T_DOUBLE:
        return verb == 's' || verb == 'f' || verb == 'e';
    case CEL_T_STRING:
        return strchr("sfexX", verb) != NULL;
    case CEL_T_BYTES:
        return strchr("sxX", verb) != NULL;
    case CEL_T_BOOL:
        return verb == 's' || verb == 'b';
    default:
        return verb == 's' && t->kind < CEL_T_OPTIONAL && t->kind != CEL_T_ERROR;
    }
}

/* The part of an argument that the clause does not take, or NULL. */
static const struct node *misfit(char verb, const struct node *n)
{
    if (!takes(verb, n->type))
        return n;
    for (size_t i = 0; i < n->count && (n->kind == NODE_LIST || n->kind == NODE_MAP); i++) {
        const struct node *bad = misfit(verb, n->args[i]);
        if (bad)
            return bad;
    }
    return NULL;
}

static struct str plain_name(struct compiler *c, const struct cel_type *t)
{
    struct cel_type bare = *t;
    struct buf b = {0};
    bare.a = bare.b = NULL;
    cel_type_write(&bare, &b);
    struct str s = arena_dup(c->a, buf_str(&b));
    buf_done(&b);
    return s;
}

/* False: an issue was added. */
static bool check_clauses(struct compiler *c, const struct node *n, struct str format,
                          const struct node *list, size_t *ret_used)
{
    struct format_clause clause;
    struct buf problem = {0};
    *ret_used = 0;
    for (size_t i = 0; i < format.n;) {
        if (format.p[i++] != '%')
            continue;
        if (i < format.n && format.p[i] == '%') {
            i++;
            continue;
        }
        size_t k = (*ret_used)++;
        const struct node *bad = NULL;
        if (i == format.n)
            buf_puts(&problem, "unexpected end of string");
        else if (k >= list->count)
            buf_printf(&problem, "index %zu out of range", k);
        else if (cel_format_clause_read(format, &i, &clause, &problem) &&
                 (bad = misfit(clause.verb, list->args[k])))
            buf_printf(&problem, "error during formatting: %s%.*s",
                       cel_format_clause_wants(clause.verb), STR_ARG(plain_name(c, bad->type)));
        if (problem.n > 0) {
            cel_issue_add(c, bad ? bad->at : n->at, "%s", buf_z(&problem));
            buf_done(&problem);
            return false;
        }
    }
    return true;
}

static void check_format(struct compiler *c, struct node *n, bool in_format)
{
    (void)in_format;
    size_t used;
    if (n->kind != NODE_CALL || !n->member || !str_is(n->name, "format") || n->count != 2 ||
        n->args[0]->kind != NODE_LITERAL || n->args[1]->kind != NODE_LIST)
        return;
    if (check_clauses(c, n, n->args[0]->literal.s, n->args[1], &used) && n->args[1]->count > used)
        cel_issue_add(c, n->at,
                      "too many arguments supplied to string.format (expected %zu, got %zu)", used,
                      n->args[1]->count);
}

void cel_validate(struct compiler *c, struct node *root)
{
    walk(c, root, false, check_literals);
    walk(c, root, false, check_mixed);
    walk(c, root, false, check_format);
}
