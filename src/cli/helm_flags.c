#include "cli/helm_help.h"

#include "doc/time.h"
#include "functions/func_arg.h"

static const struct helm_flag *find_name(const struct helm_flag *table, struct str name)
{
    for (; table && table->name; table++)
        if (str_is(name, table->name))
            return table;
    return NULL;
}

static const struct helm_flag *find_letter(const struct helm_flag *table, char letter)
{
    for (; table && table->name; table++)
        if (table->letter == letter)
            return table;
    return NULL;
}

static void add_word(struct arena *a, struct chart_strs *list, struct str word)
{
    struct str *grown = arena_alloc(a, (list->n + 1) * sizeof(*grown));
    if (list->n)
        memcpy(grown, list->items, list->n * sizeof(*grown));
    grown[list->n++] = word;
    list->items = grown;
}

/* `invalid argument "x" for "-m, --max" flag: …` */
static int fail_value(struct chart_ctx *cx, const struct helm_flag *f, const char *value,
                      const char *why)
{
    const char letter[] = {'-', f->letter, ',', ' ', 0};
    return chart_fail(cx, "invalid argument \"%s\" for \"%s--%s\" flag: %s", value,
                      f->letter ? letter : "", f->name, why);
}

static int set_int(struct chart_ctx *cx, const struct helm_flag *f, const char *value)
{
    int64_t i;
    enum go_parse how = go_parse_int(str_of(value), 0, &i);
    if (how != GO_PARSED)
        return fail_value(cx, f, value,
                          arena_printf(cx->arena, "strconv.ParseInt: parsing \"%s\": %s", value,
                                       how == GO_RANGE ? "value out of range" : "invalid syntax")
                              .p);
    if (f->to)
        *(int64_t *)f->to = i;
    return 0;
}

static int set_switch(struct chart_ctx *cx, const struct helm_flag *f, const char *value)
{
    static const char *const yes[] = {"true", "1", "t", "T", "TRUE", "True"};
    static const char *const no[] = {"false", "0", "f", "F", "FALSE", "False"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        bool is_yes = strcmp(value, yes[i]) == 0;
        if (!is_yes && strcmp(value, no[i]) != 0)
            continue;
        if (f->to)
            *(bool *)f->to = is_yes;
        return 0;
    }
    return fail_value(
        cx, f, value,
        arena_printf(cx->arena, "strconv.ParseBool: parsing \"%s\": invalid syntax", value).p);
}

static int set_flag(struct chart_ctx *cx, const struct helm_flag *f, const char *value)
{
    if (f->kind == HELM_SWITCH)
        return set_switch(cx, f, value);
    if (f->kind == HELM_INT)
        return set_int(cx, f, value);
    if (!f->to)
        return 0;
    if (f->kind == HELM_TEXT)
        *(const char **)f->to = value;
    if (f->kind == HELM_LIST)
        add_word(cx->arena, f->to, str_of(value));
    struct str rest = str_of(value), word;
    while (f->kind == HELM_COMMAS && str_next(&rest, ',', &word))
        add_word(cx->arena, f->to, word);
    return 0;
}

/* The value of a flag that has none in its own word: a constant, or the next word. */
static int set_from_next(struct chart_ctx *cx, const struct helm_flag *f, const char *shown,
                         int argc, char **argv, int *i)
{
    if (f->kind == HELM_SWITCH)
        return set_flag(cx, f, "true");
    if (f->bare)
        return set_flag(cx, f, f->bare);
    if (*i + 1 >= argc)
        return chart_fail(cx, "flag needs an argument: %s", shown);
    return set_flag(cx, f, argv[++*i]);
}

struct tables {
    const struct helm_flag *own, *common;
};

static int show_help(struct chart_ctx *cx, const struct tables *t)
{
    struct helm_session *session = CONTAINER_OF(cx, struct helm_session, cx);
    helm_put_help(cx, session->path, t->own, t->common, session->out);
    session->helped = true;
    return -1;
}

static int take_long(struct chart_ctx *cx, const struct tables *t, int argc, char **argv, int *i)
{
    struct str word = str_of(argv[*i] + 2), name, value;
    bool has_value = str_cut(word, '=', &name, &value);
    const struct helm_flag *f = find_name(t->own, name);
    f = f ? f : find_name(t->common, name);
    if (!f && str_is(name, "help"))
        return show_help(cx, t);
    if (!f)
        return chart_fail(cx, "unknown flag: --%.*s", STR_ARG(name));
    if (has_value)
        return set_flag(cx, f, value.p);
    return set_from_next(cx, f, argv[*i], argc, argv, i);
}

/* "-gf=x", "-fx", "-f x" */
static int take_letters(struct chart_ctx *cx, const struct tables *t, int argc, char **argv, int *i)
{
    const char *word = argv[*i];
    for (const char *p = word + 1; *p; p++) {
        const struct helm_flag *f = find_letter(t->own, *p);
        f = f ? f : find_letter(t->common, *p);
        if (!f && *p == 'h')
            return show_help(cx, t);
        if (!f)
            return chart_fail(cx, "unknown shorthand flag: '%c' in %s", *p, word);
        if (p[1] == '=')
            return set_flag(cx, f, p + 2);
        if (f->kind != HELM_SWITCH && p[1])
            return set_flag(cx, f, p + 1);
        const char *shown = arena_printf(cx->arena, "'%c' in %s", *p, word).p;
        if (set_from_next(cx, f, shown, argc, argv, i) != 0)
            return -1;
        if (f->kind != HELM_SWITCH)
            return 0;
    }
    return 0;
}

int helm_flags(struct chart_ctx *cx, const struct helm_flag *own, const struct helm_flag *common,
               int argc, char **argv, int *ret_n)
{
    struct helm_session *session = CONTAINER_OF(cx, struct helm_session, cx);
    struct helm_flag shared[HELM_SETTINGS_FLAGS];
    struct tables tables = {own, common};
    if (common == helm_common_flags) {
        helm_settings_flags(helm_settings(cx), shared);
        tables.common = shared;
    }
    if (session->lists_flags) {
        helm_put_flags(cx, session->flags_of, own, tables.common, session->out);
        session->helped = true;
        return -1;
    }
    int n = 0;
    for (int i = 0; i < argc; i++) {
        int status = 0;
        if (strcmp(argv[i], "--") == 0) {
            while (++i < argc)
                argv[n++] = argv[i];
            break;
        }
        if (argv[i][0] != '-' || argv[i][1] == 0)
            argv[n++] = argv[i];
        else if (argv[i][1] == '-')
            status = take_long(cx, &tables, argc, argv, &i);
        else
            status = take_letters(cx, &tables, argc, argv, &i);
        if (status != 0)
            return -1;
    }
    *ret_n = n;
    return 0;
}

const struct helm_flag helm_common_flags[] = {{0}};

/* --- what several flags and words mean --- */
int helm_timeout(struct chart_ctx *cx, const char *text, int64_t otherwise_ms, int64_t *ret_ms)
{
    struct err err;
    int64_t ns;
    *ret_ms = otherwise_ms;
    if (!text)
        return 0;
    if (duration_parse(str_of(text), &ns, &err) != 0)
        return chart_fail(cx, "invalid argument \"%s\" for \"--timeout\" flag: %s", text,
                          err.message);
    *ret_ms = ns / 1000000;
    return 0;
}

int helm_refuse_rest(struct chart_ctx *cx, int argc, char **argv)
{
    struct buf rest = {0};
    if (argc <= 2)
        return 0;
    for (int i = 2; i < argc; i++)
        buf_printf(&rest, "%s%s", i > 2 ? ", " : "", argv[i]);
    chart_fail(cx, "expected at most two arguments, unexpected arguments: %s", buf_z(&rest));
    buf_done(&rest);
    return -1;
}
