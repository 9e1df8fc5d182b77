#include "doc/patch.h"
#include "test.h"

static val *parse(struct doc *d, const char *text)
{
    struct err err = {0};
    val *v = NULL;
    CHECK_OK(doc_parse_json(d, str_of(text), &v, &err), &err);
    return v;
}

struct row {
    const char *current, *patch, *want;
};

/* --- RFC 6902 --- */
TEST(json_patches_are_applied)
{
    static const struct row table[] = {
        {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":[1]}]", "{\"a\":1,\"b\":[1]}"},
        {"[1,2]", "[{\"op\":\"add\",\"path\":\"/1\",\"value\":9}]", "[1,9,2]"},
        {"[1,2]", "[{\"op\":\"add\",\"path\":\"/-\",\"value\":9}]", "[1,2,9]"},
        {"[1,2]", "[{\"op\":\"add\",\"path\":\"/-1\",\"value\":9}]", "[1,2,9]"},
        {"{\"a\":{\"b\":1}}", "[{\"op\":\"remove\",\"path\":\"/a/b\"}]", "{\"a\":{}}"},
        {"[1,2,3]", "[{\"op\":\"remove\",\"path\":\"/-1\"}]", "[1,2]"},
        {"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":2}]", "{\"a\":2}"},
        {"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/b\",\"value\":2}]", "{\"a\":1,\"b\":2}"},
        {"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":{}}]", "{}"},
        {"{\"a\":{\"b\":1},\"c\":{}}", "[{\"op\":\"move\",\"from\":\"/a/b\",\"path\":\"/c/d\"}]",
         "{\"a\":{},\"c\":{\"d\":1}}"},
        {"{\"a\":[1]}", "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b\"}]",
         "{\"a\":[1],\"b\":[1]}"},
        {"{\"a/b\":1,\"m~n\":2}",
         "[{\"op\":\"remove\",\"path\":\"/a~1b\"},"
         "{\"op\":\"test\",\"path\":\"/m~0n\",\"value\":2}]",
         "{\"m~n\":2}"},
        {"{\"a\":{\"x\":1,\"y\":2}}",
         "[{\"op\":\"test\",\"path\":\"/a\",\"value\":{\"y\":2,\"x\":1}}]",
         "{\"a\":{\"x\":1,\"y\":2}}"},
        {"{\"a\":null}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":null}]", "{\"a\":null}"},
        {"{}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":1}]",
         "testing value /a failed: test failed"},
        {"{}", "[{\"op\":\"remove\",\"path\":\"/a\"}]",
         "error in remove for path: '/a': Unable to remove nonexistent key: a: missing value"},
        {"{}", "[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":1}]",
         "add operation does not apply: doc is missing path: \"/a/b\": missing value"},
        {"{\"a\":[]}", "[{\"op\":\"add\",\"path\":\"/a/1\",\"value\":1}]",
         "error in add for path: '/a/1': Unable to access invalid index: 1: invalid index "
         "referenced"},
        {"{\"a\":[]}", "[{\"op\":\"add\",\"path\":\"/a/x\",\"value\":1}]",
         "error in add for path: '/a/x': value was not a proper array index: 'x': strconv.Atoi: "
         "parsing \"x\": invalid syntax"},
        {"{}", "[{\"op\":\"jump\",\"path\":\"/a\"}]", "Unexpected kind: jump"},
        {"{}", "[{\"op\":\"add\",\"value\":1}]",
         "add operation failed to decode path: missing value"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct doc d = {0};
        struct buf out = {0};
        struct err err = {0};
        val *result = NULL;
        if (patch_json_cause(&d, parse(&d, table[i].current), parse(&d, table[i].patch), &result,
                             &out, &err) == 0)
            val_write_json(result, &out);
        else
            CHECK_INT(err.code, 422);
        CHECK_STR(buf_str(&out), table[i].want);
        buf_done(&out);
        doc_done(&d);
    }
}

TEST(json_patches_that_are_none_are_bad_requests)
{
    static const char *const table[][2] = {
        {"{}", "json: cannot unmarshal object into Go value of type jsonpatch.Patch"},
        {"[1]", "json: cannot unmarshal number into Go value of type jsonpatch.Operation"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct doc d = {0};
        struct err err = {0};
        val *result;
        CHECK_INT(patch_json(&d, NULL, parse(&d, table[i][0]), &result, &err), -1);
        CHECK_INT(err.code, 400);
        CHECK_STR(str_of(err.message), table[i][1]);
        doc_done(&d);
    }
}

TEST(json_patches_cannot_grow_without_limit)
{
    struct doc d = {0};
    struct err err = {0};
    struct buf text = {0}, cause = {0};
    val *result;
    buf_putc(&text, '[');
    for (int i = 0; i < 600; i++)
        buf_printf(&text, "%s{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/%d\"}", i ? "," : "",
                   i);
    buf_putc(&text, ']');
    val *current = parse(&d, "{\"a\":{}}"), *patch = parse(&d, buf_z(&text));
    CHECK_INT(patch_json_cause(&d, current, patch, &result, &cause, &err), -1);
    CHECK(str_starts(buf_str(&cause), STR("Unable to complete the copy, the accumulated size")));
    buf_clear(&text);
    buf_putc(&text, '[');
    for (int i = 0; i < 10001; i++)
        buf_puts(&text, i ? ",{}" : "{}");
    buf_putc(&text, ']');
    CHECK_INT(patch_json(&d, current, parse(&d, buf_z(&text)), &result, &err), -1);
    CHECK_INT(err.code, 413);
    buf_done(&text);
    buf_done(&cause);
    doc_done(&d);
}

/* --- RFC 7386 --- */
TEST(merge_patches_are_applied)
{
    static const struct row table[] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
        {"{\"a\":{}}", "{\"a\":[null]}", "{\"a\":[null]}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct doc d = {0};
        struct buf out = {0};
        val_write_json(patch_merge(&d, parse(&d, table[i].current), parse(&d, table[i].patch)),
                       &out);
        CHECK_STR(buf_str(&out), table[i].want);
        buf_done(&out);
        doc_done(&d);
    }
}

TEST(large_objects_merge_in_linear_time)
{
    struct doc d = {0};
    val *current = val_new_obj(&d), *patch = val_new_obj(&d);
    enum { MANY = 50000 };
    struct buf a = {0}, b = {0};
    for (int i = 0; i < MANY; i++) {
        buf_printf(&a, "%s\"k%d\":1", i ? "," : "{", i);
        buf_printf(&b, "%s\"k%d\":%s", i ? "," : "{", i + MANY / 2, i % 2 ? "null" : "2");
    }
    buf_putc(&a, '}');
    buf_putc(&b, '}');
    current = parse(&d, buf_z(&a)), patch = parse(&d, buf_z(&b));
    CHECK_INT(val_len(patch_merge(&d, current, patch)), MANY);
    buf_done(&a);
    buf_done(&b);
    doc_done(&d);
}

/* --- strategic merge, with a small schema of its own --- */
static const struct schema string = {.type = SCHEMA_STRING};
static const struct schema strings = {.type = SCHEMA_ARRAY, .items = &string};
static const struct schema labels = {.type = SCHEMA_MAP, .items = &string};
static const struct schema_field port_fields[] = {
    {.name = "port", .schema = &string},
    {.name = "name", .schema = &string},
};
static const struct schema_field *const port_by_name[] = {&port_fields[1], &port_fields[0]};
static const struct schema port = {.name = "test.Port",
                                   .type = SCHEMA_OBJECT,
                                   .fields = port_fields,
                                   .field_count = 2,
                                   .by_name = port_by_name,
                                   .by_name_count = 2};
static const struct schema ports = {.type = SCHEMA_ARRAY, .items = &port};
static const struct schema_field item_fields[] = {
    {.name = "name", .schema = &string},
    {.name = "image", .schema = &string},
    {.name = "ports", .schema = &ports, .merge_key = "port", .patch = SCHEMA_PATCH_MERGE},
};
static const struct schema_field *const item_by_name[] = {&item_fields[1], &item_fields[0],
                                                          &item_fields[2]};
static const struct schema item = {.name = "test.Item",
                                   .type = SCHEMA_OBJECT,
                                   .fields = item_fields,
                                   .field_count = 3,
                                   .by_name = item_by_name,
                                   .by_name_count = 3};
static const struct schema items = {.type = SCHEMA_ARRAY, .items = &item};
static const struct schema_field root_fields[] = {
    {.name = "items", .schema = &items, .merge_key = "name", .patch = SCHEMA_PATCH_MERGE},
    {.name = "plain", .schema = &items},
    {.name = "set", .schema = &strings, .patch = SCHEMA_PATCH_MERGE},
    {.name = "labels", .schema = &labels},
    {.name = "choice", .schema = &item, .patch = SCHEMA_PATCH_RETAIN_KEYS},
    {.name = "whole", .schema = &item, .patch = SCHEMA_PATCH_REPLACE},
};
static const struct schema_field *const root_by_name[] = {&root_fields[4], &root_fields[0],
                                                          &root_fields[3], &root_fields[1],
                                                          &root_fields[2], &root_fields[5]};
static const struct schema root = {.name = "test.Root",
                                   .type = SCHEMA_OBJECT,
                                   .fields = root_fields,
                                   .field_count = 6,
                                   .by_name = root_by_name,
                                   .by_name_count = 6};

TEST(strategic_patches_are_applied)
{
    static const struct row table[] = {
        /* objects merge, null deletes */
        {"{\"labels\":{\"a\":\"1\",\"b\":\"2\"}}", "{\"labels\":{\"a\":null,\"c\":\"3\"}}",
         "{\"labels\":{\"b\":\"2\",\"c\":\"3\"}}"},
        {"{}", "{\"labels\":{\"a\":null,\"b\":\"1\"}}", "{\"labels\":{\"b\":\"1\"}}"},
        {"{\"whole\":{\"name\":\"a\",\"image\":\"i\"}}", "{\"whole\":{\"name\":\"b\"}}",
         "{\"whole\":{\"name\":\"b\"}}"},
        /* lists of objects merge by their key */
        {"{\"items\":[{\"name\":\"a\",\"image\":\"1\"},{\"name\":\"b\"}]}",
         "{\"items\":[{\"name\":\"a\",\"image\":\"2\"}]}",
         "{\"items\":[{\"name\":\"a\",\"image\":\"2\"},{\"name\":\"b\"}]}"},
        {"{\"items\":[{\"name\":\"a\"}]}", "{\"items\":[{\"name\":\"b\"}]}",
         "{\"items\":[{\"name\":\"b\"},{\"name\":\"a\"}]}"},
        {"{\"items\":[{\"name\":\"a\",\"ports\":[{\"port\":\"1\"}]}]}",
         "{\"items\":[{\"name\":\"a\",\"ports\":[{\"port\":\"1\",\"name\":\"x\"}]}]}",
         "{\"items\":[{\"name\":\"a\",\"ports\":[{\"port\":\"1\",\"name\":\"x\"}]}]}"},
        {"{\"plain\":[{\"name\":\"a\"}]}", "{\"plain\":[{\"name\":\"b\"}]}",
         "{\"plain\":[{\"name\":\"b\"}]}"},
        /* $patch */
        {"{\"items\":[{\"name\":\"a\"},{\"name\":\"b\"}]}",
         "{\"items\":[{\"name\":\"a\",\"$patch\":\"delete\"}]}", "{\"items\":[{\"name\":\"b\"}]}"},
        {"{\"items\":[{\"name\":\"a\"},{\"name\":\"b\"}]}",
         "{\"items\":[{\"name\":\"c\"},{\"$patch\":\"replace\"}]}",
         "{\"items\":[{\"name\":\"c\"}]}"},
        {"{\"labels\":{\"a\":\"1\"}}", "{\"labels\":{\"$patch\":\"replace\",\"b\":\"2\"}}",
         "{\"labels\":{\"b\":\"2\"}}"},
        {"{\"labels\":{\"a\":\"1\"}}", "{\"labels\":{\"$patch\":\"delete\"}}", "{\"labels\":{}}"},
        /* sets of scalars */
        {"{\"set\":[\"a\",\"b\"]}", "{\"set\":[\"c\",\"b\"]}", "{\"set\":[\"c\",\"a\",\"b\"]}"},
        {"{\"set\":[\"a\",\"b\",\"c\"]}", "{\"$deleteFromPrimitiveList/set\":[\"b\"]}",
         "{\"set\":[\"a\",\"c\"]}"},
        {"{\"set\":[\"a\",\"b\",\"c\"]}", "{\"$setElementOrder/set\":[\"c\",\"a\"]}",
         "{\"set\":[\"b\",\"c\",\"a\"]}"},
        /* $setElementOrder, as kubectl apply sends it */
        {"{\"items\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"}]}",
         "{\"$setElementOrder/items\":[{\"name\":\"b\"},{\"name\":\"d\"},{\"name\":\"a\"}],"
         "\"items\":[{\"name\":\"d\"},{\"name\":\"c\",\"$patch\":\"delete\"}]}",
         "{\"items\":[{\"name\":\"b\"},{\"name\":\"d\"},{\"name\":\"a\"}]}"},
        /* $retainKeys */
        {"{\"choice\":{\"name\":\"a\",\"image\":\"i\"}}",
         "{\"choice\":{\"$retainKeys\":[\"name\"],\"name\":\"b\"}}",
         "{\"choice\":{\"name\":\"b\"}}"},
        /* errors */
        {"{\"items\":[{\"name\":\"a\"}]}", "{\"items\":[{\"image\":\"x\"}]}",
         "500 map: map[image:x] does not contain declared merge key: name"},
        {"{\"items\":[{\"name\":\"a\"}]}", "{\"items\":[{\"name\":\"a\",\"$patch\":\"x\"}]}",
         "500 unknown patch type: x in map: map[$patch:x name:a]"},
        {"{\"choice\":{\"name\":\"a\"}}", "{\"choice\":{\"$retainKeys\":[],\"name\":\"b\"}}",
         "422 invalid patch format of retainKeys"},
        {"{\"nope\":{\"a\":1}}", "{\"nope\":{\"b\":1}}",
         "500 unable to find api field in struct Root for the json field \"nope\""},
        {"{\"set\":[\"a\"]}", "{\"set\":[\"b\"],\"$setElementOrder/set\":[\"a\"]}",
         "500 The order in patch list:\n[b]\n doesn't match $setElementOrder list:\n[a]\n"},
        {"{}", "[]",
         "400 json: cannot unmarshal array into Go value of type map[string]interface {}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct doc d = {0};
        struct buf out = {0};
        struct err err = {0};
        val *result = NULL, *current = parse(&d, table[i].current);
        if (patch_strategic(&d, &root, current, parse(&d, table[i].patch), &result, &err) == 0)
            val_write_json(result, &out);
        else
            buf_printf(&out, "%d %s", err.code, err.message);
        CHECK_STR(buf_str(&out), table[i].want);
        buf_clear(&out);
        val_write_json(current, &out);
        CHECK_STR(buf_str(&out), table[i].current);
        buf_done(&out);
        doc_done(&d);
    }
}
