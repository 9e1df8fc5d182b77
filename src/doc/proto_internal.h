/* proto_internal.h: the protobuf wire format, for the two directions of the codec. */
#pragma once

#include "doc/schema.h"

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* One field off the wire. */
struct wire_field {
    uint32_t number;
    enum wire wire;
    uint64_t value;   /* varints and fixed */
    struct str bytes; /* WIRE_BYTES; a view */
};

/* Takes the next field off *in. 1, 0 at the end, -1 with err when the bytes are no protobuf. */
int wire_next(struct str *in, struct wire_field *ret, struct err *err);
int wire_varint(struct str *in, uint64_t *ret); /* -1: no varint */

void wire_put_varint(struct buf *b, uint64_t v);
void wire_put_tag(struct buf *b, uint32_t number, enum wire wire);
void wire_put_int(struct buf *b, uint32_t number, uint64_t v); /* tag and varint */
void wire_put_bytes(struct buf *b, uint32_t number, struct str s);
/* A message of unknown length: begin gives the place, end puts the length in. */
size_t wire_begin(struct buf *b, uint32_t number);
void wire_end(struct buf *b, size_t start);

/* The field numbers of the messages that stand behind one JSON value. */
enum {
    UNKNOWN_TYPE = 1,
    UNKNOWN_RAW = 2,
    UNKNOWN_ENCODING = 3,
    UNKNOWN_CONTENT_TYPE = 4,
    TYPE_API_VERSION = 1,
    TYPE_KIND = 2,
    TIME_SECONDS = 1,
    TIME_NANOS = 2,
    EITHER_TYPE = 1,
    EITHER_INT = 2,
    EITHER_STRING = 3, /* IntOrString */
    PROPS_ALLOWS = 1,
    PROPS_BOOL_SCHEMA = 2, /* JSONSchemaPropsOrBool */
    PROPS_SCHEMA = 1,
    PROPS_ITEMS = 2, /* …OrArray, …OrStringArray */
    MAP_KEY = 1,
    MAP_VALUE = 2,
    ONLY = 1, /* messages with one field: Quantity, Duration, RawExtension, FieldsV1, ExtraValue */
};
