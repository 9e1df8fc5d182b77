/* deployment.h: what the parts of the deployment controller share. Private to the room.
 *
 * Upstream: pkg/controller/deployment and its util. The rollout is worked out on local copies of
 * the replica sets; what differs at the end is written, one update a set. */
#pragma once

#include "control/meta.h"

#define ANNOTATION_REVISION "deployment.kubernetes.io/revision"
#define ANNOTATION_HISTORY "deployment.kubernetes.io/revision-history"
#define ANNOTATION_DESIRED "deployment.kubernetes.io/desired-replicas"
#define ANNOTATION_MAX "deployment.kubernetes.io/max-replicas"

struct replica_set {
    const struct item *item; /* NULL: to be created */
    val *obj;
    struct str name;
    int64_t replicas; /* spec, as it shall become */
    int64_t was;      /* spec, as it is */
    int64_t actual, ready, available;
    int64_t created, revision;
    bool changed; /* obj differs from what the server has, replicas apart */
};

struct rollout {
    struct view *v;
    struct actions *a;
    const struct item *owner;
    val *d; /* the deployment; its status is the old one */
    struct str name;
    int64_t replicas, surge, unavailable;
    bool rolling, paused;
    struct replica_set **all; /* by creation time */
    size_t all_count;
    struct replica_set **old; /* without the new one, by creation time */
    size_t old_count;
    struct replica_set *fresh; /* the set of the present template, or NULL */
    val *conditions;           /* the new status's */
    struct str revision;       /* to be set on the deployment; empty: as it is */
};

/* sets */
void sets_load(struct rollout *r);
/* Finds the new set, makes it when create is true, and brings its revision and annotations up to
 * date. */
void sets_sync_revision(struct rollout *r, bool create);
void set_scale(struct rollout *r, struct replica_set *s, int64_t replicas);
int64_t sets_total(const struct rollout *r);
int64_t sets_available(const struct rollout *r);
int64_t new_set_size(const struct rollout *r, int64_t have); /* upstream's NewRSNewReplicas */
bool sets_scaling_event(const struct rollout *r);
void sets_scale_proportionally(struct rollout *r);
void sets_clean_up(struct rollout *r); /* revisionHistoryLimit */
void sets_write(struct rollout *r);

/* status */
bool rollout_complete(const struct rollout *r, const val *status);
void rollout_pause_conditions(struct rollout *r);
void rollout_report_failure(struct rollout *r);
/* progress: judge the progress too, as upstream's syncRolloutStatus; else syncDeploymentStatus. */
void rollout_write_status(struct rollout *r, bool progress);
bool rollout_has_deadline(const struct rollout *r);
