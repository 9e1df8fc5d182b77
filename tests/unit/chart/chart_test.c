/* Charts made in memory: loading, values, dependencies, schemas, rendering. */
#include <stdio.h>
#include <string.h>

#include "chart/ignore.h"
#include "chart/package.h"
#include "template/pathmatch.h"
#include "chart/render.h"
#include "chart/values.h"
#include "test.h"

struct fixture {
    struct arena arena;
    struct buf warnings;
    struct chart_ctx cx;
    struct chart_files files;
};

static void begin(struct fixture *f)
{
    *f = (struct fixture){0};
    f->cx = (struct chart_ctx){.arena = &f->arena, .warnings = &f->warnings};
}

static void end(struct fixture *f)
{
    buf_done(&f->warnings);
    arena_done(&f->arena);
}

static void file(struct fixture *f, const char *name, const char *text)
{
    chart_files_add(&f->arena, &f->files, str_of(name), str_of(text));
}

static struct chart *load(struct fixture *f)
{
    struct chart *c = NULL;
    if (chart_load_files(&f->cx, &f->files, &c) != 0)
        test_fail(__FILE__, __LINE__, "%.*s", STR_ARG(f->cx.error));
    return c;
}

static void check_refused(struct fixture *f, const char *why)
{
    struct chart *c;
    CHECK(chart_load_files(&f->cx, &f->files, &c) == -1);
    CHECK_STR(f->cx.error, why);
}

static struct vmap *yaml(struct fixture *f, const char *text)
{
    struct vmap *m;
    CHECK(values_read_yaml(&f->cx, str_of(text), &m) == 0);
    return m;
}

static void check_values(struct fixture *f, const struct vmap *m, const char *json)
{
    struct doc d;
    struct err err;
    struct buf b = {0};
    val *v;
    doc_init(&d);
    CHECK_OK(value_to_val(&d, &f->arena, value_map(&type_map, (struct vmap *)m), &v, &err), &err);
    val_write_json(v, &b);
    CHECK_STR(buf_str(&b), json);
    buf_done(&b);
    doc_done(&d);
}

#define CHART_YAML "apiVersion: v2\nname: top\nversion: 1.0.0\n"

TEST(chart_without_chart_yaml_is_refused)
{
    struct fixture f;
    begin(&f);
    file(&f, "values.yaml", "a: 1");
    check_refused(&f, "Chart.yaml file is missing");
    end(&f);
}

TEST(chart_names_lead_nowhere)
{
    static const char *const names[][2] = {
        {"..", "validation: chart.metadata.name \"..\" is not allowed"},
        {"a/b", "validation: chart.metadata.name \"a/b\" is invalid"},
        {"''", "validation: chart.metadata.name is required"},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct fixture f;
        begin(&f);
        struct str text =
            arena_printf(&f.arena, "apiVersion: v2\nname: %s\nversion: 1.0.0\n", names[i][0]);
        file(&f, "Chart.yaml", text.p);
        check_refused(&f, names[i][1]);
        end(&f);
    }
}

TEST(chart_numbers_become_text)
{
    struct fixture f;
    begin(&f);
    file(&f, "Chart.yaml", "name: a\nversion: 1.10\nappVersion: 2\ndeprecated: true\n");
    struct chart *c = load(&f);
    CHECK_STR(c->meta.version, "1.1");
    CHECK_STR(c->meta.app_version, "2");
    CHECK_STR(c->meta.api_version, "v1");
    CHECK(c->meta.deprecated);
    end(&f);
}

TEST(chart_yaml_of_wrong_types_is_refused_in_go_words)
{
    struct fixture f;
    begin(&f);
    file(&f, "Chart.yaml", "name: a\nversion: 1.0.0\ndependencies: x\n");
    check_refused(&f, "cannot load Chart.yaml: error unmarshaling JSON: while decoding JSON: json: "
                      "cannot unmarshal string into Go struct field Metadata.dependencies of type "
                      "[]*chart.Dependency");
    end(&f);
}

TEST(charts_inside_are_found_and_hidden_ones_are_not)
{
    struct fixture f;
    begin(&f);
    file(&f, "Chart.yaml", CHART_YAML);
    file(&f, "charts/sub/Chart.yaml", "name: sub\nversion: 0.1.0\n");
    file(&f, "charts/sub/templates/a.yaml", "");
    file(&f, "charts/_no/Chart.yaml", "name: no\nversion: 0.1.0\n");
    file(&f, "charts/.no/Chart.yaml", "name: no\nversion: 0.1.0\n");
    file(&f, "charts/README.md", "");
    f.files.n--; /* a lone file there is no chart */
    struct chart *c = load(&f);
    CHECK_INT(c->dep_count, 1);
    CHECK_STR(chart_full_path(&f.arena, c->deps[0]), "top/charts/sub");
    end(&f);
}

TEST(values_of_the_user_win_and_null_removes)
{
    struct fixture f;
    struct vmap *all;
    begin(&f);
    file(&f, "Chart.yaml", CHART_YAML);
    file(&f, "values.yaml", "a: {x: 1, q: 2}\nb: [1, 2]\nc: null\nd: 4\n");
    struct chart *c = load(&f);
    struct vmap *user = yaml(&f, "a: {q: null, z: 3}\nb: [9]\nd: null\n");
    CHECK(values_coalesce(&f.cx, c, user, false, &all) == 0);
    check_values(&f, all, "{\"a\":{\"x\":1,\"z\":3},\"b\":[9],\"c\":null}");
    check_values(&f, user, "{\"a\":{\"q\":null,\"z\":3},\"b\":[9],\"d\":null}");
    end(&f);
}

TEST(values_global_reaches_the_charts_inside)
{
    struct fixture f;
    struct vmap *all;
    begin(&f);
    file(&f, "Chart.yaml", CHART_YAML);
    file(&f, "values.yaml", "global: {a: top}\nsub: {own: 1}\n");
    file(&f, "charts/sub/Chart.yaml", "name: sub\nversion: 0.1.0\n");
    file(&f, "charts/sub/values.yaml", "global: {a: sub, b: sub}\nown: 2\nmore: 3\n");
    struct chart *c = load(&f);
    CHECK(values_coalesce(&f.cx, c, NULL, false, &all) == 0);
    check_values(&f, all,
                 "{\"global\":{\"a\":\"top\"},\"sub\":{\"global\":{\"a\":\"top\",\"b\":\"sub\"},"
                 "\"more\":3,\"own\":1}}");
    end(&f);
}

static void add_subs(struct fixture *f, const char *dependencies)
{
    struct str text = arena_printf(&f->arena, "%sdependencies:\n%s", CHART_YAML, dependencies);
    file(f, "Chart.yaml", text.p);
    file(f, "charts/sub/Chart.yaml", "name: sub\nversion: 1.2.0\n");
    file(f, "charts/sub/values.yaml", "exports: {data: {from: sub}}\ndeep: {v: 1}\n");
}

TEST(dependencies_follow_conditions_and_tags)
{
    static const struct {
        const char *entry, *values;
        size_t left;
    } cases[] = {
        {"- {name: sub, version: 1.x.x, condition: 'sub.use'}", "sub: {use: false}", 0},
        {"- {name: sub, version: 1.x.x, condition: 'nope.use,sub.use'}", "sub: {use: true}", 1},
        {"- {name: sub, version: 1.x.x, tags: [a, b]}", "tags: {a: false}", 0},
        {"- {name: sub, version: 1.x.x, tags: [a, b]}", "tags: {a: false, b: true}", 1},
        {"- {name: sub, version: 1.x.x, tags: [a], condition: sub.use}",
         "tags: {a: false}\nsub: {use: true}", 1},
        {"- {name: sub, version: ^2.0.0}", "{}", 1}, /* does not fit: stays as if not named */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        begin(&f);
        add_subs(&f, cases[i].entry);
        struct chart *c = load(&f);
        CHECK(chart_process_dependencies(&f.cx, c, yaml(&f, cases[i].values)) == 0);
        CHECK_INT(c->dep_count, cases[i].left);
        end(&f);
    }
}

TEST(dependencies_take_their_alias)
{
    struct fixture f;
    begin(&f);
    add_subs(&f, "- {name: sub, version: 1.2.0, alias: one}\n- {name: sub, version: 1.2.0, alias: "
                 "two}\n");
    struct chart *c = load(&f);
    CHECK(chart_process_dependencies(&f.cx, c, NULL) == 0);
    CHECK_INT(c->dep_count, 2);
    CHECK_STR(c->deps[0]->meta.name, "one");
    CHECK_STR(c->deps[1]->meta.name, "two");
    end(&f);
}

TEST(dependencies_export_values)
{
    struct fixture f;
    begin(&f);
    add_subs(&f, "- name: sub\n  version: 1.2.0\n  import-values:\n  - data\n  - {child: deep, "
                 "parent: mine.deep}\n");
    struct chart *c = load(&f);
    CHECK(chart_process_dependencies(&f.cx, c, NULL) == 0);
    struct value v;
    CHECK(values_path(c->values, STR("from"), &v));
    CHECK_STR(value_text(v), "sub");
    CHECK(values_path(c->values, STR("mine.deep.v"), &v));
    end(&f);
}

TEST(schemas_say_what_does_not_fit)
{
    struct fixture f;
    begin(&f);
    file(&f, "Chart.yaml", CHART_YAML);
    file(&f, "values.schema.json",
         "{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"type\":\"object\","
         "\"required\":[\"b\"],\"additionalProperties\":false,\"definitions\":{\"n\":{\"type\":"
         "\"integer\",\"minimum\":10}},\"properties\":{\"a\":{\"$ref\":\"#/definitions/n\"},"
         "\"b\":{},\"c\":{\"anyOf\":[{\"type\":\"null\"},{\"enum\":[\"x\",1]}]}}}");
    struct chart *c = load(&f);
    CHECK(values_validate(&f.cx, c, yaml(&f, "{a: 10, b: 1, c: x}")) == 0);
    CHECK(values_validate(&f.cx, c, yaml(&f, "{a: 5, c: z, d: 1}")) == -1);
    CHECK_STR(f.cx.error,
              "values don't meet the specifications of the schema(s) in the following chart(s):\n"
              "top:\n"
              "- at '': missing property 'b'\n"
              "- at '/a': minimum: got 5, want 10\n"
              "- at '/c': 'anyOf' failed\n"
              "  - at '/c': got string, want null\n"
              "  - at '/c': value must be one of 'x', 1\n"
              "- at '': additional properties 'd' not allowed\n");
    end(&f);
}

TEST(schemas_that_point_nowhere_are_errors)
{
    struct fixture f;
    begin(&f);
    file(&f, "Chart.yaml", CHART_YAML);
    file(&f, "values.schema.json", "{\"$ref\":\"#/nope\"}");
    struct chart *c = load(&f);
    CHECK(values_validate(&f.cx, c, yaml(&f, "a: 1")) == -1);
    CHECK_STR(f.cx.error,
              "values don't meet the specifications of the schema(s) in the following chart(s):\n"
              "top:\njson-pointer in \"file:///values.schema.json#/nope\" not found");
    end(&f);
}

TEST(ignored_files)
{
    static const struct {
        const char *rules, *path;
        bool is_dir, ignored;
    } cases[] = {
        {"*.txt", "a.txt", false, true},
        {"*.txt", "d/a.txt", false, true},
        {"/a.txt", "d/a.txt", false, false},
        {"d/*.txt", "d/a.txt", false, true},
        {"d/", "d", true, true},
        {"d/", "d", false, false},
        {"# a\n\nb", "b", false, true},
        {"!b", "a", false, true},
        {"!b", "b", false, false},
        {"", "templates/.x", false, true},
        {"", "templates/x", false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        struct ignore_rules rules;
        begin(&f);
        CHECK(ignore_parse(&f.cx, str_of(cases[i].rules), &rules) == 0);
        CHECK_INT(ignore_path(&rules, str_of(cases[i].path), cases[i].is_dir), cases[i].ignored);
        end(&f);
    }
}

TEST(paths_match)
{
    CHECK_INT(path_match(STR("a*/b"), STR("abc/b")), 1);
    CHECK_INT(path_match(STR("a*"), STR("ab/c")), 0);
    CHECK_INT(path_match(STR("a[^b-d]e"), STR("axe")), 1);
    CHECK_INT(path_match(STR("a[^b-d]e"), STR("ace")), 0);
    CHECK_INT(path_match(STR("a\\*b"), STR("a*b")), 1);
    CHECK_INT(path_match(STR("[a"), STR("b")), -1);
    CHECK_INT(path_match(STR("*a[x-]"), STR("zax")), -1);
}

TEST(globs_match)
{
    static const struct {
        const char *pattern, *name;
        bool matches;
    } cases[] = {
        {"files/*.yaml", "files/a.yaml", true},
        {"files/*.yaml", "files/d/a.yaml", false},
        {"files/**.yaml", "files/d/a.yaml", true},
        {"**", "a/b/c", true},
        {"{a,b*}/x", "bcd/x", true},
        {"{a,b*}/x", "c/x", false},
        {"a?c", "abc", true},
        {"a?c", "a/c", false},
        {"[!a]b", "xb", true},
        {"[a-c]b", "db", false},
        {"", "", true},
        {"", "a", false},
    };
    struct arena a = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct glob *g = glob_compile(&a, str_of(cases[i].pattern));
        CHECK(g != NULL);
        CHECK_INT(glob_match(g, str_of(cases[i].name)), cases[i].matches);
    }
    CHECK(glob_compile(&a, STR("{a")) == NULL);
    arena_done(&a);
}

TEST(documents_are_split_as_helm_splits_them)
{
    struct fixture f;
    struct manifests hooks, generic;
    begin(&f);
    struct rendered item = {
        STR("top/templates/a.yaml"),
        STR("---\n# x\nkind: Service\nmetadata: {name: s}\n---\n\n---\nkind: Secret\n  "
            "\n---\nkind: "
            "Zeta\n---\nkind: Job\nmetadata: {annotations: {helm.sh/hook: 'pre-install, test', "
            "helm.sh/hook-weight: '-5'}}\n")};
    struct rendered_list list = {&item, 1};
    CHECK(manifests_sort(&f.cx, &list, &hooks, &generic) == 0);
    CHECK_INT(generic.n, 3);
    CHECK_STR(generic.items[0].content, "---\nkind: Secret");
    CHECK_STR(generic.items[1].kind, "Service");
    CHECK_STR(generic.items[2].kind, "Zeta");
    CHECK_INT(hooks.n, 1);
    CHECK_INT(hooks.items[0].weight, -5);
    CHECK_INT(hooks.items[0].events, 1 << HOOK_PRE_INSTALL | 1 << HOOK_TEST);
    end(&f);
}

TEST(rendering_shows_a_chart_its_objects)
{
    struct fixture f;
    struct rendered_list rendered;
    struct vmap *all;
    begin(&f);
    file(&f, "Chart.yaml", CHART_YAML "appVersion: '7'\n");
    file(&f, "values.yaml", "a: 1\n");
    file(&f, "files/x.txt", "one\ntwo\n");
    file(&f, "templates/_h.tpl", "{{ define \"t\" }}{{ .Chart.Name }}{{ end }}");
    file(&f, "templates/a.yaml",
         "{{ include \"t\" . }} {{ .Release.Name }}/{{ .Release.Namespace }} {{ .Values.a }} "
         "{{ .Chart.AppVersion }} {{ .Template.Name }} {{ .Capabilities.KubeVersion }} "
         "{{ .Capabilities.APIVersions.Has \"apps/v1\" }} {{ .Files.Lines \"files/x.txt\" }} "
         "{{ (.Files.Glob \"files/*\").AsSecrets }} {{ .Values.nope }}|{{ .Release.IsInstall }}");
    struct chart *c = load(&f);
    struct render_options o = {.release = {STR("rel"), STR("ns"), 1, false, true},
                               .capabilities = capabilities_default(&f.arena, NULL)};
    CHECK(values_coalesce(&f.cx, c, NULL, false, &all) == 0);
    CHECK(chart_render(&f.cx, c, all, &o, &rendered) == 0);
    CHECK_INT(rendered.n, 1);
    CHECK_STR(rendered.items[0].text, "top rel/ns 1 7 top/templates/a.yaml v1.37.0 true [one two] "
                                      "x.txt: b25lCnR3bwo= |true");
    end(&f);
}

TEST(rendering_tells_a_charts_own_message)
{
    struct fixture f;
    struct rendered_list rendered;
    begin(&f);
    file(&f, "Chart.yaml", CHART_YAML);
    file(&f, "templates/a.yaml", "{{ fail \"no\" }}");
    struct chart *c = load(&f);
    struct render_options o = {.capabilities = capabilities_default(&f.arena, NULL)};
    CHECK(chart_render(&f.cx, c, vmap_new(&f.arena, 0), &o, &rendered) == -1);
    CHECK_STR(f.cx.error, "execution error at (top/templates/a.yaml:1:3): no");
    end(&f);
}

TEST(packed_charts_come_back)
{
    struct fixture f;
    const char *path;
    char dir[] = "/tmp/chart-test-XXXXXX";
    begin(&f);
    file(&f, "Chart.yaml", CHART_YAML);
    file(&f, "values.yaml", "a: 1\n");
    struct str long_name = arena_printf(&f.arena, "templates/%0200d/%0130d.yaml", 1, 2);
    file(&f, long_name.p, "x");
    struct chart *c = load(&f), *back;
    CHECK(mkdtemp(dir) != NULL);
    CHECK(chart_save(&f.cx, c, dir, &path) == 0);
    CHECK(chart_load(&f.cx, path, &back) == 0);
    CHECK_STR(back->meta.name, "top");
    CHECK_INT(back->templates.n, 1);
    CHECK(str_eq(back->templates.items[0].name, long_name));
    unlink(path);
    rmdir(dir);
    end(&f);
}
