#include <pthread.h>

#include "node/stream_impl.h"

enum { THREADS = 4 };

struct work {
    struct loop *loop;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct list waiting;
    bool over;
    pthread_t threads[THREADS];
    size_t count; /* started; the next one is made when all are busy */
    size_t idle;
};

static void *run(void *arg)
{
    struct work *w = arg;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        if (!list_empty(&w->waiting)) {
            struct work_item *item = CONTAINER_OF(w->waiting.next, struct work_item, link);
            list_del(&item->link);
            pthread_mutex_unlock(&w->lock);
            item->run(item);
            loop_post(w->loop, &item->msg);
            pthread_mutex_lock(&w->lock);
            continue;
        }
        if (w->over)
            break;
        w->idle++;
        pthread_cond_wait(&w->more, &w->lock);
        w->idle--;
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

struct work *work_new(struct loop *l)
{
    struct work *w = NEW(struct work);
    w->loop = l;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    list_init(&w->waiting);
    return w;
}

static void item_done(struct loop_msg *m)
{
    struct work_item *item = CONTAINER_OF(m, struct work_item, msg);
    item->done(item);
}

void work_start(struct work *w, struct work_item *item)
{
    item->msg.fn = item_done;
    pthread_mutex_lock(&w->lock);
    list_add_tail(&w->waiting, &item->link);
    if (w->idle == 0 && w->count < THREADS &&
        pthread_create(&w->threads[w->count], NULL, run, w) == 0)
        w->count++;
    if (w->count == 0)
        abort(); /* no thread at all: like having no memory */
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
}

void work_free(struct work *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->over = true;
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < w->count; i++)
        pthread_join(w->threads[i], NULL);
    pthread_cond_destroy(&w->more);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
