#include "client/scan.h"

#include "base/buf.h"
#include "test.h"

TEST(members_are_found_without_parsing)
{
    struct str text =
        STR(" { \"a\" : 1, \"b\":{\"a\":[1,2,\"}\"]} ,\"c\":\"x\\\"y\", \"d\": null}");
    CHECK_STR(scan_member(text, "a"), "1");
    CHECK_STR(scan_member(text, "b"), "{\"a\":[1,2,\"}\"]}");
    CHECK_STR(scan_member(text, "c"), "\"x\\\"y\"");
    CHECK_STR(scan_member(text, "d"), "null");
    CHECK_STR(scan_member(text, "e"), "");
    CHECK_STR(scan_member(scan_member(text, "b"), "a"), "[1,2,\"}\"]");
}

TEST(strings_with_escapes_are_not_taken)
{
    CHECK_STR(scan_string(STR("\"plain\"")), "plain");
    CHECK_STR(scan_string(STR("\"a\\nb\"")), "");
    CHECK_STR(scan_string(STR("12")), "");
    CHECK_STR(scan_string(STR("\"")), "");
}

TEST(elements_are_walked_in_order)
{
    struct scan s;
    struct str key, value;
    struct buf got = {0};
    CHECK(scan_open(STR("[1, {\"x\":[]} ,\"s\", [ ] ]"), &s));
    while (scan_next(&s, &key, &value)) {
        buf_put(&got, value);
        buf_putc(&got, '|');
    }
    CHECK_STR(buf_str(&got), "1|{\"x\":[]}|\"s\"|[ ]|");
    buf_done(&got);
}

TEST(damaged_text_ends_the_walk)
{
    const char *texts[] = {"{\"a\"",       "{\"a\":", "{a:1}", "{\"",
                           "{\"a\":\"x\\", "{]",      "{,,",   "{\"a\" 1}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        CHECK_STR(scan_member(str_of(texts[i]), "b"), "");
}

static void collect(void *arg, struct str value)
{
    buf_put(arg, value);
    buf_putc(arg, '|');
}

TEST(a_stream_is_cut_into_objects_however_it_arrives)
{
    const char text[] = "{\"a\":\"}{\"}\n{\"b\":[{\"c\":\"\\\\\\\"\"}]}\n\n{}";
    for (size_t size = 1; size < sizeof(text); size++) {
        struct frames f = {0};
        struct buf got = {0};
        for (size_t at = 0; at < sizeof(text) - 1; at += size)
            CHECK(frames_feed(&f, str_head(str_from(str_of(text), at), size), collect, &got));
        CHECK_STR(buf_str(&got), "{\"a\":\"}{\"}|{\"b\":[{\"c\":\"\\\\\\\"\"}]}|{}|");
        frames_done(&f);
        buf_done(&got);
    }
}

TEST(what_is_no_object_ends_the_stream)
{
    struct frames f = {0};
    struct buf got = {0};
    CHECK(!frames_feed(&f, STR("{}\nInternal Server Error"), collect, &got));
    CHECK_STR(buf_str(&got), "{}|");
    frames_done(&f);
    buf_done(&got);
}
