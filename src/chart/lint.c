#include "chart/lint.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "template/gofmt.h"
#include "chart/lint_deprecated.h"
#include "chart/render.h"
#include "functions/semver.h"
#include "chart/values.h"
#include "doc/names.h"

struct linter {
    struct chart_ctx *cx;
    const char *dir;
    struct lint_result *result;
    const char *path; /* what is being looked at */
    int kube_minor;
};

static void say(struct linter *l, enum lint_severity severity, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void say(struct linter *l, enum lint_severity severity, const char *format, ...)
{
    struct arena *a = l->cx->arena;
    struct lint_message *grown = arena_alloc(a, (l->result->n + 1) * sizeof(*grown));
    if (l->result->n)
        memcpy(grown, l->result->items, l->result->n * sizeof(*grown));
    struct buf b = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    grown[l->result->n++] =
        (struct lint_message){severity, str_of(l->path), arena_dup(a, buf_str(&b))};
    l->result->items = grown;
    buf_done(&b);
}

static bool read_file(struct linter *l, const char *name, struct str *ret)
{
    struct buf b = {0};
    struct err err;
    const char *path = arena_printf(l->cx->arena, "%s/%s", l->dir, name).p;
    bool read = file_read(path, CHART_MAX_FILE, &b, &err) == 0;
    *ret = arena_dup(l->cx->arena, buf_str(&b));
    buf_done(&b);
    return read;
}

/* --- Chart.yaml --- */
/* govalidator.IsRequestURL: absolute, with a scheme. */
static bool is_request_url(struct str s)
{
    ssize_t colon = str_find_char(s, ':');
    return colon > 0 && str_find_char(s, ' ') < 0 && (size_t)colon + 1 < s.n;
}

/* govalidator.IsURL, in essence: a host with a dot, or localhost. */
static bool is_url(struct str s)
{
    ssize_t scheme = str_find(s, STR("://"));
    struct str rest = scheme < 0 ? s : str_from(s, (size_t)scheme + 3), host;
    str_cut(rest, '/', &host, &rest);
    return host.n > 2 && str_find_char(s, ' ') < 0 &&
           (str_find_char(host, '.') > 0 || str_starts(host, STR("localhost")));
}

static bool is_email(struct str s)
{
    struct str user, host;
    return str_cut(s, '@', &user, &host) && user.n && str_find_char(host, '.') > 0 &&
           str_find_char(s, ' ') < 0 && str_find_char(host, '@') < 0;
}

/* Version and appVersion must not be numbers. */
static void lint_text_type(struct linter *l, const struct vmap *raw, const char *key)
{
    struct value *v = vmap_get(raw, str_of(key));
    if (v && value_kind(*v) != KIND_STRING)
        say(l, LINT_ERROR, "%s should be of type string but it's of type %s", key,
            value_type_name(*v));
}

static void lint_people(struct linter *l, const struct chart_meta *m)
{
    for (size_t i = 0; i < m->maintainer_count; i++) {
        const struct chart_maintainer *p = m->maintainers[i];
        if (!p)
            say(l, LINT_ERROR, "a maintainer entry is empty");
        else if (p->name.n == 0)
            say(l, LINT_ERROR, "each maintainer requires a name");
        else if (p->email.n && !is_email(p->email))
            say(l, LINT_ERROR, "invalid email '%.*s' for maintainer '%.*s'", STR_ARG(p->email),
                STR_ARG(p->name));
        else if (p->url.n && !is_url(p->url))
            say(l, LINT_ERROR, "invalid url '%.*s' for maintainer '%.*s'", STR_ARG(p->url),
                STR_ARG(p->name));
        else
            continue;
        return;
    }
}

static void lint_name_and_version(struct linter *l, const struct chart_meta *m,
                                  const struct vmap *raw)
{
    struct semver version;
    struct err err;
    if (m->name.n == 0)
        say(l, LINT_ERROR, "name is required");
    else if (!str_eq(path_base(m->name), m->name))
        say(l, LINT_ERROR, "chart name \"%.*s\" is invalid", STR_ARG(m->name));
    if (m->api_version.n == 0)
        say(l, LINT_ERROR, "apiVersion is required. The value must be either \"v1\" or \"v2\"");
    else if (!str_is(m->api_version, "v1") && !str_is(m->api_version, "v2"))
        say(l, LINT_ERROR,
            "apiVersion '%.*s' is not valid. The value must be either \"v1\" or \"v2\"",
            STR_ARG(m->api_version));
    lint_text_type(l, raw, "version");
    if (m->version.n == 0)
        say(l, LINT_ERROR, "version is required");
    else if (semver_parse(m->version, &version, &err) != 0)
        say(l, LINT_ERROR, "version '%.*s' is not a valid SemVer", STR_ARG(m->version));
    else if (!chart_version_fits(l->cx->arena, STR(">0.0.0-0"), m->version))
        say(l, LINT_ERROR, "version \"%.*s\" is less than or equal to \"0.0.0-0\"",
            STR_ARG(m->version));
    lint_text_type(l, raw, "appVersion");
}

static void lint_chart_file(struct linter *l)
{
    struct chart_meta m = {0};
    struct vmap *raw = NULL;
    struct str text;
    l->path = "Chart.yaml";
    read_file(l, "Chart.yaml", &text);
    if (chart_meta_read(l->cx, text, &m) != 0) {
        say(l, LINT_ERROR, "unable to parse YAML\n\t%.*s", STR_ARG(l->cx->error));
        return;
    }
    values_read_yaml(l->cx, text, &raw);
    lint_name_and_version(l, &m, raw);
    lint_people(l, &m);
    for (size_t i = 0; i < m.sources.n; i++)
        if (!is_request_url(m.sources.items[i])) {
            say(l, LINT_ERROR, "invalid source URL '%.*s'", STR_ARG(m.sources.items[i]));
            break;
        }
    if (m.icon.n == 0)
        say(l, LINT_INFO, "icon is recommended");
    else if (!is_request_url(m.icon))
        say(l, LINT_ERROR, "invalid icon URL '%.*s'", STR_ARG(m.icon));
    if (m.type.n && !str_is(m.api_version, "v2"))
        say(l, LINT_ERROR,
            "chart type is not valid in apiVersion '%.*s'. It is valid in apiVersion 'v2'",
            STR_ARG(m.api_version));
    if (m.dependency_count && !str_is(m.api_version, "v2"))
        say(l, LINT_ERROR,
            "dependencies are not valid in the Chart file with apiVersion '%.*s'. They are valid "
            "in apiVersion 'v2'",
            STR_ARG(m.api_version));
}

/* --- values.yaml --- */
static void lint_values(struct linter *l, const struct vmap *overrides)
{
    struct str text, schema;
    struct vmap *own;
    l->path = "values.yaml";
    if (!read_file(l, "values.yaml", &text)) {
        say(l, LINT_INFO, "file does not exist");
        return;
    }
    if (values_read_yaml(l->cx, text, &own) != 0) {
        say(l, LINT_ERROR, "unable to parse YAML: %.*s", STR_ARG(l->cx->error));
        return;
    }
    if (!read_file(l, "values.schema.json", &schema) || schema.n == 0)
        return;
    struct vmap *all = values_copy_map(l->cx->arena, overrides);
    values_coalesce_tables(l->cx, all, own, false);
    if (values_validate_schema(l->cx, schema, all) != 0)
        say(l, LINT_ERROR, "%.*s", STR_ARG(l->cx->error));
}

/* --- templates --- */
static const char *bad_name(struct str kind, struct str name, char room[NAME_TEXT])
{
    static const char *const path_kinds[] = {"role", "clusterrole", "rolebinding",
                                             "clusterrolebinding"};
    for (size_t i = 0; i < ARRAY_LEN(path_kinds); i++)
        if (str_eq_nocase(kind, str_of(path_kinds[i])))
            return name_path_segment(name, room);
    if (str_eq_nocase(kind, STR("service")))
        return name_dns1035_label(name, room);
    if (str_eq_nocase(kind, STR("namespace")))
        return name_dns1123_label(name, room);
    if (str_eq_nocase(kind, STR("certificatesigningrequest")))
        return NULL;
    return name_dns1123_subdomain(name, room);
}

static void lint_deprecation(struct linter *l, struct str version, struct str kind)
{
    for (size_t i = 0; i < ARRAY_LEN(lint_deprecated); i++) {
        if (!str_is(version, lint_deprecated[i].version) ||
            !str_is(kind, lint_deprecated[i].kind) || lint_deprecated[i].since > l->kube_minor)
            continue;
        struct buf b = {0};
        buf_printf(&b, "%.*s %.*s is deprecated in v1.%d+", STR_ARG(version), STR_ARG(kind),
                   lint_deprecated[i].since);
        if (lint_deprecated[i].gone)
            buf_printf(&b, ", unavailable in v1.%d+", lint_deprecated[i].gone);
        if (lint_deprecated[i].instead)
            buf_printf(&b, "; use %s", lint_deprecated[i].instead);
        say(l, LINT_WARNING, "%s", buf_z(&b));
        buf_done(&b);
        return;
    }
}

static void lint_object(struct linter *l, const val *v, struct str text)
{
    static const char *const selecting[] = {"Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"};
    char room[NAME_TEXT];
    struct str kind = VAL_STR(v, "kind"), name = VAL_STR(v, "metadata", "name");
    const char *problem = bad_name(kind, name, room);
    if (problem)
        say(l, LINT_WARNING,
            "object name does not conform to Kubernetes naming requirements: \"%.*s\": "
            "metadata.name: Invalid value: \"%.*s\": %s",
            STR_ARG(name), STR_ARG(name), problem);
    lint_deprecation(l, VAL_STR(v, "apiVersion"), kind);
    bool selects =
        str_find(text, STR("matchLabels")) >= 0 || str_find(text, STR("matchExpressions")) >= 0;
    for (size_t i = 0; i < ARRAY_LEN(selecting); i++)
        if (str_is(kind, selecting[i]) && !selects)
            say(l, LINT_ERROR,
                "a %.*s must contain matchLabels or matchExpressions, and \"%.*s\" does not",
                STR_ARG(kind), STR_ARG(name));
    if (!str_is(kind, "List"))
        return;
    VAL_FOR (val_get(v, "items"), item)
        if (VAL_PATH(item, "metadata", "annotations", "helm.sh/resource-policy")) {
            say(l, LINT_ERROR,
                "Annotation 'helm.sh/resource-policy' within List objects are ignored");
            break;
        }
}

static void lint_indent(struct linter *l, struct str text)
{
    struct str line;
    while (str_next(&text, '\n', &line)) {
        if (str_trim(line).n == 0)
            continue;
        if (line.p[0] == ' ' || line.p[0] == '\t') {
            struct buf b = {0};
            gofmt_quote(&b, line, false);
            say(l, LINT_WARNING,
                "document starts with an illegal indent: %s, which may cause parsing problems",
                buf_z(&b));
            buf_done(&b);
        }
        return;
    }
}

/* False: the YAML cannot be read, and linting ends. */
static bool lint_documents(struct linter *l, struct str text)
{
    struct str rest = text, part;
    lint_indent(l, text);
    while (doc_next_yaml(&rest, &part)) {
        struct doc d;
        struct err err;
        val *v;
        doc_init(&d);
        bool right = doc_parse_yaml(&d, part, &v, &err) == 0;
        if (!right)
            say(l, LINT_ERROR, "unable to parse YAML: %s", err.message);
        else if (val_is_obj(v))
            lint_object(l, v, text);
        doc_done(&d);
        if (!right)
            return false;
    }
    return true;
}

static struct str output_of(const struct rendered_list *rendered, struct str name)
{
    for (size_t i = 0; i < rendered->n; i++)
        if (str_eq(rendered->items[i].name, name))
            return rendered->items[i].text;
    return STR("");
}

/* `"?helm\.sh/hook"?:\s+crd-install` */
static bool has_crd_hook(struct str text)
{
    struct str key = STR("helm.sh/hook");
    for (ssize_t at; (at = str_find(text, key)) >= 0;) {
        text = str_from(text, (size_t)at + key.n);
        struct str rest = str_from(text, str_starts(text, STR("\"")) ? 1 : 0);
        if (!str_starts(rest, STR(":")))
            continue;
        rest = str_from(rest, 1);
        struct str behind = str_trim(rest);
        if (behind.p > rest.p && str_starts(behind, STR("crd-install")))
            return true;
    }
    return false;
}

static bool lint_template(struct linter *l, const struct chart *c, const struct chart_file *f,
                          const struct rendered_list *rendered)
{
    struct str ext = path_ext(f->name);
    l->path = arena_z(l->cx->arena, f->name);
    if (!str_is(ext, ".yaml") && !str_is(ext, ".yml") && !str_is(ext, ".tpl") &&
        !str_is(ext, ".txt"))
        say(l, LINT_ERROR,
            "file extension '%.*s' not valid. Valid extensions are .yaml, .yml, .tpl, or .txt",
            STR_ARG(ext));
    if (has_crd_hook(f->data))
        say(l, LINT_WARNING,
            "manifest is a crd-install hook. This hook is no longer supported in v3 and all CRDs "
            "should also exist the crds/ directory at the top level of the chart");
    if (str_find(f->data, STR(".Release.Time")) >= 0)
        say(l, LINT_ERROR,
            ".Release.Time has been removed in v3, please replace with the `now` "
            "function in your templates");
    if (!str_is(ext, ".yaml"))
        return true;
    struct str name =
        arena_printf(l->cx->arena, "%.*s/%.*s", STR_ARG(c->meta.name), STR_ARG(f->name));
    struct str text = output_of(rendered, name);
    return str_trim(text).n == 0 || lint_documents(l, text);
}

static void lint_templates(struct linter *l, struct vmap *values, const char *namespace,
                           const struct capabilities *capabilities, bool skip_schema)
{
    struct chart *c;
    struct vmap *coalesced;
    struct stat st;
    l->path = "templates/";
    if (stat(arena_printf(l->cx->arena, "%s/templates", l->dir).p, &st) == 0 &&
        !S_ISDIR(st.st_mode)) {
        say(l, LINT_WARNING, "not a directory");
        return;
    }
    if (chart_load(l->cx, l->dir, &c) != 0) {
        say(l, LINT_ERROR, "%.*s", STR_ARG(l->cx->error));
        return;
    }
    struct render_options o = {.release = {STR("test-release"), str_of(namespace), 0, false, false},
                               .capabilities = *capabilities,
                               .lint = true};
    struct rendered_list rendered;
    if (chart_process_dependencies(l->cx, c, values) != 0 ||
        values_coalesce(l->cx, c, values, false, &coalesced) != 0)
        return;
    if ((!skip_schema && values_validate(l->cx, c, coalesced) != 0) ||
        chart_render(l->cx, c, coalesced, &o, &rendered) != 0) {
        say(l, LINT_ERROR, "%.*s", STR_ARG(l->cx->error));
        return;
    }
    for (size_t i = 0; i < c->templates.n; i++)
        if (!lint_template(l, c, &c->templates.items[i], &rendered))
            return;
}

/* --- dependencies --- */
static void add_name(struct buf *b, struct str name)
{
    buf_printf(b, "%s%.*s", b->n ? "," : "", STR_ARG(name));
}

static void lint_dependencies(struct linter *l)
{
    struct chart *c;
    struct buf unlisted = {0}, absent = {0};
    l->path = "";
    if (chart_load(l->cx, l->dir, &c) != 0) {
        say(l, LINT_ERROR, "unable to load chart\n\t%.*s", STR_ARG(l->cx->error));
        return;
    }
    l->path = l->dir;
    for (size_t i = 0; i < c->dep_count; i++) {
        bool found = false;
        for (size_t k = 0; k < c->meta.dependency_count; k++)
            found = found || str_eq(c->meta.dependencies[k]->name, c->deps[i]->meta.name);
        if (!found)
            add_name(&unlisted, c->deps[i]->meta.name);
    }
    for (size_t k = 0; k < c->meta.dependency_count; k++) {
        bool found = false;
        for (size_t i = 0; i < c->dep_count; i++)
            found = found || str_eq(c->meta.dependencies[k]->name, c->deps[i]->meta.name);
        if (!found)
            add_name(&absent, c->meta.dependencies[k]->name);
    }
    if (unlisted.n)
        say(l, LINT_ERROR, "chart metadata is missing these dependencies: %s", buf_z(&unlisted));
    if (absent.n)
        say(l, LINT_WARNING, "chart directory is missing these dependencies: %s", buf_z(&absent));
    buf_done(&unlisted);
    buf_done(&absent);
}

static int lint_folder(struct chart_ctx *cx, const char *path, struct vmap *values,
                       const char *namespace, const struct capabilities *capabilities,
                       bool skip_schema, struct lint_result *ret)
{
    struct stat st;
    const char *dir = realpath(path, NULL);
    *ret = (struct lint_result){0};
    const char *kept = dir ? arena_z(cx->arena, str_of(dir)) : path;
    free((void *)dir);
    const char *file = arena_printf(cx->arena, "%s/Chart.yaml", kept).p;
    if (stat(file, &st) != 0)
        return chart_fail(cx,
                          "unable to check Chart.yaml file in chart: stat %s/Chart.yaml: no such "
                          "file or directory",
                          path);
    int64_t minor = 0;
    str_to_i64(capabilities->minor, &minor);
    struct linter l = {cx, kept, ret, "", (int)minor};
    lint_chart_file(&l);
    lint_values(&l, values);
    lint_templates(&l, values, namespace, capabilities, skip_schema);
    lint_dependencies(&l);
    return 0;
}

static int unpack(struct chart_ctx *cx, const char *path, const char *dir)
{
    struct buf packed = {0};
    struct chart_files files = {0};
    struct err err = {0};
    int status = file_read(path, CHART_MAX_TOTAL, &packed, &err);
    if (status == 0 && chart_read_archive(cx, buf_str(&packed), &files) != 0) {
        buf_done(&packed);
        return chart_wrap(cx, "unable to extract tarball");
    }
    buf_done(&packed);
    for (size_t i = 0; i < files.n && status == 0; i++) {
        const struct chart_file *f = &files.items[i];
        char *name = arena_z(cx->arena, arena_printf(cx->arena, "%s/%.*s", dir, STR_ARG(f->name)));
        char *slash = strrchr(name, '/');
        *slash = 0;
        status = file_mkdirs(name, 0700, &err);
        *slash = '/';
        if (status == 0)
            status = file_write(name, f->data, 0600, &err);
    }
    return status == 0 ? 0 : chart_fail(cx, "%s", err.message);
}

int chart_lint(struct chart_ctx *cx, const char *path, struct vmap *values, const char *namespace,
               const struct capabilities *capabilities, bool skip_schema, struct lint_result *ret)
{
    struct str name = str_of(path);
    if (!str_ends(name, STR(".tgz")) && !str_ends(name, STR(".tar.gz")))
        return lint_folder(cx, path, values, namespace, capabilities, skip_schema, ret);
    *ret = (struct lint_result){0};
    CLEANUP(mem_freep) char *dir = NULL;
    if (file_make_temp("helm-lint", &dir) != 0)
        return chart_fail(cx, "unable to create temp dir to extract tarball");
    int status = unpack(cx, path, dir);
    if (status == 0)
        status = lint_folder(cx, dir, values, namespace, capabilities, skip_schema, ret);
    struct err ignored;
    file_remove_tree(dir, &ignored);
    return status;
}

void lint_put(struct buf *b, const struct lint_message *m)
{
    static const char *const names[] = {"UNKNOWN", "INFO", "WARNING", "ERROR"};
    buf_printf(b, "[%s] %.*s: %.*s\n", names[m->severity], STR_ARG(m->path), STR_ARG(m->text));
}
