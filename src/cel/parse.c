/* The grammar of CEL, by recursive descent. Messages are those of upstream's generated parser,
 * which tries to go on by leaving out one token or taking one for granted; here the second error
 * ends the parse. */
#include "cel/ast.h"

#define START "{'[', '{', '(', '.', '-', '!', "
#define LITERALS "'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"

enum rule { RULE_EXPR, RULE_RELATION, RULE_CALC, RULE_UNARY, RULE_MEMBER, RULES };

struct parser {
    struct compiler *c;
    const struct token *begin;
    const struct token *t; /* the next token */
    const struct token *end;
    int depth[RULES];
    bool failed;
};

static struct node *parse_expr(struct parser *p);

static bool at_op(const struct parser *p, const char *op)
{
    return p->t->kind == TOKEN_OP && str_is(p->t->text, op);
}

static bool next_is(const struct parser *p, const char *op)
{
    return p->t < p->end && p->t[1].kind == TOKEN_OP && str_is(p->t[1].text, op);
}

static bool accept(struct parser *p, const char *op)
{
    if (!at_op(p, op))
        return false;
    p->t++;
    return true;
}

static void advance(struct parser *p)
{
    if (p->t < p->end)
        p->t++;
}

static struct node *fail(struct parser *p)
{
    p->failed = true;
    return cel_node_new(p->c, NODE_LITERAL, p->t->at);
}

static struct node *syntax_error(struct parser *p, const char *what, const char *expecting)
{
    cel_issue_add(p->c, p->t->at, "Syntax error: %s input '%.*s' expecting %s", what,
                  STR_ARG(p->t->text), expecting);
    return fail(p);
}

static bool deeper(struct parser *p, enum rule rule)
{
    if (++p->depth[rule] <= CEL_MAX_DEPTH)
        return true;
    if (!p->failed)
        cel_issue_add(p->c, 0, "expression recursion limit exceeded: %d", CEL_MAX_DEPTH);
    p->failed = true;
    return false;
}

static bool starts_primary(const struct token *t)
{
    if (t->kind == TOKEN_END || t->kind == TOKEN_ESCAPED)
        return false;
    if (t->kind != TOKEN_OP)
        return true;
    static const char *const ops[] = {"[", "{", "(", ".", "-", "!", "true", "false", "null"};
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (str_is(t->text, ops[i]))
            return true;
    return false;
}

static struct node *missing(struct parser *p, const char *op)
{
    cel_issue_add(p->c, p->t->at, "Syntax error: missing '%s' at '%.*s'", op, STR_ARG(p->t->text));
    return fail(p);
}

/* The colon between two parts; false: it is not there. */
static bool expect_colon(struct parser *p)
{
    if (accept(p, ":"))
        return true;
    if (starts_primary(p->t))
        missing(p, ":");
    else
        syntax_error(p, "mismatched", "':'");
    return false;
}

/* The bracket that is open around the innermost open one at p->t, or 0: the end may come. */
static char enclosing(const struct parser *p)
{
    int closed = 0, open = 0;
    for (const struct token *t = p->t - 1; t >= p->begin; t--) {
        char c = t->kind == TOKEN_OP && t->text.n == 1 ? t->text.p[0] : ' ';
        if (strchr(")]}", c))
            closed++;
        else if (strchr("([{", c) && closed > 0)
            closed--;
        else if (strchr("([{", c) && ++open == 2)
            return c;
    }
    return 0;
}

/* Whether p->t is what follows the closing token that is missing. */
static bool follows_close(const struct parser *p)
{
    switch (enclosing(p)) {
    case '(':
        return at_op(p, ")");
    case '[':
        return at_op(p, "]");
    case '{':
        return at_op(p, "}");
    default:
        return p->t->kind == TOKEN_END;
    }
}

/* The closing token of a call or a parenthesis. */
static void expect_close(struct parser *p, const char *op)
{
    if (p->failed || accept(p, op))
        return;
    if (next_is(p, op)) {
        syntax_error(p, "extraneous", at_op(p, ",") ? "','" : op[0] == ')' ? "')'" : "']'");
        return;
    }
    if (follows_close(p)) {
        missing(p, op);
        return;
    }
    char expecting[8];
    snprintf(expecting, sizeof expecting, "'%s'", op);
    syntax_error(p, "mismatched", expecting);
}

struct nodes {
    struct node **p;
    size_t n, cap;
};

static void push(struct parser *p, struct nodes *list, struct node *n)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 4;
        struct node **more = arena_alloc(p->c->a, cap * sizeof *more);
        if (list->n)
            memcpy(more, list->p, list->n * sizeof *more);
        list->p = more;
        list->cap = cap;
    }
    list->p[list->n++] = n;
}

static struct nodes parse_args(struct parser *p)
{
    struct nodes args = {0};
    if (accept(p, ")"))
        return args;
    if (!starts_primary(p->t)) {
        syntax_error(p,
                     p->t < p->end && (starts_primary(p->t + 1) || next_is(p, ")")) ? "extraneous"
                                                                                    : "mismatched",
                     "{'[', '{', '(', ')', '.', '-', '!', " LITERALS);
        return args;
    }
    do {
        push(p, &args, parse_expr(p));
    } while (!p->failed && accept(p, ","));
    expect_close(p, ")");
    return args;
}

static const char *const reserved[] = {
    "as",       "break",     "const",  "continue", "else", "false", "for",
    "function", "if",        "import", "in",       "let",  "loop",  "null",
    "package",  "namespace", "return", "true",     "var",  "void",  "while",
};

static bool is_reserved(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
        if (str_is(name, reserved[i]))
            return true;
    return false;
}

static struct node *call_or_macro(struct parser *p, uint32_t at, struct str function,
                                  struct node *target, struct nodes args)
{
    if (p->failed)
        return cel_node_new(p->c, NODE_LITERAL, at);
    struct node *n = cel_macro(p->c, at, function, target, args.n, args.p);
    if (n)
        return n;
    return target ? cel_node_member(p->c, at, function, target, args.n, args.p)
                  : cel_node_call(p->c, at, function, args.n, args.p);
}

/* a.b{…}: building a protobuf message. p->t is the brace, which `name` names the type before. */
static struct node *parse_struct(struct parser *p, struct str name)
{
    struct node *n = cel_node_new(p->c, NODE_STRUCT, p->t->at);
    n->name = name;
    advance(p);
    struct nodes values = {0};
    while (!p->failed && !at_op(p, "}")) {
        accept(p, "?");
        if (p->t->kind != TOKEN_IDENT && p->t->kind != TOKEN_ESCAPED)
            return syntax_error(p, "mismatched", "{'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}");
        advance(p);
        if (!accept(p, ":"))
            return syntax_error(p, "mismatched", "':'");
        push(p, &values, parse_expr(p));
        if (!accept(p, ","))
            break;
    }
    expect_close(p, "}");
    n->args = values.p;
    n->count = values.n;
    return n;
}

/* True when identifiers, joined by dots, lead from p->t to an opening brace. */
static bool names_struct(const struct parser *p, const struct token **ret_brace)
{
    const struct token *t = p->t;
    while (t->kind == TOKEN_IDENT) {
        t++;
        if (t->kind != TOKEN_OP)
            return false;
        if (str_is(t->text, "{")) {
            *ret_brace = t;
            return true;
        }
        if (!str_is(t->text, "."))
            return false;
        t++;
    }
    return false;
}

static struct node *parse_name(struct parser *p, bool dot, uint32_t dot_at)
{
    const struct token *brace, *t = p->t;
    if (names_struct(p, &brace)) {
        struct buf b = {0};
        buf_puts(&b, dot ? "." : "");
        for (; p->t < brace; p->t++)
            buf_put(&b, p->t->text);
        struct str name = arena_dup(p->c->a, buf_str(&b));
        buf_done(&b);
        return parse_struct(p, name);
    }
    advance(p);
    struct str name = dot ? arena_printf(p->c->a, ".%.*s", STR_ARG(t->text)) : t->text;
    if (is_reserved(t->text)) {
        cel_issue_add(p->c, dot ? dot_at : t->at, "reserved identifier: %.*s", STR_ARG(t->text));
        if (accept(p, "("))
            parse_args(p);
        return cel_node_new(p->c, NODE_LITERAL, t->at);
    }
    if (!at_op(p, "("))
        return cel_node_ident(p->c, t->at, name);
    uint32_t at = p->t->at;
    advance(p);
    return call_or_macro(p, at, name, NULL, parse_args(p));
}

static struct node *parse_list(struct parser *p)
{
    uint32_t at = p->t[-1].at;
    struct nodes items = {0};
    bool optional[1], *optionals = NULL;
    size_t cap = 0;
    if (p->t->kind == TOKEN_END)
        return syntax_error(p, "mismatched",
                            "{'[', ']', '{', '(', '.', ',', '-', '!', '?', " LITERALS);
    while (!p->failed && !at_op(p, "]") && !(items.n == 0 && at_op(p, ",") && next_is(p, "]"))) {
        optional[0] = accept(p, "?");
        if (items.n == cap) {
            size_t more = cap ? cap * 2 : 8;
            bool *grown = arena_zalloc(p->c->a, more);
            if (cap)
                memcpy(grown, optionals, cap);
            optionals = grown;
            cap = more;
        }
        optionals[items.n] = optional[0];
        push(p, &items, parse_expr(p));
        if (p->failed || at_op(p, "]"))
            break;
        if (!at_op(p, ","))
            return syntax_error(
                p, p->t->kind != TOKEN_END && next_is(p, "]") ? "extraneous" : "mismatched",
                "{']', ','}");
        advance(p);
        bool more = at_op(p, "]") || at_op(p, "?") || starts_primary(p->t);
        if (!more && follows_close(p))
            return missing(p, "]");
        if (!more)
            return syntax_error(p, next_is(p, "]") ? "extraneous" : "mismatched", "']'");
    }
    accept(p, ",");
    expect_close(p, "]");
    struct node *n = cel_node_list(p->c, at, items.n, items.p);
    for (size_t i = 0; i < items.n; i++)
        if (optionals[i])
            n->optional = optionals;
    return n;
}

static struct node *parse_map(struct parser *p)
{
    struct node *n = cel_node_new(p->c, NODE_MAP, p->t[-1].at);
    struct nodes entries = {0};
    struct nodes marks = {0}; /* one entry for each key; not NULL: optional */
    bool any = false;
    if (p->t->kind == TOKEN_END)
        return syntax_error(p, "mismatched",
                            "{'[', '{', '}', '(', '.', ',', '-', '!', '?', " LITERALS);
    while (!p->failed && !at_op(p, "}") && !(entries.n == 0 && at_op(p, ",") && next_is(p, "}"))) {
        bool optional = accept(p, "?");
        any = any || optional;
        push(p, &marks, optional ? n : NULL);
        push(p, &entries, parse_expr(p));
        if (p->failed)
            break;
        if (!expect_colon(p))
            return n;
        push(p, &entries, parse_expr(p));
        if (p->failed || at_op(p, "}"))
            break;
        if (!accept(p, ","))
            return syntax_error(p, "mismatched", "{'}', ','}");
        bool more = at_op(p, "}") || at_op(p, "?") || starts_primary(p->t);
        if (!more && follows_close(p))
            return missing(p, "}");
    }
    accept(p, ",");
    expect_close(p, "}");
    n->args = entries.p;
    n->count = entries.n;
    if (any) {
        bool *optional = arena_zalloc(p->c->a, marks.n);
        for (size_t i = 0; i < marks.n; i++)
            optional[i] = marks.p[i] != NULL;
        n->optional = optional;
    }
    return n;
}

static struct node *parse_number(struct parser *p, bool negative, uint32_t at)
{
    const struct token *t = p->t;
    advance(p);
    struct cel_value v = {0};
    const char *wrong = NULL;
    if (t->kind == TOKEN_INT) {
        v.kind = CEL_INT;
        wrong = cel_literal_int(t->text, negative, &v.i) ? NULL : "invalid int literal";
    } else if (t->kind == TOKEN_UINT) {
        v.kind = CEL_UINT;
        wrong = cel_literal_uint(str_head(t->text, t->text.n - 1), &v.u) ? NULL
                                                                         : "invalid uint literal";
    } else {
        v.kind = CEL_DOUBLE;
        wrong = cel_literal_double(t->text, &v.d) ? NULL : "invalid double literal";
        v.d = negative ? -v.d : v.d;
    }
    if (wrong)
        cel_issue_add(p->c, at, "%s", wrong);
    return cel_node_literal(p->c, at, v);
}

static struct node *parse_text(struct parser *p)
{
    struct cel_value v = {.kind = p->t->kind == TOKEN_BYTES ? CEL_BYTES : CEL_STRING};
    uint32_t at = p->t->at;
    cel_literal_text(p->c, p->t, &v.s);
    advance(p);
    return cel_node_literal(p->c, at, v);
}

/* Nothing follows an operator that cannot be here: that is an error of its own. */
static struct node *also_at_end(struct parser *p, struct node *n)
{
    if (p->t->kind != TOKEN_OP || p->t + 1 != p->end || strchr("()[]{},:", p->t->text.p[0]))
        return n;
    advance(p);
    return syntax_error(p, "mismatched", START LITERALS);
}

static struct node *parse_primary(struct parser *p)
{
    if (!starts_primary(p->t)) {
        if (p->t->kind == TOKEN_END || !starts_primary(p->t + 1))
            return also_at_end(p, syntax_error(p, "mismatched", START LITERALS));
        syntax_error(p, "extraneous", START LITERALS);
        p->failed = false; /* without that token the rest may be right */
        advance(p);
    }
    uint32_t at = p->t->at;
    switch (p->t->kind) {
    case TOKEN_IDENT:
        return parse_name(p, false, at);
    case TOKEN_STRING:
    case TOKEN_BYTES:
        return parse_text(p);
    case TOKEN_INT:
    case TOKEN_UINT:
    case TOKEN_DOUBLE:
        return parse_number(p, false, at);
    default:
        break;
    }
    if (accept(p, "true"))
        return cel_node_literal(p->c, at, cel_bool(true));
    if (accept(p, "false"))
        return cel_node_literal(p->c, at, cel_bool(false));
    if (accept(p, "null"))
        return cel_node_literal(p->c, at, cel_null());
    if (accept(p, "["))
        return parse_list(p);
    if (accept(p, "{"))
        return parse_map(p);
    if (accept(p, "(")) {
        struct node *n = parse_expr(p);
        expect_close(p, ")");
        return n;
    }
    if (accept(p, ".")) {
        if (p->t->kind == TOKEN_IDENT)
            return parse_name(p, true, at);
        if (p->t->kind != TOKEN_END)
            return syntax_error(p, "mismatched", "IDENTIFIER");
        cel_issue_add(p->c, p->t->at, "Syntax error: no viable alternative at input '.'");
        return fail(p);
    }
    return syntax_error(p, "mismatched", START LITERALS);
}

/* What follows the dot of a selection or a member call at byte `at`. */
static struct node *parse_selection(struct parser *p, struct node *operand, uint32_t at)
{
    bool optional = accept(p, "?");
    const struct token *t = p->t;
    if (t->kind == TOKEN_OP &&
        (str_is(t->text, "true") || str_is(t->text, "false") || str_is(t->text, "null")))
        return syntax_error(p, "mismatched", "IDENTIFIER");
    if (t->kind != TOKEN_IDENT && t->kind != TOKEN_ESCAPED) {
        if (t->kind == TOKEN_END && optional) {
            syntax_error(p, "mismatched", "{IDENTIFIER, ESC_IDENTIFIER}");
            cel_issue_add(p->c, t->at, "unsupported ident kind");
            return fail(p);
        }
        if (t->kind == TOKEN_END)
            cel_issue_add(p->c, t->at, "Syntax error: no viable alternative at input '.'");
        else
            cel_issue_add(p->c, t->at, "Syntax error: no viable alternative at input '.%s%.*s'",
                          optional ? "?" : "", t->kind == TOKEN_END ? 0 : (int)t->text.n,
                          t->text.p);
        return also_at_end(p, fail(p));
    }
    if (t->kind == TOKEN_ESCAPED)
        cel_issue_add(p->c, t->at, "unsupported syntax: '`'");
    advance(p);
    if (optional) {
        struct node *args[] = {operand, cel_node_literal(p->c, t->at, cel_string(t->text))};
        return cel_node_call(p->c, at, STR("_?._"), 2, args);
    }
    if (t->kind == TOKEN_IDENT && at_op(p, "(")) {
        uint32_t open = p->t->at;
        advance(p);
        return call_or_macro(p, open, t->text, operand, parse_args(p));
    }
    return cel_node_select(p->c, at, operand, t->text);
}

static struct node *parse_index(struct parser *p, struct node *operand, uint32_t at)
{
    bool optional = accept(p, "?");
    if (!optional && !starts_primary(p->t))
        return syntax_error(p, "mismatched", START "'?', " LITERALS);
    struct node *args[] = {operand, parse_expr(p)};
    expect_close(p, "]");
    return cel_node_call(p->c, at, optional ? STR("_[?_]") : STR("_[_]"), 2, args);
}

static struct node *parse_suffixes(struct parser *p, struct node *n)
{
    int levels = 1;
    deeper(p, RULE_MEMBER);
    while (!p->failed && (at_op(p, ".") || at_op(p, "["))) {
        bool dot = at_op(p, ".");
        uint32_t at = p->t->at;
        advance(p);
        levels++;
        if (!deeper(p, RULE_MEMBER))
            break;
        n = dot ? parse_selection(p, n, at) : parse_index(p, n, at);
    }
    p->depth[RULE_MEMBER] -= levels;
    return n;
}

static struct node *parse_unary(struct parser *p)
{
    bool negate = at_op(p, "-"), not = at_op(p, "!");
    if (!negate && !not ) {
        struct node *n = parse_primary(p);
        return p->failed ? n : parse_suffixes(p, n);
    }
    uint32_t at = p->t->at;
    int signs = 0;
    /* A single sign before a number belongs to it: -9223372036854775808 is one literal. */
    if (negate && (p->t[1].kind == TOKEN_INT || p->t[1].kind == TOKEN_DOUBLE)) {
        advance(p);
        return parse_suffixes(p, parse_number(p, true, at));
    }
    while (accept(p, negate ? "-" : "!"))
        signs++;
    if (p->t->kind == TOKEN_END && not )
        return syntax_error(p, "extraneous", START LITERALS);
    if (p->t->kind == TOKEN_END)
        cel_issue_add(p->c, p->t->at, "Syntax error: no viable alternative at input '-'");
    struct node *n = parse_primary(p);
    if (!p->failed)
        n = parse_suffixes(p, n);
    return signs % 2 ? cel_node_call(p->c, at, negate ? STR("-_") : STR("!_"), 1, &n) : n;
}

struct operator
{
    const char *text, *function;
};

static const struct operator factors[] = {{"*", "_*_"}, {"/", "_/_"}, {"%", "_%_"}, {0}};
static const struct operator terms[] = {{"+", "_+_"}, {"-", "_-_"}, {0}};
static const struct operator relations[] = {
    {"<", "_<_"},   {"<=", "_<=_"}, {">=", "_>=_"}, {">", "_>_"},
    {"==", "_==_"}, {"!=", "_!=_"}, {"in", "@in"},  {0}};

static const struct operator* find_operator(const struct parser *p, const struct operator* ops)
{
    for (; ops->text; ops++)
        if (at_op(p, ops->text))
            return ops;
    return NULL;
}

/* Operands and operators of one floor, grouped to the left. */
static struct node *parse_floor(struct parser *p, const struct operator* ops, enum rule rule,
                                struct node *(*below)(struct parser *))
{
    int levels = 1;
    if (!deeper(p, rule))
        return fail(p);
    struct node *n = below(p);
    const struct operator* op;
    while (!p->failed && (op = find_operator(p, ops))) {
        uint32_t at = p->t->at;
        advance(p);
        levels++;
        if (!deeper(p, rule))
            break;
        struct node *args[] = {n, below(p)};
        n = cel_node_call(p->c, at, str_of(op->function), 2, args);
    }
    p->depth[rule] -= levels;
    return n;
}

static struct node *parse_factors(struct parser *p)
{
    return parse_floor(p, factors, RULE_UNARY, parse_unary);
}

static struct node *parse_terms(struct parser *p)
{
    return parse_floor(p, terms, RULE_CALC, parse_factors);
}

static struct node *parse_relation(struct parser *p)
{
    return parse_floor(p, relations, RULE_RELATION, parse_terms);
}

/* A tree as flat as can be: `a && b && c && d` is (a && b) && (c && d). */
static struct node *balance(struct parser *p, struct str function, const struct nodes *operands,
                            const uint32_t *at, size_t low, size_t high)
{
    size_t middle = (low + high + 1) / 2;
    struct node *args[] = {
        middle == low ? operands->p[middle] : balance(p, function, operands, at, low, middle - 1),
        middle == high ? operands->p[middle + 1]
                       : balance(p, function, operands, at, middle + 1, high),
    };
    return cel_node_call(p->c, at[middle], function, 2, args);
}

static struct node *parse_logic(struct parser *p, const char *op, const char *function,
                                struct node *(*below)(struct parser *))
{
    struct nodes operands = {0};
    uint32_t *at = NULL;
    size_t cap = 0;
    push(p, &operands, below(p));
    while (!p->failed && at_op(p, op)) {
        if (operands.n > cap) {
            size_t more = cap ? cap * 2 : 8;
            uint32_t *grown = arena_zalloc(p->c->a, more * sizeof *grown);
            if (cap)
                memcpy(grown, at, cap * sizeof *at);
            at = grown;
            cap = more;
        }
        at[operands.n - 1] = p->t->at;
        advance(p);
        push(p, &operands, below(p));
    }
    if (operands.n == 1 || p->failed)
        return operands.p[0];
    return balance(p, str_of(function), &operands, at, 0, operands.n - 2);
}

static struct node *parse_and(struct parser *p)
{
    return parse_logic(p, "&&", "_&&_", parse_relation);
}

static struct node *parse_or(struct parser *p)
{
    return parse_logic(p, "||", "_||_", parse_and);
}

static struct node *parse_expr(struct parser *p)
{
    if (p->failed || !deeper(p, RULE_EXPR))
        return fail(p);
    struct node *n = parse_or(p);
    if (!p->failed && at_op(p, "?")) {
        uint32_t at = p->t->at;
        advance(p);
        struct node *yes = parse_or(p);
        if (!p->failed)
            expect_colon(p);
        struct node *args[] = {n, yes, p->failed ? yes : parse_expr(p)};
        n = cel_node_call(p->c, at, STR("_?_:_"), 3, args);
    }
    p->depth[RULE_EXPR]--;
    return n;
}

struct node *cel_parse(struct compiler *c)
{
    size_t count;
    const struct token *tokens = cel_lex(c, &count);
    struct parser p = {.c = c, .begin = tokens, .t = tokens, .end = tokens + count - 1};
    struct node *n = parse_expr(&p);
    if (!p.failed && p.t->kind != TOKEN_END)
        syntax_error(&p, p.t + 1 == p.end ? "extraneous" : "mismatched", "<EOF>");
    return n;
}
