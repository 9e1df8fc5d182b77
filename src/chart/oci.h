/* oci.h: charts in registries (github.com/opencontainers/distribution-spec): a manifest with a
 * config of Helm's type, the packed chart as a layer, and perhaps its provenance as another. A
 * version's plus sign is an underscore in tags. What Helm says to stderr goes to the warnings. */
#pragma once

#include "chart/repo.h"

struct oci_ref {
    struct str registry;   /* "ghcr.io", "localhost:5000" */
    struct str repository; /* "charts/web" */
    struct str tag;        /* "1.2.3_build": empty when there is a digest or nothing */
    struct str digest;     /* "sha256:…" or empty */
};

static inline bool oci_is_url(struct str s)
{
    return str_starts(s, STR("oci://"));
}
/* With or without oci://; views of the arena. */
int oci_ref_parse(struct chart_ctx *cx, struct str text, struct oci_ref *ret);
struct str oci_ref_text(struct arena *a, const struct oci_ref *ref);

/* The reference that a chart's address and a version, or range of versions, mean: with the newest
 * tag that fits, or a digest. */
int oci_pick(struct chart_ctx *cx, const struct chart_home *home, const struct chart_access *access,
             struct str url, struct str version, struct oci_ref *ret);
/* The versions in a repository, newest first: "charts/web" tags that are versions. */
int oci_versions(struct chart_ctx *cx, const struct chart_home *home,
                 const struct chart_access *access, struct str url, struct chart_strs *ret);

/* The digest of the manifest that a reference means now. */
int oci_digest(struct chart_ctx *cx, const struct chart_home *home,
               const struct chart_access *access, const struct oci_ref *ref, struct str *ret);

struct oci_pulled {
    struct str chart, provenance; /* what was asked for */
};
enum oci_parts { OCI_CHART = 1, OCI_PROVENANCE = 2 };
int oci_pull(struct chart_ctx *cx, const struct chart_home *home, const struct chart_access *access,
             const struct oci_ref *ref, enum oci_parts parts, struct oci_pulled *ret);

/* Uploads a packed chart below url ("oci://localhost:5000/charts"). `created`: RFC 3339. */
int oci_push(struct chart_ctx *cx, const struct chart_home *home, const struct chart_access *access,
             struct str url, struct str chart, const struct str *provenance, struct str created);

/* Tries the credentials and keeps them. */
int oci_login(struct chart_ctx *cx, const struct chart_home *home,
              const struct chart_access *access, struct str host);
