#include "control/picture.h"

#include <pthread.h>

#include "base/list.h"
#include "base/map.h"

/* One object's place. It outlives the items that succeed each other in it. */
struct entry;

struct link { /* membership in one group; MAX_OWNERS owners are followed */
    struct list in_group;
    struct entry *entry;
    struct group_head *group;
};

enum { MAX_OWNERS = 8, FIXED_LINKS = 4 };

struct entry {
    struct item *item;
    size_t link_count;
    struct link links[];
};

struct group_head {
    struct list members; /* links */
    size_t count;
    struct usage usage; /* GROUP_NODE */
};

struct picture {
    pthread_rwlock_t lock;
    struct map by_key[KIND_COUNT]; /* entry */
    struct map by_uid;             /* entry */
    struct map groups;             /* group_head by group, kind, value */
    _Atomic int64_t seen[KIND_COUNT];
};

struct picture *picture_new(void)
{
    struct picture *p = NEW(struct picture);
    pthread_rwlock_init(&p->lock, NULL);
    return p;
}

void picture_free(struct picture *p)
{
    if (!p)
        return;
    for (int k = 0; k < KIND_COUNT; k++) {
        for (struct map_entry *e = NULL; (e = map_next(&p->by_key[k], e));) {
            struct entry *entry = e->value;
            item_unref(entry->item);
            free(entry);
        }
        map_done(&p->by_key[k]);
    }
    for (struct map_entry *e = NULL; (e = map_next(&p->groups, e));)
        free(e->value);
    map_done(&p->groups);
    map_done(&p->by_uid);
    pthread_rwlock_destroy(&p->lock);
    free(p);
}

/* --- groups --- */

enum { GROUP_KEY_MAX = 320 }; /* group, kind, and a name of at most 253 characters */

static struct str group_key(char room[GROUP_KEY_MAX], enum group group, enum kind kind,
                            struct str value)
{
    room[0] = (char)('A' + group);
    room[1] = (char)('A' + kind);
    size_t n = value.n < GROUP_KEY_MAX - 2 ? value.n : GROUP_KEY_MAX - 2;
    if (n)
        memcpy(room + 2, value.p, n);
    return (struct str){room, n + 2};
}

static struct group_head *group_find(struct picture *p, enum group group, enum kind kind,
                                     struct str value)
{
    char room[GROUP_KEY_MAX];
    return map_get(&p->groups, group_key(room, group, kind, value));
}

static struct group_head *join(struct picture *p, struct entry *e, enum group group,
                               struct str value)
{
    char room[GROUP_KEY_MAX];
    struct str key = group_key(room, group, e->item->kind, value);
    struct group_head *g = map_get(&p->groups, key);
    if (!g) {
        g = NEW(struct group_head);
        list_init(&g->members);
        map_set(&p->groups, key, g);
    }
    struct link *l = &e->links[e->link_count++];
    l->entry = e;
    l->group = g;
    list_add_tail(&g->members, &l->in_group);
    g->count++;
    return g;
}

static void count_usage(struct group_head *g, const struct item *i, int sign)
{
    if (item_pod_done(i))
        return;
    g->usage.cpu += sign * i->pod->requests.cpu;
    g->usage.memory += sign * i->pod->requests.memory;
    g->usage.ephemeral += sign * i->pod->requests.ephemeral;
    g->usage.cpu_nonzero += sign * i->pod->cpu_nonzero;
    g->usage.memory_nonzero += sign * i->pod->memory_nonzero;
    g->usage.pods += sign;
}

static void join_all(struct picture *p, struct entry *e)
{
    const struct item *i = e->item;
    join(p, e, GROUP_ALL, (struct str){0});
    if (i->ns.n)
        join(p, e, GROUP_NS, i->ns);
    if (!i->controller)
        join(p, e, GROUP_ORPHANS, i->ns);
    if (i->pod)
        count_usage(join(p, e, GROUP_NODE, i->pod->node), i, 1);
    for (size_t o = 0; o < i->owner_count && o < MAX_OWNERS; o++)
        join(p, e, GROUP_OWNER, i->owners[o].uid);
}

static void drop_group_if_empty(struct picture *p, const struct item *i, enum group group,
                                struct str value)
{
    char room[GROUP_KEY_MAX];
    struct str key = group_key(room, group, i->kind, value);
    struct group_head *g = map_get(&p->groups, key);
    if (g && g->count == 0) {
        map_del(&p->groups, key);
        free(g);
    }
}

static void leave_all(struct picture *p, struct entry *e)
{
    const struct item *i = e->item;
    if (i->pod)
        count_usage(group_find(p, GROUP_NODE, KIND_PODS, i->pod->node), i, -1);
    for (size_t l = 0; l < e->link_count; l++) {
        list_del(&e->links[l].in_group);
        e->links[l].group->count--;
    }
    for (size_t o = 0; o < i->owner_count && o < MAX_OWNERS; o++)
        drop_group_if_empty(p, i, GROUP_OWNER, i->owners[o].uid);
    if (i->pod)
        drop_group_if_empty(p, i, GROUP_NODE, i->pod->node);
    drop_group_if_empty(p, i, GROUP_NS, i->ns);
    drop_group_if_empty(p, i, GROUP_ORPHANS, i->ns);
}

/* --- changing --- */

static struct entry *entry_new(struct item *taken)
{
    size_t links =
        FIXED_LINKS + (taken->owner_count < MAX_OWNERS ? taken->owner_count : MAX_OWNERS);
    struct entry *e = mem_zalloc(sizeof *e + links * sizeof e->links[0]);
    e->item = taken;
    return e;
}

void picture_apply(struct picture *p, enum kind kind, struct str key, struct item *now,
                   struct item **ret_old)
{
    struct entry *fresh = now ? entry_new(now) : NULL;
    pthread_rwlock_wrlock(&p->lock);
    struct entry *old = map_get(&p->by_key[kind], key);
    if (old) {
        leave_all(p, old);
        struct entry *same_uid = map_get(&p->by_uid, old->item->uid);
        if (same_uid == old)
            map_del(&p->by_uid, old->item->uid);
    }
    if (fresh) {
        join_all(p, fresh);
        map_set(&p->by_key[kind], key, fresh);
        map_set(&p->by_uid, now->uid, fresh);
    } else {
        map_del(&p->by_key[kind], key);
    }
    pthread_rwlock_unlock(&p->lock);
    if (now)
        picture_saw(p, kind, now->rv);
    *ret_old = old ? old->item : NULL;
    free(old);
}

void picture_saw(struct picture *p, enum kind kind, int64_t rv)
{
    int64_t was = atomic_load(&p->seen[kind]);
    while (was < rv && !atomic_compare_exchange_weak(&p->seen[kind], &was, rv))
        ;
}

int64_t picture_seen(struct picture *p, enum kind kind)
{
    return atomic_load(&p->seen[kind]);
}

/* --- reading --- */

struct item *picture_get(struct picture *p, enum kind kind, struct str key)
{
    pthread_rwlock_rdlock(&p->lock);
    struct entry *e = map_get(&p->by_key[kind], key);
    struct item *i = e ? item_ref(e->item) : NULL;
    pthread_rwlock_unlock(&p->lock);
    return i;
}

struct item *picture_uid(struct picture *p, struct str uid)
{
    pthread_rwlock_rdlock(&p->lock);
    struct entry *e = map_get(&p->by_uid, uid);
    struct item *i = e ? item_ref(e->item) : NULL;
    pthread_rwlock_unlock(&p->lock);
    return i;
}

bool picture_has_uid(struct picture *p, struct str uid)
{
    pthread_rwlock_rdlock(&p->lock);
    bool has = map_get(&p->by_uid, uid) != NULL;
    pthread_rwlock_unlock(&p->lock);
    return has;
}

static size_t gather(const struct group_head *g, picture_match *match, void *arg,
                     struct item **into)
{
    size_t n = 0;
    LIST_FOR (&g->members, at) {
        struct item *i = CONTAINER_OF(at, struct link, in_group)->entry->item;
        if (!match || match(arg, i))
            into[n++] = item_ref(i);
    }
    return n;
}

size_t picture_group(struct picture *p, enum group group, enum kind kind, struct str value,
                     picture_match *match, void *arg, struct arena *a, struct item ***ret)
{
    size_t n = 0;
    *ret = NULL;
    pthread_rwlock_rdlock(&p->lock);
    struct group_head *g = group_find(p, group, kind, value);
    if (g && g->count) {
        *ret = arena_alloc(a, g->count * sizeof **ret);
        n = gather(g, match, arg, *ret);
    }
    pthread_rwlock_unlock(&p->lock);
    return n;
}

size_t picture_count(struct picture *p, enum group group, enum kind kind, struct str value)
{
    pthread_rwlock_rdlock(&p->lock);
    struct group_head *g = group_find(p, group, kind, value);
    size_t n = g ? g->count : 0;
    pthread_rwlock_unlock(&p->lock);
    return n;
}

size_t picture_dependents(struct picture *p, struct str uid, struct arena *a, struct item ***ret)
{
    size_t total = 0, n = 0;
    struct group_head *g[KIND_COUNT];
    pthread_rwlock_rdlock(&p->lock);
    for (int k = 0; k < KIND_COUNT; k++) {
        g[k] = group_find(p, GROUP_OWNER, (enum kind)k, uid);
        total += g[k] ? g[k]->count : 0;
    }
    *ret = total ? arena_alloc(a, total * sizeof **ret) : NULL;
    for (int k = 0; k < KIND_COUNT; k++)
        if (g[k])
            n += gather(g[k], NULL, NULL, *ret + n);
    pthread_rwlock_unlock(&p->lock);
    return n;
}

struct usage picture_usage(struct picture *p, struct str node)
{
    struct usage u = {0};
    pthread_rwlock_rdlock(&p->lock);
    struct group_head *g = group_find(p, GROUP_NODE, KIND_PODS, node);
    if (g)
        u = g->usage;
    pthread_rwlock_unlock(&p->lock);
    return u;
}
