/* func_arg.h: what sprig's functions have in common: how they read loosely typed arguments.
 *
 * Numbers follow spf13/cast: a value that is no number is 0, and the type must be exact (a
 * time.Duration is no int64). Text follows sprig's strval. */
#pragma once

#include "base/buf.h"
#include "template/func.h"

/* cast.ToInt64, cast.ToFloat64; never fail. */
int64_t func_int64(struct value v);
double func_float64(struct value v);

/* sprig's strval: text as it is, anything else as %v. Lives in the arena, or where v's text does.
 */
struct str func_strval(struct tmpl_exec *x, struct value v);
/* sprig's empty: nil, zero, or of no length; structs never are. */
bool func_empty(struct value v);
/* sprig's strslice: the elements' texts without nils; a single value is a list of one. */
struct value func_strslice(struct tmpl_exec *x, struct value v);

static inline bool func_is_nil(struct value v) /* `v == nil` of an interface{} */
{
    return v.type == NULL || v.type == &type_any;
}

/* Hands the buffer's text over to the arena and frees the buffer. */
struct value func_take(struct tmpl_exec *x, struct buf *b);
/* The same where the result may be larger than the arguments: counts it against the limits. */
int func_take_spent(struct tmpl_exec *x, struct buf *b, struct value *ret);

/* What a nil pointer's use panics with. */
int func_fail_nil(struct tmpl_exec *x);

enum go_parse { GO_PARSED, GO_SYNTAX, GO_RANGE };
/* strconv.ParseInt with 64 bits; base 0 reads prefixes and underscores. On GO_RANGE *ret is the
 * nearest number, on GO_SYNTAX 0. */
enum go_parse go_parse_int(struct str s, int base, int64_t *ret);
enum go_parse go_parse_uint(struct str s, int base, uint64_t *ret);
/* strconv.ParseFloat with 64 bits. */
enum go_parse go_parse_float(struct str s, double *ret);
/* A float to int64 as amd64 does it: whatever does not fit is the smallest. */
int64_t go_float_to_int64(double f);
