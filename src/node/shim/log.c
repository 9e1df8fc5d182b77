/* The log format of the CRI: `TIME STREAM TAG TEXT`, TAG P for a part of a line and F for its end.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "node/shim/shim.h"

static int open_file(struct shim_log *l)
{
    struct stat st;
    l->fd = open(l->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (l->fd < 0)
        return -1;
    l->size = fstat(l->fd, &st) == 0 ? st.st_size : 0;
    return 0;
}

int shim_log_open(struct shim_log *l, const char *path)
{
    l->path = path;
    l->out = (struct shim_log_stream){.name = "stdout"};
    l->err = (struct shim_log_stream){.name = "stderr"};
    return open_file(l);
}

static void rotate(struct shim_log *l)
{
    char from[4096 + 16], to[4096 + 16];
    for (int i = SHIM_LOG_KEPT - 1; i >= 0; i--) {
        snprintf(to, sizeof(to), "%s.%d", l->path, i + 1);
        snprintf(from, sizeof(from), i ? "%s.%d" : "%s", l->path, i);
        rename(from, to);
    }
    close(l->fd);
    open_file(l);
}

static void put_record(struct shim_log *l, struct shim_log_stream *s, char tag)
{
    struct timespec now;
    struct tm tm;
    char head[64];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t n = strftime(head, sizeof(head), "%Y-%m-%dT%H:%M:%S", &tm);
    n += (size_t)snprintf(head + n, sizeof(head) - n, ".%09ldZ %s %c ", now.tv_nsec, s->name, tag);
    struct iovec parts[3] = {{head, n}, {s->line, s->n}, {(char *)"\n", 1}};
    ssize_t put = writev(l->fd, parts, 3);
    s->n = 0;
    if (put > 0)
        l->size += put;
    if (l->size >= SHIM_LOG_MAX)
        rotate(l);
}

void shim_log_write(struct shim_log *l, struct shim_log_stream *s, const char *p, size_t n)
{
    while (n) {
        size_t room = sizeof(s->line) - s->n, take = n < room ? n : room;
        const char *end = memchr(p, '\n', take);
        if (end)
            take = (size_t)(end - p);
        memcpy(s->line + s->n, p, take);
        s->n += take;
        p += take;
        n -= take;
        if (end) {
            put_record(l, s, 'F');
            p++;
            n--;
        } else if (s->n == sizeof(s->line)) {
            put_record(l, s, 'P');
        }
    }
}

void shim_log_flush(struct shim_log *l)
{
    if (l->out.n)
        put_record(l, &l->out, 'P');
    if (l->err.n)
        put_record(l, &l->err, 'P');
}
