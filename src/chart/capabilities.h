/* capabilities.h: .Capabilities: what the cluster can do, as templates see it. */
#pragma once

#include "chart/chart.h"

#define HELM_VERSION "v3.22"
#define HELM_GO_VERSION "go1.26.8"

struct capabilities {
    struct str version, major, minor; /* "v1.37.0", "1", "37" */
    struct chart_strs api_versions;
};

/* Those of a program without a cluster; api_versions are added to the known ones. */
struct capabilities capabilities_default(struct arena *a, const struct chart_strs *api_versions);
/* --kube-version: "1.29", "v1.29.3-gke.1". */
int capabilities_set_version(struct chart_ctx *cx, struct capabilities *c, struct str text);
/* *chartutil.Capabilities */
struct value capabilities_value(struct arena *a, const struct capabilities *c);
