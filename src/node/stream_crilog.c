#include "node/stream_crilog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "doc/time.h"

enum {
    CHAIN_MAX = 5,            /* PATH and PATH.1 … PATH.4 */
    BLOCK = 64 * 1024,        /* read at once */
    RECORD_MAX = 1024 * 1024, /* a longer line is no record */
    HEAD_MAX = 96             /* time, stream and tag of a record */
};

struct crilog {
    char *path;
    struct crilog_options options;
    int files[CHAIN_MAX]; /* to be read, oldest first */
    size_t count;         /* the first is the one that is read */
    off_t offset;
    struct buf in; /* the beginning of a record */
    bool skipping; /* the rest of a line that is too long */
    bool inside;   /* of a line whose first part was given */
    bool reached;  /* records are young enough from here on */
    int64_t left;  /* bytes to the limit */
};

struct record {
    struct str time, text;
    bool is_stderr, partial;
};

static bool parse_record(struct str line, struct record *ret)
{
    struct str stream, tag;
    if (!str_cut(line, ' ', &ret->time, &line) || !str_cut(line, ' ', &stream, &line))
        return false;
    str_cut(line, ' ', &tag, &ret->text);
    ret->is_stderr = str_is(stream, "stderr");
    ret->partial = tag.n && tag.p[0] == 'P';
    return tag.n && (tag.p[0] == 'P' || tag.p[0] == 'F') &&
           (ret->is_stderr || str_is(stream, "stdout"));
}

/* --- the chain --- */

static char *chain_path(const char *path, int i, char *ret, size_t n)
{
    snprintf(ret, n, i ? "%s.%d" : "%s", path, i);
    return ret;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* Newest first, so that a rotation meanwhile shows a file twice instead of not at all. */
static int open_chain(struct crilog *l, struct err *err)
{
    char name[4096];
    struct stat seen[CHAIN_MAX];
    int found[CHAIN_MAX];
    size_t n = 0;
    for (int i = 0; i < CHAIN_MAX; i++) {
        int fd = open(chain_path(l->path, i, name, sizeof(name)), O_RDONLY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
            continue;
        if (fd < 0) {
            while (n)
                close(found[--n]);
            return err_errno(err, "failed to open log file \"%s\"", name);
        }
        if (fstat(fd, &seen[n]) || (n && same_file(&seen[n], &seen[n - 1])))
            close(fd);
        else
            found[n++] = fd;
    }
    for (l->count = 0; l->count < n; l->count++)
        l->files[l->count] = found[n - 1 - l->count];
    return 0;
}

/* The file that follows ours in the chain: -1 when ours is still the last one. */
static int open_next(const struct crilog *l)
{
    char name[4096];
    struct stat own, other;
    int next = -1; /* the oldest that there is, should ours have left the chain */
    if (l->count && fstat(l->files[l->count - 1], &own) != 0)
        return -1;
    for (int i = 0; i < CHAIN_MAX; i++) {
        if (stat(chain_path(l->path, i, name, sizeof(name)), &other) != 0)
            continue;
        if (l->count && same_file(&own, &other))
            break;
        next = i;
    }
    return next < 0 ? -1
                    : open(chain_path(l->path, next, name, sizeof(name)), O_RDONLY | O_CLOEXEC);
}

/* --- the start --- */

/* Whether the record that starts at `from` ends a line. */
static bool ends_line(int fd, off_t from)
{
    char head[HEAD_MAX];
    struct record r;
    ssize_t n = pread(fd, head, sizeof(head), from);
    struct str line = {head, n > 0 ? (size_t)n : 0};
    str_cut(line, '\n', &line, &(struct str){0});
    return parse_record(line, &r) && !r.partial;
}

/* Goes back from the end of a file until *lines lines lie behind; the offset where they start.
 * *counted: at least one was, so that the newest one counts even when its end is still missing. */
static off_t seek_back(int fd, int64_t *lines, bool *counted)
{
    CLEANUP(mem_freep) char *block = mem_alloc(BLOCK);
    struct stat st;
    off_t end = fstat(fd, &st) == 0 ? st.st_size : 0;
    off_t record_end = end; /* of the record whose start is looked for */
    for (off_t from; end > 0; end = from) {
        from = end > BLOCK ? end - BLOCK : 0;
        ssize_t n = pread(fd, block, (size_t)(end - from), from);
        for (ssize_t i = n; i >= 0; i--) {
            bool first = from == 0 && i == 0;
            if (!first && (i == 0 || block[i - 1] != '\n'))
                continue;
            off_t start = from + i;
            if (start == record_end)
                continue; /* behind the last newline */
            if (ends_line(fd, start) || !*counted) {
                if (*lines == 0)
                    return record_end;
                --*lines;
                *counted = true;
            }
            record_end = start;
        }
        if (n <= 0)
            break;
    }
    return 0;
}

static void drop_files(struct crilog *l, size_t n)
{
    for (size_t i = 0; i < n; i++)
        close(l->files[i]);
    l->count -= n;
    memmove(l->files, l->files + n, l->count * sizeof(l->files[0]));
}

static void seek_tail(struct crilog *l)
{
    int64_t lines = l->options.tail;
    bool counted = false;
    for (size_t i = l->count; i-- > 0;) {
        l->offset = seek_back(l->files[i], &lines, &counted);
        if (l->offset > 0) {
            drop_files(l, i);
            return;
        }
    }
}

/* Files whose last byte was written before the time are not read at all. */
static void skip_old(struct crilog *l)
{
    struct stat st;
    while (l->count > 1 && fstat(l->files[0], &st) == 0 &&
           st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec < l->options.since_ns) {
        drop_files(l, 1);
        l->offset = 0;
    }
}

int crilog_open(const char *path, const struct crilog_options *options, struct crilog **ret,
                struct err *err)
{
    struct crilog *l = NEW(struct crilog);
    l->path = mem_strdup(path);
    l->options = *options;
    l->left = options->limit;
    l->reached = options->since_ns == 0;
    if (open_chain(l, err) != 0) {
        crilog_free(l);
        return -1;
    }
    if (options->tail >= 0)
        seek_tail(l);
    if (options->since_ns)
        skip_old(l);
    *ret = l;
    return 0;
}

void crilog_free(struct crilog *l)
{
    if (!l)
        return;
    drop_files(l, l->count);
    buf_done(&l->in);
    free(l->path);
    free(l);
}

/* --- reading --- */

static bool is_young(struct crilog *l, struct str time)
{
    int64_t ns;
    if (!l->reached && time_parse(time, &ns, NULL) == 0 && ns >= l->options.since_ns)
        l->reached = true;
    return l->reached;
}

/* false: the limit is reached. */
static bool put(struct crilog *l, struct buf *out, struct str s)
{
    if (l->options.limit < 0) {
        buf_put(out, s);
        return true;
    }
    s = str_head(s, (size_t)l->left);
    buf_put(out, s);
    l->left -= (int64_t)s.n;
    return l->left > 0;
}

static bool put_record(struct crilog *l, struct str line, struct buf *out)
{
    struct record r;
    if (!parse_record(line, &r) || (r.is_stderr ? l->options.no_stderr : l->options.no_stdout) ||
        !is_young(l, r.time))
        return true;
    bool more = true;
    if (l->options.timestamps && !l->inside)
        more = put(l, out, r.time) && put(l, out, STR(" "));
    if (more)
        more = put(l, out, r.text);
    if (more && !r.partial)
        more = put(l, out, STR("\n"));
    l->inside = r.partial;
    return more;
}

/* Records out of what was read; an incomplete one stays. */
static bool take_records(struct crilog *l, struct str bytes, struct buf *out)
{
    struct str line, rest;
    while (str_cut(bytes, '\n', &line, &rest)) {
        bool skip = l->skipping;
        l->skipping = false;
        bytes = rest;
        if (l->in.n) {
            buf_put(&l->in, line);
            line = buf_str(&l->in);
        }
        bool more = skip || put_record(l, line, out);
        buf_clear(&l->in);
        if (!more)
            return false;
    }
    if (!l->skipping)
        buf_put(&l->in, bytes);
    if (l->in.n > RECORD_MAX) {
        buf_clear(&l->in);
        l->skipping = true;
    }
    return true;
}

static void next_file(struct crilog *l)
{
    drop_files(l, 1);
    l->offset = 0;
    buf_clear(&l->in);
    l->skipping = false;
}

enum crilog_state crilog_read(struct crilog *l, struct buf *out, size_t max)
{
    CLEANUP(mem_freep) char *block = mem_alloc(BLOCK);
    size_t before = out->n;
    if (l->options.limit >= 0 && l->left <= 0)
        return CRILOG_LIMIT;
    while (out->n - before < max) {
        ssize_t n = l->count ? pread(l->files[0], block, BLOCK, l->offset) : 0;
        if (n <= 0 && l->count > 1) {
            next_file(l);
            continue;
        }
        if (n <= 0)
            return CRILOG_END;
        l->offset += n;
        if (!take_records(l, (struct str){block, (size_t)n}, out))
            return CRILOG_LIMIT;
    }
    return CRILOG_MORE;
}

bool crilog_grew(struct crilog *l)
{
    struct stat st;
    if (l->count && fstat(l->files[0], &st) == 0) {
        if (st.st_size > l->offset)
            return true;
        if (st.st_size < l->offset) { /* cut short by somebody: from its start again */
            l->offset = 0;
            buf_clear(&l->in);
            return st.st_size > 0;
        }
    }
    int next = open_next(l);
    if (next < 0)
        return false;
    /* The writer left our file before it opened the next one: what was added up to then is read
     * first, which crilog_read does as it has a file behind it now. */
    l->files[l->count++] = next;
    return true;
}
