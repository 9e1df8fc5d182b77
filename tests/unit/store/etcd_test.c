/* What a store over etcd owes its users beyond what every store does (store_test.c and watch_test.c
 * run over etcd as well). */
#include "fixture.h"

#include "etcd_fixture.h"

static struct etcd_cluster cluster;

/* Whichever test was the last. */
__attribute__((destructor)) static void stop_last(void)
{
    etcd_cluster_stop(&cluster);
}

static void start(size_t members)
{
    etcd_cluster_stop(&cluster);
    etcd_cluster_start(&cluster, members);
}

static struct store *open_at(const char *dir, const char *endpoints)
{
    return open_with(
        (struct store_config){.dir = dir, .etcd_endpoints = endpoints, .etcd_timeout_ms = 10000});
}

static const char *dir_of(const char *name)
{
    static char dirs[4][128];
    static int next;
    char *dir = dirs[next++ % 4];
    snprintf(dir, sizeof(dirs[0]), "%s/%s", cluster.dir, name);
    return dir;
}

static void barrier(struct store *s)
{
    struct err err;
    CHECK_OK(store_barrier_wait(s, 0, &err), &err);
}

TEST(two_servers_see_each_others_writes)
{
    start(1);
    struct store *a = open_at(dir_of("a"), cluster.endpoints);
    struct store *b = open_at(dir_of("b"), cluster.endpoints);
    for (int i = 0; i < 50; i++) {
        int64_t rev = put(a, "k", "from a");
        barrier(b);
        CHECK(store_revision(b) >= rev);
        CHECK_INT(put_if(b, STR("k"), STR("stale"), rev - 1), -STORE_CONFLICT);
        rev = put_if(b, STR("k"), STR("from b"), rev);
        CHECK(rev > 0);
        barrier(a);
        CHECK(store_revision(a) >= rev);
    }
    CHECK_STR(str_of(listing(a, 0, "", "")), listing(b, 0, "", ""));
    store_close(a);
    store_close(b);
}

TEST(every_picture_has_the_revision_in_the_value)
{
    start(1);
    struct store *a = open_at(dir_of("a"), cluster.endpoints);
    struct store *b = open_at(dir_of("b"), cluster.endpoints);
    struct bytes *value = bytes_new(STR("{\"rv\":\"\"}"));
    struct store_op op = {STORE_PUT, STR("k"), value, 7, STORE_ABSENT};
    CHECK_INT(write_op(a, op), 2);
    bytes_unref(value);
    barrier(b);
    CHECK_STR(str_of(listing(b, 0, "", "")), "k={\"rv\":\"2\"}@2 ");
    store_close(b);
    b = open_at(dir_of("c"), cluster.endpoints); /* by reading all */
    CHECK_STR(str_of(listing(b, 0, "", "")), "k={\"rv\":\"2\"}@2 ");
    store_close(a);
    store_close(b);
}

TEST(a_conflict_is_heard_when_its_cause_can_be_read)
{
    start(1);
    struct store *a = open_at(dir_of("a"), cluster.endpoints);
    struct store *b = open_at(dir_of("b"), cluster.endpoints);
    for (int i = 0; i < 100; i++) {
        int64_t rev = put(a, "k", "x");
        CHECK_INT(put_if(b, STR("k"), STR("y"), STORE_ABSENT), -STORE_CONFLICT);
        CHECK(store_revision(b) >= rev);
    }
    store_close(a);
    store_close(b);
}

TEST(a_revision_of_another_server_can_be_waited_for)
{
    start(1);
    struct store *a = open_at(dir_of("a"), cluster.endpoints);
    struct store *b = open_at(dir_of("b"), cluster.endpoints);
    struct err err;
    int64_t rev = put(a, "k", "x");
    CHECK_OK(store_barrier_wait(b, rev, &err), &err);
    CHECK(store_revision(b) >= rev);
    store_close(b);
    b = open_with((struct store_config){
        .dir = dir_of("b"), .etcd_endpoints = cluster.endpoints, .etcd_timeout_ms = 500});
    CHECK_INT(store_barrier_wait(b, rev + 1000, &err), -1);
    CHECK_INT(err.code, 504);
    store_close(a);
    store_close(b);
}

/* "L3NvbWV3aGVyZQ==" is "/somewhere", "L3R1dHRpL3Jhdw==" "/tutti/raw", "aGVyZQ==" "here". */
TEST(keys_of_others_move_the_revision_and_nothing_else)
{
    start(1);
    struct store *a = open_at(dir_of("a"), cluster.endpoints);
    put(a, "k", "x");
    etcd_post(&cluster, "/v3/kv/put", "{\"key\":\"L3NvbWV3aGVyZQ==\",\"value\":\"aGVyZQ==\"}");
    barrier(a);
    CHECK_INT(store_revision(a), 3);
    CHECK_STR(str_of(listing(a, 0, "", "")), "k=x@2 ");
    etcd_post(&cluster, "/v3/kv/put", "{\"key\":\"L3R1dHRpL3Jhdw==\",\"value\":\"aGVyZQ==\"}");
    barrier(a);
    CHECK_STR(str_of(listing(a, 0, "", "")), "k=x@2 raw=here@4 ");
    CHECK_INT(put(a, "k", "y"), 5);
    store_close(a);
}

TEST(a_server_that_was_away_catches_up)
{
    start(1);
    struct store *a = open_at(dir_of("a"), cluster.endpoints);
    put(a, "gone", "x");
    put(a, "kept", "x");
    store_close(a);
    struct store *b = open_at(dir_of("b"), cluster.endpoints);
    del(b, "gone");
    put(b, "new", "y");
    a = open_at(dir_of("a"), cluster.endpoints);
    CHECK_STR(str_of(listing(a, 0, "", "")), "kept=x@3 new=y@5 ");
    CHECK_STR(str_of(listing(a, 3, "", "")), "gone=x@2 kept=x@3 "); /* no history was lost */
    store_close(a);
    store_close(b);
}

static void compact(int64_t rev)
{
    char json[64];
    snprintf(json, sizeof(json), "{\"revision\":%lld}", (long long)rev);
    etcd_post(&cluster, "/v3/kv/compaction", json);
}

TEST(what_compaction_took_meanwhile_is_read_anew)
{
    start(1);
    struct store *a = open_at(dir_of("a"), cluster.endpoints);
    put(a, "gone", "x");
    put(a, "kept", "x");
    put(a, "changed", "1");
    store_close(a);
    struct store *b = open_at(dir_of("b"), cluster.endpoints);
    del(b, "gone");
    put(b, "changed", "2");
    put(b, "changed", "3");
    compact(store_revision(b));
    a = open_at(dir_of("a"), cluster.endpoints);
    CHECK_STR(str_of(listing(a, 0, "", "")), "changed=3@7 kept=x@3 ");
    CHECK_STR(str_of(listing(a, 4, "", "")), "410");
    CHECK_INT(put_if(a, STR("changed"), STR("4"), 7), 8);
    barrier(b);
    CHECK_STR(str_of(listing(b, 0, "", "")), listing(a, 0, "", ""));
    store_close(a);
    store_close(b);
}

TEST(much_is_read_in_pages_and_caught_up_in_fragments)
{
    enum { MANY = 1500, BYTES = 4000 };
    start(1);
    const char *dir = dir_of("b");
    store_close(open_at(dir, cluster.endpoints));
    struct store *a = open_at(dir_of("a"), cluster.endpoints);
    static char value[BYTES], key[16];
    for (int i = 0; i < MANY; i++) {
        memset(value, 'a' + i % 26, sizeof(value));
        snprintf(key, sizeof(key), "k%05d", i);
        CHECK_INT(put_if(a, str_of(key), (struct str){value, sizeof(value)}, STORE_ABSENT), i + 2);
    }
    struct store *b = open_at(dir, cluster.endpoints), *c = open_at(dir_of("c"), cluster.endpoints);
    struct store *others[] = {b, c};
    for (size_t i = 0; i < 2; i++) {
        struct store_snap *snap;
        struct store_kv kv;
        struct err err;
        CHECK_OK(store_snap_begin(others[i], 0, &snap, &err), &err);
        CHECK_INT(store_count(snap, STR(""), STR("")), MANY);
        CHECK_INT(store_get(snap, STR("k01499"), &kv), 1);
        CHECK_INT(kv.value.n, BYTES);
        CHECK_INT(kv.mod_rev, MANY + 1);
        store_snap_end(snap);
        store_close(others[i]);
    }
    store_close(a);
}

TEST(etcd_is_reached_over_tls_with_a_certificate)
{
    etcd_cluster_stop(&cluster);
    cluster.tls = true;
    etcd_cluster_start(&cluster, 1);
    struct store *s;
    struct err err;
    char ca[128], cert[128], key[128];
    snprintf(ca, sizeof(ca), "%s/ca.crt", cluster.dir);
    snprintf(cert, sizeof(cert), "%s/client.crt", cluster.dir);
    snprintf(key, sizeof(key), "%s/client.key", cluster.dir);
    struct store_config config = {.dir = dir_of("a"),
                                  .etcd_endpoints = cluster.endpoints,
                                  .etcd_cafile = ca,
                                  .etcd_certfile = cert,
                                  .etcd_keyfile = key};
    s = open_with(config);
    CHECK_INT(put(s, "k", "x"), 2);
    store_close(s);
    config.etcd_certfile = config.etcd_keyfile = NULL;
    config.etcd_timeout_ms = 500;
    CHECK_INT(store_open(&config, &s, &err), -1); /* nobody without a certificate */
    config.etcd_cafile = cert;
    CHECK_INT(store_open(&config, &s, &err), -1); /* nor another authority's server */
    CHECK(strstr(err.message, "certificate"));
}

TEST(a_picture_of_another_cluster_is_not_used)
{
    char dir[] = "/tmp/tutti-store-XXXXXX";
    CHECK(mkdtemp(dir));
    start(1);
    struct store *a = open_at(dir, cluster.endpoints);
    put(a, "k", "x");
    put(a, "l", "x");
    store_close(a);
    start(1);
    a = open_at(dir, cluster.endpoints);
    CHECK_STR(str_of(listing(a, 0, "", "")), "");
    CHECK_INT(put(a, "m", "y"), 2);
    store_close(a);
    struct err err;
    file_remove_tree(dir, &err);
}

TEST(a_picture_that_the_machine_may_have_damaged_is_made_again)
{
    start(1);
    const char *dir = dir_of("a");
    struct store *s = open_at(dir, cluster.endpoints);
    put(s, "k", "x");
    put(s, "k", "y");
    store_close(s);
    struct err err;
    struct buf path = {0};
    buf_printf(&path, "%s/boot", dir);
    CHECK_INT(access(buf_z(&path), F_OK), -1); /* it was closed in order */
    CHECK_OK(file_write(buf_z(&path), STR("another boot"), 0600, &err), &err);
    buf_done(&path);
    s = open_at(dir, cluster.endpoints);
    CHECK_STR(str_of(listing(s, 0, "", "")), "k=y@3 ");
    CHECK_STR(str_of(listing(s, 2, "", "")), "410");
    store_close(s);
}

TEST(a_folder_is_a_store_of_its_own_or_a_picture)
{
    start(1);
    struct store *s;
    struct err err;
    struct store_config own = {.dir = dir_of("own")},
                        picture = {.dir = own.dir, .etcd_endpoints = cluster.endpoints};
    s = open_with(own);
    put(s, "k", "x");
    store_close(s);
    CHECK_INT(store_open(&picture, &s, &err), -1);
    CHECK(strstr(err.message, "a store of its own"));
    own.dir = picture.dir = dir_of("picture");
    store_close(open_with(picture));
    CHECK_INT(store_open(&own, &s, &err), -1);
    CHECK(strstr(err.message, "picture"));
}

TEST(without_a_cluster_it_does_not_open)
{
    struct store *s;
    struct err err;
    char endpoints[64];
    start(1);
    snprintf(endpoints, sizeof(endpoints), "http://127.0.0.1:%d", free_port());
    CHECK_INT(store_open(&(struct store_config){.dir = dir_of("a"),
                                                .etcd_endpoints = endpoints,
                                                .etcd_timeout_ms = 300},
                         &s, &err),
              -1);
    CHECK_INT(err.code, 504);
    CHECK(strstr(err.message, "onnection refused"));
    CHECK_INT(store_open(&(struct store_config){.dir = dir_of("a"), .etcd_endpoints = "etcd:2379"},
                         &s, &err),
              -1);
    CHECK(strstr(err.message, "want http://"));
}

TEST(a_write_that_finds_no_cluster_fails_in_time)
{
    start(1);
    const char *dir = dir_of("a");
    store_close(open_at(dir, cluster.endpoints)); /* it is up */
    struct store *s = open_with((struct store_config){
        .dir = dir, .etcd_endpoints = cluster.endpoints, .etcd_timeout_ms = 600});
    put(s, "k", "x");
    etcd_member_kill(&cluster, 0);
    struct bytes *b = bytes_new(STR("y"));
    struct store_op op = {STORE_PUT, STR("k"), b, -1, 2};
    struct store_write w = {.ops = &op, .op_count = 1};
    store_commit(s, &w);
    bytes_unref(b);
    CHECK_INT(w.result, STORE_FAILED);
    CHECK_INT(w.err.code, 504);
    CHECK_STR(str_of(listing(s, 0, "", "")), "k=x@2 "); /* reading goes on */
    etcd_member_start(&cluster, 0);
    int64_t rev = -1;
    for (int i = 0; i < 20 && rev < 0; i++)
        rev = put(s, "l", "z");
    CHECK(rev > 2);
    store_close(s);
}

TEST(a_backup_moves_between_etcd_and_a_store_of_its_own)
{
    start(1);
    struct err err;
    int64_t keys;
    struct store *a = open_at(dir_of("a"), cluster.endpoints), *own;
    struct bytes *value = bytes_new(STR("{\"rv\":\"\"}"));
    put(a, "other", "x");
    put(a, "other", "y");
    write_op(a, (struct store_op){STORE_PUT, STR("k"), value, 7, STORE_ABSENT});
    bytes_unref(value);
    const char *file = dir_of("backup");
    CHECK_OK(store_backup(a, file, &keys, &err), &err);
    struct store_config config = {.dir = dir_of("own")};
    CHECK_OK(store_restore(&config, file, &keys, &err), &err);
    CHECK_OK(store_open(&config, &own, &err), &err);
    CHECK_STR(str_of(listing(own, 0, "", "")), "k={\"rv\":\"4\"}@4 other=y@3 ");

    struct store_config again = {
        .dir = dir_of("again"), .etcd_endpoints = cluster.endpoints, .etcd_prefix = "/again/"};
    CHECK_OK(store_restore(&again, file, &keys, &err), &err);
    CHECK_INT(keys, 2);
    CHECK_INT(store_restore(&again, file, &keys, &err), -1);
    CHECK_INT(err.code, 409);
    struct store *b = open_with(again);
    struct store_snap *snap;
    struct store_kv kv;
    char want[32];
    CHECK_OK(store_snap_begin(b, 0, &snap, &err), &err);
    CHECK_INT(store_get(snap, STR("k"), &kv), 1);
    snprintf(want, sizeof(want), "{\"rv\":\"%lld\"}", (long long)kv.mod_rev);
    CHECK(kv.mod_rev > 4);
    CHECK_STR(kv.value, want);
    store_snap_end(snap);

    again.dir = dir_of("third");
    again.etcd_prefix = "/third/";
    struct store *c = open_with(again);
    CHECK_OK(store_copy(own, c, &keys, &err), &err);
    CHECK_INT(keys, 2);
    store_close(a);
    store_close(b);
    store_close(c);
    store_close(own);
}

/* "L3R1dHRpL2s=" is "/tutti/k". */
TEST(servers_compact_what_is_old_by_turns)
{
    static const char old[] = "{\"key\":\"L3R1dHRpL2s=\",\"revision\":\"2\"}";
    start(1);
    struct store_config config = {
        .dir = dir_of("a"), .etcd_endpoints = cluster.endpoints, .etcd_compact_ms = 300};
    struct store *a = open_with(config);
    config.dir = dir_of("b");
    struct store *b = open_with(config);
    put(a, "k", "x");
    put(a, "k", "y");
    etcd_post(&cluster, "/v3/kv/range", old);
    bool kept = true;
    for (int i = 0; i < 50 && kept; i++) {
        usleep(100000);
        kept = etcd_try_post(&cluster, "/v3/kv/range", old);
    }
    CHECK(!kept);
    CHECK_STR(str_of(listing(a, 2, "", "")), "k=x@2 "); /* the picture's history is its own */
    CHECK(put(b, "k", "z") > 3);
    store_close(a);
    store_close(b);
}

static void collect_revisions(void *arg, struct store_batch *b)
{
    struct buf *text = arg;
    for (size_t i = 0; i < b->count; i++) {
        const struct store_event *e = &b->events[i];
        buf_printf(text, "%c%.*s@%lld ", "+~-"[e->type], STR_ARG(e->key), (long long)e -> revision);
    }
}

/* A member stands still while the others go on and compact: the store that talked to it has missed
 * events for good. Its watchers get the last change of each key, in order. */
TEST(a_running_server_that_missed_compacted_events_tells_its_watchers_the_outcome)
{
    start(3);
    char mine[64], others[64];
    snprintf(mine, sizeof(mine), "http://127.0.0.1:%d", cluster.members[2].client_port);
    snprintf(others, sizeof(others), "http://127.0.0.1:%d,http://127.0.0.1:%d",
             cluster.members[0].client_port, cluster.members[1].client_port);
    struct store *a = open_at(dir_of("a"), mine), *b = open_at(dir_of("b"), others);
    put(a, "gone", "x");
    put(a, "changed", "1");
    struct buf text = {0};
    int64_t from;
    struct store_sub *sub = store_subscribe(a, collect_revisions, &text, &from);
    CHECK_INT(from, 3);
    kill(cluster.members[2].pid, SIGSTOP);
    int64_t rev = -1; /* it may have been the leader */
    for (int i = 0; i < 20 && rev < 0; i++)
        rev = put(b, "changed", "2");
    put(b, "changed", "3");
    put(b, "new", "y");
    del(b, "gone");
    int64_t last = put(b, "changed", "4");
    compact(last);
    sleep(6); /* the store gives the silent member up */
    kill(cluster.members[2].pid, SIGCONT);
    struct err err;
    CHECK_OK(store_barrier_wait(a, last, &err), &err);
    CHECK_STR(str_of(listing(a, 0, "", "")), listing(b, 0, "", ""));
    char want[128];
    snprintf(want, sizeof(want), "+new@%lld ~changed@%lld -gone@%lld ", (long long)last - 2,
             (long long)last, (long long)last);
    store_unsubscribe(sub);
    /* What the member brought before it heard of the compaction may stand in front, or be all. */
    if (store_compacted(a) >= last && !str_ends(buf_str(&text), str_of(want)))
        CHECK_STR(buf_str(&text), want);
    buf_done(&text);
    store_close(a);
    store_close(b);
    etcd_cluster_stop(&cluster);
}
