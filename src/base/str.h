/* str.h: borrowed strings.
 *
 * A `struct str` is a pointer and a length, passed by value. It owns nothing: whoever hands one out
 * says how long the bytes live. It may hold NUL bytes and need not end in one. The empty string may
 * have p == NULL. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

struct str {
    const char *p;
    size_t n;
};

/* A string literal as a struct str, in expressions and in static initialisers. */
#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_INIT(literal)                                                                          \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }

/* For printf's "%.*s". */
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""

static inline struct str str_of(const char *z)
{
    return (struct str){z, z ? strlen(z) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_is(struct str a, const char *z)
{
    return str_eq(a, str_of(z));
}

static inline bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline bool str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n &&
           (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

/* The rest of s from byte `from`; from is clamped to the length. */
static inline struct str str_from(struct str s, size_t from)
{
    size_t cut = from < s.n ? from : s.n;
    return cut ? (struct str){s.p + cut, s.n - cut} : s;
}

static inline struct str str_head(struct str s, size_t n)
{
    return (struct str){s.p, n < s.n ? n : s.n};
}

/* Byte order, as strcmp: <0, 0, >0. */
int str_cmp(struct str a, struct str b);
bool str_eq_nocase(struct str a, struct str b);

/* Index of the first c, or -1. */
ssize_t str_find_char(struct str s, char c);
ssize_t str_find(struct str s, struct str needle);

/* Cuts s at the first sep: *ret_head is what stands before it, *ret_tail what stands behind.
 * Without a sep, head is all of s, tail is empty and the answer is false. */
bool str_cut(struct str s, char sep, struct str *ret_head, struct str *ret_tail);

/* Walks the fields between seps: `while (str_next(&rest, ',', &field))`. An empty rest ends the
 * walk. */
bool str_next(struct str *rest, char sep, struct str *ret_field);

/* Is s one of the words, which blanks part? */
bool str_is_one_of(struct str s, const char *words);

struct str str_trim(struct str s);

/* Decimal numbers that fill the whole string; false on anything else and on overflow. */
bool str_to_i64(struct str s, int64_t *ret);
bool str_to_u64(struct str s, uint64_t *ret);
