/* helm_help.h: what `tutti helm COMMAND --help` and completions know of commands. */
#pragma once

#include "cli/helm.h"

/* One subcommand, or one of a group's. */
struct helm_usage {
    const char *path;  /* "repo add" */
    const char *words; /* behind the path: "NAME URL" */
    const char *text;  /* what it does */
    enum helm_operand {
        HELM_OPERAND_FILE,
        HELM_OPERAND_NONE,
        HELM_OPERAND_CHART,         /* of repositories and registries */
        HELM_OPERAND_RELEASE,       /* in the namespace */
        HELM_OPERAND_RELEASE_CHART, /* a release, then a chart */
        HELM_OPERAND_NEW_CHART,     /* a name that is new, then a chart */
        HELM_OPERAND_REPO,
        HELM_OPERAND_SHELL,
    } operand;
};
extern const struct helm_usage helm_usages[]; /* by path; ends with a NULL path */
/* The usage of a path, or NULL. */
const struct helm_usage *helm_usage_find(struct str path);

/* The help of a command with its flags. */
void helm_put_help(struct chart_ctx *cx, struct str path, const struct helm_flag *own,
                   const struct helm_flag *common, struct buf *out);
/* The commands below a path ("" for all): name and text of each. */
void helm_put_commands(struct str path, struct buf *out);
/* Flags that begin with a prefix, as completions: "--name\ttext" lines. */
void helm_put_flags(struct chart_ctx *cx, struct str prefix, const struct helm_flag *own,
                    const struct helm_flag *common, struct buf *out);
