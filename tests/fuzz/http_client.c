/* The HTTP/1.1 client answered with arbitrary bytes. The first byte chooses the kind of call. */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "net/http.h"

enum { TURNS = 10, INPUT_MAX = 64 * 1024, STREAM = 1, UPGRADE = 2, HEAD = 4, PAUSE = 8 };

struct peer {
    struct loop_task task;
    struct loop *loop;
    int listener, fd, left;
    struct str answer;
    struct http_call *call;
    struct http_tunnel *tunnel;
    int kind, done;
};

/* One listening socket for all inputs of this process. */
static int listen_on(const char *path)
{
    static int fd = -1;
    if (fd >= 0)
        return fd;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    unlink(path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 16) < 0)
        abort();
    return fd;
}

/* The first connection gets the answer, a retried one nothing. */
static void next_turn(struct loop_task *t)
{
    struct peer *p = CONTAINER_OF(t, struct peer, task);
    int fd = accept(p->listener, NULL, NULL);
    if (fd >= 0 && p->fd < 0) {
        p->fd = fd;
        ssize_t n = send(fd, p->answer.p, p->answer.n, MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)n;
        shutdown(fd, SHUT_WR);
    } else if (fd >= 0) {
        close(fd);
    }
    if (p->left == TURNS / 2 && p->call)
        http_call_pause(p->call, false);
    if (p->left-- > 0)
        loop_defer(p->loop, t, next_turn);
    else
        loop_stop(p->loop);
}

static void on_data(void *arg, struct str bytes)
{
    struct peer *p = arg;
    (void)bytes;
    if (p->call && (p->kind & PAUSE))
        http_call_pause(p->call, true);
}

static void on_tunnel_closed(void *arg)
{
    ((struct peer *)arg)->tunnel = NULL;
}

static void on_headers(void *arg, struct http_call *c, int status)
{
    struct peer *p = arg;
    if (status != 101)
        return;
    p->tunnel = http_call_tunnel(
        c, &(struct http_tunnel_events){.data = on_data, .closed = on_tunnel_closed, .arg = p});
    p->call = NULL;
}

static void on_done(void *arg, int status, struct str body, const struct err *err)
{
    struct peer *p = arg;
    (void)status, (void)body, (void)err;
    p->call = NULL;
    if (p->done++)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_MAX)
        return 0;
    char origin[64];
    snprintf(origin, sizeof(origin), "unix:/tmp/fuzz-http-client-%d.sock", (int)getpid());
    struct peer p = {.listener = listen_on(origin + 5), .fd = -1, .left = TURNS, .kind = data[0]};
    struct http_client *client;
    p.answer = (struct str){(const char *)data + 1, size - 1};
    if (loop_new(&p.loop, NULL) < 0 ||
        http_client_new(p.loop, &(struct http_client_config){.origin = origin}, &client, NULL) < 0)
        abort();
    struct http_call_config call = {
        .method = p.kind & HEAD ? "HEAD" : "GET",
        .target = STR("/"),
        .max_body = 4096,
        .stream = p.kind & STREAM,
        .upgrade = p.kind & UPGRADE,
        .headers_done = on_headers,
        .data = on_data,
        .done = on_done,
        .arg = &p,
    };
    p.call = http_call_start(client, &call);
    loop_defer(p.loop, &p.task, next_turn);
    loop_run(p.loop);
    if (p.tunnel)
        http_tunnel_close(p.tunnel);
    http_client_free(client);
    loop_free(p.loop);
    if (p.fd >= 0)
        close(p.fd);
    return 0;
}
