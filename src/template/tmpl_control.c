/* tmpl_control.c: text, actions, blocks and definitions. */
#include "template/gofmt.h"
#include "template/tmpl_parse_internal.h"

static struct node *text_or_action(struct parser *t);

static void parser_init(struct parser *t, struct parse *p)
{
    *t = (struct parser){.p = p};
    t->cap_vars = 16;
    t->vars = mem_realloc_array(NULL, t->cap_vars, sizeof(*t->vars));
    t->vars[t->n_vars++] = STR("$");
}

static void parser_done(struct parser *t)
{
    free(t->vars);
}

/* What must come next, blanks skipped. False: it does not. */
static bool expect(struct parser *t, enum token_type type, const char *context,
                   struct token *ret_token)
{
    *ret_token = tmpl_parser_next_nonspace(t);
    if (ret_token->type == type)
        return true;
    tmpl_parser_unexpected(t, *ret_token, context);
    return false;
}

/* Text and actions up to {{end}} or {{else}}, which is in *ret_end. */
static struct node *item_list(struct parser *t, struct node **ret_end)
{
    struct node *list = tmpl_parser_node(t, NODE_LIST, tmpl_parser_peek_nonspace(t).pos);
    struct nodes items = {0};
    bool failed = false;
    *ret_end = NULL;
    while (!failed && *ret_end == NULL && tmpl_parser_peek_nonspace(t).type != TOKEN_EOF) {
        struct node *n = text_or_action(t);
        if (n == NULL)
            failed = true;
        else if (n->type == NODE_END || n->type == NODE_ELSE)
            *ret_end = n;
        else
            tmpl_nodes_add(&items, n);
    }
    list->kids = tmpl_nodes_take(&items, t->p->arena, &list->n_kids);
    if (failed)
        return NULL;
    return *ret_end ? list : tmpl_parser_fail(t, "unexpected EOF");
}

/* Puts a finished tree among the others; two with content under one name are an error. */
static int add_tree(struct parser *t, struct str name, struct node *root)
{
    struct tmpl_list *trees = t->p->trees;
    struct tmpl *tmpl = ARENA_NEW(t->p->arena, struct tmpl);
    *tmpl = (struct tmpl){name, t->p->source, root};
    for (size_t i = 0; i < trees->n; i++) {
        if (!str_eq(trees->items[i]->name, name))
            continue;
        if (tmpl_node_is_blank(trees->items[i]->root)) {
            trees->items[i] = tmpl;
        } else if (!tmpl_node_is_blank(root)) {
            struct buf b = {0};
            gofmt_quote(&b, name, false);
            tmpl_parser_fail(t, "template: multiple definition of template %s", buf_z(&b));
            buf_done(&b);
            return -1;
        }
        return 0;
    }
    if (trees->n == trees->cap) {
        trees->cap = trees->cap ? trees->cap * 2 : 8;
        trees->items = mem_realloc_array(trees->items, trees->cap, sizeof(*trees->items));
    }
    trees->items[trees->n++] = tmpl;
    return 0;
}

/* The body of {{define}} or {{block}}, in a tree of its own; `outer` reports a wrong end. */
static int parse_body(struct parser *t, struct parser *outer, struct str name, const char *context)
{
    if (t->p->nesting >= PARSE_MAX_NESTING) {
        tmpl_parser_fail(t, "max nesting of blocks exceeded");
        return -1;
    }
    t->p->nesting++;
    struct node *end, *root = item_list(t, &end);
    t->p->nesting--;
    if (root == NULL)
        return -1;
    if (end->type != NODE_END) {
        tmpl_parser_fail(outer, "unexpected {{else}} in %s", context);
        return -1;
    }
    return add_tree(t, name, root);
}

static int parse_name(struct parser *t, struct token token, const char *context, struct str *ret)
{
    if (token.type != TOKEN_STRING && token.type != TOKEN_RAW_STRING) {
        tmpl_parser_unexpected(t, token, context);
        return -1;
    }
    if (tmpl_literal_unquote(t->p->arena, token.text, ret))
        return 0;
    tmpl_parser_fail(t, "invalid syntax");
    return -1;
}

/* {{define "name"}} … {{end}}, the keyword being read. */
static int parse_definition(struct parse *p)
{
    const char *context = "define clause";
    struct parser t;
    struct token token;
    struct str name;
    parser_init(&t, p);
    int rc = parse_name(&t, tmpl_parser_next_nonspace(&t), context, &name);
    if (rc == 0 && !expect(&t, TOKEN_RIGHT_DELIM, context, &token))
        rc = -1;
    if (rc == 0)
        rc = parse_body(&t, &t, name, context);
    parser_done(&t);
    return rc;
}

/* {{block "name" pipeline}} … {{end}}: a definition and its use. */
static struct node *block_control(struct parser *t)
{
    const char *context = "block clause";
    struct token token = tmpl_parser_next_nonspace(t);
    struct str name;
    if (parse_name(t, token, context, &name) < 0)
        return NULL;
    struct node *pipe = tmpl_parse_pipeline(t, context, TOKEN_RIGHT_DELIM);
    if (pipe == NULL)
        return NULL;
    struct parser body;
    parser_init(&body, t->p);
    int rc = parse_body(&body, t, name, context);
    parser_done(&body);
    if (rc < 0)
        return NULL;
    struct node *n = tmpl_parser_node(t, NODE_TEMPLATE, token.pos);
    n->name = name;
    n->pipe = pipe;
    return n;
}

static struct node *template_control(struct parser *t)
{
    const char *context = "template clause";
    struct token token = tmpl_parser_next_nonspace(t);
    struct node *n = tmpl_parser_node(t, NODE_TEMPLATE, token.pos);
    if (parse_name(t, token, context, &n->name) < 0)
        return NULL;
    if (tmpl_parser_next_nonspace(t).type == TOKEN_RIGHT_DELIM)
        return n;
    tmpl_parser_backup(t);
    n->pipe = tmpl_parse_pipeline(t, context, TOKEN_RIGHT_DELIM);
    return n->pipe ? n : NULL;
}

static struct node *branch(struct parser *t, enum node_type type);

/* What stands between {{else}} and {{end}}. "else if" in an if, and "else with" in a with, is a
 * block of its own whose {{end}} is the outer one's, too. */
static struct node *else_list(struct parser *t, enum node_type type, const struct node *end)
{
    enum token_type chained = type == NODE_IF ? TOKEN_IF : TOKEN_WITH;
    if (type != NODE_RANGE && tmpl_parser_peek(t).type == chained) {
        tmpl_parser_next(t);
        struct node *list = tmpl_parser_node(t, NODE_LIST, end->pos);
        struct node *inner = branch(t, type);
        if (inner == NULL)
            return NULL;
        list->kids = arena_alloc(t->p->arena, sizeof(struct node *));
        list->kids[0] = inner;
        list->n_kids = 1;
        return list;
    }
    struct node *last, *list = item_list(t, &last);
    if (list && last->type != NODE_END)
        return tmpl_parser_fail(t, "expected end; found {{else}}");
    return list;
}

static struct node *branch_body(struct parser *t, enum node_type type)
{
    static const char *const contexts[] = {
        [NODE_IF] = "if", [NODE_WITH] = "with", [NODE_RANGE] = "range"};
    struct node *pipe = tmpl_parse_pipeline(t, contexts[type], TOKEN_RIGHT_DELIM);
    if (pipe == NULL)
        return NULL;
    struct node *n = tmpl_parser_node(t, type, pipe->pos), *end;
    n->pipe = pipe;
    t->range_depth += type == NODE_RANGE;
    n->list = item_list(t, &end);
    t->range_depth -= type == NODE_RANGE;
    if (n->list == NULL)
        return NULL;
    if (end->type == NODE_ELSE) {
        n->else_list = else_list(t, type, end);
        if (n->else_list == NULL)
            return NULL;
    }
    return n;
}

static struct node *branch(struct parser *t, enum node_type type)
{
    if (t->p->nesting >= PARSE_MAX_NESTING)
        return tmpl_parser_fail(t, "max nesting of blocks exceeded");
    size_t vars = t->n_vars;
    t->p->nesting++;
    struct node *n = branch_body(t, type);
    t->p->nesting--;
    t->n_vars = vars;
    return n;
}

static struct node *loop_control(struct parser *t, enum node_type type, struct token keyword)
{
    const char *name = type == NODE_BREAK ? "{{break}}" : "{{continue}}";
    struct token token;
    if (!expect(t, TOKEN_RIGHT_DELIM, name, &token))
        return NULL;
    if (t->range_depth == 0)
        return tmpl_parser_fail(t, "%s outside {{range}}", name);
    return tmpl_parser_node(t, type, keyword.pos);
}

static struct node *else_control(struct parser *t)
{
    struct token token = tmpl_parser_peek_nonspace(t);
    if (token.type != TOKEN_IF && token.type != TOKEN_WITH &&
        !expect(t, TOKEN_RIGHT_DELIM, "else", &token))
        return NULL;
    return tmpl_parser_node(t, NODE_ELSE, token.pos);
}

static struct node *parse_action(struct parser *t)
{
    struct token token = tmpl_parser_next_nonspace(t);
    switch (token.type) {
    case TOKEN_BLOCK:
        return block_control(t);
    case TOKEN_BREAK:
        return loop_control(t, NODE_BREAK, token);
    case TOKEN_CONTINUE:
        return loop_control(t, NODE_CONTINUE, token);
    case TOKEN_ELSE:
        return else_control(t);
    case TOKEN_END:
        return expect(t, TOKEN_RIGHT_DELIM, "end", &token)
                   ? tmpl_parser_node(t, NODE_END, token.pos)
                   : NULL;
    case TOKEN_IF:
        return branch(t, NODE_IF);
    case TOKEN_RANGE:
        return branch(t, NODE_RANGE);
    case TOKEN_WITH:
        return branch(t, NODE_WITH);
    case TOKEN_TEMPLATE:
        return template_control(t);
    default:
        break;
    }
    tmpl_parser_backup(t);
    struct node *n = tmpl_parser_node(t, NODE_ACTION, tmpl_parser_peek(t).pos);
    n->pipe = tmpl_parse_pipeline(t, "command", TOKEN_RIGHT_DELIM);
    return n->pipe ? n : NULL;
}

static struct node *text_or_action(struct parser *t)
{
    struct token token = tmpl_parser_next_nonspace(t);
    if (token.type == TOKEN_TEXT) {
        struct node *n = tmpl_parser_node(t, NODE_TEXT, token.pos);
        n->text = token.text;
        return n;
    }
    if (token.type != TOKEN_LEFT_DELIM)
        return tmpl_parser_unexpected(t, token, "input");
    t->action_line = token.line;
    struct node *n = parse_action(t);
    t->action_line = 0;
    return n;
}

/* The whole text: as a list, but {{define}} is allowed, and {{end}} is not. */
static struct node *parse_root(struct parser *t)
{
    struct node *root = tmpl_parser_node(t, NODE_LIST, tmpl_parser_peek(t).pos);
    struct nodes items = {0};
    bool failed = false;
    while (!failed && tmpl_parser_peek(t).type != TOKEN_EOF) {
        if (tmpl_parser_peek(t).type == TOKEN_LEFT_DELIM) {
            struct token delim = tmpl_parser_next(t);
            if (tmpl_parser_next_nonspace(t).type == TOKEN_DEFINE) {
                failed = parse_definition(t->p) < 0;
                continue;
            }
            tmpl_parser_backup2(t, delim);
        }
        struct node *n = text_or_action(t);
        failed = n == NULL || n->type == NODE_END || n->type == NODE_ELSE;
        if (!failed)
            tmpl_nodes_add(&items, n);
        else if (n)
            tmpl_parser_fail(t, "unexpected %s", n->type == NODE_END ? "{{end}}" : "{{else}}");
    }
    root->kids = tmpl_nodes_take(&items, t->p->arena, &root->n_kids);
    return failed ? NULL : root;
}

int tmpl_parse_text(struct tmpl_set *s, const struct source *source, struct tmpl_list *ret,
                    struct str *ret_error)
{
    struct parse p = {.set = s, .arena = &s->arena, .source = source, .trees = ret};
    struct str error = {0};
    p.error = &error;
    tmpl_lexer_init(&p.lexer, p.arena, source->text);
    p.lexer.break_ok = tmpl_find_func(s, STR("break")) == NULL;
    p.lexer.continue_ok = tmpl_find_func(s, STR("continue")) == NULL;
    struct parser t;
    parser_init(&t, &p);
    struct node *root = parse_root(&t);
    int rc = root ? add_tree(&t, source->name, root) : -1;
    parser_done(&t);
    if (rc < 0)
        *ret_error = error;
    return rc;
}
