#include "template/gofmt.h"
#include "template/unicode.h"
#include "functions.h"
#include "test.h"

static struct value parse_value(struct arena *a, const char *json)
{
    struct doc doc;
    val *v;
    struct err err;
    doc_init(&doc);
    CHECK_OK(doc_parse_json(&doc, str_of(json), &v, &err), &err);
    struct value value = value_from_val(a, v);
    doc_done(&doc);
    return value;
}

static void check_json(struct arena *a, struct value v, const char *want)
{
    struct doc doc;
    struct buf b = {0};
    val *out;
    struct err err;
    doc_init(&doc);
    CHECK_OK(value_to_val(&doc, a, v, &out, &err), &err);
    val_write_json(out, &b);
    CHECK_STR(buf_str(&b), want);
    buf_done(&b);
    doc_done(&doc);
}

TEST(value_documents_come_back_sorted)
{
    struct arena a = {0};
    struct value v = parse_value(&a, "{\"b\":[1,2.5,null,true],\"a\":{\"x\":\"y\"},\"b2\":1e21}");
    check_json(&a, v, "{\"a\":{\"x\":\"y\"},\"b\":[1,2.5,null,true],\"b2\":1e+21}");
    arena_done(&a);
}

TEST(value_of_duplicate_keys_is_the_last)
{
    struct arena a = {0};
    struct value v = parse_value(&a, "{\"z\":1,\"a\":1,\"z\":2,\"a\":3}");
    CHECK_INT(vmap_len(v.map), 2);
    check_json(&a, v, "{\"a\":3,\"z\":2}");
    arena_done(&a);
}

TEST(value_json_of_go_types)
{
    struct arena a = {0};
    check_json(&a, value_bytes(STR("hello")), "\"aGVsbG8=\"");
    check_json(&a, value_slice(&type_list, NULL, 0), "[]");
    check_json(&a, (struct value){.type = &type_list}, "null");
    check_json(&a, value_map(&type_map, NULL), "null");
    check_json(&a, value_error(&a, STR("x")), "{}");
    check_json(&a, value_int64(INT64_MIN), "-9223372036854775808");
    check_json(&a, (struct value){.type = &type_uint64, .u = UINT64_MAX}, "18446744073709551615");
    arena_done(&a);
}

TEST(value_json_refuses_what_go_refuses)
{
    struct arena a = {0};
    struct doc doc;
    val *out;
    struct err err;
    doc_init(&doc);
    CHECK(value_to_val(&doc, &a, value_float(__builtin_inf()), &out, &err) < 0);
    CHECK_STR(str_of(err.message), "json: unsupported value: +Inf");
    struct value loop = value_map_new(&a, &type_map);
    vmap_set(loop.map, STR("self"), loop);
    CHECK(value_to_val(&doc, &a, loop, &out, &err) < 0);
    CHECK_STR(str_of(err.message),
              "json: unsupported value: encountered a cycle via map[string]interface {}");
    doc_done(&doc);
    arena_done(&a);
}

TEST(map_keeps_its_keys_sorted)
{
    struct arena a = {0};
    struct vmap *m = vmap_new(&a, 0);
    for (int i = 999; i >= 0; i--)
        vmap_set(m, arena_printf(&a, "%03d", i), value_int(i));
    vmap_set(m, STR("500"), value_z("again"));
    CHECK(vmap_del(m, STR("000")));
    CHECK(!vmap_del(m, STR("000")));
    CHECK_INT(m->n, 999);
    CHECK_STR(m->entries[0].key, "001");
    CHECK_STR(value_text(*vmap_get(m, STR("500"))), "again");
    CHECK(vmap_get(m, STR("000")) == NULL);
    arena_done(&a);
}

TEST(map_walk_sees_the_map_as_it_began)
{
    struct arena a = {0};
    struct vmap *m = vmap_new(&a, 0);
    vmap_set(m, STR("a"), value_int(1));
    vmap_set(m, STR("b"), value_int(2));
    int64_t sum = 0;
    struct vmap_walk w = vmap_walk(m);
    for (struct vmap_entry *e; (e = vmap_next(&w));) {
        vmap_set(m, STR("b"), value_int(100));
        vmap_set(m, STR("c"), value_int(1000));
        vmap_del(m, STR("a"));
        sum += e->value.i;
    }
    CHECK_INT(sum, 3);
    CHECK_INT(m->n, 2);
    CHECK_INT(m->pins, 0);
    arena_done(&a);
}

TEST(value_deep_equal_needs_equal_types)
{
    struct arena a = {0};
    struct value m = parse_value(&a, "{\"a\":[1,{\"b\":null}]}");
    CHECK(value_deep_equal(m, parse_value(&a, "{\"a\":[1,{\"b\":null}]}")));
    CHECK(!value_deep_equal(m, parse_value(&a, "{\"a\":[1,{\"b\":0}]}")));
    CHECK(!value_deep_equal(value_int(1), value_float(1)));
    CHECK(!value_deep_equal(value_slice(&type_list, NULL, 0), (struct value){.type = &type_list}));
    CHECK(value_deep_equal(VALUE_NIL, VALUE_NONE));
    arena_done(&a);
}

TEST(value_truth_is_not_being_empty)
{
    struct arena a = {0};
    CHECK(!value_truth(VALUE_NONE) && !value_truth(VALUE_NIL) && !value_truth(value_int(0)));
    CHECK(!value_truth(value_z("")) && !value_truth(value_map_new(&a, &type_map)));
    CHECK(value_truth(value_z("false")) && value_truth(value_float(0.1)));
    CHECK(value_truth(value_error(&a, STR(""))));
    arena_done(&a);
}

static void check_float(double f, char format, int precision, int bits, const char *want)
{
    struct buf b = {0};
    gofmt_float(&b, f, format, precision, bits);
    CHECK_STR(buf_str(&b), want);
    buf_done(&b);
}

TEST(gofmt_floats_are_short)
{
    check_float(0.1, 'g', -1, 64, "0.1");
    check_float(1e6, 'g', -1, 64, "1e+06");
    check_float(123456, 'g', -1, 64, "123456");
    check_float(1e21, 'f', -1, 64, "1000000000000000000000");
    check_float(5e-324, 'g', -1, 64, "5e-324");
    check_float(1.7976931348623157e308, 'g', -1, 64, "1.7976931348623157e+308");
    check_float(0x1p-44, 'g', -1, 64, "5.684341886080802e-14");
    check_float(9007199254740993, 'g', -1, 64, "9.007199254740992e+15");
    check_float((float)0.1, 'g', -1, 32, "0.1");
    check_float(-0.0, 'g', -1, 64, "-0");
    check_float(1.5, 'x', -1, 64, "0x1.8p+00");
    check_float(1, 'b', -1, 64, "4503599627370496p-52");
    check_float(100, 'g', 3, 64, "100");
    check_float(1000, 'g', 3, 64, "1e+03");
}

TEST(runes_have_properties_and_case)
{
    size_t n;
    CHECK_INT(rune_decode(STR("\xe2\x98\x83"), &n), 0x2603);
    CHECK_INT(n, 3);
    CHECK_INT(rune_decode(STR("\xed\xa0\x80"), &n), RUNE_ERROR);
    CHECK_INT(n, 1);
    CHECK_INT(rune_count(STR("h\xc3\xa9\xff")), 3);
    CHECK(rune_is_letter(0xE9) && !rune_is_letter(0x2603) && rune_is_digit(0x663));
    CHECK(!rune_is_print(0x2028) && rune_is_print(0x1F600));
    CHECK_INT(rune_to_upper(0xE9), 0xC9);
    CHECK_INT(rune_to_lower(0x130), 'i');
    CHECK_INT(rune_to_title(0x1C6), 0x1C5);
    CHECK_INT(rune_to_upper(0x101), 0x100);
    CHECK_INT(rune_to_upper(0x100), 0x100);
}
