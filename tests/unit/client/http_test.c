/* The HTTP transport and a cache on it, against a small server in the same process. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "client/cache.h"
#include "net/http.h"
#include "test.h"

struct server {
    struct loop *loop;
    struct http_server *http;
    pthread_t thread;
    struct http_exchange *watch; /* the open one; the loop's thread */
    struct loop_msg feed_msg, end_msg;
    const char *feed;
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

/* GET of pods lists or watches, POST gives back what it got, all else is 404. */
static void serve(void *arg, struct http_exchange *x, const struct http_request *r)
{
    static const char not_found[] = "{\"kind\":\"Status\",\"code\":404,\"reason\":\"NotFound\","
                                    "\"message\":\"pods \\\"x\\\" not found\"}";
    struct server *s = arg;
    if (!str_is(http_request_header(r, "authorization"), "Bearer s3cret"))
        answer(x, 401, STR(""));
    else if (str_is(r->method, "POST"))
        answer(x, 201, r->body);
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

static void server_open(struct server *s, struct client **ret)
{
    struct err err;
    *s = (struct server){.dir = "/tmp/tutti-client-XXXXXX"};
    CHECK_OK(loop_new(&s->loop, &err), &err);
    struct http_server_config config = {.listen = "127.0.0.1:0", .handler = serve, .arg = s};
    CHECK_OK(http_server_new(s->loop, &config, &s->http, &err), &err);
    CHECK(mkdtemp(s->dir));
    buf_printf(&s->config, "%s/config", s->dir);
    struct buf text = {0};
    buf_printf(&text,
               "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
               "clusters: [{name: k, cluster: {server: 'http://127.0.0.1:%d'}}]\n"
               "users: [{name: u, user: {token: s3cret}}]\n",
               http_server_port(s->http));
    CHECK_OK(file_write(buf_z(&s->config), buf_str(&text), 0600, &err), &err);
    buf_done(&text);
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
    file_remove_tree(s->dir, &err);
    buf_done(&s->config);
}

static void feed_now(struct loop_msg *m)
{
    struct server *s = CONTAINER_OF(m, struct server, feed_msg);
    struct bytes *b = bytes_new(str_of(s->feed));
    if (s->watch)
        http_write(s->watch, b);
    bytes_unref(b);
}

static void end_now(struct loop_msg *m)
{
    struct server *s = CONTAINER_OF(m, struct server, end_msg);
    if (s->watch)
        http_abort(s->watch);
    s->watch = NULL;
}

TEST(calls_carry_the_token_the_body_and_the_status)
{
    struct server s;
    struct client *c;
    server_open(&s, &c);
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

TEST(many_threads_call_at_once)
{
    struct server s;
    struct client *c;
    server_open(&s, &c);
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
    s->feed = event;
    s->feed_msg.fn = feed_now;
    for (int i = 0; i < 100; i++) {
        loop_post(s->loop, &s->feed_msg);
        usleep(20000);
        struct obj *o = cache_get(k, str_of(key));
        obj_unref(o);
        if (o)
            return true;
    }
    return false;
}

TEST(a_cache_follows_a_server_through_a_broken_connection)
{
    struct server s;
    struct client *c;
    struct cache *k;
    struct err err;
    server_open(&s, &c);
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

TEST(a_refused_watch_closes_with_the_status)
{
    struct server s;
    struct client *c;
    struct err err;
    server_open(&s, &c);
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

TEST(a_server_that_is_not_there_is_an_error)
{
    struct server s;
    struct client *c;
    server_open(&s, &c);
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
