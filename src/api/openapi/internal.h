/* internal.h: between the files of openapi.h. */
#pragma once

#include "api/crd/crd.h"
#include "api/openapi/openapi.h"
#include "doc/schema.h"

/* A JSON text under way. Commas come by themselves: one stands before every key and value but the
 * first of its container. */
struct writer {
    struct buf *b;
    bool v3; /* else Swagger 2.0 */
};

void json_open(struct writer *w, char bracket); /* '{' or '[' */
void json_close(struct writer *w, char bracket);
void json_key(struct writer *w, const char *key);
void json_str(struct writer *w,
              const char *value); /* names and values of the tables: plain ASCII */
void json_pair(struct writer *w, const char *key, const char *value);
void json_raw(struct writer *w, const char *json);

void openapi_gvk(struct writer *w, const char *group, const char *version, const char *kind);
/* {"$ref":"#/definitions/NAME"}, or where v3 keeps them. */
void openapi_ref(struct writer *w, const char *name);

/* Streams (exec, attach, port-forward, proxy) are no documents; their kinds end in Options. */
bool openapi_is_stream(const struct schema_subresource *sub);

/* What `kubectl explain` and the conformance suite want to read of a field that every object has;
 * NULL for others. of: the definition that has it (for a list's metadata, its own), NULL: any
 * object. */
const char *openapi_description(const char *of, const char *field);

/* The two members of the definitions that a custom resource has: the kind and its list. */
void openapi_custom_definitions(struct writer *w, const struct crd_version *version);

/* The members of "paths" for one kind. */
void openapi_kind_paths(struct writer *w, const struct schema_kind *k);
