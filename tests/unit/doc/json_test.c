#include "doc/val.h"
#include "test.h"

/* Parses and writes again; an error is written as "LINE:COLUMN MESSAGE". */
static void round_trip(struct str text, struct buf *out)
{
    struct doc d = {0};
    struct err err = {0};
    val *v = NULL;
    if (doc_parse_json(&d, text, &v, &err) == 0)
        val_write_json(v, out);
    else
        buf_printf(out, "%d:%d %s", err.line, err.column, err.message);
    doc_done(&d);
}

static void check_all(const char *const (*table)[2], size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        struct buf out = {0};
        round_trip(str_of(table[i][0]), &out);
        CHECK_STR(buf_str(&out), table[i][1]);
        buf_done(&out);
    }
}

TEST(json_writes_as_encoding_json)
{
    static const char *const table[][2] = {
        {" {} ", "{}"},
        {"[ ]", "[]"},
        {"null", "null"},
        {"true", "true"},
        {"[1, -1, 0, 18446744073709551615, -9223372036854775808]",
         "[1,-1,0,18446744073709551615,-9223372036854775808]"},
        {"{\"b\": [1, {\"c\": null}], \"a\": \"x\"}", "{\"b\":[1,{\"c\":null}],\"a\":\"x\"}"},
        {"[1.0, 1.5, 0.1, 100.25, 1e20, 1e21, 1.5e300]",
         "[1,1.5,0.1,100.25,100000000000000000000,1e+21,1.5e+300]"},
        {"[0.000001, 0.0000001, 1.25e-9, 5e-324]", "[0.000001,1e-7,1.25e-9,5e-324]"},
        {"[123456789012345678901234567890]", "[1.2345678901234568e+29]"},
        {"\"<&>\\u00e9\\ud83d\\ude00\\u0001\\b\\f\\n\\r\\t\\\"\\\\\\/\"",
         "\"<&>\xc3\xa9\xf0\x9f\x98\x80\\u0001\\b\\f\\n\\r\\t\\\"\\\\/\""},
        {"\"\xe2\x80\xa8 \xe2\x80\xa9 \xe2\x82\xac \x7f\"",
         "\"\\u2028 \\u2029 \xe2\x82\xac \x7f\""},
    };
    check_all(table, ARRAY_LEN(table));
}

TEST(json_errors_are_worded_as_by_encoding_json)
{
    static const char *const table[][2] = {
        {"", "1:1 unexpected end of JSON input"},
        {"  \n ", "2:2 unexpected end of JSON input"},
        {"{\"a\":", "1:6 unexpected end of JSON input"},
        {"\"abc", "1:5 unexpected end of JSON input"},
        {"{,}", "1:2 invalid character ',' looking for beginning of object key string"},
        {"{\"a\":1,}", "1:8 invalid character '}' looking for beginning of object key string"},
        {"{\n  \"a\" 1}", "2:7 invalid character '1' after object key"},
        {"{\"a\":1 \"b\":2}", "1:8 invalid character '\"' after object key:value pair"},
        {"[1 2]", "1:4 invalid character '2' after array element"},
        {"[1,]", "1:4 invalid character ']' looking for beginning of value"},
        {"{} x", "1:4 invalid character 'x' after top-level value"},
        {"tru", "1:4 invalid character ' ' in literal true (expecting 'e')"},
        {"trux", "1:4 invalid character 'x' in literal true (expecting 'e')"},
        {"nule", "1:4 invalid character 'e' in literal null (expecting 'l')"},
        {"[01]", "1:3 invalid character '1' after array element"},
        {"-x", "1:2 invalid character 'x' in numeric literal"},
        {"1.x", "1:3 invalid character 'x' after decimal point in numeric literal"},
        {"1e+x", "1:4 invalid character 'x' in exponent of numeric literal"},
        {"\"\\x\"", "1:3 invalid character 'x' in string escape code"},
        {"\"\\u12g\"", "1:6 invalid character 'g' in \\u hexadecimal character escape"},
        {"\"a\nb\"", "1:3 invalid character '\\n' in string literal"},
        {"'a'", "1:1 invalid character '\\'' looking for beginning of value"},
        {"\xef\xbb\xbf{}", "1:1 invalid character '\xc3\xaf' looking for beginning of value"},
        {"\"\xff\"", "1:2 invalid UTF-8 in string literal"},
        {"\"\xc0\x80\"", "1:2 invalid UTF-8 in string literal"},
        {"NaN", "1:1 invalid character 'N' looking for beginning of value"},
        {"[1] // x", "1:5 invalid character '/' after top-level value"},
        {"1e999", "1:1 json: cannot unmarshal number 1e999 into Go value of type float64"},
    };
    check_all(table, ARRAY_LEN(table));
}

static void nest(struct buf *b, int depth)
{
    for (int i = 0; i < depth; i++)
        buf_putc(b, '[');
    for (int i = 0; i < depth; i++)
        buf_putc(b, ']');
}

TEST(json_depth_and_size_are_limited)
{
    struct buf text = {0}, out = {0};
    nest(&text, DOC_MAX_DEPTH);
    round_trip(buf_str(&text), &out);
    CHECK(str_eq(buf_str(&out), buf_str(&text)));

    buf_clear(&text), buf_clear(&out);
    nest(&text, DOC_MAX_DEPTH + 1);
    round_trip(buf_str(&text), &out);
    CHECK_STR(buf_str(&out), "0:0 exceeded max depth");

    buf_clear(&text), buf_clear(&out);
    nest(&text, DOC_MAX_BYTES / 2);
    round_trip(buf_str(&text), &out);
    CHECK_STR(buf_str(&out), "0:0 exceeded max depth");

    buf_putc(&text, ' ');
    struct doc d = {0};
    struct err err = {0};
    val *v;
    CHECK_INT(doc_parse_json(&d, buf_str(&text), &v, &err), -1);
    CHECK_INT(err.code, 413);
    doc_done(&d);
    buf_done(&text), buf_done(&out);
}
