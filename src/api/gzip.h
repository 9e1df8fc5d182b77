/* gzip.h: long answers, compressed: level 1, from 128 KiB on, as kube-apiserver does it.
 *
 * A list of pods becomes a twentieth of its size at some hundred megabytes a second. */
#pragma once

#include "api/call.h"

enum { GZIP_MIN = 128 * 1024 }; /* longer ones are worth it */

/* Whether an Accept-Encoding header names gzip. */
bool gzip_accepted(struct str header);

struct gzip;
struct gzip *gzip_new(void); /* never NULL */
void gzip_free(struct gzip *g);

enum gzip_flush { GZIP_MORE, GZIP_SYNC, GZIP_END }; /* SYNC: all that was put can be read */
void gzip_put(struct gzip *g, struct str s, enum gzip_flush flush, struct buf *out);

/* The call's answer is complete: puts it into the encodings that the client asked for (protobuf,
 * gzip). */
void answer_encode(struct call *c);
