/* YAML streams: each document that is accepted is written as YAML, which reads back as the same;
 * and the reader of ordinary YAML agrees with libyaml, which reads whatever holds a tab. */
#include <stdlib.h>

#include "doc/val.h"

static void one(struct str text)
{
    struct doc d = {0};
    struct buf written = {0}, duplicates = {0};
    struct err err = {0};
    val *v, *again;
    if (doc_parse_yaml_strict(&d, text, &v, &duplicates, &err) == 0) {
        val_write_yaml(v, &written);
        if (written.n <= DOC_MAX_BYTES && !d.d)
            abort();
        if (doc_parse_yaml(&d, buf_str(&written), &again, &err) == 0 &&
            val_len(v) != val_len(again))
            abort();
    }
    buf_done(&written);
    buf_done(&duplicates);
    doc_done(&d);
}

/* What the text means after a first line that says nothing: JSON or an error, and duplicates. */
static void read_after(const char *line, struct str text, struct buf *ret)
{
    struct doc d = {0};
    struct buf whole = {0};
    struct err err = {0};
    val *v;
    buf_puts(&whole, line);
    buf_put(&whole, text);
    if (doc_parse_yaml_strict(&d, buf_str(&whole), &v, ret, &err) == 0)
        val_write_json(v, ret);
    else
        buf_printf(ret, "%d %s", err.line, err.message);
    buf_done(&whole);
    doc_done(&d);
}

static void compare(struct str text)
{
    struct buf quick = {0}, slow = {0};
    read_after("#\n", text, &quick);
    read_after("#\t\n", text, &slow);
    if (!str_eq(buf_str(&quick), buf_str(&slow)))
        abort();
    buf_done(&quick);
    buf_done(&slow);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size}, part;
    compare(rest);
    while (doc_next_yaml(&rest, &part))
        one(part);
    return 0;
}
