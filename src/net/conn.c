#include "net/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/uio.h>
#include <unistd.h>

#include "net/tls_impl.h"

enum {
    RECORD = 16 * 1024,       /* largest TLS record */
    SMALL = 1024,             /* shared bytes up to this are copied: cheaper than another vector */
    OWN_MIN = 1000,           /* room of a chunk that collects copies */
    READ_A_TURN = 256 * 1024, /* then other connections get their turn */
    WRITE_A_TURN = 1024 * 1024,
    VECTORS = 64,
    LINGER_MS = 1000,
    PROXY_ANSWER = 8 * 1024, /* the longest head of one */
    FLUSH_MS = 10000,        /* without progress, for a peer that is slow to take its last answer */
};

/* A piece of the queue: either its own bytes, which later copies extend, or a part of shared ones.
 */
struct chunk {
    struct chunk *next;
    struct bytes *shared;
    size_t at, end, cap;
    char own[];
};

struct conn {
    struct loop *loop;
    int fd;
    struct loop_io *io;
    SSL *ssl;
    const struct conn_events *events;
    void *arg;
    struct chunk *head, *tail;
    size_t queued;
    int64_t progress_ms;
    struct loop_task task;   /* flush, read on, announce; in the end: free */
    struct loop_timer timer; /* lingering */
    struct loop_task end;    /* lingering when the loop ends */
    struct tls_peer *peer;
    char *name;                             /* of a server, for messages */
    struct buf proxy;                       /* what to ask of it, later its answer */
    bool asking_proxy;                      /* for a tunnel; the TLS handshake follows */
    bool connecting, handshaking, announce; /* on the way to `ready` */
    bool paused, eof, failed, dead;
    bool lingering;
    bool write_blocked; /* waits for EPOLLOUT */
    bool read_on;       /* bytes may wait that epoll does not tell of */
};

static void on_task(struct loop_task *t);
static void on_io(void *arg, uint32_t events);

static struct str chunk_str(const struct chunk *k)
{
    const char *p = k->shared ? k->shared->p : k->own;
    return (struct str){p + k->at, k->end - k->at};
}

static void drop_chunk(struct conn *c)
{
    struct chunk *k = c->head;
    c->head = k->next;
    if (!c->head)
        c->tail = NULL;
    bytes_unref(k->shared);
    free(k);
}

static void consume(struct conn *c, size_t n)
{
    c->queued -= n;
    c->progress_ms = loop_now_ms(c->loop);
    while (n > 0) {
        size_t here = c->head->end - c->head->at;
        if (n < here) {
            c->head->at += n;
            return;
        }
        n -= here;
        drop_chunk(c);
    }
}

/* --- making and freeing --- */

static void update_interest(struct conn *c)
{
    if (!c->io)
        return;
    uint32_t events = 0;
    if (c->connecting || c->write_blocked)
        events |= EPOLLOUT;
    if (!c->connecting && !c->paused && !c->eof)
        events |= EPOLLIN | EPOLLRDHUP;
    loop_mod(c->loop, c->io, events);
}

static void later(struct conn *c)
{
    loop_defer(c->loop, &c->task, on_task);
}

static void close_fd(struct conn *c)
{
    loop_del(c->loop, c->io);
    c->io = NULL;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static void free_now(struct loop_task *t)
{
    struct conn *c = CONTAINER_OF(t, struct conn, task);
    SSL_free(c->ssl);
    if (c->peer)
        tls_peer_done(c->peer);
    free(c->peer);
    buf_done(&c->proxy);
    free(c->name);
    free(c);
}

void conn_free(struct conn *c)
{
    if (!c || c->dead)
        return;
    c->dead = true;
    while (c->head)
        drop_chunk(c);
    loop_timer_clear(c->loop, &c->timer);
    loop_undefer(c->loop, &c->end);
    /* The socket is closed in this turn; the rest goes when no caller up the stack looks at it. */
    if (c->ssl && !c->handshaking && !c->failed && c->fd >= 0) {
        ERR_clear_error();
        SSL_shutdown(c->ssl);
    }
    close_fd(c);
    loop_defer(c->loop, &c->task, free_now);
}

static void fail(struct conn *c, const struct err *err)
{
    if (c->dead || c->failed)
        return;
    c->failed = true;
    close_fd(c);
    if (c->lingering)
        conn_free(c);
    else
        c->events->failed(c->arg, err);
}

static void fail_errno(struct conn *c, const char *what)
{
    struct err err;
    err_errno(&err, "%s", what);
    fail(c, &err);
}

static struct conn *conn_new(struct loop *l, int fd, const struct conn_events *events, void *arg)
{
    struct conn *c = NEW(struct conn);
    c->loop = l;
    c->fd = fd;
    c->events = events;
    c->arg = arg;
    c->progress_ms = loop_now_ms(l);
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return c;
}

struct conn *conn_accept(struct loop *l, int fd, struct tls *tls, const struct conn_events *events,
                         void *arg)
{
    struct conn *c = conn_new(l, fd, events, arg);
    if (loop_add(l, fd, EPOLLIN | EPOLLRDHUP, on_io, c, &c->io, NULL) < 0)
        goto bad;
    if (!tls) {
        c->announce = true;
        later(c);
        return c;
    }
    c->handshaking = true;
    c->ssl = tls_session(tls, fd, NULL, false, NULL);
    if (c->ssl)
        return c;
bad:
    conn_free(c);
    return NULL;
}

int conn_connect(struct loop *l, const struct conn_target *target, const struct conn_events *events,
                 void *arg, struct conn **ret, struct err *err)
{
    int family = target->addr->sa_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(err, "socket");
    struct conn *c = conn_new(l, fd, events, arg);
    const char *network = family == AF_UNIX ? "unix" : "tcp";
    if (target->tls) {
        c->ssl = tls_session(target->tls, fd, target->server_name, target->http1_only, err);
        if (!c->ssl)
            goto bad;
        c->handshaking = true;
    }
    if (connect(fd, target->addr, target->addr_len) < 0 && errno != EINPROGRESS) {
        err_errno(err, "dial %s %s: connect", network, target->name);
        goto bad;
    }
    c->connecting = true;
    c->asking_proxy = target->connect_request.n > 0;
    buf_put(&c->proxy, target->connect_request);
    c->name = mem_strdup(target->name);
    if (loop_add(l, fd, EPOLLOUT, on_io, c, &c->io, err) < 0)
        goto bad;
    *ret = c;
    return 0;
bad:
    conn_free(c);
    return -1;
}

void conn_set_events(struct conn *c, const struct conn_events *events, void *arg)
{
    c->events = events;
    c->arg = arg;
}

/* --- reading --- */

static void got_eof(struct conn *c)
{
    c->eof = true;
    update_interest(c);
    if (!c->lingering)
        c->events->eof(c->arg);
    else if (!c->head)
        conn_free(c);
}

/* 1: n bytes are there, 0: nothing now, -1: end or failure, already reported. */
static int read_some(struct conn *c, char *p, size_t *ret_n)
{
    if (!c->ssl) {
        ssize_t n = recv(c->fd, p, LOOP_SCRATCH, 0);
        if (n > 0) {
            *ret_n = (size_t)n;
            return 1;
        }
        if (n == 0)
            got_eof(c);
        else if (errno != EAGAIN && errno != EINTR)
            fail_errno(c, "read");
        return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    }
    ERR_clear_error();
    errno = 0;
    int n = SSL_read(c->ssl, p, LOOP_SCRATCH);
    if (n > 0) {
        *ret_n = (size_t)n;
        return 1;
    }
    int why = SSL_get_error(c->ssl, n);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return 0;
    struct err err;
    if (why == SSL_ERROR_ZERO_RETURN) {
        got_eof(c);
    } else {
        tls_failure(c->ssl, "read", &err);
        fail(c, &err);
    }
    return -1;
}

static void read_all(struct conn *c)
{
    char *p = loop_scratch(c->loop);
    size_t total = 0;
    c->read_on = false;
    while (!c->paused && !c->eof && !c->dead && !c->failed) {
        size_t n;
        if (read_some(c, p, &n) <= 0)
            return;
        total += n;
        if (!c->lingering) {
            c->progress_ms = loop_now_ms(c->loop);
            c->events->data(c->arg, (struct str){p, n});
        }
        if (c->dead || c->failed)
            return;
        /* A short read means that the socket is empty, and epoll tells when that changes. TLS may
         * still hold bytes of its own. */
        if (c->ssl ? !SSL_has_pending(c->ssl) : n < LOOP_SCRATCH)
            return;
        if (total >= READ_A_TURN)
            break;
    }
    if (c->ssl && !c->dead && !c->failed && !c->eof && SSL_has_pending(c->ssl)) {
        c->read_on = true;
        if (!c->paused)
            later(c);
    }
}

void conn_pause(struct conn *c, bool pause)
{
    if (c->paused == pause || c->dead)
        return;
    c->paused = pause;
    if (!pause && !c->failed) {
        c->read_on = true;
        later(c);
    }
    update_interest(c);
}

/* --- writing --- */

static void append(struct conn *c, struct chunk *k)
{
    k->next = NULL;
    if (c->tail)
        c->tail->next = k;
    else
        c->head = k;
    c->tail = k;
}

void conn_write(struct conn *c, struct str s)
{
    if (c->dead || c->failed || s.n == 0)
        return;
    c->queued += s.n;
    struct chunk *k = c->tail;
    if (k && !k->shared && k->cap > k->end) {
        size_t n = k->cap - k->end < s.n ? k->cap - k->end : s.n;
        memcpy(k->own + k->end, s.p, n);
        k->end += n;
        s = str_from(s, n);
    }
    if (s.n) {
        size_t cap = s.n > OWN_MIN ? s.n : (k ? 4 * OWN_MIN : OWN_MIN);
        k = mem_alloc(sizeof(*k) + cap);
        *k = (struct chunk){.end = s.n, .cap = cap};
        memcpy(k->own, s.p, s.n);
        append(c, k);
    }
    if (!c->write_blocked)
        later(c);
}

void conn_write_bytes(struct conn *c, struct bytes *b, size_t from, size_t n)
{
    if (n <= SMALL) {
        conn_write(c, (struct str){b->p + from, n});
        return;
    }
    if (c->dead || c->failed)
        return;
    c->queued += n;
    struct chunk *k = mem_alloc(sizeof(*k));
    *k = (struct chunk){.shared = bytes_ref(b), .at = from, .end = from + n};
    append(c, k);
    if (!c->write_blocked)
        later(c);
}

/* The next bytes in one piece: straight from a large chunk, else gathered into buf. */
static struct str gather(const struct conn *c, char buf[RECORD])
{
    struct str first = chunk_str(c->head);
    if (first.n >= RECORD || !c->head->next)
        return first;
    size_t n = 0;
    for (const struct chunk *k = c->head; k && n < RECORD; k = k->next) {
        struct str s = str_head(chunk_str(k), RECORD - n);
        memcpy(buf + n, s.p, s.n);
        n += s.n;
    }
    return (struct str){buf, n};
}

/* 1: wrote n, 0: not now, -1: failed, already reported. */
static int write_tls(struct conn *c, size_t *ret_n)
{
    char buf[RECORD];
    struct str s = gather(c, buf);
    ERR_clear_error();
    errno = 0;
    int n = SSL_write(c->ssl, s.p, s.n < INT32_MAX ? (int)s.n : INT32_MAX);
    if (n > 0) {
        *ret_n = (size_t)n;
        return 1;
    }
    int why = SSL_get_error(c->ssl, n);
    if (why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ)
        return 0;
    struct err err;
    tls_failure(c->ssl, "write", &err);
    fail(c, &err);
    return -1;
}

static int write_plain(struct conn *c, size_t *ret_n)
{
    struct iovec vectors[VECTORS];
    size_t count = 0;
    for (const struct chunk *k = c->head; k && count < VECTORS; k = k->next) {
        struct str s = chunk_str(k);
        vectors[count++] = (struct iovec){(void *)(uintptr_t)s.p, s.n};
    }
    struct msghdr m = {.msg_iov = vectors, .msg_iovlen = count};
    ssize_t n = sendmsg(c->fd, &m, MSG_NOSIGNAL);
    if (n >= 0) {
        *ret_n = (size_t)n;
        return 1;
    }
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    fail_errno(c, "write");
    return -1;
}

static void linger_over(struct loop_timer *t)
{
    conn_free(CONTAINER_OF(t, struct conn, timer));
}

static void linger_cut(struct loop_task *t)
{
    conn_free(CONTAINER_OF(t, struct conn, end));
}

static void close_write_side(struct conn *c)
{
    if (c->ssl) {
        ERR_clear_error();
        SSL_shutdown(c->ssl);
    }
    if (c->eof || shutdown(c->fd, SHUT_WR) < 0)
        conn_free(c);
    else
        loop_timer_set(c->loop, &c->timer, LINGER_MS, linger_over);
}

static void flush(struct conn *c)
{
    if (c->connecting || c->asking_proxy || c->handshaking || c->dead || c->failed || !c->head)
        return;
    size_t total = 0;
    bool blocked = false;
    while (c->head && !blocked && total < WRITE_A_TURN) {
        size_t n;
        int got = c->ssl ? write_tls(c, &n) : write_plain(c, &n);
        if (got < 0)
            return;
        blocked = got == 0;
        if (got > 0) {
            consume(c, n);
            total += n;
        }
    }
    c->write_blocked = blocked;
    update_interest(c);
    if (c->head && !blocked)
        later(c);
    if (c->head)
        return;
    if (c->lingering)
        close_write_side(c);
    else
        c->events->drained(c->arg);
}

/* A peer may take its time with a long answer, but has to take something. */
static void flush_over(struct loop_timer *t)
{
    struct conn *c = CONTAINER_OF(t, struct conn, timer);
    int64_t left = c->progress_ms + FLUSH_MS - loop_now_ms(c->loop);
    if (left > 0)
        loop_timer_set(c->loop, t, left, flush_over);
    else
        conn_free(c);
}

void conn_finish(struct conn *c)
{
    if (!c || c->dead)
        return;
    if (c->failed || c->handshaking || c->asking_proxy || c->connecting) {
        conn_free(c);
        return;
    }
    c->lingering = true;
    c->announce = false;
    loop_at_end(c->loop, &c->end, linger_cut);
    c->progress_ms = loop_now_ms(c->loop);
    loop_timer_set(c->loop, &c->timer, FLUSH_MS, flush_over);
    conn_pause(c, false);
    if (!c->head)
        close_write_side(c);
}

/* --- events --- */

static void become_ready(struct conn *c)
{
    c->progress_ms = loop_now_ms(c->loop);
    update_interest(c);
    if (c->head)
        later(c);
    c->events->ready(c->arg);
}

/* A client that speaks plain HTTP gets to know, in the words of Go's server. */
static void answer_plain_http(struct conn *c)
{
    static const struct str answer = STR_INIT(
        "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
    if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST)
        (void)!send(c->fd, answer.p, answer.n, MSG_NOSIGNAL);
}

static void handshake(struct conn *c)
{
    ERR_clear_error();
    errno = 0;
    int n = SSL_do_handshake(c->ssl);
    if (n == 1) {
        c->handshaking = false;
        c->write_blocked = false;
        become_ready(c);
        /* The peer's first bytes may have come with its last handshake message. */
        if (!c->dead && !c->failed)
            read_all(c);
        return;
    }
    int why = SSL_get_error(c->ssl, n);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        c->write_blocked = why == SSL_ERROR_WANT_WRITE;
        update_interest(c);
        return;
    }
    struct err err;
    answer_plain_http(c);
    tls_failure(c->ssl, "TLS handshake", &err);
    fail(c, &err);
}

/* On to the server itself, through the tunnel when there is one. */
static void connection_made(struct conn *c)
{
    update_interest(c);
    if (c->handshaking)
        handshake(c);
    else
        become_ready(c);
}

static void fail_proxy(struct conn *c, struct str status)
{
    struct err err;
    err_internal(&err, "%s", *status.p ? status.p : "the proxy closed the connection");
    fail(c, &err);
}

/* The request is small enough for an empty socket's buffer. */
static void ask_proxy(struct conn *c)
{
    ssize_t n = send(c->fd, c->proxy.p, c->proxy.n, MSG_NOSIGNAL);
    if (n != (ssize_t)c->proxy.n) {
        fail_errno(c, "proxy: write");
        return;
    }
    buf_clear(&c->proxy);
    update_interest(c);
}

/* Byte by byte: what follows the answer's head belongs to the server. */
static void hear_proxy(struct conn *c)
{
    char byte;
    ssize_t n;
    while ((n = recv(c->fd, &byte, 1, 0)) == 1 && c->proxy.n < PROXY_ANSWER) {
        buf_putc(&c->proxy, byte);
        if (!str_ends(buf_str(&c->proxy), STR("\r\n\r\n")))
            continue;
        struct str line, rest, version, status;
        str_cut(buf_str(&c->proxy), '\r', &line, &rest);
        str_cut(line, ' ', &version, &status);
        if (!str_starts(version, STR("HTTP/1.")) || !str_starts(status, STR("2"))) {
            c->proxy.p[line.n] = '\0';
            fail_proxy(c, status.n ? status : STR("malformed HTTP response of the proxy"));
            return;
        }
        buf_done(&c->proxy);
        c->asking_proxy = false;
        connection_made(c);
        return;
    }
    if (n == 1)
        fail_proxy(c, STR("the proxy's answer is too long"));
    else if (n == 0)
        fail_proxy(c, STR(""));
    else if (errno != EAGAIN && errno != EINTR)
        fail_errno(c, "proxy: read");
}

static void connected(struct conn *c)
{
    int error = 0;
    socklen_t n = sizeof(error);
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n);
    if (error) {
        struct err err;
        errno = error;
        err_errno(&err, "dial tcp %s: connect", c->name);
        fail(c, &err);
        return;
    }
    c->connecting = false;
    if (c->asking_proxy)
        ask_proxy(c);
    else
        connection_made(c);
}

static void announce(struct conn *c)
{
    if (!c->announce)
        return;
    c->announce = false;
    become_ready(c);
}

static void on_task(struct loop_task *t)
{
    struct conn *c = CONTAINER_OF(t, struct conn, task);
    announce(c);
    if (!c->dead && !c->failed && !c->write_blocked)
        flush(c);
    if (!c->dead && !c->failed && c->read_on && !c->paused && !c->handshaking)
        read_all(c);
}

/* A hang-up while reading is paused: epoll would report it again and again, so the conn leaves it
 * until reading goes on and finds the rest. */
static void hang_up_paused(struct conn *c)
{
    loop_del(c->loop, c->io);
    c->io = NULL;
    c->write_blocked = false;
    while (c->head)
        consume(c, c->head->end - c->head->at);
}

static void on_io(void *arg, uint32_t events)
{
    struct conn *c = arg;
    if (c->connecting) {
        connected(c);
        return;
    }
    if (c->asking_proxy) {
        hear_proxy(c);
        return;
    }
    if (c->handshaking) {
        handshake(c);
        return;
    }
    announce(c); /* the first bytes may be faster than the task */
    if (!c->dead && !c->failed && (events & EPOLLOUT)) {
        c->write_blocked = false;
        flush(c);
    }
    if (c->dead || c->failed)
        return;
    if (!c->paused && !c->eof && (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
        read_all(c);
    if (c->dead || c->failed || !c->io || !(events & (EPOLLHUP | EPOLLERR)))
        return;
    if (c->paused && !c->eof && !(events & EPOLLERR)) {
        hang_up_paused(c);
    } else if (c->paused || c->eof) {
        errno = ECONNRESET;
        fail_errno(c, "read");
    }
}

/* --- looking --- */

size_t conn_queued(const struct conn *c)
{
    return c->queued;
}

bool conn_connected(const struct conn *c)
{
    return !c->connecting;
}

bool conn_saw_eof(const struct conn *c)
{
    return c->eof;
}

int64_t conn_progress_ms(const struct conn *c)
{
    return c->progress_ms;
}

struct loop *conn_loop(const struct conn *c)
{
    return c->loop;
}

bool conn_is_h2(const struct conn *c)
{
    if (!c->ssl)
        return false;
    const unsigned char *name;
    unsigned n;
    SSL_get0_alpn_selected(c->ssl, &name, &n);
    return n == 2 && memcmp(name, "h2", 2) == 0;
}

const struct tls_peer *conn_peer(struct conn *c)
{
    if (!c->ssl)
        return NULL;
    if (!c->peer) {
        c->peer = NEW(struct tls_peer);
        tls_peer_init(c->peer, c->ssl);
    }
    return c->peer;
}
