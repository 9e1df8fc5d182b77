/* cache_impl.h: the two halves of a cache: the picture (cache.c) and what feeds it (feed.c). */
#pragma once

#include <pthread.h>

#include "base/map.h"
#include "client/scan.h"
#include "client/shelf.h"

enum { MAX_INDEXES = ARRAY_LEN(((struct cache_config *)0)->indexes) };

/* What the stream's callbacks leave for the feeding thread. */
struct inbox {
    struct buf bytes;
    bool closed, failed, overflow;
    struct err err;
};

struct cache {
    struct client *client;
    struct cache_config config;
    struct resource resource; /* the configuration's texts are copied */

    pthread_rwlock_t lock; /* of the picture */
    struct shelf all;
    struct map index[MAX_INDEXES]; /* value -> struct shelf */
    size_t index_count;

    pthread_t thread;
    bool started;
    pthread_mutex_t feed_lock; /* of the rest */
    pthread_cond_t changed;
    bool stop, synced;
    struct inbox inbox;

    /* The feeding thread's own. */
    char *rv; /* the picture is this state, or a newer one */
    unsigned failures;
    struct frames frames;
    enum { WATCH_OK, WATCH_ENDED, WATCH_FAILED, WATCH_EXPIRED } watch_state;
    bool progress; /* the watch has delivered something */
};

/* Puts o into the picture (takes it) and tells the handler, unless it is what is there already. */
void cache_put(struct cache *k, struct obj *o);
void cache_del(struct cache *k, struct str key);
/* The picture becomes these objects. Takes the references, and reorders the array. */
void cache_replace(struct cache *k, struct obj **objs, size_t n);

void *cache_feed(void *cache);

/* The same object without its text. */
struct obj *obj_bare(const struct obj *o);
