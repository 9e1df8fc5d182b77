#include "doc/time.h"
#include "test.h"

#define SECOND INT64_C(1000000000)

TEST(times_are_read_and_written)
{
    static const struct {
        const char *text;
        int64_t ns;
        const char *seconds, *nano;
    } table[] = {
        {"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
        {"2026-01-02T03:04:05Z", 1767323045 * SECOND, "2026-01-02T03:04:05Z",
         "2026-01-02T03:04:05Z"},
        {"2026-01-02T03:04:05.120+01:30", 1767317645 * SECOND + 120000000, "2026-01-02T01:34:05Z",
         "2026-01-02T01:34:05.12Z"},
        {"2024-02-29T23:59:59.999999999Z", 1709251199 * SECOND + 999999999, "2024-02-29T23:59:59Z",
         "2024-02-29T23:59:59.999999999Z"},
        {"1969-12-31T23:59:59.5Z", -SECOND / 2, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.5Z"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        int64_t ns;
        struct err err = {0};
        char text[TIME_TEXT];
        CHECK_OK(time_parse(str_of(table[i].text), &ns, &err), &err);
        CHECK_INT(ns, table[i].ns);
        time_write(ns, text);
        CHECK_STR(str_of(text), table[i].seconds);
        time_write_nano(ns, text);
        CHECK_STR(str_of(text), table[i].nano);
    }
    char text[TIME_TEXT];
    time_write_micro(1767323045 * SECOND + 1500, text);
    CHECK_STR(str_of(text), "2026-01-02T03:04:05.000001Z");
}

TEST(bad_times_are_refused)
{
    static const char *const table[] = {"",
                                        "2026-01-02",
                                        "2026-1-02T03:04:05Z",
                                        "2026-01-02 03:04:05Z",
                                        "2026-01-02T03:04:05",
                                        "2026-02-30T00:00:00Z",
                                        "2026-13-01T00:00:00Z",
                                        "2026-01-02T24:00:00Z",
                                        "2026-01-02T03:04:05.Z",
                                        "2026-01-02T03:04:05Zx",
                                        "2026-01-02T03:04:05+0100"};
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        int64_t ns;
        CHECK(time_parse(str_of(table[i]), &ns, NULL) == -1);
    }
    struct err err = {0};
    int64_t ns;
    CHECK(time_parse(STR("2026-02-30T00:00:00Z"), &ns, &err) == -1);
    CHECK_STR(str_of(err.message), "parsing time \"2026-02-30T00:00:00Z\": day out of range");
}

TEST(durations_are_read_and_written)
{
    static const char *const table[][2] = {
        {"0", "0s"},
        {"1h2m3.5s", "1h2m3.5s"},
        {"90m", "1h30m0s"},
        {"300ms", "300ms"},
        {"1.5ms", "1.5ms"},
        {"2us", "2\xc2\xb5s"},
        {"7ns", "7ns"},
        {"-1.25s", "-1.25s"},
        {"100s", "1m40s"},
        {"", "time: invalid duration \"\""},
        {"5", "time: missing unit in duration \"5\""},
        {"5d", "time: unknown unit \"d\" in duration \"5d\""},
        {"s", "time: invalid duration \"s\""},
        {"3000000h", "time: invalid duration \"3000000h\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        int64_t ns;
        struct err err = {0};
        struct buf out = {0};
        if (duration_parse(str_of(table[i][0]), &ns, &err) == 0)
            duration_write(ns, &out);
        else
            buf_puts(&out, err.message);
        CHECK_STR(buf_str(&out), table[i][1]);
        buf_done(&out);
    }
}

TEST(ages_are_written_as_kubectl_does)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } table[] = {
        {-2, "<invalid>"}, {-1, "0s"},       {0, "0s"},           {119, "119s"},
        {120, "2m"},       {305, "5m5s"},    {3600, "60m"},       {10800, "3h"},
        {11400, "3h10m"},  {29000, "8h"},    {172800, "2d"},      {180000, "2d2h"},
        {700000, "8d"},    {63072000, "2y"}, {70000000, "2y80d"}, {252288000, "8y"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct buf out = {0};
        duration_write_human(table[i].seconds * SECOND, &out);
        CHECK_STR(buf_str(&out), table[i].text);
        buf_done(&out);
    }
}
