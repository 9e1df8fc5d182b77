/* cluster_build.c: from a manifest to objects, as kubectl's resource builder finds them. */
#include "release/cluster_impl.h"

enum { MAX_OBJECTS = 100000 };

void objects_add(struct arena *a, struct objects *o, const struct object *one)
{
    if (o->n == o->cap) {
        o->cap = o->cap ? o->cap * 2 : 16;
        struct object *grown = arena_alloc(a, o->cap * sizeof *grown);
        if (o->n)
            memcpy(grown, o->items, o->n * sizeof *grown);
        o->items = grown;
    }
    o->items[o->n++] = *one;
}

static struct str group_of(struct str api_version)
{
    struct str group, version;
    return str_cut(api_version, '/', &group, &version) ? group : STR("");
}

struct object *objects_find(const struct objects *o, const struct object *like)
{
    for (size_t i = 0; i < o->n; i++) {
        struct object *one = &o->items[i];
        if (str_eq(one->name, like->name) && str_eq(one->namespace, like->namespace) &&
            str_eq(one->kind, like->kind) &&
            str_eq(group_of(one->api_version), group_of(like->api_version)))
            return one;
    }
    return NULL;
}

/* --- what may be wrong with one document --- */
struct builder {
    struct cluster *c;
    struct objects *out;
    struct chart_strs errors;
    size_t errors_cap;
};

static void note_error(struct builder *b)
{
    struct chart_ctx *cx = b->c->cx;
    for (size_t i = 0; i < b->errors.n; i++)
        if (str_eq(b->errors.items[i], cx->error))
            return; /* utilerrors.Aggregate tells the same thing once */
    if (b->errors.n == b->errors_cap) {
        b->errors_cap = b->errors_cap ? b->errors_cap * 2 : 8;
        struct str *grown = arena_alloc(cx->arena, b->errors_cap * sizeof *grown);
        if (b->errors.n)
            memcpy(grown, b->errors.items, b->errors.n * sizeof *grown);
        b->errors.items = grown;
    }
    b->errors.items[b->errors.n++] = cx->error;
}

static int fail_all(struct builder *b)
{
    struct chart_ctx *cx = b->c->cx;
    struct buf text = {0};
    if (b->errors.n == 0)
        return 0;
    for (size_t i = 0; i < b->errors.n; i++)
        buf_printf(&text, "%s%.*s", i ? ", " : "", STR_ARG(b->errors.items[i]));
    chart_fail(cx, b->errors.n > 1 ? "[%.*s]" : "%.*s", STR_ARG(buf_str(&text)));
    buf_done(&text);
    return -1;
}

/* What validation asks of a document itself; its fields are checked by the server. */
static int validate(struct chart_ctx *cx, const val *v)
{
    bool no_version = VAL_STR(v, "apiVersion").n == 0, no_kind = VAL_STR(v, "kind").n == 0;
    if (!no_version && !no_kind)
        return 0;
    return chart_fail(cx, "error validating \"\": error validating data: %s",
                      no_version && no_kind ? "[apiVersion not set, kind not set]"
                      : no_version          ? "apiVersion not set"
                                            : "kind not set");
}

static int check_texts(struct chart_ctx *cx, const val *metadata, const char *field)
{
    const val *map = val_get(metadata, field);
    if (!val_is_null(map) && !val_is_obj(map))
        return chart_fail(cx,
                          "unable to decode \"\": json: cannot unmarshal %s into Go struct field "
                          "ObjectMeta.metadata.%s of type map[string]string",
                          val_type_name(map), field);
    VAL_EACH (map, key, member)
        if (!val_is_str(member) && !val_is_null(member))
            return chart_fail(cx,
                              "unable to decode \"\": json: cannot unmarshal %s into Go struct "
                              "field ObjectMeta.metadata.%s of type string",
                              val_type_name(member), field);
    return 0;
}

static int check_text(struct chart_ctx *cx, const val *metadata, const char *field)
{
    const val *v = val_get(metadata, field);
    if (val_is_null(v) || val_is_str(v))
        return 0;
    return chart_fail(cx,
                      "unable to decode \"\": json: cannot unmarshal %s into Go struct field "
                      "ObjectMeta.metadata.%s of type string",
                      val_type_name(v), field);
}

static int check_head(struct chart_ctx *cx, const val *v)
{
    const val *metadata = val_get(v, "metadata");
    if (VAL_STR(v, "kind").n == 0) {
        struct buf text = {0};
        val_write_json(v, &text);
        chart_fail(cx, "unable to decode \"\": Object 'Kind' is missing in '%.*s'",
                   STR_ARG(buf_str(&text)));
        buf_done(&text);
        return -1;
    }
    return check_texts(cx, metadata, "annotations") || check_texts(cx, metadata, "labels") ||
                   check_text(cx, metadata, "name") || check_text(cx, metadata, "namespace")
               ? -1
               : 0;
}

/* --- finding the kind --- */
static int no_kind_match(struct chart_ctx *cx, const struct object *o)
{
    return chart_fail(cx,
                      "resource mapping not found for name: \"%.*s\" namespace: \"%.*s\" from "
                      "\"\": no matches for kind \"%.*s\" in version \"%.*s\"\nensure CRDs are "
                      "installed first",
                      STR_ARG(o->name), STR_ARG(o->namespace), STR_ARG(o->kind),
                      STR_ARG(o->api_version));
}

static int add_object(struct builder *b, struct doc *d, val *v)
{
    struct cluster *c = b->c;
    struct arena *a = c->cx->arena;
    struct object o = {
        .api_version = arena_dup(a, VAL_STR(v, "apiVersion")),
        .kind = arena_dup(a, VAL_STR(v, "kind")),
        .namespace = arena_dup(a, VAL_STR(v, "metadata", "namespace")),
        .name = arena_dup(a, VAL_STR(v, "metadata", "name")),
    };
    const struct served *s;
    if (cluster_find_kind(c, o.api_version, o.kind, &s) != 0)
        return -1;
    if (!s)
        return no_kind_match(c->cx, &o);
    if (b->out->n >= MAX_OBJECTS)
        return chart_fail(c->cx, "more than %d objects", MAX_OBJECTS);
    val *metadata = val_ensure_obj(d, v, "metadata");
    if (!s->namespaced)
        o.namespace = STR("");
    else if (o.namespace.n == 0)
        o.namespace = c->namespace;
    if (o.namespace.n)
        val_set_s(d, metadata, "namespace", o.namespace);
    else
        val_del(metadata, "namespace");
    o.collection = cluster_collection(c, s, o.namespace);
    o.path = arena_printf(a, "%.*s/%.*s", STR_ARG(o.collection), STR_ARG(o.name));
    struct buf json = {0};
    val_write_json(v, &json);
    o.json = arena_dup(a, buf_str(&json));
    buf_done(&json);
    objects_add(a, b->out, &o);
    return 0;
}

/* A document, or each item of a List. */
static void add_document(struct builder *b, struct doc *d, val *v)
{
    struct chart_ctx *cx = b->c->cx;
    const val *items = val_get(v, "items");
    if (check_head(cx, v) != 0) {
        note_error(b);
        return;
    }
    if (!str_ends(VAL_STR(v, "kind"), STR("List")) || !val_is_arr(items)) {
        if (add_object(b, d, v) != 0)
            note_error(b);
        return;
    }
    VAL_FOR (items, item)
        if (check_head(cx, item) != 0 || add_object(b, d, item) != 0)
            note_error(b);
}

int cluster_build(struct cluster *c, struct str manifest, bool validating, struct objects *ret)
{
    struct builder b = {.c = c, .out = ret};
    struct str rest = manifest, part;
    bool go_on = true;
    *ret = (struct objects){0};
    while (go_on && doc_next_yaml(&rest, &part)) {
        struct doc d;
        struct err err;
        val *v = NULL;
        doc_init(&d);
        if (doc_parse_yaml(&d, part, &v, &err) != 0) {
            chart_fail(c->cx, "error parsing : error converting YAML to JSON: %s", err.message);
            go_on = false;
        } else if (!val_is_null(v)) {
            go_on = !validating || validate(c->cx, v) == 0;
            if (go_on)
                add_document(&b, &d, v);
        }
        if (!go_on)
            note_error(&b);
        doc_done(&d);
    }
    return fail_all(&b);
}
