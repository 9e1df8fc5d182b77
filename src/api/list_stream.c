#include "api/core.h"
#include "api/list.h"

enum { CHUNK = 64 * 1024, HIGH_WATER = 1024 * 1024 };

struct stream {
    struct call *c;
    struct http_exchange *x;
    struct list_plan plan;
    int64_t revision;
    struct buf next; /* the key to go on with, when the reader was slow */
    struct buf chunk;
    bool started, comma;
};

static void stream_free(struct stream *s)
{
    buf_done(&s->next);
    buf_done(&s->chunk);
    call_free(s->c);
    free(s);
}

/* The bytes that wait for the reader. */
static size_t flush(struct stream *s)
{
    static const struct http_header headers[] = {
        {STR_INIT("content-type"), STR_INIT("application/json")},
        {STR_INIT("cache-control"), STR_INIT("no-cache, private")}};
    if (!s->started)
        http_start(s->x, 200, headers, ARRAY_LEN(headers));
    s->started = true;
    struct bytes *b = bytes_new(buf_str(&s->chunk));
    size_t waiting = http_write(s->x, b);
    bytes_unref(b);
    buf_clear(&s->chunk);
    return waiting;
}

/* true: the end of the list was reached. */
static bool produce(struct stream *s, struct store_snap *snap)
{
    struct str start = s->next.n ? buf_str(&s->next) : s->plan.start;
    struct store_iter *it = store_range(snap, start, s->plan.end);
    struct store_kv kv;
    bool more;
    while ((more = store_next(it, &kv))) {
        if (!selection_match(&s->plan.selection, s->c->kind, kv.key, kv.value))
            continue;
        if (s->comma)
            buf_putc(&s->chunk, ',');
        s->comma = true;
        list_put_item(s->c, kv.value, &s->chunk);
        if (s->chunk.n < CHUNK || flush(s) <= HIGH_WATER)
            continue;
        buf_clear(&s->next);
        buf_put(&s->next, kv.key);
        buf_putc(&s->next, '\0');
        break;
    }
    store_iter_free(it);
    return !more;
}

static void finish(struct stream *s)
{
    flush(s);
    http_end(s->x);
    stream_free(s);
}

static void on_drained(void *arg)
{
    struct stream *s = arg;
    struct store_snap *snap;
    struct err ignored;
    /* A reader so slow that the revision was compacted meanwhile has to begin anew. */
    if (store_snap_begin(s->c->api->config.store, s->revision, &snap, &ignored) != 0) {
        http_abort(s->x);
        stream_free(s);
        return;
    }
    bool end = produce(s, snap);
    store_snap_end(snap);
    if (!end)
        return;
    buf_puts(&s->chunk, "]}");
    finish(s);
}

static void on_closed(void *arg)
{
    stream_free(arg);
}

enum call_next list_stream(struct call *c, const struct list_plan *p)
{
    struct stream *s = NEW(struct stream);
    struct buf meta = {0};
    s->c = c;
    s->x = c->x;
    s->plan = *p;
    s->revision = store_snap_revision(c->snap);
    http_watch(s->x, &(struct http_watch){on_closed, on_drained, s});
    buf_printf(&meta, "{\"resourceVersion\":\"%lld\"}", (long long)s->revision);
    list_put_head(c, buf_str(&meta), &s->chunk);
    buf_done(&meta);
    bool end = produce(s, c->snap);
    call_end(c);
    if (end)
        buf_puts(&s->chunk, "]}");
    if (end && !s->started) { /* a short one is answered whole */
        call_reply(c, 200, bytes_new(buf_str(&s->chunk)));
        http_watch(s->x, &(struct http_watch){.arg = NULL});
        s->c = NULL;
        stream_free(s);
        return CALL_DONE;
    }
    c->x = NULL;
    c->request = NULL;
    metrics_count(c);
    if (end)
        finish(s);
    return CALL_TAKEN;
}
