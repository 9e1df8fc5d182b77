/* selector.h: label and field selectors, parsed once and matched often. Immutable after parsing;
 * any thread. */
#pragma once

#include "base/arena.h"
#include "doc/val.h"

enum selector_op {
    SELECT_EQUALS,
    SELECT_NOT_EQUALS,
    SELECT_IN,
    SELECT_NOT_IN,
    SELECT_EXISTS,
    SELECT_NOT_EXISTS,
    SELECT_GREATER,
    SELECT_LESS,
};

struct requirement {
    struct str key;
    enum selector_op op;
    struct str *values;
    size_t value_count;
};

/* No requirements match everything; `nothing` matches none (a null LabelSelector of an object). */
struct selector {
    struct requirement *requirements;
    size_t count;
    bool nothing;
};

/* "a=b,c in (d,e),!f": labels.Parse. Memory comes from the arena. 400 with upstream's message
 * otherwise. */
int selector_parse_labels(struct arena *a, struct str text, struct selector *ret, struct err *err);
/* "metadata.name=x,status.phase!=Running": fields.ParseSelector (with its backslash escapes). */
int selector_parse_fields(struct arena *a, struct str text, struct selector *ret, struct err *err);
/* A metav1.LabelSelector object: matchLabels and matchExpressions. NULL or null selects nothing, {}
 * everything. */
int selector_from_object(struct arena *a, const val *label_selector, struct selector *ret,
                         struct err *err);

bool selector_match_labels(const struct selector *s,
                           const val *labels); /* labels: object of strings, or NULL */

/* The same over labels in another form; the callback says whether there is one. */
typedef bool selector_label_fn(void *arg, struct str key, struct str *ret_value);
bool selector_match_with(const struct selector *s, selector_label_fn *label, void *arg);

/* Field selectors ask for the value of a path; the callback gives it ("" when absent). */
typedef struct str selector_field_fn(void *arg, struct str field);
bool selector_match_fields(const struct selector *s, selector_field_fn *field, void *arg);

void selector_write(const struct selector *s,
                    struct buf *b); /* canonical label-selector text, as scale's status.selector */
