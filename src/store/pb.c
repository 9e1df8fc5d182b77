#include "store/pb.h"

enum { VARINT = 0, FIXED64 = 1, DELIMITED = 2, FIXED32 = 5 };

/* The length of an inner message is known at its end; a varint may be longer than it needs to be,
 * so its place is kept at four bytes. */
enum { LENGTH_ROOM = 4 };

static void put_varint(struct buf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_putc(b, (char)(v | 0x80));
    buf_putc(b, (char)v);
}

static void put_tag(struct buf *b, uint32_t field, unsigned type)
{
    put_varint(b, (uint64_t)field << 3 | type);
}

void pb_u64(struct buf *b, uint32_t field, uint64_t v)
{
    if (!v)
        return;
    put_tag(b, field, VARINT);
    put_varint(b, v);
}

void pb_bytes(struct buf *b, uint32_t field, struct str v)
{
    if (!v.n)
        return;
    put_tag(b, field, DELIMITED);
    put_varint(b, v.n);
    buf_put(b, v);
}

size_t pb_begin(struct buf *b, uint32_t field)
{
    put_tag(b, field, DELIMITED);
    buf_reserve(b, LENGTH_ROOM);
    b->n += LENGTH_ROOM;
    return b->n;
}

void pb_end(struct buf *b, size_t m)
{
    size_t n = b->n - m;
    for (size_t i = 0; i < LENGTH_ROOM; i++, n >>= 7)
        b->p[m - LENGTH_ROOM + i] = (char)((n & 0x7f) | (i + 1 < LENGTH_ROOM ? 0x80 : 0));
}

static bool take_varint(struct pb_reader *r, uint64_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < 10 && i < r->rest.n; i++) {
        unsigned char c = (unsigned char)r->rest.p[i];
        *ret |= (uint64_t)(c & 0x7f) << (7 * i);
        if (!(c & 0x80)) {
            r->rest = str_from(r->rest, i + 1);
            return true;
        }
    }
    return false;
}

static bool take_bytes(struct pb_reader *r, uint64_t n)
{
    if (n > r->rest.n)
        return false;
    r->bytes = str_head(r->rest, (size_t)n);
    r->rest = str_from(r->rest, (size_t)n);
    return true;
}

static bool take_value(struct pb_reader *r, unsigned type)
{
    uint64_t n;
    switch (type) {
    case VARINT:
        return take_varint(r, &r->number);
    case DELIMITED:
        return take_varint(r, &n) && take_bytes(r, n);
    case FIXED64:
        return take_bytes(r, 8);
    case FIXED32:
        return take_bytes(r, 4);
    default:
        return false;
    }
}

bool pb_next(struct pb_reader *r)
{
    uint64_t tag;
    if (r->bad || r->rest.n == 0)
        return false;
    r->number = 0;
    r->bytes = (struct str){0};
    bool ok = take_varint(r, &tag) && tag >> 3 && tag >> 3 <= UINT32_MAX;
    r->field = (uint32_t)(tag >> 3);
    r->bad = !ok || !take_value(r, tag & 7);
    return !r->bad;
}
