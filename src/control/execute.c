/* Actions become calls. Those of one phase run side by side on the executor's threads, because the
 * store commits in groups: sixteen writes at a time cost about as much as one. */
#include <stdio.h>

#include "base/log.h"
#include "control/runtime.h"

enum { STACK = 512 * 1024 };

struct batch { /* one phase of one reconcile */
    struct list link;
    struct executor *x;
    struct recorder *recorder;
    const char *component;
    struct action **actions;
    size_t n, next, running;
    struct expectations *expect;
    struct outcome *outcome;
    struct arena *arena;
    pthread_cond_t finished;
};

struct executor {
    struct client *client;
    pthread_mutex_t lock; /* over the batches and what they point at */
    pthread_cond_t work;
    struct list batches;
    pthread_t *threads;
    size_t count;
    bool stop;
};

/* --- one call --- */

struct names { /* C strings for the client */
    char ns[256], name[256];
};

static const char *z(char room[256], struct str s)
{
    if (!s.n)
        return NULL;
    snprintf(room, 256, "%.*s", STR_ARG(s));
    return room;
}

static int delete_all(struct client *c, const struct action *a, const char *ns, struct err *err)
{
    struct buf path = {0};
    resource_path(a->resource, ns, NULL, NULL, &path);
    const struct client_request r = {.method = "DELETE", .path = buf_str(&path)};
    struct client_response answer = {0};
    int failed = client_do(c, &r, &answer, err);
    if (!failed && answer.status >= 300)
        failed = err_set(err, answer.status, NULL, "deleting all %s: status %d", a->resource->name,
                         answer.status);
    bytes_unref(answer.body);
    buf_done(&path);
    return failed;
}

static int call(struct client *c, const struct action *a, struct doc *d, val **ret, struct err *err)
{
    struct names n;
    const char *ns = z(n.ns, a->ns), *name = z(n.name, a->name);
    switch (a->verb) {
    case ACT_CREATE:
        return client_create(c, a->resource, ns, a->object, d, ret, err);
    case ACT_UPDATE:
        return client_update(c, a->resource, ns, name, a->sub, a->object, d, ret, err);
    case ACT_PATCH:
        return client_patch(c, a->resource, ns, name, a->sub, a->patch, a->object, d, ret, err);
    case ACT_DELETE:
        return client_delete(c, a->resource, ns, name, a->object, err);
    case ACT_POST_SUB:
        return client_post_sub(c, a->resource, ns, name, a->sub, a->object, d, ret, err);
    case ACT_DELETE_ALL:
        return delete_all(c, a, ns, err);
    }
    return -1;
}

/* Failures that the next look at the picture settles by itself. */
static bool harmless(const struct action *a, const struct err *err)
{
    if (a->optional || (err->code == 404 && a->verb != ACT_CREATE))
        return true;
    if (a->verb == ACT_DELETE || a->verb == ACT_POST_SUB)
        return err->code == 409;
    return a->verb == ACT_CREATE && err->code == 403 &&
           strstr(err->message, "because it is being terminated");
}

static void note_success(struct batch *b, const struct action *a, const val *answer)
{
    int64_t rv = 0;
    if (a->verb == ACT_DELETE || a->verb == ACT_POST_SUB)
        expect_object(b->expect, a);
    else if (str_to_i64(VAL_STR(answer, "metadata", "resourceVersion"), &rv))
        expect_written(b->expect, a->kind, rv);
    if (a->event)
        recorder_post(b->recorder, b->component, a->event);
}

static void note_failure(struct batch *b, const struct action *a, const struct err *err)
{
    struct outcome *o = b->outcome;
    b->next = b->n; /* what has not begun stays undone */
    bool conflict = err->code == 409 && err->reason && str_is(str_of(err->reason), "Conflict");
    if (o->failed && conflict)
        return;
    o->conflict = conflict && !o->failed;
    o->failed = true;
    o->failure = (struct failure){
        .verb = a->verb,
        .kind = a->kind,
        .code = err->code,
        .reason = arena_dup(b->arena, str_of(err->reason)),
        .message = arena_dup(b->arena, str_of(err->message)),
        .name = a->name,
    };
}

/* Takes one action of the batch and carries it out; the lock is held on entry and on return. */
static void run_next(struct batch *b)
{
    const struct action *a = b->actions[b->next++];
    b->running++;
    pthread_mutex_unlock(&b->x->lock);
    struct doc d = {0};
    val *answer = NULL;
    struct err err = {0};
    int failed = call(b->x->client, a, &d, &answer, &err);
    pthread_mutex_lock(&b->x->lock);
    if (!failed)
        note_success(b, a, answer);
    else if (!harmless(a, &err))
        note_failure(b, a, &err);
    if (--b->running == 0)
        pthread_cond_signal(&b->finished);
    doc_done(&d);
}

/* --- threads --- */

static struct batch *batch_with_work(struct executor *x)
{
    LIST_FOR (&x->batches, at) {
        struct batch *b = CONTAINER_OF(at, struct batch, link);
        if (b->next < b->n)
            return b;
    }
    return NULL;
}

static void *help(void *arg)
{
    struct executor *x = arg;
    pthread_mutex_lock(&x->lock);
    while (!x->stop) {
        struct batch *b = batch_with_work(x);
        if (!b) {
            pthread_cond_wait(&x->work, &x->lock);
            continue;
        }
        run_next(b);
    }
    pthread_mutex_unlock(&x->lock);
    return NULL;
}

struct executor *executor_new(struct client *c, size_t threads)
{
    struct executor *x = NEW(struct executor);
    x->client = c;
    list_init(&x->batches);
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->work, NULL);
    x->threads = mem_zalloc((threads + 1) * sizeof *x->threads);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    for (size_t i = 0; i < threads; i++)
        if (pthread_create(&x->threads[x->count], &attr, help, x) == 0)
            x->count++;
    pthread_attr_destroy(&attr);
    return x;
}

void executor_free(struct executor *x)
{
    if (!x)
        return;
    pthread_mutex_lock(&x->lock);
    x->stop = true;
    pthread_cond_broadcast(&x->work);
    pthread_mutex_unlock(&x->lock);
    for (size_t i = 0; i < x->count; i++)
        pthread_join(x->threads[i], NULL);
    free(x->threads);
    pthread_cond_destroy(&x->work);
    pthread_mutex_destroy(&x->lock);
    free(x);
}

static void run_phase(struct executor *x, struct batch *b)
{
    pthread_cond_init(&b->finished, NULL);
    pthread_mutex_lock(&x->lock);
    if (b->n > 1) {
        list_add_tail(&x->batches, &b->link);
        for (size_t i = 1; i < b->n && i <= x->count; i++)
            pthread_cond_signal(&x->work);
    }
    while (b->next < b->n)
        run_next(b);
    while (b->running)
        pthread_cond_wait(&b->finished, &x->lock);
    list_del(&b->link);
    pthread_mutex_unlock(&x->lock);
    pthread_cond_destroy(&b->finished);
}

static void record_events(struct recorder *r, const char *component, const struct event_list *l)
{
    if (!l)
        return;
    record_events(r, component, l->next);
    recorder_post(r, component, l->event);
}

void execute(struct executor *x, struct recorder *r, const char *component, struct actions *a,
             struct expectations *e, struct outcome *ret)
{
    *ret = (struct outcome){0};
    record_events(r, component, a->events);
    struct batch b = {.x = x,
                      .recorder = r,
                      .component = component,
                      .expect = e,
                      .outcome = ret,
                      .arena = a->view->arena};
    b.actions = arena_alloc(b.arena, (a->count + 1) * sizeof *b.actions);
    for (struct action *at = a->first; at && !ret->failed;) {
        int phase = at->phase;
        b.n = b.next = 0;
        for (; at && at->phase == phase; at = at->next)
            b.actions[b.n++] = at;
        list_init(&b.link);
        run_phase(x, &b);
    }
}
