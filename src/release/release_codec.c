/* release_codec.c: a release as it is kept: base64 of gzip of its JSON. What was stored before
 * there was compression is plain JSON. */
#include <zlib.h>

#include "release/release_internal.h"
#include "template/gobase.h"

enum { GZIP = 16 + MAX_WBITS, PIECE = 64 * 1024 };

static int compress_into(struct chart_ctx *cx, struct str plain, struct buf *out)
{
    z_stream z = {.next_in = (Bytef *)plain.p, .avail_in = (uInt)plain.n};
    if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        return chart_fail(cx, "gzip: out of memory");
    size_t room = deflateBound(&z, plain.n);
    z.next_out = (Bytef *)buf_reserve(out, room);
    z.avail_out = (uInt)room;
    int status = deflate(&z, Z_FINISH);
    out->n += room - z.avail_out;
    deflateEnd(&z);
    return status == Z_STREAM_END ? 0 : chart_fail(cx, "gzip: the stream did not end");
}

int release_encode(struct chart_ctx *cx, const struct release *r, struct buf *b)
{
    struct buf json = {0}, packed = {0};
    int status = release_write_json(cx, r, &json);
    if (status == 0 && json.n > RELEASE_MAX_JSON)
        status = chart_fail(cx, "the release is larger than %d bytes", RELEASE_MAX_JSON);
    if (status == 0)
        status = compress_into(cx, buf_str(&json), &packed);
    if (status == 0)
        gobase64_write(b, buf_str(&packed));
    buf_done(&json);
    buf_done(&packed);
    return status;
}

/* Go reads members one behind the other as one text. */
static int inflate_all(struct chart_ctx *cx, z_stream *z, struct buf *out)
{
    for (;;) {
        z->next_out = (Bytef *)buf_reserve(out, PIECE);
        z->avail_out = PIECE;
        int status = inflate(z, Z_NO_FLUSH);
        out->n += PIECE - z->avail_out;
        if (out->n > RELEASE_MAX_JSON)
            return chart_fail(cx, "the release is larger than %d bytes", RELEASE_MAX_JSON);
        if (status == Z_STREAM_END && z->avail_in == 0)
            return 0;
        if (status == Z_STREAM_END)
            status = inflateReset(z);
        else if (status == Z_BUF_ERROR || (status == Z_OK && z->avail_in == 0 && z->avail_out > 0))
            return chart_fail(cx, "unexpected EOF");
        if (status != Z_OK)
            return chart_fail(cx, "gzip: invalid %s", out->n ? "checksum" : "header");
    }
}

static int decompress_into(struct chart_ctx *cx, struct str packed, struct buf *out)
{
    z_stream z = {.next_in = (Bytef *)packed.p, .avail_in = (uInt)packed.n};
    if (inflateInit2(&z, GZIP) != Z_OK)
        return chart_fail(cx, "gzip: out of memory");
    int status = inflate_all(cx, &z, out);
    inflateEnd(&z);
    return status;
}

typedef int read_fn(struct chart_ctx *cx, struct str json, struct release **ret);

static int decode_plain(struct chart_ctx *cx, struct str kept, read_fn *read, struct release **ret)
{
    struct buf json = {0};
    if (kept.n <= 3 || !str_starts(kept, STR("\x1f\x8b\x08")))
        return read(cx, kept, ret);
    int status = decompress_into(cx, kept, &json);
    if (status == 0)
        status = read(cx, buf_str(&json), ret);
    buf_done(&json);
    return status;
}

static int decode(struct chart_ctx *cx, struct str text, read_fn *read, struct release **ret)
{
    struct buf kept = {0};
    size_t at;
    if (text.n > RELEASE_MAX_JSON)
        return chart_fail(cx, "the release is larger than %d bytes", RELEASE_MAX_JSON);
    int status = gobase64_decode(&kept, text, &at) == 0
                     ? decode_plain(cx, buf_str(&kept), read, ret)
                     : chart_fail(cx, "illegal base64 data at input byte %zu", at);
    buf_done(&kept);
    return status;
}

int release_decode(struct chart_ctx *cx, struct str text, struct release **ret)
{
    return decode(cx, text, release_read_json, ret);
}

int release_decode_head(struct chart_ctx *cx, struct str text, struct release **ret)
{
    return decode(cx, text, release_read_head, ret);
}
