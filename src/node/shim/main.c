#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <linux/magic.h>
#include <unistd.h>

#include "node/shim/shim.h"

int shim_private_mounts(void)
{
    struct statfs fs;
    if (unshare(CLONE_NEWNS) || mount("", "/", NULL, MS_REC | MS_SLAVE, NULL))
        return -1;
    if (statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type != CGROUP2_SUPER_MAGIC)
        umount2("/sys/fs/cgroup/unified", MNT_DETACH);
    return 0;
}

int shim_crun(int argc, char **argv)
{
    if (argc < 1)
        return 2;
    if (shim_private_mounts()) {
        perror("shim: private mounts");
        return 126;
    }
    execv(argv[0], argv);
    perror(argv[0]);
    return 126;
}

/* All descendants, the deepest too: a subreaper has them as children once their parents are gone.
 */
static void kill_children(void)
{
    char path[64], text[4096];
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
    for (int round = 0; round < 100; round++) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
        if (fd >= 0)
            close(fd);
        if (n <= 0)
            return;
        text[n] = '\0';
        for (char *at = text; *at;) {
            pid_t pid = (pid_t)strtol(at, &at, 10);
            if (pid > 0)
                kill(pid, SIGKILL);
            while (*at == ' ')
                at++;
        }
        waitpid(-1, NULL, 0);
    }
}

int shim_exec(int argc, char **argv)
{
    sigset_t set;
    int status = 0;
    if (argc < 2)
        return 2;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        _exit(shim_crun(argc - 1, argv + 1));
    }
    for (int i = 0; i < 3; i++)
        close(i);
    for (bool over = pid < 0; !over;) {
        if (sigwaitinfo(&set, NULL) == SIGTERM) {
            kill_children();
            status = SIGKILL;
            over = true;
        }
        for (pid_t got; !over && (got = waitpid(-1, &status, WNOHANG)) > 0;)
            over = got == pid;
    }
    unlink(argv[0]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int loopback_up(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int failed = ioctl(fd, SIOCSIFFLAGS, &request);
    close(fd);
    return failed;
}

/* "net.core.somaxconn=1024"; dots become slashes below /proc/sys. */
static int set_sysctl(const char *setting)
{
    char path[512];
    const char *value = strchr(setting, '=');
    int n = value ? snprintf(path, sizeof(path), "/proc/sys/%.*s", (int)(value - setting), setting)
                  : -1;
    if (n < 0 || (size_t)n >= sizeof(path) || strstr(path, ".."))
        return errno = EINVAL, -1;
    for (char *c = path + strlen("/proc/sys/"); *c; c++)
        if (*c == '.')
            *c = '/';
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t len = strlen(value + 1);
    ssize_t put = write(fd, value + 1, len);
    close(fd);
    return put == (ssize_t)len ? 0 : -1;
}

static int pin(const char *dir, const char *name)
{
    char from[64], to[4096];
    snprintf(from, sizeof(from), "/proc/self/ns/%s", name);
    snprintf(to, sizeof(to), "%s/%s", dir, name);
    int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    close(fd);
    return mount(from, to, NULL, MS_BIND, NULL);
}

/* HOST: the host name, "" to stay in the host's uts namespace. SHARE: of the letters n (own
 * network) and i (own ipc). */
int shim_pin(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    const char *dir = argv[0], *host = argv[1];
    bool net = strchr(argv[2], 'n'), ipc = strchr(argv[2], 'i');
    int flags = (net ? CLONE_NEWNET : 0) | (ipc ? CLONE_NEWIPC : 0) | (*host ? CLONE_NEWUTS : 0);
    const char *what = "unshare";
    if (unshare(flags))
        goto failed;
    what = "set the host name";
    if (*host && sethostname(host, strlen(host)))
        goto failed;
    what = "bring lo up";
    if (net && loopback_up())
        goto failed;
    for (int i = 3; i < argc; i++)
        if (set_sysctl(what = argv[i]))
            goto failed;
    what = "pin";
    if ((net && pin(dir, "net")) || (ipc && pin(dir, "ipc")) || (*host && pin(dir, "uts")))
        goto failed;
    return 0;
failed:
    printf("%s: %s\n", what, strerror(errno));
    return 1;
}

static int pause_process(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (;;) {
        int got = sigwaitinfo(&all, NULL);
        while (got == SIGCHLD && waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (got == SIGTERM || got == SIGINT)
            return 0;
    }
}

int shim_hold(int argc, char **argv)
{
    char from[64], file[4096], number[32];
    if (argc != 1 || unshare(CLONE_NEWPID))
        return printf("unshare: %s\n", strerror(errno)), 1;
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        close_range(0, ~0U, 0);
        prctl(PR_SET_NAME, "tutti-pause");
        _exit(pause_process());
    }
    snprintf(from, sizeof(from), "/proc/%d/ns/pid", pid);
    snprintf(file, sizeof(file), "%s.holder", argv[0]);
    int pin_fd = open(argv[0], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int n = snprintf(number, sizeof(number), "%d\n", pid);
    if (pid < 0 || pin_fd < 0 || fd < 0 || write(fd, number, (size_t)n) != n ||
        mount(from, argv[0], NULL, MS_BIND, NULL)) {
        printf("hold: %s\n", strerror(errno));
        if (pid > 0)
            kill(pid, SIGKILL);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "run") == 0)
        return shim_run(argc - 2, argv + 2);
    if (strcmp(command, "crun") == 0)
        return shim_crun(argc - 2, argv + 2);
    if (strcmp(command, "exec") == 0)
        return shim_exec(argc - 2, argv + 2);
    if (strcmp(command, "pin") == 0)
        return shim_pin(argc - 2, argv + 2);
    if (strcmp(command, "hold") == 0)
        return shim_hold(argc - 2, argv + 2);
    fputs("shim: part of tutti, started by its agent\n", stderr);
    return 2;
}
