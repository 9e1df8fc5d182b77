/* func_float.c: sprig's arithmetic on floats: it goes through decimal numbers of any length
 * (shopspring/decimal), so that 0.1 + 0.2 is 0.3. A quotient has 16 decimals, rounded. */
#include <math.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>

#include "functions/func_arg.h"
#include "functions/func_library.h"
#include "template/gofmt.h"

enum { QUOTIENT_DECIMALS = 16 };

struct decimal { /* value × 10^exponent */
    BIGNUM *value;
    int exponent;
};

/* The shortest digits that give the float back. */
static int decimal_from(struct tmpl_exec *x, struct value arg, struct decimal *ret)
{
    double f = func_float64(arg);
    if (!isfinite(f))
        return tmpl_fail(x, "Cannot create a Decimal from %s",
                         isnan(f) ? "NaN"
                         : f > 0  ? "+Inf"
                                  : "-Inf");
    struct buf b = {0}, digits = {0};
    gofmt_float(&b, f, 'e', -1, 64); /* -d.ddde±dd */
    int exponent = 0, decimals = 0;
    bool behind = false;
    for (size_t i = 0; i < b.n; i++) {
        if (b.p[i] == 'e') {
            exponent = atoi(b.p + i + 1);
            break;
        }
        if (b.p[i] == '.') {
            behind = true;
            continue;
        }
        buf_putc(&digits, b.p[i]);
        decimals += behind;
    }
    ret->exponent = f == 0 ? 0 : exponent - decimals;
    ret->value = NULL;
    BN_dec2bn(&ret->value, buf_z(&digits));
    buf_done(&b);
    buf_done(&digits);
    return 0;
}

static void scale_up(BIGNUM *v, int by, BN_CTX *ctx)
{
    BIGNUM *power = BN_new(), *exponent = BN_new();
    BN_set_word(power, 10);
    BN_set_word(exponent, (BN_ULONG)by);
    BN_exp(power, power, exponent, ctx);
    BN_mul(v, v, power, ctx);
    BN_free(power);
    BN_free(exponent);
}

static void same_exponent(struct decimal *a, struct decimal *b, BN_CTX *ctx)
{
    if (a->exponent > b->exponent) {
        scale_up(a->value, a->exponent - b->exponent, ctx);
        a->exponent = b->exponent;
    } else if (b->exponent > a->exponent) {
        scale_up(b->value, b->exponent - a->exponent, ctx);
        b->exponent = a->exponent;
    }
}

static void decimal_div(struct decimal *a, struct decimal *b, BN_CTX *ctx)
{
    int shift = a->exponent - b->exponent + QUOTIENT_DECIMALS;
    bool negative = BN_is_negative(a->value) != BN_is_negative(b->value);
    BIGNUM *rest = BN_new();
    scale_up(shift < 0 ? b->value : a->value, abs(shift), ctx);
    BN_div(a->value, rest, a->value, b->value, ctx);
    BN_lshift1(rest, rest);
    if (BN_ucmp(rest, b->value) >= 0) {
        if (negative)
            BN_sub_word(a->value, 1);
        else
            BN_add_word(a->value, 1);
    }
    a->exponent = -QUOTIENT_DECIMALS;
    BN_free(rest);
}

static int apply(struct tmpl_exec *x, char op, struct decimal *a, struct decimal *b, BN_CTX *ctx)
{
    if (tmpl_spend(x, (size_t)BN_num_bytes(a->value) + (size_t)abs(a->exponent)) < 0)
        return -1;
    if (op == '*') {
        BN_mul(a->value, a->value, b->value, ctx);
        a->exponent += b->exponent;
        return 0;
    }
    if (op == '/') {
        if (BN_is_zero(b->value))
            return tmpl_fail(x, "decimal division by 0");
        decimal_div(a, b, ctx);
        return 0;
    }
    same_exponent(a, b, ctx);
    if (op == '+')
        BN_add(a->value, a->value, b->value);
    else
        BN_sub(a->value, a->value, b->value);
    return 0;
}

static double decimal_float(const struct decimal *d)
{
    char *digits = BN_bn2dec(d->value);
    struct buf b = {0};
    buf_printf(&b, "%se%d", digits, d->exponent);
    double f = strtod(b.p, NULL);
    OPENSSL_free(digits);
    buf_done(&b);
    return f == 0 ? 0 : f; /* there is no -0 among decimals */
}

/* first op args[0] op args[1] … */
static int run(struct tmpl_exec *x, char op, struct value first, const struct value *args, size_t n,
               struct value *ret)
{
    struct decimal sum;
    if (decimal_from(x, first, &sum) < 0)
        return -1;
    BN_CTX *ctx = BN_CTX_new();
    int status = 0;
    for (size_t i = 0; i < n && status == 0; i++) {
        struct decimal next;
        status = decimal_from(x, args[i], &next);
        if (status == 0) {
            status = apply(x, op, &sum, &next, ctx);
            BN_free(next.value);
        }
    }
    if (status == 0)
        *ret = value_float(decimal_float(&sum));
    BN_CTX_free(ctx);
    BN_free(sum.value);
    return status;
}

#define FN(name)                                                                                   \
    static int name(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)

FN(add1f)
{
    struct value one = value_int(1);
    (void)n;
    return run(x, '+', args[0], &one, 1, ret);
}

FN(addf)
{
    return run(x, '+', value_float(0), args, n, ret);
}

FN(subf)
{
    return run(x, '-', args[0], args + 1, n - 1, ret);
}

FN(mulf)
{
    return run(x, '*', args[0], args + 1, n - 1, ret);
}

FN(divf)
{
    return run(x, '/', args[0], args + 1, n - 1, ret);
}

const struct func func_floats[] = {
    {"add1f", add1f, {&type_any}, &type_float64},
    {"addf", addf, {&type_any}, &type_float64, .variadic = true},
    {"divf", divf, {&type_any, &type_any}, &type_float64, .variadic = true},
    {"mulf", mulf, {&type_any, &type_any}, &type_float64, .variadic = true},
    {"subf", subf, {&type_any, &type_any}, &type_float64, .variadic = true},
    {0},
};
