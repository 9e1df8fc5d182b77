/* tmpl_parse_internal.h: the parser's two halves: expressions (tmpl_parse.c) and what stands around
 * them (tmpl_control.c). Functions that return a node answer NULL when the text is wrong; the first
 * error stands. */
#pragma once

#include "template/tmpl_internal.h"

enum { PARSE_MAX_NESTING = 1000 }; /* parentheses, and blocks within blocks */

/* One text; shared by the trees that it defines. */
struct parse {
    struct tmpl_set *set;
    struct arena *arena;
    const struct source *source;
    struct lexer lexer;
    struct tmpl_list *trees;
    struct str *error;
    int nesting; /* blocks */
};

/* One tree: the file's own, or a definition inside it. */
struct parser {
    struct parse *p;
    struct token tokens[3]; /* [0] was read last; more when tokens were pushed back */
    int peeked;
    struct str *vars;
    size_t n_vars, cap_vars;
    uint32_t action_line;
    int range_depth;
    int parens;
};

/* A list of nodes under construction. */
struct nodes {
    struct node **items;
    size_t n, cap;
};
void tmpl_nodes_add(struct nodes *list, struct node *n);
/* Moves them into the arena and frees the list. */
struct node **tmpl_nodes_take(struct nodes *list, struct arena *a, uint32_t *ret_n);

struct token tmpl_parser_next(struct parser *t);
struct token tmpl_parser_peek(struct parser *t);
struct token tmpl_parser_next_nonspace(struct parser *t);
struct token tmpl_parser_peek_nonspace(struct parser *t);
void tmpl_parser_backup(struct parser *t);
void tmpl_parser_backup2(struct parser *t, struct token t1);

struct node *tmpl_parser_fail(struct parser *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct node *tmpl_parser_fail_text(struct parser *t, struct str message);
struct node *tmpl_parser_unexpected(struct parser *t, struct token token, const char *context);

struct node *tmpl_parser_node(struct parser *t, enum node_type type, size_t pos);
/* context names the construct in errors: "command", "range", … */
struct node *tmpl_parse_pipeline(struct parser *t, const char *context, enum token_type end);
