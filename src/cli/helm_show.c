/* helm_show.c: `tutti helm show all|chart|crds|readme|values CHART`. */
#include "chart/package.h"
#include "cli/helm.h"

enum part { SHOW_CHART = 1, SHOW_VALUES = 2, SHOW_README = 4, SHOW_CRDS = 8, SHOW_ALL = 15 };

static bool is_manifest_file(struct str name)
{
    struct str ext = path_ext(name);
    return str_eq_nocase(ext, STR(".yaml")) || str_eq_nocase(ext, STR(".yml")) ||
           str_eq_nocase(ext, STR(".json"));
}

/* The CRDs of a chart and of those inside; `first` is where the list begins. */
static void put_crds(const struct chart *c, bool mark, size_t first, struct buf *out)
{
    for (size_t i = 0; i < c->files.n; i++) {
        const struct chart_file *f = &c->files.items[i];
        if (!str_starts(f->name, STR("crds/")) || !is_manifest_file(f->name))
            continue;
        if (mark && out->n == first && !str_starts(f->data, STR("---")))
            buf_puts(out, "---\n");
        buf_put(out, f->data);
        buf_putc(out, '\n');
    }
    for (size_t i = 0; i < c->dep_count; i++)
        put_crds(c->deps[i], mark, first, out);
}

static const struct chart_file *find_readme(const struct chart *c)
{
    static const char *const names[] = {"readme.md", "readme.txt", "readme"};
    for (size_t i = 0; i < c->files.n; i++)
        for (size_t k = 0; k < ARRAY_LEN(names); k++)
            if (str_eq_nocase(c->files.items[i].name, str_of(names[k])))
                return &c->files.items[i];
    return NULL;
}

static void put_part(struct buf *out, bool mark, struct str text)
{
    if (mark)
        buf_puts(out, "---\n");
    buf_put(out, text);
    buf_putc(out, '\n');
}

static void show(struct chart_ctx *cx, const struct chart *c, enum part parts, struct buf *out)
{
    bool all = parts == SHOW_ALL;
    const struct chart_file *values = chart_files_find(&c->raw, "values.yaml");
    const struct chart_file *readme = find_readme(c);
    if (parts & SHOW_CHART)
        put_part(out, false, chart_meta_yaml(cx, &c->meta));
    if ((parts & SHOW_VALUES) && c->values && values)
        put_part(out, all, values->data);
    if ((parts & SHOW_README) && readme)
        put_part(out, all, readme->data);
    if (parts & SHOW_CRDS)
        put_crds(c, all, out->n, out);
}

int helm_show(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    static const struct {
        const char *name;
        enum part part;
    } parts[] = {{"all", SHOW_ALL},
                 {"chart", SHOW_CHART},
                 {"crds", SHOW_CRDS},
                 {"readme", SHOW_README},
                 {"values", SHOW_VALUES}};
    struct helm_source source = {0};
    const struct helm_flag flags[] = {
        HELM_SOURCE_FLAGS(source),
        {0},
    };
    struct chart *c;
    const char *path;
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0)
        return -1;
    enum part part = 0;
    for (size_t i = 0; argc > 0 && i < ARRAY_LEN(parts); i++)
        if (strcmp(argv[0], parts[i].name) == 0)
            part = parts[i].part;
    if (!part)
        return chart_fail(cx, "\"helm show\" needs one of all, chart, crds, readme, values");
    if (argc != 2)
        return chart_fail(cx,
                          "\"helm show %s\" requires 1 argument\n\nUsage:  helm show %s [CHART] "
                          "[flags]",
                          argv[0], argv[0]);
    if (helm_locate_chart(cx, argv[1], &source, &path) != 0 || chart_load(cx, path, &c) != 0)
        return -1;
    show(cx, c, part, out);
    return 0;
}
