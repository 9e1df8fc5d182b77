#include "api/core.h"
#include "api/gzip.h"
#include "api/list.h"

enum {
    CHUNK = 64 * 1024,
    HIGH_WATER = 1024 * 1024,
    TURN = 1024 * 1024, /* JSON that is compressed before others get their turn */
};

struct stream {
    struct call *c;
    struct http_exchange *x;
    struct list_plan plan;
    int64_t revision;
    struct buf next; /* the key to go on with, when the reader was slow */
    struct buf chunk;
    struct gzip *gzip; /* NULL: sent as it is */
    size_t turn;       /* bytes compressed in this turn */
    bool started, comma;
};

static void stream_free(struct stream *s)
{
    buf_done(&s->next);
    buf_done(&s->chunk);
    gzip_free(s->gzip);
    call_free(s->c);
    free(s);
}

static void start(struct stream *s)
{
    static const struct http_header headers[] = {
        {STR_INIT("content-type"), STR_INIT("application/json")},
        {STR_INIT("cache-control"), STR_INIT("no-cache, private")},
        {STR_INIT("content-encoding"), STR_INIT("gzip")},
        {STR_INIT("vary"), STR_INIT("Accept-Encoding")}};
    s->started = true;
    if (s->c->gzip)
        s->gzip = gzip_new();
    http_start(s->x, 200, headers, s->gzip ? 4 : 2);
}

/* The bytes that wait for the reader. */
static size_t send(struct stream *s, struct str text)
{
    struct bytes *b = bytes_new(text);
    s->c->sent += text.n;
    size_t waiting = http_write(s->x, b);
    bytes_unref(b);
    return waiting;
}

/* What is compressed at a turn's end goes out whole: the next turn begins when it is sent. */
static size_t flush_gzip(struct stream *s, bool end)
{
    struct buf out = {0};
    s->turn += s->chunk.n;
    bool pause = s->turn >= TURN;
    gzip_put(s->gzip, buf_str(&s->chunk), end ? GZIP_END : pause ? GZIP_SYNC : GZIP_MORE, &out);
    size_t waiting = out.n ? send(s, buf_str(&out)) : 0;
    buf_done(&out);
    if (!pause)
        return waiting;
    s->turn = 0;
    return HIGH_WATER + 1;
}

static size_t flush(struct stream *s, bool end)
{
    if (!s->started)
        start(s);
    size_t waiting = s->gzip ? flush_gzip(s, end) : send(s, buf_str(&s->chunk));
    buf_clear(&s->chunk);
    return waiting;
}

/* A compressed answer begins with as much as decides that it is compressed. */
static bool is_full(const struct stream *s)
{
    return s->chunk.n > (s->c->gzip && !s->started ? (size_t)GZIP_MIN : (size_t)CHUNK);
}

/* true: the end of the list was reached. */
static bool produce(struct stream *s, struct store_snap *snap)
{
    struct str start_at = s->next.n ? buf_str(&s->next) : s->plan.start;
    struct list_walk walk;
    struct store_kv kv;
    bool more;
    list_walk_begin(&walk, &s->plan, s->c->kind, snap, start_at);
    while ((more = list_walk_next(&walk, &kv))) {
        if (s->comma)
            buf_putc(&s->chunk, ',');
        s->comma = true;
        list_put_item(s->c, kv.value, &s->chunk);
        if (!is_full(s) || flush(s, false) <= HIGH_WATER)
            continue;
        buf_clear(&s->next);
        buf_put(&s->next, kv.key);
        buf_putc(&s->next, '\0');
        break;
    }
    list_walk_end(&walk);
    return !more;
}

static void finish(struct stream *s)
{
    flush(s, true);
    http_end(s->x);
    metrics_count(s->c);
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
    if (end)
        finish(s);
    return CALL_TAKEN;
}
