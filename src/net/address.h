/* address.h: "HOST:PORT", "[HOST]:PORT" and "unix:PATH". Inside net/ only. */
#pragma once

#include <sys/socket.h>

#include "base/err.h"

struct address {
    struct sockaddr_storage addr;
    socklen_t len;
};

/* Splits at the port's colon; brackets are dropped. */
bool net_address_split(struct str s, struct str *ret_host, struct str *ret_port);
int net_address_unix(struct str path, struct address *ret, struct err *err);
/* A numeric host; false when it is a name. */
bool net_address_numeric(struct str host, int port, struct address *ret);
/* A non-blocking listening socket. A stale unix socket is replaced. */
int net_address_listen(const char *listen, bool reuse_port, int *ret_fd, struct err *err);
/* "127.0.0.1:51234", "[::1]:80", "@" for a unix peer, as Go prints them. */
void net_address_format(const struct sockaddr *a, char *ret, size_t n);
