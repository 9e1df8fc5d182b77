/* as.h: requests of this user and that, to a server without sockets. */
#pragma once

#include "server.h"

/* "NAME GROUP GROUP…" */
struct answer ask_as(struct server *s, const char *who, const struct ask *ask);

struct line_as {
    const char *who, *method, *path, *body;
    int status;
    const char *excerpt; /* must be in the answer; NULL: anything */
};
void expect_as(struct server *s, const struct line_as *lines, size_t count);
#define EXPECT_AS(server, ...)                                                                     \
    do {                                                                                           \
        const struct line_as lines_[] = {__VA_ARGS__};                                             \
        expect_as(server, lines_, ARRAY_LEN(lines_));                                              \
    } while (0)
