/* chart.h: charts as Helm's loader has them: metadata, templates, files, default values, and the
 * charts inside.
 *
 * Everything that belongs to one command (loading, values, rendering) lives in one arena and shares
 * one context, which also keeps the text of the last failure: error texts are Helm's, to the
 * letter, and of any length. Functions answer 0, or -1 after chart_fail. Warnings, which Helm logs
 * and goes on from, are collected, one a line. One thread at a time. */
#pragma once

#include "base/buf.h"
#include "template/value.h"

struct chart_ctx {
    struct arena *arena;
    struct buf *warnings; /* NULL: dropped */
    struct str error;     /* of the last failure */
};

int chart_fail(struct chart_ctx *cx, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Puts "text: " in front of the error. */
int chart_wrap(struct chart_ctx *cx, const char *format, ...) __attribute__((format(printf, 2, 3)));
void chart_warn(struct chart_ctx *cx, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

enum {
    CHART_MAX_FILE = 5 * 1024 * 1024,    /* bytes of one file */
    CHART_MAX_TOTAL = 100 * 1024 * 1024, /* bytes of an archive's files */
    CHART_MAX_DEPTH = 32,                /* charts inside charts */
    CHART_MAX_FILES = 65536,
};

struct chart_file {
    struct str name; /* "templates/a.yaml" */
    struct str data;
};

struct chart_files {
    struct chart_file *items;
    size_t n, cap;
};
void chart_files_add(struct arena *a, struct chart_files *f, struct str name, struct str data);
const struct chart_file *chart_files_find(const struct chart_files *f, const char *name);

struct chart_strs {
    struct str *items;
    size_t n;
};

struct chart_maintainer {
    struct str name, email, url;
};

/* An entry of `dependencies`. */
struct chart_dependency {
    struct str name, version, repository, condition, alias;
    struct chart_strs tags;
    struct value import_values; /* a list, or nil */
    bool enabled;
};

struct chart_meta {
    struct str name, home, version, description, icon, api_version, condition, tags, app_version,
        kube_version, type;
    struct chart_strs sources, keywords;
    struct chart_maintainer **maintainers;
    size_t maintainer_count;
    struct chart_dependency **dependencies; /* shared by a chart and its copies under an alias */
    size_t dependency_count;
    bool has_dependencies; /* the key is there, perhaps with an empty list */
    bool deprecated;
    struct vmap *annotations; /* text to text, or NULL */
};

/* Chart.lock or requirements.lock. */
struct chart_lock {
    struct str generated, digest;
    struct chart_dependency **dependencies;
    size_t dependency_count;
};

struct chart {
    struct chart *parent; /* NULL: the root */
    struct chart_meta meta;
    bool has_meta;
    struct chart_lock *lock; /* NULL: none */
    struct chart_files raw;  /* everything, as it was read */
    struct chart_files templates, files;
    struct vmap *values; /* values.yaml; NULL: none */
    struct str schema;   /* values.schema.json */
    bool has_schema;
    struct chart **deps; /* the charts inside */
    size_t dep_count;
};

/* --- load.c, archive.c --- */
/* A directory or a .tgz. */
int chart_load(struct chart_ctx *cx, const char *path, struct chart **ret);
int chart_load_files(struct chart_ctx *cx, const struct chart_files *files, struct chart **ret);
/* The files of a packed chart, without the folder that holds them; refuses paths that lead out, and
 * what is larger than the limits above. */
int chart_read_archive(struct chart_ctx *cx, struct str gzip, struct chart_files *ret);
/* The files of a chart's folder that .helmignore leaves. */
int chart_read_dir(struct chart_ctx *cx, const char *path, struct chart_files *ret);

/* --- metadata.c --- */
/* Reads Chart.yaml or requirements.yaml into meta: what it names is set, the rest stays. */
int chart_meta_read(struct chart_ctx *cx, struct str yaml, struct chart_meta *meta);
/* The same from documents that are read already. */
int chart_meta_from(struct chart_ctx *cx, const val *v, struct chart_meta *meta);
int chart_lock_from(struct chart_ctx *cx, const val *v, struct chart_lock *lock);
int chart_meta_validate(struct chart_ctx *cx, struct chart_meta *meta);
int chart_lock_read(struct chart_ctx *cx, struct str yaml, struct chart_lock *lock);

/* "frobnitz/charts/mariner": the chart's place below the root. */
struct str chart_full_path(struct arena *a, const struct chart *c);
void chart_set_deps(struct chart *c, struct chart **deps, size_t n);
bool chart_is_library(const struct chart *c);
/* chartutil.IsCompatibleRange: false for anything that does not parse. */
bool chart_version_fits(struct arena *a, struct str constraint, struct str version);
/* Go's path.Base and filepath.Ext. */
struct str path_base(struct str path);
struct str path_ext(struct str path);

/* --- deps.c --- */
/* Drops the charts that conditions and tags switch off, renames by alias, imports values. */
int chart_process_dependencies(struct chart_ctx *cx, struct chart *c, struct vmap *values);
/* "found in Chart.yaml, but missing in charts/ directory: …" */
int chart_missing_dependencies(struct chart_ctx *cx, const struct chart *c);
/* The same with the advice that commands give. */
int chart_check_dependencies(struct chart_ctx *cx, const struct chart *c);
