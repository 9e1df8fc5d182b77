/* proto.h: the OpenAPI v2 document in protobuf (gnostic's openapi.v2.Document), the only
 * form in which kubectl asks for it. */
#pragma once

#include "doc/val.h"

/* The answer's type, and the older spelling that kubectl asks for, which is no media type
 * (k8s.io/kube-openapi/pkg/handler). */
#define OPENAPI_PROTO_TYPE "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
#define OPENAPI_PROTO_ASKED "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"

/* Encodes the parts of a document that openapi_v2 writes: info, paths with operations, parameters
 * and responses, definitions, extensions. */
void openapi_write_proto(const val *document, struct buf *b);
