/* release_write.c: Helm's JSON of a release: the fields in the order of its Go structs, empty ones
 * left out where those say omitempty. */
#include "chart/objects.h"
#include "release/release_internal.h"
#include "template/gobase.h"
#include "template/gojson.h"

struct writer {
    struct chart_ctx *cx;
    struct buf *b;
};

static void put_key(struct buf *b, const char *key)
{
    if (b->p[b->n - 1] != '{')
        buf_putc(b, ',');
    buf_printf(b, "\"%s\":", key);
}

static void put_text(struct buf *b, const char *key, struct str text)
{
    put_key(b, key);
    gojson_quote(b, text, true);
}

static void put_text_unless_empty(struct buf *b, const char *key, struct str text)
{
    if (text.n)
        put_text(b, key, text);
}

static void put_int_unless_zero(struct buf *b, const char *key, int i)
{
    if (i == 0)
        return;
    put_key(b, key);
    buf_put_i64(b, i);
}

static void put_time(struct buf *b, const char *key, struct release_time t)
{
    put_key(b, key);
    buf_putc(b, '"');
    release_time_write(t, b);
    buf_putc(b, '"');
}

static int put_value(struct writer *w, const char *key, struct value v)
{
    struct err err;
    put_key(w->b, key);
    if (gojson_write(w->cx->arena, w->b, v, (struct gojson_style){.html = true}, &err) != 0)
        return chart_fail(w->cx, "%s", err.message);
    return 0;
}

/* --- the chart --- */
static void put_files(struct buf *b, const char *key, const struct chart_files *files)
{
    put_key(b, key);
    if (files->n == 0) {
        buf_puts(b, "null");
        return;
    }
    for (size_t i = 0; i < files->n; i++) {
        buf_puts(b, i == 0 ? "[{" : ",{");
        put_text(b, "name", files->items[i].name);
        put_key(b, "data");
        buf_putc(b, '"');
        gobase64_write(b, files->items[i].data);
        buf_puts(b, "\"}");
    }
    buf_putc(b, ']');
}

static int put_lock(struct writer *w, const struct chart_lock *lock)
{
    struct release_time t = {0};
    struct buf generated = {0};
    if (!lock)
        return put_value(w, "lock", VALUE_NIL);
    release_time_parse(lock->generated, &t);
    release_time_write(t, &generated);
    struct chart_lock copy = *lock;
    copy.generated =
        t.ns ? arena_dup(w->cx->arena, buf_str(&generated)) : STR("0001-01-01T00:00:00Z");
    buf_done(&generated);
    return put_value(w, "lock", chart_lock_value(w->cx->arena, &copy));
}

static int put_chart(struct writer *w, const struct chart *c)
{
    put_key(w->b, "chart");
    buf_putc(w->b, '{');
    struct value meta = c->has_meta ? chart_metadata_value(w->cx->arena, &c->meta) : VALUE_NIL;
    if (put_value(w, "metadata", meta) != 0 || put_lock(w, c->lock) != 0)
        return -1;
    put_files(w->b, "templates", &c->templates);
    if (put_value(w, "values", value_map(&type_map, c->values)) != 0)
        return -1;
    if (put_value(w, "schema", c->has_schema ? value_bytes(c->schema) : VALUE_NIL) != 0)
        return -1;
    put_files(w->b, "files", &c->files);
    buf_putc(w->b, '}');
    return 0;
}

/* --- hooks --- */
static bool names_bit(const struct hook_names *names, const struct chart_strs *list, uint32_t bit)
{
    for (size_t i = 0; i < list->n; i++)
        if (hook_bit(names, list->items[i]) == bit)
            return true;
    return false;
}

static void put_names(struct buf *b, const char *key, const struct hook_names *names,
                      const struct chart_strs *list, uint32_t bits)
{
    if (list->n == 0 && bits == 0)
        return;
    put_key(b, key);
    const char *separator = "[";
    for (size_t i = 0; i < list->n; i++, separator = ",") {
        buf_puts(b, separator);
        gojson_quote(b, list->items[i], true);
    }
    for (size_t i = 0; i < names->n; i++)
        if (bits & 1u << i && !names_bit(names, list, 1u << i)) {
            buf_printf(b, "%s\"%s\"", separator, names->texts[i]);
            separator = ",";
        }
    buf_putc(b, ']');
}

static void put_hook(struct buf *b, const struct release_hook *h)
{
    buf_putc(b, '{');
    put_text_unless_empty(b, "name", h->name);
    put_text_unless_empty(b, "kind", h->kind);
    put_text_unless_empty(b, "path", h->path);
    put_text_unless_empty(b, "manifest", h->manifest);
    put_names(b, "events", &hook_event_names, &h->event_names, h->events);
    put_key(b, "last_run");
    buf_putc(b, '{');
    put_time(b, "started_at", h->started);
    put_time(b, "completed_at", h->completed);
    put_text(b, "phase", str_of(hook_phase_text(h->phase)));
    buf_putc(b, '}');
    put_int_unless_zero(b, "weight", h->weight);
    put_names(b, "delete_policies", &hook_policy_names, &h->delete_names, h->delete_policies);
    put_names(b, "output_log_policies", &hook_policy_names, &h->output_log_names,
              h->output_log_policies);
    buf_putc(b, '}');
}

static void put_hooks(struct buf *b, const struct release *r)
{
    if (r->hook_count == 0)
        return;
    put_key(b, "hooks");
    for (size_t i = 0; i < r->hook_count; i++) {
        buf_putc(b, i == 0 ? '[' : ',');
        put_hook(b, &r->hooks[i]);
    }
    buf_putc(b, ']');
}

/* --- the release --- */
static int put_info(struct writer *w, const struct release *r)
{
    put_key(w->b, "info");
    buf_putc(w->b, '{');
    put_time(w->b, "first_deployed", r->first_deployed);
    put_time(w->b, "last_deployed", r->last_deployed);
    put_time(w->b, "deleted", r->deleted);
    put_text_unless_empty(w->b, "description", r->description);
    put_text(w->b, "status", str_of(release_status_text(r->status)));
    put_text_unless_empty(w->b, "notes", r->notes);
    if (r->resources && put_value(w, "resources", value_map(&type_map, r->resources)) != 0)
        return -1;
    buf_putc(w->b, '}');
    return 0;
}

int release_write_json(struct chart_ctx *cx, const struct release *r, struct buf *b)
{
    struct writer w = {cx, b};
    buf_putc(b, '{');
    put_text_unless_empty(b, "name", r->name);
    if (put_info(&w, r) != 0 || (r->chart && put_chart(&w, r->chart) != 0))
        return -1;
    if (vmap_len(r->config) && put_value(&w, "config", value_map(&type_map, r->config)) != 0)
        return -1;
    put_text_unless_empty(b, "manifest", r->manifest);
    put_hooks(b, r);
    put_int_unless_zero(b, "version", r->version);
    put_text_unless_empty(b, "namespace", r->namespace);
    buf_putc(b, '}');
    return 0;
}
