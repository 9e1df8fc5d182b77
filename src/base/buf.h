/* buf.h: a growing byte buffer, owned by whoever declares it.
 *
 *     struct buf b = {0};
 *     buf_printf(&b, "%s/%d", name, port);
 *     buf_done(&b);
 *
 * After every call the bytes are followed by one NUL that len does not count, so b.p can be handed
 * to C functions. Before the first append p is NULL: buf_z() gives "" then. Not for two threads at
 * once. */
#pragma once

#include <stdarg.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

struct buf {
    char *p;
    size_t n;
    size_t cap;
};

void buf_done(struct buf *b);  /* frees the content; b is empty and usable again */
void buf_clear(struct buf *b); /* empties, keeps the memory */
char *buf_reserve(struct buf *b,
                  size_t more); /* room for `more` bytes at the end; the place to write them */
void buf_append(struct buf *b, const void *p, size_t n);
void buf_put(struct buf *b, struct str s);
void buf_puts(struct buf *b, const char *z);
void buf_putc(struct buf *b, char c);
void buf_put_u64(struct buf *b, uint64_t v); /* decimal */
void buf_put_i64(struct buf *b, int64_t v);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args);
void buf_remove_front(struct buf *b, size_t n); /* drops the first n bytes */

/* Takes the memory out: the caller frees it, b is empty. Never NULL. */
char *buf_take(struct buf *b);

static inline struct str buf_str(const struct buf *b)
{
    return (struct str){b->p, b->n};
}

static inline const char *buf_z(const struct buf *b)
{
    return b->p ? b->p : "";
}
