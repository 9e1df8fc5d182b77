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

enum { HELM_TIMEOUT_MS = 300000 }; /* of what changes a release */
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

/* What install and upgrade have in common: texts of flags, and what they mean. */
struct helm_how {
    struct helm_chart_options chart;
    const char *dry_run, *timeout, *output, *description;
    struct chart_strs labels;
    bool hide_notes;
    enum helm_format format; /* of output */
};
#define HELM_HOW_FLAGS(h, to)                                                                      \
    HELM_CHART_FLAGS((h).chart), {"atomic", 0, HELM_SWITCH, &(to).atomic, NULL},                   \
        {"description", 0, HELM_TEXT, &(h).description, NULL},                                     \
        {"disable-openapi-validation", 0, HELM_SWITCH, &(to).no_validation, NULL},                 \
        {"dry-run", 0, HELM_TEXT, &(h).dry_run, "client"},                                         \
        {"enable-dns", 0, HELM_SWITCH, &(to).render.enable_dns, NULL},                             \
        {"force", 0, HELM_SWITCH, &(to).force, NULL},                                              \
        {"hide-notes", 0, HELM_SWITCH, &(h).hide_notes, NULL},                                     \
        {"hide-secret", 0, HELM_SWITCH, &(to).render.hide_secret, NULL},                           \
        {"labels", 'l', HELM_COMMAS, &(h).labels, NULL},                                           \
        {"no-hooks", 0, HELM_SWITCH, &(to).no_hooks, NULL},                                        \
        {"output", 'o', HELM_TEXT, &(h).output, NULL},                                             \
        {"render-subchart-notes", 0, HELM_SWITCH, &(to).render.sub_notes, NULL},                   \
        {"skip-schema-validation", 0, HELM_SWITCH, &(to).render.skip_schema, NULL},                \
        {"take-ownership", 0, HELM_SWITCH, &(to).take_ownership, NULL},                            \
        {"timeout", 0, HELM_TEXT, &(h).timeout, NULL}, {"wait", 0, HELM_SWITCH, &(to).wait, NULL}, \
    {                                                                                              \
        "wait-for-jobs", 0, HELM_SWITCH, &(to).wait_for_jobs, NULL                                 \
    }
/* What the texts mean, but for --dry-run, which helm looks at after its arguments. */
int helm_read_how(struct chart_ctx *cx, struct helm_how *h, struct action_how *to);

/* What `install` and `upgrade --install` do once the flags are read; args are NAME and CHART. */
struct helm_install {
    struct helm_how how;
    struct action_install action;
    bool generate_name;
    const char *name_template;
};
int helm_run_install(struct chart_ctx *cx, struct helm_install *o, int argc, char **argv,
                     struct buf *out);
