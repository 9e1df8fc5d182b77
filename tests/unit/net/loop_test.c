#include "test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "net_util.h"

static struct loop *new_loop(void)
{
    struct loop *l;
    struct err err;
    CHECK_OK(loop_new(&l, &err), &err);
    return l;
}

/* --- timers --- */

struct many {
    struct loop *loop;
    struct loop_timer timers[200];
    int64_t last_ms;
    int fired, out_of_order;
};

static struct many *all;

static void on_many(struct loop_timer *t)
{
    all->out_of_order += t->due_ms < all->last_ms;
    all->last_ms = t->due_ms;
    if (++all->fired == 150)
        loop_stop(all->loop);
}

TEST(timers_fire_in_order_and_cleared_ones_do_not)
{
    struct many m = {.loop = new_loop()};
    all = &m;
    for (int i = 0; i < 200; i++)
        loop_timer_set(m.loop, &m.timers[i], 500, on_many);
    for (int i = 0; i < 200; i++)
        loop_timer_set(m.loop, &m.timers[i], i * 37 % 50, on_many);
    for (int i = 0; i < 200; i += 4)
        loop_timer_clear(m.loop, &m.timers[i]);
    CHECK(run_for(m.loop, 2000));
    CHECK_INT(m.fired, 150);
    CHECK_INT(m.out_of_order, 0);
    loop_free(m.loop);
}

/* --- messages --- */

enum { THREADS = 4, MESSAGES = 5000 };

struct letter {
    struct loop_msg msg;
    int thread, number;
};

struct office {
    struct loop *loop;
    struct letter *letters;
    int next[THREADS], received, out_of_order;
};

static struct office *office;

static void on_letter(struct loop_msg *m)
{
    struct letter *a = CONTAINER_OF(m, struct letter, msg);
    office->out_of_order += a->number != office->next[a->thread]++;
    if (++office->received == THREADS * MESSAGES)
        loop_stop(office->loop);
}

static void *post_all(void *arg)
{
    struct letter *letters = arg;
    for (int i = 0; i < MESSAGES; i++)
        loop_post(office->loop, &letters[i].msg);
    return NULL;
}

TEST(messages_of_many_threads_arrive_in_each_ones_order)
{
    struct office o = {.loop = new_loop()};
    office = &o;
    o.letters = mem_zalloc(THREADS * MESSAGES * sizeof(struct letter));
    pthread_t threads[THREADS];
    for (int t = 0; t < THREADS; t++) {
        for (int i = 0; i < MESSAGES; i++)
            o.letters[t * MESSAGES + i] = (struct letter){{NULL, on_letter}, t, i};
        pthread_create(&threads[t], NULL, post_all, o.letters + t * MESSAGES);
    }
    CHECK(run_for(o.loop, 20000));
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    CHECK_INT(o.received, THREADS * MESSAGES);
    CHECK_INT(o.out_of_order, 0);
    free(o.letters);
    loop_free(o.loop);
}

/* --- descriptors --- */

struct pair {
    struct loop *loop;
    struct loop_io *io[2];
    int calls;
};

static void delete_both(void *arg, uint32_t events)
{
    struct pair *p = arg;
    (void)events;
    p->calls++;
    for (int i = 0; i < 2; i++) {
        loop_del(p->loop, p->io[i]);
        p->io[i] = NULL;
    }
}

TEST(a_deleted_watch_gets_no_event_that_was_fetched_before)
{
    struct pair p = {.loop = new_loop()};
    struct err err;
    int fds[2][2];
    for (int i = 0; i < 2; i++) {
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds[i]) == 0);
        CHECK(write(fds[i][1], "x", 1) == 1);
        CHECK_OK(loop_add(p.loop, fds[i][0], EPOLLIN, delete_both, &p, &p.io[i], &err), &err);
    }
    CHECK(!run_for(p.loop, 50));
    CHECK_INT(p.calls, 1);
    for (int i = 0; i < 2; i++)
        close(fds[i][0]), close(fds[i][1]);
    loop_free(p.loop);
}

/* --- tasks --- */

struct chain {
    struct loop_task task;
    struct loop *loop;
    int runs;
};

static void on_chain(struct loop_task *t)
{
    struct chain *c = CONTAINER_OF(t, struct chain, task);
    if (++c->runs == 3)
        loop_stop(c->loop);
    else
        loop_defer(c->loop, t, on_chain);
}

TEST(a_task_runs_once_for_many_causes_and_may_defer_itself)
{
    struct chain c = {.loop = new_loop()}, never = {.loop = c.loop};
    for (int i = 0; i < 10; i++)
        loop_defer(c.loop, &c.task, on_chain);
    loop_defer(c.loop, &never.task, on_chain);
    loop_undefer(c.loop, &never.task);
    CHECK(run_for(c.loop, 1000));
    CHECK_INT(c.runs, 3);
    CHECK_INT(never.runs, 0);
    loop_free(c.loop);
}
