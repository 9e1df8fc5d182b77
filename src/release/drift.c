/* drift.c: a walk over what is wanted, with the live object and the schema beside it. */
#include "release/drift.h"

#include "doc/quantity.h"
#include "doc/schema.h"
#include "release/diff.h"
#include "template/gobase.h"

struct walk {
    struct chart_ctx *cx;
    struct drift_object *found; /* NULL: only whether there is any difference counts */
    struct buf path;
    bool differs, redacts;
};

static void compare(struct walk *w, const struct schema_field *f, const struct schema *s,
                    const val *want, const val *live);

/* --- what was found --- */
static struct str json_of(struct walk *w, const val *v)
{
    struct buf b = {0};
    if (!v)
        return STR("");
    if (w->redacts && val_is_str(v)) {
        struct buf plain = {0};
        size_t ignored;
        gobase64_decode(&plain, val_str(v), &ignored);
        struct str text = diff_redacted(w->cx->arena, "REDACTED", buf_str(&plain));
        buf_printf(&b, "\"%.*s\"", STR_ARG(text));
        buf_done(&plain);
    } else {
        val_write_json(v, &b);
    }
    struct str text = arena_dup(w->cx->arena, buf_str(&b));
    buf_done(&b);
    return text;
}

static void note(struct walk *w, const val *want, const val *live)
{
    struct drift_object *d = w->found;
    w->differs = true;
    if (!d || d->n >= DRIFT_MAX_FIELDS)
        return;
    if (d->n == d->cap) {
        d->cap = d->cap ? 2 * d->cap : 8;
        struct drift_field *grown = arena_alloc(w->cx->arena, d->cap * sizeof(*grown));
        if (d->n)
            memcpy(grown, d->fields, d->n * sizeof(*grown));
        d->fields = grown;
    }
    d->fields[d->n++] = (struct drift_field){
        .path = arena_dup(w->cx->arena, buf_str(&w->path)),
        .wanted = json_of(w, want),
        .live = json_of(w, live),
    };
}

/* --- paths --- */
static bool is_plain_key(struct str key)
{
    for (size_t i = 0; i < key.n; i++) {
        char c = key.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '-' && c != '_')
            return false;
    }
    return key.n > 0;
}

/* Each gives the length to which path_cut goes back. */
static size_t path_key(struct walk *w, struct str key)
{
    size_t at = w->path.n;
    if (is_plain_key(key))
        buf_printf(&w->path, "%s%.*s", at ? "." : "", STR_ARG(key));
    else
        buf_printf(&w->path, "[\"%.*s\"]", STR_ARG(key));
    return at;
}

static size_t path_index(struct walk *w, size_t i)
{
    size_t at = w->path.n;
    buf_printf(&w->path, "[%zu]", i);
    return at;
}

static size_t path_element(struct walk *w, const val *key)
{
    size_t at = w->path.n;
    buf_putc(&w->path, '[');
    if (val_is_str(key))
        buf_put(&w->path, val_str(key));
    else
        val_write_json(key, &w->path);
    buf_putc(&w->path, ']');
    return at;
}

static void path_cut(struct walk *w, size_t at)
{
    w->path.n = at;
    w->path.p[at] = 0;
}

/* --- scalars --- */
/* What Go's types cannot tell from nothing: the server drops it, or puts its default there. */
static bool is_unset(const struct schema_field *f, const val *want, const val *live)
{
    if (val_is_null(want))
        return true;
    if (!f || f->pointer)
        return false;
    bool allocated =
        strcmp(f->name, "nodePort") == 0 || strcmp(f->name, "healthCheckNodePort") == 0;
    if (val_is_str(want))
        return val_str(want).n == 0;
    if (val_is_num(want))
        return val_real(want) == 0 && (!live || allocated);
    return !live && !val_bool(want) && val_len(want) == 0;
}

static bool same_quantity(const val *want, const val *live)
{
    struct quantity a, b;
    struct buf x = {0}, y = {0};
    const val *both[] = {want, live};
    struct buf *texts[] = {&x, &y};
    for (int i = 0; i < 2; i++)
        if (val_is_str(both[i]))
            buf_put(texts[i], val_str(both[i]));
        else
            val_write_json(both[i], texts[i]);
    bool same = quantity_parse(buf_str(&x), &a, NULL) == 0 &&
                quantity_parse(buf_str(&y), &b, NULL) == 0 && quantity_cmp(&a, &b) == 0;
    buf_done(&x);
    buf_done(&y);
    return same;
}

static void compare_scalar(struct walk *w, const struct schema *s, const val *want, const val *live)
{
    bool quantity = s && s->type == SCHEMA_QUANTITY;
    if (!live || !(val_eq(want, live) || (quantity && same_quantity(want, live))))
        note(w, want, live);
}

/* --- objects --- */
static void compare_object(struct walk *w, const struct schema *s, const val *want, const val *live)
{
    VAL_EACH (want, key, member) {
        const struct schema_field *f =
            s && s->type == SCHEMA_OBJECT ? schema_field(s, val_str(key)) : NULL;
        const struct schema *below = f ? f->schema : s && s->type == SCHEMA_MAP ? s->items : NULL;
        size_t at = path_key(w, val_str(key));
        compare(w, f, below, member, val_get_str(live, val_str(key)));
        path_cut(w, at);
    }
}

/* --- lists --- */
static bool fits(struct walk *w, const struct schema *s, const val *want, const val *live)
{
    struct walk quiet = {.cx = w->cx};
    compare(&quiet, NULL, s, want, live);
    buf_done(&quiet.path);
    return !quiet.differs;
}

/* The live element of that key, and of several (one port with two protocols) the one that fits. */
static const val *find_element(struct walk *w, const struct schema *s, const char *key,
                               const val *want, const val *live)
{
    const val *first = NULL;
    VAL_FOR (live, item) {
        if (key ? !val_eq(val_get(want, key), val_get(item, key)) : !val_eq(want, item))
            continue;
        if (!first)
            first = item;
        if (fits(w, s, want, item))
            return item;
    }
    return first;
}

/* The member by which elements are told apart; NULL: they are not. */
static const char *element_key(const struct schema_field *f, const val *want)
{
    const char *key = !f                                                ? NULL
                      : f->merge_key && (f->patch & SCHEMA_PATCH_MERGE) ? f->merge_key
                      : f->list == SCHEMA_LIST_MAP && f->list_keys      ? f->list_keys[0]
                                                                        : NULL;
    VAL_FOR (want, item)
        if (key && !val_get(item, key))
            return NULL;
    return key;
}

static void compare_list(struct walk *w, const struct schema_field *f, const struct schema *s,
                         const val *want, const val *live)
{
    const struct schema *items = s && s->type == SCHEMA_ARRAY ? s->items : NULL;
    const char *key = element_key(f, want);
    bool set = f && (f->list == SCHEMA_LIST_SET || (f->patch & SCHEMA_PATCH_MERGE)) &&
               !f->merge_key && f->list != SCHEMA_LIST_MAP;
    if (!key && !set && val_len(want) != val_len(live)) {
        note(w, want, live);
        return;
    }
    struct val_walk beside = val_walk_arr(live);
    size_t i = 0;
    VAL_FOR (want, item) {
        const val *other =
            key || set ? find_element(w, items, key, item, live) : val_walk_next(&beside);
        size_t at = key ? path_element(w, val_get(item, key)) : path_index(w, i);
        compare(w, NULL, items, item, other);
        path_cut(w, at);
        i++;
    }
}

/* Recursion is as deep as the document, which its parser bounds. */
static void compare(struct walk *w, const struct schema_field *f, const struct schema *s,
                    const val *want, const val *live)
{
    if (is_unset(f, want, live))
        return;
    if (val_is_obj(want) && val_is_obj(live))
        compare_object(w, s, want, live);
    else if (val_is_arr(want) && val_is_arr(live))
        compare_list(w, f, s, want, live);
    else
        compare_scalar(w, s, want, live);
}

/* --- whole objects --- */
/* stringData is written into data by the server. */
static void fold_string_data(struct doc *d, val *secret)
{
    const val *texts = val_get(secret, "stringData");
    if (!val_is_obj(texts))
        return;
    val *data = val_ensure_obj(d, secret, "data");
    VAL_EACH (texts, key, text) {
        struct buf base64 = {0};
        gobase64_write(&base64, val_str(text));
        val_set_str(d, data, val_str(key), val_new_str(d, buf_str(&base64)));
        buf_done(&base64);
    }
    val_del(secret, "stringData");
}

static void compare_whole(struct walk *w, const struct object *o, struct doc *d, val *want,
                          val *live, bool show_secrets)
{
    const struct schema *s = schema_of_kind(o->api_version, o->kind);
    bool secret = str_is(o->kind, "Secret") && str_is(o->api_version, "v1");
    val_del(want, "status"); /* never taken from a manifest */
    val_del(VAL_PATH(want, "metadata", "labels"), "app.kubernetes.io/managed-by"); /* Helm's own */
    if (secret)
        fold_string_data(d, want);
    if (s) { /* canonical quantities, times, base64; what it refuses is compared as it is */
        schema_check(s, d, want, NULL, NULL);
        schema_check(s, d, live, NULL, NULL);
    }
    VAL_EACH (want, key, member) {
        const struct schema_field *f = s ? schema_field(s, val_str(key)) : NULL;
        w->redacts = secret && !show_secrets && str_is(val_str(key), "data");
        size_t at = path_key(w, val_str(key));
        compare(w, f, f ? f->schema : NULL, member, val_get_str(live, val_str(key)));
        path_cut(w, at);
    }
}

int drift_of_object(struct chart_ctx *cx, const struct object *o, struct str live_json,
                    bool show_secrets, struct drift_object *ret)
{
    struct doc d;
    struct err err;
    val *want, *live;
    *ret = (struct drift_object){.object = o, .missing = live_json.n == 0};
    if (ret->missing)
        return 0;
    struct walk w = {.cx = cx, .found = ret};
    doc_init(&d);
    int rc = doc_parse_json(&d, o->json, &want, &err) != 0 ||
                     doc_parse_json(&d, live_json, &live, &err) != 0
                 ? chart_fail(cx, "%s", err.message)
                 : 0;
    if (rc == 0)
        compare_whole(&w, o, &d, want, live, show_secrets);
    buf_done(&w.path);
    doc_done(&d);
    return rc;
}

int drift_of_manifest(struct chart_ctx *cx, struct cluster *c, struct str manifest,
                      bool show_secrets, struct drift *ret)
{
    struct objects *wanted = ARENA_NEW(cx->arena, struct objects);
    *ret = (struct drift){0};
    if (cluster_build(c, manifest, false, wanted) != 0)
        return -1;
    ret->checked = wanted->n;
    ret->items = arena_alloc(cx->arena, (wanted->n + 1) * sizeof(*ret->items));
    for (size_t i = 0; i < wanted->n; i++) {
        struct drift_object *one = &ret->items[ret->n];
        struct str live;
        if (cluster_get(c, &wanted->items[i], &live) != 0 ||
            drift_of_object(cx, &wanted->items[i], live, show_secrets, one) != 0)
            return -1;
        ret->n += one->missing || one->n;
    }
    return 0;
}
