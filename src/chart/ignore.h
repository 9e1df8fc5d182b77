/* ignore.h: .helmignore. The first rule that matches decides; a rule with `!` ignores whatever it
 * does not match, as Helm's does. */
#pragma once

#include "chart/chart.h"

struct ignore_rule {
    struct str pattern;
    bool negated, only_dirs, whole_path;
};

struct ignore_rules {
    struct ignore_rule *items;
    size_t n;
};

/* Reads the file's text and adds the default rule, `templates/.?*`. */
int ignore_parse(struct chart_ctx *cx, struct str text, struct ignore_rules *ret);
bool ignore_path(const struct ignore_rules *rules, struct str path, bool is_dir);
