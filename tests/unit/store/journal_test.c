/* What is left of a store when the machine, not only the process, goes away: of each page of LMDB's
 * file the disk has the state of the last sync or any later one, and the journal's last record may
 * be torn. */
#include "fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "store/journal_file.h"

enum { KEYS = 4, PAGE = 4096, ROUNDS = 15 };

static const char *in_dir(const char *dir, const char *name)
{
    static char paths[4][256];
    static unsigned at;
    char *path = paths[at++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
    return path;
}

static void copy_file(const char *from, const char *to)
{
    struct buf b = {0};
    struct err err;
    CHECK_OK(file_read(from, 1 << 30, &b, &err), &err);
    CHECK_OK(file_write(to, buf_str(&b), 0600, &err), &err);
    buf_done(&b);
}

/* --- the disk of the process that dies --- */

static struct {
    const char *dir; /* NULL: this process lives on */
    int syncs_left;  /* then it ends; 0: it does not */
} disk;

/* Takes the place of libc's: after each sync of LMDB's file, a copy of it. */
int fdatasync(int fd)
{
    int rc = (int)syscall(SYS_fdatasync, fd);
    struct stat synced, lmdb;
    if (!disk.dir || fstat(fd, &synced) || stat(in_dir(disk.dir, "data.mdb"), &lmdb) ||
        synced.st_ino != lmdb.st_ino)
        return rc;
    if (disk.syncs_left && --disk.syncs_left == 0)
        _exit(0);
    copy_file(in_dir(disk.dir, "data.mdb"), in_dir(disk.dir, "data.synced"));
    return rc;
}

/* Each page by chance as it was synced last or as the kernel had it at the end. */
static void lose_power(const char *dir)
{
    struct buf old = {0}, new = {0};
    struct err err;
    if (!journal_unclosed(dir) || access(in_dir(dir, "data.synced"), F_OK))
        return;
    CHECK_OK(file_read(in_dir(dir, "data.synced"), 1 << 30, &old, &err), &err);
    CHECK_OK(file_read(in_dir(dir, "data.mdb"), 1 << 30, &new, &err), &err);
    for (size_t at = 0; at + PAGE <= old.n && at + PAGE <= new.n; at += PAGE)
        if (random() % 2)
            memcpy(new.p + at, old.p + at, PAGE);
    for (size_t at = old.n; at + PAGE <= new.n; at += PAGE) /* grown since */
        if (random() % 2)
            memset(new.p + at, 0, PAGE);
    CHECK_OK(file_write(in_dir(dir, "data.mdb"), buf_str(&new), 0600, &err), &err);
    buf_done(&old);
    buf_done(&new);
}

/* --- many writes, and the end --- */

struct ack {
    int key;
    long count;
};

struct writer {
    struct store *s;
    int key, pipe;
    long count;
};

static void *write_on(void *arg)
{
    struct writer *w = arg;
    char key[16], value[900];
    snprintf(key, sizeof(key), "key%d", w->key);
    for (;;) {
        memset(value, 'a' + (int)(++w->count % 26), sizeof(value));
        value[snprintf(value, 24, "%ld ", w->count)] = ' ';
        struct ack ack = {w->key, w->count};
        if (put_if(w->s, str_of(key), (struct str){value, sizeof(value)}, STORE_ANY) <= 0 ||
            write(w->pipe, &ack, sizeof(ack)) != sizeof(ack))
            _exit(1);
    }
    return NULL;
}

static void write_until_killed(const char *dir, const long counts[KEYS], int pipe)
{
    disk.dir = dir;
    if (access(in_dir(dir, "data.mdb"), F_OK) == 0)
        copy_file(in_dir(dir, "data.mdb"), in_dir(dir, "data.synced"));
    struct store *s =
        open_with((struct store_config){.dir = dir, .history_ms = 50, .checkpoint_commits = 8});
    pthread_t t;
    for (int i = 0; i < KEYS; i++) {
        struct writer *w = NEW(struct writer);
        *w = (struct writer){s, i, pipe, counts[i]};
        pthread_create(&t, NULL, write_on, w);
    }
    for (;;)
        pause();
}

static long run_and_kill(const char *dir, long counts[KEYS])
{
    int p[2];
    long writes = 0;
    CHECK(pipe(p) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(p[0]);
        write_until_killed(dir, counts, p[1]);
    }
    close(p[1]);
    nanosleep(&(struct timespec){0, 80000000 + random() % 120 * 1000000}, NULL);
    kill(pid, SIGKILL);
    for (struct ack ack; read(p[0], &ack, sizeof(ack)) == sizeof(ack); writes++)
        counts[ack.key] = ack.count;
    close(p[0]);
    waitpid(pid, NULL, 0);
    return writes;
}

static void check_counts(struct store *s, long counts[KEYS])
{
    struct store_snap *snap;
    struct err err;
    CHECK_OK(store_snap_begin(s, 0, &snap, &err), &err);
    for (int i = 0; i < KEYS; i++) {
        char key[16];
        struct store_kv kv;
        snprintf(key, sizeof(key), "key%d", i);
        long now = store_get(snap, str_of(key), &kv) ? atol(kv.value.p) : 0;
        CHECK(now == counts[i] || now == counts[i] + 1);
        counts[i] = now;
    }
    store_snap_end(snap);
}

TEST(no_acknowledged_write_is_lost_with_the_power)
{
    const char *dir = fresh_dir();
    long counts[KEYS] = {0}, writes = 0;
    srandom((unsigned)getpid());
    for (int round = 0; round < ROUNDS; round++) {
        writes += run_and_kill(dir, counts);
        lose_power(dir);
        struct store *s = open_with((struct store_config){.dir = dir});
        check_counts(s, counts);
        store_close(s);
        CHECK(!journal_unclosed(dir));
    }
    printf("%ld acknowledged writes\n", writes);
    remove_fixture();
}

/* --- a journal with three records, "a" to "c", each of which one more key has --- */

static void wait_for_journal(struct store *s, const char *dir)
{
    for (int i = 0; i < 500 && !journal_unclosed(dir); i++) {
        usleep(10000);
        CHECK(put(s, "first", "x") > 0);
    }
    CHECK(journal_unclosed(dir));
}

static const char *left_with_three(void)
{
    const char *dir = fresh_dir();
    pid_t pid = fork();
    if (pid == 0) {
        struct store *s = open_with((struct store_config){.dir = dir});
        wait_for_journal(s, dir);
        put(s, "a", "1");
        put(s, "b", "2");
        put(s, "c", "3");
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    CHECK(journal_unclosed(dir));
    return dir;
}

/* Where the n-th last record is in the file. */
static off_t record_from_end(const char *dir, int n)
{
    struct journal_file f;
    struct journal_record head;
    struct str payload;
    struct err err;
    CHECK_OK(journal_file_open(&f, dir, &err), &err);
    struct journal_reader r = {.file = &f, .epoch = f.checkpoint.epoch};
    int fd = f.read_fd;
    off_t half = 2 * JOURNAL_BLOCK + (off_t)(r.epoch % 2) * JOURNAL_HALF;
    CHECK(pread(fd, &head, sizeof(head), half) == sizeof(head));
    size_t places[1024], count = 0;
    for (int64_t rev = head.before; count < 1024; rev = head.after) {
        places[count] = r.at;
        if (journal_next(&r, rev, &head, &payload, &err) <= 0)
            break;
        count++;
    }
    CHECK((int)count >= n);
    buf_done(&r.body);
    journal_file_close(&f);
    return half + (off_t)places[count - (size_t)n];
}

static void flip(const char *dir, off_t at)
{
    char byte;
    int fd = open(in_dir(dir, "journal"), O_RDWR | O_CLOEXEC);
    CHECK(pread(fd, &byte, 1, at) == 1);
    byte ^= 1;
    CHECK(pwrite(fd, &byte, 1, at) == 1);
    close(fd);
}

static const char *opened(const char *dir)
{
    struct store *s = open_with((struct store_config){.dir = dir});
    const char *text = listing(s, 0, "a", "d");
    store_close(s);
    char *at = strchr(text, '@');
    return at ? text : "";
}

static bool has(const char *dir, const char *words)
{
    const char *text = opened(dir);
    for (; *words; words += 4)
        if (!memmem(text, strlen(text), words, 3))
            return false;
    return true;
}

TEST(what_the_journal_has_more_is_carried_out)
{
    const char *dir = left_with_three();
    CHECK(has(dir, "a=1 b=2 c=3 "));
    CHECK(has(dir, "a=1 b=2 c=3 ")); /* and stays */
    remove_fixture();
}

TEST(a_torn_last_record_is_a_write_that_nobody_heard_of)
{
    const char *dir = left_with_three();
    flip(dir, record_from_end(dir, 1) + (off_t)sizeof(struct journal_record));
    CHECK(has(dir, "a=1 b=2 "));
    CHECK(!has(dir, "c=3 "));
    remove_fixture();
}

TEST(a_damaged_record_before_whole_ones_is_an_error)
{
    const char *dir = left_with_three();
    flip(dir, record_from_end(dir, 2) + (off_t)sizeof(struct journal_record));
    struct store_config config = {.dir = dir};
    struct store *s;
    struct err err;
    CHECK(store_open(&config, &s, &err) < 0);
    CHECK(strstr(err.message, "are lost"));
    remove_fixture();
}

TEST(a_recovery_that_was_interrupted_begins_anew)
{
    const char *dir = left_with_three();
    for (int sync = 1; sync <= 3; sync++) {
        pid_t pid = fork();
        if (pid == 0) {
            disk.dir = dir;
            disk.syncs_left = sync;
            open_with((struct store_config){.dir = dir});
            _exit(0);
        }
        waitpid(pid, NULL, 0);
    }
    CHECK(has(dir, "a=1 b=2 c=3 "));
    remove_fixture();
}

TEST(one_who_only_reads_sees_what_the_journal_has)
{
    const char *dir = left_with_three();
    struct store *s = open_with((struct store_config){.dir = dir, .read_only = true});
    CHECK(strstr(listing(s, 0, "a", "d"), "c=3"));
    close_fresh(s);
}

/* --- LMDB refuses what the journal has --- */

static int64_t put_large(struct store *s, int i)
{
    char key[16], *value = mem_zalloc(100000);
    snprintf(key, sizeof(key), "large%03d", i);
    int64_t rev = put_if(s, str_of(key), (struct str){value, 100000}, STORE_ANY);
    free(value);
    return rev;
}

TEST(a_write_for_which_there_was_no_room_does_not_come_back)
{
    const char *dir = fresh_dir();
    struct rlimit old, small = {JOURNAL_SIZE, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    pid_t pid = fork();
    if (pid == 0) {
        struct store *s = open_with((struct store_config){.dir = dir});
        wait_for_journal(s, dir);
        small.rlim_max = old.rlim_max;
        setrlimit(RLIMIT_FSIZE, &small);
        int i = 0;
        while (i < 900 && put_large(s, i) > 0)
            i++;
        setrlimit(RLIMIT_FSIZE, &old);
        _exit(i < 900 && put(s, "a", "after") > 0 ? i / 10 : 255);
    }
    int status;
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) < 255);
    struct store *s = open_with((struct store_config){.dir = dir});
    CHECK(strstr(listing(s, 0, "a", "b"), "a=after"));
    struct store_snap *snap;
    struct err err;
    CHECK_OK(store_snap_begin(s, 0, &snap, &err), &err);
    int64_t n = store_count(snap, STR("large"), STR("largf"));
    CHECK_INT(n / 10, WEXITSTATUS(status));
    store_snap_end(snap);
    close_fresh(s);
}

TEST(a_write_larger_than_the_journal_survives_as_well)
{
    const char *dir = fresh_dir();
    pid_t pid = fork();
    if (pid == 0) {
        struct store *s = open_with((struct store_config){.dir = dir});
        wait_for_journal(s, dir);
        struct bytes *value = bytes_new((struct str){mem_zalloc(JOURNAL_HALF), JOURNAL_HALF});
        bool ok = write_op(s, (struct store_op){STORE_PUT, STR("a"), value, -1, STORE_ANY}) > 0 &&
                  put(s, "b", "2") > 0;
        _exit(!ok);
    }
    int status;
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    struct store *s = open_with((struct store_config){.dir = dir});
    struct store_snap *snap;
    struct store_kv kv;
    struct err err;
    CHECK_OK(store_snap_begin(s, 0, &snap, &err), &err);
    CHECK(store_get(snap, STR("a"), &kv) && kv.value.n == JOURNAL_HALF);
    CHECK(store_get(snap, STR("b"), &kv));
    store_snap_end(snap);
    close_fresh(s);
}
