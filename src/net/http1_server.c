#include <llhttp.h>
#include <stdio.h>

#include "net/head.h"
#include "net/server_impl.h"
#include "net/tunnel.h"

enum { PENDING_MAX = 64 * 1024, KEEP_BODY = 4096 };

enum progress {
    READING,   /* a request, or waiting for one */
    HANDLING,  /* the handler has it and has not answered */
    STREAMING, /* between http_start and http_end */
};

struct h1 {
    struct server_conn *sc; /* NULL: the connection is gone */
    struct http_server *server;
    struct loop_task task; /* parse on; in the end: free */
    llhttp_t parser;
    enum progress progress;
    struct http_exchange x;
    struct head head;
    size_t url_n, trailer_n;
    struct buf body, pending; /* pending: bytes behind the request that is being answered */
    int refused;              /* status that a parser callback found necessary */
    bool in_request;          /* some bytes of a request came, not all */
    bool in_head;             /* they end in its head */
    bool name_over;           /* the newest field's name is complete */
    bool complete;            /* a whole request is there */
    bool handler_runs;        /* inside its handler: what ends the request must not parse on */
    bool close, chunked, bodyless;
};

/* --- the parser's callbacks --- */

static struct h1 *of(llhttp_t *p)
{
    return p->data;
}

static int refuse(struct h1 *h, int status)
{
    h->refused = status;
    return HPE_USER;
}

static int on_begin(llhttp_t *p)
{
    struct h1 *h = of(p);
    h->in_request = h->in_head = true;
    h->name_over = true;
    h->url_n = h->trailer_n = 0;
    head_clear(&h->head);
    buf_clear(&h->body);
    if (h->body.cap > KEEP_BODY)
        buf_done(&h->body);
    return 0;
}

static int on_url(llhttp_t *p, const char *at, size_t n)
{
    struct h1 *h = of(p);
    if (!head_fits(&h->head, n))
        return refuse(h, 431);
    head_text(&h->head, (struct str){at, n});
    h->url_n += n;
    return 0;
}

/* Trailers and chunk extensions are limited like a head and otherwise ignored. */
static int trailer(struct h1 *h, size_t n)
{
    h->trailer_n += n;
    return h->trailer_n > HEAD_MAX ? refuse(h, 431) : 0;
}

static int on_extension(llhttp_t *p, const char *at, size_t n)
{
    (void)at;
    return trailer(of(p), n);
}

static int on_name(llhttp_t *p, const char *at, size_t n)
{
    struct h1 *h = of(p);
    if (!h->in_head)
        return trailer(h, n);
    if (!head_fits(&h->head, n + HEAD_FIELD_COST))
        return refuse(h, 431);
    if (h->name_over)
        head_add(&h->head);
    h->name_over = false;
    head_name(&h->head, (struct str){at, n});
    return 0;
}

static int on_name_complete(llhttp_t *p)
{
    of(p)->name_over = true;
    return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
    struct h1 *h = of(p);
    if (!h->in_head)
        return trailer(h, n);
    if (!head_fits(&h->head, n))
        return refuse(h, 431);
    head_value(&h->head, (struct str){at, n});
    return 0;
}

/* Fills path and query from the request target: origin form, "*", or absolute form (RFC 9112
 * section 3.2). */
static bool split_target(struct http_request *r, struct str target)
{
    if (target.n && target.p[0] != '/' && !str_is(target, "*")) {
        ssize_t scheme = str_find(target, STR("://"));
        if (scheme <= 0)
            return false;
        target = str_from(target, (size_t)scheme + 3);
        ssize_t slash = str_find_char(target, '/');
        target = slash < 0 ? STR("/") : str_from(target, (size_t)slash);
    }
    str_cut(target, '?', &r->path, &r->query);
    return r->path.n > 0;
}

static size_t count_fields(const struct http_request *r, const char *lower_name)
{
    size_t count = 0;
    for (size_t i = 0; i < r->header_count; i++)
        count += str_is(r->headers[i].name, lower_name);
    return count;
}

/* The status with which the head must be refused, or 0. */
static int check_head(struct h1 *h)
{
    struct http_request *r = &h->x.request;
    int minor = llhttp_get_http_minor(&h->parser);
    if (llhttp_get_http_major(&h->parser) != 1 || minor > 1)
        return 505;
    if (!split_target(r, head_at(&h->head, 0, h->url_n)))
        return 400;
    size_t hosts = count_fields(r, "host");
    if (hosts > 1 || (hosts == 0 && minor == 1))
        return 400;
    /* HTTP/1.0 has no transfer codings: what comes may be read in two ways. */
    if (minor == 0 && count_fields(r, "transfer-encoding"))
        return 400;
    bool chunked = h->parser.flags & F_CHUNKED;
    struct str coding = http_request_header(r, "transfer-encoding");
    if (coding.n && !str_eq_nocase(coding, STR("chunked")))
        return 501;
    if (!chunked && h->parser.content_length > h->server->config.max_body)
        return 413;
    struct str expect = http_request_header(r, "expect");
    if (expect.n && !str_eq_nocase(expect, STR("100-continue")))
        return 417;
    return 0;
}

static int on_head(llhttp_t *p)
{
    struct h1 *h = of(p);
    struct server_conn *sc = h->sc;
    head_finish(&h->head);
    h->in_head = false;
    sc->head_due_ms = 0;
    struct http_request *r = &h->x.request;
    *r = (struct http_request){
        .method = str_of(llhttp_method_name(llhttp_get_method(p))),
        .headers = h->head.headers,
        .header_count = h->head.count,
        .peer = conn_peer(sc->conn),
        .remote = str_of(sc->remote),
        .secure = h->server->config.tls != NULL,
    };
    int status = check_head(h);
    if (status)
        return refuse(h, status);
    r->authority = http_request_header(r, "host");
    h->close = !llhttp_should_keep_alive(p) || h->server->draining;
    bool body = (p->flags & F_CHUNKED) || p->content_length > 0;
    if (body && http_request_header(r, "expect").n && llhttp_get_http_minor(p) == 1)
        conn_write(sc->conn, STR("HTTP/1.1 100 Continue\r\n\r\n"));
    if (!(p->flags & F_CHUNKED) && p->content_length > 0)
        buf_reserve(&h->body, p->content_length < KEEP_BODY ? p->content_length : KEEP_BODY);
    return 0;
}

static int on_body(llhttp_t *p, const char *at, size_t n)
{
    struct h1 *h = of(p);
    if (n > h->server->config.max_body - h->body.n)
        return refuse(h, 413);
    buf_append(&h->body, at, n);
    return 0;
}

static int on_complete(llhttp_t *p)
{
    of(p)->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t *settings(void)
{
    static const llhttp_settings_t s = {
        .on_message_begin = on_begin,
        .on_url = on_url,
        .on_header_field = on_name,
        .on_header_field_complete = on_name_complete,
        .on_header_value = on_value,
        .on_headers_complete = on_head,
        .on_body = on_body,
        .on_chunk_extension_name = on_extension,
        .on_chunk_extension_value = on_extension,
        .on_message_complete = on_complete,
    };
    return &s;
}

/* --- the connection --- */

static void answer_refusal(struct h1 *h, int status)
{
    struct buf *b = &h->server->scratch;
    buf_clear(b);
    buf_printf(b,
               "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
               "Connection: close\r\n\r\n%d %s",
               status, http_reason(status), status, http_reason(status));
    conn_write(h->sc->conn, buf_str(b));
    http_server_conn_drop(h->sc, true);
}

static void handle(struct h1 *h)
{
    h->complete = h->in_request = false;
    h->progress = HANDLING;
    h->x.watch = (struct http_watch){0};
    h->x.request.body = buf_str(&h->body);
    h->handler_runs = true;
    http_server_handle(&h->x);
    h->handler_runs = false;
}

/* Parses requests and runs their handlers until one is not answered at once; what is left behind
 * it is kept. */
static void parse(struct h1 *h, struct str s)
{
    while (h->sc && h->progress == READING && s.n) {
        llhttp_errno_t e = llhttp_execute(&h->parser, s.p, s.n);
        if (e == HPE_OK) {
            s.n = 0;
            break;
        }
        if (e != HPE_PAUSED && e != HPE_PAUSED_UPGRADE) {
            answer_refusal(h, h->refused ? h->refused : 400);
            return;
        }
        s = str_from(s, (size_t)(llhttp_get_error_pos(&h->parser) - s.p));
        if (e == HPE_PAUSED)
            llhttp_resume(&h->parser);
        else
            llhttp_resume_after_upgrade(&h->parser);
        if (!h->complete)
            continue;
        /* An upgrade takes what is behind the head, so the handler must find it in its place. */
        buf_put(&h->pending, s);
        handle(h);
        if (!h->sc || h->progress != READING)
            return;
        buf_clear(&h->pending);
    }
    if (h->sc && h->in_head && !h->sc->head_due_ms)
        http_server_conn_head_begins(h->sc);
}

static void parse_on(struct loop_task *t)
{
    struct h1 *h = CONTAINER_OF(t, struct h1, task);
    struct buf pending = h->pending;
    h->pending = (struct buf){0};
    parse(h, buf_str(&pending));
    buf_done(&pending);
    if (!h->sc)
        return;
    conn_pause(h->sc->conn, h->pending.n >= PENDING_MAX);
    if (h->progress == READING && conn_saw_eof(h->sc->conn))
        http_server_conn_drop(h->sc, true);
}

void h1_data(struct h1 *h, struct str bytes)
{
    if (h->progress == READING && !h->pending.n) {
        parse(h, bytes);
        return;
    }
    buf_put(&h->pending, bytes);
    if (h->pending.n >= PENDING_MAX)
        conn_pause(h->sc->conn, true);
}

void h1_eof(struct h1 *h)
{
    /* A client may close its side behind the request and still read the answer, so requests that
     * are there are answered; parse_on closes behind the last. But whoever streams, or waits with
     * an ear for the peer's end, takes it for that: a client that is gone looks just the same. */
    if (h->progress == STREAMING || (h->progress == HANDLING && h->x.watch.closed))
        http_server_conn_drop(h->sc, false);
    else if (h->progress == READING && !h->pending.n)
        http_server_conn_drop(h->sc, true);
}

void h1_drained(struct h1 *h)
{
    if (h->progress == STREAMING && h->x.watch.drained)
        h->x.watch.drained(h->x.watch.arg);
}

void h1_drain(struct h1 *h)
{
    h->close = true;
    if (h->progress == READING && !h->in_request && !h->pending.n)
        http_server_conn_drop(h->sc, true);
}

bool h1_waits_for_us(const struct h1 *h)
{
    return h->progress != READING;
}

static void free_now(struct loop_task *t)
{
    struct h1 *h = CONTAINER_OF(t, struct h1, task);
    head_done(&h->head);
    buf_done(&h->body);
    buf_done(&h->pending);
    free(h);
}

/* An exchange whose handler did not ask to be told keeps h until it is answered. */
void h1_lost(struct h1 *h)
{
    h->sc = NULL;
    loop_undefer(h->x.loop, &h->task);
    bool told = h->x.watch.closed != NULL;
    if (h->progress == READING || told)
        loop_defer(h->x.loop, &h->task, free_now);
    if (h->progress != READING && told) {
        h->progress = READING;
        h->x.watch.closed(h->x.watch.arg);
    }
}

/* --- answers --- */

static void put_value(struct buf *b, struct str value)
{
    size_t at = b->n;
    buf_put(b, value);
    for (; at < b->n; at++)
        if (b->p[at] == '\r' || b->p[at] == '\n' || b->p[at] == '\0')
            b->p[at] = ' '; /* a value cannot smuggle in another field */
}

static bool is_ours(struct str name)
{
    return str_eq_nocase(name, STR("connection")) || str_eq_nocase(name, STR("transfer-encoding"));
}

/* Status line and fields, without the closing empty line. Says whether a length was among them. */
static struct buf *begin_head(struct h1 *h, int status, const struct http_header *headers,
                              size_t count, bool skip_length, bool *ret_length)
{
    struct buf *b = &h->server->scratch;
    *ret_length = false;
    buf_clear(b);
    buf_puts(b, "HTTP/1.1 ");
    buf_put_u64(b, (unsigned)status);
    buf_putc(b, ' ');
    buf_puts(b, http_reason(status));
    buf_puts(b, "\r\n");
    for (size_t i = 0; i < count; i++) {
        bool length = str_eq_nocase(headers[i].name, STR("content-length"));
        if ((length && skip_length) || (status != 101 && is_ours(headers[i].name)))
            continue;
        *ret_length |= length;
        put_value(b, headers[i].name);
        buf_puts(b, ": ");
        put_value(b, headers[i].value);
        buf_puts(b, "\r\n");
    }
    buf_puts(b, "Date: ");
    buf_put(b, http_server_date(h->server));
    buf_puts(b, "\r\n");
    return b;
}

static void send_head(struct h1 *h, struct buf *b)
{
    if (h->close)
        buf_puts(b, "Connection: close\r\n");
    else if (llhttp_get_http_minor(&h->parser) == 0)
        buf_puts(b, "Connection: keep-alive\r\n");
    buf_puts(b, "\r\n");
    conn_write(h->sc->conn, buf_str(b));
}

/* The exchange is over: the next request, or the end of the connection. */
static void over(struct h1 *h)
{
    h->progress = READING;
    if (!h->sc) {
        loop_defer(h->x.loop, &h->task, free_now);
        return;
    }
    if (h->close) {
        http_server_conn_drop(h->sc, true);
        return;
    }
    if (!h->handler_runs && (h->pending.n || conn_saw_eof(h->sc->conn)))
        loop_defer(h->x.loop, &h->task, parse_on);
}

static struct h1 *of_exchange(struct http_exchange *x)
{
    return CONTAINER_OF(x, struct h1, x);
}

static void h1_respond(struct http_exchange *x, int status, const struct http_header *headers,
                       size_t count, struct bytes *body)
{
    struct h1 *h = of_exchange(x);
    if (h->sc) {
        bool head_only = str_is(x->request.method, "HEAD"), length;
        bool may = http_status_has_body(status);
        struct buf *b = begin_head(h, status, headers, count, body || !head_only, &length);
        if (may && !length) {
            buf_puts(b, "Content-Length: ");
            buf_put_u64(b, body ? body->n : 0);
            buf_puts(b, "\r\n");
        }
        send_head(h, b);
        if (may && !head_only && body)
            conn_write_bytes(h->sc->conn, body, 0, body->n);
    }
    over(h);
}

static void h1_start(struct http_exchange *x, int status, const struct http_header *headers,
                     size_t count)
{
    struct h1 *h = of_exchange(x);
    h->progress = STREAMING;
    if (!h->sc)
        return;
    bool length;
    struct buf *b = begin_head(h, status, headers, count, false, &length);
    h->bodyless = str_is(x->request.method, "HEAD") || !http_status_has_body(status);
    h->chunked = !length && llhttp_get_http_minor(&h->parser) == 1 && http_status_has_body(status);
    if (h->chunked)
        buf_puts(b, "Transfer-Encoding: chunked\r\n");
    else if (!length && !h->bodyless)
        h->close = true; /* HTTP/1.0: the end of the connection ends the body */
    send_head(h, b);
}

static size_t h1_write(struct http_exchange *x, struct bytes *chunk)
{
    struct h1 *h = of_exchange(x);
    if (!h->sc)
        return 0;
    struct conn *c = h->sc->conn;
    if (h->bodyless || !chunk || chunk->n == 0)
        return conn_queued(c);
    if (!h->chunked) {
        conn_write_bytes(c, chunk, 0, chunk->n);
        return conn_queued(c);
    }
    char size[24];
    int n = snprintf(size, sizeof(size), "%zx\r\n", chunk->n);
    conn_write(c, (struct str){size, (size_t)n});
    conn_write_bytes(c, chunk, 0, chunk->n);
    conn_write(c, STR("\r\n"));
    return conn_queued(c);
}

static void h1_end(struct http_exchange *x)
{
    struct h1 *h = of_exchange(x);
    if (h->sc && h->chunked && !h->bodyless)
        conn_write(h->sc->conn, STR("0\r\n\r\n"));
    over(h);
}

static void h1_abort(struct http_exchange *x)
{
    struct h1 *h = of_exchange(x);
    h->progress = READING;
    if (h->sc)
        http_server_conn_drop(h->sc, false);
    else
        loop_defer(h->x.loop, &h->task, free_now);
}

static struct http_tunnel *h1_upgrade(struct http_exchange *x, const struct http_header *headers,
                                      size_t count, const struct http_tunnel_events *events)
{
    struct h1 *h = of_exchange(x);
    if (!h->sc)
        return NULL;
    bool length;
    struct buf *b = begin_head(h, 101, headers, count, true, &length);
    buf_puts(b, "\r\n");
    conn_write(h->sc->conn, buf_str(b));
    struct http_server *server = h->server;
    struct buf early = h->pending;
    h->pending = (struct buf){0};
    h->progress = READING;
    struct conn *c = http_server_conn_take(h->sc);
    struct http_tunnel *t =
        tunnel_new(c, buf_str(&early), events, &server->tunnels, http_server_tunnel_gone, server);
    buf_done(&early);
    return t;
}

void h1_new(struct server_conn *sc)
{
    static const struct exchange_ops ops = {h1_respond, h1_start, h1_write,
                                            h1_end,     h1_abort, h1_upgrade};
    struct h1 *h = NEW(struct h1);
    h->sc = sc;
    h->server = sc->server;
    h->x.ops = &ops;
    h->x.server = sc->server;
    h->x.loop = sc->server->loop;
    llhttp_init(&h->parser, HTTP_REQUEST, settings());
    h->parser.data = h;
    sc->h1 = h;
}
