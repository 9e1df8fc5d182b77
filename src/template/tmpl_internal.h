/* tmpl_internal.h: what the files of text/template share: tokens, nodes, the set and the run. */
#pragma once

#include "base/map.h"
#include "template/template.h"

/* --- tokens (tmpl_lex.c) --- */

enum token_type {
    TOKEN_ERROR, /* the text is the message */
    TOKEN_BOOL,
    TOKEN_CHAR, /* a punctuation mark of no own meaning; the comma */
    TOKEN_CHAR_CONSTANT,
    TOKEN_COMPLEX,
    TOKEN_ASSIGN,  /* = */
    TOKEN_DECLARE, /* := */
    TOKEN_EOF,
    TOKEN_FIELD, /* ".name" */
    TOKEN_IDENTIFIER,
    TOKEN_LEFT_DELIM,
    TOKEN_LEFT_PAREN,
    TOKEN_NUMBER,
    TOKEN_PIPE,
    TOKEN_RAW_STRING,
    TOKEN_RIGHT_DELIM,
    TOKEN_RIGHT_PAREN,
    TOKEN_SPACE,
    TOKEN_STRING,
    TOKEN_TEXT,
    TOKEN_VARIABLE, /* "$name" */
    TOKEN_KEYWORD,  /* only marks the border: keywords follow */
    TOKEN_BLOCK,
    TOKEN_BREAK,
    TOKEN_CONTINUE,
    TOKEN_DOT,
    TOKEN_DEFINE,
    TOKEN_ELSE,
    TOKEN_END,
    TOKEN_IF,
    TOKEN_NIL,
    TOKEN_RANGE,
    TOKEN_TEMPLATE,
    TOKEN_WITH,
};

struct token {
    enum token_type type;
    uint32_t line; /* from 1 */
    size_t pos;    /* byte offset in the source */
    struct str text;
};

struct lexer {
    struct arena *arena; /* for messages */
    struct str input;
    size_t pos, start;
    uint32_t line, start_line;
    int parens; /* open ones in this action */
    bool at_eof;
    bool inside_action;
    bool break_ok, continue_ok; /* no functions of these names exist */
    struct token token;
};

void tmpl_lexer_init(struct lexer *l, struct arena *a, struct str input);
struct token tmpl_lexer_next(struct lexer *l);

/* --- nodes (tmpl_node.c) --- */

enum node_type {
    NODE_LIST, /* kids */
    NODE_TEXT, /* text */
    NODE_ACTION,
    NODE_IF,
    NODE_WITH,
    NODE_RANGE,
    NODE_TEMPLATE,
    NODE_BREAK,
    NODE_CONTINUE,
    NODE_END, /* {{end}} and {{else}}: only while parsing */
    NODE_ELSE,
    NODE_PIPE,    /* decls and kids (commands) */
    NODE_COMMAND, /* kids: the operands */
    NODE_BOOL,
    NODE_DOT,
    NODE_NIL,
    NODE_NUMBER,     /* text: as written */
    NODE_STRING,     /* text: unquoted; quoted */
    NODE_IDENTIFIER, /* text: the function's name */
    NODE_FIELD,      /* names: .a.b */
    NODE_VARIABLE,   /* names: $x.a.b */
    NODE_CHAIN,      /* kids[0] and names: (…).a.b */
};

/* A constant under all the types that can hold it. */
struct number {
    bool is_int, is_uint, is_float, is_complex;
    int64_t i;
    uint64_t u;
    double f;
    double complex[2];
};

/* Trees are kept, so nodes are small: each is allocated only as far as its type uses it. */
struct node {
    enum node_type type : 8;
    bool is_assign : 1; /* of pipes: "=" */
    bool is_true : 1;   /* of booleans */
    uint32_t pos;
    union {
        struct { /* leaves */
            struct str text;
            union {
                struct str quoted;
                const struct number *number;
                const struct func *func;
            };
        };
        struct { /* actions and control nodes */
            struct node *pipe;
            union {
                struct {
                    struct node *list, *else_list;
                };
                struct str name; /* of {{template}} */
            };
        };
        struct { /* expressions */
            struct node **kids;
            uint32_t n_kids;
            uint32_t n_more; /* of decls or names */
            union {
                struct node **decls;
                struct str *names;
            };
        };
    };
};

/* The node as a template would spell it. */
void tmpl_node_write(const struct node *n, struct buf *b);
/* Nothing but blank text in it? */
bool tmpl_node_is_blank(const struct node *list);

/* A number's spelling, or the message of what is wrong with it (in the arena). */
int tmpl_number_parse(struct arena *a, struct str text, enum token_type type, struct number *ret,
                      struct str *ret_error);
/* strconv.Unquote of a "…" or `…` literal, in the arena or a part of it; false: its syntax is
 * wrong. */
bool tmpl_literal_unquote(struct arena *a, struct str literal, struct str *ret);
/* One character or escape of a literal that ends with `quote`; cuts it off *s. A \x or octal escape
 * is a byte, not a rune. */
bool tmpl_literal_char(struct str *s, char quote, uint32_t *ret, bool *ret_is_byte);

/* --- parsed templates --- */

struct source {
    struct str name, text; /* of the file, as errors name it */
};

struct tmpl {
    struct str name;
    const struct source *source;
    struct node *root; /* a list */
};

/* The templates of one text; the file's own is first. Recursive; -1 with *ret_error. */
struct tmpl_list {
    struct tmpl **items;
    size_t n, cap;
};
int tmpl_parse_text(struct tmpl_set *s, const struct source *source, struct tmpl_list *ret,
                    struct str *ret_error);

enum { TMPL_MAX_SOURCE = 1 << 30 }; /* positions are 32 bits */

struct tmpl_set {
    struct str name;
    struct arena arena; /* sources, trees */
    struct tmpl_set *parent;
    struct map templates; /* by name; a tmpl without root hides the parent's */
    struct map funcs;     /* const struct func, by name */
    struct map files;     /* struct parsed, by the hash of the text; only in a root set */
    struct map texts;     /* what `tpl` has parsed, by text: overlays; only in a root set */
    struct tmpl *first;   /* of such an overlay: the text's own template */
};

const struct tmpl *tmpl_lookup(const struct tmpl_set *s, struct str name);
const struct func *tmpl_find_func(const struct tmpl_set *s, struct str name);

/* --- execution --- */

struct variable {
    struct str name;
    struct value value;
};

struct tmpl_exec {
    struct tmpl_set *set;
    struct arena *arena;
    struct tmpl_limits limits;
    void *user;
    struct str error;
    struct variable *vars; /* a stack; every template's own begins at its base */
    size_t n_vars, cap_vars;
    size_t steps, output;
    int64_t deadline_ms;
    int tpl_depth;         /* tpl inside tpl */
    const char *stack_end; /* frames below it are refused */
    struct map includes;   /* how often each name is being included, by name */
};

/* One template being executed. */
struct state {
    struct tmpl_exec *x;
    const struct tmpl *tmpl;
    struct buf *out;
    const struct node *node; /* where errors are */
    size_t base;             /* its variables on the stack */
    int depth;
};

enum walk { WALK_ERROR = -1, WALK_ON, WALK_BREAK, WALK_CONTINUE };

/* tmpl_exec.c */
int tmpl_state_fail(struct state *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same with one %s, for text that may hold NULs. */
int tmpl_state_fail_text(struct state *s, const char *format, struct str text);
int tmpl_state_step(struct state *s); /* counts one; -1 when a limit is reached */
/* An interface{} that is empty, or the value without the mark that it came from one. */
struct value value_unboxed(struct value v);
/* How Go names the static type. */
const char *value_static_type(struct value v);
/* The value that fmt is to print. False: it cannot be printed. */
bool value_printable(struct value v, struct value *ret);
void tmpl_vars_push(struct tmpl_exec *x, struct str name, struct value v);
int tmpl_vars_set(struct state *s, struct str name, struct value v);

/* tmpl_eval.c */
int tmpl_eval_pipeline(struct state *s, struct value dot, const struct node *pipe,
                       struct value *ret);
int tmpl_eval_arg(struct state *s, struct value dot, const struct gotype *t, const struct node *n,
                  struct value *ret);
/* tmpl_call.c; final: what comes through the pipe, or NULL; args[0] is the function itself. */
struct call {
    const struct func *func;
    const struct value *receiver; /* of methods */
    struct str name;
    const struct node *node; /* for errors */
    struct node **args;
    size_t n_args;
    const struct value *final;
};
int tmpl_eval_call(struct state *s, struct value dot, const struct call *call, struct value *ret);
int tmpl_validate_type(struct state *s, struct value v, const struct gotype *t, struct value *ret);
bool gotype_can_be_nil(const struct gotype *t);
bool gotype_assignable(const struct gotype *from, const struct gotype *to);

/* tmpl_builtin.c, tmpl_compare.c, tmpl_escape.c */
extern const struct func tmpl_builtin_funcs[];
extern const struct func tmpl_escape_funcs[];
extern const struct func tmpl_compare_funcs[];
int tmpl_call_builtin(struct tmpl_exec *x, struct str callee, const struct value *args, size_t n,
                      struct value *ret);
func_fn tmpl_call_fn; /* marks `call`, which is given its operand's spelling */
