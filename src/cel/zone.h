/* zone.h: time zones by name, from the system's zoneinfo. */
#pragma once

#include "base/str.h"

/* Seconds east of UTC at a time (seconds since 1970). "", "UTC" and "Local" are UTC. False: there
 * is no such zone. */
bool cel_zone_offset(struct str name, int64_t at, int *ret);
