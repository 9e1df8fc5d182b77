/* tmpl_lex.c: text/template's lexer, one token at a time. */
#include <stdio.h>

#include "template/gofmt.h"
#include "template/tmpl_internal.h"
#include "template/unicode.h"

enum { END_OF_INPUT = -1 };

void tmpl_lexer_init(struct lexer *l, struct arena *a, struct str input)
{
    *l = (struct lexer){.arena = a, .input = input, .line = 1, .start_line = 1};
    l->break_ok = l->continue_ok = true;
}

static int32_t next_rune(struct lexer *l)
{
    size_t n;
    if (l->pos >= l->input.n) {
        l->at_eof = true;
        return END_OF_INPUT;
    }
    unsigned char c = (unsigned char)l->input.p[l->pos];
    if (c < 0x80) {
        l->pos++;
        l->line += c == '\n';
        return c;
    }
    uint32_t r = rune_decode(str_from(l->input, l->pos), &n);
    l->pos += n;
    return (int32_t)r;
}

static void back(struct lexer *l)
{
    size_t n;
    if (l->at_eof || l->pos == 0)
        return;
    unsigned char c = (unsigned char)l->input.p[l->pos - 1];
    if (c < 0x80) {
        l->pos--;
        l->line -= c == '\n';
        return;
    }
    rune_decode_last(str_head(l->input, l->pos), &n);
    l->pos -= n;
}

static int32_t peek_rune(struct lexer *l)
{
    if (l->pos < l->input.n && (unsigned char)l->input.p[l->pos] < 0x80)
        return l->input.p[l->pos];
    int32_t r = next_rune(l);
    back(l);
    return r;
}

static uint32_t count_lines(struct str s)
{
    uint32_t n = 0;
    const char *p = s.p, *end = s.p + s.n;
    while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        n++;
        p++;
    }
    return n;
}

static struct str pending(const struct lexer *l)
{
    return (struct str){l->input.p + l->start, l->pos - l->start};
}

/* The token of what is pending. */
static void make(struct lexer *l, enum token_type type)
{
    l->token = (struct token){type, l->start_line, l->start, pending(l)};
    l->start = l->pos;
    l->start_line = l->line;
}

/* Drops what was skipped without next_rune. */
static void ignore(struct lexer *l)
{
    l->line += count_lines(pending(l));
    l->start = l->pos;
    l->start_line = l->line;
}

static void fail(struct lexer *l, struct str message)
{
    l->token = (struct token){TOKEN_ERROR, l->start_line, l->start, message};
    l->start = l->pos = 0;
    l->input.n = 0;
}

static void fail_char(struct lexer *l, const char *what, int32_t r)
{
    struct buf b = {0};
    struct value v = value_int(r);
    gofmt_printf(l->arena, &b, STR("%#U"), &v, 1);
    fail(l, arena_printf(l->arena, "%s %s", what, buf_z(&b)));
    buf_done(&b);
}

static bool accept(struct lexer *l, const char *valid)
{
    int32_t r = next_rune(l);
    if (r > 0 && r < 0x80 && strchr(valid, r))
        return true;
    back(l);
    return false;
}

static void accept_run(struct lexer *l, const char *valid)
{
    while (accept(l, valid))
        ;
}

static bool is_space(int32_t r)
{
    return r == ' ' || r == '\t' || r == '\r' || r == '\n';
}

static bool is_ascii_word(int32_t r)
{
    return ((r | 0x20) >= 'a' && (r | 0x20) <= 'z') || r == '_' || (r >= '0' && r <= '9');
}

static bool is_alphanumeric(int32_t r)
{
    if (r < 0x80)
        return is_ascii_word(r);
    return rune_is_letter((uint32_t)r) || rune_is_digit((uint32_t)r);
}

/* Over letters and digits, and returns what stands behind them. */
static int32_t skip_word(struct lexer *l)
{
    for (;;) {
        while (l->pos < l->input.n && is_ascii_word((unsigned char)l->input.p[l->pos]))
            l->pos++;
        int32_t r = peek_rune(l);
        if (!is_alphanumeric(r))
            return r;
        next_rune(l);
    }
}

/* "- " behind a left delimiter. */
static bool trims_left(struct str s)
{
    return s.n >= 2 && s.p[0] == '-' && is_space(s.p[1]);
}

/* " -" before a right delimiter. */
static bool trims_right(struct str s)
{
    return s.n >= 2 && is_space(s.p[0]) && s.p[1] == '-';
}

static struct str rest_of(const struct lexer *l)
{
    return str_from(l->input, l->pos);
}

static bool at_right_delim(const struct lexer *l, bool *ret_trim)
{
    struct str rest = rest_of(l);
    *ret_trim = false;
    if (rest.n == 0 || (rest.p[0] != '}' && !is_space(rest.p[0])))
        return false;
    *ret_trim = trims_right(rest) && str_starts(str_from(rest, 2), STR("}}"));
    return *ret_trim || str_starts(rest, STR("}}"));
}

static void skip_blanks(struct lexer *l)
{
    while (l->pos < l->input.n && is_space(l->input.p[l->pos]))
        l->pos++;
}

/* A comment, its left marker known to be there. False: an error was made. */
static bool skip_comment(struct lexer *l)
{
    l->pos += 2;
    ssize_t end = str_find(rest_of(l), STR("*/"));
    if (end < 0) {
        fail(l, STR("unclosed comment"));
        return false;
    }
    l->pos += (size_t)end + 2;
    bool trim;
    if (!at_right_delim(l, &trim)) {
        fail(l, STR("comment ends before closing delimiter"));
        return false;
    }
    l->pos += trim ? 4 : 2;
    if (trim)
        skip_blanks(l);
    ignore(l);
    return true;
}

/* Most of a text is far from any brace, where memchr is the fastest. */
static ssize_t find_left_delim(struct str s)
{
    const char *p = s.p, *end = p + s.n;
    while (p < end && (p = memchr(p, '{', (size_t)(end - p))) != NULL) {
        if (end - p > 1 && p[1] == '{')
            return p - s.p;
        p++;
    }
    return -1;
}

/* Text up to a left delimiter, comments skipped. */
static void lex_text(struct lexer *l)
{
    for (;;) {
        ssize_t found = find_left_delim(rest_of(l));
        if (found < 0) {
            l->pos = l->input.n;
            l->line += count_lines(pending(l));
            make(l, l->pos > l->start ? TOKEN_TEXT : TOKEN_EOF);
            if (l->token.type == TOKEN_EOF)
                l->token.text = STR("");
            return;
        }
        if (found > 0) {
            size_t end = l->pos + (size_t)found, cut = end;
            if (trims_left(str_from(l->input, end + 2)))
                while (cut > l->start && is_space(l->input.p[cut - 1]))
                    cut--;
            l->pos = cut;
            l->line += count_lines(pending(l));
            make(l, TOKEN_TEXT);
            l->pos = end;
            ignore(l);
            if (l->token.text.n > 0)
                return;
        }
        bool trim = trims_left(str_from(l->input, l->pos + 2));
        if (str_starts(str_from(l->input, l->pos + (trim ? 4 : 2)), STR("/*"))) {
            l->pos += trim ? 4 : 2;
            ignore(l);
            if (!skip_comment(l))
                return;
            continue;
        }
        l->pos += 2;
        make(l, TOKEN_LEFT_DELIM);
        l->inside_action = true;
        l->pos += trim ? 2 : 0;
        ignore(l);
        l->parens = 0;
        return;
    }
}

static void lex_right_delim(struct lexer *l)
{
    bool trim;
    at_right_delim(l, &trim);
    if (trim) {
        l->pos += 2;
        ignore(l);
    }
    l->pos += 2;
    make(l, TOKEN_RIGHT_DELIM);
    if (trim) {
        skip_blanks(l);
        ignore(l);
    }
    l->inside_action = false;
}

/* May what stands here follow a word? */
static bool at_terminator(struct lexer *l)
{
    switch (peek_rune(l)) {
    case END_OF_INPUT:
    case ' ':
    case '\t':
    case '\r':
    case '\n':
    case '.':
    case ',':
    case '|':
    case ':':
    case '(':
    case ')':
        return true;
    default:
        return str_starts(rest_of(l), STR("}}"));
    }
}

static void lex_identifier(struct lexer *l)
{
    static const struct {
        struct str word;
        enum token_type type;
    } keywords[] = {
        {STR_INIT("block"), TOKEN_BLOCK},
        {STR_INIT("break"), TOKEN_BREAK},
        {STR_INIT("continue"), TOKEN_CONTINUE},
        {STR_INIT("define"), TOKEN_DEFINE},
        {STR_INIT("else"), TOKEN_ELSE},
        {STR_INIT("end"), TOKEN_END},
        {STR_INIT("if"), TOKEN_IF},
        {STR_INIT("nil"), TOKEN_NIL},
        {STR_INIT("range"), TOKEN_RANGE},
        {STR_INIT("template"), TOKEN_TEMPLATE},
        {STR_INIT("with"), TOKEN_WITH},
        {STR_INIT("true"), TOKEN_BOOL},
        {STR_INIT("false"), TOKEN_BOOL},
    };
    int32_t r = skip_word(l);
    if (!at_terminator(l)) {
        fail_char(l, "bad character", r);
        return;
    }
    struct str word = pending(l);
    enum token_type type = TOKEN_IDENTIFIER;
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
        if (str_eq(word, keywords[i].word))
            type = keywords[i].type;
    if ((type == TOKEN_BREAK && !l->break_ok) || (type == TOKEN_CONTINUE && !l->continue_ok))
        type = TOKEN_IDENTIFIER;
    make(l, type);
}

/* ".name" or "$name", the first character being read. */
static void lex_name(struct lexer *l, enum token_type type)
{
    if (at_terminator(l)) {
        make(l, type == TOKEN_VARIABLE ? TOKEN_VARIABLE : TOKEN_DOT);
        return;
    }
    int32_t r = skip_word(l);
    if (at_terminator(l))
        make(l, type);
    else
        fail_char(l, "bad character", r);
}

static bool scan_number(struct lexer *l)
{
    accept(l, "+-");
    const char *digits = "0123456789_";
    bool hex = false, decimal = true;
    if (accept(l, "0")) {
        if (accept(l, "xX")) {
            digits = "0123456789abcdefABCDEF_";
            hex = true;
            decimal = false;
        } else if (accept(l, "oO")) {
            digits = "01234567_";
            decimal = false;
        } else if (accept(l, "bB")) {
            digits = "01_";
            decimal = false;
        }
    }
    accept_run(l, digits);
    if (accept(l, "."))
        accept_run(l, digits);
    if ((decimal && accept(l, "eE")) || (hex && accept(l, "pP"))) {
        accept(l, "+-");
        accept_run(l, "0123456789_");
    }
    accept(l, "i");
    if (is_alphanumeric(peek_rune(l))) {
        next_rune(l);
        return false;
    }
    return true;
}

static void lex_number(struct lexer *l)
{
    bool good = scan_number(l);
    int32_t sign = good ? peek_rune(l) : 0;
    bool complex = sign == '+' || sign == '-';
    if (complex)
        good = scan_number(l) && l->input.p[l->pos - 1] == 'i';
    if (good) {
        make(l, complex ? TOKEN_COMPLEX : TOKEN_NUMBER);
        return;
    }
    struct buf b = {0};
    gofmt_quote(&b, pending(l), false);
    fail(l, arena_printf(l->arena, "bad number syntax: %s", buf_z(&b)));
    buf_done(&b);
}

/* A literal that ends with `quote`, the first one being read. */
static void lex_quoted(struct lexer *l, int32_t quote, enum token_type type, const char *what)
{
    for (;;) {
        const char *p = l->input.p + l->pos, *end = l->input.p + l->input.n;
        while (p < end && *p != quote && *p != '\\' && *p != '\n')
            p++;
        l->pos = (size_t)(p - l->input.p);
        int32_t r = next_rune(l);
        if (r == '\\' && quote != '`')
            r = next_rune(l) == '\n' || l->at_eof ? '\n' : ' ';
        else if (r == quote)
            break;
        if (r == END_OF_INPUT || (r == '\n' && quote != '`')) {
            fail(l, arena_printf(l->arena, "unterminated %s", what));
            return;
        }
    }
    make(l, type);
}

/* A run of blanks; the last of them may belong to a trimming right delimiter. */
static void lex_space(struct lexer *l)
{
    int count = 0;
    for (; is_space(peek_rune(l)); count++)
        next_rune(l);
    struct str last = str_from(l->input, l->pos - 1);
    if (trims_right(last) && str_starts(str_from(last, 2), STR("}}"))) {
        back(l);
        if (count == 1) {
            lex_right_delim(l);
            return;
        }
    }
    make(l, TOKEN_SPACE);
}

static void lex_paren(struct lexer *l, int32_t r)
{
    l->parens += r == '(' ? 1 : -1;
    if (l->parens < 0)
        fail(l, STR("unexpected right paren"));
    else
        make(l, r == '(' ? TOKEN_LEFT_PAREN : TOKEN_RIGHT_PAREN);
}

static void lex_action(struct lexer *l)
{
    bool trim;
    if (at_right_delim(l, &trim)) {
        if (l->parens == 0)
            lex_right_delim(l);
        else
            fail(l, STR("unclosed left paren"));
        return;
    }
    int32_t r = next_rune(l);
    if (r == END_OF_INPUT) {
        fail(l, STR("unclosed action"));
    } else if (is_space(r)) {
        back(l);
        lex_space(l);
    } else if (r == '=') {
        make(l, TOKEN_ASSIGN);
    } else if (r == ':') {
        if (next_rune(l) == '=')
            make(l, TOKEN_DECLARE);
        else
            fail(l, STR("expected :="));
    } else if (r == '|') {
        make(l, TOKEN_PIPE);
    } else if (r == '"') {
        lex_quoted(l, r, TOKEN_STRING, "quoted string");
    } else if (r == '`') {
        lex_quoted(l, r, TOKEN_RAW_STRING, "raw quoted string");
    } else if (r == '\'') {
        lex_quoted(l, r, TOKEN_CHAR_CONSTANT, "character constant");
    } else if (r == '$') {
        lex_name(l, TOKEN_VARIABLE);
    } else if (r == '.' && l->pos < l->input.n &&
               (l->input.p[l->pos] < '0' || l->input.p[l->pos] > '9')) {
        lex_name(l, TOKEN_FIELD);
    } else if (r == '.' || r == '+' || r == '-' || (r >= '0' && r <= '9')) {
        back(l);
        lex_number(l);
    } else if (is_alphanumeric(r)) {
        back(l);
        lex_identifier(l);
    } else if (r == '(' || r == ')') {
        lex_paren(l, r);
    } else if (r < 0x80 && rune_is_print((uint32_t)r)) {
        make(l, TOKEN_CHAR);
    } else {
        fail_char(l, "unrecognized character in action:", r);
    }
}

struct token tmpl_lexer_next(struct lexer *l)
{
    if (l->inside_action)
        lex_action(l);
    else
        lex_text(l);
    return l->token;
}
