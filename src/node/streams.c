#include "node/streams.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "node/stream_impl.h"

enum {
    PORT = 10250,
    PEM_MAX = 256 * 1024,
    SEGMENT_MAX = 512,
    STOP_MS = 6000, /* longer than a command's way from SIGTERM to SIGKILL */
    STOP_STEP_MS = 20,
    CERT_CHECK_MS = 60000,
};

/* --- requests --- */

void stream_refuse(struct http_exchange *x, int status, const char *text)
{
    static const struct http_header type = {STR_INIT("content-type"),
                                            STR_INIT("text/plain; charset=utf-8")};
    struct bytes *body = bytes_new(str_of(text));
    http_respond(x, status, &type, 1, body);
    bytes_unref(body);
}

void stream_refuse_err(struct http_exchange *x, const struct err *err)
{
    stream_refuse(x, err->code, err->message);
}

bool stream_flag(const struct url_query *q, const char *name, const char *other)
{
    struct str value = url_query_get(q, name);
    if (!value.n)
        value = url_query_get(q, other);
    return str_is(value, "1") || str_is(value, "true");
}

bool stream_request_parse(struct stream_request *r, struct str rest, bool container,
                          struct str query)
{
    char *parts[4];
    size_t n = 0;
    struct str field, text;
    while (str_next(&rest, '/', &field)) {
        if (n == ARRAY_LEN(parts) || !field.n || field.n > SEGMENT_MAX ||
            !url_decode(&r->arena, field, false, &text))
            return false;
        parts[n++] = arena_z(&r->arena, text);
    }
    size_t least = container ? 3 : 2;
    if (n < least || n > least + 1 || !url_query_parse(&r->arena, query, &r->query))
        return false;
    r->ns = parts[0];
    r->pod = parts[1];
    r->uid = n > least ? parts[2] : "";
    r->container = container ? parts[n - 1] : "";
    return true;
}

/* --- GET /pods --- */
struct pods {
    struct session session;
    struct streams *streams;
    struct http_exchange *x;
    struct work_item work;
    struct buf body;
};

static void pods_closed(void *arg)
{
    struct pods *p = arg;
    p->x = NULL;
}

static void pods_run(struct work_item *w)
{
    struct pods *p = CONTAINER_OF(w, struct pods, work);
    agent_list_pods(p->streams->config.agent, &p->body);
}

static void pods_done(struct work_item *w)
{
    static const struct http_header type = {STR_INIT("content-type"), STR_INIT("application/json")};
    struct pods *p = CONTAINER_OF(w, struct pods, work);
    if (p->x) {
        struct bytes *body = bytes_new(buf_str(&p->body));
        http_respond(p->x, 200, &type, 1, body);
        bytes_unref(body);
    }
    list_del(&p->session.link);
    buf_done(&p->body);
    free(p);
}

static void pods_stop(struct session *s)
{
    (void)s; /* its thread is done in a moment */
}

static void pods_handle(struct streams *s, struct http_exchange *x)
{
    struct pods *p = NEW(struct pods);
    p->streams = s;
    p->x = x;
    p->session.stop = pods_stop;
    list_add_tail(&s->sessions, &p->session.link);
    http_watch(x, &(struct http_watch){.closed = pods_closed, .arg = p});
    p->work.run = pods_run;
    p->work.done = pods_done;
    work_start(s->work, &p->work);
}

/* --- who may come in, and which path is whose --- */

/* Only the API server speaks to a node: its certificate is of system:masters. */
static bool admit(struct http_exchange *x, const struct http_request *r)
{
    if (!r->peer || !r->peer->verified) {
        stream_refuse(x, 401, "Unauthorized");
        return false;
    }
    for (size_t i = 0; i < r->peer->organization_count; i++)
        if (strcmp(r->peer->organizations[i], "system:masters") == 0)
            return true;
    struct buf b = {0};
    const char *verb = str_is(r->method, "GET") ? "get" : "create";
    buf_printf(&b, "Forbidden (user=%s, verb=%s, resource=nodes, subresource=proxy)",
               r->peer->common_name ? r->peer->common_name : "", verb);
    stream_refuse(x, 403, buf_z(&b));
    buf_done(&b);
    return false;
}

static bool below(struct str path, const char *prefix, struct str *ret_rest)
{
    struct str p = str_of(prefix);
    if (!str_starts(path, p))
        return false;
    *ret_rest = str_from(path, p.n);
    return true;
}

static void handle(void *arg, struct http_exchange *x, const struct http_request *r)
{
    struct streams *s = arg;
    struct str rest;
    bool get = str_is(r->method, "GET"), post = str_is(r->method, "POST");
    if (!admit(x, r))
        return;
    if (!get && !post)
        stream_refuse(x, 405, "405: Method Not Allowed");
    else if (below(r->path, "/exec/", &rest))
        stream_exec_handle(s, x, rest, r, false);
    else if (below(r->path, "/attach/", &rest))
        stream_exec_handle(s, x, rest, r, true);
    else if (below(r->path, "/portForward/", &rest))
        stream_forward_handle(s, x, rest, r);
    else if (get && below(r->path, "/containerLogs/", &rest))
        stream_log_handle(s, x, rest, r);
    else if (get && str_is(r->path, "/healthz"))
        stream_refuse(x, 200, "ok");
    else if (get && (str_is(r->path, "/pods") || str_is(r->path, "/pods/")))
        pods_handle(s, x);
    else
        stream_refuse(x, 404, "404 page not found");
}

/* --- certificates --- */

static int read_pem(const struct streams *s, const char *name, struct buf *b, struct err *err)
{
    struct buf path = {0};
    buf_printf(&path, "%s/pki/%s", s->data_dir, name);
    int rc = file_read(buf_z(&path), PEM_MAX, b, err);
    buf_done(&path);
    return rc;
}

static int64_t cert_time(const struct streams *s)
{
    struct buf path = {0};
    struct stat st;
    buf_printf(&path, "%s/pki/node-serving.crt", s->data_dir);
    int rc = stat(buf_z(&path), &st);
    buf_done(&path);
    return rc == 0 ? st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec : 0;
}

static int load_tls(struct streams *s, struct err *err)
{
    struct buf cert = {0}, key = {0}, ca = {0};
    s->cert_seen = cert_time(s);
    int rc = read_pem(s, "node-serving.crt", &cert, err);
    if (rc == 0)
        rc = read_pem(s, "node-serving.key", &key, err);
    if (rc == 0 && !s->tls)
        rc = read_pem(s, "ca.crt", &ca, err);
    if (rc == 0 && s->tls)
        rc = tls_replace_cert(s->tls, buf_str(&cert), buf_str(&key), err);
    else if (rc == 0)
        rc = tls_new(&(struct tls_config){.cert_pem = buf_str(&cert),
                                          .key_pem = buf_str(&key),
                                          .ca_pem = buf_str(&ca),
                                          .server = true},
                     &s->tls, err);
    buf_done(&cert);
    buf_done(&key);
    buf_done(&ca);
    return rc;
}

/* The server renews certificates when it starts; its agent goes on with the new one. */
static void check_cert(struct loop_timer *t)
{
    struct streams *s = CONTAINER_OF(t, struct streams, timer);
    struct err err;
    if (cert_time(s) != s->cert_seen && load_tls(s, &err) != 0)
        log_warn("node", "cannot load the new serving certificate", "error", err.message);
    loop_timer_set(s->loop, t, CERT_CHECK_MS, check_cert);
}

/* --- starting and stopping --- */

static int listen_at(struct streams *s, int port, struct err *err)
{
    char listen[128];
    bool v6 = strchr(s->node_ip, ':');
    snprintf(listen, sizeof(listen), v6 ? "[%s]:%d" : "%s:%d", s->node_ip, port);
    struct http_server_config config = {
        .listen = listen, .tls = s->tls, .handler = handle, .arg = s, .max_body = 64 * 1024};
    return http_server_new(s->loop, &config, &s->server, err);
}

static void *run(void *arg)
{
    struct streams *s = arg;
    loop_run(s->loop);
    return NULL;
}

static void streams_free(struct streams *s)
{
    work_free(s->work);
    log_watcher_free(s->watcher);
    if (s->loop)
        loop_free(s->loop);
    tls_free(s->tls);
    free(s->data_dir);
    free(s->node_name);
    free(s->node_ip);
    free(s);
}

int streams_start(const struct streams_config *config, struct streams **ret, struct err *err)
{
    struct streams *s = NEW(struct streams);
    s->config = *config;
    s->data_dir = mem_strdup(config->data_dir);
    s->node_name = mem_strdup(config->node_name);
    s->node_ip = mem_strdup(config->node_ip);
    list_init(&s->sessions);
    int rc = loop_new(&s->loop, err);
    if (rc == 0)
        rc = load_tls(s, err);
    if (rc == 0 && listen_at(s, PORT, err) != 0)
        rc = listen_at(s, 0, err);
    if (rc != 0) {
        streams_free(s);
        return -1;
    }
    s->work = work_new(s->loop);
    loop_timer_set(s->loop, &s->timer, CERT_CHECK_MS, check_cert);
    int failed = pthread_create(&s->thread, NULL, run, s);
    if (failed) {
        http_server_free(s->server);
        streams_free(s);
        return err_internal(err, "start a thread: %s", strerror(failed));
    }
    *ret = s;
    return 0;
}

int streams_port(const struct streams *s)
{
    return http_server_port(s->server);
}

/* Sessions end when their threads and processes have. */
static void wait_for_sessions(struct loop_timer *t)
{
    struct streams *s = CONTAINER_OF(t, struct streams, timer);
    if (list_empty(&s->sessions) || loop_now_ms(s->loop) > s->stop_by_ms)
        loop_stop(s->loop);
    else
        loop_timer_set(s->loop, t, STOP_STEP_MS, wait_for_sessions);
}

static void stop(struct loop_msg *m)
{
    struct streams *s = CONTAINER_OF(m, struct streams, stop);
    s->stop_by_ms = loop_now_ms(s->loop) + STOP_MS;
    LIST_FOR (&s->sessions, it) {
        struct session *session = CONTAINER_OF(it, struct session, link);
        session->stop(session);
    }
    http_server_free(s->server);
    s->server = NULL;
    loop_timer_set(s->loop, &s->timer, 0, wait_for_sessions);
}

void streams_stop(struct streams *s)
{
    if (!s)
        return;
    s->stop.fn = stop;
    loop_post(s->loop, &s->stop);
    pthread_join(s->thread, NULL);
    streams_free(s);
}
