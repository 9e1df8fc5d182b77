#include "doc/selector.h"

#include <stdio.h>

#include "doc/names.h"

static bool holds(const struct requirement *r, struct str value)
{
    for (size_t i = 0; i < r->value_count; i++)
        if (str_eq(r->values[i], value))
            return true;
    return false;
}

static bool match_one(const struct requirement *r, bool found, struct str value)
{
    int64_t have, limit;
    switch (r->op) {
    case SELECT_EQUALS:
    case SELECT_IN:
        return found && holds(r, value);
    case SELECT_NOT_EQUALS:
    case SELECT_NOT_IN:
        return !found || !holds(r, value);
    case SELECT_EXISTS:
        return found;
    case SELECT_NOT_EXISTS:
        return !found;
    case SELECT_GREATER:
    case SELECT_LESS:
        if (!found || r->value_count != 1 || !str_to_i64(value, &have) ||
            !str_to_i64(r->values[0], &limit))
            return false;
        return r->op == SELECT_GREATER ? have > limit : have < limit;
    }
    return false;
}

bool selector_match_with(const struct selector *s, selector_label_fn *label, void *arg)
{
    for (size_t i = 0; i < s->count; i++) {
        struct str value = {0};
        bool found = label(arg, s->requirements[i].key, &value);
        if (!match_one(&s->requirements[i], found, value))
            return false;
    }
    return !s->nothing;
}

static bool label_of(void *labels, struct str key, struct str *ret_value)
{
    val *found = val_get_str(labels, key);
    *ret_value = val_str(found);
    return found;
}

bool selector_match_labels(const struct selector *s, const val *labels)
{
    return selector_match_with(s, label_of, (void *)labels);
}

bool selector_match_fields(const struct selector *s, selector_field_fn *field, void *arg)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct requirement *r = &s->requirements[i];
        if (holds(r, field(arg, r->key)) != (r->op == SELECT_EQUALS))
            return false;
    }
    return !s->nothing;
}

void selector_write(const struct selector *s, struct buf *b)
{
    static const char *const signs[] = {
        [SELECT_EQUALS] = "=",        [SELECT_NOT_EQUALS] = "!=", [SELECT_IN] = " in (",
        [SELECT_NOT_IN] = " notin (", [SELECT_EXISTS] = "",       [SELECT_NOT_EXISTS] = "",
        [SELECT_GREATER] = ">",       [SELECT_LESS] = "<",
    };
    for (size_t i = 0; i < s->count; i++) {
        const struct requirement *r = &s->requirements[i];
        buf_puts(b, i ? "," : "");
        buf_puts(b, r->op == SELECT_NOT_EXISTS ? "!" : "");
        buf_put(b, r->key);
        buf_puts(b, signs[r->op]);
        for (size_t v = 0; v < r->value_count; v++) {
            buf_puts(b, v ? "," : "");
            buf_put(b, r->values[v]);
        }
        buf_puts(b, r->op == SELECT_IN || r->op == SELECT_NOT_IN ? ")" : "");
    }
}

/* --- requirements under construction --- */
static void add_value(struct arena *a, struct requirement *r, struct str value)
{
    if ((r->value_count & (r->value_count - 1)) == 0) {
        struct str *grown = arena_alloc(a, (r->value_count * 2 + 1) * sizeof *grown);
        if (r->value_count)
            memcpy(grown, r->values, r->value_count * sizeof *grown);
        r->values = grown;
    }
    r->values[r->value_count++] = arena_dup(a, value);
}

static int by_text(const void *x, const void *y)
{
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

/* Values are a set, in order. */
static void settle_values(struct requirement *r)
{
    size_t kept = 0;
    if (r->value_count < 2)
        return;
    qsort(r->values, r->value_count, sizeof *r->values, by_text);
    for (size_t i = 0; i < r->value_count; i++)
        if (kept == 0 || !str_eq(r->values[kept - 1], r->values[i]))
            r->values[kept++] = r->values[i];
    r->value_count = kept;
}

static struct requirement *add_requirement(struct arena *a, struct selector *s)
{
    if ((s->count & (s->count - 1)) == 0) {
        struct requirement *grown = arena_alloc(a, (s->count * 2 + 1) * sizeof *grown);
        if (s->count)
            memcpy(grown, s->requirements, s->count * sizeof *grown);
        s->requirements = grown;
    }
    s->requirements[s->count] = (struct requirement){0};
    return &s->requirements[s->count++];
}

static int by_key(const void *x, const void *y)
{
    const struct requirement *a = x, *b = y;
    int order = str_cmp(a->key, b->key);
    return order ? order : (a->op > b->op) - (a->op < b->op);
}

static void sort(struct selector *s)
{
    if (s->count > 1)
        qsort(s->requirements, s->count, sizeof *s->requirements, by_key);
}

/* Adds "PATH: Invalid value: "x": why" to the list; upstream joins messages with "; ". */
static void complain(struct buf *b, const char *path, struct str value, const char *why)
{
    buf_puts(b, b->n ? "\n" : "");
    buf_printf(b, "%s: Invalid value: \"%.*s\": ", path, STR_ARG(value));
    for (; *why; why++)
        buf_puts(b, *why == '\n' ? "; " : (char[]){*why, 0});
}

/* k8s.io/apimachinery/pkg/labels NewRequirement: key first, then what the operator needs, then each
 * value. Several complaints are listed in brackets. */
static int check_requirement(const struct requirement *r, struct err *err)
{
    char room[NAME_TEXT], path[NAME_TEXT];
    struct buf all = {0};
    if (name_qualified(r->key, room))
        complain(&all, "key", r->key, room);
    int64_t number;
    bool compares = r->op == SELECT_GREATER || r->op == SELECT_LESS;
    if (compares && r->value_count == 1 && !str_to_i64(r->values[0], &number))
        complain(&all, "values[0]", r->values[0],
                 "for 'Gt', 'Lt' operators, the value must be an integer");
    for (size_t i = 0; i < r->value_count; i++) {
        snprintf(path, sizeof path, "values[%zu][%.*s]", i, STR_ARG(r->key));
        if (name_label_value(r->values[i], room))
            complain(&all, path, r->values[i], room);
    }
    if (all.n == 0)
        return 0;
    bool several = memchr(all.p, '\n', all.n);
    struct buf joined = {0};
    for (size_t i = 0; i < all.n; i++)
        buf_puts(&joined, all.p[i] == '\n' ? ", " : (char[]){all.p[i], 0});
    err_bad(err, several ? "[%s]" : "%s", buf_z(&joined));
    buf_done(&joined);
    buf_done(&all);
    return -1;
}

/* --- label selectors in text: labels.Parse --- */
enum token {
    T_ERROR,
    T_END,
    T_CLOSE,
    T_COMMA,
    T_NOT,
    T_EQUALS,
    T_GREATER,
    T_LESS,
    T_NOT_EQUALS,
    T_OPEN,
    T_IN,
    T_NOT_IN,
    T_WORD,
};

struct lexer {
    struct str rest;
    enum token token; /* the next one, not yet taken */
    struct str text;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_special(char c)
{
    return c && strchr("=!(),><", c);
}

static enum token special_token(struct str s)
{
    static const struct {
        const char *text;
        enum token token;
    } table[] = {{")", T_CLOSE},   {",", T_COMMA},  {"!", T_NOT},
                 {"==", T_EQUALS}, {"=", T_EQUALS}, {">", T_GREATER},
                 {"<", T_LESS},    {"(", T_OPEN},   {"!=", T_NOT_EQUALS}};
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (str_is(s, table[i].text))
            return table[i].token;
    return T_ERROR;
}

/* Every special character alone is a token; only "==" and "!=" take two. */
static void lex_special(struct lexer *l)
{
    l->text = str_head(l->rest, 2);
    if (l->text.n < 2 || special_token(l->text) == T_ERROR)
        l->text = str_head(l->rest, 1);
    l->token = special_token(l->text);
}

static void advance(struct lexer *l)
{
    while (l->rest.n && is_space(l->rest.p[0]))
        l->rest = str_from(l->rest, 1);
    if (l->rest.n == 0 || l->rest.p[0] == 0) {
        l->token = T_END;
        l->text = (struct str){0};
        return;
    }
    if (is_special(l->rest.p[0])) {
        lex_special(l);
    } else {
        size_t n = 0;
        while (n < l->rest.n && l->rest.p[n] && !is_space(l->rest.p[n]) &&
               !is_special(l->rest.p[n]))
            n++;
        l->text = str_head(l->rest, n);
        l->token = str_is(l->text, "in") ? T_IN : str_is(l->text, "notin") ? T_NOT_IN : T_WORD;
    }
    l->rest = str_from(l->rest, l->text.n);
}

static bool is_word(const struct lexer *l)
{
    return l->token == T_WORD || l->token == T_IN || l->token == T_NOT_IN;
}

static int expected(const struct lexer *l, const char *what, struct err *err)
{
    return err_bad(err, "found '%.*s'%s", STR_ARG(l->text), what);
}

/* The names between the parentheses; empty ones stand for "". */
static int parse_set(struct arena *a, struct lexer *l, struct requirement *r, struct err *err)
{
    if (l->token != T_OPEN)
        return expected(l, " expected: '('", err);
    advance(l);
    if (l->token == T_CLOSE) {
        advance(l);
        add_value(a, r, STR(""));
        return 0;
    }
    if (!is_word(l) && l->token != T_COMMA)
        return expected(l, ", expected: ',', ')' or identifier", err);
    for (;;) {
        if (is_word(l)) {
            add_value(a, r, l->text);
            advance(l);
            if (l->token != T_COMMA && l->token != T_CLOSE)
                return expected(l, ", expected: ',' or ')'", err);
            if (l->token == T_CLOSE)
                break;
        } else if (l->token == T_COMMA) {
            if (r->value_count == 0)
                add_value(a, r, STR(""));
            advance(l);
            if (l->token == T_CLOSE || l->token == T_COMMA)
                add_value(a, r, STR(""));
            if (l->token == T_CLOSE)
                break;
            if (l->token == T_COMMA)
                advance(l);
        } else {
            return expected(l, ", expected: ',', or identifier", err);
        }
    }
    advance(l);
    return 0;
}

static int parse_value(struct arena *a, struct lexer *l, struct requirement *r, struct err *err)
{
    if (l->token == T_END || l->token == T_COMMA) {
        add_value(a, r, STR(""));
        return 0;
    }
    if (!is_word(l))
        return expected(l, ", expected: identifier", err);
    add_value(a, r, l->text);
    advance(l);
    return 0;
}

static int parse_operator(struct lexer *l, enum selector_op *ret, struct err *err)
{
    static const struct {
        enum token token;
        enum selector_op op;
    } table[] = {
        {T_EQUALS, SELECT_EQUALS}, {T_NOT_EQUALS, SELECT_NOT_EQUALS}, {T_IN, SELECT_IN},
        {T_NOT_IN, SELECT_NOT_IN}, {T_GREATER, SELECT_GREATER},       {T_LESS, SELECT_LESS},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].token == l->token) {
            *ret = table[i].op;
            advance(l);
            return 0;
        }
    return expected(l, ", expected: in, notin, =, ==, !=, gt, lt", err);
}

static int parse_requirement(struct arena *a, struct lexer *l, struct selector *s, struct err *err)
{
    struct requirement *r = add_requirement(a, s);
    char room[NAME_TEXT];
    bool negated = l->token == T_NOT;
    if (negated)
        advance(l);
    if (!is_word(l))
        return expected(l, ", expected: identifier", err);
    r->key = arena_dup(a, l->text);
    if (name_qualified(r->key, room)) {
        struct buf text = {0};
        complain(&text, "<nil>", r->key, room);
        err_bad(err, "%s", buf_z(&text));
        buf_done(&text);
        return -1;
    }
    advance(l);
    if (negated || l->token == T_END || l->token == T_COMMA) {
        r->op = negated ? SELECT_NOT_EXISTS : SELECT_EXISTS;
        return 0;
    }
    if (parse_operator(l, &r->op, err) != 0)
        return -1;
    bool set = r->op == SELECT_IN || r->op == SELECT_NOT_IN;
    if (set ? parse_set(a, l, r, err) != 0 : parse_value(a, l, r, err) != 0)
        return -1;
    settle_values(r);
    return check_requirement(r, err);
}

int selector_parse_labels(struct arena *a, struct str text, struct selector *ret, struct err *err)
{
    struct selector s = {0};
    struct lexer l = {.rest = text};
    for (advance(&l); l.token != T_END;) {
        if (!is_word(&l) && l.token != T_NOT)
            return expected(&l, ", expected: !, identifier, or 'end of string'", err);
        if (parse_requirement(a, &l, &s, err) != 0)
            return err_prefix(err, "unable to parse requirement");
        if (l.token == T_END)
            break;
        if (l.token != T_COMMA)
            return expected(&l, ", expected: ',' or 'end of string'", err);
        advance(&l);
        if (!is_word(&l) && l.token != T_NOT)
            return expected(&l, ", expected: identifier after ','", err);
    }
    sort(&s);
    *ret = s;
    return 0;
}

/* --- field selectors: fields.ParseSelector --- */

/* Up to the next comma without a backslash before it. */
static struct str next_term(struct str *rest)
{
    size_t n = 0;
    for (; n < rest->n && rest->p[n] != ','; n++)
        n += rest->p[n] == '\\' && n + 1 < rest->n;
    struct str term = str_head(*rest, n);
    *rest = str_from(*rest, n + 1);
    return term;
}

static int unescape(struct arena *a, struct str s, struct str *ret, struct err *err)
{
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == ',' || c == '=')
            return err_bad(err, "invalid field selector: unescaped character in value: %d", c);
        if (c == '\\') {
            i++;
            if (i == s.n || !s.p[i] || !strchr("\\,=", s.p[i])) {
                size_t end = i + 1;
                while (end < s.n && ((unsigned char)s.p[end] & 0xc0) == 0x80)
                    end++;
                return err_bad(err, "invalid field selector: invalid escape sequence: %.*s",
                               STR_ARG(str_head(str_from(s, i - 1), end - i + 1)));
            }
            c = s.p[i];
        }
        out[n++] = c;
    }
    *ret = (struct str){out, n};
    return 0;
}

/* The operator that begins earliest; "!=" and "==" win over "=". */
static bool split_term(struct str term, struct requirement *ret, struct str *ret_value)
{
    for (size_t i = 0; i < term.n; i++) {
        struct str rest = str_from(term, i);
        bool differs = str_starts(rest, STR("!="));
        if (!differs && rest.p[0] != '=')
            continue;
        ret->key = str_head(term, i);
        ret->op = differs ? SELECT_NOT_EQUALS : SELECT_EQUALS;
        *ret_value = str_from(rest, differs || str_starts(rest, STR("==")) ? 2 : 1);
        return true;
    }
    return false;
}

int selector_parse_fields(struct arena *a, struct str text, struct selector *ret, struct err *err)
{
    struct selector s = {0};
    struct str *terms = arena_alloc(a, (text.n + 1) * sizeof *terms);
    size_t count = 0;
    for (struct str rest = text; rest.n;)
        terms[count++] = next_term(&rest);
    qsort(terms, count, sizeof *terms, by_text);
    for (size_t i = 0; i < count; i++) {
        struct requirement r = {0};
        struct str raw, value;
        if (terms[i].n == 0)
            continue;
        if (!split_term(terms[i], &r, &raw))
            return err_bad(err, "invalid selector: '%.*s'; can't understand '%.*s'", STR_ARG(text),
                           STR_ARG(terms[i]));
        if (unescape(a, raw, &value, err) != 0)
            return -1;
        if (r.key.n == 0 && value.n == 0)
            continue; /* upstream takes it for everything */
        r.key = arena_dup(a, r.key);
        add_value(a, &r, value);
        *add_requirement(a, &s) = r;
    }
    *ret = s;
    return 0;
}

/* --- metav1.LabelSelector --- */
static bool object_op(struct str name, enum selector_op *ret)
{
    static const struct {
        const char *name;
        enum selector_op op;
    } table[] = {{"In", SELECT_IN},
                 {"NotIn", SELECT_NOT_IN},
                 {"Exists", SELECT_EXISTS},
                 {"DoesNotExist", SELECT_NOT_EXISTS}};
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (str_is(name, table[i].name)) {
            *ret = table[i].op;
            return true;
        }
    return false;
}

static int from_expression(struct arena *a, const val *e, struct selector *s, struct err *err)
{
    struct requirement *r = add_requirement(a, s);
    struct str name = VAL_STR(e, "operator");
    val *values = val_get(e, "values");
    r->key = arena_dup(a, VAL_STR(e, "key"));
    if (!object_op(name, &r->op))
        return err_bad(err, "\"%.*s\" is not a valid label selector operator", STR_ARG(name));
    VAL_FOR (values, value)
        add_value(a, r, val_str(value));
    settle_values(r);
    bool set = r->op == SELECT_IN || r->op == SELECT_NOT_IN;
    if (set && r->value_count == 0)
        return err_bad(err, "values: Invalid value: []: for 'in', 'notin' operators, values set "
                            "can't be empty");
    if (!set && r->value_count)
        return err_bad(err,
                       "values: Invalid value: [\"%.*s\"]: values set must be empty for "
                       "exists and does not exist",
                       STR_ARG(r->values[0]));
    return check_requirement(r, err);
}

int selector_from_object(struct arena *a, const val *label_selector, struct selector *ret,
                         struct err *err)
{
    struct selector s = {.nothing = val_is_null(label_selector)};
    val *labels = val_get(label_selector, "matchLabels");
    VAL_EACH (labels, key, member) {
        struct requirement *r = add_requirement(a, &s);
        r->key = arena_dup(a, val_str(key));
        r->op = SELECT_EQUALS;
        add_value(a, r, val_str(member));
        if (check_requirement(r, err) != 0)
            return -1;
    }
    val *expressions = val_get(label_selector, "matchExpressions");
    VAL_FOR (expressions, e)
        if (from_expression(a, e, &s, err) != 0)
            return -1;
    sort(&s);
    *ret = s;
    return 0;
}
