/* fixture.h: a store in a folder of its own, and writes in one line. With OVER_ETCD it stands
 * before an etcd cluster of one member, a new one for each folder. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "store/store.h"
#include "test.h"

#ifdef OVER_ETCD
#include "etcd_fixture.h"
static struct etcd_cluster fixture_etcd;
enum { IDLE_US = 600000 }; /* when an idle store has forgotten what it may */
#else
enum { IDLE_US = 20000 };
#endif

static char fixture_dir[64];

static inline void remove_fixture(void)
{
    struct err err;
    if (fixture_dir[0])
        file_remove_tree(fixture_dir, &err);
    fixture_dir[0] = '\0';
#ifdef OVER_ETCD
    etcd_cluster_stop(&fixture_etcd);
#endif
}

/* An empty folder; the last one is removed. */
static inline const char *fresh_dir(void)
{
    remove_fixture();
#ifdef OVER_ETCD
    etcd_cluster_start(&fixture_etcd, 1);
#endif
    snprintf(fixture_dir, sizeof(fixture_dir), "/tmp/tutti-store-XXXXXX");
    CHECK(mkdtemp(fixture_dir));
    return fixture_dir;
}

static inline struct store *open_with(struct store_config config)
{
    struct store *s;
    struct err err;
#ifdef OVER_ETCD
    config.etcd_endpoints = fixture_etcd.endpoints;
#endif
    CHECK_OK(store_open(&config, &s, &err), &err);
    return s;
}

static inline struct store *open_fresh(void)
{
    return open_with((struct store_config){.dir = fresh_dir(), .no_sync = true});
}

static inline void close_fresh(struct store *s)
{
    store_close(s);
    remove_fixture();
}

/* One op; the answer is its revision, or minus the result. */
static inline int64_t write_op(struct store *s, struct store_op op)
{
    struct store_write w = {.ops = &op, .op_count = 1};
    store_commit(s, &w);
    bytes_unref(w.first_value);
    return w.result == STORE_OK ? w.revision : -(int64_t)w.result;
}

static inline int64_t put_if(struct store *s, struct str key, struct str value, int64_t expect)
{
    struct bytes *b = bytes_new(value);
    int64_t rev = write_op(s, (struct store_op){STORE_PUT, key, b, -1, expect});
    bytes_unref(b);
    return rev;
}

static inline int64_t put(struct store *s, const char *key, const char *value)
{
    return put_if(s, str_of(key), str_of(value), STORE_ANY);
}

static inline int64_t del(struct store *s, const char *key)
{
    return write_op(s, (struct store_op){STORE_DELETE, str_of(key), NULL, -1, STORE_ANY});
}

/* "key=value@mod_rev " for each of the range at the revision, or the error's code. */
static inline const char *listing(struct store *s, int64_t rev, const char *start, const char *end)
{
    static char text[4096];
    struct store_snap *snap;
    struct err err;
    if (store_snap_begin(s, rev, &snap, &err)) {
        snprintf(text, sizeof(text), "%d", err.code);
        return text;
    }
    struct store_iter *it = store_range(snap, str_of(start), str_of(end));
    struct store_kv kv;
    size_t n = 0;
    text[0] = '\0';
    while (store_next(it, &kv) && n < sizeof(text))
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s=%.*s@%lld ", STR_ARG(kv.key),
                              STR_ARG(kv.value), (long long)kv.mod_rev);
    store_iter_free(it);
    store_snap_end(snap);
    return text;
}
