/* Volumes of a pod, and where they appear in its containers. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "doc/quantity.h"
#include "node/volume_files.h"

enum { REFRESH_MS = 60000, FOREVER_MS = 3600000, MAX_DEPTH = 64 };

static char *volume_path(const struct pod *p, struct str name)
{
    struct buf b = {0};
    buf_printf(&b, "%s/volumes/%.*s", p->dir, STR_ARG(name));
    return buf_take(&b);
}

static int64_t fs_group(const struct pod *p)
{
    const val *group = VAL_PATH(p->spec, "securityContext", "fsGroup");
    return group ? val_int(group) : -1;
}

static bool is_mount(const char *path)
{
    struct stat st, above;
    CLEANUP(mem_freep) char *folder = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
    return stat(path, &st) == 0 && stat(folder, &above) == 0 && st.st_dev != above.st_dev;
}

static int mount_tmpfs(const char *path, int64_t bytes, mode_t mode, struct err *err)
{
    char options[64];
    int n = snprintf(options, sizeof(options), "mode=%o", mode);
    if (bytes > 0)
        snprintf(options + n, sizeof(options) - (size_t)n, ",size=%lld", (long long)bytes);
    if (is_mount(path))
        return 0;
    return mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options)
               ? err_errno(err, "mount %s", path)
               : 0;
}

static int setup_empty(struct pod *p, const val *source, const char *path, struct err *err)
{
    struct quantity limit = {0};
    struct str size = VAL_STR(source, "sizeLimit");
    int64_t group = fs_group(p);
    if (size.n && quantity_parse(size, &limit, err))
        return -1;
    if (str_is(VAL_STR(source, "medium"), "Memory") &&
        mount_tmpfs(path, quantity_value(&limit), 01777, err))
        return -1;
    if (group >= 0 && chown(path, (uid_t)-1, (gid_t)group))
        return err_errno(err, "chown %s", path);
    return chmod(path, group >= 0 ? 02777 : 0777) ? err_errno(err, "chmod %s", path) : 0;
}

static int setup_host_path(const val *source, struct err *err)
{
    struct arena a = {0};
    struct str type = VAL_STR(source, "type");
    char *path = arena_z(&a, VAL_STR(source, "path"));
    struct stat st;
    int failed = 0;
    bool there = stat(path, &st) == 0;
    mode_t kind = there ? st.st_mode & S_IFMT : 0;
    if (str_is(type, "DirectoryOrCreate") && !there) {
        failed = file_mkdirs(path, 0755, err);
    } else if (str_is(type, "FileOrCreate") && !there) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        failed = fd < 0 ? err_errno(err, "create %s", path) : close(fd);
    } else {
        static const struct {
            const char *type;
            mode_t kind;
            const char *words;
        } checks[] = {{"Directory", S_IFDIR, "directory"},
                      {"DirectoryOrCreate", S_IFDIR, "directory"},
                      {"File", S_IFREG, "file"},
                      {"FileOrCreate", S_IFREG, "file"},
                      {"Socket", S_IFSOCK, "socket file"},
                      {"CharDevice", S_IFCHR, "character device"},
                      {"BlockDevice", S_IFBLK, "block device"}};
        for (size_t i = 0; i < ARRAY_LEN(checks); i++)
            if (str_is(type, checks[i].type) && kind != checks[i].kind)
                failed = err_bad(err, "hostPath type check failed: %s is not a %s", path,
                                 checks[i].words);
    }
    arena_done(&a);
    return failed;
}

static int write_volume(struct pod *p, const val *volume, const char *path, int64_t *ret_refresh_ms,
                        struct err *err)
{
    struct payload payload = {0};
    int failed = volume_payload(p, volume, &payload, ret_refresh_ms, err) ||
                 payload_write(&payload, path, fs_group(p), err);
    payload_done(&payload);
    return failed ? -1 : 0;
}

static int setup_volume(struct pod *p, const val *volume, struct err *err)
{
    int64_t refresh = FOREVER_MS;
    CLEANUP(mem_freep) char *path = volume_path(p, VAL_STR(volume, "name"));
    const val *host = val_get(volume, "hostPath"), *empty = val_get(volume, "emptyDir");
    if (host)
        return setup_host_path(host, err);
    if (mkdir(path, 0755) && errno != EEXIST)
        return err_errno(err, "mkdir %s", path);
    if (empty)
        return setup_empty(p, empty, path, err);
    if (!volume_is_files(volume))
        return err_bad(err, "no volume plugin matched");
    /* Secrets and tokens never reach a disk. */
    bool memory = val_get(volume, "secret") || val_get(volume, "projected");
    if (memory && mount_tmpfs(path, 0, 0755, err))
        return -1;
    return write_volume(p, volume, path, &refresh, err);
}

int volumes_setup(struct pod *p, struct err *err)
{
    CLEANUP(mem_freep) char *folder = pod_path(p, "volumes");
    if (file_mkdirs(folder, 0711, err))
        return -1;
    VAL_FOR (val_get(p->spec, "volumes"), volume)
        if (setup_volume(p, volume, err)) {
            pod_event(p, NULL, true, "FailedMount",
                      "MountVolume.SetUp failed for volume \"%.*s\" : %s",
                      STR_ARG(VAL_STR(volume, "name")), err->message);
            return -1;
        }
    p->refresh_ms = mono_ms(world_real()) + REFRESH_MS;
    return 0;
}

int64_t volumes_refresh(struct pod *p)
{
    int64_t wait = FOREVER_MS;
    struct err err;
    VAL_FOR (val_get(p->spec, "volumes"), volume) {
        if (!volume_is_files(volume))
            continue;
        CLEANUP(mem_freep) char *path = volume_path(p, VAL_STR(volume, "name"));
        if (write_volume(p, volume, path, &wait, &err))
            log_debug("node", "volume not refreshed", "pod", p->name, "error", err.message);
        wait = wait < REFRESH_MS ? wait : REFRESH_MS;
    }
    return wait < 1000 ? 1000 : wait;
}

/* --- in a container --- */

static const val *find_volume(const struct pod *p, struct str name)
{
    VAL_FOR (val_get(p->spec, "volumes"), v)
        if (str_eq(VAL_STR(v, "name"), name))
            return v;
    return NULL;
}

/* Below root and nowhere else, links included; folders that are missing are made. */
static int open_below(int root, struct str path, struct err *err)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    struct arena a = {0};
    struct str rest = path, part;
    int depth = 0;
    int at = (int)syscall(SYS_openat2, root, ".", &how, sizeof(how)), whole;
    whole = (int)syscall(SYS_openat2, root, arena_z(&a, path), &how, sizeof(how));
    while (whole < 0 && errno == ENOENT && at >= 0 && str_next(&rest, '/', &part)) {
        char *name = arena_z(&a, part);
        if (!part.n || str_is(part, "."))
            continue;
        if (str_is(part, "..") || ++depth > MAX_DEPTH)
            break;
        if (mkdirat(at, name, 0755) && errno != EEXIST)
            break;
        int next = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        close(at);
        at = next;
    }
    if (whole < 0 && at >= 0)
        whole = (int)syscall(SYS_openat2, root, arena_z(&a, path), &how, sizeof(how));
    if (at >= 0)
        close(at);
    if (whole < 0)
        err_internal(err, "failed to prepare subPath \"%.*s\": %s", STR_ARG(path), strerror(errno));
    arena_done(&a);
    return whole;
}

/* What was checked is pinned by a mount of its own: nobody can put a link in its place before the
 * runtime looks. */
static char *pin_sub_path(struct container *c, size_t index, const char *volume, struct str path,
                          struct err *err)
{
    struct buf b = {0};
    struct stat st;
    char from[64];
    CLEANUP(fd_closep) int root = open(volume, O_PATH | O_CLOEXEC);
    if (str_starts(path, STR("/")) || root < 0)
        return err_bad(err, "subPath \"%.*s\": must be a relative path", STR_ARG(path)), NULL;
    CLEANUP(fd_closep) int fd = open_below(root, path, err);
    if (fd < 0 || fstat(fd, &st))
        return NULL;
    buf_printf(&b, "%s/subpaths", c->pod->dir);
    if (file_mkdirs(b.p, 0711, err))
        return buf_done(&b), NULL;
    buf_printf(&b, "/%s-%zu", c->name, index);
    char *to = buf_take(&b);
    umount2(to, MNT_DETACH);
    if (rmdir(to))
        unlink(to);
    bool made = S_ISDIR(st.st_mode) ? mkdir(to, 0711) == 0 : mknod(to, S_IFREG | 0600, 0) == 0;
    snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
    if (made && mount(from, to, NULL, MS_BIND | MS_REC, NULL) == 0)
        return to;
    err_errno(err, "failed to prepare subPath \"%.*s\"", STR_ARG(path));
    free(to);
    return NULL;
}

static char *mount_source(struct container *c, const val *m, size_t index, const struct env *env,
                          struct err *err)
{
    struct pod *p = c->pod;
    const val *volume = find_volume(p, VAL_STR(m, "name"));
    if (!volume)
        return err_bad(err, "volume \"%.*s\" not found", STR_ARG(VAL_STR(m, "name"))), NULL;
    struct str host = VAL_STR(volume, "hostPath", "path"), sub = VAL_STR(m, "subPath");
    char *path = host.n ? mem_strndup(host.p, host.n) : volume_path(p, VAL_STR(m, "name"));
    struct buf expanded = {0};
    if (VAL_STR(m, "subPathExpr").n) {
        env_expand(env, VAL_STR(m, "subPathExpr"), &expanded);
        sub = buf_str(&expanded);
    }
    if (sub.n) {
        char *pinned = pin_sub_path(c, index, path, sub, err);
        free(path);
        path = pinned;
    } else if (host.n && access(path, F_OK)) {
        /* hostPath without a type: as container runtimes do, a folder is made. */
        file_mkdirs(path, 0755, NULL);
    }
    buf_done(&expanded);
    return path;
}

int volumes_mount(struct container *c, const struct env *env, struct doc *d, val *mounts,
                  struct err *err)
{
    size_t index = 0;
    VAL_FOR (val_get(container_spec(c), "volumeMounts"), m) {
        struct str propagation = VAL_STR(m, "mountPropagation");
        CLEANUP(mem_freep) char *source = mount_source(c, m, index++, env, err);
        if (!source)
            return -1;
        oci_add_bind(d, mounts, source, VAL_STR(m, "mountPath"), VAL_BOOL(m, "readOnly"),
                     str_is(propagation, "HostToContainer") ? "rslave"
                     : str_is(propagation, "Bidirectional") ? "rshared"
                                                            : "rprivate");
    }
    return 0;
}

void volumes_teardown(struct pod *p)
{
    VAL_FOR (val_get(p->spec, "volumes"), volume) {
        CLEANUP(mem_freep) char *path = volume_path(p, VAL_STR(volume, "name"));
        umount2(path, MNT_DETACH);
    }
    for (size_t i = 0; i < p->count; i++) {
        size_t n = val_len(val_get(container_spec(&p->containers[i]), "volumeMounts"));
        for (size_t k = 0; k < n; k++) {
            struct buf b = {0};
            buf_printf(&b, "%s/subpaths/%s-%zu", p->dir, p->containers[i].name, k);
            umount2(b.p, MNT_DETACH);
            buf_done(&b);
        }
    }
}
