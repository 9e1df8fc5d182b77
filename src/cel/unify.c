/* Type inference: which types fit together, as cel-go's checker decides it. */
#include "cel/type.h"

static bool is_dyn(const struct cel_type *t)
{
    return t->kind == CEL_T_DYN;
}

int cel_bindings_new(struct bindings *m)
{
    if (m->count == m->cap) {
        int cap = m->cap ? m->cap * 2 : 32;
        const struct cel_type **more = arena_zalloc(m->a, (size_t)cap * sizeof *more);
        if (m->count)
            memcpy(more, m->of, (size_t)m->count * sizeof *more);
        m->of = more;
        m->cap = cap;
    }
    return m->count++;
}

static void bind_param(struct bindings *m, int param, const struct cel_type *t)
{
    if (m->trail_n == m->trail_cap) {
        size_t cap = m->trail_cap ? m->trail_cap * 2 : 32;
        struct undo *more = arena_alloc(m->a, cap * sizeof *more);
        if (m->trail_n)
            memcpy(more, m->trail, m->trail_n * sizeof *more);
        m->trail = more;
        m->trail_cap = cap;
    }
    m->trail[m->trail_n++] = (struct undo){param, m->of[param]};
    m->of[param] = t;
}

/* x matches all that y does. */
static bool is_less_specific(const struct cel_type *x, const struct cel_type *y)
{
    if (is_dyn(x) || x->kind == CEL_T_PARAM)
        return true;
    if (is_dyn(y) || y->kind == CEL_T_PARAM || x->kind != y->kind)
        return false;
    switch (x->kind) {
    case CEL_T_LIST:
    case CEL_T_OPTIONAL:
        return is_less_specific(x->a, y->a);
    case CEL_T_MAP:
        return is_less_specific(x->a, y->a) && is_less_specific(x->b, y->b);
    case CEL_T_TYPE:
        return true;
    default:
        return cel_type_eq(x, y);
    }
}

const struct cel_type *cel_type_most_general(const struct cel_type *x, const struct cel_type *y)
{
    return is_less_specific(x, y) ? x : y;
}

/* Whether the variable t is no part of `within`. */
static bool is_apart(const struct bindings *m, const struct cel_type *t,
                     const struct cel_type *within)
{
    if (!within)
        return true;
    if (cel_type_eq(t, within))
        return false;
    if (within->kind == CEL_T_PARAM)
        return !m->of[within->param] || is_apart(m, t, m->of[within->param]);
    return is_apart(m, t, within->a) && is_apart(m, t, within->b);
}

static bool assign(struct bindings *m, const struct cel_type *x, const struct cel_type *y);

/* Whether the variable y may stand for x; *ret_bound: it stood for something already. */
static bool substitute(struct bindings *m, const struct cel_type *x, const struct cel_type *y,
                       bool *ret_bound)
{
    *ret_bound = true;
    if (cel_type_eq(x, y))
        return true;
    const struct cel_type *was = m->of[y->param];
    if (was) {
        if (cel_type_eq(x, was))
            return true;
        if (!assign(m, x, was))
            return false;
        const struct cel_type *now = cel_type_most_general(x, was);
        if (is_apart(m, y, now))
            bind_param(m, y->param, now);
        return true;
    }
    *ret_bound = false;
    if (!is_apart(m, y, x))
        return false;
    bind_param(m, y->param, x);
    return true;
}

static bool takes_null(const struct cel_type *t)
{
    switch (t->kind) {
    case CEL_T_NULL:
    case CEL_T_STRUCT:
    case CEL_T_OPAQUE:
    case CEL_T_OPTIONAL:
    case CEL_T_TIMESTAMP:
    case CEL_T_DURATION:
        return true;
    default:
        return false;
    }
}

static bool assign(struct bindings *m, const struct cel_type *x, const struct cel_type *y)
{
    bool bound;
    if (y->kind == CEL_T_PARAM) {
        if (substitute(m, x, y, &bound))
            return true;
        if (bound)
            return false;
    }
    if (x->kind == CEL_T_PARAM)
        return substitute(m, y, x, &bound);
    if (is_dyn(x) || is_dyn(y) || x->kind == CEL_T_ERROR || y->kind == CEL_T_ERROR)
        return true;
    if (x->kind == CEL_T_NULL)
        return takes_null(y);
    if (y->kind == CEL_T_NULL)
        return takes_null(x);
    if (x->kind != y->kind)
        return false;
    switch (x->kind) {
    case CEL_T_TYPE:
        return true;
    case CEL_T_LIST:
    case CEL_T_OPTIONAL:
        return assign(m, x->a, y->a);
    case CEL_T_MAP:
        return assign(m, x->a, y->a) && assign(m, x->b, y->b);
    default:
        return cel_type_eq(x, y);
    }
}

bool cel_bindings_assign_all(struct bindings *m, const struct cel_type *const *x,
                             const struct cel_type *const *y, size_t n)
{
    m->trail_n = 0;
    for (size_t i = 0; i < n; i++) {
        if (assign(m, x[i], y[i]))
            continue;
        while (m->trail_n > 0) {
            struct undo *u = &m->trail[--m->trail_n];
            m->of[u->param] = u->was;
        }
        return false;
    }
    return true;
}

bool cel_bindings_assign(struct bindings *m, const struct cel_type *x, const struct cel_type *y)
{
    return cel_bindings_assign_all(m, &x, &y, 1);
}

const struct cel_type *cel_bindings_apply(struct bindings *m, const struct cel_type *t,
                                          bool free_dyn)
{
    if (!t)
        return NULL;
    if (t->kind == CEL_T_PARAM) {
        if (m->of[t->param])
            return cel_bindings_apply(m, m->of[t->param], free_dyn);
        return free_dyn ? cel_type_plain(CEL_T_DYN) : t;
    }
    if (!t->a || t->declared)
        return t;
    const struct cel_type *x = cel_bindings_apply(m, t->a, free_dyn);
    const struct cel_type *y = cel_bindings_apply(m, t->b, free_dyn);
    return x == t->a && y == t->b ? t : cel_type_of_two(m->a, t->kind, x, y);
}
