/* Deployments: roll a template out over replica sets. */
#include "control/deployment.h"

#include <stdlib.h>

/* --- rolling update --- */

static bool scale_new(struct rollout *r)
{
    struct replica_set *s = r->fresh;
    int64_t size = s->replicas > r->replicas ? r->replicas : new_set_size(r, s->replicas);
    bool scaled = s->replicas != size;
    if (scaled)
        set_scale(r, s, size);
    return scaled || s->replicas != s->was;
}

/* Replicas that are not available anyway go first: they cost nothing. */
static void scale_down_unhealthy(struct rollout *r, int64_t most)
{
    int64_t total = 0;
    for (size_t i = 0; i < r->old_count && total < most; i++) {
        struct replica_set *s = r->old[i];
        if (s->replicas == 0 || s->replicas <= s->available)
            continue;
        int64_t n = s->replicas - s->available;
        if (n > most - total)
            n = most - total;
        set_scale(r, s, s->replicas - n);
        total += n;
    }
}

static void scale_down_available(struct rollout *r, int64_t least)
{
    int64_t excess = sets_available(r) - least;
    for (size_t i = 0; i < r->old_count && excess > 0; i++) {
        struct replica_set *s = r->old[i];
        if (s->replicas == 0)
            continue;
        int64_t n = s->replicas < excess ? s->replicas : excess;
        set_scale(r, s, s->replicas - n);
        excess -= n;
    }
}

static bool scale_old(struct rollout *r)
{
    int64_t old_total = 0;
    for (size_t i = 0; i < r->old_count; i++)
        old_total += r->old[i]->replicas;
    if (old_total == 0)
        return false;
    int64_t least = r->replicas - r->unavailable;
    int64_t most = sets_total(r) - least - (r->fresh->replicas - r->fresh->available);
    if (most <= 0)
        return false;
    scale_down_unhealthy(r, most);
    scale_down_available(r, least);
    int64_t left = 0;
    for (size_t i = 0; i < r->old_count; i++)
        left += r->old[i]->replicas;
    return left != old_total;
}

static void roll(struct rollout *r)
{
    sets_sync_revision(r, true);
    bool moved = scale_new(r) || scale_old(r);
    if (!moved && rollout_complete(r, val_get(r->d, "status")))
        sets_clean_up(r);
    sets_write(r);
    rollout_write_status(r, true);
}

/* --- recreate --- */

static bool old_pods_running(struct rollout *r)
{
    for (size_t i = 0; i < r->old_count; i++) {
        const struct item **pods;
        size_t n = view_group(r->v, GROUP_OWNER, KIND_PODS, r->old[i]->item->uid, &pods);
        for (size_t p = 0; p < n; p++)
            if (!item_pod_done(pods[p]))
                return true;
    }
    return false;
}

static void recreate(struct rollout *r)
{
    sets_sync_revision(r, false);
    bool moved = false;
    for (size_t i = 0; i < r->old_count; i++) {
        if (r->old[i]->replicas == 0)
            continue;
        set_scale(r, r->old[i], 0);
        moved = true;
    }
    if (!moved && !old_pods_running(r)) {
        sets_sync_revision(r, true);
        if (r->fresh->replicas != r->replicas)
            set_scale(r, r->fresh, r->replicas);
        if (rollout_complete(r, val_get(r->d, "status")))
            sets_clean_up(r);
    }
    sets_write(r);
    rollout_write_status(r, true);
}

/* --- scaling and pausing --- */

static void sync_only(struct rollout *r)
{
    sets_sync_revision(r, false);
    sets_scale_proportionally(r);
    if (r->paused)
        sets_clean_up(r);
    sets_write(r);
    rollout_write_status(r, false);
}

/* --- the reconcile --- */

/* ResolveFenceposts: surge is rounded up, unavailability down, and they cannot both be nothing. */
static void read_strategy(struct rollout *r)
{
    const val *strategy = VAL_PATH(r->d, "spec", "strategy");
    r->rolling = !str_is(VAL_STR(strategy, "type"), "Recreate");
    if (!r->rolling)
        return;
    const val *rolling = val_get(strategy, "rollingUpdate");
    r->surge = int_or_percent(val_get(rolling, "maxSurge"), r->replicas, true);
    r->unavailable = int_or_percent(val_get(rolling, "maxUnavailable"), r->replicas, false);
    if (r->surge == 0 && r->unavailable == 0)
        r->unavailable = 1;
    if (r->unavailable > r->replicas)
        r->unavailable = r->replicas;
}

static void load(struct rollout *r)
{
    struct doc *d = r->v->doc;
    const val *replicas = VAL_PATH(r->d, "spec", "replicas");
    r->name = r->owner->name;
    r->replicas = val_is_null(replicas) ? 1 : val_int(replicas);
    r->paused = VAL_BOOL(r->d, "spec", "paused");
    const val *conditions = VAL_PATH(r->d, "status", "conditions");
    r->conditions = val_is_arr(conditions) ? val_copy(d, conditions) : val_new_arr(d);
    read_strategy(r);
    sets_load(r);
}

static bool selects_everything(const val *selector)
{
    return val_is_obj(selector) && val_len(val_get(selector, "matchLabels")) == 0 &&
           val_len(val_get(selector, "matchExpressions")) == 0;
}

static void reconcile(struct view *v, struct str key, struct actions *a)
{
    const struct item *owner = view_item(v, KIND_DEPLOYMENTS, key);
    struct rollout r = {.v = v, .a = a, .owner = owner};
    r.d = owner ? view_parse(v, owner) : NULL;
    if (!r.d)
        return;
    if (selects_everything(VAL_PATH(r.d, "spec", "selector"))) {
        act_event(a, NULL, owner, "Warning", "SelectingAll",
                  "This deployment is selecting all pods. A non-empty selector is required.");
        return;
    }
    load(&r);
    if (!r.all) /* a selector that cannot be read */
        return;
    if (v->failure) {
        rollout_report_failure(&r);
        return;
    }
    if (owner->deleted) {
        rollout_write_status(&r, false);
        return;
    }
    rollout_pause_conditions(&r);
    if (r.paused || sets_scaling_event(&r))
        sync_only(&r);
    else if (r.rolling)
        roll(&r);
    else
        recreate(&r);
}

/* --- what concerns whom --- */

static void mark_owner(struct marks *m, const struct item *i)
{
    if (i->controller && str_is(i->controller->kind, "Deployment"))
        mark_key(m,
                 arena_printf(m->arena, "%.*s/%.*s", STR_ARG(i->ns), STR_ARG(i->controller->name)));
}

static bool selects(void *set, const struct item *deployment)
{
    return labels_have(&((const struct item *)set)->labels, &deployment->selector);
}

static void set_changed(struct marks *m, const struct change *c)
{
    if (c->old)
        mark_owner(m, c->old);
    if (c->now)
        mark_owner(m, c->now);
    if (!c->now || c->now->controller)
        return;
    struct item **found;
    size_t n = picture_group(m->picture, GROUP_NS, KIND_DEPLOYMENTS, c->now->ns, selects,
                             (void *)c->now, m->arena, &found);
    for (size_t i = 0; i < n; i++) {
        mark_key(m, found[i]->key);
        item_unref(found[i]);
    }
}

/* Recreate waits for the last old pod to go. */
static void pod_changed(struct marks *m, const struct change *c)
{
    bool gone = !c->now || (c->old && item_pod_done(c->now) && !item_pod_done(c->old));
    if (!gone || !change_item(c)->controller)
        return;
    struct item *set = picture_uid(m->picture, change_item(c)->controller->uid);
    if (set && set->kind == KIND_REPLICASETS)
        mark_owner(m, set);
    item_unref(set);
}

static void changed(struct marks *m, const struct change *c)
{
    if (c->kind == KIND_DEPLOYMENTS)
        mark_key(m, change_item(c)->key);
    else if (c->kind == KIND_REPLICASETS)
        set_changed(m, c);
    else if (c->kind == KIND_PODS)
        pod_changed(m, c);
}

const struct controller controller_deployment = {
    .name = "deployment",
    .component = "deployment-controller",
    .reconcile = reconcile,
    .changed = changed,
    .min_interval_ms = 40,
    .reports_failures = true,
};
