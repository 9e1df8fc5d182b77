#include "node/stream_carrier.h"

#include "net/ws.h"

enum { CLOSE_NORMAL = 1000 };

struct carrier {
    struct http_tunnel *tunnel;
    struct loop *loop;
    const struct carrier_events *events;
    void *arg;
    bool websocket, over, paused;
    struct ws ws;
    struct buf out;
    struct loop_timer timer;
    struct loop_task task;
    int64_t last_ms; /* when something came or went */
};

/* --- the handshake --- */

static bool list_has(struct str list, const char *token)
{
    struct str field;
    while (str_next(&list, ',', &field))
        if (str_eq_nocase(str_trim(field), str_of(token)))
            return true;
    return false;
}

/* Over all fields of the name; a list may be spread over several. */
static bool header_has(const struct http_request *r, const char *name, const char *token)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (str_is(r->headers[i].name, name) && list_has(r->headers[i].value, token))
            return true;
    return false;
}

static const char *pick(const struct http_request *r, const char *name, const char *const *offer)
{
    for (; offer && *offer; offer++)
        if (header_has(r, name, *offer))
            return *offer;
    return NULL;
}

static void put_list(struct buf *b, const char *const *words)
{
    buf_putc(b, '[');
    for (size_t i = 0; words[i]; i++)
        buf_printf(b, "%s%s", i ? " " : "", words[i]);
    buf_putc(b, ']');
}

static int no_protocol(struct str wanted, const char *const *offer, struct err *err)
{
    struct buf b = {0};
    put_list(&b, offer);
    err_set(err, 403, "Forbidden",
            "unable to negotiate protocol: client supports [%.*s], server accepts %s",
            STR_ARG(wanted), buf_z(&b));
    buf_done(&b);
    return -1;
}

static int negotiate_websocket(const struct http_request *r, const struct carrier_offer *offer,
                               struct carrier_choice *ret, struct err *err)
{
    struct str key = http_request_header(r, "sec-websocket-key");
    struct str wanted = http_request_header(r, "sec-websocket-protocol");
    if (!str_is(http_request_header(r, "sec-websocket-version"), "13") || key.n != 24)
        return err_bad(err, "websocket: bad handshake");
    ret->websocket = true;
    ret->protocol = wanted.n ? pick(r, "sec-websocket-protocol", offer->websocket) : "";
    if (!ret->protocol)
        return no_protocol(wanted, offer->websocket, err);
    ws_accept_key(key, ret->accept);
    return 0;
}

int carrier_negotiate(const struct http_request *r, const struct carrier_offer *offer,
                      struct carrier_choice *ret, struct err *err)
{
    *ret = (struct carrier_choice){0};
    if (!header_has(r, "connection", "upgrade"))
        return err_bad(err, "you must specify an upgrade: Upgrade request required");
    if (offer->websocket && header_has(r, "upgrade", "websocket"))
        return negotiate_websocket(r, offer, ret, err);
    if (!offer->spdy || !header_has(r, "upgrade", "SPDY/3.1"))
        return err_bad(err, "unable to upgrade: missing upgrade headers in request");
    struct str wanted = http_request_header(r, "x-stream-protocol-version");
    ret->protocol = wanted.n ? pick(r, "x-stream-protocol-version", offer->spdy) : "";
    return ret->protocol ? 0 : no_protocol(wanted, offer->spdy, err);
}

/* --- the connection --- */

static void free_carrier(struct loop_task *t)
{
    struct carrier *c = CONTAINER_OF(t, struct carrier, task);
    ws_done(&c->ws);
    buf_done(&c->out);
    free(c);
}

static void end(struct carrier *c)
{
    c->over = true;
    loop_timer_clear(c->loop, &c->timer);
    loop_defer(c->loop, &c->task, free_carrier);
}

static void flush(struct carrier *c)
{
    if (c->out.n)
        http_tunnel_write(c->tunnel, buf_str(&c->out));
    buf_clear(&c->out);
}

/* The peer's close was answered, or it broke the protocol and was told. */
static void close_by_peer(struct carrier *c)
{
    http_tunnel_close(c->tunnel);
    end(c);
    c->events->closed(c->arg);
}

static void on_data(void *arg, struct str bytes)
{
    struct carrier *c = arg;
    struct err err;
    if (c->over)
        return;
    c->last_ms = loop_now_ms(c->loop);
    if (!c->websocket) {
        c->events->data(c->arg, bytes);
        return;
    }
    struct buf answers = {0}; /* apart from what events send: a pong may stand before or behind */
    ws_feed(&c->ws, bytes, &answers, &err);
    if (!c->over && answers.n)
        http_tunnel_write(c->tunnel, buf_str(&answers));
    buf_done(&answers);
    if (!c->over && c->ws.closed)
        close_by_peer(c);
}

static void on_message(void *arg, enum ws_opcode op, struct str payload)
{
    struct carrier *c = arg;
    if (!c->over && (op == WS_BINARY || op == WS_TEXT))
        c->events->data(c->arg, payload);
}

static void on_drained(void *arg)
{
    struct carrier *c = arg;
    if (c->over)
        return;
    c->last_ms = loop_now_ms(c->loop);
    c->events->drained(c->arg);
}

static void on_closed(void *arg)
{
    struct carrier *c = arg;
    if (c->over)
        return;
    end(c);
    c->events->closed(c->arg);
}

static void check_idle(struct loop_timer *t)
{
    struct carrier *c = CONTAINER_OF(t, struct carrier, timer);
    int64_t left = c->last_ms + STREAM_IDLE_MS - loop_now_ms(c->loop);
    if (left <= 0)
        close_by_peer(c);
    else
        loop_timer_set(c->loop, t, left, check_idle);
}

struct carrier *carrier_open(struct http_exchange *x, const struct carrier_choice *choice,
                             const struct carrier_events *events, void *arg)
{
    struct carrier *c = NEW(struct carrier);
    struct http_header headers[4];
    size_t n = 0;
    headers[n++] = (struct http_header){STR("connection"), STR("Upgrade")};
    headers[n++] = (struct http_header){STR("upgrade"),
                                        choice->websocket ? STR("websocket") : STR("SPDY/3.1")};
    if (choice->websocket)
        headers[n++] = (struct http_header){STR("sec-websocket-accept"), str_of(choice->accept)};
    if (*choice->protocol)
        headers[n++] = (struct http_header){choice->websocket ? STR("sec-websocket-protocol")
                                                              : STR("x-stream-protocol-version"),
                                            str_of(choice->protocol)};
    c->loop = http_exchange_loop(x);
    c->events = events;
    c->arg = arg;
    c->websocket = choice->websocket;
    c->last_ms = loop_now_ms(c->loop);
    ws_init(&c->ws, true, CARRIER_MESSAGE_MAX, on_message, c);
    struct http_tunnel_events on = {on_data, on_drained, on_closed, c};
    c->tunnel = http_upgrade(x, headers, n, &on);
    if (!c->tunnel) {
        stream_refuse(x, 400, "unable to upgrade: HTTP/1.1 is needed");
        end(c);
        return NULL;
    }
    loop_timer_set(c->loop, &c->timer, STREAM_IDLE_MS, check_idle);
    return c;
}

static size_t send_message(struct carrier *c, enum ws_opcode op, struct str piece)
{
    if (c->over)
        return 0;
    c->last_ms = loop_now_ms(c->loop);
    if (!c->websocket)
        return http_tunnel_write(c->tunnel, piece);
    ws_write(&c->ws, op, piece, &c->out);
    flush(c);
    return carrier_waiting(c);
}

size_t carrier_send(struct carrier *c, struct str piece)
{
    return send_message(c, WS_BINARY, piece);
}

size_t carrier_send_text(struct carrier *c, struct str piece)
{
    return send_message(c, WS_TEXT, piece);
}

size_t carrier_waiting(struct carrier *c)
{
    return c->over ? 0 : http_tunnel_write(c->tunnel, (struct str){0});
}

void carrier_pause(struct carrier *c, bool pause)
{
    if (c->over || c->paused == pause)
        return;
    c->paused = pause;
    http_tunnel_pause(c->tunnel, pause);
}

void carrier_finish(struct carrier *c)
{
    if (c->over)
        return;
    if (c->websocket) {
        ws_write_close(&c->ws, CLOSE_NORMAL, (struct str){0}, &c->out);
        flush(c);
    }
    http_tunnel_close(c->tunnel);
    end(c);
}
