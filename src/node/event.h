/* event.h: Events about pods and the node, as the kubelet records them.
 *
 * event_add only copies; a thread inside writes them. The same event again within ten minutes
 * raises the count of the first. When the server does not keep up, new events are dropped. Any
 * thread. */
#pragma once

#include "client/client.h"

struct events;

int events_new(struct client *client, const char *host, struct events **ret, struct err *err);
void events_free(struct events *e); /* what waits is written, for a second at most */

/* What the event is about: an object reference's fields; field is its fieldPath or "". */
struct event_ref {
    const char *kind, *ns, *name, *uid, *field;
};
void event_add(struct events *e, const struct event_ref *about, bool warning, const char *reason,
               const char *format, ...) __attribute__((format(printf, 5, 6)));
