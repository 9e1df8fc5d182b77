/* check.h: validation's small words: where we are in the document, and what is wrong there.
 *
 *     size_t at = check_in(k, "containers");        path is now spec.containers
 *     size_t item = check_at(k, i);                 spec.containers[2]
 *     check_required(k, "image", "");               spec.containers[2].image: Required value
 *     check_out(k, item); check_out(k, at);
 *
 * The field argument of the reporting functions is a member of the place we are in; "" is the place
 * itself, and "[" begins an index or a key ("[0]", "[a.b]"). Messages have the form of upstream's
 * field.Error (k8s.io/apimachinery/pkg/util/validation/field). */
#pragma once

#include "api/strategy.h"

struct check {
    struct strategy_ctx *c;
    struct doc *d;
    val *causes;
    struct buf path;
};

void check_init(struct check *k, struct strategy_ctx *c, val *causes);
/* The same for a new object: reports a name that its kind may not have. */
void check_new(struct check *k, struct strategy_ctx *c, const val *obj, val *causes);
/* `validate` of a kind that has nothing else to check. */
void kind_validate_name(struct strategy_ctx *c, const val *obj, val *causes);
void check_done(struct check *k);

size_t check_in(struct check *k, const char *member);
size_t check_at(struct check *k, size_t index);
size_t check_key(struct check *k, struct str key);
void check_out(struct check *k, size_t mark);

void check_required(struct check *k, const char *field, const char *detail);
void check_forbidden(struct check *k, const char *field, const char *detail);
void check_duplicate(struct check *k, const char *field, struct str value);
void check_not_found(struct check *k, const char *field, struct str value);
void check_too_long(struct check *k, const char *field, size_t max);
void check_too_many(struct check *k, const char *field, size_t got, size_t max);
void check_invalid(struct check *k, const char *field, struct str value, const char *detail);
void check_invalid_int(struct check *k, const char *field, int64_t value, const char *detail);
void check_invalid_val(struct check *k, const char *field, const val *value, const char *detail);
/* supported: NULL-terminated, in the order to be printed. */
void check_unsupported(struct check *k, const char *field, struct str value,
                       const char *const *supported);

/* --- rules --- */
/* Reports unless the text has the form. */
void check_name(struct check *k, const char *field, enum name_form form, struct str value);
bool check_is(enum name_form form, struct str value);
/* 1 … 65535: "must be between 1 and 65535, inclusive". */
void check_port(struct check *k, const char *field, int64_t port);
/* "must be greater than or equal to 0". */
void check_nonnegative(struct check *k, const char *field, int64_t value);
/* Member's text is one of the supported ones; absent is Required when `required`. */
void check_one_of(struct check *k, const val *obj, const char *member, bool required,
                  const char *const *supported);
/* "field is immutable" unless equal; NULL equals NULL only. */
bool check_immutable(struct check *k, const char *field, const val *now, const val *old);
/* Keys and values of a labels map at the place `field`. */
void check_labels(struct check *k, const char *field, const val *labels);
/* A metav1.LabelSelector at `field`. */
void check_selector(struct check *k, const char *field, const val *selector);

bool check_in_list(struct str value, const char *const *list);
