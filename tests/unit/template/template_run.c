/* Executes templates for tests/compat/template: a case is one line of JSON on standard input,
 *     {"t": [["name", "hex of the text"], …], "x": "name to execute", "d": data, "m": "error"}
 * and its answer is one line of two words: the output and the error, in hex. */
#include <stdio.h>

#include "functions.h"

static struct str unhex(struct arena *a, struct str s)
{
    char *p = arena_zalloc(a, s.n / 2 + 1);
    for (size_t i = 0; i + 1 < s.n; i += 2)
        p[i / 2] = (char)strtol((char[]){s.p[i], s.p[i + 1], '\0'}, NULL, 16);
    return (struct str){p, s.n / 2};
}

static void put_hex(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        printf("%02x", (unsigned char)s.p[i]);
}

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
            rc = tmpl_parse(set, val_str(val_at(t, 0)), unhex(&a, val_str(val_at(t, 1))), NULL,
                            &error);
    if (rc == 0) {
        struct tmpl_limits limits = {.missing = missing_of(VAL_STR(c, "m"))};
        struct tmpl_exec *x = tmpl_exec_new(set, &a, &limits, NULL);
        if (tmpl_execute(x, VAL_STR(c, "x"), value_from_val(&a, val_get(c, "d")), &out) < 0)
            error = tmpl_error(x);
        tmpl_exec_done(x);
    }
    put_hex(buf_str(&out));
    putchar(' ');
    put_hex(error);
    putchar('\n');
    fflush(stdout);
    tmpl_set_free(set);
    arena_done(&a);
    buf_done(&out);
}

static void serve(void *arg)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    (void)arg;
    while ((n = getline(&line, &cap, stdin)) > 0) {
        struct doc doc;
        val *c;
        struct err err;
        doc_init(&doc);
        if (doc_parse_json(&doc, (struct str){line, (size_t)n}, &c, &err) == 0)
            answer(c);
        else
            puts("-");
        doc_done(&doc);
    }
    free(line);
}

int main(void)
{
    tmpl_on_large_stack(serve, NULL);
    return 0;
}
