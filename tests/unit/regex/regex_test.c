#include "regex/regex.h"

#include "test.h"

static bool matches(const char *pattern, unsigned flags, const char *text)
{
    struct err err;
    struct regex *re = regex_new(str_of(pattern), flags, &err);
    if (!re)
        test_fail(__FILE__, __LINE__, "%s: %s", pattern, err.message);
    bool found = regex_match(re, str_of(text));
    regex_free(re);
    return found;
}

TEST(matches_anywhere_unless_asked_for_the_whole)
{
    CHECK(matches("b+", 0, "abbc"));
    CHECK(!matches("b+", REGEX_FULL, "abbc"));
    CHECK(matches("ab+c", REGEX_FULL, "abbc"));
    CHECK(matches("a|ab", REGEX_FULL, "ab"));
    CHECK(matches("", 0, ""));
}

TEST(flags)
{
    CHECK(!matches("a.c", 0, "A\nC"));
    CHECK(matches("a.c", REGEX_CASELESS | REGEX_DOT_NL, "A\nC"));
    CHECK(!matches("a$", 0, "a\n"));
    CHECK(matches("(?m)a$", 0, "a\nb"));
}

TEST(errors_in_the_words_of_go)
{
    static const char *const cases[][2] = {
        {"(", "error parsing regexp: missing closing ): `(`"},
        {"a)", "error parsing regexp: unexpected ): `a)`"},
        {"[a", "error parsing regexp: missing closing ]: `[a`"},
        {"[b-a]", "error parsing regexp: invalid character class range: `b-a`"},
        {"*", "error parsing regexp: missing argument to repetition operator: `*`"},
        {"a**", "error parsing regexp: invalid nested repetition operator: `**`"},
        {"a{1001}", "error parsing regexp: invalid repeat count: `{1001}`"},
        {"\\", "error parsing regexp: trailing backslash at end of expression: ``"},
        {"\\8", "error parsing regexp: invalid escape sequence: `\\8`"},
        {"(?=a)", "error parsing regexp: invalid or unsupported Perl syntax: `(?=`"},
        {"(?P<n", "error parsing regexp: invalid named capture: `(?P<n`"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err;
        CHECK_INT(regex_check(str_of(cases[i][0]), &err), -1);
        CHECK_STR(str_of(err.message), cases[i][1]);
    }
}

TEST(groups_are_views_of_the_text)
{
    struct err err;
    struct regex *re = regex_new(STR("(?P<key>\\w+)=(\\d+)?"), 0, &err);
    struct str group[5];
    CHECK(regex_find(re, STR(" a=1 b="), 0, group, 5));
    CHECK_STR(group[0], "a=1");
    CHECK_STR(group[1], "a");
    CHECK_STR(group[2], "1");
    CHECK(group[3].p == NULL && group[4].p == NULL);
    CHECK(regex_find(re, STR(" a=1 b="), 4, group, 3));
    CHECK_STR(group[1], "b");
    CHECK(group[2].p == NULL);
    CHECK_INT(regex_group_count(re), 2);
    CHECK_INT(regex_group_named(re, STR("key")), 1);
    CHECK_INT(regex_group_named(re, STR("other")), -1);
    regex_free(re);
}

static void check_all(const char *pattern, const char *text, const char *want)
{
    struct err err;
    struct buf b = {0};
    struct str group[1];
    struct regex *re = regex_new(str_of(pattern), 0, &err);
    for (struct regex_walk w = {0}; regex_next(re, str_of(text), &w, group, 1);)
        buf_printf(&b, "[%.*s]", STR_ARG(group[0]));
    CHECK_STR(buf_str(&b), want);
    regex_free(re);
    buf_done(&b);
}

TEST(walks_as_find_all)
{
    check_all("a", "banana", "[a][a][a]");
    check_all("a*", "baaac", "[][aaa][]");
    check_all("", "aé", "[][][]");
    check_all("a|", "aab", "[a][a][]");
    check_all("x", "", "");
    check_all("\\b", "ab cd", "[][][][]");
}

static void check_replaced(const char *pattern, const char *text, const char *with, bool all,
                           const char *want)
{
    struct err err;
    struct buf b = {0};
    struct regex *re = regex_new(str_of(pattern), 0, &err);
    regex_replace(re, str_of(text), str_of(with), all, &b);
    CHECK_STR(buf_str(&b), want);
    regex_free(re);
    buf_done(&b);
}

TEST(replaces_as_expand)
{
    check_replaced("a(x*)b", "-ab-axxb-", "T", true, "-T-T-");
    check_replaced("a(x*)b", "-ab-axxb-", "$1", true, "--xx-");
    check_replaced("a(x*)b", "-ab-axxb-", "$1W", true, "---");
    check_replaced("a(x*)b", "-ab-axxb-", "${1}W", true, "-W-xxW-");
    check_replaced("a(x*)b", "-ab-axxb-", "$$", false, "-$-axxb-");
    check_replaced("(?P<n>b)", "abc", "<${n}>$", true, "a<b>$c");
    check_replaced("", "ab", "-", true, "-a-b-");
}

TEST(quotes)
{
    struct buf b = {0};
    regex_quote(STR("a.b[c]$"), &b);
    CHECK_STR(buf_str(&b), "a\\.b\\[c\\]\\$");
    buf_done(&b);
}
