/* time.h: the times and durations that API objects hold. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum { TIME_TEXT = 40 }; /* room for any text below, NUL included */

/* metav1.Time ("2026-01-02T03:04:05Z") and metav1.MicroTime (six digits). Years 0001 to 9999. */
void time_write(int64_t ns, char ret[TIME_TEXT]);
void time_write_micro(int64_t ns, char ret[TIME_TEXT]);
void time_write_nano(int64_t ns, char ret[TIME_TEXT]); /* RFC3339Nano, as container logs have it */
/* Any RFC 3339 time, offsets and fractions included, in nanoseconds since 1970. */
int time_parse(struct str text, int64_t *ret_ns, struct err *err);
/* end - start in nanoseconds; what an int64_t cannot hold ends at its limits, so that an object's
 * times may be anything. */
int64_t time_between(int64_t start_ns, int64_t end_ns);

/* Go durations: "1h2m3.5s", "300ms". */
int duration_parse(struct str text, int64_t *ret_ns, struct err *err);
void duration_write(int64_t ns, struct buf *b); /* time.Duration.String */
void duration_write_human(
    int64_t ns,
    struct buf *b); /* k8s.io/apimachinery/pkg/util/duration.HumanDuration, as kubectl's AGE */
