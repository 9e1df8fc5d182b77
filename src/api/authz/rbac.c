#include "api/authz/rbac.h"

#include "api/authz/feed.h"
#include "base/map.h"
#include "base/mem.h"

#define PREFIX "/registry/" RBAC_GROUP "/"

struct role {
    struct arena arena;
    struct rbac_rules rules;
    size_t bindings; /* that name it */
    bool exists;
};

struct binding {
    struct arena arena;
    struct role *role;
    struct str role_key, role_kind, role_name;
    struct str kind, ns, name;
    struct subject {
        bool group;
        struct str key;  /* user or group name as authentication gives it */
        struct str text; /* `ServiceAccount "ci/default"` */
    } * subjects;
    size_t subject_count;
};

struct grants { /* what one user or group has in one scope */
    struct grant {
        struct binding *binding;
        const struct subject *subject;
    } * at;
    size_t n, cap;
};

struct scope { /* the cluster, or a namespace */
    struct map users, groups;
};

struct rbac {
    struct feed feed;
    pthread_rwlock_t lock;
    int64_t revision;    /* older events are known already */
    struct map roles;    /* store key → role; made when a binding names it, too */
    struct map bindings; /* store key → binding */
    struct scope cluster;
    struct map namespaces; /* name → scope */
};

/* --- the index --- */
static struct scope *scope_of(struct rbac *r, struct str ns, bool make)
{
    if (!ns.n)
        return &r->cluster;
    struct scope *s = map_get(&r->namespaces, ns);
    if (!s && make) {
        s = NEW(struct scope);
        map_set(&r->namespaces, ns, s);
    }
    return s;
}

static void grant_add(struct map *m, struct str key, struct binding *b, const struct subject *s)
{
    struct grants *g = map_get(m, key);
    if (!g) {
        g = NEW(struct grants);
        map_set(m, key, g);
    }
    if (g->n == g->cap) {
        g->cap = g->cap ? g->cap * 2 : 4;
        g->at = mem_realloc_array(g->at, g->cap, sizeof(*g->at));
    }
    g->at[g->n++] = (struct grant){b, s};
}

static void grants_free(struct grants *g)
{
    free(g->at);
    free(g);
}

static void grants_drop(struct map *m, struct str key, const struct binding *b)
{
    struct grants *g = map_get(m, key);
    if (!g)
        return;
    for (size_t i = 0; i < g->n;)
        if (g->at[i].binding == b)
            g->at[i] = g->at[--g->n];
        else
            i++;
    if (!g->n) {
        map_del(m, key);
        grants_free(g);
    }
}

/* --- roles --- */
static struct role *role_at(struct rbac *r, struct str key)
{
    struct role *role = map_get(&r->roles, key);
    if (!role) {
        role = NEW(struct role);
        map_set(&r->roles, key, role);
    }
    return role;
}

static void role_free(struct role *role)
{
    arena_done(&role->arena);
    free(role);
}

static void role_set(struct rbac *r, struct str key, const val *obj)
{
    struct role *role = role_at(r, key);
    arena_done(&role->arena);
    role->rules = (struct rbac_rules){0};
    role->exists = obj != NULL;
    if (obj)
        rbac_rules_add(&role->rules, &role->arena, val_get(obj, "rules"));
    if (!obj && !role->bindings) {
        map_del(&r->roles, key);
        role_free(role);
    }
}

/* --- bindings --- */
static void binding_drop(struct rbac *r, struct binding *b)
{
    struct scope *s = scope_of(r, b->ns, false);
    for (size_t i = 0; s && i < b->subject_count; i++)
        grants_drop(b->subjects[i].group ? &s->groups : &s->users, b->subjects[i].key, b);
    if (s && b->ns.n && !s->users.count && !s->groups.count) {
        map_del(&r->namespaces, b->ns);
        map_done(&s->users);
        map_done(&s->groups);
        free(s);
    }
    if (--b->role->bindings == 0 && !b->role->exists) {
        map_del(&r->roles, b->role_key);
        role_free(b->role);
    }
    arena_done(&b->arena);
    free(b);
}

static bool subject_read(struct binding *b, const val *v, struct subject *ret)
{
    struct str kind = VAL_STR(v, "kind"), name = VAL_STR(v, "name"), ns = VAL_STR(v, "namespace");
    struct arena *a = &b->arena;
    if (str_is(kind, "ServiceAccount")) {
        if (!ns.n)
            ns = b->ns;
        ret->key = arena_printf(a, "system:serviceaccount:%.*s:%.*s", STR_ARG(ns), STR_ARG(name));
        ret->text = arena_printf(a, "ServiceAccount \"%.*s/%.*s\"", STR_ARG(name), STR_ARG(ns));
        return ns.n != 0;
    }
    ret->group = str_is(kind, "Group");
    ret->key = arena_dup(a, name);
    ret->text = arena_printf(a, "%.*s \"%.*s\"", STR_ARG(kind), STR_ARG(name));
    return ret->group || str_is(kind, "User");
}

static struct binding *binding_read(struct rbac *r, const val *obj)
{
    struct binding *b = NEW(struct binding);
    struct arena *a = &b->arena;
    const val *subjects = val_get(obj, "subjects");
    b->kind = arena_dup(a, VAL_STR(obj, "kind"));
    b->ns = arena_dup(a, VAL_STR(obj, "metadata", "namespace"));
    b->name = arena_dup(a, VAL_STR(obj, "metadata", "name"));
    b->role_kind = arena_dup(a, VAL_STR(obj, "roleRef", "kind"));
    b->role_name = arena_dup(a, VAL_STR(obj, "roleRef", "name"));
    b->role_key =
        str_is(b->role_kind, "ClusterRole")
            ? arena_printf(a, PREFIX "clusterroles/%.*s", STR_ARG(b->role_name))
            : arena_printf(a, PREFIX "roles/%.*s/%.*s", STR_ARG(b->ns), STR_ARG(b->role_name));
    b->role = role_at(r, b->role_key);
    b->role->bindings++;
    b->subjects = arena_zalloc(a, (val_len(subjects) + 1) * sizeof(*b->subjects));
    VAL_FOR (subjects, v) {
        if (subject_read(b, v, &b->subjects[b->subject_count]))
            b->subject_count++;
    }
    return b;
}

static void binding_set(struct rbac *r, struct str key, const val *obj)
{
    struct binding *b = obj ? binding_read(r, obj) : NULL;
    struct binding *was = b ? map_set(&r->bindings, key, b) : map_del(&r->bindings, key);
    if (was)
        binding_drop(r, was);
    for (size_t i = 0; b && i < b->subject_count; i++) {
        struct scope *s = scope_of(r, b->ns, true);
        grant_add(b->subjects[i].group ? &s->groups : &s->users, b->subjects[i].key, b,
                  &b->subjects[i]);
    }
}

/* --- following the store --- */
/* json is empty for what was deleted. */
static void object_set(struct rbac *r, struct str key, struct str json)
{
    struct doc d;
    struct err ignored;
    val *obj = NULL;
    struct str rest = str_from(key, sizeof(PREFIX) - 1);
    doc_init(&d);
    if (json.n && doc_parse_json(&d, json, &obj, &ignored) != 0)
        obj = NULL;
    if (str_starts(rest, STR("clusterroles/")) || str_starts(rest, STR("roles/")))
        role_set(r, key, obj);
    else
        binding_set(r, key, obj);
    doc_done(&d);
}

static void catch_up(struct rbac *r)
{
    struct store_batch **batches;
    pthread_rwlock_wrlock(&r->lock);
    size_t n = feed_take(&r->feed, &batches);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < batches[i]->count; k++) {
            const struct store_event *e = &batches[i]->events[k];
            if (e->revision > r->revision && feed_concerns(&r->feed, e))
                object_set(r, e->key, bytes_str(e->value));
        }
        store_batch_unref(batches[i]);
    }
    free(batches);
    pthread_rwlock_unlock(&r->lock);
}

static void read_lock(struct rbac *r)
{
    if (feed_waiting(&r->feed))
        catch_up(r);
    pthread_rwlock_rdlock(&r->lock);
}

int rbac_new(struct store *store, struct rbac **ret, struct err *err)
{
    struct rbac *r = NEW(struct rbac);
    struct store_snap *snap;
    struct store_kv kv;
    pthread_rwlock_init(&r->lock, NULL);
    r->feed.prefixes[0] = STR(PREFIX);
    feed_open(&r->feed, store, &r->revision);
    if (store_snap_begin(store, 0, &snap, err) != 0) {
        rbac_free(r);
        return -1;
    }
    r->revision = store_snap_revision(snap);
    struct store_iter *it = store_range(snap, STR(PREFIX), STR("/registry/" RBAC_GROUP "0"));
    while (store_next(it, &kv))
        object_set(r, kv.key, kv.value);
    store_iter_free(it);
    store_snap_end(snap);
    *ret = r;
    return 0;
}

static void grants_done(struct map *m)
{
    for (struct map_entry *e = NULL; (e = map_next(m, e));)
        grants_free(e->value);
    map_done(m);
}

void rbac_free(struct rbac *r)
{
    if (!r)
        return;
    feed_close(&r->feed);
    for (struct map_entry *e = NULL; (e = map_next(&r->bindings, e));) {
        arena_done(&((struct binding *)e->value)->arena);
        free(e->value);
    }
    for (struct map_entry *e = NULL; (e = map_next(&r->roles, e));)
        role_free(e->value);
    for (struct map_entry *e = NULL; (e = map_next(&r->namespaces, e));) {
        struct scope *s = e->value;
        grants_done(&s->users);
        grants_done(&s->groups);
        free(s);
    }
    grants_done(&r->cluster.users);
    grants_done(&r->cluster.groups);
    map_done(&r->bindings);
    map_done(&r->roles);
    map_done(&r->namespaces);
    pthread_rwlock_destroy(&r->lock);
    free(r);
}

/* --- questions --- */
typedef bool visit_fn(void *arg, const struct grant *g); /* true: that was it */

static bool visit_grants(const struct grants *g, visit_fn *fn, void *arg)
{
    for (size_t i = 0; g && i < g->n; i++)
        if (fn(arg, &g->at[i]))
            return true;
    return false;
}

static bool visit_scope(const struct scope *s, const struct api_user *u, visit_fn *fn, void *arg)
{
    if (visit_grants(map_get(&s->users, u->name), fn, arg))
        return true;
    for (size_t i = 0; i < u->group_count; i++)
        if (visit_grants(map_get(&s->groups, u->groups[i]), fn, arg))
            return true;
    return false;
}

/* Upstream's VisitRulesFor. */
static bool visit(struct rbac *r, const struct api_user *u, struct str ns, visit_fn *fn, void *arg)
{
    read_lock(r);
    bool found = visit_scope(&r->cluster, u, fn, arg);
    struct scope *s = ns.n ? scope_of(r, ns, false) : NULL;
    if (!found && s)
        found = visit_scope(s, u, fn, arg);
    pthread_rwlock_unlock(&r->lock);
    return found;
}

struct question {
    const struct api_user *user;
    const struct authz_attributes *a;
    struct str *ret_why;
};

static void explain(const struct question *q, const struct grant *g)
{
    const struct binding *b = g->binding;
    *q->ret_why = arena_printf(
        q->user->arena, "RBAC: allowed by %.*s \"%.*s%s%.*s\" of %.*s \"%.*s\" to %.*s",
        STR_ARG(b->kind), STR_ARG(b->name), b->ns.n ? "/" : "", STR_ARG(b->ns),
        STR_ARG(b->role_kind), STR_ARG(b->role_name), STR_ARG(g->subject->text));
}

static bool allows(void *arg, const struct grant *g)
{
    const struct question *q = arg;
    const struct rbac_rules *rules = &g->binding->role->rules;
    for (size_t i = 0; i < rules->n; i++) {
        if (!rbac_rule_allows(&rules->at[i], q->a))
            continue;
        if (q->ret_why)
            explain(q, g);
        return true;
    }
    return false;
}

bool rbac_allows(struct rbac *r, const struct api_user *user, const struct authz_attributes *a,
                 struct str *ret_why)
{
    struct question q = {user, a, ret_why};
    return visit(r, user, a->ns, allows, &q);
}

struct collection {
    struct arena *a;
    struct rbac_rules *rules;
};

static struct rbac_words copy_words(struct arena *a, struct rbac_words words)
{
    struct str *at = arena_alloc(a, (words.n + 1) * sizeof(*at));
    for (size_t i = 0; i < words.n; i++)
        at[i] = arena_dup(a, words.at[i]);
    return (struct rbac_words){at, words.n};
}

static bool collect(void *arg, const struct grant *g)
{
    struct collection *c = arg;
    const struct rbac_rules *rules = &g->binding->role->rules;
    for (size_t i = 0; i < rules->n; i++) {
        const struct rbac_rule *from = &rules->at[i];
        struct rbac_rule rule = {copy_words(c->a, from->verbs), copy_words(c->a, from->groups),
                                 copy_words(c->a, from->resources), copy_words(c->a, from->names),
                                 copy_words(c->a, from->paths)};
        rbac_rules_push(c->rules, c->a, &rule);
    }
    return false;
}

void rbac_rules_of(struct rbac *r, const struct api_user *user, struct str ns, struct arena *a,
                   struct rbac_rules *ret)
{
    *ret = (struct rbac_rules){0};
    struct collection c = {a, ret};
    visit(r, user, ns, collect, &c);
}
