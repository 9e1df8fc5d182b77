/* token64.h: base64url without padding, for the opaque tokens of paged lists. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

void token64_write(struct str s, struct buf *b);
bool token64_read(struct arena *a, struct str s, struct str *ret);
