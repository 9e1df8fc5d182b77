/* func_encode.h: base64 as Go's encoding/base64.StdEncoding. */
#pragma once

#include "base/buf.h"

void func_base64(struct buf *b, struct str s);
/* Appends what text stands for; line breaks do not count. -1: *ret_at is the input byte that Go
 * complains about ("illegal base64 data at input byte 4"). */
int func_base64_decode(struct buf *b, struct str text, size_t *ret_at);
