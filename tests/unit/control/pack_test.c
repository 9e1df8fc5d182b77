#include "control/pack.h"

#include "test.h"

static void check_round_trip(struct str text)
{
    struct buf b = {0};
    struct bytes *packed = pack(text);
    CHECK(unpack(bytes_str(packed), &b));
    CHECK_INT(b.n, text.n);
    CHECK(!text.n || memcmp(b.p, text.p, text.n) == 0);
    bytes_unref(packed);
    buf_done(&b);
}

TEST(what_is_packed_comes_back)
{
    check_round_trip((struct str){0});
    check_round_trip(STR("x"));
    check_round_trip(STR("{\"kind\":\"Pod\",\"apiVersion\":\"v1\"}"));
    struct buf noise = {0};
    uint32_t r = 1;
    for (int i = 0; i < 100000; i++)
        buf_putc(&noise, (char)((r = r * 1664525 + 1013904223) >> 24));
    check_round_trip(buf_str(&noise));
    buf_done(&noise);
}

TEST(a_usual_object_becomes_small)
{
    struct str pod = STR(
        "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web-0\",\"namespace\":"
        "\"default\",\"uid\":\"9d9a01c4\",\"resourceVersion\":\"17\"},\"spec\":{\"dnsPolicy\":"
        "\"ClusterFirst\",\"restartPolicy\":\"Always\",\"schedulerName\":\"default-scheduler\","
        "\"securityContext\":{},\"terminationGracePeriodSeconds\":30,\"enableServiceLinks\":true,"
        "\"serviceAccountName\":\"default\",\"serviceAccount\":\"default\"}}");
    struct bytes *packed = pack(pod);
    CHECK(packed->n < pod.n / 3);
    bytes_unref(packed);
}

TEST(other_bytes_are_refused)
{
    struct buf b = {0};
    CHECK(!unpack((struct str){0}, &b));
    CHECK(!unpack(STR("zgarbage"), &b));
    CHECK(!unpack(STR("{}"), &b));
    struct bytes *packed = pack(STR("{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{}}"));
    CHECK(!unpack(str_head(bytes_str(packed), packed->n - 2), &b));
    CHECK_INT(b.n, 0);
    bytes_unref(packed);
    buf_done(&b);
}
