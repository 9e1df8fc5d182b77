#include "doc/selector.h"
#include "test.h"

typedef int parse_fn(struct arena *, struct str, struct selector *, struct err *);

/* The canonical text of the selector, or the message. */
static void check_all(parse_fn *parse, const char *const (*table)[2], size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        struct arena a = {0};
        struct buf out = {0};
        struct selector s;
        struct err err = {0};
        if (parse(&a, str_of(table[i][0]), &s, &err) == 0)
            selector_write(&s, &out);
        else
            buf_puts(&out, err.message);
        CHECK_STR(buf_str(&out), table[i][1]);
        buf_done(&out);
        arena_done(&a);
    }
}

TEST(label_selectors_are_parsed)
{
    static const char *const table[][2] = {
        {"", ""},
        {"a", "a"},
        {"!a", "!a"},
        {"b=1,a==2", "a=2,b=1"},
        {"a!=1", "a!=1"},
        {"a in (c, b,b)", "a in (b,c)"},
        {"a notin (b)", "a notin (b)"},
        {"a in ()", "a in ()"},
        {"a in (,b)", "a in (,b)"},
        {"a>1,b<2", "a>1,b<2"},
        {"a=", "a="},
        {" x.io/y = z ", "x.io/y=z"},
        {"in in (in)", "in in (in)"},
    };
    check_all(selector_parse_labels, table, ARRAY_LEN(table));
}

TEST(label_selector_errors_are_upstreams)
{
    static const char *const table[][2] = {
        {"a==b==c", "found '==', expected: ',' or 'end of string'"},
        {"=a", "found '=', expected: !, identifier, or 'end of string'"},
        {"a,", "found '', expected: identifier after ','"},
        {"a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"},
        {"a in b", "unable to parse requirement: found 'b' expected: '('"},
        {"a in (b", "unable to parse requirement: found '', expected: ',' or ')'"},
        {"a=(", "unable to parse requirement: found '(', expected: identifier"},
        {"a>x", "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' "
                "operators, the value must be an integer"},
        {"a=b_", "unable to parse requirement: values[0][a]: Invalid value: \"b_\": a valid label "
                 "must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
                 "and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
                 "'my_value',  or '12345', regex used for validation is "
                 "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"},
        {"/b", "unable to parse requirement: <nil>: Invalid value: \"/b\": prefix part must be "
               "non-empty"},
    };
    check_all(selector_parse_labels, table, ARRAY_LEN(table));
}

TEST(field_selectors_are_parsed)
{
    static const char *const table[][2] = {
        {"", ""},
        {"metadata.name=x", "metadata.name=x"},
        {"b!=2,a==1", "a=1,b!=2"},
        {"a=b\\,c\\=d\\\\", "a=b,c=d\\"},
        {"a", "invalid selector: 'a'; can't understand 'a'"},
        {"a=b=c", "invalid field selector: unescaped character in value: 61"},
        {"a=b\\x", "invalid field selector: invalid escape sequence: \\x"},
        {"a=b\\", "invalid field selector: invalid escape sequence: \\"},
    };
    check_all(selector_parse_fields, table, ARRAY_LEN(table));
}

static val *parse_json(struct doc *d, const char *text)
{
    struct err err = {0};
    val *v = NULL;
    CHECK_OK(doc_parse_json(d, str_of(text), &v, &err), &err);
    return v;
}

TEST(labels_match)
{
    static const struct {
        const char *selector;
        bool matches;
    } table[] = {
        {"", true},          {"a", true},           {"!a", false},          {"z", false},
        {"!z", true},        {"a=1", true},         {"a=2", false},         {"a!=2", true},
        {"z!=2", true},      {"z=", false},         {"e=", true},           {"a in (1,2)", true},
        {"z in (1)", false}, {"z notin (1)", true}, {"a notin (1)", false}, {"n>4", true},
        {"n>5", false},      {"n<6", true},         {"e>1", false},         {"a=1,n=5", true},
        {"a=1,n=6", false},
    };
    struct doc d = {0};
    val *labels = parse_json(&d, "{\"a\":\"1\",\"n\":\"5\",\"e\":\"\"}");
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct arena a = {0};
        struct err err = {0};
        struct selector s;
        CHECK_OK(selector_parse_labels(&a, str_of(table[i].selector), &s, &err), &err);
        if (selector_match_labels(&s, labels) != table[i].matches)
            test_fail(__FILE__, __LINE__, "%s", table[i].selector);
        arena_done(&a);
    }
    doc_done(&d);
}

static struct str field_of(void *arg, struct str field)
{
    return val_str(val_get_str(arg, field));
}

TEST(fields_match)
{
    struct doc d = {0};
    struct arena a = {0};
    struct err err = {0};
    struct selector s;
    val *fields = parse_json(&d, "{\"a\":\"1\"}");
    CHECK_OK(selector_parse_fields(&a, STR("a=1,b!=2,c="), &s, &err), &err);
    CHECK(selector_match_fields(&s, field_of, fields));
    CHECK_OK(selector_parse_fields(&a, STR("a!=1"), &s, &err), &err);
    CHECK(!selector_match_fields(&s, field_of, fields));
    arena_done(&a);
    doc_done(&d);
}

TEST(selector_objects_become_selectors)
{
    static const char *const table[][2] = {
        {"{}", ""},
        {"{\"matchLabels\":{\"b\":\"1\",\"a\":\"2\"}}", "a=2,b=1"},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\",\"values\":[\"y\",\"x\"]},"
         "{\"key\":\"b\",\"operator\":\"Exists\"},{\"key\":\"c\",\"operator\":\"DoesNotExist\"}]}",
         "a in (x,y),b,!c"},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"x\"}]}",
         "\"x\" is not a valid label selector operator"},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\"}]}",
         "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct doc d = {0};
        struct arena a = {0};
        struct err err = {0};
        struct selector s;
        struct buf out = {0};
        if (selector_from_object(&a, parse_json(&d, table[i][0]), &s, &err) == 0)
            selector_write(&s, &out);
        else
            buf_puts(&out, err.message);
        CHECK_STR(buf_str(&out), table[i][1]);
        buf_done(&out);
        arena_done(&a);
        doc_done(&d);
    }
    struct arena a = {0};
    struct selector s;
    struct err err = {0};
    CHECK_OK(selector_from_object(&a, NULL, &s, &err), &err);
    CHECK(!selector_match_labels(&s, NULL));
    arena_done(&a);
}
