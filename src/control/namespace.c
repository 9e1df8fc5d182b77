/* A namespace that is being deleted takes all that is in it along. Upstream:
 * pkg/controller/namespace/deletion. What is left is asked from the server, kind by kind, so that
 * kinds that nobody here watches are not forgotten. Pods go first, and only when the last of them
 * is gone the rest: what guards them (network policies, secrets) outlives them
 * (OrderedNamespaceDeletion). */
#include <stdio.h>

#include "control/meta.h"
#include "doc/schema.h"

enum { AT_ONCE_MS = 100, LATER_MS = 1000, PAGE = 500, MAX_FINALIZERS = 32 };

struct remains {
    struct view *v;
    struct actions *a;
    struct str ns;
    struct buf resources; /* "pods. has 2 resource instances, …" */
    struct str finalizer[MAX_FINALIZERS];
    int64_t finalizer_count[MAX_FINALIZERS];
    size_t finalizers;
    bool any, deleting;
    struct err failure; /* code 0: none */
};

static bool has_verb(const struct schema_kind *k, const char *verb)
{
    for (const char *const *v = k->verbs; v && *v; v++)
        if (str_is(str_of(*v), verb))
            return true;
    return false;
}

static void count_finalizer(struct remains *r, struct str name)
{
    size_t i = 0;
    while (i < r->finalizers && !str_eq(r->finalizer[i], name))
        i++;
    if (i == MAX_FINALIZERS)
        return;
    if (i == r->finalizers)
        r->finalizer[r->finalizers++] = name;
    r->finalizer_count[i]++;
}

static void count_kind(struct remains *r, const struct schema_kind *k, const val *list)
{
    size_t n = val_len(val_get(list, "items"));
    int64_t all = (int64_t)n + VAL_INT(list, "metadata", "remainingItemCount");
    bool untouched = false;
    VAL_FOR (val_get(list, "items"), item) {
        untouched |= val_is_null(VAL_PATH(item, "metadata", "deletionTimestamp"));
        VAL_FOR (VAL_PATH(item, "metadata", "finalizers"), f)
            count_finalizer(r, val_str(f));
    }
    if (n == 0)
        return;
    buf_printf(&r->resources, "%s%s.%s has %lld resource instances", r->any ? ", " : "",
               k->resource, k->group, (long long)all);
    r->any = true;
    if (!untouched)
        return;
    struct resource *resource = ARENA_NEW(r->v->arena, struct resource);
    *resource = (struct resource){k->group, k->version, k->resource, true};
    act_delete_all(r->a, resource, r->ns);
    r->deleting = true;
}

static void look_for(struct remains *r, const struct schema_kind *k)
{
    struct str path = arena_printf(r->v->arena, "%s%s%s%s/namespaces/%.*s/%s?limit=%d",
                                   *k->group ? "/apis/" : "/api/", k->group, *k->group ? "/" : "",
                                   k->version, STR_ARG(r->ns), k->resource, PAGE);
    struct err err = {0};
    val *list = NULL;
    if (r->v->live->get(r->v->live->self, path.p, r->v->doc, &list, &err) == 0)
        count_kind(r, k, list);
    else if (err.code != 404 && err.code != 405)
        r->failure = err;
}

static void look_for_built_in(struct remains *r, bool pods)
{
    for (const struct schema_kind *k = schema_kinds; k->kind; k++) {
        bool is_pods = !*k->group && strcmp(k->resource, "pods") == 0;
        if (is_pods == pods && k->namespaced && has_verb(k, "list") &&
            has_verb(k, "deletecollection"))
            look_for(r, k);
    }
}

/* --- custom resources: the groups that discovery has besides the built-in ones --- */

static bool is_built_in(struct str group)
{
    for (const struct schema_kind *k = schema_kinds; k->kind; k++)
        if (str_is(group, k->group))
            return true;
    return false;
}

static bool has_word(const val *list, const char *word)
{
    VAL_FOR (list, w)
        if (str_is(val_str(w), word))
            return true;
    return false;
}

static val *ask(struct remains *r, struct str path)
{
    struct err err = {0};
    val *answer = NULL;
    if (r->v->live->get(r->v->live->self, path.p, r->v->doc, &answer, &err) == 0)
        return answer;
    if (err.code != 404)
        r->failure = err;
    return NULL;
}

/* seen: the resources of the group that another version had already. */
static void look_in_version(struct remains *r, struct str group, struct str version, val *seen)
{
    struct arena *a = r->v->arena;
    const val *list = ask(r, arena_printf(a, "/apis/%.*s/%.*s", STR_ARG(group), STR_ARG(version)));
    VAL_FOR (val_get(list, "resources"), resource) {
        struct str name = VAL_STR(resource, "name");
        const val *verbs = val_get(resource, "verbs");
        if (!VAL_BOOL(resource, "namespaced") || memchr(name.p, '/', name.n) ||
            !has_word(verbs, "list") || !has_word(verbs, "deletecollection") ||
            val_get_str(seen, name))
            continue;
        val_set_str(r->v->doc, seen, name, val_new_bool(r->v->doc, true));
        struct schema_kind *k = ARENA_NEW(a, struct schema_kind);
        k->group = arena_z(a, group);
        k->version = arena_z(a, version);
        k->resource = arena_z(a, name);
        look_for(r, k);
    }
}

static void look_for_custom(struct remains *r)
{
    const val *groups = ask(r, STR("/apis"));
    VAL_FOR (val_get(groups, "groups"), group) {
        struct str name = VAL_STR(group, "name");
        val *seen = val_new_obj(r->v->doc);
        if (is_built_in(name))
            continue;
        VAL_FOR (val_get(group, "versions"), version)
            look_in_version(r, name, VAL_STR(version, "version"), seen);
    }
}

/* --- conditions --- */

static struct str finalizers_message(struct remains *r)
{
    struct buf b = {0};
    buf_puts(&b, "Some content in the namespace has finalizers remaining: ");
    for (size_t i = 0; i < r->finalizers; i++)
        buf_printf(&b, "%s%.*s in %lld resource instances", i ? ", " : "", STR_ARG(r->finalizer[i]),
                   (long long)r->finalizer_count[i]);
    struct str s = arena_dup(r->v->arena, buf_str(&b));
    buf_done(&b);
    return s;
}

static bool set_conditions(struct remains *r, val *conditions)
{
    struct view *v = r->v;
    bool changed =
        condition_set(v, conditions, "NamespaceDeletionDiscoveryFailure", "False",
                      "ResourcesDiscovered", STR("All resources successfully discovered"), false);
    changed |= condition_set(v, conditions, "NamespaceDeletionGroupVersionParsingFailure", "False",
                             "ParsedGroupVersions",
                             STR("All legacy kube types successfully parsed"), false);
    if (r->failure.code)
        changed |= condition_set(
            v, conditions, "NamespaceDeletionContentFailure", "True", "ContentDeletionFailed",
            arena_printf(v->arena, "Failed to delete all resource types, 1 remaining: %s",
                         r->failure.message),
            false);
    else
        changed |= condition_set(
            v, conditions, "NamespaceDeletionContentFailure", "False", "ContentDeleted",
            STR("All content successfully deleted, may be waiting on finalization"), false);
    if (r->any)
        changed |= condition_set(
            v, conditions, "NamespaceContentRemaining", "True", "SomeResourcesRemain",
            arena_printf(v->arena, "Some resources are remaining: %s", buf_z(&r->resources)),
            false);
    else
        changed |= condition_set(v, conditions, "NamespaceContentRemaining", "False",
                                 "ContentRemoved", STR("All content successfully removed"), false);
    if (r->finalizers)
        changed |= condition_set(v, conditions, "NamespaceFinalizersRemaining", "True",
                                 "SomeFinalizersRemain", finalizers_message(r), false);
    else
        changed |= condition_set(v, conditions, "NamespaceFinalizersRemaining", "False",
                                 "ContentHasNoFinalizers",
                                 STR("All content-preserving finalizers finished"), false);
    return changed;
}

/* --- the reconcile --- */

static bool drop_finalizer(val *spec)
{
    size_t at = 0;
    VAL_FOR (val_get(spec, "finalizers"), f) {
        if (str_is(val_str(f), "kubernetes"))
            return val_remove_at(val_get(spec, "finalizers"), at);
        at++;
    }
    return false;
}

static void finalize(struct actions *a, val *obj)
{
    if (drop_finalizer(val_get(obj, "spec")))
        act_update(a, KIND_NAMESPACES, obj, "finalize");
}

static void reconcile(struct view *v, struct str key, struct actions *a)
{
    const struct item *item = view_item(v, KIND_NAMESPACES, key);
    val *obj = item && item->deleted ? view_parse(v, item) : NULL;
    if (!obj || val_len(VAL_PATH(obj, "spec", "finalizers")) == 0)
        return;
    struct remains r = {.v = v, .a = a, .ns = item->name};
    look_for_built_in(&r, true);
    if (!r.any && !r.failure.code) {
        look_for_built_in(&r, false);
        look_for_custom(&r);
    }
    if (!r.any && !r.failure.code) {
        finalize(a, obj);
    } else {
        val *status = val_ensure_obj(v->doc, obj, "status");
        act_next_phase(a);
        if (set_conditions(&r, val_ensure_arr(v->doc, status, "conditions")))
            act_update(a, KIND_NAMESPACES, obj, "status")->optional = true;
        act_requeue(a, r.deleting ? AT_ONCE_MS : LATER_MS);
    }
    buf_done(&r.resources);
}

static void changed(struct marks *m, const struct change *c)
{
    if (c->kind == KIND_NAMESPACES) {
        if (c->now && c->now->deleted)
            mark_key(m, c->now->name);
        return;
    }
    if (c->now || !c->old->ns.n)
        return;
    struct item *ns = picture_get(m->picture, KIND_NAMESPACES, c->old->ns);
    if (ns && ns->deleted)
        mark_key(m, ns->name);
    item_unref(ns);
}

const struct controller controller_namespace = {
    .name = "namespace",
    .component = "namespace-controller",
    .reconcile = reconcile,
    .changed = changed,
    .min_interval_ms = 100,
};
