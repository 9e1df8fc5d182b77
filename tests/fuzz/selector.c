/* Selectors and names: a label selector that is accepted is written so that it reads back. */
#include <stdlib.h>

#include "doc/names.h"
#include "doc/selector.h"

static void names(struct str text)
{
    char room[NAME_TEXT];
    name_qualified(text, room);
    name_dns1123_label(text, room);
    name_dns1123_subdomain(text, room);
    name_port_name(text, room);
    name_config_map_key(text, room);
    name_ip(text, room);
    name_cidr(text, room);
    name_mask_dash(text, room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct arena a = {0};
    struct buf first = {0}, second = {0};
    struct selector s;
    struct err err = {0};
    names(text);
    if (selector_parse_labels(&a, text, &s, &err) == 0) {
        selector_write(&s, &first);
        if (selector_parse_labels(&a, buf_str(&first), &s, &err) != 0)
            abort();
        selector_write(&s, &second);
        if (!str_eq(buf_str(&first), buf_str(&second)))
            abort();
        selector_match_labels(&s, NULL);
    }
    selector_parse_fields(&a, text, &s, &err);
    buf_done(&first);
    buf_done(&second);
    arena_done(&a);
    return 0;
}
