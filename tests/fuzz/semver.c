/* Versions: a constraint and a version, divided by the first newline. A version reads its own text
 * and is equal to it. */
#include <stdlib.h>

#include "functions/semver.h"

static void check_text(struct arena *a, const struct semver *v)
{
    struct semver again;
    struct err err;
    struct str text = semver_text(a, v);
    if (text.n <= SEMVER_MAX &&
        (semver_parse(text, &again, &err) < 0 || semver_cmp(v, &again) != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct str constraint, text;
    struct semver v, strict;
    struct err err;
    if (size > 1024)
        return 0;
    str_cut((struct str){(const char *)data, size}, '\n', &constraint, &text);
    struct semver_constraint *c = semver_constraint_parse(&a, constraint, &err);
    bool is_version = semver_parse(text, &v, &err) == 0;
    if (is_version)
        check_text(&a, &v);
    if (semver_parse_strict(text, &strict, &err) == 0 &&
        (!is_version || semver_cmp(&v, &strict) != 0))
        abort();
    if (is_version && c)
        semver_constraint_fits(c, &v);
    arena_done(&a);
    return 0;
}
