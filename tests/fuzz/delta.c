/* Differences of byte strings: what is encoded comes back, and damaged instructions are refused or
 * stay within their bounds. The first byte says where the input is divided. */
#include "store/delta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MAX = 4096 };
    if (size < 1)
        return 0;
    struct str all = {(const char *)data + 1, size - 1};
    struct str base = str_head(all, all.n * data[0] / 255), rest = str_from(all, base.n);
    struct buf delta = {0}, back = {0}, damaged = {0};
    delta_encode(base, rest, &delta);
    if (!delta_apply(base, buf_str(&delta), rest.n, &back) || !str_eq(buf_str(&back), rest))
        abort();
    delta_apply(base, rest, MAX, &damaged);
    if (damaged.n > MAX)
        abort();
    buf_done(&delta);
    buf_done(&back);
    buf_done(&damaged);
    return 0;
}
