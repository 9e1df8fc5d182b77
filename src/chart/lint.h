/* lint.h: what is wrong, or not as it should be, with a chart: Helm's package lint. */
#pragma once

#include "chart/capabilities.h"

enum lint_severity { LINT_INFO = 1, LINT_WARNING, LINT_ERROR };

struct lint_message {
    enum lint_severity severity;
    struct str path; /* "templates/a.yaml" */
    struct str text;
};

struct lint_result {
    struct lint_message *items;
    size_t n;
};

/* `path` is the folder of a chart, or a packed one. -1 with an error when it is none. */
int chart_lint(struct chart_ctx *cx, const char *path, struct vmap *values, const char *namespace,
               const struct capabilities *capabilities, bool skip_schema, struct lint_result *ret);
void lint_put(struct buf *b, const struct lint_message *m); /* "[INFO] Chart.yaml: …\n" */
