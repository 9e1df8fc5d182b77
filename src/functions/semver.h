/* semver.h: versions and constraints as Masterminds/semver v3.5 reads them: "v1.2", "1.02" and
 * "1.2.3-gke.4+b" are versions; ">=1.19-0, <2 || ~3.1 - 4.x" is a constraint. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

struct semver {
    uint64_t major, minor, patch;
    struct str pre, metadata; /* without '-' and '+' */
    struct str original;
};

enum { SEMVER_MAX = 256, SEMVER_CONSTRAINT_MAX = 512, SEMVER_MAX_GROUPS = 32 };

/* NewVersion: missing minor and patch are 0. The texts are views of `text`. Errors in the library's
 * words. */
int semver_parse(struct str text, struct semver *ret, struct err *err);
/* StrictNewVersion: three numbers, no 'v'. */
int semver_parse_strict(struct str text, struct semver *ret, struct err *err);
/* Precedence; metadata does not count. <0, 0, >0. */
int semver_cmp(const struct semver *a, const struct semver *b);
struct str semver_text(struct arena *a, const struct semver *v); /* 1.2.0-pre+meta */

struct semver_constraint;
/* In the arena. A version with a prerelease only fits a group (between "||") that names one. */
struct semver_constraint *semver_constraint_parse(struct arena *a, struct str text,
                                                  struct err *err);
bool semver_constraint_fits(const struct semver_constraint *c, const struct semver *v);
