/* Claims and volumes that are in use outlive their deletion: admission gives each a finalizer, and
 * here it is taken away once nobody is left who uses them. Upstream:
 * pkg/controller/volume/pvcprotection and pvprotection.
 *
 * The key of claims is their namespace: one look at its pods serves all that are being deleted. */
#include "control/meta.h"

enum {
    PAGE = 250,      /* pods in one answer of the server */
    BATCH = 500,     /* claims written in one reconcile */
    AT_ONCE_MS = 10, /* for the next batch */
    AGAIN_MS = 1000, /* after the server could not tell, or knew more than the picture */
};

#define CLAIM_FINALIZER "kubernetes.io/pvc-protection"
#define VOLUME_FINALIZER "kubernetes.io/pv-protection"

/* --- whom it concerns --- */

static bool is_leaving(void *arg, const struct item *i)
{
    (void)arg;
    return i->deleted && (i->finalizers & FINALIZER_PROTECTION);
}

/* Stored without the help of admission, or somebody took it away. */
static bool is_bare(const struct item *i)
{
    return !i->deleted && !(i->finalizers & FINALIZER_PROTECTION);
}

static bool concerns(void *arg, const struct item *i)
{
    return is_leaving(arg, i) || is_bare(i);
}

/* --- who uses the claims --- */

struct claims { /* of a namespace, being deleted */
    struct view *v;
    struct str ns;
    const struct item **at;
    bool *used;
    size_t n, used_count;
};

/* The kubelet is done with the pod, or it was deleted by force; only its finalizers keep it. */
static bool is_shut_down(const val *pod)
{
    const val *grace = VAL_PATH(pod, "metadata", "deletionGracePeriodSeconds");
    return !val_is_null(VAL_PATH(pod, "metadata", "deletionTimestamp")) && val_is_int(grace) &&
           val_int(grace) == 0;
}

/* maker: the pod whose volume makes the claim, so that only its own counts; empty: any. */
static void note_use(struct claims *c, struct str name, struct str maker)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->used[i] || !str_eq(c->at[i]->name, name) ||
            (maker.n && !item_controlled_by(c->at[i], maker)))
            continue;
        c->used[i] = true;
        c->used_count++;
    }
}

/* A pod without a node does not count: no kubelet starts one whose claim is being deleted. */
static void note_pod(struct claims *c, const val *pod)
{
    if (!VAL_STR(pod, "spec", "nodeName").n)
        return;
    struct str name = VAL_STR(pod, "metadata", "name"), uid = VAL_STR(pod, "metadata", "uid");
    bool shut_down = is_shut_down(pod);
    VAL_FOR (VAL_PATH(pod, "spec", "volumes"), volume) {
        if (val_get(volume, "persistentVolumeClaim"))
            note_use(c, VAL_STR(volume, "persistentVolumeClaim", "claimName"), (struct str){0});
        else if (val_get(volume, "ephemeral") && !shut_down)
            note_use(c,
                     arena_printf(c->v->arena, "%.*s-%.*s", STR_ARG(name),
                                  STR_ARG(VAL_STR(volume, "name"))),
                     uid);
    }
}

static bool may_use(void *arg, const struct item *pod)
{
    (void)arg;
    return pod->pod->claims && pod->pod->node.n;
}

static void look_in_picture(struct claims *c)
{
    const struct item **pods;
    size_t n = view_match(c->v, GROUP_NS, KIND_PODS, c->ns, may_use, NULL, &pods);
    for (size_t i = 0; i < n && c->used_count < c->n; i++) {
        struct doc d = {0}; /* there may be thousands: one tree at a time */
        doc_init(&d);
        struct view one = *c->v;
        one.doc = &d;
        note_pod(c, view_parse(&one, pods[i]));
        doc_done(&d);
    }
}

/* One page; *ret_token leads to the next, empty: it was the last. */
static int look_at_page(struct claims *c, struct str token, struct str *ret_token)
{
    struct view *v = c->v;
    struct err err = {0};
    val *list;
    struct doc d = {0};
    doc_init(&d);
    struct str path =
        arena_printf(v->arena,
                     "/api/v1/namespaces/%.*s/pods?fieldSelector=spec.nodeName%%21%%3D&limit=%d"
                     "%s%.*s",
                     STR_ARG(c->ns), PAGE, token.n ? "&continue=" : "", STR_ARG(token));
    int failed = v->live->get(v->live->self, path.p, &d, &list, &err);
    if (!failed) {
        VAL_FOR (val_get(list, "items"), pod)
            note_pod(c, pod);
        *ret_token = arena_dup(v->arena, VAL_STR(list, "metadata", "continue"));
    }
    doc_done(&d);
    return failed;
}

/* A pod may have begun to use a claim and not be in the picture yet. */
static int look_at_server(struct claims *c)
{
    struct str token = {0};
    do {
        if (look_at_page(c, token, &token) < 0)
            return -1;
    } while (token.n && c->used_count < c->n);
    return 0;
}

/* --- claims --- */

static bool has_room(struct actions *a)
{
    if (a->count < BATCH)
        return true;
    act_requeue(a, AT_ONCE_MS);
    return false;
}

static void let_go(struct claims *c, struct actions *a)
{
    look_in_picture(c);
    size_t known = c->used_count;
    if (known == c->n)
        return;
    if (look_at_server(c) < 0) {
        act_requeue(a, AGAIN_MS);
        return;
    }
    if (c->used_count > known)
        act_requeue(a, AGAIN_MS);
    for (size_t i = 0; i < c->n && has_room(a); i++)
        if (!c->used[i])
            finalizer_drop(c->v, a, c->at[i], CLAIM_FINALIZER);
}

static void reconcile_claims(struct view *v, struct str key, struct actions *a)
{
    const struct item **found;
    size_t n = view_match(v, GROUP_NS, KIND_PERSISTENTVOLUMECLAIMS, key, concerns, NULL, &found);
    if (n == 0)
        return;
    items_sort(found, n);
    struct claims c = {.v = v, .ns = key, .at = found};
    c.used = arena_zalloc(v->arena, n * sizeof *c.used);
    for (size_t i = 0; i < n; i++) {
        if (!is_bare(found[i]))
            c.at[c.n++] = found[i];
        else if (has_room(a))
            finalizer_add(v, a, found[i], CLAIM_FINALIZER);
    }
    if (c.n)
        let_go(&c, a);
}

static bool may_free_claims(const struct change *c)
{
    return c->old && c->old->pod->claims &&
           (!c->now || c->now->deleted || !str_eq(c->now->uid, c->old->uid));
}

static void claims_changed(struct marks *m, const struct change *c)
{
    if (c->kind == KIND_PERSISTENTVOLUMECLAIMS && c->now && concerns(NULL, c->now))
        mark_key(m, c->now->ns);
    if (c->kind != KIND_PODS || !may_free_claims(c))
        return;
    struct item **claims;
    size_t n = picture_group(m->picture, GROUP_NS, KIND_PERSISTENTVOLUMECLAIMS, c->old->ns,
                             is_leaving, NULL, m->arena, &claims);
    if (n)
        mark_key(m, c->old->ns);
    for (size_t i = 0; i < n; i++)
        item_unref(claims[i]);
}

const struct controller controller_pvc_protection = {
    .name = "pvc-protection",
    .component = "pvc-protection-controller",
    .reconcile = reconcile_claims,
    .changed = claims_changed,
    .min_interval_ms = 40,
};

/* --- volumes --- */

static void reconcile_volume(struct view *v, struct str key, struct actions *a)
{
    const struct item *i = view_item(v, KIND_PERSISTENTVOLUMES, key);
    if (!i || !concerns(NULL, i))
        return;
    if (i->deleted && str_is(VAL_STR(view_parse(v, i), "status", "phase"), "Bound"))
        return;
    if (i->deleted)
        finalizer_drop(v, a, i, VOLUME_FINALIZER);
    else
        finalizer_add(v, a, i, VOLUME_FINALIZER);
}

static void volumes_changed(struct marks *m, const struct change *c)
{
    if (c->kind == KIND_PERSISTENTVOLUMES && c->now && concerns(NULL, c->now))
        mark_key(m, c->now->key);
}

const struct controller controller_pv_protection = {
    .name = "pv-protection",
    .component = "pv-protection-controller",
    .reconcile = reconcile_volume,
    .changed = volumes_changed,
};
