/* helm_release.h: what the commands share that change releases: install, upgrade, rollback,
 * uninstall, test. */
#pragma once

#include "cli/helm.h"
#include "release/action.h"

/* A cluster to work on, with the person who watches: progress lines when stderr is a terminal. */
struct helm_work {
    struct action action;
    struct client *client;
    struct helm_interrupt *interrupt; /* NULL: signals end the program */
    bool shown;                       /* there is a progress line on the terminal */
};
/* Connects to what flags and environment name; nothing is asked yet. cancelled: the release of
 * whose cancelling SIGINT and SIGTERM tell; NULL: they end the program. To be closed in any case.
 */
int helm_work_open(struct chart_ctx *cx, int64_t history_max, const char *cancelled,
                   struct helm_work *ret);
void helm_work_close(struct helm_work *w);

/* --- flags --- */

/* --timeout: a Go duration, in milliseconds; text NULL: five minutes. */
int helm_timeout(struct chart_ctx *cx, const char *text, int64_t *ret_ms);
/* --labels a=b,c=d; NULL for none. */
int helm_labels(struct chart_ctx *cx, const struct chart_strs *words, struct vmap **ret);
/* --dry-run: NULL, "none", "false", "client", "true", "server". */
int helm_dry_run(struct chart_ctx *cx, const char *text, enum dry_run *ret);
/* HELM_MAX_HISTORY or 10. */
int64_t helm_history_max(void);

/* --- charts that are going to be released --- */
struct helm_chart_options {
    struct helm_values values;
    struct helm_source source;
    struct chart_strs post_args;
    const char *post_renderer;
    bool dependency_update;
};
#define HELM_CHART_FLAGS(o)                                                                        \
    HELM_VALUES_FLAGS((o).values), HELM_SOURCE_FLAGS((o).source),                                  \
        {"dependency-update", 0, HELM_SWITCH, &(o).dependency_update, NULL},                       \
        {"post-renderer", 0, HELM_TEXT, &(o).post_renderer, NULL},                                 \
    {                                                                                              \
        "post-renderer-args", 0, HELM_LIST, &(o).post_args, NULL                                   \
    }
/* Locates and loads the chart, and merges the values; out gets what --dependency-update says. */
int helm_load_release(struct chart_ctx *cx, const char *name, struct helm_chart_options *o,
                      bool installing, struct chart **ret, struct vmap **ret_values,
                      struct buf *out);
/* --post-renderer as a step of rendering; the options must outlive it. */
int helm_render_options(struct chart_ctx *cx, struct helm_chart_options *o,
                        struct action_render *ret);

/* What `install` and `upgrade --install` do once the flags are read; args are NAME and CHART. */
struct helm_install {
    struct helm_chart_options chart;
    struct action_install action;
    bool generate_name, hide_notes;
    const char *name_template;
    enum helm_format format;
};
int helm_run_install(struct chart_ctx *cx, struct helm_install *o, int argc, char **argv,
                     struct buf *out);
