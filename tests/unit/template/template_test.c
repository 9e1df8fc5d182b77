/* What templates do: template.golden holds Go's own answers; the rest is about sets and limits. */
#include "base/file.h"
#include "template/gofmt.h"
#include "functions.h"
#include "test.h"

static const char data[] =
    "{\"Values\": {\"s\": \"str\", \"i\": 3, \"f\": 1.5, \"big\": 1e30, \"neg\": -7, \"z\": 0,"
    " \"t\": true, \"n\": null, \"e\": \"\", \"l\": [1, \"a\", null, {\"k\": \"v\"}, [1, 2]],"
    " \"m\": {\"k\": \"v\", \"a\": 1, \"n\": null, \"mm\": {\"x\": 1}}, \"el\": [], \"em\": {},"
    " \"u\": \"h\\u00e9llo \\u2603 \\ud83d\\ude00\", \"tpl\": \"{{ .Values.s }}-{{ .nope }}\","
    " \"html\": \"<a href='x'>&\\\"=\\\\\", \"million\": 1000000, \"small\": 0.000001},"
    " \"x\": \"X\", \"l\": [\"c\", \"b\", \"a\"]}";

/* A set, an arena and the data. */
struct fixture {
    struct tmpl_set *set;
    struct arena arena;
    struct doc doc;
    struct value dot;
    struct buf out;
    struct str error; /* of the last call, in the arena */
};

static void fixture_init(struct fixture *f)
{
    *f = (struct fixture){0};
    f->set = tmpl_set_new("gotpl");
    tmpl_set_funcs(f->set, test_funcs);
    tmpl_set_funcs(f->set, tmpl_helm_funcs);
    val *v;
    struct err err;
    CHECK_OK(doc_parse_json(&f->doc, str_of(data), &v, &err), &err);
    f->dot = value_from_val(&f->arena, v);
}

static void fixture_done(struct fixture *f)
{
    tmpl_set_free(f->set);
    doc_done(&f->doc);
    arena_done(&f->arena);
    buf_done(&f->out);
}

static int parse(struct fixture *f, const char *name, struct str text)
{
    struct str error;
    int rc = tmpl_parse(f->set, str_of(name), text, NULL, &error);
    f->error = rc < 0 ? arena_dup(&f->arena, error) : (struct str){0};
    return rc;
}

static int execute(struct fixture *f, const char *name, const struct tmpl_limits *limits)
{
    struct tmpl_exec *x = tmpl_exec_new(f->set, &f->arena, limits, NULL);
    buf_clear(&f->out);
    int rc = tmpl_execute(x, str_of(name), f->dot, &f->out);
    f->error = rc < 0 ? tmpl_error(x) : (struct str){0};
    tmpl_exec_done(x);
    return rc;
}

/* The output of one template, which must succeed. */
static void check_output(struct fixture *f, const char *name, const char *want)
{
    if (execute(f, name, NULL) < 0)
        test_fail(__FILE__, __LINE__, "%.*s", STR_ARG(f->error));
    CHECK_STR(buf_str(&f->out), want);
}

/* --- golden --- */

static struct str newlines(struct arena *a, struct str s)
{
    struct buf b = {0};
    for (ssize_t at; (at = str_find(s, STR("␤"))) >= 0; s = str_from(s, (size_t)at + 3)) {
        buf_put(&b, str_head(s, (size_t)at));
        buf_putc(&b, '\n');
    }
    buf_put(&b, s);
    struct str text = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return text;
}

static void check_case(struct str template, struct str output, struct str error)
{
    struct fixture f;
    fixture_init(&f);
    if (parse(&f, "c/x.yaml", newlines(&f.arena, template)) == 0)
        execute(&f, "c/x.yaml", NULL);
    struct str want = newlines(&f.arena, output), want_error = newlines(&f.arena, error);
    if (!str_eq(buf_str(&f.out), want) || !str_eq(f.error, want_error))
        test_fail(__FILE__, __LINE__, "%.*s\nwant %.*s ! %.*s\ngot  %.*s ! %.*s", STR_ARG(template),
                  STR_ARG(want), STR_ARG(want_error), STR_ARG(buf_str(&f.out)), STR_ARG(f.error));
    fixture_done(&f);
}

static void replay(void *arg)
{
    int *ret_cases = arg;
    struct buf file = {0};
    struct err err;
    CHECK_OK(file_read(GOLDEN, 1 << 20, &file, &err), &err);
    struct str rest = buf_str(&file), line, template = {0}, output = {0}, error = {0};
    while (str_next(&rest, '\n', &line)) {
        if (str_starts(line, STR("= "))) {
            output = str_from(line, 2);
        } else if (str_starts(line, STR("! "))) {
            error = str_from(line, 2);
        } else if (line.n == 0 && template.n > 0) {
            check_case(template, output, error);
            template = output = error = (struct str){0};
            ++*ret_cases;
        } else if (line.n > 0 && !str_starts(line, STR("# "))) {
            template = line;
        }
    }
    if (template.n > 0)
        check_case(template, output, error);
    buf_done(&file);
}

TEST(template_does_what_go_does)
{
    int cases = 0;
    replay(&cases);
    CHECK(cases > 250);
}

/* --- sets --- */

TEST(template_later_definition_wins)
{
    struct fixture f;
    fixture_init(&f);
    CHECK(parse(&f, "a", STR("{{ define \"n\" }}old{{ end }}{{ template \"n\" }}")) == 0);
    CHECK(parse(&f, "b", STR("{{ define \"n\" }}new{{ end }}")) == 0);
    check_output(&f, "a", "new");
    fixture_done(&f);
}

TEST(template_blank_definition_replaces_nothing)
{
    struct fixture f;
    fixture_init(&f);
    CHECK(parse(&f, "a", STR("{{ define \"n\" }}old{{ end }}{{ template \"n\" }}")) == 0);
    CHECK(parse(&f, "b", STR("{{ define \"n\" }} \n {{/* nothing */}}{{ end }}")) == 0);
    CHECK(parse(&f, "a", STR("  ")) == 0);
    check_output(&f, "a", "old");
    fixture_done(&f);
}

TEST(template_same_text_in_two_files_keeps_both_names)
{
    struct fixture f;
    fixture_init(&f);
    struct str text =
        STR("{{ define \"n\" }}{{ .nope.x }}{{ end }}{{ if .x }}{{ .nope.y }}{{ end }}");
    CHECK(parse(&f, "a", text) == 0);
    CHECK(parse(&f, "b", text) == 0);
    CHECK(execute(&f, "a", NULL) < 0);
    CHECK_STR(f.error, "template: a:1:57: executing \"a\" at <.nope.y>: nil pointer evaluating "
                       "interface {}.y");
    CHECK(execute(&f, "b", NULL) < 0);
    CHECK_STR(f.error, "template: b:1:57: executing \"b\" at <.nope.y>: nil pointer evaluating "
                       "interface {}.y");
    CHECK(execute(&f, "n", NULL) < 0);
    CHECK_STR(f.error, "template: b:1:24: executing \"n\" at <.nope.x>: nil pointer evaluating "
                       "interface {}.x");
    fixture_done(&f);
}

TEST(template_overlay_leaves_the_parent_alone)
{
    struct fixture f;
    fixture_init(&f);
    CHECK(parse(&f, "a", STR("{{ template \"n\" }}{{ define \"n\" }}parent{{ end }}")) == 0);
    struct tmpl_set *parent = f.set;
    f.set = tmpl_set_overlay(parent);
    CHECK(parse(&f, "b", STR("{{ define \"n\" }}child{{ end }}")) == 0);
    check_output(&f, "a", "child");
    tmpl_set_free(f.set);
    f.set = parent;
    check_output(&f, "a", "parent");
    CHECK(!tmpl_defined(f.set, STR("b")));
    fixture_done(&f);
}

TEST(template_undefined_names_are_not_found)
{
    struct fixture f;
    fixture_init(&f);
    CHECK(parse(&f, "a", STR("A")) == 0);
    tmpl_undefine(f.set, STR("a"));
    CHECK(execute(&f, "a", NULL) < 0);
    CHECK_STR(f.error, "template: no template \"a\" associated with template \"gotpl\"");
    fixture_done(&f);
}

TEST(template_missing_keys_follow_the_option)
{
    struct fixture f;
    fixture_init(&f);
    CHECK(parse(&f, "a", STR("{{ .nope }}{{ printf \"%v\" .nope }}")) == 0);
    check_output(&f, "a", "<no value><nil>");
    CHECK(execute(&f, "a", &(struct tmpl_limits){.missing = TMPL_MISSING_ERROR}) < 0);
    CHECK_STR(f.error,
              "template: a:1:3: executing \"a\" at <.nope>: map has no entry for key \"nope\"");
    fixture_done(&f);
}

/* --- limits --- */

static void check_limit(const char *text, struct tmpl_limits limits, const char *want)
{
    struct fixture f;
    fixture_init(&f);
    CHECK(parse(&f, "a", str_of(text)) == 0);
    CHECK(execute(&f, "a", &limits) < 0);
    if (str_find(f.error, str_of(want)) < 0)
        test_fail(__FILE__, __LINE__, "%s: %.*s", text, STR_ARG(f.error));
    fixture_done(&f);
}

TEST(template_endless_work_ends)
{
    check_limit("{{ range 9223372036854775807 }}{{ end }}",
                (struct tmpl_limits){.max_steps = 100000}, "exceeded the limit of 100000 steps");
    check_limit("{{ range 9223372036854775807 }}{{ end }}", (struct tmpl_limits){.max_ms = 20},
                "exceeded the time limit of 20 ms");
    check_limit("{{ range 9223372036854775807 }}text{{ end }}",
                (struct tmpl_limits){.max_output = 4096}, "output exceeds the limit of 4096 bytes");
    check_limit("{{ printf \"%1000000d\" 1 }}", (struct tmpl_limits){.max_output = 4096},
                "output exceeds the limit of 4096 bytes");
    check_limit("{{ define \"r\" }}{{ template \"r\" }}{{ end }}{{ template \"r\" }}",
                (struct tmpl_limits){.max_depth = 50}, "exceeded maximum template depth (50)");
}

TEST(template_recursion_never_ends_the_stack)
{
    check_limit("{{ define \"r\" }}{{ template \"r\" }}{{ end }}{{ template \"r\" }}",
                (struct tmpl_limits){0}, "exceeded maximum template depth (100000)");
}

static void expand_itself(void *arg)
{
    (void)arg;
    check_limit("{{ define \"r\" }}{{ tpl \"{{ template \\\"r\\\" }}\" . }}{{ end }}"
                "{{ template \"r\" }}",
                (struct tmpl_limits){0}, "tpl is nested more than 1000 deep");
}

TEST(template_tpl_inside_tpl_has_a_limit)
{
    tmpl_on_large_stack(expand_itself, NULL);
}

static void include_itself(void *arg)
{
    (void)arg;
    check_limit("{{ define \"r\" }}{{ include \"r\" . }}{{ end }}{{ include \"r\" . }}",
                (struct tmpl_limits){0},
                "rendering template has a nested reference name: r: unable to execute template");
}

TEST(template_include_has_helms_limit)
{
    tmpl_on_large_stack(include_itself, NULL);
}

TEST(template_refuses_deep_nesting)
{
    struct fixture f;
    struct buf text = {0};
    fixture_init(&f);
    buf_puts(&text, "{{ ");
    for (int i = 0; i < 100000; i++)
        buf_putc(&text, '(');
    CHECK(parse(&f, "a", buf_str(&text)) < 0);
    CHECK_STR(f.error, "template: a:1: max expression depth exceeded");
    buf_clear(&text);
    for (int i = 0; i < 100000; i++)
        buf_puts(&text, "{{ if 1 }}");
    CHECK(parse(&f, "a", buf_str(&text)) < 0);
    CHECK_STR(f.error, "template: a:1: max nesting of blocks exceeded");
    buf_done(&text);
    fixture_done(&f);
}
