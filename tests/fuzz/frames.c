/* A watch stream: however it is cut into pieces, the same frames come out, and each can be scanned
 * as an event. The first byte chooses the size of the pieces. */
#include "client/cache.h"
#include "client/scan.h"

static void on_frame(void *arg, struct str frame)
{
    struct err err;
    buf_put(arg, frame);
    struct bytes *b = bytes_new(scan_member(frame, "object"));
    struct obj *o = obj_new(b, &err);
    if (o && obj_key(o).n < obj_name(o).n)
        abort();
    obj_unref(o);
    bytes_unref(b);
}

static bool feed(struct str text, size_t piece, struct buf *ret)
{
    struct frames f = {0};
    bool ok = true;
    for (; ok && text.n; text = str_from(text, piece))
        ok = frames_feed(&f, str_head(text, piece), on_frame, ret);
    frames_done(&f);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct str text = {(const char *)data + 1, size - 1};
    struct buf whole = {0}, pieces = {0};
    bool a = feed(text, text.n, &whole), b = feed(text, (size_t)data[0] + 1, &pieces);
    if (a != b || !str_eq(buf_str(&whole), buf_str(&pieces)))
        abort();
    buf_done(&whole);
    buf_done(&pieces);
    return 0;
}
