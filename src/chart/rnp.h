/* rnp.h: librnp (OpenPGP), loaded when something is signed or verified: with Botan behind it, it
 * would cost each start of the program more than rendering a chart. Inside chart/ only.
 *
 *     if (rnp_load(cx) != 0) return -1;
 *     rnp()->ffi_create(…)
 */
#pragma once

#include <rnp/rnp.h>
#include <rnp/rnp_err.h>

#include "chart/chart.h"

/* Any thread, any number of times. -1 after chart_fail. */
int rnp_load(struct chart_ctx *cx);

#define RNP_FUNCTIONS(X)                                                                           \
    X(buffer_destroy)                                                                              \
    X(ffi_create)                                                                                  \
    X(ffi_destroy)                                                                                 \
    X(identifier_iterator_create)                                                                  \
    X(identifier_iterator_destroy)                                                                 \
    X(identifier_iterator_next)                                                                    \
    X(input_destroy)                                                                               \
    X(input_from_memory)                                                                           \
    X(key_get_alg)                                                                                 \
    X(key_get_fprint)                                                                              \
    X(key_get_primary_fprint)                                                                      \
    X(key_get_uid_at)                                                                              \
    X(key_get_uid_count)                                                                           \
    X(key_handle_destroy)                                                                          \
    X(key_have_secret)                                                                             \
    X(key_is_locked)                                                                               \
    X(key_is_primary)                                                                              \
    X(key_unlock)                                                                                  \
    X(load_keys)                                                                                   \
    X(locate_key)                                                                                  \
    X(op_sign_add_signature)                                                                       \
    X(op_sign_cleartext_create)                                                                    \
    X(op_sign_destroy)                                                                             \
    X(op_sign_execute)                                                                             \
    X(op_sign_set_hash)                                                                            \
    X(op_verify_create)                                                                            \
    X(op_verify_destroy)                                                                           \
    X(op_verify_execute)                                                                           \
    X(op_verify_get_signature_at)                                                                  \
    X(op_verify_get_signature_count)                                                               \
    X(op_verify_signature_get_key)                                                                 \
    X(op_verify_signature_get_status)                                                              \
    X(output_destroy)                                                                              \
    X(output_memory_get_buf)                                                                       \
    X(output_to_memory)                                                                            \
    X(result_to_string)

#define RNP_MEMBER(name) typeof(&rnp_##name) name;
struct rnp_functions {
    RNP_FUNCTIONS(RNP_MEMBER)
};
/* Behind a successful rnp_load. */
const struct rnp_functions *rnp(void);
