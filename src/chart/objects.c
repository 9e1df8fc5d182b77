#include "chart/objects.h"

#include "template/pathmatch.h"
#include "chart/values.h"

/* --- YAML of a map, as the methods below give it --- */
static int to_yaml(struct tmpl_exec *x, struct value v, bool trim, struct value *ret)
{
    struct doc d;
    struct err err;
    struct buf b = {0};
    val *root;
    doc_init(&d);
    int status = 0;
    if (value_to_val(&d, tmpl_arena(x), v, &root, &err) != 0) {
        status = trim ? 0 : tmpl_fail(x, "%s", err.message);
    } else {
        val_write_yaml(root, &b);
        status = tmpl_spend(x, b.n);
    }
    struct str text = b.p ? buf_str(&b) : STR("");
    if (trim && str_ends(text, STR("\n")))
        text.n--;
    *ret = tmpl_str(x, text);
    buf_done(&b);
    doc_done(&d);
    return status;
}

/* --- chartutil.Values --- */
static int values_as_map(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    (void)n;
    *ret = vmap_len(args[0].map) ? value_map(&type_map, args[0].map)
                                 : value_map_new(tmpl_arena(x), &type_map);
    return 0;
}

static int values_yaml(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    (void)n;
    return to_yaml(x, args[0], false, ret);
}

static int values_table_method(struct tmpl_exec *x, const struct value *args, size_t n,
                               struct value *ret)
{
    (void)n;
    struct str missing;
    struct vmap *table = values_table(args[0].map, value_text(args[1]), &missing);
    if (!table)
        return tmpl_fail(x, "\"%.*s\" is not a table", STR_ARG(missing));
    *ret = value_map(&type_values, table);
    return 0;
}

static int values_path_value(struct tmpl_exec *x, const struct value *args, size_t n,
                             struct value *ret)
{
    (void)n;
    struct str path = value_text(args[1]);
    if (path.n == 0)
        return tmpl_fail(x, "YAML path cannot be empty");
    if (values_path(args[0].map, path, ret))
        return 0;
    struct str key = path;
    for (size_t i = path.n; i-- > 0;)
        if (path.p[i] == '.') {
            key = str_from(path, i + 1);
            break;
        }
    return tmpl_fail(x, "\"%.*s\" is not a value", STR_ARG(key));
}

static const struct func values_methods[] = {
    {"AsMap", values_as_map, {&type_values}, &type_map},
    {"PathValue", values_path_value, {&type_values, &type_string}, &type_any},
    {"Table", values_table_method, {&type_values, &type_string}, &type_values},
    {"YAML", values_yaml, {&type_values}, &type_string},
    {0},
};

const struct gotype type_values = {
    .kind = KIND_MAP,
    .name = "chartutil.Values",
    .defined = true,
    .elem = &type_any,
    .methods = values_methods,
};

/* --- engine.files --- */
static const struct gotype type_files;

static struct str file_data(const struct value *files, struct value name)
{
    struct value *v = vmap_get(files->map, value_text(name));
    return v ? value_text(*v) : STR("");
}

static int files_get_bytes(struct tmpl_exec *x, const struct value *args, size_t n,
                           struct value *ret)
{
    (void)x, (void)n;
    *ret = value_bytes(file_data(&args[0], args[1]));
    return 0;
}

static int files_get(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    (void)x, (void)n;
    *ret = value_str(file_data(&args[0], args[1]));
    return 0;
}

/* A pattern that does not compile stands for everything. */
static int files_glob(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    (void)n;
    struct arena *a = tmpl_arena(x);
    if (tmpl_check_time(x) < 0)
        return -1;
    const struct glob *g = glob_compile(a, value_text(args[1]));
    *ret = value_map_new(a, &type_files);
    for (size_t i = 0; i < vmap_len(args[0].map); i++) {
        const struct vmap_entry *e = &args[0].map->entries[i];
        if (!g || glob_match(g, e->key))
            vmap_set(ret->map, e->key, e->value);
    }
    return 0;
}

static int files_as_config(struct tmpl_exec *x, const struct value *args, size_t n,
                           struct value *ret)
{
    (void)n;
    struct value m = value_map_new(tmpl_arena(x), &type_map_strings);
    for (size_t i = 0; i < vmap_len(args[0].map); i++) {
        const struct vmap_entry *e = &args[0].map->entries[i];
        vmap_set(m.map, path_base(e->key), value_str(value_text(e->value)));
    }
    return to_yaml(x, m, true, ret);
}

/* []uint8 is base64 in JSON and YAML. */
static int files_as_secrets(struct tmpl_exec *x, const struct value *args, size_t n,
                            struct value *ret)
{
    (void)n;
    struct value m = value_map_new(tmpl_arena(x), &type_map);
    for (size_t i = 0; i < vmap_len(args[0].map); i++) {
        const struct vmap_entry *e = &args[0].map->entries[i];
        vmap_set(m.map, path_base(e->key), e->value);
    }
    return to_yaml(x, m, true, ret);
}

static int files_lines(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    (void)n;
    struct str text = file_data(&args[0], args[1]), line;
    if (str_ends(text, STR("\n")))
        text.n--;
    size_t count = 1, i = 0;
    for (size_t k = 0; k < text.n; k++)
        count += text.p[k] == '\n';
    bool empty = file_data(&args[0], args[1]).n == 0;
    *ret = value_slice_new(tmpl_arena(x), &type_strings, empty ? 0 : count);
    for (bool more = !empty; more;) {
        more = str_cut(text, '\n', &line, &text);
        ret->items[i++] = value_str(line);
    }
    return 0;
}

static const struct func files_methods[] = {
    {"AsConfig", files_as_config, {&type_files}, &type_string},
    {"AsSecrets", files_as_secrets, {&type_files}, &type_string},
    {"Get", files_get, {&type_files, &type_string}, &type_string},
    {"GetBytes", files_get_bytes, {&type_files, &type_string}, &type_bytes},
    {"Glob", files_glob, {&type_files, &type_string}, &type_files},
    {"Lines", files_lines, {&type_files, &type_string}, &type_strings},
    {0},
};

static const struct gotype type_files = {
    .kind = KIND_MAP,
    .name = "engine.files",
    .defined = true,
    .elem = &type_bytes,
    .methods = files_methods,
};

struct value chart_files_value(struct arena *a, const struct chart_files *f)
{
    struct vmap *m = vmap_new(a, f->n);
    for (size_t i = 0; i < f->n; i++)
        vmap_set(m, f->items[i].name, value_bytes(f->items[i].data));
    return value_map(&type_files, m);
}

/* --- chart.Metadata --- */
static const struct gotype type_maintainer = {
    .kind = KIND_STRUCT,
    .name = "chart.Maintainer",
    .defined = true,
    .fields = (const struct gofield[]){{"Name", &type_string, "name", true},
                                       {"Email", &type_string, "email", true},
                                       {"URL", &type_string, "url", true},
                                       {0}},
};
static const struct gotype type_maintainer_ptr = {
    .kind = KIND_PTR, .name = "*chart.Maintainer", .elem = &type_maintainer};
static const struct gotype type_maintainers = {
    .kind = KIND_SLICE, .name = "[]*chart.Maintainer", .elem = &type_maintainer_ptr};

static const struct gotype type_dependency = {
    .kind = KIND_STRUCT,
    .name = "chart.Dependency",
    .defined = true,
    .fields = (const struct gofield[]){{"Name", &type_string, "name"},
                                       {"Version", &type_string, "version", true},
                                       {"Repository", &type_string, "repository"},
                                       {"Condition", &type_string, "condition", true},
                                       {"Tags", &type_strings, "tags", true},
                                       {"Enabled", &type_bool, "enabled", true},
                                       {"ImportValues", &type_list, "import-values", true},
                                       {"Alias", &type_string, "alias", true},
                                       {0}},
};
static const struct gotype type_dependency_ptr = {
    .kind = KIND_PTR, .name = "*chart.Dependency", .elem = &type_dependency};
static const struct gotype type_dependencies = {
    .kind = KIND_SLICE, .name = "[]*chart.Dependency", .elem = &type_dependency_ptr};

static const struct gotype type_metadata = {
    .kind = KIND_STRUCT,
    .name = "chart.Metadata",
    .defined = true,
    .fields = (const struct gofield[]){{"Name", &type_string, "name", true},
                                       {"Home", &type_string, "home", true},
                                       {"Sources", &type_strings, "sources", true},
                                       {"Version", &type_string, "version", true},
                                       {"Description", &type_string, "description", true},
                                       {"Keywords", &type_strings, "keywords", true},
                                       {"Maintainers", &type_maintainers, "maintainers", true},
                                       {"Icon", &type_string, "icon", true},
                                       {"APIVersion", &type_string, "apiVersion", true},
                                       {"Condition", &type_string, "condition", true},
                                       {"Tags", &type_string, "tags", true},
                                       {"AppVersion", &type_string, "appVersion", true},
                                       {"Deprecated", &type_bool, "deprecated", true},
                                       {"Annotations", &type_map_strings, "annotations", true},
                                       {"KubeVersion", &type_string, "kubeVersion", true},
                                       {"Dependencies", &type_dependencies, "dependencies", true},
                                       {"Type", &type_string, "type", true},
                                       {0}},
};

static const struct gotype type_chart = {
    .kind = KIND_STRUCT,
    .name = "struct { chart.Metadata; IsRoot bool }",
    .fields = (const struct gofield[]){{"Metadata", &type_metadata, "", .embedded = true},
                                       {"IsRoot", &type_bool},
                                       {0}},
};

static void set_text(struct value v, const char *field, struct str text)
{
    value_set_field(v, field, value_str(text));
}

static void set_texts(struct arena *a, struct value v, const char *field, struct chart_strs texts)
{
    if (!texts.items)
        return;
    struct value list = value_slice_new(a, &type_strings, texts.n);
    for (size_t i = 0; i < texts.n; i++)
        list.items[i] = value_str(texts.items[i]);
    value_set_field(v, field, list);
}

static struct value maintainers_value(struct arena *a, const struct chart_meta *m)
{
    struct value list = value_slice_new(a, &type_maintainers, m->maintainer_count);
    for (size_t i = 0; i < m->maintainer_count; i++) {
        struct value v = value_struct_new(a, &type_maintainer_ptr);
        set_text(v, "Name", m->maintainers[i]->name);
        set_text(v, "Email", m->maintainers[i]->email);
        set_text(v, "URL", m->maintainers[i]->url);
        list.items[i] = v;
    }
    return list;
}

static struct value dependencies_value(struct arena *a, struct chart_dependency *const *entries,
                                       size_t n)
{
    struct value list = value_slice_new(a, &type_dependencies, n);
    for (size_t i = 0; i < n; i++) {
        const struct chart_dependency *d = entries[i];
        struct value v = value_struct_new(a, &type_dependency_ptr);
        set_text(v, "Name", d->name);
        set_text(v, "Version", d->version);
        set_text(v, "Repository", d->repository);
        set_text(v, "Condition", d->condition);
        set_texts(a, v, "Tags", d->tags);
        value_set_field(v, "Enabled", value_bool(d->enabled));
        if (d->import_values.type == &type_list)
            value_set_field(v, "ImportValues", d->import_values);
        set_text(v, "Alias", d->alias);
        list.items[i] = v;
    }
    return list;
}

struct value chart_metadata_value(struct arena *a, const struct chart_meta *m)
{
    struct value v = value_struct_new(a, &type_metadata);
    set_text(v, "Name", m->name);
    set_text(v, "Home", m->home);
    set_texts(a, v, "Sources", m->sources);
    set_text(v, "Version", m->version);
    set_text(v, "Description", m->description);
    set_texts(a, v, "Keywords", m->keywords);
    if (m->maintainers)
        value_set_field(v, "Maintainers", maintainers_value(a, m));
    set_text(v, "Icon", m->icon);
    set_text(v, "APIVersion", m->api_version);
    set_text(v, "Condition", m->condition);
    set_text(v, "Tags", m->tags);
    set_text(v, "AppVersion", m->app_version);
    value_set_field(v, "Deprecated", value_bool(m->deprecated));
    if (m->annotations)
        value_set_field(v, "Annotations", value_map(&type_map_strings, m->annotations));
    set_text(v, "KubeVersion", m->kube_version);
    if (m->has_dependencies)
        value_set_field(v, "Dependencies",
                        dependencies_value(a, m->dependencies, m->dependency_count));
    set_text(v, "Type", m->type);
    return v;
}

struct value chart_value(struct arena *a, const struct chart *c)
{
    struct value v = value_struct_new(a, &type_chart);
    value_set_field(v, "Metadata", chart_metadata_value(a, &c->meta));
    value_set_field(v, "IsRoot", value_bool(c->parent == NULL));
    return v;
}

/* --- chart.Lock --- */
static const struct gotype type_lock = {
    .kind = KIND_STRUCT,
    .name = "chart.Lock",
    .defined = true,
    .fields = (const struct gofield[]){{"Generated", &type_string, "generated"},
                                       {"Digest", &type_string, "digest"},
                                       {"Dependencies", &type_dependencies, "dependencies"},
                                       {0}},
};

struct value chart_lock_value(struct arena *a, const struct chart_lock *l)
{
    struct value v = value_struct_new(a, &type_lock);
    set_text(v, "Generated", l->generated);
    set_text(v, "Digest", l->digest);
    if (l->dependencies)
        value_set_field(v, "Dependencies",
                        dependencies_value(a, l->dependencies, l->dependency_count));
    return v;
}

struct value chart_dependencies_value(struct arena *a, struct chart_dependency *const *entries,
                                      size_t n)
{
    return dependencies_value(a, entries, n);
}
