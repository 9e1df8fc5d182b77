/* action.h: what `helm install`, `upgrade`, `rollback`, `uninstall` and `test` do, step by step and
 * in Helm's order: the release is stored as pending before the first object is written and as
 * deployed or failed after the last, so that whatever interrupts leaves a state that the next
 * command understands. Source: helm.sh/helm/v3 pkg/action. */
#pragma once

#include "release/cluster.h"
#include "release/storage.h"

struct action {
    struct chart_ctx *cx;
    struct cluster *cluster; /* NULL: client-only (a dry run that never asks) */
    struct storage *storage;
    struct str namespace;
    cluster_progress *progress; /* may be NULL */
    void *progress_arg;
    bool (*interrupted)(void *); /* asked while it waits; may be NULL */
};

enum dry_run { DRY_RUN_NONE, DRY_RUN_CLIENT, DRY_RUN_SERVER };
