#include "cel/containers.h"
#include "cel/eval.h"

const char CEL_OVER_COST[] = "CostLimitExceeded";

static void collect(struct cel_program *p, const struct cel_env *env, const struct node *n,
                    bool *used)
{
    for (size_t i = 0; n->kind == NODE_IDENT && i < env->var_count; i++)
        if (str_eq(n->name, env->vars[i].name))
            used[i] = true;
    for (size_t i = 0; i < n->count; i++)
        collect(p, env, n->args[i], used);
}

static void note_used(struct cel_program *p, const struct cel_env *env)
{
    bool *used = arena_zalloc(&p->a, env->var_count + 1);
    struct cel_var *vars = arena_zalloc(&p->a, (env->var_count + 1) * sizeof *vars);
    collect(p, env, p->root, used);
    for (size_t i = 0; i < env->var_count; i++)
        if (used[i])
            vars[p->used_count++].name = arena_dup(&p->a, env->vars[i].name);
    p->used = vars;
}

static struct node *compile(struct compiler *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->text.n; i++)
        n += ((unsigned char)c->text.p[i] & 0xc0) != 0x80;
    if (n > CEL_MAX_LENGTH) {
        cel_issue_add(c, 0, "expression code point size exceeds limit: size: %zu, limit %d", n,
                      CEL_MAX_LENGTH);
        return NULL;
    }
    struct node *root = cel_parse(c);
    if (!c->issues)
        cel_check(c, root);
    if (!c->issues)
        cel_validate(c, root);
    return root;
}

struct cel_program *cel_compile(const struct cel_env *env, struct str text, struct buf *issues)
{
    struct cel_program *p = NEW(struct cel_program);
    struct err err;
    p->text = arena_dup(&p->a, text);
    struct compiler c = {.env = env, .a = &p->a, .text = p->text};
    p->root = compile(&c);
    if (c.issues) {
        cel_issues_write(&c, issues);
        cel_program_free(p);
        return NULL;
    }
    p->type = p->root->type;
    p->cost = cel_estimate(p->root, env);
    note_used(p, env);
    if (cel_plan(p, p->root, &err) != 0) {
        buf_printf(issues, "program instantiation failed: %s", err.message);
        cel_program_free(p);
        return NULL;
    }
    return p;
}

void cel_program_free(struct cel_program *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->pattern_count; i++)
        regex_free(p->patterns[i]);
    free(p->patterns);
    arena_done(&p->a);
    free(p);
}

const struct cel_type *cel_program_type(const struct cel_program *p)
{
    return p->type;
}

struct cel_cost cel_program_cost(const struct cel_program *p)
{
    return p->cost;
}

bool cel_program_uses(const struct cel_program *p, struct str var)
{
    for (size_t i = 0; i < p->used_count; i++)
        if (str_eq(p->used[i].name, var))
            return true;
    return false;
}

int cel_eval(const struct cel_program *p, const struct cel_input *in, struct arena *a,
             uint64_t limit, uint64_t *ret_cost, struct cel_value *ret, struct err *err)
{
    struct eval ev = {.a = a, .in = in, .limit = limit};
    struct cel_value v = cel_run(&ev, p->root);
    cel_doc_indexes_done(&ev);
    *ret_cost = ev.cost;
    if (!cel_is_error(v)) {
        *ret = v;
        return 0;
    }
    return err_set(err, 400, ev.over ? CEL_OVER_COST : "BadRequest", "%.*s", STR_ARG(v.s));
}
