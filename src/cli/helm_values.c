/* helm_values.c: what the user gives a command: values, and the chart's place. */
#include <errno.h>
#include <stdio.h>

#include "functions/func_library.h"
#include "chart/values.h"
#include "cli/helm.h"

enum { MAX_FILE = 64 * 1024 * 1024 };

int helm_read_file(struct chart_ctx *cx, struct str path, struct str *ret)
{
    const char *name = arena_z(cx->arena, path);
    FILE *f = str_is(str_trim(path), "-") ? stdin : fopen(name, "re");
    struct buf b = {0};
    size_t n = 0;
    if (!f) {
        const char *problem = strerror(errno);
        return chart_fail(cx, "open %s: %c%s", name, problem[0] | 0x20, problem + 1);
    }
    do {
        n = fread(buf_reserve(&b, 65536), 1, 65536, f);
        b.n += n;
    } while (n > 0 && b.n <= MAX_FILE);
    int problem = ferror(f) ? errno : 0;
    if (f != stdin)
        fclose(f);
    *ret = arena_dup(cx->arena, buf_str(&b));
    buf_done(&b);
    if (problem == EISDIR)
        return chart_fail(cx, "read %s: is a directory", name);
    return ret->n > MAX_FILE ? chart_fail(cx, "%s is larger than %d bytes", name, MAX_FILE) : 0;
}

static int set_all(struct chart_ctx *cx, const struct chart_strs *words, const char *flag,
                   enum strvals_mode mode, struct vmap *into)
{
    for (size_t i = 0; i < words->n; i++)
        if (strvals_parse(cx, words->items[i], mode, into, helm_read_file) != 0)
            return chart_wrap(cx, "failed parsing --%s data", flag);
    return 0;
}

int helm_merge_values(struct chart_ctx *cx, const struct helm_values *v, struct vmap **ret)
{
    struct vmap *base = vmap_new(cx->arena, 0);
    for (size_t i = 0; i < v->files.n; i++) {
        struct str text;
        struct vmap *one;
        if (helm_read_file(cx, v->files.items[i], &text) != 0)
            return -1;
        if (values_read_yaml(cx, text, &one) != 0)
            return chart_wrap(cx, "failed to parse %.*s", STR_ARG(v->files.items[i]));
        base = values_merge_files(cx->arena, base, one);
    }
    for (size_t i = 0; i < v->set_json.n; i++)
        if (strvals_parse(cx, v->set_json.items[i], STRVALS_JSON, base, NULL) != 0)
            return chart_fail(cx, "failed parsing --set-json data %.*s",
                              STR_ARG(v->set_json.items[i]));
    if (set_all(cx, &v->set, "set", STRVALS_TYPED, base) != 0 ||
        set_all(cx, &v->set_string, "set-string", STRVALS_STRING, base) != 0 ||
        set_all(cx, &v->set_file, "set-file", STRVALS_FILE, base) != 0)
        return -1;
    for (size_t i = 0; i < v->set_literal.n; i++)
        if (strvals_parse_literal(cx, v->set_literal.items[i], base) != 0)
            return chart_wrap(cx, "failed parsing --set-literal data");
    *ret = base;
    return 0;
}

int helm_run_template(struct chart_ctx *cx, const char *name, const char *text, struct value dot,
                      struct buf *out)
{
    struct tmpl_set *set = tmpl_set_new(name);
    struct tmpl *t;
    struct str error;
    func_library_add(set);
    int status = tmpl_parse(set, str_of(name), str_of(text), &t, &error);
    if (status != 0) {
        chart_fail(cx, "%.*s", STR_ARG(error));
    } else {
        struct tmpl_limits limits = {.missing = TMPL_MISSING_DEFAULT};
        struct tmpl_exec *x = tmpl_exec_new(set, cx->arena, &limits, NULL);
        status = tmpl_run(x, t, dot, out);
        if (status != 0)
            cx->error = tmpl_error(x);
        tmpl_exec_done(x);
    }
    tmpl_set_free(set);
    return status;
}
