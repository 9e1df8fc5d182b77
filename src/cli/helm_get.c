/* helm_get.c: `tutti helm get all|hooks|manifest|metadata|notes|values`: parts of a release. */
#include "cli/helm.h"

#include <stdlib.h>

#include "chart/objects.h"
#include "chart/values.h"
#include "release/release_value.h"

struct options {
    int64_t revision;
    const char *template, *output;
    bool all;
    enum helm_format format;
};

/* --- metadata --- */
/* labels.Set.String of annotations. */
static void put_annotations(const struct vmap *m, struct buf *out)
{
    for (size_t i = 0; i < vmap_len(m); i++)
        buf_printf(out, "%s%.*s=%.*s", i ? "," : "", STR_ARG(m->entries[i].key),
                   STR_ARG(value_text(m->entries[i].value)));
}

static int by_name(const void *x, const void *y)
{
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

static void put_dependencies(struct arena *a, const struct chart_meta *m, struct buf *out)
{
    struct str *names = arena_zalloc(a, (m->dependency_count + 1) * sizeof(*names));
    for (size_t i = 0; i < m->dependency_count; i++)
        names[i] = m->dependencies[i]->name;
    qsort(names, m->dependency_count, sizeof(*names), by_name);
    for (size_t i = 0; i < m->dependency_count; i++)
        buf_printf(out, "%s%.*s", i ? "," : "", STR_ARG(names[i]));
}

static void metadata_table(struct chart_ctx *cx, const struct release *r,
                           const struct chart_meta *m, struct str deployed_at, struct buf *out)
{
    buf_printf(out, "NAME: %.*s\nCHART: %.*s\nVERSION: %.*s\nAPP_VERSION: %.*s\nANNOTATIONS: ",
               STR_ARG(r->name), STR_ARG(m->name), STR_ARG(m->version), STR_ARG(m->app_version));
    put_annotations(m->annotations, out);
    buf_puts(out, "\nDEPENDENCIES: ");
    put_dependencies(cx->arena, m, out);
    buf_printf(out, "\nNAMESPACE: %.*s\nREVISION: %d\nSTATUS: %s\nDEPLOYED_AT: %.*s\n",
               STR_ARG(r->namespace), r->version, release_status_text(r->status),
               STR_ARG(deployed_at));
}

static const struct gotype type_metadata = {
    .kind = KIND_STRUCT,
    .name = "action.Metadata",
    .defined = true,
    .fields = (const struct gofield[]){{"Name", &type_string, "name"},
                                       {"Chart", &type_string, "chart"},
                                       {"Version", &type_string, "version"},
                                       {"AppVersion", &type_string, "appVersion"},
                                       {"Annotations", &type_map_strings, "annotations", true},
                                       {"Dependencies", &type_any, "dependencies", true},
                                       {"Namespace", &type_string, "namespace"},
                                       {"Revision", &type_int, "revision"},
                                       {"Status", &type_string, "status"},
                                       {"DeployedAt", &type_string, "deployedAt"},
                                       {0}},
};

static int get_metadata(struct chart_ctx *cx, const struct options *o, const struct release *r,
                        struct buf *out)
{
    static const struct chart none = {0};
    const struct chart_meta *m = &(r->chart ? r->chart : &none)->meta;
    struct buf time = {0};
    helm_put_time(cx, r->last_deployed, "2006-01-02T15:04:05Z07:00", &time);
    struct str deployed_at = arena_dup(cx->arena, buf_str(&time));
    buf_done(&time);
    if (o->format == HELM_TABLE) {
        metadata_table(cx, r, m, deployed_at, out);
        return 0;
    }
    const struct value fields[] = {
        value_str(r->name),
        value_str(m->name),
        value_str(m->version),
        value_str(m->app_version),
        value_map(&type_map_strings, m->annotations),
        m->dependency_count
            ? chart_dependencies_value(cx->arena, m->dependencies, m->dependency_count)
            : VALUE_NIL,
        value_str(r->namespace),
        value_int(r->version),
        value_z(release_status_text(r->status)),
        value_str(deployed_at),
    };
    struct value v = value_struct_new(cx->arena, &type_metadata);
    memcpy(v.fields, fields, sizeof fields);
    return helm_put_value(cx, v, o->format, out);
}

/* --- the others --- */
static int get_all(struct chart_ctx *cx, const struct options *o, const struct release *r,
                   struct buf *out)
{
    const struct helm_shown everything = {.debug = true, .metadata = true};
    if (!o->template || !o->template[0])
        return helm_put_release(cx, r, HELM_TABLE, everything, out);
    struct value dot = value_map_new(cx->arena, &type_map);
    vmap_set(dot.map, STR("Release"), release_value(cx->arena, r));
    return helm_run_template(cx, "_", o->template, dot, out);
}

static int get_hooks(struct chart_ctx *cx, const struct options *o, const struct release *r,
                     struct buf *out)
{
    (void)cx, (void)o;
    for (size_t i = 0; i < r->hook_count; i++)
        buf_printf(out, "---\n# Source: %.*s\n%.*s\n", STR_ARG(r->hooks[i].path),
                   STR_ARG(r->hooks[i].manifest));
    return 0;
}

static int get_manifest(struct chart_ctx *cx, const struct options *o, const struct release *r,
                        struct buf *out)
{
    (void)cx, (void)o;
    buf_put(out, r->manifest);
    buf_putc(out, '\n');
    return 0;
}

static int get_notes(struct chart_ctx *cx, const struct options *o, const struct release *r,
                     struct buf *out)
{
    (void)cx, (void)o;
    if (r->notes.n)
        buf_printf(out, "NOTES:\n%.*s\n", STR_ARG(r->notes));
    return 0;
}

static int get_values(struct chart_ctx *cx, const struct options *o, const struct release *r,
                      struct buf *out)
{
    static const struct chart none = {0};
    struct vmap *values = r->config;
    if (o->all && values_coalesce(cx, r->chart ? r->chart : &none, r->config, false, &values) != 0)
        return -1;
    if (o->format == HELM_TABLE)
        buf_puts(out, o->all ? "COMPUTED VALUES:\n" : "USER-SUPPLIED VALUES:\n");
    return helm_put_value(cx, value_map(&type_map, values), o->format, out);
}

/* --- choosing --- */
enum { HAS_TEMPLATE = 1, HAS_OUTPUT = 2, HAS_ALL = 4 };

static const struct part {
    const char *name;
    unsigned flags;
    int (*put)(struct chart_ctx *cx, const struct options *o, const struct release *r,
               struct buf *out);
    const char *help;
} parts[] = {
    {"all", HAS_TEMPLATE, get_all, "everything"},
    {"hooks", 0, get_hooks, "the manifests of its hooks"},
    {"manifest", 0, get_manifest, "the documents that were sent to the cluster"},
    {"metadata", HAS_OUTPUT, get_metadata, "its chart, revision and state"},
    {"notes", 0, get_notes, "what the chart says to its user"},
    {"values", HAS_OUTPUT | HAS_ALL, get_values, "what the user set, or all values"},
};

static int usage(struct buf *out)
{
    buf_puts(out, "Parts of a release that the cluster keeps\n\nUsage:\n  tutti helm get "
                  "[command]\n\nAvailable Commands:\n");
    for (const struct part *p = parts; p < parts + ARRAY_LEN(parts); p++)
        buf_printf(out, "  %-11s %s\n", p->name, p->help);
    return 0;
}

static int read_flags(struct chart_ctx *cx, const struct part *p, struct options *o, int argc,
                      char **argv)
{
    struct helm_flag flags[5] = {{"revision", 0, HELM_INT, &o->revision, NULL}};
    size_t n = 1;
    if (p->flags & HAS_TEMPLATE)
        flags[n++] = (struct helm_flag){"template", 0, HELM_TEXT, &o->template, NULL};
    if (p->flags & HAS_OUTPUT)
        flags[n++] = (struct helm_flag){"output", 'o', HELM_TEXT, &o->output, NULL};
    if (p->flags & HAS_ALL)
        flags[n++] = (struct helm_flag){"all", 'a', HELM_SWITCH, &o->all, NULL};
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0 ||
        helm_format_of(cx, o->output, &o->format) != 0)
        return -1;
    return argc == 1 ? 0
                     : chart_fail(cx,
                                  "\"helm get %s\" requires 1 argument\n\nUsage:  helm get %s "
                                  "RELEASE_NAME [flags]",
                                  p->name, p->name);
}

int helm_get(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct options o = {0};
    struct helm_records records;
    struct release *r;
    const struct part *p = parts;
    while (p < parts + ARRAY_LEN(parts) && (argc == 0 || strcmp(argv[0], p->name) != 0))
        p++;
    if (p == parts + ARRAY_LEN(parts))
        return usage(out);
    if (read_flags(cx, p, &o, argc - 1, argv + 1) != 0)
        return -1;
    int status = helm_records_open(cx, helm_namespace(cx), 0, &records);
    if (status == 0)
        status = helm_release_content(cx, records.storage, argv[1], o.revision, &r);
    helm_records_close(&records);
    return status == 0 ? p->put(cx, &o, r, out) : -1;
}
