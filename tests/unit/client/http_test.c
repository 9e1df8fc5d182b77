/* The HTTP transport and a cache on it, against a small server in the same process: with a token
 * over plain HTTP/1.1, and with a client certificate over TLS and HTTP/2. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "client/cache.h"
#include "../net/net_util.h"
#include "test.h"

struct server {
    struct loop *loop;
    struct http_server *http;
    pthread_t thread;
    struct http_exchange *watch; /* the open one; the loop's thread */
    struct loop_msg end_msg;
    struct tls *tls; /* NULL: plain */
    char dir[32];
    struct buf config;
};

static void answer(struct http_exchange *x, int status, struct str text)
{
    struct http_header type = {STR("content-type"), STR("application/json")};
    struct bytes *b = bytes_new(text);
    http_respond(x, status, &type, 1, b);
    bytes_unref(b);
}

static void watch_closed(void *arg)
{
    ((struct server *)arg)->watch = NULL;
}

static void start_watch(struct server *s, struct http_exchange *x)
{
    struct http_watch w = {.closed = watch_closed, .arg = s};
    s->watch = x;
    http_watch(x, &w);
    http_start(x, 200, NULL, 0);
}

/* The form that was asked for, and two warnings. */
static void answer_with_warnings(struct http_exchange *x, struct str accept)
{
    struct http_header headers[] = {
        {STR("warning"), STR("299 - \"unknown field \\\"a\\\"\"")},
        {STR("x-other"), STR("299 - \"no\"")},
        {STR("warning"), STR("299 - \"second\"")},
    };
    struct bytes *b = bytes_new(accept);
    http_respond(x, 200, headers, ARRAY_LEN(headers), b);
    bytes_unref(b);
}

/* GET of pods lists or watches, POST gives back what it got, PUT is warned of, all else is 404. */
static void serve(void *arg, struct http_exchange *x, const struct http_request *r)
{
    static const char not_found[] = "{\"kind\":\"Status\",\"code\":404,\"reason\":\"NotFound\","
                                    "\"message\":\"pods \\\"x\\\" not found\"}";
    struct server *s = arg;
    bool known = s->tls ? r->http2 && r->peer && r->peer->verified
                        : str_is(http_request_header(r, "authorization"), "Bearer s3cret");
    if (!known)
        answer(x, 401, STR(""));
    else if (str_is(r->method, "POST"))
        answer(x, 201, r->body);
    else if (str_is(r->method, "PUT"))
        answer_with_warnings(x, http_request_header(r, "accept"));
    else if (str_find(r->query, STR("resourceVersion=99")) >= 0)
        answer(x, 410,
               STR("{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"too "
                   "old\"}"));
    else if (str_is(r->path, "/api/v1/pods") && str_starts(r->query, STR("watch=true")))
        start_watch(s, x);
    else if (str_is(r->path, "/api/v1/pods"))
        answer(
            x, 200,
            STR("{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":["
                "{\"metadata\":{\"name\":\"a\",\"namespace\":\"d\",\"resourceVersion\":\"3\"}}]}"));
    else
        answer(x, 404, str_of(not_found));
}

static void *run(void *arg)
{
    loop_run(((struct server *)arg)->loop);
    return NULL;
}

static void put_file(struct server *s, const char *name, struct str text)
{
    struct buf path = {0};
    struct err err;
    buf_printf(&path, "%s/%s", s->dir, name);
    CHECK_OK(file_write(buf_z(&path), text, 0600, &err), &err);
    buf_done(&path);
}

/* The server's context; the client's files go into the folder. */
static void make_certificates(struct server *s)
{
    struct test_ca ca;
    struct buf ca_cert = {0}, cert = {0}, key = {0};
    struct err err;
    ca_new(&ca);
    ca_pem(&ca, &ca_cert);
    put_file(s, "ca.crt", buf_str(&ca_cert));
    ca_issue(&ca, "admin", "system:masters", false, &cert, &key);
    put_file(s, "admin.crt", buf_str(&cert));
    put_file(s, "admin.key", buf_str(&key));
    buf_clear(&cert);
    buf_clear(&key);
    ca_issue(&ca, "localhost", NULL, true, &cert, &key);
    struct tls_config config = {.cert_pem = buf_str(&cert),
                                .key_pem = buf_str(&key),
                                .ca_pem = buf_str(&ca_cert),
                                .server = true,
                                .http2 = true};
    CHECK_OK(tls_new(&config, &s->tls, &err), &err);
    buf_done(&ca_cert);
    buf_done(&cert);
    buf_done(&key);
    ca_done(&ca);
}

static void server_open(struct server *s, bool secure, struct client **ret)
{
    struct err err;
    *s = (struct server){.dir = "/tmp/tutti-client-XXXXXX"};
    CHECK(mkdtemp(s->dir));
    if (secure)
        make_certificates(s);
    CHECK_OK(loop_new(&s->loop, &err), &err);
    struct http_server_config config = {
        .listen = "127.0.0.1:0", .handler = serve, .arg = s, .tls = s->tls};
    CHECK_OK(http_server_new(s->loop, &config, &s->http, &err), &err);
    struct buf text = {0};
    buf_printf(&text,
               "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
               "clusters: [{name: k, cluster: {server: '%s://127.0.0.1:%d'%s}}]\n"
               "users: [{name: u, user: {%s}}]\n",
               secure ? "https" : "http", http_server_port(s->http),
               secure ? ", certificate-authority: ca.crt" : "",
               secure ? "client-certificate: admin.crt, client-key: admin.key" : "token: s3cret");
    put_file(s, "config", buf_str(&text));
    buf_done(&text);
    buf_printf(&s->config, "%s/config", s->dir);
    pthread_create(&s->thread, NULL, run, s);
    CHECK_OK(client_from_kubeconfig(buf_z(&s->config), ret, &err), &err);
}

static void server_close(struct server *s, struct client *c)
{
    struct err err;
    client_free(c);
    loop_stop(s->loop);
    pthread_join(s->thread, NULL);
    http_server_free(s->http);
    loop_free(s->loop);
    tls_free(s->tls);
    file_remove_tree(s->dir, &err);
    buf_done(&s->config);
}

struct feeding {
    struct loop_msg msg;
    struct server *s;
    struct bytes *event;
};

static void feed_now(struct loop_msg *m)
{
    struct feeding *f = CONTAINER_OF(m, struct feeding, msg);
    if (f->s->watch)
        http_write(f->s->watch, f->event);
    bytes_unref(f->event);
    free(f);
}

static void feed(struct server *s, const char *event)
{
    struct feeding *f = NEW(struct feeding);
    *f = (struct feeding){{.fn = feed_now}, s, bytes_new(str_of(event))};
    loop_post(s->loop, &f->msg);
}

static void end_now(struct loop_msg *m)
{
    struct server *s = CONTAINER_OF(m, struct server, end_msg);
    if (s->watch)
        http_abort(s->watch);
    s->watch = NULL;
}

static void check_calls(bool secure)
{
    struct server s;
    struct client *c;
    server_open(&s, secure, &c);
    struct doc d;
    struct err err;
    doc_init(&d);
    val *object = val_new_obj(&d), *got;
    val_set_z(&d, object, "hello", "there");
    CHECK_OK(client_create(c, &RES_PODS, "d", object, &d, &got, &err), &err);
    CHECK_STR(VAL_STR(got, "hello"), "there");
    CHECK_INT(client_get(c, &RES_PODS, "d", "x", &d, &got, &err), -1);
    CHECK_INT(err.code, 404);
    CHECK_STR(str_of(err.reason), "NotFound");
    CHECK_STR(str_of(err.message), "pods \"x\" not found");
    CHECK_INT(client_delete(c, &RES_PODS, "d", "x", NULL, &err), -1);
    CHECK_INT(err.code, 404);
    doc_done(&d);
    server_close(&s, c);
}

TEST(calls_carry_who_calls_the_body_and_the_status)
{
    check_calls(false);
}

TEST(calls_carry_who_calls_the_body_and_the_status_over_http2)
{
    check_calls(true);
}

struct caller {
    struct client *c;
    int failures;
};

static void *call_often(void *arg)
{
    struct caller *k = arg;
    for (int i = 0; i < 200; i++) {
        struct doc d;
        struct err err;
        val *got;
        doc_init(&d);
        val *object = val_new_obj(&d);
        val_set_int(&d, object, "i", i);
        if (client_create(k->c, &RES_PODS, "d", object, &d, &got, &err) || VAL_INT(got, "i") != i)
            k->failures++;
        doc_done(&d);
    }
    return NULL;
}

static void check_threads(bool secure)
{
    struct server s;
    struct client *c;
    server_open(&s, secure, &c);
    pthread_t t[8];
    struct caller callers[8];
    for (size_t i = 0; i < 8; i++) {
        callers[i] = (struct caller){c, 0};
        pthread_create(&t[i], NULL, call_often, &callers[i]);
    }
    for (size_t i = 0; i < 8; i++) {
        pthread_join(t[i], NULL);
        CHECK_INT(callers[i].failures, 0);
    }
    server_close(&s, c);
}

TEST(many_threads_call_at_once)
{
    check_threads(false);
}

TEST(many_threads_call_at_once_over_http2)
{
    check_threads(true);
}

static bool wait_for(struct cache *k, const char *key)
{
    for (int i = 0; i < 3000; i++, usleep(1000)) {
        struct obj *o = cache_get(k, str_of(key));
        obj_unref(o);
        if (o)
            return true;
    }
    return false;
}

/* Feeds until it arrives: the watch may not be open yet. */
static bool feed_until(struct server *s, struct cache *k, const char *event, const char *key)
{
    for (int i = 0; i < 100; i++) {
        feed(s, event);
        usleep(20000);
        struct obj *o = cache_get(k, str_of(key));
        obj_unref(o);
        if (o)
            return true;
    }
    return false;
}

static void check_cache(bool secure)
{
    struct server s;
    struct client *c;
    struct cache *k;
    struct err err;
    server_open(&s, secure, &c);
    struct cache_config config = {.resource = &RES_PODS};
    CHECK_OK(cache_new(c, &config, &k, &err), &err);
    cache_start(k);
    CHECK(cache_wait_synced(k, 3000));
    CHECK(wait_for(k, "d/a"));
    CHECK(feed_until(
        &s, k,
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"b\",\"namespace\":\"d\","
        "\"resourceVersion\":\"8\"}}}\n",
        "d/b"));
    s.end_msg.fn = end_now;
    loop_post(s.loop, &s.end_msg);
    CHECK(feed_until(
        &s, k,
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"c\",\"namespace\":\"d\","
        "\"resourceVersion\":\"9\"}}}\n",
        "d/c"));
    cache_free(k);
    server_close(&s, c);
}

TEST(a_cache_follows_a_server_through_a_broken_connection)
{
    check_cache(false);
}

TEST(a_cache_follows_a_server_through_a_broken_connection_over_http2)
{
    check_cache(true);
}

struct closing {
    atomic_int code;
};

static void no_data(void *arg, struct str bytes)
{
    (void)arg;
    (void)bytes;
}

static void note_code(void *arg, const struct err *err)
{
    atomic_store(&((struct closing *)arg)->code, err ? err->code : 1);
}

static void check_refused(bool secure)
{
    struct server s;
    struct client *c;
    struct err err;
    server_open(&s, secure, &c);
    struct closing closing = {0};
    struct client_stream_events events = {no_data, note_code, &closing};
    struct client_request r = {.method = "GET",
                               .path = STR("/api/v1/pods"),
                               .query = STR("watch=true&resourceVersion=99")};
    struct client_stream *stream;
    CHECK_OK(client_stream_open(c, &r, &events, &stream, &err), &err);
    for (int i = 0; i < 3000 && !atomic_load(&closing.code); i++)
        usleep(1000);
    CHECK_INT(closing.code, 410);
    client_stream_close(c, stream);
    server_close(&s, c);
}

TEST(a_refused_watch_closes_with_the_status)
{
    check_refused(false);
}

TEST(a_refused_watch_closes_with_the_status_over_http2)
{
    check_refused(true);
}

static void check_warnings(bool secure)
{
    struct server s;
    struct client *c;
    struct err err;
    struct buf warnings = {0};
    struct client_response response = {0};
    server_open(&s, secure, &c);
    struct client_request r = {.method = "PUT",
                               .path = STR("/api/v1/namespaces/d/pods/a"),
                               .content_type = STR("application/json"),
                               .body = STR("{}"),
                               .accept = STR("application/json;as=Table"),
                               .warnings = &warnings};
    CHECK_OK(client_do(c, &r, &response, &err), &err);
    CHECK_STR(bytes_str(response.body), "application/json;as=Table");
    CHECK_STR(buf_str(&warnings), "unknown field \"a\"\nsecond\n");
    bytes_unref(response.body);
    buf_done(&warnings);
    server_close(&s, c);
}

TEST(warnings_and_the_form_of_answers_pass)
{
    check_warnings(false);
}

TEST(warnings_and_the_form_of_answers_pass_over_http2)
{
    check_warnings(true);
}

TEST(a_server_that_is_not_there_is_an_error)
{
    struct server s;
    struct client *c;
    server_open(&s, false, &c);
    loop_stop(s.loop);
    pthread_join(s.thread, NULL);
    http_server_free(s.http);
    s.http = NULL;
    struct doc d;
    struct err err;
    val *got;
    doc_init(&d);
    CHECK_INT(client_get(c, &RES_PODS, "d", "x", &d, &got, &err), -1);
    doc_done(&d);
    client_free(c);
    loop_free(s.loop);
    file_remove_tree(s.dir, &err);
    buf_done(&s.config);
}
