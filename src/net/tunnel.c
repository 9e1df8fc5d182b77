#include "net/tunnel.h"

struct http_tunnel {
    struct list link;
    struct conn *conn;
    struct http_tunnel_events events;
    struct buf early;
    struct loop_task task; /* hands out early; in the end: frees */
    struct loop *loop;
    void (*gone)(void *owner);
    void *owner;
    bool paused, over, ended; /* over: no callback any more; ended: the peer closed */
};

static void free_now(struct loop_task *task)
{
    struct http_tunnel *t = CONTAINER_OF(task, struct http_tunnel, task);
    buf_done(&t->early);
    free(t);
}

static void end(struct http_tunnel *t, bool finish)
{
    t->over = true;
    list_del(&t->link);
    if (finish)
        conn_finish(t->conn);
    else
        conn_free(t->conn);
    loop_defer(t->loop, &t->task, free_now);
    if (t->gone)
        t->gone(t->owner);
}

static void on_closed(struct http_tunnel *t, bool finish)
{
    end(t, finish);
    if (t->events.closed)
        t->events.closed(t->events.arg);
}

void tunnel_break(struct http_tunnel *t)
{
    on_closed(t, false);
}

struct http_tunnel *tunnel_of(struct list *link)
{
    return CONTAINER_OF(link, struct http_tunnel, link);
}

static void give_early(struct loop_task *task)
{
    struct http_tunnel *t = CONTAINER_OF(task, struct http_tunnel, task);
    if (t->paused)
        return;
    struct buf early = t->early;
    t->early = (struct buf){0};
    if (early.n)
        t->events.data(t->events.arg, buf_str(&early));
    buf_done(&early);
    if (t->over)
        return;
    if (t->ended)
        on_closed(t, true);
    else
        conn_pause(t->conn, t->paused);
}

static void on_data(void *arg, struct str bytes)
{
    struct http_tunnel *t = arg;
    if (t->early.n)
        buf_put(&t->early, bytes); /* order: the early ones wait for their turn */
    else
        t->events.data(t->events.arg, bytes);
}

static void on_eof(void *arg)
{
    struct http_tunnel *t = arg;
    if (t->early.n)
        t->ended = true;
    else
        on_closed(t, true);
}

static void on_drained(void *arg)
{
    struct http_tunnel *t = arg;
    if (t->events.drained)
        t->events.drained(t->events.arg);
}

static void on_failed(void *arg, const struct err *err)
{
    (void)err;
    on_closed(arg, false);
}

static void on_ready(void *arg)
{
    (void)arg;
}

struct http_tunnel *tunnel_new(struct conn *c, struct str early,
                               const struct http_tunnel_events *events, struct list *siblings,
                               void (*gone)(void *owner), void *owner)
{
    static const struct conn_events conn_events = {on_ready, on_data, on_eof, on_drained,
                                                   on_failed};
    struct http_tunnel *t = NEW(struct http_tunnel);
    t->conn = c;
    t->loop = conn_loop(c);
    t->events = *events;
    t->gone = gone;
    t->owner = owner;
    list_init(&t->link);
    if (siblings)
        list_add_tail(siblings, &t->link);
    buf_put(&t->early, early);
    t->ended = conn_saw_eof(c);
    conn_set_events(c, &conn_events, t);
    conn_pause(c, true);
    loop_defer(t->loop, &t->task, give_early);
    return t;
}

size_t http_tunnel_write(struct http_tunnel *t, struct str bytes)
{
    if (!t->over)
        conn_write(t->conn, bytes);
    return conn_queued(t->conn);
}

void http_tunnel_pause(struct http_tunnel *t, bool pause)
{
    if (t->over)
        return;
    t->paused = pause;
    if (t->early.n == 0 && !t->ended)
        conn_pause(t->conn, pause);
    else if (!pause)
        loop_defer(t->loop, &t->task, give_early);
}

void http_tunnel_close(struct http_tunnel *t)
{
    if (!t->over)
        end(t, true);
}
