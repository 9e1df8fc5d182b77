/* What the store does on this machine's disk. Writes are durable. */
#include "fixture.h"

#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"

enum { PODS = 10000, POD_BYTES = 2500, UPDATES = 4, MAX_THREADS = 64 };

static double now_s(void)
{
    return (double)wall_ns(world_real()) / 1e9;
}

static long memory_kib(const char *field)
{
    struct buf b = {0};
    struct err err;
    CHECK_OK(file_read("/proc/self/status", 1 << 20, &b, &err), &err);
    const char *at = strstr(buf_z(&b), field);
    long n = at ? atol(at + strlen(field) + 1) : 0;
    buf_done(&b);
    return n;
}

/* Text of a pod's size; version v differs from v-1 as a status update does. */
static void pod_text(struct buf *b, int pod, int version)
{
    buf_clear(b);
    buf_printf(b, "{\"metadata\":{\"name\":\"pod-%d\",\"resourceVersion\":\"%d\"},\"spec\":\"", pod,
               version);
    for (unsigned x = (unsigned)pod; b->n < POD_BYTES - 100;)
        buf_printf(b, "%u,", x = x * 1664525 + 1013904223);
    buf_printf(b, "\"},\"status\":{\"phase\":\"%s\",\"startTime\":\"%d\"}}",
               version > 2 ? "Running" : "Pending", version * 1000 + pod);
}

struct job {
    struct store *s;
    int first, step, version, end;
};

static void *write_pods(void *arg)
{
    struct job *j = arg;
    struct buf b = {0};
    char key[64];
    for (int pod = j->first; pod < j->end; pod += j->step) {
        pod_text(&b, pod, j->version);
        snprintf(key, sizeof(key), "/registry/pods/default/pod-%05d", pod);
        CHECK(put_if(j->s, str_of(key), buf_str(&b), STORE_ANY) > 0);
    }
    buf_done(&b);
    return NULL;
}

static void write_round(struct store *s, int threads, int version, int pods)
{
    pthread_t t[MAX_THREADS];
    struct job jobs[MAX_THREADS];
    double start = now_s();
    for (int i = 0; i < threads; i++) {
        jobs[i] = (struct job){s, i, threads, version, pods};
        pthread_create(&t[i], NULL, write_pods, &jobs[i]);
    }
    for (int i = 0; i < threads; i++)
        pthread_join(t[i], NULL);
    printf("%2d submitters: %8.0f writes/s\n", threads, pods / (now_s() - start));
}

static void read_pods(struct store *s)
{
    enum { GETS = 1000000, SNAPS = 1000000 };
    struct err err;
    struct store_snap *snap;
    struct store_kv kv;
    char key[64];
    double start = now_s();
    for (int i = 0; i < SNAPS; i++) {
        CHECK_OK(store_snap_begin(s, 0, &snap, &err), &err);
        store_snap_end(snap);
    }
    printf("snapshot: %.0f ns\n", (now_s() - start) * 1e9 / SNAPS);
    start = now_s();
    CHECK_OK(store_snap_begin(s, 0, &snap, &err), &err);
    for (int i = 0; i < GETS; i++) {
        snprintf(key, sizeof(key), "/registry/pods/default/pod-%05d",
                 (int)((unsigned)i * 7919u % PODS));
        CHECK(store_get(snap, str_of(key), &kv));
    }
    printf("get: %.0f/s\n", GETS / (now_s() - start));
    for (int round = 0; round < 2; round++) {
        start = now_s();
        struct store_iter *it = store_range(snap, STR("/registry/"), STR("/registry0"));
        size_t bytes = 0, n = 0;
        for (; store_next(it, &kv); n++)
            bytes += kv.value.n;
        store_iter_free(it);
        printf("range of %zu keys, %zu KiB at %s: %.2f ms\n", n, bytes >> 10,
               round ? "an old revision" : "the newest", (now_s() - start) * 1e3);
        store_snap_end(snap);
        CHECK_OK(store_snap_begin(s, PODS * 3, &snap, &err), &err);
    }
    store_snap_end(snap);
}

TEST(bench)
{
#ifdef OVER_ETCD
    fixture_etcd.sync = true;
#endif
    struct store *s = open_with((struct store_config){.dir = fresh_dir()});
    printf("RSS before: %ld KiB\n", memory_kib("VmRSS:"));
    write_round(s, 64, 1, PODS);
    write_round(s, 64, 2, PODS);
    write_round(s, 64, 3, PODS);
    write_round(s, 64, 4, PODS);
    write_round(s, 64, 5, PODS);
    read_pods(s);
    struct buf path = {0};
    struct stat st;
    buf_printf(&path, "%s/data.mdb", fixture_dir);
    CHECK(stat(buf_z(&path), &st) == 0);
    printf(
        "%d pods, %d updates each, read: RSS %ld KiB (anonymous %ld, mapped %ld), file %ld KiB\n",
        PODS, UPDATES, memory_kib("VmRSS:"), memory_kib("RssAnon:"), memory_kib("RssFile:"),
        (long)(st.st_size >> 10));
    buf_done(&path);
    write_round(s, 16, 6, PODS / 2);
    write_round(s, 1, 7, PODS / 20);
    close_fresh(s);
}
