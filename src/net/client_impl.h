/* client_impl.h: what http_client.c and the two protocols share. Inside net/ only.
 *
 * http_client.c keeps the connections of an origin and gives them calls; http1_client.c and
 * http2_client.c send requests and report what comes back by the http_call_* functions. */
#pragma once

#include "base/arena.h"
#include "base/list.h"
#include "net/address.h"
#include "net/conn.h"
#include "net/head.h"
#include "net/http.h"
#include "net/http2.h"

struct http_call {
    struct list link; /* the client's waiting calls, or those of a connection */
    struct http_client *client;
    struct client_conn *conn; /* NULL: waits, or its answer is complete and held back */
    struct arena arena;       /* of the request */
    struct http_call_config config;
    struct bytes *body; /* of the request */
    struct loop_timer timer;
    struct loop_task task; /* go on after a pause; in the end: free */

    int status;                 /* of the answer; 0: no headers yet */
    struct head head, trailers; /* trailers: HTTP/2 only */
    struct buf collected, held; /* held: came while the call was paused */
    struct err *error;          /* the end that was held back */
    bool paused, finished, over;
    bool reused;  /* its connection had served another call before */
    bool retried; /* was given to a connection that was already closing */

    int32_t stream_id; /* HTTP/2 */
    struct h2_queue out;
};

struct client_conn {
    struct list link;
    struct http_client *client;
    struct conn *conn; /* NULL after http_client_conn_drop */
    struct c1 *c1;
    struct c2 *c2;
    struct list calls; /* under way; one at most on HTTP/1.1 */
    struct loop_timer timer;
    struct loop_task task;
    size_t address; /* the one that is tried */
    struct err *dial_error;
    bool ready, used;
    bool closing; /* takes no further calls */
    bool upgrade; /* made for one upgrade call */
};

struct http_client {
    struct loop *loop;
    struct tls *tls;
    char *server_name, *host, *authority;
    int port;                   /* host and port: where to connect to */
    struct buf connect_request; /* for a proxy's tunnel; empty: none */
    bool http1_only, http2_prior, resolving, over;
    size_t max_conns;
    int64_t connect_ms;
    struct address addresses[4];
    size_t address_count;
    struct resolve *resolve; /* under way */
    enum { PROTOCOL_UNKNOWN, PROTOCOL_HTTP1, PROTOCOL_HTTP2 } protocol;
    struct list conns, waiting;
    struct loop_task task; /* gives out calls; in the end: frees */
    struct buf scratch;
};

/* Tells the client that connections or calls changed. */
void http_client_later(struct http_client *c);
/* The connection's end. Calls under way fail with err, or are tried again where that is safe. */
void http_client_conn_drop(struct client_conn *cc, const struct err *err);
void http_client_conn_idle(struct client_conn *cc);         /* its last call is over */
struct conn *http_client_conn_take(struct client_conn *cc); /* for a tunnel; cc is gone */

/* What a protocol reports of a call. Each may run callbacks that cancel it: `over` tells. */
void http_call_headers(struct http_call *call); /* status and head are filled and finished */
void http_call_data(struct http_call *call, struct str bytes);
void http_call_done(struct http_call *call);
void http_call_fail(struct http_call *call, const struct err *err);
/* Back to the waiting calls, for a fresh connection; false when that was done before. */
bool http_call_retry(struct http_call *call);
void http_client_requeue(struct http_call *call);     /* back to the waiting calls, as the first */
bool http_call_is_safe(const struct http_call *call); /* GET or HEAD: may be sent twice */

void c1_new(struct client_conn *cc);
void c1_start(struct client_conn *cc, struct http_call *call);
void c1_data(struct c1 *c, struct str bytes);
void c1_eof(struct c1 *c);
struct str c1_early(struct c1 *c); /* bytes behind the head of a 101 */
void c1_free(struct c1 *c);        /* behind this turn's callbacks */

void c2_new(struct client_conn *cc);
void c2_start(struct client_conn *cc, struct http_call *call);
void c2_data(struct c2 *c, struct str bytes);
void c2_drained(struct c2 *c);
void c2_cancel(struct c2 *c, struct http_call *call);
void c2_send(struct c2 *c, struct http_call *call); /* more of its body waits in call->out */
void c2_consumed(struct c2 *c, struct http_call *call, size_t n); /* held bytes were given out */
void c2_free(struct c2 *c);

/* Names to addresses on a thread of its own; the answer comes on the client's loop. */
void http_resolve_start(struct http_client *c);
void http_resolve_cancel(struct http_client *c); /* waits for the thread */
void http_client_resolved(struct http_client *c, const struct err *err);
