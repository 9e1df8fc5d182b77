/* create.h: new charts. */
#pragma once

#include "chart/chart.h"

/* Writes the files that charts usually have to dir/NAME; out tells of those that are replaced. */
int chart_create(struct chart_ctx *cx, const char *dir, struct str name, struct buf *out);
/* The same from another chart, in whose templates and values <CHARTNAME> stands for the name. */
int chart_create_from(struct chart_ctx *cx, const char *dir, struct str name, const char *starter);
