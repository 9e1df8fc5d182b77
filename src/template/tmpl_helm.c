/* tmpl_helm.c: `include` and `tpl`, which execute templates inside templates. */
#include "template/gofmt.h"
#include "template/tmpl_internal.h"

enum { MAX_KEPT_TEXTS = 20000 };

/* How deep a name includes itself is kept as a pointer's value. */
static size_t including(const struct tmpl_exec *x, struct str name)
{
    return (size_t)(uintptr_t)map_get(&x->includes, name);
}

static void set_including(struct tmpl_exec *x, struct str name, size_t depth)
{
    if (depth == 0)
        map_del(&x->includes, name);
    else
        map_set(&x->includes, name, (void *)(uintptr_t)depth);
}

static int include(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    (void)n;
    struct str name = value_text(args[0]);
    size_t depth = including(x, name);
    if (depth > (size_t)x->limits.max_include)
        return tmpl_fail(
            x, "rendering template has a nested reference name: %.*s: unable to execute template",
            STR_ARG(name));
    struct buf out = {0};
    set_including(x, name, depth + 1);
    int rc = tmpl_execute(x, name, args[1], &out);
    set_including(x, name, depth);
    if (rc == 0)
        *ret = tmpl_str(x, buf_str(&out));
    buf_done(&out);
    return rc;
}

static struct str without(struct arena *a, struct str s, struct str cut)
{
    ssize_t at = str_find(s, cut);
    if (at < 0)
        return arena_dup(a, s);
    struct buf b = {0};
    for (; at >= 0; at = str_find(s, cut)) {
        buf_put(&b, str_head(s, (size_t)at));
        s = str_from(s, (size_t)at + cut.n);
    }
    buf_put(&b, s);
    struct str clean = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return clean;
}

/* The error of `tpl`, which quotes the whole text. */
static int tpl_fail(struct tmpl_exec *x, const char *what, struct str text, struct str error)
{
    struct buf b = {0};
    buf_puts(&b, what);
    buf_putc(&b, ' ');
    gofmt_quote(&b, text, false);
    buf_puts(&b, ": ");
    buf_put(&b, error);
    tmpl_fail_str(x, buf_str(&b));
    buf_done(&b);
    return -1;
}

/* The set that sees what the text defines, and the text's own template. The same texts come again
 * and again (charts run values through `tpl` in every template), so those of the outermost level
 * are kept with the set. */
struct tpl_text {
    struct tmpl_set *set;
    struct tmpl *tmpl;
    bool kept;
};

static int tpl_parse(struct tmpl_exec *x, struct str text, struct tpl_text *ret)
{
    struct tmpl_set *outer = x->set;
    ret->set = outer->parent ? NULL : map_get(&outer->texts, text);
    if (ret->set) {
        ret->kept = true;
        ret->tmpl = ret->set->first;
        return 0;
    }
    struct str error;
    ret->set = tmpl_set_overlay(outer);
    if (tmpl_parse(ret->set, outer->name, text, &ret->tmpl, &error) < 0) {
        tpl_fail(x, "cannot parse template", text, error);
        tmpl_set_free(ret->set);
        return -1;
    }
    ret->kept = outer->parent == NULL && outer->texts.count < MAX_KEPT_TEXTS;
    if (ret->kept) {
        ret->set->first = ret->tmpl;
        map_set(&outer->texts, text, ret->set);
    }
    return 0;
}

static int tpl(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    (void)n;
    struct str text = value_text(args[0]);
    struct tmpl_set *outer = x->set;
    struct tpl_text t;
    struct buf out = {0};
    if (str_find(text, STR("{{")) < 0) { /* as most values are */
        *ret = value_str(without(x->arena, text, STR("<no value>")));
        return tmpl_spend(x, text.n);
    }
    if (x->tpl_depth >= x->limits.max_include)
        return tmpl_fail(x, "tpl is nested more than %d deep", x->limits.max_include);
    if (tpl_parse(x, text, &t) < 0)
        return -1;
    x->set = t.set;
    x->tpl_depth++;
    int rc = tmpl_run(x, t.tmpl, args[1], &out);
    x->tpl_depth--;
    x->set = outer;
    if (rc == 0)
        *ret = value_str(without(x->arena, buf_str(&out), STR("<no value>")));
    else
        tpl_fail(x, "error during tpl function execution for", text, x->error);
    buf_done(&out);
    if (!t.kept)
        tmpl_set_free(t.set);
    return rc;
}

const struct func tmpl_helm_funcs[] = {
    {"include", include, {&type_string, &type_any}, &type_string},
    {"tpl", tpl, {&type_string, &type_any}, &type_string},
    {0},
};
