/* repo.h: chart repositories: an index.yaml over HTTP and the packed charts that it names. */
#pragma once

#include "chart/chart.h"

struct repo_version {
    struct str version;
    struct str url; /* of the packed chart; may be relative to the repository */
};

struct repo_index {
    struct repo_version *items; /* of one chart, newest first */
    size_t n;
};

/* GETs an http or https address, at most CHART_MAX_TOTAL bytes. */
int repo_get(struct chart_ctx *cx, struct str url, struct str *ret);
/* The versions of a chart in the repository's index. */
int repo_read_index(struct chart_ctx *cx, struct str repo_url, struct str chart,
                    struct repo_index *ret);
/* The newest version that the constraint allows, empty: the newest release. NULL: none. */
const struct repo_version *repo_pick(struct chart_ctx *cx, const struct repo_index *index,
                                     struct str constraint);
/* The address of a version's file. */
struct str repo_chart_url(struct chart_ctx *cx, struct str repo_url, const struct repo_version *v);
/* The address of a repository by its name in repositories.yaml; empty: there is none. */
struct str repo_by_name(struct chart_ctx *cx, struct str config_yaml, struct str name);
