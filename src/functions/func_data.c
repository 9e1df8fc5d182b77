/* func_data.c: JSON and YAML. Helm's functions swallow errors: writing gives nothing, reading gives
 * a map with the key Error, or a list with the text. sprig's must… functions fail. */
#include "functions/func_arg.h"
#include "functions/func_library.h"
#include "template/gojson.h"
#include "functions/toml.h"
#include "template/unicode.h"
#include "functions/yaml3.h"

#define FN(name)                                                                                   \
    static int name(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)

/* --- writing --- */

/* Without an error from Go, err.message is empty. */
static int to_json(struct tmpl_exec *x, struct value v, struct gojson_style style,
                   struct value *ret, struct err *err)
{
    struct buf b = {0};
    *ret = value_str(STR(""));
    if (gojson_write(tmpl_arena(x), &b, v, style, err) < 0) {
        buf_done(&b);
        return -1;
    }
    err->message[0] = '\0';
    return func_take_spent(x, &b, ret);
}

static int json_or_nothing(struct tmpl_exec *x, struct value v, struct gojson_style style,
                           struct value *ret)
{
    struct err err;
    int status = to_json(x, v, style, ret, &err);
    return status < 0 && err.message[0] ? 0 : status;
}

static int json_or_fail(struct tmpl_exec *x, struct value v, struct gojson_style style,
                        struct value *ret)
{
    struct err err;
    int status = to_json(x, v, style, ret, &err);
    return status < 0 && err.message[0] ? tmpl_fail(x, "%s", err.message) : status;
}

FN(json)
{
    (void)n;
    return json_or_nothing(x, args[0], (struct gojson_style){.html = true}, ret);
}

FN(must_json)
{
    (void)n;
    return json_or_fail(x, args[0], (struct gojson_style){.html = true}, ret);
}

FN(pretty_json)
{
    (void)n;
    return json_or_nothing(x, args[0], (struct gojson_style){.html = true, .pretty = true}, ret);
}

FN(must_pretty_json)
{
    (void)n;
    return json_or_fail(x, args[0], (struct gojson_style){.html = true, .pretty = true}, ret);
}

FN(raw_json)
{
    (void)n;
    return json_or_fail(x, args[0], (struct gojson_style){0}, ret);
}

/* --- toYaml reads its own JSON as YAML, which is not quite the same --- */

/* YAML may not hold these characters outright, as JSON does. */
static bool text_is_yaml(struct str s, bool *ret_next_line)
{
    size_t size;
    for (size_t i = 0; i < s.n; i += size) {
        unsigned char c = (unsigned char)s.p[i];
        size = 1;
        if (c == 0x7F)
            return false;
        if (c < 0x80)
            continue;
        uint32_t r = rune_decode(str_from(s, i), &size);
        if ((r < 0xA0 && r != 0x85) || r == 0xFEFF || r == 0xFFFE || r == 0xFFFF)
            return false;
        *ret_next_line = *ret_next_line || r == 0x85;
    }
    return true;
}

/* U+0085 is a line break to YAML: inside of quotes one is a blank, more are newlines, and the
 * blanks around them vanish. */
static struct str fold_next_lines(struct arena *a, struct str s)
{
    static const char next_line[] = "\xC2\x85";
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    while (s.n > 0) {
        size_t breaks = 0, at = 0;
        while (at < s.n && (s.p[at] == ' ' || str_starts(str_from(s, at), STR("\xC2\x85")))) {
            breaks += s.p[at] != ' ';
            at += s.p[at] == ' ' ? 1 : sizeof(next_line) - 1;
        }
        if (breaks == 0) {
            at = at ? at : 1;
            memcpy(out + n, s.p, at);
            n += at;
        } else if (breaks == 1) {
            out[n++] = ' ';
        }
        for (size_t i = 1; i < breaks; i++)
            out[n++] = '\n';
        s = str_from(s, at);
    }
    return (struct str){out, n};
}

static bool text_through_yaml(struct arena *a, val *v)
{
    bool next_line = false;
    if (!text_is_yaml(val_str(v), &next_line))
        return false;
    if (next_line) {
        struct str folded = fold_next_lines(a, val_str(v));
        yyjson_mut_set_strn(v, folded.p, folded.n);
    }
    return true;
}

/* Changes what YAML reads otherwise; -0 is 0. False: it cannot read it. */
static bool through_yaml(struct arena *a, val *v)
{
    bool fits = !val_is_str(v) || text_through_yaml(a, v);
    if (val_is_num(v) && val_real(v) == 0)
        yyjson_mut_set_uint(v, 0);
    VAL_FOR (v, item)
        fits = fits && through_yaml(a, item);
    VAL_EACH (v, key, member)
        fits = fits && text_through_yaml(a, key) && through_yaml(a, member);
    return fits;
}

/* libyaml indents what follows a line separator in single quotes, even when it is the closing
 * quote; go-yaml does not. */
static void cut_before_quotes(struct buf *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        b->p[n++] = b->p[i];
        bool separator = n >= 3 && (memcmp(b->p + n - 3, "\xE2\x80\xA8", 3) == 0 ||
                                    memcmp(b->p + n - 3, "\xE2\x80\xA9", 3) == 0);
        size_t after = i + 1;
        while (separator && after < b->n && b->p[after] == ' ')
            after++;
        if (separator && after + 1 < b->n && b->p[after] == '\'' && b->p[after + 1] == '\n')
            i = after - 1;
    }
    b->n = n;
}

static void cut_newline(struct buf *b)
{
    if (b->n > 0 && b->p[b->n - 1] == '\n')
        b->n--;
}

FN(yaml)
{
    struct doc doc;
    struct err err;
    struct buf b = {0};
    val *v;
    (void)n;
    doc_init(&doc);
    if (value_to_val(&doc, tmpl_arena(x), args[0], &v, &err) == 0 && through_yaml(tmpl_arena(x), v))
        val_write_yaml(v, &b);
    doc_done(&doc);
    if (b.n > 0 && memmem(b.p, b.n, "\xE2\x80", 2))
        cut_before_quotes(&b);
    cut_newline(&b);
    return func_take_spent(x, &b, ret);
}

FN(yaml_pretty)
{
    struct buf b = {0};
    (void)n;
    if (yaml3_write(tmpl_arena(x), &b, args[0]) < 0)
        buf_clear(&b);
    cut_newline(&b);
    return func_take_spent(x, &b, ret);
}

FN(to_toml)
{
    struct buf b = {0};
    struct err err;
    (void)n;
    if (func_is_nil(args[0]))
        return tmpl_fail(x, "reflect: call of reflect.Value.Type on zero Value");
    if (toml_write(tmpl_arena(x), &b, args[0], &err) < 0) {
        buf_clear(&b);
        buf_puts(&b, err.message);
    }
    return func_take_spent(x, &b, ret);
}

/* --- reading --- */

static struct value error_map(struct tmpl_exec *x, const char *message)
{
    struct value m = value_map_new(tmpl_arena(x), &type_map);
    vmap_set(m.map, STR("Error"), tmpl_str(x, str_of(message)));
    return m;
}

static struct value error_list(struct tmpl_exec *x, const char *message)
{
    struct value list = value_slice_new(tmpl_arena(x), &type_list, 1);
    list.items[0] = tmpl_str(x, str_of(message));
    return list;
}

static int wrong_type(const val *v, const struct gotype *type, struct err *err)
{
    return err_bad(err, "json: cannot unmarshal %s into Go value of type %s", val_type_name(v),
                   type->name);
}

/* Decodes into a map or list that was empty before; a null leaves nothing of JSON's target, and all
 * of YAML's, which goes through an interface. */
static int decode(struct tmpl_exec *x, struct str text, bool yaml, const struct gotype *type,
                  struct value *ret, struct err *err)
{
    struct doc doc;
    val *v;
    doc_init(&doc);
    int status = yaml ? doc_parse_yaml(&doc, text, &v, err) : doc_parse_json_go(&doc, text, &v, err);
    if (status == 0 && val_is_null(v)) {
        *ret = (struct value){.type = type};
        if (yaml)
            *ret = type == &type_map ? value_map_new(tmpl_arena(x), type)
                                     : value_slice_new(tmpl_arena(x), type, 0);
    } else if (status == 0 && !(type == &type_map ? val_is_obj(v) : val_is_arr(v))) {
        status = wrong_type(v, type, err);
        if (yaml)
            err_prefix(err, "error unmarshaling JSON: while decoding JSON");
    } else if (status == 0) {
        *ret = value_from_val(tmpl_arena(x), v);
    }
    doc_done(&doc);
    return status;
}

static int decode_map(struct tmpl_exec *x, struct str text, bool yaml, struct value *ret)
{
    struct err err;
    if (decode(x, text, yaml, &type_map, ret, &err) < 0)
        *ret = error_map(x, err.message);
    return tmpl_spend(x, text.n);
}

static int decode_list(struct tmpl_exec *x, struct str text, bool yaml, struct value *ret)
{
    struct err err;
    if (decode(x, text, yaml, &type_list, ret, &err) < 0)
        *ret = error_list(x, err.message);
    return tmpl_spend(x, text.n);
}

FN(from_json)
{
    (void)n;
    return decode_map(x, value_text(args[0]), false, ret);
}

FN(from_json_array)
{
    (void)n;
    return decode_list(x, value_text(args[0]), false, ret);
}

FN(from_yaml)
{
    (void)n;
    return decode_map(x, value_text(args[0]), true, ret);
}

FN(from_yaml_array)
{
    (void)n;
    return decode_list(x, value_text(args[0]), true, ret);
}

FN(must_from_json)
{
    struct doc doc;
    struct err err;
    val *v;
    (void)n;
    doc_init(&doc);
    int status = doc_parse_json_go(&doc, value_text(args[0]), &v, &err);
    if (status == 0)
        *ret = value_from_val(tmpl_arena(x), v);
    doc_done(&doc);
    return status < 0 ? tmpl_fail(x, "%s", err.message) : tmpl_spend(x, args[0].n);
}

FN(from_toml)
{
    struct err err;
    (void)n;
    if (toml_read(tmpl_arena(x), value_text(args[0]), ret, &err) < 0) {
        if (ret->map == NULL)
            *ret = value_map_new(tmpl_arena(x), &type_map);
        vmap_set(ret->map, STR("Error"), tmpl_str(x, str_of(err.message)));
    }
    return tmpl_spend(x, args[0].n);
}

const struct func func_data[] = {
    {"fromJson", from_json, {&type_string}, &type_map},
    {"fromJsonArray", from_json_array, {&type_string}, &type_list},
    {"fromToml", from_toml, {&type_string}, &type_map},
    {"fromYaml", from_yaml, {&type_string}, &type_map},
    {"fromYamlArray", from_yaml_array, {&type_string}, &type_list},
    {"mustFromJson", must_from_json, {&type_string}, &type_any},
    {"mustToJson", must_json, {&type_any}, &type_string},
    {"mustToPrettyJson", must_pretty_json, {&type_any}, &type_string},
    {"mustToRawJson", raw_json, {&type_any}, &type_string},
    {"toJson", json, {&type_any}, &type_string},
    {"toPrettyJson", pretty_json, {&type_any}, &type_string},
    {"toRawJson", raw_json, {&type_any}, &type_string},
    {"toToml", to_toml, {&type_any}, &type_string},
    {"toYaml", yaml, {&type_any}, &type_string},
    {"toYamlPretty", yaml_pretty, {&type_any}, &type_string},
    {0},
};
