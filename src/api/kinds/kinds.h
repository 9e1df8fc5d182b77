/* kinds.h: what the files of this folder share: the strategies, and small helpers for their hooks.
 */
#pragma once

#include "api/kinds/check.h"
#include "api/strategy.h"
#include "api/authn/user.h"
#include "base/map.h"
#include "doc/quantity.h"
#include "doc/time.h"

extern const struct strategy crd_strategy;
extern const struct strategy namespace_strategy, node_strategy, pod_strategy, service_strategy,
    endpoints_strategy, endpointslice_strategy, configmap_strategy, secret_strategy,
    serviceaccount_strategy, event_strategy, events_event_strategy, lease_strategy,
    deployment_strategy, replicaset_strategy, controllerrevision_strategy, role_strategy,
    clusterrole_strategy, rolebinding_strategy, clusterrolebinding_strategy, resourcequota_strategy,
    limitrange_strategy;
/* Kinds of which only the table and a few constants are known here; ends in resource NULL. */
extern const struct strategy other_strategies[];
extern const struct strategy review_strategies[];

/* --- pods and pod templates --- */
/* Go's SetDefaults_* for a PodSpec. pod: a Pod's own spec, not a template's. */
void pod_spec_default(struct doc *d, val *spec, bool pod);
/* What admission plugins of a plain kube-apiserver add to a new pod. */
int pod_admit(struct strategy_ctx *c, val *pod, struct err *err);
/* k is at the spec; pod as above. */
void pod_spec_validate(struct check *k, const val *spec, bool pod);
void pod_volumes_validate(struct check *k, const val *spec);
/* k is at the template. */
void pod_template_validate(struct check *k, const val *template);
const char *pod_qos(const val *spec); /* "Guaranteed", "Burstable", "BestEffort" */
extern const struct schema_column pod_columns[];
void pod_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells);
/* fieldRef and resourceFieldRef, shared by env and volumes; k is at the reference. */
void check_field_ref(struct check *k, const val *ref, bool volume);
void check_resource_field_ref(struct check *k, const val *ref, bool volume);

/* --- defaults: set when absent --- */
void default_z(struct doc *d, val *obj, const char *key, const char *z);
/* metadata's member as old has it. */
void keep_metadata(struct strategy_ctx *c, val *obj, const val *old, const char *member);
void default_int(struct doc *d, val *obj, const char *key, int64_t i);
void default_bool(struct doc *d, val *obj, const char *key, bool b);
void default_obj(struct doc *d, val *obj, const char *key);

/* --- table cells --- */
#define COLUMN_NAME                                                                                \
    {                                                                                              \
        "Name", "string", "name", "", 0                                                            \
    }
#define COLUMN(title)                                                                              \
    {                                                                                              \
        title, "string", "", "", 0                                                                 \
    }
#define COLUMN_WIDE(title)                                                                         \
    {                                                                                              \
        title, "string", "", "", 1                                                                 \
    }
#define COLUMN_INT(title)                                                                          \
    {                                                                                              \
        title, "integer", "", "", 0                                                                \
    }
#define COLUMN_AGE COLUMN("Age")
#define COLUMN_END                                                                                 \
    {                                                                                              \
        NULL                                                                                       \
    }

void cell_z(struct doc *d, val *cells, const char *z);
void cell_s(struct doc *d, val *cells, struct str s);
void cell_int(struct doc *d, val *cells, int64_t i);
void cell_f(struct doc *d, val *cells, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void cell_name(struct doc *d, val *cells, const val *obj);
/* The text, or `otherwise` when it is empty. */
void cell_or(struct doc *d, val *cells, struct str s, const char *otherwise);
/* How long ago that was, as "5m"; "<unknown>" without a time. */
void cell_since(struct strategy_ctx *c, struct doc *d, val *cells, struct str time);
void cell_age(struct strategy_ctx *c, struct doc *d, val *cells, const val *obj);
void write_since(struct strategy_ctx *c, struct str time, struct buf *b);
/* "a=b,c=d", sorted; "<none>" when empty: labels.FormatLabels. */
void cell_labels(struct doc *d, val *cells, const val *labels);
/* A LabelSelector: metav1.FormatLabelSelector. */
void cell_selector(struct strategy_ctx *c, struct doc *d, val *cells, const val *selector);
/* Names and images of a pod spec's containers, comma-separated: two cells. */
void cell_containers(struct doc *d, val *cells, const val *pod_spec);

/* --- small things --- */
val *kind_condition_find(const val *conditions, const char *type);
bool condition_is_true(const val *conditions, const char *type);
/* Sets or replaces the condition of the type; lastTransitionTime moves when the status changes. */
void kind_condition_set(struct strategy_ctx *c, val *conditions, const char *type,
                        const char *status, const char *reason, const char *message);
/* The string at a dotted path: "spec.nodeName". */
struct str field_of(const val *obj, struct str path);
bool val_str_list_has(const val *list, struct str s);
/* Bytes that base64 text stands for, or -1 when it is none. */
ssize_t base64_length(struct str s);
