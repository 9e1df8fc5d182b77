/* tmpl_exec.c: walking templates. */
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "template/gofmt.h"
#include "template/tmpl_internal.h"

enum {
    STACK_RESERVE = 192 * 1024,   /* what functions and the last frames may use */
    TEMPLATE_RESERVE = 64 * 1024, /* {{template}} stops before other nodes, as its limit is Go's */
    STEPS_BETWEEN_CLOCKS = 4096,
    BYTES_BETWEEN_CLOCKS = 64 * 1024,
    GO_MAX_DEPTH = 100000,
};

static enum walk walk(struct state *s, struct value dot, const struct node *n);

/* --- the run --- */

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The address that the stack of this thread should not grow beyond. */
static const char *find_stack_end(void)
{
    pthread_attr_t attr;
    void *low = NULL;
    size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attr) != 0)
        return NULL;
    pthread_attr_getstack(&attr, &low, &size);
    pthread_attr_destroy(&attr);
    return (const char *)low + (size > 2 * STACK_RESERVE ? STACK_RESERVE : size / 2);
}

struct tmpl_exec *tmpl_exec_new(struct tmpl_set *set, struct arena *a,
                                const struct tmpl_limits *limits, void *user)
{
    struct tmpl_exec *x = ARENA_NEW(a, struct tmpl_exec);
    x->set = set;
    x->arena = a;
    x->user = user;
    if (limits)
        x->limits = *limits;
    struct tmpl_limits *l = &x->limits;
    l->max_output = l->max_output ? l->max_output : (size_t)128 << 20;
    l->max_steps = l->max_steps ? l->max_steps : 200000000;
    l->max_ms = l->max_ms ? l->max_ms : 20000;
    l->max_depth = l->max_depth ? l->max_depth : GO_MAX_DEPTH;
    l->max_include = l->max_include ? l->max_include : 1000;
    x->deadline_ms = now_ms() + l->max_ms;
    x->stack_end = find_stack_end();
    return x;
}

void tmpl_exec_done(struct tmpl_exec *x)
{
    free(x->vars);
    x->vars = NULL;
    x->n_vars = x->cap_vars = 0;
    map_done(&x->includes);
}

struct arena *tmpl_arena(struct tmpl_exec *x)
{
    return x->arena;
}

void *tmpl_user(struct tmpl_exec *x)
{
    return x->user;
}

struct tmpl_set *tmpl_exec_set(struct tmpl_exec *x)
{
    return x->set;
}

struct str tmpl_error(const struct tmpl_exec *x)
{
    return x->error;
}

struct value tmpl_str(struct tmpl_exec *x, struct str text)
{
    return value_str(arena_dup(x->arena, text));
}

int tmpl_fail_str(struct tmpl_exec *x, struct str text)
{
    x->error = arena_dup(x->arena, text);
    return -1;
}

int tmpl_fail(struct tmpl_exec *x, const char *format, ...)
{
    struct buf b = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    x->error = arena_dup(x->arena, buf_str(&b));
    buf_done(&b);
    return -1;
}

int tmpl_spend(struct tmpl_exec *x, size_t bytes)
{
    x->output += bytes;
    if (bytes <= x->limits.max_output && x->output <= x->limits.max_output)
        return bytes < BYTES_BETWEEN_CLOCKS ? 0 : tmpl_check_time(x);
    return tmpl_fail(x, "output exceeds the limit of %zu bytes", x->limits.max_output);
}

int tmpl_check_time(struct tmpl_exec *x)
{
    if (now_ms() <= x->deadline_ms)
        return 0;
    return tmpl_fail(x, "exceeded the time limit of %lld ms", (long long)x->limits.max_ms);
}

/* --- errors --- */

/* Where, in Go's words. */
static void put_location(const struct state *s, struct buf *b)
{
    const struct source *source = s->tmpl->source;
    if (s->node == NULL) {
        buf_printf(b, "template: %.*s: ", STR_ARG(s->tmpl->name));
        return;
    }
    struct str before = str_head(source->text, s->node->pos);
    size_t line = 1, start = 0;
    for (size_t i = 0; i < before.n; i++) {
        if (before.p[i] != '\n')
            continue;
        line++;
        start = i + 1;
    }
    buf_puts(b, "template: ");
    buf_put(b, source->name);
    buf_printf(b, ":%zu:%zu: executing ", line, before.n - start);
    gofmt_quote(b, s->tmpl->name, false);
    buf_puts(b, " at <");
    tmpl_node_write(s->node, b);
    buf_puts(b, ">: ");
}

int tmpl_state_fail(struct state *s, const char *format, ...)
{
    struct buf b = {0};
    put_location(s, &b);
    va_list args;
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    s->x->error = arena_dup(s->x->arena, buf_str(&b));
    buf_done(&b);
    return -1;
}

int tmpl_state_fail_text(struct state *s, const char *format, struct str text)
{
    struct buf b = {0};
    const char *at = strstr(format, "%s");
    put_location(s, &b);
    buf_append(&b, format, (size_t)(at - format));
    buf_put(&b, text);
    buf_puts(&b, at + 2);
    s->x->error = arena_dup(s->x->arena, buf_str(&b));
    buf_done(&b);
    return -1;
}

static ptrdiff_t stack_left(const struct tmpl_exec *x)
{
    return (const char *)__builtin_frame_address(0) - x->stack_end;
}

static int too_deep(struct state *s)
{
    return tmpl_state_fail(s, "exceeded maximum template depth (%d)", s->x->limits.max_depth);
}

int tmpl_state_step(struct state *s)
{
    struct tmpl_exec *x = s->x;
    if (stack_left(x) < 0)
        return too_deep(s);
    if (++x->steps > x->limits.max_steps)
        return tmpl_state_fail(s, "exceeded the limit of %zu steps", x->limits.max_steps);
    if (x->steps % STEPS_BETWEEN_CLOCKS == 0 && now_ms() > x->deadline_ms)
        return tmpl_state_fail(s, "exceeded the time limit of %lld ms",
                               (long long)x->limits.max_ms);
    return 0;
}

/* --- values --- */

struct value value_unboxed(struct value v)
{
    if (v.type == &type_any)
        return VALUE_NONE;
    v.boxed = false;
    return v;
}

const char *value_static_type(struct value v)
{
    return v.boxed ? type_any.name : v.type->name;
}

/* --- variables --- */

void tmpl_vars_push(struct tmpl_exec *x, struct str name, struct value v)
{
    if (x->n_vars == x->cap_vars) {
        x->cap_vars = x->cap_vars ? x->cap_vars * 2 : 64;
        x->vars = mem_realloc_array(x->vars, x->cap_vars, sizeof(*x->vars));
    }
    x->vars[x->n_vars++] = (struct variable){name, v};
}

int tmpl_vars_set(struct state *s, struct str name, struct value v)
{
    for (size_t i = s->x->n_vars; i > s->base; i--) {
        if (!str_eq(s->x->vars[i - 1].name, name))
            continue;
        s->x->vars[i - 1].value = v;
        return 0;
    }
    return tmpl_state_fail(s, "undefined variable: %.*s", STR_ARG(name));
}

/* --- output --- */

bool value_printable(struct value v, struct value *ret)
{
    *ret = v.type == NULL || v.type == &type_any ? value_z("<no value>") : v;
    if (value_kind(v) == KIND_PTR && v.fields && v.type->string == NULL)
        ret->type = v.type->elem; /* a struct prints without the & */
    return value_kind(v) != KIND_FUNC;
}

static int write_text(struct state *s, struct str text)
{
    if (tmpl_spend(s->x, text.n) < 0)
        return -1;
    buf_put(s->out, text);
    return 0;
}

static int print_value(struct state *s, const struct node *n, struct value v)
{
    struct value printable;
    s->node = n;
    if (v.type == &type_string)
        return write_text(s, value_text(v));
    if (!value_printable(v, &printable)) {
        struct buf b = {0};
        tmpl_node_write(n, &b);
        buf_printf(&b, " of type %s", value_static_type(v));
        tmpl_state_fail_text(s, "can't print %s", buf_str(&b));
        buf_done(&b);
        return -1;
    }
    size_t before = s->out->n;
    gofmt_value(s->x->arena, s->out, printable);
    return tmpl_spend(s->x, s->out->n - before);
}

/* --- nodes --- */

static enum walk walk_branch(struct state *s, struct value dot, const struct node *n)
{
    size_t mark = s->x->n_vars;
    struct value v;
    enum walk rc = WALK_ON;
    if (tmpl_eval_pipeline(s, dot, n->pipe, &v) < 0)
        return WALK_ERROR;
    if (value_truth(v))
        rc = walk(s, n->type == NODE_WITH ? v : dot, n->list);
    else if (n->else_list)
        rc = walk(s, dot, n->else_list);
    s->x->n_vars = mark;
    return rc;
}

/* One turn of a range: sets its variables and walks the body. mark is the top of the stack before
 * the body's own variables. */
static enum walk iterate(struct state *s, const struct node *n, size_t mark, struct value index,
                         struct value elem)
{
    const struct node *pipe = n->pipe;
    struct variable *top = s->x->vars + mark;
    if (pipe->n_more > 0 && pipe->is_assign) {
        bool both = pipe->n_more > 1;
        if (tmpl_vars_set(s, pipe->decls[0]->names[0], both ? index : elem) < 0 ||
            (both && tmpl_vars_set(s, pipe->decls[1]->names[0], elem) < 0))
            return WALK_ERROR;
    } else if (pipe->n_more > 0) {
        top[-1].value = elem;
        if (pipe->n_more > 1)
            top[-2].value = index;
    }
    enum walk rc = walk(s, elem, n->list);
    s->x->n_vars = mark;
    return rc == WALK_CONTINUE ? WALK_ON : rc;
}

static enum walk range_integer(struct state *s, const struct node *n, struct value v)
{
    size_t mark = s->x->n_vars;
    enum walk rc = WALK_ON;
    uint64_t end = gokind_is_int(v.type->kind) && v.i < 0 ? 0 : v.u;
    for (uint64_t i = 0; i < end && rc == WALK_ON; i++) {
        v.u = i;
        if (tmpl_state_step(s) < 0)
            return WALK_ERROR;
        rc = iterate(s, n, mark, VALUE_NONE, v);
    }
    return rc;
}

static enum walk range_slice(struct state *s, const struct node *n, struct value v)
{
    size_t mark = s->x->n_vars;
    enum walk rc = WALK_ON;
    for (uint32_t i = 0; i < v.n && rc == WALK_ON; i++)
        rc = iterate(s, n, mark, value_int(i), value_at(v, i));
    return rc;
}

static enum walk range_map(struct state *s, const struct node *n, struct value v)
{
    size_t mark = s->x->n_vars;
    enum walk rc = WALK_ON;
    struct vmap_walk w = vmap_walk(v.map);
    for (struct vmap_entry *e; rc == WALK_ON && (e = vmap_next(&w));) {
        struct value elem = e->value;
        elem.boxed = v.type->elem == &type_any && elem.type != &type_any;
        rc = iterate(s, n, mark, value_str(e->key), elem);
    }
    return rc;
}

static enum walk cannot_range(struct state *s, const char *format, struct value v)
{
    struct buf b = {0};
    gofmt_value(s->x->arena, &b, v);
    tmpl_state_fail_text(s, format, buf_str(&b));
    buf_done(&b);
    return WALK_ERROR;
}

/* The loop over v; *ret_ran: there was something to loop over. */
static enum walk range_over(struct state *s, const struct node *n, struct value v, bool *ret_ran)
{
    enum gokind k = value_kind(v);
    *ret_ran = true;
    if (gokind_is_int(k) || gokind_is_uint(k)) {
        if (n->pipe->n_more > 1)
            return cannot_range(s, "can't use %s to iterate over more than one variable", v);
        *ret_ran = gokind_is_int(k) ? v.i > 0 : v.u > 0;
        return range_integer(s, n, v);
    }
    if (k == KIND_SLICE) {
        *ret_ran = v.n > 0;
        return range_slice(s, n, v);
    }
    if (k == KIND_MAP) {
        *ret_ran = vmap_len(v.map) > 0;
        return range_map(s, n, v);
    }
    *ret_ran = false;
    if (k == KIND_INVALID)
        return WALK_ON;
    if (k == KIND_PTR && v.fields)
        v.type = v.type->elem;
    return cannot_range(s, "range can't iterate over %s", v);
}

static enum walk walk_range(struct state *s, struct value dot, const struct node *n)
{
    size_t mark = s->x->n_vars;
    struct value v;
    bool ran;
    if (tmpl_eval_pipeline(s, dot, n->pipe, &v) < 0)
        return WALK_ERROR;
    enum walk rc = range_over(s, n, v, &ran);
    if (rc == WALK_ON && !ran && n->else_list)
        rc = walk(s, dot, n->else_list);
    s->x->n_vars = mark;
    return rc == WALK_BREAK ? WALK_ON : rc; /* a break in the {{else}} ends this range, too */
}

static enum walk walk_tree(struct state *s, struct value dot)
{
    size_t mark = s->x->n_vars;
    s->base = mark;
    tmpl_vars_push(s->x, STR("$"), dot);
    enum walk rc = walk(s, dot, s->tmpl->root);
    s->x->n_vars = mark;
    return rc;
}

static enum walk walk_template(struct state *s, struct value dot, const struct node *n)
{
    const struct tmpl *t = tmpl_lookup(s->x->set, n->name);
    if (t == NULL) {
        struct buf b = {0};
        gofmt_quote(&b, n->name, false);
        tmpl_state_fail_text(s, "template %s not defined", buf_str(&b));
        buf_done(&b);
        return WALK_ERROR;
    }
    if (s->depth >= s->x->limits.max_depth || stack_left(s->x) < TEMPLATE_RESERVE) {
        too_deep(s);
        return WALK_ERROR;
    }
    struct value arg = VALUE_NONE;
    if (n->pipe && tmpl_eval_pipeline(s, dot, n->pipe, &arg) < 0)
        return WALK_ERROR;
    struct state inner = *s;
    inner.tmpl = t;
    inner.depth++;
    return walk_tree(&inner, arg);
}

static enum walk walk_list(struct state *s, struct value dot, const struct node *list)
{
    enum walk rc = WALK_ON;
    for (size_t i = 0; i < list->n_kids && rc == WALK_ON; i++)
        rc = walk(s, dot, list->kids[i]);
    return rc;
}

static enum walk walk_action(struct state *s, struct value dot, const struct node *n)
{
    struct value v;
    if (tmpl_eval_pipeline(s, dot, n->pipe, &v) < 0)
        return WALK_ERROR;
    if (n->pipe->n_more == 0 && print_value(s, n, v) < 0)
        return WALK_ERROR;
    return WALK_ON;
}

static enum walk walk(struct state *s, struct value dot, const struct node *n)
{
    s->node = n;
    if (tmpl_state_step(s) < 0)
        return WALK_ERROR;
    switch (n->type) {
    case NODE_LIST:
        return walk_list(s, dot, n);
    case NODE_TEXT:
        return write_text(s, n->text) < 0 ? WALK_ERROR : WALK_ON;
    case NODE_ACTION:
        return walk_action(s, dot, n);
    case NODE_IF:
    case NODE_WITH:
        return walk_branch(s, dot, n);
    case NODE_RANGE:
        return walk_range(s, dot, n);
    case NODE_TEMPLATE:
        return walk_template(s, dot, n);
    case NODE_BREAK:
        return WALK_BREAK;
    case NODE_CONTINUE:
        return WALK_CONTINUE;
    default: /* expressions do not stand in lists */
        return WALK_ON;
    }
}

int tmpl_run(struct tmpl_exec *x, struct tmpl *t, struct value dot, struct buf *out)
{
    struct state s = {.x = x, .tmpl = t, .out = out};
    size_t mark = x->n_vars;
    enum walk rc = walk_tree(&s, value_unboxed(dot));
    x->n_vars = mark;
    return rc == WALK_ERROR ? -1 : 0;
}

int tmpl_execute(struct tmpl_exec *x, struct str name, struct value dot, struct buf *out)
{
    const struct tmpl *t = tmpl_lookup(x->set, name);
    if (t)
        return tmpl_run(x, (struct tmpl *)t, dot, out);
    struct buf b = {0};
    buf_puts(&b, "template: no template ");
    gofmt_quote(&b, name, false);
    buf_puts(&b, " associated with template ");
    gofmt_quote(&b, x->set->name, false);
    tmpl_fail_str(x, buf_str(&b));
    buf_done(&b);
    return -1;
}
