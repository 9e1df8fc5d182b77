/* quantity.h: resource.Quantity, as in "100m", "1.5Gi", "12e6".
 *
 * Syntax, rounding and canonical form follow k8s.io/apimachinery/pkg/api/resource. A value is kept
 * in nano-units in 128 bits, which holds every quantity upstream accepts without loss (finer
 * fractions are rounded up, larger values saturate at 10^28 units; binary ones, as upstream's, at
 * 2^63-1). */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum quantity_format { QUANTITY_DECIMAL_SI, QUANTITY_BINARY_SI, QUANTITY_DECIMAL_EXPONENT };

struct quantity {
    __int128 nano;
    enum quantity_format format;
};

/* Errors use upstream's text: "quantities must match the regular expression
 * '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'", … */
int quantity_parse(struct str text, struct quantity *ret, struct err *err);
void quantity_write(const struct quantity *q, struct buf *b); /* canonical form */
/* What upstream writes back for a quantity it has read and not changed: mostly the canonical form;
 * some others (1.234, +5) stand as they are. Appends. */
int quantity_canonical(struct str text, struct buf *b, struct err *err);
int quantity_cmp(const struct quantity *a, const struct quantity *b);
void quantity_add(struct quantity *a,
                  const struct quantity *b); /* keeps a's format unless a is zero */
void quantity_sub(struct quantity *a, const struct quantity *b);
int64_t quantity_value(const struct quantity *q); /* whole units, rounded up */
int64_t quantity_milli(const struct quantity *q); /* thousandths, rounded up; saturates */
