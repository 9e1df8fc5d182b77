/* Times: a layout and a text, divided by the first newline. What a layout reads it also prints, and
 * a text of its own making it reads without a crash. */
#include "template/golayout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct buf shown = {0};
    struct str layout, text, error;
    struct gotime t = gotime_zero();
    if (size > 1024)
        return 0;
    str_cut((struct str){(const char *)data, size}, '\n', &layout, &text);
    golayout_parse(&a, layout, text, gotime_zero().zone, &t, &error);
    golayout_format(&shown, t, layout);
    golayout_parse(&a, layout, buf_str(&shown), gotime_zero().zone, &t, &error);
    golayout_format(&shown, t, text);
    buf_done(&shown);
    arena_done(&a);
    return 0;
}
