/* objects.h: what templates see of a chart: .Chart, .Files, and the type of .Values. */
#pragma once

#include "chart/chart.h"
#include "chart/func.h"

extern const struct gotype type_values; /* chartutil.Values */

struct value chart_value(struct arena *a, const struct chart *c);             /* .Chart */
struct value chart_files_value(struct arena *a, const struct chart_files *f); /* .Files */
