/* Clients that try to wear the HTTP/2 server out, and transports other than TCP. */
#include "test.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "net_util.h"

struct site {
    struct loop *loop;
    struct http_server *server;
    int requests, closed;
    struct http_exchange *held;
    struct bytes *filler;
};

static void on_closed(void *arg)
{
    struct site *s = arg;
    s->closed++;
    s->held = NULL;
}

static void fill(void *arg)
{
    struct site *s = arg;
    while (s->held && http_write(s->held, s->filler) < 100000)
        ;
}

static void handler(void *arg, struct http_exchange *x, const struct http_request *r)
{
    struct site *s = arg;
    s->requests++;
    if (str_is(r->path, "/endless")) {
        s->held = x;
        http_watch(x, &(struct http_watch){on_closed, fill, s});
        http_start(x, 200, NULL, 0);
        fill(s);
        return;
    }
    http_respond(x, 200, NULL, 0, NULL);
}

static void site_open(struct site *s, struct http_server_config config)
{
    struct err err;
    *s = (struct site){0};
    CHECK_OK(loop_new(&s->loop, &err), &err);
    if (!config.listen)
        config.listen = "127.0.0.1:0";
    config.handler = handler;
    config.arg = s;
    CHECK_OK(http_server_new(s->loop, &config, &s->server, &err), &err);
    char *p;
    s->filler = bytes_new_uninit(5000, &p);
    memset(p, 'x', 5000);
}

static void site_close(struct site *s)
{
    http_server_free(s->server);
    loop_free(s->loop);
    bytes_unref(s->filler);
}

static void put_frame(struct buf *b, int type, int flags, uint32_t stream, struct str payload)
{
    const unsigned char head[9] = {(unsigned char)(payload.n >> 16),
                                   (unsigned char)(payload.n >> 8),
                                   (unsigned char)payload.n,
                                   (unsigned char)type,
                                   (unsigned char)flags,
                                   (unsigned char)(stream >> 24),
                                   (unsigned char)(stream >> 16),
                                   (unsigned char)(stream >> 8),
                                   (unsigned char)stream};
    buf_append(b, head, sizeof(head));
    buf_put(b, payload);
}

static void put_preface(struct buf *b)
{
    buf_puts(b, NGHTTP2_CLIENT_MAGIC);
    put_frame(b, NGHTTP2_SETTINGS, 0, 0, STR(""));
}

#define GET_ROOT                                                                                   \
    STR("\x82\x86\x84\x41\x01"                                                                     \
        "a")

/* Sends all of b while the loop runs, until the server closes; false when it never does. */
static bool server_closes(struct site *s, const struct buf *b, bool read)
{
    int fd = raw_connect(http_server_port(s->server));
    size_t at = 0;
    bool closed = false;
    for (int i = 0; i < 400 && !closed; i++) {
        ssize_t n = send(fd, b->p + at, b->n - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            at += (size_t)n;
        closed = n < 0 && (errno == EPIPE || errno == ECONNRESET);
        char sink[65536];
        n = read ? recv(fd, sink, sizeof(sink), MSG_DONTWAIT) : -1;
        closed |= n == 0;
        run_for(s->loop, 2);
    }
    close(fd);
    run_for(s->loop, 5);
    return closed;
}

TEST(h2_rapid_reset_ends_the_connection)
{
    struct site s;
    struct buf b = {0};
    site_open(&s, (struct http_server_config){0});
    put_preface(&b);
    for (uint32_t id = 1; id < 10000; id += 2) {
        put_frame(&b, NGHTTP2_HEADERS, 5, id, GET_ROOT);
        put_frame(&b, NGHTTP2_RST_STREAM, 0, id, STR("\0\0\0\x08"));
    }
    CHECK(server_closes(&s, &b, true));
    CHECK(s.requests < 3500); /* the burst, and what one read brought */
    buf_done(&b);
    site_close(&s);
}

TEST(h2_settings_and_ping_floods_end_the_connection)
{
    for (int type = 0; type < 2; type++) {
        struct site s;
        struct buf b = {0};
        site_open(&s, (struct http_server_config){0});
        put_preface(&b);
        for (int i = 0; i < 200000; i++)
            put_frame(&b, type ? NGHTTP2_PING : NGHTTP2_SETTINGS, 0, 0,
                      type ? STR("12345678") : STR(""));
        CHECK(server_closes(&s, &b, false));
        buf_done(&b);
        site_close(&s);
    }
}

TEST(h2_endless_continuations_end_the_connection)
{
    struct site s;
    struct buf b = {0};
    site_open(&s, (struct http_server_config){0});
    put_preface(&b);
    put_frame(&b, NGHTTP2_HEADERS, 1, 1, GET_ROOT);
    for (int i = 0; i < 10000; i++)
        put_frame(&b, NGHTTP2_CONTINUATION, 0, 1,
                  STR("\x00\x01"
                      "x\x01"
                      "y"));
    CHECK(server_closes(&s, &b, true));
    CHECK_INT(s.requests, 0);
    buf_done(&b);
    site_close(&s);
}

TEST(h2_garbage_behind_the_preface_ends_the_connection)
{
    struct site s;
    struct buf b = {0};
    site_open(&s, (struct http_server_config){0});
    buf_puts(&b, NGHTTP2_CLIENT_MAGIC "this is no frame at all, is it?");
    CHECK(server_closes(&s, &b, true));
    buf_done(&b);
    site_close(&s);
}

TEST(a_peer_that_never_reads_is_cut_off_after_idle_ms)
{
    for (int version = 1; version <= 2; version++) {
        struct site s;
        struct buf b = {0};
        site_open(&s, (struct http_server_config){.header_ms = 50, .idle_ms = 100});
        if (version == 1) {
            buf_puts(&b, "GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
        } else {
            put_preface(&b);
            put_frame(&b, NGHTTP2_WINDOW_UPDATE, 0, 0, STR("\x7f\0\0\0"));
            put_frame(&b, NGHTTP2_HEADERS, 5, 1,
                      STR("\x82\x86\x04\x08/endless\x41\x01"
                          "a"));
        }
        int fd = raw_connect(http_server_port(s.server));
        CHECK(send(fd, b.p, b.n, MSG_NOSIGNAL) == (ssize_t)b.n);
        for (int i = 0; i < 100 && !s.closed; i++)
            run_for(s.loop, 10);
        CHECK_INT(s.closed, 1);
        close(fd);
        buf_done(&b);
        site_close(&s);
    }
}

static void on_done(void *arg, int status, struct str body, const struct err *err)
{
    struct site *s = arg;
    (void)body;
    s->closed = err ? -1 : status;
    loop_stop(s->loop);
}

TEST(a_unix_socket_serves_and_a_stale_one_is_replaced)
{
    char path[64], listen[80];
    struct err err;
    snprintf(path, sizeof(path), "/tmp/net-test-%d.sock", (int)getpid());
    snprintf(listen, sizeof(listen), "unix:%s", path);
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    CHECK(bind(stale, (struct sockaddr *)&a, sizeof(a)) == 0);
    close(stale);
    struct site s;
    struct http_client *client;
    site_open(&s, (struct http_server_config){.listen = listen});
    CHECK_OK(http_client_new(s.loop, &(struct http_client_config){.origin = listen}, &client, &err),
             &err);
    http_call_start(client, &(struct http_call_config){
                                .method = "GET", .target = STR("/"), .done = on_done, .arg = &s});
    CHECK(run_for(s.loop, 2000));
    CHECK_INT(s.closed, 200);
    http_client_free(client);
    site_close(&s);
    CHECK(access(path, F_OK) < 0);
}

TEST(bad_listen_addresses_are_errors)
{
    static const struct {
        const char *listen, *message;
    } cases[] = {
        {"127.0.0.1", "bad listen address \"127.0.0.1\": want HOST:PORT"},
        {"127.0.0.1:x", "bad listen address \"127.0.0.1:x\": want HOST:PORT"},
        {"127.0.0.1:70000", "bad listen address \"127.0.0.1:70000\": want HOST:PORT"},
        {"example:1", "bad listen address \"example:1\": the host is not an IP address"},
        {"unix:", "bad unix socket path \"\""},
    };
    struct loop *l;
    struct err err;
    CHECK_OK(loop_new(&l, &err), &err);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_server *server;
        struct http_server_config c = {.listen = cases[i].listen, .handler = handler};
        CHECK_INT(http_server_new(l, &c, &server, &err), -1);
        CHECK_STR(str_of(err.message), cases[i].message);
    }
    loop_free(l);
}

/* --- certificates --- */

TEST(bad_certificates_and_keys_are_errors)
{
    struct test_ca ca;
    struct buf ca_text = {0}, cert = {0}, key = {0}, other_cert = {0}, other_key = {0};
    struct tls *t;
    struct err err;
    ca_new(&ca);
    ca_pem(&ca, &ca_text);
    ca_issue(&ca, "a", NULL, true, &cert, &key);
    ca_issue(&ca, "b", NULL, true, &other_cert, &other_key);
    CHECK(tls_new(&(struct tls_config){.server = true}, &t, &err) < 0);
    CHECK(tls_new(&(struct tls_config){0}, &t, &err) < 0);
    CHECK(tls_new(&(struct tls_config){.ca_pem = STR("no pem")}, &t, &err) < 0);
    CHECK(tls_new(&(struct tls_config){.server = true, .cert_pem = STR("no pem")}, &t, &err) < 0);
    CHECK(tls_new(&(struct tls_config){.server = true,
                                       .cert_pem = buf_str(&cert),
                                       .key_pem = buf_str(&other_key)},
                  &t, &err) < 0);
    CHECK_OK(tls_new(&(struct tls_config){.server = true,
                                          .cert_pem = buf_str(&cert),
                                          .key_pem = buf_str(&key)},
                     &t, &err),
             &err);
    CHECK(tls_replace_cert(t, buf_str(&other_cert), buf_str(&key), &err) < 0);
    CHECK_OK(tls_replace_cert(t, buf_str(&other_cert), buf_str(&other_key), &err), &err);
    tls_free(t);
    ca_done(&ca);
    buf_done(&ca_text), buf_done(&cert), buf_done(&key);
    buf_done(&other_cert), buf_done(&other_key);
}
