/* The parts of the runtime that no controller sees: the queue and what it waits for. */
#include "control/runtime.h"
#include "test.h"

struct clock {
    struct world world;
    int64_t ms;
};

static int64_t clock_mono(struct world *w)
{
    return CONTAINER_OF(w, struct clock, world)->ms;
}

static int64_t clock_wall(struct world *w)
{
    return clock_mono(w) * 1000000;
}

static void clock_random(struct world *w, void *p, size_t n)
{
    (void)w;
    memset(p, 0, n);
}

static struct clock at(int64_t ms)
{
    return (struct clock){{clock_mono, clock_wall, clock_random}, ms};
}

static size_t index_of(const struct controller *c)
{
    size_t i = 0;
    while (controllers[i] != c)
        i++;
    return i;
}

static size_t controller_count(void)
{
    size_t n = 0;
    while (controllers[n])
        n++;
    return n;
}

TEST(queue_holds_a_key_once)
{
    struct clock clock = at(1000);
    struct queue q;
    queue_init(&q, &clock.world, controller_count());
    queue_open(&q);
    queue_mark(&q, 0, STR("a"));
    queue_mark(&q, 0, STR("a"));
    queue_mark(&q, 1, STR("a"));
    CHECK_INT(queue_length(&q), 2);
    queue_done(&q);
}

TEST(queue_gives_a_key_to_one_worker_and_again_when_it_was_marked_meanwhile)
{
    struct clock clock = at(1000);
    struct queue q;
    size_t garbage = index_of(&controller_garbage); /* no minimal interval */
    queue_init(&q, &clock.world, controller_count());
    queue_open(&q);
    queue_mark(&q, garbage, STR("a"));
    struct work *w = queue_take(&q);
    CHECK_STR(w->key, "a");
    queue_mark(&q, garbage, STR("a"));
    CHECK_INT(queue_length(&q), 0);
    queue_put(&q, w, -1);
    CHECK_INT(queue_length(&q), 1);
    CHECK(queue_take(&q) == w);
    queue_put(&q, w, -1);
    CHECK_INT(queue_length(&q), 0);
    queue_done(&q);
}

TEST(queue_lets_time_pass_between_two_looks)
{
    struct clock clock = at(1000);
    struct queue q;
    size_t sets = index_of(&controller_replicaset);
    int64_t interval = controller_replicaset.min_interval_ms;
    queue_init(&q, &clock.world, controller_count());
    queue_open(&q);
    queue_mark(&q, sets, STR("a"));
    queue_put(&q, queue_take(&q), -1);
    queue_mark(&q, sets, STR("a"));
    CHECK_INT(queue_length(&q), 0);
    CHECK_INT(q.timer_count, 1);
    CHECK_INT(q.timers[0]->due, 1000 + interval);
    clock.ms = 1000 + interval;
    queue_put(&q, queue_take(&q), -1);
    queue_done(&q);
}

TEST(queue_fires_timers_in_order)
{
    struct clock clock = at(1000);
    struct queue q;
    queue_init(&q, &clock.world, controller_count());
    queue_open(&q);
    static const int64_t after[] = {50, 10, 40, 20, 30};
    struct work *w[5];
    for (size_t i = 0; i < 5; i++) {
        char key = (char)('a' + i);
        queue_mark(&q, 0, (struct str){&key, 1});
        w[i] = queue_take(&q);
    }
    for (size_t i = 0; i < 5; i++)
        queue_put(&q, w[i], after[i]);
    clock.ms = 2000;
    static const size_t order[] = {1, 3, 4, 2, 0};
    for (size_t i = 0; i < 5; i++)
        CHECK(queue_take(&q) == w[order[i]]);
    queue_done(&q);
}

static void show(struct picture *p, const char *json)
{
    struct doc d = {0};
    val *v;
    struct err err;
    CHECK_OK(doc_parse_json(&d, str_of(json), &v, &err), &err);
    struct bytes *text = bytes_new(str_of(json));
    struct item *i = item_new(KIND_PODS, v, text), *old;
    picture_apply(p, KIND_PODS, i->key, i, &old);
    item_unref(old);
    bytes_unref(text);
    doc_done(&d);
}

TEST(expectations_wait_for_the_version_that_was_written)
{
    struct picture *p = picture_new();
    struct expectations e = {0};
    expect_written(&e, KIND_PODS, 7);
    CHECK(!expect_met(&e, p, 1));
    show(p, "{\"metadata\":{\"namespace\":\"d\",\"name\":\"a\",\"uid\":\"1\",\"resourceVersion\":"
            "\"6\"}}");
    CHECK(!expect_met(&e, p, 2));
    show(p, "{\"metadata\":{\"namespace\":\"d\",\"name\":\"b\",\"uid\":\"2\",\"resourceVersion\":"
            "\"7\"}}");
    CHECK(expect_met(&e, p, 3));
    CHECK(!e.any);
    picture_free(p);
}

TEST(expectations_wait_until_a_deleted_pod_is_seen_to_go)
{
    struct picture *p = picture_new();
    struct expectations e = {0};
    show(p, "{\"metadata\":{\"namespace\":\"d\",\"name\":\"a\",\"uid\":\"1\",\"resourceVersion\":"
            "\"6\"}}");
    const struct action a = {
        .verb = ACT_DELETE, .kind = KIND_PODS, .ns = STR("d"), .name = STR("a"), .uid = STR("1")};
    expect_object(&e, &a);
    CHECK(!expect_met(&e, p, 1));
    show(
        p,
        "{\"metadata\":{\"namespace\":\"d\",\"name\":\"a\",\"uid\":\"1\",\"resourceVersion\":\"8\","
        "\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"}}");
    CHECK(expect_met(&e, p, 2));
    picture_free(p);
}

TEST(expectations_end_with_patience)
{
    struct picture *p = picture_new();
    struct expectations e = {0};
    expect_written(&e, KIND_PODS, 7);
    CHECK(!expect_met(&e, p, 1));
    CHECK(expect_met(&e, p, 60000));
    picture_free(p);
}

TEST(picture_sums_up_what_runs_on_a_node)
{
    struct picture *p = picture_new();
    show(p, "{\"metadata\":{\"namespace\":\"d\",\"name\":\"a\",\"uid\":\"1\",\"resourceVersion\":"
            "\"1\"},"
            "\"spec\":{\"nodeName\":\"n\",\"containers\":[{\"resources\":{\"requests\":{\"cpu\":"
            "\"1500m\","
            "\"memory\":\"1Gi\"}}}]}}");
    struct usage u = picture_usage(p, STR("n"));
    CHECK_INT(u.cpu, 1500);
    CHECK_INT(u.memory, 1 << 30);
    CHECK_INT(u.pods, 1);
    show(p, "{\"metadata\":{\"namespace\":\"d\",\"name\":\"a\",\"uid\":\"1\",\"resourceVersion\":"
            "\"2\"},"
            "\"spec\":{\"nodeName\":\"n\",\"containers\":[{\"resources\":{\"requests\":{\"cpu\":"
            "\"1500m\"}}}]},"
            "\"status\":{\"phase\":\"Succeeded\"}}");
    CHECK_INT(picture_usage(p, STR("n")).pods, 0);
    CHECK_INT(picture_count(p, GROUP_NODE, KIND_PODS, STR("n")), 1);
    picture_free(p);
}
