/* Replays strvals.golden, which Helm's package strvals wrote: a letter for the way of reading
 * (typed, string, json, literal) and the text; the values as JSON; the error. */
#include <stdio.h>
#include <string.h>

#include "template/gofmt.h"
#include "chart/values.h"
#include "test.h"

static int set(struct chart_ctx *cx, char mode, struct str text, struct vmap *m)
{
    if (mode == 'l')
        return strvals_parse_literal(cx, text, m);
    enum strvals_mode how = mode == 't'   ? STRVALS_TYPED
                            : mode == 's' ? STRVALS_STRING
                                          : STRVALS_JSON;
    return strvals_parse(cx, text, how, m, NULL);
}

static void check_line(struct str line)
{
    struct arena a = {0};
    struct chart_ctx cx = {.arena = &a};
    struct str text, values, error;
    str_cut(line, '\t', &text, &values);
    str_cut(values, '\t', &values, &error);
    struct vmap *m = vmap_new(&a, 0);
    int status = set(&cx, text.p[0], str_from(text, 1), m);
    struct doc d;
    struct err err;
    struct buf b = {0};
    val *v;
    doc_init(&d);
    CHECK_OK(value_to_val(&d, &a, value_map(&type_map, m), &v, &err), &err);
    buf_printf(&b, "%.*s\t", STR_ARG(text));
    val_write_json(v, &b);
    buf_putc(&b, '\t');
    gofmt_quote(&b, status == 0 ? STR("") : cx.error, false);
    CHECK_STR(buf_str(&b), arena_z(&a, line));
    buf_done(&b);
    doc_done(&d);
    arena_done(&a);
}

TEST(strvals_are_read_as_helm_reads_them)
{
    static char line[65536];
    FILE *f = fopen(GOLDEN, "re");
    CHECK(f != NULL);
    size_t n = 0;
    while (fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = 0;
        check_line(str_of(line));
        n++;
    }
    fclose(f);
    CHECK(n > 200);
}
