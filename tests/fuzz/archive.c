/* Packed charts: the first byte says whether the rest is a gzip stream or a tar to be packed, so
 * that the fuzzer reaches what lies behind the compression. What loads is validated and coalesced.
 */
#include <stdlib.h>
#include <zlib.h>

#include "chart/chart.h"
#include "chart/values.h"

static void load(struct str gzip)
{
    struct arena a = {0};
    struct buf warnings = {0};
    struct chart_ctx cx = {.arena = &a, .warnings = &warnings};
    struct chart_files files = {0};
    struct chart *c;
    struct vmap *values;
    if (chart_read_archive(&cx, gzip, &files) == 0 && chart_load_files(&cx, &files, &c) == 0 &&
        chart_process_dependencies(&cx, c, NULL) == 0 &&
        values_coalesce(&cx, c, NULL, false, &values) == 0)
        values_validate(&cx, c, values);
    buf_done(&warnings);
    arena_done(&a);
}

static void pack_and_load(const uint8_t *p, size_t n)
{
    z_stream z = {0};
    if (deflateInit2(&z, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return;
    size_t room = deflateBound(&z, n);
    char *out = malloc(room);
    z.next_in = (Bytef *)p;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)room;
    if (out && deflate(&z, Z_FINISH) == Z_STREAM_END)
        load((struct str){out, room - z.avail_out});
    deflateEnd(&z);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n == 0)
        return 0;
    if (p[0] & 1)
        pack_and_load(p + 1, n - 1);
    else
        load((struct str){(const char *)p + 1, n - 1});
    return 0;
}
