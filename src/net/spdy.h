/* spdy.h: SPDY/3.1 frames, bytes in, bytes out.
 *
 * HTTP/2's ancestor lives on in Kubernetes: exec, attach and port-forward upgrade to it, and
 * kubectl tunnels it through WebSockets. Only what those use is here: streams with header blocks,
 * data, resets, pings, windows and GOAWAY
 * (https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1).
 *
 * The codec does no I/O and keeps no list of streams. Feed it what the peer sent; it calls back for
 * each frame (data comes in pieces, as it arrives) and appends answers of its own (to pings) to
 * `out`. The events must not free the codec. Header blocks are limited to SPDY_HEADERS_MAX bytes
 * once inflated, control frames to as much on the wire. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "net/http.h"

enum {
    SPDY_HEADERS_MAX = 64 * 1024,
    SPDY_HEADER_COUNT_MAX = 100,
    SPDY_DATA_MAX = (1 << 24) - 1,  /* bytes of a data frame */
    SPDY_INITIAL_WINDOW = 64 * 1024 /* of a stream, in each direction */
};

enum spdy_reset {
    SPDY_PROTOCOL_ERROR = 1,
    SPDY_INVALID_STREAM = 2,
    SPDY_REFUSED_STREAM = 3,
    SPDY_CANCEL = 5,
    SPDY_FLOW_CONTROL_ERROR = 7,
};

/* Header names are in lower case; header memory lives as long as the call. Any may be NULL. */
struct spdy_events {
    void (*stream)(void *arg, uint32_t id, const struct http_header *headers, size_t count,
                   bool fin);
    void (*reply)(void *arg, uint32_t id, const struct http_header *headers, size_t count);
    void (*data)(void *arg, uint32_t id, struct str piece);
    void (*end)(void *arg, uint32_t id); /* the peer will send no more on the stream */
    void (*reset)(void *arg, uint32_t id, uint32_t why);
    void (*window)(void *arg, uint32_t id, uint32_t more); /* we may send so much more */
    void (*initial_window)(void *arg, uint32_t bytes);     /* of streams from now on */
    void (*goaway)(void *arg);
};

struct spdy;
struct spdy *spdy_new(bool server, const struct spdy_events *events, void *arg);
void spdy_free(struct spdy *s);
/* 0, or -1 when the peer broke the protocol: a GOAWAY was appended, the connection is to be closed,
 * and later bytes are ignored. */
int spdy_feed(struct spdy *s, struct str bytes, struct buf *out, struct err *err);
void spdy_stop(struct spdy *s); /* from inside an event: no more of them */

void spdy_write_stream(struct spdy *s, uint32_t id, const struct http_header *headers, size_t count,
                       bool fin, struct buf *out);
void spdy_write_reply(struct spdy *s, uint32_t id, struct buf *out); /* without headers */
void spdy_write_data(uint32_t id, struct str bytes, bool fin, struct buf *out);
void spdy_write_reset(uint32_t id, enum spdy_reset why, struct buf *out);
void spdy_write_window(uint32_t id, uint32_t more, struct buf *out);
void spdy_write_ping(uint32_t id, struct buf *out);
void spdy_write_goaway(struct spdy *s, bool broken, struct buf *out);
