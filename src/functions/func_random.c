#include "functions/func_random.h"

#include "base/clock.h"

void func_random(void *p, size_t n)
{
    struct world *w = world_real();
    w->random(w, p, n);
}

uint64_t func_random_below(uint64_t limit)
{
    uint64_t v, unfair = UINT64_MAX - UINT64_MAX % limit;
    do
        func_random(&v, sizeof(v));
    while (v >= unfair);
    return v % limit;
}
