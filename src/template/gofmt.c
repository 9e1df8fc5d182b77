/* gofmt.c: formats, and lists of arguments. */
#include "template/gofmt_internal.h"
#include "template/unicode.h"

enum { MAX_NUMBER = 1000000 }; /* fmt's limit of widths and precisions */

struct format {
    struct str text;
    size_t at;
    const struct value *args;
    size_t n, next;   /* arguments, and the one that comes next */
    bool after_index; /* "[3]" was just read */
};

static bool too_large(int64_t n)
{
    return n > MAX_NUMBER || n < -MAX_NUMBER;
}

/* Digits before `end`; a crazy number swallows everything up to there. */
static bool parse_number(struct format *f, size_t end, int *ret)
{
    bool found = false;
    *ret = 0;
    if (f->at >= end) {
        f->at = end;
        return false;
    }
    for (; f->at < end && f->text.p[f->at] >= '0' && f->text.p[f->at] <= '9'; f->at++) {
        if (too_large(*ret)) {
            *ret = 0;
            f->at = end;
            return false;
        }
        *ret = *ret * 10 + (f->text.p[f->at] - '0');
        found = true;
    }
    return found;
}

/* "[n]": the index of the next argument. */
static void parse_index(struct printer *p, struct format *f)
{
    f->after_index = false;
    if (f->at >= f->text.n || f->text.p[f->at] != '[')
        return;
    p->reordered = true;
    size_t start = f->at;
    ssize_t close = f->text.n - start < 3 ? -1 : str_find_char(str_from(f->text, start + 1), ']');
    if (close < 0) {
        f->at = start + 1;
        p->good_index = false;
        return;
    }
    size_t end = start + 1 + (size_t)close;
    int number;
    f->at = start + 1;
    bool ok = parse_number(f, end, &number) && f->at == end;
    f->at = end + 1;
    f->after_index = ok;
    if (ok && number >= 1 && (size_t)number <= f->n)
        f->next = (size_t)number - 1;
    else
        p->good_index = false;
}

/* "*": a number from the arguments. */
static bool take_number(struct format *f, int *ret)
{
    *ret = 0;
    if (f->next >= f->n)
        return false;
    struct value v = f->args[f->next++];
    enum gokind k = value_kind(v);
    bool ok = gokind_is_int(k) || (gokind_is_uint(k) && v.u <= INT64_MAX);
    if (!ok || too_large(v.i))
        return false;
    *ret = (int)v.i;
    return true;
}

static void parse_width(struct printer *p, struct format *f)
{
    if (f->at < f->text.n && f->text.p[f->at] == '*') {
        f->at++;
        p->f.has_width = take_number(f, &p->width);
        if (!p->f.has_width)
            buf_puts(p->out, "%!(BADWIDTH)");
        if (p->width < 0) {
            p->width = -p->width;
            p->f.minus = true;
            p->f.zero = false;
        }
        f->after_index = false;
        return;
    }
    p->f.has_width = parse_number(f, f->text.n, &p->width);
    if (f->after_index && p->f.has_width)
        p->good_index = false;
}

static void parse_precision(struct printer *p, struct format *f)
{
    if (f->at + 1 >= f->text.n || f->text.p[f->at] != '.')
        return;
    f->at++;
    if (f->after_index)
        p->good_index = false;
    parse_index(p, f);
    if (f->at < f->text.n && f->text.p[f->at] == '*') {
        f->at++;
        p->f.has_precision = take_number(f, &p->precision);
        if (p->precision < 0) {
            p->precision = 0;
            p->f.has_precision = false;
        }
        if (!p->f.has_precision)
            buf_puts(p->out, "%!(BADPREC)");
        f->after_index = false;
        return;
    }
    if (!parse_number(f, f->text.n, &p->precision))
        p->precision = 0;
    p->f.has_precision = true;
}

static void parse_flags(struct printer *p, struct format *f)
{
    for (; f->at < f->text.n; f->at++) {
        switch (f->text.p[f->at]) {
        case '#':
            p->f.sharp = true;
            break;
        case '0':
            p->f.zero = true;
            break;
        case '+':
            p->f.plus = true;
            break;
        case '-':
            p->f.minus = true;
            break;
        case ' ':
            p->f.space = true;
            break;
        default:
            return;
        }
    }
}

static void print_verb(struct printer *p, struct format *f, uint32_t verb)
{
    if (verb == '%') {
        buf_putc(p->out, '%');
    } else if (!p->good_index || f->next >= f->n) {
        buf_puts(p->out, "%!");
        rune_put(p->out, verb);
        buf_puts(p->out, p->good_index ? "(MISSING)" : "(BADINDEX)");
    } else {
        if (verb == 'v' || verb == 'w') {
            p->f.sharp_v = p->f.sharp;
            p->f.plus_v = p->f.plus;
            p->f.sharp = p->f.plus = false;
        }
        gofmt_arg(p, f->args[f->next++], verb);
    }
}

/* One verb, the % being read. False: the format ends before it. */
static bool print_directive(struct printer *p, struct format *f)
{
    p->f = (struct flags){0};
    p->width = p->precision = 0;
    p->good_index = true;
    parse_flags(p, f);
    if (f->at < f->text.n && f->text.p[f->at] >= 'a' && f->text.p[f->at] <= 'z' && f->next < f->n) {
        f->after_index = false;
        print_verb(p, f, (unsigned char)f->text.p[f->at++]);
        return true;
    }
    parse_index(p, f);
    parse_width(p, f);
    parse_precision(p, f);
    if (!f->after_index)
        parse_index(p, f);
    if (f->at >= f->text.n) {
        buf_puts(p->out, "%!(NOVERB)");
        return false;
    }
    size_t n;
    uint32_t verb = rune_decode(str_from(f->text, f->at), &n);
    f->at += n;
    print_verb(p, f, verb);
    return true;
}

static void print_extra(struct printer *p, struct format *f)
{
    p->f = (struct flags){0};
    p->width = p->precision = 0;
    buf_puts(p->out, "%!(EXTRA ");
    for (size_t i = f->next; i < f->n; i++) {
        if (i > f->next)
            buf_puts(p->out, ", ");
        buf_puts(p->out, value_type_name(f->args[i]));
        if (f->args[i].type == NULL || f->args[i].type == &type_any)
            continue;
        buf_putc(p->out, '=');
        gofmt_arg(p, f->args[i], 'v');
    }
    buf_putc(p->out, ')');
}

void gofmt_printf(struct arena *a, struct buf *b, struct str format, const struct value *args,
                  size_t n)
{
    struct printer p = {.arena = a, .out = b};
    struct format f = {.text = format, .args = args, .n = n};
    while (f.at < format.n && b->n < GOFMT_MAX_BYTES) {
        struct str rest = str_from(format, f.at);
        ssize_t percent = str_find_char(rest, '%');
        buf_put(b, percent < 0 ? rest : str_head(rest, (size_t)percent));
        if (percent < 0)
            break;
        f.at += (size_t)percent + 1;
        if (!print_directive(&p, &f))
            break;
    }
    if (!p.reordered && f.next < n)
        print_extra(&p, &f);
    buf_done(&p.scratch);
}

void gofmt_print(struct arena *a, struct buf *b, const struct value *args, size_t n)
{
    struct printer p = {.arena = a, .out = b};
    bool after_string = false;
    for (size_t i = 0; i < n; i++) {
        bool is_string = value_kind(args[i]) == KIND_STRING;
        if (i > 0 && !is_string && !after_string)
            buf_putc(b, ' ');
        gofmt_arg(&p, args[i], 'v');
        after_string = is_string;
    }
    buf_done(&p.scratch);
}

void gofmt_println(struct arena *a, struct buf *b, const struct value *args, size_t n)
{
    struct printer p = {.arena = a, .out = b};
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(b, ' ');
        gofmt_arg(&p, args[i], 'v');
    }
    buf_putc(b, '\n');
    buf_done(&p.scratch);
}

void gofmt_value(struct arena *a, struct buf *b, struct value v)
{
    if (v.type == &type_string)
        buf_put(b, value_text(v));
    else
        gofmt_print(a, b, &v, 1);
}

struct str gofmt_text(struct arena *a, struct value v)
{
    if (v.type == &type_string)
        return value_text(v);
    struct buf b = {0};
    gofmt_value(a, &b, v);
    struct str text = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return text;
}
