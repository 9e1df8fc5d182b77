#include "cli/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    MAX_ROLES = 8,
    LOG_BYTES = 32 * 1024 * 1024,
    PAUSE_MIN_MS = 100,
    PAUSE_MAX_MS = 2000,
    LONG_LIFE_MS = 1000,
};

struct role {
    const char *const *argv;
    pid_t pid; /* 0: not running */
    int64_t started_ms;
    int64_t due_ms; /* when to start again */
    int64_t pause_ms;
    int starts;
};

struct supervisor {
    struct role roles[MAX_ROLES];
    size_t count;
    int signals; /* signalfd */
    int pipe_read, pipe_write;
    int log;
    off_t log_bytes;
    char *log_path;
    bool stopping;
};

static int open_log(struct supervisor *s, struct err *err)
{
    s->log = open(s->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (s->log < 0)
        return err_errno(err, "open %s", s->log_path);
    struct stat st;
    s->log_bytes = fstat(s->log, &st) ? 0 : st.st_size;
    return 0;
}

int supervisor_new(const char *log_path, struct supervisor **ret, struct err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);

    struct supervisor *s = NEW(struct supervisor);
    s->log_path = mem_strdup(log_path);
    s->log = -1;
    int ends[2] = {-1, -1};
    s->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (s->signals < 0 || pipe2(ends, O_CLOEXEC)) {
        err_errno(err, "set up supervision");
        supervisor_free(s);
        return -1;
    }
    s->pipe_read = ends[0];
    s->pipe_write = ends[1];
    fcntl(s->pipe_read, F_SETFL, O_NONBLOCK);
    if (open_log(s, err)) {
        supervisor_free(s);
        return -1;
    }
    *ret = s;
    return 0;
}

void supervisor_free(struct supervisor *s)
{
    if (!s)
        return;
    for (const int *fd = (const int[]){s->signals, s->pipe_read, s->pipe_write, s->log, 0}; *fd;
         fd++)
        if (*fd > 0)
            close(*fd);
    free(s->log_path);
    free(s);
}

static _Noreturn void become(const struct supervisor *s, const struct role *r, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(s->pipe_write, STDERR_FILENO);
    int null = open("/dev/null", O_RDWR);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
    }
    setpgid(0, 0); /* a Ctrl-C at the terminal reaches the supervisor alone */
    const char *argv[32] = {"tutti"};
    for (size_t i = 0; i + 2 < ARRAY_LEN(argv) && r->argv[i]; i++)
        argv[i + 1] = r->argv[i];
    execv("/proc/self/exe", (char *const *)argv);
    _exit(127);
}

static int spawn(struct supervisor *s, struct role *r, struct err *err)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return err_errno(err, "fork");
    if (pid == 0)
        become(s, r, parent);
    r->pid = pid;
    r->started_ms = mono_ms(world_real());
    r->starts++;
    return 0;
}

int supervisor_start(struct supervisor *s, const char *const *argv, struct err *err)
{
    if (s->count == MAX_ROLES)
        return err_internal(err, "too many roles");
    struct role *r = &s->roles[s->count];
    *r = (struct role){.argv = argv, .pause_ms = PAUSE_MIN_MS};
    if (spawn(s, r, err))
        return -1;
    s->count++;
    return 0;
}

static void turn_log_over(struct supervisor *s)
{
    struct buf old = {0};
    buf_printf(&old, "%s.old", s->log_path);
    rename(s->log_path, old.p);
    buf_done(&old);
    int previous = s->log;
    struct err err;
    if (open_log(s, &err))
        s->log = previous; /* better one long log than none */
    else
        close(previous);
}

static void copy_log(struct supervisor *s)
{
    char chunk[16384];
    ssize_t n;
    while ((n = read(s->pipe_read, chunk, sizeof(chunk))) > 0) {
        if (s->log_bytes > LOG_BYTES)
            turn_log_over(s);
        for (ssize_t at = 0; at < n;) {
            ssize_t put = write(s->log, chunk + at, (size_t)(n - at));
            if (put <= 0)
                break; /* a full disk must not stop the roles */
            at += put;
        }
        s->log_bytes += n;
    }
}

static void plan_restart(struct role *r, int status)
{
    int64_t now = mono_ms(world_real());
    if (now - r->started_ms > LONG_LIFE_MS)
        r->pause_ms = PAUSE_MIN_MS;
    r->pid = 0;
    r->due_ms = now + r->pause_ms;
    r->pause_ms = r->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : r->pause_ms * 2;
    char how[32];
    snprintf(how, sizeof(how), WIFSIGNALED(status) ? "signal %d" : "code %d",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    log_warn("up", "role ended, starting it again", "role", r->argv[0], "how", how);
}

static void reap(struct supervisor *s)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        for (size_t i = 0; i < s->count; i++) {
            if (s->roles[i].pid != pid)
                continue;
            if (s->stopping)
                s->roles[i].pid = 0;
            else
                plan_restart(&s->roles[i], status);
        }
}

static int restart_due(struct supervisor *s, int timeout_ms)
{
    int64_t now = mono_ms(world_real());
    for (size_t i = 0; i < s->count && !s->stopping; i++) {
        struct role *r = &s->roles[i];
        struct err err;
        if (r->pid)
            continue;
        if (r->due_ms <= now && spawn(s, r, &err))
            r->due_ms = now + PAUSE_MAX_MS;
        if (!r->pid && r->due_ms - now < timeout_ms)
            timeout_ms = (int)(r->due_ms - now);
    }
    return timeout_ms;
}

int supervisor_turn(struct supervisor *s, int timeout_ms)
{
    timeout_ms = restart_due(s, timeout_ms);
    struct pollfd fds[] = {{s->signals, POLLIN, 0}, {s->pipe_read, POLLIN, 0}};
    if (poll(fds, ARRAY_LEN(fds), timeout_ms) < 0 && errno != EINTR)
        return SIGTERM;
    copy_log(s);
    int caught = 0;
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof(info)) == sizeof(info))
        if (info.ssi_signo != SIGCHLD)
            caught = (int)info.ssi_signo;
    reap(s);
    return caught;
}

int supervisor_starts(const struct supervisor *s, const char *role)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->roles[i].argv[0], role) == 0)
            return s->roles[i].starts;
    return 0;
}

static void stop_one(struct supervisor *s, struct role *r, int grace_ms)
{
    if (!r->pid)
        return;
    kill(r->pid, SIGTERM);
    int64_t until = mono_ms(world_real()) + grace_ms;
    while (r->pid && mono_ms(world_real()) < until)
        supervisor_turn(s, 50);
    if (r->pid)
        kill(r->pid, SIGKILL);
    while (r->pid)
        supervisor_turn(s, 50);
}

void supervisor_stop(struct supervisor *s, int grace_ms)
{
    s->stopping = true;
    for (size_t i = s->count; i-- > 0;)
        stop_one(s, &s->roles[i], grace_ms);
    copy_log(s);
}
