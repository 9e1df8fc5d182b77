/* helm_template.c: `tutti helm template`: renders a chart without a cluster. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/file.h"
#include "template/pathmatch.h"
#include "chart/values.h"
#include "cli/helm_release.h"

struct options {
    struct helm_values values;
    struct helm_source source;
    struct chart_strs show_only, api_versions, post_args;
    const char *post_renderer, *dry_run, *namespace, *kube_version, *name_template, *output_dir;
    bool include_crds, is_upgrade, no_hooks, skip_tests, skip_schema, generate_name, release_name,
        notes_of_subcharts, dependency_update, validate, no_validation, take_ownership, enable_dns;
    struct action *cluster; /* NULL: nothing is asked of one */
};

static int read_options(struct chart_ctx *cx, int argc, char **argv, struct options *o, int *ret_n)
{
    const struct helm_flag flags[] = {
        HELM_VALUES_FLAGS(o->values),
        HELM_SOURCE_FLAGS(o->source),
        {"api-versions", 'a', HELM_COMMAS, &o->api_versions, NULL},
        {"atomic", 0, HELM_SWITCH, NULL, NULL},
        {"create-namespace", 0, HELM_SWITCH, NULL, NULL},
        {"dependency-update", 0, HELM_SWITCH, &o->dependency_update, NULL},
        {"description", 0, HELM_TEXT, NULL, NULL},
        {"disable-openapi-validation", 0, HELM_SWITCH, &o->no_validation, NULL},
        {"dry-run", 0, HELM_TEXT, &o->dry_run, "client"},
        {"enable-dns", 0, HELM_SWITCH, &o->enable_dns, NULL},
        {"force", 0, HELM_SWITCH, NULL, NULL},
        {"generate-name", 'g', HELM_SWITCH, &o->generate_name, NULL},
        {"hide-notes", 0, HELM_SWITCH, NULL, NULL},
        {"include-crds", 0, HELM_SWITCH, &o->include_crds, NULL},
        {"is-upgrade", 0, HELM_SWITCH, &o->is_upgrade, NULL},
        {"kube-version", 0, HELM_TEXT, &o->kube_version, NULL},
        {"labels", 'l', HELM_TEXT, NULL, NULL},
        {"name-template", 0, HELM_TEXT, &o->name_template, NULL},
        {"no-hooks", 0, HELM_SWITCH, &o->no_hooks, NULL},
        {"output-dir", 0, HELM_TEXT, &o->output_dir, NULL},
        {"post-renderer", 0, HELM_TEXT, &o->post_renderer, NULL},
        {"post-renderer-args", 0, HELM_LIST, &o->post_args, NULL},
        {"release-name", 0, HELM_SWITCH, &o->release_name, NULL},
        {"render-subchart-notes", 0, HELM_SWITCH, &o->notes_of_subcharts, NULL},
        {"replace", 0, HELM_SWITCH, NULL, NULL},
        {"show-only", 's', HELM_LIST, &o->show_only, NULL},
        {"skip-crds", 0, HELM_SWITCH, NULL, NULL},
        {"skip-schema-validation", 0, HELM_SWITCH, &o->skip_schema, NULL},
        {"skip-tests", 0, HELM_SWITCH, &o->skip_tests, NULL},
        {"take-ownership", 0, HELM_SWITCH, &o->take_ownership, NULL},
        {"timeout", 0, HELM_TEXT, NULL, NULL},
        {"validate", 0, HELM_SWITCH, &o->validate, NULL},
        {"wait", 0, HELM_SWITCH, NULL, NULL},
        {"wait-for-jobs", 0, HELM_SWITCH, NULL, NULL},
        {0},
    };
    return helm_flags(cx, flags, helm_common_flags, argc, argv, ret_n);
}

/* --- names --- */
bool helm_is_release_name(struct str s)
{
    return action_is_release_name(s);
}

static int check_name(struct chart_ctx *cx, const char *name)
{
    if (helm_is_release_name(str_of(name)))
        return 0;
    if (!name[0])
        return chart_fail(cx, "release name \"\": no name provided");
    return chart_fail(cx,
                      "release name \"%s\": invalid release name, must match regex "
                      "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the "
                      "length must not be longer than 53",
                      name);
}

static int name_and_chart(struct chart_ctx *cx, const struct options *o, int argc, char **argv,
                          const char **ret_name, const char **ret_chart)
{
    *ret_name = "release-name";
    if (argc < 1)
        return chart_fail(cx, "\"helm template\" requires at least 1 argument\n\nUsage:  helm "
                              "template [NAME] [CHART] [flags]");
    if (helm_refuse_rest(cx, argc, argv) != 0)
        return -1;
    *ret_chart = argv[argc - 1];
    if (argc == 1 && o->name_template) {
        struct buf name = {0};
        int status = helm_run_template(cx, "name-template", o->name_template, VALUE_NONE, &name);
        *ret_name = arena_z(cx->arena, buf_str(&name));
        buf_done(&name);
        return status;
    }
    if (argc == 1)
        return 0;
    if (o->generate_name)
        return chart_fail(cx, "cannot set --generate-name and also specify a name");
    if (o->name_template)
        return chart_fail(cx, "cannot set --name-template and also specify a name");
    *ret_name = argv[0];
    return 0;
}

/* --- output --- */
static void put_document(struct buf *b, struct str path, struct str content)
{
    buf_printf(b, "---\n# Source: %.*s\n", STR_ARG(path));
    buf_put(b, content);
    buf_putc(b, '\n');
}

static bool is_manifest_file(struct str name)
{
    struct str ext = path_ext(name);
    return str_eq_nocase(ext, STR(".yaml")) || str_eq_nocase(ext, STR(".yml")) ||
           str_eq_nocase(ext, STR(".json"));
}

/* Documents go into one text, or each into its file below --output-dir. */
struct sink {
    struct chart_ctx *cx;
    struct buf *text;
    const char *dir; /* NULL: into text */
    struct buf *log; /* what is said about files */
    struct vmap *written;
};

static int put(struct sink *s, struct str path, struct str content)
{
    if (!s->dir) {
        put_document(s->text, path, content);
        return 0;
    }
    const char *name = arena_printf(s->cx->arena, "%s/%.*s", s->dir, STR_ARG(path)).p;
    const char *folder = arena_z(s->cx->arena, str_head(str_of(name), strrchr(name, '/') - name));
    struct err err;
    if (file_mkdirs(folder, 0755, &err) != 0)
        return chart_fail(s->cx, "%s", err.message);
    FILE *f = fopen(name, vmap_get(s->written, path) ? "ae" : "we");
    if (!f)
        return chart_fail(s->cx, "open %s: %s", name, strerror(errno));
    vmap_set(s->written, path, value_bool(true));
    struct buf b = {0};
    put_document(&b, path, content);
    size_t n = fwrite(b.p, 1, b.n, f);
    buf_printf(s->log, "wrote %s\n", name);
    bool failed = n != b.n;
    failed = fclose(f) != 0 || failed;
    buf_done(&b);
    return failed ? chart_fail(s->cx, "write %s: %s", name, strerror(errno)) : 0;
}

static int put_crds(struct sink *s, const struct chart *c)
{
    struct str path = chart_full_path(s->cx->arena, c);
    for (size_t i = 0; i < c->files.n; i++) {
        const struct chart_file *f = &c->files.items[i];
        struct str name = arena_printf(s->cx->arena, "%.*s/%.*s", STR_ARG(path), STR_ARG(f->name));
        if (str_starts(f->name, STR("crds/")) && is_manifest_file(f->name) &&
            put(s, name, f->data) != 0)
            return -1;
    }
    for (size_t i = 0; i < c->dep_count; i++)
        if (put_crds(s, c->deps[i]) != 0)
            return -1;
    return 0;
}

/* "# Source: CHART/NAME" of a document; false: none. */
static bool source_name(struct str document, struct str *ret)
{
    struct str mark = STR("# Source: ");
    for (ssize_t at; (at = str_find(document, mark)) >= 0;) {
        document = str_from(document, (size_t)at + mark.n);
        struct str line, rest, chart;
        str_cut(document, '\n', &line, &rest);
        if (str_cut(line, '/', &chart, ret) && chart.n && ret->n)
            return true;
    }
    return false;
}

static int put_shown(struct chart_ctx *cx, const struct options *o, struct str all, struct buf *out)
{
    size_t before = out->n;
    for (size_t i = 0; i < o->show_only.n; i++) {
        struct str rest = str_trim(all), document, name;
        if (str_starts(rest, STR("---")))
            rest = str_trim(str_from(rest, 3));
        bool found = false;
        while (manifest_next(&rest, &document)) {
            document = str_trim(document);
            if (!source_name(document, &name) || path_match(o->show_only.items[i], name) != 1)
                continue;
            found = true;
            buf_printf(out, "---\n%.*s\n", STR_ARG(document));
        }
        if (!found)
            out->n = before; /* nothing is shown then */
        if (!found)
            return chart_fail(cx, "could not find template %.*s in chart",
                              STR_ARG(o->show_only.items[i]));
    }
    return 0;
}

static int put_all(struct chart_ctx *cx, const struct options *o, const char *name,
                   const struct chart *c, const struct manifests *hooks,
                   const struct manifests *generic, struct buf *out)
{
    struct buf all = {0}, text = {0};
    struct sink s = {cx, &all, o->output_dir, out, vmap_new(cx->arena, 0)};
    int status = o->include_crds ? put_crds(&s, c) : 0;
    if (o->output_dir && o->release_name)
        s.dir = arena_printf(cx->arena, "%s/%s", o->output_dir, name).p;
    for (size_t i = 0; i < generic->n && status == 0; i++)
        status = put(&s, generic->items[i].path, generic->items[i].content);
    if (status == 0 && o->post_renderer)
        status = helm_post_render(cx, o->post_renderer, &o->post_args, &all);
    if (status == 0 && o->validate)
        status = action_validate(o->cluster, str_of(name), buf_str(&all), o->no_validation,
                                 o->take_ownership || o->is_upgrade);
    buf_put(&text, str_trim(buf_str(&all)));
    buf_putc(&text, '\n');
    s.text = &text;
    for (size_t i = 0; i < hooks->n && status == 0 && !o->no_hooks; i++)
        if (!o->skip_tests || !(hooks->items[i].events & 1u << HOOK_TEST))
            status = put(&s, hooks->items[i].path, hooks->items[i].content);
    if (status == 0 && o->show_only.n)
        status = put_shown(cx, o, buf_str(&text), out);
    else if (status == 0)
        buf_put(out, buf_str(&text));
    buf_done(&text);
    buf_done(&all);
    return status;
}

/* Whether `lookup` asks the cluster: only when the flag has one of these values. */
static bool asks_cluster(const struct options *o)
{
    const char *option = o->dry_run ? o->dry_run : "";
    return strcmp(option, "server") == 0 || strcmp(option, "none") == 0 ||
           strcmp(option, "false") == 0;
}

/* --- the steps --- */
static bool is_notes(struct str name)
{
    return str_ends(name, STR("NOTES.txt"));
}

static void drop_notes(struct rendered_list *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        if (!is_notes(r->items[i].name))
            r->items[n++] = r->items[i];
    r->n = n;
}

static int load(struct chart_ctx *cx, const char *path, struct chart **ret)
{
    if (chart_load(cx, path, ret) != 0)
        return -1;
    struct chart *c = *ret;
    if (c->meta.type.n && !str_is(c->meta.type, "application"))
        return chart_fail(cx, "%.*s charts are not installable", STR_ARG(c->meta.type));
    if (c->meta.deprecated)
        chart_warn(cx, "WARNING: This chart is deprecated");
    return chart_check_dependencies(cx, c);
}

static int render(struct chart_ctx *cx, const struct options *o, const char *name, struct chart *c,
                  struct vmap *values, struct buf *out)
{
    struct render_options r = {
        .release = {str_of(name), str_of(o->namespace), 1, o->is_upgrade, !o->is_upgrade},
        .capabilities = capabilities_default(cx->arena, &o->api_versions),
        .lookup = asks_cluster(o) ? cluster_lookup : NULL,
        .enable_dns = o->enable_dns,
        .user = o->cluster ? o->cluster->cluster : NULL,
    };
    if (o->validate && cluster_capabilities(o->cluster->cluster, &r.capabilities) != 0)
        return -1;
    if (o->kube_version && !o->validate &&
        capabilities_set_version(cx, &r.capabilities, str_of(o->kube_version)) != 0)
        return -1;
    struct rendered_list rendered;
    struct manifests hooks, generic;
    struct vmap *coalesced;
    if (values_coalesce(cx, c, values, false, &coalesced) != 0 ||
        (!o->skip_schema && values_validate(cx, c, coalesced) != 0))
        return -1;
    int status = chart_check_kube_version(cx, c, &r.capabilities);
    if (status == 0)
        status = chart_render(cx, c, coalesced, &r, &rendered);
    if (status == 0) {
        drop_notes(&rendered);
        status = manifests_sort(cx, &rendered, &hooks, &generic);
    }
    if (status != 0) {
        cx->error = arena_printf(cx->arena, "%.*s\n\nUse --debug flag to render out invalid YAML",
                                 STR_ARG(cx->error));
        return -1;
    }
    return put_all(cx, o, name, c, &hooks, &generic, out);
}

/* With the cluster at hand, when it is needed. */
static int render_connected(struct chart_ctx *cx, struct options *o, const char *name,
                            struct chart *c, struct vmap *values, struct buf *out)
{
    struct helm_work w = {0};
    int rc = 0;
    if (o->validate || asks_cluster(o)) {
        rc = helm_work_open(cx, 0, NULL, &w);
        o->cluster = &w.action;
    }
    if (rc == 0 && o->validate)
        rc = cluster_reachable(w.action.cluster);
    if (rc == 0)
        rc = chart_process_dependencies(cx, c, values);
    if (rc == 0)
        rc = render(cx, o, name, c, values, out);
    helm_work_close(&w);
    return rc;
}

int helm_template(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct options o = {0};
    const char *name, *chart = NULL, *path;
    struct vmap *values;
    struct chart *c;
    struct capabilities unused;
    enum dry_run ignored;
    if (read_options(cx, argc, argv, &o, &argc) != 0)
        return -1;
    o.namespace = helm_namespace(cx);
    if (o.post_renderer && helm_find_post_renderer(cx, o.post_renderer, &o.post_renderer) != 0)
        return -1;
    if (o.kube_version && capabilities_set_version(cx, &unused, str_of(o.kube_version)) != 0)
        return -1;
    if (name_and_chart(cx, &o, argc, argv, &name, &chart) != 0 ||
        helm_locate_chart(cx, chart, &o.source, &path) != 0 ||
        helm_merge_values(cx, &o.values, &values) != 0 || load(cx, path, &c) != 0 ||
        helm_dry_run(cx, o.dry_run, &ignored) != 0 || check_name(cx, name) != 0)
        return -1;
    return render_connected(cx, &o, name, c, values, out);
}
