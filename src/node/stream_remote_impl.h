/* stream_remote_impl.h: what the two protocols of stream_remote.h share. */
#pragma once

#include "node/stream_remote.h"

struct remote {
    const struct remote_ops *ops;
    const struct remote_events *events;
    void *arg;
    struct remote_want want;
    struct loop *loop;
    struct buf sizes; /* of the resize channel: an incomplete JSON text */
    bool status_json; /* v4 and later tell a Status; before, text and only of failures */
    bool over;
};

struct remote_ops {
    size_t (*write)(struct remote *r, enum remote_channel channel, struct str bytes);
    void (*consumed)(struct remote *r, size_t n);
    void (*finish)(struct remote *r); /* closes once all was sent */
};

void remote_init(struct remote *r, const struct remote_ops *ops, struct loop *loop,
                 const struct remote_want *want, const struct remote_events *events, void *arg);
void remote_done(struct remote *r);
void remote_resize(struct remote *r, struct str bytes); /* what came on the resize channel */

struct remote *remote_ws_open(struct http_exchange *x, const struct carrier_choice *choice,
                              const struct remote_want *want, const struct remote_events *events,
                              void *arg);
struct remote *remote_spdy_open(struct http_exchange *x, const struct carrier_choice *choice,
                                const struct remote_want *want, const struct remote_events *events,
                                void *arg);
