/* What a deployment says of its rollout: counts and conditions. */
#include "control/deployment.h"
#include "doc/time.h"

#define SECOND 1000000000LL

bool rollout_has_deadline(const struct rollout *r)
{
    const val *deadline = VAL_PATH(r->d, "spec", "progressDeadlineSeconds");
    return !val_is_null(deadline) && val_int(deadline) != INT32_MAX;
}

bool rollout_complete(const struct rollout *r, const val *status)
{
    return VAL_INT(status, "updatedReplicas") == r->replicas &&
           VAL_INT(status, "replicas") == r->replicas &&
           VAL_INT(status, "availableReplicas") == r->replicas &&
           VAL_INT(status, "observedGeneration") >= VAL_INT(r->d, "metadata", "generation");
}

static bool has_reason(const val *condition, const char *reason)
{
    return str_is(VAL_STR(condition, "reason"), reason);
}

/* --- counts --- */

static void set_count(struct doc *d, val *status, const char *key, int64_t n)
{
    if (n)
        val_set_int(d, status, key, n);
}

static val *new_status(struct rollout *r)
{
    struct doc *d = r->v->doc;
    int64_t total = 0, ready = 0, available = 0;
    for (size_t i = 0; i < r->all_count; i++) {
        total += r->all[i]->actual;
        ready += r->all[i]->ready;
        available += r->all[i]->available;
    }
    val *status = val_new_obj(d);
    set_count(d, status, "observedGeneration", VAL_INT(r->d, "metadata", "generation"));
    set_count(d, status, "replicas", total);
    set_count(d, status, "updatedReplicas", r->fresh ? r->fresh->actual : 0);
    set_count(d, status, "readyReplicas", ready);
    set_count(d, status, "availableReplicas", available);
    /* During a scale down there may be more available than there should be at all. */
    set_count(d, status, "unavailableReplicas",
              sets_total(r) > available ? sets_total(r) - available : 0);
    const val *collisions = VAL_PATH(r->d, "status", "collisionCount");
    if (!val_is_null(collisions))
        val_set_int(d, status, "collisionCount", val_int(collisions));
    return status;
}

static void judge_available(struct rollout *r, const val *status)
{
    if (VAL_INT(status, "availableReplicas") >= r->replicas - r->unavailable)
        condition_set(r->v, r->conditions, "Available", "True", "MinimumReplicasAvailable",
                      STR("Deployment has minimum availability."), true);
    else
        condition_set(r->v, r->conditions, "Available", "False", "MinimumReplicasUnavailable",
                      STR("Deployment does not have minimum availability."), true);
}

/* --- progress --- */

static struct str progress_message(struct rollout *r, const char *what)
{
    return arena_printf(r->v->arena, "%s \"%.*s\" %s", r->fresh ? "ReplicaSet" : "Deployment",
                        STR_ARG(r->fresh ? r->fresh->name : r->name), what);
}

static bool progressing(const struct rollout *r, const val *status)
{
    const val *old = val_get(r->d, "status");
    int64_t old_rest = VAL_INT(old, "replicas") - VAL_INT(old, "updatedReplicas");
    int64_t rest = VAL_INT(status, "replicas") - VAL_INT(status, "updatedReplicas");
    return VAL_INT(status, "updatedReplicas") > VAL_INT(old, "updatedReplicas") ||
           rest < old_rest || VAL_INT(status, "readyReplicas") > VAL_INT(old, "readyReplicas") ||
           VAL_INT(status, "availableReplicas") > VAL_INT(old, "availableReplicas");
}

static int64_t deadline_of(const struct rollout *r, const val *condition)
{
    int64_t since = 0;
    time_parse(VAL_STR(condition, "lastUpdateTime"), &since, NULL);
    return since + VAL_INT(r->d, "spec", "progressDeadlineSeconds") * SECOND;
}

static bool timed_out(const struct rollout *r, const val *condition)
{
    if (!condition || has_reason(condition, "NewReplicaSetAvailable"))
        return false;
    return has_reason(condition, "ProgressDeadlineExceeded") ||
           deadline_of(r, condition) < r->v->now;
}

/* Every step of progress renews lastUpdateTime, from which the deadline counts. */
static void note_step(struct rollout *r, val *current)
{
    struct str message = progress_message(r, "is progressing.");
    bool changed = condition_set(r->v, r->conditions, "Progressing", "True", "ReplicaSetUpdated",
                                 message, true);
    if (current && !changed)
        set_time(r->v, current, "lastUpdateTime", r->v->now);
}

static void judge_progress(struct rollout *r, const val *status)
{
    if (!rollout_has_deadline(r)) {
        condition_remove(r->conditions, "Progressing");
        return;
    }
    val *current = condition_find(r->conditions, "Progressing");
    if (VAL_INT(status, "replicas") == VAL_INT(status, "updatedReplicas") &&
        has_reason(current, "NewReplicaSetAvailable"))
        return;
    if (rollout_complete(r, status))
        condition_set(r->v, r->conditions, "Progressing", "True", "NewReplicaSetAvailable",
                      progress_message(r, "has successfully progressed."), true);
    else if (progressing(r, status))
        note_step(r, current);
    else if (timed_out(r, current))
        condition_set(r->v, r->conditions, "Progressing", "False", "ProgressDeadlineExceeded",
                      progress_message(r, "has timed out progressing."), true);
}

static const val *failure_of(const struct replica_set *s)
{
    return s ? condition_find(VAL_PATH(s->obj, "status", "conditions"), "ReplicaFailure") : NULL;
}

/* The new set's failure, or else the first of another one. */
static void carry_failure(struct rollout *r)
{
    const val *found = failure_of(r->fresh);
    for (size_t i = 0; i < r->all_count && !found; i++)
        found = failure_of(r->all[i]);
    if (!found) {
        condition_remove(r->conditions, "ReplicaFailure");
        return;
    }
    char *status = arena_z(r->v->arena, VAL_STR(found, "status"));
    char *reason = arena_z(r->v->arena, VAL_STR(found, "reason"));
    condition_set(r->v, r->conditions, "ReplicaFailure", status, reason, VAL_STR(found, "message"),
                  true);
}

/* A rollout that stands still is looked at again when its deadline has passed. */
static void look_again(struct rollout *r, const val *status)
{
    const val *current = condition_find(r->conditions, "Progressing");
    if (!rollout_has_deadline(r) || !current || rollout_complete(r, status) ||
        has_reason(current, "ProgressDeadlineExceeded"))
        return;
    int64_t ms = (deadline_of(r, current) - r->v->now) / 1000000 + 1000;
    act_requeue(r->a, ms > 0 ? ms : 0);
}

/* --- the parts that others call --- */

void rollout_pause_conditions(struct rollout *r)
{
    const val *current = condition_find(r->conditions, "Progressing");
    if (!rollout_has_deadline(r) || has_reason(current, "ProgressDeadlineExceeded"))
        return;
    bool said = has_reason(current, "DeploymentPaused");
    if (r->paused && !said)
        condition_set(r->v, r->conditions, "Progressing", "Unknown", "DeploymentPaused",
                      STR("Deployment is paused"), true);
    else if (!r->paused && said)
        condition_set(r->v, r->conditions, "Progressing", "Unknown", "DeploymentResumed",
                      STR("Deployment is resumed"), true);
}

static void write_status(struct rollout *r, val *status)
{
    struct doc *d = r->v->doc;
    if (val_len(r->conditions))
        val_set(d, status, "conditions", r->conditions);
    if (!r->revision.n && val_eq(status, val_get(r->d, "status")))
        return;
    act_next_phase(r->a);
    val *next = val_copy(d, r->d);
    val_set(d, next, "status", status);
    if (r->revision.n) { /* through status it does not count as a change of what is wanted */
        val *annotations = val_ensure_obj(d, val_ensure_obj(d, next, "metadata"), "annotations");
        val_set_s(d, annotations, ANNOTATION_REVISION, r->revision);
    }
    act_update(r->a, KIND_DEPLOYMENTS, next, "status");
}

void rollout_write_status(struct rollout *r, bool progress)
{
    val *status = new_status(r);
    judge_available(r, status);
    if (progress) {
        judge_progress(r, status);
        carry_failure(r);
    }
    write_status(r, status);
    if (progress)
        look_again(r, status);
}

/* The new set could not be made: another object has its name (then the next name differs by the
 * collision count), or the server refuses it. */
void rollout_report_failure(struct rollout *r)
{
    const struct failure *f = r->v->failure;
    if (f->verb != ACT_CREATE || f->kind != KIND_REPLICASETS)
        return;
    struct doc *d = r->v->doc;
    val *status =
        val_is_obj(val_get(r->d, "status")) ? val_copy(d, val_get(r->d, "status")) : val_new_obj(d);
    if (str_is(f->reason, "AlreadyExists")) {
        val_set_int(d, status, "collisionCount", VAL_INT(status, "collisionCount") + 1);
    } else {
        struct str message =
            arena_printf(r->v->arena, "Failed to create new replica set \"%.*s\": %.*s",
                         STR_ARG(f->name), STR_ARG(f->message));
        if (rollout_has_deadline(r))
            condition_set(r->v, r->conditions, "Progressing", "False", "ReplicaSetCreateError",
                          message, true);
        act_event(r->a, NULL, r->owner, "Warning", "ReplicaSetCreateError", "%.*s",
                  STR_ARG(message));
    }
    write_status(r, status);
}
