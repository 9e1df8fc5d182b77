#include "doc/quantity.h"
#include "test.h"

#define FORMAT                                                                                     \
    "quantities must match the regular expression "                                                \
    "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"

TEST(quantities_have_a_canonical_form)
{
    static const char *const table[][2] = {
        {"0", "0"},
        {"100m", "100m"},
        {"1000m", "1"},
        {"1500m", "1500m"},
        {"1.5", "1500m"},
        {"0.1", "100m"},
        {".5", "500m"},
        {"5.", "5"},
        {"1.5Gi", "1536Mi"},
        {"1024", "1024"},
        {"1024Ki", "1Mi"},
        {"0.5Mi", "512Ki"},
        {"1023Ki", "1023Ki"},
        {"0.5Ki", "512"},
        {"1e3", "1e3"},
        {"12e6", "12e6"},
        {"1E3", "1e3"},
        {"1E", "1E"},
        {"1000k", "1M"},
        {"-1.5", "-1500m"},
        {"+5", "5"},
        {"1n", "1n"},
        {"0.1n", "1n"},
        {"1.0000000001", "1000000001n"},
        {"16Ei", "9223372036854775807"},
        {"0.1Ki", "102400m"},
        {"00100", "100"},
        {"1e-3", "1e-3"},
        {"0e5", "0"},
        {"0.0005Ki", "512m"},
        {"", FORMAT},
        {"1.2.3", FORMAT},
        {"abc", FORMAT},
        {"1 ", FORMAT},
        {"1K", "unable to parse quantity's suffix"},
        {"1mm", "unable to parse quantity's suffix"},
        {"1ki", "unable to parse quantity's suffix"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct quantity q;
        struct err err = {0};
        struct buf out = {0};
        if (quantity_parse(str_of(table[i][0]), &q, &err) == 0)
            quantity_write(&q, &out);
        else
            buf_puts(&out, err.message);
        CHECK_STR(buf_str(&out), table[i][1]);
        buf_done(&out);
    }
}

TEST(some_texts_stay_as_they_are)
{
    static const char *const table[][2] = {
        {"1.234", "1.234"}, {"+5", "+5"},       {"00100", "00100"}, {"1000m", "1"},
        {"1.5", "1500m"},   {"100Mi", "100Mi"}, {"1024Mi", "1Gi"},  {"1.5Gi", "1536Mi"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct err err = {0};
        struct buf out = {0};
        CHECK_OK(quantity_canonical(str_of(table[i][0]), &out, &err), &err);
        CHECK_STR(buf_str(&out), table[i][1]);
        buf_done(&out);
    }
}

static struct quantity parse(const char *text)
{
    struct quantity q = {0};
    struct err err = {0};
    CHECK_OK(quantity_parse(str_of(text), &q, &err), &err);
    return q;
}

TEST(values_round_up)
{
    struct quantity a = parse("1.0001"), b = parse("-1.5"), c = parse("1Ei");
    CHECK_INT(quantity_value(&a), 2);
    CHECK_INT(quantity_milli(&a), 1001);
    CHECK_INT(quantity_value(&b), -2);
    CHECK_INT(quantity_milli(&b), -1500);
    CHECK_INT(quantity_milli(&c), INT64_MAX);
}

TEST(quantities_are_added_and_compared)
{
    static const char *const table[][3] = {
        {"1", "500m", "1500m"},        {"1Gi", "1Mi", "1025Mi"}, {"0", "1Gi", "1Gi"},
        {"1Gi", "100M", "1173741824"}, {"1e3", "1", "1001"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct quantity a = parse(table[i][0]), b = parse(table[i][1]);
        struct buf out = {0};
        quantity_add(&a, &b);
        quantity_write(&a, &out);
        CHECK_STR(buf_str(&out), table[i][2]);
        quantity_sub(&a, &b);
        struct quantity again = parse(table[i][0]);
        CHECK_INT(quantity_cmp(&a, &again), 0);
        buf_done(&out);
    }
    struct quantity small = parse("999m"), one = parse("1"), kilo = parse("1000m");
    CHECK(quantity_cmp(&small, &one) < 0 && quantity_cmp(&one, &small) > 0);
    CHECK_INT(quantity_cmp(&one, &kilo), 0);
}
