/* toml.h: TOML 1.1 as BurntSushi/toml reads and writes it. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "template/value.h"

/* Appends the document: keys in order, values before tables, two blanks a level. Errors in the
 * library's words. */
int toml_write(struct arena *a, struct buf *b, struct value v, struct err *err);

/* Reads a document into a map[string]interface {}: integers are int64, floats float64, dates
 * time.Time, arrays of tables []map[string]interface {}. On failure *ret may be empty. */
int toml_read(struct arena *a, struct str text, struct value *ret, struct err *err);
