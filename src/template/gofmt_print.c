/* gofmt_print.c: one value under one verb. */
#include <stdio.h>

#include "template/gofmt_internal.h"
#include "template/unicode.h"

static const char lower_digits[] = "0123456789abcdefx", upper_digits[] = "0123456789ABCDEFX";

static void print_value(struct printer *p, struct value v, uint32_t verb, int depth);

static void put_padding(struct printer *p, int64_t n)
{
    char c = p->f.zero && !p->f.minus ? '0' : ' ';
    if (n <= 0 || p->out->n >= GOFMT_MAX_BYTES)
        return;
    memset(buf_reserve(p->out, (size_t)n), c, (size_t)n);
    p->out->n += (size_t)n;
    p->out->p[p->out->n] = '\0';
}

static void pad(struct printer *p, struct str s)
{
    int64_t n = p->f.has_width && p->width ? p->width - (int64_t)rune_count(s) : 0;
    if (!p->f.minus)
        put_padding(p, n);
    if (p->out->n < GOFMT_MAX_BYTES)
        buf_put(p->out, s);
    if (p->f.minus)
        put_padding(p, n);
}

static void pad_spaces(struct printer *p, struct str s)
{
    bool zero = p->f.zero;
    p->f.zero = false;
    pad(p, s);
    p->f.zero = zero;
}

static void bad_verb(struct printer *p, struct value v, uint32_t verb)
{
    p->erroring = true;
    buf_puts(p->out, "%!");
    rune_put(p->out, verb);
    buf_putc(p->out, '(');
    buf_puts(p->out, value_type_name(v));
    if (v.type != NULL && v.type != &type_any) {
        buf_putc(p->out, '=');
        gofmt_arg(p, v, 'v');
    }
    buf_putc(p->out, ')');
    p->erroring = false;
}

/* --- numbers --- */

static void print_unsigned(struct printer *p, uint64_t u, unsigned base, bool negative,
                           uint32_t verb, const char *digits)
{
    int precision = 0;
    if (p->f.has_precision) {
        precision = p->precision;
        if (precision == 0 && u == 0) { /* nothing but padding */
            bool zero = p->f.zero;
            p->f.zero = false;
            put_padding(p, p->width);
            p->f.zero = zero;
            return;
        }
    } else if (p->f.zero && !p->f.minus && p->f.has_width) {
        precision = p->width - (negative || p->f.plus || p->f.space);
    }
    char number[72];
    size_t at = sizeof(number);
    do
        number[--at] = digits[u % base];
    while (u /= base);
    int count = (int)(sizeof(number) - at), zeros = precision > count ? precision - count : 0;
    bool leads_with_zero = zeros > 0 || number[at] == '0';

    buf_clear(&p->scratch);
    if (negative || p->f.plus || p->f.space)
        buf_putc(&p->scratch, negative ? '-' : p->f.plus ? '+' : ' ');
    if (verb == 'O')
        buf_puts(&p->scratch, "0o");
    if (p->f.sharp && base == 2)
        buf_puts(&p->scratch, "0b");
    if (p->f.sharp && base == 8 && !leads_with_zero)
        buf_putc(&p->scratch, '0');
    if (p->f.sharp && base == 16) {
        buf_putc(&p->scratch, '0');
        buf_putc(&p->scratch, digits[16]);
    }
    while (zeros-- > 0)
        buf_putc(&p->scratch, '0');
    buf_append(&p->scratch, number + at, (size_t)count);
    pad_spaces(p, buf_str(&p->scratch));
}

static void print_hex(struct printer *p, uint64_t u, bool prefix)
{
    bool sharp = p->f.sharp;
    p->f.sharp = prefix;
    print_unsigned(p, u, 16, false, 'v', lower_digits);
    p->f.sharp = sharp;
}

/* %U: "U+0078", with # also the character. */
static void print_unicode(struct printer *p, uint64_t u)
{
    int precision = p->f.has_precision && p->precision > 4 ? p->precision : 4;
    buf_clear(&p->scratch);
    buf_printf(&p->scratch, "U+%0*llX", precision, (unsigned long long)u);
    if (p->f.sharp && u <= RUNE_MAX && rune_is_print((uint32_t)u)) {
        buf_puts(&p->scratch, " '");
        rune_put(&p->scratch, (uint32_t)u);
        buf_putc(&p->scratch, '\'');
    }
    pad_spaces(p, buf_str(&p->scratch));
}

static void print_integer(struct printer *p, struct value v, uint64_t u, bool is_signed,
                          uint32_t verb)
{
    bool negative = is_signed && (int64_t)u < 0;
    uint64_t size = negative ? -u : u;
    switch (verb) {
    case 'v':
        if (p->f.sharp_v && !is_signed)
            print_hex(p, u, true);
        else
            print_unsigned(p, size, 10, negative, verb, lower_digits);
        return;
    case 'd':
        print_unsigned(p, size, 10, negative, verb, lower_digits);
        return;
    case 'b':
        print_unsigned(p, size, 2, negative, verb, lower_digits);
        return;
    case 'o':
    case 'O':
        print_unsigned(p, size, 8, negative, verb, lower_digits);
        return;
    case 'x':
        print_unsigned(p, size, 16, negative, verb, lower_digits);
        return;
    case 'X':
        print_unsigned(p, size, 16, negative, verb, upper_digits);
        return;
    case 'c':
    case 'q':
        buf_clear(&p->scratch);
        if (verb == 'c')
            rune_put(&p->scratch, u > RUNE_MAX ? RUNE_ERROR : (uint32_t)u);
        else
            gofmt_quote_rune(&p->scratch, u > RUNE_MAX ? RUNE_ERROR : (uint32_t)u, p->f.plus);
        pad(p, buf_str(&p->scratch));
        return;
    case 'U':
        print_unicode(p, u);
        return;
    default:
        bad_verb(p, v, verb);
    }
}

/* The # flag: a decimal point always, and trailing zeros up to the precision. num is sign and
 * number. */
static void keep_zeros(struct buf *num, char verb, int precision)
{
    int digits = 0;
    if (verb == 'g' || verb == 'G' || verb == 'x')
        digits = precision == -1 ? 6 : precision;
    char tail[16] = "";
    bool point = false, nonzero = false;
    for (size_t i = 1; i < num->n; i++) {
        char c = num->p[i];
        if (c == '.') {
            point = true;
        } else if (c == 'p' || c == 'P' || ((c == 'e' || c == 'E') && verb != 'x' && verb != 'X')) {
            snprintf(tail, sizeof(tail), "%s", num->p + i);
            num->n = i;
        } else {
            nonzero = nonzero || c != '0';
            digits -= nonzero;
        }
    }
    if (!point) {
        if (num->n == 2 && num->p[1] == '0')
            digits--;
        buf_putc(num, '.');
    }
    while (digits-- > 0)
        buf_putc(num, '0');
    buf_puts(num, tail);
}

static void print_float_as(struct printer *p, double v, int bits, char verb, int precision)
{
    struct buf *num = &p->scratch;
    if (p->f.has_precision)
        precision = p->precision;
    buf_clear(num);
    buf_putc(num, '+');
    gofmt_float(num, v, verb, precision, bits);
    if (num->p[1] == '-' || num->p[1] == '+')
        buf_remove_front(num, 1);
    if (p->f.space && num->p[0] == '+' && !p->f.plus)
        num->p[0] = ' ';
    if (num->p[1] == 'I' || num->p[1] == 'N') {
        if (num->p[1] == 'N' && !p->f.space && !p->f.plus)
            buf_remove_front(num, 1);
        pad_spaces(p, buf_str(num));
        return;
    }
    if (p->f.sharp && verb != 'b')
        keep_zeros(num, verb, precision);
    if (!p->f.plus && num->p[0] == '+') {
        pad(p, str_from(buf_str(num), 1));
        return;
    }
    if (p->f.zero && !p->f.minus && p->f.has_width && p->width > (int)num->n) {
        buf_putc(p->out, num->p[0]); /* the sign stands before the zeros */
        put_padding(p, p->width - (int)num->n);
        buf_put(p->out, str_from(buf_str(num), 1));
        return;
    }
    pad(p, buf_str(num));
}

static void print_float(struct printer *p, struct value v, double f, int bits, uint32_t verb)
{
    if (verb == 'v')
        print_float_as(p, f, bits, 'g', -1);
    else if (verb == 'b' || verb == 'g' || verb == 'G' || verb == 'x' || verb == 'X')
        print_float_as(p, f, bits, (char)verb, -1);
    else if (verb == 'f' || verb == 'e' || verb == 'E' || verb == 'F')
        print_float_as(p, f, bits, verb == 'F' ? 'f' : (char)verb, 6);
    else
        bad_verb(p, v, verb);
}

static void print_complex(struct printer *p, struct value v, uint32_t verb)
{
    if (verb > 0x7F || strchr("vbgGxXfFeE", (int)verb) == NULL) {
        bad_verb(p, v, verb);
        return;
    }
    bool plus = p->f.plus;
    buf_putc(p->out, '(');
    print_float(p, v, v.complex[0], 64, verb);
    p->f.plus = true;
    print_float(p, v, v.complex[1], 64, verb);
    buf_puts(p->out, "i)");
    p->f.plus = plus;
}

/* --- strings --- */

static struct str truncated(const struct printer *p, struct str s)
{
    if (!p->f.has_precision)
        return s;
    size_t at = 0, n;
    for (int i = 0; i < p->precision && at < s.n; i++, at += n)
        rune_decode(str_from(s, at), &n);
    return str_head(s, at);
}

static bool can_backquote(struct str s)
{
    size_t n;
    for (; s.n > 0; s = str_from(s, n)) {
        uint32_t r = rune_decode(s, &n);
        if ((n == 1 && r == RUNE_ERROR) || r == 0xFEFF || (r < ' ' && r != '\t') || r == '`' ||
            r == 0x7F)
            return false;
    }
    return true;
}

static void print_quoted(struct printer *p, struct str s)
{
    s = truncated(p, s);
    buf_clear(&p->scratch);
    if (p->f.sharp && can_backquote(s)) {
        buf_putc(&p->scratch, '`');
        buf_put(&p->scratch, s);
        buf_putc(&p->scratch, '`');
    } else {
        gofmt_quote(&p->scratch, s, p->f.plus);
    }
    pad(p, buf_str(&p->scratch));
}

static void print_hex_bytes(struct printer *p, struct str s, const char *digits)
{
    size_t n = p->f.has_precision && (size_t)p->precision < s.n ? (size_t)p->precision : s.n;
    if (n == 0) {
        if (p->f.has_width)
            put_padding(p, p->width);
        return;
    }
    int64_t width = 2 * (int64_t)n;
    if (p->f.space)
        width = width * (p->f.sharp ? 2 : 1) + (int64_t)n - 1;
    else if (p->f.sharp)
        width += 2;
    if (p->f.has_width && !p->f.minus)
        put_padding(p, p->width - width);
    for (size_t i = 0; i < n && p->out->n < GOFMT_MAX_BYTES; i++) {
        if (p->f.space && i > 0)
            buf_putc(p->out, ' ');
        if (p->f.sharp && (i == 0 || p->f.space)) {
            buf_putc(p->out, '0');
            buf_putc(p->out, digits[16]);
        }
        buf_putc(p->out, digits[(unsigned char)s.p[i] >> 4]);
        buf_putc(p->out, digits[s.p[i] & 15]);
    }
    if (p->f.has_width && p->f.minus)
        put_padding(p, p->width - width);
}

static void print_string(struct printer *p, struct value v, struct str s, uint32_t verb)
{
    if (verb == 'q' || (verb == 'v' && p->f.sharp_v))
        print_quoted(p, s);
    else if (verb == 'v' || verb == 's')
        pad(p, truncated(p, s));
    else if (verb == 'x' || verb == 'X')
        print_hex_bytes(p, s, verb == 'x' ? lower_digits : upper_digits);
    else
        bad_verb(p, v, verb);
}

/* --- containers --- */

static void print_pointer(struct printer *p, struct value v, uint32_t verb)
{
    enum gokind k = value_kind(v);
    if (k != KIND_FUNC && k != KIND_MAP && k != KIND_PTR && k != KIND_SLICE) {
        bad_verb(p, v, verb);
        return;
    }
    uint64_t u = (uintptr_t)v.opaque;
    if (verb == 'v' && p->f.sharp_v) {
        buf_printf(p->out, "(%s)(", v.type->name);
        if (u == 0)
            buf_puts(p->out, "nil");
        else
            print_hex(p, u, true);
        buf_putc(p->out, ')');
    } else if (verb == 'v' && u == 0) {
        pad(p, STR("<nil>"));
    } else if (verb == 'v' || verb == 'p') {
        print_hex(p, u, !p->f.sharp);
    } else if (strchr("bodxX", (int)verb) && verb < 0x80) {
        print_integer(p, v, u, false, verb);
    } else {
        bad_verb(p, v, verb);
    }
}

static void separate(struct printer *p, size_t i)
{
    if (i > 0)
        buf_puts(p->out, p->f.sharp_v ? ", " : " ");
}

static void print_map(struct printer *p, struct value v, uint32_t verb, int depth)
{
    buf_puts(p->out, p->f.sharp_v ? v.type->name : "map[");
    if (p->f.sharp_v && v.map == NULL) {
        buf_puts(p->out, "(nil)");
        return;
    }
    if (p->f.sharp_v)
        buf_putc(p->out, '{');
    for (size_t i = 0; i < vmap_len(v.map) && p->out->n < GOFMT_MAX_BYTES; i++) {
        separate(p, i);
        print_value(p, value_str(v.map->entries[i].key), verb, depth + 1);
        buf_putc(p->out, ':');
        print_value(p, v.map->entries[i].value, verb, depth + 1);
    }
    buf_putc(p->out, p->f.sharp_v ? '}' : ']');
}

static void print_struct(struct printer *p, struct value v, const struct gotype *t, uint32_t verb,
                         int depth)
{
    if (p->f.sharp_v)
        buf_puts(p->out, t->name);
    buf_putc(p->out, '{');
    for (size_t i = 0; t->fields && t->fields[i].name && v.fields; i++) {
        separate(p, i);
        if (p->f.plus_v || p->f.sharp_v)
            buf_printf(p->out, "%s:", t->fields[i].name);
        print_value(p, v.fields[i], verb, depth + 1);
    }
    buf_putc(p->out, '}');
}

static void print_slice(struct printer *p, struct value v, uint32_t verb, int depth)
{
    bool bytes = v.type->elem->kind == KIND_UINT8;
    if (bytes && verb < 0x80 && strchr("sqxX", (int)verb)) {
        print_string(p, v, value_text(v), verb);
        return;
    }
    if (p->f.sharp_v) /* []byte is spelled so only when it is the argument itself */
        buf_puts(p->out, depth == 0 && v.type == &type_bytes ? "[]byte" : v.type->name);
    if (p->f.sharp_v && v.items == NULL) {
        buf_puts(p->out, "(nil)");
        return;
    }
    buf_putc(p->out, p->f.sharp_v ? '{' : '[');
    for (size_t i = 0; i < v.n && p->out->n < GOFMT_MAX_BYTES; i++) {
        separate(p, i);
        print_value(p, value_at(v, i), verb, depth + 1);
    }
    buf_putc(p->out, p->f.sharp_v ? '}' : ']');
}

/* fmt.Stringer and error, for the verbs that take strings. */
static bool print_method(struct printer *p, struct value v, uint32_t verb)
{
    if (p->erroring)
        return false;
    if (verb == 'w') { /* only Errorf knows it */
        bad_verb(p, v, verb);
        return true;
    }
    if (v.type->string == NULL || p->f.sharp_v || verb > 0x7F || !strchr("vsxXq", (int)verb))
        return false;
    if (v.type->kind == KIND_PTR && v.opaque == NULL)
        buf_puts(p->out, "<nil>");
    else
        print_string(p, v, v.type->string(p->arena, &v), verb);
    return true;
}

/* depth 0: an argument, whose methods have been tried. */
static void print_value(struct printer *p, struct value v, uint32_t verb, int depth)
{
    enum gokind k = value_kind(v);
    if (k == KIND_INVALID || k == KIND_INTERFACE) {
        buf_puts(p->out, p->f.sharp_v ? "interface {}(nil)" : "<nil>");
        return;
    }
    if (p->out->n > VALUE_MAX_BYTES / 4)
        return; /* a list in a list, in a list …: whoever asked refuses so much */
    if (depth > VALUE_MAX_DEPTH) { /* a map that holds itself: Go dies of it */
        buf_puts(p->out, "…");
        return;
    }
    if (depth > 0 && print_method(p, v, verb))
        return;
    if (k == KIND_BOOL) {
        if (verb == 't' || verb == 'v')
            pad(p, v.b ? STR("true") : STR("false"));
        else
            bad_verb(p, v, verb);
    } else if (gokind_is_int(k) || gokind_is_uint(k)) {
        print_integer(p, v, v.u, gokind_is_int(k), verb);
    } else if (gokind_is_float(k)) {
        print_float(p, v, v.f, k == KIND_FLOAT32 ? 32 : 64, verb);
    } else if (k == KIND_COMPLEX128) {
        print_complex(p, v, verb);
    } else if (k == KIND_STRING) {
        print_string(p, v, value_text(v), verb);
    } else if (k == KIND_MAP) {
        print_map(p, v, verb, depth);
    } else if (k == KIND_STRUCT) {
        print_struct(p, v, v.type, verb, depth);
    } else if (k == KIND_SLICE) {
        print_slice(p, v, verb, depth);
    } else if (k == KIND_PTR && depth == 0 && v.fields) {
        buf_putc(p->out, '&');
        struct value pointed = v;
        pointed.type = v.type->elem;
        print_value(p, pointed, verb, depth + 1);
    } else {
        print_pointer(p, v, verb);
    }
}

void gofmt_arg(struct printer *p, struct value v, uint32_t verb)
{
    if (v.type == NULL || v.type == &type_any) {
        if (verb == 'T' || verb == 'v')
            pad(p, STR("<nil>"));
        else
            bad_verb(p, v, verb);
    } else if (verb == 'T') {
        pad(p, truncated(p, str_of(v.type->name)));
    } else if (verb == 'p') {
        print_pointer(p, v, 'p');
    } else if (v.type->defined || v.type->string || (verb == 'w' && v.type != &type_bytes)) {
        if (!print_method(p, v, verb))
            print_value(p, v, verb, 0);
    } else {
        print_value(p, v, verb, 0);
    }
}
