/* The wire format and the envelope of Kubernetes' protobuf documents. */
#include "doc/proto_internal.h"

int wire_varint(struct str *in, uint64_t *ret)
{
    uint64_t v = 0;
    for (size_t i = 0; i < in->n && i < 10; i++) {
        unsigned char c = (unsigned char)in->p[i];
        v |= (uint64_t)(c & 0x7f) << (7 * i);
        if (c < 0x80) {
            *ret = v;
            *in = str_from(*in, i + 1);
            return 0;
        }
    }
    return -1;
}

static int take_fixed(struct str *in, size_t n, uint64_t *ret)
{
    if (in->n < n)
        return -1;
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)(unsigned char)in->p[i] << (8 * i);
    *ret = v;
    *in = str_from(*in, n);
    return 0;
}

static int take_bytes(struct str *in, struct str *ret)
{
    uint64_t n;
    if (wire_varint(in, &n) < 0 || n > in->n)
        return -1;
    *ret = str_head(*in, n);
    *in = str_from(*in, n);
    return 0;
}

int wire_next(struct str *in, struct wire_field *ret, struct err *err)
{
    if (in->n == 0)
        return 0;
    uint64_t tag;
    int status = wire_varint(in, &tag);
    *ret = (struct wire_field){0};
    if (status == 0) {
        if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
            return err_bad(err, "proto: illegal tag %llu (wire type %d)",
                           (unsigned long long)(tag >> 3), (int)(tag & 7));
        ret->number = (uint32_t)(tag >> 3);
        ret->wire = (enum wire)(tag & 7);
        switch (tag & 7) {
        case WIRE_VARINT:
            status = wire_varint(in, &ret->value);
            break;
        case WIRE_FIXED64:
            status = take_fixed(in, 8, &ret->value);
            break;
        case WIRE_BYTES:
            status = take_bytes(in, &ret->bytes);
            break;
        case WIRE_FIXED32:
            status = take_fixed(in, 4, &ret->value);
            break;
        default:
            return err_bad(err, "proto: illegal wireType %d", (int)(tag & 7));
        }
    }
    return status < 0 ? err_bad(err, "unexpected EOF") : 1;
}

void wire_put_varint(struct buf *b, uint64_t v)
{
    while (v >= 0x80) {
        buf_putc(b, (char)(v | 0x80));
        v >>= 7;
    }
    buf_putc(b, (char)v);
}

void wire_put_tag(struct buf *b, uint32_t number, enum wire wire)
{
    wire_put_varint(b, (uint64_t)number << 3 | wire);
}

void wire_put_int(struct buf *b, uint32_t number, uint64_t v)
{
    wire_put_tag(b, number, WIRE_VARINT);
    wire_put_varint(b, v);
}

void wire_put_bytes(struct buf *b, uint32_t number, struct str s)
{
    wire_put_tag(b, number, WIRE_BYTES);
    wire_put_varint(b, s.n);
    buf_put(b, s);
}

size_t wire_begin(struct buf *b, uint32_t number)
{
    wire_put_tag(b, number, WIRE_BYTES);
    buf_putc(b, 0); /* most messages are shorter than 128 bytes */
    return b->n;
}

void wire_end(struct buf *b, size_t start)
{
    uint64_t n = b->n - start;
    size_t more = 0;
    for (uint64_t rest = n >> 7; rest; rest >>= 7)
        more++;
    if (more) {
        buf_reserve(b, more);
        memmove(b->p + start + more, b->p + start, n);
        b->n += more;
        b->p[b->n] = '\0';
    }
    for (size_t at = start - 1; at < start + more; at++, n >>= 7)
        b->p[at] = (char)(at + 1 < start + more ? (n & 0x7f) | 0x80 : n);
}

static int read_type(struct str in, struct str *ret_api_version, struct str *ret_kind,
                     struct err *err)
{
    struct wire_field f;
    int more;
    while ((more = wire_next(&in, &f, err)) > 0) {
        if (f.wire == WIRE_BYTES && f.number == TYPE_API_VERSION)
            *ret_api_version = f.bytes;
        else if (f.wire == WIRE_BYTES && f.number == TYPE_KIND)
            *ret_kind = f.bytes;
    }
    return more;
}

int schema_proto_type(struct str body, struct str *ret_api_version, struct str *ret_kind,
                      struct str *ret_raw, struct err *err)
{
    static const struct str magic = STR_INIT("k8s\0");
    if (!str_starts(body, magic))
        return err_bad(err,
                       "provided data does not appear to be a protobuf message, expected prefix "
                       "[107 56 115 0]");
    struct str in = str_from(body, magic.n), api_version = {0}, kind = {0}, raw = {0};
    struct wire_field f;
    int more;
    while ((more = wire_next(&in, &f, err)) > 0) {
        if (f.wire != WIRE_BYTES)
            continue;
        if (f.number == UNKNOWN_TYPE && read_type(f.bytes, &api_version, &kind, err) < 0)
            return -1;
        if (f.number == UNKNOWN_RAW)
            raw = f.bytes;
        if (f.number == UNKNOWN_ENCODING && f.bytes.n)
            return err_bad(err, "unsupported content encoding of a protobuf message");
    }
    if (more < 0)
        return -1;
    *ret_api_version = api_version;
    *ret_kind = kind;
    *ret_raw = raw;
    return 0;
}
