#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int file_read(const char *path, size_t max, struct buf *b, struct err *err)
{
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "open %s", path);
    size_t start = b->n;
    for (;;) {
        char *at = buf_reserve(b, 4096);
        ssize_t got = read(fd, at, 4096);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(err, "read %s", path);
        if (got == 0)
            break;
        b->n += (size_t)got;
        if (b->n - start > max)
            return err_internal(err, "%s: larger than %zu bytes", path, max);
    }
    b->p[b->n] = '\0';
    return 0;
}

static int write_all(int fd, struct str content)
{
    while (content.n) {
        ssize_t put = write(fd, content.p, content.n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        content = str_from(content, (size_t)put);
    }
    return 0;
}

static int sync_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    CLEANUP(mem_freep)
    char *dir =
        slash ? mem_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : mem_strdup(".");
    CLEANUP(fd_closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -1 : fsync(fd);
}

int file_write(const char *path, struct str content, mode_t mode, struct err *err)
{
    struct buf tmp = {0};
    buf_printf(&tmp, "%s.tmp", path);
    CLEANUP(mem_freep) char *tmp_path = buf_take(&tmp);
    unlink(tmp_path);
    CLEANUP(fd_closep) int fd = open(tmp_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return err_errno(err, "create %s", tmp_path);
    if (fchmod(fd, mode) || write_all(fd, content) || fsync(fd))
        return err_errno(err, "write %s", tmp_path);
    if (rename(tmp_path, path) || sync_parent(path))
        return err_errno(err, "rename %s to %s", tmp_path, path);
    return 0;
}

int file_mkdirs(const char *path, mode_t mode, struct err *err)
{
    CLEANUP(mem_freep) char *copy = mem_strdup(path);
    for (char *at = copy + 1; *copy; at++) {
        if (*at != '/' && *at)
            continue;
        char saved = *at;
        *at = '\0';
        if (mkdir(copy, mode) && errno != EEXIST)
            return err_errno(err, "mkdir %s", copy);
        *at = saved;
        if (!saved)
            break;
    }
    return 0;
}

static int remove_at(int parent, const char *name, dev_t device)
{
    struct stat st;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : -1;
    if (!S_ISDIR(st.st_mode))
        return unlinkat(parent, name, 0);
    if (device && st.st_dev != device)
        return errno = EBUSY, -1;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return -1;
    }
    int failed = 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            failed |= remove_at(fd, entry->d_name, st.st_dev);
    closedir(dir);
    return failed || unlinkat(parent, name, AT_REMOVEDIR) ? -1 : 0;
}

int file_remove_tree(const char *path, struct err *err)
{
    return remove_at(AT_FDCWD, path, 0) ? err_errno(err, "remove %s", path) : 0;
}

int file_make_temp(const char *name, char **ret_path)
{
    const char *folder = getenv("TMPDIR");
    struct buf path = {0};
    buf_printf(&path, "%s/%s-XXXXXX", folder && *folder ? folder : "/tmp", name);
    *ret_path = buf_take(&path);
    return mkdtemp(*ret_path) ? 0 : -1;
}
