/* func.h: functions that templates call.
 *
 * A function's signature is data, so that arity, types and conversions are checked in one place, as
 * text/template does through reflect, with its error texts; a function sees only arguments that
 * fit.
 *
 *     static int trunc(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret);
 *     const struct func func_strings[] = {
 *         {"trunc", trunc, {&type_int, &type_string}, &type_string},
 *         {"list", list, {&type_any}, &type_list, .variadic = true},
 *         {0},
 *     };
 *
 * What a parameter's type means for the argument that the function gets:
 *     &type_any       anything; nil arrives as VALUE_NIL
 *     &type_value     anything, as the evaluator has it (only builtins need that)
 *     another type    a value of that very type, or of a type that Go finds assignable to it (a
 *                     chartutil.Values for a map[string]interface {}, and it arrives with the
 *                     parameter's type); maps, slices and pointers may be nil
 * Constants convert to the parameter's type (1 to int64 or float64, 'a' to int), other values never
 * do: a float64 for an int is the error "wrong type for value; expected int; got float64". */
#pragma once

#include "template/value.h"

struct tmpl_exec;

/* Returns 0 with *ret set, or -1 after tmpl_fail. Arguments of the variadic part follow the others
 * in args. The arguments must not be written to. */
typedef int func_fn(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret);

enum { FUNC_MAX_PARAMS = 7 };

struct func {
    const char *name;
    func_fn *fn;
    const struct gotype *in[FUNC_MAX_PARAMS]; /* NULL ends them */
    const struct gotype *out; /* the static type of the result; &type_any for interface {} */
    bool variadic; /* the last of `in` is the type of each further argument, none or more */
    bool lazy;     /* `and`, `or`: the evaluator's own */
};

size_t func_params(const struct func *f); /* how many `in` holds */

/* Fails the function with the text of its Go error, or of its panic ("runtime error: integer divide
 * by zero"); the evaluator puts position and function name in front. Returns -1. No limit on
 * length.
 */
int tmpl_fail(struct tmpl_exec *x, const char *format, ...) __attribute__((format(printf, 2, 3)));
int tmpl_fail_str(struct tmpl_exec *x, struct str text);

/* The arena of the render: whatever a function returns lives there. */
struct arena *tmpl_arena(struct tmpl_exec *x);
/* What the caller of tmpl_exec_new gave: the render's own state (release, files, clock). */
void *tmpl_user(struct tmpl_exec *x);
/* Counts work that is not template steps (bytes made, elements visited) against the limits; -1 and
 * failed when there is nothing left. Functions that multiply (repeat, until, indent) ask first. */
int tmpl_spend(struct tmpl_exec *x, size_t bytes);
/* -1 and failed when the render has no time left. Functions that take milliseconds ask first. */
int tmpl_check_time(struct tmpl_exec *x);
/* A copy of text in the arena. */
struct value tmpl_str(struct tmpl_exec *x, struct str text);

/* Calls a function as a template would, checks included; name is for error texts. */
int func_call(struct tmpl_exec *x, const struct func *f, const struct value *args, size_t n,
              struct value *ret);
