/* schema_build.h: struct schema made at run time, from the structural OpenAPI v3 schema of a custom
 * resource.
 *
 * The result says what server-side apply and merges need to know: which members there are, which
 * lists are sets or keyed, which objects are atomic. The finer rules (patterns, limits, formats)
 * stay with the OpenAPI schema. */
#pragma once

#include "base/arena.h"
#include "doc/schema.h"

/* The schema of whole objects: openapi is their openAPIV3Schema, or NULL when there is none. All
 * memory, strings included, comes from the arena. apiVersion, kind and metadata are those of every
 * object. The schema's name stays NULL; `custom` is the caller's to set. */
struct schema *schema_build(struct arena *a, const val *openapi);
