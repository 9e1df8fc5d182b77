/* Operators, sizes, conversions between the basic types, optional values. */
#include <math.h>

#include "cel/functions.h"
#include "cel/kube.h"
#include "cel/text.h"

#define FN(name) struct cel_value name(struct eval *ev, const struct cel_value *args, size_t n)
#define UNUSED (void)ev, (void)n

static struct cel_value of_int(struct eval *ev, int64_t i, bool overflow)
{
    return overflow ? cel_error(ev, "integer overflow") : cel_int(i);
}

static struct cel_value of_uint(struct eval *ev, uint64_t u, bool overflow)
{
    return overflow ? cel_error(ev, "unsigned integer overflow")
                    : (struct cel_value){.kind = CEL_UINT, .u = u};
}

static struct cel_value of_double(double d)
{
    return (struct cel_value){.kind = CEL_DOUBLE, .d = d};
}

static struct cel_value of_duration(struct eval *ev, int64_t ns, bool overflow)
{
    return overflow ? cel_error(ev, "integer overflow")
                    : (struct cel_value){.kind = CEL_DURATION, .i = ns};
}

enum { NANOS = 1000000000 };
static const int64_t first_second = -62135596800; /* of the year 1 */

static struct cel_value shift(struct eval *ev, struct cel_value t, __int128 ns)
{
    __int128 total = (__int128)t.i * NANOS + t.nanos + ns;
    __int128 seconds = total / NANOS, rest = total % NANOS;
    if (rest < 0) {
        rest += NANOS;
        seconds--;
    }
    if (seconds != (int64_t)seconds || !cel_timestamp_fits((int64_t)seconds))
        return cel_error(ev, "timestamp overflow");
    t.nanos = (int32_t)rest;
    t.i = (int64_t)seconds;
    return t;
}

FN(cel_fn_add)
{
    UNUSED;
    struct cel_value x = args[0], y = args[1];
    int64_t i;
    uint64_t u;
    bool over;
    switch (x.kind) {
    case CEL_INT:
        over = __builtin_add_overflow(x.i, y.i, &i);
        return of_int(ev, i, over);
    case CEL_UINT:
        over = __builtin_add_overflow(x.u, y.u, &u);
        return of_uint(ev, u, over);
    case CEL_DOUBLE:
        return of_double(x.d + y.d);
    case CEL_DURATION:
        if (y.kind == CEL_TIMESTAMP)
            return shift(ev, y, x.i);
        over = __builtin_add_overflow(x.i, y.i, &i);
        return of_duration(ev, i, over);
    case CEL_TIMESTAMP:
        return shift(ev, x, y.i);
    case CEL_LIST:
        return cel_list_join(ev, x, y);
    default: {
        if (!cel_may_make(ev, x.s.n + y.s.n))
            return cel_no_overload();
        struct cel_value v = {.kind = x.kind};
        char *p = arena_alloc(ev->a, x.s.n + y.s.n + 1);
        if (x.s.n)
            memcpy(p, x.s.p, x.s.n);
        if (y.s.n)
            memcpy(p + x.s.n, y.s.p, y.s.n);
        p[x.s.n + y.s.n] = 0;
        v.s = (struct str){p, x.s.n + y.s.n};
        return v;
    }
    }
}

FN(cel_fn_subtract)
{
    UNUSED;
    struct cel_value x = args[0], y = args[1];
    int64_t i;
    uint64_t u;
    bool over;
    switch (x.kind) {
    case CEL_INT:
        over = __builtin_sub_overflow(x.i, y.i, &i);
        return of_int(ev, i, over);
    case CEL_UINT:
        over = __builtin_sub_overflow(x.u, y.u, &u);
        return of_uint(ev, u, over);
    case CEL_DURATION:
        over = __builtin_sub_overflow(x.i, y.i, &i);
        return of_duration(ev, i, over);
    case CEL_TIMESTAMP: {
        if (y.kind == CEL_DURATION)
            return shift(ev, x, -(__int128)y.i);
        __int128 ns = ((__int128)x.i - y.i) * NANOS + x.nanos - y.nanos;
        return of_duration(ev, (int64_t)ns, ns != (int64_t)ns);
    }
    default:
        return of_double(x.d - y.d);
    }
}

FN(cel_fn_multiply)
{
    UNUSED;
    int64_t i;
    uint64_t u;
    bool over;
    switch (args[0].kind) {
    case CEL_INT:
        over = __builtin_mul_overflow(args[0].i, args[1].i, &i);
        return of_int(ev, i, over);
    case CEL_UINT:
        over = __builtin_mul_overflow(args[0].u, args[1].u, &u);
        return of_uint(ev, u, over);
    default:
        return of_double(args[0].d * args[1].d);
    }
}

FN(cel_fn_divide)
{
    UNUSED;
    if (args[0].kind == CEL_DOUBLE)
        return of_double(args[0].d / args[1].d);
    if (args[1].u == 0)
        return cel_error(ev, "division by zero");
    if (args[0].kind == CEL_UINT)
        return of_uint(ev, args[0].u / args[1].u, false);
    if (args[0].i == INT64_MIN && args[1].i == -1)
        return of_int(ev, 0, true);
    return cel_int(args[0].i / args[1].i);
}

FN(cel_fn_modulo)
{
    UNUSED;
    if (args[1].u == 0)
        return cel_error(ev, "modulus by zero");
    if (args[0].kind == CEL_UINT)
        return of_uint(ev, args[0].u % args[1].u, false);
    if (args[0].i == INT64_MIN && args[1].i == -1)
        return of_int(ev, 0, true);
    return cel_int(args[0].i % args[1].i);
}

FN(cel_fn_negate)
{
    UNUSED;
    if (args[0].kind == CEL_DOUBLE)
        return of_double(-args[0].d);
    return of_int(ev, args[0].i == INT64_MIN ? 0 : -args[0].i, args[0].i == INT64_MIN);
}

FN(cel_fn_not)
{
    UNUSED;
    return cel_bool(!args[0].b);
}

FN(cel_fn_less)
{
    UNUSED;
    struct cel_value v = cel_compare(ev, args[0], args[1]);
    return cel_is_error(v) ? v : cel_bool(v.i < 0);
}

FN(cel_fn_less_equal)
{
    UNUSED;
    struct cel_value v = cel_compare(ev, args[0], args[1]);
    return cel_is_error(v) ? v : cel_bool(v.i <= 0);
}

FN(cel_fn_greater)
{
    UNUSED;
    struct cel_value v = cel_compare(ev, args[0], args[1]);
    return cel_is_error(v) ? v : cel_bool(v.i > 0);
}

FN(cel_fn_greater_equal)
{
    UNUSED;
    struct cel_value v = cel_compare(ev, args[0], args[1]);
    return cel_is_error(v) ? v : cel_bool(v.i >= 0);
}

FN(cel_fn_in)
{
    UNUSED;
    if (args[1].kind == CEL_LIST) {
        if (!cel_affordable(ev, args[1].list->n))
            return cel_bool(false); /* the call's cost ends the evaluation */
        return cel_list_contains(ev, args[1].list, args[0]);
    }
    struct cel_value v;
    bool found = cel_map_find(ev, args[1].map, args[0], &v);
    return found && cel_is_error(v) ? v : cel_bool(found);
}

FN(cel_fn_size)
{
    UNUSED;
    return cel_int((int64_t)cel_size(args[0]));
}

/* --- conversions --- */
FN(cel_fn_dyn)
{
    UNUSED;
    return args[0];
}

FN(cel_fn_type)
{
    UNUSED;
    return (struct cel_value){.kind = CEL_TYPE, .type = cel_type_of_value(ev, args[0])};
}

static struct cel_value bad_text(struct eval *ev, const char *to)
{
    return cel_error(ev, "type conversion error from 'string' to '%s'", to);
}

FN(cel_fn_bool)
{
    UNUSED;
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    if (args[0].kind == CEL_BOOL)
        return args[0];
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (str_is(args[0].s, yes[i]))
            return cel_bool(true);
        if (str_is(args[0].s, no[i]))
            return cel_bool(false);
    }
    return bad_text(ev, "bool");
}

FN(cel_fn_bytes)
{
    UNUSED;
    return (struct cel_value){.kind = CEL_BYTES, .s = args[0].s};
}

/* strconv's sign and digits. */
static bool parse_int(struct str s, int64_t *ret)
{
    if (s.n > 1 && s.p[0] == '+' && s.p[1] != '-')
        s = str_from(s, 1);
    return str_to_i64(s, ret);
}

FN(cel_fn_int)
{
    UNUSED;
    struct cel_value v = args[0];
    int64_t i = 0;
    switch (v.kind) {
    case CEL_UINT:
        return of_int(ev, (int64_t)v.u, v.u > INT64_MAX);
    case CEL_DOUBLE:
        if (!(v.d > -9223372036854775808.0 && v.d < 9223372036854775808.0))
            return of_int(ev, 0, true);
        return cel_int((int64_t)v.d);
    case CEL_STRING:
        return parse_int(v.s, &i) ? cel_int(i) : bad_text(ev, "int");
    default: /* an int, a duration, a timestamp */
        return cel_int(v.i);
    }
}

FN(cel_fn_uint)
{
    UNUSED;
    struct cel_value v = args[0];
    uint64_t u = 0;
    switch (v.kind) {
    case CEL_INT:
        return of_uint(ev, v.u, v.i < 0);
    case CEL_DOUBLE:
        if (!(v.d >= 0 && v.d < 18446744073709551616.0))
            return of_uint(ev, 0, true);
        return of_uint(ev, (uint64_t)v.d, false);
    case CEL_STRING:
        return str_to_u64(v.s, &u) ? of_uint(ev, u, false) : bad_text(ev, "uint");
    default:
        return v;
    }
}

static bool parse_double(struct str s, double *ret)
{
    if (s.n == 0 || s.n > 4096 || s.p[0] == ' ' || memchr(s.p, '(', s.n))
        return false;
    CLEANUP(mem_freep) char *z = mem_strndup(s.p, s.n);
    char *end;
    *ret = strtod(z, &end);
    bool spelled_out = strpbrk(z, "iI") != NULL;
    return end == z + s.n && (spelled_out || !isinf(*ret)) && z[0] != '\t' && z[0] != '\n';
}

FN(cel_fn_double)
{
    UNUSED;
    struct cel_value v = args[0];
    double d;
    switch (v.kind) {
    case CEL_INT:
        return of_double((double)v.i);
    case CEL_UINT:
        return of_double((double)v.u);
    case CEL_STRING:
        return parse_double(v.s, &d) ? of_double(d) : bad_text(ev, "double");
    default:
        return v;
    }
}

FN(cel_fn_string)
{
    UNUSED;
    return cel_to_string(ev, args[0]);
}

FN(cel_fn_duration)
{
    UNUSED;
    struct cel_value v = {.kind = CEL_DURATION, .i = args[0].i};
    if (args[0].kind == CEL_STRING && !cel_duration_parse(args[0].s, &v.i))
        return bad_text(ev, "google.protobuf.Duration");
    return v;
}

FN(cel_fn_timestamp)
{
    UNUSED;
    struct cel_value v = args[0];
    if (v.kind == CEL_TIMESTAMP)
        return v;
    if (v.kind == CEL_INT && !cel_timestamp_fits(v.i))
        return cel_error(ev, "timestamp overflow");
    if (v.kind == CEL_INT)
        return (struct cel_value){.kind = CEL_TIMESTAMP, .i = v.i};
    return cel_timestamp_parse(v.s, &v) ? v : bad_text(ev, "google.protobuf.Timestamp");
}

/* --- optional values --- */
FN(cel_fn_optional_none)
{
    UNUSED;
    (void)args;
    return cel_optional_none();
}

FN(cel_fn_optional_of)
{
    UNUSED;
    return cel_optional_of(ev->a, args[0]);
}

static bool is_zero(struct cel_value v)
{
    switch (v.kind) {
    case CEL_NULL:
        return true;
    case CEL_BOOL:
        return !v.b;
    case CEL_INT:
    case CEL_UINT:
    case CEL_DURATION:
        return v.u == 0;
    case CEL_DOUBLE:
        return v.d == 0;
    case CEL_STRING:
    case CEL_BYTES:
        return v.s.n == 0;
    case CEL_LIST:
        return v.list->n == 0 && v.list->form != LIST_DOC;
    case CEL_MAP:
        return v.map->n == 0 && !v.map->doc;
    case CEL_TIMESTAMP:
        return v.i == first_second && v.nanos == 0;
    default:
        return false;
    }
}

FN(cel_fn_optional_non_zero)
{
    UNUSED;
    return is_zero(args[0]) ? cel_optional_none() : cel_optional_of(ev->a, args[0]);
}

FN(cel_fn_value)
{
    UNUSED;
    return args[0].optional ? *args[0].optional : cel_error(ev, "optional.none() dereference");
}

FN(cel_fn_has_value)
{
    UNUSED;
    return cel_bool(args[0].optional != NULL);
}

FN(cel_fn_unwrap)
{
    UNUSED;
    struct cel_value out = cel_list_new(ev, 0);
    for (size_t i = 0; i < args[0].list->n; i++) {
        struct cel_value v = cel_list_at(ev, args[0].list, i);
        if (v.kind != CEL_OPTIONAL)
            return cel_error(ev, "value %s is not optional", cel_go_type(v));
        if (v.optional)
            cel_list_push(ev, out, *v.optional);
    }
    return out;
}

/* --- two-variable comprehensions --- */
static bool insert(struct eval *ev, struct cel_value map, struct cel_value key,
                   struct cel_value value, struct cel_value *ret_error)
{
    struct cel_value was;
    if (!cel_map_find(ev, map.map, key, &was)) {
        cel_map_put(ev, map, key, value);
        return true;
    }
    struct buf b = {0};
    buf_puts(&b, "insert failed: key ");
    cel_put(key, &b);
    buf_puts(&b, " already exists");
    *ret_error = cel_text(ev, &b);
    ret_error->kind = CEL_ERROR;
    return false;
}

static struct cel_value copy_map(struct eval *ev, struct cel_value map)
{
    struct cel_value copy = cel_map_new(ev, map.map->n + 1), key, value;
    struct map_walk w = cel_map_walk(map.map);
    while (cel_map_next(ev, &w, &key, &value))
        cel_map_put(ev, copy, key, value);
    return copy;
}

FN(cel_fn_map_insert)
{
    struct cel_value map = args[0].map->growing ? args[0] : copy_map(ev, args[0]);
    struct cel_value key, value, error;
    if (n == 3)
        return insert(ev, map, args[1], args[2], &error) ? map : error;
    struct map_walk w = cel_map_walk(args[1].map);
    while (cel_map_next(ev, &w, &key, &value))
        if (!insert(ev, map, key, value, &error))
            return error;
    return map;
}
