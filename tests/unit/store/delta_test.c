#include "store/delta.h"

#include <stdlib.h>

#include "test.h"

static size_t round_trip(struct str base, struct str target)
{
    struct buf delta = {0}, back = {0};
    delta_encode(base, target, &delta);
    CHECK(delta_apply(base, buf_str(&delta), target.n, &back));
    CHECK(str_eq(buf_str(&back), target));
    size_t n = delta.n;
    buf_done(&delta);
    buf_done(&back);
    return n;
}

TEST(equal_texts_differ_by_one_copy)
{
    CHECK(round_trip(STR("the same text on both sides"), STR("the same text on both sides")) <= 3);
    CHECK_INT(round_trip(STR(""), STR("")), 0);
}

TEST(texts_with_nothing_in_common_are_inserted)
{
    CHECK_INT(round_trip(STR(""), STR("abc")), 4);
    CHECK_INT(round_trip(STR("xyz"), STR("abc")), 4);
    CHECK_INT(round_trip(STR("xyz"), STR("")), 0);
}

TEST(changes_in_several_places_cost_little)
{
    struct buf a = {0}, b = {0};
    for (int i = 0; i < 300; i++) {
        buf_printf(&a, "field%d: %d\n", i, i * 37);
        buf_printf(&b, "field%d: %d\n", i, i % 60 ? i * 37 : 1);
    }
    CHECK(round_trip(buf_str(&a), buf_str(&b)) < 120);
    CHECK(round_trip(buf_str(&b), buf_str(&a)) < 120);
    buf_done(&a);
    buf_done(&b);
}

TEST(random_edits_round_trip)
{
    srandom(7);
    for (int round = 0; round < 3000; round++) {
        char a[400], b[500];
        size_t n = (size_t)random() % sizeof(a), m = 0;
        for (size_t i = 0; i < n; i++)
            a[i] = (char)(random() % 3);
        for (size_t i = 0; i < n && m + 20 < sizeof(b);) {
            size_t piece = (size_t)random() % 80;
            i = (size_t)random() % n;
            for (size_t j = 0; j < piece && i + j < n && m < sizeof(b); j++)
                b[m++] = a[i + j];
            b[m < sizeof(b) ? m++ : m - 1] = (char)random();
            if (random() % 8 == 0)
                break;
        }
        round_trip((struct str){a, n}, (struct str){b, m});
    }
}

TEST(damaged_deltas_are_refused)
{
    struct buf out = {0};
    CHECK(!delta_apply(STR("base"),
                       STR("\x0a"
                           "abc"),
                       100, &out));                               /* 5 bytes announced, 3 there */
    CHECK(!delta_apply(STR("base"), STR("\x09\x01"), 100, &out)); /* copy past the end */
    CHECK(!delta_apply(STR("base"), STR("\x09"), 100, &out));     /* no offset */
    CHECK(!delta_apply(STR("base"),
                       STR("\x06"
                           "abc"),
                       2, &out)); /* more than max */
    CHECK(!delta_apply(STR("base"), STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), 100, &out));
    buf_done(&out);
}
