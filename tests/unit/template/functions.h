/* functions.h: functions and objects that the tests give to templates: one of each signature. */
#pragma once

#include "template/template.h"

extern const struct func test_funcs[];
