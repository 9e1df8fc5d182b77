/* core.h: the server's own state, for the files of this room. */
#pragma once

#include <pthread.h>

#include "api/api.h"
#include "api/call.h"
#include "api/kind.h"
#include "api/authn/pki.h"
#include "api/authn/token.h"
#include "base/list.h"
#include "base/map.h"
#include "net/tls.h"

struct digests;
struct expirer;
struct hub;
struct node_graph;
struct rbac;
struct relay_pool;

enum { API_MAX_LOOPS = 256 };

struct api {
    struct api_config config;
    struct arena arena; /* the configuration's strings */
    struct strategy_config strategy;
    struct token_issuer *tokens;
    struct kinds kinds;
    struct world *world;
    struct tls *kubelet_tls; /* NULL: agents cannot be reached */
    struct rbac *rbac;       /* NULL while the first objects are made */
    struct node_graph *node_graph;
    struct digests *digests; /* what selectors may leave out (digest.h) */

    pthread_mutex_t lock; /* the list of loops */
    struct list loops;
    atomic_bool draining;
    atomic_long inflight;

    /* The loop that feeds in-process watches; started by the first api_client. */
    struct api_loop *feeder;
    struct loop *feeder_loop;
    pthread_t feeder_thread;
    bool feeder_running;
    pthread_mutex_t feeder_lock;

    struct crd_registry *crds; /* custom resources, and discovery with them (crd.h) */
};

struct api_loop {
    struct list link; /* in api->loops */
    struct api *api;
    struct loop *loop;
    struct hub *hub;
    struct relay_pool *relays;
    struct expirer *expirer; /* of one loop only */
    struct list suspended;   /* calls whose write is under way */
    struct list turnstile;   /* calls that wait to try again (call.c), */
    struct call *turn;       /* for this one; NULL: for none */
    atomic_long committing;  /* of them, those that the committer has */

    pthread_mutex_t lock; /* the counters: written here, read by /metrics anywhere */
    struct map counters;  /* metrics.c */
    long watching;        /* calls that became watches */
};

/* Waits for the writes under way and drops the calls that wait for them, unanswered (call.c). */
void calls_abandon(struct api_loop *at);

/* How requests are counted (metrics.c). */
void metrics_count(struct call *c);
void metrics_watching(struct call *c, int change); /* +1: it is a watch now, -1: it ended */
int64_t metrics_now_ns(void);                      /* of the clock of call.began_ns */
void metrics_done(struct map *counters);
void metrics_write(struct api *api, struct buf *b);

/* custom: the kinds besides the built-in ones, NULL-terminated. */
struct discovery *discovery_new(const struct schema_kind *const *custom);
void discovery_free(struct discovery *d);
enum call_next discovery_serve(struct call *c);
enum call_next openapi_serve(struct call *c);

/* --- watches (hub.c, watch.c) ---
 * One hub a loop: it subscribes to the store once and hands each event to the watchers of its kind.
 */
int hub_new(struct api_loop *at, struct hub **ret, struct err *err);
void hub_free(struct hub *h);  /* ends what is left */
void hub_drain(struct hub *h); /* any thread: ends all watches, soon */

struct watcher;

/* Where a watch's frames go: an HTTP exchange, or a function of this process. On the hub's loop. */
#define WATCH_SINK_GONE SIZE_MAX

struct watch_sink {
    void (*start)(void *arg, struct watcher *w);
    /* The bytes that wait for the reader, or WATCH_SINK_GONE when it wants no more. */
    size_t (*write)(void *arg, struct bytes *frame);
    void (*end)(void *arg); /* the watch is over; not after watch_close */
    void *arg;
};
void watch_close(struct watcher *w); /* the reader went away */

/* The loop of in-process watches (inproc.c). */
int feeder_start(struct api *api, struct err *err);
void feeder_stop(struct api *api);

/* Old events go, a pass a minute (expire.c). */

struct expirer *expirer_new(struct api_loop *at);
void expirer_free(struct expirer *e);
void expire_pass(struct api *api);

struct relay_pool *relay_pool_new(struct api_loop *at);
void relay_pool_free(struct relay_pool *p);
