/* proto.h: answers in Kubernetes protobuf, for clients that accept nothing else.
 *
 * Objects are stored as JSON, so protobuf is made from it for each answer (lists item by item, and
 * a watch's frames once for all watchers of an event). That costs several times what copying the
 * JSON costs: whoever accepts both gets JSON. */
#pragma once

#include "api/call.h"

#define PROTO_TYPE "application/vnd.kubernetes.protobuf"

/* Kinds without field numbers (custom resources) have no protobuf form. */
bool proto_serves(const struct kind *k);

/* The enveloped message of a whole object (a kind's, a Status, a PartialObjectMetadata). Appends.
 */
int proto_put(struct str json, struct buf *b, struct err *err);

/* A list: its items one by one, as field 2 of the list's message, and in the end the envelope
 * around them; `head` is the list's JSON without items. */
int proto_put_item(struct str json, struct buf *items, struct err *err);
int proto_put_list(struct str head, struct str items, struct buf *b, struct err *err);

/* A watch's event behind its length (four bytes, big endian); NULL: it has no protobuf form. */
struct bytes *proto_frame(const char *type, struct str object);
