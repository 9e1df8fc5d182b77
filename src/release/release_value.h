/* release_value.h: a release as Go templates see it (`helm get all --template`). */
#pragma once

#include "release/release.h"

struct value release_value(struct arena *a, const struct release *r); /* *release.Release */
