/* Exec and attach over a WebSocket: the first byte of each message is its channel. With the base64
 * subprotocols that is a digit, and the rest is encoded. */
#include <openssl/evp.h>

#include "node/stream_remote_impl.h"

enum { CLOSE_CHANNEL = 255 /* v5: the next byte is the channel that the client closed */ };

struct remote_ws {
    struct remote remote;
    struct carrier *carrier;
    struct loop_task task;
    bool base64, v5, input_ended, paused;
    size_t unconsumed;
};

static struct remote_ws *ws_of(struct remote *r)
{
    return CONTAINER_OF(r, struct remote_ws, remote);
}

static void free_ws(struct loop_task *t)
{
    struct remote_ws *w = CONTAINER_OF(t, struct remote_ws, task);
    remote_done(&w->remote);
    free(w);
}

static void end(struct remote_ws *w)
{
    w->remote.over = true;
    loop_defer(w->remote.loop, &w->task, free_ws);
}

static size_t ws_put(struct remote *r, enum remote_channel channel, struct str bytes)
{
    struct remote_ws *w = ws_of(r);
    struct buf b = {0};
    size_t waiting;
    if (w->base64) {
        buf_putc(&b, (char)('0' + channel));
        char *at = buf_reserve(&b, (bytes.n + 2) / 3 * 4 + 1);
        b.n += (size_t)EVP_EncodeBlock((unsigned char *)at, (const unsigned char *)bytes.p,
                                       (int)bytes.n);
        waiting = carrier_send_text(w->carrier, buf_str(&b));
    } else {
        buf_putc(&b, (char)channel);
        buf_put(&b, bytes);
        waiting = carrier_send(w->carrier, buf_str(&b));
    }
    buf_done(&b);
    return waiting;
}

static void ws_consumed(struct remote *r, size_t n)
{
    struct remote_ws *w = ws_of(r);
    w->unconsumed -= n < w->unconsumed ? n : w->unconsumed;
    if (w->paused && w->unconsumed <= STREAM_HIGH_WATER / 2) {
        w->paused = false;
        carrier_pause(w->carrier, false);
    }
}

static void ws_finish(struct remote *r)
{
    struct remote_ws *w = ws_of(r);
    carrier_finish(w->carrier);
    end(w);
}

static void take_input(struct remote_ws *w, struct str bytes)
{
    if (!w->remote.want.in || w->input_ended || !bytes.n)
        return;
    w->unconsumed += bytes.n;
    if (!w->paused && w->unconsumed > STREAM_HIGH_WATER) {
        w->paused = true;
        carrier_pause(w->carrier, true);
    }
    w->remote.events->input(w->remote.arg, bytes);
}

static void take_message(struct remote_ws *w, int channel, struct str bytes)
{
    if (channel == REMOTE_STDIN) {
        take_input(w, bytes);
    } else if (channel == REMOTE_RESIZE) {
        remote_resize(&w->remote, bytes);
    } else if (w->v5 && channel == CLOSE_CHANNEL && bytes.n && bytes.p[0] == REMOTE_STDIN &&
               w->remote.want.in && !w->input_ended) {
        w->input_ended = true;
        w->remote.events->input_end(w->remote.arg);
    }
}

static void on_data(void *arg, struct str piece)
{
    struct remote_ws *w = arg;
    if (w->remote.over || !piece.n)
        return;
    if (!w->base64) {
        take_message(w, (unsigned char)piece.p[0], str_from(piece, 1));
        return;
    }
    struct str text = str_from(piece, 1);
    struct buf b = {0};
    char *at = buf_reserve(&b, text.n / 4 * 3 + 1);
    int n = EVP_DecodeBlock((unsigned char *)at, (const unsigned char *)text.p, (int)text.n);
    for (size_t i = text.n; n > 0 && i > 0 && text.p[i - 1] == '='; i--)
        n--; /* the decoder counts the padding as bytes */
    if (n >= 0)
        take_message(w, piece.p[0] - '0', (struct str){at, (size_t)n});
    buf_done(&b);
}

static void on_drained(void *arg)
{
    struct remote_ws *w = arg;
    if (!w->remote.over)
        w->remote.events->writable(w->remote.arg);
}

static void on_closed(void *arg)
{
    struct remote_ws *w = arg;
    if (w->remote.over)
        return;
    end(w);
    w->remote.events->gone(w->remote.arg);
}

/* Behind the upgrade, so that `ready` does not come from inside remote_open. */
static void on_ready(struct loop_task *t)
{
    struct remote_ws *w = CONTAINER_OF(t, struct remote_ws, task);
    /* An empty message tells the client that the streams are there, as upstream has it. */
    ws_put(&w->remote, w->remote.want.out ? REMOTE_STDOUT : REMOTE_ERROR, (struct str){0});
    w->remote.events->ready(w->remote.arg);
}

struct remote *remote_ws_open(struct http_exchange *x, const struct carrier_choice *choice,
                              const struct remote_want *want, const struct remote_events *events,
                              void *arg)
{
    static const struct remote_ops ops = {ws_put, ws_consumed, ws_finish};
    static const struct carrier_events on = {on_data, on_drained, on_closed};
    struct remote_ws *w = NEW(struct remote_ws);
    remote_init(&w->remote, &ops, http_exchange_loop(x), want, events, arg);
    w->v5 = strcmp(choice->protocol, "v5.channel.k8s.io") == 0;
    w->base64 = strstr(choice->protocol, "base64");
    w->remote.status_json = w->v5 || strncmp(choice->protocol, "v4.", 3) == 0;
    w->carrier = carrier_open(x, choice, &on, w);
    if (!w->carrier) {
        free(w);
        return NULL;
    }
    loop_defer(w->remote.loop, &w->task, on_ready);
    return &w->remote;
}
