/* The client.h transport that calls this server without a socket. Calls run on the caller's
 * thread; watches live on one loop of their own, the feeder, which the first client starts. */
#include "api/core.h"

struct inproc {
    struct api *api;
    struct arena arena;
    struct api_user user;
};

/* --- calls --- */
struct waiting {
    int status;
    struct bytes *body;
};

static void take_answer(struct call *c)
{
    struct waiting *w = c->owner;
    w->status = c->status;
    w->body = bytes_ref(c->reply);
    call_free(c);
}

static struct call *make_call(struct inproc *p, const struct client_request *r)
{
    struct call *c = call_new(p->api);
    struct arena *a = &c->arena;
    c->user = p->user;
    c->user.arena = a;
    c->method = arena_dup(a, str_of(r->method));
    c->content_type = arena_dup(a, r->content_type);
    c->body = r->body;
    c->route.path = arena_dup(a, r->path);
    c->key = arena_dup(a, r->query);
    return c;
}

static int inproc_call(void *self, const struct client_request *r, struct client_response *ret,
                       struct err *err)
{
    (void)err;
    struct waiting w = {0};
    struct call *c = make_call(self, r);
    c->done = take_answer;
    c->owner = &w;
    call_serve(c);
    ret->status = w.status;
    ret->body = w.body ? w.body : bytes_new((struct str){0});
    return 0;
}

/* --- watches --- */
struct client_stream {
    struct inproc *p;
    struct call *call;       /* until it is served */
    struct watcher *watcher; /* while it lives; feeder's thread */
    struct client_stream_events events;
    struct watch_sink sink;
    struct loop_msg open_msg, close_msg;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool closed;
    bool over;       /* `closed` was called, nothing follows */
    bool delivering; /* inside of the reader's data callback … */
    bool abandoned;  /* … which closed the stream: freed when the watch has ended */
};

static void stream_free(struct client_stream *s)
{
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s);
}

static void stream_over(struct client_stream *s, const struct err *err)
{
    s->watcher = NULL;
    if (s->over)
        return;
    s->over = true;
    s->events.closed(s->events.arg, err);
}

static void sink_start(void *arg, struct watcher *w)
{
    struct client_stream *s = arg;
    s->watcher = w;
}

static size_t sink_write(void *arg, struct bytes *frame)
{
    struct client_stream *s = arg;
    s->delivering = true;
    s->events.data(s->events.arg, bytes_str(frame));
    s->delivering = false;
    return s->abandoned ? WATCH_SINK_GONE : 0;
}

static void sink_end(void *arg)
{
    struct client_stream *s = arg;
    if (s->abandoned)
        stream_free(s);
    else
        stream_over(s, NULL);
}

/* The call ended without becoming a watch. */
static void stream_refused(struct call *c)
{
    struct client_stream *s = c->owner;
    struct err err;
    struct doc d;
    val *v;
    doc_init(&d);
    if (doc_parse_json(&d, bytes_str(c->reply), &v, &err) == 0 && c->status >= 400)
        err_set(&err, c->status, c->status == 410 ? "Expired" : NULL, "%.*s",
                STR_ARG(VAL_STR(v, "message")));
    else
        err_internal(&err, "the server answered a watch with %d", c->status);
    doc_done(&d);
    call_free(c);
    stream_over(s, &err);
}

static void open_on_feeder(struct loop_msg *m)
{
    struct client_stream *s = CONTAINER_OF(m, struct client_stream, open_msg);
    struct call *c = s->call;
    s->call = NULL;
    if (s->abandoned) {
        call_free(c);
        stream_free(s);
        return;
    }
    c->at = s->p->api->feeder;
    call_serve(c);
}

static int inproc_stream(void *self, const struct client_request *r,
                         const struct client_stream_events *events, struct client_stream **ret,
                         struct err *err)
{
    struct inproc *p = self;
    if (feeder_start(p->api, err) != 0)
        return -1;
    struct client_stream *s = NEW(struct client_stream);
    s->p = p;
    s->events = *events;
    s->sink = (struct watch_sink){sink_start, sink_write, sink_end, s};
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->call = make_call(p, r);
    s->call->body = (struct str){0};
    s->call->done = stream_refused;
    s->call->sink = &s->sink;
    s->call->owner = s;
    s->open_msg.fn = open_on_feeder;
    *ret = s;
    loop_post(p->api->feeder_loop, &s->open_msg);
    return 0;
}

static void close_now(struct client_stream *s)
{
    s->over = true;
    if (s->watcher)
        watch_close(s->watcher);
    s->watcher = NULL;
}

static void close_on_feeder(struct loop_msg *m)
{
    struct client_stream *s = CONTAINER_OF(m, struct client_stream, close_msg);
    close_now(s);
    pthread_mutex_lock(&s->lock);
    s->closed = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void inproc_stream_close(void *self, struct client_stream *s)
{
    struct inproc *p = self;
    if (pthread_equal(pthread_self(), p->api->feeder_thread)) { /* in a callback of some stream */
        if (s->delivering || s->call) {
            s->over = s->abandoned = true;
            return;
        }
        close_now(s);
    } else {
        s->close_msg.fn = close_on_feeder;
        loop_post(p->api->feeder_loop, &s->close_msg);
        pthread_mutex_lock(&s->lock);
        while (!s->closed)
            pthread_cond_wait(&s->changed, &s->lock);
        pthread_mutex_unlock(&s->lock);
    }
    stream_free(s);
}

static void inproc_free(void *self)
{
    struct inproc *p = self;
    arena_done(&p->arena);
    free(p);
}

int api_client(struct api *api, const char *user, const char *const *groups, struct client **ret,
               struct err *err)
{
    (void)err;
    static const struct client_transport transport = {inproc_call, inproc_stream,
                                                      inproc_stream_close, inproc_free};
    struct inproc *p = NEW(struct inproc);
    p->api = api;
    size_t n = 0;
    while (groups && groups[n])
        n++;
    struct str *list = arena_zalloc(&p->arena, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++)
        list[i] = arena_dup(&p->arena, str_of(groups[i]));
    list[n] = STR("system:authenticated");
    p->user = (struct api_user){.arena = &p->arena,
                                .name = arena_dup(&p->arena, str_of(user)),
                                .groups = list,
                                .group_count = n + 1};
    *ret = client_new(&transport, p);
    return 0;
}

/* --- the feeder --- */
static void *feeder_main(void *arg)
{
    struct api *api = arg;
    loop_run(api->feeder_loop);
    return NULL;
}

int feeder_start(struct api *api, struct err *err)
{
    int rc = 0;
    pthread_mutex_lock(&api->feeder_lock);
    if (!api->feeder_running) {
        rc = loop_new(&api->feeder_loop, err);
        if (rc == 0)
            rc = api_attach(api, api->feeder_loop, &api->feeder, err);
        if (rc == 0 && pthread_create(&api->feeder_thread, NULL, feeder_main, api) != 0)
            rc = err_errno(err, "starting the feeder of watches");
        if (rc == 0) {
            api->feeder_running = true;
        } else {
            api_detach(api->feeder);
            loop_free(api->feeder_loop);
            api->feeder = NULL;
            api->feeder_loop = NULL;
        }
    }
    pthread_mutex_unlock(&api->feeder_lock);
    return rc;
}

void feeder_stop(struct api *api)
{
    if (!api->feeder_running)
        return;
    loop_stop(api->feeder_loop);
    pthread_join(api->feeder_thread, NULL);
    api_detach(api->feeder);
    loop_free(api->feeder_loop);
    api->feeder_running = false;
}
