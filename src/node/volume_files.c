#include "node/volume_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

enum { MAX_PATH = 4000 };

void payload_done(struct payload *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->files[i].path);
        buf_done(&p->files[i].data);
    }
    free(p->files);
    *p = (struct payload){0};
}

static bool path_ok(struct str path)
{
    struct str part;
    if (path.n == 0 || path.n > MAX_PATH || path.p[0] == '/' || str_starts(path, STR("..")) ||
        memchr(path.p, '\0', path.n))
        return false;
    while (str_next(&path, '/', &part))
        if (part.n == 0 || part.n > 255 || str_is(part, ".") || str_is(part, ".."))
            return false;
    return true;
}

int payload_add(struct payload *p, struct str path, struct buf *data, mode_t mode, struct err *err)
{
    if (!path_ok(path))
        return err_bad(err, "invalid path: %.*s", STR_ARG(str_head(path, 200)));
    if (p->count == PAYLOAD_MAX_FILES)
        return err_bad(err, "more than %d files", PAYLOAD_MAX_FILES);
    if (p->count == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 8;
        p->files = mem_realloc_array(p->files, p->cap, sizeof(*p->files));
    }
    p->files[p->count++] = (struct payload_file){mem_strndup(path.p, path.n), *data, mode & 0777};
    *data = (struct buf){0};
    return 0;
}

static char *join(const char *a, const char *b)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s", a, b);
    return buf_take(&path);
}

/* The first part of a path: the name that is visible in the volume. */
static struct str top(const char *path)
{
    struct str head, tail;
    str_cut(str_of(path), '/', &head, &tail);
    return head;
}

static bool same_content(const struct payload *p, const char *dir)
{
    for (size_t i = 0; i < p->count; i++) {
        struct buf now = {0};
        CLEANUP(mem_freep) char *inner = join("..data", p->files[i].path);
        CLEANUP(mem_freep) char *path = join(dir, inner);
        bool same = file_read(path, 64 << 20, &now, NULL) == 0 &&
                    str_eq(buf_str(&now), buf_str(&p->files[i].data));
        buf_done(&now);
        if (!same)
            return false;
    }
    return true;
}

static bool wanted(const struct payload *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (str_is(top(p->files[i].path), name))
            return true;
    return false;
}

/* Visible names that the payload no longer has; also tells whether there are any. */
static bool remove_stale(const struct payload *p, const char *dir, bool remove)
{
    bool any = false;
    DIR *d = opendir(dir);
    if (!d)
        return false;
    for (struct dirent *e; (e = readdir(d));)
        if (strncmp(e->d_name, "..", 2) && strcmp(e->d_name, ".") && !wanted(p, e->d_name)) {
            any = true;
            if (remove)
                unlinkat(dirfd(d), e->d_name, 0);
        }
    closedir(d);
    return any;
}

static int write_files(const struct payload *p, const char *folder, int64_t gid, struct err *err)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct payload_file *f = &p->files[i];
        CLEANUP(mem_freep) char *path = join(folder, f->path);
        CLEANUP(mem_freep) char *above = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
        if (file_mkdirs(above, 0755, err))
            return -1;
        CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
            return err_errno(err, "create %s", path);
        for (struct str rest = buf_str(&f->data); rest.n;) {
            ssize_t n = write(fd, rest.p, rest.n);
            if (n < 0 && errno != EINTR)
                return err_errno(err, "write %s", path);
            rest = str_from(rest, n > 0 ? (size_t)n : 0);
        }
        mode_t mode = gid >= 0 ? f->mode | 0440 : f->mode;
        if ((gid >= 0 && fchown(fd, (uid_t)-1, (gid_t)gid)) || fchmod(fd, mode))
            return err_errno(err, "%s", path);
    }
    return 0;
}

static int publish(const struct payload *p, const char *dir, const char *folder_name,
                   struct err *err)
{
    char old[256] = "";
    CLEANUP(mem_freep) char *data = join(dir, "..data");
    CLEANUP(mem_freep) char *tmp = join(dir, "..data_tmp");
    ssize_t n = readlink(data, old, sizeof(old) - 1);
    old[n > 0 ? n : 0] = '\0';
    unlink(tmp);
    if (symlink(folder_name, tmp) || rename(tmp, data))
        return err_errno(err, "rename %s", tmp);
    for (size_t i = 0; i < p->count; i++) {
        struct buf target = {0}, name = {0};
        buf_put(&name, top(p->files[i].path));
        buf_printf(&target, "..data/%s", name.p);
        CLEANUP(mem_freep) char *path = join(dir, name.p);
        int failed = symlink(target.p, path) && errno != EEXIST;
        buf_done(&target);
        buf_done(&name);
        if (failed)
            return err_errno(err, "symlink %s", path);
    }
    remove_stale(p, dir, true);
    if (strncmp(old, "..", 2) == 0 && !strchr(old, '/')) {
        CLEANUP(mem_freep) char *path = join(dir, old);
        file_remove_tree(path, NULL);
    }
    return 0;
}

int payload_write(const struct payload *p, const char *dir, int64_t gid, struct err *err)
{
    char id[37], name[64];
    CLEANUP(mem_freep) char *data = join(dir, "..data");
    if (access(data, F_OK) == 0 && same_content(p, dir) && !remove_stale(p, dir, false))
        return 0;
    world_uuid(world_real(), id);
    snprintf(name, sizeof(name), "..%s", id);
    CLEANUP(mem_freep) char *folder = join(dir, name);
    if (mkdir(folder, 0755) || chmod(folder, 0755))
        return err_errno(err, "mkdir %s", folder);
    if (write_files(p, folder, gid, err) || publish(p, dir, name, err)) {
        file_remove_tree(folder, NULL);
        return -1;
    }
    return 0;
}
