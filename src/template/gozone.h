/* gozone.h: time zones as Go's package time knows them: files of the IANA database, as the machine
 * has them. A zone lives in the arena that it was loaded into and does not change. */
#pragma once

#include "base/arena.h"

struct gozone;

extern const struct gozone gozone_utc;

/* "" and "UTC" are UTC, "Local" is the machine's (or $TZ's), others are files below the zoneinfo
 * folder. NULL: there is none of that name. */
const struct gozone *gozone_load(struct arena *a, struct str name);
/* A zone with one offset, in seconds east of UTC. */
const struct gozone *gozone_fixed(struct arena *a, struct str abbreviation, int offset);

/* What holds at a moment, and from when until when. */
struct gozone_span {
    struct str abbreviation; /* lives as long as the zone */
    int offset;              /* seconds east of UTC */
    int64_t start, end;      /* seconds since 1970; end is not part of it */
};
struct gozone_span gozone_at(const struct gozone *z, int64_t unix_sec);
/* The offset that an abbreviation has in the zone, preferably at that local time. */
bool gozone_named(const struct gozone *z, struct str abbreviation, int64_t local_sec, int *ret);
