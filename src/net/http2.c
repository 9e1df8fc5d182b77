#include "net/http2.h"

#include <stdio.h>

struct h2_piece {
    struct h2_piece *next;
    struct bytes *bytes;
    size_t at;
};

void h2_queue_put(struct h2_queue *q, struct bytes *b)
{
    if (!b || b->n == 0)
        return;
    struct h2_piece *piece = mem_alloc(sizeof(*piece));
    *piece = (struct h2_piece){.bytes = bytes_ref(b)};
    if (q->tail)
        q->tail->next = piece;
    else
        q->head = piece;
    q->tail = piece;
    q->queued += b->n;
}

static void drop_piece(struct h2_queue *q)
{
    struct h2_piece *piece = q->head;
    q->head = piece->next;
    if (!q->head)
        q->tail = NULL;
    bytes_unref(piece->bytes);
    free(piece);
}

void h2_queue_done(struct h2_queue *q)
{
    while (q->head)
        drop_piece(q);
    q->queued = 0;
}

ssize_t h2_queue_offer(struct h2_queue *q, size_t n, uint32_t *flags)
{
    if (q->queued == 0 && !q->ended) {
        q->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (n > q->queued)
        n = q->queued;
    if (q->ended && n == q->queued)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    return (ssize_t)n;
}

void h2_queue_send(struct h2_queue *q, struct conn *c, const uint8_t *head, size_t n)
{
    conn_write(c, (struct str){(const char *)head, 9});
    q->queued -= n;
    while (n > 0) {
        struct h2_piece *piece = q->head;
        size_t left = piece->bytes->n - piece->at, take = n < left ? n : left;
        conn_write_bytes(c, piece->bytes, piece->at, take);
        piece->at += take;
        n -= take;
        if (take == left)
            drop_piece(q);
    }
}

void h2_fields_init(struct h2_fields *f, struct buf *scratch, size_t count)
{
    buf_clear(scratch);
    f->scratch = scratch;
    f->count = 0;
    f->nv = f->inline_nv;
    if (count > H2_FIELDS_INLINE)
        f->nv = mem_realloc_array(NULL, count + 4, sizeof(nghttp2_nv));
}

void h2_fields_done(struct h2_fields *f)
{
    if (f->nv != f->inline_nv)
        free(f->nv);
}

static uint8_t *bytes_of(const char *p)
{
    return (uint8_t *)(uintptr_t)p;
}

void h2_fields_status(struct h2_fields *f, int status)
{
    snprintf(f->status, sizeof(f->status), "%03u", (unsigned)status % 1000);
    h2_fields_add(f, STR(":status"), str_of(f->status));
}

void h2_fields_length(struct h2_fields *f, size_t length)
{
    int n = snprintf(f->length, sizeof(f->length), "%zu", length);
    h2_fields_add(f, STR("content-length"), (struct str){f->length, (size_t)n});
}

static bool is_connection_field(struct str lower)
{
    static const struct str names[] = {STR_INIT("connection"), STR_INIT("keep-alive"),
                                       STR_INIT("proxy-connection"), STR_INIT("transfer-encoding"),
                                       STR_INIT("upgrade")};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(lower, names[i]))
            return true;
    return false;
}

void h2_fields_add(struct h2_fields *f, struct str name, struct str value)
{
    struct buf *b = f->scratch;
    size_t at = b->n;
    char *to = buf_reserve(b, name.n);
    for (size_t i = 0; i < name.n; i++)
        to[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] + 32) : name.p[i];
    if (is_connection_field((struct str){to, name.n}))
        return;
    b->n += name.n;
    /* The scratch buffer may move: an offset until h2_fields_end. */
    f->nv[f->count++] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)at,
                                     .namelen = name.n,
                                     .value = bytes_of(value.p ? value.p : ""),
                                     .valuelen = value.n};
}

const nghttp2_nv *h2_fields_end(struct h2_fields *f)
{
    for (size_t i = 0; i < f->count; i++)
        f->nv[i].name = bytes_of(buf_z(f->scratch) + (uintptr_t)f->nv[i].name);
    return f->nv;
}

int h2_pump(nghttp2_session *session, struct conn *c, size_t high)
{
    while (conn_queued(c) < high) {
        const uint8_t *p;
        ssize_t n = nghttp2_session_mem_send(session, &p);
        if (n < 0)
            return -1;
        if (n == 0)
            return 0;
        conn_write(c, (struct str){(const char *)p, (size_t)n});
    }
    return 0;
}
