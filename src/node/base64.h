/* base64.h: RFC 4648, standard alphabet with padding. */
#pragma once

#include "base/buf.h"

int base64_decode(struct str text, struct buf *b); /* appends; -1: not base64 */
