/* gofmt_text.c: numbers and quoted strings as Go's strconv writes them. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "template/gofmt.h"
#include "template/unicode.h"

/* A number as its decimal digits: 0.d1d2d3… times ten to the power `point`. */
struct decimal {
    char digits[24];
    int n;
    int point;
};

/* Rounds to n significant digits; n <= 20. Trailing zeros are dropped. */
static void decimal_round(double f, int n, struct decimal *ret)
{
    char text[40];
    snprintf(text, sizeof(text), "%.*e", n - 1, f);
    ret->n = 0;
    const char *p = text;
    for (; *p != 'e'; p++)
        if (*p != '.')
            ret->digits[ret->n++] = *p;
    ret->point = atoi(p + 1) + 1;
    while (ret->n > 0 && ret->digits[ret->n - 1] == '0')
        ret->n--;
    if (ret->n == 0)
        ret->point = 0;
}

static bool decimal_gives(const struct decimal *d, double f, int bits)
{
    char text[48];
    snprintf(text, sizeof(text), "0.%.*se%d", d->n, d->digits, d->point);
    return bits == 32 ? strtof(text, NULL) == (float)f : strtod(text, NULL) == f;
}

/* One more in the last of n places. */
static void decimal_up(struct decimal *d, int n)
{
    while (d->n < n)
        d->digits[d->n++] = '0';
    while (d->n > 0 && d->digits[d->n - 1] == '9')
        d->n--;
    if (d->n > 0) {
        d->digits[d->n - 1]++;
        return;
    }
    d->digits[d->n++] = '1';
    d->point++;
}

/* The fewest digits that give back f (finite, not negative). Numbers of at most 15 (6) digits come
 * back unchanged from a rounding to 15 (6), so that is where the search begins, but not among
 * denormal numbers, which are coarser. At a power of two the gap below is half the gap above: there
 * the nearest decimal may lie outside when the next one above does not. */
static void decimal_shortest(double f, int bits, struct decimal *ret)
{
    int first = bits == 32 ? 6 : 15, last = bits == 32 ? 9 : 17, exponent;
    if (f < (bits == 32 ? (double)FLT_MIN : DBL_MIN))
        first = 1;
    bool power = frexp(f, &exponent) == 0.5;
    for (int n = first; n < last; n++) {
        decimal_round(f, n, ret);
        if (decimal_gives(ret, f, bits))
            return;
        if (power) {
            decimal_up(ret, n);
            if (decimal_gives(ret, f, bits))
                return;
        }
    }
    decimal_round(f, last, ret);
}

static void put_exponent(struct buf *b, char letter, int exponent)
{
    buf_printf(b, "%c%c%02d", letter, exponent < 0 ? '-' : '+', abs(exponent));
}

static void put_e(struct buf *b, const struct decimal *d, int precision, char letter)
{
    buf_putc(b, d->n > 0 ? d->digits[0] : '0');
    if (precision > 0)
        buf_putc(b, '.');
    for (int i = 1; i <= precision; i++)
        buf_putc(b, i < d->n ? d->digits[i] : '0');
    put_exponent(b, letter, d->n > 0 ? d->point - 1 : 0);
}

static void put_f(struct buf *b, const struct decimal *d, int precision)
{
    if (d->point <= 0)
        buf_putc(b, '0');
    for (int i = 0; i < d->point; i++)
        buf_putc(b, i < d->n ? d->digits[i] : '0');
    if (precision > 0)
        buf_putc(b, '.');
    for (int i = d->point; i < d->point + precision; i++)
        buf_putc(b, i >= 0 && i < d->n ? d->digits[i] : '0');
}

/* %g: the exponent form when the exponent is below -4 or not below the precision, which counts as 6
 * when the digits are the fewest. */
static void put_g(struct buf *b, const struct decimal *d, int precision, char letter)
{
    bool fewest = precision < 0;
    if (fewest)
        precision = d->n;
    int limit = precision;
    if (limit > d->n && d->n >= d->point)
        limit = d->n;
    if (fewest)
        limit = 6;
    int exponent = d->point - 1;
    if (exponent < -4 || exponent >= limit)
        put_e(b, d, (precision > d->n ? d->n : precision) - 1, letter);
    else
        put_f(b, d, d->n > d->point ? d->n - d->point : 0);
}

/* The mantissa as an integer and its power of two. */
static uint64_t mantissa(double f, int bits, int *ret_exponent)
{
    int width = bits == 32 ? 24 : 53, lowest = bits == 32 ? -149 : -1074;
    if (f == 0) {
        *ret_exponent = lowest;
        return 0;
    }
    double m = frexp(f, ret_exponent);
    *ret_exponent -= width;
    m = ldexp(m, width);
    while (*ret_exponent < lowest) {
        m /= 2;
        ++*ret_exponent;
    }
    return (uint64_t)m;
}

static void put_hex(struct buf *b, double f, int precision, char letter)
{
    const char *digits = letter == 'x' ? "0123456789abcdef" : "0123456789ABCDEF";
    int exponent = 0;
    uint64_t m = 0;
    if (f != 0) {
        m = (uint64_t)ldexp(frexp(f, &exponent), 61);
        exponent--;
    }
    if (precision >= 0 && precision < 15) { /* to the nearest, ties to even */
        int shift = precision * 4;
        uint64_t extra = (m << shift) & (((uint64_t)1 << 60) - 1);
        m >>= 60 - shift;
        if ((extra | (m & 1)) > (uint64_t)1 << 59)
            m++;
        m <<= 60 - shift;
        if (m & (uint64_t)1 << 61) {
            m >>= 1;
            exponent++;
        }
    }
    buf_printf(b, "0%c%c", letter, (char)('0' + (m >> 60 & 1)));
    m <<= 4;
    if (precision < 0 ? m != 0 : precision > 0)
        buf_putc(b, '.');
    for (int i = 0; precision < 0 ? m != 0 : i < precision; i++, m <<= 4)
        buf_putc(b, digits[m >> 60]);
    put_exponent(b, letter == 'x' ? 'p' : 'P', exponent);
}

void gofmt_float(struct buf *b, double f, char format, int precision, int bits)
{
    if (isnan(f)) {
        buf_puts(b, "NaN");
        return;
    }
    if (isinf(f)) {
        buf_puts(b, f < 0 ? "-Inf" : "+Inf");
        return;
    }
    if (signbit(f))
        buf_putc(b, '-');
    f = fabs(f);
    if (format == 'b') {
        int exponent;
        uint64_t m = mantissa(f, bits, &exponent);
        buf_printf(b, "%llup%+d", (unsigned long long)m, exponent);
        return;
    }
    if (format == 'x' || format == 'X') {
        put_hex(b, f, precision, format);
        return;
    }
    if (precision >= 0 && format != 'g' && format != 'G') {
        buf_printf(b, format == 'e' ? "%.*e" : format == 'E' ? "%.*E" : "%.*f", precision, f);
        return;
    }
    struct decimal d;
    if (precision < 0) {
        if (f == 0)
            d = (struct decimal){.n = 0};
        else
            decimal_shortest(f, bits, &d);
    } else if (precision > 18) { /* exact digits, of which there may be hundreds */
        char *text = mem_alloc(2000);
        snprintf(text, 2000, format == 'g' ? "%.*g" : "%.*G", precision > 1100 ? 1100 : precision,
                 f);
        buf_puts(b, text);
        free(text);
        return;
    } else {
        precision = precision == 0 ? 1 : precision;
        decimal_round(f, precision, &d);
    }
    if (format == 'e' || format == 'E')
        put_e(b, &d, d.n > 0 ? d.n - 1 : 0, format);
    else if (format == 'f' || format == 'F')
        put_f(b, &d, d.n > d.point ? d.n - d.point : 0);
    else
        put_g(b, &d, precision, format == 'g' ? 'e' : 'E');
}

static void put_escaped(struct buf *b, uint32_t r, char quote, bool ascii)
{
    static const char plain[] = "\a\b\f\n\r\t\v", letters[] = "abfnrtv";
    const char *at;
    if (r == (unsigned char)quote || r == '\\') {
        buf_putc(b, '\\');
        buf_putc(b, (char)r);
    } else if (rune_is_print(r) && (r < 0x80 || !ascii)) {
        rune_put(b, r);
    } else if (r != 0 && r < 0x80 && (at = strchr(plain, (int)r)) != NULL) {
        buf_putc(b, '\\');
        buf_putc(b, letters[at - plain]);
    } else if (r < ' ' || r == 0x7F) {
        buf_printf(b, "\\x%02x", r);
    } else {
        buf_printf(b, r < 0x10000 ? "\\u%04x" : "\\U%08x", r);
    }
}

void gofmt_quote(struct buf *b, struct str s, bool ascii)
{
    size_t n;
    buf_putc(b, '"');
    for (; s.n > 0; s = str_from(s, n)) {
        uint32_t r = rune_decode(s, &n);
        if (r == RUNE_ERROR && n == 1)
            buf_printf(b, "\\x%02x", (unsigned char)s.p[0]);
        else
            put_escaped(b, r, '"', ascii);
    }
    buf_putc(b, '"');
}

void gofmt_quote_rune(struct buf *b, uint32_t rune, bool ascii)
{
    if (rune > RUNE_MAX || (rune >= 0xD800 && rune < 0xE000))
        rune = RUNE_ERROR;
    buf_putc(b, '\'');
    put_escaped(b, rune, '\'', ascii);
    buf_putc(b, '\'');
}
