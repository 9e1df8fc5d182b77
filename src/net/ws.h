/* ws.h: WebSocket (RFC 6455), bytes in, bytes out.
 *
 * The codec does no I/O. Feed it what a tunnel received; it calls back for each whole message and
 * appends what must be sent (pongs, closes) to `out`. A server requires masked frames, a client
 * unmasked ones. Control frames may stand between fragments. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum ws_opcode { WS_CONT = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

struct ws {
    bool server;
    size_t max_message; /* bytes; a longer message is an error (close code 1009) */
    void (*message)(void *arg, enum ws_opcode op, struct str payload);
    void *arg;
    struct buf in, assembled;
    enum ws_opcode assembling;
    bool closed; /* a close frame was received or the input was bad */
};

void ws_init(struct ws *w, bool server, size_t max_message,
             void (*message)(void *arg, enum ws_opcode, struct str), void *arg);
void ws_done(struct ws *w);
/* 0, or -1 when the peer broke the protocol; then a close frame was appended to out and the
 * connection is to be closed. */
int ws_feed(struct ws *w, struct str bytes, struct buf *out, struct err *err);
void ws_write(const struct ws *w, enum ws_opcode op, struct str payload, struct buf *out);
void ws_write_close(const struct ws *w, int code, struct str text, struct buf *out);
/* Sec-WebSocket-Accept for a Sec-WebSocket-Key; ret has 29 bytes. */
void ws_accept_key(struct str key, char ret[29]);
