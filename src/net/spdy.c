#include "net/spdy.h"

#include <zlib.h>

enum {
    HEAD = 8, /* bytes before the payload of any frame */
    CONTROL = 0x80,
    VERSION = 3,
    FLAG_FIN = 1,
    SETTING_INITIAL_WINDOW = 7,
    WINDOW_MAX = 0x7fffffff,
    CONTROL_MAX = SPDY_HEADERS_MAX,
    KEEP = 4096, /* a buffer above this is given back when it is empty */
};

enum type {
    SYN_STREAM = 1,
    SYN_REPLY = 2,
    RST_STREAM = 3,
    SETTINGS = 4,
    PING = 6,
    GOAWAY = 7,
    HEADERS = 8,
    WINDOW_UPDATE = 9,
};

/* What both sides' compressors know in advance: lengths and words of SPDY/3's section 2.6.10.1. */
static const char dictionary[] =
    "\0\0\0\7options\0\0\0\4head\0\0\0\4post\0\0\0\3put\0\0\0\6delete\0\0\0\5trace"
    "\0\0\0\6accept\0\0\0\16accept-charset\0\0\0\17accept-encoding\0\0\0\17accept-language"
    "\0\0\0\15accept-ranges\0\0\0\3age\0\0\0\5allow\0\0\0\15authorization"
    "\0\0\0\15cache-control\0\0\0\12connection\0\0\0\14content-base\0\0\0\20content-encoding"
    "\0\0\0\20content-language\0\0\0\16content-length\0\0\0\20content-location"
    "\0\0\0\13content-md5\0\0\0\15content-range\0\0\0\14content-type\0\0\0\4date\0\0\0\4etag"
    "\0\0\0\6expect\0\0\0\7expires\0\0\0\4from\0\0\0\4host\0\0\0\10if-match"
    "\0\0\0\21if-modified-since\0\0\0\15if-none-match\0\0\0\10if-range"
    "\0\0\0\23if-unmodified-since\0\0\0\15last-modified\0\0\0\10location\0\0\0\14max-forwards"
    "\0\0\0\6pragma\0\0\0\22proxy-authenticate\0\0\0\23proxy-authorization\0\0\0\5range"
    "\0\0\0\7referer\0\0\0\13retry-after\0\0\0\6server\0\0\0\2te\0\0\0\7trailer"
    "\0\0\0\21transfer-encoding\0\0\0\7upgrade\0\0\0\12user-agent\0\0\0\4vary\0\0\0\3via"
    "\0\0\0\7warning\0\0\0\20www-authenticate\0\0\0\6method\0\0\0\3get\0\0\0\6status"
    "\0\0\0\006200 OK\0\0\0\7version\0\0\0\10HTTP/1.1\0\0\0\3url\0\0\0\6public"
    "\0\0\0\12set-cookie\0\0\0\12keep-alive\0\0\0\6origin"
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502"
    "504505203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Re"
    "quest401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Impl"
    "emented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00"
    ":00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,imag"
    "e/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivate"
    "max-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

struct spdy {
    bool server, over;
    const struct spdy_events *events;
    void *arg;
    z_stream inflate, deflate;
    struct buf in;    /* an incomplete frame head or control frame */
    uint32_t last_id; /* the newest stream that the peer opened */
    uint32_t data_id; /* a data frame of which data_left bytes are missing */
    uint32_t data_left;
    bool data_fin;
};

static void *zalloc(void *opaque, unsigned count, unsigned size)
{
    (void)opaque;
    return mem_realloc_array(NULL, count, size);
}

static void zfree(void *opaque, void *p)
{
    (void)opaque;
    free(p);
}

struct spdy *spdy_new(bool server, const struct spdy_events *events, void *arg)
{
    struct spdy *s = NEW(struct spdy);
    s->server = server;
    s->events = events;
    s->arg = arg;
    s->inflate.zalloc = s->deflate.zalloc = zalloc;
    s->inflate.zfree = s->deflate.zfree = zfree;
    /* What we send is short: a window of 2 KiB holds the dictionary and keeps a session small. */
    if (inflateInit(&s->inflate) != Z_OK ||
        deflateInit2(&s->deflate, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 11, 1, Z_DEFAULT_STRATEGY) !=
            Z_OK ||
        deflateSetDictionary(&s->deflate, (const Bytef *)dictionary, sizeof(dictionary) - 1) !=
            Z_OK)
        abort();
    return s;
}

void spdy_free(struct spdy *s)
{
    if (!s)
        return;
    inflateEnd(&s->inflate);
    deflateEnd(&s->deflate);
    buf_done(&s->in);
    free(s);
}

void spdy_stop(struct spdy *s)
{
    s->over = true;
}

/* --- writing --- */

static void put_u32(struct buf *b, uint32_t v)
{
    unsigned char bytes[4] = {v >> 24, v >> 16 & 255, v >> 8 & 255, v & 255};
    buf_append(b, bytes, sizeof(bytes));
}

static void put_head(struct buf *out, enum type type, uint8_t flags, uint32_t n)
{
    put_u32(out, (uint32_t)(CONTROL << 8 | VERSION) << 16 | type);
    put_u32(out, (uint32_t)flags << 24 | n);
}

/* The name-value block; the compressor's state goes on from block to block. */
static void put_headers(struct spdy *s, const struct http_header *headers, size_t count,
                        struct buf *out)
{
    struct buf plain = {0};
    put_u32(&plain, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        put_u32(&plain, (uint32_t)headers[i].name.n);
        buf_put(&plain, headers[i].name);
        put_u32(&plain, (uint32_t)headers[i].value.n);
        buf_put(&plain, headers[i].value);
    }
    s->deflate.next_in = (Bytef *)plain.p;
    s->deflate.avail_in = (uInt)plain.n;
    do {
        enum { STEP = 512 };
        s->deflate.next_out = (Bytef *)buf_reserve(out, STEP);
        s->deflate.avail_out = STEP;
        deflate(&s->deflate, Z_SYNC_FLUSH);
        out->n += STEP - s->deflate.avail_out;
    } while (s->deflate.avail_out == 0);
    buf_reserve(out, 1)[0] = '\0';
    buf_done(&plain);
}

void spdy_write_stream(struct spdy *s, uint32_t id, const struct http_header *headers, size_t count,
                       bool fin, struct buf *out)
{
    struct buf block = {0};
    put_headers(s, headers, count, &block);
    put_head(out, SYN_STREAM, fin ? FLAG_FIN : 0, (uint32_t)block.n + 10);
    put_u32(out, id);
    put_u32(out, 0);            /* associated to no stream */
    buf_append(out, "\0\0", 2); /* priority and slot */
    buf_put(out, buf_str(&block));
    buf_done(&block);
}

void spdy_write_reply(struct spdy *s, uint32_t id, struct buf *out)
{
    struct buf block = {0};
    put_headers(s, NULL, 0, &block);
    put_head(out, SYN_REPLY, 0, (uint32_t)block.n + 4);
    put_u32(out, id);
    buf_put(out, buf_str(&block));
    buf_done(&block);
}

void spdy_write_data(uint32_t id, struct str bytes, bool fin, struct buf *out)
{
    do {
        struct str piece = str_head(bytes, SPDY_DATA_MAX);
        bytes = str_from(bytes, piece.n);
        put_u32(out, id);
        put_u32(out, (uint32_t)(fin && bytes.n == 0 ? FLAG_FIN : 0) << 24 | (uint32_t)piece.n);
        buf_put(out, piece);
    } while (bytes.n);
}

void spdy_write_reset(uint32_t id, enum spdy_reset why, struct buf *out)
{
    put_head(out, RST_STREAM, 0, 8);
    put_u32(out, id);
    put_u32(out, why);
}

void spdy_write_window(uint32_t id, uint32_t more, struct buf *out)
{
    put_head(out, WINDOW_UPDATE, 0, 8);
    put_u32(out, id);
    put_u32(out, more);
}

void spdy_write_ping(uint32_t id, struct buf *out)
{
    put_head(out, PING, 0, 4);
    put_u32(out, id);
}

void spdy_write_goaway(struct spdy *s, bool broken, struct buf *out)
{
    put_head(out, GOAWAY, 0, 8);
    put_u32(out, s->last_id);
    put_u32(out, broken ? 1 : 0);
}

/* --- reading --- */

static uint32_t get_u32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static uint32_t get_u24(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] << 16 | (uint32_t)u[1] << 8 | u[2];
}

/* Every block goes through the inflater, those of unknown streams too: the state is shared. */
static int inflate_block(struct spdy *s, struct str block, struct buf *plain, struct err *err)
{
    z_stream *z = &s->inflate;
    z->next_in = (Bytef *)block.p;
    z->avail_in = (uInt)block.n;
    for (;;) {
        enum { STEP = 2048 };
        z->next_out = (Bytef *)buf_reserve(plain, STEP);
        z->avail_out = STEP;
        int rc = inflate(z, Z_SYNC_FLUSH);
        plain->n += STEP - z->avail_out;
        if (plain->n > SPDY_HEADERS_MAX)
            return err_bad(err, "spdy: header block is larger than %d bytes", SPDY_HEADERS_MAX);
        if (rc == Z_NEED_DICT)
            rc = inflateSetDictionary(z, (const Bytef *)dictionary, sizeof(dictionary) - 1);
        else if (rc == Z_BUF_ERROR || (rc == Z_OK && z->avail_in == 0 && z->avail_out))
            return 0;
        if (rc != Z_OK)
            return err_bad(err, "spdy: bad compressed header block");
    }
}

static bool take_text(struct str *rest, struct str *ret)
{
    if (rest->n < 4)
        return false;
    uint32_t n = get_u32(rest->p);
    if (n > rest->n - 4)
        return false;
    *ret = (struct str){rest->p + 4, n};
    *rest = str_from(*rest, 4 + (size_t)n);
    return true;
}

static bool is_lower(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || (name.p[i] >= 'A' && name.p[i] <= 'Z'))
            return false;
    return name.n > 0;
}

static int parse_headers(struct str plain, struct http_header *headers, size_t *ret_count,
                         struct err *err)
{
    uint32_t count = plain.n < 4 ? 0 : get_u32(plain.p);
    if (plain.n < 4 || count > SPDY_HEADER_COUNT_MAX)
        return err_bad(err, "spdy: bad number of headers");
    plain = str_from(plain, 4);
    for (uint32_t i = 0; i < count; i++)
        if (!take_text(&plain, &headers[i].name) || !take_text(&plain, &headers[i].value) ||
            !is_lower(headers[i].name))
            return err_bad(err, "spdy: bad header");
    *ret_count = count;
    return plain.n ? err_bad(err, "spdy: bytes behind the headers") : 0;
}

static void opened(struct spdy *s, uint32_t id, const struct http_header *headers, size_t count,
                   bool fin, struct buf *out)
{
    /* A client's ids are odd and rise (section 2.3.2). */
    if ((id & 1) != (s->server ? 1 : 0) || id <= s->last_id) {
        spdy_write_reset(id, SPDY_PROTOCOL_ERROR, out);
        return;
    }
    s->last_id = id;
    if (s->events->stream)
        s->events->stream(s->arg, id, headers, count, fin);
}

static int take_headers(struct spdy *s, enum type type, uint8_t flags, struct str payload,
                        struct buf *out, struct err *err)
{
    size_t fixed = type == SYN_STREAM ? 10 : 4, count = 0;
    if (payload.n < fixed)
        return err_bad(err, "spdy: frame is too short");
    uint32_t id = get_u32(payload.p) & WINDOW_MAX;
    struct http_header headers[SPDY_HEADER_COUNT_MAX];
    struct buf plain = {0};
    int rc = inflate_block(s, str_from(payload, fixed), &plain, err);
    if (rc == 0)
        rc = parse_headers(buf_str(&plain), headers, &count, err);
    if (rc == 0 && type == SYN_STREAM)
        opened(s, id, headers, count, flags & FLAG_FIN, out);
    if (rc == 0 && type == SYN_REPLY && s->events->reply)
        s->events->reply(s->arg, id, headers, count);
    if (rc == 0 && type != SYN_STREAM && flags & FLAG_FIN && s->events->end && !s->over)
        s->events->end(s->arg, id);
    buf_done(&plain);
    return rc;
}

static int take_settings(struct spdy *s, struct str payload, struct err *err)
{
    if (payload.n < 4 || get_u32(payload.p) != (payload.n - 4) / 8 || (payload.n - 4) % 8)
        return err_bad(err, "spdy: bad settings");
    for (payload = str_from(payload, 4); payload.n; payload = str_from(payload, 8)) {
        uint32_t value = get_u32(payload.p + 4);
        if (get_u24(payload.p + 1) != SETTING_INITIAL_WINDOW)
            continue;
        if (value > WINDOW_MAX)
            return err_bad(err, "spdy: bad window");
        if (s->events->initial_window)
            s->events->initial_window(s->arg, value);
    }
    return 0;
}

static int take_control(struct spdy *s, const char *head, struct str payload, struct buf *out,
                        struct err *err)
{
    static const uint8_t least[] = {
        [RST_STREAM] = 8, [PING] = 4, [GOAWAY] = 4, [WINDOW_UPDATE] = 8};
    unsigned type = (unsigned char)head[2] << 8 | (unsigned char)head[3];
    if (type < ARRAY_LEN(least) && payload.n < least[type])
        return err_bad(err, "spdy: frame is too short");
    uint32_t id = payload.n >= 4 ? get_u32(payload.p) & WINDOW_MAX : 0;
    switch (type) {
    case SYN_STREAM:
    case SYN_REPLY:
    case HEADERS:
        return take_headers(s, type, (uint8_t)head[4], payload, out, err);
    case RST_STREAM:
        if (s->events->reset)
            s->events->reset(s->arg, id, get_u32(payload.p + 4));
        return 0;
    case SETTINGS:
        return take_settings(s, payload, err);
    case PING: /* an id of the peer's own kind is a question, ours an answer (section 2.6.5) */
        if ((get_u32(payload.p) & 1) == (s->server ? 1 : 0))
            spdy_write_ping(get_u32(payload.p), out);
        return 0;
    case GOAWAY:
        if (s->events->goaway)
            s->events->goaway(s->arg);
        return 0;
    case WINDOW_UPDATE:
        if (s->events->window)
            s->events->window(s->arg, id, get_u32(payload.p + 4) & WINDOW_MAX);
        return 0;
    default:
        return 0; /* unknown frames are ignored (section 2.2.1) */
    }
}

/* Takes what is there of a data frame's payload. */
static size_t take_data(struct spdy *s, struct str rest)
{
    struct str piece = str_head(rest, s->data_left);
    s->data_left -= (uint32_t)piece.n;
    if (piece.n && s->events->data)
        s->events->data(s->arg, s->data_id, piece);
    if (s->data_left == 0 && s->data_fin && !s->over && s->events->end)
        s->events->end(s->arg, s->data_id);
    return piece.n;
}

/* One frame, or a part of a data frame, from the front of rest. *ret_taken 0: more is needed. */
static int take_frame(struct spdy *s, struct str rest, size_t *ret_taken, struct buf *out,
                      struct err *err)
{
    *ret_taken = 0;
    if (s->data_left) {
        *ret_taken = take_data(s, rest);
        return 0;
    }
    if (rest.n < HEAD)
        return 0;
    uint32_t n = get_u24(rest.p + 5);
    if (!((unsigned char)rest.p[0] & CONTROL)) {
        s->data_id = get_u32(rest.p);
        s->data_left = n;
        s->data_fin = rest.p[4] & FLAG_FIN;
        *ret_taken = HEAD + take_data(s, str_from(rest, HEAD));
        return 0;
    }
    if (((unsigned char)rest.p[0] & 127) != 0 || rest.p[1] != VERSION)
        return err_bad(err, "spdy: not version 3");
    if (n > CONTROL_MAX)
        return err_bad(err, "spdy: control frame is larger than %d bytes", CONTROL_MAX);
    if (rest.n - HEAD < n)
        return 0;
    *ret_taken = HEAD + n;
    return take_control(s, rest.p, (struct str){rest.p + HEAD, n}, out, err);
}

int spdy_feed(struct spdy *s, struct str bytes, struct buf *out, struct err *err)
{
    bool kept = s->in.n > 0;
    if (s->over)
        return 0;
    if (kept) {
        buf_put(&s->in, bytes);
        bytes = buf_str(&s->in);
    }
    size_t at = 0, taken = 1;
    int rc = 0;
    while (rc == 0 && taken && !s->over && at < bytes.n) {
        rc = take_frame(s, str_from(bytes, at), &taken, out, err);
        at += taken;
    }
    if (rc != 0) {
        s->over = true;
        spdy_write_goaway(s, true, out);
    }
    if (s->over)
        at = bytes.n;
    if (kept)
        buf_remove_front(&s->in, at);
    else
        buf_put(&s->in, str_from(bytes, at));
    if (s->in.n == 0 && s->in.cap > KEEP)
        buf_done(&s->in);
    return rc;
}
