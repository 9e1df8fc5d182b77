#include "control/reconcile.h"

#include <stdlib.h>

#include "control/pack.h"

struct held { /* references to drop at the view's end; from the arena */
    struct held *next;
    struct item **items;
    size_t n;
};

static void hold(struct view *v, struct item **items, size_t n)
{
    struct held *h = ARENA_NEW(v->arena, struct held);
    *h = (struct held){v->held, items, n};
    v->held = h;
}

void view_done(struct view *v)
{
    for (struct held *h = v->held; h; h = h->next)
        for (size_t i = 0; i < h->n; i++)
            item_unref(h->items[i]);
    v->held = NULL;
}

static const struct item *hold_one(struct view *v, struct item *i)
{
    if (!i)
        return NULL;
    struct item **place = arena_alloc(v->arena, sizeof *place);
    *place = i;
    hold(v, place, 1);
    return i;
}

const struct item *view_item(struct view *v, enum kind kind, struct str key)
{
    return hold_one(v, picture_get(v->picture, kind, key));
}

const struct item *view_uid(struct view *v, struct str uid)
{
    return hold_one(v, picture_uid(v->picture, uid));
}

size_t view_match(struct view *v, enum group group, enum kind kind, struct str value,
                  picture_match *match, void *arg, const struct item ***ret)
{
    struct item **items;
    size_t n = picture_group(v->picture, group, kind, value, match, arg, v->arena, &items);
    if (n)
        hold(v, items, n);
    /* The callers' array is their own: they sort it. */
    *ret = n ? arena_alloc(v->arena, n * sizeof **ret) : NULL;
    for (size_t i = 0; i < n; i++)
        (*ret)[i] = items[i];
    return n;
}

size_t view_group(struct view *v, enum group group, enum kind kind, struct str value,
                  const struct item ***ret)
{
    return view_match(v, group, kind, value, NULL, NULL, ret);
}

size_t view_dependents(struct view *v, struct str uid, const struct item ***ret)
{
    struct item **items;
    size_t n = picture_dependents(v->picture, uid, v->arena, &items);
    if (n)
        hold(v, items, n);
    *ret = (const struct item **)items;
    return n;
}

val *view_parse(struct view *v, const struct item *i)
{
    struct doc part = {0};
    struct buf text = {0};
    val *tree, *copy = NULL;
    if (unpack(bytes_str(i->packed), &text) &&
        doc_parse_json(&part, buf_str(&text), &tree, NULL) == 0)
        copy = val_copy(v->doc, tree);
    doc_done(&part);
    buf_done(&text);
    return copy;
}

val *view_get(struct view *v, enum kind kind, struct str key)
{
    const struct item *i = view_item(v, kind, key);
    return i ? view_parse(v, i) : NULL;
}

static int by_key(const void *a, const void *b)
{
    return str_cmp((*(const struct item *const *)a)->key, (*(const struct item *const *)b)->key);
}

void items_sort(const struct item **items, size_t n)
{
    if (n > 1)
        qsort(items, n, sizeof *items, by_key);
}

void mark_key(struct marks *m, struct str key)
{
    m->mark(m->arg, key);
}
