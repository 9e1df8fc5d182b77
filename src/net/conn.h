/* conn.h: one byte stream over TCP or a unix socket, plain or TLS. Inside net/ only.
 *
 * Writes are queued (small ones copied together, shared bytes by reference) and go out behind the
 * callbacks of the loop's turn, so that many small writes become one system call and, with TLS,
 * one record. Nothing is called back from inside conn_write*. A conn that holds nothing to send or
 * read owns no buffers.
 *
 * The owner frees a conn with conn_free or hands it off with conn_finish, from inside a callback
 * too; no callback follows. */
#pragma once

#include <sys/socket.h>

#include "base/bytes.h"
#include "net/loop.h"
#include "net/tls.h"

struct conn;

struct conn_events {
    void (*ready)(void *arg); /* connected, and the TLS handshake is over */
    void (*data)(void *arg, struct str bytes);
    void (*eof)(void *arg);     /* the peer will send no more; it may still read */
    void (*drained)(void *arg); /* the queue became empty */
    /* The conn is of no use any more; the owner frees it now or later. */
    void (*failed)(void *arg, const struct err *err);
};

/* Takes fd. tls may be NULL; then `ready` comes at once, behind this turn's callbacks. */
struct conn *conn_accept(struct loop *l, int fd, struct tls *tls, const struct conn_events *events,
                         void *arg);

struct conn_target {
    const struct sockaddr *addr;
    socklen_t addr_len;
    const char *name;           /* for messages: "127.0.0.1:6443" */
    struct tls *tls;            /* NULL: plain */
    const char *server_name;    /* what the certificate must say */
    bool http1_only;            /* do not offer h2 */
    struct str connect_request; /* not empty: addr is a proxy's, which is sent this (CONNECT …) and
                                   must answer 2xx before anything else happens; copied */
};
int conn_connect(struct loop *l, const struct conn_target *target, const struct conn_events *events,
                 void *arg, struct conn **ret, struct err *err);

void conn_set_events(struct conn *c, const struct conn_events *events, void *arg);
void conn_free(struct conn *c);   /* at once, what is queued is lost */
void conn_finish(struct conn *c); /* sends the queue, closes for writing, waits a moment for the
                                     peer (so that it gets to read an answer), closes */

void conn_write(struct conn *c, struct str s);                                 /* copies */
void conn_write_bytes(struct conn *c, struct bytes *b, size_t from, size_t n); /* refers */
size_t conn_queued(const struct conn *c);
void conn_pause(struct conn *c, bool pause); /* stops reading */
bool conn_connected(const struct conn *c);   /* the peer accepted; TLS may have failed since */
bool conn_saw_eof(const struct conn *c);
int64_t conn_progress_ms(const struct conn *c); /* loop time of the last byte moved */
bool conn_is_h2(const struct conn *c);          /* ALPN chose h2 */
struct loop *conn_loop(const struct conn *c);
/* Who the peer is; NULL without TLS. Lives as long as the conn. */
const struct tls_peer *conn_peer(struct conn *c);
