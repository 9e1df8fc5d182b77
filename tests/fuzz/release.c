/* Records of releases: the first byte chooses between the encoding as a Secret has it and the JSON
 * inside. What is understood is written and must be understood again; from the second time on the
 * text stays the same (the first may turn -0 into 0). */
#include <stdlib.h>

#include "release/release.h"

static void rewrite(struct chart_ctx *cx, const struct buf *json, struct buf *again)
{
    struct release *r;
    if (release_read_json(cx, buf_str(json), &r) != 0 || release_write_json(cx, r, again) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct arena a = {0};
    struct buf first = {0}, second = {0}, third = {0};
    struct chart_ctx cx = {.arena = &a};
    struct release *r;
    if (n == 0 || n > 65536)
        return 0;
    struct str text = {(const char *)p + 1, n - 1};
    int rc = p[0] % 2 ? release_decode(&cx, text, &r) : release_read_json(&cx, text, &r);
    if (rc == 0 && release_write_json(&cx, r, &first) == 0) {
        rewrite(&cx, &first, &second);
        rewrite(&cx, &second, &third);
        if (!str_eq(buf_str(&second), buf_str(&third)))
            abort();
    }
    buf_done(&first);
    buf_done(&second);
    buf_done(&third);
    arena_done(&a);
    return 0;
}
