/* The caches' changes go into the picture, and from there to the keys that they concern. */
#include "base/log.h"
#include "control/runtime.h"

struct marking {
    struct queue *queue;
    size_t controller;
};

static void mark(void *arg, struct str key)
{
    struct marking *m = arg;
    queue_mark(m->queue, m->controller, key);
}

static void tell(struct control *c, const struct change *change)
{
    struct arena arena = {0};
    for (size_t i = 0; controllers[i]; i++) {
        if (!controllers[i]->changed)
            continue;
        struct marking to = {&c->queue, i};
        struct marks m = {c->picture, &arena, mark, &to};
        controllers[i]->changed(&m, change);
    }
    arena_done(&arena);
}

static struct item *read_item(enum kind kind, struct obj *o)
{
    struct doc d = {0};
    val *v = obj_parse(o, &d), *meta = val_get(v, "metadata");
    struct bytes *json = bytes_ref(obj_json(o));
    if (val_del(meta, "managedFields")) { /* of no use here, and long */
        struct buf b = {0};
        val_write_json(v, &b);
        bytes_unref(json);
        json = bytes_new(buf_str(&b));
        buf_done(&b);
    }
    struct item *i = v ? item_new(kind, v, json) : NULL;
    bytes_unref(json);
    doc_done(&d);
    return i;
}

static void on_change(void *arg, enum cache_change kind, struct obj *old, struct obj *now)
{
    (void)kind;
    struct feed *f = arg;
    struct item *item = now ? read_item(f->kind, now) : NULL, *before;
    if (now && !item)
        return;
    picture_apply(f->control->picture, f->kind, obj_key(now ? now : old), item_ref(item), &before);
    const struct change change = {f->kind, before, item};
    if (before || item)
        tell(f->control, &change);
    item_unref(before);
    item_unref(item);
}

int feed_start(struct control *c, struct err *err)
{
    for (int k = 0; k < KIND_COUNT; k++) {
        struct feed *f = &c->feeds[k];
        *f = (struct feed){.control = c, .kind = (enum kind)k};
        const struct cache_config config = {
            .resource = kind_infos[k].resource, .handler = on_change, .arg = f, .bare = true};
        if (cache_new(c->client, &config, &f->cache, err) < 0)
            return err_prefix(err, "watching %s", kind_infos[k].resource->name);
    }
    for (int k = 0; k < KIND_COUNT; k++)
        cache_start(c->feeds[k].cache);
    return 0;
}

bool feed_wait(struct control *c)
{
    for (int k = 0; k < KIND_COUNT; k++)
        while (!cache_wait_synced(c->feeds[k].cache, 200))
            if (c->stopping)
                return false;
    return !c->stopping;
}

void feed_stop(struct control *c)
{
    for (int k = 0; k < KIND_COUNT; k++)
        if (c->feeds[k].cache)
            cache_free(c->feeds[k].cache);
}
