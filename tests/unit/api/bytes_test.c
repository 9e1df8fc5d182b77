/* Reading stored bytes, routes, and the opaque tokens of lists. */
#include "api/raw.h"
#include "api/route.h"
#include "api/token64.h"
#include "test.h"

#define OBJECT                                                                                     \
    "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\\\"}b\",\"resourceVersion\":\"7\",\"labels\":"   \
    "{\"x\":\"y\"}},\"spec\":{\"list\":[1,{\"n\":\"]\"}],\"on\":true,\"n\":-1.5}}"

TEST(members_of_raw_json)
{
    struct str o = STR(OBJECT);
    CHECK_STR(raw_member(o, "kind"), "\"Pod\"");
    CHECK_STR(raw_path(o, "metadata.labels"), "{\"x\":\"y\"}");
    CHECK_STR(raw_path(o, "spec.list"), "[1,{\"n\":\"]\"}]");
    CHECK_STR(raw_path(o, "spec.on"), "true");
    CHECK_STR(raw_path(o, "spec.n"), "-1.5");
    CHECK(raw_path(o, "spec.none").p == NULL);
    CHECK(raw_path(o, "kind.none").p == NULL);
    CHECK_STR(raw_text(raw_path(o, "metadata.labels.x")), "y");
    CHECK(raw_text(raw_path(o, "metadata.name")).p == NULL); /* escapes need a parser */
}

TEST(raw_json_that_is_cut_off)
{
    struct str o = STR(OBJECT);
    for (size_t n = 0; n < o.n; n++) {
        raw_path(str_head(o, n), "metadata.labels.x");
        raw_path(str_head(o, n), "spec.list");
        raw_member(str_head(o, n), "none");
    }
}

TEST(another_revision)
{
    struct buf b = {0};
    raw_put_revision(STR("{\"metadata\":{\"resourceVersion\":\"7\",\"a\":1}}"), 1234, &b);
    CHECK_STR(buf_str(&b), "{\"metadata\":{\"resourceVersion\":\"1234\",\"a\":1}}");
    buf_done(&b);
}

TEST(tokens)
{
    static const char *const texts[] = {"", "a", "ab", "abc", "\xff\xfe?>", "{\"v\":\"x\"}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct arena a = {0};
        struct buf b = {0};
        struct str back;
        token64_write(str_of(texts[i]), &b);
        CHECK(token64_read(&a, buf_str(&b), &back));
        CHECK_STR(back, texts[i]);
        buf_done(&b);
        arena_done(&a);
    }
    struct arena a = {0};
    struct str back;
    CHECK(!token64_read(&a, STR("a+b/"), &back));
    CHECK(!token64_read(&a, STR("abcde"), &back));
    arena_done(&a);
}

TEST(routes)
{
    static const struct {
        const char *method, *path, *query, *verb, *group, *ns, *resource, *name, *sub;
    } routes[] = {
        {"GET", "/api/v1/pods", "", "list", "", "", "pods", "", ""},
        {"GET", "/api/v1/pods", "watch=1", "watch", "", "", "pods", "", ""},
        {"GET", "/api/v1/pods", "watch=false", "list", "", "", "pods", "", ""},
        {"GET", "/api/v1/namespaces/a/pods/b/log", "", "get", "", "a", "pods", "b", "log"},
        {"GET", "/api/v1/namespaces/a", "", "get", "", "a", "namespaces", "a", ""},
        {"PUT", "/api/v1/namespaces/a/finalize", "", "update", "", "a", "namespaces", "a",
         "finalize"},
        {"DELETE", "/apis/apps/v1/namespaces/a/deployments", "", "deletecollection", "apps", "a",
         "deployments", "", ""},
        {"DELETE", "/apis/apps/v1/namespaces/a/deployments/d", "", "delete", "apps", "a",
         "deployments", "d", ""},
        {"PATCH", "/apis/apps/v1/namespaces/a/deployments/d/scale", "", "patch", "apps", "a",
         "deployments", "d", "scale"},
        {"GET", "/api/v1/nodes/n/proxy/metrics/cadvisor", "", "get", "", "", "nodes", "n", "proxy"},
        {"GET", "/api/v1/watch/pods", "", "watch", "", "", "pods", "", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        struct arena a = {0};
        struct route r;
        struct err err;
        CHECK_OK(route_parse(&a, str_of(routes[i].method), str_of(routes[i].path),
                             str_of(routes[i].query), &r, &err),
                 &err);
        CHECK_STR(str_of(r.verb), routes[i].verb);
        CHECK_STR(r.group, routes[i].group);
        CHECK_STR(r.ns, routes[i].ns);
        CHECK_STR(r.resource, routes[i].resource);
        CHECK_STR(r.name, routes[i].name);
        CHECK_STR(r.subresource, routes[i].sub);
        arena_done(&a);
    }
}
