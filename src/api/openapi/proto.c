#include "api/openapi/proto.h"

/* What a member of a JSON object becomes. The wrappers around single values are messages of their
 * own in gnostic's definition. */
enum form {
    TEXT,       /* string */
    FLAG,       /* bool */
    TEXTS,      /* repeated string */
    ONE,        /* a message */
    NAMED,      /* an object: repeated {name = 1, value = 2} */
    ANY,        /* YAML text in {yaml = 2} */
    ANYS,       /* repeated */
    TYPE_ITEM,  /* string in {value = 1} */
    ITEMS_ITEM, /* schema in {schema = 1} */
    MORE,       /* schema in {schema = 1} or bool in {boolean = 2} */
    PARAMETERS, /* repeated, each in {parameter = 1} */
    RESPONSE,   /* repeated {name = 1, value = 2 {response = 1}} in {response_code = 1} */
    SCHEMA_ITEM /* schema in {schema = 1} */
};

struct message;

struct field {
    const char *name;
    uint8_t number;
    enum form form;
    const struct message *message;
};

struct message {
    const struct field *fields; /* the last has no name */
    uint8_t extension; /* the number of vendor_extension; 0: members that start with "x-" do not
                          count */
};

static const struct message schema;
static const struct field schema_fields[] = {{"$ref", 1, TEXT, NULL},
                                             {"format", 2, TEXT, NULL},
                                             {"title", 3, TEXT, NULL},
                                             {"description", 4, TEXT, NULL},
                                             {"default", 5, ANY, NULL},
                                             {"pattern", 13, TEXT, NULL},
                                             {"required", 19, TEXTS, NULL},
                                             {"enum", 20, ANYS, NULL},
                                             {"additionalProperties", 21, MORE, NULL},
                                             {"type", 22, TYPE_ITEM, NULL},
                                             {"items", 23, ITEMS_ITEM, NULL},
                                             {"properties", 25, NAMED, &schema},
                                             {0}};
static const struct message schema = {schema_fields, 31};

static const struct field body_fields[] = {
    {"description", 1, TEXT, NULL}, {"name", 2, TEXT, NULL},     {"in", 3, TEXT, NULL},
    {"required", 4, FLAG, NULL},    {"schema", 5, ONE, &schema}, {0}};
static const struct message body_parameter = {body_fields, 6};
static const struct field query_fields[] = {
    {"required", 1, FLAG, NULL},     {"in", 2, TEXT, NULL},
    {"description", 3, TEXT, NULL},  {"name", 4, TEXT, NULL},
    {"type", 6, TEXT, NULL},         {"format", 7, TEXT, NULL},
    {"uniqueItems", 20, FLAG, NULL}, {0}};
static const struct message query_parameter = {query_fields, 23};
static const struct field path_fields[] = {
    {"required", 1, FLAG, NULL},     {"in", 2, TEXT, NULL},
    {"description", 3, TEXT, NULL},  {"name", 4, TEXT, NULL},
    {"type", 5, TEXT, NULL},         {"format", 6, TEXT, NULL},
    {"uniqueItems", 19, FLAG, NULL}, {0}};
static const struct message path_parameter = {path_fields, 22};

static const struct field response_fields[] = {
    {"description", 1, TEXT, NULL}, {"schema", 2, SCHEMA_ITEM, NULL}, {0}};
static const struct message response = {response_fields, 5};
static const struct field operation_fields[] = {
    {"operationId", 5, TEXT, NULL},   {"produces", 6, TEXTS, NULL},
    {"consumes", 7, TEXTS, NULL},     {"parameters", 8, PARAMETERS, NULL},
    {"responses", 9, RESPONSE, NULL}, {0}};
static const struct message operation = {operation_fields, 13};
static const struct field item_fields[] = {{"get", 2, ONE, &operation},
                                           {"put", 3, ONE, &operation},
                                           {"post", 4, ONE, &operation},
                                           {"delete", 5, ONE, &operation},
                                           {"options", 6, ONE, &operation},
                                           {"head", 7, ONE, &operation},
                                           {"patch", 8, ONE, &operation},
                                           {"parameters", 9, PARAMETERS, NULL},
                                           {0}};
static const struct message path_item = {item_fields, 10};
static const struct field info_fields[] = {
    {"title", 1, TEXT, NULL}, {"version", 2, TEXT, NULL}, {0}};
static const struct message info = {info_fields, 7};

static void put_varint(struct buf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_putc(b, (char)(v | 0x80));
    buf_putc(b, (char)v);
}

static void put_bytes(struct buf *b, unsigned number, struct str s)
{
    put_varint(b, number << 3 | 2);
    put_varint(b, s.n);
    buf_put(b, s);
}

static void put_flag(struct buf *b, unsigned number, bool v)
{
    put_varint(b, number << 3);
    put_varint(b, v);
}

/* Takes what inner holds as one field, and empties inner. */
static void put_inner(struct buf *b, unsigned number, struct buf *inner)
{
    put_bytes(b, number, buf_str(inner));
    buf_done(inner);
}

static void put_any(struct buf *b, unsigned number, const val *v)
{
    struct buf text = {0}, any = {0};
    val_write_json(v, &text);
    put_bytes(&any, 2, buf_str(&text));
    buf_done(&text);
    put_inner(b, number, &any);
}

static void put_message(struct buf *b, const struct message *m, const val *v);

static void put_one(struct buf *b, unsigned number, const struct message *m, const val *v)
{
    struct buf inner = {0};
    put_message(&inner, m, v);
    put_inner(b, number, &inner);
}

static void put_wrapped(struct buf *b, unsigned number, unsigned inner_number,
                        const struct message *m, const val *v)
{
    struct buf wrapper = {0};
    put_one(&wrapper, inner_number, m, v);
    put_inner(b, number, &wrapper);
}

static void put_named(struct buf *b, unsigned number, const struct message *m, const val *object)
{
    VAL_EACH (object, key, member) {
        struct buf pair = {0};
        put_bytes(&pair, 1, val_str(key));
        put_one(&pair, 2, m, member);
        put_inner(b, number, &pair);
    }
}

/* ParametersItem {parameter = 1 {body_parameter = 1 | non_body_parameter = 2 {query = 3 | path =
 * 4}}} */
static void put_parameter(struct buf *b, unsigned number, const val *p)
{
    struct buf parameter = {0}, item = {0};
    struct str in = val_str(val_get(p, "in"));
    if (str_is(in, "body"))
        put_one(&parameter, 1, &body_parameter, p);
    else
        put_wrapped(&parameter, 2, str_is(in, "path") ? 4 : 3,
                    str_is(in, "path") ? &path_parameter : &query_parameter, p);
    put_inner(&item, 1, &parameter);
    put_inner(b, number, &item);
}

static void put_responses(struct buf *b, unsigned number, const val *object)
{
    struct buf all = {0};
    VAL_EACH (object, key, member) {
        struct buf pair = {0};
        put_bytes(&pair, 1, val_str(key));
        put_wrapped(&pair, 2, 1, &response, member);
        put_inner(&all, 1, &pair);
    }
    put_inner(b, number, &all);
}

static void put_more(struct buf *b, unsigned number, const val *v)
{
    if (!val_is_bool(v)) {
        put_wrapped(b, number, 1, &schema, v);
        return;
    }
    struct buf wrapper = {0};
    put_flag(&wrapper, 2, val_bool(v));
    put_inner(b, number, &wrapper);
}

static void put_field(struct buf *b, const struct field *f, const val *v)
{
    struct buf inner = {0};
    switch (f->form) {
    case TEXT:
        put_bytes(b, f->number, val_str(v));
        return;
    case FLAG:
        put_flag(b, f->number, val_bool(v));
        return;
    case TEXTS:
        VAL_FOR (v, item)
            put_bytes(b, f->number, val_str(item));
        return;
    case ONE:
        put_one(b, f->number, f->message, v);
        return;
    case NAMED:
        put_named(&inner, 1, f->message, v);
        put_inner(b, f->number, &inner);
        return;
    case ANY:
        put_any(b, f->number, v);
        return;
    case ANYS:
        VAL_FOR (v, item)
            put_any(b, f->number, item);
        return;
    case TYPE_ITEM:
        put_bytes(&inner, 1, val_str(v));
        put_inner(b, f->number, &inner);
        return;
    case ITEMS_ITEM:
    case SCHEMA_ITEM:
        put_wrapped(b, f->number, 1, &schema, v);
        return;
    case MORE:
        put_more(b, f->number, v);
        return;
    case PARAMETERS:
        VAL_FOR (v, item)
            put_parameter(b, f->number, item);
        return;
    case RESPONSE:
        put_responses(b, f->number, v);
        return;
    }
}

static void put_extension(struct buf *b, unsigned number, struct str name, const val *v)
{
    struct buf pair = {0};
    put_bytes(&pair, 1, name);
    put_any(&pair, 2, v);
    put_inner(b, number, &pair);
}

static void put_message(struct buf *b, const struct message *m, const val *object)
{
    VAL_EACH (object, key, member) {
        const struct field *f = m->fields;
        while (f->name && !str_is(val_str(key), f->name))
            f++;
        if (f->name)
            put_field(b, f, member);
        else if (m->extension && str_starts(val_str(key), STR("x-")))
            put_extension(b, m->extension, val_str(key), member);
    }
}

void openapi_write_proto(const val *document, struct buf *b)
{
    struct buf inner = {0};
    put_bytes(b, 1, val_str(val_get(document, "swagger")));
    put_one(b, 2, &info, val_get(document, "info"));
    put_named(&inner, 2, &path_item, val_get(document, "paths"));
    put_inner(b, 8, &inner);
    put_named(&inner, 1, &schema, val_get(document, "definitions"));
    put_inner(b, 9, &inner);
}
