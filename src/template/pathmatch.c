#include "template/pathmatch.h"

#include "base/mem.h"
#include "template/unicode.h"

/* --- filepath.Match --- */
static bool take_rune(struct str *s, uint32_t *ret)
{
    if (s->n == 0)
        return false;
    size_t n;
    *ret = rune_decode(*s, &n);
    *s = str_from(*s, n);
    return true;
}

/* A rune of a bracket expression, perhaps escaped. */
static bool take_bracket_rune(struct str *p, uint32_t *ret)
{
    if (p->n == 0 || p->p[0] == '-' || p->p[0] == ']')
        return false;
    if (p->p[0] == '\\')
        *p = str_from(*p, 1);
    return take_rune(p, ret) && p->n > 0;
}

/* *p stands behind the '['; 1 or 0, or -1. */
static int match_bracket(struct str *p, uint32_t rune)
{
    bool negated = p->n && p->p[0] == '^', matched = false;
    if (negated)
        *p = str_from(*p, 1);
    for (size_t ranges = 0;; ranges++) {
        if (p->n && p->p[0] == ']' && ranges > 0) {
            *p = str_from(*p, 1);
            return matched != negated;
        }
        uint32_t low, high;
        if (!take_bracket_rune(p, &low))
            return -1;
        high = low;
        if (p->p[0] == '-') {
            *p = str_from(*p, 1);
            if (!take_bracket_rune(p, &high))
                return -1;
        }
        matched = matched || (low <= rune && rune <= high);
    }
}

/* The pattern up to the next star, which is not inside brackets. */
static struct str next_chunk(struct str p)
{
    bool in_bracket = false;
    for (size_t i = 0; i < p.n; i++) {
        char c = p.p[i];
        if (c == '\\')
            i++;
        else if (c == '[')
            in_bracket = true;
        else if (c == ']')
            in_bracket = false;
        else if (c == '*' && !in_bracket)
            return str_head(p, i);
    }
    return p;
}

/* Matches a chunk without stars at the front of *s, which then stands behind it. A malformed chunk
 * is found even after the name has failed. */
static int match_chunk(struct str chunk, struct str *s)
{
    bool failed = false;
    while (chunk.n) {
        failed = failed || s->n == 0;
        char c = chunk.p[0];
        uint32_t want = 0, got = 0;
        if (c == '[') {
            if (!failed)
                take_rune(s, &got);
            chunk = str_from(chunk, 1);
            int matched = match_bracket(&chunk, got);
            if (matched < 0)
                return -1;
            failed = failed || !matched;
            continue;
        }
        if (c == '\\' && chunk.n == 1)
            return -1;
        if (c == '\\')
            chunk = str_from(chunk, 1);
        take_rune(&chunk, &want);
        if (failed)
            continue;
        bool slash = s->p[0] == '/';
        take_rune(s, &got);
        failed = c == '?' ? slash : want != got;
    }
    return !failed;
}

/* Can the chunk match no more than what begins with this byte? */
static bool begins_literally(struct str chunk)
{
    return (unsigned char)chunk.p[0] < 0x80 && !strchr("?[\\", chunk.p[0]);
}

int path_match(struct str pattern, struct str name)
{
    while (pattern.n) {
        bool star = false;
        while (pattern.n && pattern.p[0] == '*') {
            star = true;
            pattern = str_from(pattern, 1);
        }
        struct str chunk = next_chunk(pattern);
        pattern = str_from(pattern, chunk.n);
        if (star && chunk.n == 0)
            return str_find_char(name, '/') < 0;
        struct str rest = name;
        int matched = match_chunk(chunk, &rest);
        if (matched < 0)
            return -1;
        bool found = matched && (rest.n == 0 || pattern.n > 0);
        for (size_t i = 0; star && !found && i < name.n && name.p[i] != '/'; i++) {
            rest = str_from(name, i + 1);
            if (begins_literally(chunk) && (rest.n == 0 || rest.p[0] != chunk.p[0]))
                continue;
            found = match_chunk(chunk, &rest) == 1 && (pattern.n > 0 || rest.n == 0);
        }
        if (!found) { /* the rest of the pattern may still be malformed */
            while (pattern.n) {
                struct str none = {0};
                chunk = next_chunk(pattern);
                if (chunk.n && match_chunk(chunk, &none) < 0)
                    return -1;
                pattern = str_from(pattern, chunk.n < pattern.n ? chunk.n + 1 : chunk.n);
            }
            return 0;
        }
        name = rest;
    }
    return name.n == 0;
}

/* --- gobwas/glob --- */
enum node_kind { NODE_TEXT, NODE_STAR, NODE_SUPER, NODE_ONE, NODE_SET, NODE_ALTERNATIVES };

struct glob {
    enum node_kind kind;
    struct str text; /* NODE_TEXT, and the inside of a set */
    bool negated;
    struct glob *next;      /* what follows */
    struct glob **branches; /* NODE_ALTERNATIVES: each a sequence; NULL is the empty one */
    size_t branch_count;
};

enum { GLOB_MAX_DEPTH = 16 };

struct glob_reader {
    struct arena *a;
    struct str rest;
    int depth;
    bool failed;
};

static struct glob *read_sequence(struct glob_reader *r);

static struct glob *new_node(struct glob_reader *r, enum node_kind kind)
{
    struct glob *g = ARENA_NEW(r->a, struct glob);
    g->kind = kind;
    return g;
}

static struct glob *read_set(struct glob_reader *r)
{
    struct glob *g = new_node(r, NODE_SET);
    if (r->rest.n && r->rest.p[0] == '!') {
        g->negated = true;
        r->rest = str_from(r->rest, 1);
    }
    ssize_t end = str_find_char(r->rest, ']');
    if (end <= 0) {
        r->failed = true;
        return g;
    }
    g->text = str_head(r->rest, (size_t)end);
    r->rest = str_from(r->rest, (size_t)end + 1);
    return g;
}

static struct glob *read_alternatives(struct glob_reader *r)
{
    struct glob *g = new_node(r, NODE_ALTERNATIVES);
    if (++r->depth > GLOB_MAX_DEPTH) {
        r->failed = true;
        return g;
    }
    for (;;) {
        struct glob **grown = arena_alloc(r->a, (g->branch_count + 1) * sizeof(*grown));
        if (g->branch_count)
            memcpy(grown, g->branches, g->branch_count * sizeof(*grown));
        g->branches = grown;
        g->branches[g->branch_count++] = read_sequence(r);
        if (r->failed || r->rest.n == 0) {
            r->failed = true;
            return g;
        }
        char c = r->rest.p[0];
        r->rest = str_from(r->rest, 1);
        if (c == '}')
            break;
    }
    r->depth--;
    return g;
}

static struct glob *read_text(struct glob_reader *r)
{
    char *text = arena_alloc(r->a, r->rest.n);
    size_t n = 0, i = 0;
    for (; i < r->rest.n; i++) {
        char c = r->rest.p[i];
        if (strchr("*?[{", c) || (r->depth > 0 && (c == ',' || c == '}')))
            break;
        if (c == '\\' && ++i == r->rest.n) {
            r->failed = true;
            break;
        }
        text[n++] = r->rest.p[i];
    }
    r->rest = str_from(r->rest, i);
    struct glob *g = new_node(r, NODE_TEXT);
    g->text = (struct str){text, n};
    return g;
}

static struct glob *read_node(struct glob_reader *r)
{
    char c = r->rest.p[0];
    if (!strchr("*?[{", c))
        return read_text(r);
    r->rest = str_from(r->rest, 1);
    if (c == '?')
        return new_node(r, NODE_ONE);
    if (c == '[')
        return read_set(r);
    if (c == '{')
        return read_alternatives(r);
    if (r->rest.n == 0 || r->rest.p[0] != '*')
        return new_node(r, NODE_STAR);
    while (r->rest.n && r->rest.p[0] == '*')
        r->rest = str_from(r->rest, 1);
    return new_node(r, NODE_SUPER);
}

static struct glob *read_sequence(struct glob_reader *r)
{
    struct glob *first = NULL, **at = &first;
    while (r->rest.n && !r->failed) {
        if (r->depth > 0 && (r->rest.p[0] == ',' || r->rest.p[0] == '}'))
            break;
        *at = read_node(r);
        at = &(*at)->next;
    }
    return first;
}

struct glob *glob_compile(struct arena *a, struct str pattern)
{
    struct glob_reader r = {.a = a, .rest = pattern};
    struct glob *first = read_sequence(&r);
    if (r.failed)
        return NULL;
    return first ? first : new_node(&r, NODE_TEXT);
}

static bool set_has(const struct glob *g, uint32_t rune)
{
    struct str s = g->text;
    uint32_t low, high;
    bool found = false;
    while (take_rune(&s, &low)) {
        high = low;
        if (s.n > 1 && s.p[0] == '-') {
            s = str_from(s, 1);
            take_rune(&s, &high);
        }
        found = found || (low <= rune && rune <= high);
    }
    return found != g->negated;
}

/* What is to be matched once a sequence inside braces has ended. */
struct glob_rest {
    const struct glob *next;
    const struct glob_rest *outer;
};

static bool match_from(const struct glob *g, const struct glob_rest *outer, struct str s,
                       size_t *budget)
{
    for (;; g = g->next) {
        if (*budget == 0)
            return false;
        --*budget;
        if (!g && !outer)
            return s.n == 0;
        if (!g)
            return match_from(outer->next, outer->outer, s, budget);
        uint32_t rune;
        switch (g->kind) {
        case NODE_TEXT:
            if (!str_starts(s, g->text))
                return false;
            s = str_from(s, g->text.n);
            continue;
        case NODE_ONE:
            if (s.n == 0 || s.p[0] == '/' || !take_rune(&s, &rune))
                return false;
            continue;
        case NODE_SET:
            if (!take_rune(&s, &rune) || !set_has(g, rune))
                return false;
            continue;
        case NODE_STAR:
        case NODE_SUPER:
            for (size_t i = 0; i <= s.n; i++) {
                if (match_from(g->next, outer, str_from(s, i), budget))
                    return true;
                if (g->kind == NODE_STAR && i < s.n && s.p[i] == '/')
                    break;
            }
            return false;
        case NODE_ALTERNATIVES:
            for (size_t i = 0; i < g->branch_count; i++)
                if (match_from(g->branches[i], &(struct glob_rest){g->next, outer}, s, budget))
                    return true;
            return false;
        }
    }
}

bool glob_match(const struct glob *g, struct str name)
{
    size_t budget = 1000000; /* nested stars could multiply */
    return match_from(g, NULL, name, &budget);
}
