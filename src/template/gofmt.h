/* gofmt.h: Go's package fmt, as far as values of templates reach it. */
#pragma once

#include "base/buf.h"
#include "template/value.h"

/* fmt.Sprintf: all verbs, flags, widths, argument indexes, and the %!verb(type=value) texts. */
void gofmt_printf(struct arena *a, struct buf *b, struct str format, const struct value *args,
                  size_t n);
void gofmt_print(struct arena *a, struct buf *b, const struct value *args, size_t n); /* Sprint */
void gofmt_println(struct arena *a, struct buf *b, const struct value *args, size_t n);
/* %v of one value; nil is "<nil>". */
void gofmt_value(struct arena *a, struct buf *b, struct value v);
struct str gofmt_text(struct arena *a, struct value v); /* the same, in the arena */

/* strconv.FormatFloat for 64 (or 32) bits; format is one of e E f g G x X b; precision -1: the
 * fewest digits that give back the number. */
void gofmt_float(struct buf *b, double f, char format, int precision, int bits);
/* strconv.Quote; ascii: QuoteToASCII. */
void gofmt_quote(struct buf *b, struct str s, bool ascii);
/* strconv.QuoteRune: 'x'. */
void gofmt_quote_rune(struct buf *b, uint32_t rune, bool ascii);
