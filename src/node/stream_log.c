/* GET /containerLogs/NS/POD/CONTAINER. A follower is woken by inotify on the folder of its log, and
 * looks twice a second whether the container ended. */
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "doc/time.h"
#include "node/stream_crilog.h"
#include "node/stream_impl.h"

enum { CHECK_MS = 500, PUMP = 256 * 1024 /* bytes in one turn of the loop */ };

struct log_watcher {
    struct loop *loop;
    int fd;
    struct loop_io *io;
    struct list followers;
};

struct log {
    struct session session;
    struct streams *streams;
    struct http_exchange *x; /* NULL: the client went away */
    struct stream_request request;
    struct crilog_options options;
    bool follow, previous;
    struct work_item work;
    struct streams_container container;
    struct err err;
    int rc;
    bool working;
    struct crilog *reader;
    bool ended;  /* the container: what is there now is all */
    bool paused; /* the client is behind */
    struct loop_timer timer;
    struct loop_task task;
    struct list link; /* of the watcher's followers */
    int watch;        /* -1: none, the timer alone wakes it */
};

static void pump(struct log *l);

/* --- waking --- */

static void on_inotify(void *arg, uint32_t events)
{
    struct log_watcher *w = arg;
    char text[8192] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t n = read(w->fd, text, sizeof(text));
    (void)events;
    for (char *at = text; n > 0 && at < text + n;) {
        struct inotify_event *event = (struct inotify_event *)at;
        at += sizeof(*event) + event->len;
        LIST_FOR (&w->followers, it) {
            struct log *l = CONTAINER_OF(it, struct log, link);
            if (l->watch == event->wd)
                pump(l);
        }
    }
}

static struct log_watcher *watcher(struct streams *s)
{
    struct err err;
    if (s->watcher)
        return s->watcher;
    struct log_watcher *w = NEW(struct log_watcher);
    w->loop = s->loop;
    list_init(&w->followers);
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd >= 0 && loop_add(s->loop, w->fd, EPOLLIN, on_inotify, w, &w->io, &err) != 0) {
        close(w->fd);
        w->fd = -1;
    }
    return s->watcher = w;
}

void log_watcher_free(struct log_watcher *w)
{
    if (!w)
        return;
    loop_del(w->loop, w->io);
    fd_closep(&w->fd);
    free(w);
}

static void watch(struct log *l)
{
    struct log_watcher *w = watcher(l->streams);
    char folder[STREAMS_PATH];
    const char *path = l->previous ? l->container.previous_log : l->container.log;
    snprintf(folder, sizeof(folder), "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
    l->watch = inotify_add_watch(w->fd, folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO);
    list_add_tail(&w->followers, &l->link);
}

static void unwatch(struct log *l)
{
    struct log_watcher *w = l->streams->watcher;
    list_del(&l->link);
    if (!w || l->watch < 0)
        return;
    /* The kernel gives followers of one folder the same number. */
    LIST_FOR (&w->followers, it)
        if (CONTAINER_OF(it, struct log, link)->watch == l->watch)
            return;
    inotify_rm_watch(w->fd, l->watch);
}

/* --- the end --- */

static void free_log(struct loop_task *t)
{
    struct log *l = CONTAINER_OF(t, struct log, task);
    list_del(&l->session.link);
    crilog_free(l->reader);
    arena_done(&l->request.arena);
    free(l);
}

/* Callers up the stack may walk the followers, so it is freed behind them. */
static void try_free(struct log *l)
{
    if (l->x || l->working)
        return;
    unwatch(l);
    l->watch = -1;
    loop_timer_clear(l->streams->loop, &l->timer);
    loop_defer(l->streams->loop, &l->task, free_log);
}

static void finish(struct log *l)
{
    struct http_exchange *x = l->x;
    l->x = NULL;
    if (x)
        http_end(x);
    try_free(l);
}

static void client_closed(void *arg)
{
    struct log *l = arg;
    l->x = NULL;
    try_free(l);
}

/* --- giving out --- */

static void pump_again(struct loop_timer *t)
{
    pump(CONTAINER_OF(t, struct log, timer));
}

static void run_check(struct work_item *w)
{
    struct log *l = CONTAINER_OF(w, struct log, work);
    const struct stream_request *r = &l->request;
    struct streams_container now;
    /* A container that was started anew has another log; this one is over. */
    l->rc = agent_find_container(l->streams->config.agent, r->ns, r->pod, r->container, &now, NULL);
    if (l->rc == 0 && (!now.running || strcmp(now.id, l->container.id) != 0))
        l->rc = 1;
}

static void check_done(struct work_item *w)
{
    struct log *l = CONTAINER_OF(w, struct log, work);
    l->working = false;
    l->ended = l->rc != 0;
    if (!l->x)
        try_free(l);
    else
        pump(l);
}

static void check(struct loop_timer *t)
{
    struct log *l = CONTAINER_OF(t, struct log, timer);
    l->working = true;
    l->work.run = run_check;
    l->work.done = check_done;
    work_start(l->streams->work, &l->work);
}

static void on_drained(void *arg)
{
    struct log *l = arg;
    l->paused = false;
    if (l->reader)
        pump(l);
}

/* One piece a turn; the next when this one was sent or when the file has more. */
static void pump(struct log *l)
{
    struct buf out = {0};
    if (!l->x || l->paused || l->working)
        return;
    enum crilog_state state = crilog_read(l->reader, &out, PUMP);
    if (out.n) {
        struct bytes *chunk = bytes_new(buf_str(&out));
        l->paused = http_write(l->x, chunk) > STREAM_HIGH_WATER;
        bytes_unref(chunk);
    }
    buf_done(&out);
    if (state == CRILOG_END && crilog_grew(l->reader))
        state = CRILOG_MORE;
    if (state == CRILOG_LIMIT || (state == CRILOG_END && (!l->follow || l->ended)))
        finish(l);
    else if (state == CRILOG_END)
        loop_timer_set(l->streams->loop, &l->timer, CHECK_MS, check);
    else if (!l->paused)
        loop_timer_set(l->streams->loop, &l->timer, 0, pump_again);
}

/* --- the request --- */

static void run_open(struct work_item *w)
{
    struct log *l = CONTAINER_OF(w, struct log, work);
    struct stream_request *r = &l->request;
    struct agent *agent = l->streams->config.agent;
    struct streams_pod pod;
    l->rc = agent_find_pod(agent, r->ns, r->pod, NULL, &pod, &l->err);
    if (l->rc == 0)
        l->rc = agent_find_container(agent, r->ns, r->pod, r->container, &l->container, &l->err);
    if (l->rc != 0)
        return;
    const char *path = l->previous ? l->container.previous_log : l->container.log;
    if (l->previous && !*path)
        l->rc = err_bad(&l->err, "previous terminated container \"%s\" in pod \"%s\" not found",
                        r->container, r->pod);
    else if (!*path)
        l->rc = err_bad(&l->err,
                        "container \"%s\" in pod \"%s\" is waiting to start: ContainerCreating",
                        r->container, r->pod);
    else
        l->rc = crilog_open(path, &l->options, &l->reader, &l->err);
}

static void open_done(struct work_item *w)
{
    static const struct http_header type = {STR_INIT("content-type"), STR_INIT("text/plain")};
    struct log *l = CONTAINER_OF(w, struct log, work);
    struct http_exchange *x = l->x;
    l->working = false;
    if (x && l->rc == 0) {
        http_start(x, 200, &type, 1);
        l->ended = l->previous || !l->container.running;
        if (l->follow && !l->ended)
            watch(l);
        pump(l);
        return;
    }
    l->x = NULL;
    if (x)
        stream_refuse_err(x, &l->err);
    try_free(l);
}

static void stop_session(struct session *s)
{
    struct log *l = CONTAINER_OF(s, struct log, session);
    struct http_exchange *x = l->x;
    l->x = NULL;
    if (x)
        http_abort(x);
    try_free(l);
}

/* A number of at least `least`; false: given, and not that. Absent ones leave *ret. */
static bool read_number(const struct url_query *q, const char *name, int64_t least, int64_t *ret)
{
    struct str text = url_query_get(q, name);
    return !text.n || (str_to_i64(text, ret) && *ret >= least);
}

static int invalid(struct err *err)
{
    return err_set(err, 422, "Invalid", "{\"message\": \"Invalid request.\"}");
}

static int read_options(struct log *l, struct err *err)
{
    const struct url_query *q = &l->request.query;
    struct str stream = url_query_get(q, "stream"), since = url_query_get(q, "sinceTime");
    int64_t seconds = 0;
    l->options = (struct crilog_options){.tail = -1, .limit = -1};
    l->options.timestamps = stream_flag(q, "timestamps", "timestamps");
    l->follow = stream_flag(q, "follow", "follow");
    l->previous = stream_flag(q, "previous", "previous");
    if (!read_number(q, "tailLines", 0, &l->options.tail) ||
        !read_number(q, "limitBytes", 1, &l->options.limit) ||
        !read_number(q, "sinceSeconds", 1, &seconds) || (seconds && since.n))
        return invalid(err);
    if (since.n && time_parse(since, &l->options.since_ns, err) != 0)
        return err_bad(err, "{\"message\": \"Unable to decode query.\"}");
    if (seconds > INT32_MAX)
        seconds = INT32_MAX;
    if (seconds)
        l->options.since_ns = wall_ns(world_real()) - seconds * 1000000000;
    if (!stream.n || str_is(stream, "All"))
        return 0;
    if (l->options.tail >= 0)
        return invalid(err); /* a tail of one stream would be ambiguous */
    l->options.no_stdout = str_is(stream, "Stderr");
    l->options.no_stderr = str_is(stream, "Stdout");
    return l->options.no_stdout || l->options.no_stderr ? 0 : invalid(err);
}

void stream_log_handle(struct streams *s, struct http_exchange *x, struct str rest,
                       const struct http_request *r)
{
    struct err err = {0};
    struct log *l = NEW(struct log);
    l->streams = s;
    l->watch = -1;
    list_init(&l->link);
    l->session.stop = stop_session;
    list_add_tail(&s->sessions, &l->session.link);
    if (!stream_request_parse(&l->request, rest, true, r->query))
        err_set(&err, 404, "NotFound", "404 page not found");
    else
        read_options(l, &err);
    if (err.code) {
        stream_refuse_err(x, &err);
        try_free(l);
        return;
    }
    l->x = x;
    l->working = true;
    http_watch(x, &(struct http_watch){client_closed, on_drained, l});
    l->work.run = run_open;
    l->work.done = open_done;
    work_start(s->work, &l->work);
}
