/* func_random.h: unpredictable numbers for passwords, keys and shuffles; the machine's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

void func_random(void *p, size_t n);
uint64_t func_random_below(uint64_t limit); /* evenly; limit is not 0 */
