/* http2.h: what the HTTP/2 server and client share: body queues, field lists, sending. Inside net/
 * only. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "net/conn.h"
#include "net/http.h"

/* The body of one direction of a stream, not yet made into frames. */
struct h2_piece;
struct h2_queue {
    struct h2_piece *head, *tail;
    size_t queued;
    bool ended;    /* no more will be put */
    bool deferred; /* nghttp2 waits for nghttp2_session_resume_data */
};
void h2_queue_put(struct h2_queue *q, struct bytes *b); /* refers; NULL and empty are fine */
void h2_queue_done(struct h2_queue *q);
/* For a data source's read callback: how much of n there is to send without copying. */
ssize_t h2_queue_offer(struct h2_queue *q, size_t n, uint32_t *flags);
/* For the send_data callback: the frame's 9 byte head and n bytes of body go to c. */
void h2_queue_send(struct h2_queue *q, struct conn *c, const uint8_t *head, size_t n);

/* A field list for nghttp2: values are borrowed, lowered names live in a scratch buffer. */
enum { H2_FIELDS_INLINE = 16 };
struct h2_fields {
    struct buf *scratch;
    nghttp2_nv *nv, inline_nv[H2_FIELDS_INLINE + 4];
    size_t count;
    char status[4], length[24];
};
void h2_fields_init(struct h2_fields *f, struct buf *scratch, size_t count);
void h2_fields_done(struct h2_fields *f);
void h2_fields_status(struct h2_fields *f, int status);
void h2_fields_length(struct h2_fields *f, size_t length);
/* Fields that belong to an HTTP/1.1 connection are left out (RFC 9113 section 8.2.2). */
void h2_fields_add(struct h2_fields *f, struct str name, struct str value);
const nghttp2_nv *h2_fields_end(struct h2_fields *f); /* valid until scratch changes */

/* Moves frames to c while less than `high` bytes wait there. -1: the session is broken. */
int h2_pump(nghttp2_session *session, struct conn *c, size_t high);
