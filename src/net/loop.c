#include "net/loop.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { EVENTS_A_TURN = 256 };

struct loop_io {
    int fd;
    uint32_t events;
    loop_io_fn *fn; /* NULL: deleted, waiting in the graveyard */
    void *arg;
    struct loop_io *next_dead;
};

struct loop {
    int epoll, wake;
    int64_t now_ms;
    atomic_bool stop;
    _Atomic(struct loop_msg *) posted; /* newest first */
    struct loop_timer **timers;        /* a binary heap by due_ms */
    size_t timer_count, timer_cap;
    struct loop_task tasks, ends; /* heads of rings */
    struct loop_io *graveyard;
    struct loop_io wake_io;
    char *scratch;
};

int64_t loop_now_ms(const struct loop *l)
{
    return l->now_ms;
}

char *loop_scratch(struct loop *l)
{
    if (!l->scratch)
        l->scratch = mem_alloc(LOOP_SCRATCH);
    return l->scratch;
}

/* --- descriptors --- */

int loop_add(struct loop *l, int fd, uint32_t events, loop_io_fn *fn, void *arg,
             struct loop_io **ret, struct err *err)
{
    struct loop_io *io = NEW(struct loop_io);
    *io = (struct loop_io){.fd = fd, .events = events, .fn = fn, .arg = arg};
    struct epoll_event ev = {.events = events, .data.ptr = io};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
        free(io);
        return err_errno(err, "epoll_ctl");
    }
    *ret = io;
    return 0;
}

void loop_mod(struct loop *l, struct loop_io *io, uint32_t events)
{
    if (io->events == events)
        return;
    struct epoll_event ev = {.events = events, .data.ptr = io};
    if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, io->fd, &ev) == 0)
        io->events = events;
}

void loop_del(struct loop *l, struct loop_io *io)
{
    if (!io)
        return;
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, io->fd, NULL);
    io->fn = NULL;
    io->next_dead = l->graveyard;
    l->graveyard = io;
}

static void bury(struct loop *l)
{
    while (l->graveyard) {
        struct loop_io *io = l->graveyard;
        l->graveyard = io->next_dead;
        free(io);
    }
}

/* --- timers --- */

static void timer_put(struct loop *l, size_t i, struct loop_timer *t)
{
    l->timers[i] = t;
    t->at = i + 1;
}

static void timer_up(struct loop *l, size_t i, struct loop_timer *t)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (l->timers[parent]->due_ms <= t->due_ms)
            break;
        timer_put(l, i, l->timers[parent]);
        i = parent;
    }
    timer_put(l, i, t);
}

static void timer_down(struct loop *l, size_t i, struct loop_timer *t)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= l->timer_count)
            break;
        if (child + 1 < l->timer_count && l->timers[child + 1]->due_ms < l->timers[child]->due_ms)
            child++;
        if (t->due_ms <= l->timers[child]->due_ms)
            break;
        timer_put(l, i, l->timers[child]);
        i = child;
    }
    timer_put(l, i, t);
}

void loop_timer_clear(struct loop *l, struct loop_timer *t)
{
    if (!t->at)
        return;
    size_t i = t->at - 1;
    t->at = 0;
    struct loop_timer *last = l->timers[--l->timer_count];
    if (last == t)
        return;
    if (i > 0 && last->due_ms < l->timers[(i - 1) / 2]->due_ms)
        timer_up(l, i, last);
    else
        timer_down(l, i, last);
}

void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t delay_ms,
                    void (*fn)(struct loop_timer *t))
{
    loop_timer_clear(l, t);
    /* From the true time: the turn's own reading may be old when its callbacks take long. */
    t->due_ms = mono_ms(world_real()) + (delay_ms > 0 ? delay_ms : 0);
    t->fn = fn;
    if (l->timer_count == l->timer_cap) {
        l->timer_cap = l->timer_cap ? l->timer_cap * 2 : 64;
        l->timers = mem_realloc_array(l->timers, l->timer_cap, sizeof(struct loop_timer *));
    }
    timer_up(l, l->timer_count++, t);
}

/* Timers that callbacks set anew wait for the next turn, even with a delay of 0. */
static void run_timers(struct loop *l)
{
    size_t limit = l->timer_count;
    while (limit-- > 0 && l->timer_count && l->timers[0]->due_ms <= l->now_ms) {
        struct loop_timer *t = l->timers[0];
        loop_timer_clear(l, t);
        t->fn(t);
    }
}

/* --- messages and tasks --- */

static void wake(struct loop *l)
{
    uint64_t one = 1;
    ssize_t n = write(l->wake, &one, sizeof(one));
    (void)n; /* a full counter wakes as well */
}

void loop_post(struct loop *l, struct loop_msg *m)
{
    struct loop_msg *head = atomic_load_explicit(&l->posted, memory_order_relaxed);
    do
        m->next = head;
    while (!atomic_compare_exchange_weak_explicit(&l->posted, &head, m, memory_order_release,
                                                  memory_order_relaxed));
    if (!head)
        wake(l);
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->stop, true);
    wake(l);
}

static void run_posted(struct loop *l)
{
    struct loop_msg *newest = atomic_exchange_explicit(&l->posted, NULL, memory_order_acquire);
    struct loop_msg *oldest = NULL;
    while (newest) {
        struct loop_msg *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct loop_msg *m = oldest;
        oldest = m->next;
        m->fn(m); /* m may be gone now */
    }
}

static void on_wake(void *arg, uint32_t events)
{
    struct loop *l = arg;
    (void)events;
    uint64_t count;
    ssize_t n = read(l->wake, &count, sizeof(count));
    (void)n;
    run_posted(l);
}

static void put_task(struct loop_task *ring, struct loop_task *t, void (*fn)(struct loop_task *t))
{
    t->fn = fn;
    if (t->next)
        return;
    t->prev = ring->prev;
    t->next = ring;
    t->prev->next = t;
    ring->prev = t;
}

void loop_defer(struct loop *l, struct loop_task *t, void (*fn)(struct loop_task *t))
{
    put_task(&l->tasks, t, fn);
}

void loop_at_end(struct loop *l, struct loop_task *t, void (*fn)(struct loop_task *t))
{
    put_task(&l->ends, t, fn);
}

void loop_undefer(struct loop *l, struct loop_task *t)
{
    (void)l;
    if (!t->next)
        return;
    t->prev->next = t->next;
    t->next->prev = t->prev;
    t->prev = t->next = NULL;
}

static bool tasks_wait(const struct loop *l)
{
    return l->tasks.next != &l->tasks;
}

/* What tasks defer runs behind a marker, in the next turn: descriptors get their chance between. */
static void run_tasks(struct loop *l)
{
    struct loop_task marker = {0};
    loop_defer(l, &marker, NULL);
    for (;;) {
        struct loop_task *t = l->tasks.next;
        loop_undefer(l, t);
        if (t == &marker)
            return;
        t->fn(t);
    }
}

/* --- the loop --- */

/* OpenSSL writes with write(2): a peer that closed must be an error, not the process' end. */
static void ignore_sigpipe(void)
{
    struct sigaction old;
    if (sigaction(SIGPIPE, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

int loop_new(struct loop **ret, struct err *err)
{
    ignore_sigpipe();
    struct loop *l = NEW(struct loop);
    l->tasks.prev = l->tasks.next = &l->tasks;
    l->ends.prev = l->ends.next = &l->ends;
    l->now_ms = mono_ms(world_real());
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    l->wake_io = (struct loop_io){.fd = l->wake, .fn = on_wake, .arg = l};
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &l->wake_io};
    if (l->epoll < 0 || l->wake < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->wake, &ev) < 0) {
        err_errno(err, "event loop");
        loop_free(l);
        return -1;
    }
    *ret = l;
    return 0;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    while (tasks_wait(l))
        run_tasks(l);
    while (l->ends.next != &l->ends) {
        struct loop_task *t = l->ends.next;
        loop_undefer(l, t);
        t->fn(t);
    }
    while (tasks_wait(l))
        run_tasks(l);
    bury(l);
    if (l->epoll >= 0)
        close(l->epoll);
    if (l->wake >= 0)
        close(l->wake);
    free(l->timers);
    free(l->scratch);
    free(l);
}

static int wait_ms(const struct loop *l)
{
    if (tasks_wait(l))
        return 0;
    if (!l->timer_count)
        return -1;
    int64_t delay = l->timers[0]->due_ms - mono_ms(world_real());
    if (delay < 0)
        return 0;
    return delay < 60000 ? (int)delay : 60000;
}

void loop_run(struct loop *l)
{
    struct epoll_event events[EVENTS_A_TURN];
    while (!atomic_load(&l->stop)) {
        int n = epoll_wait(l->epoll, events, EVENTS_A_TURN, wait_ms(l));
        l->now_ms = mono_ms(world_real());
        for (int i = 0; i < n; i++) {
            struct loop_io *io = events[i].data.ptr;
            if (io->fn)
                io->fn(io->arg, events[i].events);
        }
        run_timers(l);
        run_tasks(l);
        bury(l);
    }
    atomic_store(&l->stop, false);
}
