#include <llhttp.h>

#include "net/client_impl.h"

struct c1 {
    struct client_conn *cc; /* NULL: the connection is gone or taken */
    struct loop *loop;
    struct loop_task task;
    llhttp_t parser;
    struct http_call *call; /* whose answer is read */
    struct str early;
    bool name_over, headed, complete, too_large;
};

/* --- the parser's callbacks --- */

static struct c1 *of(llhttp_t *p)
{
    return p->data;
}

static int on_begin(llhttp_t *p)
{
    struct c1 *c = of(p);
    c->name_over = true;
    c->headed = false;
    head_done(&c->call->head);
    return 0;
}

static bool fits(struct c1 *c, size_t n)
{
    c->too_large |= !head_fits(&c->call->head, n);
    return !c->too_large;
}

static int on_name(llhttp_t *p, const char *at, size_t n)
{
    struct c1 *c = of(p);
    if (c->headed) /* a trailer */
        return 0;
    if (!fits(c, n + HEAD_FIELD_COST))
        return HPE_USER;
    if (c->name_over)
        head_add(&c->call->head);
    c->name_over = false;
    head_name(&c->call->head, (struct str){at, n});
    return 0;
}

static int on_name_complete(llhttp_t *p)
{
    of(p)->name_over = true;
    return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
    struct c1 *c = of(p);
    if (c->headed)
        return 0;
    if (!fits(c, n))
        return HPE_USER;
    head_value(&c->call->head, (struct str){at, n});
    return 0;
}

static bool is_interim(int status)
{
    return status >= 100 && status < 200 && status != 101;
}

/* Answers: 0 a body may follow, 1 none does, 2 what follows is not HTTP, -1 stop. */
static int on_head(llhttp_t *p)
{
    struct c1 *c = of(p);
    int status = llhttp_get_status_code(p);
    c->headed = true;
    if (is_interim(status))
        return 0;
    struct http_call *call = c->call;
    head_finish(&call->head);
    call->status = status;
    if (status == 101)
        return 2; /* told when the parser has stopped, with the bytes behind */
    bool head_only = strcmp(call->config.method, "HEAD") == 0;
    http_call_headers(call);
    if (!c->cc)
        return -1;
    return head_only ? 1 : 0;
}

static int on_body(llhttp_t *p, const char *at, size_t n)
{
    struct c1 *c = of(p);
    http_call_data(c->call, (struct str){at, n});
    return c->cc && !c->call->over && c->call->conn ? 0 : -1;
}

static int on_complete(llhttp_t *p)
{
    struct c1 *c = of(p);
    if (is_interim(llhttp_get_status_code(p)))
        return 0;
    c->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t *settings(void)
{
    static const llhttp_settings_t s = {
        .on_message_begin = on_begin,
        .on_header_field = on_name,
        .on_header_field_complete = on_name_complete,
        .on_header_value = on_value,
        .on_headers_complete = on_head,
        .on_body = on_body,
        .on_message_complete = on_complete,
    };
    return &s;
}

/* --- the connection --- */

static void fail(struct c1 *c, const char *why)
{
    struct err err;
    err_internal(&err, "malformed HTTP response: %s", why);
    http_client_conn_drop(c->cc, &err);
}

static void switched(struct c1 *c, struct str early)
{
    struct http_call *call = c->call;
    if (!call->config.upgrade) {
        fail(c, "unexpected 101 Switching Protocols");
        return;
    }
    c->early = early;
    http_call_headers(call);
    if (!c->cc || call->over)
        return;
    struct err err;
    err_internal(&err, "nobody took the upgraded connection");
    http_client_conn_drop(c->cc, &err);
}

static void answered(struct c1 *c, bool more)
{
    struct client_conn *cc = c->cc;
    struct http_call *call = c->call;
    /* Bytes behind an answer that nobody asked for: the connection cannot be trusted. */
    bool keep = llhttp_should_keep_alive(&c->parser) && !more && !cc->upgrade;
    c->call = NULL;
    c->complete = false;
    llhttp_resume(&c->parser);
    llhttp_reset(&c->parser);
    cc->closing |= !keep;
    http_call_done(call);
    if (!c->cc)
        return;
    conn_pause(cc->conn, false);
    http_client_conn_idle(cc);
}

void c1_data(struct c1 *c, struct str s)
{
    if (!c->call) {
        http_client_conn_drop(c->cc, NULL);
        return;
    }
    llhttp_errno_t e = llhttp_execute(&c->parser, s.p, s.n);
    if (!c->cc || e == HPE_OK)
        return;
    if (!c->call->conn && !c->complete) {
        http_client_conn_drop(c->cc, NULL); /* the call ended while its answer was read */
        return;
    }
    if (e != HPE_PAUSED && e != HPE_PAUSED_UPGRADE) {
        fail(c, c->too_large ? "header fields are too large" : llhttp_get_error_reason(&c->parser));
        return;
    }
    struct str rest = str_from(s, (size_t)(llhttp_get_error_pos(&c->parser) - s.p));
    if (c->call->status == 101)
        switched(c, rest);
    else
        answered(c, rest.n > 0);
}

void c1_eof(struct c1 *c)
{
    struct err err;
    if (!c->call) {
        http_client_conn_drop(c->cc, NULL);
        return;
    }
    llhttp_errno_t e = llhttp_finish(&c->parser);
    if (!c->cc)
        return;
    if (c->complete && (e == HPE_OK || e == HPE_PAUSED)) {
        c->cc->closing = true;
        answered(c, false);
        return;
    }
    err_internal(&err, c->call->status ? "unexpected EOF" : "EOF");
    http_client_conn_drop(c->cc, &err);
}

static void put_clean(struct buf *b, struct str s)
{
    size_t at = b->n;
    buf_put(b, s);
    for (; at < b->n; at++)
        if (b->p[at] == '\r' || b->p[at] == '\n' || b->p[at] == '\0')
            b->p[at] = ' ';
}

static bool has_field(const struct http_call_config *config, const char *name)
{
    for (size_t i = 0; i < config->header_count; i++)
        if (str_eq_nocase(config->headers[i].name, str_of(name)))
            return true;
    return false;
}

void c1_start(struct client_conn *cc, struct http_call *call)
{
    const struct http_call_config *config = &call->config;
    struct buf *b = &cc->client->scratch;
    buf_clear(b);
    buf_puts(b, config->method);
    buf_putc(b, ' ');
    put_clean(b, config->target);
    buf_puts(b, " HTTP/1.1\r\n");
    if (!has_field(config, "host")) {
        buf_puts(b, "Host: ");
        buf_puts(b, strchr(cc->client->authority, '/') ? "localhost" : cc->client->authority);
        buf_puts(b, "\r\n");
    }
    for (size_t i = 0; i < config->header_count; i++) {
        if (str_eq_nocase(config->headers[i].name, STR("content-length")))
            continue;
        put_clean(b, config->headers[i].name);
        buf_puts(b, ": ");
        put_clean(b, config->headers[i].value);
        buf_puts(b, "\r\n");
    }
    bool safe = http_call_is_safe(call) || strcmp(config->method, "DELETE") == 0;
    if (call->body || !safe) {
        buf_puts(b, "Content-Length: ");
        buf_put_u64(b, call->body ? call->body->n : 0);
        buf_puts(b, "\r\n");
    }
    buf_puts(b, "\r\n");
    cc->c1->call = call;
    conn_write(cc->conn, buf_str(b));
    if (call->body)
        conn_write_bytes(cc->conn, call->body, 0, call->body->n);
    if (call->paused)
        conn_pause(cc->conn, true);
}

struct str c1_early(struct c1 *c)
{
    return c->early;
}

void c1_new(struct client_conn *cc)
{
    struct c1 *c = NEW(struct c1);
    c->cc = cc;
    c->loop = cc->client->loop;
    llhttp_init(&c->parser, HTTP_RESPONSE, settings());
    c->parser.data = c;
    cc->c1 = c;
}

static void free_now(struct loop_task *t)
{
    free(CONTAINER_OF(t, struct c1, task));
}

void c1_free(struct c1 *c)
{
    c->cc = NULL;
    loop_defer(c->loop, &c->task, free_now);
}
