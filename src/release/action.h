/* action.h: what `helm install`, `upgrade`, `rollback`, `uninstall` and `test` do, step by step and
 * in Helm's order: the release is stored as pending before the first object is written and as
 * deployed or failed after the last, so that whatever interrupts leaves a state that the next
 * command understands. Source: helm.sh/helm/v3 pkg/action.
 *
 * Functions answer 0, or -1 with Helm's error in the chart_ctx. Charts and values become part of
 * the release: they must not change afterwards. */
#pragma once

#include "release/cluster.h"
#include "release/storage.h"

struct action {
    struct chart_ctx *cx;
    struct cluster *cluster;
    struct storage *storage;
    struct str namespace;
    void (*log_output)(void *arg, struct str text); /* what hooks' containers said; may be NULL */
    void *log_arg;
};

enum dry_run { DRY_RUN_NONE, DRY_RUN_CLIENT, DRY_RUN_SERVER };

/* How a chart becomes manifests; install and upgrade share it. */
struct action_render {
    /* Sends the manifests through a program; may be NULL. */
    int (*post_render)(struct chart_ctx *cx, void *arg, struct buf *manifests);
    void *post_render_arg;
    bool sub_notes, skip_schema, enable_dns, hide_secret;
};

/* How a new revision is made. */
struct action_how {
    struct action_render render;
    enum dry_run dry_run;
    bool force, no_hooks, no_validation, take_ownership, wait, wait_for_jobs, atomic;
    int64_t timeout_ms;
    struct str description; /* "": Helm's */
    struct vmap *labels;    /* text to text; NULL: none. Of an upgrade they are merged into those of
                               the last revision, and "null" takes one away */
};

struct action_install {
    struct str name;
    struct action_how how;
    bool create_namespace, replace, skip_crds;
};
int action_install(struct action *x, struct chart *chart, struct vmap *values,
                   const struct action_install *o, struct release **ret);

struct action_upgrade {
    struct str name;
    struct action_how how;
    bool reset_values, reuse_values, reset_then_reuse_values; /* the first that is set counts */
    bool recreate_pods, cleanup_on_fail;
};
int action_upgrade(struct action *x, struct chart *chart, struct vmap *values,
                   const struct action_upgrade *o, struct release **ret);

struct action_rollback {
    struct str name;
    int version; /* 0: the one before the last */
    bool dry_run, force, recreate_pods, no_hooks, wait, wait_for_jobs, cleanup_on_fail;
    int64_t timeout_ms;
};
int action_rollback(struct action *x, const struct action_rollback *o);

struct action_uninstall {
    struct str name;
    bool dry_run, no_hooks, ignore_not_found, keep_history, wait;
    const char *cascade; /* "background", "foreground", "orphan" */
    int64_t timeout_ms;
    struct str description;
};
/* *ret_info: what is to be said of resources that were kept, or "". */
int action_uninstall(struct action *x, const struct action_uninstall *o, struct str *ret_info);

struct action_test {
    struct str name;
    struct chart_strs only, except; /* names of hooks */
    int64_t timeout_ms;
};
/* *ret is the release also when a test failed; NULL: there is none. */
int action_test(struct action *x, const struct action_test *o, struct release **ret);
/* "POD LOGS: …" of the tests that were run. */
int action_test_logs(struct action *x, const struct action_test *o, const struct release *r,
                     struct buf *out);

/* What `template --validate` asks of the cluster: that it knows all kinds, and that no object
 * belongs to another release. */
int action_validate(struct action *x, struct str name, struct str manifest, bool no_validation,
                    bool take_ownership);

/* chartutil.ValidateReleaseName. */
bool action_is_release_name(struct str name);
