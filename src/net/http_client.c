#include <errno.h>
#include <stdio.h>

#include "net/client_impl.h"
#include "net/tls_impl.h"
#include "net/tunnel.h"

enum { CONNS = 8, CONNECT_MS = 10000, IDLE_MS = 90000, MAX_BODY = 64 * 1024 * 1024 };

static void give_out(struct loop_task *t);
static void dial(struct http_client *c, struct client_conn *cc);

void http_client_later(struct http_client *c)
{
    if (!c->over)
        loop_defer(c->loop, &c->task, give_out);
}

/* --- calls --- */

static void free_call(struct loop_task *t)
{
    struct http_call *call = CONTAINER_OF(t, struct http_call, task);
    arena_done(&call->arena);
    bytes_unref(call->body);
    head_done(&call->head);
    head_done(&call->trailers);
    buf_done(&call->collected);
    buf_done(&call->held);
    h2_queue_done(&call->out);
    free(call->error);
    free(call);
}

/* The call leaves its connection or the queue. */
static void detach(struct http_call *call)
{
    list_del(&call->link);
    call->conn = NULL;
    loop_timer_clear(call->client->loop, &call->timer);
}

static void finish(struct http_call *call, const struct err *err)
{
    call->over = true;
    list_del(&call->link); /* one that was held back stood with those that wait */
    loop_defer(call->client->loop, &call->task, free_call);
    call->config.done(call->config.arg, err ? 0 : call->status, buf_str(&call->collected), err);
}

static void call_go_on(struct loop_task *t)
{
    struct http_call *call = CONTAINER_OF(t, struct http_call, task);
    if (call->paused)
        return;
    struct buf held = call->held;
    call->held = (struct buf){0};
    if (held.n && call->config.data)
        call->config.data(call->config.arg, buf_str(&held));
    if (!call->over && call->conn && call->conn->c2)
        c2_consumed(call->conn->c2, call, held.n);
    buf_done(&held);
    if (call->over || call->paused)
        return;
    if (call->finished)
        finish(call, call->error);
    else if (call->conn && call->conn->c1)
        conn_pause(call->conn->conn, false);
}

static void end_call(struct http_call *call, const struct err *err)
{
    detach(call);
    if (!call->paused && !call->held.n) {
        finish(call, err);
        return;
    }
    call->finished = true;
    if (err) {
        call->error = NEW(struct err);
        *call->error = *err;
    }
    /* Still the client's, so that its end ends the call as well. */
    list_add_tail(&call->client->waiting, &call->link);
}

void http_call_headers(struct http_call *call)
{
    loop_timer_clear(call->client->loop, &call->timer);
    if (call->config.headers_done)
        call->config.headers_done(call->config.arg, call, call->status);
}

void http_call_data(struct http_call *call, struct str bytes)
{
    struct err err;
    if (call->over || bytes.n == 0)
        return;
    if (call->config.stream) {
        if (call->paused || call->held.n)
            buf_put(&call->held, bytes);
        else if (call->config.data)
            call->config.data(call->config.arg, bytes);
        return;
    }
    if (bytes.n <= call->config.max_body - call->collected.n) {
        buf_put(&call->collected, bytes);
        return;
    }
    err_internal(&err, "the answer's body is larger than %zu bytes", call->config.max_body);
    struct client_conn *cc = call->conn;
    http_call_fail(call, &err);
    if (cc && cc->c2)
        c2_cancel(cc->c2, call);
}

void http_call_done(struct http_call *call)
{
    if (!call->over)
        end_call(call, NULL);
}

void http_call_fail(struct http_call *call, const struct err *err)
{
    if (!call->over)
        end_call(call, err);
}

bool http_call_is_safe(const struct http_call *call)
{
    return strcmp(call->config.method, "GET") == 0 || strcmp(call->config.method, "HEAD") == 0;
}

void http_client_requeue(struct http_call *call)
{
    struct http_client *c = call->client;
    list_del(&call->link);
    list_add_tail(c->waiting.next, &call->link); /* in front of the first */
    call->conn = NULL;
    h2_queue_done(&call->out);
    call->out = (struct h2_queue){0};
    http_client_later(c);
}

bool http_call_retry(struct http_call *call)
{
    if (call->retried || call->over || call->client->over || call->config.stream_body)
        return false;
    call->retried = true;
    http_client_requeue(call);
    return true;
}

static void on_call_timeout(struct loop_timer *t)
{
    struct http_call *call = CONTAINER_OF(t, struct http_call, timer);
    struct client_conn *cc = call->conn;
    struct err err;
    err_set(&err, 504, "Timeout", "%s \"%s%.*s\": timeout while waiting for the answer's headers",
            call->config.method, call->client->authority, STR_ARG(call->config.target));
    if (cc && cc->c2)
        c2_cancel(cc->c2, call);
    end_call(call, &err);
    if (cc && cc->c1)
        http_client_conn_drop(cc, &err);
}

static void copy_config(struct http_call *call, const struct http_call_config *config)
{
    struct arena *a = &call->arena;
    struct http_call_config *own = &call->config;
    *own = *config;
    own->method = arena_z(a, str_of(config->method));
    own->target = arena_dup(a, config->target);
    struct http_header *headers = arena_alloc(a, config->header_count * sizeof(*headers));
    for (size_t i = 0; i < config->header_count; i++)
        headers[i] = (struct http_header){arena_dup(a, config->headers[i].name),
                                          arena_dup(a, config->headers[i].value)};
    own->headers = headers;
    own->body = (struct str){0};
    if (!own->max_body)
        own->max_body = MAX_BODY;
    call->body = config->body.n ? bytes_new(config->body) : NULL;
    if (config->stream_body) { /* what is sent before there is a connection follows it */
        h2_queue_put(&call->out, call->body);
        bytes_unref(call->body);
        call->body = NULL;
    }
}

struct http_call *http_call_start(struct http_client *c, const struct http_call_config *config)
{
    struct http_call *call = NEW(struct http_call);
    call->client = c;
    copy_config(call, config);
    list_add_tail(&c->waiting, &call->link);
    if (config->timeout_ms > 0)
        loop_timer_set(c->loop, &call->timer, config->timeout_ms, on_call_timeout);
    http_client_later(c);
    return call;
}

struct str http_call_header(const struct http_call *c, const char *lower_name)
{
    return head_find(c->head.headers, c->head.count, lower_name);
}

bool http_call_header_at(const struct http_call *c, const char *lower_name, size_t i,
                         struct str *ret)
{
    for (size_t k = 0; k < c->head.count; k++)
        if (str_eq(c->head.headers[k].name, str_of(lower_name)) && i-- == 0) {
            *ret = c->head.headers[k].value;
            return true;
        }
    return false;
}

struct str http_call_trailer(const struct http_call *c, const char *lower_name)
{
    return head_find(c->trailers.headers, c->trailers.count, lower_name);
}

void http_call_send(struct http_call *call, struct str bytes)
{
    if (call->over || call->finished || !call->config.stream_body || call->out.ended)
        return;
    struct bytes *b = bytes_new(bytes);
    h2_queue_put(&call->out, b);
    bytes_unref(b);
    if (call->conn && call->conn->c2)
        c2_send(call->conn->c2, call);
}

void http_call_send_end(struct http_call *call)
{
    if (call->over || call->finished || !call->config.stream_body)
        return;
    call->out.ended = true;
    if (call->conn && call->conn->c2)
        c2_send(call->conn->c2, call);
}

void http_call_pause(struct http_call *call, bool pause)
{
    if (call->over || call->paused == pause)
        return;
    call->paused = pause;
    if (!pause)
        loop_defer(call->client->loop, &call->task, call_go_on);
    else if (call->conn && call->conn->c1)
        conn_pause(call->conn->conn, true);
}

void http_call_cancel(struct http_call *call)
{
    if (!call || call->over)
        return;
    struct client_conn *cc = call->conn;
    struct err err;
    err_internal(&err, "the call was cancelled");
    call->over = true;
    if (cc && cc->c2)
        c2_cancel(cc->c2, call);
    detach(call);
    loop_defer(call->client->loop, &call->task, free_call);
    if (cc && cc->c1)
        http_client_conn_drop(cc, &err); /* the rest of the answer is in the way */
}

struct http_tunnel *http_call_tunnel(struct http_call *call,
                                     const struct http_tunnel_events *events)
{
    struct client_conn *cc = call->conn;
    if (call->over || !cc || !cc->c1 || call->status != 101)
        return NULL;
    call->over = true;
    detach(call);
    loop_defer(call->client->loop, &call->task, free_call);
    struct str early = c1_early(cc->c1);
    struct conn *conn = http_client_conn_take(cc);
    return tunnel_new(conn, early, events, NULL, NULL, NULL);
}

/* --- connections --- */

static void free_conn(struct loop_task *t)
{
    struct client_conn *cc = CONTAINER_OF(t, struct client_conn, task);
    free(cc->dial_error);
    free(cc);
}

struct conn *http_client_conn_take(struct client_conn *cc)
{
    struct conn *conn = cc->conn;
    cc->conn = NULL;
    cc->closing = true;
    list_del(&cc->link);
    loop_timer_clear(cc->client->loop, &cc->timer);
    if (cc->c1)
        c1_free(cc->c1);
    if (cc->c2)
        c2_free(cc->c2);
    loop_defer(cc->client->loop, &cc->task, free_conn);
    http_client_later(cc->client);
    return conn;
}

void http_client_conn_drop(struct client_conn *cc, const struct err *err)
{
    if (!cc->conn)
        return;
    struct http_client *c = cc->client;
    struct conn *conn = http_client_conn_take(cc);
    if (err)
        conn_free(conn);
    else
        conn_finish(conn);
    while (!list_empty(&cc->calls)) {
        struct http_call *call = CONTAINER_OF(cc->calls.next, struct http_call, link);
        bool again = call->reused && !call->status && !call->head.count && http_call_is_safe(call);
        if (again && http_call_retry(call))
            continue;
        struct err closed;
        if (!err)
            err_internal(&closed, "the server closed the connection");
        http_call_fail(call, err ? err : &closed);
    }
    http_client_later(c);
}

static void on_idle_timeout(struct loop_timer *t)
{
    http_client_conn_drop(CONTAINER_OF(t, struct client_conn, timer), NULL);
}

void http_client_conn_idle(struct client_conn *cc)
{
    if (!cc->conn)
        return;
    if (cc->closing)
        http_client_conn_drop(cc, NULL);
    else
        loop_timer_set(cc->client->loop, &cc->timer, IDLE_MS, on_idle_timeout);
    http_client_later(cc->client);
}

/* The calls that a connection which did not come about was for. */
static void fail_waiting(struct http_client *c, bool upgrades, const struct err *err)
{
    struct list failed;
    list_init(&failed);
    LIST_FOR (&c->waiting, it) {
        struct http_call *call = CONTAINER_OF(it, struct http_call, link);
        if (call->config.upgrade != upgrades || call->finished)
            continue;
        list_del(it);
        list_add_tail(&failed, it);
    }
    while (!list_empty(&failed))
        http_call_fail(CONTAINER_OF(failed.next, struct http_call, link), err);
}

/* The first failure is the one to report, like the first address is the one that is meant. */
static void keep_dial_error(struct client_conn *cc, const struct err *err)
{
    if (cc->dial_error)
        return;
    cc->dial_error = NEW(struct err);
    *cc->dial_error = *err;
}

static void connect_failed(struct client_conn *cc, const struct err *err)
{
    struct http_client *c = cc->client;
    keep_dial_error(cc, err);
    if (!conn_connected(cc->conn) && cc->address + 1 < c->address_count) {
        cc->address++;
        conn_free(cc->conn);
        dial(c, cc);
        return;
    }
    struct err first = conn_connected(cc->conn) ? *err : *cc->dial_error;
    bool upgrade = cc->upgrade;
    http_client_conn_drop(cc, &first);
    fail_waiting(c, upgrade, &first);
}

static void on_connect_timeout(struct loop_timer *t)
{
    struct client_conn *cc = CONTAINER_OF(t, struct client_conn, timer);
    struct err err;
    err_set(&err, 504, "Timeout", "dial tcp %s: i/o timeout", cc->client->authority);
    connect_failed(cc, &err);
}

static void on_ready(void *arg)
{
    struct client_conn *cc = arg;
    struct http_client *c = cc->client;
    cc->ready = true;
    loop_timer_clear(c->loop, &cc->timer);
    if (conn_is_h2(cc->conn) || (c->http2_prior && !c->tls && !cc->upgrade))
        c2_new(cc);
    else
        c1_new(cc);
    if (!cc->upgrade)
        c->protocol = cc->c2 ? PROTOCOL_HTTP2 : PROTOCOL_HTTP1;
    http_client_conn_idle(cc);
}

static void on_data(void *arg, struct str bytes)
{
    struct client_conn *cc = arg;
    if (cc->c1)
        c1_data(cc->c1, bytes);
    else if (cc->c2)
        c2_data(cc->c2, bytes);
}

static void on_eof(void *arg)
{
    struct client_conn *cc = arg;
    if (cc->c1)
        c1_eof(cc->c1);
    else
        http_client_conn_drop(cc, NULL);
}

static void on_drained(void *arg)
{
    struct client_conn *cc = arg;
    if (cc->c2)
        c2_drained(cc->c2);
}

static void on_failed(void *arg, const struct err *err)
{
    struct client_conn *cc = arg;
    if (cc->ready)
        http_client_conn_drop(cc, err);
    else
        connect_failed(cc, err);
}

static void dial_failed(struct loop_timer *t)
{
    struct client_conn *cc = CONTAINER_OF(t, struct client_conn, timer);
    struct http_client *c = cc->client;
    list_del(&cc->link);
    loop_defer(c->loop, &cc->task, free_conn);
    fail_waiting(c, cc->upgrade, cc->dial_error);
}

/* Tries addresses from cc's on. A failure is reported behind this turn's callbacks. */
static void dial(struct http_client *c, struct client_conn *cc)
{
    static const struct conn_events events = {on_ready, on_data, on_eof, on_drained, on_failed};
    struct err err;
    cc->conn = NULL;
    for (; cc->address < c->address_count; cc->address++) {
        struct address *a = &c->addresses[cc->address];
        char name[128];
        net_address_format((const struct sockaddr *)&a->addr, name, sizeof(name));
        struct conn_target target = {
            .addr = (const struct sockaddr *)&a->addr,
            .addr_len = a->len,
            .name = a->addr.ss_family == AF_UNIX ? c->authority : name,
            .tls = c->tls,
            .server_name = c->server_name,
            .http1_only = c->http1_only || cc->upgrade,
            .connect_request = buf_str(&c->connect_request),
        };
        if (conn_connect(c->loop, &target, &events, cc, &cc->conn, &err) == 0) {
            loop_timer_set(c->loop, &cc->timer, c->connect_ms, on_connect_timeout);
            return;
        }
        keep_dial_error(cc, &err);
    }
    loop_timer_set(c->loop, &cc->timer, 0, dial_failed);
}

static void open_conn(struct http_client *c, bool upgrade)
{
    struct client_conn *cc = NEW(struct client_conn);
    cc->client = c;
    cc->upgrade = upgrade;
    list_init(&cc->calls);
    list_add_tail(&c->conns, &cc->link);
    dial(c, cc);
}

/* --- giving out calls --- */

static struct client_conn *find_conn(struct http_client *c, const struct http_call *call)
{
    LIST_FOR (&c->conns, it) {
        struct client_conn *cc = CONTAINER_OF(it, struct client_conn, link);
        if (!cc->ready || cc->closing || cc->upgrade != call->config.upgrade)
            continue;
        if (call->retried && cc->used) {
            /* What closed one idle connection may have closed this one too. */
            if (cc->c1 && list_empty(&cc->calls))
                http_client_conn_drop(cc, NULL);
            continue;
        }
        if (cc->c2 || list_empty(&cc->calls))
            return cc;
    }
    return NULL;
}

static void start(struct client_conn *cc, struct http_call *call)
{
    list_del(&call->link);
    list_add_tail(&cc->calls, &call->link);
    loop_timer_clear(cc->client->loop, &cc->timer);
    call->conn = cc;
    call->reused = cc->used;
    cc->used = true;
    if (cc->c2)
        c2_start(cc, call);
    else
        c1_start(cc, call);
}

static void count_conns(const struct http_client *c, bool upgrade, size_t *ret_all,
                        size_t *ret_connecting)
{
    *ret_all = *ret_connecting = 0;
    LIST_FOR ((struct list *)&c->conns, it) {
        const struct client_conn *cc = CONTAINER_OF(it, struct client_conn, link);
        if (cc->upgrade != upgrade)
            continue;
        ++*ret_all;
        *ret_connecting += !cc->ready;
    }
}

/* How many connections to have on the way for `waiting` calls that found none. */
static void open_for(struct http_client *c, bool upgrade, size_t waiting)
{
    size_t all, connecting, want = waiting;
    count_conns(c, upgrade, &all, &connecting);
    bool may_be_h2 = c->tls ? !c->http1_only && c->protocol != PROTOCOL_HTTP1 : c->http2_prior;
    if (!upgrade && may_be_h2 && want > 1)
        want = 1;
    for (; connecting < want && (upgrade || all < c->max_conns); connecting++, all++)
        open_conn(c, upgrade);
}

static void give_out(struct loop_task *t)
{
    struct http_client *c = CONTAINER_OF(t, struct http_client, task);
    size_t waiting[2] = {0, 0};
    LIST_FOR (&c->waiting, it) {
        struct http_call *call = CONTAINER_OF(it, struct http_call, link);
        if (call->finished)
            continue;
        struct client_conn *cc = find_conn(c, call);
        if (cc)
            start(cc, call);
        else
            waiting[call->config.upgrade]++;
    }
    if (!waiting[0] && !waiting[1])
        return;
    if (!c->address_count) {
        if (!c->resolving) {
            c->resolving = true;
            http_resolve_start(c);
        }
        return;
    }
    open_for(c, false, waiting[0]);
    open_for(c, true, waiting[1]);
}

void http_client_resolved(struct http_client *c, const struct err *err)
{
    c->resolving = false;
    if (err) {
        fail_waiting(c, false, err);
        fail_waiting(c, true, err);
    }
    http_client_later(c);
}

/* --- the client --- */

static int parse_origin(struct http_client *c, struct str origin, bool *ret_secure, struct err *err)
{
    *ret_secure = false;
    if (str_starts(origin, STR("unix:"))) {
        struct str path = str_from(origin, 5);
        c->authority = mem_strndup(path.p, path.n);
        c->host = mem_strdup("localhost");
        c->address_count = 1;
        return net_address_unix(path, &c->addresses[0], err);
    }
    *ret_secure = str_starts(origin, STR("https://"));
    if (!*ret_secure && !str_starts(origin, STR("http://")))
        return err_bad(err,
                       "bad origin \"%.*s\": want http://, https:// or unix:", STR_ARG(origin));
    struct str rest = str_from(origin, *ret_secure ? 8 : 7), authority, path, host, port;
    str_cut(rest, '/', &authority, &path);
    uint64_t number = *ret_secure ? 443 : 80;
    bool v6 = authority.n && authority.p[authority.n - 1] == ']';
    if (v6)
        host = (struct str){authority.p + 1, authority.n - 2};
    else if (!net_address_split(authority, &host, &port))
        host = authority;
    else if (!str_to_u64(port, &number) || number == 0 || number > 65535)
        return err_bad(err, "bad port in origin \"%.*s\"", STR_ARG(origin));
    if (host.n == 0 || host.n > 253)
        return err_bad(err, "bad host in origin \"%.*s\"", STR_ARG(origin));
    c->authority = mem_strndup(authority.p, authority.n);
    c->host = mem_strndup(host.p, host.n);
    c->port = (int)number;
    return 0;
}

static void find_addresses(struct http_client *c)
{
    struct str host = str_of(c->host);
    if (net_address_numeric(host, c->port, &c->addresses[0]))
        c->address_count = 1;
    else if (str_is(host, "localhost"))
        c->address_count = net_address_numeric(STR("127.0.0.1"), c->port, &c->addresses[0]) +
                           (size_t)net_address_numeric(STR("::1"), c->port, &c->addresses[1]);
}

/* The proxy's host and port take the place of the origin's. */
static int use_proxy(struct http_client *c, const struct http_client_config *config,
                     struct err *err)
{
    struct http_client proxy = {0};
    bool secure;
    int result = parse_origin(&proxy, str_of(config->proxy), &secure, err);
    if (result == 0 && (secure || proxy.address_count))
        result = err_bad(err, "proxy \"%s\": want http://", config->proxy);
    if (result == 0 && c->tls) {
        bool v6 = strchr(c->host, ':') != NULL;
        struct buf *b = &c->connect_request;
        buf_printf(b, "CONNECT %s%s%s:%d HTTP/1.1\r\nHost: %s\r\n", v6 ? "[" : "", c->host,
                   v6 ? "]" : "", c->port, c->authority);
        if (config->proxy_auth)
            buf_printf(b, "Proxy-Authorization: %s\r\n", config->proxy_auth);
        buf_puts(b, "\r\n");
    }
    if (result == 0) {
        free(c->host);
        c->host = proxy.host;
        c->port = proxy.port;
        proxy.host = NULL;
    }
    free(proxy.host);
    free(proxy.authority);
    return result;
}

static void free_client(struct loop_task *t)
{
    struct http_client *c = CONTAINER_OF(t, struct http_client, task);
    buf_done(&c->scratch);
    buf_done(&c->connect_request);
    free(c->server_name);
    free(c->host);
    free(c->authority);
    free(c);
}

int http_client_new(struct loop *l, const struct http_client_config *config,
                    struct http_client **ret, struct err *err)
{
    struct http_client *c = NEW(struct http_client);
    c->loop = l;
    c->http1_only = config->http1_only;
    c->http2_prior = config->http2_prior;
    c->max_conns = config->max_conns ? config->max_conns : CONNS;
    c->connect_ms = config->connect_ms ? config->connect_ms : CONNECT_MS;
    list_init(&c->conns);
    list_init(&c->waiting);
    bool secure;
    if (parse_origin(c, str_of(config->origin), &secure, err) < 0)
        goto bad;
    if (secure && (!config->tls || tls_is_server(config->tls))) {
        err_internal(err, "%s needs a client's TLS context", config->origin);
        goto bad;
    }
    c->tls = secure ? config->tls : NULL;
    c->server_name = mem_strdup(config->server_name ? config->server_name : c->host);
    if (config->proxy && use_proxy(c, config, err) < 0)
        goto bad;
    if (!c->address_count)
        find_addresses(c);
    *ret = c;
    return 0;
bad:
    free_client(&c->task);
    return -1;
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    struct err err;
    err_internal(&err, "the client was closed");
    c->over = true;
    http_resolve_cancel(c);
    while (!list_empty(&c->conns)) {
        struct client_conn *cc = CONTAINER_OF(c->conns.next, struct client_conn, link);
        if (cc->conn) {
            http_client_conn_drop(cc, &err);
            continue;
        }
        list_del(&cc->link);
        loop_timer_clear(c->loop, &cc->timer);
        loop_defer(c->loop, &cc->task, free_conn);
    }
    while (!list_empty(&c->waiting)) {
        struct http_call *call = CONTAINER_OF(c->waiting.next, struct http_call, link);
        detach(call);
        finish(call, &err);
    }
    loop_defer(c->loop, &c->task, free_client);
}
