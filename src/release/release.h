/* release.h: one release of a chart, as Helm 3 keeps it.
 *
 * A release is a name, a revision and all that was known when it was made: the chart, the values,
 * the manifest and the hooks. Helm stores it as a Secret of type helm.sh/release.v1 whose
 * data.release is base64 of gzip of JSON (storage.h); the field names below are those of that JSON.
 * Everything lives in the arena of the chart_ctx it was made with. Source: helm.sh/helm/v3
 * pkg/release, pkg/storage/driver. */
#pragma once

#include "base/buf.h"
#include "chart/chart.h"
#include "chart/render.h"

enum release_status {
    RELEASE_UNKNOWN,
    RELEASE_DEPLOYED,
    RELEASE_UNINSTALLED,
    RELEASE_SUPERSEDED,
    RELEASE_FAILED,
    RELEASE_UNINSTALLING,
    RELEASE_PENDING_INSTALL,
    RELEASE_PENDING_UPGRADE,
    RELEASE_PENDING_ROLLBACK,
};

const char *release_status_text(enum release_status s); /* "pending-install" */
enum release_status release_status_of(struct str text); /* RELEASE_UNKNOWN for any other text */
bool release_is_pending(enum release_status s);

/* A time as Helm writes it: RFC 3339 with up to nine digits and the offset of the machine that
 * wrote it. */
struct release_time {
    int64_t ns;       /* since 1970; 0: none, written "" */
    int32_t offset_s; /* east of UTC */
};
struct release_time release_now(void); /* with the machine's offset */
void release_time_write(struct release_time t, struct buf *b);
/* "" and Go's zero time are none. -1: no time. */
int release_time_parse(struct str text, struct release_time *ret);

enum hook_phase {
    HOOK_PHASE_NONE,
    HOOK_PHASE_UNKNOWN,
    HOOK_PHASE_RUNNING,
    HOOK_PHASE_SUCCEEDED,
    HOOK_PHASE_FAILED
};

const char *hook_phase_text(enum hook_phase p); /* "Succeeded"; "" for none */

/* Bits of release_hook.delete_policies and .output_log_policies. */
enum hook_policy { HOOK_ON_SUCCEEDED = 1, HOOK_ON_FAILED = 2, HOOK_BEFORE_CREATION = 4 };

struct release_hook {
    struct str name, kind, path, manifest;
    uint32_t events; /* bits of enum hook_event */
    int weight;
    uint32_t delete_policies, output_log_policies;
    /* The same as the chart lists them: their order, and what has no bit. Bits that were set since
     * are written behind. */
    struct chart_strs event_names, delete_names, output_log_names;
    struct release_time started, completed;
    enum hook_phase phase;
};

struct release {
    struct str name, namespace;
    int version; /* the revision */
    enum release_status status;
    struct str description, notes;
    struct release_time first_deployed, last_deployed, deleted;
    struct chart *chart; /* NULL when it was not asked for */
    struct vmap *config; /* the user's values; NULL: none */
    struct str manifest; /* documents, each behind "---\n# Source: …\n" */
    struct release_hook *hooks;
    size_t hook_count;
    struct vmap *labels;    /* text to text, the user's own (--labels); NULL: none */
    struct vmap *resources; /* what `status --show-resources` found, by kind; not kept */
};

/* "sh.helm.release.v1.NAME.vVERSION" */
struct str release_key(struct arena *a, struct str name, int version);

/* Helm's JSON of a release, and back: labels are not part of it. What comes from a cluster is
 * checked: sizes, depth, types. Writing fails for values that JSON has no form for (NaN). */
int release_write_json(struct chart_ctx *cx, const struct release *r, struct buf *b);
int release_read_json(struct chart_ctx *cx, struct str json, struct release **ret);
/* The same through gzip and base64, as it lies in a Secret (before the Secret's own base64). At
 * most RELEASE_MAX_JSON bytes unpacked. */
enum { RELEASE_MAX_JSON = 64 * 1024 * 1024 };
int release_encode(struct chart_ctx *cx, const struct release *r, struct buf *b);
int release_decode(struct chart_ctx *cx, struct str text, struct release **ret);
/* The same without what lists do not show: of the chart only the metadata, and no values, manifest
 * and hooks. */
int release_decode_head(struct chart_ctx *cx, struct str text, struct release **ret);

/* Hooks of chart_render's output (manifests_sort) as release hooks; the bits of their policy
 * annotations are read here. */
int release_hooks_from(struct chart_ctx *cx, const struct manifests *hooks, struct release *r);
