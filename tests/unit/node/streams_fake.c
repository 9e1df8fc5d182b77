#include "streams_fake.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/shim/shim.h"

int agent_find_pod(struct agent *a, const char *ns, const char *pod, const char *uid,
                   struct streams_pod *ret, struct err *err)
{
    (void)uid;
    if (strcmp(ns, "default") != 0 || strcmp(pod, "web") != 0)
        return err_set(err, 404, "NotFound", "pods \"%s\" not found", pod);
    *ret = (struct streams_pod){.uid = "0-1", .host_network = !a->netns};
    snprintf(ret->netns, sizeof(ret->netns), "%s", a->netns ? a->netns : "");
    return 0;
}

int agent_find_container(struct agent *a, const char *ns, const char *pod, const char *container,
                         struct streams_container *ret, struct err *err)
{
    (void)ns;
    if (strcmp(container, "c") != 0)
        return err_bad(err, "container %s is not valid for pod %s", container, pod);
    *ret = (struct streams_container){
        .id = "1", .running = __atomic_load_n(&a->running, __ATOMIC_SEQ_CST), .tty = a->tty};
    snprintf(ret->log, sizeof(ret->log), "%s/1.log", a->folder);
    snprintf(ret->previous_log, sizeof(ret->previous_log), "%s/0.log", a->folder);
    if (access(ret->previous_log, R_OK) != 0)
        ret->previous_log[0] = '\0';
    return 0;
}

static void become(const struct agent_exec *x, const int fds[3])
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < 3; i++) {
        int fd = fds[i] >= 0 ? fds[i] : open("/dev/null", O_RDWR);
        dup2(fd, i);
    }
    signal(SIGPIPE, SIG_DFL);
    execvp(x->argv[0], (char *const *)x->argv);
    _exit(127);
}

int agent_exec_start(struct agent *a, const struct agent_exec *x, pid_t *ret_pid, int *ret_tty,
                     struct err *err)
{
    (void)a;
    int fds[3] = {x->stdin_fd, x->stdout_fd, x->stderr_fd}, master = -1;
    char name[64] = "";
    if (x->tty) {
        master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (master < 0 || grantpt(master) || unlockpt(master) ||
            ptsname_r(master, name, sizeof(name)))
            return err_errno(err, "terminal");
    }
    pid_t pid = fork();
    if (pid == 0) {
        if (x->tty) {
            setsid();
            fds[0] = fds[1] = fds[2] = open(name, O_RDWR);
            ioctl(fds[0], TIOCSCTTY, 0);
        }
        become(x, fds);
    }
    if (pid < 0)
        return err_errno(err, "fork");
    *ret_pid = pid;
    if (x->tty)
        *ret_tty = master;
    return 0;
}

/* A container that says what it is told, until the end of its input. */
static void *echo(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char packet[SHIM_PACKET];
    for (ssize_t n; (n = recv(fd, packet, sizeof(packet), 0)) > 0 && packet[0] != SHIM_EOF;) {
        if (packet[0] == SHIM_STDIN)
            packet[0] = SHIM_STDOUT;
        else if (packet[0] == SHIM_RESIZE)
            packet[0] = SHIM_STDERR;
        else
            continue;
        send(fd, packet, (size_t)n, MSG_NOSIGNAL);
    }
    close(fd);
    return NULL;
}

int agent_attach_open(struct agent *a, const char *id, int *ret_fd, struct err *err)
{
    int ends[2];
    pthread_t thread;
    (void)a;
    (void)id;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        return err_errno(err, "socketpair");
    pthread_create(&thread, NULL, echo, (void *)(intptr_t)ends[1]);
    pthread_detach(thread);
    *ret_fd = ends[0];
    return 0;
}

void agent_list_pods(struct agent *a, struct buf *b)
{
    (void)a;
    buf_puts(b, "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[]}");
}
