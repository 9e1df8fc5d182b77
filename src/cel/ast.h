/* ast.h: what the compiler's steps share: text to tokens (lex.c), tokens to nodes (parse.c,
 * macro.c), nodes to typed nodes (check.c), typed nodes to a program (plan.c, estimate.c).
 *
 * All of it lives in the program's arena. */
#pragma once

#include "cel/cel.h"
#include "regex/regex.h"

struct overload;

enum node_kind {
    NODE_LITERAL,
    NODE_IDENT,
    NODE_SELECT,
    NODE_CALL,
    NODE_LIST,
    NODE_MAP,
    NODE_STRUCT,
    NODE_FOLD
};

/* args of NODE_FOLD */
enum { FOLD_RANGE, FOLD_INIT, FOLD_CONDITION, FOLD_STEP, FOLD_RESULT, FOLD_PARTS };

/* An estimate of how long a value is: characters, bytes, items, members. */
struct size_range {
    bool known;
    uint64_t min, max;
};

/* How long the keys and values of a container are. */
struct entry_sizes {
    bool known, list;
    struct size_range key, value;
};

/* Where a value comes from: a place below a declared variable. */
struct place {
    enum { PLACE_NONE, PLACE_AT, PLACE_LOST } state; /* LOST: below one, but undeclared */
    const struct cel_type *type;
};

struct node {
    enum node_kind kind;
    uint32_t at;                   /* byte of the text that messages point at */
    struct str name;               /* identifier, field, function, type; a fold's variable */
    struct str name2, accumulator; /* a fold's */
    struct cel_value literal;
    struct node *
        *args; /* the operand; the target of a member call first; keys and values by turns */
    size_t count;
    const bool *optional; /* of a list's items, a map's entries; NULL: none is */
    bool member;          /* called on its first argument */
    bool test_only;       /* has() */

    /* from check.c */
    const struct cel_type *type;
    const struct overload **overloads;
    size_t overload_count;
    bool type_name; /* an identifier that names a type, which is in literal */

    /* from plan.c */
    bool constant;             /* literal is its value */
    bool member_of_set;        /* `in` a list of literals, which costs nothing */
    const struct regex *regex; /* of a literal pattern */

    /* from estimate.c */
    struct place place;
    struct size_range size;
    struct entry_sizes entries;
};

struct issue {
    uint32_t at;
    struct str text;
    struct issue *next;
};

struct compiler {
    const struct cel_env *env;
    struct arena *a;
    struct str text;
    struct issue *issues, *last;
    size_t issue_count;
    size_t node_count;
};

enum {
    MAX_ISSUES = 100,
    MAX_NODES = 500000, /* optMap copies its target: a chain of them doubles with each link */
};

void cel_issue_add(struct compiler *c, uint32_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void cel_issue_addv(struct compiler *c, uint32_t at, const char *format, va_list args);
void cel_issues_write(const struct compiler *c, struct buf *b); /* by place */

/* --- lex.c --- */
enum token_kind {
    TOKEN_END,
    TOKEN_IDENT,
    TOKEN_ESCAPED, /* `a-b` */
    TOKEN_INT,
    TOKEN_UINT,
    TOKEN_DOUBLE,
    TOKEN_STRING,
    TOKEN_BYTES,
    TOKEN_OP, /* operators, brackets, `in`, `true`, `false`, `null` */
};

struct token {
    enum token_kind kind;
    uint32_t at;
    struct str text; /* "<EOF>" at the end */
};

/* All tokens, the last of kind TOKEN_END. What is no token becomes an issue and is left out. */
struct token *cel_lex(struct compiler *c, size_t *ret_count);

/* --- literal.c --- */
/* The content of a string or bytes token. False: an issue was added. */
bool cel_literal_text(struct compiler *c, const struct token *t, struct str *ret);
bool cel_literal_int(struct str digits, bool negative, int64_t *ret);
bool cel_literal_uint(struct str digits, uint64_t *ret);
bool cel_literal_double(struct str text, double *ret);

/* --- parse.c --- */
struct node *cel_parse(struct compiler *c); /* NULL, or anything when there are issues */

/* --- node.c: making nodes --- */
struct node *cel_node_new(struct compiler *c, enum node_kind kind, uint32_t at);
struct node *cel_node_literal(struct compiler *c, uint32_t at, struct cel_value v);
struct node *cel_node_ident(struct compiler *c, uint32_t at, struct str name);
struct node *cel_node_select(struct compiler *c, uint32_t at, struct node *operand,
                             struct str field);
struct node *cel_node_call(struct compiler *c, uint32_t at, struct str function, size_t count,
                           struct node *const *args);
struct node *cel_node_member(struct compiler *c, uint32_t at, struct str function,
                             struct node *target, size_t count, struct node *const *args);
struct node *cel_node_list(struct compiler *c, uint32_t at, size_t count,
                           struct node *const *items);
struct node *cel_node_copy(struct compiler *c, const struct node *n);
/* "a.b.c" of selections on an identifier; false: it is something else. */
bool cel_node_qualified(struct compiler *c, const struct node *n, struct str *ret);

/* --- macro.c --- */
/* The expansion of a call that names a macro, or NULL. target is NULL for a global call. An
 * expansion that fails leaves an issue and some node. */
struct node *cel_macro(struct compiler *c, uint32_t at, struct str function, struct node *target,
                       size_t count, struct node **args);

/* --- check.c --- */
void cel_check(struct compiler *c, struct node *root);
/* Literals that a function would refuse at run time: check's issues come first. */
void cel_validate(struct compiler *c, struct node *root);

/* --- plan.c --- */
/* Folds constants and compiles patterns. -1: evaluation would fail for sure, in upstream's words
 * behind "program instantiation failed: ". */
int cel_plan(struct cel_program *p, struct node *root, struct err *err);

/* --- estimate.c --- */
struct cel_cost cel_estimate(struct node *root, const struct cel_env *env);
