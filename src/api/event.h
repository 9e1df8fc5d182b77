/* event.h: one change in the store, seen by many watchers.
 *
 * What watchers need of an event (its frames, its parsed object) is made when the first one asks
 * and kept in the event, so that a thousand watchers cost one encoding. Any loop's thread, several
 * at once. */
#pragma once

#include "api/call.h"

enum watch_type { WATCH_ADDED, WATCH_MODIFIED, WATCH_DELETED, WATCH_NONE };

extern const char *const watch_type_names[];

/* What the event is to a watcher with this selection: an object that begins to match is ADDED, one
 * that no longer does is DELETED. */
enum watch_type event_type(struct store_event *e, const struct kind *k,
                           const struct selection *selection);

/* The frame to send, shared unless k shows the object in another form: FORM_OBJECT or FORM_METADATA. A reference for the caller; NULL: it has
 * no protobuf form. */
struct bytes *event_frame(struct store_event *e, const struct kind *k, enum watch_type type,
                          enum call_form form, bool proto);

/* The object that a watcher is told of: the old one with the event's revision when it is gone.
 * Appends. */
void event_object(const struct store_event *e, const struct kind *k, enum watch_type type,
                  struct buf *b);

/* {"type":…,"object":…}\n around an object, or the same in protobuf (NULL: it has none). */
struct bytes *frame_new(const char *type, struct str object, bool proto);
