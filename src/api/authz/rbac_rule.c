/* Policy rules: what they allow, and whether some cover others (upstream's
 * component-helpers/auth/rbac/validation). */
#include <stdlib.h>

#include "api/authz/rbac.h"
#include "base/mem.h"

static struct rbac_words words_of(struct arena *a, const val *list)
{
    struct str *at = arena_alloc(a, (val_len(list) + 1) * sizeof(*at));
    size_t n = 0;
    VAL_FOR (list, item) {
        at[n++] = arena_dup(a, val_str(item));
    }
    return (struct rbac_words){at, n};
}

void rbac_rules_push(struct rbac_rules *rules, struct arena *a, const struct rbac_rule *rule)
{
    if (rules->n == rules->cap) {
        size_t cap = rules->cap ? rules->cap * 2 : 8;
        struct rbac_rule *at = arena_alloc(a, cap * sizeof(*at));
        if (rules->n)
            memcpy(at, rules->at, rules->n * sizeof(*at));
        rules->at = at;
        rules->cap = cap;
    }
    rules->at[rules->n++] = *rule;
}

void rbac_rules_add(struct rbac_rules *rules, struct arena *a, const val *list)
{
    VAL_FOR (list, v) {
        struct rbac_rule rule = {
            .verbs = words_of(a, val_get(v, "verbs")),
            .groups = words_of(a, val_get(v, "apiGroups")),
            .resources = words_of(a, val_get(v, "resources")),
            .names = words_of(a, val_get(v, "resourceNames")),
            .paths = words_of(a, val_get(v, "nonResourceURLs")),
        };
        rbac_rules_push(rules, a, &rule);
    }
}

static bool has(struct rbac_words words, struct str word)
{
    for (size_t i = 0; i < words.n; i++)
        if (str_eq(words.at[i], word))
            return true;
    return false;
}

static bool has_or_all(struct rbac_words words, struct str word)
{
    return has(words, STR("*")) || has(words, word);
}

/* --- what a rule allows --- */
/* "pods/log" or "*" "/log" stand for a subresource, "*" for all. */
static bool resource_fits(struct str rule, const struct authz_attributes *a)
{
    if (str_is(rule, "*"))
        return true;
    if (!a->subresource.n)
        return str_eq(rule, a->resource);
    if (rule.n <= a->subresource.n || !str_ends(rule, a->subresource))
        return false;
    struct str head = str_head(rule, rule.n - a->subresource.n);
    if (str_is(head, "*/"))
        return true;
    return head.n == a->resource.n + 1 && str_starts(head, a->resource) &&
           head.p[head.n - 1] == '/';
}

static bool path_fits(struct str rule, struct str path)
{
    if (str_eq(rule, path))
        return true;
    size_t n = rule.n;
    while (n && rule.p[n - 1] == '*')
        n--;
    return n < rule.n && str_starts(path, str_head(rule, n));
}

bool rbac_rule_allows(const struct rbac_rule *rule, const struct authz_attributes *a)
{
    if (!has_or_all(rule->verbs, a->verb))
        return false;
    if (!a->resource_request) {
        for (size_t i = 0; i < rule->paths.n; i++)
            if (path_fits(rule->paths.at[i], a->path))
                return true;
        return false;
    }
    if (!has_or_all(rule->groups, a->group) || (rule->names.n && !has(rule->names, a->name)))
        return false;
    for (size_t i = 0; i < rule->resources.n; i++)
        if (resource_fits(rule->resources.at[i], a))
            return true;
    return false;
}

/* --- whether rules cover others --- */
static bool resource_covered(struct rbac_words owner, struct str resource)
{
    if (has_or_all(owner, resource))
        return true;
    ssize_t slash = str_find_char(resource, '/');
    if (slash < 0)
        return false;
    struct str sub = str_from(resource, (size_t)slash); /* "/log" */
    for (size_t i = 0; i < owner.n; i++)
        if (owner.at[i].n == sub.n + 1 && owner.at[i].p[0] == '*' && str_ends(owner.at[i], sub))
            return true;
    return false;
}

/* one: a single grant, as break_down makes them. */
static bool covers(const struct rbac_rule *owner, const struct rbac_rule *one)
{
    if (!has_or_all(owner->verbs, one->verbs.at[0]))
        return false;
    if (one->paths.n) {
        for (size_t i = 0; i < owner->paths.n; i++)
            if (path_fits(owner->paths.at[i], one->paths.at[0]))
                return true;
        return false;
    }
    return has_or_all(owner->groups, one->groups.at[0]) &&
           resource_covered(owner->resources, one->resources.at[0]) &&
           (!owner->names.n || (one->names.n && has(owner->names, one->names.at[0])));
}

static void check_one(const struct rbac_rules *owner, const struct rbac_rule *one, struct arena *a,
                      struct rbac_rules *ret)
{
    for (size_t i = 0; i < owner->n; i++)
        if (covers(&owner->at[i], one))
            return;
    rbac_rules_push(ret, a, one);
}

static struct rbac_words one_of(struct rbac_words words, size_t i)
{
    return (struct rbac_words){words.at + i, 1};
}

static void check_resource(const struct rbac_rules *owner, const struct rbac_rule *rule, size_t g,
                           size_t r, struct arena *a, struct rbac_rules *ret)
{
    for (size_t v = 0; v < rule->verbs.n; v++) {
        struct rbac_rule one = {.verbs = one_of(rule->verbs, v),
                                .groups = one_of(rule->groups, g),
                                .resources = one_of(rule->resources, r)};
        if (!rule->names.n)
            check_one(owner, &one, a, ret);
        for (size_t n = 0; n < rule->names.n; n++) {
            one.names = one_of(rule->names, n);
            check_one(owner, &one, a, ret);
        }
    }
}

size_t rbac_missing(const struct rbac_rules *owner, const struct rbac_rules *wanted,
                    struct arena *a, struct rbac_rules *ret)
{
    *ret = (struct rbac_rules){0};
    for (size_t i = 0; i < wanted->n; i++) {
        const struct rbac_rule *rule = &wanted->at[i];
        for (size_t g = 0; g < rule->groups.n; g++)
            for (size_t r = 0; r < rule->resources.n; r++)
                check_resource(owner, rule, g, r, a, ret);
        for (size_t p = 0; p < rule->paths.n; p++)
            for (size_t v = 0; v < rule->verbs.n; v++) {
                struct rbac_rule one = {.verbs = one_of(rule->verbs, v),
                                        .paths = one_of(rule->paths, p)};
                check_one(owner, &one, a, ret);
            }
    }
    return ret->n;
}

/* --- in words --- */
static bool same(struct rbac_words a, struct rbac_words b)
{
    return a.n == b.n && (a.n == 0 || str_eq(a.at[0], b.at[0]));
}

static void add_verb(struct rbac_rule *rule, struct arena *a, struct str verb)
{
    struct str *at = arena_alloc(a, (rule->verbs.n + 1) * sizeof(*at));
    memcpy(at, rule->verbs.at, rule->verbs.n * sizeof(*at));
    at[rule->verbs.n] = verb;
    rule->verbs = (struct rbac_words){at, rule->verbs.n + 1};
}

static void compact(const struct rbac_rules *all, struct arena *a, struct rbac_rules *ret)
{
    *ret = (struct rbac_rules){0};
    for (size_t i = 0; i < all->n; i++) {
        const struct rbac_rule *rule = &all->at[i];
        size_t k = 0;
        while (k < ret->n && (rule->paths.n || !same(ret->at[k].groups, rule->groups) ||
                              !same(ret->at[k].resources, rule->resources) ||
                              !same(ret->at[k].names, rule->names)))
            k++;
        if (k < ret->n)
            add_verb(&ret->at[k], a, rule->verbs.at[0]);
        else
            rbac_rules_push(ret, a, rule);
    }
}

static void put_words(struct buf *b, const char *title, struct rbac_words words)
{
    struct doc d;
    if (!words.n)
        return;
    doc_init(&d);
    buf_printf(b, "%s%s:[", b->n > 1 ? ", " : "", title);
    for (size_t i = 0; i < words.n; i++) {
        buf_puts(b, i ? " " : "");
        val_write_json(val_new_str(&d, words.at[i]), b);
    }
    buf_putc(b, ']');
    doc_done(&d);
}

static struct str describe(const struct rbac_rule *rule, struct arena *a)
{
    struct buf b = {0};
    buf_putc(&b, '{');
    put_words(&b, "APIGroups", rule->groups);
    put_words(&b, "Resources", rule->resources);
    put_words(&b, "NonResourceURLs", rule->paths);
    put_words(&b, "ResourceNames", rule->names);
    put_words(&b, "Verbs", rule->verbs);
    buf_putc(&b, '}');
    struct str text = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return text;
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

void rbac_missing_write(const struct rbac_rules *missing, struct arena *a, struct buf *b)
{
    struct rbac_rules rules;
    compact(missing, a, &rules);
    struct str *lines = arena_alloc(a, (rules.n + 1) * sizeof(*lines));
    for (size_t i = 0; i < rules.n; i++)
        lines[i] = describe(&rules.at[i], a);
    qsort(lines, rules.n, sizeof(*lines), by_text);
    size_t written = 0;
    for (size_t i = 0; i < rules.n; i++)
        if (i == 0 || !str_eq(lines[i], lines[i - 1]))
            buf_printf(b, "%s%.*s", written++ ? "\n" : "", STR_ARG(lines[i]));
}
