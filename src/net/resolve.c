#include <errno.h>
#include <netdb.h>
#include <pthread.h>

#include "net/client_impl.h"

struct resolve {
    struct loop_msg msg;
    struct loop *loop;
    struct http_client *client; /* NULL: nobody waits any more; the loop's thread only */
    pthread_t thread;
    char *host;
    int port, result;
    struct address addresses[4];
    size_t count;
};

static void deliver(struct loop_msg *m)
{
    struct resolve *r = CONTAINER_OF(m, struct resolve, msg);
    struct http_client *c = r->client;
    struct err err;
    if (c) {
        pthread_join(r->thread, NULL);
        c->resolve = NULL;
        memcpy(c->addresses, r->addresses, sizeof(c->addresses));
        c->address_count = r->count;
        if (!r->count)
            err_internal(&err, "dial tcp: lookup %s: %s", r->host,
                         r->result ? gai_strerror(r->result) : "no such host");
        http_client_resolved(c, r->count ? NULL : &err);
    }
    free(r->host);
    free(r);
}

static void *look_up(void *arg)
{
    struct resolve *r = arg;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    char port[8];
    struct buf text = {0};
    buf_put_i64(&text, r->port);
    memcpy(port, buf_z(&text), text.n < sizeof(port) ? text.n + 1 : sizeof(port));
    buf_done(&text);
    r->result = getaddrinfo(r->host, port, &hints, &list);
    for (struct addrinfo *at = list; at && r->count < ARRAY_LEN(r->addresses); at = at->ai_next) {
        struct address *a = &r->addresses[r->count++];
        memcpy(&a->addr, at->ai_addr, at->ai_addrlen);
        a->len = at->ai_addrlen;
    }
    if (list)
        freeaddrinfo(list);
    loop_post(r->loop, &r->msg);
    return NULL;
}

void http_resolve_start(struct http_client *c)
{
    struct resolve *r = NEW(struct resolve);
    r->msg.fn = deliver;
    r->loop = c->loop;
    r->client = c;
    r->host = mem_strdup(c->host);
    r->port = c->port;
    int error = pthread_create(&r->thread, NULL, look_up, r);
    if (!error) {
        c->resolve = r;
        return;
    }
    struct err err;
    errno = error;
    err_errno(&err, "dial tcp: lookup %s: thread", c->host);
    free(r->host);
    free(r);
    http_client_resolved(c, &err);
}

void http_resolve_cancel(struct http_client *c)
{
    if (!c->resolve)
        return;
    pthread_join(c->resolve->thread, NULL);
    c->resolve->client = NULL; /* its message is on the way and frees it */
    c->resolve = NULL;
}
