#include "doc/val.h"
#include "test.h"

static val *parse(struct doc *d, const char *text)
{
    struct err err = {0};
    val *v = NULL;
    CHECK_OK(doc_parse_json(d, str_of(text), &v, &err), &err);
    return v;
}

static void check_json(const val *v, const char *want)
{
    struct buf b = {0};
    val_write_json(v, &b);
    CHECK_STR(buf_str(&b), want);
    buf_done(&b);
}

TEST(reading_accepts_whatever_stands_there)
{
    struct doc d = {0};
    val *v = parse(&d, "{\"a\":{\"b\":[1,2.9,\"x\"]},\"n\":null,\"t\":true,\"d\":1,\"d\":2}");
    CHECK_INT(val_int(val_at(VAL_PATH(v, "a", "b"), 0)), 1);
    CHECK_INT(val_int(val_at(VAL_PATH(v, "a", "b"), 1)), 2);
    CHECK_STR(val_str(val_at(VAL_PATH(v, "a", "b"), 2)), "x");
    CHECK(val_at(VAL_PATH(v, "a", "b"), 3) == NULL);
    CHECK(VAL_PATH(v, "a", "b", "c") == NULL);
    CHECK(val_get(NULL, "a") == NULL);
    CHECK(val_is_null(val_get(v, "n")) && val_is_null(val_get(v, "missing")));
    CHECK(VAL_BOOL(v, "t") && !VAL_BOOL(v, "a"));
    CHECK_INT(VAL_INT(v, "d"), 2);
    CHECK_STR(val_str(NULL), "");
    CHECK_INT(val_len(v), 5);
    CHECK_STR(str_of(val_type_name(VAL_PATH(v, "a", "b"))), "array");
    CHECK_STR(str_of(val_type_name(NULL)), "null");
    doc_done(&d);
    doc_done(&d);
}

TEST(integers_saturate)
{
    struct doc d = {0};
    val *v = parse(&d, "[18446744073709551615, 1e300, -1e300, -1.9]");
    CHECK(val_int(val_at(v, 0)) == INT64_MAX);
    CHECK(val_int(val_at(v, 1)) == INT64_MAX);
    CHECK(val_int(val_at(v, 2)) == INT64_MIN);
    CHECK_INT(val_int(val_at(v, 3)), -1);
    doc_done(&d);
}

TEST(walks_obey_break_and_continue)
{
    struct doc d = {0};
    val *v = parse(&d, "[[1,2,3],[4,5,6],[],[7]]");
    int64_t sum = 0, rows = 0;
    VAL_FOR(v, row)
    {
        rows++;
        VAL_FOR(row, cell)
        {
            if (val_int(cell) % 2 == 0)
                continue;
            sum += val_int(cell);
            if (val_int(cell) == 5)
                break;
        }
    }
    CHECK_INT(rows, 4);
    CHECK_INT(sum, 1 + 3 + 5 + 7);
    int64_t seen = 0;
    val *o = parse(&d, "{\"a\":1,\"b\":2,\"c\":3,\"d\":4}");
    VAL_EACH(o, key, member)
    {
        if (str_is(val_str(key), "b"))
            continue;
        if (str_is(val_str(key), "d"))
            break;
        seen += val_int(member);
    }
    CHECK_INT(seen, 4);
    VAL_FOR(NULL, none)
    CHECK(!none);
    VAL_FOR(o, none)
    CHECK(!none);
    VAL_EACH(v, none, nothing)
    CHECK(!none && !nothing);
    doc_done(&d);
}

TEST(equality_is_deep_and_ignores_member_order)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } table[] = {
        {"{\"a\":1,\"b\":[2]}", "{\"b\":[2],\"a\":1.0}", true},
        {"{\"a\":1,\"a\":2}", "{\"a\":2}", true},
        {"{\"a\":1,\"a\":2}", "{\"a\":3,\"a\":2}", true},
        {"{\"a\":1,\"a\":2}", "{\"a\":1}", false},
        {"{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false},
        {"{\"a\":1}", "{\"a\":1,\"b\":null}", false},
        {"[1,2]", "[2,1]", false},
        {"18446744073709551615", "-1", false},
        {"\"1\"", "1", false},
        {"null", "false", false},
        {"[]", "{}", false},
        {"[true]", "[true]", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct doc d = {0};
        val *a = parse(&d, table[i].a), *b = parse(&d, table[i].b);
        CHECK(val_eq(a, b) == table[i].equal);
        CHECK(val_eq(b, a) == table[i].equal);
        doc_done(&d);
    }
}

TEST(members_are_set_in_place_and_deleted)
{
    struct doc d = {0};
    val *v = val_new_obj(&d);
    val_set_z(&d, v, "a", "x");
    val_set_int(&d, v, "b", -2);
    val_set_bool(&d, v, "c", true);
    val_set(&d, v, "a", val_new_strf(&d, "%s-%d", "y", 7));
    val_set_s(&d, val_ensure_obj(&d, v, "o"), "k", STR("v"));
    val_set_s(&d, val_ensure_obj(&d, v, "o"), "l", STR("w"));
    val_push(val_ensure_arr(&d, v, "l"), val_new_real(&d, 0.5));
    check_json(v,
               "{\"a\":\"y-7\",\"b\":-2,\"c\":true,\"o\":{\"k\":\"v\",\"l\":\"w\"},\"l\":[0.5]}");
    CHECK(val_del(v, "l") && !val_del(v, "l") && val_del(v, "b"));
    check_json(v, "{\"a\":\"y-7\",\"c\":true,\"o\":{\"k\":\"v\",\"l\":\"w\"}}");
    val *twice = parse(&d, "{\"a\":1,\"b\":2,\"a\":3}");
    CHECK(val_del(twice, "a"));
    check_json(twice, "{\"b\":2}");
    val *copy = val_copy(&d, v);
    val_set_int(&d, copy, "a", 1);
    CHECK_STR(VAL_STR(v, "a"), "y-7");
    doc_done(&d);
}

TEST(elements_are_inserted_removed_and_replaced)
{
    struct doc d = {0};
    val *v = val_new_arr(&d);
    for (int i = 0; i < 3; i++)
        val_push(v, val_new_int(&d, i));
    val_insert(v, val_new_z(&d, "new"), 1);
    val_replace_at(v, 0, val_new_null(&d));
    CHECK(val_remove_at(v, 3) && !val_remove_at(v, 3));
    check_json(v, "[null,\"new\",1]");
    doc_done(&d);
}
