/* Watches, as a client in the same process sees them. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "server.h"

#define CM "/api/v1/namespaces/default/configmaps"

struct stream {
    struct client *client;
    struct client_stream *stream;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct buf got;
    bool closed;
    struct err err;
};

static void on_data(void *arg, struct str bytes)
{
    struct stream *s = arg;
    pthread_mutex_lock(&s->lock);
    buf_put(&s->got, bytes);
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void on_closed(void *arg, const struct err *err)
{
    struct stream *s = arg;
    pthread_mutex_lock(&s->lock);
    s->closed = true;
    if (err)
        s->err = *err;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void stream_open_path(struct stream *s, struct server *server, const char *path,
                             const char *query)
{
    static const char *const groups[] = {"system:masters", NULL};
    struct err err;
    *s = (struct stream){0};
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    CHECK_OK(api_client(server->api, "test", groups, &s->client, &err), &err);
    struct client_request r = {.method = "GET", .path = str_of(path), .query = str_of(query)};
    struct client_stream_events events = {on_data, on_closed, s};
    CHECK_OK(client_stream_open(s->client, &r, &events, &s->stream, &err), &err);
}

static void stream_open(struct stream *s, struct server *server, const char *query)
{
    stream_open_path(s, server, CM, query);
}

/* Waits at most five seconds for the text. */
static bool stream_sees(struct stream *s, const char *text)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 5;
    pthread_mutex_lock(&s->lock);
    bool seen, waiting = true;
    while (!(seen = str_find(buf_str(&s->got), str_of(text)) >= 0) && waiting && !s->closed)
        waiting = pthread_cond_timedwait(&s->changed, &s->lock, &until) == 0;
    pthread_mutex_unlock(&s->lock);
    return seen;
}

static void stream_close(struct stream *s)
{
    client_stream_close(s->client, s->stream);
    client_free(s->client);
    buf_done(&s->got);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
}

static void put(struct server *s, const char *name, const char *labels)
{
    char path[128], body[256];
    snprintf(path, sizeof(path), CM "/%s", name);
    snprintf(body, sizeof(body), "{\"metadata\":{\"name\":\"%s\",\"labels\":%s}}", name, labels);
    struct ask update = {"PUT", path, NULL, JSON, body, NULL};
    struct answer a = server_ask(s, &update);
    bytes_unref(a.body);
    if (a.status == 200)
        return;
    struct ask create = {"POST", CM, NULL, JSON, body, NULL};
    a = server_ask(s, &create);
    CHECK_INT(a.status, 201);
    bytes_unref(a.body);
}

TEST(state_then_changes)
{
    struct server s;
    struct stream w;
    server_start(&s);
    put(&s, "a", "{}");
    stream_open(&w, &s, "watch=1");
    CHECK(stream_sees(&w, "{\"type\":\"ADDED\",\"object\":{\"kind\":\"ConfigMap\""));
    put(&s, "b", "{}");
    CHECK(stream_sees(&w, "\"name\":\"b\""));
    put(&s, "b", "{\"x\":\"y\"}");
    CHECK(stream_sees(&w, "{\"type\":\"MODIFIED\""));
    EXPECT(&s, {"DELETE", CM "/b", NULL, NULL, NULL, 200, NULL});
    CHECK(stream_sees(&w, "{\"type\":\"DELETED\""));
    stream_close(&w);
    server_stop(&s);
}

TEST(a_namespace_and_all_of_them)
{
    struct server s;
    struct stream all, one, other;
    server_start(&s);
    stream_open_path(&all, &s, "/api/v1/configmaps", "watch=1&labelSelector=!kind");
    stream_open(&one, &s, "watch=1");
    stream_open_path(&other, &s, "/api/v1/namespaces/defaul/configmaps", "watch=1");
    put(&s, "here", "{}");
    CHECK(stream_sees(&all, "\"name\":\"here\""));
    CHECK(stream_sees(&one, "\"name\":\"here\""));
    stream_close(&one);
    stream_open(&one, &s, "watch=1&resourceVersion=0");
    put(&s, "later", "{}");
    CHECK(stream_sees(&one, "\"name\":\"later\""));
    CHECK(stream_sees(&all, "\"name\":\"later\""));
    CHECK_INT((int64_t)other.got.n, 0);
    stream_close(&all);
    stream_close(&one);
    stream_close(&other);
    server_stop(&s);
}

TEST(a_selector_makes_objects_appear_and_vanish)
{
    struct server s;
    struct stream w;
    server_start(&s);
    stream_open(&w, &s, "watch=1&labelSelector=x%3D1");
    put(&s, "hidden", "{}");
    put(&s, "c", "{\"x\":\"1\"}");
    CHECK(stream_sees(&w, "{\"type\":\"ADDED\""));
    put(&s, "c", "{\"x\":\"2\"}");
    CHECK(stream_sees(&w, "{\"type\":\"DELETED\""));
    put(&s, "c", "{\"x\":\"1\",\"again\":\"1\"}");
    CHECK(stream_sees(&w, "\"again\":\"1\""));
    CHECK(str_find(buf_str(&w.got), STR("MODIFIED")) < 0);
    CHECK(str_find(buf_str(&w.got), STR("hidden")) < 0);
    stream_close(&w);
    server_stop(&s);
}

TEST(one_object_by_the_path_of_old)
{
    struct server s;
    struct stream w;
    server_start(&s);
    put(&s, "a", "{}");
    put(&s, "b", "{}");
    stream_open_path(&w, &s, "/api/v1/watch/namespaces/default/configmaps/b", NULL);
    CHECK(stream_sees(&w, "\"name\":\"b\""));
    put(&s, "a", "{\"x\":\"1\"}");
    put(&s, "b", "{\"x\":\"2\"}");
    CHECK(stream_sees(&w, "\"x\":\"2\""));
    CHECK(str_find(buf_str(&w.got), STR("\"name\":\"a\"")) < 0);
    stream_close(&w);
    server_stop(&s);
}

TEST(initial_events_end_with_a_bookmark)
{
    struct server s;
    struct stream w;
    server_start(&s);
    put(&s, "a", "{}");
    stream_open(&w, &s,
                "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&"
                "allowWatchBookmarks=true");
    CHECK(stream_sees(&w,
                      "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"ConfigMap\",\"apiVersion\":"
                      "\"v1\",\"metadata\":{\"resourceVersion\":\""));
    CHECK(stream_sees(&w, "\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}"));
    stream_close(&w);
    server_stop(&s);
}

/* From the second watch on few of the objects are read (digest.h). */
TEST(the_state_that_a_selector_selects)
{
    struct server s;
    struct stream w;
    server_start(&s);
    for (int i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof(name), "other-%d", i);
        put(&s, name, "{\"app\":\"other\"}");
    }
    put(&s, "a", "{\"app\":\"web\"}");
    for (int times = 0; times < 4; times++) {
        stream_open(&w, &s,
                    "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&"
                    "allowWatchBookmarks=true&labelSelector=app%3Dweb");
        CHECK(stream_sees(&w, "{\"type\":\"BOOKMARK\""));
        CHECK(str_find(buf_str(&w.got), STR("\"name\":\"a\"")) >= 0);
        CHECK_INT(str_find(buf_str(&w.got), STR("\"name\":\"b\"")) >= 0, times >= 2);
        CHECK(str_find(buf_str(&w.got), STR("\"name\":\"other")) < 0);
        if (times == 1)
            put(&s, "b", "{\"app\":\"web\"}");
        put(&s, "a", times % 2 ? "{\"app\":\"web\"}" : "{\"app\":\"web\",\"x\":\"y\"}");
        CHECK(stream_sees(&w, "{\"type\":\"MODIFIED\""));
        stream_close(&w);
    }
    server_stop(&s);
}

TEST(from_a_revision)
{
    struct server s;
    struct stream w;
    char query[64];
    server_start(&s);
    put(&s, "a", "{}");
    snprintf(query, sizeof(query), "watch=1&resourceVersion=%lld",
             (long long)store_revision(s.store));
    put(&s, "b", "{}");
    stream_open(&w, &s, query);
    CHECK(stream_sees(&w, "\"name\":\"b\""));
    CHECK(str_find(buf_str(&w.got), STR("\"name\":\"a\"")) < 0);
    stream_close(&w);
    server_stop(&s);
}

TEST(options_that_do_not_fit)
{
    struct server s;
    struct stream w;
    server_start(&s);
    stream_open(&w, &s, "watch=1&sendInitialEvents=true");
    CHECK(!stream_sees(&w, "{"));
    CHECK_INT(w.err.code, 422);
    CHECK(str_find(str_of(w.err.message),
                   STR("sendInitialEvents requires setting resourceVersionMatch")) >= 0);
    stream_close(&w);
    server_stop(&s);
}

TEST(a_timeout_ends_a_watch)
{
    struct server s;
    struct stream w;
    server_start(&s);
    stream_open(&w, &s, "watch=1&timeoutSeconds=1&allowWatchBookmarks=true");
    CHECK(stream_sees(&w, "BOOKMARK"));
    CHECK(!stream_sees(&w, "nothing more"));
    CHECK(w.closed);
    CHECK_INT(w.err.code, 0);
    stream_close(&w);
    server_stop(&s);
}

TEST(draining_ends_watches)
{
    struct server s;
    struct stream w;
    server_start(&s);
    put(&s, "a", "{}");
    stream_open(&w, &s, "watch=1");
    CHECK(stream_sees(&w, "ADDED"));
    api_drain(s.api);
    CHECK(!stream_sees(&w, "nothing more"));
    CHECK(w.closed);
    EXPECT(&s, {"GET", "/readyz", NULL, NULL, NULL, 500, "[-]shutdown failed: reason withheld"});
    stream_close(&w);
    server_stop(&s);
}

#define CRDS "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#define VERSION(name, storage)                                                                     \
    "{\"name\":\"" name "\",\"served\":true,\"storage\":" storage                                  \
    ",\"schema\":{\"openAPIV3Schema\":"                                                            \
    "{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true}}}"

/* Each version's watch shows that version; all end with what they are watches of. */
TEST(watches_of_custom_resources)
{
    struct server s;
    struct stream one, two;
    server_start(&s);
    EXPECT(&s, {"POST", CRDS, NULL, JSON,
                "{\"metadata\":{\"name\":\"toys.example.com\"},\"spec\":{\"group\":\"example.com\","
                "\"scope\":\"Cluster\",\"names\":{\"plural\":\"toys\",\"kind\":\"Toy\"},"
                "\"versions\":[" VERSION("v1", "true") "," VERSION("v2", "false") "]}}",
                201, NULL});
    stream_open_path(&one, &s, "/apis/example.com/v1/toys", "watch=1");
    stream_open_path(&two, &s, "/apis/example.com/v2/toys", "watch=1");
    EXPECT(&s,
           {"POST", "/apis/example.com/v1/toys", NULL, JSON,
            "{\"apiVersion\":\"example.com/v1\",\"kind\":\"Toy\",\"metadata\":{\"name\":\"a\"}}",
            201, NULL});
    CHECK(stream_sees(&one, "\"apiVersion\":\"example.com/v1\",\"metadata\":{\"name\":\"a\""));
    CHECK(stream_sees(&two, "\"apiVersion\":\"example.com/v2\",\"metadata\":{\"name\":\"a\""));
    EXPECT(&s, {"DELETE", CRDS "/toys.example.com", NULL, NULL, NULL, 200, NULL});
    CHECK(stream_sees(&two, "{\"type\":\"DELETED\""));
    CHECK(!stream_sees(&two, "nothing more"));
    CHECK(two.closed);
    CHECK_INT(two.err.code, 0);
    stream_close(&one);
    stream_close(&two);
    server_stop(&s);
}

static void put_large(struct server *s, int times)
{
    enum { SIZE = 300000 };
    struct buf b = {0};
    for (int i = 0; i < times; i++) {
        buf_clear(&b);
        buf_printf(&b, "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"%d", i);
        memset(buf_reserve(&b, SIZE), 'x', SIZE);
        b.n += SIZE;
        buf_puts(&b, "\"}}");
        struct ask ask = {"PUT", CM "/a", NULL, JSON, buf_z(&b), NULL};
        struct answer a = server_ask(s, &ask);
        CHECK_INT(a.status, 200);
        bytes_unref(a.body);
    }
    buf_done(&b);
}

TEST(a_revision_that_is_gone)
{
    struct server s;
    struct stream w;
    server_start_keeping(&s, 5);
    put(&s, "a", "{}");
    int64_t old = store_revision(s.store);
    put_large(&s, 20); /* more than the store keeps in memory */
    for (int tries = 0; store_compacted(s.store) <= old && tries < 100; tries++) {
        usleep(50000);
        put(&s, "b", tries % 2 ? "{}" : "{\"x\":\"y\"}");
    }
    CHECK(store_compacted(s.store) > old);
    char query[64];
    snprintf(query, sizeof(query), "watch=1&resourceVersion=%lld", (long long)old);
    stream_open(&w, &s, query);
    CHECK(stream_sees(&w, "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\""));
    CHECK(stream_sees(&w, "\"message\":\"too old resource version: "));
    CHECK(stream_sees(&w, "\"reason\":\"Expired\",\"code\":410}}"));
    snprintf(query, sizeof(query), "resourceVersion=%lld&resourceVersionMatch=Exact",
             (long long)old);
    EXPECT(&s, {"GET", CM, query, NULL, NULL, 410, "\"reason\":\"Expired\""});
    stream_close(&w);
    server_stop(&s);
}

/* Many writers at once: a watch has every write, each object's in order. */
enum { WRITERS = 4, WRITES = 50 };

struct writer {
    struct server *server;
    int number;
};

static void *write_many(void *arg)
{
    struct writer *w = arg;
    char path[128], body[256];
    snprintf(path, sizeof(path), CM "/w%d", w->number);
    for (int i = 0; i < WRITES; i++) {
        snprintf(body, sizeof(body),
                 "{\"metadata\":{\"name\":\"w%d\"},\"data\":{\"at\":\"%d.%d\"}}", w->number,
                 w->number, i);
        struct ask ask = {i ? "PUT" : "POST", i ? path : CM, NULL, JSON, body, NULL};
        bytes_unref(server_ask(w->server, &ask).body);
    }
    return NULL;
}

TEST(every_write_in_order)
{
    struct server s;
    struct stream w;
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    server_start(&s);
    char query[64]; /* a watch without a revision may begin after the first writes */
    snprintf(query, sizeof(query), "watch=1&resourceVersion=%lld",
             (long long)store_revision(s.store));
    stream_open(&w, &s, query);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){&s, i};
        pthread_create(&threads[i], NULL, write_many, &writers[i]);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < WRITERS; i++) {
        char last[32];
        snprintf(last, sizeof(last), "\"at\":\"%d.%d\"", i, WRITES - 1);
        CHECK(stream_sees(&w, last));
    }
    for (int i = 0; i < WRITERS; i++) {
        struct str rest = buf_str(&w.got);
        for (int k = 0; k < WRITES; k++) {
            char want[32];
            snprintf(want, sizeof(want), "\"at\":\"%d.%d\"", i, k);
            ssize_t at = str_find(rest, str_of(want));
            CHECK(at >= 0);
            rest = str_from(rest, (size_t)at + 1);
        }
    }
    stream_close(&w);
    server_stop(&s);
}
