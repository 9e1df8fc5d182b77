#include "node/stream_mux.h"

#include "base/map.h"

enum {
    UPDATE_AT = SPDY_INITIAL_WINDOW / 2,
    FINISH_MS = 30000 /* for a client's windows to let the last bytes through */
};

struct mux_stream {
    struct list link;
    struct mux *mux;
    uint32_t id;
    const struct mux_stream_events *events; /* NULL: not accepted, or dropped */
    void *arg;
    struct buf queue;  /* waits for the peer's window */
    int64_t window;    /* what we may send */
    size_t unconsumed; /* what the owner holds */
    uint32_t credit;   /* consumed, and not yet told to the peer */
    bool accepted, dropped, dead;
    bool got_end;            /* the peer's side is closed */
    bool want_end, sent_end; /* ours */
    bool blocked;            /* the owner waits for `writable` */
    bool holds;              /* is over the mark, stops the connection */
};

struct mux {
    struct carrier *carrier;
    struct spdy *spdy;
    struct loop *loop;
    const struct mux_events *events;
    void *arg;
    struct list streams;
    struct map by_id;
    size_t count, holding;
    int64_t initial_window;
    bool windows;   /* the peer keeps them */
    bool finishing; /* closes as soon as what was written is sent; has no owner any more */
    bool over;
    struct buf out;
    struct loop_task task;
    struct loop_timer timer;
};

/* --- sending --- */

static size_t flush(struct mux *m)
{
    if (m->over)
        return 0;
    size_t waiting = carrier_waiting(m->carrier);
    if (m->out.n)
        waiting = carrier_send(m->carrier, buf_str(&m->out));
    buf_clear(&m->out);
    return waiting;
}

static struct str id_key(const uint32_t *id)
{
    return (struct str){(const char *)id, sizeof(*id)};
}

static struct mux_stream *find(struct mux *m, uint32_t id)
{
    return map_get(&m->by_id, id_key(&id));
}

static void release(struct mux_stream *st)
{
    if (!st->holds)
        return;
    st->holds = false;
    if (--st->mux->holding == 0)
        carrier_pause(st->mux->carrier, false);
}

/* Out of the table; the memory stays until the owner lets go. */
static void bury(struct mux_stream *st)
{
    struct mux *m = st->mux;
    if (!st->dead) {
        st->dead = true;
        map_del(&m->by_id, id_key(&st->id));
        list_del(&st->link);
        m->count--;
        release(st);
        buf_done(&st->queue);
    }
    if (st->dropped || !st->accepted)
        free(st);
}

/* Sends what the window lets, then the end. */
static void push(struct mux_stream *st)
{
    struct mux *m = st->mux;
    size_t n = st->queue.n;
    if (m->windows && (int64_t)n > st->window)
        n = st->window > 0 ? (size_t)st->window : 0;
    bool fin = st->want_end && !st->sent_end && n == st->queue.n;
    if (n || fin)
        spdy_write_data(st->id, str_head(buf_str(&st->queue), n), fin, &m->out);
    buf_remove_front(&st->queue, n);
    if (st->queue.n == 0 && st->queue.cap > STREAM_PIECE * 2)
        buf_done(&st->queue);
    st->window -= (int64_t)n;
    st->sent_end |= fin;
}

/* A dropped stream stays for its last bytes only. */
static void settle(struct mux_stream *st)
{
    if (st->sent_end && st->got_end && (st->dropped || !st->accepted)) {
        bury(st);
    } else if (st->dropped && st->sent_end) {
        spdy_write_reset(st->id, SPDY_CANCEL, &st->mux->out);
        bury(st);
    }
}

size_t mux_write(struct mux_stream *st, struct str bytes)
{
    if (st->dead || st->want_end)
        return 0;
    buf_put(&st->queue, bytes);
    push(st);
    size_t waiting = st->queue.n + flush(st->mux);
    st->blocked = waiting > 0;
    return waiting;
}

void mux_end(struct mux_stream *st)
{
    if (st->dead || st->want_end)
        return;
    st->want_end = true;
    push(st);
    flush(st->mux);
}

void mux_consumed(struct mux_stream *st, size_t n)
{
    st->unconsumed -= n < st->unconsumed ? n : st->unconsumed;
    if (st->dead || st->got_end) {
        if (!st->dead && st->unconsumed <= STREAM_HIGH_WATER / 2)
            release(st);
        return;
    }
    st->credit += (uint32_t)n;
    if (st->credit >= UPDATE_AT) {
        spdy_write_window(st->id, st->credit, &st->mux->out);
        st->credit = 0;
        flush(st->mux);
    }
    if (st->unconsumed <= STREAM_HIGH_WATER / 2)
        release(st);
}

void mux_reset(struct mux_stream *st)
{
    st->dropped = true;
    if (!st->dead) {
        spdy_write_reset(st->id, SPDY_CANCEL, &st->mux->out);
        flush(st->mux);
    }
    bury(st);
}

void mux_drop(struct mux_stream *st)
{
    if (!st)
        return;
    st->dropped = true;
    st->events = NULL;
    struct mux *m = st->mux;
    if (st->dead) {
        bury(st);
        return;
    }
    release(st);
    if (!st->want_end) {
        mux_reset(st);
        return;
    }
    settle(st);
    flush(m);
}

void mux_accept(struct mux_stream *st, const struct mux_stream_events *events, void *arg)
{
    st->events = events;
    st->arg = arg;
    st->accepted = true;
    spdy_write_reply(st->mux->spdy, st->id, &st->mux->out);
}

void mux_refuse(struct mux_stream *st)
{
    spdy_write_reset(st->id, SPDY_REFUSED_STREAM, &st->mux->out);
    bury(st);
}

uint32_t mux_id(const struct mux_stream *st)
{
    return st->id;
}

/* --- the end --- */

static void free_mux(struct loop_task *t)
{
    struct mux *m = CONTAINER_OF(t, struct mux, task);
    LIST_FOR (&m->streams, it) {
        struct mux_stream *st = CONTAINER_OF(it, struct mux_stream, link);
        st->dropped = true; /* its owner is gone as well */
        bury(st);
    }
    spdy_free(m->spdy);
    map_done(&m->by_id);
    buf_done(&m->out);
    free(m);
}

static void end(struct mux *m)
{
    m->over = true;
    spdy_stop(m->spdy);
    loop_timer_clear(m->loop, &m->timer);
    loop_defer(m->loop, &m->task, free_mux);
}

static void close_now(struct mux *m)
{
    spdy_write_goaway(m->spdy, false, &m->out);
    flush(m);
    carrier_finish(m->carrier);
    end(m);
}

/* As soon as the streams' last bytes are on their way. */
static void try_close(struct mux *m)
{
    LIST_FOR (&m->streams, it) {
        struct mux_stream *st = CONTAINER_OF(it, struct mux_stream, link);
        if (st->want_end && !st->sent_end) {
            flush(m);
            return;
        }
    }
    close_now(m);
}

static void finish_timeout(struct loop_timer *t)
{
    close_now(CONTAINER_OF(t, struct mux, timer));
}

void mux_finish(struct mux *m)
{
    if (m->over || m->finishing)
        return;
    m->finishing = true;
    LIST_FOR (&m->streams, it) {
        struct mux_stream *st = CONTAINER_OF(it, struct mux_stream, link);
        st->dropped = true;
        st->events = NULL;
        release(st);
    }
    loop_timer_set(m->loop, &m->timer, FINISH_MS, finish_timeout);
    try_close(m);
}

/* --- what the codec reports --- */

static void on_stream(void *arg, uint32_t id, const struct http_header *headers, size_t count,
                      bool fin)
{
    struct mux *m = arg;
    if (m->count >= MUX_STREAMS_MAX || m->finishing) {
        spdy_write_reset(id, SPDY_REFUSED_STREAM, &m->out);
        return;
    }
    struct mux_stream *st = NEW(struct mux_stream);
    st->mux = m;
    st->id = id;
    st->window = m->initial_window;
    list_add_tail(&m->streams, &st->link);
    map_set(&m->by_id, id_key(&id), st);
    m->count++;
    m->events->opened(m->arg, st, headers, count);
    /* It may be refused, or dropped already: look it up anew. */
    st = fin && !m->over ? find(m, id) : NULL;
    if (!st)
        return;
    st->got_end = true;
    if (st->events)
        st->events->end(st->arg);
}

static void on_data(void *arg, uint32_t id, struct str piece)
{
    struct mux *m = arg;
    struct mux_stream *st = find(m, id);
    if (!st || st->got_end || !st->events)
        return; /* late bytes of a stream that we closed */
    st->unconsumed += piece.n;
    if (!st->holds && st->unconsumed > STREAM_HIGH_WATER) {
        st->holds = true;
        if (m->holding++ == 0)
            carrier_pause(m->carrier, true);
    }
    st->events->data(st->arg, piece);
}

static void on_end(void *arg, uint32_t id)
{
    struct mux_stream *st = find(arg, id);
    if (!st || st->got_end)
        return;
    st->got_end = true;
    if (st->events)
        st->events->end(st->arg);
    else
        settle(st);
}

static void on_reset(void *arg, uint32_t id, uint32_t why)
{
    struct mux_stream *st = find(arg, id);
    (void)why;
    if (!st)
        return;
    const struct mux_stream_events *events = st->events;
    void *owner = st->arg;
    bury(st);
    if (events)
        events->reset(owner);
}

static void unblock(struct mux_stream *st)
{
    if (!st->blocked || st->queue.n || !st->events)
        return;
    st->blocked = false;
    st->events->writable(st->arg);
}

static void on_window(void *arg, uint32_t id, uint32_t more)
{
    struct mux *m = arg;
    m->windows = true;
    struct mux_stream *st = find(m, id);
    if (!st)
        return;
    st->window += more;
    if (st->window > INT32_MAX) {
        spdy_write_reset(id, SPDY_FLOW_CONTROL_ERROR, &m->out);
        on_reset(m, id, SPDY_FLOW_CONTROL_ERROR);
        return;
    }
    push(st);
    if (m->finishing)
        try_close(m);
    else if (!st->events)
        settle(st);
    else if (flush(m) == 0)
        unblock(st);
}

static void on_initial_window(void *arg, uint32_t bytes)
{
    struct mux *m = arg;
    m->windows = true;
    LIST_FOR (&m->streams, it) {
        struct mux_stream *st = CONTAINER_OF(it, struct mux_stream, link);
        st->window += (int64_t)bytes - m->initial_window;
        push(st);
        if (st->dropped && !m->finishing)
            settle(st);
    }
    m->initial_window = bytes;
    if (m->finishing)
        try_close(m);
}

/* --- what the carrier reports --- */

static void on_closed(void *arg)
{
    struct mux *m = arg;
    if (m->over)
        return;
    end(m);
    if (!m->finishing)
        m->events->gone(m->arg);
}

static void on_bytes(void *arg, struct str bytes)
{
    struct mux *m = arg;
    struct err err;
    struct buf answers = {0};
    int rc = spdy_feed(m->spdy, bytes, &answers, &err);
    if (!m->over) {
        flush(m);
        if (answers.n)
            carrier_send(m->carrier, buf_str(&answers));
    }
    buf_done(&answers);
    if (rc == 0 || m->over)
        return;
    carrier_finish(m->carrier);
    on_closed(m);
}

static void on_drained(void *arg)
{
    struct mux *m = arg;
    /* Owners may drop any stream in `writable`: ids outlive them. */
    size_t n = 0, count = m->count;
    uint32_t *ids = mem_realloc_array(NULL, count ? count : 1, sizeof(*ids));
    LIST_FOR (&m->streams, it)
        ids[n++] = CONTAINER_OF(it, struct mux_stream, link)->id;
    for (size_t i = 0; i < n && !m->over; i++) {
        struct mux_stream *st = find(m, ids[i]);
        if (st)
            unblock(st);
    }
    free(ids);
}

static void on_goaway(void *arg)
{
    (void)arg; /* the streams that there are go on; the client closes when it is done */
}

struct mux *mux_open(struct http_exchange *x, const struct carrier_choice *choice,
                     const struct mux_events *events, void *arg)
{
    static const struct carrier_events on = {on_bytes, on_drained, on_closed};
    static const struct spdy_events frames = {
        .stream = on_stream,
        .data = on_data,
        .end = on_end,
        .reset = on_reset,
        .window = on_window,
        .initial_window = on_initial_window,
        .goaway = on_goaway,
    };
    struct mux *m = NEW(struct mux);
    m->loop = http_exchange_loop(x);
    m->carrier = carrier_open(x, choice, &on, m);
    if (!m->carrier) {
        free(m);
        return NULL;
    }
    m->events = events;
    m->arg = arg;
    m->initial_window = SPDY_INITIAL_WINDOW;
    m->spdy = spdy_new(true, &frames, m);
    list_init(&m->streams);
    return m;
}
