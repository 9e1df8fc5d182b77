/* runtime.h: what carries controllers out. Private to the room.
 *
 * feed.c    caches fill the picture and mark keys
 * queue.c   which key is to be looked at, and when
 * runtime.c workers: take a key, reconcile, carry out, plan the next time
 * execute.c actions become calls, many at a time
 * expect.c  what must be seen before a key may be looked at again
 * recorder.c events */
#pragma once

#include <pthread.h>

#include "base/list.h"
#include "base/map.h"
#include "client/cache.h"
#include "control/control.h"
#include "control/reconcile.h"

/* --- expectations --- */

struct expected { /* one object that must change in the picture */
    enum kind kind;
    enum { EXPECT_DELETED, EXPECT_BOUND } what;
    char *key, *uid;
};

/* What a key's own writes must have done to the picture before it is looked at again. Upstream's
 * expectations count creations and deletions; versions that all grow tell the same and more. */
struct expectations {
    int64_t seen[KIND_COUNT]; /* a write of this version must have arrived; 0: none */
    struct expected *objects;
    size_t count;
    int64_t deadline; /* mono ms; then the picture is taken as it is */
    bool any;
};

void expect_done(struct expectations *e);
void expect_written(struct expectations *e, enum kind kind, int64_t rv);
void expect_object(struct expectations *e, const struct action *a);
bool expect_met(struct expectations *e, struct picture *p, int64_t now); /* forgets what is met */

/* --- queue --- */

struct work { /* a key of a controller */
    size_t controller;
    struct str key; /* the map's copy */
    struct list ready;
    bool queued, running, dirty;
    int64_t due; /* mono ms; 0: no timer */
    size_t at;   /* in the heap of timers, from 1; 0: not there */
    int failures;
    int64_t last_end;
    struct expectations expect;
};

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct world *world;
    size_t controller_count;
    struct map *works; /* one a controller */
    struct list ready;
    struct work **timers; /* heap by due */
    size_t timer_count, timer_cap;
    int64_t swept;
    bool open, stop;
};

void queue_init(struct queue *q, struct world *w, size_t controller_count);
void queue_done(struct queue *q);
void queue_open(struct queue *q); /* keys marked so far may be taken now */
void queue_stop(struct queue *q); /* queue_take answers NULL from now on */
void queue_mark(struct queue *q, size_t controller, struct str key);
struct work *queue_take(struct queue *q); /* waits; the caller has it alone until queue_put */
/* after_ms: look again so much later; -1: when it is marked. reset: the failures are over. */
void queue_put(struct queue *q, struct work *w, int64_t after_ms);
size_t queue_length(struct queue *q);

/* --- executing --- */

struct executor;
struct executor *executor_new(struct client *c, size_t threads);
void executor_free(struct executor *x);

struct outcome {
    bool failed;
    bool conflict; /* only because someone else wrote in between: worth another try at once */
    struct failure failure;
};

/* Carries out all phases. Fills e; strings of the outcome come from the arena of a's view. */
struct recorder;
void execute(struct executor *x, struct recorder *r, const char *component, struct actions *a,
             struct expectations *e, struct outcome *ret);

/* --- events --- */

struct recorder *recorder_new(struct client *c, struct world *w);
void recorder_free(struct recorder *r);
void recorder_post(struct recorder *r, const char *component, const struct act_event *e);

/* --- feeding --- */

struct feed { /* one kind's cache */
    struct control *control;
    enum kind kind;
    struct cache *cache;
};

int feed_start(struct control *c, struct err *err);
bool feed_wait(struct control *c); /* false: stopped before everything was synced */
void feed_stop(struct control *c);

struct control {
    struct client *client;
    struct world *world;
    struct control_config config;
    struct view_live live;
    struct picture *picture;
    struct queue queue;
    struct executor *executor;
    struct recorder *recorder;
    struct feed feeds[KIND_COUNT];
    pthread_t *threads;
    size_t thread_count;
    pthread_mutex_t start_lock;
    bool started;
    _Atomic bool stopping;
    _Atomic int64_t gave_back; /* mono ms */
};
