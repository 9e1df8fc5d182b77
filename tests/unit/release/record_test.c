/* Records of releases: what real helm wrote is read and written again byte for byte, and what
 * nobody should have written is refused. helm.record is the Secret of a release that helm 3.22
 * installed, from a chart that uses every field. */
#include <stdlib.h>
#include <zlib.h>

#include "base/file.h"
#include "release/release.h"
#include "template/gobase.h"

#include "test.h"

static struct arena arena;
static struct chart_ctx cx = {.arena = &arena};

static struct str file(const char *path)
{
    struct buf b = {0};
    struct err err;
    CHECK_OK(file_read(path, 1 << 20, &b, &err), &err);
    struct str text = arena_dup(&arena, str_trim(buf_str(&b)));
    buf_done(&b);
    return text;
}

static struct str unpack(struct str record)
{
    struct buf packed = {0}, json = {0};
    size_t at;
    CHECK(gobase64_decode(&packed, record, &at) == 0);
    z_stream z = {.next_in = (Bytef *)packed.p, .avail_in = (uInt)packed.n};
    CHECK(inflateInit2(&z, 16 + MAX_WBITS) == Z_OK);
    z.next_out = (Bytef *)buf_reserve(&json, 1 << 20);
    z.avail_out = 1 << 20;
    CHECK(inflate(&z, Z_FINISH) == Z_STREAM_END);
    json.n = z.total_out;
    inflateEnd(&z);
    struct str text = arena_dup(&arena, buf_str(&json));
    buf_done(&packed);
    buf_done(&json);
    return text;
}

static struct release *decode(struct str record)
{
    struct release *r = NULL;
    if (release_decode(&cx, record, &r) != 0)
        test_fail(__FILE__, __LINE__, "%.*s", STR_ARG(cx.error));
    return r;
}

static struct str json_of(const struct release *r)
{
    struct buf b = {0};
    CHECK(release_write_json(&cx, r, &b) == 0);
    struct str text = arena_dup(&arena, buf_str(&b));
    buf_done(&b);
    return text;
}

static struct str base64(struct str s)
{
    struct buf b = {0};
    gobase64_write(&b, s);
    struct str text = arena_dup(&arena, buf_str(&b));
    buf_done(&b);
    return text;
}

TEST(a_record_of_real_helm_is_understood)
{
    struct release *r = decode(file(RECORD));
    CHECK_STR(r->name, "full");
    CHECK_STR(r->namespace, "default");
    CHECK_INT(r->version, 1);
    CHECK(r->status == RELEASE_DEPLOYED);
    CHECK_STR(r->description, "Install complete");
    CHECK_STR(r->notes, "Thanks for full <3\n");
    CHECK_INT(r->first_deployed.offset_s, 3600);
    CHECK(r->deleted.ns == 0);
    CHECK_STR(r->chart->meta.version, "1.2.3");
    CHECK(r->chart->meta.deprecated && r->chart->lock && r->chart->has_schema);
    CHECK_INT(r->chart->templates.n, 3);
    CHECK_STR(chart_files_find(&r->chart->files, "README.md")->data, "hello\n");
    CHECK_STR(value_text(*vmap_get(r->config, STR("q"))), "12");
    CHECK_INT(r->hook_count, 2);
    const struct release_hook *h = &r->hooks[0];
    CHECK_INT(h->events, 1 << HOOK_PRE_UPGRADE | 1 << HOOK_POST_INSTALL | 1 << HOOK_TEST);
    CHECK_INT(h->weight, -5);
    CHECK_INT(h->delete_policies, HOOK_ON_FAILED | HOOK_BEFORE_CREATION);
    CHECK_INT(h->output_log_policies, HOOK_ON_FAILED);
    CHECK(h->phase == HOOK_PHASE_SUCCEEDED && h->completed.ns > h->started.ns);
}

TEST(a_record_of_real_helm_is_written_byte_for_byte)
{
    struct str record = file(RECORD), json = unpack(record);
    CHECK_STR(json_of(decode(record)), json.p);
}

TEST(encoding_leads_back)
{
    struct release *r = decode(file(RECORD));
    struct buf b = {0};
    CHECK(release_encode(&cx, r, &b) == 0);
    CHECK_STR(json_of(decode(buf_str(&b))), json_of(r).p);
    buf_done(&b);
}

TEST(a_release_of_nothing_has_only_what_helm_never_leaves_out)
{
    CHECK_STR(json_of(&(struct release){0}),
              "{\"info\":{\"first_deployed\":\"\",\"last_deployed\":\"\",\"deleted\":\"\","
              "\"status\":\"unknown\"}}");
    struct chart none = {0};
    CHECK_STR(json_of(&(struct release){.name = STR("a"), .version = 2, .chart = &none}),
              "{\"name\":\"a\",\"info\":{\"first_deployed\":\"\",\"last_deployed\":\"\","
              "\"deleted\":\"\",\"status\":\"unknown\"},\"chart\":{\"metadata\":null,\"lock\":"
              "null,\"templates\":null,\"values\":null,\"schema\":null,\"files\":null},"
              "\"version\":2}");
}

TEST(records_from_before_compression_are_read)
{
    struct release *r = decode(base64(STR("{\"name\":\"old\",\"version\":7}")));
    CHECK_STR(r->name, "old");
    CHECK_INT(r->version, 7);
}

TEST(a_policy_that_was_set_since_is_written_behind_the_chart_s)
{
    struct str names[] = {STR("odd"), STR("hook-failed")};
    struct release_hook h = {.delete_names = {names, 2},
                             .delete_policies = HOOK_ON_FAILED | HOOK_BEFORE_CREATION};
    struct str json = json_of(&(struct release){.hooks = &h, .hook_count = 1});
    CHECK(str_find(json, STR("\"delete_policies\":[\"odd\",\"hook-failed\","
                             "\"before-hook-creation\"]")) > 0);
}

TEST(wrong_records_are_refused)
{
    static const struct {
        const char *json, *error;
    } cases[] = {
        {"", "unexpected end of JSON input"},
        {"[]", "json: cannot unmarshal array into Go value of type release.Release"},
        {"{\"name\":1}", "json: cannot unmarshal number into Go struct field Release.name of type "
                         "string"},
        {"{\"version\":1.5}", "json: cannot unmarshal number into Go struct field Release.version "
                              "of type int"},
        {"{\"version\":99999999999}", "json: cannot unmarshal number into Go struct field "
                                      "Release.version of type int"},
        {"{\"info\":[]}", "json: cannot unmarshal array into Go struct field Release.info of type "
                          "release.Info"},
        {"{\"info\":{\"deleted\":\"soon\"}}",
         "parsing time \"soon\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"soon\" as "
         "\"2006\""},
        {"{\"chart\":{\"templates\":[{\"name\":\"a\",\"data\":\"%\"}]}}",
         "illegal base64 data at input byte 0"},
        {"{\"chart\":{\"files\":{}}}", "json: cannot unmarshal object into Go struct field "
                                       "Chart.files of type []*chart.File"},
        {"{\"hooks\":[{\"events\":[1]}]}", "json: cannot unmarshal number into Go struct field "
                                           "Hook.events of type string"},
    };
    struct release *r;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(release_read_json(&cx, str_of(cases[i].json), &r) == -1);
        CHECK_STR(cx.error, cases[i].error);
    }
}

TEST(lists_with_holes_lose_them)
{
    struct release *r;
    CHECK(release_read_json(&cx,
                            STR("{\"chart\":{\"metadata\":{\"maintainers\":[null,{\"name\":\"a\"}],"
                                "\"dependencies\":[null]},\"lock\":{\"dependencies\":[null]},"
                                "\"templates\":[null]},\"hooks\":[null]}"),
                            &r) == 0);
    CHECK_INT(r->chart->meta.maintainer_count, 1);
    CHECK_INT(r->chart->meta.dependency_count + r->chart->lock->dependency_count, 0);
    CHECK_INT(r->chart->templates.n + r->hook_count, 0);
    CHECK(json_of(r).n > 0);
}

TEST(what_unpacks_to_too_much_is_refused)
{
    static char zeros[1 << 20];
    struct buf packed = {0};
    struct release *r;
    z_stream z = {0};
    CHECK(deflateInit2(&z, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    for (int i = 0; i < 66; i++) {
        z.next_in = (Bytef *)zeros;
        z.avail_in = sizeof zeros;
        z.next_out = (Bytef *)buf_reserve(&packed, 1 << 20);
        z.avail_out = 1 << 20;
        CHECK(deflate(&z, i == 65 ? Z_FINISH : Z_NO_FLUSH) >= 0);
        packed.n += (1 << 20) - z.avail_out;
    }
    deflateEnd(&z);
    CHECK(release_decode(&cx, base64(buf_str(&packed)), &r) == -1);
    CHECK_STR(cx.error, "the release is larger than 67108864 bytes");
    buf_done(&packed);
}

TEST(broken_encodings_are_refused)
{
    struct release *r;
    struct str record = file(RECORD);
    CHECK(release_decode(&cx, STR("a%"), &r) == -1);
    CHECK_STR(cx.error, "illegal base64 data at input byte 1");
    CHECK(release_decode(&cx, str_head(record, record.n / 8 * 4), &r) == -1);
    CHECK_STR(cx.error, "unexpected EOF");
}

TEST(times_are_helm_s)
{
    static const char *const same[] = {"", "2026-11-24T16:12:04.586844527+01:00",
                                       "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.6-03:30"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct release_time t;
        struct buf b = {0};
        CHECK(release_time_parse(str_of(same[i]), &t) == 0);
        release_time_write(t, &b);
        CHECK_STR(buf_str(&b), same[i]);
        buf_done(&b);
    }
    struct release_time t;
    CHECK(release_time_parse(STR("0001-01-01T00:00:00Z"), &t) == 0 && t.ns == 0);
    CHECK(release_time_parse(STR("yesterday"), &t) == -1);
    CHECK(release_now().ns > 0);
}

TEST(the_arena_is_freed)
{
    arena_done(&arena);
}
