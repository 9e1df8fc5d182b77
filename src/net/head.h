/* head.h: the header fields of one message, as they arrive. Inside net/ only.
 *
 * Bytes are appended to `text`; until head_finish the strings of `headers` hold offsets into it,
 * because it moves when it grows. Then they are pointers and nothing may be added. */
#pragma once

#include "base/buf.h"
#include "net/http.h"

enum { HEAD_MAX = 64 * 1024, HEAD_FIELD_COST = 32 /* RFC 9113 section 6.5.2 */ };

struct head {
    struct buf text;
    struct http_header *headers;
    size_t count, cap;
};

void head_done(struct head *h);
void head_clear(struct head *h);                   /* small memory is kept for the next message */
bool head_fits(const struct head *h, size_t more); /* false: larger than HEAD_MAX */
size_t head_text(struct head *h, struct str s);    /* the offset at which s was put */
void head_add(struct head *h);                     /* a new field, empty */
void head_name(struct head *h, struct str part);  /* extends the newest field's name, lowering it */
void head_value(struct head *h, struct str part); /* extends the newest field's value */
void head_finish(struct head *h);
struct str head_at(const struct head *h, size_t offset, size_t n);
struct str head_find(const struct http_header *headers, size_t count, const char *lower_name);
