#include "fixture.h"

#include <sys/stat.h>

#include "base/buf.h"

TEST(an_empty_store_is_at_revision_1_and_the_first_write_gets_2)
{
    struct store *s = open_fresh();
    CHECK_INT(store_revision(s), 1);
    CHECK_INT(put(s, "a", "1"), 2);
    CHECK_INT(put(s, "b", "2"), 3);
    CHECK_INT(store_revision(s), 3);
    CHECK_STR(str_of(listing(s, 0, "", "")), "a=1@2 b=2@3 ");
    close_fresh(s);
}

TEST(a_key_remembers_its_creation_and_its_last_change)
{
    struct store *s = open_fresh();
    put(s, "a", "1");
    put(s, "b", "x");
    put(s, "a", "2");
    struct store_snap *snap;
    struct err err;
    struct store_kv kv;
    CHECK_OK(store_snap_begin(s, 0, &snap, &err), &err);
    CHECK_INT(store_get(snap, STR("a"), &kv), 1);
    CHECK_INT(kv.create_rev, 2);
    CHECK_INT(kv.mod_rev, 4);
    CHECK_STR(kv.value, "2");
    CHECK_INT(store_get(snap, STR("c"), &kv), 0);
    CHECK_INT(store_get(snap, STR(""), &kv), 0);
    store_snap_end(snap);
    close_fresh(s);
}

TEST(expectations_decide_whether_a_write_happens)
{
    struct store *s = open_fresh();
    CHECK_INT(put_if(s, STR("a"), STR("1"), STORE_ABSENT), 2);
    CHECK_INT(put_if(s, STR("a"), STR("2"), STORE_ABSENT), -STORE_CONFLICT);
    CHECK_INT(put_if(s, STR("a"), STR("2"), 7), -STORE_CONFLICT);
    CHECK_INT(put_if(s, STR("a"), STR("2"), 2), 3);
    CHECK_INT(store_revision(s), 3);
    close_fresh(s);
}

TEST(a_write_whose_second_expectation_fails_leaves_no_trace)
{
    struct store *s = open_fresh();
    put(s, "a", "1");
    struct bytes *b = bytes_new(STR("new"));
    struct store_op ops[] = {
        {STORE_PUT, STR("x"), b, -1, STORE_ABSENT},
        {STORE_CHECK, STR("a"), NULL, -1, 99},
    };
    struct store_write w = {.ops = ops, .op_count = 2};
    store_commit(s, &w);
    CHECK_INT(w.result, STORE_CONFLICT);
    CHECK_INT(w.failed_op, 1);
    CHECK(!w.first_value);
    CHECK_STR(str_of(listing(s, 0, "", "")), "a=1@2 ");

    ops[1].expect = 2;
    store_commit(s, &w);
    CHECK_INT(w.result, STORE_OK);
    CHECK_INT(w.revision, 3);
    bytes_unref(w.first_value);
    bytes_unref(b);
    close_fresh(s);
}

TEST(all_changes_of_a_write_get_one_revision)
{
    struct store *s = open_fresh();
    put(s, "old", "x");
    struct bytes *b = bytes_new(STR("v"));
    struct store_op ops[] = {
        {STORE_PUT, STR("a"), b, -1, STORE_ANY},
        {STORE_PUT, STR("b"), b, -1, STORE_ANY},
        {STORE_DELETE, STR("old"), NULL, -1, STORE_ANY},
    };
    struct store_write w = {.ops = ops, .op_count = 3};
    store_commit(s, &w);
    bytes_unref(w.first_value);
    bytes_unref(b);
    CHECK_STR(str_of(listing(s, 0, "", "")), "a=v@3 b=v@3 ");
    close_fresh(s);
}

TEST(a_write_that_changes_nothing_takes_no_revision)
{
    struct store *s = open_fresh();
    put(s, "a", "1");
    CHECK_INT(del(s, "missing"), 2);
    CHECK_INT(write_op(s, (struct store_op){STORE_CHECK, STR("a"), NULL, -1, 2}), 2);
    CHECK_INT(store_revision(s), 2);
    close_fresh(s);
}

TEST(the_revision_is_put_into_the_value_where_asked)
{
    struct store *s = open_fresh();
    struct bytes *b = bytes_new(STR("{\"rv\":\"\"}"));
    struct store_op op = {STORE_PUT, STR("a"), b, 7, STORE_ANY};
    struct store_write w = {.ops = &op, .op_count = 1};
    store_commit(s, &w);
    CHECK_STR(bytes_str(w.first_value), "{\"rv\":\"2\"}");
    bytes_unref(w.first_value);
    bytes_unref(b);
    CHECK_STR(str_of(listing(s, 0, "", "")), "a={\"rv\":\"2\"}@2 ");
    close_fresh(s);
}

TEST(malformed_writes_are_refused_with_a_message)
{
    struct store *s = open_fresh();
    static char long_key[600];
    memset(long_key, 'k', sizeof(long_key));
    CHECK_INT(put_if(s, (struct str){long_key, 501}, STR("v"), STORE_ANY), 2);
    CHECK_INT(put_if(s, (struct str){long_key, 502}, STR("v"), STORE_ANY), -STORE_FAILED);
    CHECK_INT(put_if(s, STR(""), STR("v"), STORE_ANY), -STORE_FAILED);
    struct bytes *b = bytes_new(STR("v"));
    CHECK_INT(write_op(s, (struct store_op){STORE_PUT, STR("a"), b, 2, STORE_ANY}), -STORE_FAILED);
    struct store_op twice[] = {{STORE_PUT, STR("a"), b, -1, -1},
                               {STORE_DELETE, STR("a"), NULL, -1, -1}};
    struct store_write w = {.ops = twice, .op_count = 2};
    store_commit(s, &w);
    CHECK_INT(w.result, STORE_FAILED);
    CHECK_INT(w.err.code, 400);
    CHECK_STR(str_of(w.err.message), "etcdserver: duplicate key given in txn request");
    bytes_unref(b);
    close_fresh(s);
}

TEST(ranges_are_ordered_and_half_open)
{
    struct store *s = open_fresh();
    const char *keys[] = {"b/2", "a/1", "b/1", "c", "b0", "b/10"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        put(s, keys[i], "v");
    CHECK_STR(str_of(listing(s, 0, "b/", "b0")), "b/1=v@4 b/10=v@7 b/2=v@2 ");
    CHECK_STR(str_of(listing(s, 0, "b/10", "")), "b/10=v@7 b/2=v@2 b0=v@6 c=v@5 ");
    CHECK_STR(str_of(listing(s, 0, "x", "")), "");
    struct store_snap *snap;
    struct err err;
    CHECK_OK(store_snap_begin(s, 0, &snap, &err), &err);
    CHECK_INT(store_count(snap, STR("b"), STR("c")), 4);
    store_snap_end(snap);
    close_fresh(s);
}

TEST(the_past_stays_readable)
{
    struct store *s = open_fresh();
    put(s, "a", "1");  /* 2 */
    put(s, "b", "1");  /* 3 */
    put(s, "a", "2");  /* 4 */
    del(s, "b");       /* 5 */
    put(s, "b", "3");  /* 6 */
    put(s, "aa", "1"); /* 7 */
    del(s, "a");       /* 8 */
    const char *want[] = {"",       "a=1@2 ",       "a=1@2 b=1@3 ",        "a=2@4 b=1@3 ",
                          "a=2@4 ", "a=2@4 b=3@6 ", "a=2@4 aa=1@7 b=3@6 ", "aa=1@7 b=3@6 "};
    for (int64_t rev = 1; rev <= 8; rev++)
        CHECK_STR(str_of(listing(s, rev, "", "")), want[rev - 1]);
    CHECK_STR(str_of(listing(s, 4, "aa", "")), "b=1@3 ");
    CHECK_STR(str_of(listing(s, 4, "", "b")), "a=2@4 ");
    CHECK_STR(str_of(listing(s, 9, "", "")), "500");
    close_fresh(s);
}

TEST(keys_with_nul_bytes_keep_their_order_in_history)
{
    struct store *s = open_fresh();
    struct str keys[] = {STR("a"), STR("a\0"), STR("a\0\0"), STR("a\0b"), STR("a\1"), STR("ab")};
    for (size_t i = ARRAY_LEN(keys); i--;)
        put_if(s, keys[i], STR("old"), STORE_ANY);
    int64_t rev = store_revision(s);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        write_op(s, (struct store_op){STORE_DELETE, keys[i], NULL, -1, STORE_ANY});
    struct store_snap *snap;
    struct err err;
    struct store_kv kv;
    CHECK_OK(store_snap_begin(s, rev, &snap, &err), &err);
    struct store_iter *it = store_range(snap, STR(""), STR(""));
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        CHECK(store_next(it, &kv));
        CHECK(str_eq(kv.key, keys[i]));
    }
    CHECK(!store_next(it, &kv));
    store_iter_free(it);
    store_snap_end(snap);
    close_fresh(s);
}

/* A value of some size that changes a little from version to version, as objects do. */
static void version_text(struct buf *b, int i)
{
    buf_clear(b);
    buf_printf(b, "{\"metadata\":{\"resourceVersion\":\"%d\"},\"spec\":\"", i);
    for (int j = 0; j < 200; j++)
        buf_printf(b, "%d,", j * 7919);
    buf_printf(b, "\",\"status\":{\"phase\":\"%s\",\"n\":%d}}", i % 3 ? "Running" : "Pending",
               i * i);
}

TEST(every_version_of_a_long_row_can_be_rebuilt)
{
    struct store *s = open_fresh();
    struct buf b = {0};
    for (int i = 2; i < 102; i++) {
        version_text(&b, i);
        CHECK_INT(put_if(s, STR("pod"), buf_str(&b), STORE_ANY), i);
    }
    struct store_kv kv[100];
    struct store_snap *snap;
    struct err err;
    for (int i = 2; i < 102; i++) {
        CHECK_OK(store_snap_begin(s, i, &snap, &err), &err);
        CHECK_INT(store_get(snap, STR("pod"), &kv[0]), 1);
        version_text(&b, i);
        CHECK_INT(kv[0].mod_rev, i);
        CHECK_INT(kv[0].create_rev, 2);
        CHECK(str_eq(kv[0].value, buf_str(&b)));
        store_snap_end(snap);
    }
    buf_done(&b);
    close_fresh(s);
}

TEST(a_reopened_store_is_as_it_was)
{
    const char *dir = fresh_dir();
    struct store *s = open_with((struct store_config){.dir = dir});
    put(s, "a", "1");
    put(s, "a", "2");
    del(s, "a");
    put(s, "b", "1");
    store_close(s);
    s = open_with((struct store_config){.dir = dir});
    CHECK_INT(store_revision(s), 5);
    CHECK_STR(str_of(listing(s, 0, "", "")), "b=1@5 ");
    CHECK_STR(str_of(listing(s, 3, "", "")), "a=2@3 ");
    CHECK_INT(put(s, "c", "1"), 6);
    close_fresh(s);
}

TEST(a_folder_has_one_store_at_a_time)
{
    struct store *s = open_fresh(), *other;
    struct err err;
    CHECK_INT(store_open(&(struct store_config){.dir = fixture_dir}, &other, &err), -1);
    CHECK(strstr(err.message, "in use"));
    close_fresh(s);
}

TEST(compaction_forgets_what_is_past_the_limits_and_nothing_else)
{
    struct store *s = open_with((struct store_config){
        .dir = fresh_dir(), .no_sync = true, .history_count = 5, .history_ms = 1});
    put(s, "keep", "x");
    for (int i = 0; i < 50; i++) {
        put(s, "a", "1");
        usleep(200);
    }
    usleep(IDLE_US);
    int64_t compacted = store_compacted(s), rev = store_revision(s);
    CHECK_INT(rev, 52);
    CHECK_INT(compacted, rev - 5);
    CHECK_STR(str_of(listing(s, compacted - 1, "", "")), "410");
    CHECK_STR(str_of(listing(s, compacted, "", "")), "a=1@47 keep=x@2 ");
    CHECK_STR(str_of(listing(s, rev, "", "")), "a=1@52 keep=x@2 ");
    close_fresh(s);
}

static int64_t count_in(struct store *s, int64_t rev, const char *start, const char *end)
{
    struct store_snap *snap;
    struct err err;
    CHECK_OK(store_snap_begin(s, rev, &snap, &err), &err);
    int64_t n = store_count(snap, str_of(start), str_of(end));
    store_snap_end(snap);
    return n;
}

TEST(a_count_is_right_however_often_it_was_asked_for)
{
    struct store *s = open_fresh();
    char key[16];
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof(key), "a%02d", i);
        put(s, key, "x");
    }
    int64_t before = store_revision(s);
    for (int round = 0; round < 3; round++) {
        CHECK_INT(count_in(s, 0, "a", "b"), 20 + round);
        CHECK_INT(count_in(s, 0, "a10", "b"), 10);
        CHECK_INT(count_in(s, 0, "", ""), 20 + 2 * round);
        put(s, "a05", "changed");
        snprintf(key, sizeof(key), "a00%d", round);
        put(s, key, "new");
        put(s, round ? "b1" : "b0", "new");
        CHECK_INT(count_in(s, before, "a", "b"), 20); /* as it was then */
        if (round == 1) {
            del(s, "b0");
            put(s, "b0", "again");
            put(s, "b2", "one more");
            del(s, "b2");
            put(s, "b2", "once more");
            del(s, "b1");
        }
    }
    for (int i = 0; i < 50; i++) { /* more ranges than are remembered */
        snprintf(key, sizeof(key), "a%02d", i);
        int64_t want = i < 20 ? 20 - i + (i == 0 ? 3 : 0) : 0;
        CHECK_INT(count_in(s, 0, key, "b"), want);
    }
    close_fresh(s);
}

TEST(without_a_count_history_is_bounded_by_its_age_alone)
{
    struct store *s =
        open_with((struct store_config){.dir = fresh_dir(), .no_sync = true, .history_ms = 1});
    put(s, "a", "1");
    put(s, "a", "2");
    usleep(IDLE_US);
    put(s, "b", "3"); /* what a page began with is as old as the store lets it be */
    usleep(IDLE_US);
    CHECK_STR(str_of(listing(s, 3, "", "")), "410");
    CHECK_STR(str_of(listing(s, 4, "", "")), "a=2@3 b=3@4 ");
    close_fresh(s);
}

TEST(history_is_bounded_in_bytes_even_when_it_is_young)
{
    struct store *s = open_with(
        (struct store_config){.dir = fresh_dir(), .no_sync = true, .history_bytes = 10000});
    char value[1000];
    for (int i = 0; i < 100; i++) {
        for (size_t j = 0; j < sizeof(value); j++)
            value[j] = (char)random(); /* no two versions have anything in common */
        put_if(s, STR("a"), (struct str){value, sizeof(value)}, STORE_ANY);
    }
    int64_t kept = store_revision(s) - store_compacted(s);
    CHECK(kept >= 8 && kept <= 10);
    close_fresh(s);
}

#ifndef OVER_ETCD /* there the cluster's space counts */
TEST(a_full_store_refuses_writes_and_stays_readable)
{
    const char *dir = fresh_dir();
    struct store *s =
        open_with((struct store_config){.dir = dir, .no_sync = true, .map_bytes = 1 << 20});
    static char value[100000];
    char key[16];
    int64_t last = 0, rev = 0;
    struct store_write w;
    for (int i = 0; i < 20; i++) {
        struct bytes *b = bytes_new((struct str){value, sizeof(value)});
        snprintf(key, sizeof(key), "k%d", i);
        struct store_op op = {STORE_PUT, str_of(key), b, -1, STORE_ABSENT};
        w = (struct store_write){.ops = &op, .op_count = 1};
        store_commit(s, &w);
        bytes_unref(w.first_value);
        bytes_unref(b);
        if (w.result == STORE_FAILED)
            break;
        last = w.revision;
    }
    CHECK_INT(w.result, STORE_FAILED);
    CHECK_STR(str_of(w.err.message), "etcdserver: mvcc: database space exceeded");
    CHECK(last > 5);
    CHECK_INT(store_revision(s), last);
    CHECK((rev = put(s, "small", "fits")) == last + 1);
    store_close(s);
    s = open_with((struct store_config){.dir = dir, .no_sync = true});
    CHECK_INT(store_revision(s), rev);
    CHECK_INT(put(s, "k", "now there is room"), rev + 1);
    close_fresh(s);
}
#endif

#ifndef OVER_ETCD
static size_t resident_files(void)
{
    unsigned long all = 0, resident = 0, shared = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    CHECK(f && fscanf(f, "%lu %lu %lu", &all, &resident, &shared) == 3);
    fclose(f);
    return shared * 4096;
}

TEST(what_a_walk_through_a_large_store_mapped_in_goes_with_the_next_writes)
{
    enum { COUNT = 1500, SIZE = 64 << 10 }; /* 96 MB */
    struct store *s = open_fresh();
    char *p;
    struct err err;
    for (int i = 0; i < COUNT; i++) {
        char key[32];
        snprintf(key, sizeof(key), "/k/%06d", i);
        struct bytes *value = bytes_new_uninit(SIZE, &p);
        memset(p, 'v', SIZE);
        struct store_op op = {.type = STORE_PUT,
                              .key = str_of(key),
                              .value = value,
                              .revision_at = -1,
                              .expect = STORE_ANY};
        struct store_write w = {.ops = &op, .op_count = 1};
        store_commit(s, &w);
        CHECK_INT(w.result, STORE_OK);
        bytes_unref(value);
        bytes_unref(w.first_value);
    }
    size_t before = resident_files(), sum = 0;
    struct store_snap *snap;
    struct store_kv kv;
    CHECK_OK(store_snap_begin(s, 0, &snap, &err), &err);
    struct store_iter *it = store_range(snap, STR("/k/"), STR("/k0"));
    while (store_next(it, &kv))
        for (size_t i = 0; i < kv.value.n; i += 4096)
            sum += kv.value.p[i] == 'v';
    store_iter_free(it);
    store_snap_end(snap);
    CHECK_INT(sum, COUNT * (SIZE / 4096));
    for (int i = 0; i < 16; i++)
        put(s, "later", "x");
    CHECK(resident_files() < before + (40u << 20));
    close_fresh(s);
}
#endif

TEST(the_file_does_not_grow_when_nothing_is_added)
{
    struct store *s = open_with(
        (struct store_config){.dir = fresh_dir(), .no_sync = true, .history_bytes = 100000});
    struct buf b = {0}, path = {0};
    struct stat st;
    struct store_snap *snap;
    struct err err;
    char key[16];
    for (int i = 0; i < 10000; i++) {
        version_text(&b, i);
        snprintf(key, sizeof(key), "k%d", i % 50);
        CHECK_OK(store_snap_begin(s, 0, &snap, &err), &err); /* readers come and go */
        put_if(s, str_of(key), buf_str(&b), STORE_ANY);
        store_snap_end(snap);
    }
    buf_printf(&path, "%s/data.mdb", fixture_dir);
    CHECK(stat(buf_z(&path), &st) == 0);
    CHECK(st.st_size < 2 << 20);
    buf_done(&b);
    buf_done(&path);
    close_fresh(s);
}
