/* gobase.h: Go's encoding/base64.StdEncoding and encoding/base32.StdEncoding. */
#pragma once

#include "base/buf.h"

void gobase64_write(struct buf *b, struct str s);
void gobase32_write(struct buf *b, struct str s);
/* Append what text stands for; line breaks do not count. -1: *ret_at is the input byte that Go
 * complains about ("illegal base64 data at input byte 4"), with line breaks not counted for base32.
 */
int gobase64_decode(struct buf *b, struct str text, size_t *ret_at);
int gobase32_decode(struct buf *b, struct str text, size_t *ret_at);
