#include "control/runtime.h"

enum { PATIENCE_MS = 30000 };

static void object_done(struct expected *o)
{
    free(o->key);
    free(o->uid);
}

void expect_done(struct expectations *e)
{
    for (size_t i = 0; i < e->count; i++)
        object_done(&e->objects[i]);
    free(e->objects);
    *e = (struct expectations){0};
}

void expect_written(struct expectations *e, enum kind kind, int64_t rv)
{
    if (kind >= KIND_COUNT || rv <= 0)
        return;
    if (e->seen[kind] < rv)
        e->seen[kind] = rv;
    e->any = true;
}

void expect_object(struct expectations *e, const struct action *a)
{
    if (a->kind >= KIND_COUNT || !a->uid.n)
        return;
    struct buf key = {0};
    if (a->ns.n)
        buf_printf(&key, "%.*s/", STR_ARG(a->ns));
    buf_put(&key, a->name);
    e->objects = mem_realloc_array(e->objects, e->count + 1, sizeof *e->objects);
    e->objects[e->count++] = (struct expected){
        .kind = a->kind,
        .what = a->verb == ACT_DELETE ? EXPECT_DELETED : EXPECT_BOUND,
        .key = buf_take(&key),
        .uid = mem_strndup(a->uid.p, a->uid.n),
    };
    e->any = true;
}

static bool object_met(const struct expected *o, struct picture *p)
{
    struct item *i = picture_get(p, o->kind, str_of(o->key));
    bool met = !i || !str_is(i->uid, o->uid) || i->deleted;
    if (!met && o->what == EXPECT_BOUND)
        met = i->pod && i->pod->node.n;
    item_unref(i);
    return met;
}

bool expect_met(struct expectations *e, struct picture *p, int64_t now)
{
    if (!e->any)
        return true;
    if (!e->deadline)
        e->deadline = now + PATIENCE_MS;
    if (now >= e->deadline) {
        expect_done(e);
        return true;
    }
    for (int k = 0; k < KIND_COUNT; k++)
        if (e->seen[k] > picture_seen(p, (enum kind)k))
            return false;
    while (e->count) {
        if (!object_met(&e->objects[e->count - 1], p))
            return false;
        object_done(&e->objects[--e->count]);
    }
    expect_done(e);
    return true;
}
