/* index.h: index.yaml: the charts of a repository and their versions, newest first. */
#pragma once

#include "chart/chart.h"
#include "functions/semver.h"

enum { INDEX_MAX = 128 * 1024 * 1024 };

struct index_version {
    const val *raw; /* the whole entry */
    struct str version;
    struct semver parsed;
    bool is_semver;
};

struct index_entry {
    struct str name;
    struct index_version *items;
    size_t n, cap;
};

/* Texts are views of the document, until index_done. */
struct index {
    struct doc doc;
    struct index_entry *entries; /* by name */
    size_t n;
};

/* Entries that are no charts are left out with a warning; `source` names the index in it. */
int index_parse(struct chart_ctx *cx, struct str text, struct str source, struct index *ret);
int index_read(struct chart_ctx *cx, const char *path, struct index *ret);
void index_done(struct index *x);

const struct index_entry *index_entry(const struct index *x, struct str name);
/* The version named so, else the newest that the constraint allows; empty: the newest release.
 * NULL after chart_fail. */
const struct index_version *index_find(struct chart_ctx *cx, const struct index *x, struct str name,
                                       struct str version);
struct str index_version_url(const struct index_version *v); /* the first; empty: none */

/* --- writing --- */
/* The index of the packed charts in a folder and in those below it, as addresses below base_url.
 * `merge`: an index whose other versions are taken over, or NULL. */
int index_directory(struct chart_ctx *cx, const char *dir, struct str base_url,
                    const struct index *merge, bool json, struct buf *ret);
