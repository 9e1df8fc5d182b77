#include "release/resources.h"

#include "release/cluster_impl.h"

static const struct str table_type =
    STR_INIT("application/json;as=Table;v=v1;g=meta.k8s.io,application/json");

struct found {
    struct chart_ctx *cx;
    struct cluster *cluster;
    bool as_tables;
    struct vmap *lists;
    struct vmap *selectors; /* of pods that were asked for */
};

/* --- asking --- */
/* NULL in *ret: it does not exist, or is not to be seen. */
static val *ask(struct found *f, struct str path, struct str query, struct doc *d)
{
    struct client_request r = {.method = "GET",
                               .path = path,
                               .query = query,
                               .accept = f->as_tables ? table_type : STR("")};
    struct answer a = {0};
    struct err err;
    val *v = NULL;
    if (cluster_call(f->cluster, &r, &a) != 0)
        return NULL;
    if (doc_parse_json_max(d, bytes_str(a.body), RELEASE_MAX_JSON, &v, &err) != 0)
        v = NULL;
    bytes_unref(a.body);
    return v;
}

static void add(struct found *f, struct str key, const val *v)
{
    struct arena *a = f->cx->arena;
    struct value *old = vmap_get(f->lists, key);
    size_t n = old ? old->n : 0;
    struct value list = value_slice_new(a, &type_list, n + 1);
    if (n)
        memcpy(list.items, old->items, n * sizeof(*list.items));
    list.items[n] = value_from_val(a, v);
    vmap_set(f->lists, key, list);
}

/* --- the pods of workloads --- */
static const val *selector_of(const val *object)
{
    static const char *const kinds[] = {"ReplicaSet", "Deployment", "StatefulSet", "DaemonSet",
                                        "Job"};
    struct str kind = VAL_STR(object, "kind");
    if (str_is(kind, "ReplicationController"))
        return VAL_PATH(object, "spec", "selector");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_is(kind, kinds[i]))
            return VAL_PATH(object, "spec", "selector", "matchLabels");
    return NULL;
}

/* "a=b,c=d", sorted. */
static struct str selector_text(struct arena *a, const val *labels)
{
    struct vmap *sorted = vmap_new(a, val_len(labels));
    struct buf b = {0};
    VAL_EACH (labels, key, v)
        vmap_set(sorted, arena_dup(a, val_str(key)), value_str(arena_dup(a, val_str(v))));
    for (size_t i = 0; i < vmap_len(sorted); i++)
        buf_printf(&b, "%s%.*s=%.*s", i ? "," : "", STR_ARG(sorted->entries[i].key),
                   STR_ARG(value_text(sorted->entries[i].value)));
    struct str text = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return text;
}

static void add_pods(struct found *f, const struct object *o, const val *object)
{
    struct arena *a = f->cx->arena;
    const val *labels = selector_of(object);
    struct buf query = {0};
    struct doc d;
    if (!val_is_obj(labels))
        return;
    struct str selector = selector_text(a, labels);
    if (vmap_get(f->selectors, selector))
        return;
    vmap_set(f->selectors, selector, value_bool(true));
    buf_puts(&query, "limit=500&labelSelector=");
    cluster_query_escape(&query, selector);
    struct str path = arena_printf(a, "/api/v1/namespaces/%.*s/pods", STR_ARG(o->namespace));
    doc_init(&d);
    val *list = ask(f, path, buf_str(&query), &d);
    VAL_FOR (f->as_tables ? NULL : val_get(list, "items"), pod) { /* lists leave that out */
        val_set_z(&d, pod, "apiVersion", "v1");
        val_set_z(&d, pod, "kind", "Pod");
    }
    if (list)
        add(f, STR("v1/Pod(related)"), list);
    doc_done(&d);
    buf_done(&query);
}

static void add_object(struct found *f, const struct object *o)
{
    struct str group, version, key;
    struct doc d;
    struct err err;
    val *wanted;
    doc_init(&d);
    val *live = ask(f, o->path, STR(""), &d);
    if (live) {
        if (!str_cut(o->api_version, '/', &group, &version))
            version = o->api_version;
        key = arena_printf(f->cx->arena, "%.*s/%.*s", STR_ARG(version), STR_ARG(o->kind));
        add(f, key, live);
        if (doc_parse_json(&d, o->json, &wanted, &err) == 0)
            add_pods(f, o, wanted);
    }
    doc_done(&d);
}

int resources_of_release(struct chart_ctx *cx, struct cluster *c, const struct release *r,
                         bool as_tables, struct vmap **ret)
{
    struct objects wanted = {0};
    struct found f = {cx, c, as_tables, vmap_new(cx->arena, 8), vmap_new(cx->arena, 8)};
    if (cluster_build(c, r->manifest, false, &wanted) != 0)
        return -1;
    for (size_t i = 0; i < wanted.n; i++)
        add_object(&f, &wanted.items[i]);
    *ret = f.lists;
    return 0;
}

/* --- printing --- */
enum { MAX_COLUMNS = 64, GAP = 3, NARROWEST = 6 };

static struct value field(struct value object, const char *name)
{
    struct value *v = value_kind(object) == KIND_MAP ? vmap_get(object.map, str_of(name)) : NULL;
    return v ? *v : VALUE_NIL;
}

static size_t list_len(struct value v)
{
    return v.type == &type_list ? v.n : 0;
}

/* Text up to its first line's end; numbers as they are. */
static void put_cell(struct value v, struct buf *b)
{
    if (value_kind(v) == KIND_STRING) {
        struct str s = value_text(v);
        size_t n = 0;
        while (n < s.n && !strchr("\f\n\r", s.p[n]))
            n++;
        buf_put(b, str_head(s, n));
        buf_puts(b, n < s.n ? "..." : "");
    } else if (value_kind(v) == KIND_FLOAT64) {
        buf_printf(b, "%.15g", v.f);
    } else if (value_kind(v) == KIND_BOOL) {
        buf_puts(b, v.b ? "true" : "false");
    }
}

struct printed {
    struct arena arena;
    struct str (*rows)[MAX_COLUMNS];
    size_t rows_n, columns;
    size_t shown[MAX_COLUMNS]; /* the definitions' indexes */
};

static struct str text_of(struct arena *a, struct value v, bool upper)
{
    struct buf b = {0};
    put_cell(v, &b);
    for (size_t i = 0; upper && i < b.n; i++)
        if (b.p[i] >= 'a' && b.p[i] <= 'z')
            b.p[i] += 'A' - 'a';
    struct str text = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return text;
}

static void put_rows(const struct printed *p, struct buf *out)
{
    size_t widths[MAX_COLUMNS] = {0};
    for (size_t i = 0; i < p->rows_n; i++)
        for (size_t c = 0; c < p->columns; c++) {
            size_t width = p->rows[i][c].n + GAP;
            width = width < NARROWEST ? NARROWEST : width;
            widths[c] = width > widths[c] ? width : widths[c];
        }
    for (size_t i = 0; i < p->rows_n; i++) {
        for (size_t c = 0; c < p->columns; c++) {
            buf_put(out, p->rows[i][c]);
            for (size_t n = p->rows[i][c].n; c + 1 < p->columns && n < widths[c]; n++)
                buf_putc(out, ' ');
        }
        buf_putc(out, '\n');
    }
}

/* head: its columns are not those of the table before. */
static void put_table(struct value table, bool head, struct buf *out)
{
    struct value columns = field(table, "columnDefinitions"), rows = field(table, "rows");
    struct printed p = {0};
    if (list_len(rows) == 0)
        return;
    for (size_t i = 0; i < list_len(columns) && p.columns < MAX_COLUMNS; i++) {
        struct value priority = field(columns.items[i], "priority");
        if (value_kind(priority) != KIND_FLOAT64 || priority.f == 0)
            p.shown[p.columns++] = i;
    }
    p.rows = arena_zalloc(&p.arena, (list_len(rows) + 1) * sizeof(*p.rows));
    for (size_t c = 0; head && c < p.columns; c++)
        p.rows[0][c] = text_of(&p.arena, field(columns.items[p.shown[c]], "name"), true);
    p.rows_n = head;
    for (size_t i = 0; i < list_len(rows); i++, p.rows_n++) {
        struct value cells = field(rows.items[i], "cells");
        for (size_t c = 0; c < p.columns; c++)
            if (p.shown[c] < list_len(cells))
                p.rows[p.rows_n][c] = text_of(&p.arena, cells.items[p.shown[c]], false);
    }
    put_rows(&p, out);
    arena_done(&p.arena);
}

void resources_put_tables(struct vmap *resources, struct buf *out)
{
    struct value last = VALUE_NIL;
    for (size_t i = 0; i < vmap_len(resources); i++) {
        const struct vmap_entry *e = &resources->entries[i];
        buf_printf(out, "==> %.*s\n", STR_ARG(e->key));
        for (size_t k = 0; k < list_len(e->value); k++) {
            struct value columns = field(e->value.items[k], "columnDefinitions");
            put_table(e->value.items[k], !value_deep_equal(columns, last), out);
            last = columns;
        }
        buf_putc(out, '\n');
    }
}
