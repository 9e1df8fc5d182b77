/* re2_shim.h: the few calls into RE2, a C++ library, in plain C. Only regex.c includes it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum shim_error { /* in the order of Go's regexp/syntax.ErrorCode texts in regex.c */
                  SHIM_OK,
                  SHIM_INTERNAL,
                  SHIM_BAD_ESCAPE,
                  SHIM_BAD_CLASS,
                  SHIM_BAD_RANGE,
                  SHIM_MISSING_BRACKET,
                  SHIM_MISSING_PAREN,
                  SHIM_UNEXPECTED_PAREN,
                  SHIM_TRAILING_BACKSLASH,
                  SHIM_REPEAT_ARGUMENT,
                  SHIM_REPEAT_SIZE,
                  SHIM_REPEAT_OP,
                  SHIM_PERL_OP,
                  SHIM_UTF8,
                  SHIM_NAMED_CAPTURE,
                  SHIM_TOO_LARGE,
};

struct shim_piece {
    const char *p;
    size_t n;
};

/* The compiled pattern, or NULL with the error and the part of the pattern that it is about (cut to
 * the room). */
void *shim_compile(const char *p, size_t n, bool caseless, bool dot_nl, enum shim_error *ret_error,
                   char *ret_arg, size_t room);
void shim_free(void *re);
bool shim_match(const void *re, const char *p, size_t n, size_t from, bool full,
                struct shim_piece *groups, size_t count);
size_t shim_groups(const void *re);
int shim_named(const void *re, const char *p, size_t n);

#ifdef __cplusplus
}
#endif
