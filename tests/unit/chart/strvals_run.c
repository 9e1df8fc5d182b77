/* Reads --set and its kin for tests/compat/helm/language: a case is
 *     [["way", "hex of the text"], …]
 * where the way is "typed", "string", "json" or "literal"; the texts are set one after the other,
 * until one fails. The answer is the values as JSON and the error. */
#include "answer.h"
#include "chart/values.h"

static int set(struct chart_ctx *cx, struct str way, struct str text, struct vmap *m)
{
    if (str_is(way, "literal"))
        return strvals_parse_literal(cx, text, m);
    enum strvals_mode mode = str_is(way, "typed")    ? STRVALS_TYPED
                             : str_is(way, "string") ? STRVALS_STRING
                                                     : STRVALS_JSON;
    return strvals_parse(cx, text, mode, m, NULL);
}

static void answer(const val *c)
{
    struct arena a = {0};
    struct chart_ctx cx = {.arena = &a};
    struct vmap *m = vmap_new(&a, 0);
    struct buf b = {0};
    struct err err;
    struct doc d;
    val *v;
    int rc = 0;
    VAL_FOR (c, step)
        if (rc == 0)
            rc = set(&cx, val_str(val_at(step, 0)), answer_unhex(&a, val_str(val_at(step, 1))), m);
    doc_init(&d);
    if (value_to_val(&d, &a, value_map(&type_map, m), &v, &err) == 0)
        val_write_json(v, &b);
    else
        buf_puts(&b, err.message);
    answer_two(buf_str(&b), rc == 0 ? STR("") : cx.error);
    doc_done(&d);
    buf_done(&b);
    arena_done(&a);
}

int main(void)
{
    answer_all(answer);
    return 0;
}
