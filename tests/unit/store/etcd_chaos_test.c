/* Three members, two stores, writers on both. Each member is killed in turn while everything that
 * writers, readers and watchers saw is recorded; then the record is judged.
 *
 * Every write puts a value of its own and (but for some blind ones) expects what its writer saw
 * last, and revisions order all writes, so the record is linearizable exactly if: each write that
 * was acknowledged is in the history at its revision and follows the revision it expected; none
 * that was refused is there; no revision is lower than one that had been acknowledged before its
 * write began; and no read through a barrier misses one that had been acknowledged before it. */
#include "fixture.h"

#include <pthread.h>
#include <time.h>

#include "etcd_fixture.h"

enum { STORES = 2, WRITERS = 4, KEYS = 5, ROUNDS = 1, MAX_WRITES = 40000, VALUE = 300 };

struct record {
    int key;
    int64_t expect, revision;
    enum store_result result;
    int code;
};

struct seen {
    int64_t revision;
    int key;
    int writer, number; /* whose value; -1: a deletion */
};

struct watcher {
    struct store *s;
    struct seen *events;
    size_t count, cap;
    char prev[KEYS][32]; /* what the last event of each key left */
    bool broken;
};

struct writer {
    struct store *s;
    int id;
    struct record *records;
    int count;
    const char *why;
};

static struct etcd_cluster cluster;
static atomic_bool stop;
static _Atomic int64_t acknowledged; /* the highest revision */

static void note_acknowledged(int64_t rev)
{
    int64_t was = atomic_load(&acknowledged);
    while (rev > was && !atomic_compare_exchange_weak(&acknowledged, &was, rev))
        ;
}

static void watch(void *arg, struct store_batch *b)
{
    struct watcher *w = arg;
    for (size_t i = 0; i < b->count; i++) {
        const struct store_event *e = &b->events[i];
        struct seen s = {e->revision, e->key.p[1] - '0', -1, -1};
        if (e->value)
            sscanf(e->value->p, "%d:%d ", &s.writer, &s.number);
        /* In order, and each fits the one before. */
        w->broken |= w->count && w->events[w->count - 1].revision >= e->revision;
        w->broken |= e->prev && strncmp(e->prev->p, w->prev[s.key], strlen(w->prev[s.key])) != 0;
        w->broken |= !e->prev != !w->prev[s.key][0];
        snprintf(w->prev[s.key], sizeof(w->prev[s.key]), "%.31s", e->value ? e->value->p : "");
        if (w->count == w->cap) {
            w->cap = w->cap ? w->cap * 2 : 1024;
            w->events = mem_realloc_array(w->events, w->cap, sizeof(*w->events));
        }
        w->events[w->count++] = s;
    }
}

static int64_t current(struct store *s, int key)
{
    char name[8];
    struct store_snap *snap;
    struct store_kv kv;
    struct err err;
    snprintf(name, sizeof(name), "k%d", key);
    CHECK_OK(store_snap_begin(s, 0, &snap, &err), &err);
    int64_t rev = store_get(snap, str_of(name), &kv) ? kv.mod_rev : STORE_ABSENT;
    store_snap_end(snap);
    return rev;
}

static void *write_on(void *arg)
{
    struct writer *w = arg;
    unsigned seed = (unsigned)w->id * 7919;
    while (!atomic_load(&stop) && w->count < MAX_WRITES) {
        struct record *r = &w->records[w->count];
        char name[8], text[VALUE];
        r->key = rand_r(&seed) % KEYS;
        r->expect = current(w->s, r->key);
        snprintf(name, sizeof(name), "k%d", r->key);
        memset(text, '.', sizeof(text));
        text[snprintf(text, 31, "%d:%d ", w->id, w->count)] = ' ';
        struct bytes *value = bytes_new((struct str){text, sizeof(text)});
        bool delete = r->expect && rand_r(&seed) % 10 == 0;
        if (!delete &&rand_r(&seed) % 8 == 0)
            r->expect = STORE_ANY;
        struct store_op op = {delete ? STORE_DELETE : STORE_PUT, str_of(name), value, -1,
                              r->expect};
        struct store_write write = {.ops = &op, .op_count = 1};
        int64_t before = atomic_load(&acknowledged);
        store_commit(w->s, &write);
        bytes_unref(write.first_value);
        bytes_unref(value);
        r->result = write.result;
        r->revision = write.revision;
        r->code = write.result == STORE_FAILED ? write.err.code : 0;
        w->count++;
        if (r->result != STORE_OK)
            continue;
        if (r->revision <= before)
            w->why = "a write took effect before it began";
        if (store_revision(w->s) < r->revision)
            w->why = "an acknowledged write cannot be read";
        note_acknowledged(r->revision);
    }
    return NULL;
}

static void *read_on(void *arg)
{
    struct writer *r = arg;
    struct err err;
    while (!atomic_load(&stop)) {
        int64_t before = atomic_load(&acknowledged);
        if (store_barrier_wait(r->s, 0, &err) == 0) {
            r->count++;
            if (store_revision(r->s) < before)
                r->why = "a consistent read missed an acknowledged write";
        }
    }
    return NULL;
}

static void pause_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

/* The event at a revision. */
static const struct seen *find(const struct watcher *w, int64_t rev)
{
    size_t low = 0, high = w->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (w->events[mid].revision < rev)
            low = mid + 1;
        else
            high = mid;
    }
    return low < w->count && w->events[low].revision == rev ? &w->events[low] : NULL;
}

static void judge(const struct watcher *w, struct writer *writers)
{
    size_t ok = 0, conflicts = 0, unknown = 0, others = 0;
    /* What each event's key was at before. */
    int64_t last[KEYS] = {0}, *before = mem_zalloc((w->count + 1) * sizeof(*before));
    bool *shown[STORES * WRITERS];
    for (int i = 0; i < STORES * WRITERS; i++)
        shown[i] = mem_zalloc(MAX_WRITES);
    for (size_t i = 0; i < w->count; i++) {
        const struct seen *e = &w->events[i];
        before[i] = last[e->key];
        last[e->key] = e->writer < 0 ? STORE_ABSENT : e->revision;
        if (e->writer >= 0) {
            CHECK(!shown[e->writer][e->number]); /* once */
            shown[e->writer][e->number] = true;
        }
    }
    for (int i = 0; i < STORES * WRITERS; i++)
        for (int j = 0; j < writers[i].count; j++) {
            const struct record *r = &writers[i].records[j];
            const struct seen *e = r->result == STORE_OK ? find(w, r->revision) : NULL;
            ok += r->result == STORE_OK;
            conflicts += r->result == STORE_CONFLICT;
            unknown += r->result == STORE_FAILED && r->code == 504;
            others += r->result == STORE_FAILED && r->code != 504;
            if (r->result == STORE_OK) {
                CHECK(e && e->key == r->key);
                CHECK(r->expect == STORE_ANY || before[e - w->events] == r->expect);
                CHECK(e->writer < 0 || (e->writer == i && e->number == j));
            }
            CHECK(r->result != STORE_CONFLICT || !shown[i][j]);
        }
    printf("%zu acknowledged, %zu refused, %zu unknown, %zu failed, %zu events\n", ok, conflicts,
           unknown, others, w->count);
    CHECK(ok > 100);
    CHECK_INT(others, 0);
    free(before);
    for (int i = 0; i < STORES * WRITERS; i++)
        free(shown[i]);
}

TEST(no_acknowledged_write_is_lost_when_members_die)
{
    cluster.sync = true;
    etcd_cluster_start(&cluster, 3);
    struct store *s[STORES];
    struct watcher watchers[STORES] = {0};
    struct store_sub *subs[STORES];
    struct writer writers[STORES * WRITERS] = {0}, readers[STORES] = {0};
    pthread_t threads[STORES * WRITERS], reading[STORES];
    for (int i = 0; i < STORES; i++) {
        char dir[128];
        int64_t from;
        snprintf(dir, sizeof(dir), "%s/store%d", cluster.dir, i);
        s[i] = open_with((struct store_config){.dir = dir, .etcd_endpoints = cluster.endpoints});
        watchers[i].s = s[i];
        subs[i] = store_subscribe(s[i], watch, &watchers[i], &from);
        CHECK_INT(from, 1);
    }
    for (int i = 0; i < STORES * WRITERS; i++) {
        writers[i] = (struct writer){.s = s[i % STORES], .id = i};
        writers[i].records = mem_zalloc(MAX_WRITES * sizeof(struct record));
        pthread_create(&threads[i], NULL, write_on, &writers[i]);
    }
    for (int i = 0; i < STORES; i++) {
        readers[i] = (struct writer){.s = s[i]};
        pthread_create(&reading[i], NULL, read_on, &readers[i]);
    }
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < cluster.count; i++) {
            pause_ms(1000);
            etcd_member_kill(&cluster, i);
            pause_ms(1500);
            etcd_member_start(&cluster, i);
            pause_ms(1500);
        }
    pause_ms(1000);
    atomic_store(&stop, true);
    for (int i = 0; i < STORES * WRITERS; i++) {
        pthread_join(threads[i], NULL);
        CHECK_STR(str_of(writers[i].why), "");
    }
    for (int i = 0; i < STORES; i++) {
        pthread_join(reading[i], NULL);
        CHECK_STR(str_of(readers[i].why), "");
        CHECK(readers[i].count > 10);
    }
    for (int i = 0; i < STORES; i++) {
        struct err err;
        CHECK_OK(store_barrier_wait(s[i], 0, &err), &err);
    }
    for (int i = 0; i < STORES; i++) {
        store_unsubscribe(subs[i]);
        CHECK(!watchers[i].broken);
        judge(&watchers[i], writers);
        store_close(s[i]);
    }
    CHECK_INT(watchers[0].count, watchers[1].count);
    for (int i = 0; i < STORES; i++)
        free(watchers[i].events);
    for (int i = 0; i < STORES * WRITERS; i++)
        free(writers[i].records);
    etcd_cluster_stop(&cluster);
}
