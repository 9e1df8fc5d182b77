/* Watches: the state at the start, what happened since a revision, then what happens
 * (k8s.io/apiserver/pkg/endpoints/handlers/watch.go, pkg/storage/cacher). */
#include "api/core.h"
#include "api/digest.h"
#include "api/hub.h"
#include "api/proto.h"
#include "api/raw.h"

enum {
    SLOW_BYTES = 16 * 1024 * 1024, /* a reader that cannot wait loses its watch past this */
    AHEAD_BYTES = 4 * 1024 * 1024, /* one that can is served from the store from here on */
    CATCH_UP_EVENTS = 500,
    MIN_TIMEOUT_S = 1800, /* kube-apiserver's --min-request-timeout; up to twice that */
};

/* --- one watcher --- */
static void watcher_free(struct watcher *w)
{
    loop_timer_clear(w->call->at->loop, &w->timeout);
    list_del(&w->link);
    metrics_watching(w->call, -1);
    struct call *c = w->call;
    free(w);
    call_free(c);
}

void watcher_end(struct watcher *w)
{
    struct watch_sink sink = w->sink;
    watcher_free(w);
    sink.end(sink.arg);
}

void watch_close(struct watcher *w)
{
    watcher_free(w);
}

/* Takes the frame. false: the watcher is gone. */
static bool send(struct watcher *w, struct bytes *frame)
{
    size_t waiting = w->sink.write(w->sink.arg, frame);
    bytes_unref(frame);
    w->waiting = waiting;
    if (waiting != WATCH_SINK_GONE && (waiting <= w->bound || w->can_wait))
        return true;
    watcher_end(w);
    return false;
}

static struct bytes *table_frame(struct watcher *w, const char *type, struct str object)
{
    struct buf b = {0};
    struct err err;
    struct bytes *frame = NULL;
    if (table_single(w->call, w->call->kind, object, !w->columns_sent, &b, &err) == 0)
        frame = frame_new(type, buf_str(&b), false);
    w->columns_sent = true;
    buf_done(&b);
    return frame;
}

/* A frame of an object that no event carries. */
static struct bytes *object_frame(struct watcher *w, const char *type, struct str object)
{
    if (w->call->form == FORM_OBJECT)
        return frame_new(type, object, w->call->proto);
    if (w->call->form == FORM_TABLE)
        return table_frame(w, type, object);
    struct buf b = {0};
    metadata_only(object, &b);
    struct bytes *frame = frame_new(type, buf_str(&b), w->call->proto);
    buf_done(&b);
    return frame;
}

bool watcher_event(struct watcher *w, struct store_event *e)
{
    if (e->revision <= w->since || !str_starts(e->key, w->scope))
        return true;
    enum watch_type type = event_type(e, w->call->kind, &w->selection);
    if (type == WATCH_NONE)
        return true;
    struct bytes *frame;
    if (w->call->form == FORM_TABLE) {
        struct buf b = {0};
        event_object(e, w->call->kind, type, &b);
        frame = table_frame(w, watch_type_names[type], buf_str(&b));
        buf_done(&b);
    } else {
        frame = event_frame(e, w->call->kind, type, w->call->form, w->call->proto);
    }
    return !frame || send(w, frame);
}

bool watcher_offer(struct watcher *w, struct store_event *e)
{
    if (!w->behind && w->can_wait && w->waiting > AHEAD_BYTES && e->revision > w->told) {
        w->behind = true; /* never between two events of one revision */
        w->since = w->told > w->since ? w->told : w->since;
    }
    if (w->behind)
        return true;
    w->told = e->revision;
    return watcher_event(w, e);
}

bool watcher_bookmark(struct watcher *w, int64_t revision, bool initial_end)
{
    struct buf b = {0};
    if (w->call->form == FORM_METADATA)
        buf_puts(&b, "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",");
    else if (w->call->form == FORM_TABLE)
        buf_puts(&b, "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",");
    else
        buf_put(&b, w->call->kind->head);
    buf_printf(&b, "\"metadata\":{\"resourceVersion\":\"%lld\",\"creationTimestamp\":null%s}",
               (long long)revision,
               initial_end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "");
    if (w->call->form == FORM_TABLE)
        buf_puts(&b, ",\"columnDefinitions\":null,\"rows\":[]");
    buf_putc(&b, '}');
    w->bookmark_ms = loop_now_ms(w->call->at->loop);
    struct bytes *frame = frame_new("BOOKMARK", buf_str(&b), w->call->proto);
    buf_done(&b);
    return !frame || send(w, frame);
}

static void on_timeout(struct loop_timer *t)
{
    struct watcher *w = CONTAINER_OF(t, struct watcher, timeout);
    w->bound = SIZE_MAX;
    if (!w->bookmarks || w->behind || watcher_bookmark(w, hub_revision(w->hub), false))
        watcher_end(w);
}

/* --- where it begins --- */
struct watch_plan {
    bool state;       /* begins with what is there, as ADDED */
    bool initial_end; /* and a bookmark behind it */
    bool newest;      /* from now on, with nothing before */
    int64_t since;
};

static int fail_options(struct call *c, const char *text, struct err *err)
{
    c->details =
        (struct call_details){.set = true, .group = STR("meta.k8s.io"), .kind = STR("ListOptions")};
    return err_set(err, 422, "Invalid", "ListOptions.meta.k8s.io \"\" is invalid: %s", text);
}

static int plan(struct call *c, struct watch_plan *p, struct err *err)
{
    const struct url_query *q = &c->route.query;
    struct str rv = url_query_get(q, "resourceVersion");
    struct str match = url_query_get(q, "resourceVersionMatch");
    bool has_initial = url_query_has(q, "sendInitialEvents");
    uint64_t since = 0;
    *p = (struct watch_plan){0};
    if (has_initial && !str_is(match, "NotOlderThan"))
        return fail_options(c,
                            "resourceVersionMatch: Forbidden: sendInitialEvents requires setting "
                            "resourceVersionMatch to NotOlderThan",
                            err);
    if (!has_initial && match.n)
        return fail_options(c,
                            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden "
                            "for watch unless sendInitialEvents is provided",
                            err);
    if (rv.n && !str_to_u64(rv, &since))
        return err_bad(err,
                       "Invalid value: \"%.*s\": strconv.ParseUint: parsing \"%.*s\": invalid "
                       "syntax",
                       STR_ARG(rv), STR_ARG(rv));
    p->since = (int64_t)since;
    if (has_initial) {
        p->state = p->initial_end = route_flag(&c->route, "sendInitialEvents");
        p->newest = !p->state && since == 0;
    } else {
        p->state = since == 0;
    }
    return 0;
}

/* An error after the start is an event of the stream, as upstream's watch cache does it. */
static void send_error(struct watcher *w, const struct err *why)
{
    struct err err = *why;
    struct buf b = {0};
    if (err.code == 410)
        err_set(&err, 410, "Expired", "too old resource version: %lld (%lld)", (long long)w->since,
                (long long)store_compacted(w->call->api->config.store));
    struct call_details none = {0};
    w->call->details = none;
    w->call->details.none = true;
    status_write(w->call, &err, &b);
    struct bytes *frame = frame_new("ERROR", str_head(buf_str(&b), b.n - 1), w->call->proto);
    buf_done(&b);
    w->bound = SIZE_MAX;
    if (!frame || send(w, frame))
        watcher_end(w);
}

/* Everything that is there, at one revision. 0, -1, or 1: the watcher is gone. */
static int send_state(struct watcher *w, const struct watch_plan *p, struct err *err)
{
    struct call *c = w->call;
    if (store_snap_begin(c->api->config.store, 0, &c->snap, err) != 0)
        return -1;
    struct list_plan list = {
        .selection = w->selection,
        .start = w->scope,
        .end = arena_printf(&c->arena, "%.*s%c", (int)w->scope.n - 1, w->scope.p, '/' + 1)};
    struct arena keys = {0};
    list_narrow(c, &list);
    digest_pick(c, &list, &keys);
    struct store_snap *snap = c->snap; /* outlives the call when its reader goes away */
    c->snap = NULL;
    struct list_walk walk;
    struct store_kv kv;
    w->bound = SIZE_MAX;
    bool alive = true;
    list_walk_begin(&walk, &list, c->kind, snap, list.start);
    while (alive && list_walk_next(&walk, &kv)) {
        struct bytes *frame = object_frame(w, "ADDED", kv.value);
        alive = !frame || send(w, frame);
    }
    list_walk_end(&walk);
    arena_done(&keys);
    int64_t revision = store_snap_revision(snap);
    store_snap_end(snap);
    if (!alive)
        return 1;
    w->since = revision;
    if (p->initial_end && !watcher_bookmark(w, revision, true))
        return 1;
    w->bound = w->waiting + SLOW_BYTES;
    return 0;
}

/* Sends what happened behind w->since, at most `limit` events of it (0: all). 0, -1, or 1: the
 * watcher is gone. */
static int replay(struct watcher *w, int64_t upto, size_t limit, int64_t *ret_next, struct err *err)
{
    struct store_batch *batch = NULL;
    if (store_history(w->call->api->config.store, w->since, upto, w->scope, limit, &batch, ret_next,
                      err) != 0)
        return -1;
    bool alive = true;
    for (size_t i = 0; batch && alive && i < batch->count; i++)
        alive = watcher_event(w, &batch->events[i]);
    store_batch_unref(batch);
    return alive ? 0 : 1;
}

static int send_history(struct watcher *w, struct err *err)
{
    int64_t next, upto = hub_revision(w->hub);
    if (w->since >= upto)
        return 0;
    w->bound = SIZE_MAX;
    int rc = replay(w, upto, 0, &next, err);
    if (rc == 0)
        w->bound = w->waiting + SLOW_BYTES;
    return rc;
}

/* One portion of what a lagging watcher has not seen. 0, -1, or 1: the watcher is gone. */
static int catch_up(struct watcher *w, struct err *err)
{
    int64_t next;
    int rc = replay(w, hub_revision(w->hub), CATCH_UP_EVENTS, &next, err);
    if (rc == 0)
        w->since = next;
    return rc;
}

void watcher_drained(struct watcher *w)
{
    struct err err;
    w->waiting = 0;
    while (w->behind && w->waiting <= AHEAD_BYTES) {
        if (w->since >= hub_revision(w->hub)) {
            w->behind = false;
            w->told = w->since;
            return;
        }
        int rc = catch_up(w, &err);
        if (rc < 0)
            send_error(w, &err);
        if (rc != 0)
            return;
    }
}

/* --- over HTTP --- */
struct http_sink {
    struct http_exchange *x;
    struct watcher *w;
};

static size_t http_sink_write(void *arg, struct bytes *frame)
{
    struct http_sink *s = arg;
    return http_write(s->x, frame);
}

static void http_sink_end(void *arg)
{
    struct http_sink *s = arg;
    http_end(s->x);
    free(s);
}

static void http_sink_start(void *arg, struct watcher *w)
{
    struct http_sink *s = arg;
    s->w = w;
    struct str type = w->call->proto ? STR(PROTO_TYPE ";stream=watch") : STR("application/json");
    struct http_header headers[] = {{STR("content-type"), type},
                                    {STR("cache-control"), STR("no-cache, private")}};
    http_start(s->x, 200, headers, ARRAY_LEN(headers));
}

static void http_sink_closed(void *arg)
{
    struct http_sink *s = arg;
    watch_close(s->w);
    free(s);
}

static void http_sink_drained(void *arg)
{
    struct http_sink *s = arg;
    if (s->w)
        watcher_drained(s->w);
}

static struct watch_sink http_sink(struct call *c)
{
    struct http_sink *s = NEW(struct http_sink);
    s->x = c->x;
    http_watch(c->x, &(struct http_watch){
                         .closed = http_sink_closed, .drained = http_sink_drained, .arg = s});
    c->x = NULL;
    c->request = NULL;
    return (struct watch_sink){http_sink_start, http_sink_write, http_sink_end, s};
}

static int64_t timeout_ms(struct call *c)
{
    uint64_t seconds;
    if (str_to_u64(url_query_get(&c->route.query, "timeoutSeconds"), &seconds) && seconds > 0 &&
        seconds < 1000000)
        return (int64_t)seconds * 1000;
    uint32_t extra;
    c->api->world->random(c->api->world, &extra, sizeof(extra));
    return (MIN_TIMEOUT_S + (int64_t)(extra % MIN_TIMEOUT_S)) * 1000;
}

enum call_next handle_watch(struct call *c)
{
    struct err err = {0};
    struct watch_plan p;
    struct selection selection;
    if (atomic_load(&c->api->draining)) {
        err_set(&err, 503, "ServiceUnavailable", "the server is shutting down");
        return call_fail(c, &err);
    }
    if (!c->at || (!c->x && !c->sink))
        return call_fail(c, (err_bad(&err, "a watch needs a stream"), &err));
    if (plan(c, &p, &err) != 0 || selection_parse(c, &selection, &err) != 0)
        return call_fail(c, &err);
    if (c->route.name.n) { /* the path of old, /api/v1/watch/…/NAME */
        selection.name = c->route.name;
        selection.any = false;
    }
    metrics_count(c);

    struct watcher *w = NEW(struct watcher);
    w->hub = c->at->hub;
    w->call = c;
    w->selection = selection;
    w->scope = c->kind->prefix;
    if (c->kind->k->namespaced && c->route.ns.n)
        w->scope = arena_printf(&c->arena, "%.*s%.*s/", STR_ARG(w->scope), STR_ARG(c->route.ns));
    w->since = p.newest ? hub_revision(w->hub) : p.since;
    w->bookmarks = route_flag(&c->route, "allowWatchBookmarks");
    w->bookmark_ms = loop_now_ms(c->at->loop);
    w->bound = SLOW_BYTES;
    call_end(c);
    w->can_wait = c->x != NULL;
    w->sink = c->x ? http_sink(c) : *c->sink;
    hub_add(w->hub, w);
    metrics_watching(c, 1);
    w->sink.start(w->sink.arg, w);
    loop_timer_set(c->at->loop, &w->timeout, timeout_ms(c), on_timeout);
    if ((p.state ? send_state(w, &p, &err) : send_history(w, &err)) < 0)
        send_error(w, &err);
    return CALL_TAKEN;
}
