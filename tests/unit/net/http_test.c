/* The client against the server, on one loop: plain HTTP/1.1, TLS with HTTP/1.1, TLS with HTTP/2.
 */
#include "test.h"

#include <stdio.h>

#include "net_util.h"

enum mode { PLAIN, TLS1, TLS2, MODES };
static const char *const mode_names[] = {"plain", "tls http/1.1", "tls http/2"};

struct world_of {
    struct loop *loop;
    struct test_ca ca;
    struct tls *server_tls, *client_tls;
    struct http_server *server;
    struct http_client *client;
    enum mode mode;
    /* what the handler saw and does */
    struct http_exchange *streaming;
    size_t written, produced, most_queued;
    int closed, requests;
    struct http_tunnel *tunnel;
    char user[64];
    /* what the call brought */
    struct http_call *call;
    int status, done;
    struct buf body;
    struct err err;
    bool failed;
    struct loop_timer timer;
};

enum { BIG = 8 * 1024 * 1024, CHUNK = 100 * 1000, HIGH = 512 * 1024 };

static void produce(void *arg)
{
    struct world_of *w = arg;
    while (w->streaming && w->produced < BIG) {
        size_t n = BIG - w->produced < CHUNK ? BIG - w->produced : CHUNK;
        char *p;
        struct bytes *b = bytes_new_uninit(n, &p);
        for (size_t i = 0; i < n; i++)
            p[i] = (char)((w->produced + i) % 251);
        size_t queued = http_write(w->streaming, b);
        bytes_unref(b);
        w->produced += n;
        if (queued > w->most_queued)
            w->most_queued = queued;
        if (queued > HIGH)
            return;
    }
    if (w->streaming)
        http_end(w->streaming);
    w->streaming = NULL;
}

static void on_closed(void *arg)
{
    struct world_of *w = arg;
    w->closed++;
    w->streaming = NULL;
    loop_stop(w->loop);
}

static void echo_data(void *arg, struct str bytes)
{
    struct world_of *w = arg;
    http_tunnel_write(w->tunnel, bytes);
}

static void echo_closed(void *arg)
{
    struct world_of *w = arg;
    w->tunnel = NULL;
    w->closed++;
}

static void answer_text(struct http_exchange *x, int status, const char *text)
{
    struct http_header type = {STR("Content-Type"), STR("text/plain")};
    struct bytes *b = bytes_new(str_of(text));
    http_respond(x, status, &type, 1, b);
    bytes_unref(b);
}

static void handler(void *arg, struct http_exchange *x, const struct http_request *r)
{
    struct world_of *w = arg;
    w->requests++;
    if (r->peer && r->peer->verified)
        snprintf(w->user, sizeof(w->user), "%s/%s/%s", r->peer->common_name,
                 r->peer->organizations[0], r->peer->organizations[1]);
    if (str_is(r->path, "/echo")) {
        struct bytes *b = bytes_new(r->body);
        http_respond(x, 200, NULL, 0, b);
        bytes_unref(b);
    } else if (str_is(r->path, "/stream")) {
        http_watch(x, &(struct http_watch){on_closed, produce, w});
        w->streaming = x;
        http_start(x, 200, NULL, 0);
        produce(w);
    } else if (str_is(r->path, "/watch")) {
        http_watch(x, &(struct http_watch){on_closed, NULL, w});
        http_start(x, 200, NULL, 0);
    } else if (str_is(r->path, "/flaky")) {
        /* Hangs up on the second request of all. */
        if (w->requests == 2)
            http_abort(x);
        else
            answer_text(x, 200, "steady");
    } else if (str_is(r->path, "/never")) {
        http_watch(x, &(struct http_watch){on_closed, NULL, w});
    } else if (str_is(r->path, "/upgrade")) {
        struct http_header h[] = {{STR("Connection"), STR("Upgrade")},
                                  {STR("Upgrade"), STR("echo")}};
        w->tunnel = http_upgrade(
            x, h, 2,
            &(struct http_tunnel_events){.data = echo_data, .closed = echo_closed, .arg = w});
    } else if (str_is(r->path, "/what")) {
        struct buf b = {0};
        buf_printf(&b, "%.*s %.*s?%.*s h2=%d x=%.*s", STR_ARG(r->method), STR_ARG(r->path),
                   STR_ARG(r->query), r->http2, STR_ARG(http_request_header(r, "x-test")));
        answer_text(x, 201, buf_z(&b));
        buf_done(&b);
    } else {
        answer_text(x, 404, "no");
    }
}

static void set_up_tls(struct world_of *w, struct http_server_config *server)
{
    struct err err;
    struct buf ca = {0}, cert = {0}, key = {0}, own_cert = {0}, own_key = {0};
    ca_new(&w->ca);
    ca_pem(&w->ca, &ca);
    ca_issue(&w->ca, "server", NULL, true, &cert, &key);
    ca_issue(&w->ca, "jane", "dev,ops", false, &own_cert, &own_key);
    struct tls_config s = {.cert_pem = buf_str(&cert),
                           .key_pem = buf_str(&key),
                           .ca_pem = buf_str(&ca),
                           .server = true,
                           .http2 = true};
    struct tls_config c = {.cert_pem = buf_str(&own_cert),
                           .key_pem = buf_str(&own_key),
                           .ca_pem = buf_str(&ca),
                           .http2 = w->mode == TLS2};
    CHECK_OK(tls_new(&s, &w->server_tls, &err), &err);
    CHECK_OK(tls_new(&c, &w->client_tls, &err), &err);
    server->tls = w->server_tls;
    buf_done(&ca), buf_done(&cert), buf_done(&key), buf_done(&own_cert), buf_done(&own_key);
}

static void set_up(struct world_of *w, enum mode mode, struct http_server_config server)
{
    struct err err;
    *w = (struct world_of){.mode = mode};
    CHECK_OK(loop_new(&w->loop, &err), &err);
    if (mode != PLAIN)
        set_up_tls(w, &server);
    server.listen = "127.0.0.1:0";
    server.handler = handler;
    server.arg = w;
    CHECK_OK(http_server_new(w->loop, &server, &w->server, &err), &err);
    char origin[64];
    snprintf(origin, sizeof(origin), "%s://127.0.0.1:%d", mode == PLAIN ? "http" : "https",
             http_server_port(w->server));
    struct http_client_config client = {.origin = origin, .tls = w->client_tls};
    CHECK_OK(http_client_new(w->loop, &client, &w->client, &err), &err);
}

static void tear_down(struct world_of *w)
{
    http_client_free(w->client);
    http_server_free(w->server);
    loop_free(w->loop);
    tls_free(w->client_tls);
    tls_free(w->server_tls);
    if (w->mode != PLAIN)
        ca_done(&w->ca);
    buf_done(&w->body);
}

static void on_done(void *arg, int status, struct str body, const struct err *err)
{
    struct world_of *w = arg;
    w->status = status;
    w->done++;
    w->call = NULL;
    w->failed = err != NULL;
    if (err)
        w->err = *err;
    if (body.n)
        buf_put(&w->body, body);
    loop_stop(w->loop);
}

static struct http_call_config get(struct world_of *w, const char *target)
{
    buf_clear(&w->body);
    w->done = w->status = 0;
    return (struct http_call_config){
        .method = "GET", .target = str_of(target), .done = on_done, .arg = w};
}

static void call(struct world_of *w, struct http_call_config c)
{
    w->call = http_call_start(w->client, &c);
    CHECK(run_for(w->loop, 10000));
    if (w->failed)
        test_fail(__FILE__, __LINE__, "%s: %s", mode_names[w->mode], w->err.message);
}

#define EACH_MODE(w, config)                                                                       \
    for (enum mode mode_ = PLAIN; mode_ < MODES && (set_up(&(w), mode_, (config)), true);          \
         tear_down(&(w)), mode_++)

TEST(a_request_reaches_the_handler_and_its_answer_the_caller)
{
    struct world_of w;
    EACH_MODE(w, (struct http_server_config){0})
    {
        struct http_call_config c = get(&w, "/what?a=1&b=%20");
        struct http_header h = {STR("X-Test"), STR("value 1")};
        c.headers = &h;
        c.header_count = 1;
        for (int i = 0; i < 3; i++) {
            buf_clear(&w.body);
            call(&w, c);
            CHECK_INT(w.status, 201);
            CHECK_STR(buf_str(&w.body), w.mode == TLS2 ? "GET /what?a=1&b=%20 h2=1 x=value 1"
                                                       : "GET /what?a=1&b=%20 h2=0 x=value 1");
        }
    }
}

TEST(a_client_certificate_names_user_and_groups)
{
    struct world_of w;
    EACH_MODE(w, (struct http_server_config){0})
    {
        call(&w, get(&w, "/what"));
        CHECK_STR(str_of(w.user), w.mode == PLAIN ? "" : "jane/dev/ops");
    }
}

TEST(large_bodies_go_both_ways)
{
    struct world_of w;
    EACH_MODE(w, (struct http_server_config){.max_body = BIG})
    {
        struct buf big = {0};
        for (size_t i = 0; i < BIG; i++)
            buf_reserve(&big, 1)[0] = (char)(i * 7 % 253), big.n++;
        struct http_call_config c = get(&w, "/echo");
        c.method = "POST";
        c.body = buf_str(&big);
        call(&w, c);
        CHECK_INT(w.status, 200);
        CHECK(str_eq(buf_str(&w.body), buf_str(&big)));
        buf_done(&big);
    }
}

static void slow_resume(struct loop_timer *t)
{
    struct world_of *w = CONTAINER_OF(t, struct world_of, timer);
    if (w->call)
        http_call_pause(w->call, false);
}

static void slow_data(void *arg, struct str bytes)
{
    struct world_of *w = arg;
    for (size_t i = 0; i < bytes.n; i++)
        CHECK_INT((unsigned char)bytes.p[i], (w->written + i) % 251);
    bool pause = w->written / (1024 * 1024) != (w->written + bytes.n) / (1024 * 1024);
    w->written += bytes.n;
    if (!pause)
        return;
    http_call_pause(w->call, true);
    loop_timer_set(w->loop, &w->timer, 20, slow_resume);
}

TEST(a_stream_waits_for_a_slow_reader)
{
    struct world_of w;
    EACH_MODE(w, (struct http_server_config){0})
    {
        struct http_call_config c = get(&w, "/stream");
        c.stream = true;
        c.data = slow_data;
        call(&w, c);
        CHECK_INT(w.written, BIG);
        CHECK(w.most_queued <= HIGH + CHUNK + 1000);
    }
}

static void cancel_soon(struct loop_timer *t)
{
    struct world_of *w = CONTAINER_OF(t, struct world_of, timer);
    http_call_cancel(w->call);
}

TEST(a_cancelled_call_ends_the_exchange)
{
    struct world_of w;
    EACH_MODE(w, (struct http_server_config){0})
    {
        const char *const targets[] = {"/watch", "/never"};
        for (int i = 0; i < 2; i++) {
            struct http_call_config c = get(&w, targets[i]);
            c.stream = true;
            w.closed = 0;
            w.call = http_call_start(w.client, &c);
            loop_timer_set(w.loop, &w.timer, 50, cancel_soon);
            CHECK(run_for(w.loop, 5000));
            CHECK_STR(str_of(w.err.message), "");
            CHECK_INT(w.done, 0);
            CHECK_INT(w.closed, 1);
        }
        call(&w, get(&w, "/what"));
        CHECK_INT(w.status, 201);
    }
}

TEST(a_call_times_out_when_no_headers_come)
{
    struct world_of w;
    EACH_MODE(w, (struct http_server_config){0})
    {
        struct http_call_config c = get(&w, "/never");
        c.timeout_ms = 50;
        http_call_start(w.client, &c);
        while (!w.done)
            CHECK(run_for(w.loop, 5000));
        CHECK(w.failed);
        CHECK(str_find(str_of(w.err.message), STR("timeout while waiting")) >= 0);
    }
}

static void on_drain(void *arg)
{
    loop_stop(((struct world_of *)arg)->loop);
}

TEST(a_drain_lets_the_exchange_under_way_finish)
{
    struct world_of w;
    EACH_MODE(w, (struct http_server_config){0})
    {
        struct http_call_config c = get(&w, "/stream");
        c.stream = true;
        c.data = slow_data;
        w.call = http_call_start(w.client, &c);
        while (w.requests == 0)
            run_for(w.loop, 10);
        http_server_drain(w.server, 5000, on_drain, &w);
        while (!w.done)
            CHECK(run_for(w.loop, 5000));
        CHECK(!w.failed);
        CHECK_INT(w.written, BIG);
        run_for(w.loop, 100);
    }
}

TEST(a_drain_gives_up_after_its_time)
{
    struct world_of w;
    EACH_MODE(w, (struct http_server_config){0})
    {
        struct http_call_config c = get(&w, "/never");
        http_call_start(w.client, &c);
        while (w.requests == 0)
            run_for(w.loop, 10);
        http_server_drain(w.server, 50, NULL, &w);
        while (!w.done)
            CHECK(run_for(w.loop, 5000));
        CHECK(w.failed);
        CHECK_INT(w.closed, 1);
    }
}

/* --- upgrade --- */

static void client_data(void *arg, struct str bytes)
{
    struct world_of *w = arg;
    buf_put(&w->body, bytes);
    if (w->body.n == 200000)
        loop_stop(w->loop);
}

static void client_closed(void *arg)
{
    (void)arg;
}

static void take_tunnel(void *arg, struct http_call *c, int status)
{
    struct world_of *w = arg;
    w->status = status;
    CHECK_STR(http_call_header(c, "upgrade"), "echo");
    struct http_tunnel *t = http_call_tunnel(
        c, &(struct http_tunnel_events){.data = client_data, .closed = client_closed, .arg = w});
    struct buf b = {0};
    for (int i = 0; i < 20000; i++)
        buf_puts(&b, "0123456789");
    http_tunnel_write(t, buf_str(&b));
    buf_done(&b);
    *(struct http_tunnel **)&w->streaming = t;
}

TEST(an_upgraded_connection_carries_bytes_both_ways)
{
    struct world_of w;
    EACH_MODE(w, (struct http_server_config){0})
    {
        struct http_header h[] = {{STR("Connection"), STR("Upgrade")},
                                  {STR("Upgrade"), STR("echo")}};
        struct http_call_config c = get(&w, "/upgrade");
        c.headers = h;
        c.header_count = 2;
        c.upgrade = true;
        c.headers_done = take_tunnel;
        http_call_start(w.client, &c);
        CHECK(run_for(w.loop, 5000));
        CHECK_INT(w.status, 101);
        CHECK_INT(w.body.n, 200000);
        CHECK_INT(w.done, 0);
        http_tunnel_close((struct http_tunnel *)w.streaming);
        w.streaming = NULL;
        for (int i = 0; i < 20 && !w.closed; i++)
            run_for(w.loop, 20);
        CHECK_INT(w.closed, 1);
    }
}

TEST(an_upgrade_that_is_refused_is_an_ordinary_answer)
{
    struct world_of w;
    EACH_MODE(w, (struct http_server_config){0})
    {
        struct http_header h[] = {{STR("Connection"), STR("Upgrade")},
                                  {STR("Upgrade"), STR("echo")}};
        struct http_call_config c = get(&w, "/missing");
        c.headers = h;
        c.header_count = 2;
        c.upgrade = true;
        call(&w, c);
        CHECK_INT(w.status, 404);
        CHECK_STR(buf_str(&w.body), "no");
    }
}

/* --- limits --- */

TEST(a_body_past_the_limit_is_answered_with_413)
{
    struct world_of w;
    EACH_MODE(w, (struct http_server_config){.max_body = 100000})
    {
        struct buf big = {0};
        buf_reserve(&big, 100001);
        memset(big.p, 'x', 100001);
        big.n = 100001;
        struct http_call_config c = get(&w, "/echo");
        c.method = "POST";
        c.body = buf_str(&big);
        call(&w, c);
        CHECK_INT(w.status, 413);
        CHECK_INT(w.requests, 0);
        buf_done(&big);
    }
}

TEST(headers_past_the_limit_are_answered_with_431)
{
    struct world_of w;
    EACH_MODE(w, (struct http_server_config){0})
    {
        struct http_header h[40];
        char value[2001];
        memset(value, 'v', sizeof(value) - 1);
        value[2000] = '\0';
        for (size_t i = 0; i < ARRAY_LEN(h); i++)
            h[i] = (struct http_header){STR("X-Long"), str_of(value)};
        struct http_call_config c = get(&w, "/what");
        c.headers = h;
        c.header_count = ARRAY_LEN(h);
        w.call = http_call_start(w.client, &c);
        CHECK(run_for(w.loop, 5000));
        CHECK_STR(str_of(w.err.message), "");
        CHECK_INT(w.status, 431);
        CHECK_INT(w.requests, 0);
    }
}

TEST(an_answer_past_the_callers_limit_is_an_error)
{
    struct world_of w;
    EACH_MODE(w, (struct http_server_config){0})
    {
        struct http_call_config c = get(&w, "/stream");
        c.max_body = 100000;
        http_call_start(w.client, &c);
        while (!w.done)
            CHECK(run_for(w.loop, 5000));
        CHECK(w.failed);
        CHECK_STR(str_of(w.err.message), "the answer's body is larger than 100000 bytes");
    }
}

/* --- the client's connections --- */

TEST(a_refused_connection_says_so)
{
    struct world_of w;
    EACH_MODE(w, (struct http_server_config){0})
    {
        int port = http_server_port(w.server);
        http_server_free(w.server);
        w.server = NULL;
        struct http_call_config c = get(&w, "/");
        http_call_start(w.client, &c);
        CHECK(run_for(w.loop, 5000));
        char want[128];
        snprintf(want, sizeof(want), "dial tcp 127.0.0.1:%d: connect: Connection refused", port);
        CHECK_STR(str_of(w.err.message), want);
    }
}

TEST(a_host_name_is_looked_up)
{
    struct world_of w;
    struct err err;
    set_up(&w, PLAIN, (struct http_server_config){0});
    http_client_free(w.client);
    char origin[64];
    /* In capitals it is not the name that needs no look-up. */
    snprintf(origin, sizeof(origin), "http://LOCALHOST:%d", http_server_port(w.server));
    CHECK_OK(
        http_client_new(w.loop, &(struct http_client_config){.origin = origin}, &w.client, &err),
        &err);
    call(&w, get(&w, "/what"));
    CHECK_INT(w.status, 201);
    tear_down(&w);
}

TEST(a_server_of_another_ca_is_refused)
{
    struct world_of w;
    struct err err;
    set_up(&w, TLS2, (struct http_server_config){0});
    struct test_ca other;
    struct buf pem = {0};
    ca_new(&other);
    ca_pem(&other, &pem);
    struct tls *tls;
    CHECK_OK(tls_new(&(struct tls_config){.ca_pem = buf_str(&pem)}, &tls, &err), &err);
    http_client_free(w.client);
    char origin[64];
    snprintf(origin, sizeof(origin), "https://localhost:%d", http_server_port(w.server));
    CHECK_OK(http_client_new(w.loop, &(struct http_client_config){.origin = origin, .tls = tls},
                             &w.client, &err),
             &err);
    struct http_call_config c = get(&w, "/what");
    http_call_start(w.client, &c);
    CHECK(run_for(w.loop, 5000));
    CHECK(w.failed);
    CHECK_STR(str_of(w.err.message), "TLS handshake: tls: failed to verify certificate: "
                                     "unable to get local issuer certificate");
    http_client_free(w.client);
    w.client = NULL;
    loop_stop(w.loop);
    run_for(w.loop, 10);
    tls_free(tls);
    ca_done(&other);
    buf_done(&pem);
    tear_down(&w);
}

TEST(a_restarted_server_is_found_again)
{
    struct world_of w;
    EACH_MODE(w, (struct http_server_config){0})
    {
        call(&w, get(&w, "/what"));
        char listen[32];
        snprintf(listen, sizeof(listen), "127.0.0.1:%d", http_server_port(w.server));
        http_server_free(w.server);
        struct err err;
        struct http_server_config again = {
            .listen = listen, .tls = w.server_tls, .handler = handler, .arg = &w};
        CHECK_OK(http_server_new(w.loop, &again, &w.server, &err), &err);
        call(&w, get(&w, "/what"));
        CHECK_INT(w.status, 201);
    }
}

TEST(a_get_is_sent_again_when_a_kept_connection_turns_out_closed)
{
    struct world_of w;
    EACH_MODE(w, (struct http_server_config){0})
    {
        if (w.mode == TLS2)
            continue; /* there the server resets the stream, and the connection is fine */
        call(&w, get(&w, "/flaky"));
        call(&w, get(&w, "/flaky"));
        CHECK_INT(w.status, 200);
        CHECK_INT(w.requests, 3);
    }
}

TEST(a_post_is_never_sent_again)
{
    struct world_of w;
    EACH_MODE(w, (struct http_server_config){0})
    {
        call(&w, get(&w, "/flaky"));
        struct http_call_config c = get(&w, "/flaky");
        c.method = "POST";
        http_call_start(w.client, &c);
        CHECK(run_for(w.loop, 5000));
        CHECK(w.failed);
        CHECK_STR(str_of(w.err.message),
                  w.mode == TLS2 ? "stream error: stream ID 3; INTERNAL_ERROR" : "EOF");
        CHECK_INT(w.requests, 2);
    }
}

static void count_done(void *arg, int status, struct str body, const struct err *err)
{
    struct world_of *w = arg;
    (void)body;
    w->done++;
    w->failed |= err || status != 200;
    if (w->done == 1000)
        loop_stop(w->loop);
}

TEST(a_thousand_calls_at_once)
{
    struct world_of w;
    EACH_MODE(w, (struct http_server_config){0})
    {
        struct http_call_config c = get(&w, "/echo");
        c.method = "POST";
        c.body = STR("hello");
        c.done = count_done;
        for (int i = 0; i < 1000; i++)
            http_call_start(w.client, &c);
        CHECK(run_for(w.loop, 20000));
        CHECK_INT(w.done, 1000);
        CHECK(!w.failed);
    }
}
