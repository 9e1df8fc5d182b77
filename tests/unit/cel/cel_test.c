#include "cel/cel.h"

#include "test.h"

TEST(field_names_become_identifiers)
{
    static const char *const cases[][2] = {
        {"a", "a"},
        {"a.b", "a__dot__b"},
        {"a-b", "a__dash__b"},
        {"a/b", "a__slash__b"},
        {"a__b", "a__underscores__b"},
        {"namespace", "__namespace__"},
        {"_a", "_a"},
    };
    struct arena a = {0};
    struct str s;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CHECK(cel_escape(&a, str_of(cases[i][0]), &s));
        CHECK_STR(s, cases[i][1]);
        CHECK(cel_unescape(&a, s, &s));
        CHECK_STR(s, cases[i][0]);
    }
    CHECK(!cel_escape(&a, STR("1a"), &s));
    CHECK(!cel_escape(&a, STR("a b"), &s));
    CHECK(!cel_escape(&a, STR(""), &s));
    CHECK(!cel_unescape(&a, STR("a__if__"), &s));
    arena_done(&a);
}
