/* strvals.c: the grammar of --set, --set-string, --set-json, --set-file and --set-literal, as
 * Helm's package strvals reads it, oddities included: an error that ends the text counts as its
 * end, and what was set before an error stays. */
#include <strings.h>

#include "functions/func_arg.h"
#include "template/gofmt.h"
#include "template/unicode.h"
#include "chart/values.h"

enum { MAX_INDEX = 65536, MAX_LEVEL = 30 };
enum status { DONE = 0, FAILED = -1, ENDED = 1 }; /* ENDED: Go's io.EOF */

struct parser {
    struct chart_ctx *cx;
    struct str rest;
    enum strvals_mode mode;
    bool literal;
    int (*read_file)(struct chart_ctx *cx, struct str name, struct str *ret);
};

static enum status parse_key(struct parser *p, struct vmap *data, int level);

static struct str quoted(struct parser *p, struct str s)
{
    struct buf b = {0};
    gofmt_quote(&b, s, false);
    struct str text = arena_dup(p->cx->arena, buf_str(&b));
    buf_done(&b);
    return text;
}

/* Text up to a character of `stops`, which is taken and given in *ret_stop; a backslash keeps the
 * next character from being one (not in literals). What is no UTF-8 becomes U+FFFD. */
static enum status take_until(struct parser *p, const char *stops, struct str *ret, char *ret_stop)
{
    struct buf out = {0};
    enum status status = ENDED;
    while (p->rest.n) {
        char c = p->rest.p[0];
        if (c && strchr(stops, c)) {
            *ret_stop = c;
            p->rest = str_from(p->rest, 1);
            status = DONE;
            break;
        }
        if (c == '\\' && !p->literal) {
            p->rest = str_from(p->rest, 1);
            if (p->rest.n == 0)
                break;
        }
        size_t size;
        rune_put(&out, rune_decode(p->rest, &size));
        p->rest = str_from(p->rest, size);
    }
    *ret = arena_dup(p->cx->arena, buf_str(&out));
    buf_done(&out);
    return status;
}

static struct value typed(struct parser *p, struct str s)
{
    int64_t i;
    if (p->mode == STRVALS_STRING)
        return value_str(s);
    if (str_eq_nocase(s, STR("true")))
        return value_bool(true);
    if (str_eq_nocase(s, STR("false")) || str_eq_nocase(s, STR("fal\305\277e"))) /* long s */
        return value_bool(false);
    if (str_eq_nocase(s, STR("null")))
        return VALUE_NIL;
    if (str_is(s, "0"))
        return value_int64(0);
    bool number = s.n && s.p[0] != '0' && go_parse_int(s, 10, &i) == GO_PARSED;
    return number ? value_int64(i) : value_str(s);
}

static enum status convert(struct parser *p, struct str text, struct value *ret)
{
    *ret = VALUE_NIL;
    if (p->mode != STRVALS_FILE) {
        *ret = typed(p, text);
        return DONE;
    }
    struct str content;
    if (p->read_file(p->cx, text, &content) != 0)
        return FAILED;
    *ret = value_str(content);
    return DONE;
}

static void set_key(struct vmap *data, struct str key, struct value v)
{
    if (key.n)
        vmap_set(data, key, v);
}

/* --- lists --- */
static enum status set_index(struct parser *p, struct value *list, int64_t i, struct value v)
{
    if (i > MAX_INDEX)
        return chart_fail(p->cx, "index of %lld is greater than maximum supported index of %d",
                          (long long)i, MAX_INDEX);
    if ((size_t)i >= list->n) {
        struct value grown = value_slice_new(p->cx->arena, &type_list, (size_t)i + 1);
        for (size_t k = 0; k <= (size_t)i; k++)
            grown.items[k] = k < list->n ? list->items[k] : VALUE_NIL;
        *list = grown;
    }
    list->items[i] = v;
    return DONE;
}

static enum status take_index(struct parser *p, int64_t *ret)
{
    struct str text;
    char stop;
    if (take_until(p, "]", &text, &stop) != DONE) {
        p->cx->error = STR("error parsing index: EOF");
        return FAILED;
    }
    enum go_parse parsed = go_parse_int(text, 10, ret);
    if (parsed == GO_PARSED)
        return DONE;
    return chart_fail(p->cx, "error parsing index: strconv.Atoi: parsing %.*s: %s",
                      STR_ARG(quoted(p, text)),
                      parsed == GO_RANGE ? "value out of range" : "invalid syntax");
}

/* Blanks and one comma; true when nothing else stood there. */
static bool take_empty(struct parser *p)
{
    while (p->rest.n) {
        size_t size;
        uint32_t rune = rune_decode(p->rest, &size);
        if (rune != ',' && !rune_is_space(rune))
            return false;
        p->rest = str_from(p->rest, size);
        if (rune == ',')
            return true;
    }
    return true;
}

/* The value of --set-json; nothing there is null. */
static enum status take_json(struct parser *p, struct value *ret)
{
    *ret = VALUE_NIL;
    if (take_empty(p))
        return DONE;
    struct doc d;
    size_t n = 0;
    struct err err;
    val *root;
    doc_init(&d);
    enum status status = DONE;
    if (doc_parse_json_first(&d, p->rest, &n, &root, &err) != 0)
        status = chart_fail(p->cx, "%s", err.message);
    else
        *ret = value_from_val(p->cx->arena, root);
    doc_done(&d);
    p->rest = str_from(p->rest, n);
    if (status == DONE)
        take_empty(p);
    return status;
}

/* "{a,b}", behind the brace. */
static enum status take_list(struct parser *p, struct value *ret)
{
    struct value list = value_slice_new(p->cx->arena, &type_list, 0);
    for (int64_t n = 0;; n++) {
        struct str text;
        char stop;
        struct value v;
        if (take_until(p, ",}", &text, &stop) != DONE)
            return chart_fail(p->cx, "list must terminate with '}'");
        if (convert(p, text, &v) != DONE || set_index(p, &list, n, v) != DONE)
            return FAILED;
        *ret = list;
        if (stop == ',')
            continue;
        if (p->rest.n && p->rest.p[0] == ',')
            p->rest = str_from(p->rest, 1);
        return DONE;
    }
}

/* What stands behind the equals sign. ENDED: nothing, which is the empty text. */
static enum status take_value(struct parser *p, struct value *ret)
{
    struct str text;
    char stop;
    *ret = value_str(STR(""));
    if (p->literal) {
        take_until(p, "", &text, &stop);
        *ret = value_str(text);
        return DONE;
    }
    if (p->mode == STRVALS_JSON)
        return take_json(p, ret);
    if (p->rest.n == 0)
        return ENDED;
    if (p->rest.p[0] == '{') {
        p->rest = str_from(p->rest, 1);
        return take_list(p, ret);
    }
    take_until(p, ",", &text, &stop);
    return convert(p, text, ret);
}

static const char *conversion_name(struct value v)
{
    return values_is_nil(v) ? "nil" : value_type_name(v);
}

/* What Go's failed type assertion says. */
static enum status fail_conversion(struct parser *p, struct value got, const char *want)
{
    return chart_fail(p->cx,
                      "unable to parse key: interface conversion: interface {} is %s, not %s",
                      conversion_name(got), want);
}

static enum status parse_item(struct parser *p, struct value *list, int64_t i, int level);

static enum status parse_nested_list(struct parser *p, struct value *list, int64_t i, int level)
{
    int64_t next;
    if (take_index(p, &next) != DONE)
        return FAILED;
    struct value inner = value_slice_new(p->cx->arena, &type_list, 0);
    if (i < list->n && !values_is_nil(list->items[i])) {
        inner = list->items[i];
        if (inner.type != &type_list)
            return fail_conversion(p, inner, "[]interface {}");
    }
    enum status status = parse_item(p, &inner, next, level);
    return status == DONE ? set_index(p, list, i, inner) : status;
}

static enum status parse_nested_map(struct parser *p, struct value *list, int64_t i, int level)
{
    struct value inner = value_map_new(p->cx->arena, &type_map);
    if (i < list->n) {
        if (values_is_table(list->items[i]) && list->items[i].map)
            inner = list->items[i];
        else
            list->items[i] = inner;
    }
    enum status status = parse_key(p, inner.map, level);
    return status == DONE ? set_index(p, list, i, inner) : status;
}

/* Go prints the characters one by one, as %q of a []rune. */
static enum status fail_data(struct parser *p, struct str text)
{
    struct buf b = {0};
    while (text.n) {
        size_t size;
        buf_puts(&b, b.n ? " " : "");
        gofmt_quote_rune(&b, rune_decode(text, &size), false);
        text = str_from(text, size);
    }
    chart_fail(p->cx, "unexpected data at end of array index: [%s]", buf_z(&b));
    buf_done(&b);
    return FAILED;
}

/* What stands behind "[i]". */
static enum status parse_item(struct parser *p, struct value *list, int64_t i, int level)
{
    struct str text;
    char stop = 0;
    struct value v;
    if (i < 0)
        return chart_fail(p->cx, "negative %lld index not allowed", (long long)i);
    enum status status = take_until(p, "[.=", &text, &stop);
    if (text.n)
        return fail_data(p, text);
    if (status != DONE)
        return status;
    if (stop == '[')
        return parse_nested_list(p, list, i, level);
    if (stop == '.')
        return parse_nested_map(p, list, i, level);
    return take_value(p, &v) == FAILED ? FAILED : set_index(p, list, i, v);
}

static enum status parse_list_key(struct parser *p, struct vmap *data, struct str key, int level)
{
    int64_t i;
    if (take_index(p, &i) != DONE)
        return FAILED;
    struct value list = value_slice_new(p->cx->arena, &type_list, 0);
    struct value *there = vmap_get(data, key);
    if (there) {
        if (there->type != &type_list)
            return fail_conversion(p, *there, "[]interface {}");
        list = *there;
    }
    enum status status = parse_item(p, &list, i, level);
    set_key(data, key, list);
    return status;
}

static enum status parse_map_key(struct parser *p, struct vmap *data, struct str key, int level)
{
    if (level + 1 > MAX_LEVEL)
        return chart_fail(
            p->cx, "value name nested level is greater than maximum supported nested level of %d",
            MAX_LEVEL);
    struct value inner = value_map_new(p->cx->arena, &type_map);
    struct value *there = vmap_get(data, key);
    if (there) {
        if (!values_is_table(*there))
            return fail_conversion(p, *there, "map[string]interface {}");
        inner = *there;
    }
    enum status status = parse_key(p, inner.map, level + 1);
    if (status == DONE && vmap_len(inner.map) == 0)
        return chart_fail(p->cx, "key map %.*s has no value", STR_ARG(quoted(p, key)));
    if (vmap_len(inner.map))
        set_key(data, key, inner);
    return status;
}

static enum status parse_key(struct parser *p, struct vmap *data, int level)
{
    struct str key;
    char stop = 0;
    struct value v;
    enum status status = take_until(p, p->literal ? "=[." : "=[,.", &key, &stop);
    if (status != DONE)
        return key.n == 0 ? status
                          : chart_fail(p->cx, "key %.*s has no value", STR_ARG(quoted(p, key)));
    switch (stop) {
    case '[':
        return parse_list_key(p, data, key, level);
    case '.':
        return parse_map_key(p, data, key, level);
    case '=':
        status = take_value(p, &v);
        if (status != FAILED || (p->mode == STRVALS_FILE && v.type == &type_any))
            set_key(data, key, v);
        return status;
    default:
        set_key(data, key, value_str(STR("")));
        return chart_fail(p->cx, "key %.*s has no value (cannot end with ,)",
                          STR_ARG(quoted(p, key)));
    }
}

static int parse_all(struct parser *p, struct vmap *dest)
{
    enum status status = DONE;
    while (status == DONE)
        status = parse_key(p, dest, 0);
    return status == ENDED ? 0 : -1;
}

int strvals_parse(struct chart_ctx *cx, struct str text, enum strvals_mode mode, struct vmap *dest,
                  int (*read_file)(struct chart_ctx *cx, struct str name, struct str *ret))
{
    struct parser p = {.cx = cx, .rest = text, .mode = mode, .read_file = read_file};
    return parse_all(&p, dest);
}

int strvals_parse_literal(struct chart_ctx *cx, struct str text, struct vmap *dest)
{
    struct parser p = {.cx = cx, .rest = text, .mode = STRVALS_STRING, .literal = true};
    return parse_all(&p, dest);
}
