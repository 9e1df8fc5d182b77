/* Requests one after another, against a server on a thread of its own: redirects and what follows
 * them, limits, proxies. */
#include "test.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/fetch.h"

struct world {
    struct loop *loop;
    struct http_server *server;
    pthread_t thread;
    struct fetcher *f;
    char base[64];
};

static void answer_text(struct http_exchange *x, int status, struct str text)
{
    struct bytes *b = bytes_new(text);
    http_respond(x, status, NULL, 0, b);
    bytes_unref(b);
}

static void went_away(void *arg)
{
    (void)arg;
}

/* /echo says what it got; /to/307/REST redirects to /REST, /to/307:URL to URL; /big is long; /hang
 * never answers. */
static void handle(void *arg, struct http_exchange *x, const struct http_request *r)
{
    (void)arg;
    if (str_starts(r->path, STR("/to/"))) {
        int status = atoi(r->path.p + 4);
        struct str to = str_from(r->path, r->path.p[7] == ':' ? 8 : 7);
        struct http_header location = {STR("Location"), to};
        http_respond(x, status, &location, 1, NULL);
    } else if (str_is(r->path, "/big")) {
        char text[5000];
        memset(text, 'x', sizeof(text));
        answer_text(x, 200, (struct str){text, sizeof(text)});
    } else if (str_is(r->path, "/hang")) {
        http_watch(x, &(struct http_watch){.closed = went_away});
    } else {
        struct buf b = {0};
        buf_printf(&b, "%.*s %.*s%s%.*s [%.*s] [%.*s]", STR_ARG(r->method), STR_ARG(r->path),
                   r->query.n ? "?" : "", STR_ARG(r->query), STR_ARG(r->body),
                   STR_ARG(http_request_header(r, "authorization")));
        answer_text(x, str_is(r->path, "/missing") ? 404 : 200, buf_str(&b));
        buf_done(&b);
    }
}

static void *serve(void *arg)
{
    loop_run(arg);
    return NULL;
}

static void open_world(struct world *w, const struct fetch_options *options)
{
    struct err err;
    CHECK_OK(loop_new(&w->loop, &err), &err);
    CHECK_OK(http_server_new(
                 w->loop,
                 &(struct http_server_config){.listen = "127.0.0.1:0", .handler = handle, .arg = w},
                 &w->server, &err),
             &err);
    snprintf(w->base, sizeof(w->base), "http://127.0.0.1:%d", http_server_port(w->server));
    CHECK_INT(pthread_create(&w->thread, NULL, serve, w->loop), 0);
    CHECK_OK(fetcher_new(options, &w->f, &err), &err);
}

static void close_world(struct world *w)
{
    fetcher_free(w->f);
    loop_stop(w->loop);
    pthread_join(w->thread, NULL);
    http_server_free(w->server);
    loop_free(w->loop);
}

static void check_get(struct world *w, struct fetch_request r, const char *path, const char *want)
{
    struct fetch_answer answer = {0};
    struct err err;
    char url[256];
    snprintf(url, sizeof(url), "%s%s", w->base, path);
    r.url = str_of(url);
    if (fetch(w->f, &r, &answer, &err) == 0)
        CHECK_STR(buf_str(&answer.body), want);
    else
        test_fail(__FILE__, __LINE__, "%s: %s", path, err.message);
    fetch_answer_done(&answer);
}

TEST(fetch_gets_posts_and_follows_redirects)
{
    struct world w;
    open_world(&w, &(struct fetch_options){0});
    struct fetch_request get = {0}, post = {.method = "POST",
                                            .body = STR("abc"),
                                            .authorization = STR("Let me")};
    check_get(&w, get, "/echo?a=b#c", "GET /echo?a=b [] []");
    check_get(&w, get, "", "GET / [] []");
    check_get(&w, post, "/echo", "POST /echo [abc] [Let me]");
    check_get(&w, post, "/to/302/echo", "GET /echo [] [Let me]");
    check_get(&w, post, "/to/307/echo", "POST /echo [abc] [Let me]");
    check_get(&w, get, "/missing", "GET /missing [] []");
    close_world(&w);
}

TEST(authorization_stays_with_its_origin)
{
    struct world one, two;
    open_world(&one, &(struct fetch_options){0});
    open_world(&two, &(struct fetch_options){0});
    char path[128];
    snprintf(path, sizeof(path), "/to/307:%s/echo", two.base);
    check_get(&one, (struct fetch_request){.authorization = STR("secret")}, path,
              "GET /echo [] []");
    close_world(&one);
    close_world(&two);
}

static void check_error(struct world *w, struct fetch_request r, const char *path, const char *part)
{
    struct fetch_answer answer = {0};
    struct err err;
    char url[256];
    snprintf(url, sizeof(url), "%s%s", w->base, path);
    r.url = str_of(url);
    CHECK_INT(fetch(w->f, &r, &answer, &err), -1);
    if (!strstr(err.message, part))
        test_fail(__FILE__, __LINE__, "%s, not %s", err.message, part);
    fetch_answer_done(&answer);
}

TEST(fetch_has_limits)
{
    struct world w;
    open_world(&w, &(struct fetch_options){0});
    check_error(&w, (struct fetch_request){.max_body = 4999}, "/big", "larger than 4999 bytes");
    check_error(&w, (struct fetch_request){.timeout_ms = 150}, "/hang",
                "Client.Timeout exceeded while awaiting headers");
    check_error(&w, (struct fetch_request){.max_redirects = 2}, "/to/302/to/302/to/302/echo",
                "stopped after 2 redirects");
    check_get(&w, (struct fetch_request){.max_redirects = -1}, "/to/302/echo", "");
    check_get(&w, (struct fetch_request){.max_body = 5000, .method = "HEAD"}, "/big", "");
    close_world(&w);
}

TEST(errors_are_in_go_s_words)
{
    struct fetcher *f;
    struct fetch_answer answer = {0};
    struct err err;
    CHECK_OK(fetcher_new(&(struct fetch_options){0}, &f, &err), &err);
    CHECK_INT(fetch(f, &(struct fetch_request){.url = STR("http://u:secret@127.0.0.1:1/x")},
                    &answer, &err),
              -1);
    CHECK_STR(str_of(err.message),
              "Get \"127.0.0.1:1/x\": dial tcp 127.0.0.1:1: connect: connection refused");
    CHECK_INT(fetch(f, &(struct fetch_request){.url = STR("ftp://x/")}, &answer, &err), -1);
    fetch_answer_done(&answer);
    fetcher_free(f);
}

static void with_env(const char *secure, const char *plain, const char *except)
{
    setenv("HTTPS_PROXY", secure, 1);
    setenv("HTTP_PROXY", plain, 1);
    setenv("NO_PROXY", except, 1);
}

TEST(proxies_are_chosen_as_go_chooses_them)
{
    static const struct {
        const char *url, *want;
    } cases[] = {
        {"https://example.com/", "http://secure:1"},
        {"http://example.com/", "http://plain:2"},
        {"http://localhost:80/", ""},
        {"http://127.0.0.9/", ""},
        {"http://[::1]/", ""},
        {"http://a.test/", ""},
        {"http://b.a.test/", ""},
        {"http://xa.test/", "http://plain:2"},
        {"http://dot.test/", "http://plain:2"},
        {"http://x.dot.test/", ""},
        {"http://10.1.2.3/", ""},
        {"http://11.1.2.3/", "http://plain:2"},
        {"http://port.test/", "http://plain:2"},
        {"http://port.test:81/", ""},
    };
    struct arena a = {0};
    with_env("http://secure:1", "plain:2", "a.test, .dot.test,10.0.0.0/8,port.test:81");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_STR(fetch_proxy(&a, str_of(cases[i].url)), cases[i].want);
    with_env("", "", "");
    arena_done(&a);
}

/* A proxy that notes the first line it is sent, answers, and hangs up. */
struct proxy {
    int fd, port;
    const char *answer;
    char heard[256];
};

static void *run_proxy(void *arg)
{
    struct proxy *p = arg;
    struct pollfd waiting = {p->fd, POLLIN, 0};
    if (poll(&waiting, 1, 10000) != 1)
        return NULL;
    int c = accept(p->fd, NULL, NULL);
    ssize_t n = recv(c, p->heard, sizeof(p->heard) - 1, 0);
    p->heard[n > 0 ? strcspn(p->heard, "\r") : 0] = '\0';
    (void)!write(c, p->answer, strlen(p->answer));
    close(c);
    return NULL;
}

static void through_proxy(struct proxy *p, const char *url, struct fetch_answer *answer,
                          struct err *err)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);
    struct fetcher *f;
    pthread_t thread;
    char env[64];
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(p->fd, (struct sockaddr *)&at, n) == 0 && listen(p->fd, 1) == 0);
    CHECK(getsockname(p->fd, (struct sockaddr *)&at, &n) == 0);
    CHECK_INT(pthread_create(&thread, NULL, run_proxy, p), 0);
    snprintf(env, sizeof(env), "http://me:pw@127.0.0.1:%d", ntohs(at.sin_port));
    with_env(env, env, "");
    CHECK_OK(fetcher_new(&(struct fetch_options){.system_ca = true}, &f, err), err);
    fetch(f, &(struct fetch_request){.url = str_of(url), .timeout_ms = 10000}, answer, err);
    with_env("", "", "");
    fetcher_free(f);
    pthread_join(thread, NULL);
    close(p->fd);
}

TEST(plain_requests_go_through_a_proxy_whole)
{
    struct proxy p = {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"};
    struct fetch_answer answer = {0};
    struct err err = {0};
    through_proxy(&p, "http://charts.test/index.yaml?x", &answer, &err);
    CHECK_STR(str_of(p.heard), "GET http://charts.test/index.yaml?x HTTP/1.1");
    CHECK_STR(buf_str(&answer.body), "hi");
    fetch_answer_done(&answer);
}

TEST(secure_requests_ask_the_proxy_for_a_tunnel)
{
    struct proxy p = {.answer = "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"};
    struct fetch_answer answer = {0};
    struct err err = {0};
    through_proxy(&p, "https://charts.test/index.yaml", &answer, &err);
    CHECK_STR(str_of(p.heard), "CONNECT charts.test:443 HTTP/1.1");
    CHECK_STR(str_of(err.message),
              "Get \"https://charts.test/index.yaml\": 407 Proxy Authentication Required");
    fetch_answer_done(&answer);
}
