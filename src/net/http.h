/* http.h: HTTP/1.1 and HTTP/2, server and client, over TLS or plain TCP or unix sockets.
 *
 * One interface for both versions; a handler does not see which one carries its exchange (only
 * upgrades need 1.1). Everything runs on the loop that the server or client was given; a connection
 * never leaves its loop.
 *
 * Limits (server): 64 KiB of headers, max_body bytes of body (413 past it), header_ms to send the
 * headers, idle_ms without progress, max_streams a connection, max_conns connections (further ones
 * are closed). Requests that could be read in two ways (both Content-Length and Transfer-Encoding,
 * bad chunk sizes, obs-fold, NUL) get 400 and the connection is closed. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "net/loop.h"
#include "net/tls.h"

struct http_header {
    struct str name, value;
};

const char *http_reason(int status); /* "Not Found": as Go's http.StatusText */

/* --- server --- */
struct http_server;
struct http_exchange; /* one request and its answer */

struct http_request {
    struct str method;                 /* "GET" */
    struct str path;                   /* as sent, still percent-encoded, without the query */
    struct str query;                  /* behind '?', still encoded */
    struct str authority;              /* Host or :authority */
    const struct http_header *headers; /* names in lower case */
    size_t header_count;
    struct str body;             /* whole; decoded from chunks, not from Content-Encoding */
    const struct tls_peer *peer; /* NULL without TLS */
    struct str remote;           /* "127.0.0.1:51234" */
    bool http2;
    bool secure;
};

/* Called once the whole request is there. The handler answers now or later, on this loop, by the
 * functions below; until http_end or the closed callback, x is valid, and the request's memory as
 * well. */
typedef void http_handler(void *arg, struct http_exchange *x, const struct http_request *r);

struct http_server_config {
    const char *listen; /* "127.0.0.1:6443", "[::1]:0", "unix:/run/x.sock" */
    int listen_fd; /* when listen is NULL: an already listening socket, whose ownership is taken;
                      several loops may share one port by SO_REUSEPORT */
    bool reuse_port;
    struct tls *tls; /* borrowed; NULL: plain */
    http_handler *handler;
    void *arg;
    size_t max_body;      /* 0: 3 MiB */
    size_t max_conns;     /* 0: 20,000 */
    uint32_t max_streams; /* 0: 250 */
    int64_t header_ms;    /* 0: 32,000 */
    int64_t idle_ms;      /* 0: 90,000; connections with no exchange under way */
};

int http_server_new(struct loop *l, const struct http_server_config *config,
                    struct http_server **ret, struct err *err);
int http_server_port(const struct http_server *s);
/* Stops accepting, tells peers (GOAWAY, Connection: close), lets exchanges finish, closes the rest
 * after drain_ms, then calls done. */
void http_server_drain(struct http_server *s, int64_t drain_ms, void (*done)(void *arg), void *arg);
void http_server_free(struct http_server *s); /* closes everything at once */

struct str http_request_header(const struct http_request *r,
                               const char *lower_name); /* empty: absent */
struct loop *http_exchange_loop(struct http_exchange *x);

/* A whole answer. Headers are copied. body may be NULL; a reference to it is taken, not the
 * caller's own. Ends the exchange. Content-Length, Date are added. HEAD gets no body. */
void http_respond(struct http_exchange *x, int status, const struct http_header *headers,
                  size_t header_count, struct bytes *body);

/* A streamed answer: start, any number of writes, end. http_write keeps a reference until it is
 * sent. It returns the bytes now waiting for the peer; a producer pauses above its own mark and
 * goes on from the drained callback, called when the queue has become empty. */
void http_start(struct http_exchange *x, int status, const struct http_header *headers,
                size_t header_count);
size_t http_write(struct http_exchange *x, struct bytes *chunk);
void http_end(struct http_exchange *x); /* x is gone afterwards */
void http_abort(
    struct http_exchange *x); /* resets the stream or closes the connection; x is gone afterwards */

/* closed: the peer went away before the end; x is gone afterwards. Set by the handler that answers
 * later; without it x stays valid until it is answered. An HTTP/1.1 client that closes its side
 * for writing counts as gone when closed is set, and is still answered when it is not. */
struct http_watch {
    void (*closed)(void *arg);
    void (*drained)(void *arg);
    void *arg;
};
void http_watch(struct http_exchange *x, const struct http_watch *w);

/* --- raw bytes after "101 Switching Protocols" (HTTP/1.1 only), on either side --- */
struct http_tunnel;

struct http_tunnel_events {
    void (*data)(void *arg, struct str bytes);
    void (*drained)(void *arg);
    void (*closed)(void *arg); /* once; the tunnel is gone afterwards */
    void *arg;
};
/* Server: answers 101 with the headers and turns the exchange into a tunnel; x is gone afterwards.
 * NULL when the request is HTTP/2. */
struct http_tunnel *http_upgrade(struct http_exchange *x, const struct http_header *headers,
                                 size_t header_count, const struct http_tunnel_events *events);
size_t
http_tunnel_write(struct http_tunnel *t,
                  struct str bytes); /* copies what cannot be sent at once; the bytes now waiting */
void http_tunnel_pause(struct http_tunnel *t, bool pause); /* stops reading: back-pressure */
void http_tunnel_close(struct http_tunnel *t); /* after what waits was sent; no callback follows */

/* --- client ---
 *
 * Over TLS the server chooses HTTP/2 or HTTP/1.1 (ALPN); plain origins get HTTP/1.1 or, with
 * http2_prior, HTTP/2 at once (RFC 9113 section 3.3). Connections
 * are opened as calls need them and kept for 90 s; one that closes is replaced by the next call. A
 * GET or HEAD that was sent on a kept connection which turns out closed is sent once more, and so
 * is any call that an HTTP/2 server refused unprocessed. Host names are looked up on a thread of
 * their own. A paused call holds back what comes, its end too. All callbacks come from the loop,
 * never from inside a function that the caller called, but for http_client_free. */
struct http_client; /* a pool of connections to one origin */
struct http_call;   /* one request under way */

struct http_client_config {
    const char *origin;      /* "https://127.0.0.1:6443", "http://…", "unix:/path" */
    struct tls *tls;         /* borrowed; needed for https */
    const char *server_name; /* for SNI and verification; NULL: the origin's host */
    /* "http://host:port": connections go there. For https the proxy is asked for a tunnel
     * (proxy_auth is the value of Proxy-Authorization, or NULL); for http the caller's targets are
     * absolute. */
    const char *proxy, *proxy_auth;
    bool http1_only;
    bool http2_prior;   /* plain origins speak HTTP/2 without being asked */
    size_t max_conns;   /* HTTP/1.1 connections at once; 0: 8. HTTP/2 uses one */
    int64_t connect_ms; /* 0: 10,000 */
};

struct http_call_config {
    const char *method;
    struct str target;                 /* path and query, encoded; copied */
    const struct http_header *headers; /* copied */
    size_t header_count;
    struct str body;    /* copied */
    int64_t timeout_ms; /* to the end of the headers; 0: none */
    size_t max_body;    /* of the answer when it is collected; 0: 64 MiB */
    bool stream;  /* give the body piece by piece to `data`; else it is collected for `done` */
    bool upgrade; /* expect 101; use http_call_tunnel from `headers_done` */
    /* HTTP/2 only: the body goes on by http_call_send until http_call_send_end; such a call is
     * never sent twice. */
    bool stream_body;
    void (*headers_done)(void *arg, struct http_call *c, int status);
    void (*data)(void *arg, struct str bytes);
    /* Last callback, always called once unless cancelled. err is NULL when an answer came, whatever
     * its status. */
    void (*done)(void *arg, int status, struct str body, const struct err *err);
    void *arg;
};

int http_client_new(struct loop *l, const struct http_client_config *config,
                    struct http_client **ret, struct err *err);
void http_client_free(struct http_client *c); /* calls under way end with an error first */
struct http_call *http_call_start(struct http_client *c, const struct http_call_config *config);
struct str http_call_header(const struct http_call *c,
                            const char *lower_name); /* of the answer; from headers_done on */
/* The i-th header of that name, from 0; false: there are not so many. */
bool http_call_header_at(const struct http_call *c, const char *lower_name, size_t i,
                         struct str *ret);
struct str http_call_trailer(const struct http_call *c,
                             const char *lower_name);       /* HTTP/2; within `done` */
void http_call_send(struct http_call *c, struct str bytes); /* copied; needs stream_body */
void http_call_send_end(struct http_call *c);
void http_call_pause(struct http_call *c, bool pause);
void http_call_cancel(struct http_call *c); /* no callback follows */
struct http_tunnel *
http_call_tunnel(struct http_call *c,
                 const struct http_tunnel_events *events); /* after 101; c is gone */
