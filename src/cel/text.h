/* text.h: characters of UTF-8 strings. Bytes that are no UTF-8 count as one character each, U+FFFD,
 * as in Go. */
#pragma once

#include "base/buf.h"

void cel_utf8_putc(struct buf *b, uint32_t c);
/* Takes one character off the front of *rest, which is not empty. */
uint32_t cel_utf8_next(struct str *rest);
size_t cel_utf8_count(struct str s);
/* The byte at which character i begins; s.n for i == count and beyond. */
size_t cel_utf8_offset(struct str s, size_t i);
bool cel_utf8_is_valid(struct str s);
/* strconv.Quote. Appends. */
void cel_quote_go(struct str s, struct buf *b);
