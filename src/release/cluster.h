/* cluster.h: a release's objects in a cluster: what kubectl's resource builder, Helm's kube client
 * and its waiter do.
 *
 * Kinds are found by the server's discovery, which is asked once. Calls block. Errors are Helm's
 * texts in the chart_ctx. Source: helm.sh/helm/v3 pkg/kube. */
#pragma once

#include "client/client.h"
#include "release/release.h"

struct cluster; /* belongs to the arena */

int cluster_open(struct chart_ctx *cx, struct client *client, struct str namespace,
                 struct cluster **ret);

/* "Kubernetes cluster unreachable: …" */
int cluster_reachable(struct cluster *c);
/* The server's version and "group/version", "group/version/Kind" of everything it serves, for
 * .Capabilities. */
int cluster_capabilities(struct cluster *c, struct capabilities *ret);
/* What `lookup` answers in templates: an array for render_options.lookup. */
const struct func *cluster_lookup(struct cluster *c);

/* One document, found in the server's discovery. */
struct object {
    struct str api_version, kind, namespace, name; /* namespace "" for those of the cluster */
    struct str path;                               /* of the object in the API */
    struct str json;                               /* the document */
};
struct objects {
    struct object *items;
    size_t n;
};
/* Splits a manifest into objects, in its order. validate: the server checks them (dry-run) with
 * strict field validation, as --validate asks. */
int cluster_build(struct cluster *c, struct str manifest, bool validate, struct objects *ret);

/* The object as the server has it; *ret_json empty: it does not exist. */
int cluster_get(struct cluster *c, const struct object *o, struct str *ret_json);

enum { CLUSTER_FORCE = 1, CLUSTER_DRY_RUN = 2 };
int cluster_create(struct cluster *c, const struct objects *o, unsigned flags);
/* Creates what is new, three-way merges what is in both (before, after, live), deletes what is no
 * longer there unless it has the annotation helm.sh/resource-policy: keep. *ret_created: what a
 * failed upgrade with --cleanup-on-fail removes again. */
int cluster_update(struct cluster *c, const struct objects *before, const struct objects *after,
                   unsigned flags, struct objects *ret_created);
/* Deletes each; those that are gone are no error. cascade: "background", "foreground", "orphan". */
int cluster_delete(struct cluster *c, const struct objects *o, const char *cascade);

/* What a wait is doing, for a person at a terminal: called when the text changes. */
typedef void cluster_progress(void *arg, struct str line);

enum { WAIT_JOBS = 1, WAIT_GONE = 2 };
/* Until all are ready as Helm understands it (or, WAIT_GONE, until none exists), or timeout_ms
 * passed: "context deadline exceeded" and the objects that held it up. */
int cluster_wait(struct cluster *c, const struct objects *o, unsigned what, int64_t timeout_ms,
                 cluster_progress *progress, void *arg);
/* Until the Pod or Job of a hook ended well; any other kind is ready at once. */
int cluster_wait_hook(struct cluster *c, const struct objects *o, int64_t timeout_ms,
                      cluster_progress *progress, void *arg);
