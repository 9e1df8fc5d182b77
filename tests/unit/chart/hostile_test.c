/* Charts that mean harm: each is refused with an error that says why, in a moment, and nothing
 * dies. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "chart/render.h"
#include "chart/values.h"
#include "template/template.h"
#include "test.h"

#define CHART_YAML "apiVersion: v2\nname: h\nversion: 1.0.0\n"

struct fixture {
    struct arena arena;
    struct chart_ctx cx;
    struct chart_files files;
};

static void begin(struct fixture *f)
{
    *f = (struct fixture){0};
    f->cx.arena = &f->arena;
}

static void end(struct fixture *f)
{
    arena_done(&f->arena);
}

static void file(struct fixture *f, const char *name, struct str text)
{
    chart_files_add(&f->arena, &f->files, str_of(name), text);
}

static void check_says(struct str error, const char *why)
{
    if (str_find(error, str_of(why)) < 0)
        test_fail(__FILE__, __LINE__, "\"%.*s\" does not say \"%s\"",
                  (int)(error.n < 400 ? error.n : 400), error.p, why);
}

/* head, then `count` times middle, then `count` times tail. */
static struct str nested(struct arena *a, const char *head, const char *middle, size_t count,
                         const char *tail)
{
    struct buf b = {0};
    buf_puts(&b, head);
    for (size_t i = 0; i < count; i++)
        buf_puts(&b, middle);
    for (size_t i = 0; i < count; i++)
        buf_puts(&b, tail);
    struct str text = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return text;
}

/* Nine of nine of nine …: a billion of the last. */
static struct str laughs(struct arena *a, const char *head)
{
    struct buf b = {0};
    buf_puts(&b, head);
    buf_puts(&b, "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n");
    for (int i = 1; i < 10; i++) {
        buf_printf(&b, "a%d: &a%d [", i, i);
        for (int k = 0; k < 9; k++)
            buf_printf(&b, "%s*a%d", k ? ", " : "", i - 1);
        buf_puts(&b, "]\n");
    }
    struct str text = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return text;
}

/* --- templates --- */
static const struct {
    const char *name, *text, *why;
} templates[] = {
    {"an include of itself",
     "{{ define \"a\" }}{{ include \"a\" . }}{{ end }}{{ include \"a\" . }}",
     "rendering template has a nested reference name: a"},
    {"two that include each other",
     "{{ define \"a\" }}{{ include \"b\" . }}{{ end }}{{ define \"b\" }}{{ include \"a\" . }}{{ "
     "end }}"
     "{{ include \"a\" . }}",
     "rendering template has a nested reference name: a"},
    {"a template of itself",
     "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}",
     "exceeded maximum template depth"},
    {"a tpl of itself", "{{ tpl .Values.again . }}", "tpl is nested more than 1000 deep"},
    {"a list of a billion", "{{ range until 1000000000 }}x{{ end }}", "output exceeds the limit"},
    {"a list longer than memory", "{{ untilStep 0 9000000000000000000 1 }}", "len out of range"},
    {"a long repetition", "{{ repeat 1000000000 \"abc\" }}", "output length overflow"},
    {"a text that doubles", "{{ $x := \"ab\" }}{{ range until 64 }}{{ $x = print $x $x }}{{ end }}",
     "output exceeds the limit"},
    {"much output", "{{ range until 10000 }}{{ range until 10000 }}0123456789{{ end }}{{ end }}",
     "output exceeds the limit"},
    {"wide numbers", "{{ range until 1000 }}{{ printf \"%999999d\" 1 }}{{ end }}",
     "output exceeds the limit"},
    {"replacements of replacements",
     "{{ regexReplaceAll \"\" (repeat 1000000 \"a\") (repeat 100000 \"x\") }}",
     "output exceeds the limit"},
    {"lists that share lists",
     "{{ $l := list 1 2 }}{{ range until 100 }}{{ $l = list $l $l }}{{ end }}{{ toRawJson $l }}|"
     "{{ $l | mustToJson }}",
     "unsupported value"},
    {"a map that holds itself", "{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ deepCopy $d }}",
     "nested too deeply"},
    {"a scrypt for ever",
     "{{ range until 100000 }}{{ derivePassword 1 \"long\" \"p\" \"u\" \"s\" }}{{ end }}",
     "exceeded the time limit"},
    {"keys for ever", "{{ range until 100000 }}{{ genPrivateKey \"rsa\" }}{{ end }}",
     "exceeded the time limit"},
    {"bcrypt for ever", "{{ range until 100000 }}{{ bcrypt \"x\" }}{{ end }}",
     "exceeded the time limit"},
    {"passwords for ever", "{{ range until 100000 }}{{ htpasswd \"u\" \"x\" }}{{ end }}",
     "exceeded the time limit"},
    {"loops for ever", "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}",
     "exceed"},
};

static void refuse_template(const char *text, const char *why)
{
    const struct tmpl_limits limits = {.max_ms = 500, .max_output = 32 << 20};
    struct fixture f;
    struct chart *c;
    struct vmap *all;
    struct rendered_list rendered;
    begin(&f);
    file(&f, "Chart.yaml", STR(CHART_YAML));
    file(&f, "values.yaml", STR("again: '{{ tpl .Values.again . }}'\n"));
    file(&f, "templates/a.yaml", str_of(text));
    CHECK(chart_load_files(&f.cx, &f.files, &c) == 0);
    CHECK(values_coalesce(&f.cx, c, NULL, false, &all) == 0);
    struct render_options o = {.capabilities = capabilities_default(&f.arena, NULL),
                               .limits = &limits};
    CHECK(chart_render(&f.cx, c, all, &o, &rendered) == -1);
    check_says(f.cx.error, why);
    end(&f);
}

TEST(templates_without_end_are_ended)
{
    for (size_t i = 0; i < ARRAY_LEN(templates); i++)
        refuse_template(templates[i].text, templates[i].why);
}

TEST(deeply_nested_templates_do_not_parse)
{
    struct arena a = {0};
    refuse_template(nested(&a, "{{ ", "(", 200000, ")").p, "parse error");
    refuse_template(nested(&a, "", "{{ if true }}", 100000, "{{ end }}").p,
                    "max nesting of blocks");
    arena_done(&a);
}

/* --- documents --- */
static void refuse_file(const char *name, struct str (*make)(struct arena *a, const char *head),
                        const char *head, const char *why)
{
    struct fixture f;
    struct chart *c;
    begin(&f);
    if (strcmp(name, "Chart.yaml") != 0)
        file(&f, "Chart.yaml", STR(CHART_YAML));
    file(&f, name, make(&f.arena, head));
    CHECK(chart_load_files(&f.cx, &f.files, &c) == -1);
    check_says(f.cx.error, why);
    end(&f);
}

static struct str deep_yaml(struct arena *a, const char *head)
{
    return nested(a, head, "[", 200000, "]");
}

TEST(documents_that_grow_are_refused)
{
    refuse_file("values.yaml", laughs, "", "excessive aliasing");
    refuse_file("Chart.yaml", laughs, CHART_YAML, "excessive aliasing");
    refuse_file("values.yaml", deep_yaml, "a: ", "exceeded max depth");
}

static void refuse_schema(const char *schema, const char *values, const char *why)
{
    struct fixture f;
    struct vmap *v;
    begin(&f);
    CHECK(values_read_yaml(&f.cx, str_of(values), &v) == 0);
    CHECK(values_validate_schema(&f.cx, str_of(schema), v) == -1);
    check_says(f.cx.error, why);
    end(&f);
}

TEST(schemas_that_lead_in_a_circle_are_ended)
{
    refuse_schema(
        "{\"$ref\":\"#/definitions/a\",\"definitions\":{\"a\":{\"$ref\":\"#/definitions/b\"},"
        "\"b\":{\"$ref\":\"#/definitions/a\"}}}",
        "a: 1", "in a circle");
    refuse_schema(
        "{\"$ref\":\"#/definitions/a\",\"definitions\":{\"a\":{\"properties\":{\"a\":{\"$ref\":"
        "\"#/definitions/a\"}},\"allOf\":[{\"$ref\":\"#/definitions/a\"}]}}}",
        "a: {a: {a: 1}}", "in a circle");
}

/* --- folders --- */
struct folder {
    char path[32];
};

static void folder_begin(struct folder *d)
{
    struct err err;
    strcpy(d->path, "/tmp/hostile-test-XXXXXX");
    CHECK(mkdtemp(d->path) != NULL);
    char name[64];
    snprintf(name, sizeof(name), "%s/Chart.yaml", d->path);
    CHECK_OK(file_write(name, STR(CHART_YAML), 0600, &err), &err);
}

static void folder_end(struct folder *d)
{
    struct err err;
    CHECK_OK(file_remove_tree(d->path, &err), &err);
}

static void refuse_link(const char *target, const char *why)
{
    struct folder d;
    struct fixture f;
    struct chart *c;
    char name[64];
    folder_begin(&d);
    begin(&f);
    snprintf(name, sizeof(name), "%s/secret", d.path);
    CHECK_INT(symlink(target, name), 0);
    CHECK(chart_load(&f.cx, d.path, &c) == -1);
    check_says(f.cx.error, why);
    end(&f);
    folder_end(&d);
}

TEST(links_that_lead_out_are_refused)
{
    refuse_link("/etc/passwd", "leads out of the chart, to /etc/passwd");
    refuse_link("/etc", "leads out of the chart, to /etc");
    refuse_link("/dev/zero", "leads out of the chart");
    refuse_link("secret", "error evaluating symlink");
    refuse_link(".", "symlink"); /* the folder in itself, until the system ends it */
}

TEST(links_inside_are_followed)
{
    struct folder d;
    struct fixture f;
    struct chart *c = NULL;
    char name[64];
    folder_begin(&d);
    begin(&f);
    snprintf(name, sizeof(name), "%s/copy.txt", d.path);
    CHECK_INT(symlink("Chart.yaml", name), 0);
    CHECK(chart_load(&f.cx, d.path, &c) == 0);
    CHECK(chart_files_find(&c->raw, "copy.txt") != NULL);
    end(&f);
    folder_end(&d);
}
