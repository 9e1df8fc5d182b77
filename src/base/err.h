/* err.h: what went wrong, and where.
 *
 * A function that can fail takes `struct err *err` last, returns 0 or -1, and fills err only when
 * it fails. The err lives on the caller's stack; it owns nothing. `code` is the HTTP status that an
 * API client would see and `reason` is the Kubernetes StatusReason in upstream's spelling
 * (k8s.io/apimachinery/pkg/apis/meta/v1 StatusReason*); errors that never reach a client use 500
 * and "InternalError". Secrets never go into a message. */
#pragma once

#include <stdarg.h>

#include "base/str.h"

struct err {
    int code;           /* HTTP status */
    const char *reason; /* static string, or NULL */
    int line, column;   /* in the input, from 1; 0: unknown */
    char
        field[256]; /* path of the offending field, as in "spec.containers[0].name"; may be empty */
    char message[1024]; /* one line, NUL-terminated, cut at a UTF-8 boundary */
};

/* Fills err (NULL is fine) and returns -1, so that callers write `return err_set(err, …);`. */
int err_set(struct err *err, int code, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int err_setv(struct err *err, int code, const char *reason, const char *format, va_list args);

/* 500 InternalError. */
int err_internal(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* 400 BadRequest. */
int err_bad(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* 500 with ": " and strerror(errno) behind the message. */
int err_errno(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts text in front of the message: "reading pki/ca.crt: …". Returns -1. */
int err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
