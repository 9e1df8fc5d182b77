#include "api/gzip.h"

#include <zlib.h>

#include "api/proto.h"

struct gzip {
    z_stream z;
};

bool gzip_accepted(struct str header)
{
    struct str token;
    while (str_next(&header, ',', &token))
        if (str_is(str_trim(token), "gzip"))
            return true;
    return false;
}

struct gzip *gzip_new(void)
{
    enum { LEVEL = 1, WINDOW = 15, GZIP_FORMAT = 16, MEMORY = 8 };
    struct gzip *g = NEW(struct gzip);
    if (deflateInit2(&g->z, LEVEL, Z_DEFLATED, WINDOW + GZIP_FORMAT, MEMORY, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        abort(); /* out of memory */
    return g;
}

void gzip_free(struct gzip *g)
{
    if (!g)
        return;
    deflateEnd(&g->z);
    free(g);
}

static const int flushes[] = {Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH};

void gzip_put(struct gzip *g, struct str s, enum gzip_flush flush, struct buf *out)
{
    enum { ROOM = 16 * 1024, PIECE = 1 << 30 };
    do {
        struct str piece = str_head(s, PIECE);
        bool last = piece.n == s.n;
        g->z.next_in = (Bytef *)(uintptr_t)piece.p;
        g->z.avail_in = (uInt)piece.n;
        do {
            g->z.next_out = (Bytef *)buf_reserve(out, ROOM);
            g->z.avail_out = ROOM;
            deflate(&g->z, last ? flushes[flush] : Z_NO_FLUSH);
            out->n += ROOM - g->z.avail_out;
        } while (!g->z.avail_out);
        s = str_from(s, piece.n);
    } while (s.n);
}

/* --- whole answers --- */

static void encode_proto(struct call *c)
{
    struct buf b = {0};
    struct err err;
    if (proto_put(bytes_str(c->reply), &b, &err) == 0) {
        bytes_unref(c->reply);
        c->reply = bytes_new(buf_str(&b));
        c->reply_type = PROTO_TYPE;
    } else if (c->status < 400) {
        call_fail(c, &err);
    }
    buf_done(&b);
}

static void compress_reply(struct call *c)
{
    struct buf b = {0};
    struct gzip *g = gzip_new();
    gzip_put(g, bytes_str(c->reply), GZIP_END, &b);
    gzip_free(g);
    bytes_unref(c->reply);
    c->reply = bytes_new(buf_str(&b));
    buf_done(&b);
    call_header(c, "content-encoding", STR("gzip"));
    call_header(c, "vary", STR("Accept-Encoding"));
}

void answer_encode(struct call *c)
{
    if (!c->reply)
        return;
    bool json = !c->reply_type || strcmp(c->reply_type, "application/json") == 0;
    if (json && (c->proto || (c->status >= 400 && negotiate_error_proto(c))))
        encode_proto(c);
    bool room = c->header_count + 2 <= ARRAY_LEN(c->headers);
    if (c->gzip && c->kind && room && c->reply->n > GZIP_MIN)
        compress_reply(c);
}
