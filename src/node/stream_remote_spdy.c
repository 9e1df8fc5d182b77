/* Exec and attach over SPDY: a stream for each channel, named by its streamType header. */
#include "node/stream_mux.h"
#include "node/stream_remote_impl.h"

struct remote_spdy;

struct channel {
    struct remote_spdy *owner;
    struct mux_stream *stream; /* NULL: not there, or ended */
};

struct remote_spdy {
    struct remote remote;
    struct mux *mux;
    struct loop_timer timer;
    struct loop_task task;
    struct channel channels[REMOTE_CHANNELS];
    unsigned missing; /* bits of channels that the client has still to open */
    bool ready, input_ended;
};

static struct remote_spdy *spdy_of(struct remote *r)
{
    return CONTAINER_OF(r, struct remote_spdy, remote);
}

static void free_spdy(struct loop_task *t)
{
    struct remote_spdy *s = CONTAINER_OF(t, struct remote_spdy, task);
    remote_done(&s->remote);
    free(s);
}

static void end(struct remote_spdy *s)
{
    s->remote.over = true;
    loop_timer_clear(s->remote.loop, &s->timer);
    loop_defer(s->remote.loop, &s->task, free_spdy);
}

static size_t spdy_put(struct remote *r, enum remote_channel channel, struct str bytes)
{
    struct mux_stream *st = spdy_of(r)->channels[channel].stream;
    return st ? mux_write(st, bytes) : 0;
}

static void spdy_consumed(struct remote *r, size_t n)
{
    struct mux_stream *st = spdy_of(r)->channels[REMOTE_STDIN].stream;
    if (st)
        mux_consumed(st, n);
}

static void spdy_finish(struct remote *r)
{
    struct remote_spdy *s = spdy_of(r);
    for (int i = 0; i < REMOTE_CHANNELS; i++)
        if (s->channels[i].stream)
            mux_end(s->channels[i].stream);
    mux_finish(s->mux);
    end(s);
}

/* --- streams --- */

static void on_data(void *arg, struct str piece)
{
    struct channel *c = arg;
    struct remote_spdy *s = c->owner;
    if (s->remote.over)
        return;
    if (c == &s->channels[REMOTE_STDIN]) {
        s->remote.events->input(s->remote.arg, piece);
        return;
    }
    mux_consumed(c->stream, piece.n);
    if (c == &s->channels[REMOTE_RESIZE])
        remote_resize(&s->remote, piece);
}

static void input_ends(struct remote_spdy *s, struct channel *c)
{
    if (s->remote.over || c != &s->channels[REMOTE_STDIN] || s->input_ended)
        return;
    s->input_ended = true;
    s->remote.events->input_end(s->remote.arg);
}

static void on_end(void *arg)
{
    struct channel *c = arg;
    input_ends(c->owner, c);
}

static void on_writable(void *arg)
{
    struct channel *c = arg;
    if (!c->owner->remote.over)
        c->owner->remote.events->writable(c->owner->remote.arg);
}

static void on_reset(void *arg)
{
    struct channel *c = arg;
    mux_drop(c->stream);
    c->stream = NULL;
    input_ends(c->owner, c);
}

static int channel_of(const struct http_header *headers, size_t count)
{
    static const char *const names[] = {"stdin", "stdout", "stderr", "error", "resize"};
    for (size_t i = 0; i < count; i++)
        for (int k = 0; str_is(headers[i].name, "streamtype") && k < REMOTE_CHANNELS; k++)
            if (str_is(headers[i].value, names[k]))
                return k;
    return -1;
}

static void on_opened(void *arg, struct mux_stream *st, const struct http_header *headers,
                      size_t count)
{
    static const struct mux_stream_events on = {on_data, on_end, on_writable, on_reset};
    struct remote_spdy *s = arg;
    int channel = channel_of(headers, count);
    if (s->remote.over || channel < 0 || !(s->missing & 1U << channel)) {
        mux_refuse(st);
        return;
    }
    s->missing &= ~(1U << channel);
    s->channels[channel] = (struct channel){s, st};
    mux_accept(st, &on, &s->channels[channel]);
    if (s->missing || s->ready)
        return;
    s->ready = true;
    loop_timer_clear(s->remote.loop, &s->timer);
    s->remote.events->ready(s->remote.arg);
}

static void on_gone(void *arg)
{
    struct remote_spdy *s = arg;
    for (int i = 0; i < REMOTE_CHANNELS; i++)
        mux_drop(s->channels[i].stream);
    if (s->remote.over)
        return;
    end(s);
    s->remote.events->gone(s->remote.arg);
}

/* "timed out waiting for client to create streams": nobody is there to be told. */
static void on_timeout(struct loop_timer *t)
{
    struct remote_spdy *s = CONTAINER_OF(t, struct remote_spdy, timer);
    mux_finish(s->mux);
    end(s);
    s->remote.events->gone(s->remote.arg);
}

struct remote *remote_spdy_open(struct http_exchange *x, const struct carrier_choice *choice,
                                const struct remote_want *want, const struct remote_events *events,
                                void *arg)
{
    static const struct remote_ops ops = {spdy_put, spdy_consumed, spdy_finish};
    static const struct mux_events on = {on_opened, on_gone};
    struct remote_spdy *s = NEW(struct remote_spdy);
    bool v4 = strcmp(choice->protocol, "v4.channel.k8s.io") == 0;
    bool v3 = v4 || strcmp(choice->protocol, "v3.channel.k8s.io") == 0;
    remote_init(&s->remote, &ops, http_exchange_loop(x), want, events, arg);
    s->remote.status_json = v4;
    s->missing = 1U << REMOTE_ERROR | (unsigned)want->in << REMOTE_STDIN |
                 (unsigned)want->out << REMOTE_STDOUT |
                 (unsigned)(want->err && !want->tty) << REMOTE_STDERR |
                 (unsigned)(want->tty && v3) << REMOTE_RESIZE;
    s->mux = mux_open(x, choice, &on, s);
    if (!s->mux) {
        free(s);
        return NULL;
    }
    loop_timer_set(s->remote.loop, &s->timer, STREAM_CREATION_MS, on_timeout);
    return &s->remote;
}
