/* Executes templates for tests/compat/template: a case is one line of JSON on standard input,
 *     {"t": [["name", "hex of the text"], …], "x": "name to execute", "d": data, "m": "error"}
 * and its answer is one line of two words: the output and the error, in hex. */
#include "answer.h"
#include "functions.h"

static enum tmpl_missing missing_of(struct str option)
{
    if (option.n == 0)
        return TMPL_MISSING_ZERO;
    return str_is(option, "error") ? TMPL_MISSING_ERROR : TMPL_MISSING_DEFAULT;
}

static void answer(const val *c)
{
    struct arena a = {0};
    struct buf out = {0};
    struct str error = {0};
    struct tmpl_set *set = tmpl_set_new("gotpl");
    int rc = 0;
    tmpl_set_funcs(set, test_funcs);
    tmpl_set_funcs(set, tmpl_helm_funcs);
    VAL_FOR (val_get(c, "t"), t)
        if (rc == 0)
            rc = tmpl_parse(set, val_str(val_at(t, 0)), answer_unhex(&a, val_str(val_at(t, 1))),
                            NULL, &error);
    if (rc == 0) {
        struct tmpl_limits limits = {.missing = missing_of(VAL_STR(c, "m"))};
        struct tmpl_exec *x = tmpl_exec_new(set, &a, &limits, NULL);
        if (tmpl_execute(x, VAL_STR(c, "x"), value_from_val(&a, val_get(c, "d")), &out) < 0)
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
    tmpl_on_large_stack(serve, NULL);
    return 0;
}
