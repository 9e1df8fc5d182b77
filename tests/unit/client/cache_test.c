#include "client/cache.h"

#include <malloc.h>

#include "fake.h"

#define POD(name, rv)                                                                              \
    "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"default\",\"uid\":\"u-" name             \
    "\",\"resourceVersion\":\"" rv "\"},\"spec\":{\"nodeName\":\"n" rv "\"}}"
#define LIST(rv, next, items)                                                                      \
    "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"" rv "\",\"continue\":\"" next      \
    "\"},\"items\":[" items "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define GONE "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"too old\"}"

/* A cache on a script, and what its handler heard: "+key@rv ~key@old>new -key@rv ". */
struct stage {
    struct fake fake;
    struct client *client;
    struct cache *cache;
    pthread_mutex_t lock;
    struct buf heard;
};

static void hear(void *arg, enum cache_change change, struct obj *old, struct obj *now)
{
    struct stage *s = arg;
    pthread_mutex_lock(&s->lock);
    buf_putc(&s->heard, "+~-"[change]);
    buf_put(&s->heard, obj_key(now ? now : old));
    buf_putc(&s->heard, '@');
    if (old)
        buf_put(&s->heard, obj_rv(old));
    if (old && now)
        buf_putc(&s->heard, '>');
    if (now)
        buf_put(&s->heard, obj_rv(now));
    buf_putc(&s->heard, ' ');
    pthread_mutex_unlock(&s->lock);
}

static size_t by_node(const val *v, struct str *ret, size_t max)
{
    (void)max;
    ret[0] = VAL_STR(v, "spec", "nodeName");
    return ret[0].n > 0;
}

static void stage_open(struct stage *s, const char *labels)
{
    struct err err;
    s->client = fake_client(&s->fake);
    s->heard = (struct buf){0};
    pthread_mutex_init(&s->lock, NULL);
    struct cache_config config = {.resource = &RES_PODS,
                                  .label_selector = labels,
                                  .indexes = {by_node},
                                  .handler = hear,
                                  .arg = s};
    CHECK_OK(cache_new(s->client, &config, &s->cache, &err), &err);
}

static void stage_close(struct stage *s)
{
    cache_free(s->cache);
    client_free(s->client);
    buf_done(&s->heard);
}

/* Waits until the handler heard exactly this since the last time. */
static void check_heard(struct stage *s, const char *want)
{
    struct buf got = {0};
    for (int i = 0; i < 3000 && got.n < strlen(want); i++, usleep(1000)) {
        pthread_mutex_lock(&s->lock);
        buf_put(&got, buf_str(&s->heard));
        buf_clear(&s->heard);
        pthread_mutex_unlock(&s->lock);
    }
    CHECK_STR(buf_str(&got), want);
    buf_done(&got);
}

static void check_query(struct stage *s, size_t at, const char *part)
{
    pthread_mutex_lock(&s->fake.lock);
    bool ok = at < s->fake.query_n && strstr(s->fake.query[at], part);
    pthread_mutex_unlock(&s->fake.lock);
    if (!ok)
        test_fail(__FILE__, __LINE__, "request %zu is \"%s\", without \"%s\"", at,
                  s->fake.query[at], part);
}

static void start_with(struct stage *s, const char *list)
{
    stage_open(s, NULL);
    fake_answer(&s->fake, 200, list);
    cache_start(s->cache);
    CHECK(cache_wait_synced(s->cache, 3000));
    fake_wait_stream(&s->fake, 1);
}

TEST(objects_know_their_names)
{
    struct err err;
    struct bytes *b = bytes_new(STR(POD("web-0", "7")));
    struct obj *o = obj_new(b, &err);
    bytes_unref(b);
    CHECK_STR(obj_key(o), "default/web-0");
    CHECK_STR(obj_ns(o), "default");
    CHECK_STR(obj_name(o), "web-0");
    CHECK_STR(obj_uid(o), "u-web-0");
    CHECK_STR(obj_rv(o), "7");
    obj_unref(o);
    b = bytes_new(STR("{\"metadata\":{\"name\":\"node-1\"}}"));
    o = obj_new(b, &err);
    bytes_unref(b);
    CHECK_STR(obj_key(o), "node-1");
    CHECK_STR(obj_ns(o), "");
    obj_unref(o);
    b = bytes_new(STR("[1]"));
    CHECK(!obj_new(b, &err));
    bytes_unref(b);
}

static void hear_text(void *arg, enum cache_change change, struct obj *old, struct obj *now)
{
    CHECK(!old || !obj_json(old));
    CHECK(!now || obj_json(now));
    hear(arg, change, old, now);
}

TEST(a_cache_without_texts_shows_them_to_the_handler_only)
{
    struct stage s = {.heard = {0}};
    struct err err;
    struct doc d = {0};
    s.client = fake_client(&s.fake);
    pthread_mutex_init(&s.lock, NULL);
    struct cache_config config = {
        .resource = &RES_PODS, .handler = hear_text, .arg = &s, .bare = true};
    CHECK_OK(cache_new(s.client, &config, &s.cache, &err), &err);
    fake_answer(&s.fake, 200, LIST("10", "", POD("a", "3")));
    cache_start(s.cache);
    fake_wait_stream(&s.fake, 1);
    check_heard(&s, "+default/a@3 ");
    struct obj *o = cache_get(s.cache, STR("default/a"));
    CHECK_STR(obj_key(o), "default/a");
    CHECK_STR(obj_uid(o), "u-a");
    CHECK_STR(obj_rv(o), "3");
    CHECK(!obj_parse(o, &d));
    obj_unref(o);
    fake_feed(&s.fake, EVENT("MODIFIED", POD("a", "11")) EVENT("DELETED", POD("a", "12")));
    check_heard(&s, "~default/a@3>11 -default/a@11 ");
    stage_close(&s);
}

TEST(a_list_is_read_page_by_page_and_watched_from_its_revision)
{
    struct stage s;
    stage_open(&s, "app=web,tier in (a)");
    fake_answer(&s.fake, 200, LIST("10", "more", POD("a", "3") "," POD("b", "4")));
    fake_answer(&s.fake, 200, LIST("10", "", POD("c", "5")));
    CHECK(!cache_synced(s.cache));
    cache_start(s.cache);
    CHECK(cache_wait_synced(s.cache, 3000));
    check_heard(&s, "+default/a@3 +default/b@4 +default/c@5 ");
    fake_wait_stream(&s.fake, 1);
    check_query(&s, 0, "/api/v1/pods?limit=500&labelSelector=app%3Dweb%2Ctier%20in%20%28a%29");
    check_query(&s, 1, "continue=more");
    check_query(&s, 2, "watch=true&allowWatchBookmarks=true&timeoutSeconds=");
    check_query(&s, 2, "&resourceVersion=10");
    stage_close(&s);
}

TEST(watch_events_change_the_picture)
{
    struct stage s;
    start_with(&s, LIST("10", "", POD("a", "3")));
    check_heard(&s, "+default/a@3 ");
    fake_feed(&s.fake, EVENT("ADDED", POD("b", "11")) EVENT("MODIFIED", POD("a", "12")));
    check_heard(&s, "+default/b@11 ~default/a@3>12 ");
    fake_feed(&s.fake, "{\"type\":\"DELE");
    fake_feed(&s.fake, "TED\",\"object\":" POD("b", "13") "}");
    check_heard(&s, "-default/b@11 ");
    struct obj *o = cache_get(s.cache, STR("default/a"));
    CHECK_STR(obj_rv(o), "12");
    obj_unref(o);
    CHECK(!cache_get(s.cache, STR("default/b")));
    stage_close(&s);
}

TEST(a_dropped_stream_goes_on_from_the_last_bookmark)
{
    struct stage s;
    start_with(&s, LIST("10", "", ""));
    fake_feed(&s.fake, EVENT("ADDED", POD("a", "11")));
    fake_feed(&s.fake, EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"40\"}}"));
    check_heard(&s, "+default/a@11 ");
    usleep(5000);
    struct err err;
    err_internal(&err, "connection reset");
    fake_end(&s.fake, &err);
    fake_wait_stream(&s.fake, 2);
    check_query(&s, 2, "&resourceVersion=40");
    fake_feed(&s.fake, EVENT("MODIFIED", POD("a", "41")));
    check_heard(&s, "~default/a@11>41 ");
    stage_close(&s);
}

TEST(after_410_the_differences_to_a_new_list_are_told)
{
    struct stage s;
    start_with(&s, LIST("10", "", POD("a", "1") "," POD("b", "2") "," POD("c", "3")));
    check_heard(&s, "+default/a@1 +default/b@2 +default/c@3 ");
    /* While nobody watched: a was deleted, b changed, c stayed, d came. */
    fake_answer(&s.fake, 200, LIST("90", "", POD("b", "50") "," POD("c", "3") "," POD("d", "60")));
    fake_feed(&s.fake, EVENT("ERROR", GONE));
    check_heard(&s, "~default/b@2>50 +default/d@60 -default/a@1 ");
    fake_wait_stream(&s.fake, 2);
    check_query(&s, 3, "&resourceVersion=90");
    stage_close(&s);
}

TEST(a_refused_watch_with_410_lists_again)
{
    struct stage s;
    start_with(&s, LIST("10", "", ""));
    fake_answer(&s.fake, 200, LIST("20", "", POD("a", "15")));
    struct err err;
    err_set(&err, 410, "Expired", "too old resource version");
    fake_end(&s.fake, &err);
    check_heard(&s, "+default/a@15 ");
    stage_close(&s);
}

TEST(an_expired_continue_token_begins_again_without_pages)
{
    struct stage s;
    stage_open(&s, NULL);
    fake_answer(&s.fake, 200, LIST("10", "more", POD("a", "3")));
    fake_answer(&s.fake, 410, GONE);
    fake_answer(&s.fake, 200, LIST("20", "", POD("b", "12")));
    cache_start(s.cache);
    check_heard(&s, "+default/b@12 ");
    check_query(&s, 2, "/api/v1/pods?");
    CHECK(!strstr(s.fake.query[2], "limit"));
    stage_close(&s);
}

TEST(a_server_that_is_away_is_asked_again)
{
    struct stage s;
    stage_open(&s, NULL);
    fake_answer(&s.fake, 0, NULL);
    fake_answer(&s.fake, 503, "not ready");
    fake_answer(&s.fake, 200, LIST("20", "", POD("b", "12")));
    cache_start(s.cache);
    CHECK(!cache_wait_synced(s.cache, 100));
    CHECK(cache_wait_synced(s.cache, 3000));
    check_heard(&s, "+default/b@12 ");
    stage_close(&s);
}

TEST(rubbish_on_the_stream_reconnects)
{
    struct stage s;
    start_with(&s, LIST("10", "", ""));
    fake_feed(&s.fake, "<html>");
    fake_wait_stream(&s.fake, 2);
    check_query(&s, 2, "&resourceVersion=10");
    stage_close(&s);
}

static void check_index(struct cache *k, const char *node, const char *want)
{
    struct obj **objs;
    struct buf got = {0};
    size_t n = cache_by_index(k, 0, str_of(node), &objs);
    for (size_t i = 0; i < n; i++) {
        buf_put(&got, obj_name(objs[i]));
        buf_putc(&got, ' ');
    }
    CHECK_STR(buf_str(&got), want);
    buf_done(&got);
    obj_unref_all(objs, n);
}

TEST(indexes_follow_the_objects)
{
    struct stage s;
    start_with(&s, LIST("10", "", POD("b", "1") "," POD("a", "1") "," POD("c", "2")));
    check_index(s.cache, "n1", "a b ");
    check_index(s.cache, "n2", "c ");
    check_heard(&s, "+default/a@1 +default/b@1 +default/c@2 ");
    fake_feed(&s.fake, EVENT("MODIFIED", POD("a", "2")) EVENT("DELETED", POD("b", "12")));
    check_heard(&s, "~default/a@1>2 -default/b@1 ");
    check_index(s.cache, "n1", "");
    check_index(s.cache, "n2", "a c ");
    stage_close(&s);
}

TEST(all_and_those_of_a_namespace_come_ordered)
{
    struct stage s;
    start_with(
        &s,
        LIST("10", "",
             POD("b", "1") ",{\"metadata\":{\"name\":\"z\",\"namespace\":\"default-2\"}},"
                           "{\"metadata\":{\"name\":\"y\",\"namespace\":\"a\"}}," POD("a", "1")));
    struct obj **objs;
    size_t n = cache_all(s.cache, &objs);
    CHECK_INT(n, 4);
    CHECK_STR(obj_key(objs[0]), "a/y");
    CHECK_STR(obj_key(objs[1]), "default-2/z");
    CHECK_STR(obj_key(objs[3]), "default/b");
    obj_unref_all(objs, n);
    n = cache_in_ns(s.cache, STR("default"), &objs);
    CHECK_INT(n, 2);
    CHECK_STR(obj_key(objs[0]), "default/a");
    obj_unref_all(objs, n);
    stage_close(&s);
}

TEST(a_cache_that_never_synced_can_be_freed)
{
    struct stage s;
    stage_open(&s, NULL);
    cache_start(s.cache);
    stage_close(&s);
    stage_open(&s, NULL);
    stage_close(&s);
}

static int64_t heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2();
    return (int64_t)(m.uordblks + m.hblkhd);
}

/* Beside its own text, an object costs its key, the counts and a pointer in each order. */
TEST(ten_thousand_objects_cost_little_beside_their_bytes)
{
    enum { N = 10000, COST = 200 };
    struct stage s;
    struct buf text = {0};
    int64_t own = 0;
    buf_puts(&text, "{\"metadata\":{\"resourceVersion\":\"10\"},\"items\":[");
    for (int i = 0; i < N; i++) {
        buf_puts(&text, i ? "," : "");
        size_t before = text.n;
        buf_printf(&text,
                   "{\"metadata\":{\"name\":\"pod-%05d\",\"namespace\":\"default\","
                   "\"resourceVersion\":\"%d\"},\"spec\":{\"nodeName\":\"node-%d\"}}",
                   i, i + 2, i % 100);
        own += (int64_t)(text.n - before);
    }
    buf_puts(&text, "]}");
    int64_t heap = heap_bytes();
    start_with(&s, buf_z(&text));
    buf_done(&s.heard);
    heap = heap_bytes() - heap; /* sanitizers count nothing: 0 */
    CHECK(heap - own < (int64_t)N * COST);
    struct obj **objs;
    size_t n = cache_by_index(s.cache, 0, STR("node-7"), &objs);
    CHECK_INT(n, N / 100);
    obj_unref_all(objs, n);
    stage_close(&s);
    buf_done(&text);
}
