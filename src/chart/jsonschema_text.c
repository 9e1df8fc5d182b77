/* jsonschema_text.c: how problems read. */
#include <math.h>
#include <stdio.h>

#include "template/gofmt.h"
#include "chart/jsonschema.h"

static void put_escaped(struct buf *b, struct str token)
{
    for (size_t i = 0; i < token.n; i++) {
        if (token.p[i] == '~')
            buf_puts(b, "~0");
        else if (token.p[i] == '/')
            buf_puts(b, "~1");
        else
            buf_putc(b, token.p[i]);
    }
}

static void put_place(struct buf *b, const struct schema_place *place)
{
    if (!place)
        return;
    put_place(b, place->outer);
    buf_putc(b, '/');
    put_escaped(b, place->token);
}

struct str schema_place_text(struct arena *a, const struct schema_place *place)
{
    struct buf b = {0};
    put_place(&b, place);
    struct str text = place ? arena_dup(a, buf_str(&b)) : STR("");
    buf_done(&b);
    return text;
}

void schema_put_quoted(struct buf *b, struct str s)
{
    struct buf q = {0};
    gofmt_quote(&q, s, false);
    buf_putc(b, '\'');
    for (size_t i = 1; i + 1 < q.n; i++) {
        if (q.p[i] == '\\' && q.p[i + 1] == '"')
            continue;
        if (q.p[i] == '\\' && i + 2 < q.n) {
            buf_putc(b, q.p[i++]);
            buf_putc(b, q.p[i]);
            continue;
        }
        if (q.p[i] == '\'')
            buf_putc(b, '\\');
        buf_putc(b, q.p[i]);
    }
    buf_putc(b, '\'');
    buf_done(&q);
}

/* Groups of three digits, as in English. */
static void put_grouped(struct buf *b, struct str digits)
{
    for (size_t i = 0; i < digits.n; i++) {
        if (i > 0 && (digits.n - i) % 3 == 0)
            buf_putc(b, ',');
        buf_putc(b, digits.p[i]);
    }
}

/* golang.org/x/text's %v: scientific from a million on and below 0.0001. */
void schema_put_number(struct buf *b, double number)
{
    static const char *const raised[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    struct buf text = {0};
    if (number < 0)
        buf_putc(b, '-');
    number = fabs(number);
    if (number == 0 || (number >= 1e-4 && number < 1e6)) {
        gofmt_float(&text, number, 'f', -1, 64);
        struct str whole, fraction;
        bool has_fraction = str_cut(buf_str(&text), '.', &whole, &fraction);
        put_grouped(b, whole);
        if (has_fraction)
            buf_printf(b, ".%.*s", STR_ARG(fraction));
    } else {
        gofmt_float(&text, number, 'e', -1, 64);
        struct str mantissa, exponent;
        str_cut(buf_str(&text), 'e', &mantissa, &exponent);
        buf_put(b, mantissa);
        buf_puts(b, "×10");
        for (size_t i = 0; i < exponent.n; i++)
            if (exponent.p[i] == '-')
                buf_puts(b, "⁻");
            else if (exponent.p[i] != '+')
                buf_puts(b, raised[exponent.p[i] - '0']);
    }
    buf_done(&text);
}

void schema_put_display(struct buf *b, const val *v)
{
    if (val_is_str(v))
        schema_put_quoted(b, val_str(v));
    else if (val_is_null(v))
        buf_puts(b, "<nil>");
    else if (val_is_obj(v) || val_is_arr(v))
        buf_puts(b, "value");
    else
        val_write_json(v, b);
}

/* A reference with one cause is not mentioned. */
void schema_put_problems(struct buf *b, const struct schema_problem *p, int indent)
{
    for (; p; p = p->next) {
        bool skipped = p->kind == SCHEMA_REF && p->causes && !p->causes->next;
        if (skipped) {
            schema_put_problems(b, p->causes, indent);
            continue;
        }
        if (b->n)
            buf_putc(b, '\n');
        for (int i = 0; i < indent; i++)
            buf_puts(b, "  ");
        buf_puts(b, "- at ");
        schema_put_quoted(b, p->place);
        buf_printf(b, ": %.*s", STR_ARG(p->text));
        schema_put_problems(b, p->causes, indent + 1);
    }
}
