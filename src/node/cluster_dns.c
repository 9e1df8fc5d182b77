#include "node/cluster_dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "net/loop.h"
#include "node/dns_forward.h"
#include "node/dns_zone.h"

enum { MAX_TCP = 256, TCP_IDLE_MS = 10000, UDP_BURST = 64 };

struct tcp_peer {
    struct list link;
    struct cluster_dns *d;
    int fd;
    struct loop_io *io;
    struct loop_timer idle;
    struct buf in;
    size_t waiting; /* answers that the forwarder owes */
    bool closing;
};

struct cluster_dns {
    pthread_t thread;
    struct loop *loop;
    struct dns_zone zone;
    struct dns_forward *forward;
    int udp, tcp;
    struct loop_io *udp_io, *tcp_io;
    struct list peers;
    size_t peer_count;
};

/* One question that waits for the host's name servers. */
struct pending {
    struct cluster_dns *d;
    struct dns_query q;
    struct dns_answer answer; /* begun: an external name's CNAME may stand in it */
    bool external;
    struct sockaddr_storage from; /* UDP */
    socklen_t from_n;
    struct tcp_peer *peer; /* TCP */
};

static void close_peer(struct tcp_peer *p)
{
    loop_del(p->d->loop, p->io);
    p->io = NULL;
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    p->closing = true;
    loop_timer_clear(p->d->loop, &p->idle);
    if (p->waiting)
        return; /* the last pending answer frees it */
    list_del(&p->link);
    p->d->peer_count--;
    buf_done(&p->in);
    free(p);
}

static void send_answer(const struct pending *w, struct str message)
{
    if (!w->peer) {
        sendto(w->d->udp, message.p, message.n, MSG_NOSIGNAL, (const struct sockaddr *)&w->from,
               w->from_n);
        return;
    }
    if (w->peer->fd < 0)
        return;
    struct buf framed = {0};
    buf_putc(&framed, (char)(message.n >> 8));
    buf_putc(&framed, (char)message.n);
    buf_put(&framed, message);
    /* A peer whose window cannot take one answer is not waited for. */
    if (send(w->peer->fd, framed.p, framed.n, MSG_NOSIGNAL) != (ssize_t)framed.n)
        shutdown(w->peer->fd, SHUT_RDWR);
    buf_done(&framed);
}

static void send_built(struct pending *w, bool authoritative)
{
    dns_answer_end(&w->answer, &w->q, authoritative);
    send_answer(w, buf_str(&w->answer.b));
    buf_done(&w->answer.b);
}

/* The records behind an external name, told again under their own names. */
static void copy_records(struct dns_answer *a, struct str m)
{
    size_t at = 12;
    char name[DNS_NAME];
    unsigned count = (unsigned)((uint8_t)m.p[6] << 8 | (uint8_t)m.p[7]);
    if (!dns_read_name(m, &at, name))
        return;
    at += 4;
    struct dns_record r;
    for (unsigned i = 0; i < count && dns_read_record(m, &at, &r); i++) {
        size_t target = r.data_at;
        if (r.type == DNS_CNAME && dns_read_name(m, &target, name))
            dns_answer_name(a, r.name, DNS_CNAME, r.ttl, name);
        else if (r.type == DNS_A || r.type == DNS_AAAA)
            dns_answer_raw(a, r.name, r.type, r.ttl, (struct str){m.p + r.data_at, r.data_n});
    }
}

static void send_forwarded(struct pending *w, struct str m)
{
    size_t limit = w->peer ? DNS_MAX : w->q.udp_size;
    if (m.n > limit) {
        w->answer.truncated = true;
        send_built(w, false);
        return;
    }
    struct buf copy = {0};
    buf_put(&copy, m);
    copy.p[0] = (char)(w->q.id >> 8);
    copy.p[1] = (char)w->q.id;
    send_answer(w, buf_str(&copy));
    buf_done(&copy);
    buf_done(&w->answer.b);
}

static void forwarded(void *arg, struct str m)
{
    struct pending *w = arg;
    if (w->external) {
        if (m.n >= 12)
            copy_records(&w->answer, m);
        send_built(w, true);
    } else if (m.n) {
        send_forwarded(w, m);
    } else {
        w->answer.rcode = DNS_SERVFAIL;
        send_built(w, false);
    }
    if (w->peer && --w->peer->waiting == 0 && w->peer->closing)
        close_peer(w->peer);
    free(w);
}

static void forward(struct cluster_dns *d, const struct pending *w, const char *name)
{
    struct pending *kept = NEW(struct pending);
    *kept = *w;
    if (w->peer)
        w->peer->waiting++;
    dns_forward_ask(d->forward, name, w->q.type, w->peer != NULL, forwarded, kept);
}

static void serve(struct cluster_dns *d, struct pending *w, struct str message)
{
    int rcode = dns_parse_query(message, &w->q);
    if (rcode < 0)
        return;
    size_t limit = w->peer ? DNS_MAX : w->q.udp_size;
    dns_answer_begin(&w->answer, &w->q, limit);
    if (rcode) {
        w->answer.rcode = (enum dns_rcode)rcode;
        send_built(w, false);
        return;
    }
    char external[DNS_NAME];
    switch (dns_zone_lookup(&d->zone, &w->q, &w->answer, external)) {
    case DNS_ZONE_ANSWERED:
        send_built(w, true);
        break;
    case DNS_ZONE_EXTERNAL:
        w->external = true;
        forward(d, w, external);
        break;
    case DNS_ZONE_NOT_OURS:
        forward(d, w, w->q.name);
        break;
    }
}

static void on_udp(void *arg, uint32_t events)
{
    (void)events;
    struct cluster_dns *d = arg;
    char message[4096];
    for (int i = 0; i < UDP_BURST; i++) {
        struct pending w = {.d = d, .from_n = sizeof(w.from)};
        ssize_t n =
            recvfrom(d->udp, message, sizeof(message), 0, (struct sockaddr *)&w.from, &w.from_n);
        if (n < 0)
            return;
        serve(d, &w, (struct str){message, (size_t)n});
    }
}

static void tcp_idle(struct loop_timer *t)
{
    close_peer(CONTAINER_OF(t, struct tcp_peer, idle));
}

static void on_tcp(void *arg, uint32_t events)
{
    (void)events;
    struct tcp_peer *p = arg;
    char *at = buf_reserve(&p->in, 4096);
    ssize_t n = recv(p->fd, at, 4096, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        close_peer(p);
        return;
    }
    p->in.n += (size_t)n;
    loop_timer_set(p->d->loop, &p->idle, TCP_IDLE_MS, tcp_idle);
    while (p->in.n >= 2) {
        size_t length = (size_t)((uint8_t)p->in.p[0] << 8 | (uint8_t)p->in.p[1]);
        if (p->in.n < length + 2)
            return;
        struct pending w = {.d = p->d, .peer = p};
        serve(p->d, &w, (struct str){p->in.p + 2, length});
        buf_remove_front(&p->in, length + 2);
    }
}

static void on_accept(void *arg, uint32_t events)
{
    (void)events;
    struct cluster_dns *d = arg;
    struct err err;
    int fd = accept4(d->tcp, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct tcp_peer *p = NEW(struct tcp_peer);
    p->d = d;
    p->fd = fd;
    if (d->peer_count >= MAX_TCP || loop_add(d->loop, fd, EPOLLIN, on_tcp, p, &p->io, &err)) {
        close(fd);
        free(p);
        return;
    }
    list_add_tail(&d->peers, &p->link);
    d->peer_count++;
    loop_timer_set(d->loop, &p->idle, TCP_IDLE_MS, tcp_idle);
}

static int bind_socket(const struct cluster_dns_config *c, int type, int *ret, struct err *err)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)(c->port ? c->port : 53))};
    int on = 1;
    if (inet_pton(AF_INET, c->address, &a.sin_addr) != 1)
        return err_internal(err, "\"%s\" is not an IPv4 address", c->address);
    int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(err, "open a socket");
    *ret = fd;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || (type == SOCK_STREAM && listen(fd, 128)))
        return err_errno(err, "listen for DNS on %s", c->address);
    return 0;
}

static void *run(void *arg)
{
    struct cluster_dns *d = arg;
    loop_run(d->loop);
    return NULL;
}

static void release(struct cluster_dns *d)
{
    dns_forward_free(d->forward);
    LIST_FOR (&d->peers, it) {
        struct tcp_peer *p = CONTAINER_OF(it, struct tcp_peer, link);
        p->waiting = 0;
        close_peer(p);
    }
    if (d->loop) {
        loop_del(d->loop, d->udp_io);
        loop_del(d->loop, d->tcp_io);
        loop_free(d->loop);
    }
    fd_closep(&d->udp);
    fd_closep(&d->tcp);
    free(d);
}

int cluster_dns_start(const struct cluster_dns_config *config, struct cluster_dns **ret,
                      struct err *err)
{
    struct cluster_dns *d = NEW(struct cluster_dns);
    d->udp = d->tcp = -1;
    d->zone = (struct dns_zone){config->domain, config->services, config->slices};
    list_init(&d->peers);
    if (loop_new(&d->loop, err) || bind_socket(config, SOCK_DGRAM, &d->udp, err) ||
        bind_socket(config, SOCK_STREAM, &d->tcp, err) ||
        dns_forward_new(d->loop, config->resolv_conf, config->address, &d->forward, err) ||
        loop_add(d->loop, d->udp, EPOLLIN, on_udp, d, &d->udp_io, err) ||
        loop_add(d->loop, d->tcp, EPOLLIN, on_accept, d, &d->tcp_io, err) ||
        (pthread_create(&d->thread, NULL, run, d) && err_errno(err, "start a thread"))) {
        release(d);
        return -1;
    }
    *ret = d;
    return 0;
}

void cluster_dns_stop(struct cluster_dns *d)
{
    if (!d)
        return;
    loop_stop(d->loop);
    pthread_join(d->thread, NULL);
    release(d);
}
