#include "cel/ast.h"

struct node *cel_node_new(struct compiler *c, enum node_kind kind, uint32_t at)
{
    struct node *n = ARENA_NEW(c->a, struct node);
    if (c->node_count++ == MAX_NODES)
        cel_issue_add(c, at, "expression is too large when its macros are expanded");
    n->kind = kind;
    n->at = at;
    return n;
}

static void set_args(struct compiler *c, struct node *n, size_t skip, size_t count,
                     struct node *const *args)
{
    n->count = skip + count;
    n->args = arena_zalloc(c->a, (n->count + 1) * sizeof *n->args);
    if (count)
        memcpy(n->args + skip, args, count * sizeof *args);
}

struct node *cel_node_literal(struct compiler *c, uint32_t at, struct cel_value v)
{
    struct node *n = cel_node_new(c, NODE_LITERAL, at);
    n->literal = v;
    return n;
}

struct node *cel_node_ident(struct compiler *c, uint32_t at, struct str name)
{
    struct node *n = cel_node_new(c, NODE_IDENT, at);
    n->name = name;
    return n;
}

struct node *cel_node_select(struct compiler *c, uint32_t at, struct node *operand,
                             struct str field)
{
    struct node *n = cel_node_new(c, NODE_SELECT, at);
    n->name = field;
    set_args(c, n, 0, 1, &operand);
    return n;
}

struct node *cel_node_call(struct compiler *c, uint32_t at, struct str function, size_t count,
                           struct node *const *args)
{
    struct node *n = cel_node_new(c, NODE_CALL, at);
    n->name = function;
    set_args(c, n, 0, count, args);
    return n;
}

struct node *cel_node_member(struct compiler *c, uint32_t at, struct str function,
                             struct node *target, size_t count, struct node *const *args)
{
    struct node *n = cel_node_new(c, NODE_CALL, at);
    n->name = function;
    n->member = true;
    set_args(c, n, 1, count, args);
    n->args[0] = target;
    return n;
}

struct node *cel_node_list(struct compiler *c, uint32_t at, size_t count, struct node *const *items)
{
    struct node *n = cel_node_new(c, NODE_LIST, at);
    set_args(c, n, 0, count, items);
    return n;
}

struct node *cel_node_copy(struct compiler *c, const struct node *n)
{
    struct node *copy = cel_node_new(c, n->kind, n->at);
    if (c->node_count > MAX_NODES)
        return copy;
    *copy = *n;
    copy->args = arena_zalloc(c->a, (n->count + 1) * sizeof *n->args);
    for (size_t i = 0; i < n->count; i++)
        copy->args[i] = cel_node_copy(c, n->args[i]);
    return copy;
}

bool cel_node_qualified(struct compiler *c, const struct node *n, struct str *ret)
{
    size_t length = 0;
    const struct node *at = n;
    for (; at->kind == NODE_SELECT && !at->test_only; at = at->args[0])
        length += at->name.n + 1;
    if (at->kind != NODE_IDENT)
        return false;
    length += at->name.n;
    char *p = arena_alloc(c->a, length + 1), *end = p + length;
    *end = 0;
    for (at = n; at->kind == NODE_SELECT; at = at->args[0]) {
        end -= at->name.n;
        memcpy(end, at->name.p, at->name.n);
        *--end = '.';
    }
    memcpy(p, at->name.p, at->name.n);
    *ret = (struct str){p, length};
    return true;
}
