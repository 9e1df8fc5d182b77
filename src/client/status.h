/* status.h: metav1.Status answers as errors. */
#pragma once

#include "base/err.h"

/* Fills err from a Status object (the body of an answer that is no success) or, when it is none,
 * from the HTTP status. Returns -1. */
int status_err(int http_status, struct str body, struct err *err);
