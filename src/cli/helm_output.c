/* helm_output.c: how `tutti helm` prints: tables, JSON, YAML and times. */
#include <stdlib.h>
#include <unistd.h>

#include "cli/helm.h"
#include "template/gojson.h"
#include "template/golayout.h"
#include "template/unicode.h"

int helm_format_of(struct chart_ctx *cx, const char *text, enum helm_format *ret)
{
    static const char *const names[] = {
        [HELM_TABLE] = "table", [HELM_JSON] = "json", [HELM_YAML] = "yaml"};
    for (size_t i = 0; text && i < ARRAY_LEN(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum helm_format)i;
            return 0;
        }
    *ret = HELM_TABLE;
    return text ? chart_fail(cx,
                             "invalid argument \"%s\" for \"-o, --output\" flag: invalid format "
                             "type",
                             text)
                : 0;
}

int helm_put_json(struct chart_ctx *cx, struct str json, enum helm_format format, struct buf *out)
{
    struct doc d;
    struct err err;
    val *root;
    if (format == HELM_JSON) {
        buf_put(out, json);
        buf_putc(out, '\n');
        return 0;
    }
    doc_init(&d);
    int status = doc_parse_json_max(&d, json, 2 * RELEASE_MAX_JSON, &root, &err);
    if (status == 0)
        val_write_yaml(root, out);
    else
        chart_fail(cx, "unable to write YAML output: %s", err.message);
    doc_done(&d);
    return status;
}

int helm_put_value(struct chart_ctx *cx, struct value v, enum helm_format format, struct buf *out)
{
    struct err err;
    struct buf json = {0};
    int status = gojson_write(cx->arena, &json, v, (struct gojson_style){.html = true}, &err);
    if (status == 0)
        status = helm_put_json(cx, buf_str(&json), format, out);
    else
        chart_fail(cx, "unable to write %s output: %s", format == HELM_JSON ? "JSON" : "YAML",
                   err.message);
    buf_done(&json);
    return status;
}

bool helm_colours(void)
{
    const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no && no[0]) && !(terminal && strcmp(terminal, "dumb") == 0);
}

/* --- tables --- */
void helm_table_add(struct helm_table *t, const struct str cells[])
{
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 32;
        struct str(*grown)[HELM_COLUMNS] = arena_alloc(t->arena, t->cap * sizeof(*grown));
        if (t->n)
            memcpy(grown, t->rows, t->n * sizeof(*grown));
        t->rows = grown;
    }
    memcpy(t->rows[t->n++], cells, t->columns * sizeof(*cells));
}

/* Columns of a terminal that a rune takes: the wide ones of East Asia and pictographs two, marks
 * and controls none. */
static size_t rune_width(uint32_t r)
{
    static const struct {
        uint32_t first, last;
        size_t width;
    } ranges[] = {
        {0x0000, 0x001f, 0},   {0x007f, 0x009f, 0},   {0x00ad, 0x00ad, 0},   {0x0300, 0x036f, 0},
        {0x1100, 0x115f, 2},   {0x200b, 0x200f, 0},   {0x2028, 0x202e, 0},   {0x20d0, 0x20f0, 0},
        {0x2e80, 0x303e, 2},   {0x3041, 0xa4cf, 2},   {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},
        {0xfe00, 0xfe0f, 0},   {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2},   {0xffe0, 0xffe6, 2},
        {0x1f300, 0x1f64f, 2}, {0x1f680, 0x1f6ff, 2}, {0x1f900, 0x1f9ff, 2}, {0x20000, 0x3fffd, 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(ranges) && r >= ranges[i].first; i++)
        if (r <= ranges[i].last)
            return ranges[i].width;
    return 1;
}

static size_t text_width(struct str s)
{
    size_t width = 0, size;
    for (; s.n; s = str_from(s, size))
        width += rune_width(rune_decode(s, &size));
    return width;
}

static size_t widest_line(struct str s)
{
    size_t widest = 0;
    for (bool more = true; more;) {
        struct str line;
        more = str_cut(s, '\n', &line, &s);
        size_t width = text_width(line);
        widest = width > widest ? width : widest;
    }
    return widest;
}

/* Padded to the width; what is wider, as a cell of several lines is, ends in "...". */
static struct str resized(struct arena *a, struct str s, size_t width)
{
    struct buf b = {0};
    size_t have = text_width(s), w = 0, size;
    if (have > width) {
        for (; s.n; s = str_from(s, size)) {
            size_t add = rune_width(rune_decode(s, &size));
            buf_append(&b, s.p, size);
            if (w + add + 3 >= width)
                break;
            w += add;
        }
        buf_puts(&b, "...");
    } else {
        buf_put(&b, s);
        for (; have < width; have++)
            buf_putc(&b, ' ');
    }
    struct str ret = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return ret;
}

/* Cells of several lines make a row of as many. */
static void put_row(const struct helm_table *t, const struct str cells[], const size_t widths[],
                    struct buf *out)
{
    struct str rest[HELM_COLUMNS];
    bool more[HELM_COLUMNS], any = true;
    for (size_t c = 0; c < t->columns; c++) {
        rest[c] = widths[c] ? resized(t->arena, cells[c], widths[c]) : cells[c];
        more[c] = true;
    }
    while (any) {
        any = false;
        for (size_t c = 0; c < t->columns; c++) {
            struct str line = STR(" ");
            if (more[c])
                more[c] = str_cut(rest[c], '\n', &line, &rest[c]);
            any |= more[c];
            if (c)
                buf_putc(out, '\t');
            buf_put(out, widths[c] ? resized(t->arena, line, widths[c]) : line);
        }
        if (any)
            buf_putc(out, '\n');
    }
}

void helm_table_put(const struct helm_table *t, struct buf *out)
{
    size_t widths[HELM_COLUMNS] = {0};
    for (size_t i = 0; i < t->n; i++)
        for (size_t c = 0; c < t->columns; c++) {
            size_t width = widest_line(t->rows[i][c]);
            width = t->max_width && width > t->max_width ? t->max_width : width;
            widths[c] = width > widths[c] ? width : widths[c];
        }
    for (size_t i = 0; i < t->n; i++) {
        put_row(t, t->rows[i], widths, out);
        if (i + 1 < t->n)
            buf_putc(out, '\n');
    }
    buf_putc(out, '\n');
}

/* --- times --- */
void helm_put_time(struct chart_ctx *cx, struct release_time t, const char *layout, struct buf *out)
{
    enum { NS = 1000000000 };
    int64_t nsec = (t.ns % NS + NS) % NS;
    struct gotime go = {(t.ns - nsec) / NS, (int32_t)nsec, &gozone_utc, -1};
    const struct gozone *local = gozone_load(cx->arena, STR("Local"));
    if (t.ns == 0)
        go = gotime_zero();
    else if (t.offset_s && local && gozone_at(local, go.sec).offset == t.offset_s)
        go.zone = local;
    else if (t.offset_s)
        go.zone = gozone_fixed(cx->arena, STR(""), t.offset_s);
    golayout_format(out, go, str_of(layout));
}
