#include "functions/yaml3.h"

#include <math.h>

#include "template/gobase.h"
#include "template/gofmt.h"
#include "template/golayout.h"
#include "template/unicode.h"
#include "doc/yaml_scalar.h"

enum { STEP = 2, MAX_SIMPLE_KEY = 128 };

struct writer {
    struct arena *arena;
    struct buf *out;
};

enum style { PLAIN, SINGLE, DOUBLE, LITERAL };

/* What stands in a text, as far as it bears on the styles that can hold it. */
struct features {
    bool indicators; /* would be read as something else when plain */
    bool breaks, special, tabs;
    bool edge_space, edge_break, trailing_space, break_space, space_break;
};

static bool is_break(uint32_t r)
{
    return r == '\n' || r == '\r' || r == 0x85 || r == 0x2028 || r == 0x2029;
}

/* Beyond the basic plane all is escaped. */
static bool is_printable(uint32_t r)
{
    return r == '\n' || (r >= ' ' && r <= '~') || (r >= 0xA0 && r <= 0xFFFD && r != 0xFEFF);
}

static bool is_blank_at(struct str s, size_t i)
{
    size_t size;
    if (i >= s.n)
        return true;
    uint32_t r = rune_decode(str_from(s, i), &size);
    return r == ' ' || r == '\t' || is_break(r);
}

static bool indicates(struct str s, size_t i, bool after_blank)
{
    char c = s.p[i];
    bool before_blank = is_blank_at(s, i + 1);
    if (c == ':')
        return before_blank;
    if (c == '#' && i > 0)
        return after_blank;
    if (i > 0)
        return false;
    if (c == '?' || c == '-')
        return before_blank;
    return strchr("#,[]{}&*!|>'\"%@`", c) != NULL;
}

static struct features examine(struct str s)
{
    struct features f = {0};
    bool space = false, line = false, after_blank = true;
    size_t size;
    f.indicators = str_starts(s, STR("---")) || str_starts(s, STR("..."));
    for (size_t i = 0; i < s.n; i += size) {
        uint32_t r = rune_decode(str_from(s, i), &size);
        bool edge = i == 0 || i + size == s.n, now_line = is_break(r);
        f.indicators = f.indicators || (r < 0x80 && r && indicates(s, i, after_blank));
        f.tabs = f.tabs || r == '\t';
        f.special = f.special || (r != '\t' && !is_printable(r));
        f.breaks = f.breaks || now_line;
        f.edge_break = f.edge_break || (now_line && edge);
        f.edge_space = f.edge_space || (r == ' ' && edge);
        f.trailing_space = f.trailing_space || (r == ' ' && i + size == s.n);
        f.break_space = f.break_space || (r == ' ' && line);
        f.space_break = f.space_break || (now_line && space);
        space = r == ' ';
        line = now_line;
        after_blank = r == ' ' || r == '\t' || now_line;
    }
    return f;
}

/* Words that YAML 1.1 knows and 1.2 does not; they are quoted for the sake of old readers. */
static bool is_old_bool(struct str s)
{
    static const char *const words[] = {"y", "Y", "yes", "Yes", "YES", "on",  "On",  "ON",
                                        "n", "N", "no",  "No",  "NO",  "off", "Off", "OFF"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_is(s, words[i]))
            return true;
    return false;
}

static bool reads_as_string(struct str s)
{
    return yaml_resolve(s).kind == YAML_STR && !yaml_is_base60(s) && !is_old_bool(s);
}

static enum style pick_style(struct str s, const struct features *f, bool simple_key)
{
    enum style style = PLAIN;
    if (str_find_char(s, '\n') >= 0)
        style = LITERAL;
    else if (!reads_as_string(s))
        style = DOUBLE;
    if (simple_key && f->breaks)
        style = DOUBLE;
    if (style == LITERAL && (f->trailing_space || f->space_break || f->special || simple_key))
        style = DOUBLE;
    bool no_quotes = f->break_space || f->space_break || f->tabs || f->special;
    if (style == PLAIN &&
        (f->edge_space || f->edge_break || f->breaks || f->indicators || no_quotes))
        style = no_quotes ? DOUBLE : SINGLE;
    return style;
}

static void put_blanks(struct writer *w, int n)
{
    while (n-- > 0)
        buf_putc(w->out, ' ');
}

static void put_escaped(struct buf *b, uint32_t r)
{
    static const struct {
        uint32_t rune;
        char name;
    } names[] = {{0, '0'},     {7, 'a'},    {8, 'b'},    {9, 't'},      {10, 'n'},
                 {11, 'v'},    {12, 'f'},   {13, 'r'},   {27, 'e'},     {'"', '"'},
                 {'\\', '\\'}, {0x85, 'N'}, {0xA0, '_'}, {0x2028, 'L'}, {0x2029, 'P'}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].rune == r) {
            buf_printf(b, "\\%c", names[i].name);
            return;
        }
    buf_printf(b, r <= 0xFF ? "\\x%02X" : r <= 0xFFFF ? "\\u%04X" : "\\U%08X", r);
}

static void put_double(struct writer *w, struct str s)
{
    size_t size;
    buf_putc(w->out, '"');
    for (; s.n > 0; s = str_from(s, size)) {
        uint32_t r = rune_decode(s, &size);
        if (!is_printable(r) || is_break(r) || r == '"' || r == '\\')
            put_escaped(w->out, r);
        else
            buf_put(w->out, str_head(s, size));
    }
    buf_putc(w->out, '"');
}

/* Only breaks that are no newlines stand in here; what follows one is indented. */
static void put_single(struct writer *w, struct str s, int indent)
{
    size_t size;
    bool line = false;
    buf_putc(w->out, '\'');
    for (; s.n > 0; s = str_from(s, size)) {
        uint32_t r = rune_decode(s, &size);
        if (line && !is_break(r) && r != ' ')
            put_blanks(w, indent);
        if (r == '\'')
            buf_putc(w->out, '\'');
        buf_put(w->out, str_head(s, size));
        line = is_break(r) || (line && r == ' ');
    }
    buf_putc(w->out, '\'');
}

/* Lines below a bar; hints tell of leading blanks and of the newlines at the end. */
static void put_literal(struct writer *w, struct str s, int indent)
{
    size_t size, last, before;
    buf_putc(w->out, '|');
    if (s.p[0] == ' ' || is_break(rune_decode(s, &size)))
        buf_putc(w->out, '0' + STEP);
    if (!is_break(rune_decode_last(s, &last)))
        buf_putc(w->out, '-');
    else if (last == s.n || is_break(rune_decode_last(str_head(s, s.n - last), &before)))
        buf_putc(w->out, '+');
    buf_putc(w->out, '\n');
    for (bool line = true; s.n > 0; s = str_from(s, size)) {
        bool ends = is_break(rune_decode(s, &size));
        if (line && !ends)
            put_blanks(w, indent);
        buf_put(w->out, str_head(s, size));
        line = ends;
    }
}

/* indent: of what continues on further lines. */
static void put_text(struct writer *w, struct str s, int indent, bool simple_key)
{
    if (!rune_is_valid(s)) {
        buf_puts(w->out, "!!binary ");
        gobase64_write(w->out, s);
        return;
    }
    struct features f = examine(s);
    switch (pick_style(s, &f, simple_key)) {
    case PLAIN:
        buf_put(w->out, s);
        return;
    case SINGLE:
        put_single(w, s, indent);
        return;
    case DOUBLE:
        put_double(w, s);
        return;
    case LITERAL:
        put_literal(w, s, indent);
    }
}

/* --- the order of keys: by letters, runs of digits by value --- */

struct key {
    struct str text;
    struct value value;
};

static int64_t run_value(struct str s, int64_t start, size_t *ret_n)
{
    size_t n = 0;
    for (; n < s.n && s.p[n] >= '0' && s.p[n] <= '9'; n++)
        start = (int64_t)((uint64_t)start * 10 + (uint64_t)(s.p[n] - '0'));
    *ret_n = n;
    return start;
}

static int compare_at(struct str all, struct str a, struct str b, bool digits)
{
    size_t size, an, bn, i = (size_t)(a.p - all.p);
    uint32_t x = rune_decode(a, &size), y = rune_decode(b, &size);
    bool al = rune_is_letter(x), bl = rune_is_letter(y);
    if (al && bl)
        return x < y ? -1 : 1;
    if (al || bl)
        return (digits ? al : bl) ? -1 : 1;
    int64_t start = 0;
    if (x == '0' || y == '0')
        while (i > 0 && all.p[i - 1] >= '0' && all.p[i - 1] <= '9')
            if (all.p[--i] != '0')
                start = 1;
    int64_t av = run_value(a, start, &an), bv = run_value(b, start, &bn);
    if (av != bv)
        return av < bv ? -1 : 1;
    if (an != bn)
        return an < bn ? -1 : 1;
    return x < y ? -1 : 1;
}

static int by_key(const void *p, const void *q)
{
    struct str a = ((const struct key *)p)->text, b = ((const struct key *)q)->text, all = a;
    bool digits = false;
    while (a.n > 0 && b.n > 0) {
        size_t an, bn;
        uint32_t x = rune_decode(a, &an), y = rune_decode(b, &bn);
        if (x != y || an != bn)
            return compare_at(all, a, b, digits);
        digits = rune_is_digit(x);
        a = str_from(a, an);
        b = str_from(b, bn);
    }
    return (a.n > 0) - (b.n > 0);
}

/* --- nodes --- */

enum place { ROOT, IN_LIST, IN_MAP }; /* behind "- ", behind "key:" */

static int put_value(struct writer *w, struct value v, int indent, enum place place, int depth);

static void put_key(struct writer *w, struct str key, int indent, bool *complex)
{
    struct features f = examine(key);
    *complex = f.breaks || key.n > MAX_SIMPLE_KEY;
    if (*complex)
        buf_puts(w->out, "? ");
    put_text(w, key, indent + STEP, !*complex);
    if (*complex && w->out->p[w->out->n - 1] != '\n')
        buf_putc(w->out, '\n');
    if (*complex)
        put_blanks(w, indent);
    buf_putc(w->out, ':');
}

static int put_keys(struct writer *w, struct key *keys, size_t n, int indent, enum place place,
                    int depth)
{
    if (n == 0) {
        buf_puts(w->out, place == IN_MAP ? " {}" : "{}");
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        bool complex;
        if (i > 0 || place == IN_MAP) {
            if (w->out->p[w->out->n - 1] != '\n')
                buf_putc(w->out, '\n');
            put_blanks(w, indent);
        }
        put_key(w, keys[i].text, indent, &complex);
        if (complex)
            buf_putc(w->out, ' ');
        if (put_value(w, keys[i].value, indent + STEP, complex ? IN_LIST : IN_MAP, depth + 1) < 0)
            return -1;
    }
    return 0;
}

static int put_map(struct writer *w, struct value v, int indent, enum place place, int depth)
{
    size_t n = vmap_len(v.map);
    struct key *keys = mem_realloc_array(NULL, n + 1, sizeof(*keys));
    for (size_t i = 0; i < n; i++)
        keys[i] = (struct key){v.map->entries[i].key, v.map->entries[i].value};
    qsort(keys, n, sizeof(*keys), by_key);
    int status = put_keys(w, keys, n, indent, place, depth);
    free(keys);
    return status;
}

/* Fields in their order, under their names in small letters. */
static int put_struct(struct writer *w, struct value v, int indent, enum place place, int depth)
{
    const struct gotype *t = v.type->kind == KIND_PTR ? v.type->elem : v.type;
    size_t n = 0;
    while (t->fields && v.fields && t->fields[n].name)
        n++;
    struct key *keys = arena_zalloc(w->arena, (n + 1) * sizeof(*keys));
    for (size_t i = 0; i < n; i++) {
        char *name = arena_z(w->arena, str_of(t->fields[i].name));
        for (char *p = name; *p; p++)
            *p = (char)(*p >= 'A' && *p <= 'Z' ? *p | 0x20 : *p);
        keys[i] = (struct key){str_of(name), v.fields[i]};
    }
    return put_keys(w, keys, n, indent, place, depth);
}

static int put_list(struct writer *w, struct value v, int indent, enum place place, int depth)
{
    if (v.n == 0) {
        buf_puts(w->out, place == IN_MAP ? " []" : "[]");
        return 0;
    }
    for (size_t i = 0; i < v.n; i++) {
        if (i > 0 || place == IN_MAP) {
            if (w->out->p[w->out->n - 1] != '\n')
                buf_putc(w->out, '\n');
            put_blanks(w, indent);
        }
        buf_puts(w->out, "- ");
        if (put_value(w, value_at(v, i), indent + STEP, IN_LIST, depth + 1) < 0)
            return -1;
    }
    return 0;
}

static void put_number(struct writer *w, struct value v)
{
    enum gokind k = value_kind(v);
    if (gokind_is_int(k))
        buf_put_i64(w->out, v.i);
    else if (gokind_is_uint(k))
        buf_put_u64(w->out, v.u);
    else if (isfinite(v.f))
        gofmt_float(w->out, v.f, 'g', -1, k == KIND_FLOAT32 ? 32 : 64);
    else
        buf_puts(w->out, isnan(v.f) ? ".nan" : v.f > 0 ? ".inf" : "-.inf");
}

static int put_scalar(struct writer *w, struct value v, int indent)
{
    enum gokind k = value_kind(v);
    if (k == KIND_INVALID || k == KIND_INTERFACE || (k == KIND_PTR && value_is_nil(v)))
        buf_puts(w->out, "null");
    else if (v.type == &type_time)
        buf_put(w->out, v.type->marshal_text(w->arena, &v));
    else if (v.type == &type_duration)
        put_text(w, v.type->string(w->arena, &v), indent, false);
    else if (v.type->marshal_text)
        put_text(w, v.type->marshal_text(w->arena, &v), indent, false);
    else if (k == KIND_BOOL)
        buf_puts(w->out, v.b ? "true" : "false");
    else if (k == KIND_STRING)
        put_text(w, value_text(v), indent, false);
    else if (k == KIND_FUNC || k == KIND_COMPLEX128)
        return -1;
    else
        put_number(w, v);
    return 0;
}

/* indent: of the lines of a nested map or list, and of a text's further lines. */
static int put_value(struct writer *w, struct value v, int indent, enum place place, int depth)
{
    enum gokind k = value_kind(v);
    if (depth > VALUE_MAX_DEPTH)
        return -1;
    bool as_text = v.type && v.type->marshal_text;
    if (k == KIND_MAP)
        return put_map(w, v, indent, place, depth);
    if (k == KIND_SLICE)
        return put_list(w, v, indent, place, depth);
    if ((k == KIND_STRUCT || (k == KIND_PTR && !value_is_nil(v))) && !as_text)
        return put_struct(w, v, indent, place, depth);
    if (place == IN_MAP)
        buf_putc(w->out, ' ');
    return put_scalar(w, v, place == ROOT ? STEP : indent);
}

int yaml3_write(struct arena *a, struct buf *b, struct value v)
{
    struct writer w = {a, b};
    if (put_value(&w, v, 0, ROOT, 0) < 0)
        return -1;
    if (b->n > 0 && b->p[b->n - 1] != '\n')
        buf_putc(b, '\n');
    return 0;
}
