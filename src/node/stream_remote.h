/* stream_remote.h: the client's side of an exec or attach: standard streams, the terminal's size,
 * and how it ended, over a WebSocket's channels (v5, v4 and the two older subprotocols) or SPDY
 * streams. */
#pragma once

#include "node/stream_carrier.h"

/* The numbers are the WebSocket channels (k8s.io/apimachinery/pkg/util/remotecommand). */
enum remote_channel { REMOTE_STDIN, REMOTE_STDOUT, REMOTE_STDERR, REMOTE_ERROR, REMOTE_RESIZE };
enum { REMOTE_CHANNELS = 5 };

struct remote_want {
    bool in, out, err, tty;
};

struct remote_events {
    void (*ready)(void *arg); /* all channels are there */
    /* The owner calls remote_consumed when it is done with the bytes. */
    void (*input)(void *arg, struct str bytes);
    void (*input_end)(void *arg);
    void (*resize)(void *arg, int columns, int rows);
    void (*writable)(void *arg); /* what waited has been sent */
    void (*gone)(void *arg);     /* the client went away; the remote is gone too */
};

struct remote;

extern const struct carrier_offer remote_offer;

/* NULL: x was ended. */
struct remote *remote_open(struct http_exchange *x, const struct carrier_choice *choice,
                           const struct remote_want *want, const struct remote_events *events,
                           void *arg);
/* To REMOTE_STDOUT or REMOTE_STDERR; the bytes that wait. */
size_t remote_write(struct remote *r, enum remote_channel channel, struct str bytes);
void remote_consumed(struct remote *r, size_t n);

/* How it ended, and closes. exit_code of a command; err: it did not run. No event follows. */
void remote_finish(struct remote *r, int exit_code, const struct err *err);
void remote_abandon(struct remote *r); /* closes without a word */
