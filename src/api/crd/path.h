/* path.h: the JSONPath of printer columns, scale and selectable fields: members, indices, [*],
 * and filters like [?(@.type=="Ready")] (k8s.io/client-go/util/jsonpath, without braces). */
#pragma once

#include "base/arena.h"
#include "doc/val.h"

enum crd_step_kind { CRD_STEP_MEMBER, CRD_STEP_INDEX, CRD_STEP_ALL, CRD_STEP_FILTER };

struct crd_step {
    enum crd_step_kind kind;
    struct str name;  /* member; for a filter the member of @ that is compared */
    struct str value; /* of a filter */
    bool differs;     /* != */
    int64_t index;    /* negative: from the end */
};

struct crd_path {
    struct crd_step *steps;
    size_t count;
};

/* -1: no such path, or one that is not served (err 400). */
int crd_path_parse(struct arena *a, struct str text, struct crd_path *ret, struct err *err);
/* The first value there, or NULL. */
const val *crd_path_get(const struct crd_path *p, const val *v);
/* Sets the value at a path of members only; objects on the way are made. */
void crd_path_set(const struct crd_path *p, struct doc *d, val *v, val *value);
