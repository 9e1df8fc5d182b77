/* stream_carrier.h: an upgraded connection that carries bytes to and fro.
 *
 * Raw ("Upgrade: SPDY/3.1"), where pieces have any size, or a WebSocket, where each piece is a
 * message. It belongs to whoever opened it until carrier_finish or the closed event. */
#pragma once

#include "node/stream_impl.h"

enum { CARRIER_MESSAGE_MAX = 4 * 1024 * 1024 };

/* Protocols that the server speaks, best first, NULL-terminated. NULL: none over this kind. */
struct carrier_offer {
    const char *const *websocket;
    const char *const *spdy;
};

struct carrier_choice {
    bool websocket;
    const char *protocol; /* one of the offer's; "": the client named none */
    char accept[29];
};

/* What the request's upgrade headers come to; err has the status that a refusal gets. */
int carrier_negotiate(const struct http_request *r, const struct carrier_offer *offer,
                      struct carrier_choice *ret, struct err *err);

struct carrier;
struct carrier_events {
    void (*data)(void *arg, struct str piece);
    void (*drained)(void *arg); /* all was sent */
    void (*closed)(void *arg);  /* by the peer, or idle for too long; the carrier is gone */
};
/* Answers 101; x is gone. NULL: it could not be upgraded, x was ended. */
struct carrier *carrier_open(struct http_exchange *x, const struct carrier_choice *choice,
                             const struct carrier_events *events, void *arg);
size_t carrier_send(struct carrier *c, struct str piece);      /* the bytes that wait */
size_t carrier_send_text(struct carrier *c, struct str piece); /* a text message */
size_t carrier_waiting(struct carrier *c);
void carrier_pause(struct carrier *c, bool pause);
void carrier_finish(struct carrier *c); /* once all was sent; no event follows */
