#include "fixture.h"

#include <lmdb.h>

/* As format 1 wrote it. */
struct old_record {
    int64_t create_rev, mod_rev;
    uint8_t deltas;
    char value[64];
} __attribute__((packed));

static void put_raw(MDB_txn *txn, MDB_dbi db, const char *key, const void *p, size_t n)
{
    MDB_val k = {strlen(key), (void *)key}, v = {n, (void *)p};
    CHECK(mdb_put(txn, db, &k, &v, 0) == 0);
}

static void put_old(MDB_txn *txn, MDB_dbi kv, const char *key, int64_t rev, const char *value)
{
    struct old_record r = {rev, rev, 0, ""};
    memcpy(r.value, value, strlen(value));
    put_raw(txn, kv, key, &r, 17 + strlen(value));
}

static void make_old_folder(const char *dir, int64_t format)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi kv, meta, db;
    CHECK(mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, 4) == 0);
    CHECK(mdb_env_open(env, dir, 0, 0600) == 0 && mdb_txn_begin(env, NULL, 0, &txn) == 0);
    CHECK(mdb_dbi_open(txn, "kv", MDB_CREATE, &kv) == 0);
    CHECK(mdb_dbi_open(txn, "meta", MDB_CREATE, &meta) == 0);
    CHECK(mdb_dbi_open(txn, "hist", MDB_CREATE, &db) == 0);
    CHECK(mdb_dbi_open(txn, "log", MDB_CREATE, &db) == 0);
    int64_t state[] = {format, 12, 12, 0};
    put_raw(txn, meta, "state", state, sizeof(state));
    put_old(txn, kv, "object", 12, "{\"metadata\":{\"resourceVersion\":\"12\"}}");
    put_old(txn, kv, "other", 7, "{\"resourceVersion\":\"6\"}"); /* somebody else's */
    put_old(txn, kv, "plain", 5, "x");
    CHECK(mdb_txn_commit(txn) == 0);
    mdb_env_close(env);
}

TEST(a_folder_of_the_first_format_is_brought_up_to_date)
{
    const char *dir = fresh_dir();
    make_old_folder(dir, 1);
    for (int round = 0; round < 2; round++) {
        struct store *s = open_with((struct store_config){.dir = dir});
        struct store_snap *snap;
        struct store_kv kv;
        struct err err;
        CHECK_OK(store_snap_begin(s, 0, &snap, &err), &err);
        CHECK(store_get(snap, STR("object"), &kv) && kv.revision_at == 32 && kv.mod_rev == 12);
        CHECK_STR(kv.value, "{\"metadata\":{\"resourceVersion\":\"12\"}}");
        CHECK(store_get(snap, STR("other"), &kv) && kv.revision_at == -1 && kv.mod_rev == 7);
        CHECK(store_get(snap, STR("plain"), &kv) && kv.revision_at == -1);
        CHECK_STR(kv.value, "x");
        store_snap_end(snap);
        store_close(s);
    }
    remove_fixture();
}

TEST(a_folder_of_a_later_format_is_left_alone)
{
    const char *dir = fresh_dir();
    struct store *s;
    struct err err;
    make_old_folder(dir, 3);
    CHECK_INT(store_open(&(struct store_config){.dir = dir}, &s, &err), -1);
    remove_fixture();
}
