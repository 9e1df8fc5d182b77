/* --set and its kin: the first byte chooses the way of reading. */
#include "chart/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct arena a = {0};
    struct chart_ctx cx = {.arena = &a};
    if (n == 0 || n > 4096)
        return 0;
    struct str text = {(const char *)p + 1, n - 1};
    struct vmap *m = vmap_new(&a, 0);
    switch (p[0] % 4) {
    case 0:
        strvals_parse(&cx, text, STRVALS_TYPED, m, NULL);
        break;
    case 1:
        strvals_parse(&cx, text, STRVALS_STRING, m, NULL);
        break;
    case 2:
        strvals_parse(&cx, text, STRVALS_JSON, m, NULL);
        break;
    default:
        strvals_parse_literal(&cx, text, m);
    }
    arena_done(&a);
    return 0;
}
