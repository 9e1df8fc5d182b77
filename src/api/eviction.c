/* POST pods/eviction: a deletion that a PodDisruptionBudget may refuse. The budget is counted down
 * and the pod deleted in one write, so that of two evictions at once only one takes the last
 * allowance (pkg/registry/core/pod/storage/eviction.go). */
#include "api/call.h"
#include "api/core.h"

enum { MAX_DISRUPTED = 2000 }; /* evictions that no controller has confirmed yet */

/* --- the budget of a pod --- */
struct budget {
    const struct kind *kind;
    struct str key, name;
    int64_t rev;
    val *obj; /* NULL: there is none */
};

static int fail_many(struct call *c, struct err *err)
{
    c->details.none = true;
    return err_set(err, 500, "",
                   "This pod has more than one PodDisruptionBudget, which the eviction subresource "
                   "does not support.");
}

static int find_budget(struct call *c, const val *pod, struct budget *ret, struct err *err)
{
    const struct kind *k =
        kinds_find(&c->api->kinds, STR("policy"), STR("v1"), STR("poddisruptionbudgets"));
    *ret = (struct budget){.kind = k};
    struct str prefix =
        arena_printf(&c->arena, "%.*s%.*s/", STR_ARG(k->prefix), STR_ARG(c->route.ns));
    struct str end = arena_printf(&c->arena, "%.*s%c", (int)prefix.n - 1, prefix.p, '/' + 1);
    struct store_iter *it = store_range(c->snap, prefix, end);
    struct store_kv kv;
    int rc = 0;
    while (rc == 0 && store_next(it, &kv)) {
        struct selector selector;
        struct err ignored;
        val *obj;
        rc = meta_load(c, &kv, &obj, err);
        if (rc != 0 ||
            selector_from_object(&c->arena, VAL_PATH(obj, "spec", "selector"), &selector,
                                 &ignored) != 0 ||
            !selector_match_labels(&selector, VAL_PATH(pod, "metadata", "labels")))
            continue;
        if (ret->obj)
            rc = fail_many(c, err);
        ret->key = arena_dup(&c->arena, kv.key);
        ret->rev = kv.mod_rev;
        ret->obj = obj;
        ret->name = VAL_STR(obj, "metadata", "name");
    }
    store_iter_free(it);
    return rc;
}

/* --- may it go --- */
static bool is_ready(const val *pod)
{
    VAL_FOR (VAL_PATH(pod, "status", "conditions"), c)
        if (str_is(VAL_STR(c, "type"), "Ready"))
            return str_is(VAL_STR(c, "status"), "True");
    return false;
}

/* Nobody misses a pod that is over, has not begun or is going already. */
static bool is_free(const val *pod)
{
    struct str phase = VAL_STR(pod, "status", "phase");
    return str_is(phase, "Succeeded") || str_is(phase, "Failed") || str_is(phase, "Pending") ||
           VAL_STR(pod, "metadata", "deletionTimestamp").n;
}

/* A pod that is not ready counts for nothing: it may go when the healthy ones suffice without it,
 * or always, as the budget says. */
static bool is_unhealthy_free(const val *pod, const val *budget)
{
    if (is_ready(pod))
        return false;
    if (str_is(VAL_STR(budget, "spec", "unhealthyPodEvictionPolicy"), "AlwaysAllow"))
        return true;
    int64_t desired = VAL_INT(budget, "status", "desiredHealthy");
    return desired > 0 && VAL_INT(budget, "status", "currentHealthy") >= desired;
}

static int fail_too_many(struct call *c, struct str why, int retry_after, struct err *err)
{
    struct doc *d = &c->doc;
    val *cause = val_new_obj(d);
    val_set_z(d, cause, "reason", "DisruptionBudget");
    val_set_s(d, cause, "message", why);
    c->details =
        (struct call_details){.set = true, .causes = val_new_arr(d), .retry_after = retry_after};
    val_push(c->details.causes, cause);
    return err_set(err, 429, "TooManyRequests",
                   "Cannot evict pod as it would violate the pod's disruption budget.");
}

static int fail_budget(struct call *c, struct str name, const char *why, struct err *err)
{
    c->details = (struct call_details){
        .set = true, .name = name, .group = STR("policy"), .kind = STR("poddisruptionbudget")};
    return err_set(err, 403, "Forbidden", "poddisruptionbudget.policy \"%.*s\" is forbidden: %s",
                   STR_ARG(name), why);
}

static int check_budget(struct call *c, const struct budget *b, struct err *err)
{
    const val *status = val_get(b->obj, "status");
    int64_t allowed = VAL_INT(status, "disruptionsAllowed");
    if (VAL_INT(status, "observedGeneration") < VAL_INT(b->obj, "metadata", "generation"))
        return fail_too_many(c,
                             arena_printf(&c->arena,
                                          "The disruption budget %.*s is still being processed by "
                                          "the server.",
                                          STR_ARG(b->name)),
                             10, err);
    if (allowed < 0)
        return fail_budget(c, b->name, "pdb disruptions allowed is negative", err);
    if (val_len(val_get(status, "disruptedPods")) > MAX_DISRUPTED)
        return fail_budget(c, b->name,
                           "DisruptedPods map too big - too many evictions not confirmed by PDB "
                           "controller",
                           err);
    if (allowed == 0)
        return fail_too_many(
            c,
            arena_printf(
                &c->arena,
                "The disruption budget %.*s needs %lld healthy pods and has %lld currently",
                STR_ARG(b->name), (long long)VAL_INT(status, "desiredHealthy"),
                (long long)VAL_INT(status, "currentHealthy")),
            0, err);
    return 0;
}

/* --- what is written --- */
static val *condition_of(struct call *c, val *conditions, const char *type)
{
    VAL_FOR (conditions, at)
        if (str_is(VAL_STR(at, "type"), type))
            return at;
    val *made = val_new_obj(&c->doc);
    val_set_z(&c->doc, made, "type", type);
    val_push(conditions, made);
    return made;
}

static void set_condition(struct call *c, val *status, const char *type, const char *value,
                          const char *reason, const char *message)
{
    struct doc *d = &c->doc;
    val *at = condition_of(c, val_ensure_arr(d, status, "conditions"), type);
    char now[64];
    if (!str_is(VAL_STR(at, "status"), value)) {
        meta_now(c, now);
        val_set_z(d, at, "lastTransitionTime", now);
    }
    val_set_z(d, at, "status", value);
    val_set_z(d, at, "reason", reason);
    val_set_z(d, at, "message", message);
}

/* One less, and a note for the controller, that the pod is as good as gone. */
static void count_down(struct call *c, val *budget)
{
    struct doc *d = &c->doc;
    val *status = val_ensure_obj(d, budget, "status");
    int64_t left = VAL_INT(status, "disruptionsAllowed") - 1;
    char now[64];
    val_set_int(d, status, "disruptionsAllowed", left);
    if (left == 0)
        set_condition(c, status, "DisruptionAllowed", "False", "InsufficientPods", "");
    meta_now(c, now);
    val_set_str(d, val_ensure_obj(d, status, "disruptedPods"), c->route.name, val_new_z(d, now));
}

static void add_budget(struct call *c, const struct budget *b)
{
    int64_t at;
    struct bytes *json = meta_encode(c, b->kind, b->obj, &at);
    c->ops[c->write.op_count++] = (struct store_op){STORE_PUT, b->key, json, at, b->rev};
}

/* --- the request --- */
static enum call_next evicted(struct call *c)
{
    if (c->write.result == STORE_CONFLICT)
        return call_again(c);
    return c->write.result == STORE_FAILED ? write_failed(c) : call_reply_success(c, 201);
}

static int check_eviction(struct call *c, const val *eviction, struct err *err)
{
    struct str name = VAL_STR(eviction, "metadata", "name");
    if (name.n && !str_eq(name, c->route.name))
        return err_bad(err, "name in URL does not match name in Eviction object");
    const val *dry = VAL_PATH(eviction, "deleteOptions", "dryRun");
    if (val_len(dry))
        c->options.dry_run = true;
    return 0;
}

static enum call_next evict(struct call *c, const struct store_kv *kv, val *pod, const val *options)
{
    struct err err = {0};
    struct budget b = {0};
    if (!is_free(pod) && find_budget(c, pod, &b, &err) != 0)
        return call_fail(c, &err);
    bool counts = b.obj && !is_unhealthy_free(pod, b.obj);
    if (counts && check_budget(c, &b, &err) != 0)
        return call_fail(c, &err);
    c->ctx.dry_run = c->options.dry_run;
    set_condition(c, val_ensure_obj(&c->doc, pod, "status"), "DisruptionTarget", "True",
                  "EvictionByEvictionAPI", "Eviction API: evicting");
    int rc = delete_prepare(c, kv, pod, options, &err);
    if (rc < 0)
        return call_fail(c, &err);
    if (rc == 1 || c->options.dry_run)
        return call_reply_success(c, 201);
    if (counts) {
        count_down(c, b.obj);
        add_budget(c, &b);
    }
    return write_submit(c, evicted);
}

enum call_next handle_eviction(struct call *c)
{
    struct err err = {0};
    struct store_kv kv;
    val *eviction, *pod;
    if (body_decode(c, schema_find(STR("io.k8s.api.policy.v1.Eviction")), STR("policy/v1"),
                    STR("Eviction"), &eviction, &err) != 0 ||
        call_begin(c, &err) != 0 || check_eviction(c, eviction, &err) != 0)
        return call_fail(c, &err);
    int found = write_load(c, &kv, &pod, &err);
    if (found < 0)
        return call_fail(c, &err);
    if (!found)
        return call_fail(c, (fail_not_found(c, c->route.name, &err), &err));
    return evict(c, &kv, pod, val_get(eviction, "deleteOptions"));
}
