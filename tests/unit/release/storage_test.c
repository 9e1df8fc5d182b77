/* The history of releases, over the driver that needs no cluster, and over the wire's two forms. */
#include "../client/fake.h"
#include "release/storage.h"

static struct storage *open_memory(struct chart_ctx *cx, int history_max)
{
    struct storage *s;
    CHECK(storage_open(cx, NULL, STR("memory"), STR("ns"), history_max, &s) == 0);
    return s;
}

static struct release make(const char *name, int version, enum release_status status)
{
    return (struct release){
        .name = str_of(name), .namespace = STR("ns"), .version = version, .status = status};
}

static void keep(struct storage *s, const char *name, int version, enum release_status status)
{
    struct release r = make(name, version, status);
    CHECK(storage_create(s, &r) == STORAGE_OK);
}

TEST(what_was_created_is_there_until_it_is_deleted)
{
    struct arena a = {0};
    struct chart_ctx cx = {.arena = &a};
    struct storage *s = open_memory(&cx, 0);
    struct release *r;
    keep(s, "web", 1, RELEASE_DEPLOYED);
    struct release again = make("web", 1, RELEASE_FAILED);
    CHECK(storage_create(s, &again) == STORAGE_EXISTS);
    CHECK_STR(cx.error, "release: already exists");
    CHECK(storage_get(s, STR("web"), 1, &r) == STORAGE_OK && r->status == RELEASE_DEPLOYED);
    CHECK(storage_update(s, &again) == STORAGE_OK);
    CHECK(storage_get(s, STR("web"), 1, &r) == STORAGE_OK && r->status == RELEASE_FAILED);
    CHECK(storage_delete(s, STR("web"), 1) == STORAGE_OK);
    CHECK(storage_get(s, STR("web"), 1, &r) == STORAGE_NOT_FOUND);
    CHECK(storage_delete(s, STR("web"), 1) == STORAGE_NOT_FOUND);
    CHECK(storage_update(s, &again) == STORAGE_NOT_FOUND);
    CHECK_STR(cx.error, "release: not found");
    arena_done(&a);
}

TEST(a_history_is_sorted_and_knows_its_last_and_its_deployed_revision)
{
    struct arena a = {0};
    struct chart_ctx cx = {.arena = &a};
    struct storage *s = open_memory(&cx, 0);
    struct release_list list;
    struct release *r;
    keep(s, "web", 10, RELEASE_FAILED);
    keep(s, "web", 9, RELEASE_DEPLOYED);
    keep(s, "web", 2, RELEASE_SUPERSEDED);
    keep(s, "db", 1, RELEASE_UNINSTALLED);
    CHECK(storage_history(s, STR("web"), &list) == STORAGE_OK && list.n == 3);
    CHECK_INT(list.items[0]->version, 2);
    CHECK_INT(list.items[2]->version, 10);
    CHECK(storage_last(s, STR("web"), &r) == STORAGE_OK && r->version == 10);
    CHECK(storage_deployed(s, STR("web"), &r) == STORAGE_OK && r->version == 9);
    CHECK(storage_deployed(s, STR("db"), &r) == STORAGE_NOT_FOUND);
    CHECK_STR(cx.error, "\"db\" has no deployed releases");
    CHECK(storage_history(s, STR("none"), &list) == STORAGE_NOT_FOUND);
    CHECK(storage_list(s, STR(""), &list) == STORAGE_OK && list.n == 4);
    CHECK(storage_list(s, STR("status in (failed,deployed)"), &list) == STORAGE_OK && list.n == 2);
    arena_done(&a);
}

TEST(heads_are_what_lists_show)
{
    struct arena a = {0};
    struct chart_ctx cx = {.arena = &a};
    struct storage *s = open_memory(&cx, 0);
    struct release_list list;
    struct chart chart = {.has_meta = true, .meta.name = STR("c"), .values = vmap_new(&a, 0)};
    for (int version = 9; version <= 11; version++) {
        struct release r = make("web", version, RELEASE_FAILED);
        r.chart = &chart;
        r.manifest = STR("kind: Pod");
        CHECK(storage_create(s, &r) == STORAGE_OK);
    }
    keep(s, "db", 1, RELEASE_DEPLOYED);
    CHECK(storage_heads(s, STR(""), false, &list) == STORAGE_OK && list.n == 4);
    CHECK(storage_heads(s, STR(""), true, &list) == STORAGE_OK && list.n == 2);
    for (size_t i = 0; i < list.n; i++)
        CHECK_INT(list.items[i]->version, str_is(list.items[i]->name, "web") ? 11 : 1);
    CHECK(storage_heads(s, STR("web"), false, &list) == STORAGE_OK && list.n == 3);
    CHECK_INT(list.items[2]->version, 11);
    CHECK_STR(list.items[2]->chart->meta.name, "c");
    CHECK(list.items[2]->manifest.n == 0 && !list.items[2]->chart->values);
    arena_done(&a);
}

TEST(labels_of_the_user_are_kept_and_those_of_helm_are_not_shown)
{
    struct arena a = {0};
    struct chart_ctx cx = {.arena = &a};
    struct storage *s = open_memory(&cx, 0);
    struct release r = make("web", 1, RELEASE_DEPLOYED), *got;
    struct release_list list;
    r.labels = vmap_new(&a, 1);
    vmap_set(r.labels, STR("team"), value_z("red"));
    CHECK(storage_create(s, &r) == STORAGE_OK);
    CHECK(storage_get(s, STR("web"), 1, &got) == STORAGE_OK);
    CHECK_INT(vmap_len(got->labels), 1);
    CHECK_STR(value_text(*vmap_get(got->labels, STR("team"))), "red");
    CHECK(storage_list(s, STR("team=red,version=1"), &list) == STORAGE_OK && list.n == 1);
    arena_done(&a);
}

TEST(a_limited_history_drops_the_oldest_but_never_the_deployed_revision)
{
    struct arena a = {0};
    struct chart_ctx cx = {.arena = &a};
    struct storage *s = open_memory(&cx, 3);
    struct release_list list;
    keep(s, "web", 1, RELEASE_DEPLOYED);
    for (int version = 2; version <= 6; version++)
        keep(s, "web", version, RELEASE_FAILED);
    CHECK(storage_history(s, STR("web"), &list) == STORAGE_OK);
    CHECK_INT(list.n, 3);
    CHECK_INT(list.items[0]->version, 1);
    CHECK_INT(list.items[1]->version, 5);
    CHECK_INT(list.items[2]->version, 6);
    arena_done(&a);
}

TEST(unknown_drivers_are_refused)
{
    struct arena a = {0};
    struct chart_ctx cx = {.arena = &a};
    struct storage *s;
    CHECK(storage_open(&cx, NULL, STR("stone"), STR("ns"), 0, &s) == -1);
    CHECK_STR(cx.error, "unknown driver \"stone\"");
    arena_done(&a);
}

/* "{}" as record, in base64 as release_encode leaves it, and once more as a Secret has it. */
#define SECRET_OF(name, version)                                                                   \
    "{\"metadata\":{\"name\":\"sh.helm.release.v1." name ".v" version                              \
    "\",\"namespace\":\"ns\",\"labels\":{\"owner\":\"helm\",\"a\":\"b\"}},"                        \
    "\"data\":{\"release\":\"ZXlKdVlXMWxJam9pZDJWaUluMD0=\"}}"

TEST(lists_of_secrets_are_read_page_by_page)
{
    struct arena a = {0};
    struct chart_ctx cx = {.arena = &a};
    struct fake f;
    struct client *c = fake_client(&f);
    struct storage *s;
    struct release_list list;
    CHECK(storage_open(&cx, c, STR(""), STR(""), 0, &s) == 0);
    fake_answer(&f, 200,
                "{\"metadata\":{\"continue\":\"t+1\"},\"items\":[" SECRET_OF("web", "1") "]}");
    fake_answer(&f, 200,
                "{\"metadata\":{},\"items\":[" SECRET_OF("web", "2") ",{\"data\":{\"release\":"
                                                                     "\"IQ==\"}}]}");
    CHECK(storage_list(s, STR("a=b"), &list) == STORAGE_OK);
    CHECK_INT(list.n, 2); /* what cannot be decoded is passed over */
    CHECK_STR(list.items[0]->name, "web");
    CHECK_INT(vmap_len(list.items[0]->labels), 1);
    CHECK_STR(str_of(f.query[0]), "/api/v1/secrets?limit=100&labelSelector=owner%3Dhelm%2Ca%3Db");
    CHECK_STR(str_of(f.query[1]),
              "/api/v1/secrets?limit=100&labelSelector=owner%3Dhelm%2Ca%3Db&continue=t%2B1");
    client_free(c);
    arena_done(&a);
}

TEST(an_older_revision_stands_in_for_one_that_cannot_be_read)
{
    struct arena a = {0};
    struct chart_ctx cx = {.arena = &a};
    struct fake f;
    struct client *c = fake_client(&f);
    struct storage *s;
    struct release_list list;
    const char *page =
        "{\"metadata\":{},\"items\":[{\"metadata\":{\"labels\":{\"name\":\"web\","
        "\"version\":\"1\"}},\"data\":{\"release\":\"ZXlKdVlXMWxJam9pZDJWaUluMD0=\"}},"
        "{\"metadata\":{\"labels\":{\"name\":\"web\",\"version\":\"2\"}},\"data\":{"
        "\"release\":\"IQ==\"}}]}";
    CHECK(storage_open(&cx, c, STR(""), STR("ns"), 0, &s) == 0);
    fake_answer(&f, 200, page);
    fake_answer(&f, 200, page);
    CHECK(storage_heads(s, STR(""), true, &list) == STORAGE_OK && list.n == 1);
    CHECK_STR(list.items[0]->name, "web");
    client_free(c);
    arena_done(&a);
}

TEST(refusals_of_the_server_are_passed_on_as_helm_words_them)
{
    struct arena a = {0};
    struct chart_ctx cx = {.arena = &a};
    struct fake f;
    struct client *c = fake_client(&f);
    struct storage *s;
    struct release r = make("web", 1, RELEASE_DEPLOYED), *got;
    const char *forbidden = "{\"kind\":\"Status\",\"code\":403,\"reason\":\"Forbidden\","
                            "\"message\":\"no\"}";
    for (int i = 0; i < 4; i++)
        fake_answer(&f, 403, forbidden);
    CHECK(storage_open(&cx, c, STR("secret"), STR("ns"), 0, &s) == 0);
    CHECK(storage_create(s, &r) == STORAGE_FAILED);
    CHECK_STR(cx.error, "create: failed to create: no");
    CHECK(storage_update(s, &r) == STORAGE_FAILED);
    CHECK_STR(cx.error, "update: failed to update: no");
    CHECK(storage_get(s, STR("web"), 1, &got) == STORAGE_FAILED);
    CHECK_STR(cx.error, "get: failed to get \"sh.helm.release.v1.web.v1\": no");
    CHECK(storage_last(s, STR("web"), &got) == STORAGE_FAILED);
    CHECK_STR(cx.error, "query: failed to query with labels: no");
    CHECK_STR(str_of(f.query[0]), "/api/v1/namespaces/ns/secrets?");
    CHECK_STR(str_of(f.query[2]), "/api/v1/namespaces/ns/secrets/sh.helm.release.v1.web.v1?");
    client_free(c);
    arena_done(&a);
}
