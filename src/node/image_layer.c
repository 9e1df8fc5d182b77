/* Unpacking a layer: a tar from strangers, written below one folder and nowhere else. Every path is
 * resolved by openat2 with the layer as its root, so that neither ".." nor a symbolic link leads
 * out. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"
#include "node/image.h"
#include "node/libarchive.h"

enum { MAX_ENTRIES = 2000000, MAX_PATH = 4000, MAX_DEPTH = 200 };

/* The compressed blob, read as the tar that it holds; what passes through is hashed. */
struct source {
    struct archive *blob;
    EVP_MD_CTX *hash;
    int64_t size;
};

struct layer {
    int root;
    struct archive *tar;
    int64_t entries;
};

static int open_in(int root, const char *path, uint64_t flags)
{
    struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

/* The folder at path, made where it is missing. */
static int open_dir(int root, const char *path)
{
    int fd = open_in(root, *path ? path : ".", O_PATH | O_DIRECTORY);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    char copy[MAX_PATH + 1];
    snprintf(copy, sizeof(copy), "%s", path);
    char *slash = strrchr(copy, '/');
    if (slash)
        *slash = '\0';
    int parent = open_dir(root, slash ? copy : "");
    if (parent < 0)
        return -1;
    int failed = mkdirat(parent, slash ? slash + 1 : copy, 0755);
    int made = failed && errno != EEXIST ? -1 : open_in(root, path, O_PATH | O_DIRECTORY);
    close(parent);
    return made;
}

/* "./a//b/" becomes "a/b"; false for what has ".." or is too long or too deep. */
static bool clean_path(const char *from, char ret[MAX_PATH + 1])
{
    struct str rest = str_of(from), part;
    size_t n = 0, depth = 0;
    while (str_next(&rest, '/', &part)) {
        if (part.n == 0 || str_is(part, "."))
            continue;
        if (str_is(part, "..") || n + part.n + 2 > MAX_PATH || part.n > 255 || ++depth > MAX_DEPTH)
            return false;
        if (n)
            ret[n++] = '/';
        memcpy(ret + n, part.p, part.n);
        n += part.n;
    }
    ret[n] = '\0';
    return true;
}

static int remove_existing(int parent, const char *name, bool keep_dir)
{
    struct stat st;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW))
        return 0;
    if (!S_ISDIR(st.st_mode))
        return unlinkat(parent, name, 0);
    if (keep_dir)
        return 0;
    char path[64 + NAME_MAX];
    snprintf(path, sizeof(path), "/proc/self/fd/%d/%.255s", parent, name);
    return file_remove_tree(path, NULL);
}

static int write_data(struct layer *l, int fd, struct err *err)
{
    const void *p;
    size_t n;
    int64_t offset, end = 0;
    int got;
    while ((got = libarchive()->read_data_block(l->tar, &p, &n, &offset)) == ARCHIVE_OK) {
        for (size_t at = 0; at < n;) {
            ssize_t put = pwrite(fd, (const char *)p + at, n - at, offset + (int64_t)at);
            if (put < 0 && errno != EINTR)
                return err_errno(err, "write");
            at += put > 0 ? (size_t)put : 0;
        }
        end = offset + (int64_t)n;
    }
    if (got != ARCHIVE_EOF)
        return err_bad(err, "layer: %s", libarchive()->error_string(l->tar));
    return ftruncate(fd, end) ? err_errno(err, "ftruncate") : 0;
}

static int make_link(struct layer *l, int parent, const char *name, const char *target,
                     struct err *err)
{
    char path[MAX_PATH + 1];
    if (!clean_path(target, path) || !*path)
        return err_bad(err, "layer: a hard link to \"%.100s\"", target);
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    CLEANUP(fd_closep) int from = open_in(l->root, slash ? path : ".", O_PATH | O_DIRECTORY);
    if (from < 0 || linkat(from, slash ? slash + 1 : path, parent, name, 0))
        return err_errno(err, "layer: hard link to \"%.100s\"", target);
    return 0;
}

static int make_entry(struct layer *l, struct archive_entry *e, int parent, const char *name,
                      struct err *err)
{
    mode_t mode = libarchive()->entry_mode(e);
    if (libarchive()->entry_hardlink(e))
        return make_link(l, parent, name, libarchive()->entry_hardlink(e), err);
    switch (mode & S_IFMT) {
    case S_IFDIR:
        if (mkdirat(parent, name, 0700) && errno != EEXIST)
            return err_errno(err, "mkdir %s", name);
        return 0;
    case S_IFLNK:
        return symlinkat(libarchive()->entry_symlink(e), parent, name)
                   ? err_errno(err, "symlink %s", name)
                   : 0;
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
        return mknodat(parent, name, mode, libarchive()->entry_rdev(e))
                   ? err_errno(err, "mknod %s", name)
                   : 0;
    case S_IFREG: {
        CLEANUP(fd_closep)
        int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        return fd < 0 ? err_errno(err, "create %s", name) : write_data(l, fd, err);
    }
    default:
        return err_bad(err, "layer: \"%s\" is of an unknown type", name);
    }
}

/* What a layer may bring: file capabilities, access lists, user attributes; never overlayfs' own.
 */
static void set_xattrs(struct archive_entry *e, const char *path)
{
    const char *name;
    const void *value;
    size_t n;
    libarchive()->entry_xattr_reset(e);
    while (libarchive()->entry_xattr_next(e, &name, &value, &n) == ARCHIVE_OK) {
        struct str s = str_of(name);
        if (str_is(s, "security.capability") || str_starts(s, STR("user.")) ||
            str_starts(s, STR("system.posix_acl_")))
            lsetxattr(path, name, value, n, 0);
    }
}

static int set_attributes(struct archive_entry *e, int parent, const char *name, struct err *err)
{
    mode_t mode = libarchive()->entry_mode(e);
    if (libarchive()->entry_hardlink(e))
        return 0;
    if (fchownat(parent, name, (uid_t)libarchive()->entry_uid(e), (gid_t)libarchive()->entry_gid(e),
                 AT_SYMLINK_NOFOLLOW))
        return err_errno(err, "chown %s", name);
    if (!S_ISLNK(mode) && fchmodat(parent, name, mode & 07777, 0))
        return err_errno(err, "chmod %s", name);
    char path[64 + NAME_MAX];
    snprintf(path, sizeof(path), "/proc/self/fd/%d/%.255s", parent, name);
    set_xattrs(e, path);
    struct timespec times[2] = {{libarchive()->entry_mtime(e), libarchive()->entry_mtime_nsec(e)},
                                {libarchive()->entry_mtime(e), libarchive()->entry_mtime_nsec(e)}};
    utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW);
    return 0;
}

/* OCI's whiteouts in overlayfs' form: a character device 0:0, or an attribute of the folder. */
static int whiteout(int parent, const char *name, struct err *err)
{
    if (strcmp(name, ".wh..wh..opq") == 0) {
        char path[64];
        snprintf(path, sizeof(path), "/proc/self/fd/%d", parent);
        return setxattr(path, "trusted.overlay.opaque", "y", 1, 0) ? err_errno(err, "setxattr") : 0;
    }
    const char *hidden = name + strlen(".wh.");
    if (strncmp(hidden, ".wh.", 4) == 0) /* aufs' own files */
        return 0;
    if (!*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
        return err_bad(err, "layer: a whiteout without a name");
    if (remove_existing(parent, hidden, false) ||
        mknodat(parent, hidden, S_IFCHR | 0600, makedev(0, 0)))
        return err_errno(err, "whiteout of %s", hidden);
    return 0;
}

static int take_entry(struct layer *l, struct archive_entry *e, struct err *err)
{
    char path[MAX_PATH + 1];
    const char *raw = libarchive()->entry_pathname(e);
    if (!raw || !clean_path(raw, path))
        return err_bad(err, "layer: the path \"%.200s\" is not allowed", raw ? raw : "");
    if (!*path) {
        fchmod(l->root, libarchive()->entry_mode(e) & 07777);
        return 0;
    }
    char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (slash)
        *slash = '\0';
    CLEANUP(fd_closep) int parent = open_dir(l->root, slash ? path : "");
    if (parent < 0)
        return err_errno(err, "layer: folder \"%s\"", slash ? path : "");
    if (strncmp(name, ".wh.", 4) == 0)
        return whiteout(parent, name, err);
    if (remove_existing(parent, name, S_ISDIR(libarchive()->entry_mode(e))))
        return err_errno(err, "layer: replace \"%s\"", name);
    if (make_entry(l, e, parent, name, err))
        return -1;
    return set_attributes(e, parent, name, err);
}

static la_ssize_t source_read(struct archive *tar, void *arg, const void **ret)
{
    struct source *s = arg;
    size_t n;
    int64_t offset;
    int got = libarchive()->read_data_block(s->blob, ret, &n, &offset);
    if (got == ARCHIVE_EOF)
        return 0;
    s->size += (int64_t)n;
    if (got != ARCHIVE_OK || s->size > IMAGE_MAX_SIZE) {
        libarchive()->set_error(tar, EINVAL, "%s",
                                got == ARCHIVE_OK ? "layer too large"
                                                  : libarchive()->error_string(s->blob));
        return -1;
    }
    EVP_DigestUpdate(s->hash, *ret, n);
    return (la_ssize_t)n;
}

static int source_open(struct source *s, const char *path, struct err *err)
{
    struct archive_entry *e;
    s->blob = libarchive()->read_new();
    s->hash = EVP_MD_CTX_new();
    EVP_DigestInit_ex(s->hash, EVP_sha256(), NULL);
    libarchive()->read_support_filter_all(s->blob);
    libarchive()->read_support_format_raw(s->blob);
    if (libarchive()->read_open_filename(s->blob, path, 128 * 1024) != ARCHIVE_OK ||
        libarchive()->read_next_header(s->blob, &e) != ARCHIVE_OK)
        return err_bad(err, "layer: %s", libarchive()->error_string(s->blob));
    return 0;
}

/* The digest covers the whole stream, the padding behind the last entry too. */
static int source_check(struct source *s, struct archive *tar, struct str diff_id, struct err *err)
{
    const void *p;
    unsigned char hash[EVP_MAX_MD_SIZE];
    char text[IMAGE_DIGEST] = "sha256:";
    la_ssize_t n;
    while ((n = source_read(tar, s, &p)) > 0)
        ;
    if (n < 0)
        return err_bad(err, "layer: %s", libarchive()->error_string(tar));
    EVP_DigestFinal_ex(s->hash, hash, NULL);
    for (int i = 0; i < 32; i++)
        sprintf(text + 7 + 2 * i, "%02x", hash[i]);
    if (!str_is(diff_id, text))
        return err_bad(err, "layer: its digest is %s, not %.*s", text, STR_ARG(diff_id));
    return 0;
}

static int unpack_into(const char *dir, const char *blob, struct str diff_id, struct err *err)
{
    struct source source = {0};
    struct layer layer = {.root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    struct archive_entry *e;
    int failed = -1, got;
    layer.tar = libarchive()->read_new();
    libarchive()->read_support_format_tar(layer.tar);
    libarchive()->read_support_format_empty(layer.tar);
    if (layer.root < 0) {
        err_errno(err, "open %s", dir);
        goto out;
    }
    if (source_open(&source, blob, err))
        goto out;
    if (libarchive()->read_open(layer.tar, &source, NULL, source_read, NULL) != ARCHIVE_OK) {
        err_bad(err, "layer: %s", libarchive()->error_string(layer.tar));
        goto out;
    }
    while ((got = libarchive()->read_next_header(layer.tar, &e)) == ARCHIVE_OK) {
        if (++layer.entries > MAX_ENTRIES) {
            err_bad(err, "layer: more than %d files", MAX_ENTRIES);
            goto out;
        }
        if (take_entry(&layer, e, err))
            goto out;
    }
    if (got != ARCHIVE_EOF) {
        err_bad(err, "layer: %s", libarchive()->error_string(layer.tar));
        goto out;
    }
    failed = source_check(&source, layer.tar, diff_id, err);
    if (!failed)
        syncfs(layer.root);
out:
    libarchive()->read_free(layer.tar);
    if (source.blob)
        libarchive()->read_free(source.blob);
    EVP_MD_CTX_free(source.hash);
    if (layer.root >= 0)
        close(layer.root);
    return failed;
}

static char *layer_path(const char *data_dir, struct str diff_id)
{
    struct buf b = {0};
    image_path(&b, data_dir, "layers/");
    buf_put(&b, str_head(str_from(diff_id, strlen("sha256:")), IMAGE_LAYER_NAME - 1));
    return buf_take(&b);
}

bool image_has_layer(const char *data_dir, struct str diff_id)
{
    CLEANUP(mem_freep) char *path = layer_path(data_dir, diff_id);
    return access(path, F_OK) == 0;
}

int image_unpack(const char *data_dir, const char *blob, struct str diff_id, struct err *err)
{
    CLEANUP(mem_freep) char *path = layer_path(data_dir, diff_id);
    CLEANUP(mem_freep) char *tmp = image_temp_name(data_dir);
    if (access(path, F_OK) == 0)
        return 0;
    if (libarchive_load(err))
        return -1;
    if (mkdir(tmp, 0755))
        return err_errno(err, "mkdir %s", tmp);
    if (unpack_into(tmp, blob, diff_id, err) == 0) {
        if (rename(tmp, path) == 0)
            return 0;
        /* Another import was faster. */
        if (errno == EEXIST || errno == ENOTEMPTY) {
            file_remove_tree(tmp, NULL);
            return 0;
        }
        err_errno(err, "rename %s", tmp);
    }
    file_remove_tree(tmp, NULL);
    return -1;
}
