/* loop.h: an epoll loop, timers, and messages from other threads.
 *
 * One loop belongs to the thread that runs it. Only loop_post and loop_stop may be called from
 * elsewhere; everything else on the loop's thread (or before loop_run). Callbacks run on the loop's
 * thread, never inside the call that registered them. A handler may delete its own watch or any
 * other; a deleted one gets no more callbacks, events already fetched included. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/err.h"

struct loop;
struct loop_io;

typedef void loop_io_fn(void *arg, uint32_t events); /* events: EPOLL* bits */

int loop_new(struct loop **ret, struct err *err); /* SIGPIPE is ignored from then on */
void loop_free(struct loop *l); /* not while it runs; deferred tasks that still wait run first */
void loop_run(struct loop *l);  /* until loop_stop */
void loop_stop(struct loop *l); /* any thread */
int64_t loop_now_ms(const struct loop *l); /* monotonic, read once a turn */

/* fd stays the caller's; it must be non-blocking. */
int loop_add(struct loop *l, int fd, uint32_t events, loop_io_fn *fn, void *arg,
             struct loop_io **ret, struct err *err);
void loop_mod(struct loop *l, struct loop_io *io, uint32_t events);
void loop_del(struct loop *l, struct loop_io *io); /* before fd is closed; NULL is fine */

/* A timer is embedded in its owner and zeroed before first use. It fires once. Setting it again
 * moves it. */
struct loop_timer {
    void (*fn)(struct loop_timer *t);
    int64_t due_ms;
    size_t at; /* place in the heap, plus one; 0: not set */
};
void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t delay_ms,
                    void (*fn)(struct loop_timer *t));
void loop_timer_clear(struct loop *l, struct loop_timer *t);

/* A message is embedded in what it carries. Posted ones run in order on the loop's thread; posting
 * allocates nothing and never blocks. One that is posted may not be posted again before its fn was
 * called. */
struct loop_msg {
    struct loop_msg *next;
    void (*fn)(struct loop_msg *m);
};
void loop_post(struct loop *l, struct loop_msg *m);

/* A task is embedded in its owner and zeroed before first use. It runs once, on the loop's thread,
 * behind the callbacks of this turn and before the loop sleeps: for work that should be done once
 * for many causes (flushing what several answers wrote), and for freeing what callers up the stack
 * still hold. Deferring one that already waits changes its fn only. */
struct loop_task {
    struct loop_task *prev, *next;
    void (*fn)(struct loop_task *t);
};
void loop_defer(struct loop *l, struct loop_task *t, void (*fn)(struct loop_task *t));
/* The same for loop_free: for what belongs to nobody but the loop. */
void loop_at_end(struct loop *l, struct loop_task *t, void (*fn)(struct loop_task *t));
void loop_undefer(struct loop *l, struct loop_task *t); /* of either; one not waiting is fine */

/* LOOP_SCRATCH bytes that a callback may read into; the next callback overwrites them. */
enum { LOOP_SCRATCH = 64 * 1024 };
char *loop_scratch(struct loop *l);
