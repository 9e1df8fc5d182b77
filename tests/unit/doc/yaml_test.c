#include "doc/val.h"
#include "test.h"

/* YAML to JSON; an error is written as its message. Reports of duplicates stand before. */
static void to_json(struct str text, struct buf *out)
{
    struct doc d = {0};
    struct err err = {0};
    val *v = NULL;
    if (doc_parse_yaml_strict(&d, text, &v, out, &err) == 0)
        val_write_json(v, out);
    else
        buf_puts(out, err.message);
    doc_done(&d);
}

static void check_all(const char *const (*table)[2], size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        struct buf out = {0};
        to_json(str_of(table[i][0]), &out);
        CHECK_STR(buf_str(&out), table[i][1]);
        buf_done(&out);
    }
}

TEST(scalars_are_those_of_yaml_1_1)
{
    static const char *const table[][2] = {
        {"[y, Y, yes, Yes, YES, on, On, ON, true, True, TRUE]",
         "[true,true,true,true,true,true,true,true,true,true,true]"},
        {"[n, N, no, off, Off, false, yEs, oN]",
         "[false,false,false,false,false,false,\"yEs\",\"oN\"]"},
        {"[~, null, Null, NULL, nULL, '']", "[null,null,null,null,\"nULL\",\"\"]"},
        {"a:\nb: ''\nc: ~", "{\"a\":null,\"b\":\"\",\"c\":null}"},
        {"[1, -1, +1, 1_000, 010, 0o10, 0x1F, 0b11, -0b11, -0x10]",
         "[1,-1,1,1000,8,8,31,3,-3,-16]"},
        {"[9223372036854775807, 18446744073709551615, 18446744073709551616]",
         "[9223372036854775807,18446744073709551615,18446744073709552000]"},
        {"[08, 0x, 0b2, '1', 1a, 1__0, 0.]", "[8,\"0x\",\"0b2\",\"1\",\"1a\",10,0]"},
        {"[1.5, .5, -.5, 1e3, 1.e+2, 1e400, ., +, -, ..]",
         "[1.5,0.5,-0.5,1000,100,\"1e400\",\".\",\"+\",\"-\",\"..\"]"},
        {"[1:30, 2001-01-01, 2001-12-14t21:59:43.10-05:00, 1.2.3]",
         "[\"1:30\",\"2001-01-01\",\"2001-12-14t21:59:43.10-05:00\",\"1.2.3\"]"},
        {"[!!str 1, !!int 1, !!float 1, !!binary aGk=, !custom 1, !!null '']",
         "[\"1\",1,1,\"hi\",\"1\",null]"},
        {"a: |\n  x\n  y\nb: >-\n  x\n  y\n", "{\"a\":\"x\\ny\\n\",\"b\":\"x y\"}"},
        {"", "null"},
        {"# nothing\n", "null"},
        {"---\n", "null"},
        {"a: 1\n---\nb: 2\n", "{\"a\":1}"},
        {"{\"a\": [1, \"\\u00e9\"]}", "{\"a\":[1,\"\xc3\xa9\"]}"},
    };
    check_all(table, ARRAY_LEN(table));
}

TEST(keys_become_strings)
{
    static const char *const table[][2] = {
        {"1: a\n1.5: b\ntrue: c\ny: d\n0x10: e\n",
         "line 4: key \"true\" already set in map\n"
         "{\"1\":\"a\",\"1.5\":\"b\",\"true\":\"d\",\"16\":\"e\"}"},
        {"{a: 1, b: 2, a: 3}", "line 1: key \"a\" already set in map\n{\"a\":3,\"b\":2}"},
        {"~: 1", "error converting YAML to JSON: unsupported map key of type: %!s(<nil>), "
                 "key: <nil>, value: 1"},
        {"? [1, x]\n: 2",
         "error converting YAML to JSON: yaml: invalid map key: []interface {}{1, \"x\"}"},
        {"a: {{ .Values }}",
         "error converting YAML to JSON: yaml: invalid map key: map[interface {}]interface "
         "{}{\".Values\":interface {}(nil)}"},
    };
    check_all(table, ARRAY_LEN(table));
}

TEST(anchors_and_merges_are_followed)
{
    static const char *const table[][2] = {
        {"a: &x {k: 1}\nb: *x\n", "{\"a\":{\"k\":1},\"b\":{\"k\":1}}"},
        {"a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}\n",
         "line 2: key \"k\" already set in map\n{\"a\":{\"k\":1,\"l\":2},\"b\":{\"k\":3,\"l\":2}}"},
        {"b: {<<: [{a: 1}, {b: 2}], c: 3}\n", "{\"b\":{\"b\":2,\"a\":1,\"c\":3}}"},
        {"b: {<<: 1}\n", "error converting YAML to JSON: yaml: map merge requires map or sequence "
                         "of maps as the value"},
        {"a: *x", "error converting YAML to JSON: yaml: unknown anchor 'x' referenced"},
        {"a: &x [*x]", "error converting YAML to JSON: yaml: anchor 'x' value contains itself"},
        {"a: &x {<<: *x}", "error converting YAML to JSON: yaml: anchor 'x' value contains itself"},
    };
    check_all(table, ARRAY_LEN(table));
}

TEST(errors_are_those_of_go_yaml)
{
#define YAML_ERROR "error converting YAML to JSON: yaml: "
    static const char *const table[][2] = {
        {"a: b: c", YAML_ERROR "mapping values are not allowed in this context"},
        {"x: 1\na: b: c", YAML_ERROR "line 2: mapping values are not allowed in this context"},
        {"a: 1\nb", YAML_ERROR "line 3: could not find expected ':'"},
        {"a: [1\nb: 2\n", YAML_ERROR "line 1: did not find expected ',' or ']'"},
        {"a: 1\n b: 2\n", YAML_ERROR "line 2: mapping values are not allowed in this context"},
        {"a: 'x\n", YAML_ERROR "line 2: found unexpected end of stream"},
        {"a: @x", YAML_ERROR "found character that cannot start any token"},
        {"a: \x01", YAML_ERROR "control characters are not allowed"},
        {"!!int x", YAML_ERROR "cannot decode !!str `x` as a !!int"},
        {"a: .inf", "error converting YAML to JSON: json: unsupported value: +Inf"},
    };
    check_all(table, ARRAY_LEN(table));
}

TEST(aliases_may_not_multiply_without_limit)
{
    struct buf text = {0}, out = {0};
    buf_puts(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 12; i++) {
        buf_printf(&text, "a%d: &a%d [", i, i);
        for (int j = 0; j < 9; j++)
            buf_printf(&text, "%s*a%d", j ? "," : "", i - 1);
        buf_puts(&text, "]\n");
    }
    to_json(buf_str(&text), &out);
    CHECK_STR(buf_str(&out), YAML_ERROR "document contains excessive aliasing");
    buf_done(&text);
    buf_done(&out);
}

/* Ordinary texts are read without libyaml; one with a tab, if only in a comment, is not. */
TEST(both_readers_understand_the_same)
{
    static const char *const texts[] = {
        "a: 1\nb:\n  c: x # why\n  d:\ne:\n- f\n-\n- - g\n  - h: i\n    j: k\n",
        "a:\n\n  # a remark\n  - b\n\nc: d",
        "---\na: two\n  lines and\n\n  a third\nb: x #y\nc: x#y:z\n",
        "a: |\n  x\n   y\n\n  z\n\nb: |-\n  x\n\nc: |+\n  x\n\n\nd: >\n  x\n  y\n\n   z\n  w\n",
        "a: |\n  x\n# remark\nb: >-\n\n\n  x\n  y",
        "a: |\n    \n  x\n",
        "a: |\nb: |+\n\n  # remark\nc:\n  d: >-\n\n  # remark\n  e: 1\n",
        "a: :1\nb: ?x\n",
        "a: |2\n   x\n",
        "'a': 'it''s\n  two  \n\n  lines '\n\"b\": \"x\\n\\t\\\"\\\\ \n  y\"\nc: \"\\u00e9\"\n",
        "a: []\nb: {}\nc: [x, 'y', \"z\", 1.5]\nd: [a,]\ne: [-1]\n",
        "a: b: c\n",
        "a: 'b': c\n",
        "a: 'b' c\n",
        "a: b\n  c: d\n",
        "a:\n  b: 1\n c: 2\n",
        "a: 1\n- b\n",
        "- a\nb: 1\n",
        "a: x\na: y\n",
        "&x a: *x\n",
        "<<: {a: 1}\nb: !!str 2\n",
        "a : 1\n",
        "? a\n: b\n",
        "a: 1\n...\nb: 2\n",
        "a: \xc3\xa9\xc2\x85\xe2\x80\xa8\n",
        "a: \xff\n",
        "plain",
        "a:b\n",
        "-a: -b\n--c: - d\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct buf whole = {0}, quick = {0}, slow = {0};
        buf_printf(&whole, "#\n%s", texts[i]);
        to_json(buf_str(&whole), &quick);
        buf_clear(&whole);
        buf_printf(&whole, "#\t\n%s", texts[i]);
        to_json(buf_str(&whole), &slow);
        CHECK_STR(buf_str(&quick), buf_z(&slow));
        buf_done(&whole);
        buf_done(&quick);
        buf_done(&slow);
    }
}

TEST(depth_is_limited)
{
    struct buf text = {0}, out = {0};
    for (int i = 0; i < 100000; i++)
        buf_putc(&text, '[');
    to_json(buf_str(&text), &out);
    CHECK_STR(buf_str(&out), YAML_ERROR "exceeded max depth of 500");
    buf_done(&text);
    buf_done(&out);
}

TEST(values_are_written_as_sigs_yaml_does)
{
    static const char *const table[][2] = {
        {"{\"b\":1,\"a\":[{\"y\":\"yes\",\"x\":[]},[1,[2]],{}],\"c\":null}",
         "a:\n- x: []\n  \"y\": \"yes\"\n- - 1\n  - - 2\n- {}\nb: 1\nc: null\n"},
        {"{\"a\":\"x\\ny\\n\",\"b\":\"x\\ny\",\"c\":\"\\n\",\"d\":\"x\\n\\n\"}",
         "a: |\n  x\n  y\nb: |-\n  x\n  y\nc: |2+\n\nd: |+\n  x\n\n"},
        {"[\"\",\"true\",\"1\",\"1.5\",\"~\",\"a: b\",\"# x\",\"a #b\",\"- "
         "a\",\"{a\",\"2001-01-01\"]",
         "- \"\"\n- \"true\"\n- \"1\"\n- \"1.5\"\n- \"~\"\n- 'a: b'\n- '# x'\n- 'a #b'\n- '- "
         "a'\n- '{a'\n- \"2001-01-01\"\n"},
        {"[1.5,1e3,1e7,1234567.5,1e21,1e-7,18446744073709551615,-0.5]",
         "- 1.5\n- 1000\n- 10000000\n- 1.2345675e+06\n- 1e+21\n- 1e-07\n- "
         "18446744073709551615\n- -0.5\n"},
        {"{\"a10\":1,\"a9\":2,\"a.b\":3,\"ab\":4,\"A\":5}", "A: 5\na.b: 3\na9: 2\na10: 1\nab: 4\n"},
        {"\"tab\\there\"", "\"tab\\there\"\n"},
        {"\"\\u00e9\\u0001\"", "\"\xc3\xa9\\x01\"\n"},
        {"{}", "{}\n"},
        {"null", "null\n"},
        {"\"1:30\"", "\"1:30\"\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct doc d = {0};
        struct err err = {0};
        struct buf out = {0};
        val *v = NULL;
        CHECK_OK(doc_parse_json(&d, str_of(table[i][0]), &v, &err), &err);
        val_write_yaml(v, &out);
        CHECK_STR(buf_str(&out), table[i][1]);
        buf_done(&out);
        doc_done(&d);
    }
}

TEST(streams_are_cut_at_separators)
{
    struct str rest = STR("---\na: 1\n--- # two\nb: 2\n---\n---\nc: |\n  --- x\n  ---\n"), part;
    CHECK(doc_next_yaml(&rest, &part));
    CHECK_STR(part, "a: 1\n");
    CHECK(doc_next_yaml(&rest, &part));
    CHECK_STR(part, "b: 2\n");
    CHECK(doc_next_yaml(&rest, &part));
    CHECK_STR(part, "c: |\n  --- x\n  ---\n");
    CHECK(!doc_next_yaml(&rest, &part));
    rest = STR("{\"a\":1}");
    CHECK(doc_next_yaml(&rest, &part) && !doc_next_yaml(&rest, &part));
    rest = (struct str){0};
    CHECK(!doc_next_yaml(&rest, &part));
}
