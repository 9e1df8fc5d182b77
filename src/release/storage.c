/* storage.c: the history of releases, over whatever keeps the records. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "release/storage_internal.h"

int storage_open(struct chart_ctx *cx, struct client *client, struct str driver,
                 struct str namespace, int history_max, struct storage **ret)
{
    static const struct {
        const char *name;
        const struct storage_driver *driver;
    } drivers[] = {
        {"", &storage_secrets},
        {"secret", &storage_secrets},
        {"secrets", &storage_secrets},
        {"configmap", &storage_configmaps},
        {"configmaps", &storage_configmaps},
        {"memory", &storage_memory},
    };
    for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
        if (!str_is(driver, drivers[i].name))
            continue;
        struct storage *s = ARENA_NEW(cx->arena, struct storage);
        *s = (struct storage){cx, client, drivers[i].driver, arena_dup(cx->arena, namespace),
                              history_max};
        *ret = s;
        return STORAGE_OK;
    }
    return chart_fail(cx, "unknown driver \"%.*s\"", STR_ARG(driver));
}

int storage_fail_not_found(struct storage *s)
{
    chart_fail(s->cx, "release: not found");
    return STORAGE_NOT_FOUND;
}

int storage_fail_exists(struct storage *s)
{
    chart_fail(s->cx, "release: already exists");
    return STORAGE_EXISTS;
}

/* --- labels --- */
static bool is_system_label(struct str key)
{
    static const char *const names[] = {"name",    "owner",     "status",
                                        "version", "createdAt", "modifiedAt"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_is(key, names[i]))
            return true;
    return false;
}

static struct vmap *record_labels(struct arena *a, const struct release *r, const char *stamp)
{
    struct vmap *m = vmap_new(a, vmap_len(r->labels) + 5);
    for (size_t i = 0; i < vmap_len(r->labels); i++)
        vmap_set(m, r->labels->entries[i].key, r->labels->entries[i].value);
    int64_t seconds = wall_ns(world_real()) / 1000000000;
    vmap_set(m, str_of(stamp), value_str(arena_printf(a, "%lld", (long long)seconds)));
    vmap_set(m, STR("name"), value_str(r->name));
    vmap_set(m, STR("owner"), value_z("helm"));
    vmap_set(m, STR("status"), value_z(release_status_text(r->status)));
    vmap_set(m, STR("version"), value_str(arena_printf(a, "%d", r->version)));
    return m;
}

static struct vmap *user_labels(struct arena *a, const struct vmap *labels)
{
    struct vmap *m = NULL;
    for (size_t i = 0; i < vmap_len(labels); i++) {
        const struct vmap_entry *e = &labels->entries[i];
        if (is_system_label(e->key))
            continue;
        if (!m)
            m = vmap_new(a, vmap_len(labels));
        vmap_set(m, e->key, e->value);
    }
    return m;
}

/* --- one record --- */
static int write_record(struct storage *s, const struct release *r, const char *stamp,
                        const char *doing,
                        int (*write)(struct storage *s, const struct storage_record *r))
{
    struct buf text = {0};
    struct storage_record record = {release_key(s->cx->arena, r->name, r->version), r->namespace,
                                    record_labels(s->cx->arena, r, stamp)};
    int code = release_encode(s->cx, r, &text);
    record.text = buf_str(&text);
    if (code == 0)
        code = write(s, &record);
    else if (s->driver->wraps)
        chart_wrap(s->cx, "%s: failed to encode release \"%.*s\"", doing, STR_ARG(r->name));
    buf_done(&text);
    return code;
}

int storage_update(struct storage *s, const struct release *r)
{
    return write_record(s, r, "modifiedAt", "update", s->driver->update);
}

int storage_delete(struct storage *s, struct str name, int version)
{
    return s->driver->remove(s, release_key(s->cx->arena, name, version));
}

struct wanted {
    struct storage *s;
    struct release *release;
};

static int take_one(void *arg, const struct storage_record *record)
{
    struct wanted *w = arg;
    struct arena *a = w->s->cx->arena;
    if (release_decode(w->s->cx, record->text, &w->release) != 0)
        return w->s->driver->wraps ? chart_wrap(w->s->cx, "get: failed to decode data \"%.*s\"",
                                                STR_ARG(record->key))
                                   : -1;
    w->release->labels = user_labels(a, record->labels);
    return 0;
}

int storage_get(struct storage *s, struct str name, int version, struct release **ret)
{
    struct wanted w = {s, NULL};
    int code = s->driver->get(s, release_key(s->cx->arena, name, version), take_one, &w);
    if (code == STORAGE_OK)
        *ret = w.release;
    return code;
}

/* --- many --- */
struct taken {
    struct storage *s;
    int (*decode)(struct chart_ctx *cx, struct str text, struct release **ret);
    struct release_list list;
    size_t cap, seen, unread;
};

/* What cannot be read is passed over, as Helm does. */
static int take_each(void *arg, const struct storage_record *record)
{
    struct taken *t = arg;
    struct arena *a = t->s->cx->arena;
    struct release *r;
    t->seen++;
    if (t->decode(t->s->cx, record->text, &r) != 0) {
        t->unread++;
        return 0;
    }
    r->labels = user_labels(a, record->labels);
    if (t->list.n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 16;
        struct release **grown = arena_alloc(a, t->cap * sizeof(struct release *));
        if (t->list.n)
            memcpy(grown, t->list.items, t->list.n * sizeof(struct release *));
        t->list.items = grown;
    }
    t->list.items[t->list.n++] = r;
    return 0;
}

static int by_version(const void *x, const void *y)
{
    const struct release *const *a = x, *const *b = y;
    return ((*a)->version > (*b)->version) - ((*a)->version < (*b)->version);
}

/* Releases with labels; none at all is STORAGE_NOT_FOUND. */
static int query_with(struct taken *t, struct str selector, struct release_list *ret)
{
    struct storage *s = t->s;
    int code = s->driver->list(s, selector, "query", take_each, t);
    if (code != STORAGE_OK)
        return code;
    if (t->seen == 0)
        return storage_fail_not_found(s);
    if (t->list.n)
        qsort(t->list.items, t->list.n, sizeof(struct release *), by_version);
    *ret = t->list;
    return STORAGE_OK;
}

static int query(struct storage *s, struct str selector, struct release_list *ret)
{
    struct taken t = {.s = s, .decode = release_decode};
    return query_with(&t, selector, ret);
}

static struct str name_selector(struct storage *s, struct str name)
{
    return arena_printf(s->cx->arena, "name=%.*s,owner=helm", STR_ARG(name));
}

int storage_history(struct storage *s, struct str name, struct release_list *ret)
{
    return query(s, name_selector(s, name), ret);
}

int storage_last(struct storage *s, struct str name, struct release **ret)
{
    struct release_list all;
    int code = storage_history(s, name, &all);
    if (code != STORAGE_OK)
        return code;
    if (all.n == 0)
        return chart_fail(s->cx, "no revision for release \"%.*s\"", STR_ARG(name));
    *ret = all.items[all.n - 1];
    return STORAGE_OK;
}

int storage_deployed(struct storage *s, struct str name, struct release **ret)
{
    struct release_list all = {0};
    struct str selector =
        arena_printf(s->cx->arena, "name=%.*s,owner=helm,status=deployed", STR_ARG(name));
    int code = query(s, selector, &all);
    if (code == STORAGE_FAILED)
        return code;
    if (all.n == 0) {
        chart_fail(s->cx, "\"%.*s\" has no deployed releases", STR_ARG(name));
        return STORAGE_NOT_FOUND;
    }
    *ret = all.items[all.n - 1];
    return STORAGE_OK;
}

int storage_list(struct storage *s, struct str selector, struct release_list *ret)
{
    struct taken t = {.s = s, .decode = release_decode};
    struct str all =
        arena_printf(s->cx->arena, "owner=helm%s%.*s", selector.n ? "," : "", STR_ARG(selector));
    int code = s->driver->list(s, all, "list", take_each, &t);
    if (code == STORAGE_OK)
        *ret = t.list;
    return code;
}

/* --- for lists --- */
/* Of each release the newest record, by the labels that records have. */
struct newest {
    struct arena *arena;
    struct map records; /* "namespace/name" to struct kept */
    bool unlabelled;    /* there is a record without those labels */
};
struct kept {
    int64_t version;
    struct vmap *labels;
    struct buf key, text;
};

static int keep_newest(void *arg, const struct storage_record *record)
{
    struct newest *n = arg;
    const struct value *name = vmap_get(record->labels, STR("name"));
    const struct value *label = vmap_get(record->labels, STR("version"));
    int64_t version;
    if (!name || !label || !str_to_i64(value_text(*label), &version)) {
        n->unlabelled = true;
        return 0;
    }
    struct str release =
        arena_printf(n->arena, "%.*s/%.*s", STR_ARG(record->namespace), STR_ARG(value_text(*name)));
    struct kept *k = map_get(&n->records, release);
    if (k && k->version >= version)
        return 0;
    if (!k) {
        k = NEW(struct kept);
        map_set(&n->records, release, k);
    }
    k->version = version;
    k->labels = record->labels;
    buf_clear(&k->key);
    buf_put(&k->key, record->key);
    buf_clear(&k->text);
    buf_put(&k->text, record->text);
    return 0;
}

/* Decodes what was kept; frees it. */
static void take_kept(struct newest *n, struct taken *t)
{
    for (struct map_entry *e = NULL; (e = map_next(&n->records, e));) {
        struct kept *k = e->value;
        struct storage_record record = {
            .key = buf_str(&k->key), .labels = k->labels, .text = buf_str(&k->text)};
        take_each(t, &record);
        buf_done(&k->key);
        buf_done(&k->text);
        free(k);
    }
    map_done(&n->records);
}

int storage_heads(struct storage *s, struct str name, bool newest, struct release_list *ret)
{
    struct taken t = {.s = s, .decode = release_decode_head};
    struct newest n = {.arena = s->cx->arena};
    if (name.n)
        return query_with(&t, name_selector(s, name), ret);
    int code = newest ? s->driver->list(s, STR("owner=helm"), "list", keep_newest, &n)
                      : s->driver->list(s, STR("owner=helm"), "list", take_each, &t);
    take_kept(&n, &t);
    if (code == STORAGE_OK && newest && (n.unlabelled || t.unread))
        return storage_heads(s, name, false, ret); /* an older one may have to stand in */
    if (code == STORAGE_OK)
        *ret = t.list;
    return code;
}

/* --- limiting the history --- */
/* Which revisions go, oldest first, so that `keep` are left: never the deployed one. */
static struct release_list too_many(struct storage *s, const struct release_list *all,
                                    const struct release *deployed, size_t keep)
{
    struct release_list old = {arena_alloc(s->cx->arena, (all->n + 1) * sizeof(struct release *)),
                               0};
    for (size_t i = 0; i < all->n && all->n - old.n > keep; i++)
        if (!deployed || all->items[i]->version != deployed->version)
            old.items[old.n++] = all->items[i];
    return old;
}

static int limit_history(struct storage *s, struct str name, size_t keep)
{
    struct release_list all;
    struct release *deployed = NULL;
    struct str first = {0};
    size_t failed = 0;
    int code = storage_history(s, name, &all);
    if (code != STORAGE_OK || all.n <= keep)
        return code == STORAGE_NOT_FOUND ? STORAGE_OK : code;
    code = storage_deployed(s, name, &deployed);
    if (code != STORAGE_OK && code != STORAGE_NOT_FOUND)
        return code;
    struct release_list old = too_many(s, &all, deployed, keep);
    for (size_t i = 0; i < old.n; i++)
        if (storage_delete(s, name, old.items[i]->version) != STORAGE_OK && failed++ == 0)
            first = s->cx->error;
    if (failed == 0)
        return STORAGE_OK;
    return failed == 1 ? chart_fail(s->cx, "%.*s", STR_ARG(first))
                       : chart_fail(s->cx, "encountered %zu deletion errors. First is: %.*s",
                                    failed, STR_ARG(first));
}

int storage_create(struct storage *s, const struct release *r)
{
    if (s->history_max > 0) {
        int code = limit_history(s, r->name, (size_t)s->history_max - 1);
        if (code != STORAGE_OK)
            return code;
    }
    return write_record(s, r, "createdAt", "create", s->driver->create);
}
