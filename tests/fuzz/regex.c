/* A pattern and a text, divided by the first newline: nothing may crash, and groups stay inside. */
#include "regex/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str pattern, text, groups[8];
    struct err err;
    str_cut((struct str){(const char *)data, n}, '\n', &pattern, &text);
    if (pattern.n > 300)
        return 0;
    struct regex *re = regex_new(pattern, 0, &err);
    if (!re)
        return 0;
    for (struct regex_walk w = {0}; regex_next(re, text, &w, groups, 8);)
        for (size_t i = 0; i < 8; i++)
            if (groups[i].p &&
                (groups[i].p < text.p || groups[i].p + groups[i].n > text.p + text.n))
                abort();
    struct buf b = {0};
    regex_replace(re, text, STR("<$1>"), true, &b);
    buf_done(&b);
    regex_free(re);
    return 0;
}
