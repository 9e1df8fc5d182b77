/* WebSocket frames: the first byte says whose side, and into what pieces the rest is cut. */
#include "net/ws.h"

enum { MESSAGE_MAX = 4096 };

static void on_message(void *arg, enum ws_opcode op, struct str payload)
{
    size_t *total = arg;
    if (payload.n > MESSAGE_MAX || op == WS_CONT)
        __builtin_trap();
    *total += payload.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t total = 0, step = (data[0] >> 1) + 1;
    struct ws w;
    struct buf out = {0};
    struct err err;
    ws_init(&w, data[0] & 1, MESSAGE_MAX, on_message, &total);
    struct str rest = {(const char *)data + 1, size - 1};
    while (rest.n) {
        if (ws_feed(&w, str_head(rest, step), &out, &err) < 0 && !w.closed)
            __builtin_trap();
        rest = str_from(rest, step);
    }
    if (total > size)
        __builtin_trap();
    buf_done(&out);
    ws_done(&w);
    return 0;
}
