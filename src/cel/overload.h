/* overload.h: the table of functions.
 *
 * A signature is the result and then the arguments, a letter for each type: b bool, i int, u uint,
 * d double, s string, y bytes, t timestamp, D duration, * dyn, L list of, M map from and to,
 * O optional of, T type, A and B type variables; Q quantity, U URL, I IP, C CIDR, F format,
 * V semver, Z authorizer, P path check, G group check, R resource check, X decision. */
#pragma once

#include "cel/functions.h"

enum { OVERLOAD_MEMBER = 1, OVERLOAD_STORED = 2 };

/* How a call is priced, estimated in estimate.c and actual in price.c. The rules before
 * COST_BY_OVERLOAD go by the function's name, those behind it only by a single known overload. */
enum cost_rule {
    COST_ONE,
    COST_CHECK,
    COST_SELECTOR,
    COST_LIST,
    COST_URL,
    COST_TEXT,
    COST_REPLACE,
    COST_SPLIT,
    COST_JOIN,
    COST_FIND,
    COST_PARSE,
    COST_PARSE_TWICE,
    COST_CONTAINS_IP,
    COST_CONTAINS_CIDR,
    COST_VALIDATE,
    COST_BY_OVERLOAD,
    COST_FORMAT = COST_BY_OVERLOAD,
    COST_TO_BYTES,
    COST_TO_STRING,
    COST_QUOTE,
    COST_AFFIX,
    COST_IN_LIST,
    COST_MATCHES,
    COST_CONTAINS,
    COST_LOGIC,
    COST_CONDITIONAL,
    COST_ADD_TEXT,
    COST_ADD_LIST,
    COST_COMPARE,
    COST_SETS,
    COST_SETS_TWICE,
    COST_SLICE,
    COST_FLATTEN,
    COST_RANGE,
    COST_REVERSE,
    COST_DISTINCT,
    COST_SORT,
    COST_SORT_TEXT,
    COST_SORT_BY,
    COST_SORT_BY_TEXT,
    COST_INDEX_LIST,
    COST_INDEX_MAP,
};

struct overload {
    const char *function, *id;
    const char *signature;
    int flags;
    enum cost_rule cost;
    cel_fn *fn; /* NULL: eval.c knows the operator itself */
};

extern const struct overload cel_overloads[]; /* the last has function == NULL */

/* The type that a letter begins; *at goes behind it. Variables become CEL_T_PARAM with param 0 or 1
 * plus `base`. */
const struct cel_type *cel_signature_next(struct arena *a, const char **at, int base);
void cel_signature_skip(const char **at);
/* Whether the value's kind fits; *at goes behind the letter. */
bool cel_signature_fits(struct eval *ev, const char **at, struct cel_value v);
