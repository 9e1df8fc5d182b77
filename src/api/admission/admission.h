/* admission.h: the built-in admission plugins that a kind's strategy does not carry.
 *
 * admission_mutate runs on a new object before its strategy prepares it, admission_validate on what
 * is about to be stored, after the kind's own validation; admission_usage comes last, where the
 * write is put together, and adds what quotas count to the same atomic write. The plugins are
 * upstream's defaults of kube-apiserver; webhooks and admission policies have their place between
 * mutate and validate. Any thread; all answers of -1 have err filled, 403 Forbidden mostly. */
#pragma once

#include "api/call.h"
#include "doc/quantity.h"

int admission_mutate(struct call *c, val *obj, struct err *err);
/* old: NULL on create. */
int admission_validate(struct call *c, const val *obj, const val *old, struct err *err);
int admission_delete(struct call *c, const val *old, struct err *err);
/* obj: what will be under c->key; NULL: nothing. */
int admission_usage(struct call *c, const struct kind *k, const val *obj, struct err *err);

/* `pods "x" is forbidden: …` */
int admission_forbid(struct call *c, const val *obj, struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool admission_is(const struct call *c, const char *group, const char *resource);

/* Walks the stored objects of a namespace ("" for cluster kinds), parsed into the call's doc. */
struct admission_walk {
    struct call *c;
    struct store_iter *it;
};
void admission_walk_open(struct admission_walk *w, struct call *c, const char *group,
                         const char *resource, struct str ns);
val *admission_walk_next(struct admission_walk *w); /* NULL: the end */
void admission_walk_close(struct admission_walk *w);

/* --- the plugins --- */
void limits_mutate(struct call *c, val *pod);
int limits_validate(struct call *c, const val *obj, struct err *err);
int node_restrict(struct call *c, const val *obj, const val *old, struct err *err);
int node_restrict_delete(struct call *c, const val *old, struct err *err);
int security_validate(struct call *c, const val *obj, const val *old, struct err *err);

/* --- what pods use (admission_usage.c) --- */
struct usage { /* resource name → quantity */
    struct usage_item {
        struct str name;
        struct quantity q;
    } * at;
    size_t n, cap;
};
struct usage_item *usage_find(const struct usage *u, struct str name);
void usage_add(struct usage *u, struct arena *a, struct str name, const struct quantity *q);
void usage_read(struct usage *u, struct arena *a, const val *list);
/* The sum that the scheduler reserves: containers, init containers, sidecars, overhead. member:
 * "requests" or "limits". */
void usage_of_pod(struct usage *u, struct arena *a, const val *spec, const char *member);
/* What quotas count of an object. */
void usage_of_object(struct usage *u, struct arena *a, const struct schema_kind *k, const val *obj);
/* Makes the status of a ResourceQuota from what is stored. fresh: the quota itself is not yet. */
void quota_count(struct strategy_ctx *c, val *quota, bool fresh);
/* Counts all quotas anew and writes those that were wrong: what a client set in a status, what
 * expired, what came in the moment in which a quota was made. Once a minute, by one loop. */
void quota_pass(struct api *api);
