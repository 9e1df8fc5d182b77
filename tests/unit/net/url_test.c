#include "test.h"

#include "net/url.h"

TEST(url_decode_follows_rfc_3986)
{
    static const struct {
        const char *in;
        bool query;
        const char *want; /* NULL: refused */
    } cases[] = {
        {"", false, ""},
        {"/api/v1", false, "/api/v1"},
        {"a%20b", false, "a b"},
        {"a+b", false, "a+b"},
        {"a+b", true, "a b"},
        {"%2F%2f", false, "//"},
        {"%C3%A9", true, "\xC3\xA9"},
        {"%", false, NULL},
        {"%2", false, NULL},
        {"%zz", false, NULL},
        {"%-1", false, NULL},
        {"a%00b", false, NULL},
    };
    struct arena a = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str got;
        bool ok = url_decode(&a, str_of(cases[i].in), cases[i].query, &got);
        CHECK_INT(ok, cases[i].want != NULL);
        if (ok)
            CHECK_STR(got, cases[i].want);
    }
    arena_done(&a);
}

TEST(url_encode_leaves_only_unreserved_characters)
{
    struct buf b = {0};
    url_encode(&b, STR("az-AZ_09.~ /?&=+%\xC3\xA9"));
    CHECK_STR(buf_str(&b), "az-AZ_09.~%20%2F%3F%26%3D%2B%25%C3%A9");
    buf_done(&b);
}

TEST(url_query_parse_splits_and_decodes)
{
    struct arena a = {0};
    struct url_query q;
    CHECK(url_query_parse(&a, STR("watch=1&&labelSelector=app%3Dweb%2Ctier+x&empty=&flag&watch=2"),
                          &q));
    CHECK_INT(q.count, 5);
    CHECK_STR(url_query_get(&q, "watch"), "1");
    CHECK_STR(url_query_get(&q, "labelSelector"), "app=web,tier x");
    CHECK_STR(url_query_get(&q, "missing"), "");
    CHECK(url_query_has(&q, "flag") && url_query_has(&q, "empty") && !url_query_has(&q, "no"));
    CHECK(url_query_parse(&a, STR(""), &q));
    CHECK_INT(q.count, 0);
    CHECK(!url_query_parse(&a, STR("a=%"), &q));
    arena_done(&a);
}

TEST(url_query_parse_limits_the_parameters)
{
    struct arena a = {0};
    struct buf b = {0};
    struct url_query q;
    for (int i = 0; i < 1000; i++)
        buf_puts(&b, i ? "&a=1" : "a=1");
    CHECK(url_query_parse(&a, buf_str(&b), &q));
    CHECK_INT(q.count, 1000);
    buf_puts(&b, "&a=1");
    CHECK(!url_query_parse(&a, buf_str(&b), &q));
    buf_done(&b);
    arena_done(&a);
}

TEST(url_split_takes_addresses_apart)
{
    struct url u;
    CHECK(url_split(STR("https://me:p%40@[::1]:8443/a/b?c=d#e"), &u));
    CHECK_STR(u.scheme, "https");
    CHECK_STR(u.user, "me");
    CHECK_STR(u.password, "p%40");
    CHECK_STR(u.host, "::1");
    CHECK_STR(u.authority, "[::1]:8443");
    CHECK_INT(u.port, 8443);
    CHECK_STR(u.path, "/a/b");
    CHECK_STR(u.query, "c=d");
    CHECK(url_split(STR("http://host"), &u) && u.path.n == 0 && url_port(&u) == 80);
    static const char *const bad[] = {"",
                                      "host/x",
                                      "://x",
                                      "1a://x",
                                      "http://",
                                      "http:///x",
                                      "http://h:x/",
                                      "http://h:99999/",
                                      "http://a b/",
                                      "http://[::1/",
                                      "http://[::1]x/",
                                      "http://h/\n"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!url_split(str_of(bad[i]), &u));
}

TEST(url_resolve_follows_rfc_3986)
{
    static const struct {
        const char *ref, *want;
    } cases[] = {
        {"g", "http://a/b/c/g"},        {"./g", "http://a/b/c/g"},     {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},           {"//g", "http://g"},           {"?y", "http://a/b/c/d;p?y"},
        {"g?y", "http://a/b/c/g?y"},    {"#s", "http://a/b/c/d;p?q"},  {"", "http://a/b/c/d;p?q"},
        {".", "http://a/b/c/"},         {"..", "http://a/b/"},         {"../g", "http://a/b/g"},
        {"../..", "http://a/"},         {"../../../g", "http://a/g"},  {"/./g", "http://a/g"},
        {"/../g", "http://a/g"},        {"g/./h", "http://a/b/c/g/h"}, {"g/../h", "http://a/b/c/h"},
        {"https://x/y", "https://x/y"},
    };
    struct arena a = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_STR(url_resolve(&a, STR("http://a/b/c/d;p?q"), str_of(cases[i].ref)), cases[i].want);
    CHECK_STR(url_resolve(&a, STR("http://a"), STR("g")), "http://a/g");
    arena_done(&a);
}
