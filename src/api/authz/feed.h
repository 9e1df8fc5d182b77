/* feed.h: the store's events below some prefixes, kept until somebody has use for them.
 *
 * What is derived from stored objects (who may do what, which node runs what) follows the store by
 * a feed: its owner takes what came since the last time just before it answers a question, so that
 * an answer is never older than a write that was acknowledged before. */
#pragma once

#include <pthread.h>

#include "store/store.h"

enum { FEED_PREFIXES = 2 };

struct feed {
    struct str prefixes[FEED_PREFIXES]; /* unused ones are empty; static strings */
    struct store_sub *sub;
    pthread_mutex_t lock;
    struct store_batch **batches;
    size_t count, cap;
    atomic_size_t waiting; /* events */
};

/* All events after *ret_revision will come. */
void feed_open(struct feed *f, struct store *store, int64_t *ret_revision);
void feed_close(struct feed *f);

static inline size_t feed_waiting(const struct feed *f)
{
    return atomic_load_explicit(&f->waiting, memory_order_acquire);
}

bool feed_concerns(const struct feed *f, const struct store_event *e);
/* Hands out all batches in order; the caller unrefs each and frees the array. */
size_t feed_take(struct feed *f, struct store_batch ***ret);
