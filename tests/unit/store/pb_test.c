#include <stdio.h>

#include "store/etcd_rpc.h"
#include "store/pb.h"
#include "test.h"

static const char *fields(struct str message)
{
    static char text[512];
    struct pb_reader r = {message};
    struct buf b = {0};
    while (pb_next(&r))
        buf_printf(&b, "%u=%llu:%.*s ", r.field, (unsigned long long)r.number, STR_ARG(r.bytes));
    buf_puts(&b, r.bad ? "bad" : "end");
    snprintf(text, sizeof(text), "%s", buf_z(&b));
    buf_done(&b);
    return text;
}

TEST(fields_are_read_as_they_were_written)
{
    struct buf b = {0};
    pb_u64(&b, 1, 1);
    pb_u64(&b, 2, 0); /* left out */
    pb_u64(&b, 3, UINT64_MAX);
    pb_bytes(&b, 64, STR("abc"));
    pb_bytes(&b, 5, STR(""));
    CHECK_STR(str_of(fields(buf_str(&b))), "1=1: 3=18446744073709551615: 64=0:abc end");
    buf_done(&b);
}

TEST(messages_nest)
{
    struct buf b = {0};
    size_t outer = pb_begin(&b, 1), inner = pb_begin(&b, 2);
    pb_bytes(&b, 3, STR("x"));
    pb_end(&b, inner);
    pb_end(&b, outer);
    struct pb_reader r = {buf_str(&b)};
    CHECK(pb_next(&r));
    r = (struct pb_reader){r.bytes};
    CHECK(pb_next(&r));
    CHECK_INT(r.field, 2);
    CHECK_STR(str_of(fields(r.bytes)), "3=0:x end");
    buf_done(&b);
}

TEST(damaged_messages_are_bad)
{
    static const struct {
        struct str bytes;
        const char *want;
    } cases[] = {
        {STR_INIT(""), "end"},
        {STR_INIT("\x08"), "bad"}, /* a tag without a value */
        {STR_INIT("\x0a\x05"
                  "abc"),
         "bad"},                       /* five bytes promised, three there */
        {STR_INIT("\x0b"), "bad"},     /* a group */
        {STR_INIT("\x00\x01"), "bad"}, /* field 0 */
        {STR_INIT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
         "bad"},                                       /* too long a varint */
        {STR_INIT("\x0d\x01\x02\x03"), "bad"},         /* a fixed32 of three bytes */
        {STR_INIT("\x0a\xff\xff\xff\xff\x0f"), "bad"}, /* four GiB */
        {STR_INIT("\x08\x96\x01"), "1=150: end"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_STR(str_of(fields(cases[i].bytes)), cases[i].want);
}

TEST(a_value_keeps_its_mark)
{
    struct buf b = {0};
    const struct etcd_mark mark = {7, 0x0102030405060708, 42};
    struct etcd_mark got;
    etcd_put_value(&b, &mark, STR("{\"rv\":\"\"}"));
    CHECK_INT(b.n, ETCD_VALUE_HEAD + 9);
    CHECK_STR(etcd_get_value(buf_str(&b), &got), "{\"rv\":\"\"}");
    CHECK(got.revision_at == 7 && got.writer == mark.writer && got.number == 42);
    buf_done(&b);
}

TEST(a_value_of_another_program_is_taken_as_it_is)
{
    struct etcd_mark got;
    CHECK_STR(etcd_get_value(STR("plain"), &got), "plain");
    CHECK(got.revision_at == -1 && got.writer == 0);
    /* A head that promises digits past the end. */
    struct str bad = STR("tut1\0\0\0\x09\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1"
                         "four");
    CHECK_INT(etcd_get_value(bad, &got).n, bad.n);
}

TEST(etcd_that_tells_progress_too_early_is_known)
{
    static const struct {
        const char *version;
        bool tells;
    } cases[] = {{"3.4.23", false}, {"3.4.25", true}, {"3.5.7", false}, {"3.5.8", true},
                 {"3.5.16", true},  {"3.6.0", true},  {"4.0.0", true},  {"3.3.99", false},
                 {"3.5", false},    {"", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b = {0};
        pb_bytes(&b, 2, str_of(cases[i].version));
        CHECK_INT(etcd_tells_progress(buf_str(&b)), cases[i].tells);
        buf_done(&b);
    }
}
