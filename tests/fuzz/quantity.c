/* Quantities, times and durations: what is accepted is written so that it reads back as the same.
 */
#include <stdlib.h>

#include "doc/quantity.h"
#include "doc/time.h"

static void quantity(struct str text)
{
    struct quantity q, again;
    struct buf b = {0};
    struct err err = {0};
    if (quantity_parse(text, &q, &err) == 0) {
        quantity_write(&q, &b);
        if (quantity_parse(buf_str(&b), &again, &err) != 0 || quantity_cmp(&q, &again) != 0)
            abort();
        quantity_add(&q, &again);
        quantity_milli(&q);
    }
    buf_clear(&b);
    if (quantity_canonical(text, &b, &err) == 0 &&
        (quantity_parse(text, &q, &err) == 0 &&
         (quantity_parse(buf_str(&b), &again, &err) != 0 || quantity_cmp(&q, &again) != 0)))
        abort();
    buf_done(&b);
}

static void times(struct str text)
{
    int64_t ns, again;
    char written[TIME_TEXT];
    struct buf b = {0};
    struct err err = {0};
    if (time_parse(text, &ns, &err) == 0 && ns != INT64_MAX && ns != INT64_MIN) {
        time_write_nano(ns, written);
        if (time_parse(str_of(written), &again, &err) != 0 || again != ns)
            abort();
    }
    if (duration_parse(text, &ns, &err) == 0) {
        duration_write(ns, &b);
        duration_write_human(ns, &b);
    }
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    quantity(text);
    times(text);
    return 0;
}
