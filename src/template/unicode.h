/* unicode.h: runes, as Go's packages unicode, unicode/utf8 and strconv see them. */
#pragma once

#include "base/buf.h"

enum { RUNE_ERROR = 0xFFFD, RUNE_MAX = 0x10FFFF };

/* The first rune of s, which is not empty; RUNE_ERROR and one byte for what is not UTF-8. */
uint32_t rune_decode(struct str s, size_t *ret_n);
uint32_t rune_decode_last(struct str s, size_t *ret_n);
/* Appends the rune; RUNE_ERROR for what is none. */
void rune_put(struct buf *b, uint32_t r);
size_t rune_count(struct str s);  /* utf8.RuneCount: each wrong byte counts */
bool rune_is_valid(struct str s); /* utf8.Valid */

struct rune_range {
    uint32_t first, last;
};
/* A table of n ranges, in order. */
bool rune_in_ranges(const struct rune_range *table, size_t n, uint32_t r);

bool rune_is_letter(uint32_t r);
bool rune_is_digit(uint32_t r);
bool rune_is_upper(uint32_t r);
bool rune_is_lower(uint32_t r);
bool rune_is_space(uint32_t r);           /* unicode.IsSpace: White_Space */
struct str rune_trim_space(struct str s); /* strings.TrimSpace */
bool rune_is_print(uint32_t r);           /* strconv.IsPrint; of the blanks only U+0020 */
uint32_t rune_to_upper(uint32_t r);
uint32_t rune_to_lower(uint32_t r);
uint32_t rune_to_title(uint32_t r);
