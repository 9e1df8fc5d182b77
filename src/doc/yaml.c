/* YAML to values in go-yaml's two steps: libyaml's events become a tree of nodes, which then is
 * decoded with its anchors and merges. Recursion is bounded by DOC_MAX_DEPTH in both. Ordinary
 * texts become nodes without libyaml. */
#include <math.h>
#include <stdio.h>
#include <yaml.h>

#include "base/map.h"
#include "doc/val_internal.h"
#include "doc/yaml_node.h"
#include "doc/yaml_scalar.h"

struct reader {
    struct doc *doc;
    struct arena nodes;
    struct map anchors;
    yaml_parser_t parser;
    struct buf *duplicates;
    struct err *err;
    size_t depth;
    size_t decoded, decoded_by_alias; /* values, as go-yaml counts them */
    size_t bytes_by_alias;
    int alias_depth;
};

static int fail(struct reader *r, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int fail(struct reader *r, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err_setv(r->err, 400, "BadRequest", format, args);
    va_end(args);
    if (r->err)
        r->err->line = line;
    return err_prefix(r->err, "error converting YAML to JSON: yaml");
}

/* go-yaml counts lines from 0 in its marks and adds one for the scanner's errors only. */
static int fail_syntax(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    size_t line = p->problem_mark.line;
    if (line)
        line += p->error == YAML_SCANNER_ERROR;
    else
        line = p->context_mark.line;
    const char *problem = p->problem ? p->problem : "unknown problem parsing YAML content";
    if (line)
        return fail(r, (int)line, "line %zu: %s", line, problem);
    return fail(r, 0, "%s", problem);
}

/* --- events to nodes --- */
static struct str event_text(const yaml_char_t *p)
{
    return str_of((const char *)p);
}

static struct str keep_text(struct doc *doc, struct str s)
{
    char *copy = doc_alloc_text(doc, s.n);
    memcpy(copy, s.p ? s.p : "", s.n);
    copy[s.n] = 0;
    return (struct str){copy, s.n};
}

static int read_node(struct reader *r, yaml_event_t *event, struct node **ret);

static int read_children(struct reader *r, struct node *n, yaml_event_type_t end)
{
    if (++r->depth > DOC_MAX_DEPTH)
        return fail(r, n->line, "exceeded max depth of %d", DOC_MAX_DEPTH);
    struct node **at = &n->first;
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event))
            return fail_syntax(r);
        bool ended = event.type == end;
        int status = ended ? 0 : read_node(r, &event, at);
        yaml_event_delete(&event);
        if (status != 0)
            return -1;
        if (ended)
            break;
        at = &(*at)->next;
        n->count++;
    }
    r->depth--;
    return 0;
}

static void set_anchor(struct reader *r, const yaml_char_t *anchor, struct node *n)
{
    if (anchor)
        map_set(&r->anchors, event_text(anchor), n);
}

static int read_node(struct reader *r, yaml_event_t *event, struct node **ret)
{
    struct node *n = ARENA_NEW(&r->nodes, struct node);
    *ret = n;
    n->line = (int)event->start_mark.line + 1;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        n->kind = SCALAR;
        n->implicit = event->data.scalar.plain_implicit;
        n->tag = arena_dup(&r->nodes, event_text(event->data.scalar.tag));
        n->text = keep_text(r->doc, (struct str){(const char *)event->data.scalar.value,
                                                 event->data.scalar.length});
        set_anchor(r, event->data.scalar.anchor, n);
        return 0;
    case YAML_ALIAS_EVENT:
        n->kind = ALIAS;
        n->text = arena_dup(&r->nodes, event_text(event->data.alias.anchor));
        n->first = map_get(&r->anchors, n->text);
        return n->first ? 0
                        : fail(r, n->line, "unknown anchor '%.*s' referenced", STR_ARG(n->text));
    case YAML_SEQUENCE_START_EVENT:
        n->kind = SEQUENCE;
        set_anchor(r, event->data.sequence_start.anchor, n);
        return read_children(r, n, YAML_SEQUENCE_END_EVENT);
    case YAML_MAPPING_START_EVENT:
        n->kind = MAPPING;
        set_anchor(r, event->data.mapping_start.anchor, n);
        return read_children(r, n, YAML_MAPPING_END_EVENT);
    default:
        return fail(r, n->line, "unexpected event");
    }
}

/* By libyaml: the first document's root; NULL for an empty stream. Others are ignored, as go-yaml
 * does. */
static int read_events(struct reader *r, struct node **ret)
{
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event))
            return fail_syntax(r);
        yaml_event_type_t type = event.type;
        int status = 0;
        bool root = type != YAML_STREAM_START_EVENT && type != YAML_DOCUMENT_START_EVENT;
        if (root && type != YAML_STREAM_END_EVENT)
            status = read_node(r, &event, ret);
        yaml_event_delete(&event);
        if (!root)
            continue;
        if (status == 0 && type != YAML_STREAM_END_EVENT) {
            if (!yaml_parser_parse(&r->parser, &event)) /* the document's end */
                return fail_syntax(r);
            yaml_event_delete(&event);
        }
        return status;
    }
}

static int read_document(struct reader *r, struct str text, struct node **ret)
{
    *ret = yaml_read_plain(r->doc, &r->nodes, text);
    if (*ret)
        return 0;
    if (!yaml_parser_initialize(&r->parser))
        abort();
    const char *p = text.p ? text.p : "";
    yaml_parser_set_input_string(&r->parser, (const yaml_char_t *)p, text.n);
    int status = read_events(r, ret);
    yaml_parser_delete(&r->parser);
    return status;
}

/* --- nodes to values --- */
static int decode(struct reader *r, struct node *n, val **ret);

/* go-yaml's rule against "billion laughs": the bigger the document, the smaller the share of it
 * that may come from aliases. The bytes of shared strings count here as well. */
static int count_value(struct reader *r, const struct node *n)
{
    enum { LOW = 400000, HIGH = 4000000 };
    r->decoded++;
    if (r->alias_depth > 0) {
        r->decoded_by_alias++;
        r->bytes_by_alias += n->kind == SCALAR ? n->text.n : 1;
    }
    double allowed = r->decoded <= LOW ? 0.99
                     : r->decoded >= HIGH
                         ? 0.10
                         : 0.99 - 0.89 * ((double)(r->decoded - LOW) / (HIGH - LOW));
    bool excessive = r->decoded_by_alias > 100 && r->decoded > 1000 &&
                     (double)r->decoded_by_alias / (double)r->decoded > allowed;
    if (excessive || r->bytes_by_alias > DOC_MAX_BYTES || r->decoded > DOC_MAX_VALUES)
        return fail(r, n->line, "document contains excessive aliasing");
    return 0;
}

static struct str short_tag(struct str tag, char (*room)[64])
{
    struct str prefix = STR("tag:yaml.org,2002:");
    if (!str_starts(tag, prefix))
        return tag;
    snprintf(*room, sizeof *room, "!!%.*s", STR_ARG(str_from(tag, prefix.n)));
    return str_of(*room);
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Padded standard base64; line ends are skipped. */
static bool decode_base64(struct str s, struct buf *b)
{
    uint32_t bits = 0;
    size_t taken = 0, padding = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '\n' || c == '\r')
            continue;
        int digit = base64_digit(c);
        if (c == '=' ? taken % 4 < 2 : digit < 0 || padding > 0)
            return false;
        padding += c == '=';
        bits = bits << 6 | (uint32_t)(c == '=' ? 0 : digit);
        if (++taken % 4 == 0)
            buf_append(b, (char[]){(char)(bits >> 16), (char)(bits >> 8), (char)bits}, 3 - padding);
    }
    return taken % 4 == 0 && padding <= 2;
}

static int decode_binary(struct reader *r, const struct node *n, val **ret)
{
    struct buf bytes = {0}, text = {0};
    bool right = decode_base64(n->text, &bytes);
    utf8_put(buf_str(&bytes), &text);
    if (right)
        *ret = val_new_str(r->doc, buf_str(&text));
    buf_done(&bytes);
    buf_done(&text);
    return right ? 0 : fail(r, n->line, "!!binary value contains invalid base64 data");
}

static int decode_real(struct reader *r, const struct node *n, double real, val **ret)
{
    if (!isfinite(real)) {
        if (r->err)
            r->err->line = n->line;
        return err_bad(r->err, "error converting YAML to JSON: json: unsupported value: %s",
                       isnan(real) ? "NaN"
                       : real > 0  ? "+Inf"
                                   : "-Inf");
    }
    *ret = val_new_real(r->doc, real);
    return 0;
}

/* What a scalar means, its tag considered. */
static int resolve(struct reader *r, const struct node *n, struct yaml_scalar *ret)
{
    char room[64];
    struct str tag = short_tag(n->tag, &room);
    *ret = (struct yaml_scalar){YAML_STR};
    if (tag.n == 0 ? !n->implicit : str_is(tag, "!!str"))
        return 0;
    static const char *const known[] = {"!!bool", "!!int", "!!float", "!!null", "!!timestamp"};
    bool resolvable = tag.n == 0;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        resolvable |= str_is(tag, known[i]);
    if (!resolvable)
        return 0;
    *ret = yaml_resolve(n->text);
    if (ret->kind == YAML_TIME && tag.n != 0 && !str_is(tag, "!!timestamp"))
        ret->kind = YAML_STR;
    const char *got = yaml_kind_tag(ret->kind);
    if (tag.n == 0 || str_is(tag, got) || (str_is(tag, "!!float") && ret->kind == YAML_INT))
        return 0;
    return fail(r, n->line, "cannot decode %s `%.*s` as a %.*s", got, STR_ARG(n->text),
                STR_ARG(tag));
}

static int decode_scalar(struct reader *r, struct node *n, val **ret)
{
    if (str_is(n->tag, "tag:yaml.org,2002:binary"))
        return decode_binary(r, n, ret);
    struct yaml_scalar s;
    if (resolve(r, n, &s) != 0)
        return -1;
    switch (s.kind) {
    case YAML_NULL:
        *ret = val_new_null(r->doc);
        return 0;
    case YAML_BOOL:
        *ret = val_new_bool(r->doc, s.b);
        return 0;
    case YAML_INT:
        *ret = val_new_int(r->doc, s.i);
        return 0;
    case YAML_UINT:
        *ret = val_new_uint(r->doc, s.u);
        return 0;
    case YAML_FLOAT:
        return decode_real(r, n, s.r, ret);
    default:
        *ret = val_new_static(r->doc, n->text);
        return 0;
    }
}

/* A value as fmt's %#v shows what go-yaml would have made of it. */
static void write_go_syntax(const val *v, struct buf *b)
{
    bool first = true;
    if (val_is_null(v)) {
        buf_puts(b, "interface {}(nil)");
    } else if (val_is_arr(v)) {
        buf_puts(b, "[]interface {}{");
        VAL_FOR (v, item) {
            buf_puts(b, first ? "" : ", ");
            write_go_syntax(item, b);
            first = false;
        }
        buf_putc(b, '}');
    } else if (val_is_obj(v)) {
        buf_puts(b, "map[interface {}]interface {}{");
        VAL_EACH (v, key, member) {
            buf_puts(b, first ? "" : ", ");
            write_go_syntax(key, b);
            buf_putc(b, ':');
            write_go_syntax(member, b);
            first = false;
        }
        buf_putc(b, '}');
    } else {
        val_write_json(v, b);
    }
}

static int fail_key(struct reader *r, const struct node *n, const val *key)
{
    val *member = NULL;
    bool is_null = val_is_null(key);
    if (is_null && decode(r, n->next, &member) != 0)
        return -1;
    struct buf shown = {0};
    if (is_null && val_is_null(member))
        buf_puts(&shown, "<nil>");
    else
        write_go_syntax(is_null ? member : key, &shown);
    struct str cut = str_head(buf_str(&shown), 900);
    if (is_null) /* not go-yaml says so */
        err_bad(r->err,
                "error converting YAML to JSON: unsupported map key of type: %%!s(<nil>), "
                "key: <nil>, value: %.*s",
                STR_ARG(cut));
    else
        fail(r, n->line, "invalid map key: %.*s", STR_ARG(cut));
    buf_done(&shown);
    return -1;
}

/* JSON's keys are strings: other scalars take the form that sigs.k8s.io/yaml gives them. */
static int decode_key(struct reader *r, struct node *n, struct str *ret)
{
    val *key = NULL;
    if (decode(r, n, &key) != 0)
        return -1;
    if (val_is_str(key)) {
        *ret = val_str(key);
        return 0;
    }
    if (val_is_null(key) || yyjson_mut_is_ctn(key))
        return fail_key(r, n, key);
    struct buf text = {0};
    if (yyjson_mut_is_real(key))
        real_write_short(val_real(key), true, &text);
    else
        val_write_json(key, &text);
    *ret = keep_text(r->doc, buf_str(&text));
    buf_done(&text);
    return 0;
}

static bool is_merge(const struct node *n)
{
    return n->kind == SCALAR && str_is(n->text, "<<") &&
           ((n->implicit && n->tag.n == 0) || str_is(n->tag, "tag:yaml.org,2002:merge"));
}

/* A mapping under construction; the index finds the members of large ones. */
struct target {
    val *obj;
    struct map index;
};

static val *find_member(struct target *t, struct str key)
{
    enum { LINEAR = 32 };
    if (val_len(t->obj) <= LINEAR)
        return val_get_key(t->obj, key);
    if (t->index.count == 0)
        VAL_EACH (t->obj, known, member)
            map_set(&t->index, val_str(known), known);
    return map_get(&t->index, key);
}

static void set_member(struct reader *r, struct target *t, const struct node *n, struct str key,
                       val *v)
{
    val *old = find_member(t, key);
    if (old && r->duplicates) {
        buf_printf(r->duplicates, "line %d: key ", n->line);
        val_write_json(old, r->duplicates);
        buf_puts(r->duplicates, " already set in map\n");
    }
    if (old) {
        v->next = old->next->next;
        old->next = v;
        return;
    }
    val *made = val_new_static(r->doc, key);
    yyjson_mut_obj_add(t->obj, made, v);
    if (t->index.count)
        map_set(&t->index, key, made);
}

static int decode_members(struct reader *r, struct node *n, struct target *t);

static int merge_one(struct reader *r, struct node *n, struct target *t)
{
    struct node *source = n->kind == ALIAS ? n->first : n;
    if (source->kind != MAPPING)
        return fail(r, n->line, "map merge requires map or sequence of maps as the value");
    if (n->open)
        return fail(r, n->line, "anchor '%.*s' value contains itself", STR_ARG(n->text));
    n->open = true;
    r->alias_depth += n->kind == ALIAS;
    int status = count_value(r, n) != 0 ? -1 : decode_members(r, source, t);
    r->alias_depth -= n->kind == ALIAS;
    n->open = false;
    return status;
}

static int merge(struct reader *r, struct node *n, struct target *t)
{
    if (n->kind != SEQUENCE)
        return merge_one(r, n, t);
    /* From the last to the first: earlier ones take precedence. */
    CLEANUP(mem_freep) struct node **parts = mem_realloc_array(NULL, n->count + 1, sizeof *parts);
    size_t count = 0;
    for (struct node *part = n->first; part; part = part->next)
        parts[count++] = part;
    while (count-- > 0)
        if (merge_one(r, parts[count], t) != 0)
            return -1;
    return 0;
}

static int decode_members(struct reader *r, struct node *n, struct target *t)
{
    if (++r->depth > DOC_MAX_DEPTH)
        return fail(r, n->line, "exceeded max depth of %d", DOC_MAX_DEPTH);
    for (struct node *key = n->first; key; key = key->next->next) {
        if (is_merge(key)) {
            if (merge(r, key->next, t) != 0)
                return -1;
            continue;
        }
        struct str name;
        val *v = NULL;
        if (decode_key(r, key, &name) != 0 || decode(r, key->next, &v) != 0)
            return -1;
        set_member(r, t, key->next, name, v);
    }
    r->depth--;
    return 0;
}

static int decode_mapping(struct reader *r, struct node *n, val **ret)
{
    struct target t = {.obj = val_new_obj(r->doc)};
    *ret = t.obj;
    int status = decode_members(r, n, &t);
    map_done(&t.index);
    return status;
}

static int decode_sequence(struct reader *r, struct node *n, val **ret)
{
    if (++r->depth > DOC_MAX_DEPTH)
        return fail(r, n->line, "exceeded max depth of %d", DOC_MAX_DEPTH);
    *ret = val_new_arr(r->doc);
    for (struct node *item = n->first; item; item = item->next) {
        val *v = NULL;
        if (decode(r, item, &v) != 0)
            return -1;
        val_push(*ret, v);
    }
    r->depth--;
    return 0;
}

static int decode_alias(struct reader *r, struct node *n, val **ret)
{
    if (n->open)
        return fail(r, n->line, "anchor '%.*s' value contains itself", STR_ARG(n->text));
    n->open = true;
    r->alias_depth++;
    int status = decode(r, n->first, ret);
    r->alias_depth--;
    n->open = false;
    return status;
}

static int decode(struct reader *r, struct node *n, val **ret)
{
    if (count_value(r, n) != 0)
        return -1;
    switch (n->kind) {
    case SCALAR:
        return decode_scalar(r, n, ret);
    case SEQUENCE:
        return decode_sequence(r, n, ret);
    case MAPPING:
        return decode_mapping(r, n, ret);
    default:
        return decode_alias(r, n, ret);
    }
}

static int parse(struct doc *doc, struct str text, size_t max, val **ret, struct buf *duplicates,
                 struct err *err)
{
    if (text.n > max)
        return err_set(err, 413, "RequestEntityTooLarge", "Request entity too large: limit is %zu",
                       max);
    struct reader r = {.doc = doc, .duplicates = duplicates, .err = err};
    struct node *root = NULL;
    val *v = NULL;
    int status = read_document(&r, text, &root);
    r.depth = 0;
    if (status == 0 && root)
        status = decode(&r, root, &v);
    if (status == 0)
        *ret = v ? v : val_new_null(doc);
    map_done(&r.anchors);
    arena_done(&r.nodes);
    return status;
}

int doc_parse_yaml_strict(struct doc *doc, struct str text, val **ret, struct buf *duplicates,
                          struct err *err)
{
    return parse(doc, text, DOC_MAX_BYTES, ret, duplicates, err);
}

int doc_parse_yaml(struct doc *doc, struct str text, val **ret, struct err *err)
{
    return doc_parse_yaml_strict(doc, text, ret, NULL, err);
}

static bool is_separator(struct str line)
{
    struct str rest = str_trim(str_from(line, 3));
    return str_starts(line, STR("---")) && (rest.n == 0 || rest.p[0] == '#');
}

bool doc_next_yaml(struct str *rest, struct str *ret_part)
{
    struct str at = *rest;
    const char *start = at.p;
    while (at.n) {
        struct str line, after;
        str_cut(at, '\n', &line, &after);
        if (is_separator(line)) {
            size_t before = (size_t)(at.p - start);
            if (before > 0) {
                *ret_part = (struct str){start, before};
                *rest = after;
                return true;
            }
            start = line.p + line.n + (line.n < at.n);
        }
        at = (struct str){line.p + line.n + (line.n < at.n), at.n - line.n - (line.n < at.n)};
    }
    *ret_part = (struct str){start, start ? (size_t)(rest->p + rest->n - start) : 0};
    *rest = (struct str){0};
    return ret_part->n > 0;
}

int doc_parse_yaml_max(struct doc *doc, struct str text, size_t max, val **ret, struct err *err)
{
    return parse(doc, text, max, ret, NULL, err);
}
