#include "doc/quantity.h"

#include <limits.h>
#include <stdio.h>

typedef unsigned __int128 u128;

#define NANO 1000000000
/* 10^28 units in nano-units: what saturates stays far from the ends of 128 bits. */
#define MOST ((u128)10000000000000000000u * 10000000000000000000u / 10)

/* A number as written: "12.50" has whole "12" and fraction "50". */
struct parts {
    bool negative;
    struct str whole, fraction, suffix;
};

static int fail_format(struct err *err)
{
    return err_bad(err, "quantities must match the regular expression "
                        "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct str take_digits(struct str *rest)
{
    size_t n = 0;
    while (n < rest->n && is_digit(rest->p[n]))
        n++;
    struct str taken = str_head(*rest, n);
    *rest = str_from(*rest, n);
    return taken;
}

static int split(struct str text, struct parts *ret, struct err *err)
{
    struct str rest = text;
    *ret = (struct parts){0};
    if (rest.n && (rest.p[0] == '-' || rest.p[0] == '+')) {
        ret->negative = rest.p[0] == '-';
        rest = str_from(rest, 1);
    }
    ret->whole = take_digits(&rest);
    if (rest.n && rest.p[0] == '.') {
        rest = str_from(rest, 1);
        ret->fraction = take_digits(&rest);
    }
    ret->suffix = rest;
    while (rest.n && rest.p[0] && strchr("eEinumkKMGTP", rest.p[0]))
        rest = str_from(rest, 1);
    if (rest.n && (rest.p[0] == '-' || rest.p[0] == '+'))
        rest = str_from(rest, 1);
    take_digits(&rest);
    return rest.n ? fail_format(err) : 0;
}

struct scale {
    enum quantity_format format;
    int exponent; /* of 10, or of 2 for BinarySI */
};

static const struct {
    const char *suffix;
    struct scale scale;
} suffixes[] = {
    {"n", {QUANTITY_DECIMAL_SI, -9}}, {"u", {QUANTITY_DECIMAL_SI, -6}},
    {"m", {QUANTITY_DECIMAL_SI, -3}}, {"", {QUANTITY_DECIMAL_SI, 0}},
    {"k", {QUANTITY_DECIMAL_SI, 3}},  {"M", {QUANTITY_DECIMAL_SI, 6}},
    {"G", {QUANTITY_DECIMAL_SI, 9}},  {"T", {QUANTITY_DECIMAL_SI, 12}},
    {"P", {QUANTITY_DECIMAL_SI, 15}}, {"E", {QUANTITY_DECIMAL_SI, 18}},
    {"Ki", {QUANTITY_BINARY_SI, 10}}, {"Mi", {QUANTITY_BINARY_SI, 20}},
    {"Gi", {QUANTITY_BINARY_SI, 30}}, {"Ti", {QUANTITY_BINARY_SI, 40}},
    {"Pi", {QUANTITY_BINARY_SI, 50}}, {"Ei", {QUANTITY_BINARY_SI, 60}},
};

static int read_suffix(struct str s, struct scale *ret, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
        if (str_is(s, suffixes[i].suffix)) {
            *ret = suffixes[i].scale;
            return 0;
        }
    struct str digits = str_from(s, 1);
    if (digits.n && digits.p[0] == '+')
        digits = str_from(digits, 1);
    int64_t exponent;
    if (s.n < 2 || (s.p[0] != 'e' && s.p[0] != 'E') || !str_to_i64(digits, &exponent))
        return err_bad(err, "unable to parse quantity's suffix");
    exponent = exponent > 1000000 ? 1000000 : exponent < -1000000 ? -1000000 : exponent;
    *ret = (struct scale){QUANTITY_DECIMAL_EXPONENT, (int)exponent};
    return 0;
}

/* The digit at place i of whole and fraction written one after the other; 0 beyond them. */
static unsigned digit_at(const struct parts *p, int64_t i)
{
    if (i < (int64_t)p->whole.n)
        return (unsigned)(p->whole.p[i] - '0');
    i -= (int64_t)p->whole.n;
    return i < (int64_t)p->fraction.n ? (unsigned)(p->fraction.p[i] - '0') : 0;
}

static bool any_digit_from(const struct parts *p, int64_t from)
{
    for (int64_t i = from < 0 ? 0 : from; i < (int64_t)(p->whole.n + p->fraction.n); i++)
        if (digit_at(p, i))
            return true;
    return false;
}

/* The point moves `exponent` places and nine more; what lies behind it rounds up. */
static u128 decimal_nano(const struct parts *p, int exponent)
{
    int64_t point = (int64_t)p->whole.n + exponent + 9;
    u128 nano = 0;
    if (!any_digit_from(p, 0))
        return 0;
    for (int64_t i = 0; i < point; i++) {
        if (nano > MOST / 10)
            return MOST;
        nano = nano * 10 + digit_at(p, i);
    }
    nano += any_digit_from(p, point);
    return nano > MOST ? MOST : nano;
}

/* Upstream caps binary quantities at 2^63-1 units. Eighteen digits of the fraction count; what
 * follows them rounds up. */
static u128 binary_nano(const struct parts *p, int exponent)
{
    const u128 most = (u128)INT64_MAX * NANO;
    u128 whole = 0, fraction = 0;
    for (size_t i = 0; i < p->whole.n; i++) {
        whole = whole * 10 + (unsigned)(p->whole.p[i] - '0');
        if (whole > INT64_MAX)
            return most;
    }
    if (whole << exponent > INT64_MAX)
        return most;
    for (int64_t i = 0; i < 18; i++)
        fraction = fraction * 10 + digit_at(p, (int64_t)p->whole.n + i);
    fraction <<= exponent;
    bool inexact = fraction % NANO != 0 || any_digit_from(p, (int64_t)p->whole.n + 18);
    u128 nano = (whole << exponent) * NANO + fraction / NANO + inexact;
    return nano > most ? most : nano;
}

int quantity_parse(struct str text, struct quantity *ret, struct err *err)
{
    struct parts p;
    struct scale scale;
    if (text.n == 0)
        return fail_format(err);
    if (split(text, &p, err) != 0 || read_suffix(p.suffix, &scale, err) != 0)
        return -1;
    bool binary = scale.format == QUANTITY_BINARY_SI;
    u128 nano = binary ? binary_nano(&p, scale.exponent) : decimal_nano(&p, scale.exponent);
    if (binary && nano > 0 && nano < NANO)
        scale.format = QUANTITY_DECIMAL_SI;
    *ret = (struct quantity){p.negative ? -(__int128)nano : (__int128)nano, scale.format};
    return 0;
}

static void put_u128(u128 n, struct buf *b)
{
    char digits[40];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + (int)(n % 10));
    while (n /= 10);
    buf_append(b, digits + at, sizeof digits - at);
}

static const char *suffix_of(enum quantity_format format, int exponent)
{
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
        if (suffixes[i].scale.format == format && suffixes[i].scale.exponent == exponent)
            return suffixes[i].suffix;
    return "";
}

/* The largest power of 1000 that divides the number. */
static void write_decimal(u128 nano, enum quantity_format format, struct buf *b)
{
    int exponent = -9;
    while (nano % 1000 == 0 && (exponent < 18 || format == QUANTITY_DECIMAL_EXPONENT)) {
        nano /= 1000;
        exponent += 3;
    }
    put_u128(nano, b);
    if (format == QUANTITY_DECIMAL_SI)
        buf_puts(b, suffix_of(format, exponent));
    else if (exponent != 0)
        buf_printf(b, "e%d", exponent);
}

static void write_binary(u128 units, struct buf *b)
{
    int exponent = 0;
    while (units % 1024 == 0 && exponent < 60) {
        units /= 1024;
        exponent += 10;
    }
    put_u128(units, b);
    buf_puts(b, suffix_of(QUANTITY_BINARY_SI, exponent));
}

void quantity_write(const struct quantity *q, struct buf *b)
{
    u128 nano = q->nano < 0 ? -(u128)q->nano : (u128)q->nano;
    if (nano == 0) {
        buf_putc(b, '0');
        return;
    }
    if (q->nano < 0)
        buf_putc(b, '-');
    bool binary = q->format == QUANTITY_BINARY_SI;
    if (binary && nano % NANO == 0 && nano >= (u128)1024 * NANO)
        write_binary(nano / NANO, b);
    else
        write_decimal(nano, binary ? QUANTITY_DECIMAL_SI : q->format, b);
}

/* Upstream's parser remembers the text of a quantity that needs no big arithmetic and looks
 * canonical at a glance (ParseQuantity); that glance lets a few others pass, as "1.234". */
static bool keeps_text(struct str text, const struct parts *p, const struct scale *scale)
{
    struct str whole = p->whole;
    while (whole.n && whole.p[0] == '0')
        whole = str_from(whole, 1);
    bool none = whole.n == 0;
    size_t digits = (none ? 1 : whole.n) + p->fraction.n;
    if (str_is(text, "0"))
        return true;
    if (scale->format == QUANTITY_BINARY_SI) {
        int64_t value = 0;
        int precision = 15 - (int)digits - scale->exponent * 3 / 10 - 1;
        if (p->fraction.n || precision < 0 || (none && p->whole.n == 0))
            return false;
        return str_to_i64(p->whole, &value) && (value & 7) != 0;
    }
    int exponent = scale->exponent - (int)p->fraction.n;
    if (digits > 18 || exponent < -9 || exponent % 3 != 0 || none)
        return false;
    char last[3] = {0};
    for (size_t i = 0; i < 3 && i < digits; i++)
        last[i] = (char)('0' + digit_at(p, (int64_t)(p->whole.n + p->fraction.n - 1 - i)));
    return memcmp(last, "000", 3) != 0;
}

int quantity_canonical(struct str text, struct buf *b, struct err *err)
{
    struct quantity q;
    struct parts p;
    struct scale scale;
    text = str_trim(text);
    if (quantity_parse(text, &q, err) != 0)
        return -1;
    split(text, &p, NULL);
    read_suffix(p.suffix, &scale, NULL);
    if (keeps_text(text, &p, &scale))
        buf_put(b, text);
    else
        quantity_write(&q, b);
    return 0;
}

int quantity_cmp(const struct quantity *a, const struct quantity *b)
{
    return (a->nano > b->nano) - (a->nano < b->nano);
}

static void set(struct quantity *q, __int128 nano)
{
    const __int128 most = (__int128)MOST;
    q->nano = nano > most ? most : nano < -most ? -most : nano;
}

void quantity_add(struct quantity *a, const struct quantity *b)
{
    if (a->nano == 0)
        a->format = b->format;
    set(a, a->nano + b->nano);
}

void quantity_sub(struct quantity *a, const struct quantity *b)
{
    if (a->nano == 0)
        a->format = b->format;
    set(a, a->nano - b->nano);
}

/* Away from zero, as upstream's RoundUp. */
static int64_t scaled(__int128 nano, int64_t unit)
{
    __int128 whole = nano / unit, rest = nano % unit;
    whole += (rest > 0) - (rest < 0);
    return whole > INT64_MAX ? INT64_MAX : whole < INT64_MIN ? INT64_MIN : (int64_t)whole;
}

int64_t quantity_value(const struct quantity *q)
{
    return scaled(q->nano, NANO);
}

int64_t quantity_milli(const struct quantity *q)
{
    return scaled(q->nano, NANO / 1000);
}
