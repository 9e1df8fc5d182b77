/* Renders templates as Helm's engine does, for tests/compat/helm/language: a case is
 *     {"t": "hex of the text", "d": the chart's values}
 * and its answer is the output and the error. */
#include "answer.h"
#include "functions/func_library.h"

static const struct gotype type_values = {
    .kind = KIND_MAP, .name = "chartutil.Values", .defined = true, .elem = &type_any};

static struct value top_of(struct arena *a, const val *values)
{
    struct value top = value_map_new(a, &type_map), v = value_from_val(a, values);
    v.type = &type_values;
    vmap_set(top.map, STR("Values"), v);
    return top;
}

static void answer(const val *c)
{
    struct arena a = {0};
    struct buf out = {0};
    struct str error = {0};
    struct tmpl_set *set = tmpl_set_new("gotpl");
    func_library_add(set);
    tmpl_set_funcs(set, tmpl_helm_funcs);
    if (tmpl_parse(set, STR("c/t"), answer_unhex(&a, VAL_STR(c, "t")), NULL, &error) == 0) {
        struct tmpl_limits limits = {.missing = TMPL_MISSING_ZERO};
        struct tmpl_exec *x = tmpl_exec_new(set, &a, &limits, NULL);
        if (tmpl_execute(x, STR("c/t"), top_of(&a, val_get(c, "d")), &out) < 0)
            error = tmpl_error(x);
        tmpl_exec_done(x);
    }
    answer_two(buf_str(&out), error);
    tmpl_set_free(set);
    arena_done(&a);
    buf_done(&out);
}

static void serve(void *arg)
{
    (void)arg;
    answer_all(answer);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    tmpl_on_large_stack(serve, NULL);
    return 0;
}
