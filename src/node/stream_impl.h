/* stream_impl.h: what the files of the node's HTTP server share; streams.h is their door.
 *
 *   streams.c         the server: its thread, who may come in, which path is whose
 *   stream_work.c     threads for calls that may block
 *   stream_log.c      GET /containerLogs, on stream_crilog.h
 *   stream_carrier.c  an upgraded connection: raw, or messages of a WebSocket
 *   stream_mux.c      SPDY streams over a carrier
 *   stream_remote.c   the client's five channels of an exec or attach, over either protocol
 *   stream_exec.c     exec and attach: a remote joined with a process or a container's shim
 *   stream_forward.c  port-forward: SPDY streams joined with sockets in the pod's network
 *
 * All but stream_work.c runs on the server's one loop. */
#pragma once

#include <pthread.h>

#include "base/clock.h"
#include "base/list.h"
#include "net/http.h"
#include "net/url.h"
#include "node/streams.h"

enum {
    STREAM_HIGH_WATER = 1024 * 1024, /* bytes under way in one direction before the source waits */
    STREAM_PIECE = 32 * 1024,        /* bytes read from a pipe or socket at once */
    STREAM_CREATION_MS = 30000,      /* a client opens its SPDY streams within */
    STREAM_IDLE_MS = 4 * 60 * 60 * 1000 /* streamingConnectionIdleTimeout */
};

struct work;
struct log_watcher;

struct streams {
    struct streams_config config;
    char *data_dir, *node_name, *node_ip;
    pthread_t thread;

    struct loop *loop;
    struct tls *tls;
    struct http_server *server;
    struct work *work;
    struct list sessions; /* struct session.link */
    struct log_watcher *watcher;
    struct loop_msg stop;
    struct loop_timer timer;
    int64_t cert_seen;  /* the serving certificate's time of change, ns */
    int64_t stop_by_ms; /* loop time */
};

/* What lives longer than one request; ended when the server stops. */
struct session {
    struct list link;
    void (*stop)(struct session *s); /* must leave the list, now or when its process ends */
};

/* --- requests --- */
struct stream_request {
    struct arena arena;
    char *ns, *pod, *uid, *container; /* uid "" when the path has none */
    struct url_query query;
};
/* Path segments behind /exec and such, decoded; container NULL: the path has none (portForward). */
bool stream_request_parse(struct stream_request *r, struct str rest, bool container,
                          struct str query);
/* "1" and "true" are true, under either of its names. */
bool stream_flag(const struct url_query *q, const char *name, const char *other);
/* Plain text, as upstream's kubelet answers. */
void stream_refuse(struct http_exchange *x, int status, const char *text);
void stream_refuse_err(struct http_exchange *x, const struct err *err);

void stream_log_handle(struct streams *s, struct http_exchange *x, struct str rest,
                       const struct http_request *r);
void stream_exec_handle(struct streams *s, struct http_exchange *x, struct str rest,
                        const struct http_request *r, bool attach);
void stream_forward_handle(struct streams *s, struct http_exchange *x, struct str rest,
                           const struct http_request *r);
void log_watcher_free(struct log_watcher *w);

/* --- work that may block: run on a thread of the pool, then done on the loop --- */
struct work_item {
    struct loop_msg msg;
    struct list link;
    void (*run)(struct work_item *w);
    void (*done)(struct work_item *w);
};
/* The threads live as long as the pool: a process that one starts does not outlive its parent
 * thread when it asked for that (PR_SET_PDEATHSIG). */
struct work *work_new(struct loop *l);
void work_start(struct work *w, struct work_item *item);
void work_free(struct work *w); /* waits for what runs; `done` of all items was posted afterwards */
