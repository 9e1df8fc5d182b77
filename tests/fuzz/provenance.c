/* Messages of provenance files. */
#include "chart/provenance.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct arena a = {0};
    struct chart_ctx cx = {.arena = &a};
    struct str hash;
    provenance_find_hash(&cx, (struct str){(const char *)p, n}, STR("a-1.tgz"), &hash);
    arena_done(&a);
    return 0;
}
