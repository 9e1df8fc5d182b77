#include "client/shelf.h"

void shelf_done(struct shelf *s)
{
    obj_unref_all(s->objs, s->n);
    *s = (struct shelf){0};
}

size_t shelf_lower(const struct shelf *s, struct str key)
{
    size_t low = 0, high = s->n;
    /* Lists come in order: the end is the usual place. */
    if (high && str_cmp(obj_key(s->objs[high - 1]), key) < 0)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (str_cmp(obj_key(s->objs[middle]), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct shelf *s, size_t at, struct str key)
{
    return at < s->n && str_eq(obj_key(s->objs[at]), key);
}

struct obj *shelf_get(const struct shelf *s, struct str key)
{
    size_t at = shelf_lower(s, key);
    return is_at(s, at, key) ? s->objs[at] : NULL;
}

struct obj *shelf_put(struct shelf *s, struct obj *o)
{
    size_t at = shelf_lower(s, obj_key(o));
    if (is_at(s, at, obj_key(o))) {
        struct obj *old = s->objs[at];
        s->objs[at] = o;
        return old;
    }
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap + s->cap / 2 : 4;
        s->objs = mem_realloc_array(s->objs, s->cap, sizeof(struct obj *));
    }
    memmove(s->objs + at + 1, s->objs + at, (s->n - at) * sizeof(struct obj *));
    s->objs[at] = o;
    s->n++;
    return NULL;
}

struct obj *shelf_del(struct shelf *s, struct str key)
{
    size_t at = shelf_lower(s, key);
    if (!is_at(s, at, key))
        return NULL;
    struct obj *old = s->objs[at];
    memmove(s->objs + at, s->objs + at + 1, (--s->n - at) * sizeof(struct obj *));
    return old;
}

size_t shelf_copy(const struct shelf *s, size_t from, size_t to, struct obj ***ret)
{
    *ret = NULL;
    if (from >= to)
        return 0;
    *ret = mem_realloc_array(NULL, to - from, sizeof(struct obj *));
    for (size_t i = from; i < to; i++)
        (*ret)[i - from] = obj_ref(s->objs[i]);
    return to - from;
}
