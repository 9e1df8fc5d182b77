#include "fixture.h"

#include <sys/wait.h>

#include "base/buf.h"

static int64_t put_revised(struct store *s, const char *key, const char *before, const char *after)
{
    struct buf b = {0};
    buf_puts(&b, before);
    int64_t at = (int64_t)b.n;
    buf_puts(&b, after);
    struct bytes *value = bytes_new(buf_str(&b));
    int64_t rev = write_op(s, (struct store_op){STORE_PUT, str_of(key), value, at, STORE_ANY});
    bytes_unref(value);
    buf_done(&b);
    return rev;
}

static void fill(struct store *s)
{
    put(s, "plain", "x");
    put(s, "plain", "y");
    put_revised(s, "object", "{\"rv\":\"", "\"}");
    put(s, "gone", "x");
    del(s, "gone");
}

static char work[64];

static const char *in_work(const char *name)
{
    static char paths[4][128];
    static int next;
    if (!work[0]) {
        snprintf(work, sizeof(work), "/tmp/tutti-backup-XXXXXX");
        CHECK(mkdtemp(work));
    }
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", work, name);
    return path;
}

static void remove_work(void)
{
    struct err err;
    file_remove_tree(work, &err);
    work[0] = '\0';
}

static void backup_to(struct store *s, const char *path, int64_t want_keys)
{
    struct err err;
    int64_t keys;
    CHECK_OK(store_backup(s, path, &keys, &err), &err);
    CHECK_INT(keys, want_keys);
}

TEST(a_restored_store_has_keys_values_and_revisions_as_they_were)
{
    struct store *s = open_fresh();
    struct err err;
    int64_t keys;
    fill(s);
    const char *file = in_work("backup");
    backup_to(s, file, 2);
    close_fresh(s);
    struct store_config config = {.dir = in_work("new")};
    CHECK_OK(store_restore(&config, file, &keys, &err), &err);
    CHECK_INT(keys, 2);
    CHECK_OK(store_open(&config, &s, &err), &err);
    CHECK_STR(str_of(listing(s, 0, "", "")), "object={\"rv\":\"4\"}@4 plain=y@3 ");
    CHECK_INT(store_revision(s), 6);
    CHECK_STR(str_of(listing(s, 5, "", "")), "410");
    CHECK_INT(put_if(s, STR("plain"), STR("z"), 3), 7);
    store_close(s);
    CHECK_INT(store_restore(&config, file, &keys, &err), -1);
    CHECK_INT(err.code, 409);
    remove_work();
}

TEST(a_copied_store_has_revisions_of_its_own)
{
    struct store *s = open_fresh(), *t;
    struct err err;
    int64_t keys;
    fill(s);
    CHECK_OK(store_open(&(struct store_config){.dir = in_work("new")}, &t, &err), &err);
    CHECK_OK(store_copy(s, t, &keys, &err), &err);
    CHECK_INT(keys, 2);
    CHECK_STR(str_of(listing(t, 0, "", "")), "object={\"rv\":\"2\"}@2 plain=y@3 ");
    CHECK_INT(store_copy(s, t, &keys, &err), -1);
    CHECK_INT(err.code, 409);
    store_close(t);
    close_fresh(s);
    remove_work();
}

TEST(a_damaged_backup_is_refused_before_anything_is_written)
{
    struct store *s = open_fresh();
    struct err err;
    struct buf good = {0};
    int64_t keys;
    fill(s);
    const char *file = in_work("backup"), *bad = in_work("bad");
    backup_to(s, file, 2);
    close_fresh(s);
    CHECK_OK(file_read(file, 1 << 20, &good, &err), &err);
    struct store_config config = {.dir = in_work("new")};
    for (size_t i = 0; i < good.n; i++) {
        good.p[i] ^= 0x20;
        CHECK_OK(file_write(bad, buf_str(&good), 0600, &err), &err);
        good.p[i] ^= 0x20;
        CHECK_INT(store_restore(&config, bad, &keys, &err), -1);
        CHECK_INT(err.code, 400);
        CHECK_OK(file_write(bad, str_head(buf_str(&good), i), 0600, &err), &err);
        CHECK_INT(store_restore(&config, bad, &keys, &err), -1);
        CHECK_INT(access(config.dir, F_OK), -1);
    }
    CHECK_OK(store_restore(&config, file, &keys, &err), &err);
    buf_done(&good);
    remove_work();
}

/* LMDB lets a process open a folder once only. */
static int back_up_in_child(const char *dir, const char *file)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        struct store *s;
        struct err err;
        int64_t keys;
        bool ok =
            store_open(&(struct store_config){.dir = dir, .read_only = true}, &s, &err) == 0 &&
            store_backup(s, file, &keys, &err) == 0;
        if (ok)
            store_close(s);
        _exit(ok ? (int)keys : 99);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    return WEXITSTATUS(status);
}

TEST(another_process_may_back_up_what_a_server_writes)
{
    const char *dir = fresh_dir();
    struct store *s = open_with((struct store_config){.dir = dir});
    fill(s);
    CHECK_INT(back_up_in_child(dir, in_work("backup")), 2);
    put(s, "more", "x");
    CHECK_INT(back_up_in_child(dir, in_work("backup")), 3);
    close_fresh(s);
    remove_work();
}
