/* SPDY frames: however they are cut into pieces, the same events come out. The first byte chooses
 * the size of the pieces. */
#include "net/spdy.h"

static void on_stream(void *arg, uint32_t id, const struct http_header *headers, size_t count,
                      bool fin)
{
    buf_printf(arg, "s%u %d", id, fin);
    for (size_t i = 0; i < count; i++) {
        buf_put(arg, headers[i].name);
        buf_put(arg, headers[i].value);
    }
}

static void on_data(void *arg, uint32_t id, struct str piece)
{
    (void)id;
    buf_put(arg, piece);
}

static void on_end(void *arg, uint32_t id)
{
    buf_printf(arg, "e%u", id);
}

static void on_number(void *arg, uint32_t id, uint32_t n)
{
    buf_printf(arg, "n%u %u", id, n);
}

static int feed(struct str bytes, size_t piece, struct buf *seen)
{
    static const struct spdy_events events = {.stream = on_stream,
                                              .data = on_data,
                                              .end = on_end,
                                              .reset = on_number,
                                              .window = on_number};
    struct spdy *s = spdy_new(true, &events, seen);
    struct buf out = {0};
    struct err err;
    int rc = 0;
    for (; rc == 0 && bytes.n; bytes = str_from(bytes, piece))
        rc = spdy_feed(s, str_head(bytes, piece), &out, &err);
    buf_put(seen, buf_str(&out));
    buf_done(&out);
    spdy_free(s);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct str bytes = {(const char *)data + 1, size - 1};
    struct buf whole = {0}, pieces = {0};
    int a = feed(bytes, bytes.n, &whole), b = feed(bytes, (size_t)data[0] + 1, &pieces);
    if (a != b || !str_eq(buf_str(&whole), buf_str(&pieces)))
        __builtin_trap();
    buf_done(&whole);
    buf_done(&pieces);
    return 0;
}
