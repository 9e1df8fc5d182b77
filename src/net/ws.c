#include "net/ws.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

enum {
    FIN = 0x80,
    RSV = 0x70,
    MASK = 0x80,
    CONTROL_MAX = 125,
    KEEP = 4096, /* buffers above this are given back when they are empty */
    CLOSE_PROTOCOL = 1002,
    CLOSE_BAD_DATA = 1007,
    CLOSE_TOO_BIG = 1009,
};

struct frame {
    bool fin, masked;
    enum ws_opcode op;
    size_t head_n, n; /* bytes of head, of payload */
    unsigned char key[4];
};

void ws_init(struct ws *w, bool server, size_t max_message,
             void (*message)(void *arg, enum ws_opcode, struct str), void *arg)
{
    *w = (struct ws){.server = server, .max_message = max_message, .message = message, .arg = arg};
}

void ws_done(struct ws *w)
{
    buf_done(&w->in);
    buf_done(&w->assembled);
}

/* --- writing --- */

static void apply_mask(char *p, size_t n, const unsigned char key[4])
{
    for (size_t i = 0; i < n; i++)
        p[i] = (char)(p[i] ^ key[i & 3]);
}

void ws_write(const struct ws *w, enum ws_opcode op, struct str payload, struct buf *out)
{
    unsigned char head[14];
    size_t n = 0;
    head[n++] = (unsigned char)(FIN | op);
    unsigned char mask = w->server ? 0 : MASK;
    if (payload.n <= CONTROL_MAX) {
        head[n++] = (unsigned char)(mask | payload.n);
    } else {
        int bytes = payload.n <= 0xFFFF ? 2 : 8;
        head[n++] = mask | (bytes == 2 ? 126 : 127);
        for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
            head[n++] = (unsigned char)((uint64_t)payload.n >> shift);
    }
    unsigned char *key = head + n;
    if (mask) {
        /* Unpredictable, so that a page cannot choose the bytes on the wire (RFC 6455, 10.3). */
        if (RAND_bytes(key, 4) != 1)
            abort();
        n += 4;
    }
    buf_append(out, head, n);
    size_t at = out->n;
    buf_put(out, payload);
    if (mask)
        apply_mask(out->p + at, payload.n, key);
}

void ws_write_close(const struct ws *w, int code, struct str text, struct buf *out)
{
    char payload[CONTROL_MAX];
    payload[0] = (char)(code >> 8);
    payload[1] = (char)code;
    size_t n = text.n < CONTROL_MAX - 2 ? text.n : CONTROL_MAX - 2;
    /* Not through the middle of a UTF-8 sequence. */
    while (n < text.n && n > 0 && ((unsigned char)text.p[n] & 0xC0) == 0x80)
        n--;
    if (n)
        memcpy(payload + 2, text.p, n);
    ws_write(w, WS_CLOSE, (struct str){payload, n + 2}, out);
}

/* --- reading --- */

static int broken(struct ws *w, struct buf *out, struct err *err, int code, const char *why)
{
    w->closed = true;
    ws_write_close(w, code, str_of(why), out);
    return err_bad(err, "websocket: %s", why);
}

/* 1: f is filled, 0: more bytes are needed. Says in why what is wrong with it. */
static int read_head(const struct ws *w, struct str s, struct frame *f, const char **why)
{
    if (s.n < 2)
        return 0;
    const unsigned char *p = (const unsigned char *)s.p;
    *f = (struct frame){.fin = p[0] & FIN, .op = p[0] & 15, .masked = p[1] & MASK, .head_n = 2};
    uint64_t n = p[1] & 127;
    bool control = f->op >= WS_CLOSE;
    if (p[0] & RSV)
        *why = "reserved bits are set";
    else if (f->op > WS_PONG || (f->op > WS_BINARY && !control))
        *why = "unknown opcode";
    else if (f->masked != w->server)
        *why = w->server ? "frame is not masked" : "frame is masked";
    else if (control && (!f->fin || n > CONTROL_MAX))
        *why = "control frame is fragmented or too long";
    if (*why)
        return 1;
    size_t length_n = n == 126 ? 2 : n == 127 ? 8 : 0;
    f->head_n += length_n + (f->masked ? 4 : 0);
    if (s.n < f->head_n)
        return 0;
    if (length_n) {
        n = 0;
        for (size_t i = 0; i < length_n; i++)
            n = n << 8 | p[2 + i];
    }
    if (n >> 63)
        *why = "frame length is negative";
    f->n = n;
    if (f->masked)
        memcpy(f->key, p + f->head_n - 4, 4);
    return 1;
}

static bool is_utf8(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p, *end = p + s.n;
    while (p < end) {
        unsigned char c = *p++;
        if (c < 0x80)
            continue;
        int more = c >= 0xC2 && c <= 0xDF   ? 1
                   : (c & 0xF0) == 0xE0     ? 2
                   : c >= 0xF0 && c <= 0xF4 ? 3
                                            : 0;
        if (!more || end - p < more)
            return false;
        if ((c == 0xE0 && p[0] < 0xA0) || (c == 0xED && p[0] > 0x9F) ||
            (c == 0xF0 && p[0] < 0x90) || (c == 0xF4 && p[0] > 0x8F))
            return false;
        for (; more; more--, p++)
            if ((*p & 0xC0) != 0x80)
                return false;
    }
    return true;
}

/* Codes a peer may send (RFC 6455 section 7.4). */
static bool is_close_code(int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static int take_close(struct ws *w, struct str payload, struct buf *out, struct err *err)
{
    int code = payload.n >= 2 ? (unsigned char)payload.p[0] << 8 | (unsigned char)payload.p[1] : 0;
    if (payload.n == 1 || (payload.n >= 2 && !is_close_code(code)))
        return broken(w, out, err, CLOSE_PROTOCOL, "bad close code");
    if (!is_utf8(str_from(payload, 2)))
        return broken(w, out, err, CLOSE_BAD_DATA, "close reason is not UTF-8");
    w->closed = true;
    ws_write(w, WS_CLOSE, str_head(payload, 2), out); /* the answer echoes the code */
    w->message(w->arg, WS_CLOSE, payload);
    return 0;
}

static int take_control(struct ws *w, enum ws_opcode op, struct str payload, struct buf *out,
                        struct err *err)
{
    if (op == WS_CLOSE)
        return take_close(w, payload, out, err);
    if (op == WS_PING)
        ws_write(w, WS_PONG, payload, out);
    else
        w->message(w->arg, WS_PONG, payload);
    return 0;
}

static int whole_message(struct ws *w, enum ws_opcode op, struct str payload, struct buf *out,
                         struct err *err)
{
    if (op == WS_TEXT && !is_utf8(payload))
        return broken(w, out, err, CLOSE_BAD_DATA, "text is not UTF-8");
    w->message(w->arg, op, payload);
    return 0;
}

static int take_data(struct ws *w, const struct frame *f, struct str payload, struct buf *out,
                     struct err *err)
{
    bool more = f->op == WS_CONT;
    if (more == (w->assembling == WS_CONT))
        return broken(w, out, err, CLOSE_PROTOCOL,
                      more ? "continuation of nothing" : "message inside a fragmented one");
    if (!more && f->fin)
        return whole_message(w, f->op, payload, out, err);
    if (!more)
        w->assembling = f->op;
    buf_put(&w->assembled, payload);
    if (!f->fin)
        return 0;
    enum ws_opcode op = w->assembling;
    w->assembling = WS_CONT;
    int result = whole_message(w, op, buf_str(&w->assembled), out, err);
    if (w->assembled.cap > KEEP)
        buf_done(&w->assembled);
    else
        buf_clear(&w->assembled);
    return result;
}

/* Takes one frame from the n bytes at p and unmasks it there. ret_taken stays 0 when it is not
 * complete. */
static int take_frame(struct ws *w, char *p, size_t n, size_t *ret_taken, struct buf *out,
                      struct err *err)
{
    struct frame f;
    const char *why = NULL;
    *ret_taken = 0;
    if (!read_head(w, (struct str){p, n}, &f, &why))
        return 0;
    if (why)
        return broken(w, out, err, CLOSE_PROTOCOL, why);
    if (f.op < WS_CLOSE && (f.n > w->max_message || w->assembled.n > w->max_message - f.n))
        return broken(w, out, err, CLOSE_TOO_BIG, "message is too big");
    if (n - f.head_n < f.n)
        return 0;
    *ret_taken = f.head_n + f.n;
    char *payload = p + f.head_n;
    if (f.masked)
        apply_mask(payload, f.n, f.key);
    if (f.op >= WS_CLOSE)
        return take_control(w, f.op, (struct str){payload, f.n}, out, err);
    return take_data(w, &f, (struct str){payload, f.n}, out, err);
}

int ws_feed(struct ws *w, struct str bytes, struct buf *out, struct err *err)
{
    if (w->closed)
        return 0; /* what follows a close frame is not looked at */
    buf_put(&w->in, bytes);
    size_t at = 0, taken = 1;
    int result = 0;
    while (result == 0 && taken && !w->closed && at < w->in.n) {
        result = take_frame(w, w->in.p + at, w->in.n - at, &taken, out, err);
        at += taken;
    }
    if (w->closed)
        at = w->in.n;
    buf_remove_front(&w->in, at);
    if (w->in.n == 0 && w->in.cap > KEEP)
        buf_done(&w->in);
    return result;
}

void ws_accept_key(struct str key, char ret[29])
{
    struct buf b = {0};
    buf_put(&b, key);
    buf_puts(&b, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"); /* RFC 6455 section 1.3 */
    unsigned char digest[SHA_DIGEST_LENGTH];
    SHA1((const unsigned char *)b.p, b.n, digest);
    EVP_EncodeBlock((unsigned char *)ret, digest, sizeof(digest));
    buf_done(&b);
}
