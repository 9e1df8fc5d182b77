/* tmpl_escape.c: html, js, urlquery. */
#include "template/gofmt.h"
#include "template/tmpl_internal.h"
#include "template/unicode.h"

/* The arguments as one text, as `print` would print what an action prints of each. */
static struct str joined(struct tmpl_exec *x, const struct value *args, size_t n)
{
    if (n == 1 && args[0].type == &type_string)
        return value_text(args[0]);
    struct value *printable = arena_alloc(x->arena, (n + 1) * sizeof(*printable));
    for (size_t i = 0; i < n; i++)
        if (!value_printable(args[i], &printable[i]))
            printable[i] = args[i];
    struct buf b = {0};
    gofmt_print(x->arena, &b, printable, n);
    struct str text = arena_dup(x->arena, buf_str(&b));
    buf_done(&b);
    return text;
}

static int escaped(struct tmpl_exec *x, struct buf *b, struct value *ret)
{
    int rc = tmpl_spend(x, b->n);
    if (rc == 0)
        *ret = tmpl_str(x, buf_str(b));
    buf_done(b);
    return rc;
}

static int html(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    struct str s = joined(x, args, n);
    struct buf b = {0};
    for (size_t i = 0; i < s.n; i++) {
        switch (s.p[i]) {
        case '\0':
            rune_put(&b, RUNE_ERROR);
            break;
        case '"':
            buf_puts(&b, "&#34;");
            break;
        case '\'':
            buf_puts(&b, "&#39;");
            break;
        case '&':
            buf_puts(&b, "&amp;");
            break;
        case '<':
            buf_puts(&b, "&lt;");
            break;
        case '>':
            buf_puts(&b, "&gt;");
            break;
        default:
            buf_putc(&b, s.p[i]);
        }
    }
    return escaped(x, &b, ret);
}

static int js(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    struct str s = joined(x, args, n);
    struct buf b = {0};
    size_t used;
    for (; s.n > 0; s = str_from(s, used)) {
        uint32_t r = rune_decode(s, &used);
        if (r == '\\' || r == '\'' || r == '"') {
            buf_putc(&b, '\\');
            buf_putc(&b, (char)r);
        } else if (r < ' ' || r == '<' || r == '>' || r == '&' || r == '=') {
            buf_printf(&b, "\\u%04X", r);
        } else if (r < 0x80 || rune_is_print(r)) {
            buf_append(&b, s.p, used);
        } else {
            buf_printf(&b, "\\u%04X", r);
        }
    }
    return escaped(x, &b, ret);
}

static int urlquery(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    struct str s = joined(x, args, n);
    struct buf b = {0};
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == ' ')
            buf_putc(&b, '+');
        else if (c < 0x80 && (rune_is_letter(c) || rune_is_digit(c) || (c && strchr("-_.~", c))))
            buf_putc(&b, (char)c);
        else
            buf_printf(&b, "%%%02X", c);
    }
    return escaped(x, &b, ret);
}

const struct func tmpl_escape_funcs[] = {
    {"html", html, {&type_any}, &type_string, .variadic = true},
    {"js", js, {&type_any}, &type_string, .variadic = true},
    {"urlquery", urlquery, {&type_any}, &type_string, .variadic = true},
    {0},
};
