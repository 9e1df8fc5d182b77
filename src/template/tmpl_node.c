/* tmpl_node.c: nodes as text, and the values of literals. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "template/gofmt.h"
#include "template/tmpl_internal.h"
#include "template/unicode.h"

/* --- spelling --- */

static void write_pipe(const struct node *n, struct buf *b)
{
    for (size_t i = 0; i < n->n_more; i++) {
        if (i > 0)
            buf_puts(b, ", ");
        tmpl_node_write(n->decls[i], b);
    }
    if (n->n_more > 0)
        buf_puts(b, n->is_assign ? " = " : " := ");
    for (size_t i = 0; i < n->n_kids; i++) {
        if (i > 0)
            buf_puts(b, " | ");
        tmpl_node_write(n->kids[i], b);
    }
}

/* An operand; pipelines stand in parentheses. */
static void write_operand(const struct node *n, struct buf *b)
{
    if (n->type == NODE_PIPE)
        buf_putc(b, '(');
    tmpl_node_write(n, b);
    if (n->type == NODE_PIPE)
        buf_putc(b, ')');
}

static void write_branch(const struct node *n, const char *word, struct buf *b)
{
    buf_puts(b, "{{");
    buf_puts(b, word);
    buf_putc(b, ' ');
    tmpl_node_write(n->pipe, b);
    buf_puts(b, "}}");
    tmpl_node_write(n->list, b);
    if (n->else_list) {
        buf_puts(b, "{{else}}");
        tmpl_node_write(n->else_list, b);
    }
    buf_puts(b, "{{end}}");
}

static void write_names(const struct node *n, bool leading_dot, struct buf *b)
{
    for (size_t i = 0; i < n->n_more; i++) {
        if (i > 0 || leading_dot)
            buf_putc(b, '.');
        buf_put(b, n->names[i]);
    }
}

static void write_action(const struct node *n, struct buf *b)
{
    buf_puts(b, "{{");
    if (n->type == NODE_TEMPLATE) {
        buf_puts(b, "template ");
        gofmt_quote(b, n->name, false);
        if (n->pipe)
            buf_putc(b, ' ');
    }
    if (n->pipe)
        tmpl_node_write(n->pipe, b);
    buf_puts(b, "}}");
}

static void write_kids(const struct node *n, struct buf *b)
{
    for (size_t i = 0; i < n->n_kids; i++) {
        if (n->type == NODE_COMMAND && i > 0)
            buf_putc(b, ' ');
        if (n->type == NODE_COMMAND)
            write_operand(n->kids[i], b);
        else
            tmpl_node_write(n->kids[i], b);
    }
}

void tmpl_node_write(const struct node *n, struct buf *b)
{
    switch (n->type) {
    case NODE_LIST:
    case NODE_COMMAND:
        write_kids(n, b);
        return;
    case NODE_ACTION:
    case NODE_TEMPLATE:
        write_action(n, b);
        return;
    case NODE_IF:
        write_branch(n, "if", b);
        return;
    case NODE_WITH:
        write_branch(n, "with", b);
        return;
    case NODE_RANGE:
        write_branch(n, "range", b);
        return;
    case NODE_BREAK:
        buf_puts(b, "{{break}}");
        return;
    case NODE_CONTINUE:
        buf_puts(b, "{{continue}}");
        return;
    case NODE_END:
        buf_puts(b, "{{end}}");
        return;
    case NODE_ELSE:
        buf_puts(b, "{{else}}");
        return;
    case NODE_PIPE:
        write_pipe(n, b);
        return;
    case NODE_BOOL:
        buf_puts(b, n->is_true ? "true" : "false");
        return;
    case NODE_DOT:
        buf_putc(b, '.');
        return;
    case NODE_NIL:
        buf_puts(b, "nil");
        return;
    case NODE_STRING:
        buf_put(b, n->quoted);
        return;
    case NODE_TEXT:
    case NODE_NUMBER:
    case NODE_IDENTIFIER:
        buf_put(b, n->text);
        return;
    case NODE_FIELD:
    case NODE_VARIABLE:
        write_names(n, n->type == NODE_FIELD, b);
        return;
    case NODE_CHAIN:
        write_operand(n->kids[0], b);
        write_names(n, true, b);
    }
}

bool tmpl_node_is_blank(const struct node *list)
{
    for (size_t i = 0; i < list->n_kids; i++) {
        const struct node *n = list->kids[i];
        if (n->type != NODE_TEXT)
            return false;
        struct str rest = n->text;
        size_t used;
        for (; rest.n > 0; rest = str_from(rest, used))
            if (!rune_is_space(rune_decode(rest, &used)))
                return false;
    }
    return true;
}

/* --- literals --- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `count` digits; false: too few, or they are no rune. */
static bool escape_number(struct str *s, int count, int base, bool is_rune, uint32_t *ret)
{
    uint32_t v = 0;
    if (s->n < (size_t)count)
        return false;
    for (int i = 0; i < count; i++) {
        int d = hex_digit(s->p[i]);
        if (d < 0 || d >= base)
            return false;
        v = v * (uint32_t)base + (uint32_t)d;
    }
    *s = str_from(*s, (size_t)count);
    *ret = v;
    return is_rune ? v <= RUNE_MAX && (v < 0xD800 || v >= 0xE000) : v <= 255;
}

static bool escape(struct str *s, char quote, uint32_t *ret, bool *ret_is_byte)
{
    static const char letters[] = "abfnrtv\\", meant[] = "\a\b\f\n\r\t\v\\";
    if (s->n < 1)
        return false;
    char c = s->p[0];
    const char *at = c ? strchr(letters, c) : NULL;
    if (at || c == quote) {
        *ret = (unsigned char)(at ? meant[at - letters] : c);
        *s = str_from(*s, 1);
        return true;
    }
    *ret_is_byte = c == 'x' || (c >= '0' && c <= '7');
    if (*ret_is_byte && c != 'x')
        return escape_number(s, 3, 8, false, ret);
    *s = str_from(*s, 1);
    if (c == 'x')
        return escape_number(s, 2, 16, false, ret);
    return (c == 'u' && escape_number(s, 4, 16, true, ret)) ||
           (c == 'U' && escape_number(s, 8, 16, true, ret));
}

bool tmpl_literal_char(struct str *s, char quote, uint32_t *ret, bool *ret_is_byte)
{
    *ret_is_byte = false;
    if (s->n == 0 || s->p[0] == quote)
        return false;
    if (s->p[0] == '\\') {
        *s = str_from(*s, 1);
        return escape(s, quote, ret, ret_is_byte);
    }
    size_t n;
    *ret = rune_decode(*s, &n);
    *s = str_from(*s, n);
    return true;
}

/* Does the inside of a literal stand for itself? */
static bool is_plain(struct str inside, char quote)
{
    if (quote == '`')
        return str_find_char(inside, '\r') < 0;
    for (size_t i = 0; i < inside.n; i++)
        if (inside.p[i] == '\\' || inside.p[i] == quote || (unsigned char)inside.p[i] >= 0x80)
            return false;
    return true;
}

bool tmpl_literal_unquote(struct arena *a, struct str literal, struct str *ret)
{
    char quote = literal.p[0];
    struct str inside = {literal.p + 1, literal.n - 2};
    if (is_plain(inside, quote)) {
        *ret = inside;
        return true;
    }
    struct buf b = {0};
    bool ok = true;
    if (quote == '`') {
        for (size_t i = 0; i < inside.n; i++)
            if (inside.p[i] != '\r')
                buf_putc(&b, inside.p[i]);
    }
    while (quote == '"' && ok && inside.n > 0) {
        uint32_t r;
        bool is_byte;
        ok = tmpl_literal_char(&inside, quote, &r, &is_byte);
        if (ok && is_byte)
            buf_putc(&b, (char)r);
        else if (ok)
            rune_put(&b, r);
    }
    if (ok)
        *ret = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return ok;
}

/* --- numbers --- */

/* Underscores stand between digits, and one behind a base prefix. */
static bool underscores_ok(struct str s)
{
    char last = '^';
    bool hex = false;
    if (s.n > 0 && (s.p[0] == '+' || s.p[0] == '-'))
        s = str_from(s, 1);
    if (s.n >= 2 && s.p[0] == '0' && strchr("bBoOxX", s.p[1]) && s.p[1]) {
        hex = (s.p[1] | 0x20) == 'x';
        s = str_from(s, 2);
        last = '0';
    }
    for (size_t i = 0; i < s.n; i++) {
        if ((s.p[i] >= '0' && s.p[i] <= '9') || (hex && hex_digit(s.p[i]) >= 0)) {
            last = '0';
        } else if (s.p[i] == '_') {
            if (last != '0')
                return false;
            last = '_';
        } else {
            if (last == '_')
                return false;
            last = '!';
        }
    }
    return last != '_';
}

/* Digits of any base, as strconv.ParseUint(s, 0, 64). */
static bool parse_unsigned(struct str s, uint64_t *ret)
{
    unsigned base = 10;
    uint64_t v = 0;
    if (s.n > 1 && s.p[0] == '0') {
        char c = (char)(s.p[1] | 0x20);
        base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
        s = str_from(s, c == 'x' || c == 'b' || c == 'o' ? 2 : 1);
    }
    bool any = false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '_')
            continue;
        int d = hex_digit(s.p[i]);
        if (d < 0 || d >= (int)base || __builtin_mul_overflow(v, (uint64_t)base, &v) ||
            __builtin_add_overflow(v, (uint64_t)d, &v))
            return false;
        any = true;
    }
    *ret = v;
    return any;
}

static void parse_int(struct str text, struct number *n)
{
    if (!underscores_ok(text) || text.n == 0)
        return;
    bool negative = text.p[0] == '-', has_sign = negative || text.p[0] == '+';
    uint64_t u;
    if (!parse_unsigned(str_from(text, has_sign), &u))
        return;
    n->is_uint = !has_sign || u == 0;
    n->u = u;
    n->is_int = u <= (uint64_t)INT64_MAX || (negative && u == (uint64_t)1 << 63);
    n->i = negative ? (int64_t)-u : (int64_t)u;
    if (has_sign && u == 0)
        n->is_uint = true;
    n->is_float = n->is_int || n->is_uint;
    n->f = n->is_int ? (double)n->i : (double)n->u;
}

/* strconv.ParseFloat of what the lexer lets through. */
static bool parse_float(struct str text, double *ret)
{
    char digits[512];
    size_t n = 0;
    bool hex = false, exponent = false;
    if (!underscores_ok(text) || text.n >= sizeof(digits))
        return false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '_')
            continue;
        hex = hex || c == 'x' || c == 'X';
        exponent = exponent || c == 'p' || c == 'P';
        if ((c | 0x20) == 'b' && !hex)
            return false;
        digits[n++] = c;
    }
    digits[n] = '\0';
    char *end;
    *ret = strtod(digits, &end);
    return n > 0 && *end == '\0' && hex == exponent && isfinite(*ret);
}

/* The integers that a float is, if it is one. */
static void integers_of(struct number *n)
{
    if (!n->is_int && n->f >= -0x1p63 && n->f < 0x1p63 && trunc(n->f) == n->f) {
        n->is_int = true;
        n->i = (int64_t)n->f;
    }
    if (!n->is_uint && n->f >= 0 && n->f < 0x1p64 && trunc(n->f) == n->f) {
        n->is_uint = true;
        n->u = (uint64_t)n->f;
    }
}

static void simplify_complex(struct number *n)
{
    n->is_complex = true;
    n->is_float = n->complex[1] == 0;
    if (!n->is_float)
        return;
    n->f = n->complex[0];
    integers_of(n);
}

/* One part of a complex number; its errors are strconv's. */
static int parse_part(struct arena *a, struct str part, double *ret, struct str *ret_error)
{
    *ret = 0;
    if (parse_float(part, ret))
        return 0;
    struct buf b = {0};
    gofmt_quote(&b, part, false);
    *ret_error = arena_printf(a, "strconv.ParseFloat: parsing %s: %s", buf_z(&b),
                              isinf(*ret) ? "value out of range" : "invalid syntax");
    buf_done(&b);
    return -1;
}

/* What package fmt takes for a float when it scans: no binary, no octal, no "i", more than a sign.
 */
static bool is_scannable(struct str part)
{
    bool hex = str_find_char(part, 'x') >= 0 || str_find_char(part, 'X') >= 0;
    for (size_t i = 0; i < part.n; i++) {
        char c = (char)(part.p[i] | 0x20);
        if (c == 'i' || c == 'o' || (c == 'b' && !hex))
            return false;
    }
    return part.n > 1 || (part.n == 1 && part.p[0] != '+' && part.p[0] != '-');
}

/* "1+2i": the second sign that is not an exponent's divides it. */
static int parse_complex(struct arena *a, struct str text, struct number *n, struct str *ret_error)
{
    bool hex = str_find_char(text, 'x') >= 0 || str_find_char(text, 'X') >= 0;
    for (size_t i = text.n - 2; i > 0; i--) {
        char c = text.p[i], before = (char)(text.p[i - 1] | 0x20);
        if ((c != '+' && c != '-') || before == 'p' || (before == 'e' && !hex))
            continue;
        struct str re = str_head(text, i), im = str_from(text, i);
        im.n--;
        if (!is_scannable(re) || !is_scannable(im))
            break;
        if (parse_part(a, re, &n->complex[0], ret_error) < 0 ||
            parse_part(a, im, &n->complex[1], ret_error) < 0)
            return -1;
        simplify_complex(n);
        return 0;
    }
    *ret_error = STR("syntax error scanning complex number");
    return -1;
}

static int number_error(struct arena *a, const char *what, struct str text, struct str *ret_error)
{
    struct buf b = {0};
    gofmt_quote(&b, text, false);
    *ret_error = arena_printf(a, "%s: %s", what, buf_z(&b));
    buf_done(&b);
    return -1;
}

static int parse_char_constant(struct arena *a, struct str text, struct number *n,
                               struct str *ret_error)
{
    struct str rest = str_from(text, 1);
    uint32_t r;
    bool is_byte;
    if (!tmpl_literal_char(&rest, '\'', &r, &is_byte)) {
        *ret_error = STR("invalid syntax");
        return -1;
    }
    if (!str_is(rest, "'")) {
        struct buf b = {0};
        buf_puts(&b, "malformed character constant: ");
        buf_put(&b, text);
        *ret_error = arena_dup(a, buf_str(&b));
        buf_done(&b);
        return -1;
    }
    *n = (struct number){.is_int = true, .is_uint = true, .is_float = true};
    n->i = r;
    n->u = r;
    n->f = r;
    return 0;
}

int tmpl_number_parse(struct arena *a, struct str text, enum token_type type, struct number *ret,
                      struct str *ret_error)
{
    *ret = (struct number){0};
    if (type == TOKEN_CHAR_CONSTANT)
        return parse_char_constant(a, text, ret, ret_error);
    if (type == TOKEN_COMPLEX)
        return parse_complex(a, text, ret, ret_error);
    if (text.n > 0 && text.p[text.n - 1] == 'i' &&
        parse_float(str_head(text, text.n - 1), &ret->complex[1])) {
        simplify_complex(ret);
        return 0;
    }
    parse_int(text, ret);
    if (!ret->is_float && parse_float(text, &ret->f)) {
        bool looks_float = false;
        for (size_t i = 0; i < text.n; i++)
            looks_float = looks_float || (text.p[i] && strchr(".eEpP", text.p[i]));
        if (!looks_float)
            return number_error(a, "integer overflow", text, ret_error);
        ret->is_float = true;
        integers_of(ret);
    }
    if (!ret->is_float)
        return number_error(a, "illegal number syntax", text, ret_error);
    return 0;
}
