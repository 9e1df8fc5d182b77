/* A process that writes is killed at random moments, again and again; each time the store must open
 * with everything that was acknowledged, and with a history in which every event fits its
 * predecessor. */
#include "fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "base/buf.h"

enum { KEYS = 4, KILLS = 50, ACK_TEXT = 32 };

/* --- the process that will be killed --- */

struct writer {
    struct store *s;
    int key, pipe;
    long count; /* of the last write that the store has */
};

/* Every tenth write is a deletion; its count is not kept, the next one goes on from the parent's.
 */
static int64_t write_count(struct store *s, const char *key, long count)
{
    if (count % 10 == 0)
        return del(s, key);
    char value[2500];
    memset(value, 'a' + (int)(count % 7), sizeof(value));
    value[snprintf(value, 24, "%ld ", count)] = ' ';
    return put_if(s, str_of(key), (struct str){value, sizeof(value)}, STORE_ANY);
}

static void *write_on(void *arg)
{
    struct writer *w = arg;
    char key[16];
    snprintf(key, sizeof(key), "key%d", w->key);
    for (;;) {
        int64_t rev = write_count(w->s, key, ++w->count);
        char ack[ACK_TEXT] = {0};
        snprintf(ack, sizeof(ack), "%d %ld %lld", w->key, w->count, (long long)rev);
        if (rev <= 0 || write(w->pipe, ack, sizeof(ack)) != sizeof(ack))
            _exit(1);
    }
    return NULL;
}

static void child(const char *dir, const long counts[KEYS], int pipe)
{
    struct store *s = open_with((struct store_config){
        .dir = dir, .history_count = 300, .history_ms = 50, .checkpoint_commits = 20});
    pthread_t t;
    for (int i = 0; i < KEYS; i++) {
        struct writer *w = NEW(struct writer);
        *w = (struct writer){s, i, pipe, counts[i]};
        pthread_create(&t, NULL, write_on, w);
    }
    for (;;)
        pause();
}

/* --- the judge --- */

struct acked {
    long count[KEYS];
    int64_t revision, writes;
};

static void run_and_kill(const char *dir, struct acked *a)
{
    int p[2];
    CHECK(pipe(p) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(p[0]);
        child(dir, a->count, p[1]);
    }
    close(p[1]);
    struct timespec wait = {0, 30000000 + random() % 170 * 1000000};
    nanosleep(&wait, NULL);
    kill(pid, SIGKILL);
    char ack[ACK_TEXT];
    while (read(p[0], ack, sizeof(ack)) == sizeof(ack)) {
        int key;
        long count;
        long long rev;
        CHECK(sscanf(ack, "%d %ld %lld", &key, &count, &rev) == 3);
        a->count[key] = count;
        a->revision = rev > a->revision ? rev : a->revision;
        a->writes++;
    }
    close(p[0]);
    int status;
    waitpid(pid, &status, 0);
    CHECK(WIFSIGNALED(status));
}

/* The count that a value shows. */
static long count_of(struct str value)
{
    return value.n ? atol(value.p) : 0;
}

/* The key is as the last acknowledged write left it, or as the one behind it that nobody heard of.
 */
static void check_key(struct store *s, int key, long *count)
{
    char name[16];
    snprintf(name, sizeof(name), "key%d", key);
    struct store_snap *snap;
    struct store_kv kv;
    struct err err;
    CHECK_OK(store_snap_begin(s, 0, &snap, &err), &err);
    bool found = store_get(snap, str_of(name), &kv);
    long acked = *count, now = found ? count_of(kv.value) : acked % 10 == 0 ? acked : acked + 1;
    CHECK(now == acked || now == acked + 1);
    CHECK(found == (now % 10 != 0));
    *count = now;
    store_snap_end(snap);
}

/* From the oldest event on: revisions without gaps, each prev what the event before left. */
static void check_history(struct store *s)
{
    long last[KEYS] = {0};
    bool known[KEYS] = {false};
    int64_t from = store_compacted(s), upto = store_revision(s);
    while (from < upto) {
        struct store_batch *b;
        int64_t next;
        struct err err;
        CHECK_OK(store_history(s, from, upto, STR(""), 100, &b, &next, &err), &err);
        for (size_t i = 0; i < b->count; i++) {
            const struct store_event *e = &b->events[i];
            int key = e->key.p[3] - '0';
            CHECK_INT(e->revision, from + (int64_t)i + 1);
            CHECK(!known[key] || count_of(bytes_str(e->prev)) == last[key]);
            last[key] = count_of(bytes_str(e->value));
            known[key] = true;
        }
        store_batch_unref(b);
        CHECK(next > from);
        from = next;
    }
}

TEST(no_acknowledged_write_is_lost_to_kill_9)
{
    const char *dir = fresh_dir();
    struct acked a = {0};
    srandom((unsigned)getpid());
    for (int round = 0; round < KILLS; round++) {
        run_and_kill(dir, &a);
        struct store *s = open_with((struct store_config){.dir = dir, .history_count = 300});
        CHECK(store_revision(s) >= a.revision);
        for (int i = 0; i < KEYS; i++)
            check_key(s, i, &a.count[i]);
        check_history(s);
        a.revision = store_revision(s);
        store_close(s);
    }
    printf("%lld acknowledged writes, %d kills, revision %lld\n", (long long)a.writes, KILLS,
           (long long)a.revision);
    struct err err;
    file_remove_tree(fixture_dir, &err);
}
