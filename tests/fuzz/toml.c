/* TOML: what is read can be written, and what was written reads and writes the same again. */
#include <stdlib.h>

#include "functions/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct buf once = {0}, twice = {0};
    struct value v = VALUE_NIL, again = VALUE_NIL;
    struct err err = {0};
    if (size <= 4096 && toml_read(&a, (struct str){(const char *)data, size}, &v, &err) == 0 &&
        toml_write(&a, &once, v, &err) == 0) {
        if (toml_read(&a, buf_str(&once), &again, &err) == 0 &&
            (toml_write(&a, &twice, again, &err) < 0 || !str_eq(buf_str(&once), buf_str(&twice))))
            abort();
    }
    buf_done(&once);
    buf_done(&twice);
    arena_done(&a);
    return 0;
}
