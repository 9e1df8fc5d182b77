#include "node/dns_forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/list.h"
#include "base/map.h"

enum {
    MAX_SERVERS = 3,
    MAX_ASKING = 1024, /* further questions fail at once */
    TRY_MS = 1700,     /* a server's time; three tries in all */
    MAX_TRIES = 3,
    CACHE_ENTRIES = 2000,
    CACHE_TTL = 30, /* seconds at most, as CoreDNS's default configuration */
    UDP_SIZE = 4096,
};

struct server {
    struct sockaddr_storage address;
    socklen_t n;
};

struct asking { /* one question under way, on a socket of its own: the port is part of what an
                   attacker must guess */
    struct list link;
    struct dns_forward *f;
    char name[DNS_NAME];
    uint16_t type, id;
    bool tcp, connected;
    int tries, fd;
    struct loop_io *io;
    struct loop_timer timer;
    struct buf in;
    void (*done)(void *arg, struct str message);
    void *arg;
};

struct cached {
    struct list link;
    int64_t expires_ms;
    struct str key, message; /* malloced */
};

struct dns_forward {
    struct loop *loop;
    struct server servers[MAX_SERVERS];
    size_t server_count;
    struct list asking, cached; /* cached: oldest first */
    size_t asking_count, cached_count;
    struct map by_key;
};

static void add_server(struct dns_forward *f, struct str text, const char *own)
{
    char ip[INET6_ADDRSTRLEN];
    struct server *s = &f->servers[f->server_count];
    struct sockaddr_in *v4 = (struct sockaddr_in *)&s->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&s->address;
    snprintf(ip, sizeof(ip), "%.*s", STR_ARG(text));
    memset(&s->address, 0, sizeof(s->address));
    if (strcmp(ip, own) == 0)
        return;
    if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(53);
        s->n = sizeof(*v4);
    } else if (inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(53);
        s->n = sizeof(*v6);
    } else
        return;
    f->server_count++;
}

int dns_forward_new(struct loop *l, const char *resolv_conf, const char *own_address,
                    struct dns_forward **ret, struct err *err)
{
    struct buf text = {0};
    if (access(resolv_conf, F_OK) == 0 && file_read(resolv_conf, 65536, &text, err))
        return -1;
    struct dns_forward *f = NEW(struct dns_forward);
    f->loop = l;
    list_init(&f->asking);
    list_init(&f->cached);
    for (struct str rest = buf_str(&text), line;
         str_next(&rest, '\n', &line) && f->server_count < MAX_SERVERS;) {
        line = str_trim(line);
        if (str_starts(line, STR("nameserver")))
            add_server(f, str_trim(str_from(line, strlen("nameserver"))), own_address);
    }
    buf_done(&text);
    *ret = f;
    return 0;
}

/* --- the cache --- */

static void forget(struct dns_forward *f, struct cached *c)
{
    list_del(&c->link);
    f->cached_count--;
    map_del(&f->by_key, c->key);
    free((char *)c->key.p);
    free((char *)c->message.p);
    free(c);
}

static void put_key(struct buf *b, const char *name, uint16_t type, bool tcp)
{
    buf_printf(b, "%s %u%s", name, type, tcp ? " t" : "");
}

/* How long the answer may be kept: its shortest time to live, none for failures and empty answers
 * without one. */
static uint32_t lifetime(struct str m, size_t records_at)
{
    unsigned rcode = (uint8_t)m.p[3] & 15,
             count = (unsigned)((uint8_t)m.p[6] << 8 | (uint8_t)m.p[7]) +
                     (unsigned)((uint8_t)m.p[8] << 8 | (uint8_t)m.p[9]);
    if ((rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN) || !count || (m.p[2] & 2))
        return 0;
    uint32_t ttl = CACHE_TTL;
    struct dns_record r;
    for (unsigned i = 0; i < count; i++) {
        if (!dns_read_record(m, &records_at, &r))
            return 0;
        ttl = r.ttl < ttl ? r.ttl : ttl;
    }
    return ttl;
}

static void keep(struct dns_forward *f, const struct asking *q, struct str message,
                 size_t records_at)
{
    uint32_t ttl = lifetime(message, records_at);
    if (!ttl)
        return;
    struct buf key = {0};
    put_key(&key, q->name, q->type, q->tcp);
    struct cached *old = map_get(&f->by_key, buf_str(&key));
    if (old)
        forget(f, old);
    while (f->cached_count >= CACHE_ENTRIES)
        forget(f, CONTAINER_OF(f->cached.next, struct cached, link));
    struct cached *c = NEW(struct cached);
    c->expires_ms = loop_now_ms(f->loop) + ttl * 1000;
    c->key = (struct str){key.p, key.n};
    c->message = (struct str){mem_strndup(message.p, message.n), message.n};
    map_set(&f->by_key, c->key, c);
    list_add_tail(&f->cached, &c->link);
    f->cached_count++;
}

static struct cached *recall(struct dns_forward *f, const char *name, uint16_t type, bool tcp)
{
    struct buf key = {0};
    put_key(&key, name, type, tcp);
    struct cached *c = map_get(&f->by_key, buf_str(&key));
    buf_done(&key);
    if (c && c->expires_ms <= loop_now_ms(f->loop)) {
        forget(f, c);
        return NULL;
    }
    return c;
}

/* --- asking --- */

static void start_try(struct asking *q);

static void drop_socket(struct asking *q)
{
    loop_del(q->f->loop, q->io);
    q->io = NULL;
    if (q->fd >= 0)
        close(q->fd);
    q->fd = -1;
    q->connected = false;
    buf_clear(&q->in);
    loop_timer_clear(q->f->loop, &q->timer);
}

static void free_asking(struct asking *q)
{
    drop_socket(q);
    list_del(&q->link);
    q->f->asking_count--;
    buf_done(&q->in);
    free(q);
}

static void finish(struct asking *q, struct str message)
{
    void (*done)(void *, struct str) = q->done;
    void *arg = q->arg;
    done(arg, message);
    free_asking(q);
}

static void try_next(struct asking *q)
{
    drop_socket(q);
    if (++q->tries >= MAX_TRIES)
        finish(q, (struct str){0});
    else
        start_try(q);
}

static void timed_out(struct loop_timer *t)
{
    try_next(CONTAINER_OF(t, struct asking, timer));
}

/* Is it the answer to what was asked? Only then may it be believed. */
static bool is_answer(const struct asking *q, struct str m, size_t *ret_records_at)
{
    char name[DNS_NAME];
    size_t at = 12;
    if (m.n < 12 || !(m.p[2] & 0x80) ||
        ((unsigned)(uint8_t)m.p[0] << 8 | (uint8_t)m.p[1]) != q->id || m.p[4] != 0 || m.p[5] != 1)
        return false;
    if (!dns_read_name(m, &at, name) || strcmp(name, q->name) || at + 4 > m.n)
        return false;
    *ret_records_at = at + 4;
    return ((unsigned)(uint8_t)m.p[at] << 8 | (uint8_t)m.p[at + 1]) == q->type;
}

static void take_message(struct asking *q, struct str m)
{
    size_t records_at;
    if (!is_answer(q, m, &records_at))
        return; /* somebody else's; the right one may still come */
    if (((uint8_t)m.p[3] & 15) == DNS_SERVFAIL && q->tries + 1 < MAX_TRIES) {
        try_next(q);
        return;
    }
    keep(q->f, q, m, records_at);
    finish(q, m);
}

static void put_question(const struct asking *q, struct buf *b)
{
    const char head[12] = {(char)(q->id >> 8), (char)q->id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1};
    buf_append(b, head, sizeof(head));
    for (struct str rest = str_of(q->name), label; str_next(&rest, '.', &label);) {
        buf_putc(b, (char)label.n);
        buf_put(b, label);
    }
    const char tail[] = {0,
                         (char)(q->type >> 8),
                         (char)q->type,
                         0,
                         DNS_CLASS_IN,
                         0,
                         0,
                         DNS_OPT,
                         UDP_SIZE >> 8,
                         UDP_SIZE & 255,
                         0,
                         0,
                         0,
                         0,
                         0,
                         0};
    buf_append(b, tail, sizeof(tail));
}

static bool send_question(struct asking *q)
{
    struct buf b = {0};
    if (q->tcp)
        buf_append(&b, "\0\0", 2);
    put_question(q, &b);
    if (q->tcp) {
        b.p[0] = (char)((b.n - 2) >> 8);
        b.p[1] = (char)(b.n - 2);
    }
    bool sent = send(q->fd, b.p, b.n, MSG_NOSIGNAL) == (ssize_t)b.n;
    buf_done(&b);
    return sent;
}

static void read_tcp(struct asking *q)
{
    char *at = buf_reserve(&q->in, 4096);
    ssize_t n = recv(q->fd, at, 4096, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        try_next(q);
        return;
    }
    q->in.n += (size_t)n;
    if (q->in.n < 2)
        return;
    size_t length = (size_t)((uint8_t)q->in.p[0] << 8 | (uint8_t)q->in.p[1]);
    if (q->in.n >= length + 2)
        take_message(q, (struct str){q->in.p + 2, length});
}

static void on_event(void *arg, uint32_t events)
{
    struct asking *q = arg;
    if (q->tcp && !q->connected) {
        int failed = 0;
        socklen_t n = sizeof(failed);
        getsockopt(q->fd, SOL_SOCKET, SO_ERROR, &failed, &n);
        q->connected = !failed && send_question(q);
        if (!q->connected)
            try_next(q);
        else
            loop_mod(q->f->loop, q->io, EPOLLIN);
        return;
    }
    (void)events;
    if (q->tcp) {
        read_tcp(q);
        return;
    }
    char message[UDP_SIZE];
    ssize_t n = recv(q->fd, message, sizeof(message), 0);
    if (n >= 0)
        take_message(q, (struct str){message, (size_t)n});
    else if (errno != EAGAIN && errno != EINTR)
        try_next(q);
}

static void start_try(struct asking *q)
{
    struct dns_forward *f = q->f;
    const struct server *s = &f->servers[(size_t)q->tries % f->server_count];
    struct err err;
    q->fd = socket(s->address.ss_family,
                   (q->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool failed =
        q->fd < 0 ||
        (connect(q->fd, (const struct sockaddr *)&s->address, s->n) && errno != EINPROGRESS) ||
        loop_add(f->loop, q->fd, q->tcp ? EPOLLOUT : EPOLLIN, on_event, q, &q->io, &err) ||
        (!q->tcp && !send_question(q));
    /* A failure waits for the timer as well: nothing may be called back from inside
     * dns_forward_ask's own callers twice. */
    loop_timer_set(f->loop, &q->timer, failed ? 1 : TRY_MS, timed_out);
}

void dns_forward_ask(struct dns_forward *f, const char *name, uint16_t type, bool tcp,
                     void (*done)(void *arg, struct str message), void *arg)
{
    const struct cached *c = recall(f, name, type, tcp);
    if (c) {
        done(arg, c->message);
        return;
    }
    if (!f->server_count || f->asking_count >= MAX_ASKING) {
        done(arg, (struct str){0});
        return;
    }
    struct asking *q = NEW(struct asking);
    q->f = f;
    q->type = type;
    q->tcp = tcp;
    q->fd = -1;
    q->done = done;
    q->arg = arg;
    snprintf(q->name, sizeof(q->name), "%s", name);
    world_real()->random(world_real(), &q->id, sizeof(q->id));
    list_add_tail(&f->asking, &q->link);
    f->asking_count++;
    start_try(q);
}

void dns_forward_free(struct dns_forward *f)
{
    if (!f)
        return;
    LIST_FOR (&f->asking, it) {
        free_asking(CONTAINER_OF(it, struct asking, link));
    }
    while (!list_empty(&f->cached))
        forget(f, CONTAINER_OF(f->cached.next, struct cached, link));
    map_done(&f->by_key);
    free(f);
}
