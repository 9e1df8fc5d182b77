/* The keys that are to be looked at: a set of ready ones in order, a heap of later ones. */
#include "control/runtime.h"

#include <time.h>

enum { SWEEP_MS = 5000, KEEP_MS = 2000 };

void queue_init(struct queue *q, struct world *w, size_t controller_count)
{
    *q = (struct queue){.world = w, .controller_count = controller_count};
    q->works = mem_zalloc(controller_count * sizeof *q->works);
    list_init(&q->ready);
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&q->wake, &attr);
    pthread_condattr_destroy(&attr);
}

static void work_free(struct work *w)
{
    expect_done(&w->expect);
    free((char *)w->key.p);
    free(w);
}

void queue_done(struct queue *q)
{
    for (size_t c = 0; c < q->controller_count; c++) {
        for (struct map_entry *e = NULL; (e = map_next(&q->works[c], e));)
            work_free(e->value);
        map_done(&q->works[c]);
    }
    free(q->works);
    free(q->timers);
    pthread_cond_destroy(&q->wake);
    pthread_mutex_destroy(&q->lock);
}

/* --- timers: a binary heap, positions from 1 --- */

static void place(struct queue *q, size_t at, struct work *w)
{
    q->timers[at - 1] = w;
    w->at = at;
}

static void sift(struct queue *q, size_t at)
{
    struct work *w = q->timers[at - 1];
    for (; at > 1 && q->timers[at / 2 - 1]->due > w->due; at /= 2)
        place(q, at, q->timers[at / 2 - 1]);
    for (;;) {
        size_t child = at * 2;
        if (child > q->timer_count)
            break;
        if (child < q->timer_count && q->timers[child]->due < q->timers[child - 1]->due)
            child++;
        if (q->timers[child - 1]->due >= w->due)
            break;
        place(q, at, q->timers[child - 1]);
        at = child;
    }
    place(q, at, w);
}

static void timer_clear(struct queue *q, struct work *w)
{
    size_t at = w->at;
    w->due = 0;
    if (!at)
        return;
    w->at = 0;
    struct work *last = q->timers[--q->timer_count];
    if (last == w)
        return;
    place(q, at, last);
    sift(q, at);
}

static void timer_set(struct queue *q, struct work *w, int64_t due)
{
    if (w->at && w->due <= due)
        return;
    w->due = due;
    if (!w->at) {
        if (q->timer_count == q->timer_cap) {
            q->timer_cap = q->timer_cap ? 2 * q->timer_cap : 64;
            q->timers = mem_realloc_array(q->timers, q->timer_cap, sizeof *q->timers);
        }
        place(q, ++q->timer_count, w);
    }
    sift(q, w->at);
    if (w->at == 1)
        pthread_cond_signal(&q->wake);
}

/* --- marking --- */

static void make_ready(struct queue *q, struct work *w)
{
    timer_clear(q, w);
    w->queued = true;
    list_add_tail(&q->ready, &w->ready);
    pthread_cond_signal(&q->wake);
}

static void mark_locked(struct queue *q, struct work *w)
{
    if (w->running) {
        w->dirty = true;
        return;
    }
    if (w->queued)
        return;
    int64_t from = w->last_end + controllers[w->controller]->min_interval_ms;
    if (w->last_end && from > mono_ms(q->world))
        timer_set(q, w, from);
    else
        make_ready(q, w);
}

void queue_mark(struct queue *q, size_t controller, struct str key)
{
    pthread_mutex_lock(&q->lock);
    struct work *w = map_get(&q->works[controller], key);
    if (!w) {
        w = NEW(struct work);
        w->controller = controller;
        w->key = (struct str){mem_strndup(key.p, key.n), key.n};
        list_init(&w->ready);
        map_set(&q->works[controller], key, w);
    }
    mark_locked(q, w);
    pthread_mutex_unlock(&q->lock);
}

/* --- taking --- */

static bool idle(const struct work *w, int64_t now)
{
    return !w->queued && !w->running && !w->at && !w->failures && !w->expect.any &&
           w->last_end + KEEP_MS < now;
}

/* Forgets keys that have nothing left to remember, some at a time. */
static void sweep(struct queue *q, int64_t now)
{
    struct work *gone[64];
    size_t n = 0;
    for (size_t c = 0; c < q->controller_count && n < ARRAY_LEN(gone); c++)
        for (struct map_entry *e = NULL; n < ARRAY_LEN(gone) && (e = map_next(&q->works[c], e));)
            if (idle(e->value, now))
                gone[n++] = e->value;
    for (size_t i = 0; i < n; i++) {
        map_del(&q->works[gone[i]->controller], gone[i]->key);
        work_free(gone[i]);
    }
    q->swept = n == ARRAY_LEN(gone) ? now - SWEEP_MS : now;
}

static void fire_timers(struct queue *q, int64_t now)
{
    while (q->timer_count && q->timers[0]->due <= now)
        make_ready(q, q->timers[0]);
}

static void wait_ms(struct queue *q, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&q->wake, &q->lock, &until);
}

struct work *queue_take(struct queue *q)
{
    struct work *w = NULL;
    pthread_mutex_lock(&q->lock);
    while (!q->stop) {
        int64_t now = mono_ms(q->world);
        fire_timers(q, now);
        if (q->open && !list_empty(&q->ready)) {
            w = CONTAINER_OF(q->ready.next, struct work, ready);
            list_del(&w->ready);
            w->queued = false;
            w->running = true;
            w->dirty = false;
            break;
        }
        if (now - q->swept >= SWEEP_MS)
            sweep(q, now);
        int64_t ms = q->timer_count ? q->timers[0]->due - now : SWEEP_MS;
        wait_ms(q, ms < SWEEP_MS ? (ms > 0 ? ms : 1) : SWEEP_MS);
    }
    pthread_mutex_unlock(&q->lock);
    return w;
}

void queue_put(struct queue *q, struct work *w, int64_t after_ms)
{
    pthread_mutex_lock(&q->lock);
    int64_t now = mono_ms(q->world);
    w->running = false;
    w->last_end = now;
    if (after_ms == 0 && !w->dirty)
        make_ready(q, w);
    else if (after_ms > 0)
        timer_set(q, w, now + after_ms);
    if (w->dirty)
        mark_locked(q, w);
    pthread_mutex_unlock(&q->lock);
}

void queue_open(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->open = true;
    pthread_cond_broadcast(&q->wake);
    pthread_mutex_unlock(&q->lock);
}

void queue_stop(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->stop = true;
    pthread_cond_broadcast(&q->wake);
    pthread_mutex_unlock(&q->lock);
}

size_t queue_length(struct queue *q)
{
    size_t n = 0;
    pthread_mutex_lock(&q->lock);
    LIST_FOR (&q->ready, at)
        n += at != NULL;
    pthread_mutex_unlock(&q->lock);
    return n;
}
