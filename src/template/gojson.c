#include "template/gojson.h"

#include <math.h>

#include "template/gobase.h"
#include "template/gofmt.h"
#include "template/unicode.h"

struct writer {
    struct arena *arena;
    struct buf *out;
    struct gojson_style style;
    struct err *err;
    size_t nodes;
};

static int write_value(struct writer *w, struct value v, int depth);

static void put_escape(struct buf *b, uint32_t c)
{
    static const char names[] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    if (c == '"' || c == '\\')
        buf_printf(b, "\\%c", (char)c);
    else if (c < sizeof(names) && names[c])
        buf_printf(b, "\\%c", names[c]);
    else
        buf_printf(b, "\\u%04x", c);
}

void gojson_quote(struct buf *b, struct str s, bool html)
{
    size_t size, plain = 0;
    buf_putc(b, '"');
    for (size_t i = 0; i < s.n; i += size) {
        unsigned char c = (unsigned char)s.p[i];
        size = 1;
        bool special =
            c < ' ' || c == '"' || c == '\\' || (html && (c == '<' || c == '>' || c == '&'));
        uint32_t r = c;
        if (c >= 0x80) {
            r = rune_decode(str_from(s, i), &size);
            special = r == 0x2028 || r == 0x2029 || (r == RUNE_ERROR && size == 1);
        }
        if (!special)
            continue;
        buf_append(b, s.p + plain, i - plain);
        put_escape(b, r);
        plain = i + size;
    }
    if (s.n > plain)
        buf_append(b, s.p + plain, s.n - plain);
    buf_putc(b, '"');
}

void gojson_float(struct buf *b, double f, int bits)
{
    double size = fabs(f);
    bool plain = f == 0 || (size >= (bits == 32 ? (double)1e-6f : 1e-6) &&
                            size < (bits == 32 ? (double)1e21f : 1e21));
    gofmt_float(b, f, plain ? 'f' : 'e', -1, bits);
    if (!plain && b->n >= 4 && b->p[b->n - 4] == 'e' && b->p[b->n - 3] == '-' &&
        b->p[b->n - 2] == '0') { /* e-09 is e-9 */
        b->p[b->n - 2] = b->p[b->n - 1];
        b->n--;
    }
}

static void put_line(struct writer *w, int depth)
{
    if (!w->style.pretty)
        return;
    buf_putc(w->out, '\n');
    for (int i = 0; i < depth; i++)
        buf_puts(w->out, "  ");
}

static void put_key(struct writer *w, struct str key, bool first, int depth)
{
    if (!first)
        buf_putc(w->out, ',');
    put_line(w, depth);
    gojson_quote(w->out, key, w->style.html);
    buf_puts(w->out, w->style.pretty ? ": " : ":");
}

static void put_end(struct writer *w, bool empty, int depth, char end)
{
    if (!empty)
        put_line(w, depth);
    buf_putc(w->out, end);
}

static int write_list(struct writer *w, struct value v, int depth)
{
    buf_putc(w->out, '[');
    for (size_t i = 0; i < v.n; i++) {
        if (i > 0)
            buf_putc(w->out, ',');
        put_line(w, depth + 1);
        if (write_value(w, v.items[i], depth + 1) < 0)
            return -1;
    }
    put_end(w, v.n == 0, depth, ']');
    return 0;
}

static int write_map(struct writer *w, struct value v, int depth)
{
    buf_putc(w->out, '{');
    for (size_t i = 0; i < v.map->n; i++) {
        put_key(w, v.map->entries[i].key, i == 0, depth + 1);
        if (write_value(w, v.map->entries[i].value, depth + 1) < 0)
            return -1;
    }
    put_end(w, v.map->n == 0, depth, '}');
    return 0;
}

/* omitempty's idea of empty; a struct never is. */
static bool is_omitted(const struct gofield *f, struct value v)
{
    enum gokind k = value_kind(v);
    if (f->json && strcmp(f->json, "-") == 0)
        return true;
    if (!f->omitempty)
        return false;
    return k == KIND_PTR || k == KIND_INTERFACE ? value_is_nil(v) : !value_truth(v);
}

static int write_fields(struct writer *w, struct value v, int depth, bool *first)
{
    const struct gotype *t = v.type->kind == KIND_PTR ? v.type->elem : v.type;
    for (size_t i = 0; t->fields && v.fields && t->fields[i].name; i++) {
        const struct gofield *f = &t->fields[i];
        if (is_omitted(f, v.fields[i]))
            continue;
        if (f->json && f->json[0] == '\0') {
            if (!value_is_nil(v.fields[i]) && write_fields(w, v.fields[i], depth, first) < 0)
                return -1;
            continue;
        }
        put_key(w, str_of(f->json ? f->json : f->name), *first, depth + 1);
        *first = false;
        if (write_value(w, v.fields[i], depth + 1) < 0)
            return -1;
    }
    return 0;
}

static int write_struct(struct writer *w, struct value v, int depth)
{
    bool first = true;
    buf_putc(w->out, '{');
    if (v.type != &type_error && write_fields(w, v, depth, &first) < 0)
        return -1;
    put_end(w, first, depth, '}');
    return 0;
}

static int write_number(struct writer *w, struct value v)
{
    enum gokind k = value_kind(v);
    if (gokind_is_int(k))
        buf_put_i64(w->out, v.i);
    else if (gokind_is_uint(k))
        buf_put_u64(w->out, v.u);
    else if (isfinite(v.f))
        gojson_float(w->out, v.f, k == KIND_FLOAT32 ? 32 : 64);
    else
        return err_bad(w->err, "json: unsupported value: %s",
                       isnan(v.f) ? "NaN"
                       : v.f > 0  ? "+Inf"
                                  : "-Inf");
    return 0;
}

static int write_value(struct writer *w, struct value v, int depth)
{
    enum gokind k = value_kind(v);
    if (depth > VALUE_MAX_DEPTH)
        return err_bad(w->err, "json: unsupported value: encountered a cycle via %s",
                       value_type_name(v));
    if (++w->nodes > VALUE_MAX_NODES)
        return err_bad(w->err, "json: unsupported value: more than %d values", VALUE_MAX_NODES);
    bool nil = k != KIND_STRUCT && value_is_nil(v);
    if (k == KIND_FUNC || k == KIND_COMPLEX128)
        return err_bad(w->err, "json: unsupported type: %s", value_type_name(v));
    if (k == KIND_INVALID || nil) {
        buf_puts(w->out, "null");
    } else if (v.type->marshal_text) {
        gojson_quote(w->out, v.type->marshal_text(w->arena, &v), w->style.html);
    } else if (k == KIND_BOOL) {
        buf_puts(w->out, v.b ? "true" : "false");
    } else if (k == KIND_STRING) {
        gojson_quote(w->out, value_text(v), w->style.html);
    } else if (k == KIND_SLICE && v.type->elem->kind == KIND_UINT8) {
        buf_putc(w->out, '"');
        gobase64_write(w->out, value_text(v));
        buf_putc(w->out, '"');
    } else if (k == KIND_SLICE) {
        return write_list(w, v, depth);
    } else if (k == KIND_MAP) {
        return write_map(w, v, depth);
    } else if (k == KIND_STRUCT || k == KIND_PTR) {
        return write_struct(w, v, depth);
    } else {
        return write_number(w, v);
    }
    return 0;
}

int gojson_write(struct arena *a, struct buf *b, struct value v, struct gojson_style style,
                 struct err *err)
{
    struct writer w = {a, b, style, err, 0};
    return write_value(&w, v, 0);
}
