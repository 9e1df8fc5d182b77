#include "chart/ignore.h"

#include "template/pathmatch.h"

static int add_rule(struct chart_ctx *cx, struct ignore_rules *rules, struct str line)
{
    struct str pattern = str_trim(line);
    if (pattern.n == 0 || pattern.p[0] == '#')
        return 0;
    if (str_find(pattern, STR("**")) >= 0)
        return chart_fail(cx, "double-star (**) syntax is not supported");
    if (path_match(pattern, STR("abc")) < 0)
        return chart_fail(cx, "syntax error in pattern");
    struct ignore_rule rule = {0};
    if (pattern.p[0] == '!') {
        rule.negated = true;
        pattern = str_from(pattern, 1);
    }
    if (str_ends(pattern, STR("/"))) {
        rule.only_dirs = true;
        pattern.n--;
    }
    rule.whole_path = str_find_char(pattern, '/') >= 0;
    if (str_starts(pattern, STR("/")))
        pattern = str_from(pattern, 1);
    rule.pattern = pattern;
    rules->items[rules->n++] = rule;
    return 0;
}

int ignore_parse(struct chart_ctx *cx, struct str text, struct ignore_rules *ret)
{
    size_t lines = 2;
    for (size_t i = 0; i < text.n; i++)
        lines += text.p[i] == '\n';
    *ret = (struct ignore_rules){arena_alloc(cx->arena, lines * sizeof(*ret->items)), 0};
    if (str_starts(text, STR("\xEF\xBB\xBF")))
        text = str_from(text, 3);
    struct str line;
    while (str_next(&text, '\n', &line))
        if (add_rule(cx, ret, line) != 0)
            return -1;
    return add_rule(cx, ret, STR("templates/.?*"));
}

bool ignore_path(const struct ignore_rules *rules, struct str path, bool is_dir)
{
    for (size_t i = 0; i < rules->n; i++) {
        const struct ignore_rule *r = &rules->items[i];
        bool wrong_type = r->only_dirs && !is_dir;
        bool matches =
            !wrong_type && path_match(r->pattern, r->whole_path ? path : path_base(path)) == 1;
        if (matches != r->negated && (r->negated || !wrong_type))
            return true;
    }
    return false;
}
