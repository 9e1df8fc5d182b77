/* cluster_impl.h: what the files of the cluster share. */
#pragma once

#include "release/cluster.h"

struct served { /* a kind that the server has */
    struct str api_version, kind, resource;
    bool namespaced;
};

struct cluster {
    struct chart_ctx *cx;
    struct client *client;
    struct str namespace;
    struct cluster_watcher watcher;
    struct served *served;
    size_t served_count, served_cap;
    struct chart_strs api_versions;
    size_t api_versions_cap;
    bool discovered;
};

struct answer {
    int code;           /* HTTP status; 0: the server could not be reached */
    const char *reason; /* of a Status, or "" */
    struct bytes *body; /* of a success; the caller's reference */
};

/* One call. -1: unreachable or refused; the error is the Status' message, whole. What the server
 * warns of when something is written becomes warnings. */
int cluster_call(struct cluster *c, const struct client_request *request, struct answer *ret);
/* GET; a missing object is success with code 404. The body is parsed into d. */
int cluster_get_val(struct cluster *c, struct str path, struct str query, struct doc *d, val **ret);

/* NULL: the server has no such kind. -1: discovery failed. */
int cluster_find_kind(struct cluster *c, struct str api_version, struct str kind,
                      const struct served **ret);
/* "/apis/apps/v1/namespaces/NS/deployments" */
struct str cluster_collection(struct cluster *c, const struct served *s, struct str namespace);

/* Go's url.QueryEscape, appended. */
void cluster_query_escape(struct buf *b, struct str s);

/* --- cluster_ready.c --- */
/* One look at an object: *ret_ready, or -1. *ret_code: the HTTP status of a failure that may pass,
 * 0 for others. why gets what is missing. */
int cluster_is_ready(struct cluster *c, const struct object *o, unsigned what, bool *ret_ready,
                     struct answer *ret_failure, struct buf *why);
/* --- cluster_why.c --- */
/* What holds up the pods that a label selector finds: "web-1: ImagePullBackOff". */
void cluster_explain_pod(const val *pod, struct buf *why);
void cluster_explain_pods(struct cluster *c, struct str namespace, struct str selector,
                          struct buf *why);
