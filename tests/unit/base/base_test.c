#include "test.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/list.h"
#include "base/map.h"

TEST(str_cut_and_next)
{
    struct str rest = STR("a,,b"), field;
    CHECK(str_next(&rest, ',', &field));
    CHECK_STR(field, "a");
    CHECK(str_next(&rest, ',', &field));
    CHECK_STR(field, "");
    CHECK(str_next(&rest, ',', &field));
    CHECK_STR(field, "b");
    CHECK(!str_next(&rest, ',', &field));
}

TEST(str_numbers_stop_at_the_edges)
{
    int64_t i;
    uint64_t u;
    CHECK(str_to_i64(STR("-9223372036854775808"), &i) && i == INT64_MIN);
    CHECK(str_to_i64(STR("9223372036854775807"), &i) && i == INT64_MAX);
    CHECK(!str_to_i64(STR("9223372036854775808"), &i));
    CHECK(!str_to_u64(STR("18446744073709551616"), &u));
    CHECK(!str_to_u64(STR(""), &u));
    CHECK(!str_to_i64(STR("-"), &i));
    CHECK(!str_to_i64(STR("1 "), &i));
}

TEST(buf_grows_and_prints)
{
    struct buf b = {0};
    CHECK_STR(str_of(buf_z(&b)), "");
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%d,", i);
    CHECK(str_starts(buf_str(&b), STR("0,1,2,")));
    CHECK(str_ends(buf_str(&b), STR(",998,999,")));
    CHECK(b.p[b.n] == '\0');
    buf_clear(&b);
    buf_put_i64(&b, INT64_MIN);
    CHECK_STR(buf_str(&b), "-9223372036854775808");
    buf_remove_front(&b, 1);
    CHECK_STR(buf_str(&b), "9223372036854775808");
    buf_done(&b);
}

TEST(arena_keeps_everything)
{
    struct arena a = {0};
    struct str made[500];
    for (int i = 0; i < 500; i++)
        made[i] = arena_printf(&a, "item %d %0*d", i, i * 7 % 300 + 1, 0);
    for (int i = 0; i < 500; i++) {
        char want[32];
        snprintf(want, sizeof(want), "item %d 0", i);
        CHECK(str_starts(made[i], str_of(want)));
        CHECK((uintptr_t)made[i].p % 16 == 0);
    }
    arena_done(&a);
}

TEST(map_finds_what_it_holds)
{
    struct map m = {0};
    static int values[5000];
    char key[16];
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        CHECK(!map_set(&m, str_of(key), &values[i]));
    }
    for (int i = 0; i < 5000; i += 3) {
        snprintf(key, sizeof(key), "k%d", i);
        CHECK(map_del(&m, str_of(key)) == &values[i]);
        CHECK(!map_del(&m, str_of(key)));
    }
    size_t seen = 0;
    for (struct map_entry *e = NULL; (e = map_next(&m, e));)
        seen++;
    CHECK_INT(seen, m.count);
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        CHECK(map_get(&m, str_of(key)) == (i % 3 ? &values[i] : NULL));
    }
    map_done(&m);
}

TEST(err_messages_are_cut_between_characters)
{
    struct err err;
    char longest[2000];
    memset(longest, 'a', sizeof(longest));
    memcpy(longest + 1022, "\xC3\xA4\0", 3);
    CHECK_INT(err_bad(&err, "%s", longest), -1);
    CHECK_INT(strlen(err.message), 1022);
    err_bad(&err, "inner");
    err_prefix(&err, "outer %d", 1);
    CHECK_STR(str_of(err.message), "outer 1: inner");
    CHECK_INT(err.code, 400);
}

TEST(uuid_and_suffix_have_their_form)
{
    char uuid[37], suffix[6];
    world_uuid(world_real(), uuid);
    CHECK(strlen(uuid) == 36 && uuid[14] == '4' && strchr("89ab", uuid[19]));
    world_suffix(world_real(), 5, suffix);
    CHECK_INT(strspn(suffix, "bcdfghjklmnpqrstvwxz2456789"), 5);
}

TEST(files_are_replaced_whole)
{
    struct err err;
    char dir[] = "/tmp/tutti-base-XXXXXX";
    CHECK(mkdtemp(dir));
    struct buf path = {0}, read = {0};
    buf_printf(&path, "%s/a/b/c", dir);
    CHECK_OK(file_mkdirs(path.p, 0700, &err), &err);
    buf_puts(&path, "/file");
    CHECK_OK(file_write(path.p, STR("one"), 0600, &err), &err);
    CHECK_OK(file_write(path.p, STR("two"), 0600, &err), &err);
    CHECK_OK(file_read(path.p, 10, &read, &err), &err);
    CHECK_STR(buf_str(&read), "two");
    CHECK(file_read(path.p, 2, &read, &err) == -1);
    CHECK_OK(file_remove_tree(dir, &err), &err);
    CHECK_OK(file_remove_tree(dir, &err), &err);
    buf_done(&path);
    buf_done(&read);
}

TEST(bytes_are_shared)
{
    struct bytes *b = bytes_new(STR("x"));
    CHECK(bytes_ref(b) == b);
    bytes_unref(b);
    CHECK_STR(bytes_str(b), "x");
    bytes_unref(b);
    bytes_unref(NULL);
}
