/* objects.h: what templates see of a chart: .Chart, .Files, and the type of .Values. */
#pragma once

#include "chart/chart.h"
#include "template/func.h"

extern const struct gotype type_values; /* chartutil.Values */

struct value chart_value(struct arena *a, const struct chart *c);               /* .Chart */
struct value chart_metadata_value(struct arena *a, const struct chart_meta *m); /* its fields */
struct value chart_files_value(struct arena *a, const struct chart_files *f);   /* .Files */
struct value chart_lock_value(struct arena *a, const struct chart_lock *l);
struct value chart_dependencies_value(struct arena *a, struct chart_dependency *const *entries,
                                      size_t n);
