/* delta.h: a byte string as its difference from another one.
 *
 * Superseded versions of an object differ from their successors in a few fields, so history keeps
 * the difference only. The encoding is a row of instructions: a varint of length * 2 + kind, then
 * for a copy (kind 1) a varint of the offset in the base, for an insertion (kind 0) the bytes. */
#pragma once

#include "base/buf.h"

/* Appends the instructions that make target out of base. */
void delta_encode(struct str base, struct str target, struct buf *ret);

/* Appends what the instructions make. false: they are damaged or make more than max bytes. */
bool delta_apply(struct str base, struct str delta, size_t max, struct buf *ret);
