/* func_math.c: sprig's functions on whole numbers, and rounding. Integers wrap as Go's do. */
#include <math.h>

#include "functions/func_arg.h"
#include "functions/func_library.h"
#include "functions/func_random.h"
#include "template/gofmt.h"

#define FN(name)                                                                                   \
    static int name(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)

static int64_t wrap_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static int64_t wrap_mul(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a * (uint64_t)b);
}

FN(to_int)
{
    (void)x, (void)n;
    *ret = value_int(func_int64(args[0]));
    return 0;
}

FN(to_int64)
{
    (void)x, (void)n;
    *ret = value_int64(func_int64(args[0]));
    return 0;
}

FN(to_float64)
{
    (void)x, (void)n;
    *ret = value_float(func_float64(args[0]));
    return 0;
}

FN(to_atoi)
{
    int64_t i;
    (void)x, (void)n;
    go_parse_int(value_text(args[0]), 10, &i);
    *ret = value_int(i);
    return 0;
}

FN(to_decimal)
{
    int64_t i;
    (void)n;
    if (go_parse_int(gofmt_text(tmpl_arena(x), args[0]), 8, &i) != GO_PARSED)
        i = 0;
    *ret = value_int64(i);
    return 0;
}

FN(add)
{
    int64_t sum = 0;
    (void)x;
    for (size_t i = 0; i < n; i++)
        sum = wrap_add(sum, func_int64(args[i]));
    *ret = value_int64(sum);
    return 0;
}

FN(add1)
{
    (void)x, (void)n;
    *ret = value_int64(wrap_add(func_int64(args[0]), 1));
    return 0;
}

FN(sub)
{
    (void)x, (void)n;
    *ret = value_int64((int64_t)((uint64_t)func_int64(args[0]) - (uint64_t)func_int64(args[1])));
    return 0;
}

FN(mul)
{
    int64_t product = func_int64(args[0]);
    (void)x;
    for (size_t i = 1; i < n; i++)
        product = wrap_mul(product, func_int64(args[i]));
    *ret = value_int64(product);
    return 0;
}

FN(divide)
{
    int64_t a = func_int64(args[0]), b = func_int64(args[1]);
    (void)n;
    if (b == 0)
        return tmpl_fail(x, "runtime error: integer divide by zero");
    *ret = value_int64(b == -1 ? wrap_mul(a, -1) : a / b);
    return 0;
}

FN(modulo)
{
    int64_t a = func_int64(args[0]), b = func_int64(args[1]);
    (void)n;
    if (b == 0)
        return tmpl_fail(x, "runtime error: integer divide by zero");
    *ret = value_int64(b == -1 ? 0 : a % b);
    return 0;
}

FN(max)
{
    int64_t most = func_int64(args[0]);
    (void)x;
    for (size_t i = 1; i < n; i++)
        most = func_int64(args[i]) > most ? func_int64(args[i]) : most;
    *ret = value_int64(most);
    return 0;
}

FN(min)
{
    int64_t least = func_int64(args[0]);
    (void)x;
    for (size_t i = 1; i < n; i++)
        least = func_int64(args[i]) < least ? func_int64(args[i]) : least;
    *ret = value_int64(least);
    return 0;
}

/* math.Max and math.Min: an infinity wins over NaN, NaN over the rest, 0 is more than -0. */
static double more(double a, double b)
{
    if (isinf(a) || isinf(b) || isnan(a) || isnan(b))
        return a == INFINITY || b == INFINITY ? INFINITY
               : isnan(a) || isnan(b)         ? NAN
               : a > b                        ? a
                                              : b;
    if (a == 0 && b == 0)
        return signbit(a) ? b : a;
    return a > b ? a : b;
}

FN(maxf)
{
    double most = func_float64(args[0]);
    (void)x;
    for (size_t i = 1; i < n; i++)
        most = more(most, func_float64(args[i]));
    *ret = value_float(most);
    return 0;
}

FN(minf)
{
    double least = func_float64(args[0]);
    (void)x;
    for (size_t i = 1; i < n; i++)
        least = -more(-least, -func_float64(args[i]));
    *ret = value_float(isnan(least) ? NAN : least);
    return 0;
}

FN(ceiling)
{
    (void)x, (void)n;
    *ret = value_float(ceil(func_float64(args[0])));
    return 0;
}

FN(floored)
{
    (void)x, (void)n;
    *ret = value_float(floor(func_float64(args[0])));
    return 0;
}

/* math.Pow(10, n) as Go computes it, by squaring; far out its last bits differ from C's. */
static double power_of_ten(int64_t n)
{
    int exponent = 0, e = 0;
    double result = 1, x = frexp(10, &e);
    uint64_t i = n < 0 ? -(uint64_t)n : (uint64_t)n;
    for (; i != 0; i >>= 1) {
        if (e > 1 << 12) { /* out of range already */
            exponent += e;
            break;
        }
        if (i & 1) {
            result *= x;
            exponent += e;
        }
        x *= x;
        e *= 2;
        if (x < 0.5) {
            x += x;
            e--;
        }
    }
    return n < 0 ? ldexp(1 / result, -exponent) : ldexp(result, exponent);
}

/* Rounds up from a fraction of 0.5, or of args[2], on: -1.5 becomes -2, whose fraction is -0.5. */
FN(rounded)
{
    double on = n > 2 ? args[2].f : 0.5, whole;
    double power = power_of_ten(args[1].i), shifted = power * func_float64(args[0]);
    (void)x;
    double fraction = modf(shifted, &whole);
    *ret = value_float((fraction >= on ? ceil(shifted) : floor(shifted)) / power);
    return 0;
}

/* The numbers from start to before stop; none when step leads away. */
static int count_steps(struct tmpl_exec *x, int64_t start, int64_t stop, int64_t step,
                       struct value *ret)
{
    uint64_t count = 0;
    if (stop < start && step < 0) {
        uint64_t way = (uint64_t)start - (uint64_t)stop, stride = -(uint64_t)step;
        count = (way - 1) / stride + 1;
    } else if (stop > start && step > 0) {
        count = ((uint64_t)stop - (uint64_t)start - 1) / (uint64_t)step + 1;
    }
    if (count > UINT32_MAX || tmpl_spend(x, count * sizeof(struct value)) < 0)
        return count > UINT32_MAX ? tmpl_fail(x, "runtime error: makeslice: len out of range") : -1;
    *ret = value_slice_new(tmpl_arena(x), &type_ints, count);
    for (uint64_t i = 0; i < count; i++)
        ret->items[i] = value_int(wrap_add(start, wrap_mul((int64_t)i, step)));
    return 0;
}

FN(until)
{
    (void)n;
    return count_steps(x, 0, args[0].i, args[0].i < 0 ? -1 : 1, ret);
}

FN(until_step)
{
    (void)n;
    return count_steps(x, args[0].i, args[1].i, args[2].i, ret);
}

/* As the shell's seq: END, START END or START STEP END. */
FN(seq)
{
    *ret = value_str(STR(""));
    if (n == 0 || n > 3)
        return 0;
    int64_t start = n == 1 ? 1 : args[0].i, end = args[n - 1].i;
    int64_t direction = end < start ? -1 : 1, step = n == 3 ? args[1].i : direction;
    if (n == 3 && end < start && step > 0)
        return 0;
    struct value list;
    if (count_steps(x, start, wrap_add(end, direction), step, &list) < 0)
        return -1;
    struct buf b = {0};
    for (size_t i = 0; i < list.n; i++) {
        if (i > 0)
            buf_putc(&b, ' ');
        buf_put_i64(&b, list.items[i].i);
    }
    return func_take_spent(x, &b, ret);
}

FN(rand_int)
{
    int64_t span = (int64_t)((uint64_t)args[1].i - (uint64_t)args[0].i);
    (void)n;
    if (span <= 0)
        return tmpl_fail(x, "invalid argument to Intn");
    *ret = value_int(wrap_add(args[0].i, (int64_t)func_random_below((uint64_t)span)));
    return 0;
}

const struct func func_maths[] = {
    {"add", add, {&type_any}, &type_int64, .variadic = true},
    {"add1", add1, {&type_any}, &type_int64},
    {"atoi", to_atoi, {&type_string}, &type_int},
    {"biggest", max, {&type_any, &type_any}, &type_int64, .variadic = true},
    {"ceil", ceiling, {&type_any}, &type_float64},
    {"div", divide, {&type_any, &type_any}, &type_int64},
    {"float64", to_float64, {&type_any}, &type_float64},
    {"floor", floored, {&type_any}, &type_float64},
    {"int", to_int, {&type_any}, &type_int},
    {"int64", to_int64, {&type_any}, &type_int64},
    {"max", max, {&type_any, &type_any}, &type_int64, .variadic = true},
    {"maxf", maxf, {&type_any, &type_any}, &type_float64, .variadic = true},
    {"min", min, {&type_any, &type_any}, &type_int64, .variadic = true},
    {"minf", minf, {&type_any, &type_any}, &type_float64, .variadic = true},
    {"mod", modulo, {&type_any, &type_any}, &type_int64},
    {"mul", mul, {&type_any, &type_any}, &type_int64, .variadic = true},
    {"randInt", rand_int, {&type_int, &type_int}, &type_int},
    {"round", rounded, {&type_any, &type_int, &type_float64}, &type_float64, .variadic = true},
    {"seq", seq, {&type_int}, &type_string, .variadic = true},
    {"sub", sub, {&type_any, &type_any}, &type_int64},
    {"toDecimal", to_decimal, {&type_any}, &type_int64},
    {"until", until, {&type_int}, &type_ints},
    {"untilStep", until_step, {&type_int, &type_int, &type_int}, &type_ints},
    {0},
};
