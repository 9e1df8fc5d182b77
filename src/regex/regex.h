/* regex.h: regular expressions in the syntax of Go's regexp package, which is RE2's.
 *
 *     struct regex *re = regex_new(STR("^a(b+)$"), 0, &err);
 *     struct str group[2];
 *     if (regex_find(re, text, 0, group, 2)) …
 *     regex_free(re);
 *
 * Matching takes time linear in the text, whatever the pattern, so patterns may come from users.
 * A compiled expression is immutable: any number of threads may match with it at once. Texts and
 * patterns are UTF-8. Groups are views of the text. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum {
    REGEX_CASELESS = 1, /* as if the pattern began with (?i) */
    REGEX_FULL = 2,     /* the whole text must match, as if between ^(?: and )$ */
    REGEX_DOT_NL = 4,   /* as if the pattern began with (?s) */
};

enum { REGEX_MAX_GROUPS = 100 }; /* what regex_find can report, the whole match included */

struct regex;

/* Errors: 400 in the words of Go's regexp: "error parsing regexp: missing closing ): `(`". */
struct regex *regex_new(struct str pattern, unsigned flags, struct err *err);
void regex_free(struct regex *re);

/* Only says whether the pattern compiles. */
int regex_check(struct str pattern, struct err *err);

bool regex_match(const struct regex *re, struct str text);

/* The leftmost match that begins at byte `from` or later; what stands before it is seen by ^ and
 * \b. groups[0] is the whole match, groups[i] the i-th parenthesis, {NULL, 0} where it took no
 * part; groups that the pattern lacks are {NULL, 0}. */
bool regex_find(const struct regex *re, struct str text, size_t from, struct str *groups,
                size_t count);

/* Walks the matches that Go's FindAll reports (an empty match right behind another one is not
 * reported): `for (struct regex_walk w = {0}; regex_next(re, text, &w, groups, n);)`. */
struct regex_walk {
    size_t at;
    bool matched, done;
    size_t end; /* of the match before */
};
bool regex_next(const struct regex *re, struct str text, struct regex_walk *walk,
                struct str *groups, size_t count);

size_t regex_group_count(const struct regex *re); /* parentheses, without the whole match */
/* The number of a named group, or -1. */
int regex_group_named(const struct regex *re, struct str name);

enum { REGEX_MAX_OUTPUT = 256 << 20 };

/* Appends text with matches (all, or the first) replaced by `with`, where $1, ${1} and ${name} are
 * groups and $$ is a dollar sign, as in Go's Expand. Behind REGEX_MAX_OUTPUT bytes it gives up. */
void regex_replace(const struct regex *re, struct str text, struct str with, bool all,
                   struct buf *out);

/* Appends text with the pattern's special characters quoted: regexp.QuoteMeta. */
void regex_quote(struct str text, struct buf *out);
