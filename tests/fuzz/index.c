/* Indexes of chart repositories: what is read answers, and what it answers is in it. */
#include "chart/index.h"
#include "chart/repo.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct arena a = {0};
    struct buf warnings = {0};
    struct chart_ctx cx = {.arena = &a, .warnings = &warnings};
    struct index x;
    if (index_parse(&cx, (struct str){(const char *)p, n}, STR("fuzz"), &x) == 0) {
        for (size_t i = 0; i < x.n; i++) {
            const struct index_version *v = index_find(&cx, &x, x.entries[i].name, STR(">0-0"));
            if (v)
                repo_url(&cx, STR("http://host/charts?q"), index_version_url(v));
            if (x.entries[i].n &&
                !index_find(&cx, &x, x.entries[i].name, x.entries[i].items[0].version) &&
                !index_entry(&x, x.entries[i].name))
                __builtin_trap();
        }
        index_done(&x);
    }
    buf_done(&warnings);
    arena_done(&a);
    return 0;
}
