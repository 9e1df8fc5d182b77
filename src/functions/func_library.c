#include "functions/func_library.h"

#include "base/mem.h"

void func_library_add(struct tmpl_set *s)
{
    static const struct func *const tables[] = {
        func_strings,   func_cases,   func_lists,   func_dicts,   func_merges, func_maths,
        func_floats,    func_dates,   func_semvers, func_regexes, func_urls,   func_paths,
        func_encodings, func_cryptos, func_certs,   func_flows,   func_data,
    };
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        tmpl_set_funcs(s, tables[i]);
}
