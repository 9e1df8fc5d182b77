/* Records of releases: the first byte chooses between the encoding as a Secret has it and the JSON
 * inside; what is understood is written and must be understood again. */
#include <stdlib.h>

#include "release/release.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct arena a = {0};
    struct buf json = {0}, again = {0};
    struct chart_ctx cx = {.arena = &a};
    struct release *r, *same;
    if (n == 0 || n > 65536)
        return 0;
    struct str text = {(const char *)p + 1, n - 1};
    int rc = p[0] % 2 ? release_decode(&cx, text, &r) : release_read_json(&cx, text, &r);
    if (rc == 0 && release_write_json(&cx, r, &json) == 0) {
        if (release_read_json(&cx, buf_str(&json), &same) != 0 ||
            release_write_json(&cx, same, &again) != 0 || !str_eq(buf_str(&json), buf_str(&again)))
            abort();
    }
    buf_done(&json);
    buf_done(&again);
    arena_done(&a);
    return 0;
}
