/* pb.h: the wire format of protocol buffers, for the few messages that etcd needs.
 *
 * Writing appends to a buffer; fields of value zero or of no bytes are left out, as proto3 has it.
 * Reading walks the fields of one message, borrowed from its bytes; groups and unknown wire types
 * make the message bad. */
#pragma once

#include "base/buf.h"

void pb_u64(struct buf *b, uint32_t field, uint64_t v);
void pb_bytes(struct buf *b, uint32_t field, struct str v);
/* A message within a message: `size_t m = pb_begin(b, 3); …; pb_end(b, m);` */
size_t pb_begin(struct buf *b, uint32_t field);
void pb_end(struct buf *b, size_t m);

struct pb_reader {
    struct str rest;
    bool bad;
    uint32_t field;
    uint64_t number;  /* of a varint */
    struct str bytes; /* of a length-delimited or fixed one */
};
bool pb_next(struct pb_reader *r); /* false: the end, or bad */
