/* yaml_scalar.h: what a plain YAML 1.1 scalar means, as go-yaml v2 decides it (resolve.go there).
 */
#pragma once

#include "base/str.h"

enum yaml_kind {
    YAML_STR,
    YAML_NULL,
    YAML_BOOL,
    YAML_INT,  /* in i */
    YAML_UINT, /* beyond INT64_MAX, in u */
    YAML_FLOAT,
    YAML_TIME, /* reads as a string, but is quoted when a string looks like it */
};

struct yaml_scalar {
    enum yaml_kind kind;
    bool b;
    int64_t i;
    uint64_t u;
    double r;
};

struct yaml_scalar yaml_resolve(struct str text);
const char *yaml_kind_tag(enum yaml_kind kind); /* "!!int" */

/* Base 60, which go-yaml reads as a string and yet quotes, for the sake of other readers. */
bool yaml_is_base60(struct str text);
