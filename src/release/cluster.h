/* cluster.h: a release's objects in a cluster: what kubectl's resource builder, Helm's kube client
 * and its waiter do.
 *
 * Kinds are found by the server's discovery, which is asked once. Calls block. Errors are Helm's
 * texts in the chart_ctx: functions answer 0, or -1 after chart_fail. Everything lives in the
 * chart_ctx's arena. Source: helm.sh/helm/v3 pkg/kube, k8s.io/cli-runtime pkg/resource. */
#pragma once

#include "client/client.h"
#include "release/release.h"

struct cluster; /* belongs to the arena; keeps a pointer to client and chart_ctx */

/* Asks nothing yet. namespace: of documents that name none. */
int cluster_open(struct chart_ctx *cx, struct client *client, struct str namespace,
                 struct cluster **ret);

/* What a person at a terminal sees while calls wait: one line of text whenever it changes. */
typedef void cluster_progress(void *arg, struct str line);
struct cluster_watcher {
    cluster_progress *progress;     /* may be NULL */
    bool (*interrupted)(void *arg); /* asked between steps; may be NULL; true ends a wait or an
                                       update with "context canceled" */
    void *arg;
};
void cluster_watch(struct cluster *c, const struct cluster_watcher *w);
bool cluster_interrupted(struct cluster *c);
/* 0, or -1 with "context canceled". */
int cluster_check_interrupt(struct cluster *c);
/* What cleans up after an interruption is not interrupted. */
void cluster_ignore_interrupts(struct cluster *c);

/* "Kubernetes cluster unreachable: …" */
int cluster_reachable(struct cluster *c);
/* The server's version and "group/version", "group/version/Kind" of everything it serves, for
 * .Capabilities. */
int cluster_capabilities(struct cluster *c, struct capabilities *ret);
/* Kinds that were made since are found again. */
void cluster_forget_kinds(struct cluster *c);
/* What `lookup` answers in templates: an array for render_options.lookup, whose .user is the
 * cluster. */
extern const struct func cluster_lookup[];

/* One document, found in the server's discovery. */
struct object {
    struct str api_version, kind, namespace, name; /* namespace "" for those of the cluster */
    struct str collection; /* the path in the API of the objects of its kind and namespace */
    struct str path;       /* of the object */
    struct str json;       /* the document, with its namespace */
};
struct objects {
    struct object *items;
    size_t n, cap;
};
void objects_add(struct arena *a, struct objects *o, const struct object *one);
/* The same kind in the same group, namespace and name; NULL: none. */
struct object *objects_find(const struct objects *o, const struct object *like);

/* Splits a manifest into objects, in its order; the items of Lists stand alone. validate:
 * apiVersion and kind must be there before anything else is looked at (fields are the server's
 * business: it warns). */
int cluster_build(struct cluster *c, struct str manifest, bool validate, struct objects *ret);

/* The object as the server has it; *ret_json empty: it does not exist. */
int cluster_get(struct cluster *c, const struct object *o, struct str *ret_json);
/* The pods that a label selector finds, without their documents. */
int cluster_pods(struct cluster *c, struct str namespace, struct str selector, struct objects *ret);
/* GET of any path: for pods of a selector, logs and the like. */
int cluster_read(struct cluster *c, struct str path, struct str query, struct str *ret_body);

enum { CLUSTER_FORCE = 1, CLUSTER_TWO_WAY = 2 }; /* flags of an update */
enum { CLUSTER_EXISTS = -2 };
/* One after the other; all failures are listed in the error. CLUSTER_EXISTS instead of -1 when the
 * first was that the object exists. */
int cluster_create(struct cluster *c, struct objects *o);

struct updated {
    struct objects created, updated; /* attempted ones, also when the update failed */
};
/* Creates what is new, three-way merges what is in both (before, after, live), deletes what is no
 * longer there unless the live object has the annotation helm.sh/resource-policy: keep. With
 * CLUSTER_FORCE objects are replaced; with CLUSTER_TWO_WAY live changes of custom resources are not
 * looked at. */
int cluster_update(struct cluster *c, const struct objects *before, struct objects *after,
                   unsigned flags, struct updated *ret);
/* Deletes each; those that are gone are no error. cascade: "background", "foreground", "orphan". -1
 * with one text for each failure. */
int cluster_delete(struct cluster *c, const struct objects *o, const char *cascade,
                   struct chart_strs *ret_errors);

enum { WAIT_JOBS = 1, WAIT_GONE = 2 };
/* Until all are ready as Helm understands it (or, WAIT_GONE, until none exists), or timeout_ms
 * passed: "context deadline exceeded", with a warning that names what held it up. */
int cluster_wait(struct cluster *c, const struct objects *o, unsigned what, int64_t timeout_ms);
/* Until the Pod or Job of a hook ended well; any other kind is ready at once. */
int cluster_wait_hook(struct cluster *c, const struct objects *o, int64_t timeout_ms);
