/* The state of containers on disk, and starting and ending them. */
#include "node/runtime.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <linux/magic.h>
#include <xxhash.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "node/shim/shim.h"

extern const char shim_data[], shim_data_end[];
extern char **environ;

enum { START_MS = 120000, MAX_META = 1024 * 1024 };

void agent_tag(const char *data_dir, char ret[AGENT_TAG])
{
    char real[4096];
    const char *path = realpath(data_dir, real) ? real : data_dir;
    snprintf(ret, AGENT_TAG, "tutti-%08x", (unsigned)XXH32(path, strlen(path), 0));
}

char *runtime_path(const struct runtime *r, const char *id, const char *name)
{
    struct buf b = {0};
    buf_printf(&b, "%s/containers/%s%s%s", r->data_dir, id, name ? "/" : "", name ? name : "");
    return buf_take(&b);
}

void runtime_new_id(char ret[RUNTIME_ID])
{
    unsigned char bytes[32];
    world_real()->random(world_real(), bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

int runtime_write_file(const char *path, struct str text, mode_t mode, struct err *err)
{
    struct buf tmp = {0};
    buf_printf(&tmp, "%s.tmp", path);
    CLEANUP(mem_freep) char *name = buf_take(&tmp);
    CLEANUP(fd_closep)
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0 || fchmod(fd, mode))
        return err_errno(err, "create %s", name);
    while (text.n) {
        ssize_t n = write(fd, text.p, text.n);
        if (n < 0 && errno != EINTR)
            return err_errno(err, "write %s", name);
        text = str_from(text, n > 0 ? (size_t)n : 0);
    }
    return rename(name, path) ? err_errno(err, "rename %s", name) : 0;
}

/* --- opening --- */

static char *find_program(const char *name)
{
    struct str rest = str_of(getenv("PATH") ? getenv("PATH") : ""), dir;
    static const char *const also[] = {"/usr/bin", "/usr/sbin", "/usr/local/bin",
                                       "/usr/local/sbin"};
    char path[4096];
    while (str_next(&rest, ':', &dir)) {
        snprintf(path, sizeof(path), "%.*s/%s", STR_ARG(dir), name);
        if (dir.n && access(path, X_OK) == 0)
            return mem_strdup(path);
    }
    for (size_t i = 0; i < ARRAY_LEN(also); i++) {
        snprintf(path, sizeof(path), "%s/%s", also[i], name);
        if (access(path, X_OK) == 0)
            return mem_strdup(path);
    }
    return NULL;
}

static int write_shim(struct runtime *r, struct err *err)
{
    struct buf b = {0};
    buf_printf(&b, "%s/bin", r->data_dir);
    int failed = file_mkdirs(b.p, 0755, err);
    buf_puts(&b, "/shim");
    r->shim = buf_take(&b);
    size_t n = (size_t)(shim_data_end - shim_data);
    return failed ? -1 : runtime_write_file(r->shim, (struct str){shim_data, n}, 0755, err);
}

/* Lowering is tried on ourselves, and taken back. */
static bool may_lower_oom_score(void)
{
    int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    char old[16] = "0";
    ssize_t n = fd < 0 ? -1 : read(fd, old, sizeof(old) - 1);
    bool may = n > 0 && pwrite(fd, "-999", 4, 0) == 4;
    if (may && pwrite(fd, old, (size_t)n, 0) < 0)
        may = true;
    if (fd >= 0)
        close(fd);
    return may;
}

static uint64_t own_capabilities(void)
{
    struct buf b = {0};
    file_read("/proc/self/status", 65536, &b, NULL);
    const char *at = strstr(buf_z(&b), "CapBnd:");
    uint64_t bits = at ? strtoull(at + strlen("CapBnd:"), NULL, 16) : ~(uint64_t)0;
    buf_done(&b);
    return bits;
}

static void lost_in_reboot(void *arg, const char *id, const val *meta)
{
    struct runtime *r = arg;
    (void)meta;
    CLEANUP(mem_freep) char *ended = runtime_path(r, id, "exit");
    char text[64];
    snprintf(text, sizeof(text), "137 9 0 %lld\n", (long long)wall_ns(world_real()));
    if (access(ended, F_OK))
        runtime_write_file(ended, str_of(text), 0600, NULL);
}

static int check_boot(struct runtime *r, struct err *err)
{
    struct buf now = {0}, before = {0}, path = {0};
    buf_printf(&path, "%s/run/boot_id", r->data_dir);
    int failed = file_read("/proc/sys/kernel/random/boot_id", 64, &now, err);
    if (!failed &&
        (file_read(path.p, 64, &before, NULL) || !str_eq(buf_str(&now), buf_str(&before)))) {
        runtime_each(r, lost_in_reboot, r);
        file_remove_tree(r->root, NULL);
        failed =
            file_mkdirs(r->root, 0700, err) || runtime_write_file(path.p, buf_str(&now), 0600, err);
    }
    buf_done(&now);
    buf_done(&before);
    buf_done(&path);
    return failed ? -1 : 0;
}

int runtime_open(const char *data_dir, struct runtime *ret, struct err *err)
{
    char real[4096];
    struct statfs fs;
    struct buf b = {0};
    *ret = (struct runtime){0};
    if (file_mkdirs(data_dir, 0755, err))
        return -1;
    if (!realpath(data_dir, real))
        return err_errno(err, "%s", data_dir);
    ret->data_dir = mem_strdup(real);
    agent_tag(real, ret->tag);
    buf_printf(&b, "%s/run/crun", real);
    ret->root = buf_take(&b);
    ret->crun = find_program("crun");
    if (!ret->crun)
        return err_internal(err, "crun is not installed (Debian: apt install crun)");
    ret->cgroup_v2 = statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
    ret->capabilities = own_capabilities();
    ret->lower_oom_score = may_lower_oom_score();
    CLEANUP(mem_freep) char *containers = runtime_path(ret, "", NULL);
    if (file_mkdirs(containers, 0711, err) || file_mkdirs(ret->root, 0700, err))
        return -1;
    return write_shim(ret, err) || check_boot(ret, err) ? -1 : 0;
}

void runtime_close(struct runtime *r)
{
    free(r->data_dir);
    free(r->crun);
    free(r->shim);
    free(r->root);
    *r = (struct runtime){0};
}

/* --- processes --- */

static int spawn(const char *const *argv, const int fds[3], const char *dir, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            posix_spawn_file_actions_adddup2(&actions, fds[i], i);
        else
            posix_spawn_file_actions_addopen(&actions, i, "/dev/null", O_RDWR, 0);
    if (dir)
        posix_spawn_file_actions_addchdir_np(&actions, dir);
    int failed = posix_spawn(ret_pid, argv[0], &actions, &attr, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    errno = failed;
    return failed ? -1 : 0;
}

static int wait_pid(pid_t pid)
{
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status)
                             : 128 + (WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

/* Reads to the end of file, at most until the time is over; false: it was. */
static bool collect(int fd, int64_t until_ms, size_t max, struct buf *b)
{
    char chunk[4096];
    for (;;) {
        int64_t left = until_ms - mono_ms(world_real());
        struct pollfd wait = {fd, POLLIN, 0};
        if (left <= 0 || poll(&wait, 1, left > 1000000 ? 1000000 : (int)left) == 0)
            return false;
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return true;
        size_t room = b && b->n < max ? max - b->n : 0;
        if (room)
            buf_append(b, chunk, (size_t)n < room ? (size_t)n : room);
    }
}

int runtime_program(const char *const *argv, struct buf *output)
{
    int out[2] = {-1, -1};
    pid_t pid;
    if (output && pipe2(out, O_CLOEXEC))
        return -1;
    int failed = spawn(argv, (const int[3]){-1, out[1], out[1]}, NULL, &pid);
    if (out[1] >= 0)
        close(out[1]);
    if (!failed && output)
        collect(out[0], mono_ms(world_real()) + START_MS, 64 * 1024, output);
    if (out[0] >= 0)
        close(out[0]);
    return failed ? -1 : wait_pid(pid);
}

/* --- starting --- */

static int write_json(const struct runtime *r, const char *id, const char *name, const val *v,
                      struct err *err)
{
    struct buf text = {0};
    CLEANUP(mem_freep) char *path = runtime_path(r, id, name);
    val_write_json(v, &text);
    int failed = runtime_write_file(path, buf_str(&text), 0600, err);
    buf_done(&text);
    return failed;
}

static int make_folder(const struct runtime *r, const struct runtime_start *s, struct err *err)
{
    static const char *const folders[] = {NULL, "rootfs", "upper", "work"};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        CLEANUP(mem_freep) char *path = runtime_path(r, s->id, folders[i]);
        if (mkdir(path, i == 2 ? 0755 : 0711) && errno != EEXIST)
            return err_errno(err, "mkdir %s", path);
    }
    return write_json(r, s->id, "config.json", s->config, err) ||
                   write_json(r, s->id, "meta.json", s->meta, err)
               ? -1
               : 0;
}

/* Where a shim sits, so that nobody who ends the agent's cgroup ends it, too. */
static size_t shim_cgroups(const struct runtime *r, struct buf paths[2])
{
    static const char *const v1[] = {"/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"};
    size_t n = 0;
    for (size_t i = 0; i < (r->cgroup_v2 ? 1 : ARRAY_LEN(v1)); i++) {
        struct buf *b = &paths[n];
        buf_printf(b, "%s/%s-shims", r->cgroup_v2 ? "/sys/fs/cgroup" : v1[i], r->tag);
        if (mkdir(b->p, 0755) && errno != EEXIST) {
            buf_done(b);
            continue;
        }
        buf_puts(b, "/cgroup.procs");
        struct buf key = {0};
        buf_printf(&key, "cgroup=%s", b->p);
        buf_done(b);
        paths[n++] = key;
    }
    return n;
}

static int run_shim(const struct runtime *r, const struct runtime_start *s, struct err *err)
{
    struct arena a = {0};
    struct buf cgroups[2] = {{0}, {0}}, answer = {0};
    size_t n = shim_cgroups(r, cgroups);
    int out[2] = {-1, -1}, failed = -1;
    pid_t pid;
    const char *argv[] = {
        r->shim,
        "run",
        arena_printf(&a, "dir=%s/containers/%s", r->data_dir, s->id).p,
        arena_printf(&a, "crun=%s", r->crun).p,
        arena_printf(&a, "root=%s", r->root).p,
        arena_printf(&a, "id=%s", s->id).p,
        arena_printf(&a, "log=%s", s->log).p,
        arena_printf(&a, "layers=%s/images/layers", r->data_dir).p,
        arena_printf(&a, "lower=%s", s->layers).p,
        arena_printf(&a, "tty=%d", s->tty).p,
        arena_printf(&a, "stdin=%d", s->stdin_mode).p,
        n > 0 ? cgroups[0].p : NULL,
        n > 1 ? cgroups[1].p : NULL,
        NULL,
    };
    if (pipe2(out, O_CLOEXEC) || spawn(argv, (const int[3]){-1, out[1], -1}, NULL, &pid)) {
        err_errno(err, "start the shim");
        goto out;
    }
    close(out[1]);
    out[1] = -1;
    wait_pid(pid);
    bool whole = collect(out[0], mono_ms(world_real()) + START_MS, 1000, &answer);
    if (str_starts(buf_str(&answer), STR("ok ")))
        failed = 0;
    else
        err_internal(err, "%.*s",
                     STR_ARG(!whole      ? STR("timed out waiting for crun")
                             : !answer.n ? STR("the shim ended without a word")
                                         : str_trim(buf_str(&answer))));
out:
    for (int i = 0; i < 2; i++)
        if (out[i] >= 0)
            close(out[i]);
    buf_done(&cgroups[0]);
    buf_done(&cgroups[1]);
    buf_done(&answer);
    arena_done(&a);
    return failed;
}

int runtime_start(const struct runtime *r, const struct runtime_start *s, struct err *err)
{
    return make_folder(r, s, err) || run_shim(r, s, err) ? -1 : 0;
}

/* --- running --- */

/* Paths of sockets are short: the folder is reached through its descriptor. */
static int unix_socket_in(int dir, const char *name, struct sockaddr_un *ret, int type)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", dir, name);
    return socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
}

int runtime_connect(const struct runtime *r, const char *id)
{
    CLEANUP(mem_freep) char *path = runtime_path(r, id, NULL);
    CLEANUP(fd_closep) int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct sockaddr_un address;
    if (dir < 0)
        return -1;
    int fd = unix_socket_in(dir, "sock", &address, SOCK_SEQPACKET);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address))) {
        close(fd);
        return -1;
    }
    return fd;
}

int runtime_kill(const struct runtime *r, const char *id, int sig)
{
    char packet[16];
    CLEANUP(fd_closep) int fd = runtime_connect(r, id);
    int n = snprintf(packet, sizeof(packet), "%c%d", SHIM_KILL, sig);
    return fd >= 0 && send(fd, packet, (size_t)n, MSG_NOSIGNAL) == n ? 0 : -1;
}

static bool read_numbers(const struct runtime *r, const char *id, const char *name, long long *ret,
                         size_t n)
{
    struct buf text = {0};
    struct str rest, field;
    CLEANUP(mem_freep) char *path = runtime_path(r, id, name);
    size_t got = 0;
    if (file_read(path, 256, &text, NULL) == 0) {
        rest = str_trim(buf_str(&text));
        for (int64_t v; got < n && str_next(&rest, ' ', &field) && str_to_i64(field, &v);)
            ret[got++] = v;
    }
    buf_done(&text);
    return got == n;
}

pid_t runtime_pid(const struct runtime *r, const char *id, int64_t *ret_started_ns)
{
    long long v[2];
    if (!read_numbers(r, id, "started", v, 2))
        return 0;
    if (ret_started_ns)
        *ret_started_ns = v[1];
    return (pid_t)v[0];
}

static void crun_delete(const struct runtime *r, const char *id)
{
    const char *const argv[] = {r->shim,  "crun",  r->crun,  "--cgroup-manager=cgroupfs",
                                "--root", r->root, "delete", "--force",
                                id,       NULL};
    runtime_program(argv, NULL);
}

void runtime_exit(const struct runtime *r, const char *id, struct runtime_exit *ret)
{
    long long v[4];
    *ret = (struct runtime_exit){0};
    if (!read_numbers(r, id, "exit", v, 4)) {
        crun_delete(r, id);
        *ret = (struct runtime_exit){137, 9, false, true, wall_ns(world_real())};
        char text[64];
        CLEANUP(mem_freep) char *path = runtime_path(r, id, "exit");
        snprintf(text, sizeof(text), "137 9 0 %lld\n", (long long)ret->ended_ns);
        runtime_write_file(path, str_of(text), 0600, NULL);
        return;
    }
    *ret = (struct runtime_exit){(int)v[0], (int)v[1], v[2] > 0, false, v[3]};
    /* The kernel killed another process than the first one: the container did not die of it. */
    ret->oom_killed = ret->oom_killed && ret->code != 0;
}

void runtime_remove(const struct runtime *r, const char *id)
{
    CLEANUP(mem_freep) char *path = runtime_path(r, id, NULL);
    file_remove_tree(path, NULL);
}

void runtime_each(const struct runtime *r,
                  void (*visit)(void *arg, const char *id, const val *meta), void *arg)
{
    CLEANUP(mem_freep) char *folder = runtime_path(r, "", NULL);
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    for (struct dirent *e; (e = readdir(dir));) {
        struct doc d = {0};
        struct buf text = {0};
        val *meta = NULL;
        if (strlen(e->d_name) != RUNTIME_ID - 1)
            continue;
        CLEANUP(mem_freep) char *path = runtime_path(r, e->d_name, "meta.json");
        if (file_read(path, MAX_META, &text, NULL) == 0)
            doc_parse_json(&d, buf_str(&text), &meta, NULL);
        visit(arg, e->d_name, meta);
        buf_done(&text);
        doc_done(&d);
    }
    closedir(dir);
}

/* --- exec --- */

static int receive_fd(int listener, pid_t pid)
{
    char byte, control[CMSG_SPACE(sizeof(int))];
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    int master = -1;
    for (int i = 0; i < 1000; i++) {
        struct pollfd wait = {listener, POLLIN, 0};
        siginfo_t info = {0};
        if (poll(&wait, 1, 10) == 1)
            break;
        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid)
            return -1;
    }
    CLEANUP(fd_closep) int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct pollfd wait = {fd, POLLIN, 0};
    if (fd < 0 || poll(&wait, 1, 5000) != 1 || recvmsg(fd, &message, MSG_CMSG_CLOEXEC) <= 0)
        return -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        memcpy(&master, CMSG_DATA(c), sizeof(int));
    return master;
}

int runtime_process(const struct runtime *r, const char *id, const val *args, bool tty,
                    struct doc *d, val **ret, struct err *err)
{
    struct buf text = {0};
    val *config;
    CLEANUP(mem_freep) char *path = runtime_path(r, id, "config.json");
    int failed =
        file_read(path, MAX_META, &text, err) || doc_parse_json(d, buf_str(&text), &config, err);
    buf_done(&text);
    if (failed)
        return -1;
    val *process = val_get(config, "process");
    val_set(d, process, "args", val_copy(d, args));
    val_set_bool(d, process, "terminal", tty);
    bool term = false;
    VAL_FOR (val_get(process, "env"), e)
        term |= str_starts(val_str(e), STR("TERM="));
    if (tty && !term)
        val_push(val_ensure_arr(d, process, "env"), val_new_z(d, "TERM=xterm"));
    *ret = process;
    return 0;
}

int runtime_exec(const struct runtime *r, const struct runtime_exec *x, pid_t *ret_pid,
                 int *ret_tty, struct err *err)
{
    char tag[37], file[64], sock[64];
    struct sockaddr_un address;
    CLEANUP(fd_closep) int listener = -1;
    CLEANUP(mem_freep) char *folder = runtime_path(r, x->id, NULL);
    CLEANUP(fd_closep) int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    world_uuid(world_real(), tag);
    snprintf(file, sizeof(file), "exec-%s.json", tag);
    snprintf(sock, sizeof(sock), "exec-%s.sock", tag);
    if (dir < 0)
        return err_errno(err, "%s", folder);
    if (write_json(r, x->id, file, x->process, err))
        return -1;
    if (x->tty) {
        listener = unix_socket_in(dir, sock, &address, SOCK_STREAM);
        if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
            listen(listener, 1))
            return err_errno(err, "console socket");
    }
    const char *const argv[] = {r->shim,
                                "exec",
                                file,
                                r->crun,
                                "--cgroup-manager=cgroupfs",
                                "--root",
                                r->root,
                                "exec",
                                "--process",
                                file,
                                x->tty ? "--console-socket" : x->id,
                                x->tty ? sock : NULL,
                                x->id,
                                NULL};
    const int none[3] = {-1, -1, -1};
    if (spawn(argv, x->tty ? none : x->fds, folder, ret_pid))
        return err_errno(err, "start crun");
    if (!x->tty)
        return 0;
    *ret_tty = receive_fd(listener, *ret_pid);
    unlinkat(dir, sock, 0);
    if (*ret_tty < 0) {
        kill(*ret_pid, SIGTERM);
        wait_pid(*ret_pid);
        return err_internal(err, "the command could not be started");
    }
    return 0;
}

int runtime_exec_wait(const struct runtime *r, const char *id, const val *process,
                      int64_t timeout_ms, size_t max, struct buf *ret_output, int *ret_code,
                      struct err *err)
{
    int out[2];
    pid_t pid;
    if (pipe2(out, O_CLOEXEC))
        return err_errno(err, "pipe");
    struct runtime_exec x = {.id = id, .process = process, .fds = {-1, out[1], out[1]}};
    int failed = runtime_exec(r, &x, &pid, NULL, err);
    close(out[1]);
    if (failed) {
        close(out[0]);
        return -1;
    }
    bool whole = collect(out[0], mono_ms(world_real()) + timeout_ms, max, ret_output);
    close(out[0]);
    if (!whole)
        kill(pid, SIGTERM);
    int code = wait_pid(pid);
    *ret_code = whole ? code : -1;
    return 0;
}

void runtime_end_holder(pid_t pid)
{
    char path[64];
    struct buf comm = {0};
    snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    if (pid > 1 && file_read(path, 64, &comm, NULL) == 0 &&
        str_is(str_trim(buf_str(&comm)), "tutti-pause"))
        kill(pid, SIGKILL);
    buf_done(&comm);
}

int runtime_image_file(const struct runtime *r, const char *layers, const char *path, struct buf *b)
{
    struct str rest = str_of(layers), layer;
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, .resolve = RESOLVE_IN_ROOT};
    while (str_next(&rest, ':', &layer)) {
        struct buf folder = {0};
        struct stat st;
        char self[64];
        buf_printf(&folder, "%s/images/layers/%.*s", r->data_dir, STR_ARG(layer));
        CLEANUP(fd_closep) int root = open(folder.p, O_PATH | O_DIRECTORY | O_CLOEXEC);
        buf_done(&folder);
        CLEANUP(fd_closep) int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
        if (fd < 0 || fstat(fd, &st))
            continue;
        if (!S_ISREG(st.st_mode))
            return -1;
        snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
        return file_read(self, 1024 * 1024, b, NULL);
    }
    return -1;
}
