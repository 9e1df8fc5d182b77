#include "store/backup.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>

#include "store/internal.h"

enum { RECORD_HEAD = 12 + 16 };

static const char magic[8] = {'t', 'u', 't', 't', 'i', 'b', 'k', '1'};

/* --- writing --- */

struct backup_writer {
    FILE *file;
    XXH3_state_t *hash;
    struct buf head;
};

static void add_be32(struct buf *b, uint32_t v)
{
    v = htobe32(v);
    buf_append(b, &v, sizeof(v));
}

static void add_be64(struct buf *b, uint64_t v)
{
    v = htobe64(v);
    buf_append(b, &v, sizeof(v));
}

/* Errors are the stream's, and asked for in the end. */
static void put(struct backup_writer *w, struct str s)
{
    XXH3_64bits_update(w->hash, s.p, s.n);
    fwrite(s.p, 1, s.n, w->file);
}

static void put_record(struct backup_writer *w, const struct store_kv *kv, int32_t revision_at)
{
    buf_clear(&w->head);
    add_be32(&w->head, (uint32_t)kv->key.n);
    add_be32(&w->head, (uint32_t)kv->value.n);
    add_be32(&w->head, (uint32_t)revision_at);
    add_be64(&w->head, (uint64_t)kv->create_rev);
    add_be64(&w->head, (uint64_t)kv->mod_rev);
    put(w, buf_str(&w->head));
    put(w, kv->key);
    put(w, kv->value);
}

static void put_all(struct backup_writer *w, struct store_snap *snap, int64_t *ret_keys)
{
    struct store_iter *it = store_range(snap, (struct str){0}, (struct str){0});
    struct store_kv kv;
    add_be64(&w->head, (uint64_t)store_snap_revision(snap));
    put(w, (struct str){magic, sizeof(magic)});
    put(w, buf_str(&w->head));
    for (*ret_keys = 0; store_next(it, &kv); ++*ret_keys)
        put_record(w, &kv, kv.revision_at);
    store_iter_free(it);
    buf_clear(&w->head);
    add_be32(&w->head, 0);
    add_be64(&w->head, (uint64_t)*ret_keys);
    put(w, buf_str(&w->head));
    buf_clear(&w->head);
    add_be64(&w->head, XXH3_64bits_digest(w->hash));
    put(w, buf_str(&w->head));
}

static int sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    CLEANUP(mem_freep)
    char *dir = slash ? mem_strndup(path, (size_t)(slash - path) + 1) : mem_strdup(".");
    CLEANUP(fd_closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -1 : fsync(fd);
}

int store_backup(struct store *s, const char *path, int64_t *ret_keys, struct err *err)
{
    struct store_snap *snap;
    struct buf temporary = {0};
    buf_printf(&temporary, "%s.tmp", path);
    int fd = open(buf_z(&temporary), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct backup_writer w = {.file = fd < 0 ? NULL : fdopen(fd, "w")};
    int rc = w.file ? store_snap_begin(s, 0, &snap, err) : err_errno(err, "open %s", path);
    if (!rc) {
        w.hash = XXH3_createState();
        XXH3_64bits_reset(w.hash);
        put_all(&w, snap, ret_keys);
        XXH3_freeState(w.hash);
        store_snap_end(snap);
        bool failed = ferror(w.file) || fflush(w.file) || fsync(fd) ||
                      rename(buf_z(&temporary), path) || sync_folder(path);
        rc = failed ? err_errno(err, "write %s", path) : 0;
    }
    if (w.file)
        fclose(w.file);
    if (rc && fd >= 0)
        unlink(buf_z(&temporary));
    buf_done(&w.head);
    buf_done(&temporary);
    return rc;
}

/* --- reading --- */

static int damaged(struct err *err)
{
    return err_bad(err, "backup: the file is damaged or was cut");
}

static bool take(struct backup_reader *r, void *p, size_t n)
{
    if (fread(p, 1, n, r->file) != n)
        return false;
    XXH3_64bits_update(r->hash, p, n);
    return true;
}

static uint32_t get_be32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return be32toh(v);
}

static int64_t get_be64(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return (int64_t)be64toh(v);
}

int backup_open(struct backup_reader *r, const char *path, struct err *err)
{
    char head[sizeof(magic) + 8];
    *r = (struct backup_reader){.file = fopen(path, "re"), .hash = XXH3_createState()};
    XXH3_64bits_reset(r->hash);
    if (!r->file)
        return err_errno(err, "open %s", path);
    if (!take(r, head, sizeof(head)) || memcmp(head, magic, sizeof(magic)) != 0)
        return err_bad(err, "%s is not a backup of a store", path);
    r->revision = get_be64(head + sizeof(magic));
    return 0;
}

static int read_end(struct backup_reader *r, struct err *err)
{
    char count[8], sum[8];
    if (!take(r, count, sizeof(count)))
        return damaged(err);
    uint64_t digest = XXH3_64bits_digest(r->hash);
    if (fread(sum, 1, sizeof(sum), r->file) != sizeof(sum) || fgetc(r->file) != EOF ||
        (uint64_t)get_be64(sum) != digest || get_be64(count) != r->count)
        return damaged(err);
    return 0;
}

int backup_next(struct backup_reader *r, struct backup_record *ret, struct err *err)
{
    char head[RECORD_HEAD];
    if (!take(r, head, 4))
        return damaged(err);
    size_t key_n = get_be32(head);
    if (key_n == 0)
        return read_end(r, err);
    if (!take(r, head + 4, sizeof(head) - 4))
        return damaged(err);
    size_t value_n = get_be32(head + 4);
    ret->head = (struct kv_head){.revision_at = (int32_t)get_be32(head + 8),
                                 .create_rev = get_be64(head + 12),
                                 .mod_rev = get_be64(head + 20)};
    if (key_n > MAX_KEY || value_n > MAX_STORED || ret->head.revision_at < -1 ||
        ret->head.revision_at > (int64_t)value_n || ret->head.mod_rev < 1 ||
        ret->head.mod_rev > r->revision)
        return damaged(err);
    buf_clear(&r->body);
    if (!take(r, buf_reserve(&r->body, key_n + value_n), key_n + value_n))
        return damaged(err);
    r->body.n = key_n + value_n;
    ret->key = str_head(buf_str(&r->body), key_n);
    ret->value = str_from(buf_str(&r->body), key_n);
    r->count++;
    return 1;
}

void backup_close(struct backup_reader *r)
{
    if (r->file)
        fclose(r->file);
    XXH3_freeState(r->hash);
    buf_done(&r->body);
}
