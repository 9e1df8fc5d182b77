/* tunnel.h: making tunnels of connections. Inside net/ only. */
#pragma once

#include "base/list.h"
#include "net/conn.h"
#include "net/http.h"

/* Takes c. early: bytes that came behind the headers; they are given first, behind this turn's
 * callbacks. siblings, gone: the owner's list and what to call when the tunnel ends; may be NULL.
 */
struct http_tunnel *tunnel_new(struct conn *c, struct str early,
                               const struct http_tunnel_events *events, struct list *siblings,
                               void (*gone)(void *owner), void *owner);
/* Ends at once and calls closed. */
void tunnel_break(struct http_tunnel *t);
struct http_tunnel *tunnel_of(struct list *link);
