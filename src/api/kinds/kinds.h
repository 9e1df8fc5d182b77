/* kinds.h: what the files of this folder share: the strategies, and small helpers for their hooks.
 */
#pragma once

#include "api/strategy.h"
#include "api/user.h"
