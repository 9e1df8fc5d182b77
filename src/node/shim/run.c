/* shim run: one container from start to end. One thread, one poll loop. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "node/shim/shim.h"

enum { MAX_CLIENTS = 16, CLIENT_WAIT_MS = 2000, DRAIN_MS = 500, EARLY = 64 * 1024 };

struct client {
    int fd;
    bool attached;
};

struct shim {
    const char *dir, *crun, *root, *id, *log_path, *layers, *lower;
    bool tty;
    int stdin_mode;
    int report; /* where "ok" goes; -1 afterwards */
    pid_t pid;  /* of the container's first process; 0 when it is gone */
    int status;
    int in, out, err; /* our ends; with a terminal all three are its master */
    int listener, signals, oom;
    struct client clients[MAX_CLIENTS];
    struct shim_log log;
    size_t pending_n, pending_at; /* input that the container has not taken yet */
    int pending_client;
    char pending[SHIM_PACKET];
    char packet[SHIM_PACKET];
    /* What a container that expects a client wrote before the first one came: packets, each behind
     * its length. */
    bool had_client;
    size_t early_n;
    char early[EARLY];
};

static struct shim shim = {.report = -1, .in = -1, .out = -1, .err = -1, .listener = -1, .oom = -1};

static int report(struct shim *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vdprintf(s->report, format, args);
    va_end(args);
    close(s->report);
    s->report = -1;
    return 1;
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t mono(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void write_text(const char *path, const char *text)
{
    char tmp[64];
    snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    bool whole = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    if (whole)
        rename(tmp, path);
}

static int parse(struct shim *s, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (!value)
            return -1;
        size_t n = (size_t)(value++ - argv[i]);
        const struct {
            const char *key, **to;
        } texts[] = {{"dir", &s->dir},    {"crun", &s->crun},    {"root", &s->root},
                     {"id", &s->id},      {"log", &s->log_path}, {"layers", &s->layers},
                     {"lower", &s->lower}};
        for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++)
            if (strlen(texts[k].key) == n && strncmp(argv[i], texts[k].key, n) == 0)
                *texts[k].to = value;
        if (n == 3 && strncmp(argv[i], "tty", n) == 0)
            s->tty = *value == '1';
        if (n == 5 && strncmp(argv[i], "stdin", n) == 0)
            s->stdin_mode = atoi(value);
        if (n == 6 && strncmp(argv[i], "cgroup", n) == 0) {
            int fd = open(value, O_WRONLY | O_CLOEXEC);
            if (fd >= 0 && write(fd, "0", 1) < 0)
                perror("shim: cgroup");
            if (fd >= 0)
                close(fd);
        }
    }
    return s->dir && s->crun && s->root && s->id && s->log_path && s->layers && s->lower ? 0 : -1;
}

/* The lower names are relative, so that many layers fit into mount's one page. */
static int mount_root(struct shim *s)
{
    char options[4096], target[1024];
    int n = snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s/upper,workdir=%s/work",
                     s->lower, s->dir, s->dir);
    if (n < 0 || (size_t)n >= sizeof(options))
        return errno = E2BIG, -1;
    snprintf(target, sizeof(target), "%s/rootfs", s->dir);
    if (chdir(s->layers))
        return -1;
    return mount("overlay", target, "overlay", 0, options);
}

static int listen_at(const char *name, int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, name, sizeof(address.sun_path) - 1);
    unlink(name);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 16)) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

/* --- starting --- */

static int receive_terminal(int listener)
{
    struct pollfd wait = {listener, POLLIN, 0};
    char byte, control[CMSG_SPACE(sizeof(int))];
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    int master = -1;
    if (poll(&wait, 1, 0) != 1)
        return -1;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return -1;
    if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) > 0) {
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
            memcpy(&master, CMSG_DATA(c), sizeof(int));
    }
    close(fd);
    return master;
}

static void exec_crun(struct shim *s, const int stdio[3], const char *const *argv)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    for (int i = 0; i < 3; i++)
        dup2(stdio[i], i);
    execv(s->crun, (char *const *)argv);
    _exit(127);
}

static pid_t start_crun(struct shim *s, const int stdio[3], const char *const *argv)
{
    pid_t pid = fork();
    if (pid == 0)
        exec_crun(s, stdio, argv);
    return pid;
}

static int wait_for(pid_t pid)
{
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static int report_crun(struct shim *s)
{
    char text[900];
    int fd = open("crun.log", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    for (char *c = text; *c; c++)
        if (*c == '\n')
            *c = c[1] ? ' ' : '\0';
    if (fd >= 0)
        close(fd);
    return report(s, "%s\n", *text ? text : "crun ended without a word");
}

static pid_t read_pid(void)
{
    char text[32];
    int fd = open("pid", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return atoi(text);
}

static int start_container(struct shim *s)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, terminal = -1;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (s->tty) {
        terminal = listen_at("tty.sock", SOCK_STREAM);
        if (terminal < 0)
            return report(s, "terminal: %s\n", strerror(errno));
    } else if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) ||
               (s->stdin_mode && pipe2(in, O_CLOEXEC))) {
        return report(s, "pipe: %s\n", strerror(errno));
    }
    const char *const pipes[] = {s->crun,      "--cgroup-manager=cgroupfs",
                                 "--root",     s->root,
                                 "--log",      "crun.log",
                                 "run",        "--detach",
                                 "--bundle",   ".",
                                 "--pid-file", "pid",
                                 s->id,        NULL};
    const char *const console[] = {s->crun,
                                   "--cgroup-manager=cgroupfs",
                                   "--root",
                                   s->root,
                                   "--log",
                                   "crun.log",
                                   "run",
                                   "--detach",
                                   "--bundle",
                                   ".",
                                   "--pid-file",
                                   "pid",
                                   "--console-socket",
                                   "tty.sock",
                                   s->id,
                                   NULL};
    const int stdio[3] = {s->stdin_mode && !s->tty ? in[0] : null, s->tty ? null : out[1],
                          s->tty ? null : err[1]};
    int status = wait_for(start_crun(s, stdio, s->tty ? console : pipes));
    if (!s->tty) {
        close(out[1]);
        close(err[1]);
        if (s->stdin_mode)
            close(in[0]);
    }
    close(null);
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        return report_crun(s);
    s->pid = read_pid();
    s->in = s->out = terminal >= 0 ? receive_terminal(terminal) : out[0];
    if (terminal >= 0) {
        close(terminal);
        unlink("tty.sock");
    } else {
        s->in = in[1];
        s->err = err[0];
    }
    if (s->in >= 0)
        fcntl(s->in, F_SETFL, O_NONBLOCK);
    fcntl(s->out, F_SETFL, O_NONBLOCK);
    if (s->err >= 0)
        fcntl(s->err, F_SETFL, O_NONBLOCK);
    return 0;
}

/* The counter of the container's own cgroup: memory.oom_control of v1, memory.events of v2. */
static int open_oom(pid_t pid)
{
    char path[64], line[2048], file[4096];
    int found = -1;
    snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
    FILE *f = fopen(path, "re");
    while (f && found < 0 && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'),
             *at = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!at)
            continue;
        *at++ = '\0';
        if (strcmp(controllers + 1, "memory") == 0)
            snprintf(file, sizeof(file), "/sys/fs/cgroup/memory%s/memory.oom_control", at);
        else if (controllers[1] == '\0')
            snprintf(file, sizeof(file), "/sys/fs/cgroup%s/memory.events", at);
        else
            continue;
        found = open(file, O_RDONLY | O_CLOEXEC);
    }
    if (f)
        fclose(f);
    return found;
}

static long oom_kills(int fd)
{
    char text[1024];
    ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    const char *at = strstr(text, "oom_kill ");
    return at ? atol(at + strlen("oom_kill ")) : 0;
}

/* --- running --- */

static void drop_client(struct shim *s, int i)
{
    if (s->pending_n && s->pending_client == i)
        s->pending_client = -1;
    close(s->clients[i].fd);
    s->clients[i] = (struct client){-1, false};
}

/* A container with standard input is started for somebody who will attach, and may be quicker than
 * they are. Past the limit everything is forgotten: a gap would be worse than a late start. */
static void keep_early(struct shim *s, char stream, const char *p, size_t n)
{
    uint32_t length = (uint32_t)n + 1;
    if (!s->stdin_mode || s->had_client)
        return;
    if (s->early_n + sizeof(length) + length > sizeof(s->early)) {
        s->had_client = true;
        s->early_n = 0;
        return;
    }
    memcpy(s->early + s->early_n, &length, sizeof(length));
    s->early[s->early_n + sizeof(length)] = stream;
    memcpy(s->early + s->early_n + sizeof(length) + 1, p, n);
    s->early_n += sizeof(length) + length;
}

static void attach_client(struct shim *s, int i)
{
    s->clients[i].attached = true;
    s->had_client = true;
    send(s->clients[i].fd, &(char){SHIM_ATTACH}, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    for (size_t at = 0; at < s->early_n;) {
        uint32_t length;
        memcpy(&length, s->early + at, sizeof(length));
        struct pollfd wait = {s->clients[i].fd, POLLOUT, 0};
        if (poll(&wait, 1, CLIENT_WAIT_MS) == 1)
            send(wait.fd, s->early + at + sizeof(length), length, MSG_NOSIGNAL | MSG_DONTWAIT);
        at += sizeof(length) + length;
    }
    s->early_n = 0;
}

/* A client that does not read for two seconds loses its connection, so that it cannot hold the
 * container up for ever. */
static void send_to_clients(struct shim *s, char stream, const char *p, size_t n)
{
    struct iovec parts[2] = {{&stream, 1}, {(char *)p, n}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    for (int i = 0; i < MAX_CLIENTS; i++) {
        if (s->clients[i].fd < 0 || !s->clients[i].attached)
            continue;
        struct pollfd wait = {s->clients[i].fd, POLLOUT, 0};
        if (poll(&wait, 1, CLIENT_WAIT_MS) != 1 ||
            sendmsg(wait.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            drop_client(s, i);
    }
}

/* false: nothing more will come. */
static bool take_output(struct shim *s, int fd, char stream)
{
    ssize_t n = read(fd, s->packet, sizeof(s->packet) - 1);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n <= 0)
        return false;
    shim_log_write(&s->log, stream == SHIM_STDERR ? &s->log.err : &s->log.out, s->packet,
                   (size_t)n);
    keep_early(s, stream, s->packet, (size_t)n);
    send_to_clients(s, stream, s->packet, (size_t)n);
    return true;
}

static void close_input(struct shim *s)
{
    if (s->in >= 0 && s->in != s->out)
        close(s->in);
    s->in = -1;
}

static void push_input(struct shim *s)
{
    while (s->pending_at < s->pending_n) {
        ssize_t n =
            s->in < 0 ? -1 : write(s->in, s->pending + s->pending_at, s->pending_n - s->pending_at);
        if (n < 0 && errno == EAGAIN && s->in >= 0)
            return;
        if (n < 0)
            break;
        s->pending_at += (size_t)n;
    }
    s->pending_n = s->pending_at = 0;
}

static void take_packet(struct shim *s, int i)
{
    ssize_t n = recv(s->clients[i].fd, s->packet, sizeof(s->packet) - 1, MSG_DONTWAIT);
    int a, b;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        drop_client(s, i);
        return;
    }
    s->packet[n] = '\0';
    switch (s->packet[0]) {
    case SHIM_STDIN:
        memcpy(s->pending, s->packet + 1, (size_t)n - 1);
        s->pending_n = (size_t)n - 1;
        s->pending_at = 0;
        s->pending_client = i;
        push_input(s);
        return;
    case SHIM_ATTACH:
        attach_client(s, i);
        return;
    case SHIM_EOF:
        if (s->stdin_mode == 2 && !s->tty)
            close_input(s);
        return;
    case SHIM_RESIZE:
        if (s->tty && sscanf(s->packet + 1, "%d %d", &a, &b) == 2) {
            struct winsize size = {.ws_col = (unsigned short)a, .ws_row = (unsigned short)b};
            ioctl(s->out, TIOCSWINSZ, &size);
        }
        return;
    case SHIM_KILL:
        a = atoi(s->packet + 1);
        if (s->pid > 0 && a > 0 && a < 65)
            kill(s->pid, a);
        return;
    }
}

static void take_client(struct shim *s)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
    for (int i = 0; fd >= 0 && i < MAX_CLIENTS; i++)
        if (s->clients[i].fd < 0) {
            s->clients[i] = (struct client){fd, false};
            return;
        }
    if (fd >= 0)
        close(fd);
}

static void reap(struct shim *s)
{
    struct signalfd_siginfo info;
    int status;
    if (read(s->signals, &info, sizeof(info)) != sizeof(info))
        return;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        if (pid == s->pid) {
            s->status = status;
            s->pid = 0;
        }
}

static void turn(struct shim *s, int timeout)
{
    struct pollfd wait[5 + MAX_CLIENTS];
    bool blocked = s->pending_n > 0;
    wait[0] = (struct pollfd){s->signals, POLLIN, 0};
    wait[1] = (struct pollfd){s->listener, POLLIN, 0};
    wait[2] = (struct pollfd){s->out, POLLIN, 0};
    wait[3] = (struct pollfd){s->err, POLLIN, 0};
    wait[4] = (struct pollfd){blocked ? s->in : -1, POLLOUT, 0};
    for (int i = 0; i < MAX_CLIENTS; i++)
        wait[5 + i] =
            (struct pollfd){blocked && s->pending_client == i ? -1 : s->clients[i].fd, POLLIN, 0};
    if (poll(wait, 5 + MAX_CLIENTS, timeout) <= 0)
        return;
    if (wait[2].revents && !take_output(s, s->out, SHIM_STDOUT)) {
        if (s->in == s->out)
            s->in = -1;
        close(s->out);
        s->out = -1;
    }
    if (wait[3].revents && !take_output(s, s->err, SHIM_STDERR)) {
        close(s->err);
        s->err = -1;
    }
    if (wait[4].revents)
        push_input(s);
    for (int i = 0; i < MAX_CLIENTS; i++)
        if (wait[5 + i].revents && s->clients[i].fd >= 0 &&
            !(s->pending_n && s->pending_client == i))
            take_packet(s, i);
    if (wait[1].revents)
        take_client(s);
    if (wait[0].revents)
        reap(s);
}

/* What the container wrote before it ended is still in the pipes. */
static void drain(struct shim *s)
{
    int64_t until = mono() + DRAIN_MS;
    while ((s->out >= 0 || s->err >= 0) && mono() < until) {
        struct pollfd wait[2] = {{s->out, POLLIN, 0}, {s->err, POLLIN, 0}};
        if (poll(wait, 2, 0) <= 0)
            return;
        turn(s, 0);
    }
}

static void delete_container(struct shim *s)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int stdio[3] = {null, null, null};
    const char *const argv[] = {
        s->crun, "--cgroup-manager=cgroupfs", "--root", s->root, "delete", "--force", s->id, NULL};
    wait_for(start_crun(s, stdio, argv));
    close(null);
}

static void finish(struct shim *s)
{
    char text[128];
    int64_t ended = now_ns();
    long kills = oom_kills(s->oom);
    drain(s);
    turn(s, 0); /* clients that came just before the end */
    turn(s, 0);
    delete_container(s);
    drain(s);
    shim_log_flush(&s->log);
    int code = WIFEXITED(s->status) ? WEXITSTATUS(s->status) : 128 + WTERMSIG(s->status);
    int sig = WIFSIGNALED(s->status) ? WTERMSIG(s->status) : 0;
    snprintf(text, sizeof(text), "%d %d %ld %lld\n", code, sig, kills, (long long)ended);
    write_text("exit", text);
    unlink("sock");
}

static int prepare(struct shim *s)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    for (int i = 0; i < MAX_CLIENTS; i++)
        s->clients[i].fd = -1;
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (shim_private_mounts())
        return report(s, "private mounts: %s\n", strerror(errno));
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (mount_root(s))
        return report(s, "mount the root: %s\n", strerror(errno));
    if (chdir(s->dir))
        return report(s, "%s: %s\n", s->dir, strerror(errno));
    if (shim_log_open(&s->log, s->log_path))
        return report(s, "%s: %s\n", s->log_path, strerror(errno));
    s->listener = listen_at("sock", SOCK_SEQPACKET);
    if (s->listener < 0)
        return report(s, "socket: %s\n", strerror(errno));
    return 0;
}

int shim_run(int argc, char **argv)
{
    struct shim *s = &shim;
    close_range(3, ~0U, 0);
    s->report = fcntl(1, F_DUPFD_CLOEXEC, 3);
    if (setsid() < 0 && errno != EPERM)
        return report(s, "setsid: %s\n", strerror(errno));
    pid_t child = fork();
    if (child)
        return child < 0;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 2; i++)
        dup2(null, i);
    if (parse(s, argc, argv))
        return report(s, "bad arguments\n");
    if (prepare(s))
        return 1;
    if (start_container(s)) {
        delete_container(s);
        unlink("sock");
        return 1;
    }
    dup2(null, 2);
    close(null);
    char text[64];
    snprintf(text, sizeof(text), "%d %lld\n", s->pid, (long long)now_ns());
    write_text("started", text);
    s->oom = open_oom(s->pid);
    report(s, "ok %d\n", s->pid);
    while (s->pid > 0)
        turn(s, -1);
    finish(s);
    return 0;
}
