/* The tokens of CEL's grammar. Where a text is no token, the message is what an ANTLR lexer says:
 * everything from the token's begin to the character that cannot follow. */
#include "cel/ast.h"

#include <ctype.h>

struct lexer {
    struct compiler *c;
    const char *p, *end;
    const char *failed; /* the character that ended the longest attempt */
};

static bool is_digit(const struct lexer *l, const char *p)
{
    return p < l->end && isdigit((unsigned char)*p);
}

static bool is_hex(const struct lexer *l, const char *p)
{
    return p < l->end && isxdigit((unsigned char)*p);
}

static bool is_word(const struct lexer *l, const char *p)
{
    return p < l->end && (isalnum((unsigned char)*p) || *p == '_');
}

static void fail_at(struct lexer *l, const char *p)
{
    if (p > l->failed)
        l->failed = p;
}

/* Where a number of exactly n hexadecimal digits ends, or NULL. */
static const char *skip_hex(struct lexer *l, const char *p, int n)
{
    for (int i = 0; i < n; i++, p++) {
        if (!is_hex(l, p)) {
            fail_at(l, p);
            return NULL;
        }
    }
    return p;
}

/* p stands behind a backslash. */
static const char *skip_escape(struct lexer *l, const char *p)
{
    if (p == l->end) {
        fail_at(l, p);
        return NULL;
    }
    if (strchr("abfnrtv\"'\\?`", *p) && *p)
        return p + 1;
    switch (*p) {
    case 'x':
    case 'X':
        return skip_hex(l, p + 1, 2);
    case 'u':
        return skip_hex(l, p + 1, 4);
    case 'U':
        return skip_hex(l, p + 1, 8);
    }
    for (int i = 0; i < 3; i++, p++) {
        if (p == l->end || *p < '0' || *p > (i == 0 ? '3' : '7')) {
            fail_at(l, p);
            return NULL;
        }
    }
    return p;
}

static const char *skip_body(struct lexer *l, const char *p, char quote, bool triple, bool raw)
{
    while (p < l->end) {
        if (triple ? l->end - p >= 3 && p[0] == quote && p[1] == quote && p[2] == quote
                   : *p == quote)
            return p + (triple ? 3 : 1);
        if (!triple && (*p == '\n' || *p == '\r'))
            break;
        if (*p == '\\' && !raw) {
            p = skip_escape(l, p + 1);
            if (!p)
                return NULL;
        } else {
            p++;
        }
    }
    fail_at(l, p);
    return NULL;
}

/* A string that begins at p, or NULL. */
static const char *skip_string(struct lexer *l, const char *p)
{
    bool raw = p < l->end && (*p == 'r' || *p == 'R');
    p += raw;
    if (p >= l->end || (*p != '"' && *p != '\'')) {
        fail_at(l, p);
        return NULL;
    }
    char quote = *p;
    if (l->end - p >= 3 && p[1] == quote && p[2] == quote) {
        const char *end = skip_body(l, p + 3, quote, true, raw);
        if (end)
            return end;
    }
    return skip_body(l, p + 1, quote, false, raw);
}

static const char *skip_digits(const struct lexer *l, const char *p)
{
    while (is_digit(l, p))
        p++;
    return p;
}

static const char *skip_number(const struct lexer *l, const char *p, enum token_kind *ret)
{
    *ret = TOKEN_INT;
    if (*p == '0' && p + 1 < l->end && p[1] == 'x' && is_hex(l, p + 2)) {
        p += 2;
        while (is_hex(l, p))
            p++;
    } else {
        p = skip_digits(l, p);
        if (p < l->end && *p == '.' && is_digit(l, p + 1)) {
            *ret = TOKEN_DOUBLE;
            p = skip_digits(l, p + 1);
        }
        if (p < l->end && (*p == 'e' || *p == 'E')) {
            const char *e = p + 1;
            e += e < l->end && (*e == '+' || *e == '-');
            if (is_digit(l, e)) {
                *ret = TOKEN_DOUBLE;
                p = skip_digits(l, e);
            }
        }
    }
    if (*ret == TOKEN_INT && p < l->end && (*p == 'u' || *p == 'U')) {
        *ret = TOKEN_UINT;
        p++;
    }
    return p;
}

static const char *skip_operator(struct lexer *l, const char *p)
{
    static const char *const twos[] = {"==", "!=", "<=", ">=", "&&", "||"};
    for (size_t i = 0; i < ARRAY_LEN(twos); i++)
        if (l->end - p >= 2 && memcmp(p, twos[i], 2) == 0)
            return p + 2;
    if (*p && strchr("<>[]{}().,-!?:+*/%", *p))
        return p + 1;
    fail_at(l, *p == '=' || *p == '&' || *p == '|' ? p + 1 : p);
    return NULL;
}

static const char *skip_escaped(struct lexer *l, const char *p)
{
    const char *begin = ++p;
    while (is_word(l, p) || (p < l->end && strchr(".-/ ", *p) && *p))
        p++;
    if (p > begin && p < l->end && *p == '`')
        return p + 1;
    fail_at(l, p);
    return NULL;
}

/* The longest token at l->p, or NULL. */
static const char *next_token(struct lexer *l, enum token_kind *ret)
{
    const char *p = l->p, *end;
    if (is_digit(l, p) || (*p == '.' && is_digit(l, p + 1)))
        return skip_number(l, p, ret);
    *ret = TOKEN_BYTES;
    if ((*p == 'b' || *p == 'B') && (end = skip_string(l, p + 1)))
        return end;
    *ret = TOKEN_STRING;
    if (strchr("\"'rR", *p) && *p && (end = skip_string(l, p)))
        return end;
    *ret = TOKEN_IDENT;
    if (is_word(l, p)) {
        while (is_word(l, p))
            p++;
        return p;
    }
    *ret = TOKEN_ESCAPED;
    if (*p == '`')
        return skip_escaped(l, p);
    *ret = TOKEN_OP;
    return *p == '"' || *p == '\'' ? NULL : skip_operator(l, p);
}

static bool skip_blank(struct lexer *l)
{
    if (*l->p && strchr("\t \r\n\f", *l->p)) {
        l->p++;
        return true;
    }
    if (l->end - l->p >= 2 && l->p[0] == '/' && l->p[1] == '/') {
        while (l->p < l->end && *l->p != '\n')
            l->p++;
        return true;
    }
    return false;
}

static bool is_word_operator(struct str s)
{
    return str_is(s, "in") || str_is(s, "true") || str_is(s, "false") || str_is(s, "null");
}

/* Reports what stands at l->p and goes behind it. */
static void refuse(struct lexer *l)
{
    const char *stop = l->failed < l->end ? l->failed + 1 : l->end;
    while (stop < l->end && ((unsigned char)*stop & 0xc0) == 0x80)
        stop++;
    if (stop <= l->p)
        stop = l->p + 1;
    struct buf b = {0};
    for (const char *p = l->p; p < stop; p++) {
        if (*p == '\n')
            buf_puts(&b, "\\n");
        else if (*p == '\r')
            buf_puts(&b, "\\r");
        else if (*p == '\t')
            buf_puts(&b, "\\t");
        else
            buf_putc(&b, *p);
    }
    cel_issue_add(l->c, (uint32_t)(l->p - l->c->text.p),
                  "Syntax error: token recognition error at: '%s'", buf_z(&b));
    buf_done(&b);
    l->p = stop;
}

struct token *cel_lex(struct compiler *c, size_t *ret_count)
{
    struct lexer l = {c, c->text.p, c->text.p + c->text.n, NULL};
    struct token *tokens = arena_alloc(c->a, (c->text.n + 1) * sizeof *tokens);
    size_t n = 0;
    while (l.p < l.end) {
        if (skip_blank(&l))
            continue;
        enum token_kind kind;
        l.failed = l.p;
        const char *end = next_token(&l, &kind);
        if (!end) {
            refuse(&l);
            continue;
        }
        struct str text = {l.p, (size_t)(end - l.p)};
        if (kind == TOKEN_IDENT && is_word_operator(text))
            kind = TOKEN_OP;
        tokens[n++] = (struct token){kind, (uint32_t)(l.p - c->text.p), text};
        l.p = end;
    }
    tokens[n++] = (struct token){TOKEN_END, (uint32_t)c->text.n, STR("<EOF>")};
    *ret_count = n;
    return tokens;
}
