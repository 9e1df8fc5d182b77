/* values.h: the values of a release: files, --set and the defaults of charts, brought together in
 * Helm's order and with its treatment of null. A table is a value of type map[string]interface {};
 * maps are changed in place. */
#pragma once

#include "chart/chart.h"

static inline bool values_is_nil(struct value v) /* Go's v == nil */
{
    return v.type == NULL || v.type == &type_any;
}
static inline bool values_is_table(struct value v)
{
    return v.type == &type_map;
}

struct value values_copy(struct arena *a, struct value v); /* deep */
struct vmap *values_copy_map(struct arena *a, const struct vmap *m);

/* Reads a values file: an object, or nothing. */
int values_read_yaml(struct chart_ctx *cx, struct str yaml, struct vmap **ret);
/* Values files in order: tables merge, all else is replaced. */
struct vmap *values_merge_files(struct arena *a, struct vmap *base, struct vmap *over);

/* CoalesceTables, MergeTables: src fills in what dst lacks. A null in dst removes the key when
 * coalescing, and stays when merging. */
void values_coalesce_tables(struct chart_ctx *cx, struct vmap *dst, struct vmap *src, bool merge);
/* CoalesceValues, MergeValues: a chart's values below those given, and its charts' in theirs.
 * values is not changed. */
int values_coalesce(struct chart_ctx *cx, const struct chart *c, const struct vmap *values,
                    bool merge, struct vmap **ret);

/* Values.Table: down a path with dots; NULL with *ret_missing (may be NULL) where it ends. */
struct vmap *values_table(const struct vmap *m, struct str path, struct str *ret_missing);
/* Values.PathValue: a value that is no table; false when there is none. */
bool values_path(const struct vmap *m, struct str path, struct value *ret);

/* --- strvals.c: --set and its kin --- */
enum strvals_mode { STRVALS_TYPED, STRVALS_STRING, STRVALS_JSON, STRVALS_FILE };
/* Sets what `a.b[0]=x,c={1,2}` says in dest. For STRVALS_FILE the values are names of files, which
 * read_file gives (NULL otherwise). */
int strvals_parse(struct chart_ctx *cx, struct str text, enum strvals_mode mode, struct vmap *dest,
                  int (*read_file)(struct chart_ctx *cx, struct str name, struct str *ret));
int strvals_parse_literal(struct chart_ctx *cx, struct str text, struct vmap *dest);

/* --- jsonschema.c --- */
/* values.schema.json of a chart and of those inside; the error lists everything. */
int values_validate(struct chart_ctx *cx, const struct chart *c, const struct vmap *values);
/* One schema alone. */
int values_validate_schema(struct chart_ctx *cx, struct str schema, const struct vmap *values);
