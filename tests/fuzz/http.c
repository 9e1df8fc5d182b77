/* The HTTP server fed with arbitrary bytes over a socket pair: HTTP/1.1, or HTTP/2 when the input
 * begins with its preface. */
#include <stdio.h>
#include <sys/un.h>

#include "net/server_impl.h"

enum { TURNS = 8, INPUT_MAX = 64 * 1024 };

struct turns {
    struct loop_task task;
    struct loop *loop;
    int left;
};

static void handler(void *arg, struct http_exchange *x, const struct http_request *r)
{
    (void)arg;
    struct bytes *b = bytes_new(r->body);
    if (str_is(r->method, "POST")) {
        http_start(x, 200, r->headers, r->header_count < 4 ? r->header_count : 4);
        http_write(x, b);
        http_end(x);
    } else {
        http_respond(x, 200, NULL, 0, b);
    }
    bytes_unref(b);
}

static void next_turn(struct loop_task *t)
{
    struct turns *turns = CONTAINER_OF(t, struct turns, task);
    if (turns->left-- > 0)
        loop_defer(turns->loop, t, next_turn);
    else
        loop_stop(turns->loop);
}

/* A listening socket that nobody connects to. */
static int listen_nowhere(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(fd, (struct sockaddr *)&a, sizeof(a.sun_family)) < 0 || listen(fd, 1) < 0)
        abort();
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_server_config config = {
        .listen_fd = listen_nowhere(), .handler = handler, .max_body = 4096};
    struct http_server *server;
    struct loop *loop;
    struct sockaddr from = {.sa_family = AF_UNIX};
    int fds[2];
    if (size > INPUT_MAX)
        return 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0 || loop_new(&loop, NULL) < 0 ||
        http_server_new(loop, &config, &server, NULL) < 0)
        abort();
    http_server_adopt(server, fds[0], &from);
    ssize_t n = write(fds[1], data, size);
    (void)n;
    shutdown(fds[1], SHUT_WR);
    struct turns turns = {.loop = loop, .left = TURNS};
    loop_defer(loop, &turns.task, next_turn);
    loop_run(loop);
    http_server_free(server);
    loop_free(loop);
    close(fds[1]);
    return 0;
}
