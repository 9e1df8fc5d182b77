/* Taking away what an agent leaves on the machine. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "node/podnet.h"
#include "node/runtime.h"

enum { MAX_MOUNTINFO = 64 * 1024 * 1024, ROUNDS = 100 };

/* The folders where a hierarchy of cgroups is mounted. */
static size_t hierarchies(char ret[16][256])
{
    struct buf text = {0};
    struct str rest, line;
    size_t n = 0;
    file_read("/proc/self/mounts", MAX_MOUNTINFO, &text, NULL);
    rest = buf_str(&text);
    while (str_next(&rest, '\n', &line)) {
        struct str source, target, type;
        str_next(&line, ' ', &source);
        str_next(&line, ' ', &target);
        str_next(&line, ' ', &type);
        if (n < 16 && target.n < 256 && (str_is(type, "cgroup") || str_is(type, "cgroup2")))
            snprintf(ret[n++], 256, "%.*s", STR_ARG(target));
    }
    buf_done(&text);
    return n;
}

static bool kill_in(const char *cgroup)
{
    struct buf path = {0}, text = {0};
    struct str rest, line;
    int64_t pid;
    bool any = false;
    buf_printf(&path, "%s/cgroup.procs", cgroup);
    file_read(path.p, 16 * 1024 * 1024, &text, NULL);
    rest = buf_str(&text);
    while (str_next(&rest, '\n', &line))
        if (str_to_i64(line, &pid) && pid > 1 && pid != getpid()) {
            kill((pid_t)pid, SIGKILL);
            any = true;
        }
    buf_done(&path);
    buf_done(&text);
    return any;
}

/* Kills below the cgroup and removes it; true when it is gone. */
static bool remove_cgroup(const char *path, int depth)
{
    DIR *dir = depth < 16 ? opendir(path) : NULL;
    if (!dir)
        return errno == ENOENT;
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_type == DT_DIR && e->d_name[0] != '.') {
            struct buf below = {0};
            buf_printf(&below, "%s/%s", path, e->d_name);
            remove_cgroup(below.p, depth + 1);
            buf_done(&below);
        }
    closedir(dir);
    kill_in(path);
    return rmdir(path) == 0 || errno == ENOENT;
}

/* The shims die first, so that none of them writes about what follows. */
static void remove_cgroups(const char *tag)
{
    static const char *const suffixes[] = {"-shims", ""};
    char roots[16][256];
    size_t n = hierarchies(roots);
    for (int round = 0; round < ROUNDS; round++) {
        bool all = true;
        for (size_t s = 0; s < ARRAY_LEN(suffixes); s++)
            for (size_t i = 0; i < n; i++) {
                struct buf path = {0};
                buf_printf(&path, "%s/%s%s", roots[i], tag, suffixes[s]);
                all &= remove_cgroup(path.p, 0);
                buf_done(&path);
            }
        if (all)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
    }
}

/* mountinfo writes blanks and the like as three octal digits. */
static char *unescape(struct str s)
{
    struct buf b = {0};
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\\' && i + 3 < s.n) {
            buf_putc(&b,
                     (char)((s.p[i + 1] - '0') * 64 + (s.p[i + 2] - '0') * 8 + s.p[i + 3] - '0'));
            i += 3;
        } else {
            buf_putc(&b, s.p[i]);
        }
    return buf_take(&b);
}

static void unmount_below(const char *data_dir)
{
    struct buf text = {0};
    char prefix[4096 + 2];
    char *found[4096];
    size_t n = 0;
    struct str rest, line, field;
    snprintf(prefix, sizeof(prefix), "%s/", data_dir);
    file_read("/proc/self/mountinfo", MAX_MOUNTINFO, &text, NULL);
    rest = buf_str(&text);
    while (n < ARRAY_LEN(found) && str_next(&rest, '\n', &line)) {
        for (int i = 0; i < 5; i++)
            str_next(&line, ' ', &field);
        char *path = unescape(field);
        if (str_starts(str_of(path), str_of(prefix)))
            found[n++] = path;
        else
            free(path);
    }
    while (n-- > 0) {
        umount2(found[n], MNT_DETACH);
        free(found[n]);
    }
    buf_done(&text);
}

/* What `shim hold` started for pods that share a pid namespace is in no cgroup of ours. */
static void kill_holders(const char *data_dir)
{
    struct buf folder = {0};
    buf_printf(&folder, "%s/pods", data_dir);
    DIR *dir = opendir(folder.p);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        struct buf path = {0}, text = {0};
        int64_t pid;
        buf_printf(&path, "%s/%s/ns/pid.holder", folder.p, e->d_name);
        if (file_read(path.p, 32, &text, NULL) == 0 && str_to_i64(str_trim(buf_str(&text)), &pid))
            runtime_end_holder((pid_t)pid);
        buf_done(&path);
        buf_done(&text);
    }
    if (dir)
        closedir(dir);
    buf_done(&folder);
}

void runtime_unmount_pod(const struct runtime *r, const char *uid)
{
    struct buf path = {0};
    if (!*uid)
        return;
    buf_printf(&path, "%s/pods/%s", r->data_dir, uid);
    unmount_below(path.p);
    file_remove_tree(path.p, NULL);
    buf_done(&path);
}

int agent_reset(const char *data_dir, struct err *err)
{
    char real[4096], tag[AGENT_TAG];
    static const char *const folders[] = {"containers", "pods", "run"};
    int failed = 0;
    if (!realpath(data_dir, real))
        return errno == ENOENT ? 0 : err_errno(err, "%s", data_dir);
    agent_tag(real, tag);
    remove_cgroups(tag);
    kill_holders(real);
    failed |= podnet_teardown(real, tag, err);
    unmount_below(real);
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        struct buf path = {0};
        buf_printf(&path, "%s/%s", real, folders[i]);
        failed |= file_remove_tree(path.p, err);
        buf_done(&path);
    }
    return failed ? -1 : 0;
}
