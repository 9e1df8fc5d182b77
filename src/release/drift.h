/* drift.h: where live objects differ from what a release wants of them.
 *
 * Only what the manifest says is looked at: what the server filled in, other clients added or
 * controllers report is no drift. Quantities, times and base64 are compared by what they mean, and
 * lists whose elements have a key by that key, as the schema of the kind says; lists of kinds
 * without one (custom resources) element by element. Everything lives in the chart_ctx's arena. */
#pragma once

#include "release/cluster.h"

struct drift_field {
    struct str path;   /* "spec.template.spec.containers[web].image" */
    struct str wanted; /* JSON */
    struct str live;   /* JSON; "": it is not there */
};

struct drift_object {
    const struct object *object;
    bool missing; /* there is no such object */
    struct drift_field *fields;
    size_t n, cap;
};

struct drift {
    struct drift_object *items; /* those that have drifted */
    size_t n;
    size_t checked; /* objects that were looked at */
};

enum {
    DRIFT_MAX_FIELDS = 1000, /* of one object */
};

/* One object. live_json empty: it does not exist. Values of Secrets are redacted unless
 * show_secrets. */
int drift_of_object(struct chart_ctx *cx, const struct object *o, struct str live_json,
                    bool show_secrets, struct drift_object *ret);

/* All objects of a manifest; the cluster is asked for each. */
int drift_of_manifest(struct chart_ctx *cx, struct cluster *c, struct str manifest,
                      bool show_secrets, struct drift *ret);
