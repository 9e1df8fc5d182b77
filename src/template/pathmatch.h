/* pathmatch.h: patterns of file names. */
#pragma once

#include "base/arena.h"
#include "base/str.h"

/* Go's filepath.Match: `*` and `?` stop at slashes, `[a-z]`, `[^a]`, `\x`. 1: it matches, 0: it
 * does not, -1: the pattern is malformed ("syntax error in pattern"). */
int path_match(struct str pattern, struct str name);

/* github.com/gobwas/glob with '/' as separator, which .Files.Glob uses: `*` stops at slashes, `**`
 * does not, `?`, `[abc]`, `[!a-z]`, `{a,b*}`, `\x`. */
struct glob;
struct glob *glob_compile(struct arena *a, struct str pattern); /* NULL: malformed */
bool glob_match(const struct glob *g, struct str name);
