/* stream_mux.h: SPDY streams over a carrier.
 *
 * Flow control. The streams that a client opens are given SPDY's windows, and it is told when their
 * bytes were consumed; since the common client (moby/spdystream, in client-go and kubectl) knows no
 * windows at all and simply sends, the whole connection is not read any further when a stream holds
 * STREAM_HIGH_WATER bytes that its owner has not consumed. Towards a client, windows count from the
 * moment it shows that it keeps them (a SETTINGS or WINDOW_UPDATE frame); until then the
 * connection's own back-pressure is all there is.
 *
 * A stream belongs to who accepted it until mux_drop. */
#pragma once

#include "net/spdy.h"
#include "node/stream_carrier.h"

enum { MUX_STREAMS_MAX = 1024 }; /* at once; further ones are refused */

struct mux;
struct mux_stream;

struct mux_events {
    /* A stream that the client opened: to be accepted or refused, now. */
    void (*opened)(void *arg, struct mux_stream *st, const struct http_header *headers,
                   size_t count);
    void (*gone)(void *arg); /* the connection ended; owners drop their streams in it */
};

struct mux_stream_events {
    void (*data)(void *arg, struct str piece); /* the owner calls mux_consumed when it is done */
    void (*end)(void *arg);                    /* the client will send no more */
    void (*writable)(void *arg);               /* what waited has been sent */
    void (*reset)(void *arg);                  /* by the client; the owner still drops it */
};

struct mux *mux_open(struct http_exchange *x, const struct carrier_choice *choice,
                     const struct mux_events *events, void *arg); /* NULL: x was ended */
void mux_finish(struct mux *m); /* GOAWAY, and closes once all was sent. No event follows,
                                   and the streams are nobody's any more */

void mux_accept(struct mux_stream *st, const struct mux_stream_events *events, void *arg);
void mux_refuse(struct mux_stream *st);
uint32_t mux_id(const struct mux_stream *st);
size_t mux_write(struct mux_stream *st, struct str bytes); /* the bytes that wait */
void mux_end(struct mux_stream *st);                       /* we send no more */
void mux_consumed(struct mux_stream *st, size_t n);
/* Forgets the owner. A stream whose both sides have not ended is reset, but for data of ours that
 * still waits before an end. NULL is fine. */
void mux_drop(struct mux_stream *st);
void mux_reset(struct mux_stream *st); /* RST_STREAM at once, and drops it */
