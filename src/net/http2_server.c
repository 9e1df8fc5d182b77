#include <nghttp2/nghttp2.h>

#include "net/head.h"
#include "net/http2.h"
#include "net/server_impl.h"

enum {
    QUEUE_HIGH = 64 * 1024, /* frames are made while less waits in the connection */
    STREAM_WINDOW = 256 * 1024,
    CONN_WINDOW = 1024 * 1024,
    UNWANTED_MAX = 1024 * 1024, /* body bytes that may follow a refusal */
    BODIES_MAX = 8,             /* times max_body: request bodies a connection may have under way */
    RESET_BURST = 1000,
    RESET_RATE = 50, /* a second; clients that open streams to cancel them (CVE-2023-44487) */
};

struct h2 {
    struct server_conn *sc; /* NULL: the connection is gone */
    struct http_server *server;
    nghttp2_session *session;
    struct list streams, drained;
    size_t stream_count, waiting; /* waiting: with the handler */
    size_t bodies;                /* bytes of request bodies held */
    struct loop_task task;        /* make frames; in the end: free */
    bool in_session;              /* nghttp2 is up the stack */
};

struct h2_stream {
    struct http_exchange x;
    struct list link, drained_link;
    struct h2 *h2; /* NULL: the stream is closed, the handler has not answered yet */
    int32_t id;
    struct head head;
    size_t path_at, path_n, method_at, method_n, authority_at, authority_n;
    struct buf body;
    struct h2_queue out;
    size_t unwanted;
    int refused; /* status that the request must be refused with */
    bool headed, handled, over, bodyless;
};

static void make_frames(struct loop_task *t);

/* --- streams --- */

static struct h2_stream *stream_of(struct h2 *h, int32_t id)
{
    return nghttp2_session_get_stream_user_data(h->session, id);
}

static void stream_free(struct h2_stream *st)
{
    head_done(&st->head);
    buf_done(&st->body);
    h2_queue_done(&st->out);
    free(st);
}

/* The stream has ended in the protocol. Without `closed` to tell, the exchange stays until it is
 * answered. */
static void stream_closed(struct h2_stream *st)
{
    struct h2 *h = st->h2;
    st->h2 = NULL;
    list_del(&st->link);
    list_del(&st->drained_link);
    h->stream_count--;
    h->bodies -= st->body.n;
    bool with_handler = st->handled && !st->over;
    h->waiting -= with_handler;
    h2_queue_done(&st->out);
    if (with_handler && !st->x.watch.closed)
        return;
    struct http_watch w = st->x.watch;
    stream_free(st);
    if (with_handler)
        w.closed(w.arg);
}

static void later(struct h2 *h)
{
    if (!h->in_session)
        loop_defer(h->server->loop, &h->task, make_frames);
}

/* --- sending --- */

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t n,
                       uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    (void)session, (void)id, (void)buf, (void)arg;
    return h2_queue_offer(&((struct h2_stream *)source->ptr)->out, n, flags);
}

static int on_send(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t n,
                   nghttp2_data_source *source, void *arg)
{
    (void)session, (void)frame;
    struct h2 *h = arg;
    struct h2_stream *st = source->ptr;
    h2_queue_send(&st->out, h->sc->conn, head, n);
    if (!st->out.queued && !st->over && list_empty(&st->drained_link))
        list_add_tail(&h->drained, &st->drained_link);
    return 0;
}

static void tell_drained(struct h2 *h)
{
    while (h->sc && !list_empty(&h->drained)) {
        struct h2_stream *st = CONTAINER_OF(h->drained.next, struct h2_stream, drained_link);
        list_del(&st->drained_link);
        if (!st->out.queued && !st->over && st->x.watch.drained)
            st->x.watch.drained(st->x.watch.arg);
    }
}

static void pump(struct h2 *h)
{
    h->in_session = true;
    int result = h2_pump(h->session, h->sc->conn, QUEUE_HIGH);
    h->in_session = false;
    if (result < 0) {
        http_server_conn_drop(h->sc, false);
        return;
    }
    tell_drained(h);
    if (h->sc && !nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session))
        http_server_conn_drop(h->sc, true);
}

static void make_frames(struct loop_task *t)
{
    pump(CONTAINER_OF(t, struct h2, task));
}

/* --- receiving --- */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *arg)
{
    (void)session, (void)flags;
    struct h2_stream *st = stream_of(arg, frame->hd.stream_id);
    if (!st || st->headed || st->refused) /* trailers are ignored */
        return 0;
    struct str n = {(const char *)name, name_n}, v = {(const char *)value, value_n};
    if (!head_fits(&st->head, n.n + v.n + HEAD_FIELD_COST)) {
        st->refused = 431;
        return 0;
    }
    if (n.n && n.p[0] == ':') {
        size_t at = head_text(&st->head, v);
        if (str_is(n, ":path"))
            st->path_at = at, st->path_n = v.n;
        else if (str_is(n, ":method"))
            st->method_at = at, st->method_n = v.n;
        else if (str_is(n, ":authority"))
            st->authority_at = at, st->authority_n = v.n;
        return 0;
    }
    head_add(&st->head);
    head_name(&st->head, n);
    head_value(&st->head, v);
    return 0;
}

static void refuse(struct h2_stream *st, int status);

static void headers_done(struct h2 *h, struct h2_stream *st)
{
    struct head *head = &st->head;
    st->headed = true;
    head_finish(head);
    struct http_request *r = &st->x.request;
    *r = (struct http_request){
        .method = head_at(head, st->method_at, st->method_n),
        .authority = head_at(head, st->authority_at, st->authority_n),
        .headers = head->headers,
        .header_count = head->count,
        .peer = conn_peer(h->sc->conn),
        .remote = str_of(h->sc->remote),
        .http2 = true,
        .secure = h->server->config.tls != NULL,
    };
    str_cut(head_at(head, st->path_at, st->path_n), '?', &r->path, &r->query);
    if (!r->authority.n)
        r->authority = http_request_header(r, "host");
    uint64_t length;
    if (!st->refused && str_to_u64(http_request_header(r, "content-length"), &length) &&
        length > h->server->config.max_body)
        st->refused = 413;
    if (!st->refused && (r->path.n == 0 || (r->path.p[0] != '/' && !str_is(r->path, "*"))))
        st->refused = 400;
    if (st->refused)
        refuse(st, st->refused);
}

static void handle(struct h2 *h, struct h2_stream *st)
{
    st->handled = true;
    h->waiting++;
    st->x.request.body = buf_str(&st->body);
    http_server_handle(&st->x);
}

static void expect_continue(struct h2 *h, struct h2_stream *st)
{
    static const char status[] = ":status", code[] = "100";
    if (!str_eq_nocase(http_request_header(&st->x.request, "expect"), STR("100-continue")))
        return;
    nghttp2_nv nv = {(uint8_t *)(uintptr_t)status, (uint8_t *)(uintptr_t)code, sizeof(status) - 1,
                     sizeof(code) - 1, NGHTTP2_NV_FLAG_NONE};
    nghttp2_submit_headers(h->session, NGHTTP2_FLAG_NONE, st->id, NULL, &nv, 1, NULL);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)session;
    struct h2 *h = arg;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    struct h2_stream *st = stream_of(h, frame->hd.stream_id);
    if (!st)
        return 0;
    bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (frame->hd.type == NGHTTP2_HEADERS && !st->headed) {
        headers_done(h, st);
        if (!end && !st->refused)
            expect_continue(h, st);
    }
    if (end && !st->handled && !st->refused)
        handle(h, st);
    return 0;
}

/* A refused request is answered before its body is there. The client gets some time to notice
 * (curl takes an early reset for a broken stream and does not show the answer). */
static int unwanted(struct h2_stream *st, size_t n)
{
    st->unwanted += n;
    if (st->unwanted > UNWANTED_MAX)
        nghttp2_submit_rst_stream(st->h2->session, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_NO_ERROR);
    return 0;
}

static int on_body(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
                   void *arg)
{
    (void)flags;
    struct h2 *h = arg;
    struct h2_stream *st = stream_of(h, id);
    if (!st || st->handled)
        return 0;
    if (st->refused)
        return unwanted(st, n);
    size_t max = h->server->config.max_body;
    if (n > max - st->body.n) {
        refuse(st, 413);
        return 0;
    }
    if (h->bodies + n > BODIES_MAX * max) {
        st->refused = 503;
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_ENHANCE_YOUR_CALM);
        return 0;
    }
    buf_append(&st->body, p, n);
    h->bodies += n;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    (void)session, (void)code;
    struct h2_stream *st = stream_of(arg, id);
    if (st)
        stream_closed(st);
    return 0;
}

/* --- answers --- */

static struct h2_stream *of_exchange(struct http_exchange *x)
{
    return CONTAINER_OF(x, struct h2_stream, x);
}

static void submit(struct h2_stream *st, int status, const struct http_header *headers,
                   size_t count, const size_t *length, bool body)
{
    struct h2 *h = st->h2;
    struct h2_fields f;
    h2_fields_init(&f, &h->server->scratch, count);
    h2_fields_status(&f, status);
    for (size_t i = 0; i < count; i++)
        if (!length || !str_eq_nocase(headers[i].name, STR("content-length")))
            h2_fields_add(&f, headers[i].name, headers[i].value);
    h2_fields_add(&f, STR("date"), http_server_date(h->server));
    if (length)
        h2_fields_length(&f, *length);
    nghttp2_data_provider data = {.source.ptr = st, .read_callback = on_read};
    const nghttp2_nv *nv = h2_fields_end(&f);
    nghttp2_submit_response(h->session, st->id, nv, f.count, body ? &data : NULL);
    h2_fields_done(&f);
    later(h);
}

/* What the handler had is done with; the stream lives until its frames are sent. */
static void leave_handler(struct h2_stream *st)
{
    st->over = true;
    if (!st->h2) {
        stream_free(st);
        return;
    }
    struct h2 *h = st->h2;
    h->waiting--;
    h->bodies -= st->body.n;
    buf_done(&st->body);
    head_done(&st->head);
}

static void h2_respond(struct http_exchange *x, int status, const struct http_header *headers,
                       size_t count, struct bytes *body)
{
    struct h2_stream *st = of_exchange(x);
    if (st->h2) {
        bool head_only = str_is(x->request.method, "HEAD");
        bool may = http_status_has_body(status);
        size_t length = body ? body->n : 0;
        bool ours = may && (body || !head_only);
        if (may && !head_only)
            h2_queue_put(&st->out, body);
        st->out.ended = true;
        submit(st, status, headers, count, ours ? &length : NULL, st->out.queued > 0);
    }
    leave_handler(st);
}

static void refuse(struct h2_stream *st, int status)
{
    st->refused = status;
    struct http_header type = {STR("content-type"), STR("text/plain; charset=utf-8")};
    struct buf text = {0};
    buf_printf(&text, "%d %s", status, http_reason(status));
    struct bytes *body = bytes_new(buf_str(&text));
    buf_done(&text);
    size_t length = body->n;
    h2_queue_put(&st->out, body);
    bytes_unref(body);
    st->out.ended = true;
    st->over = true;
    submit(st, status, &type, 1, &length, true);
}

static void h2_start(struct http_exchange *x, int status, const struct http_header *headers,
                     size_t count)
{
    struct h2_stream *st = of_exchange(x);
    st->bodyless = str_is(x->request.method, "HEAD") || !http_status_has_body(status);
    if (st->h2)
        submit(st, status, headers, count, NULL, true);
}

static size_t h2_write(struct http_exchange *x, struct bytes *chunk)
{
    struct h2_stream *st = of_exchange(x);
    if (!st->h2 || st->bodyless)
        return 0;
    h2_queue_put(&st->out, chunk);
    if (st->out.deferred) {
        st->out.deferred = false;
        nghttp2_session_resume_data(st->h2->session, st->id);
    }
    later(st->h2);
    return st->out.queued;
}

static void h2_end(struct http_exchange *x)
{
    struct h2_stream *st = of_exchange(x);
    st->out.ended = true;
    if (st->h2) {
        if (st->out.deferred) {
            st->out.deferred = false;
            nghttp2_session_resume_data(st->h2->session, st->id);
        }
        later(st->h2);
    }
    leave_handler(st);
}

static void h2_abort(struct http_exchange *x)
{
    struct h2_stream *st = of_exchange(x);
    if (st->h2) {
        nghttp2_submit_rst_stream(st->h2->session, NGHTTP2_FLAG_NONE, st->id,
                                  NGHTTP2_INTERNAL_ERROR);
        later(st->h2);
    }
    leave_handler(st);
}

/* --- the connection --- */

static const struct exchange_ops ops = {h2_respond, h2_start, h2_write, h2_end, h2_abort, NULL};

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct h2 *h = arg;
    if (!h->sc || frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct h2_stream *st = NEW(struct h2_stream);
    st->h2 = h;
    st->id = frame->hd.stream_id;
    st->x.ops = &ops;
    st->x.server = h->server;
    st->x.loop = h->server->loop;
    list_init(&st->drained_link);
    list_add_tail(&h->streams, &st->link);
    h->stream_count++;
    nghttp2_session_set_stream_user_data(session, st->id, st);
    return 0;
}

static nghttp2_session *new_session(struct h2 *h)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    if (nghttp2_session_callbacks_new(&callbacks) || nghttp2_option_new(&option))
        abort();
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_body);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send);
    nghttp2_option_set_stream_reset_rate_limit(option, RESET_BURST, RESET_RATE);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_session *session;
    if (nghttp2_session_server_new2(&session, callbacks, h, option))
        abort();
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    return session;
}

void h2_new(struct server_conn *sc)
{
    struct h2 *h = NEW(struct h2);
    h->sc = sc;
    h->server = sc->server;
    list_init(&h->streams);
    list_init(&h->drained);
    h->session = new_session(h);
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, h->server->config.max_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEAD_MAX},
    };
    nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
    nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW);
    sc->h2 = h;
    later(h);
}

void h2_data(struct h2 *h, struct str bytes)
{
    h->sc->head_due_ms = 0;
    h->in_session = true;
    ssize_t n = nghttp2_session_mem_recv(h->session, (const uint8_t *)bytes.p, bytes.n);
    if (!h->sc) /* a handler closed the server */
        return;
    h->in_session = false;
    if (n == NGHTTP2_ERR_FLOODED) { /* who floods does not read either: no last words */
        http_server_conn_drop(h->sc, false);
        return;
    }
    if (n < 0)
        nghttp2_session_terminate_session(h->session, NGHTTP2_PROTOCOL_ERROR);
    pump(h);
    if (n < 0 && h->sc)
        http_server_conn_drop(h->sc, true);
}

void h2_eof(struct h2 *h)
{
    http_server_conn_drop(h->sc, false);
}

void h2_drained(struct h2 *h)
{
    pump(h);
}

void h2_drain(struct h2 *h)
{
    nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(h->session), NGHTTP2_NO_ERROR,
                          NULL, 0);
    if (h->stream_count == 0)
        nghttp2_session_terminate_session(h->session, NGHTTP2_NO_ERROR);
    later(h);
}

/* A stream whose bytes wait for the peer's window is the peer's to move on. */
bool h2_waits_for_us(const struct h2 *h)
{
    LIST_FOR ((struct list *)&h->streams, it)
        if (CONTAINER_OF(it, struct h2_stream, link)->out.queued)
            return false;
    return h->waiting > 0;
}

static void free_now(struct loop_task *t)
{
    struct h2 *h = CONTAINER_OF(t, struct h2, task);
    nghttp2_session_del(h->session);
    free(h);
}

void h2_lost(struct h2 *h)
{
    h->sc = NULL;
    h->in_session = true; /* nothing is sent any more */
    while (!list_empty(&h->streams)) {
        struct h2_stream *st = CONTAINER_OF(h->streams.next, struct h2_stream, link);
        nghttp2_session_set_stream_user_data(h->session, st->id, NULL);
        stream_closed(st);
    }
    loop_defer(h->server->loop, &h->task, free_now);
}
