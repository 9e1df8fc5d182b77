/* diff.h: how two manifests differ, object by object, as far as documents tell: no cluster is
 * asked.
 *
 * Documents are compared as values, so that comments, order and spelling make no difference. Values
 * of Secrets are redacted. Everything lives in the chart_ctx's arena. */
#pragma once

#include "release/linediff.h"
#include "release/release.h"

enum diff_change { DIFF_ADDED, DIFF_REMOVED, DIFF_CHANGED };

struct diff_entry {
    enum diff_change change;
    struct str api_version, kind, namespace, name; /* kind "": no object; name says what it is */
    struct str before, after; /* YAML with sorted keys; "" where it does not exist */
};
struct diff {
    struct diff_entry *items;
    size_t n, cap;
};

struct diff_side {
    struct str manifest;
    struct str namespace; /* of the release: of objects that name none */
};

/* Adds the objects that are not in both alike, by kind, namespace and name. Objects are the same
 * with the same kind, group, namespace (or none, or that of the release) and name. */
int diff_manifests(struct chart_ctx *cx, const struct diff_side *before,
                   const struct diff_side *after, bool show_secrets, struct diff *ret);
/* Adds two tables of values, unless they are equal; what they call a password, secret or token is
 * redacted. */
int diff_values(struct chart_ctx *cx, struct str name, struct vmap *before, struct vmap *after,
                bool show_secrets, struct diff *ret);
/* Adds two texts, unless they are equal. */
void diff_texts(struct chart_ctx *cx, struct str name, struct str before, struct str after,
                struct diff *ret);

/* The hunks of each behind "default, web, Deployment (apps) has changed:", or "NAME:" of a text. */
void diff_put(const struct diff *d, struct linediff_style style, struct buf *out);

/* The manifest of a release, and behind it its hooks unless they are not wanted. */
struct str diff_manifest_of(struct chart_ctx *cx, const struct release *r, bool hooks);

/* "default, web, Deployment (apps)" */
void diff_put_name(struct str namespace, struct str name, struct str kind, struct str api_version,
                   struct buf *out);
/* What stands for a secret value. */
struct str diff_redacted(struct arena *a, const char *mark, struct str value);
