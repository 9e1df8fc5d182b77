#include "net/client_impl.h"

enum {
    QUEUE_HIGH = 64 * 1024,
    STREAM_WINDOW = 1024 * 1024,
    CONN_WINDOW = 16 * 1024 * 1024,
    HEAD_SEND_MAX = 1024 * 1024,
};

struct c2 {
    struct client_conn *cc; /* NULL: the connection is gone */
    struct loop *loop;
    nghttp2_session *session;
    struct loop_task task; /* make frames; in the end: free */
    bool in_session;
};

static void make_frames(struct loop_task *t);

static void later(struct c2 *c)
{
    if (!c->in_session)
        loop_defer(c->loop, &c->task, make_frames);
}

static void pump(struct c2 *c)
{
    struct err err;
    c->in_session = true;
    int result = h2_pump(c->session, c->cc->conn, QUEUE_HIGH);
    if (!c->cc)
        return;
    c->in_session = false;
    if (result < 0) {
        err_internal(&err, "http2: the session is broken");
        http_client_conn_drop(c->cc, &err);
        return;
    }
    if (list_empty(&c->cc->calls) && !c->cc->timer.at)
        http_client_conn_idle(c->cc);
}

static void make_frames(struct loop_task *t)
{
    pump(CONTAINER_OF(t, struct c2, task));
}

static struct http_call *call_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

/* --- receiving --- */

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)arg;
    struct http_call *call = call_of(session, frame->hd.stream_id);
    if (call && !call->status)
        head_done(&call->head); /* of an interim answer */
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *arg)
{
    (void)flags, (void)arg;
    struct http_call *call = call_of(session, frame->hd.stream_id);
    if (!call)
        return 0;
    struct head *head = call->status ? &call->trailers : &call->head;
    if (!head_fits(head, name_n + value_n + HEAD_FIELD_COST))
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    head_add(head);
    head_name(head, (struct str){(const char *)name, name_n});
    head_value(head, (struct str){(const char *)value, value_n});
    return 0;
}

static void headers_done(struct http_call *call)
{
    head_finish(&call->head);
    int64_t status = 0;
    str_to_i64(head_find(call->head.headers, call->head.count, ":status"), &status);
    if (status < 200) {
        head_done(&call->head);
        return;
    }
    call->status = (int)status;
    http_call_headers(call);
}

/* The answer is complete. A request body that is still being sent is not wanted any more. */
static void answered(nghttp2_session *session, struct http_call *call, int32_t id)
{
    nghttp2_session_set_stream_user_data(session, id, NULL);
    if (call->out.queued || !call->out.ended)
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    h2_queue_done(&call->out);
    head_finish(&call->trailers);
    http_call_done(call);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct c2 *c = arg;
    if (frame->hd.type == NGHTTP2_GOAWAY && c->cc) {
        c->cc->closing = true;
        http_client_later(c->cc->client);
    }
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    int32_t id = frame->hd.stream_id;
    struct http_call *call = call_of(session, id);
    if (call && frame->hd.type == NGHTTP2_HEADERS && !call->status)
        headers_done(call);
    call = call_of(session, id);
    if (call && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        answered(session, call, id);
    return 0;
}

static int on_body(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
                   void *arg)
{
    (void)flags, (void)arg;
    struct http_call *call = call_of(session, id);
    nghttp2_session_consume_connection(session, n);
    if (!call)
        return 0;
    bool hold = call->paused || call->held.n; /* the stream's window opens when it is given out */
    http_call_data(call, (struct str){(const char *)p, n});
    if (!hold)
        nghttp2_session_consume_stream(session, id, n);
    return 0;
}

void c2_consumed(struct c2 *c, struct http_call *call, size_t n)
{
    if (n)
        nghttp2_session_consume_stream(c->session, call->stream_id, n);
    later(c);
}

static const char *code_name(uint32_t code)
{
    return nghttp2_http2_strerror(code);
}

static void stream_failed(struct http_call *call, uint32_t code)
{
    struct err err;
    /* A refused stream was not processed (RFC 9113 section 8.7): any method may be sent again. */
    if (code == NGHTTP2_REFUSED_STREAM && http_call_retry(call))
        return;
    err_internal(&err, "stream error: stream ID %d; %s", call->stream_id, code_name(code));
    http_call_fail(call, &err);
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    (void)arg;
    struct http_call *call = call_of(session, id);
    if (!call)
        return 0;
    nghttp2_session_set_stream_user_data(session, id, NULL);
    stream_failed(call, code);
    return 0;
}

static struct http_call *find_call(struct c2 *c, int32_t id)
{
    LIST_FOR (&c->cc->calls, it) {
        struct http_call *call = CONTAINER_OF(it, struct http_call, link);
        if (call->stream_id == id)
            return call;
    }
    return NULL;
}

/* A request that could not begin, because the server is going away, ids ran out, or its head is
 * too large. */
static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error, void *arg)
{
    struct c2 *c = arg;
    struct http_call *call =
        frame->hd.type == NGHTTP2_HEADERS && c->cc ? find_call(c, frame->hd.stream_id) : NULL;
    if (!call)
        return 0;
    nghttp2_session_set_stream_user_data(session, call->stream_id, NULL);
    if (error == NGHTTP2_ERR_START_STREAM_NOT_ALLOWED ||
        error == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE) {
        c->cc->closing = true;
        stream_failed(call, NGHTTP2_REFUSED_STREAM);
        return 0;
    }
    struct err err;
    err_internal(&err, "http2: the request cannot be sent: %s", nghttp2_strerror(error));
    http_call_fail(call, &err);
    return 0;
}

/* --- sending --- */

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t n,
                       uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    (void)buf, (void)source, (void)arg;
    struct http_call *call = call_of(session, id);
    if (!call)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return h2_queue_offer(&call->out, n, flags);
}

static int on_send(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t n,
                   nghttp2_data_source *source, void *arg)
{
    (void)source;
    struct c2 *c = arg;
    struct http_call *call = call_of(session, frame->hd.stream_id);
    if (!call || !c->cc)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    h2_queue_send(&call->out, c->cc->conn, head, n);
    return 0;
}

void c2_start(struct client_conn *cc, struct http_call *call)
{
    struct c2 *c = cc->c2;
    const struct http_call_config *config = &call->config;
    struct h2_fields f;
    h2_fields_init(&f, &cc->client->scratch, config->header_count);
    h2_fields_add(&f, STR(":method"), str_of(config->method));
    h2_fields_add(&f, STR(":scheme"), cc->client->tls ? STR("https") : STR("http"));
    h2_fields_add(&f, STR(":authority"), str_of(cc->client->authority));
    h2_fields_add(&f, STR(":path"), config->target);
    for (size_t i = 0; i < config->header_count; i++)
        if (!str_eq_nocase(config->headers[i].name, STR("host")) &&
            !str_eq_nocase(config->headers[i].name, STR("content-length")))
            h2_fields_add(&f, config->headers[i].name, config->headers[i].value);
    if (call->body)
        h2_fields_length(&f, call->body->n);
    if (!config->stream_body) {
        h2_queue_put(&call->out, call->body);
        call->out.ended = true;
    }
    bool has_body = call->body || config->stream_body;
    nghttp2_data_provider data = {.read_callback = on_read};
    const nghttp2_nv *nv = h2_fields_end(&f);
    call->stream_id =
        nghttp2_submit_request(c->session, NULL, nv, f.count, has_body ? &data : NULL, call);
    h2_fields_done(&f);
    if (call->stream_id < 0) { /* the ids are used up */
        cc->closing = true;
        http_client_requeue(call);
        return;
    }
    later(c);
}

void c2_send(struct c2 *c, struct http_call *call)
{
    if (call->out.deferred) {
        call->out.deferred = false;
        nghttp2_session_resume_data(c->session, call->stream_id);
    }
    later(c);
}

void c2_cancel(struct c2 *c, struct http_call *call)
{
    nghttp2_session_set_stream_user_data(c->session, call->stream_id, NULL);
    nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, call->stream_id, NGHTTP2_CANCEL);
    later(c);
}

/* --- the connection --- */

void c2_data(struct c2 *c, struct str bytes)
{
    struct err err;
    c->in_session = true;
    ssize_t n = nghttp2_session_mem_recv(c->session, (const uint8_t *)bytes.p, bytes.n);
    if (!c->cc)
        return;
    c->in_session = false;
    if (n < 0) {
        err_internal(&err, "http2: %s", nghttp2_strerror((int)n));
        http_client_conn_drop(c->cc, &err);
        return;
    }
    pump(c);
    if (c->cc && c->cc->closing && list_empty(&c->cc->calls))
        http_client_conn_drop(c->cc, NULL);
}

void c2_drained(struct c2 *c)
{
    pump(c);
}

static nghttp2_session *new_session(struct c2 *c)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    nghttp2_session *session;
    if (nghttp2_session_callbacks_new(&callbacks) || nghttp2_option_new(&option))
        abort();
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_not_sent);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_body);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_send_header_block_length(option, HEAD_SEND_MAX);
    if (nghttp2_session_client_new2(&session, callbacks, c, option))
        abort();
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    return session;
}

void c2_new(struct client_conn *cc)
{
    struct c2 *c = NEW(struct c2);
    c->cc = cc;
    c->loop = cc->client->loop;
    c->session = new_session(c);
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEAD_MAX},
    };
    nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
    nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW);
    cc->c2 = c;
    later(c);
}

static void free_now(struct loop_task *t)
{
    struct c2 *c = CONTAINER_OF(t, struct c2, task);
    nghttp2_session_del(c->session);
    free(c);
}

void c2_free(struct c2 *c)
{
    LIST_FOR (&c->cc->calls, it) {
        struct http_call *call = CONTAINER_OF(it, struct http_call, link);
        nghttp2_session_set_stream_user_data(c->session, call->stream_id, NULL);
    }
    c->cc = NULL;
    c->in_session = true; /* nothing is sent any more */
    loop_defer(c->loop, &c->task, free_now);
}
