#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

bool net_address_split(struct str s, struct str *ret_host, struct str *ret_port)
{
    for (size_t i = s.n; i-- > 0;) {
        if (s.p[i] != ':')
            continue;
        struct str host = str_head(s, i);
        if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
            host = (struct str){host.p + 1, host.n - 2};
        else if (str_find_char(host, ':') >= 0)
            return false;
        *ret_host = host;
        *ret_port = str_from(s, i + 1);
        return true;
    }
    return false;
}

int net_address_unix(struct str path, struct address *ret, struct err *err)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&ret->addr;
    if (path.n == 0 || path.n >= sizeof(un->sun_path) || memchr(path.p, 0, path.n))
        return err_bad(err, "bad unix socket path \"%.*s\"", STR_ARG(path));
    *ret = (struct address){0};
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path.p, path.n);
    ret->len = sizeof(*un);
    return 0;
}

bool net_address_numeric(struct str host, int port, struct address *ret)
{
    char text[INET6_ADDRSTRLEN + 1];
    if (host.n >= sizeof(text))
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    *ret = (struct address){0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&ret->addr;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ret->addr;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        ret->len = sizeof(*v4);
        return true;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        ret->len = sizeof(*v6);
        return true;
    }
    return false;
}

static int parse_listen(struct str s, struct address *ret, struct err *err)
{
    if (str_starts(s, STR("unix:")))
        return net_address_unix(str_from(s, 5), ret, err);
    struct str host, port;
    uint64_t number;
    if (!net_address_split(s, &host, &port) || !str_to_u64(port, &number) || number > 65535)
        return err_bad(err, "bad listen address \"%.*s\": want HOST:PORT", STR_ARG(s));
    if (host.n == 0)
        host = STR("::");
    if (str_is(host, "localhost"))
        host = STR("127.0.0.1");
    if (!net_address_numeric(host, (int)number, ret))
        return err_bad(err, "bad listen address \"%.*s\": the host is not an IP address",
                       STR_ARG(s));
    return 0;
}

/* A socket file whose server died refuses connections; only that one is removed. */
static void remove_stale(const struct address *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)&a->addr, a->len) < 0 && errno == ECONNREFUSED)
        unlink(((const struct sockaddr_un *)&a->addr)->sun_path);
    close(fd);
}

int net_address_listen(const char *listen_on, bool reuse_port, int *ret_fd, struct err *err)
{
    struct address a;
    if (parse_listen(str_of(listen_on), &a, err) < 0)
        return -1;
    if (a.addr.ss_family == AF_UNIX)
        remove_stale(&a);
    int fd = socket(a.addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(err, "socket");
    int one = 1, off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (reuse_port)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
    if (a.addr.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, (struct sockaddr *)&a.addr, a.len) < 0 || listen(fd, 4096) < 0) {
        err_errno(err, "listen %s", listen_on);
        close(fd);
        return -1;
    }
    *ret_fd = fd;
    return 0;
}

void net_address_format(const struct sockaddr *a, char *ret, size_t n)
{
    char text[INET6_ADDRSTRLEN] = "";
    if (a->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
        inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
        snprintf(ret, n, "%s:%d", text, ntohs(v4->sin_port));
        return;
    }
    if (a->sa_family != AF_INET6) {
        snprintf(ret, n, "@");
        return;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, text, sizeof(text));
        snprintf(ret, n, "%s:%d", text, ntohs(v6->sin6_port));
        return;
    }
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
    snprintf(ret, n, "[%s]:%d", text, ntohs(v6->sin6_port));
}
