/* yaml3.h: values as go-yaml v3 writes them with an indent of 2, which is toYamlPretty: lists are
 * indented under their keys. Unlike toYaml it does not go through JSON: numbers keep their kinds.
 */
#pragma once

#include "base/buf.h"
#include "template/value.h"

/* Appends a document; -1: a value that YAML has no form for. */
int yaml3_write(struct arena *a, struct buf *b, struct value v);
