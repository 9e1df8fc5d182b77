/* GET or POST /portForward/NS/POD: pairs of SPDY streams (data and error, matched by requestID),
 * each joined with a connection to a port of localhost in the pod's network. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>

#include "node/stream_mux.h"

enum { REQUEST_ID_MAX = 64, CONNECT_MS = 30000 };

struct forward {
    struct session session;
    struct streams *streams;
    struct http_exchange *x;
    struct stream_request request;
    struct carrier_choice choice;
    struct work_item work;
    struct streams_pod pod;
    struct err err;
    int rc;
    bool working;
    struct mux *mux; /* NULL: not yet, or gone */
    struct list pairs;
};

/* One forwarded connection. */
struct pair {
    struct list link;
    struct forward *forward;
    char id[REQUEST_ID_MAX];
    uint16_t port;
    struct mux_stream *data, *error;
    struct loop_timer timer; /* for the other stream, then for the connection */
    struct work_item work;
    struct err err;
    int fds[2]; /* sockets for IPv4 and IPv6 until one of them is connected: then fds[0] */
    struct loop_io *io;
    struct buf out; /* to the socket */
    bool working, over;
    bool connecting, v6;
    bool paused;     /* the client is behind: the socket is not read */
    bool client_end; /* no more to the socket */
    bool socket_end; /* no more from it */
    int refused;     /* errno of the try over IPv4 */
};

static void watch_socket(struct pair *p);

/* --- the end --- */

static void forward_free(struct forward *f)
{
    list_del(&f->session.link);
    arena_done(&f->request.arena);
    free(f);
}

static void try_free(struct forward *f)
{
    if (!f->working && !f->x && !f->mux && list_empty(&f->pairs))
        forward_free(f);
}

static void pair_free(struct pair *p)
{
    list_del(&p->link);
    fd_closep(&p->fds[0]);
    fd_closep(&p->fds[1]);
    buf_done(&p->out);
    free(p);
}

/* Lets go of streams and sockets; the memory too, unless a thread has it. */
static void pair_end(struct pair *p)
{
    struct loop *loop = p->forward->streams->loop;
    if (p->over)
        return;
    p->over = true;
    loop_timer_clear(loop, &p->timer);
    loop_del(loop, p->io);
    p->io = NULL;
    if (p->error)
        mux_end(p->error);
    mux_drop(p->error);
    mux_drop(p->data);
    p->error = p->data = NULL;
    if (!p->working)
        pair_free(p);
}

static void pair_fail(struct pair *p, const char *message)
{
    if (p->error)
        mux_write(p->error, str_of(message));
    pair_end(p);
}

static void fail_forward(struct pair *p, const char *why)
{
    struct buf b = {0};
    struct forward *f = p->forward;
    buf_printf(&b, "error forwarding port %d to pod %s, uid %s: %s", p->port, f->request.pod,
               f->pod.uid, why);
    pair_fail(p, buf_z(&b));
    buf_done(&b);
}

/* --- the socket --- */

static int make_sockets(struct pair *p, struct err *err)
{
    static const int families[] = {AF_INET, AF_INET6};
    for (int i = 0; i < 2; i++) {
        p->fds[i] = socket(families[i], SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (p->fds[i] >= 0)
            setsockopt(p->fds[i], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    }
    return p->fds[0] < 0 ? err_errno(err, "socket") : 0;
}

/* A socket stays in the network that its thread was in when it was made. */
static int make_sockets_in(struct pair *p, const char *netns, struct err *err)
{
    CLEANUP(fd_closep) int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    CLEANUP(fd_closep) int other = open(netns, O_RDONLY | O_CLOEXEC);
    if (own < 0 || other < 0)
        return err_errno(err, "failed to open network namespace \"%s\"", netns);
    if (setns(other, CLONE_NEWNET))
        return err_errno(err, "failed to enter network namespace \"%s\"", netns);
    int rc = make_sockets(p, err);
    if (setns(own, CLONE_NEWNET))
        abort(); /* what this thread does next would happen in the pod's network */
    return rc;
}

static void run_sockets(struct work_item *w)
{
    struct pair *p = CONTAINER_OF(w, struct pair, work);
    const struct streams_pod *pod = &p->forward->pod;
    if (pod->host_network || !pod->netns[0])
        make_sockets(p, &p->err);
    else
        make_sockets_in(p, pod->netns, &p->err);
}

static int start_connect(struct pair *p)
{
    if (!p->v6) {
        struct sockaddr_in a = {.sin_family = AF_INET,
                                .sin_port = htons(p->port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
        return connect(p->fds[0], (struct sockaddr *)&a, sizeof(a));
    }
    struct sockaddr_in6 a = {
        .sin6_family = AF_INET6, .sin6_port = htons(p->port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    return connect(p->fds[0], (struct sockaddr *)&a, sizeof(a));
}

static void fail_connect(struct pair *p, int error)
{
    struct buf why = {0};
    buf_printf(&why,
               "failed to connect to localhost:%d inside namespace \"%s\", IPv4: dial tcp4 "
               "127.0.0.1:%d: connect: %s IPv6: dial tcp6 [::1]:%d: connect: %s ",
               p->port, p->forward->pod.netns, p->port, strerror(p->refused), p->port,
               strerror(error));
    fail_forward(p, buf_z(&why));
    buf_done(&why);
}

/* IPv4, then IPv6 when nobody listens there, as "localhost" is tried elsewhere. */
static void connect_next(struct pair *p, int error)
{
    struct loop *loop = p->forward->streams->loop;
    for (; error && error != EINPROGRESS; error = start_connect(p) == 0 ? 0 : errno) {
        if (p->v6 || p->fds[1] < 0) {
            p->refused = p->v6 ? p->refused : error;
            fail_connect(p, error);
            return;
        }
        p->refused = error;
        loop_del(loop, p->io);
        p->io = NULL;
        close(p->fds[0]);
        p->fds[0] = p->fds[1];
        p->fds[1] = -1;
        p->v6 = true;
    }
    p->connecting = true; /* the loop says when; at once when it is connected already */
    watch_socket(p);
}

static void connect_timeout(struct loop_timer *t)
{
    struct pair *p = CONTAINER_OF(t, struct pair, timer);
    p->refused = p->v6 ? p->refused : ETIMEDOUT;
    fail_connect(p, ETIMEDOUT);
}

static void sockets_done(struct work_item *w)
{
    struct pair *p = CONTAINER_OF(w, struct pair, work);
    struct forward *f = p->forward;
    p->working = false;
    if (p->over) {
        pair_free(p);
        try_free(f);
        return;
    }
    if (p->err.code) {
        fail_forward(p, p->err.message);
        return;
    }
    loop_timer_set(f->streams->loop, &p->timer, CONNECT_MS, connect_timeout);
    connect_next(p, start_connect(p) == 0 ? 0 : errno);
}

/* --- bytes --- */

/* The socket's last byte was given to the client: both streams are ended, as the client waits for
 * the error stream's end; bytes of the client still go to the socket until it ends, too. */
static void socket_ended(struct pair *p)
{
    p->socket_end = true;
    mux_end(p->data);
    if (p->error)
        mux_end(p->error);
}

/* false: the pair is gone. */
static bool read_socket(struct pair *p)
{
    char *scratch = loop_scratch(p->forward->streams->loop);
    ssize_t n = recv(p->fds[0], scratch, LOOP_SCRATCH, 0);
    if (n > 0) {
        p->paused = mux_write(p->data, (struct str){scratch, (size_t)n}) > STREAM_HIGH_WATER;
        return true;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    socket_ended(p);
    if (n < 0) /* reset: no failure of the forwarding, which would end all of the client's others */
        pair_end(p);
    return n == 0;
}

static bool write_socket(struct pair *p)
{
    size_t at = 0;
    ssize_t n = 0;
    while (at < p->out.n && (n = send(p->fds[0], p->out.p + at, p->out.n - at, MSG_NOSIGNAL)) > 0)
        at += (size_t)n;
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        at = p->out.n; /* nobody reads it; what the other side said is still passed on */
        p->client_end = true;
    }
    buf_remove_front(&p->out, at);
    mux_consumed(p->data, at);
    if (p->out.n == 0 && p->out.cap > STREAM_PIECE)
        buf_done(&p->out);
    if (p->out.n == 0 && p->client_end)
        shutdown(p->fds[0], SHUT_WR);
    if (p->out.n || !p->client_end || !p->socket_end)
        return true;
    pair_end(p);
    return false;
}

static void on_socket(void *arg, uint32_t events)
{
    struct pair *p = arg;
    int error = 0;
    if (p->connecting) {
        getsockopt(p->fds[0], SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof(error)});
        p->connecting = false;
        if (error) {
            connect_next(p, error);
            return;
        }
        loop_timer_clear(p->forward->streams->loop, &p->timer);
        fd_closep(&p->fds[1]);
        p->fds[1] = -1;
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !p->socket_end && !p->paused && !read_socket(p))
        return;
    if (write_socket(p))
        watch_socket(p);
}

/* Waits for what is wanted only: a socket that was hung up would wake the loop for ever. */
static void watch_socket(struct pair *p)
{
    struct loop *loop = p->forward->streams->loop;
    struct err err;
    uint32_t events = p->connecting
                          ? EPOLLOUT
                          : (p->socket_end || p->paused ? 0 : EPOLLIN) | (p->out.n ? EPOLLOUT : 0);
    if (!events) {
        loop_del(loop, p->io);
        p->io = NULL;
    } else if (p->io) {
        loop_mod(loop, p->io, events);
    } else if (loop_add(loop, p->fds[0], events, on_socket, p, &p->io, &err) != 0) {
        fail_forward(p, err.message);
    }
}

static bool connected(const struct pair *p)
{
    return !p->working && p->fds[0] >= 0 && !p->connecting;
}

static void on_data(void *arg, struct str piece)
{
    struct pair *p = arg;
    if (p->client_end) {
        mux_consumed(p->data, piece.n);
        return;
    }
    buf_put(&p->out, piece);
    if (connected(p) && p->out.n == piece.n && write_socket(p))
        watch_socket(p);
}

static void on_data_end(void *arg)
{
    struct pair *p = arg;
    p->client_end = true;
    if (connected(p) && write_socket(p))
        watch_socket(p);
}

static void on_data_room(void *arg)
{
    struct pair *p = arg;
    p->paused = false;
    if (connected(p))
        watch_socket(p);
}

static void on_data_reset(void *arg)
{
    pair_end(arg);
}

static void ignore_data(void *arg, struct str piece)
{
    struct pair *p = arg;
    mux_consumed(p->error, piece.n);
}

static void ignore(void *arg)
{
    (void)arg;
}

static void on_error_reset(void *arg)
{
    struct pair *p = arg;
    mux_drop(p->error);
    p->error = NULL;
}

/* --- streams --- */

static struct str header(const struct http_header *headers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (str_is(headers[i].name, name))
            return headers[i].value;
    return (struct str){0};
}

static void pair_timeout(struct loop_timer *t)
{
    struct pair *p = CONTAINER_OF(t, struct pair, timer);
    pair_fail(p, "timed out waiting for streams");
}

static struct pair *find_pair(struct forward *f, struct str id, uint16_t port)
{
    LIST_FOR (&f->pairs, it) {
        struct pair *p = CONTAINER_OF(it, struct pair, link);
        if (!p->over && str_is(id, p->id) && (!p->data || !p->error))
            return p;
    }
    struct pair *p = NEW(struct pair);
    p->forward = f;
    p->port = port;
    p->fds[0] = p->fds[1] = -1;
    memcpy(p->id, id.p, id.n);
    list_add_tail(&f->pairs, &p->link);
    loop_timer_set(f->streams->loop, &p->timer, STREAM_CREATION_MS, pair_timeout);
    return p;
}

static void pair_complete(struct pair *p)
{
    loop_timer_clear(p->forward->streams->loop, &p->timer);
    p->working = true;
    p->work.run = run_sockets;
    p->work.done = sockets_done;
    work_start(p->forward->streams->work, &p->work);
}

static void on_opened(void *arg, struct mux_stream *st, const struct http_header *headers,
                      size_t count)
{
    static const struct mux_stream_events data_events = {on_data, on_data_end, on_data_room,
                                                         on_data_reset};
    static const struct mux_stream_events error_events = {ignore_data, ignore, ignore,
                                                          on_error_reset};
    struct forward *f = arg;
    struct str type = header(headers, count, "streamtype"),
               id = header(headers, count, "requestid");
    bool data = str_is(type, "data");
    uint64_t port;
    char own_id[32];
    if (!id.n) { /* clients before request ids: the error stream comes first, data follows */
        snprintf(own_id, sizeof(own_id), "#%u", mux_id(st) - (data ? 2 : 0));
        id = str_of(own_id);
    }
    if (!str_to_u64(header(headers, count, "port"), &port) || port < 1 || port > UINT16_MAX ||
        (!data && !str_is(type, "error")) || id.n >= REQUEST_ID_MAX || memchr(id.p, 0, id.n)) {
        mux_refuse(st);
        return;
    }
    struct pair *p = find_pair(f, id, (uint16_t)port);
    struct mux_stream **place = data ? &p->data : &p->error;
    if (*place) {
        mux_refuse(st);
        return;
    }
    *place = st;
    mux_accept(st, data ? &data_events : &error_events, p);
    if (p->data && p->error)
        pair_complete(p);
}

static void end_pairs(struct forward *f)
{
    LIST_FOR (&f->pairs, it)
        pair_end(CONTAINER_OF(it, struct pair, link));
}

static void on_gone(void *arg)
{
    struct forward *f = arg;
    end_pairs(f);
    f->mux = NULL;
    try_free(f);
}

/* --- the request --- */

static void run_find(struct work_item *w)
{
    struct forward *f = CONTAINER_OF(w, struct forward, work);
    const struct stream_request *r = &f->request;
    f->rc = agent_find_pod(f->streams->config.agent, r->ns, r->pod, r->uid, &f->pod, &f->err);
}

static void find_done(struct work_item *w)
{
    static const struct mux_events on = {on_opened, on_gone};
    struct forward *f = CONTAINER_OF(w, struct forward, work);
    struct http_exchange *x = f->x;
    f->working = false;
    f->x = NULL;
    if (x && f->rc != 0)
        stream_refuse_err(x, &f->err);
    else if (x)
        f->mux = mux_open(x, &f->choice, &on, f);
    try_free(f);
}

static void client_closed(void *arg)
{
    struct forward *f = arg;
    f->x = NULL;
    try_free(f);
}

static void stop_session(struct session *s)
{
    struct forward *f = CONTAINER_OF(s, struct forward, session);
    end_pairs(f);
    if (f->mux)
        mux_finish(f->mux);
    f->mux = NULL;
    try_free(f);
}

void stream_forward_handle(struct streams *s, struct http_exchange *x, struct str rest,
                           const struct http_request *r)
{
    static const char *const websocket[] = {"SPDY/3.1+portforward.k8s.io", NULL};
    static const char *const spdy[] = {"portforward.k8s.io", NULL};
    static const struct carrier_offer offer = {websocket, spdy};
    struct err err = {0};
    struct forward *f = NEW(struct forward);
    f->streams = s;
    list_init(&f->pairs);
    f->session.stop = stop_session;
    list_add_tail(&s->sessions, &f->session.link);
    if (!stream_request_parse(&f->request, rest, false, r->query))
        err_set(&err, 404, "NotFound", "404 page not found");
    else if (carrier_negotiate(r, &offer, &f->choice, &err) == 0 && f->choice.websocket &&
             !*f->choice.protocol)
        err_bad(&err, "unable to upgrade: the subprotocol %s is needed", websocket[0]);
    if (err.code) {
        stream_refuse_err(x, &err);
        forward_free(f);
        return;
    }
    f->x = x;
    f->working = true;
    http_watch(x, &(struct http_watch){.closed = client_closed, .arg = f});
    f->work.run = run_find;
    f->work.done = find_done;
    work_start(s->work, &f->work);
}
