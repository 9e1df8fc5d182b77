/* The garbage collector: what has lost its owners goes. Upstream: pkg/controller/garbagecollector.
 *
 * The key is "A:ns/name", the letter telling the kind. The picture's groups by owner are the graph;
 * that an owner is gone is only believed when the server says so. */
#include "control/meta.h"
#include "doc/schema.h"

enum { MAX_OWNERS = 32, LOOK_AGAIN_MS = 5000 };

static struct str key_of(struct arena *a, const struct item *i)
{
    return arena_printf(a, "%c:%.*s", 'A' + (int)i->kind, STR_ARG(i->key));
}

static const struct item *item_of(struct view *v, struct str key)
{
    if (key.n < 3 || key.p[0] < 'A' || key.p[0] >= 'A' + KIND_COUNT)
        return NULL;
    return view_item(v, (enum kind)(key.p[0] - 'A'), str_from(key, 2));
}

/* --- is the owner there? --- */

enum standing { SOLID, DANGLING, WAITING }; /* waiting: for its dependents to go, in foreground */

static const struct schema_kind *kind_of(const struct owner *o)
{
    struct str group, version;
    if (!str_cut(o->api_version, '/', &group, &version)) {
        version = group;
        group = (struct str){0};
    }
    for (const struct schema_kind *k = schema_kinds; k->kind; k++)
        if (str_is(o->kind, k->kind) && str_is(group, k->group) && str_is(version, k->version))
            return k;
    return NULL;
}

static struct str path_of(struct view *v, const struct schema_kind *k, struct str ns,
                          struct str name)
{
    struct str base = *k->group ? arena_printf(v->arena, "/apis/%s/%s", k->group, k->version)
                                : arena_printf(v->arena, "/api/%s", k->version);
    if (!k->namespaced)
        return arena_printf(v->arena, "%.*s/%s/%.*s", STR_ARG(base), k->resource, STR_ARG(name));
    return arena_printf(v->arena, "%.*s/namespaces/%.*s/%s/%.*s", STR_ARG(base), STR_ARG(ns),
                        k->resource, STR_ARG(name));
}

static bool is_waiting(bool deleted, bool foreground)
{
    return deleted && foreground;
}

/* Owners of unknown kinds, and those that cannot be asked for now, count as there. */
static enum standing ask(struct view *v, struct str ns, const struct owner *o, bool *ret_unsure)
{
    const struct schema_kind *k = kind_of(o);
    if (!k || (k->namespaced && !ns.n))
        return SOLID;
    val *obj = NULL;
    struct err err = {0};
    struct str path = path_of(v, k, ns, o->name);
    if (v->live->get(v->live->self, path.p, v->doc, &obj, &err) < 0) {
        if (err.code == 404)
            return DANGLING;
        *ret_unsure = true;
        return SOLID;
    }
    return str_eq(VAL_STR(obj, "metadata", "uid"), o->uid) ? SOLID : DANGLING;
}

static enum standing standing_of(struct view *v, const struct item *i, const struct owner *o,
                                 bool *ret_unsure)
{
    const struct item *owner = view_uid(v, o->uid);
    if (owner && (!owner->ns.n || str_eq(owner->ns, i->ns)))
        return is_waiting(owner->deleted, owner->finalizers & FINALIZER_FOREGROUND) ? WAITING
                                                                                    : SOLID;
    return ask(v, i->ns, o, ret_unsure);
}

/* --- changing --- */

static void drop_owners(struct view *v, struct actions *a, const struct item *i,
                        const struct str *uids, size_t n)
{
    struct doc *d = v->doc;
    val *patch = val_new_obj(d), *meta = val_ensure_obj(d, patch, "metadata");
    val *refs = val_ensure_arr(d, meta, "ownerReferences");
    for (size_t k = 0; k < n; k++) {
        val *gone = val_new_obj(d);
        val_set_z(d, gone, "$patch", "delete");
        val_set_s(d, gone, "uid", uids[k]);
        val_push(refs, gone);
    }
    val_set_s(d, meta, "uid", i->uid);
    act_patch(a, i, NULL, CLIENT_PATCH_STRATEGIC, patch);
}

/* Nobody waits for this one any more. */
static void unblock_owners(struct view *v, struct actions *a, const struct item *i)
{
    struct doc *d = v->doc;
    val *patch = val_new_obj(d), *meta = val_ensure_obj(d, patch, "metadata");
    const val *refs = VAL_PATH(view_parse(v, i), "metadata", "ownerReferences");
    if (!refs)
        return;
    val *free = val_set(d, meta, "ownerReferences", val_copy(d, refs));
    VAL_FOR (free, ref)
        val_set_bool(d, ref, "blockOwnerDeletion", false);
    val_set_s(d, meta, "uid", i->uid);
    act_patch(a, i, NULL, CLIENT_PATCH_STRATEGIC, patch);
    act_next_phase(a);
}

static const char *policy_of(const struct item *i)
{
    if (i->finalizers & FINALIZER_ORPHAN)
        return "Orphan";
    return i->finalizers & FINALIZER_FOREGROUND ? "Foreground" : "Background";
}

/* --- the four cases --- */

/* Some owners hold it still: only the references to the others go. None does: it goes, in
 * foreground when an owner waits for it and it has dependents of its own. */
static void judge(struct view *v, struct actions *a, const struct item *i)
{
    struct str lost[MAX_OWNERS];
    size_t n = 0, solid = 0, waiting = 0;
    bool unsure = false;
    for (size_t k = 0; k < i->owner_count; k++) {
        enum standing s = k < MAX_OWNERS ? standing_of(v, i, &i->owners[k], &unsure) : SOLID;
        solid += s == SOLID;
        waiting += s == WAITING;
        if (s != SOLID)
            lost[n++] = i->owners[k].uid;
    }
    if (unsure)
        act_requeue(a, LOOK_AGAIN_MS);
    if (n == 0)
        return;
    if (solid) {
        drop_owners(v, a, i, lost, n);
        return;
    }
    const struct item **dependents;
    size_t below = waiting ? view_dependents(v, i->uid, &dependents) : 0;
    /* A dependent that waits itself may wait for this one: a circle, which is cut here. */
    for (size_t k = 0; k < below; k++)
        if (is_waiting(dependents[k]->deleted, dependents[k]->finalizers & FINALIZER_FOREGROUND)) {
            unblock_owners(v, a, i);
            break;
        }
    act_delete(a, i, below ? "Foreground" : policy_of(i));
}

static bool is_blocking(const struct item *i, struct str owner)
{
    for (size_t k = 0; k < i->owner_count; k++)
        if (str_eq(i->owners[k].uid, owner) && i->owners[k].blocks)
            return true;
    return false;
}

/* The owner goes when no dependent that blocks it is left. */
static void foreground(struct view *v, struct actions *a, const struct item *i)
{
    const struct item **dependents;
    size_t n = view_dependents(v, i->uid, &dependents), blocking = 0;
    items_sort(dependents, n);
    for (size_t k = 0; k < n; k++) {
        blocking += is_blocking(dependents[k], i->uid);
        if (!dependents[k]->deleted)
            judge(v, a, dependents[k]);
    }
    if (blocking == 0)
        finalizer_drop(v, a, i, "foregroundDeletion");
}

static void orphan(struct view *v, struct actions *a, const struct item *i)
{
    const struct item **dependents;
    size_t n = view_dependents(v, i->uid, &dependents);
    items_sort(dependents, n);
    for (size_t k = 0; k < n; k++)
        drop_owners(v, a, dependents[k], &i->uid, 1);
    act_next_phase(a);
    finalizer_drop(v, a, i, "orphan");
}

static void reconcile(struct view *v, struct str key, struct actions *a)
{
    const struct item *i = item_of(v, key);
    if (!i)
        return;
    if (i->deleted && (i->finalizers & FINALIZER_ORPHAN))
        orphan(v, a, i);
    else if (i->deleted && (i->finalizers & FINALIZER_FOREGROUND))
        foreground(v, a, i);
    else if (!i->deleted && i->owner_count)
        judge(v, a, i);
}

/* --- what concerns whom --- */

static void mark_item(struct marks *m, const struct item *i)
{
    mark_key(m, key_of(m->arena, i));
}

/* An owner that waits for its dependents looks again when one of them changes. */
static void mark_waiting_owners(struct marks *m, const struct item *i)
{
    for (size_t k = 0; k < i->owner_count; k++) {
        struct item *owner = picture_uid(m->picture, i->owners[k].uid);
        if (owner && is_waiting(owner->deleted, owner->finalizers & FINALIZER_FOREGROUND))
            mark_item(m, owner);
        item_unref(owner);
    }
}

static bool lacks_owner(struct marks *m, const struct item *i)
{
    for (size_t k = 0; k < i->owner_count; k++)
        if (!picture_has_uid(m->picture, i->owners[k].uid))
            return true;
    return false;
}

static void changed(struct marks *m, const struct change *c)
{
    const struct item *i = change_item(c);
    mark_waiting_owners(m, i);
    if (c->now) {
        bool collects = i->deleted && (i->finalizers & (FINALIZER_FOREGROUND | FINALIZER_ORPHAN));
        if (collects || (!i->deleted && lacks_owner(m, i)))
            mark_item(m, i);
    }
    if (c->now && (!c->old || str_eq(c->old->uid, c->now->uid)))
        return;
    struct item **dependents;
    size_t n = picture_dependents(m->picture, c->old->uid, m->arena, &dependents);
    for (size_t k = 0; k < n; k++) {
        mark_item(m, dependents[k]);
        item_unref(dependents[k]);
    }
}

const struct controller controller_garbage = {
    .name = "garbage",
    .component = "garbage-collector-controller",
    .reconcile = reconcile,
    .changed = changed,
};
