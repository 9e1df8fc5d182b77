/* demo: a small HTTP service that tells who answers.
 *
 *   GET /         hostname=demo-5c6f-x2x8q version=1
 *   GET /healthz  ok
 *
 * PORT (8080) and VERSION (1) come from the environment. SIGTERM stops the listener, lets the
 * answers under way finish, and ends the program with code 0. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

static atomic_int under_way;

static void answer(int fd, int status, const char *body)
{
    char text[1024];
    int n = snprintf(text, sizeof(text),
                     "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n%s",
                     status, status == 200 ? "OK" : "Not Found", strlen(body), body);
    for (int at = 0; at < n;) {
        ssize_t put = send(fd, text + at, (size_t)(n - at), MSG_NOSIGNAL);
        if (put <= 0)
            return;
        at += (int)put;
    }
}

static void serve(int fd)
{
    char request[8192], path[256], body[512], host[256] = "";
    size_t n = 0;
    for (;;) {
        ssize_t got = recv(fd, request + n, sizeof(request) - 1 - n, 0);
        if (got <= 0)
            return;
        n += (size_t)got;
        request[n] = '\0';
        if (strstr(request, "\r\n\r\n"))
            break;
        if (n == sizeof(request) - 1)
            return;
    }
    if (sscanf(request, "%*15s %255s", path) != 1)
        return;
    path[strcspn(path, "?")] = '\0';
    const char *version = getenv("VERSION");
    gethostname(host, sizeof(host) - 1);
    snprintf(body, sizeof(body), "hostname=%s version=%s\n", host, version ? version : "1");
    if (strcmp(path, "/healthz") == 0)
        answer(fd, 200, "ok\n");
    else if (strcmp(path, "/") == 0)
        answer(fd, 200, body);
    else
        answer(fd, 404, "not found\n");
    printf("%s\n", path);
    fflush(stdout);
}

static void *connection(void *arg)
{
    int fd = (int)(long)arg;
    serve(fd);
    shutdown(fd, SHUT_WR);
    close(fd);
    under_way--;
    return NULL;
}

static int listen_on(int port)
{
    int yes = 1, no = 0;
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
        if (bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0 && listen(fd, 1024) == 0)
            return fd;
        close(fd);
    }
    fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (fd < 0 || bind(fd, (struct sockaddr *)&any4, sizeof(any4)) || listen(fd, 1024))
        return -1;
    return fd;
}

int main(void)
{
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    int signals = signalfd(-1, &stop, SFD_CLOEXEC);
    const char *port = getenv("PORT");
    int listener = listen_on(port ? atoi(port) : 8080);
    if (listener < 0 || signals < 0) {
        perror("demo");
        return 1;
    }
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 * 1024);
    pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    struct pollfd wait[2] = {{listener, POLLIN, 0}, {signals, POLLIN, 0}};
    while (poll(wait, 2, -1) < 0 || !wait[1].revents) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        struct timeval limit = {.tv_sec = 10};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        pthread_t thread;
        under_way++;
        if (pthread_create(&thread, &small, connection, (void *)(long)fd)) {
            close(fd);
            under_way--;
        }
    }
    close(listener);
    for (int i = 0; i < 100 && under_way > 0; i++)
        usleep(50 * 1000);
    return 0;
}
