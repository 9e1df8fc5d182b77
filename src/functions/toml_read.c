/* toml_read.c: one pass over the text, which sets values into nested maps as it goes. What upstream
 * tells about tables (made by hand, or on the way to another) is kept by their dotted names. */
#include <math.h>

#include "base/map.h"
#include "functions/func_arg.h"
#include "template/gofmt.h"
#include "template/golayout.h"
#include "functions/toml.h"
#include "template/unicode.h"

enum { MAX_DEPTH = 200, MAX_PARTS = 64 };
enum table_state { STATE_IMPLICIT = 1, STATE_ARRAY = 2 }; /* pointers of the map below */

struct reader {
    struct arena *arena;
    struct str text; /* up to what no document may hold */
    struct str strange;
    size_t at;
    struct vmap *root;
    struct map states;                 /* dotted name -> table_state */
    struct str context[MAX_PARTS * 4]; /* the table that is open */
    size_t context_n;
    struct str last_key;
    struct str outer; /* the dotted name of the inline table that is read */
    struct err *err;
    int depth;
};

struct key {
    struct str part[MAX_PARTS];
    size_t n;
};

static int read_value(struct reader *r, struct value *ret);

static int fail(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fail(struct reader *r, const char *format, ...)
{
    bool strange = r->strange.n > 0 && r->at >= r->text.n;
    va_list args;
    va_start(args, format);
    err_setv(r->err, 400, NULL, format, args);
    va_end(args);
    if (strange && r->strange.p[0] == '\r')
        err_bad(r->err, "TOML files cannot contain control characters: '0x0d'");
    else if (strange)
        err_bad(r->err, "invalid UTF-8 byte: 0x%02x", (unsigned char)r->strange.p[0]);
    size_t line = 1, at = r->at < r->text.n ? r->at : r->text.n;
    for (size_t i = 0; i < at; i++)
        line += r->text.p[i] == '\n';
    if (!strange && at == r->text.n && at > 0 && r->text.p[at - 1] == '\n' && line > 1)
        line--;
    struct buf where = {0};
    buf_printf(&where, "toml: line %zu", line);
    if (r->last_key.n > 0) {
        buf_puts(&where, " (last key ");
        gofmt_quote(&where, r->last_key, false);
        buf_putc(&where, ')');
    }
    err_prefix(r->err, "%s", buf_z(&where));
    buf_done(&where);
    return -1;
}

static int peek(const struct reader *r)
{
    return r->at < r->text.n ? (unsigned char)r->text.p[r->at] : -1;
}

static bool take(struct reader *r, const char *z)
{
    if (!str_starts(str_from(r->text, r->at), str_of(z)))
        return false;
    r->at += strlen(z);
    return true;
}

/* The next character as Go's %q of a rune. */
static struct str shown(struct reader *r)
{
    struct buf b = {0};
    size_t size;
    if (peek(r) < 0)
        buf_puts(&b, "'\\x00'");
    else
        gofmt_quote_rune(&b, rune_decode(str_from(r->text, r->at), &size), false);
    struct str s = arena_dup(r->arena, buf_str(&b));
    buf_done(&b);
    return s;
}

static void skip_blanks(struct reader *r)
{
    while (peek(r) == ' ' || peek(r) == '\t')
        r->at++;
}

static void skip_comment(struct reader *r)
{
    if (peek(r) == '#')
        while (peek(r) >= 0 && peek(r) != '\n')
            r->at++;
}

/* Blanks, comments and line breaks. */
static void skip_lines(struct reader *r)
{
    for (;;) {
        skip_blanks(r);
        skip_comment(r);
        if (peek(r) != '\n' && peek(r) != '\r')
            return;
        r->at++;
    }
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_bare(int c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c == '-';
}

/* --- texts --- */

static int hex_digits(struct reader *r, int count, uint32_t *ret)
{
    static const char *const words[] = {[2] = "two", [4] = "four", [8] = "eight"};
    *ret = 0;
    for (int i = 0; i < count; i++) {
        int c = peek(r);
        int v = is_digit(c)                              ? c - '0'
                : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                         : -1;
        if (v < 0)
            return fail(r, "expected %s hexadecimal digits in an escape sequence", words[count]);
        *ret = *ret << 4 | (uint32_t)v;
        r->at++;
    }
    if (*ret > RUNE_MAX || (*ret >= 0xD800 && *ret < 0xE000))
        return fail(r, "Escaped character '\\u%0*x' is not valid UTF-8.", count, *ret);
    return 0;
}

/* Behind a backslash. In a text of several lines one may hide a line break with all blanks. */
static int read_escape(struct reader *r, struct buf *b, bool lines)
{
    static const char from[] = "btnfre\"\\", to[] = "\b\t\n\f\r\x1b\"\\";
    int c = peek(r);
    size_t start = r->at;
    if (lines && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
        bool broken = false;
        while (peek(r) == ' ' || peek(r) == '\t' || peek(r) == '\n' || peek(r) == '\r')
            broken = r->text.p[r->at++] == '\n' || broken;
        if (broken)
            return 0;
        r->at = start;
    }
    if (c == ' ' || c == '\t')
        return fail(r, "invalid escape: '\\%c'", c);
    const char *name = c > 0 ? strchr(from, c) : NULL;
    if (name) {
        r->at++;
        buf_putc(b, to[name - from]);
        return 0;
    }
    uint32_t rune;
    int count = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (count == 0)
        return fail(r, "invalid escape in string '\\%c'", c < 0 ? ' ' : c);
    r->at++;
    if (hex_digits(r, count, &rune) < 0)
        return -1;
    rune_put(b, rune);
    return 0;
}

/* The quotes that end a text of several lines; up to two more belong to it. */
static bool ends_lines(struct reader *r, struct buf *b, char quote)
{
    size_t n = 0;
    while (n < 5 && r->at + n < r->text.n && r->text.p[r->at + n] == quote)
        n++;
    r->at += n;
    for (size_t i = n >= 3 ? 3 : 0; i < n; i++)
        buf_putc(b, quote);
    return n >= 3;
}

static int read_quoted(struct reader *r, struct buf *b, bool multi)
{
    char quote = r->text.p[r->at++];
    bool lines = multi && r->at + 1 < r->text.n && r->text.p[r->at] == quote &&
                 r->text.p[r->at + 1] == quote;
    if (lines) {
        r->at += 2;
        if (!take(r, "\n"))
            take(r, "\r\n");
    }
    for (;;) {
        int c = peek(r);
        if (c < 0)
            return lines ? fail(r, "unexpected EOF; expected '%c%c%c'", quote, quote, quote)
                         : fail(r, "unexpected EOF; expected '%c'", quote);
        if (c == quote && (!lines || ends_lines(r, b, quote))) {
            r->at += !lines;
            return 0;
        }
        if (c == quote)
            continue;
        if (!lines && (c == '\n' || c == '\r'))
            return fail(r, "strings cannot contain newlines");
        if ((c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7F)
            return fail(r, "TOML files cannot contain control characters: '0x%02x'", c);
        r->at++;
        if (c == '\\' && quote == '"') {
            if (read_escape(r, b, lines) < 0)
                return -1;
        } else {
            buf_putc(b, (char)c);
        }
    }
}

static int read_text(struct reader *r, bool multi, struct str *ret)
{
    struct buf b = {0};
    int status = read_quoted(r, &b, multi);
    *ret = arena_dup(r->arena, buf_str(&b));
    buf_done(&b);
    return status;
}

/* --- keys and tables --- */

static int read_key(struct reader *r, struct key *k, bool table)
{
    k->n = 0;
    for (;;) {
        skip_blanks(r);
        if (k->n == MAX_PARTS)
            return fail(r, "a key has too many parts");
        if (peek(r) == '"' || peek(r) == '\'') {
            if (read_text(r, false, &k->part[k->n++]) < 0)
                return -1;
        } else {
            size_t start = r->at;
            while (is_bare(peek(r)))
                r->at++;
            if (r->at == start && table && (peek(r) < 0 || strchr(".]", peek(r))))
                return fail(r, peek(r) == '.'
                                   ? "unexpected table separator (table names cannot be empty)"
                                   : "unexpected end of table name (table names cannot be empty)");
            if (r->at == start && k->n == 0 && (peek(r) == '=' || peek(r) < 0))
                return fail(r, "unexpected '=': key name appears blank");
            if (r->at == start && peek(r) == '.')
                return fail(r, k->n ? "unexpected '.'"
                                    : "unexpected '.': keys cannot start with a '.'");
            k->part[k->n++] = (struct str){r->text.p + start, r->at - start};
        }
        skip_blanks(r);
        if (peek(r) != '.')
            return 0;
        r->at++;
    }
}

/* Dotted, with quotes where a part needs them. */
static struct str path_text(struct reader *r, const struct str *more, size_t n)
{
    struct buf b = {0};
    buf_put(&b, r->outer);
    for (size_t i = 0; i < r->context_n + n; i++) {
        struct str part = i < r->context_n ? r->context[i] : more[i - r->context_n];
        bool bare = part.n > 0;
        for (size_t j = 0; j < part.n; j++)
            bare = bare && is_bare((unsigned char)part.p[j]);
        if (b.n > 0)
            buf_putc(&b, '.');
        if (bare)
            buf_put(&b, part);
        else
            gofmt_quote(&b, part, false);
    }
    struct str s = arena_dup(r->arena, buf_str(&b));
    buf_done(&b);
    return s;
}

static uintptr_t state_of(struct reader *r, struct str path)
{
    return (uintptr_t)map_get(&r->states, path);
}

static void set_state(struct reader *r, struct str path, enum table_state state)
{
    map_set(&r->states, path, (void *)(uintptr_t)state);
}

/* The map that is open below: of an array of tables the last one. NULL: it is no table. */
static struct vmap *descend(struct value *v)
{
    if (v->type == &type_map_list)
        return v->n ? v->items[v->n - 1].map : NULL;
    return v->type == &type_map ? v->map : NULL;
}

static struct vmap *open_map(struct reader *r)
{
    struct vmap *m = r->root;
    for (size_t i = 0; i < r->context_n && m; i++) {
        struct value *v = vmap_get(m, r->context[i]);
        m = v ? descend(v) : NULL;
    }
    return m;
}

static int set_value(struct reader *r, struct str key, struct value v)
{
    struct vmap *m = open_map(r);
    struct str path = path_text(r, &key, 1);
    if (m == NULL)
        return fail(r, "Key '%.*s' has already been defined.", STR_ARG(path_text(r, NULL, 0)));
    if (vmap_get(m, key) == NULL) {
        vmap_set(m, key, v);
        return 0;
    }
    if (state_of(r, path) == STATE_IMPLICIT) {
        map_del(&r->states, path); /* it stays as it was made, whatever comes now */
        return 0;
    }
    return fail(r, "Key '%.*s' has already been defined.", STR_ARG(path));
}

static int enter(struct reader *r, struct str part)
{
    if (r->context_n == ARRAY_LEN(r->context))
        return fail(r, "tables are nested too deeply");
    r->context[r->context_n++] = part;
    return 0;
}

/* Goes down one part of a name, and makes the table that is missing there. */
static int enter_implicit(struct reader *r, struct str part)
{
    struct vmap *m = open_map(r);
    struct str path = path_text(r, &part, 1);
    struct value *v = m ? vmap_get(m, part) : NULL;
    if (m == NULL || (v && descend(v) == NULL))
        return fail(r, "Key '%.*s' was already created as a hash.", STR_ARG(path));
    if (v == NULL) {
        vmap_set(m, part, value_map_new(r->arena, &type_map));
        set_state(r, path, STATE_IMPLICIT);
    }
    return enter(r, part);
}

static int append_table(struct reader *r, struct str key)
{
    struct vmap *m = open_map(r);
    struct value *v = m ? vmap_get(m, key) : NULL, list;
    if (m == NULL || (v && v->type != &type_map_list))
        return fail(r, "Key '%.*s' was already created and cannot be used as an array.",
                    STR_ARG(path_text(r, &key, 1)));
    size_t n = v ? v->n : 0;
    list = value_slice_new(r->arena, &type_map_list, n + 1);
    if (n > 0)
        memcpy(list.items, v->items, n * sizeof(*list.items));
    list.items[n] = value_map_new(r->arena, &type_map);
    vmap_set(m, key, list);
    return 0;
}

/* [name] and [[name]] */
static int read_table(struct reader *r)
{
    struct key k;
    bool array = take(r, "[[");
    r->at += !array;
    r->context_n = 0;
    if (read_key(r, &k, true) < 0)
        return -1;
    if (peek(r) != ']') {
        struct str got = shown(r);
        r->at += peek(r) == '\n'; /* the error is on the next line then */
        return fail(r, "expected '.' or ']' to end table name, but got %.*s instead", STR_ARG(got));
    }
    r->at++;
    if (array && !take(r, "]"))
        return fail(r, "expected end of table array name delimiter ']', but got %.*s instead",
                    STR_ARG(shown(r)));
    r->last_key = STR("");
    for (size_t i = 0; i + 1 < k.n; i++)
        if (enter_implicit(r, k.part[i]) < 0)
            return -1;
    struct str last = k.part[k.n - 1];
    int status =
        array ? append_table(r, last) : set_value(r, last, value_map_new(r->arena, &type_map));
    if (status < 0 || enter(r, last) < 0)
        return -1;
    r->last_key = path_text(r, NULL, 0);
    return 0;
}

static int read_pair(struct reader *r)
{
    struct key k;
    struct value v;
    size_t outer = r->context_n;
    if (read_key(r, &k, false) < 0)
        return -1;
    if (peek(r) < 0)
        return fail(r, "unexpected EOF; expected key separator '='");
    if (peek(r) != '=')
        return fail(r, "expected '.' or '=', but got %.*s instead", STR_ARG(shown(r)));
    r->at++;
    for (size_t i = 0; i + 1 < k.n; i++)
        if (enter_implicit(r, k.part[i]) < 0)
            return -1;
    r->last_key = path_text(r, &k.part[k.n - 1], 1);
    skip_blanks(r);
    if (read_value(r, &v) < 0 || set_value(r, k.part[k.n - 1], v) < 0)
        return -1;
    r->context_n = outer;
    if (r->outer.n == 0)
        r->last_key = path_text(r, NULL, 0);
    return 0;
}

/* --- values --- */

static int read_array(struct reader *r, struct value *ret)
{
    struct buf items = {0};
    int status = 0;
    r->at++;
    for (;;) {
        struct value v;
        skip_lines(r);
        if (take(r, "]"))
            break;
        if (peek(r) == ',')
            status = fail(r, "unexpected comma");
        else
            status = read_value(r, &v);
        if (status < 0)
            break;
        buf_append(&items, &v, sizeof(v));
        skip_lines(r);
        if (take(r, "]"))
            break;
        if (!take(r, ",")) {
            status =
                peek(r) < 0
                    ? fail(r,
                           "expected a comma (',') or array terminator (']'), but got end of file")
                    : fail(r, "expected a comma (',') or array terminator (']'), but got '%c'",
                           peek(r));
            break;
        }
    }
    *ret = value_slice_new(r->arena, &type_list, items.n / sizeof(struct value));
    if (items.n > 0)
        memcpy(ret->items, items.p, items.n);
    buf_done(&items);
    return status;
}

/* A table of its own, which is closed when it ends. */
static int read_inline(struct reader *r, struct value *ret)
{
    struct vmap *outer_root = r->root;
    struct map outer_states = r->states;
    struct str outer_name = r->outer;
    size_t outer_n = r->context_n;
    int status = 0;
    *ret = value_map_new(r->arena, &type_map);
    r->root = ret->map;
    r->states = (struct map){0};
    r->context_n = 0;
    r->outer = r->last_key;
    r->at++;
    struct str outer_context[ARRAY_LEN(r->context)];
    memcpy(outer_context, r->context, outer_n * sizeof(*outer_context));
    for (skip_lines(r); status == 0 && !take(r, "}"); skip_lines(r)) {
        if (peek(r) == ',')
            status = fail(r, "unexpected comma");
        else
            status = read_pair(r);
        skip_lines(r);
        if (status == 0 && !take(r, ",") && peek(r) != '}')
            status = peek(r) < 0
                         ? fail(r, "expected a comma or an inline table terminator '}', but "
                                   "got end of file instead")
                         : fail(r,
                                "expected a comma or an inline table terminator '}', but "
                                "got '%c' instead",
                                peek(r));
    }
    map_done(&r->states);
    memcpy(r->context, outer_context, outer_n * sizeof(*outer_context));
    r->context_n = outer_n;
    r->states = outer_states;
    r->root = outer_root;
    r->outer = outer_name;
    return status;
}

/* Underscores stand between digits. */
static bool underscores_fit(struct str s)
{
    bool before = false;
    for (size_t i = 0; i < s.n; i++) {
        bool digit =
            is_digit((unsigned char)s.p[i]) || ((s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'f');
        if (s.p[i] == '_' && !before)
            return false;
        before = digit;
    }
    return before;
}

static bool leading_zero(struct str s)
{
    size_t sign = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');
    return s.n > sign + 1 && s.p[sign] == '0' && is_digit((unsigned char)s.p[sign + 1]);
}

static int read_float(struct reader *r, struct str s, struct value *ret)
{
    struct str rest = s;
    bool dotted = true;
    while (rest.n > 0) {
        size_t n = 0;
        while (n < rest.n && !strchr(".eE", rest.p[n]))
            n++;
        struct str part = str_head(rest, n);
        size_t sign = part.n > 0 && (part.p[0] == '-' || part.p[0] == '+');
        if (part.n > 0 && !underscores_fit(str_from(part, sign)))
            return fail(r, "Invalid float \"%.*s\": underscores must be surrounded by digits",
                        STR_ARG(s));
        if (n < rest.n && rest.p[n] == '.')
            dotted = dotted && n + 1 < rest.n && is_digit((unsigned char)rest.p[n + 1]);
        rest = str_from(rest, n + 1);
    }
    if (leading_zero(s))
        return fail(r, "Invalid float \"%.*s\": cannot have leading zeroes", STR_ARG(s));
    if (!dotted)
        return fail(r, "Invalid float \"%.*s\": '.' must be followed by one or more digits",
                    STR_ARG(s));
    double f;
    enum go_parse parsed = go_parse_float(s, &f);
    if (parsed == GO_RANGE)
        return fail(r, "%.*s is out of range for float64", STR_ARG(s));
    if (parsed == GO_SYNTAX)
        return fail(r, "Invalid float value: \"%.*s\"", STR_ARG(s));
    *ret = value_float(f);
    return 0;
}

static int read_integer(struct reader *r, struct str s, struct value *ret)
{
    int64_t i;
    bool prefixed = s.n > 2 && s.p[0] == '0' && strchr("box", s.p[1]);
    size_t sign = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');
    if (!underscores_fit(str_from(s, prefixed ? 2 : sign)))
        return fail(r, "Invalid integer \"%.*s\": underscores must be surrounded by digits",
                    STR_ARG(s));
    if (!prefixed && leading_zero(s))
        return fail(r, "Invalid integer \"%.*s\": cannot have leading zeroes", STR_ARG(s));
    enum go_parse parsed = go_parse_int(s, 0, &i);
    if (parsed == GO_RANGE)
        return fail(r, "%.*s is out of range for int64", STR_ARG(s));
    if (parsed == GO_SYNTAX)
        return fail(r, "Invalid integer \"%.*s\"", STR_ARG(s));
    *ret = value_int64(i);
    return 0;
}

static int read_date(struct reader *r, struct str s, struct value *ret)
{
    static const struct {
        const char *layout, *zone;
    } forms[] = {
        {"2006-01-02T15:04:05.999999999Z07:00", NULL},
        {"2006-01-02T15:04:05.999999999", "datetime-local"},
        {"2006-01-02", "date-local"},
        {"15:04:05.999999999", "time-local"},
        {"2006-01-02T15:04Z07:00", NULL},
        {"2006-01-02T15:04", "datetime-local"},
        {"15:04", "time-local"},
    };
    const struct gozone *local = gozone_load(r->arena, STR("Local"));
    int offset = gozone_at(local, gotime_now(r->arena).sec).offset;
    char *text = arena_z(r->arena, s);
    struct gotime t;
    struct str error;
    for (char *p = text; *p; p++)
        *p = (char)(*p == 'z' ? 'Z' : *p == 't' || *p == ' ' ? 'T' : *p);
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        const struct gozone *zone =
            forms[i].zone ? gozone_fixed(r->arena, str_of(forms[i].zone), offset) : local;
        if (golayout_parse(r->arena, str_of(forms[i].layout), str_of(text), zone, &t, &error) ==
            0) {
            *ret = gotime_value(r->arena, t);
            return 0;
        }
    }
    return fail(r, "invalid datetime: \"%s\"", text);
}

/* A number or a date: whatever consists of such characters. */
static int read_number(struct reader *r, struct value *ret)
{
    struct str rest = str_from(r->text, r->at);
    size_t n = 0;
    bool date = rest.n > 4 && is_digit((unsigned char)rest.p[1]) &&
                (rest.p[2] == ':' || (is_digit((unsigned char)rest.p[3]) && rest.p[4] == '-'));
    while (n < rest.n && (is_digit((unsigned char)rest.p[n]) || strchr("-:TtZz.+ ", rest.p[n])) &&
           date)
        n++;
    bool based = rest.n > 1 && rest.p[0] == '0' && strchr("box", rest.p[1]) != NULL;
    while (!date && n < rest.n &&
           (is_digit((unsigned char)rest.p[n]) || strchr("_+-.eE", rest.p[n]) ||
            (based && ((rest.p[n] | 0x20) >= 'a' && (rest.p[n] | 0x20) <= 'x'))))
        n++;
    struct str s = str_head(rest, n);
    if (date)
        s = str_trim(s);
    bool real = !based && (memchr(s.p, '.', s.n) || memchr(s.p, 'e', s.n) || memchr(s.p, 'E', s.n));
    int status = date   ? read_date(r, s, ret)
                 : real ? read_float(r, s, ret)
                        : read_integer(r, s, ret);
    r->at += s.n;
    if (status == 0 && r->strange.n > 0 && r->at == r->text.n)
        return fail(r, "it is not over");
    return status;
}

static bool take_special(struct reader *r, struct value *ret)
{
    static const struct {
        const char *text;
        double f;
    } numbers[] = {{"inf", INFINITY}, {"+inf", INFINITY}, {"-inf", -INFINITY},
                   {"nan", NAN},      {"+nan", NAN},      {"-nan", -NAN}};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        if (take(r, numbers[i].text)) {
            *ret = value_float(numbers[i].f);
            return true;
        }
    bool truth = take(r, "true");
    if (!truth && !take(r, "false"))
        return false;
    *ret = value_bool(truth);
    return true;
}

static int read_word(struct reader *r)
{
    struct str rest = str_from(r->text, r->at);
    size_t size, n = 0;
    while (n < rest.n && rune_is_letter(rune_decode(str_from(rest, n), &size)))
        n += size;
    return fail(r, "expected value but found \"%.*s\" instead", STR_ARG(str_head(rest, n)));
}

static int read_value(struct reader *r, struct value *ret)
{
    int c = peek(r), status;
    size_t size;
    if (++r->depth > MAX_DEPTH)
        return fail(r, "values are nested too deeply");
    if (c < 0) {
        status = fail(r, "unexpected EOF; expected value");
    } else if (c == '"' || c == '\'') {
        struct str s;
        status = read_text(r, true, &s);
        *ret = value_str(s);
    } else if (c == '[') {
        status = read_array(r, ret);
    } else if (c == '{') {
        status = read_inline(r, ret);
    } else if (take_special(r, ret)) {
        status = 0;
    } else if (is_digit(c) || c == '-' || c == '+') {
        status = read_number(r, ret);
    } else if (c == '.') {
        status = fail(r, "floats must start with a digit, not '.'");
    } else if (rune_is_letter(rune_decode(str_from(r->text, r->at), &size))) {
        status = read_word(r);
    } else {
        status = fail(r, "expected value but found %.*s instead", STR_ARG(shown(r)));
    }
    r->depth--;
    return status;
}

static int read_document(struct reader *r)
{
    for (skip_lines(r); peek(r) >= 0; skip_lines(r)) {
        if ((peek(r) == '[' ? read_table(r) : read_pair(r)) < 0)
            return -1;
        skip_blanks(r);
        skip_comment(r);
        if (peek(r) >= 0 && peek(r) != '\n' && peek(r) != '\r')
            return fail(r,
                        "expected a top-level item to end with a newline, comment, or EOF, but got "
                        "%.*s instead",
                        STR_ARG(shown(r)));
    }
    return 0;
}

/* Up to the first byte that is no UTF-8, or a carriage return that ends no line. */
static size_t plain_length(struct str s)
{
    size_t at = 0, size;
    for (; at < s.n; at += size) {
        uint32_t c = rune_decode(str_from(s, at), &size);
        if ((c == RUNE_ERROR && size == 1) || (c == '\r' && (at + 1 == s.n || s.p[at + 1] != '\n')))
            break;
    }
    return at;
}

/* Without the byte order mark that some tools write. */
static struct str without_mark(struct str s)
{
    if (str_starts(s, STR("\xff\xfe")) || str_starts(s, STR("\xfe\xff")))
        return str_from(s, 2);
    return str_starts(s, STR("\xef\xbb\xbf")) ? str_from(s, 3) : s;
}

int toml_read(struct arena *a, struct str text, struct value *ret, struct err *err)
{
    struct reader *r = ARENA_NEW(a, struct reader);
    *ret = value_map_new(a, &type_map);
    r->arena = a;
    r->text = without_mark(text);
    r->root = ret->map;
    r->err = err;
    if (r->text.n > 0 && memchr(r->text.p, 0, r->text.n < 6 ? r->text.n : 6))
        return err_bad(err, "toml: line 1: files cannot contain NULL bytes; probably using UTF-16; "
                            "TOML files must be UTF-8");
    size_t plain = plain_length(r->text);
    r->strange = str_from(r->text, plain);
    r->text = str_head(r->text, plain);
    int status = read_document(r);
    if (status == 0 && r->strange.n > 0)
        status = fail(r, "it is not over");
    map_done(&r->states);
    if (status < 0)
        *ret = value_map_new(a, &type_map);
    return status;
}
