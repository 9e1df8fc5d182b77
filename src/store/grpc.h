/* grpc.h: gRPC calls over net's HTTP/2 client.
 *
 * A call is one POST whose body and answer are messages with a head of five bytes; its status comes
 * in the trailers. All on the client's loop; no callback comes from inside grpc_start or
 * grpc_cancel, but http_client_free ends calls with GRPC_NO_ANSWER from inside. */
#pragma once

#include "net/http.h"

enum { /* of google.golang.org/grpc/codes; those that say whether a request was carried out */
       GRPC_NO_ANSWER = -1, /* the connection broke, or no gRPC answer came */
       GRPC_OK = 0,
       GRPC_CANCELLED = 1,
       GRPC_UNKNOWN = 2,
       GRPC_INVALID_ARGUMENT = 3,
       GRPC_DEADLINE_EXCEEDED = 4,
       GRPC_NOT_FOUND = 5,
       GRPC_PERMISSION_DENIED = 7,
       GRPC_RESOURCE_EXHAUSTED = 8,
       GRPC_FAILED_PRECONDITION = 9,
       GRPC_OUT_OF_RANGE = 11,
       GRPC_UNIMPLEMENTED = 12,
       GRPC_INTERNAL = 13,
       GRPC_UNAVAILABLE = 14,
       GRPC_UNAUTHENTICATED = 16,
};

struct grpc_call;

struct grpc_config {
    const char *method; /* "/etcdserverpb.KV/Txn" */
    struct str message; /* the request; copied */
    int64_t timeout_ms; /* to the answer's head; 0: none */
    size_t max_message; /* of the answer */
    bool need_leader;   /* etcd: end the stream when the member loses its leader */
    /* Streams only; NULL for a call with one answer. */
    void (*on_message)(void *arg, struct str message);
    /* The call is gone. code GRPC_OK: message is the answer (of a stream: empty); else why says
     * what was wrong. */
    void (*done)(void *arg, int code, struct str message, const char *why);
    void *arg;
};

struct grpc_call *grpc_start(struct http_client *c, const struct grpc_config *config);
void grpc_send(struct grpc_call *call, struct str message); /* streams: one more request */
void grpc_cancel(struct grpc_call *call);                   /* no callback follows; NULL is fine */
