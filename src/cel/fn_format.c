/* string.format, as version 2 of the strings extension has it: %f and %e follow the American
 * locale, with groups of thousands and superscript exponents. */
#include <math.h>

#include "cel/format.h"
#include "cel/functions.h"
#include "cel/text.h"

enum { MAX_PRECISION = 1000 };

const char *cel_format_clause_wants(char verb)
{
    switch (verb) {
    case 's':
        return "string clause can only be used on strings, bools, bytes, ints, doubles, maps, "
               "lists, types, durations, and timestamps, was given ";
    case 'd':
        return "decimal clause can only be used on integers, was given ";
    case 'f':
        return "fixed-point clause can only be used on doubles, was given ";
    case 'e':
        return "scientific clause can only be used on doubles, was given ";
    case 'b':
        return "only integers and bools can be formatted as binary, was given ";
    case 'o':
        return "octal clause can only be used on integers, was given ";
    default:
        return "only integers, byte buffers, and strings can be formatted as hex, was given ";
    }
}

static bool read_precision(struct str format, size_t *at, int *ret, struct buf *problem)
{
    size_t begin = ++*at;
    *ret = 0;
    while (*at < format.n && format.p[*at] >= '0' && format.p[*at] <= '9') {
        *ret = *ret > MAX_PRECISION ? *ret : *ret * 10 + (format.p[*at] - '0');
        (*at)++;
    }
    if (*at == format.n)
        buf_puts(problem, "could not parse formatting clause: error while parsing precision: "
                          "could not find end of precision specifier");
    else if (*at == begin)
        buf_puts(problem, "could not parse formatting clause: error while parsing precision: "
                          "error while converting precision to integer: strconv.Atoi: parsing "
                          "\"\": invalid syntax");
    else if (*ret > MAX_PRECISION)
        buf_printf(problem, "could not parse formatting clause: precision is beyond %d",
                   MAX_PRECISION);
    else
        return true;
    return false;
}

bool cel_format_clause_read(struct str format, size_t *at, struct format_clause *ret,
                            struct buf *problem)
{
    ret->precision = 6;
    if (*at < format.n && format.p[*at] == '.' &&
        !read_precision(format, at, &ret->precision, problem))
        return false;
    ret->verb = format.p[(*at)++];
    if (ret->verb && strchr("sdfebxXo", ret->verb))
        return true;
    buf_puts(problem, "could not parse formatting clause: unrecognized formatting clause \"");
    cel_utf8_putc(problem, (unsigned char)ret->verb);
    buf_putc(problem, '"');
    return false;
}

struct formatter {
    struct eval *ev;
    struct buf *out;
    struct buf *problem; /* what went wrong, or empty */
};

static bool put_string(struct formatter *f, struct cel_value v);

static bool refuse(struct formatter *f, char verb, struct cel_value v)
{
    struct str name = cel_type_name_of(v);
    buf_printf(f->problem, "error during formatting: %s%.*s", cel_format_clause_wants(verb),
               STR_ARG(name));
    return false;
}

/* A value inside a list or a map: texts are quoted. */
static bool put_inner(struct formatter *f, struct cel_value v)
{
    switch (v.kind) {
    case CEL_STRING:
        cel_quote_go(v.s, f->out);
        return true;
    case CEL_BYTES:
        buf_putc(f->out, 'b');
        cel_quote_go(v.s, f->out);
        return true;
    case CEL_TIMESTAMP:
    case CEL_DURATION:
        buf_puts(f->out, v.kind == CEL_DURATION ? "duration(\"" : "timestamp(\"");
        cel_put(v, f->out);
        buf_puts(f->out, "\")");
        return true;
    case CEL_DOUBLE:
        if (isnan(v.d))
            buf_puts(f->out, "\"NaN\"");
        else if (isinf(v.d))
            buf_puts(f->out, v.d < 0 ? "\"-Inf\"" : "\"+Inf\"");
        else
            buf_printf(f->out, "%.6f", v.d);
        return true;
    default:
        if (v.kind <= CEL_TYPE)
            return put_string(f, v);
        buf_printf(f->problem, "error during formatting: no formatting function for %.*s",
                   STR_ARG(cel_type_name_of(v)));
        return false;
    }
}

static bool put_list(struct formatter *f, struct cel_value v)
{
    buf_putc(f->out, '[');
    for (size_t i = 0; i < v.list->n && cel_may_make(f->ev, f->out->n); i++) {
        buf_puts(f->out, i ? ", " : "");
        if (!put_inner(f, cel_list_at(f->ev, v.list, i)))
            return false;
    }
    buf_putc(f->out, ']');
    return true;
}

struct line {
    struct str key, text;
};

static int by_key(const void *x, const void *y)
{
    return str_cmp(((const struct line *)x)->key, ((const struct line *)y)->key);
}

static bool put_entry(struct formatter *f, struct cel_value key, struct cel_value value,
                      struct line *ret)
{
    struct buf b = {0}, *was = f->out;
    f->out = &b;
    bool known = key.kind == CEL_STRING || key.kind == CEL_BOOL || key.kind == CEL_INT ||
                 key.kind == CEL_UINT;
    if (!known)
        buf_printf(f->problem,
                   "error during formatting: no formatting function for map key of type %.*s",
                   STR_ARG(cel_type_name_of(key)));
    bool ok = known && put_inner(f, key);
    size_t key_n = b.n;
    buf_putc(&b, ':');
    ok = ok && put_inner(f, value);
    ret->text = arena_dup(f->ev->a, buf_str(&b));
    ret->key = str_head(ret->text, key_n);
    buf_done(&b);
    f->out = was;
    return ok;
}

static bool put_map(struct formatter *f, struct cel_value v)
{
    struct line *lines = arena_alloc(f->ev->a, (v.map->n + 1) * sizeof *lines);
    struct map_walk w = cel_map_walk(v.map);
    struct cel_value key, value;
    size_t n = 0;
    while (n < v.map->n && cel_map_next(f->ev, &w, &key, &value) &&
           cel_may_make(f->ev, f->out->n)) {
        if (!put_entry(f, key, value, &lines[n++]))
            return false;
    }
    qsort(lines, n, sizeof *lines, by_key);
    buf_putc(f->out, '{');
    for (size_t i = 0; i < n; i++) {
        buf_puts(f->out, i ? ", " : "");
        buf_put(f->out, lines[i].text);
    }
    buf_putc(f->out, '}');
    return true;
}

static bool put_string(struct formatter *f, struct cel_value v)
{
    if (v.kind == CEL_LIST)
        return put_list(f, v);
    if (v.kind == CEL_MAP)
        return put_map(f, v);
    if (v.kind > CEL_TYPE)
        return refuse(f, 's', v);
    struct cel_value text = cel_to_string(f->ev, v);
    if (cel_is_error(text)) {
        buf_puts(f->problem, "error during formatting: could not convert argument ");
        cel_quote_go(text.s, f->problem);
        buf_puts(f->problem, " to string");
        return false;
    }
    buf_put(f->out, text.s);
    return true;
}

static void put_digits(uint64_t u, bool negative, unsigned base, bool upper, struct buf *b)
{
    char digits[66];
    int n = 0;
    do
        digits[n++] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[u % base];
    while (u /= base);
    if (negative)
        buf_putc(b, '-');
    while (n > 0)
        buf_putc(b, digits[--n]);
}

static bool put_based(struct formatter *f, struct cel_value v, char verb)
{
    unsigned base = verb == 'd' ? 10 : verb == 'b' ? 2 : verb == 'o' ? 8 : 16;
    if (v.kind == CEL_INT)
        put_digits(v.i < 0 ? 0 - v.u : v.u, v.i < 0, base, verb == 'X', f->out);
    else if (v.kind == CEL_UINT)
        put_digits(v.u, false, base, verb == 'X', f->out);
    else if (verb == 'b' && v.kind == CEL_BOOL)
        buf_putc(f->out, v.b ? '1' : '0');
    else if (base == 16 && (v.kind == CEL_STRING || v.kind == CEL_BYTES))
        for (size_t i = 0; i < v.s.n; i++)
            buf_printf(f->out, verb == 'X' ? "%02X" : "%02x", (unsigned char)v.s.p[i]);
    else
        return refuse(f, verb, v);
    return true;
}

/* The digits of a whole number with a comma before each group of three. */
static void put_grouped(const char *digits, size_t n, struct buf *b)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            buf_putc(b, ',');
        buf_putc(b, digits[i]);
    }
}

static void put_exponent(int exponent, struct buf *b)
{
    static const char *const superscript[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    char digits[16];
    snprintf(digits, sizeof digits, "%02d", exponent < 0 ? -exponent : exponent);
    buf_puts(b, "×10");
    if (exponent < 0)
        buf_puts(b, "⁻");
    for (const char *p = digits; *p; p++)
        buf_puts(b, superscript[*p - '0']);
}

static bool put_real(struct formatter *f, struct cel_value v, struct format_clause c)
{
    double d = v.d;
    bool word = v.kind == CEL_STRING;
    if (word && str_is(v.s, "NaN"))
        d = NAN;
    else if (word && (str_is(v.s, "Infinity") || str_is(v.s, "-Infinity")))
        d = v.s.p[0] == '-' ? -INFINITY : INFINITY;
    else if (v.kind != CEL_DOUBLE)
        return refuse(f, c.verb, v);
    if (isnan(d) || isinf(d)) { /* the locale's %e is six columns wide */
        const char *text = isnan(d) ? "   NaN" : d < 0 ? "    -∞" : "     ∞";
        buf_puts(f->out, c.verb == 'e' ? text : text + strspn(text, " "));
        return true;
    }
    if (signbit(d))
        buf_putc(f->out, '-');
    struct buf b = {0};
    if (c.verb == 'f')
        buf_printf(&b, "%.*f", c.precision, fabs(d));
    else /* the locale's form knows six digits only */
        buf_printf(&b, "%.6e", fabs(d));
    const char *text = buf_z(&b), *e = strchr(text, 'e');
    size_t whole = strcspn(text, ".e"), end = e ? (size_t)(e - text) : b.n;
    put_grouped(text, whole, f->out);
    buf_append(f->out, text + whole, end - whole);
    if (e)
        put_exponent(atoi(e + 1), f->out);
    buf_done(&b);
    return true;
}

static bool put_clause(struct formatter *f, struct format_clause c, struct cel_value v)
{
    if (c.verb == 's')
        return put_string(f, v);
    if (c.verb == 'f' || c.verb == 'e')
        return put_real(f, v, c);
    return put_based(f, v, c.verb);
}

static bool format_all(struct formatter *f, struct str format, const struct cel_list *args)
{
    size_t next = 0;
    for (size_t i = 0; i < format.n && cel_may_make(f->ev, f->out->n);) {
        struct format_clause clause;
        if (format.p[i] != '%') {
            buf_putc(f->out, format.p[i++]);
            continue;
        }
        if (++i < format.n && format.p[i] == '%') {
            buf_putc(f->out, '%');
            i++;
            continue;
        }
        if (next >= args->n) {
            buf_printf(f->problem, "index %zu out of range", next);
            return false;
        }
        if (i == format.n) {
            buf_puts(f->problem, "unexpected end of string");
            return false;
        }
        if (!cel_format_clause_read(format, &i, &clause, f->problem) ||
            !put_clause(f, clause, cel_list_at(f->ev, args, next++)))
            return false;
    }
    return true;
}

struct cel_value cel_fn_format(struct eval *ev, const struct cel_value *args, size_t n)
{
    (void)n;
    struct buf out = {0}, problem = {0};
    struct formatter f = {ev, &out, &problem};
    bool ok = format_all(&f, args[0].s, args[1].list);
    struct cel_value v = cel_text(ev, ok ? &out : &problem);
    if (!ok)
        v.kind = CEL_ERROR;
    buf_done(&out);
    buf_done(&problem);
    return v;
}
