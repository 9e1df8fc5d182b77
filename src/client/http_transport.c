/* Calls over HTTP: one thread runs a loop with all connections; callers hand it their calls and
 * sleep. With TLS one HTTP/2 connection carries everything. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "client/client.h"
#include "client/kubeconfig.h"
#include "client/status.h"
#include "net/http.h"

enum {
    CALL_MS = 60000,       /* to the headers of an answer */
    TOKEN_MS = 60000,      /* a token file is read again after this time */
    MAX_CONNS = 256,       /* HTTP/1.1: each watch has a connection of its own */
    MAX_GROUPS = 64,       /* to impersonate */
    MAX_ERROR = 64 * 1024, /* of an answer that refuses a watch */
    MAX_ANSWER = 256 << 20,
};

struct http_transport {
    struct loop *loop;
    struct tls *tls;
    struct http_client *http;
    pthread_t thread;
    struct kubeconfig config;
    pthread_mutex_t token_lock;
    int64_t token_ms;
};

/* A futex that one thread sets once and one waits for. It may lie on the waiter's stack: waking an
 * address that nobody waits on any more does no harm. */
struct gate {
    atomic_uint open;
};

static void gate_open(struct gate *g)
{
    atomic_uint *word = &g->open;
    atomic_store_explicit(word, 1, memory_order_release);
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void gate_wait(struct gate *g)
{
    while (!atomic_load_explicit(&g->open, memory_order_acquire))
        syscall(SYS_futex, &g->open, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

/* --- a request in the terms of net/ --- */

struct outgoing {
    const char *method;
    struct buf target, body, content_type, accept, authorization;
};

static void put_token(struct http_transport *t, struct buf *b)
{
    pthread_mutex_lock(&t->token_lock);
    int64_t now = mono_ms(world_real());
    if (t->config.token_file && now - t->token_ms > TOKEN_MS) {
        struct err ignored; /* the old token may still do */
        t->token_ms = now;
        kubeconfig_read_token(t->config.token_file, &t->config.token, &ignored);
    }
    if (t->config.token.n) {
        buf_puts(b, "Bearer ");
        buf_put(b, buf_str(&t->config.token));
    }
    pthread_mutex_unlock(&t->token_lock);
}

static void outgoing_init(struct http_transport *t, const struct client_request *r,
                          struct outgoing *o)
{
    *o = (struct outgoing){.method = r->method};
    buf_put(&o->target, r->path);
    if (r->query.n) {
        buf_putc(&o->target, '?');
        buf_put(&o->target, r->query);
    }
    buf_put(&o->body, r->body);
    buf_put(&o->content_type, r->content_type);
    buf_put(&o->accept, r->accept.n ? r->accept : STR("application/json"));
    put_token(t, &o->authorization);
}

static void outgoing_done(struct outgoing *o)
{
    buf_done(&o->target);
    buf_done(&o->body);
    buf_done(&o->content_type);
    buf_done(&o->accept);
    buf_done(&o->authorization);
}

static struct http_call *outgoing_start(struct http_transport *t, const struct outgoing *o,
                                        struct http_call_config *config)
{
    struct http_header headers[5 + MAX_GROUPS] = {
        {STR("accept"), buf_str(&o->accept)},
        {STR("user-agent"), STR("tutti/" TUTTI_VERSION)},
    };
    struct str groups = buf_str(&t->config.as_groups), group;
    size_t n = 2;
    if (o->content_type.n)
        headers[n++] = (struct http_header){STR("content-type"), buf_str(&o->content_type)};
    if (o->authorization.n)
        headers[n++] = (struct http_header){STR("authorization"), buf_str(&o->authorization)};
    if (t->config.as_user)
        headers[n++] = (struct http_header){STR("impersonate-user"), str_of(t->config.as_user)};
    while (n < ARRAY_LEN(headers) && str_next(&groups, '\n', &group))
        headers[n++] = (struct http_header){STR("impersonate-group"), group};
    config->method = o->method;
    config->target = buf_str(&o->target);
    config->body = buf_str(&o->body);
    config->headers = headers;
    config->header_count = n;
    config->timeout_ms = CALL_MS;
    return http_call_start(t->http, config);
}

/* --- calls --- */

struct waited_call {
    struct loop_msg msg;
    struct buf *warnings;
    struct http_transport *t;
    struct outgoing out;
    struct client_response *response;
    struct err *err;
    int rc;
    struct gate gate;
};

static void call_done(void *arg, int status, struct str body, const struct err *err)
{
    struct waited_call *w = arg;
    if (err) {
        w->rc = -1;
        if (w->err)
            *w->err = *err;
    } else if (w->response) {
        *w->response = (struct client_response){status, bytes_new(body)};
    }
    gate_open(&w->gate);
}

/* The text of `299 - "text"`. */
static void put_warning(struct str header, struct buf *b)
{
    ssize_t quote = str_find_char(header, '"');
    if (!str_starts(header, STR("299 ")) || quote < 0)
        return;
    for (size_t i = (size_t)quote + 1; i < header.n && header.p[i] != '"'; i++) {
        i += header.p[i] == '\\' && i + 1 < header.n;
        buf_putc(b, header.p[i]);
    }
    buf_putc(b, '\n');
}

static void call_headers(void *arg, struct http_call *c, int status)
{
    struct waited_call *w = arg;
    struct str header;
    (void)status;
    for (size_t i = 0; w->warnings && http_call_header_at(c, "warning", i, &header); i++)
        put_warning(header, w->warnings);
}

static void call_start(struct loop_msg *m)
{
    struct waited_call *w = CONTAINER_OF(m, struct waited_call, msg);
    struct http_call_config config = {
        .headers_done = call_headers, .done = call_done, .arg = w, .max_body = MAX_ANSWER};
    outgoing_start(w->t, &w->out, &config);
}

/* What could not be asked, in the words of Go's net/http: Get "https://h/version": … */
static void name_request(const struct http_transport *t, const struct outgoing *o, struct err *err)
{
    static const char *const words[][2] = {
        {"GET", "Get"}, {"POST", "Post"}, {"PUT", "Put"}, {"PATCH", "Patch"}, {"DELETE", "Delete"}};
    const char *verb = o->method;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        verb = strcmp(o->method, words[i][0]) == 0 ? words[i][1] : verb;
    err_prefix(err, "%s \"%s%s\"", verb, t->config.server, buf_z(&o->target));
}

static int transport_call(void *self, const struct client_request *r, struct client_response *ret,
                          struct err *err)
{
    struct waited_call w = {.warnings = r->warnings, .t = self, .response = ret, .err = err};
    w.msg.fn = call_start;
    outgoing_init(self, r, &w.out);
    loop_post(w.t->loop, &w.msg);
    gate_wait(&w.gate);
    if (w.rc)
        name_request(w.t, &w.out, err);
    outgoing_done(&w.out);
    return w.rc;
}

/* --- streams --- */

struct client_stream {
    struct loop_msg start_msg, close_msg;
    struct http_transport *t;
    struct outgoing out;
    struct client_stream_events events;
    struct http_call *call; /* NULL: not begun, or over */
    int status;
    struct buf error; /* the body of an answer that is no success */
    struct gate closed;
};

static void stream_headers(void *arg, struct http_call *c, int status)
{
    struct client_stream *s = arg;
    (void)c;
    s->status = status;
}

static void stream_data(void *arg, struct str bytes)
{
    struct client_stream *s = arg;
    if (s->status == 200)
        s->events.data(s->events.arg, bytes);
    else if (s->error.n + bytes.n <= MAX_ERROR)
        buf_put(&s->error, bytes);
}

static void stream_done(void *arg, int status, struct str body, const struct err *err)
{
    struct client_stream *s = arg;
    struct err refused;
    (void)body;
    s->call = NULL;
    if (!err && status != 200) {
        status_err(status, buf_str(&s->error), &refused);
        err = &refused;
    }
    s->events.closed(s->events.arg, err);
}

static void stream_start(struct loop_msg *m)
{
    struct client_stream *s = CONTAINER_OF(m, struct client_stream, start_msg);
    struct http_call_config config = {.stream = true,
                                      .headers_done = stream_headers,
                                      .data = stream_data,
                                      .done = stream_done,
                                      .arg = s};
    s->call = outgoing_start(s->t, &s->out, &config);
}

static int transport_stream(void *self, const struct client_request *r,
                            const struct client_stream_events *events, struct client_stream **ret,
                            struct err *err)
{
    (void)err;
    struct client_stream *s = NEW(struct client_stream);
    s->t = self;
    s->events = *events;
    s->start_msg.fn = stream_start;
    outgoing_init(self, r, &s->out);
    *ret = s;
    loop_post(s->t->loop, &s->start_msg);
    return 0;
}

static void stream_cancel(struct client_stream *s)
{
    if (s->call)
        http_call_cancel(s->call);
    s->call = NULL;
}

static void stream_close_msg(struct loop_msg *m)
{
    struct client_stream *s = CONTAINER_OF(m, struct client_stream, close_msg);
    stream_cancel(s);
    gate_open(&s->closed);
}

static void transport_stream_close(void *self, struct client_stream *s)
{
    struct http_transport *t = self;
    if (pthread_equal(pthread_self(), t->thread)) {
        stream_cancel(s); /* from one of its own callbacks */
    } else {
        s->close_msg.fn = stream_close_msg;
        loop_post(t->loop, &s->close_msg);
        gate_wait(&s->closed);
    }
    outgoing_done(&s->out);
    buf_done(&s->error);
    free(s);
}

/* --- life --- */

static void *transport_run(void *arg)
{
    struct http_transport *t = arg;
    loop_run(t->loop);
    return NULL;
}

static void transport_done(struct http_transport *t)
{
    if (t->http)
        http_client_free(t->http);
    if (t->loop)
        loop_free(t->loop);
    tls_free(t->tls);
    kubeconfig_done(&t->config);
    pthread_mutex_destroy(&t->token_lock);
    free(t);
}

static void transport_free(void *self)
{
    struct http_transport *t = self;
    loop_stop(t->loop);
    pthread_join(t->thread, NULL);
    transport_done(t);
}

static int transport_open(struct http_transport *t, struct err *err)
{
    const struct kubeconfig *k = &t->config;
    struct tls_config tls = {.cert_pem = buf_str(&k->cert_pem),
                             .key_pem = buf_str(&k->key_pem),
                             .ca_pem = buf_str(&k->ca_pem),
                             .system_ca = k->ca_pem.n == 0,
                             .insecure = k->insecure,
                             .http2 = true};
    struct http_client_config http = {
        .origin = k->server, .server_name = k->tls_server_name, .max_conns = MAX_CONNS};
    if (str_starts(str_of(k->server), STR("https:")) && tls_new(&tls, &t->tls, err))
        return -1;
    http.tls = t->tls;
    if (loop_new(&t->loop, err) || http_client_new(t->loop, &http, &t->http, err))
        return -1;
    int rc = pthread_create(&t->thread, NULL, transport_run, t);
    if (rc) {
        errno = rc;
        return err_errno(err, "starting the client's thread");
    }
    return 0;
}

int client_from_config(struct kubeconfig *k, struct client **ret, struct err *err)
{
    static const struct client_transport transport = {transport_call, transport_stream,
                                                      transport_stream_close, transport_free};
    struct http_transport *t = NEW(struct http_transport);
    pthread_mutex_init(&t->token_lock, NULL);
    t->token_ms = mono_ms(world_real());
    t->config = *k;
    *k = (struct kubeconfig){0};
    if (transport_open(t, err)) {
        transport_done(t);
        return -1;
    }
    *ret = client_new(&transport, t);
    return 0;
}

int client_from_kubeconfig(const char *path, struct client **ret, struct err *err)
{
    struct kubeconfig k;
    return kubeconfig_read(path, &k, err) ? -1 : client_from_config(&k, ret, err);
}
