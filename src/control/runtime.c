#include "control/runtime.h"

#include <malloc.h>
#include <stdio.h>

#include "base/log.h"

enum {
    WORKERS = 4,
    CONNECTIONS = 24,
    WORKER_STACK = 1024 * 1024,
    GIVE_BACK_MS = 1000,
    UNSEEN_MS = 20,      /* until the picture is asked again for what was written */
    BACK_OFF_MS = 5,     /* doubled with each failure, */
    BACK_OFF_MAX = 60000 /* to at most this */
};

const struct controller *const controllers[] = {
    &controller_namespace,      &controller_serviceaccount, &controller_root_ca,
    &controller_deployment,     &controller_replicaset,     &controller_scheduler,
    &controller_endpointslice,  &controller_endpoints,      &controller_garbage,
    &controller_node_lifecycle, &controller_taint_eviction, &controller_podgc,
    &controller_node_ipam,      &controller_replication,    &controller_disruption,
    &controller_pvc_protection, &controller_pv_protection,  NULL,
};

/* --- live reads --- */

static int live_get(void *self, const char *path, struct doc *d, val **ret, struct err *err)
{
    struct control *c = self;
    struct str text = str_of(path), query = {0};
    str_cut(text, '?', &text, &query);
    const struct client_request r = {.method = "GET", .path = text, .query = query};
    struct client_response answer = {0};
    if (client_do(c->client, &r, &answer, err) < 0)
        return -1;
    int failed = 0;
    if (answer.status >= 300)
        failed = err_set(err, answer.status, NULL, "GET %s: status %d", path, answer.status);
    else
        failed = doc_parse_json(d, bytes_str(answer.body), ret, err);
    bytes_unref(answer.body);
    return failed;
}

/* --- one reconcile --- */

static int64_t back_off(int failures)
{
    int64_t ms = failures < 14 ? (int64_t)BACK_OFF_MS << failures : BACK_OFF_MAX;
    return ms < BACK_OFF_MAX ? ms : BACK_OFF_MAX;
}

static void log_failure(const struct controller *k, const struct work *w, const struct failure *f)
{
    char key[512];
    snprintf(key, sizeof key, "%.*s", STR_ARG(w->key));
    char message[512];
    snprintf(message, sizeof message, "%.*s", STR_ARG(f->message));
    log_warn("control", "reconcile failed", "controller", k->name, "key", key, "error", message);
}

static int64_t after_failure(struct control *c, struct work *w, struct view *v,
                             const struct outcome *o)
{
    const struct controller *k = controllers[w->controller];
    w->failures++;
    if (o->conflict)
        return back_off(w->failures < 4 ? w->failures : 4);
    if (w->failures > 1)
        log_failure(k, w, &o->failure);
    if (k->reports_failures) {
        struct actions a;
        struct outcome second;
        actions_init(&a, v);
        v->failure = &o->failure;
        k->reconcile(v, w->key, &a);
        execute(c->executor, c->recorder, k->component, &a, &w->expect, &second);
    }
    return back_off(w->failures);
}

static int64_t reconcile(struct control *c, struct work *w)
{
    const struct controller *k = controllers[w->controller];
    struct arena arena = {0};
    struct doc doc = {0};
    doc_init(&doc);
    struct view v = {.picture = c->picture,
                     .arena = &arena,
                     .doc = &doc,
                     .world = c->world,
                     .live = &c->live,
                     .config = &c->config,
                     .now = wall_ns(c->world)};
    struct actions a;
    struct outcome o;
    actions_init(&a, &v);
    k->reconcile(&v, w->key, &a);
    execute(c->executor, c->recorder, k->component, &a, &w->expect, &o);
    int64_t after = a.requeue_ms;
    if (o.failed)
        after = after_failure(c, w, &v, &o);
    else
        w->failures = 0;
    view_done(&v);
    doc_done(&doc);
    arena_done(&arena);
    return after;
}

/* The first worker to find everything synced opens the queue. */
static bool begin(struct control *c)
{
    if (!feed_wait(c))
        return false;
    pthread_mutex_lock(&c->start_lock);
    bool first = !c->started;
    c->started = true;
    pthread_mutex_unlock(&c->start_lock);
    if (!first)
        return true;
    for (size_t i = 0; controllers[i]; i++)
        for (const char *const *key = controllers[i]->start_keys; key && *key; key++)
            queue_mark(&c->queue, i, str_of(*key));
    queue_open(&c->queue);
    log_info("control", "controllers started");
    return true;
}

/* Objects come and go by the thousand and leave the heap full of holes, several times what is in
 * use. Giving them back takes milliseconds and happens once a second while there is work. */
static void give_back(struct control *c)
{
    int64_t now = mono_ms(c->world), last = c->gave_back;
    if (now - last >= GIVE_BACK_MS && atomic_compare_exchange_strong(&c->gave_back, &last, now))
        malloc_trim(0);
}

static void *work(void *arg)
{
    struct control *c = arg;
    if (!begin(c))
        return NULL;
    for (struct work *w; (w = queue_take(&c->queue));) {
        int64_t after = UNSEEN_MS;
        if (expect_met(&w->expect, c->picture, mono_ms(c->world)))
            after = reconcile(c, w);
        queue_put(&c->queue, w, after);
        give_back(c);
    }
    return NULL;
}

/* --- life --- */

static int start_threads(struct control *c, struct err *err)
{
    size_t n = c->config.workers ? (size_t)c->config.workers : WORKERS;
    c->threads = mem_zalloc(n * sizeof *c->threads);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, WORKER_STACK);
    int failed = 0;
    for (size_t i = 0; i < n && !failed; i++) {
        failed = pthread_create(&c->threads[i], &attr, work, c);
        c->thread_count += !failed;
    }
    pthread_attr_destroy(&attr);
    return failed ? err_internal(err, "starting the controllers' threads: %s", strerror(failed))
                  : 0;
}

int control_start(struct client *client, struct world *w, const struct control_config *config,
                  struct control **ret, struct err *err)
{
    struct control *c = NEW(struct control);
    c->client = client;
    c->world = w;
    c->config = *config;
    c->config.started = wall_ns(w);
    c->live = (struct view_live){live_get, c};
    c->picture = picture_new();
    pthread_mutex_init(&c->start_lock, NULL);
    queue_init(&c->queue, w, ARRAY_LEN(controllers) - 1);
    c->executor =
        executor_new(client, config->connections ? (size_t)config->connections : CONNECTIONS);
    c->recorder = recorder_new(client, w);
    if (feed_start(c, err) < 0 || start_threads(c, err) < 0) {
        control_stop(c);
        return -1;
    }
    *ret = c;
    return 0;
}

void control_stop(struct control *c)
{
    if (!c)
        return;
    c->stopping = true;
    queue_stop(&c->queue);
    for (size_t i = 0; i < c->thread_count; i++)
        pthread_join(c->threads[i], NULL);
    feed_stop(c);
    executor_free(c->executor);
    recorder_free(c->recorder);
    queue_done(&c->queue);
    picture_free(c->picture);
    pthread_mutex_destroy(&c->start_lock);
    free(c->threads);
    free(c);
}
