#include "net/server_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/un.h>
#include <time.h>

#include "base/clock.h"
#include "net/address.h"
#include "net/head.h"
#include "net/tls_impl.h"
#include "net/tunnel.h"

enum { ACCEPTS_A_TURN = 64, ACCEPT_RETRY_MS = 100 };

static const struct str preface = STR_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/* --- a connection's life --- */

static void drain_over(struct http_server *s)
{
    void (*done)(void *) = s->drained;
    s->drained = NULL;
    loop_timer_clear(s->loop, &s->drain_timer);
    if (done)
        done(s->drained_arg);
}

static void check_drained(struct loop_task *t)
{
    struct http_server *s = CONTAINER_OF(t, struct http_server, task);
    if (s->draining && list_empty(&s->conns) && list_empty(&s->tunnels))
        drain_over(s);
}

static void conn_gone(struct http_server *s)
{
    s->conn_count--;
    if (s->draining)
        loop_defer(s->loop, &s->task, check_drained);
}

void http_server_tunnel_gone(void *server)
{
    conn_gone(server);
}

static void free_server_conn(struct loop_task *t)
{
    free(CONTAINER_OF(t, struct server_conn, task));
}

static void unlink_conn(struct server_conn *sc)
{
    struct http_server *s = sc->server;
    sc->conn = NULL;
    list_del(&sc->link);
    loop_timer_clear(s->loop, &sc->timer);
    loop_defer(s->loop, &sc->task, free_server_conn);
    if (sc->h1)
        h1_lost(sc->h1);
    if (sc->h2)
        h2_lost(sc->h2);
}

void http_server_conn_drop(struct server_conn *sc, bool finish)
{
    struct conn *c = sc->conn;
    if (!c)
        return;
    struct http_server *s = sc->server;
    unlink_conn(sc);
    if (finish)
        conn_finish(c);
    else
        conn_free(c);
    conn_gone(s);
}

struct conn *http_server_conn_take(struct server_conn *sc)
{
    struct conn *c = sc->conn;
    unlink_conn(sc);
    return c;
}

/* --- time --- */

/* Only a connection that has to do something is under a limit: one whose request is with the
 * handler and whose queue is empty may wait as long as it likes. */
static void on_timer(struct loop_timer *t)
{
    struct server_conn *sc = CONTAINER_OF(t, struct server_conn, timer);
    struct http_server *s = sc->server;
    int64_t now = loop_now_ms(s->loop), idle = s->config.idle_ms;
    if (sc->head_due_ms) {
        if (now >= sc->head_due_ms)
            http_server_conn_drop(sc, false);
        else
            loop_timer_set(s->loop, t, sc->head_due_ms - now, on_timer);
        return;
    }
    bool ours = (sc->h1 && h1_waits_for_us(sc->h1)) || (sc->h2 && h2_waits_for_us(sc->h2));
    int64_t left = conn_progress_ms(sc->conn) + idle - now;
    if (ours && conn_queued(sc->conn) == 0)
        left = idle;
    if (left > 0)
        loop_timer_set(s->loop, t, left, on_timer);
    else
        http_server_conn_drop(sc, sc->h2 != NULL);
}

void http_server_conn_head_begins(struct server_conn *sc)
{
    struct http_server *s = sc->server;
    sc->head_due_ms = loop_now_ms(s->loop) + s->config.header_ms;
    if (!sc->timer.at || sc->timer.due_ms > sc->head_due_ms)
        loop_timer_set(s->loop, &sc->timer, s->config.header_ms, on_timer);
}

/* --- events of a connection --- */

static void on_ready(void *arg)
{
    struct server_conn *sc = arg;
    if (conn_is_h2(sc->conn))
        h2_new(sc);
}

static void dispatch(struct server_conn *sc, struct str bytes)
{
    if (sc->h2)
        h2_data(sc->h2, bytes);
    else
        h1_data(sc->h1, bytes);
}

/* Without ALPN the first bytes tell (prior knowledge, RFC 9113 section 3.3). */
static void sniff(struct server_conn *sc, struct str bytes)
{
    size_t take = preface.n - sc->first_n;
    if (take > bytes.n)
        take = bytes.n;
    memcpy(sc->first + sc->first_n, bytes.p, take);
    sc->first_n += take;
    bool same = memcmp(sc->first, preface.p, sc->first_n) == 0;
    if (same && sc->first_n < preface.n)
        return;
    if (same)
        h2_new(sc);
    else
        h1_new(sc);
    dispatch(sc, (struct str){sc->first, sc->first_n});
    if (sc->conn && take < bytes.n)
        dispatch(sc, str_from(bytes, take));
}

static void on_data(void *arg, struct str bytes)
{
    struct server_conn *sc = arg;
    if (sc->h1 || sc->h2)
        dispatch(sc, bytes);
    else
        sniff(sc, bytes);
}

static void on_eof(void *arg)
{
    struct server_conn *sc = arg;
    if (sc->h1)
        h1_eof(sc->h1);
    else if (sc->h2)
        h2_eof(sc->h2);
    else
        http_server_conn_drop(sc, true);
}

static void on_drained(void *arg)
{
    struct server_conn *sc = arg;
    if (sc->h1)
        h1_drained(sc->h1);
    else if (sc->h2)
        h2_drained(sc->h2);
}

static void on_failed(void *arg, const struct err *err)
{
    (void)err;
    http_server_conn_drop(arg, false);
}

void http_server_adopt(struct http_server *s, int fd, const struct sockaddr *from)
{
    static const struct conn_events events = {on_ready, on_data, on_eof, on_drained, on_failed};
    struct server_conn *sc = NEW(struct server_conn);
    sc->conn = conn_accept(s->loop, fd, s->config.tls, &events, sc);
    if (!sc->conn) {
        free(sc);
        return;
    }
    sc->server = s;
    net_address_format(from, sc->remote, sizeof(sc->remote));
    list_add_tail(&s->conns, &sc->link);
    s->conn_count++;
    http_server_conn_head_begins(sc);
}

/* --- accepting --- */

static void accept_again(struct loop_timer *t)
{
    struct http_server *s = CONTAINER_OF(t, struct http_server, accept_timer);
    loop_mod(s->loop, s->io, EPOLLIN);
}

static void on_accept(void *arg, uint32_t events)
{
    struct http_server *s = arg;
    (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_storage from = {0};
        socklen_t n = sizeof(from);
        int fd = accept4(s->fd, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            /* Out of descriptors: the socket stays readable, so look away for a moment. */
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
                loop_mod(s->loop, s->io, 0);
                loop_timer_set(s->loop, &s->accept_timer, ACCEPT_RETRY_MS, accept_again);
            }
            return;
        }
        if (s->conn_count >= s->config.max_conns)
            close(fd);
        else
            http_server_adopt(s, fd, (const struct sockaddr *)&from);
    }
}

static void set_defaults(struct http_server_config *c)
{
    if (!c->max_body)
        c->max_body = 3 * 1024 * 1024;
    if (!c->max_conns)
        c->max_conns = 20000;
    if (!c->max_streams)
        c->max_streams = 250;
    if (!c->header_ms)
        c->header_ms = 32000;
    if (!c->idle_ms)
        c->idle_ms = 90000;
}

static int bound_port(int fd)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof(a);
    if (getsockname(fd, (struct sockaddr *)&a, &n) < 0)
        return 0;
    if (a.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&a)->sin_port);
    if (a.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&a)->sin6_port);
    return 0;
}

int http_server_new(struct loop *l, const struct http_server_config *config,
                    struct http_server **ret, struct err *err)
{
    int fd = config->listen_fd;
    if (config->listen && net_address_listen(config->listen, config->reuse_port, &fd, err) < 0)
        return -1;
    if (config->tls && !tls_is_server(config->tls)) {
        close(fd);
        return err_internal(err, "the TLS context of a server must be made for one");
    }
    struct http_server *s = NEW(struct http_server);
    s->loop = l;
    s->config = *config;
    set_defaults(&s->config);
    s->fd = fd;
    s->port = bound_port(fd);
    list_init(&s->conns);
    list_init(&s->tunnels);
    if (config->listen && str_starts(str_of(config->listen), STR("unix:")))
        s->unlink_path = mem_strdup(config->listen + 5);
    s->config.listen = NULL;
    if (loop_add(l, fd, EPOLLIN, on_accept, s, &s->io, err) < 0) {
        http_server_free(s);
        return -1;
    }
    *ret = s;
    return 0;
}

int http_server_port(const struct http_server *s)
{
    return s->port;
}

static void stop_accepting(struct http_server *s)
{
    loop_timer_clear(s->loop, &s->accept_timer);
    loop_del(s->loop, s->io);
    s->io = NULL;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    if (s->unlink_path)
        unlink(s->unlink_path);
    free(s->unlink_path);
    s->unlink_path = NULL;
}

/* Callbacks of one connection may end others, so each round looks at the list anew. */
static void close_all(struct http_server *s)
{
    while (!list_empty(&s->conns))
        http_server_conn_drop(CONTAINER_OF(s->conns.next, struct server_conn, link), false);
    while (!list_empty(&s->tunnels))
        tunnel_break(tunnel_of(s->tunnels.next));
}

static void drain_timeout(struct loop_timer *t)
{
    close_all(CONTAINER_OF(t, struct http_server, drain_timer));
}

void http_server_drain(struct http_server *s, int64_t drain_ms, void (*done)(void *arg), void *arg)
{
    s->draining = true;
    s->drained = done;
    s->drained_arg = arg;
    stop_accepting(s);
    struct list busy;
    list_init(&busy);
    while (!list_empty(&s->conns)) {
        struct server_conn *sc = CONTAINER_OF(s->conns.next, struct server_conn, link);
        list_del(&sc->link);
        list_add_tail(&busy, &sc->link);
        if (sc->h1)
            h1_drain(sc->h1);
        else if (sc->h2)
            h2_drain(sc->h2);
        else if (!sc->first_n)
            http_server_conn_drop(sc, true);
    }
    while (!list_empty(&busy)) {
        struct list *link = busy.next;
        list_del(link);
        list_add_tail(&s->conns, link);
    }
    loop_timer_set(s->loop, &s->drain_timer, drain_ms, drain_timeout);
    loop_defer(s->loop, &s->task, check_drained);
}

static void free_server(struct loop_task *t)
{
    struct http_server *s = CONTAINER_OF(t, struct http_server, task);
    buf_done(&s->scratch);
    free(s);
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    s->drained = NULL;
    stop_accepting(s);
    close_all(s);
    s->draining = false;
    loop_timer_clear(s->loop, &s->drain_timer);
    loop_defer(s->loop, &s->task, free_server);
}

/* --- exchanges --- */

struct str http_request_header(const struct http_request *r, const char *lower_name)
{
    return head_find(r->headers, r->header_count, lower_name);
}

struct loop *http_exchange_loop(struct http_exchange *x)
{
    return x->loop;
}

void http_server_handle(struct http_exchange *x)
{
    x->server->config.handler(x->server->config.arg, x, &x->request);
}

void http_respond(struct http_exchange *x, int status, const struct http_header *headers,
                  size_t header_count, struct bytes *body)
{
    x->ops->respond(x, status, headers, header_count, body);
}

void http_start(struct http_exchange *x, int status, const struct http_header *headers,
                size_t header_count)
{
    x->ops->start(x, status, headers, header_count);
}

size_t http_write(struct http_exchange *x, struct bytes *chunk)
{
    return x->ops->write(x, chunk);
}

void http_end(struct http_exchange *x)
{
    x->ops->end(x);
}

void http_abort(struct http_exchange *x)
{
    x->ops->abort(x);
}

void http_watch(struct http_exchange *x, const struct http_watch *w)
{
    x->watch = *w;
}

struct http_tunnel *http_upgrade(struct http_exchange *x, const struct http_header *headers,
                                 size_t header_count, const struct http_tunnel_events *events)
{
    return x->ops->upgrade ? x->ops->upgrade(x, headers, header_count, events) : NULL;
}

struct str http_server_date(struct http_server *s)
{
    int64_t now = wall_ns(world_real()) / 1000000000;
    if (now != s->date_s) {
        time_t seconds = (time_t)now;
        struct tm utc;
        gmtime_r(&seconds, &utc);
        strftime(s->date, sizeof(s->date), "%a, %d %b %Y %H:%M:%S GMT", &utc);
        s->date_s = now;
    }
    return str_of(s->date);
}

bool http_status_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}
