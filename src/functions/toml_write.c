#include <math.h>

#include "template/gofmt.h"
#include "template/golayout.h"
#include "functions/toml.h"

struct path { /* the keys down to a table */
    const struct path *up;
    struct str key;
    size_t depth;
};

struct writer {
    struct arena *arena;
    struct buf *out;
    struct err *err;
};

enum toml_type { TOML_NONE, TOML_PLAIN, TOML_TABLE, TOML_TABLES };

static int put_inline(struct writer *w, struct value v, int depth);
static int put_value(struct writer *w, const struct path *path, struct value v);

static void put_quoted(struct buf *b, struct str s)
{
    static const char names[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    buf_putc(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c < sizeof(names) && names[c])
            buf_printf(b, "\\%c", names[c]);
        else if (c < ' ' || c == 0x7F)
            buf_printf(b, "\\u%04x", c);
        else
            buf_putc(b, (char)c);
    }
    buf_putc(b, '"');
}

static void put_key(struct buf *b, struct str key)
{
    bool bare = key.n > 0;
    for (size_t i = 0; i < key.n && bare; i++) {
        char c = key.p[i];
        bare = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' ||
               c == '-';
    }
    if (bare)
        buf_put(b, key);
    else
        put_quoted(b, key);
}

static void put_path(struct buf *b, const struct path *path)
{
    if (path->up->depth > 0) {
        put_path(b, path->up);
        buf_putc(b, '.');
    }
    put_key(b, path->key);
}

static void put_indent(struct writer *w, const struct path *path)
{
    for (size_t i = 1; i < path->depth; i++)
        buf_puts(w->out, "  ");
}

static void put_newline(struct writer *w)
{
    if (w->out->n > 0)
        buf_putc(w->out, '\n');
}

static bool is_struct(struct value v)
{
    enum gokind k = value_kind(v);
    return (k == KIND_STRUCT || k == KIND_PTR) && !v.type->marshal_text;
}

/* A list of nothing but tables is one of TOML's own; a nil in a list has no form. */
static int type_of(struct writer *w, struct value v, enum toml_type *ret)
{
    enum gokind k = value_kind(v);
    *ret = TOML_PLAIN;
    if (k == KIND_INVALID || (k != KIND_STRUCT && value_is_nil(v)))
        *ret = TOML_NONE;
    else if (k == KIND_FUNC || k == KIND_COMPLEX128)
        return err_bad(w->err, "unsupported type: %s", gokind_name(k));
    else if (k == KIND_MAP || is_struct(v))
        *ret = TOML_TABLE;
    else if (k == KIND_SLICE && v.n > 0) {
        *ret = TOML_TABLES;
        for (size_t i = 0; i < v.n; i++) {
            enum toml_type item;
            if (type_of(w, value_at(v, i), &item) < 0)
                return -1;
            if (item == TOML_NONE)
                return err_bad(w->err, "toml: cannot encode array with nil element");
            if (item != TOML_TABLE)
                *ret = TOML_PLAIN;
        }
    }
    return 0;
}

static void put_float(struct buf *b, double f, int bits)
{
    if (!isfinite(f)) {
        buf_puts(b, isnan(f) ? "nan" : f > 0 ? "inf" : "-inf");
        return;
    }
    size_t before = b->n;
    gofmt_float(b, f, 'g', -1, bits);
    if (memchr(b->p + before, 'e', b->n - before) == NULL &&
        memchr(b->p + before, '.', b->n - before) == NULL)
        buf_puts(b, ".0");
}

/* --- the members of a map or struct: those that are no tables come first --- */

struct member {
    struct str key;
    struct value value;
    enum toml_type type;
};

static int members_of(struct writer *w, struct value v, struct member **ret, size_t *ret_n)
{
    const struct gotype *t = v.type->kind == KIND_PTR ? v.type->elem : v.type;
    size_t n = 0;
    if (v.type->kind == KIND_MAP)
        n = vmap_len(v.map);
    else
        while (t->fields && v.fields && t->fields[n].name)
            n++;
    *ret = arena_zalloc(w->arena, (n + 1) * sizeof(**ret));
    for (size_t i = 0; i < n; i++) {
        struct member *m = &(*ret)[i];
        if (v.type->kind == KIND_MAP)
            *m = (struct member){v.map->entries[i].key, v.map->entries[i].value, TOML_NONE};
        else
            *m = (struct member){str_of(t->fields[i].name), v.fields[i], TOML_NONE};
        if (type_of(w, m->value, &m->type) < 0)
            return -1;
    }
    *ret_n = n;
    return 0;
}

static int put_inline_table(struct writer *w, struct value v, int depth)
{
    struct member *m;
    size_t n, plain = 0, seen[2] = {0};
    if (members_of(w, v, &m, &n) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        plain += m[i].type < TOML_TABLE;
    size_t total[2] = {plain, n - plain};
    buf_putc(w->out, '{');
    for (int tables = 0; tables < 2; tables++)
        for (size_t i = 0; i < n; i++) {
            if ((m[i].type >= TOML_TABLE) != tables)
                continue;
            seen[tables]++;
            if (m[i].type == TOML_NONE)
                continue;
            put_key(w->out, m[i].key);
            buf_puts(w->out, " = ");
            if (put_inline(w, m[i].value, depth + 1) < 0)
                return -1;
            if ((!tables && total[1] > 0) || seen[tables] != total[tables])
                buf_puts(w->out, ", ");
        }
    buf_putc(w->out, '}');
    return 0;
}

/* A time that was read without a zone is written without one. */
static void put_time(struct writer *w, struct value v)
{
    static const struct {
        const char *zone, *layout;
    } forms[] = {
        {"datetime-local", "2006-01-02T15:04:05.999999999"},
        {"date-local", "2006-01-02"},
        {"time-local", "15:04:05.999999999"},
    };
    struct gotime t = gotime_of(v);
    struct str zone = gozone_at(t.zone, t.sec).abbreviation;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        if (str_eq(zone, str_of(forms[i].zone))) {
            t.zone = &gozone_utc;
            golayout_format(w->out, t, str_of(forms[i].layout));
            return;
        }
    buf_put(w->out, v.type->marshal_text(w->arena, &v));
}

static int put_inline(struct writer *w, struct value v, int depth)
{
    enum gokind k = value_kind(v);
    if (depth > VALUE_MAX_DEPTH)
        return err_bad(w->err, "toml: nested too deeply");
    if (k == KIND_MAP || is_struct(v))
        return put_inline_table(w, v, depth);
    if (v.type == &type_time)
        put_time(w, v);
    else if (v.type->marshal_text)
        put_quoted(w->out, v.type->marshal_text(w->arena, &v));
    else if (v.type == &type_duration)
        put_quoted(w->out, v.type->string(w->arena, &v));
    else if (k == KIND_STRING)
        put_quoted(w->out, value_text(v));
    else if (k == KIND_BOOL)
        buf_puts(w->out, v.b ? "true" : "false");
    else if (gokind_is_int(k))
        buf_put_i64(w->out, v.i);
    else if (gokind_is_uint(k))
        buf_put_u64(w->out, v.u);
    else if (gokind_is_float(k))
        put_float(w->out, v.f, k == KIND_FLOAT32 ? 32 : 64);
    else {
        buf_putc(w->out, '[');
        for (size_t i = 0; i < v.n; i++) {
            if (put_inline(w, value_at(v, i), depth + 1) < 0)
                return -1;
            if (i + 1 < v.n)
                buf_puts(w->out, ", ");
        }
        buf_putc(w->out, ']');
    }
    return 0;
}

static int put_members(struct writer *w, const struct path *path, struct value v)
{
    struct member *m;
    size_t n;
    if (members_of(w, v, &m, &n) < 0)
        return -1;
    for (int tables = 0; tables < 2; tables++)
        for (size_t i = 0; i < n; i++) {
            struct path below = {path, m[i].key, path->depth + 1};
            if (m[i].type == TOML_NONE || (m[i].type >= TOML_TABLE) != tables)
                continue;
            if (put_value(w, &below, m[i].value) < 0)
                return -1;
        }
    return 0;
}

static int put_tables(struct writer *w, const struct path *path, struct value v)
{
    if (path->depth == 0)
        return err_bad(w->err, "toml: top-level values must be Go maps or structs");
    for (size_t i = 0; i < v.n; i++) {
        put_newline(w);
        put_indent(w, path);
        buf_puts(w->out, "[[");
        put_path(w->out, path);
        buf_puts(w->out, "]]\n");
        if (put_members(w, path, v.items[i]) < 0)
            return -1;
    }
    return 0;
}

static int put_value(struct writer *w, const struct path *path, struct value v)
{
    enum toml_type type;
    if (path->depth > VALUE_MAX_DEPTH)
        return err_bad(w->err, "toml: nested too deeply");
    if (type_of(w, v, &type) < 0)
        return -1;
    if (type == TOML_NONE) {
        if (path->depth == 0 && value_kind(v) == KIND_SLICE)
            buf_puts(w->out, "[]");
        return 0;
    }
    if (type == TOML_TABLES)
        return put_tables(w, path, v);
    if (type == TOML_TABLE) {
        if (path->depth == 1)
            put_newline(w);
        if (path->depth > 0) {
            put_indent(w, path);
            buf_putc(w->out, '[');
            put_path(w->out, path);
            buf_puts(w->out, "]\n");
        }
        return put_members(w, path, v);
    }
    if (path->depth == 0)
        return put_inline(w, v, 0);
    put_indent(w, path);
    put_key(w->out, path->key);
    buf_puts(w->out, " = ");
    if (put_inline(w, v, 0) < 0)
        return -1;
    buf_putc(w->out, '\n');
    return 0;
}

int toml_write(struct arena *a, struct buf *b, struct value v, struct err *err)
{
    struct writer w = {a, b, err};
    struct path root = {0};
    return put_value(&w, &root, v);
}
