/* Lists: items, a document's array, or two lists one behind the other, so that joining is cheap. */
#include "cel/containers.h"
#include "cel/eval.h"

enum { MAX_ITEMS = 1 << 23 }; /* of joined lists, which are cheaper to make than to read */

struct cel_value cel_list_of(struct cel_list *l)
{
    return (struct cel_value){.kind = CEL_LIST, .list = l};
}

struct cel_value cel_list_new(struct eval *ev, size_t cap)
{
    struct cel_list *l = ARENA_NEW(ev->a, struct cel_list);
    l->cap = cap;
    if (cap)
        l->items = arena_alloc(ev->a, cap * sizeof *l->items);
    return cel_list_of(l);
}

void cel_list_push(struct eval *ev, struct cel_value list, struct cel_value v)
{
    struct cel_list *l = (struct cel_list *)list.list;
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 4;
        struct cel_value *more = arena_alloc(ev->a, cap * sizeof *more);
        if (l->n)
            memcpy(more, l->items, l->n * sizeof *more);
        l->items = more;
        l->cap = cap;
    }
    l->items[l->n++] = v;
}

struct cel_value cel_list_at(struct eval *ev, const struct cel_list *l, size_t i)
{
    while (l->form == LIST_JOINED) {
        if (i < l->left->n) {
            l = l->left;
        } else {
            i -= l->left->n;
            l = l->right;
        }
    }
    if (l->form == LIST_ITEMS)
        return l->items[i];
    const val *item = cel_doc_index_at(ev, l->doc, i);
    return l->type ? cel_of_doc(ev->a, item, l->type->a) : cel_of_json(ev->a, item);
}

static bool is_by_key(const struct cel_list *l)
{
    return l->type && l->type->list == SCHEMA_LIST_MAP;
}

static bool is_set(const struct cel_list *l)
{
    return l->type && l->type->list == SCHEMA_LIST_SET;
}

/* Sets and keyed lists of a schema take over only what they lack; keyed items replace. */
static struct cel_value merge(struct eval *ev, const struct cel_list *x, const struct cel_list *y)
{
    struct cel_value out = cel_list_new(ev, x->n + y->n);
    ((struct cel_list *)out.list)->type = x->type; /* what comes out is a set, or keyed, again */
    struct cel_value places = cel_map_new(ev, x->n + y->n), place;
    for (size_t i = 0; i < x->n + y->n; i++) {
        struct cel_value item = i < x->n ? cel_list_at(ev, x, i) : cel_list_at(ev, y, i - x->n);
        struct cel_value key = is_by_key(x) ? cel_doc_item_key(ev, x->type, item) : item;
        if (i >= x->n && cel_map_find(ev, places.map, key, &place)) {
            ((struct cel_list *)out.list)->items[place.i] = item;
            continue;
        }
        cel_map_put(ev, places, key, cel_int((int64_t)out.list->n));
        cel_list_push(ev, out, item);
    }
    return out;
}

struct cel_value cel_list_join(struct eval *ev, struct cel_value x, struct cel_value y)
{
    if (x.list->growing) {
        for (size_t i = 0, n = y.list->n; i < n; i++)
            cel_list_push(ev, x, cel_list_at(ev, y.list, i));
        return x;
    }
    if (is_by_key(x.list) || is_set(x.list))
        return merge(ev, x.list, y.list);
    if (x.list->n == 0)
        return y;
    if (y.list->n == 0)
        return x;
    if (x.list->n + y.list->n > MAX_ITEMS)
        return cel_error(ev, "list is too long");
    struct cel_list *l = ARENA_NEW(ev->a, struct cel_list);
    l->form = LIST_JOINED;
    l->left = x.list;
    l->right = y.list;
    l->n = x.list->n + y.list->n;
    return cel_list_of(l);
}

struct cel_value cel_list_contains(struct eval *ev, const struct cel_list *l, struct cel_value v)
{
    struct cel_value error = {0};
    bool failed = false;
    for (size_t i = 0; i < l->n; i++) {
        struct cel_value eq = cel_equal(ev, cel_list_at(ev, l, i), v);
        if (eq.kind == CEL_BOOL && eq.b)
            return eq;
        if (eq.kind == CEL_ERROR && !failed) {
            error = eq;
            failed = true;
        }
    }
    return failed ? error : cel_bool(false);
}
