/* tmpl_parse.c: pipelines, commands and operands. */
#include "template/gofmt.h"
#include "template/tmpl_parse_internal.h"
#include "template/unicode.h"

void tmpl_nodes_add(struct nodes *list, struct node *n)
{
    if (list->n == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 8;
        list->items = mem_realloc_array(list->items, list->cap, sizeof(*list->items));
    }
    list->items[list->n++] = n;
}

struct node **tmpl_nodes_take(struct nodes *list, struct arena *a, uint32_t *ret_n)
{
    struct node **items = list->n ? arena_alloc(a, list->n * sizeof(*items)) : NULL;
    if (list->n)
        memcpy(items, list->items, list->n * sizeof(*items));
    *ret_n = (uint32_t)list->n;
    free(list->items);
    *list = (struct nodes){0};
    return items;
}

/* --- tokens --- */

struct token tmpl_parser_next(struct parser *t)
{
    if (t->peeked > 0)
        t->peeked--;
    else
        t->tokens[0] = tmpl_lexer_next(&t->p->lexer);
    return t->tokens[t->peeked];
}

struct token tmpl_parser_peek(struct parser *t)
{
    if (t->peeked == 0) {
        t->peeked = 1;
        t->tokens[0] = tmpl_lexer_next(&t->p->lexer);
    }
    return t->tokens[t->peeked - 1];
}

struct token tmpl_parser_next_nonspace(struct parser *t)
{
    struct token token;
    do
        token = tmpl_parser_next(t);
    while (token.type == TOKEN_SPACE);
    return token;
}

struct token tmpl_parser_peek_nonspace(struct parser *t)
{
    struct token token = tmpl_parser_next_nonspace(t);
    t->peeked++;
    return token;
}

void tmpl_parser_backup(struct parser *t)
{
    t->peeked++;
}

/* Pushes back t1, too, which stood before the token that was read last. */
void tmpl_parser_backup2(struct parser *t, struct token t1)
{
    t->tokens[1] = t1;
    t->peeked = 2;
}

static void backup3(struct parser *t, struct token t2, struct token t1)
{
    t->tokens[1] = t1;
    t->tokens[2] = t2;
    t->peeked = 3;
}

/* --- errors --- */

struct node *tmpl_parser_fail_text(struct parser *t, struct str message)
{
    struct str *error = t->p->error;
    if (error->n > 0)
        return NULL;
    struct buf b = {0};
    buf_puts(&b, "template: ");
    buf_put(&b, t->p->source->name);
    buf_printf(&b, ":%u: ", t->tokens[0].line);
    buf_put(&b, message);
    *error = arena_dup(t->p->arena, buf_str(&b));
    buf_done(&b);
    return NULL;
}

struct node *tmpl_parser_fail(struct parser *t, const char *format, ...)
{
    struct buf b = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    tmpl_parser_fail_text(t, buf_str(&b));
    buf_done(&b);
    return NULL;
}

/* A token as errors show it: keywords in <>, long texts cut. */
static struct str token_text(struct arena *a, struct token token)
{
    if (token.type == TOKEN_EOF)
        return STR("EOF");
    if (token.type == TOKEN_ERROR)
        return token.text;
    if (token.type > TOKEN_KEYWORD)
        return arena_printf(a, "<%.*s>", STR_ARG(token.text));
    struct buf b = {0};
    size_t end = 0, n;
    for (int i = 0; i < 10 && end < token.text.n; i++, end += n)
        rune_decode(str_from(token.text, end), &n);
    bool cut = token.text.n > 10;
    gofmt_quote(&b, cut ? str_head(token.text, end) : token.text, false);
    struct str text = arena_printf(a, "%s%s", buf_z(&b), cut ? "..." : "");
    buf_done(&b);
    return text;
}

struct node *tmpl_parser_unexpected(struct parser *t, struct token token, const char *context)
{
    struct str text = token_text(t->p->arena, token);
    if (token.type != TOKEN_ERROR)
        return tmpl_parser_fail(t, "unexpected %.*s in %s", STR_ARG(text), context);
    if (t->action_line == 0 || t->action_line == token.line)
        return tmpl_parser_fail(t, "%.*s", STR_ARG(text));
    bool action = str_ends(token.text, STR(" action"));
    return tmpl_parser_fail(t, "%.*s%s started at %.*s:%u", STR_ARG(text),
                            action ? "" : " in action", STR_ARG(t->p->source->name),
                            t->action_line);
}

/* --- nodes --- */

/* How many bytes of a node its type uses. */
static size_t node_size(enum node_type type)
{
    switch (type) {
    case NODE_BREAK:
    case NODE_CONTINUE:
    case NODE_END:
    case NODE_ELSE:
    case NODE_BOOL:
    case NODE_DOT:
    case NODE_NIL:
        return offsetof(struct node, text);
    case NODE_ACTION:
        return offsetof(struct node, list);
    case NODE_TEXT:
        return offsetof(struct node, quoted);
    case NODE_LIST:
    case NODE_COMMAND:
        return offsetof(struct node, decls);
    case NODE_NUMBER:
    case NODE_IDENTIFIER:
        return offsetof(struct node, func) + sizeof(void *);
    case NODE_STRING:
        return offsetof(struct node, quoted) + sizeof(struct str);
    default: /* control nodes and expressions */
        return offsetof(struct node, else_list) + sizeof(void *);
    }
}

struct node *tmpl_parser_node(struct parser *t, enum node_type type, size_t pos)
{
    struct node *n = arena_zalloc(t->p->arena, node_size(type));
    n->type = type;
    n->pos = (uint32_t)pos;
    return n;
}

static void set_names(struct parser *t, struct node *n, const struct str *names, size_t count)
{
    n->names = arena_alloc(t->p->arena, count * sizeof(*names));
    memcpy(n->names, names, count * sizeof(*names));
    n->n_more = (uint32_t)count;
}

static struct node *new_variable(struct parser *t, struct token token)
{
    struct node *n = tmpl_parser_node(t, NODE_VARIABLE, token.pos);
    set_names(t, n, &token.text, 1);
    return n;
}

static void declare(struct parser *t, struct nodes *decls, struct token token)
{
    tmpl_nodes_add(decls, new_variable(t, token));
    if (t->n_vars == t->cap_vars) {
        t->cap_vars = t->cap_vars ? t->cap_vars * 2 : 16;
        t->vars = mem_realloc_array(t->vars, t->cap_vars, sizeof(*t->vars));
    }
    t->vars[t->n_vars++] = token.text;
}

static struct node *use_variable(struct parser *t, struct token token)
{
    for (size_t i = 0; i < t->n_vars; i++)
        if (str_eq(t->vars[i], token.text))
            return new_variable(t, token);
    return tmpl_parser_fail(t, "undefined variable \"%.*s\"", STR_ARG(token.text));
}

static struct node *number_node(struct parser *t, struct token token)
{
    struct number *number = ARENA_NEW(t->p->arena, struct number);
    struct str error;
    if (tmpl_number_parse(t->p->arena, token.text, token.type, number, &error) < 0)
        return tmpl_parser_fail_text(t, error);
    struct node *n = tmpl_parser_node(t, NODE_NUMBER, token.pos);
    n->text = token.text;
    n->number = number;
    return n;
}

static struct node *string_node(struct parser *t, struct token token)
{
    struct node *n = tmpl_parser_node(t, NODE_STRING, token.pos);
    n->quoted = token.text;
    if (!tmpl_literal_unquote(t->p->arena, token.text, &n->text))
        return tmpl_parser_fail(t, "invalid syntax");
    return n;
}

static struct node *function_node(struct parser *t, struct token token)
{
    struct node *n = tmpl_parser_node(t, NODE_IDENTIFIER, token.pos);
    n->text = token.text;
    n->func = tmpl_find_func(t->p->set, token.text);
    if (n->func == NULL)
        return tmpl_parser_fail(t, "function \"%.*s\" not defined", STR_ARG(token.text));
    return n;
}

static struct node *paren_node(struct parser *t)
{
    if (t->parens >= PARSE_MAX_NESTING)
        return tmpl_parser_fail(t, "max expression depth exceeded");
    t->parens++;
    struct node *pipe = tmpl_parse_pipeline(t, "parenthesized pipeline", TOKEN_RIGHT_PAREN);
    t->parens--;
    return pipe;
}

/* A simple expression. *ret is NULL when what comes next is none. */
static int parse_term(struct parser *t, struct node **ret)
{
    struct token token = tmpl_parser_next_nonspace(t);
    switch (token.type) {
    case TOKEN_IDENTIFIER:
        *ret = function_node(t, token);
        break;
    case TOKEN_DOT:
        *ret = tmpl_parser_node(t, NODE_DOT, token.pos);
        break;
    case TOKEN_NIL:
        *ret = tmpl_parser_node(t, NODE_NIL, token.pos);
        break;
    case TOKEN_VARIABLE:
        *ret = use_variable(t, token);
        break;
    case TOKEN_FIELD: {
        struct str name = str_from(token.text, 1);
        *ret = tmpl_parser_node(t, NODE_FIELD, token.pos);
        set_names(t, *ret, &name, 1);
        break;
    }
    case TOKEN_BOOL:
        *ret = tmpl_parser_node(t, NODE_BOOL, token.pos);
        (*ret)->is_true = str_is(token.text, "true");
        break;
    case TOKEN_CHAR_CONSTANT:
    case TOKEN_COMPLEX:
    case TOKEN_NUMBER:
        *ret = number_node(t, token);
        break;
    case TOKEN_LEFT_PAREN:
        *ret = paren_node(t);
        break;
    case TOKEN_STRING:
    case TOKEN_RAW_STRING:
        *ret = string_node(t, token);
        break;
    default:
        tmpl_parser_backup(t);
        *ret = NULL;
        return 0;
    }
    return *ret ? 0 : -1;
}

/* The fields behind a term: they belong to it when it is a field or a variable. */
static struct node *parse_fields(struct parser *t, struct node *term)
{
    struct buf names = {0};
    size_t pos = tmpl_parser_peek(t).pos, count = 0;
    bool joins = term->type == NODE_FIELD || term->type == NODE_VARIABLE;
    if (joins)
        buf_append(&names, term->names, term->n_more * sizeof(struct str));
    while (tmpl_parser_peek(t).type == TOKEN_FIELD) {
        struct str name = str_from(tmpl_parser_next(t).text, 1);
        buf_append(&names, &name, sizeof(name));
    }
    count = names.n / sizeof(struct str);
    struct node *n = tmpl_parser_node(t, joins ? term->type : NODE_CHAIN, pos);
    if (!joins) {
        n->kids = arena_alloc(t->p->arena, sizeof(struct node *));
        n->kids[0] = term;
        n->n_kids = 1;
    }
    set_names(t, n, (const struct str *)(const void *)names.p, count);
    buf_done(&names);
    return n;
}

/* A term with its fields. *ret is NULL when what comes next is none. */
static int parse_operand(struct parser *t, struct node **ret)
{
    if (parse_term(t, ret) < 0)
        return -1;
    if (*ret == NULL || tmpl_parser_peek(t).type != TOKEN_FIELD)
        return 0;
    struct node *term = *ret;
    *ret = parse_fields(t, term);
    if (term->type != NODE_BOOL && term->type != NODE_STRING && term->type != NODE_NUMBER &&
        term->type != NODE_NIL && term->type != NODE_DOT)
        return 0;
    struct buf b = {0}, quoted = {0};
    tmpl_node_write(term, &b);
    gofmt_quote(&quoted, buf_str(&b), false);
    tmpl_parser_fail(t, "unexpected . after term %s", buf_z(&quoted));
    buf_done(&b);
    buf_done(&quoted);
    return -1;
}

/* Operands up to a pipe or the end, which is left. */
static struct node *parse_command(struct parser *t)
{
    struct node *cmd = tmpl_parser_node(t, NODE_COMMAND, tmpl_parser_peek_nonspace(t).pos);
    struct nodes args = {0};
    bool failed = false;
    for (bool more = true; more && !failed;) {
        struct node *operand;
        tmpl_parser_peek_nonspace(t);
        failed = parse_operand(t, &operand) < 0;
        if (failed)
            break;
        if (operand)
            tmpl_nodes_add(&args, operand);
        struct token token = tmpl_parser_next(t);
        more = token.type == TOKEN_SPACE;
        if (token.type == TOKEN_RIGHT_DELIM || token.type == TOKEN_RIGHT_PAREN) {
            tmpl_parser_backup(t);
        } else if (!more && token.type != TOKEN_PIPE) {
            tmpl_parser_unexpected(t, token, "operand");
            failed = true;
        }
    }
    cmd->kids = tmpl_nodes_take(&args, t->p->arena, &cmd->n_kids);
    if (failed)
        return NULL;
    return cmd->n_kids > 0 ? cmd : tmpl_parser_fail(t, "empty command");
}

/* "$x :=", "$x =", in a range also "$i, $x :=". -1: the text is wrong. */
static int parse_declarations(struct parser *t, struct node *pipe, struct nodes *decls,
                              const char *context)
{
    for (;;) {
        struct token v = tmpl_parser_peek_nonspace(t);
        if (v.type != TOKEN_VARIABLE)
            return 0;
        tmpl_parser_next(t);
        struct token after = tmpl_parser_peek(t), next = tmpl_parser_peek_nonspace(t);
        if (next.type == TOKEN_ASSIGN || next.type == TOKEN_DECLARE) {
            pipe->is_assign = next.type == TOKEN_ASSIGN;
            tmpl_parser_next_nonspace(t);
            declare(t, decls, v);
            return 0;
        }
        if (next.type != TOKEN_CHAR || !str_is(next.text, ",")) {
            if (after.type == TOKEN_SPACE)
                backup3(t, v, after);
            else
                tmpl_parser_backup2(t, v);
            return 0;
        }
        tmpl_parser_next_nonspace(t);
        declare(t, decls, v);
        if (strcmp(context, "range") == 0 && decls->n < 2) {
            enum token_type type = tmpl_parser_peek_nonspace(t).type;
            if (type == TOKEN_VARIABLE || type == TOKEN_RIGHT_DELIM || type == TOKEN_RIGHT_PAREN)
                continue;
            tmpl_parser_fail(t, "range can only initialize variables");
            return -1;
        }
        tmpl_parser_fail(t, "too many declarations in %s", context);
        return -1;
    }
}

static struct node *check_pipeline(struct parser *t, struct node *pipe, const char *context)
{
    if (pipe->n_kids == 0)
        return tmpl_parser_fail(t, "missing value for %s", context);
    for (size_t i = 1; i < pipe->n_kids; i++) {
        enum node_type type = pipe->kids[i]->kids[0]->type;
        if (type == NODE_BOOL || type == NODE_DOT || type == NODE_NIL || type == NODE_NUMBER ||
            type == NODE_STRING)
            return tmpl_parser_fail(t, "non executable command in pipeline stage %zu", i + 1);
    }
    return pipe;
}

static bool starts_operand(enum token_type type)
{
    switch (type) {
    case TOKEN_BOOL:
    case TOKEN_CHAR_CONSTANT:
    case TOKEN_COMPLEX:
    case TOKEN_DOT:
    case TOKEN_FIELD:
    case TOKEN_IDENTIFIER:
    case TOKEN_NUMBER:
    case TOKEN_NIL:
    case TOKEN_RAW_STRING:
    case TOKEN_STRING:
    case TOKEN_VARIABLE:
    case TOKEN_LEFT_PAREN:
        return true;
    default:
        return false;
    }
}

struct node *tmpl_parse_pipeline(struct parser *t, const char *context, enum token_type end)
{
    struct node *pipe = tmpl_parser_node(t, NODE_PIPE, tmpl_parser_peek_nonspace(t).pos);
    struct nodes decls = {0}, cmds = {0};
    bool failed = parse_declarations(t, pipe, &decls, context) < 0;
    while (!failed) {
        struct token token = tmpl_parser_next_nonspace(t);
        if (token.type == end)
            break;
        if (!starts_operand(token.type)) {
            tmpl_parser_unexpected(t, token, context);
            failed = true;
            break;
        }
        tmpl_parser_backup(t);
        struct node *cmd = parse_command(t);
        failed = cmd == NULL;
        if (cmd)
            tmpl_nodes_add(&cmds, cmd);
    }
    pipe->decls = tmpl_nodes_take(&decls, t->p->arena, &pipe->n_more);
    pipe->kids = tmpl_nodes_take(&cmds, t->p->arena, &pipe->n_kids);
    return failed ? NULL : check_pipeline(t, pipe, context);
}
