/* Table answers, as kubectl get asks for them (meta.k8s.io/v1 Table): the kind's columns, one row
 * an object, and in each row the object's metadata, the object, or nothing. */
#include "api/call.h"
#include "api/core.h"
#include "api/raw.h"

void metadata_only(struct str json, struct buf *out)
{
    struct str meta = raw_member(json, "metadata");
    buf_puts(out, "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\","
                  "\"metadata\":");
    buf_put(out, meta.p ? meta : STR("{}"));
    buf_putc(out, '}');
}

static const struct schema_column *columns_of(const struct kind *k)
{
    return k->s->columns ? k->s->columns : strategy_default_columns;
}

static void put_text(struct doc *d, const char *z, struct buf *b)
{
    val_write_json(val_new_z(d, z ? z : ""), b);
}

static void put_columns(struct call *c, const struct kind *k, struct buf *b)
{
    for (const struct schema_column *col = columns_of(k); col->name; col++) {
        buf_puts(b, col == columns_of(k) ? "{\"name\":" : ",{\"name\":");
        put_text(&c->doc, col->name, b);
        buf_puts(b, ",\"type\":");
        put_text(&c->doc, col->type, b);
        buf_puts(b, ",\"format\":");
        put_text(&c->doc, col->format, b);
        buf_puts(b, ",\"description\":");
        put_text(&c->doc, col->description, b);
        buf_printf(b, ",\"priority\":%d}", col->priority);
    }
}

void table_begin(struct table *t, struct call *c, const struct kind *k, struct buf *out,
                 struct str list_meta)
{
    *t = (struct table){.c = c, .k = k, .out = out};
    buf_puts(out, "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":");
    buf_put(out, list_meta);
    buf_puts(out, ",\"columnDefinitions\":[");
    put_columns(c, k, out);
    buf_puts(out, "],\"rows\":[");
}

void table_end(struct table *t)
{
    buf_puts(t->out, "]}");
}

int table_row(struct table *t, struct str json, struct err *err)
{
    struct call *c = t->c;
    struct doc d;
    val *obj;
    doc_init(&d);
    if (doc_parse_json(&d, json, &obj, err) != 0) {
        doc_done(&d);
        return -1;
    }
    val *cells = val_new_arr(&d);
    if (t->k->s->row) {
        t->ctx.d = &d;
        t->k->s->row(&t->ctx, obj, &d, cells);
    } else {
        val_push(cells, val_new_str(&d, VAL_STR(obj, "metadata", "name")));
        val_push(cells, val_new_str(&d, VAL_STR(obj, "metadata", "creationTimestamp")));
    }
    buf_puts(t->out, t->rows++ ? ",{\"cells\":" : "{\"cells\":");
    val_write_json(cells, t->out);
    if (c->include_object) {
        buf_puts(t->out, ",\"object\":");
        buf_put(t->out, json);
    } else if (!c->include_none) {
        buf_puts(t->out, ",\"object\":");
        metadata_only(json, t->out);
    }
    buf_putc(t->out, '}');
    doc_done(&d);
    return 0;
}

int table_single(struct call *c, const struct kind *k, struct str json, bool columns,
                 struct buf *out, struct err *err)
{
    struct table t;
    struct buf meta = {0};
    struct str revision = raw_path(json, "metadata.resourceVersion");
    buf_printf(&meta, "{\"resourceVersion\":%.*s}", STR_ARG(revision.p ? revision : STR("\"\"")));
    if (columns)
        table_begin(&t, c, k, out, buf_str(&meta));
    else {
        t = (struct table){.c = c, .k = k, .out = out};
        buf_puts(out, "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":");
        buf_put(out, buf_str(&meta));
        buf_puts(out, ",\"columnDefinitions\":null,\"rows\":[");
    }
    buf_done(&meta);
    call_fill_ctx(c, &t.ctx, c->snap);
    int rc = table_row(&t, json, err);
    table_end(&t);
    return rc;
}
