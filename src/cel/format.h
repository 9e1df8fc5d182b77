/* format.h: the clauses of string.format, for the function and for the check of literals. */
#pragma once

#include "base/buf.h"

struct format_clause {
    char verb;     /* s, d, f, e, b, x, X, o */
    int precision; /* 6 when the clause has none */
};

/* Reads a clause; *at stands behind the percent sign and goes behind the clause. False: `problem`
 * says what is wrong. */
bool cel_format_clause_read(struct str format, size_t *at, struct format_clause *ret,
                            struct buf *problem);
/* What to say when a clause does not take a type: "…, was given %s". */
const char *cel_format_clause_wants(char verb);
