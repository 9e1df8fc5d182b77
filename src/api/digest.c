#include "api/digest.h"

#include <pthread.h>
#include <xxhash.h>

#include "api/core.h"
#include "api/raw.h"

enum {
    MOST_OBJECTS = 200 * 1000,
    MOST_WANTED = 64,  /* values of all requirements */
    FEW_CHANGES = 256, /* or an eighth of the objects: more are not read from history */
    MOST_GAP = 4096,   /* and one for each object: revisions, of all kinds, since it was made */
    WORTH = 4,         /* one of so many may be picked */
};

struct bits {
    uint64_t at[2];
};

struct entry {
    char *key; /* behind the kind's prefix */
    uint32_t n;
    struct bits has;
};

struct digest {
    pthread_mutex_t lock;
    bool asked;
    int64_t revision; /* 0: not made */
    struct entry *at; /* by key */
    size_t count;
    const char **plain; /* the fields that are in it, NULL-terminated */
};

struct digests {
    const struct kinds *kinds;
    atomic_size_t objects; /* of all */
    struct digest of[];    /* each of the kinds */
};

/* --- bits --- */

enum { SEED_LABEL = 1, SEED_FIELD };

static struct bits bits_of(uint64_t seed, struct str name, struct str value)
{
    struct bits b = {0};
    uint64_t h = XXH3_64bits_withSeed(name.p, name.n, seed);
    h = XXH3_64bits_withSeed(value.p, value.n, h);
    for (int i = 0; i < 3; i++, h >>= 7)
        b.at[h >> 6 & 1] |= UINT64_C(1) << (h & 63);
    return b;
}

static void bits_add(struct bits *b, struct bits more)
{
    b->at[0] |= more.at[0];
    b->at[1] |= more.at[1];
}

static bool bits_have(const struct bits *b, const struct bits *want)
{
    return !(want->at[0] & ~b->at[0]) && !(want->at[1] & ~b->at[1]);
}

/* Read as the selectors do (select.c); what only a parser can tell may be anything. */
static struct bits digest_object(const struct digest *d, struct str json)
{
    static const struct bits anything = {{UINT64_MAX, UINT64_MAX}};
    struct bits b = {0};
    struct str name, raw, labels = raw_path(json, "metadata.labels");
    if (labels.p && memchr(labels.p, '\\', labels.n))
        return anything;
    for (size_t at = 0; labels.p && raw_next(labels, &at, &name, &raw);)
        bits_add(&b, bits_of(SEED_LABEL, name, raw_text(raw)));
    for (const char **field = d->plain; *field; field++) {
        name = str_of(*field);
        raw = raw_at(json, name);
        struct str text = raw_text(raw);
        if (raw.p && !text.p)
            return anything;
        bits_add(&b, bits_of(SEED_FIELD, name, text));
    }
    return b;
}

/* --- entries --- */

static struct str entry_key(const struct entry *e)
{
    return (struct str){e->key, e->n};
}

static void entry_put(struct entry *e, const struct digest *d, const struct kind *k, struct str key,
                      struct str json, struct buf *room)
{
    struct str name = str_from(key, k->prefix.n);
    e->key = mem_alloc(name.n + 1);
    memcpy(e->key, name.p, name.n);
    e->n = (uint32_t)name.n;
    e->has = digest_object(d, kind_view(k, json, room));
}

/* The first at or behind key, which goes without the prefix. */
static size_t lower_bound(const struct digest *d, size_t from, struct str key)
{
    size_t to = d->count;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (str_cmp(entry_key(&d->at[mid]), key) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

static void forget(struct digests *all, struct digest *d)
{
    for (size_t i = 0; i < d->count; i++)
        free(d->at[i].key);
    free(d->at);
    atomic_fetch_sub(&all->objects, d->count);
    d->at = NULL;
    d->count = 0;
    d->revision = 0;
}

static bool make(struct digests *all, struct digest *d, const struct kind *k,
                 struct store_snap *snap)
{
    struct store_kv kv;
    struct buf room = {0};
    forget(all, d);
    size_t most = (size_t)store_count(snap, k->prefix, k->end);
    if (atomic_fetch_add(&all->objects, most) + most > MOST_OBJECTS) {
        atomic_fetch_sub(&all->objects, most);
        return false;
    }
    d->at = mem_realloc_array(NULL, most + 1, sizeof(*d->at));
    struct store_iter *it = store_range(snap, k->prefix, k->end);
    while (d->count < most && store_next(it, &kv))
        entry_put(&d->at[d->count++], d, k, kv.key, kv.value, &room);
    bool all_in = d->count == most && !store_next(it, &kv);
    atomic_fetch_sub(&all->objects, most - d->count);
    store_iter_free(it);
    buf_done(&room);
    d->revision = all_in ? store_snap_revision(snap) : 0;
    return all_in;
}

/* --- changes --- */

static int by_key_and_revision(const void *pa, const void *pb)
{
    const struct store_event *const *a = pa, *const *b = pb;
    int order = str_cmp((*a)->key, (*b)->key);
    return order ? order : (*a)->revision < (*b)->revision ? -1 : 1;
}

/* The last event of each key, by key. */
static size_t sort_events(const struct store_batch *b, const struct store_event **ret)
{
    size_t n = 0;
    for (size_t i = 0; i < b->count; i++)
        ret[i] = &b->events[i];
    qsort(ret, b->count, sizeof(struct store_event *), by_key_and_revision);
    for (size_t i = 0; i < b->count; i++)
        if (i + 1 == b->count || !str_eq(ret[i]->key, ret[i + 1]->key))
            ret[n++] = ret[i];
    return n;
}

/* When no key comes or goes. */
static bool apply_in_place(struct digest *d, const struct kind *k,
                           const struct store_event *const *events, size_t n)
{
    struct buf room = {0};
    for (size_t i = 0; i < n; i++) {
        struct str name = str_from(events[i]->key, k->prefix.n);
        size_t at = lower_bound(d, 0, name);
        if (!events[i]->value || at == d->count || !str_eq(entry_key(&d->at[at]), name))
            return false;
    }
    for (size_t i = 0; i < n; i++) {
        size_t at = lower_bound(d, 0, str_from(events[i]->key, k->prefix.n));
        d->at[at].has = digest_object(d, kind_view(k, bytes_str(events[i]->value), &room));
    }
    buf_done(&room);
    return true;
}

static void apply(struct digests *all, struct digest *d, const struct kind *k,
                  const struct store_batch *b)
{
    const struct store_event **events =
        mem_realloc_array(NULL, b->count, sizeof(struct store_event *));
    size_t event_count = sort_events(b, events), from = 0, n = 0;
    if (apply_in_place(d, k, events, event_count)) {
        free(events);
        return;
    }
    struct entry *at = mem_realloc_array(NULL, d->count + event_count + 1, sizeof(*at));
    struct buf room = {0};
    for (size_t i = 0; i < event_count; i++) {
        struct str name = str_from(events[i]->key, k->prefix.n);
        size_t upto = lower_bound(d, from, name);
        memcpy(&at[n], &d->at[from], (upto - from) * sizeof(*at));
        n += upto - from;
        from = upto;
        if (from < d->count && str_eq(entry_key(&d->at[from]), name))
            free(d->at[from++].key);
        if (events[i]->value)
            entry_put(&at[n++], d, k, events[i]->key, bytes_str(events[i]->value), &room);
    }
    memcpy(&at[n], &d->at[from], (d->count - from) * sizeof(*at));
    n += d->count - from;
    atomic_fetch_add(&all->objects, n - d->count);
    free(d->at);
    d->at = at;
    d->count = n;
    buf_done(&room);
    free(events);
}

/* By the changes since its revision. false: there are too many of them. What a commit made readable
 * a moment ago may not be among them yet; then it stands at an older revision still. */
static bool move_on(struct digests *all, struct digest *d, const struct kind *k, struct store *s,
                    int64_t revision)
{
    size_t few = d->count / 8 > FEW_CHANGES ? d->count / 8 : FEW_CHANGES;
    struct store_batch *b = NULL;
    struct err ignored;
    int64_t upto;
    if (!d->revision || (uint64_t)(revision - d->revision) > d->count + MOST_GAP ||
        store_history(s, d->revision, revision, k->prefix, few, &b, &upto, &ignored) != 0)
        return false;
    bool full = b && b->count >= few;
    if (b)
        apply(all, d, k, b);
    store_batch_unref(b);
    d->revision = upto;
    return (upto == revision || !full) && atomic_load(&all->objects) <= MOST_OBJECTS;
}

/* --- what is wanted --- */

/* Each requirement is met by one of its values; `last` ends it. */
struct wanted {
    struct bits bits[MOST_WANTED];
    bool last[MOST_WANTED];
    size_t count;
    struct str name; /* of the object; empty: any */
};

static void want(struct wanted *w, uint64_t seed, const struct requirement *r)
{
    if ((r->op != SELECT_EQUALS && r->op != SELECT_IN) || !r->value_count ||
        r->value_count > MOST_WANTED - w->count)
        return;
    for (size_t i = 0; i < r->value_count; i++) {
        w->bits[w->count] = bits_of(seed, r->key, r->values[i]);
        w->last[w->count++] = i + 1 == r->value_count;
    }
}

static bool is_in(const char *const *list, struct str word)
{
    for (; *list; list++)
        if (str_is(word, *list))
            return true;
    return false;
}

static void want_all(struct wanted *w, const struct digest *d, const struct selection *s)
{
    w->count = 0;
    w->name = s->name;
    for (size_t i = 0; i < s->labels.count; i++)
        want(w, SEED_LABEL, &s->labels.requirements[i]);
    for (size_t i = 0; i < s->fields.count; i++)
        if (is_in(d->plain, s->fields.requirements[i].key))
            want(w, SEED_FIELD, &s->fields.requirements[i]);
}

static bool may_match(const struct wanted *w, const struct entry *e)
{
    bool met = false;
    for (size_t i = 0; i < w->count; i++) {
        met = met || bits_have(&e->has, &w->bits[i]);
        if (!w->last[i])
            continue;
        if (!met)
            return false;
        met = false;
    }
    /* Behind a namespace, if there is one. */
    struct str key = entry_key(e);
    return !w->name.n ||
           (str_ends(key, w->name) && (key.n == w->name.n || key.p[key.n - w->name.n - 1] == '/'));
}

static void pick(struct call *c, struct list_plan *p, const struct digest *d,
                 const struct wanted *w, struct arena *room)
{
    struct str prefix = c->kind->prefix;
    size_t from = lower_bound(d, 0, str_from(p->start, prefix.n));
    size_t upto = d->count, n = 0;
    if (!str_eq(p->end, c->kind->end))
        upto = lower_bound(d, from, str_from(p->end, prefix.n));
    for (size_t i = from; i < upto; i++)
        n += may_match(w, &d->at[i]);
    if (n > (upto - from) / WORTH)
        return;
    struct str *keys = arena_alloc(room, n * sizeof(*keys) + 1);
    p->keys = keys;
    p->key_count = n;
    for (size_t i = from; n; i++)
        if (may_match(w, &d->at[i])) {
            *keys++ =
                arena_printf(room, "%.*s%.*s", STR_ARG(prefix), (int)d->at[i].n, d->at[i].key);
            n--;
        }
}

/* Another list has moved it on since this one's snapshot was taken. */
static bool renew(struct call *c)
{
    struct store_snap *newest;
    struct err ignored;
    if (store_snap_begin(c->api->config.store, 0, &newest, &ignored) != 0)
        return false;
    store_snap_end(c->snap);
    c->snap = newest;
    return true;
}

/* Brings digest and snapshot to one revision. */
static bool meet(struct digests *all, struct digest *d, struct call *c, const struct list_plan *p)
{
    if (p->revision)
        return d->revision == store_snap_revision(c->snap);
    if (d->revision > store_snap_revision(c->snap) && !renew(c))
        return false;
    int64_t revision = store_snap_revision(c->snap);
    if (d->revision == revision)
        return true;
    if (!move_on(all, d, c->kind, c->api->config.store, revision))
        return make(all, d, c->kind, c->snap);
    return d->revision == revision;
}

void digest_pick(struct call *c, struct list_plan *p, struct arena *room)
{
    struct digests *all = c->api->digests;
    struct wanted w;
    /* A name in a namespace is one key already. */
    if (p->selection.any || c->custom || (p->selection.name.n && c->route.ns.n))
        return;
    struct digest *d = &all->of[c->kind - all->kinds->all];
    want_all(&w, d, &p->selection);
    if (!w.count && !w.name.n)
        return;
    pthread_mutex_lock(&d->lock);
    if (d->asked && meet(all, d, c, p))
        pick(c, p, d, &w, room);
    d->asked = true;
    pthread_mutex_unlock(&d->lock);
}

/* --- all of them --- */

static const char **plain_fields(const struct kind *k)
{
    size_t n = 0;
    for (const char *const *f = k->s->fields; f && *f; f++)
        n++;
    const char **plain = mem_realloc_array(NULL, n + 1, sizeof(*plain));
    n = 0;
    for (const char *const *f = k->s->fields; f && *f; f++)
        if (selection_is_plain(k, str_of(*f)))
            plain[n++] = *f;
    plain[n] = NULL;
    return plain;
}

struct digests *digests_new(const struct kinds *kinds)
{
    struct digests *all = mem_zalloc(sizeof(*all) + kinds->count * sizeof(all->of[0]));
    all->kinds = kinds;
    for (size_t i = 0; i < kinds->count; i++) {
        pthread_mutex_init(&all->of[i].lock, NULL);
        all->of[i].plain = plain_fields(&kinds->all[i]);
    }
    return all;
}

void digests_free(struct digests *all)
{
    if (!all)
        return;
    for (size_t i = 0; i < all->kinds->count; i++) {
        forget(all, &all->of[i]);
        free(all->of[i].plain);
        pthread_mutex_destroy(&all->of[i].lock);
    }
    free(all);
}
