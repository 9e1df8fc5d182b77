#include "store/journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/clock.h"

static const char magic[8] = "tuttijn1";

/* LMDB 0.9 on 64 bits: a page begins with a head, then a meta page has magic, version, address,
 * size of the map, two databases, last page, transaction. */
enum { LMDB_META_MAGIC_AT = 16, LMDB_META_TXN_AT = 144, LMDB_META_MAGIC = (int)0xBEEFC0DE };

/* --- checkpoints --- */

static uint64_t checkpoint_sum(const struct journal_checkpoint *c)
{
    return XXH3_64bits((const char *)c + sizeof(c->sum), sizeof(*c) - sizeof(c->sum));
}

static void read_checkpoints(struct journal_file *f)
{
    for (int i = 0; i < 2; i++) {
        struct journal_checkpoint c;
        if (pread(f->read_fd, &c, sizeof(c), i * JOURNAL_BLOCK) == sizeof(c) &&
            memcmp(c.magic, magic, sizeof(magic)) == 0 && c.sum == checkpoint_sum(&c) &&
            c.epoch > f->checkpoint.epoch)
            f->checkpoint = c;
    }
}

int journal_file_checkpoint(struct journal_file *f, struct journal_checkpoint *c)
{
    char *block;
    if (posix_memalign((void **)&block, JOURNAL_BLOCK, JOURNAL_BLOCK))
        return ENOMEM;
    memcpy(c->magic, magic, sizeof(magic));
    c->salt = f->checkpoint.salt;
    c->sum = checkpoint_sum(c);
    memset(block, 0, JOURNAL_BLOCK);
    memcpy(block, c, sizeof(*c));
    ssize_t n = pwrite(f->write_fd, block, JOURNAL_BLOCK, (off_t)(c->epoch % 2 * JOURNAL_BLOCK));
    int rc = n == JOURNAL_BLOCK ? 0 : n < 0 ? errno : EIO;
    free(block);
    return rc;
}

bool checkpoint_read_meta(int lmdb_fd, struct journal_checkpoint *c)
{
    uint64_t txn;
    int known;
    c->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
    if (pread(lmdb_fd, c->meta, sizeof(c->meta), (off_t)(c->txn % 2 * c->page_size)) !=
        sizeof(c->meta))
        return false;
    memcpy(&known, c->meta + LMDB_META_MAGIC_AT, sizeof(known));
    memcpy(&txn, c->meta + LMDB_META_TXN_AT, sizeof(txn));
    return known == LMDB_META_MAGIC && txn == c->txn;
}

/* Both meta pages become the checkpoint's: LMDB takes whichever is newer. */
int checkpoint_put_back(const struct journal_checkpoint *c, const char *dir, struct err *err)
{
    struct buf path = {0};
    buf_printf(&path, "%s/data.mdb", dir);
    int rc = 0, fd = open(buf_z(&path), O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        rc = err_errno(err, "open %s", buf_z(&path));
    for (uint64_t page = 0; !rc && page < 2; page++) {
        char meta[JOURNAL_META];
        memcpy(meta, c->meta, sizeof(meta));
        memcpy(meta, &page, sizeof(page)); /* a page begins with its number */
        if (pwrite(fd, meta, sizeof(meta), (off_t)(page * c->page_size)) != sizeof(meta))
            rc = err_errno(err, "write %s", buf_z(&path));
    }
    if (!rc && fdatasync(fd))
        rc = err_errno(err, "sync %s", buf_z(&path));
    if (fd >= 0)
        close(fd);
    buf_done(&path);
    return rc;
}

/* --- the file --- */

static char *journal_path(const char *dir)
{
    struct buf path = {0};
    buf_printf(&path, "%s/journal", dir);
    return buf_take(&path);
}

int journal_file_open(struct journal_file *f, const char *dir, struct err *err)
{
    *f = (struct journal_file){.path = journal_path(dir), .read_fd = -1, .write_fd = -1};
    f->read_fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (f->read_fd < 0)
        return err_errno(err, "open %s", f->path);
    f->write_fd = open(f->path, O_WRONLY | O_CLOEXEC | O_DSYNC | O_DIRECT);
    if (f->write_fd < 0) /* some file systems know no direct writes */
        f->write_fd = open(f->path, O_WRONLY | O_CLOEXEC | O_DSYNC);
    if (f->write_fd < 0)
        return err_errno(err, "open %s", f->path);
    read_checkpoints(f);
    if (!f->checkpoint.salt)
        world_real()->random(world_real(), &f->checkpoint.salt, sizeof(f->checkpoint.salt));
    return 0;
}

void journal_file_close(struct journal_file *f)
{
    if (f->read_fd >= 0)
        close(f->read_fd);
    if (f->write_fd >= 0)
        close(f->write_fd);
    free(f->path);
    free(f->block);
}

bool journal_unclosed(const char *dir)
{
    struct journal_file f = {.path = journal_path(dir), .write_fd = -1};
    f.read_fd = open(f.path, O_RDONLY | O_CLOEXEC);
    if (f.read_fd >= 0)
        read_checkpoints(&f);
    journal_file_close(&f);
    return f.checkpoint.epoch && !f.checkpoint.closed;
}

/* Blocks that hold zeros already are overwritten without a change of the file's metadata. */
bool journal_file_fill(struct journal_file *f)
{
    enum { STEP = 1 << 18 };
    struct stat st;
    if (fstat(f->read_fd, &st))
        return false;
    if (st.st_size == JOURNAL_SIZE)
        return true;
    char *zeros = mem_zalloc(STEP);
    bool ok = ftruncate(f->read_fd, 0) == 0;
    for (off_t at = 0; ok && at < JOURNAL_SIZE;) {
        size_t n = JOURNAL_SIZE - at < STEP ? (size_t)(JOURNAL_SIZE - at) : STEP;
        ssize_t wrote = pwrite(f->read_fd, zeros, n, at);
        ok = wrote > 0;
        at += wrote;
    }
    free(zeros);
    ok = ok && fsync(f->read_fd) == 0;
    if (!ok)
        (void)!ftruncate(f->read_fd, 0);
    return ok;
}

/* --- records --- */

static off_t half_at(uint64_t epoch)
{
    return 2 * JOURNAL_BLOCK + (off_t)(epoch % 2) * JOURNAL_HALF;
}

size_t journal_record_size(size_t payload_n)
{
    size_t n = sizeof(struct journal_record) + payload_n;
    return (n + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;
}

static uint64_t record_sum(const struct journal_file *f, const char *record, size_t payload_n)
{
    size_t skip = sizeof(uint64_t);
    return XXH3_64bits_withSeed(record + skip, sizeof(struct journal_record) - skip + payload_n,
                                f->checkpoint.salt);
}

static bool reserve_block(struct journal_file *f, size_t n)
{
    enum { KEEP = 1 << 20 };
    if (f->block_n >= n && f->block_n <= KEEP)
        return true;
    free(f->block);
    f->block_n = n < KEEP / 8 ? KEEP / 8 : n;
    if (posix_memalign((void **)&f->block, JOURNAL_BLOCK, f->block_n))
        f->block = NULL, f->block_n = 0, errno = ENOMEM;
    return f->block;
}

int journal_file_append(struct journal_file *f, size_t at, struct journal_record *head,
                        struct str payload)
{
    size_t n = journal_record_size(payload.n), used = sizeof(*head) + payload.n;
    if (!reserve_block(f, n))
        return -1;
    head->n = payload.n;
    memcpy(f->block, head, sizeof(*head));
    memcpy(f->block + sizeof(*head), payload.p, payload.n);
    memset(f->block + used, 0, n - used);
    head->sum = record_sum(f, f->block, payload.n);
    memcpy(f->block, &head->sum, sizeof(head->sum));
    off_t place = half_at(head->epoch) + (off_t)at;
    for (size_t done = 0; done < n;) {
        ssize_t wrote = pwrite(f->write_fd, f->block + done, n - done, place + (off_t)done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return -1;
        done += (size_t)wrote;
    }
    return 0;
}

int journal_file_erase(struct journal_file *f, uint64_t epoch, size_t at)
{
    if (!reserve_block(f, JOURNAL_BLOCK))
        return -1;
    memset(f->block, 0, JOURNAL_BLOCK);
    return pwrite(f->write_fd, f->block, JOURNAL_BLOCK, half_at(epoch) + (off_t)at) == JOURNAL_BLOCK
               ? 0
               : -1;
}

/* Reads the record at this place of the half, if it is a whole one. */
static bool read_record(struct journal_reader *r, size_t at, struct journal_record *ret)
{
    off_t place = half_at(r->epoch) + (off_t)at;
    int fd = r->file->read_fd;
    if (at + sizeof(*ret) > JOURNAL_HALF || pread(fd, ret, sizeof(*ret), place) != sizeof(*ret) ||
        ret->epoch != r->epoch || ret->n > JOURNAL_HALF - at - sizeof(*ret))
        return false;
    size_t n = sizeof(*ret) + ret->n;
    buf_clear(&r->body);
    char *p = buf_reserve(&r->body, n);
    if (pread(fd, p, n, place) != (ssize_t)n)
        return false;
    r->body.n = n;
    return record_sum(r->file, p, ret->n) == ret->sum;
}

int journal_next(struct journal_reader *r, int64_t before, struct journal_record *ret,
                 struct str *ret_payload, struct err *err)
{
    if (read_record(r, r->at, ret) && ret->before == before) {
        r->at += journal_record_size(ret->n);
        *ret_payload = str_from(buf_str(&r->body), sizeof(*ret));
        return 1;
    }
    /* Each record was synced before the next was begun. */
    for (size_t at = r->at; at < JOURNAL_HALF; at += JOURNAL_BLOCK)
        if (read_record(r, at, ret) && ret->after > before)
            return err_internal(err, "store: %s is damaged: revisions from %lld to %lld are lost",
                                r->file->path, (long long)before + 1, (long long)ret->before);
    return 0;
}

/* --- changes --- */

struct change_head {
    int64_t revision;
    uint32_t index, key_n;
    int32_t revision_at;
    uint32_t value_n; /* GONE: a deletion */
};

enum { GONE = UINT32_MAX };

void journal_put_change(struct buf *b, int64_t revision, uint32_t index, const struct change *c)
{
    struct str value = bytes_str(c->value);
    struct change_head head = {revision, index, (uint32_t)c->key.n, c->revision_at,
                               c->value ? (uint32_t)value.n : GONE};
    buf_append(b, &head, sizeof(head));
    buf_put(b, c->key);
    buf_put(b, value);
}

bool journal_get_change(struct str *payload, struct journal_change *ret)
{
    struct change_head head;
    if (!record_split(*payload, &head, sizeof(head), payload))
        return false;
    size_t value_n = head.value_n == GONE ? 0 : head.value_n;
    if (head.key_n > payload->n || value_n > payload->n - head.key_n)
        return false;
    struct str key = str_head(*payload, head.key_n);
    struct str value = str_head(str_from(*payload, head.key_n), value_n);
    *payload = str_from(*payload, head.key_n + value_n);
    *ret = (struct journal_change){
        head.revision,
        head.index,
        {key, head.value_n == GONE ? NULL : bytes_new(value), head.revision_at}};
    return true;
}
