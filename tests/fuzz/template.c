/* Templates: what parses is executed, within limits, on data of every kind, a map that holds itself
 * among them. The first byte chooses what an absent key is. */
#include <stdlib.h>

#include "template/gofmt.h"
#include "template/template.h"

static struct value make_data(struct arena *a)
{
    struct value data = value_map_new(a, &type_map), list = value_slice_new(a, &type_list, 3);
    list.items[0] = value_float(1.5);
    list.items[1] = value_z("text");
    list.items[2] = data;
    vmap_set(data.map, STR("l"), list);
    vmap_set(data.map, STR("s"), value_z("h\xc3\xa9llo"));
    vmap_set(data.map, STR("i"), value_int(3));
    vmap_set(data.map, STR("n"), VALUE_NIL);
    vmap_set(data.map, STR("b"), value_bytes(STR("\x01\xff")));
    vmap_set(data.map, STR("d"), (struct value){.type = &type_duration, .i = 1500000000});
    vmap_set(data.map, STR("e"), value_error(a, STR("bad")));
    vmap_set(data.map, STR("c"), value_complex(a, 1, -2));
    return data;
}

static void run(struct str text, enum tmpl_missing missing)
{
    struct arena a = {0};
    struct buf out = {0};
    struct str error;
    struct tmpl_set *set = tmpl_set_new("gotpl");
    tmpl_set_funcs(set, tmpl_helm_funcs);
    if (tmpl_parse(set, STR("a"), text, NULL, &error) == 0) {
        struct tmpl_limits limits = {.missing = missing,
                                     .max_output = 1 << 16,
                                     .max_steps = 20000,
                                     .max_ms = 2000,
                                     .max_depth = 100,
                                     .max_include = 20};
        struct tmpl_exec *x = tmpl_exec_new(set, &a, &limits, NULL);
        if (tmpl_execute(x, STR("a"), make_data(&a), &out) < 0 && tmpl_error(x).n == 0)
            abort();
        tmpl_exec_done(x);
    } else if (!str_starts(error, STR("template: a:"))) {
        abort();
    }
    tmpl_set_free(set);
    arena_done(&a);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct str text = {(const char *)data + 1, size - 1};
    run(text, data[0] % 3);
    return 0;
}
