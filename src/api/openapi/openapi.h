/* openapi.h: the OpenAPI documents, written from the schema tables and from the schemas of custom
 * resources, those of the catalog (NULL: none).
 *
 * Each call appends one JSON document to b, a few milliseconds' work; nothing is kept, so that the
 * documents cost memory only while they are sent. They have what clients act on (types, merge
 * keys, list types, enums, defaults, operations with their parameters and kinds) and no prose.
 * Any thread. */
#pragma once

#include "base/buf.h"

struct crd_catalog;

enum { OPENAPI_HASH_TEXT = 33 };

/* GET /openapi/v3:
 * {"paths":{"apis/apps/v1":{"serverRelativeURL":"/openapi/v3/apis/apps/v1?hash=…"}}}
 */
int openapi_v3_index(const struct crd_catalog *custom, struct buf *b);

/* GET /openapi/v3/PATH with PATH as in the index: "api/v1", "apis/apps/v1". -1: no such
 * group-version, nothing was written. */
int openapi_v3(const struct crd_catalog *custom, struct str path, struct buf *b);

/* The hash in the index, in upper-case hexadecimal: it changes when the document does. A request
 * whose ?hash= equals it may be answered as immutable. -1: no such group-version. */
int openapi_v3_hash(const struct crd_catalog *custom, struct str path, char ret[OPENAPI_HASH_TEXT]);

/* GET /openapi/v2 as application/json. */
int openapi_v2(const struct crd_catalog *custom, struct buf *b);
