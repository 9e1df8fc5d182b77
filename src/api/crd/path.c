#include "api/crd/path.h"

#include <stdlib.h>

enum { STEPS_MAX = 64 };

static int fail(struct str text, struct err *err)
{
    return err_bad(err, "unsupported JSONPath \"%.*s\"", STR_ARG(text));
}

static struct str unquote(struct str s)
{
    s = str_trim(s);
    bool quoted = s.n >= 2 && (s.p[0] == '"' || s.p[0] == '\'') && s.p[s.n - 1] == s.p[0];
    return quoted ? (struct str){s.p + 1, s.n - 2} : s;
}

/* ?(@.type=="Ready") */
static bool parse_filter(struct str inner, struct crd_step *step)
{
    if (!str_starts(inner, STR("?(@.")) || !str_ends(inner, STR(")")))
        return false;
    inner = (struct str){inner.p + 4, inner.n - 5};
    ssize_t at = str_find(inner, STR("=="));
    if (at < 0) {
        at = str_find(inner, STR("!="));
        step->differs = true;
    }
    if (at < 0)
        return false;
    step->kind = CRD_STEP_FILTER;
    step->name = str_trim(str_head(inner, (size_t)at));
    step->value = unquote(str_from(inner, (size_t)at + 2));
    return step->name.n > 0;
}

static bool parse_bracket(struct str inner, struct crd_step *step)
{
    inner = str_trim(inner);
    uint64_t index;
    bool negative = inner.n && inner.p[0] == '-';
    if (str_is(inner, "*") || !inner.n) {
        step->kind = CRD_STEP_ALL;
        return true;
    }
    if (str_to_u64(negative ? str_from(inner, 1) : inner, &index) && index < INT32_MAX) {
        step->kind = CRD_STEP_INDEX;
        step->index = negative ? -(int64_t)index : (int64_t)index;
        return true;
    }
    struct str name = unquote(inner);
    if (name.n < inner.n) {
        step->kind = CRD_STEP_MEMBER;
        step->name = name;
        return true;
    }
    return parse_filter(inner, step);
}

/* Behind the dot: up to the next dot or bracket that no backslash hides. */
static size_t parse_member(struct arena *a, struct str text, struct crd_step *step)
{
    char *name = arena_alloc(a, text.n + 1);
    size_t n = 0, i = 0;
    for (; i < text.n && text.p[i] != '.' && text.p[i] != '['; i++) {
        if (text.p[i] == '\\' && i + 1 < text.n)
            i++;
        name[n++] = text.p[i];
    }
    step->kind = str_is((struct str){name, n}, "*") ? CRD_STEP_ALL : CRD_STEP_MEMBER;
    step->name = (struct str){name, n};
    return i;
}

int crd_path_parse(struct arena *a, struct str text, struct crd_path *ret, struct err *err)
{
    struct crd_step steps[STEPS_MAX];
    size_t n = 0;
    struct str rest = arena_dup(a, text);
    if (rest.n >= 2 && rest.p[0] == '{' && rest.p[rest.n - 1] == '}')
        rest = (struct str){rest.p + 1, rest.n - 2};
    while (rest.n) {
        if (n == STEPS_MAX)
            return fail(text, err);
        struct crd_step step = {0};
        if (rest.p[0] == '[') {
            ssize_t end = str_find(rest, STR("]"));
            if (end < 0 || !parse_bracket((struct str){rest.p + 1, (size_t)end - 1}, &step))
                return fail(text, err);
            rest = str_from(rest, (size_t)end + 1);
        } else if (rest.p[0] == '.') {
            rest = str_from(rest, 1);
            if (rest.n && rest.p[0] == '[')
                continue;
            size_t used = parse_member(a, rest, &step);
            if (!used)
                return fail(text, err);
            rest = str_from(rest, used);
        } else {
            return fail(text, err);
        }
        steps[n++] = step;
    }
    ret->steps = arena_alloc(a, n * sizeof(*steps) + 1);
    memcpy(ret->steps, steps, n * sizeof(*steps));
    ret->count = n;
    return 0;
}

static bool passes(const struct crd_step *step, const val *item)
{
    const val *v = val_get_str(item, step->name);
    struct buf b = {0};
    if (val_is_str(v))
        buf_put(&b, val_str(v));
    else if (v)
        val_write_json(v, &b);
    bool same = v && str_eq(buf_str(&b), step->value);
    buf_done(&b);
    return v && same != step->differs;
}

static const val *walk(const struct crd_step *step, size_t left, const val *v)
{
    if (!left || !v)
        return v;
    if (step->kind == CRD_STEP_MEMBER)
        return walk(step + 1, left - 1, val_get_str(v, step->name));
    if (step->kind == CRD_STEP_INDEX) {
        int64_t i = step->index < 0 ? (int64_t)val_len(v) + step->index : step->index;
        return i >= 0 && val_is_arr(v) ? walk(step + 1, left - 1, val_at(v, (size_t)i)) : NULL;
    }
    const val *found = NULL;
    VAL_FOR (v, item) {
        if (step->kind == CRD_STEP_FILTER && !passes(step, item))
            continue;
        if ((found = walk(step + 1, left - 1, item)))
            return found;
    }
    if (step->kind == CRD_STEP_ALL)
        VAL_EACH (v, key, member) {
            (void)key;
            if ((found = walk(step + 1, left - 1, member)))
                return found;
        }
    return NULL;
}

const val *crd_path_get(const struct crd_path *p, const val *v)
{
    return walk(p->steps, p->count, v);
}

void crd_path_set(const struct crd_path *p, struct doc *d, val *v, val *value)
{
    for (size_t i = 0; i + 1 < p->count; i++) {
        val *next = val_get_str(v, p->steps[i].name);
        v = val_is_obj(next) ? next : val_set_str(d, v, p->steps[i].name, val_new_obj(d));
    }
    if (p->count)
        val_set_str(d, v, p->steps[p->count - 1].name, value);
}
