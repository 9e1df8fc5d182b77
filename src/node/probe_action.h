/* probe_action.h: one probe or hook, prepared on the pod's thread and done on any.
 *
 * Preparing copies what is needed of the pod, so that doing it touches nothing of the pod. */
#pragma once

#include "node/pod.h"

struct action {
    enum { ACTION_EXEC, ACTION_HTTP, ACTION_TCP, ACTION_GRPC, ACTION_NONE } kind;
    const struct runtime *runtime;
    struct doc doc;
    val *process; /* exec */
    char id[RUNTIME_ID];
    char *command;    /* for messages */
    char *url, *host; /* HTTP, gRPC; host of TCP */
    char **headers;   /* HTTP, "Name: value" */
    size_t header_count;
    char *service; /* gRPC */
    int port;
};
int action_prepare(struct container *c, const val *handler, struct action *ret, struct err *err);
void action_done(struct action *a);
/* 0 success, 1 failure, -1 could not be tried; message in upstream's words. */
int action_run(const struct action *a, int64_t timeout_ms, struct buf *message);
