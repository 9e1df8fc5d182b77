/* server_impl.h: what http_server.c and the two protocols share. Inside net/ only.
 *
 * http_server.c accepts connections, finds out the protocol and watches the time; http1_server.c
 * and http2_server.c parse requests and write answers through the operations of an exchange. */
#pragma once

#include "base/list.h"
#include "net/conn.h"
#include "net/http.h"

struct exchange_ops {
    void (*respond)(struct http_exchange *x, int status, const struct http_header *headers,
                    size_t count, struct bytes *body);
    void (*start)(struct http_exchange *x, int status, const struct http_header *headers,
                  size_t count);
    size_t (*write)(struct http_exchange *x, struct bytes *chunk);
    void (*end)(struct http_exchange *x);
    void (*abort)(struct http_exchange *x);
    struct http_tunnel *(*upgrade)(struct http_exchange *x, const struct http_header *headers,
                                   size_t count, const struct http_tunnel_events *events);
};

struct http_exchange {
    const struct exchange_ops *ops;
    struct loop *loop;
    struct http_server *server; /* may be gone when the connection is */
    struct http_request request;
    struct http_watch watch;
};

struct server_conn {
    struct list link;
    struct http_server *server;
    struct conn *conn; /* NULL after http_server_conn_drop */
    struct h1 *h1;     /* one of the two, once the protocol is known */
    struct h2 *h2;
    struct loop_timer timer;
    struct loop_task task;
    int64_t head_due_ms; /* when the headers being read must be complete; 0: none are */
    char remote[56];
    char first[24]; /* bytes that may become the HTTP/2 preface */
    size_t first_n;
};

struct http_server {
    struct loop *loop;
    struct http_server_config config; /* defaults filled in */
    int fd, port;
    char *unlink_path; /* of a unix socket */
    struct loop_io *io;
    struct list conns;
    struct list tunnels;
    size_t conn_count;
    bool draining;
    void (*drained)(void *arg);
    void *drained_arg;
    struct loop_timer drain_timer, accept_timer;
    struct loop_task task;
    struct buf scratch; /* an answer's head while it is put together */
    char date[32];      /* of date_s */
    int64_t date_s;
};

/* The connection's end: unlinks and frees sc behind this turn's callbacks; finish lets what is
 * queued be sent. Exchanges are told. */
void http_server_conn_drop(struct server_conn *sc, bool finish);
/* The connection goes to a tunnel; sc is gone as above. */
struct conn *http_server_conn_take(struct server_conn *sc);
/* The headers being read must be complete within header_ms from now. */
void http_server_conn_head_begins(struct server_conn *sc);

/* Takes a connected, non-blocking socket. */
void http_server_adopt(struct http_server *s, int fd, const struct sockaddr *from);

void http_server_tunnel_gone(void *server); /* a tunnel of this server ended */
struct str http_server_date(struct http_server *s);
/* Runs the handler. */
void http_server_handle(struct http_exchange *x);
bool http_status_has_body(int status);

/* The protocols. h1_new sets sc->h1. data may drop sc. */
void h1_new(struct server_conn *sc);
void h1_data(struct h1 *h, struct str bytes);
void h1_eof(struct h1 *h);
void h1_drained(struct h1 *h);
void h1_drain(struct h1 *h);              /* close when the exchange under way is over */
bool h1_waits_for_us(const struct h1 *h); /* an answer is due from the handler */
void h1_lost(struct h1 *h);               /* the connection is gone; frees h in time */

void h2_new(struct server_conn *sc);
void h2_data(struct h2 *h, struct str bytes);
void h2_eof(struct h2 *h);
void h2_drained(struct h2 *h);
void h2_drain(struct h2 *h);
bool h2_waits_for_us(const struct h2 *h);
void h2_lost(struct h2 *h);
