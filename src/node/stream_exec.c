/* GET or POST /exec/NS/POD[/UID]/CONTAINER and /attach/…: the client's channels joined with a
 * process's pipes or terminal, or with the socket of the container's shim. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "node/shim/shim.h"
#include "node/stream_remote.h"

enum {
    ARGS_MAX = 512,
    ATTACH_PIECE = 16 * 1024, /* below SHIM_PACKET with its first byte */
    TTY_DRAIN_MS = 200,       /* what a terminal still holds comes within */
    KILL_MS = 5000            /* from SIGTERM to SIGKILL */
};

struct exec;

/* Where output comes from. */
struct source {
    struct exec *exec;
    int fd; /* -1: ended */
    struct loop_io *io;
    enum remote_channel channel;
};

struct exec {
    struct session session;
    struct streams *streams;
    struct http_exchange *x; /* until the upgrade; NULL when the client went away */
    struct stream_request request;
    struct carrier_choice choice;
    struct remote_want want;
    const char **argv; /* NULL: attach */
    struct work_item work;
    struct streams_container container;
    struct err err;
    int rc;

    struct remote *remote; /* NULL: gone */
    struct source sources[2];
    int in_fd; /* -1: closed */
    struct loop_io *in_io;
    struct buf input;
    bool working; /* a thread of the pool has it; local ends are not to be touched */
    bool started, input_end, exited, drain_over;
    int columns, rows; /* 0: not told */
    pid_t pid;
    int pidfd, tty, child_fds[3];
    struct loop_io *pid_io;
    struct loop_timer timer;
    int exit_code;
};

static void pump_source(struct source *s);

/* --- the end --- */

static void close_source(struct source *s)
{
    loop_del(s->exec->streams->loop, s->io);
    s->io = NULL;
    fd_closep(&s->fd);
    s->fd = -1;
}

static void close_input(struct exec *e)
{
    loop_del(e->streams->loop, e->in_io);
    e->in_io = NULL;
    fd_closep(&e->in_fd);
    e->in_fd = -1;
    if (e->remote)
        remote_consumed(e->remote, e->input.n);
    buf_clear(&e->input);
}

static void close_local(struct exec *e)
{
    close_input(e);
    close_source(&e->sources[0]);
    close_source(&e->sources[1]);
    fd_closep(&e->tty);
    e->tty = -1;
}

static void exec_free(struct exec *e)
{
    close_local(e);
    loop_del(e->streams->loop, e->pid_io);
    fd_closep(&e->pidfd);
    loop_timer_clear(e->streams->loop, &e->timer);
    list_del(&e->session.link);
    buf_done(&e->input);
    free(e->argv);
    arena_done(&e->request.arena);
    free(e);
}

/* Frees it as soon as nothing uses it: a thread, a process that is still to be reaped. */
static void try_free(struct exec *e)
{
    if (!e->working && !e->x && !e->remote && e->pid <= 0)
        exec_free(e);
}

static void try_finish(struct exec *e)
{
    if (!e->exited || e->sources[0].fd >= 0 || e->sources[1].fd >= 0)
        return;
    struct remote *remote = e->remote;
    e->remote = NULL;
    if (remote)
        remote_finish(remote, e->exit_code, NULL);
    try_free(e);
}

static void kill_hard(struct loop_timer *t)
{
    struct exec *e = CONTAINER_OF(t, struct exec, timer);
    if (e->pid > 0)
        kill(e->pid, SIGKILL);
}

/* Nobody listens any more: the command ends too. */
static void stop_command(struct exec *e)
{
    close_local(e);
    if (e->pid <= 0)
        return;
    kill(e->pid, SIGTERM);
    loop_timer_set(e->streams->loop, &e->timer, KILL_MS, kill_hard);
}

/* --- output --- */

static bool forward_output(struct source *s, struct str bytes)
{
    struct exec *e = s->exec;
    enum remote_channel channel = s->channel;
    if (!e->argv) {
        channel = bytes.p[0] == SHIM_STDERR ? REMOTE_STDERR : REMOTE_STDOUT;
        bool wanted = channel == REMOTE_STDERR ? e->want.err : e->want.out;
        bytes = wanted ? str_from(bytes, 1) : (struct str){0};
    }
    return remote_write(e->remote, channel, bytes) <= STREAM_HIGH_WATER;
}

/* Nothing is there at the moment. After the command's end that is all there will be, whoever else
 * holds the other end; what a terminal was given may take a moment to come through. */
static bool is_dry(const struct exec *e)
{
    return e->exited && (e->tty < 0 || e->drain_over);
}

static void on_source(void *arg, uint32_t events)
{
    struct source *s = arg;
    struct exec *e = s->exec;
    (void)events;
    pump_source(s);
    try_finish(e);
}

static void pump_source(struct source *s)
{
    struct exec *e = s->exec;
    struct loop *loop = e->streams->loop;
    enum { ROUNDS = 8 };
    for (int i = 0; s->fd >= 0 && e->remote && (i < ROUNDS || e->exited); i++) {
        ssize_t n = read(s->fd, loop_scratch(loop), STREAM_PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN && !is_dry(e))
            break;
        if (n <= 0) {
            close_source(s);
            e->exited |= !e->argv; /* the shim closes when the container ended */
            return;
        }
        if (!forward_output(s, (struct str){loop_scratch(loop), (size_t)n})) {
            loop_del(loop, s->io);
            s->io = NULL;
            return;
        }
    }
    struct err err;
    if (s->fd >= 0 && !s->io && loop_add(loop, s->fd, EPOLLIN, on_source, s, &s->io, &err) != 0)
        close_source(s);
}

static void on_writable(void *arg)
{
    struct exec *e = arg;
    for (int i = 0; e->started && i < 2; i++)
        if (!e->sources[i].io)
            pump_source(&e->sources[i]);
    try_finish(e);
}

/* --- input --- */

static ssize_t write_input(struct exec *e, struct str bytes)
{
    if (e->argv)
        return write(e->in_fd, bytes.p, bytes.n);
    char type = SHIM_STDIN;
    struct iovec parts[2] = {{&type, 1}, {(char *)bytes.p, bytes.n}};
    if (bytes.n > ATTACH_PIECE)
        parts[1].iov_len = ATTACH_PIECE;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t n = sendmsg(e->in_fd, &message, MSG_NOSIGNAL);
    return n > 0 ? n - 1 : n;
}

static void tell_shim(struct exec *e, char type, const char *text)
{
    char packet[64];
    int n = snprintf(packet, sizeof(packet), "%c%s", type, text);
    /* A full queue means that the container does not read; then this is lost on it as well. */
    if (e->in_fd >= 0)
        send(e->in_fd, packet, (size_t)n, MSG_NOSIGNAL);
}

static void end_input(struct exec *e)
{
    if (!e->argv)
        tell_shim(e, SHIM_EOF, "");
    else if (!e->want.tty)
        close_input(e);
}

static void push_input(struct exec *e);

static void on_input_room(void *arg, uint32_t events)
{
    (void)events;
    push_input(arg);
}

static void push_input(struct exec *e)
{
    size_t at = 0;
    ssize_t n = 0;
    while (e->in_fd >= 0 && at < e->input.n) {
        n = write_input(e, str_from(buf_str(&e->input), at));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        at += (size_t)n;
    }
    if (e->in_fd >= 0 && n < 0 && errno != EAGAIN) {
        close_input(e); /* the command reads no more */
        return;
    }
    buf_remove_front(&e->input, at);
    if (e->remote)
        remote_consumed(e->remote, at);
    struct err err;
    struct loop *loop = e->streams->loop;
    if (e->input.n && !e->in_io) {
        if (loop_add(loop, e->in_fd, EPOLLOUT, on_input_room, e, &e->in_io, &err) != 0)
            close_input(e);
    } else if (!e->input.n) {
        loop_del(loop, e->in_io);
        e->in_io = NULL;
        if (e->input_end && e->in_fd >= 0)
            end_input(e);
    }
}

static void on_input(void *arg, struct str bytes)
{
    struct exec *e = arg;
    if (e->started && e->in_fd < 0) {
        remote_consumed(e->remote, bytes.n);
        return;
    }
    buf_put(&e->input, bytes);
    if (e->started && !e->in_io)
        push_input(e);
}

static void on_input_end(void *arg)
{
    struct exec *e = arg;
    e->input_end = true;
    if (e->started && e->in_fd >= 0 && !e->input.n)
        end_input(e);
}

static void apply_size(struct exec *e)
{
    char text[32];
    struct winsize size = {.ws_col = (unsigned short)e->columns, .ws_row = (unsigned short)e->rows};
    if (!e->columns || !e->started)
        return;
    snprintf(text, sizeof(text), "%d %d", e->columns, e->rows);
    if (!e->argv)
        tell_shim(e, SHIM_RESIZE, text);
    else if (e->tty >= 0)
        ioctl(e->tty, TIOCSWINSZ, &size);
}

static void on_resize(void *arg, int columns, int rows)
{
    struct exec *e = arg;
    e->columns = columns;
    e->rows = rows;
    apply_size(e);
}

static void on_gone(void *arg)
{
    struct exec *e = arg;
    e->remote = NULL;
    if (!e->working)
        stop_command(e);
    try_free(e);
}

/* --- the command's end --- */

static void drain_over(struct loop_timer *t)
{
    struct exec *e = CONTAINER_OF(t, struct exec, timer);
    e->drain_over = true;
    on_writable(e);
}

static void on_exit_of_command(void *arg, uint32_t events)
{
    struct exec *e = arg;
    int status = 0;
    (void)events;
    if (waitpid(e->pid, &status, WNOHANG) == 0)
        return;
    loop_del(e->streams->loop, e->pid_io);
    e->pid_io = NULL;
    e->pid = 0;
    e->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    e->exited = true;
    loop_timer_clear(e->streams->loop, &e->timer);
    close_input(e);
    if (e->tty >= 0 && e->remote)
        loop_timer_set(e->streams->loop, &e->timer, TTY_DRAIN_MS, drain_over);
    for (int i = 0; i < 2; i++)
        if (e->sources[i].io)
            pump_source(&e->sources[i]);
    try_finish(e);
}

/* --- the start --- */

static int make_pipe(int *ret_ours, int *ret_theirs, bool we_write, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return err_errno(err, "pipe");
    *ret_ours = ends[we_write];
    *ret_theirs = ends[!we_write];
    return 0;
}

static int start_exec(struct exec *e, struct err *err)
{
    struct remote_want *want = &e->want;
    if (!want->tty && ((want->in && make_pipe(&e->in_fd, &e->child_fds[0], true, err)) ||
                       (want->out && make_pipe(&e->sources[0].fd, &e->child_fds[1], false, err)) ||
                       (want->err && make_pipe(&e->sources[1].fd, &e->child_fds[2], false, err))))
        return -1;
    struct agent_exec x = {.id = e->container.id,
                           .argv = e->argv,
                           .tty = want->tty,
                           .stdin_fd = e->child_fds[0],
                           .stdout_fd = e->child_fds[1],
                           .stderr_fd = e->child_fds[2]};
    int rc = agent_exec_start(e->streams->config.agent, &x, &e->pid, &e->tty, err);
    for (int i = 0; i < 3; i++) {
        fd_closep(&e->child_fds[i]);
        e->child_fds[i] = -1;
    }
    if (rc != 0)
        return e->pid = 0, -1;
    e->pidfd = (int)syscall(SYS_pidfd_open, e->pid, 0);
    return e->pidfd < 0 ? err_errno(err, "pidfd_open") : 0;
}

static void run_start(struct work_item *w)
{
    struct exec *e = CONTAINER_OF(w, struct exec, work);
    int both = -1;
    e->rc = e->argv ? start_exec(e, &e->err)
                    : agent_attach_open(e->streams->config.agent, e->container.id, &both, &e->err);
    if (e->rc != 0)
        return;
    if (e->argv && e->want.tty)
        both = e->tty;
    if (both >= 0) {
        /* One descriptor for each direction, so that each is waited for on its own. */
        e->sources[0].fd = fcntl(both, F_DUPFD_CLOEXEC, 3);
        e->in_fd = e->want.in || !e->argv ? fcntl(both, F_DUPFD_CLOEXEC, 3) : -1;
        if (!e->argv)
            close(both);
    }
    int ours[] = {e->in_fd, e->sources[0].fd, e->sources[1].fd};
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (ours[i] >= 0)
            fcntl(ours[i], F_SETFL, fcntl(ours[i], F_GETFL) | O_NONBLOCK);
}

static void fail_start(struct exec *e)
{
    struct remote *remote = e->remote;
    e->remote = NULL;
    err_prefix(&e->err, "Internal error occurred: error %s container",
               e->argv ? "executing command in" : "attaching to");
    if (remote)
        remote_finish(remote, 0, &e->err);
    stop_command(e);
    try_free(e);
}

static void start_done(struct work_item *w)
{
    struct exec *e = CONTAINER_OF(w, struct exec, work);
    e->working = false;
    if (e->pidfd >= 0 && loop_add(e->streams->loop, e->pidfd, EPOLLIN, on_exit_of_command, e,
                                  &e->pid_io, &e->err) != 0)
        e->rc = -1;
    if (e->rc != 0) {
        fail_start(e);
        return;
    }
    if (!e->remote) {
        stop_command(e);
        try_free(e);
        return;
    }
    e->started = true;
    apply_size(e);
    push_input(e);
    on_writable(e);
}

static void on_ready(void *arg)
{
    struct exec *e = arg;
    e->working = true;
    e->work.run = run_start;
    e->work.done = start_done;
    work_start(e->streams->work, &e->work);
}

/* --- the request --- */

static void run_find(struct work_item *w)
{
    struct exec *e = CONTAINER_OF(w, struct exec, work);
    struct stream_request *r = &e->request;
    struct streams_pod pod;
    struct agent *agent = e->streams->config.agent;
    e->rc = agent_find_pod(agent, r->ns, r->pod, r->uid, &pod, &e->err);
    if (e->rc == 0)
        e->rc = agent_find_container(agent, r->ns, r->pod, r->container, &e->container, &e->err);
    if (e->rc == 0 && !e->container.running)
        e->rc = err_internal(&e->err, "unable to upgrade connection: container not found (\"%s\")",
                             r->container);
}

static void find_done(struct work_item *w)
{
    static const struct remote_events on = {on_ready,  on_input,    on_input_end,
                                            on_resize, on_writable, on_gone};
    struct exec *e = CONTAINER_OF(w, struct exec, work);
    struct http_exchange *x = e->x;
    e->working = false;
    e->x = NULL;
    if (x && e->rc != 0)
        stream_refuse_err(x, &e->err);
    else if (x)
        e->remote = remote_open(x, &e->choice, &e->want, &on, e);
    try_free(e);
}

static void client_closed(void *arg)
{
    struct exec *e = arg;
    e->x = NULL;
    try_free(e);
}

static void stop_session(struct session *s)
{
    struct exec *e = CONTAINER_OF(s, struct exec, session);
    if (e->remote)
        remote_abandon(e->remote);
    e->remote = NULL;
    if (!e->working)
        stop_command(e);
    try_free(e);
}

static int read_options(struct exec *e, bool attach, struct err *err)
{
    const struct url_query *q = &e->request.query;
    size_t n = 0;
    e->want = (struct remote_want){.in = stream_flag(q, "input", "stdin"),
                                   .out = stream_flag(q, "output", "stdout"),
                                   .err = stream_flag(q, "error", "stderr"),
                                   .tty = stream_flag(q, "tty", "tty")};
    e->want.err = e->want.err && !e->want.tty; /* a terminal has one output */
    if (!e->want.in && !e->want.out && !e->want.err)
        return err_bad(err, "you must specify at least 1 of stdin, stdout, stderr");
    if (attach)
        return 0;
    e->argv = mem_realloc_array(NULL, q->count + 1, sizeof(*e->argv));
    for (size_t i = 0; i < q->count; i++)
        if (str_is(q->params[i].key, "command"))
            e->argv[n++] = arena_z(&e->request.arena, q->params[i].value);
    e->argv[n] = NULL;
    if (n == 0)
        return err_bad(err, "you must specify at least one command");
    return n > ARGS_MAX ? err_bad(err, "a command has %d arguments at most", ARGS_MAX) : 0;
}

void stream_exec_handle(struct streams *s, struct http_exchange *x, struct str rest,
                        const struct http_request *r, bool attach)
{
    struct err err = {0};
    struct exec *e = NEW(struct exec);
    e->streams = s;
    e->in_fd = e->pidfd = e->tty = -1;
    for (int i = 0; i < 3; i++)
        e->child_fds[i] = -1;
    e->sources[0] = (struct source){e, -1, NULL, REMOTE_STDOUT};
    e->sources[1] = (struct source){e, -1, NULL, REMOTE_STDERR};
    e->session.stop = stop_session;
    list_add_tail(&s->sessions, &e->session.link);
    if (!stream_request_parse(&e->request, rest, true, r->query))
        err_set(&err, 404, "NotFound", "404 page not found");
    else if (read_options(e, attach, &err) == 0)
        carrier_negotiate(r, &remote_offer, &e->choice, &err);
    if (err.code) {
        stream_refuse_err(x, &err);
        exec_free(e);
        return;
    }
    e->x = x;
    e->working = true;
    http_watch(x, &(struct http_watch){.closed = client_closed, .arg = e});
    e->work.run = run_find;
    e->work.done = find_done;
    work_start(s->work, &e->work);
}
