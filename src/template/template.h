/* template.h: Go's text/template (as of Go 1.26), with the options that Helm sets.
 *
 * A set holds named templates that call each other; it is built first (functions, then sources) and
 * executed afterwards, any number of times. It keeps the parsed trees. An execution allocates from
 * one arena, which the caller ends when the output has been used. Error texts are Go's, to the
 * letter: template name, line, column, the node in angle brackets.
 *
 *     struct tmpl_set *set = tmpl_set_new("gotpl");
 *     tmpl_set_funcs(set, func_strings);
 *     tmpl_parse(set, STR("chart/templates/a.yaml"), text, NULL, &error);
 *     struct tmpl_exec *x = tmpl_exec_new(set, &arena, &limits, user);
 *     tmpl_execute(x, STR("chart/templates/a.yaml"), dot, &out);   or tmpl_error(x)
 *
 * A set and its executions belong to one thread at a time; two sets are independent. */
#pragma once

#include "template/func.h"

struct tmpl_set;
struct tmpl;
struct tmpl_exec;

/* Knows text/template's builtin functions. The name is that of the root template, which texts of
 * errors and of `tpl` mention; Helm's is "gotpl". */
struct tmpl_set *tmpl_set_new(const char *name);
void tmpl_set_free(struct tmpl_set *s);

/* Adds functions (an array that ends with a NULL name and outlives the set); later ones win. */
void tmpl_set_funcs(struct tmpl_set *s, const struct func *funcs);

/* A set that sees all templates and functions of its parent; what is parsed into it is its own, and
 * wins. As Template.Clone, but without copying. The parent must not change while it lives. */
struct tmpl_set *tmpl_set_overlay(struct tmpl_set *parent);

/* Parses text as the template `name` and the templates that it defines. The text is copied. A later
 * definition of a name replaces the earlier one, unless its body is blank and the earlier one is
 * not; two in one text are an error. ret_tmpl (may be NULL) is the template for tmpl_run, also when
 * a blank text left an older body in the set. Returns -1 with Go's text in *ret_error, which lives
 * as long as the set. */
int tmpl_parse(struct tmpl_set *s, struct str name, struct str text, struct tmpl **ret_tmpl,
               struct str *ret_error);
/* The same without the copy: text lives as long as the set. */
int tmpl_parse_borrowed(struct tmpl_set *s, struct str name, struct str text,
                        struct tmpl **ret_tmpl, struct str *ret_error);

/* Is there a template of that name, with a body? */
bool tmpl_defined(const struct tmpl_set *s, struct str name);

/* Removes a name from what tmpl_execute and `template` find. */
void tmpl_undefine(struct tmpl_set *s, struct str name);

enum tmpl_missing {
    TMPL_MISSING_ZERO,    /* missingkey=zero, Helm's: an absent key is the zero value */
    TMPL_MISSING_DEFAULT, /* missingkey=default: no value, "<no value>" */
    TMPL_MISSING_ERROR,   /* missingkey=error, --strict: "map has no entry for key …" */
};

/* 0 stands for the default in brackets. */
struct tmpl_limits {
    enum tmpl_missing missing;
    size_t max_output; /* bytes of all output and text made by functions [128 MiB] */
    size_t max_steps;  /* nodes evaluated [200 million] */
    int64_t max_ms;    /* wall clock from tmpl_exec_new [20,000] */
    int max_depth; /* `template` inside `template` [100,000, Go's; the C stack may end it before] */
    int max_include; /* include of one name inside itself, and tpl inside tpl [1,000, Helm's] */
};

struct tmpl_exec *tmpl_exec_new(struct tmpl_set *s, struct arena *a,
                                const struct tmpl_limits *limits, void *user); /* in the arena */
/* Ends it; what it made stays in the arena. Needed, for the memory of the text under way. */
void tmpl_exec_done(struct tmpl_exec *x);

/* Runs fn on a thread with a large stack and waits for its end. Whoever executes templates of other
 * people does it there, from tmpl_exec_new on: `include` may nest a thousand deep. On a smaller
 * stack deep recursion ends early, with the error of too deep templates. */
void tmpl_on_large_stack(void (*fn)(void *arg), void *arg);

/* Executes a template and appends to out; also from within a function (`include`). -1: tmpl_error
 * has the text; out then holds what was written before. */
int tmpl_execute(struct tmpl_exec *x, struct str name, struct value dot, struct buf *out);
int tmpl_run(struct tmpl_exec *x, struct tmpl *t, struct value dot, struct buf *out);
/* The whole text of the last failure; in the arena. Several lines are possible. */
struct str tmpl_error(const struct tmpl_exec *x);
/* The set that is executing now: inside `tpl` it is the overlay. */
struct tmpl_set *tmpl_exec_set(struct tmpl_exec *x);

/* Helm's `include` and `tpl`, with its limits and error texts. */
extern const struct func tmpl_helm_funcs[];
