/* What the HTTP/1.1 server refuses, byte for byte, and how it deals with clients that misbehave. */
#include "test.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <pthread.h>

#include "net_util.h"

struct site {
    struct loop *loop;
    struct http_server *server;
    int port, requests;
    struct http_tunnel *tunnel;
};

static void echo(void *arg, struct str bytes)
{
    struct site *s = arg;
    http_tunnel_write(s->tunnel, bytes);
}

static void ended(void *arg)
{
    ((struct site *)arg)->tunnel = NULL;
}

static void handler(void *arg, struct http_exchange *x, const struct http_request *r)
{
    struct site *s = arg;
    s->requests++;
    if (str_is(r->path, "/tunnel")) {
        struct http_header h = {STR("Upgrade"), STR("echo")};
        s->tunnel = http_upgrade(
            x, &h, 1, &(struct http_tunnel_events){.data = echo, .closed = ended, .arg = s});
        return;
    }
    if (str_is(r->path, "/empty")) {
        struct http_header h = {STR("X-Injected"), STR("a\r\nSet-Cookie: b")};
        http_respond(x, 204, &h, 1, NULL);
        return;
    }
    struct buf b = {0};
    buf_printf(&b, "[%.*s %.*s %.*s]", STR_ARG(r->method), STR_ARG(r->path), STR_ARG(r->body));
    struct bytes *body = bytes_new(buf_str(&b));
    http_respond(x, 200, NULL, 0, body);
    bytes_unref(body);
    buf_done(&b);
}

static void site_open(struct site *s, struct http_server_config config)
{
    struct err err;
    *s = (struct site){0};
    CHECK_OK(loop_new(&s->loop, &err), &err);
    config.listen = "127.0.0.1:0";
    config.handler = handler;
    config.arg = s;
    CHECK_OK(http_server_new(s->loop, &config, &s->server, &err), &err);
    s->port = http_server_port(s->server);
}

static void site_close(struct site *s)
{
    http_server_free(s->server);
    loop_free(s->loop);
}

struct talk {
    struct site *site;
    struct str send;
    bool half_close;
    struct buf answer;
};

/* A blocking client: sends, and reads until the server closes or nothing comes for a while. */
static void *client(void *arg)
{
    struct talk *t = arg;
    int fd = raw_connect(t->site->port);
    struct timeval tv = {.tv_usec = 300000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    for (size_t at = 0; at < t->send.n;) {
        ssize_t n = send(fd, t->send.p + at, t->send.n - at, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    if (t->half_close)
        shutdown(fd, SHUT_WR);
    for (;;) {
        char *p = buf_reserve(&t->answer, 4096);
        ssize_t n = recv(fd, p, 4096, 0);
        if (n <= 0) {
            buf_puts(&t->answer, n == 0 ? "<closed>" : "<open>");
            break;
        }
        t->answer.n += (size_t)n;
    }
    close(fd);
    loop_stop(t->site->loop);
    return NULL;
}

static void talk(struct site *s, struct talk *t)
{
    pthread_t thread;
    t->site = s;
    pthread_create(&thread, NULL, client, t);
    bool in_time = run_for(s->loop, 10000);
    pthread_join(thread, NULL);
    CHECK(in_time);
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

TEST(http1_refuses_what_could_be_read_in_two_ways)
{
    static const struct {
        const char *name, *send;
        int status, requests;
    } cases[] = {
        {"plain", GET "\r\n", 200, 1},
        {"two pipelined", GET "\r\n" GET "\r\n", 200, 2},
        {"chunked", POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, 1},
        {"chunked with trailer",
         POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n", 200, 1},
        {"upgrade that is not taken", GET "Connection: Upgrade\r\nUpgrade: x\r\n\r\n" GET "\r\n",
         200, 2},
        {"absolute form", "GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n", 200, 1},
        {"length and chunks",
         POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 0},
        {"chunks and length",
         POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400, 0},
        {"two lengths", POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400, 0},
        {"length list", POST "Content-Length: 3, 3\r\n\r\nabc", 400, 0},
        {"signed length", POST "Content-Length: +3\r\n\r\nabc", 400, 0},
        {"negative length", POST "Content-Length: -3\r\n\r\nabc", 400, 0},
        {"hex length", POST "Content-Length: 0x3\r\n\r\nabc", 400, 0},
        {"huge length", POST "Content-Length: 99999999999999999999\r\n\r\n", 400, 0},
        {"length past the limit", POST "Content-Length: 99999999\r\n\r\n", 413, 0},
        {"chunked twice", POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400, 0},
        {"chunked not last", POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400, 0},
        {"unknown coding", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501, 0},
        {"gzip and chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, 0},
        {"chunk extension", POST "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n", 200,
         1},
        {"chunked in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
         0},
        {"bad chunk size", POST "Transfer-Encoding: chunked\r\n\r\nz\r\nabc\r\n0\r\n\r\n", 400, 0},
        {"huge chunk size", POST "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc", 400,
         0},
        {"chunk without end", POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n0\r\n\r\n", 400,
         0},
        {"obs-fold", GET "X: a\r\n b\r\n\r\n", 400, 0},
        {"blank before colon", GET "X : a\r\n\r\n", 400, 0},
        {"blank line start", GET " X: a\r\n\r\n", 400, 0},
        {"bare CR in value", GET "X: a\rb\r\n\r\n", 400, 0},
        {"control character", GET "X: a\x01\r\n\r\n", 400, 0},
        {"no name", GET ": a\r\n\r\n", 400, 0},
        {"no host", "GET / HTTP/1.1\r\n\r\n", 400, 0},
        {"two hosts", GET "Host: b\r\n\r\n", 400, 0},
        {"no host in 1.0", "GET / HTTP/1.0\r\n\r\n", 200, 1},
        {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 400, 0},
        {"HTTP/3.0", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", 400, 0},
        {"no version", "GET /\r\n\r\n", 505, 0},
        {"relative target", "GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400, 0},
        {"connect", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400, 0},
        {"unknown method", "FOO / HTTP/1.1\r\nHost: a\r\n\r\n", 400, 0},
        {"TLS to a plain port", "\x16\x03\x01\x02\x01\x01\xfc\x03\x03", 400, 0},
        {"unknown expectation", POST "Expect: tea\r\nContent-Length: 1\r\n\r\na", 417, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct site s;
        site_open(&s, (struct http_server_config){0});
        struct talk t = {.send = str_of(cases[i].send)};
        talk(&s, &t);
        struct buf want = {0};
        buf_printf(&want, "HTTP/1.1 %d ", cases[i].status);
        struct str end = cases[i].status == 200 ? STR("<open>") : STR("<closed>");
        if (strstr(cases[i].send, "HTTP/1.0"))
            end = STR("<closed>");
        if (!str_starts(buf_str(&t.answer), buf_str(&want)) || s.requests != cases[i].requests ||
            !str_ends(buf_str(&t.answer), end))
            test_fail(__FILE__, __LINE__, "%s: %d requests, answer: %s", cases[i].name, s.requests,
                      buf_z(&t.answer));
        buf_done(&want);
        buf_done(&t.answer);
        site_close(&s);
    }
}

TEST(http1_refuses_a_nul_byte)
{
    struct site s;
    site_open(&s, (struct http_server_config){0});
    struct talk t = {.send = STR(GET "X: a\0b\r\n\r\n")};
    talk(&s, &t);
    CHECK(str_starts(buf_str(&t.answer), STR("HTTP/1.1 400 ")));
    buf_done(&t.answer);
    site_close(&s);
}

TEST(http1_reads_a_request_that_comes_byte_by_byte)
{
    struct site s;
    site_open(&s, (struct http_server_config){0});
    struct talk t = {.send = STR(POST "Content-Length: 3\r\nConnection: close\r\n\r\nabc")};
    talk(&s, &t);
    CHECK(str_ends(buf_str(&t.answer), STR("[POST / abc]<closed>")));
    buf_done(&t.answer);
    site_close(&s);
}

TEST(http1_answers_a_client_that_closed_its_side)
{
    struct site s;
    site_open(&s, (struct http_server_config){0});
    struct talk t = {.send = STR(GET "\r\n"), .half_close = true};
    talk(&s, &t);
    CHECK(str_ends(buf_str(&t.answer), STR("[GET / ]<closed>")));
    buf_done(&t.answer);
    site_close(&s);
}

TEST(http1_says_100_continue)
{
    struct site s;
    site_open(&s, (struct http_server_config){0});
    struct talk t = {.send = STR(POST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc")};
    talk(&s, &t);
    CHECK(str_starts(buf_str(&t.answer), STR("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")));
    buf_done(&t.answer);
    site_close(&s);
}

TEST(bytes_behind_an_upgrade_request_reach_the_tunnel)
{
    struct site s;
    site_open(&s, (struct http_server_config){0});
    struct talk t = {.send = STR("GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                                 "Upgrade: echo\r\n\r\nearly bytes"),
                     .half_close = true};
    talk(&s, &t);
    CHECK(str_starts(buf_str(&t.answer), STR("HTTP/1.1 101 Switching Protocols\r\n")));
    CHECK(str_ends(buf_str(&t.answer), STR("\r\n\r\nearly bytes<closed>")));
    CHECK(s.tunnel == NULL);
    buf_done(&t.answer);
    site_close(&s);
}

TEST(answers_without_a_body_are_framed_so)
{
    static const struct {
        const char *send, *end;
    } cases[] = {
        {"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\nContent-Length: 9\r\n\r\n<open>"},
        {"GET /empty HTTP/1.1\r\nHost: a\r\n\r\n", " GMT\r\n\r\n<open>"},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
         "Connection: keep-alive\r\n\r\n[GET / ]<open>"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct site s;
        site_open(&s, (struct http_server_config){0});
        struct talk t = {.send = str_of(cases[i].send)};
        talk(&s, &t);
        if (!str_ends(buf_str(&t.answer), str_of(cases[i].end)))
            test_fail(__FILE__, __LINE__, "%s: %s", cases[i].send, buf_z(&t.answer));
        CHECK(str_find(buf_str(&t.answer), STR("\nSet-Cookie")) < 0);
        buf_done(&t.answer);
        site_close(&s);
    }
}

TEST(slow_headers_are_cut_off_after_header_ms)
{
    static const char *const starts[] = {"", "G", "GET / HTTP/1.1\r\nHost: a\r\n",
                                         "PRI * HTTP/2.0"};
    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        struct site s;
        site_open(&s, (struct http_server_config){.header_ms = 100});
        struct talk t = {.send = str_of(starts[i])};
        talk(&s, &t);
        CHECK_STR(buf_str(&t.answer), "<closed>");
        buf_done(&t.answer);
        site_close(&s);
    }
}

TEST(idle_connections_and_stuck_bodies_are_cut_off_after_idle_ms)
{
    static const char *const starts[] = {GET "\r\n", POST "Content-Length: 10\r\n\r\nabc"};
    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        struct site s;
        site_open(&s, (struct http_server_config){.header_ms = 50, .idle_ms = 100});
        struct talk t = {.send = str_of(starts[i])};
        talk(&s, &t);
        CHECK(str_ends(buf_str(&t.answer), STR("<closed>")));
        buf_done(&t.answer);
        site_close(&s);
    }
}

TEST(connections_past_max_conns_are_closed)
{
    struct site s;
    site_open(&s, (struct http_server_config){.max_conns = 1});
    int held = raw_connect(s.port);
    run_for(s.loop, 20);
    struct talk t = {.send = STR(GET "\r\n")};
    talk(&s, &t);
    CHECK(!str_starts(buf_str(&t.answer), STR("HTTP/1.1 200")));
    close(held);
    buf_done(&t.answer);
    site_close(&s);
}
