/* Kubernetes protobuf to JSON values, led by a schema. */
#include "doc/proto_internal.h"
#include "doc/schema_internal.h"
#include "doc/time.h"
#include "doc/val_internal.h"

#include <math.h>

enum { PROTO_MAX_DEPTH = 200, PROTO_MAX_VALUES = 500000 };

struct decode {
    struct doc *d;
    struct err *err;
    size_t values; /* made so far: two bytes of input can stand for a whole default object */
    int depth;
};

static int decode_message(struct decode *c, const struct schema *s, struct str in, val *obj);
static int decode_value(struct decode *c, const struct schema *s, const struct wire_field *f,
                        val **ret);

static int wrong_wire(struct decode *c, const struct schema *s, const struct wire_field *f)
{
    return err_bad(c->err, "proto: wrong wireType = %d for field %u of type %d", (int)f->wire,
                   f->number, (int)s->type);
}

static bool is_utf8(struct str s)
{
    size_t i = 0;
    while (i < s.n) {
        unsigned char c = (unsigned char)s.p[i];
        size_t more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
        if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || s.n - i <= more)
            return false;
        unsigned char next = more ? (unsigned char)s.p[i + 1] : 0x80;
        if ((c == 0xe0 && next < 0xa0) || (c == 0xed && next > 0x9f) ||
            (c == 0xf0 && next < 0x90) || (c == 0xf4 && next > 0x8f))
            return false;
        for (size_t k = 1; k <= more; k++)
            if (((unsigned char)s.p[i + k] & 0xc0) != 0x80)
                return false;
        i += more + 1;
    }
    return true;
}

/* --- values that are one message in protobuf and one scalar in JSON --- */

/* The message's fields 1 to 3, later ones over earlier ones. */
static int read_small(struct decode *c, struct str in, struct wire_field ret[4])
{
    struct wire_field f;
    int more;
    memset(ret, 0, 4 * sizeof(*ret));
    while ((more = wire_next(&in, &f, c->err)) > 0)
        if (f.number < 4)
            ret[f.number] = f;
    return more;
}

static int decode_text(struct decode *c, struct str text, val **ret)
{
    if (!is_utf8(text))
        return err_bad(c->err, "proto: a string holds invalid UTF-8");
    *ret = val_new_str(c->d, text);
    return 0;
}

static int decode_quantity(struct decode *c, const struct schema *s, struct str in, val **ret)
{
    struct wire_field m[4];
    if (read_small(c, in, m) < 0)
        return -1;
    struct str text = m[ONLY].bytes.n ? m[ONLY].bytes : STR("0");
    if (decode_text(c, text, ret) < 0)
        return -1;
    return schema_canonical(s, c->d, *ret, c->err);
}

/* An empty message is Go's zero time, which JSON has as null. */
static int decode_time(struct decode *c, struct str in, bool micro, val **ret)
{
    static const int64_t second = 1000000000, first = -62135596800, last = 253402300799;
    struct wire_field m[4];
    if (read_small(c, in, m) < 0)
        return -1;
    int64_t seconds = (int64_t)m[TIME_SECONDS].value;
    int64_t nanos = micro ? (int32_t)m[TIME_NANOS].value : 0;
    *ret = val_new_null(c->d);
    if (in.n == 0 || seconds == first)
        return 0;
    if (seconds < INT64_MIN / second + 1 || seconds > INT64_MAX / second - 1 || seconds < first ||
        seconds > last || nanos < 0 || nanos >= second)
        return err_bad(c->err, "proto: a time is out of range");
    char text[TIME_TEXT];
    if (micro)
        time_write_micro(seconds * second + nanos, text);
    else
        time_write(seconds * second, text);
    *ret = val_new_z(c->d, text);
    return 0;
}

static int decode_duration(struct decode *c, struct str in, val **ret)
{
    struct wire_field m[4];
    if (read_small(c, in, m) < 0)
        return -1;
    CLEANUP(buf_done) struct buf b = {0};
    duration_write((int64_t)m[ONLY].value, &b);
    *ret = val_new_str(c->d, buf_str(&b));
    return 0;
}

static int decode_int_or_string(struct decode *c, struct str in, val **ret)
{
    struct wire_field m[4];
    if (read_small(c, in, m) < 0)
        return -1;
    if (m[EITHER_TYPE].value == 1)
        return decode_text(c, m[EITHER_STRING].bytes, ret);
    if (m[EITHER_TYPE].value != 0)
        return err_bad(c->err, "impossible IntOrString.Type");
    *ret = val_new_int(c->d, (int32_t)m[EITHER_INT].value);
    return 0;
}

static int decode_raw(struct decode *c, struct str in, val **ret)
{
    struct wire_field m[4];
    if (read_small(c, in, m) < 0)
        return -1;
    if (m[ONLY].bytes.n)
        return doc_parse_json(c->d, m[ONLY].bytes, ret, c->err);
    *ret = val_new_null(c->d);
    return 0;
}

static int decode_boxed(struct decode *c, const struct schema *s, struct str in, val **ret)
{
    struct wire_field f;
    int more;
    *ret = val_new_arr(c->d);
    while ((more = wire_next(&in, &f, c->err)) > 0) {
        val *item;
        if (f.number != ONLY)
            continue;
        if (decode_value(c, s->items, &f, &item) < 0)
            return -1;
        val_push(*ret, item);
    }
    return more;
}

/* --- apiextensions' JSONSchemaPropsOr… --- */
static int decode_props(struct decode *c, const struct schema *s, struct str in, val **ret)
{
    bool either_bool = s->type == SCHEMA_PROPS_OR_BOOL;
    uint32_t schema_number = either_bool ? PROPS_BOOL_SCHEMA : PROPS_SCHEMA;
    val *schema = NULL, *items = val_new_arr(c->d);
    bool allows = false;
    struct wire_field f;
    int more;
    while ((more = wire_next(&in, &f, c->err)) > 0) {
        val *item = NULL;
        if (either_bool && f.number == PROPS_ALLOWS) {
            allows = f.value != 0;
        } else if (f.number == schema_number) {
            if (decode_value(c, s->items, &f, &schema) < 0)
                return -1;
        } else if (!either_bool && f.number == PROPS_ITEMS) {
            int status = s->type == SCHEMA_PROPS_OR_ARRAY ? decode_value(c, s->items, &f, &item)
                                                          : decode_text(c, f.bytes, &item);
            if (status < 0)
                return -1;
            val_push(items, item);
        }
    }
    if (more < 0)
        return -1;
    if (val_len(items))
        *ret = items;
    else if (schema)
        *ret = schema;
    else
        *ret = either_bool ? val_new_bool(c->d, allows) : val_new_null(c->d);
    return 0;
}

static int decode_object(struct decode *c, const struct schema *s, struct str in, val **ret)
{
    *ret = val_new_obj(c->d);
    return decode_message(c, s, in, *ret);
}

/* --- fields --- */
static int decode_submessage(struct decode *c, const struct schema *s, struct str in, val **ret)
{
    switch (s->type) {
    case SCHEMA_STRING:
        return decode_text(c, in, ret);
    case SCHEMA_BYTES: {
        CLEANUP(buf_done) struct buf b = {0};
        base64_write(in, &b);
        *ret = val_new_str(c->d, buf_str(&b));
        return 0;
    }
    case SCHEMA_OBJECT:
        return decode_object(c, s, in, ret);
    case SCHEMA_QUANTITY:
        return decode_quantity(c, s, in, ret);
    case SCHEMA_TIME:
        return decode_time(c, in, false, ret);
    case SCHEMA_MICRO_TIME:
        return decode_time(c, in, true, ret);
    case SCHEMA_DURATION:
        return decode_duration(c, in, ret);
    case SCHEMA_INT_OR_STRING:
        return decode_int_or_string(c, in, ret);
    case SCHEMA_FIELDS_V1:
    case SCHEMA_RAW:
        return decode_raw(c, in, ret);
    case SCHEMA_ARRAY:
        return decode_boxed(c, s, in, ret);
    case SCHEMA_PROPS_OR_BOOL:
    case SCHEMA_PROPS_OR_ARRAY:
    case SCHEMA_PROPS_OR_STRINGS:
        return decode_props(c, s, in, ret);
    default:
        return err_bad(c->err, "proto: a message where a number belongs");
    }
}

static int decode_double(struct decode *c, uint64_t bits, val **ret)
{
    double r;
    memcpy(&r, &bits, sizeof(r));
    if (!isfinite(r))
        return err_bad(c->err, "json: unsupported value: %s",
                       isnan(r) ? "NaN"
                       : r > 0  ? "+Inf"
                                : "-Inf");
    /* Whole numbers without a point, as Go writes them. */
    bool whole = r > -0x1p53 && r < 0x1p53 && r == (double)(int64_t)r;
    *ret = whole ? val_new_int(c->d, (int64_t)r) : val_new_real(c->d, r);
    return 0;
}

static int decode_value(struct decode *c, const struct schema *s, const struct wire_field *f,
                        val **ret)
{
    if (++c->values > PROTO_MAX_VALUES)
        return err_bad(c->err, "the document holds more than %d values", PROTO_MAX_VALUES);
    switch (s->type) {
    case SCHEMA_BOOL:
        if (f->wire != WIRE_VARINT)
            return wrong_wire(c, s, f);
        *ret = val_new_bool(c->d, f->value != 0);
        return 0;
    case SCHEMA_INT32:
        if (f->wire != WIRE_VARINT)
            return wrong_wire(c, s, f);
        *ret = val_new_int(c->d, (int32_t)f->value);
        return 0;
    case SCHEMA_INT64:
        if (f->wire != WIRE_VARINT)
            return wrong_wire(c, s, f);
        *ret = val_new_int(c->d, (int64_t)f->value);
        return 0;
    case SCHEMA_DOUBLE:
        return f->wire == WIRE_FIXED64 ? decode_double(c, f->value, ret) : wrong_wire(c, s, f);
    default:
        break;
    }
    if (f->wire != WIRE_BYTES)
        return wrong_wire(c, s, f);
    if (c->depth >= PROTO_MAX_DEPTH)
        return err_bad(c->err, "exceeded max depth");
    c->depth++;
    int status = decode_submessage(c, s, f->bytes, ret);
    c->depth--;
    return status;
}

/* The value of a key that was not on the wire: Go's zero value. */
static val *zero_value(struct decode *c, const struct schema *s)
{
    val *v = val_new_null(c->d);
    schema_set_zero(s, v);
    return v;
}

static int decode_entry(struct decode *c, const struct schema *s, struct str in, val *map)
{
    struct wire_field f;
    struct str key = {0};
    val *value = NULL;
    int more;
    while ((more = wire_next(&in, &f, c->err)) > 0) {
        if (f.number == MAP_KEY && f.wire == WIRE_BYTES)
            key = f.bytes;
        else if (f.number == MAP_VALUE && decode_value(c, s->items, &f, &value) < 0)
            return -1;
    }
    if (more < 0)
        return -1;
    if (!is_utf8(key))
        return err_bad(c->err, "proto: a string holds invalid UTF-8");
    yyjson_mut_obj_add(map, val_new_str(c->d, key), value ? value : zero_value(c, s->items));
    return 0;
}

/* Repeated numbers in one field; older encoders write one field each. */
static int decode_packed(struct decode *c, const struct schema *s, struct str in, val *arr)
{
    struct wire_field f = {.wire = WIRE_VARINT};
    while (in.n) {
        val *item;
        if (wire_varint(&in, &f.value) < 0)
            return err_bad(c->err, "unexpected EOF");
        if (decode_value(c, s, &f, &item) < 0)
            return -1;
        val_push(arr, item);
    }
    return 0;
}

static bool is_varint(const struct schema *s)
{
    return s->type == SCHEMA_INT32 || s->type == SCHEMA_INT64 || s->type == SCHEMA_BOOL;
}

static int decode_element(struct decode *c, const struct schema *s, const struct wire_field *f,
                          val *arr)
{
    if (is_varint(s->items) && f->wire == WIRE_BYTES)
        return decode_packed(c, s->items, f->bytes, arr);
    val *item;
    if (decode_value(c, s->items, f, &item) < 0)
        return -1;
    val_push(arr, item);
    return 0;
}

static int decode_field(struct decode *c, const struct schema_field *field,
                        const struct wire_field *f, val *obj)
{
    const struct schema *s = field->schema;
    if (s->type == SCHEMA_ARRAY && !s->boxed)
        return decode_element(c, s, f, val_ensure_arr(c->d, obj, field->name));
    if (s->type == SCHEMA_MAP) {
        if (f->wire != WIRE_BYTES || ++c->values > PROTO_MAX_VALUES)
            return wrong_wire(c, s, f);
        return decode_entry(c, s, f->bytes, val_ensure_obj(c->d, obj, field->name));
    }
    if (s->type == SCHEMA_OBJECT && f->wire == WIRE_BYTES) {
        val *now = field->name[0] ? val_get(obj, field->name) : obj;
        if (now && c->depth < PROTO_MAX_DEPTH) { /* embedded, or in several pieces */
            c->depth++;
            int status = decode_message(c, s, f->bytes, now);
            c->depth--;
            return status;
        }
    }
    val *v;
    if (decode_value(c, s, f, &v) < 0)
        return -1;
    val_set(c->d, obj, field->name, v);
    return 0;
}

static const struct schema_field *field_by_number(const struct schema *s, uint32_t number)
{
    for (size_t i = 0; i < s->field_count; i++)
        if (s->fields[i].proto == number)
            return &s->fields[i];
    return NULL;
}

/* A key that came twice counts with its last value. */
static void drop_map_duplicates(const struct schema *s, val *obj)
{
    for (size_t i = 0; i < s->field_count; i++)
        if (s->fields[i].schema->type == SCHEMA_MAP)
            schema_drop_duplicates(val_get(obj, s->fields[i].name));
}

static int decode_message(struct decode *c, const struct schema *s, struct str in, val *obj)
{
    struct wire_field f;
    int more;
    while ((more = wire_next(&in, &f, c->err)) > 0) {
        const struct schema_field *field = field_by_number(s, f.number);
        if (field && decode_field(c, field, &f, obj) < 0)
            return -1;
    }
    drop_map_duplicates(s, obj);
    return more;
}

int schema_decode_proto(const struct schema *s, struct doc *d, struct str body, val **ret,
                        struct err *err)
{
    struct str api_version, kind, raw;
    if (s->custom)
        return err_set(err, 415, "UnsupportedMediaType",
                       "the body of the request was in an unknown format - accepted media types "
                       "include: application/json, application/yaml");
    if (body.n > DOC_MAX_BYTES)
        return err_set(err, 413, "RequestEntityTooLarge", "Request entity too large: limit is %d",
                       DOC_MAX_BYTES);
    if (schema_proto_type(body, &api_version, &kind, &raw, err) < 0)
        return -1;
    if (!is_utf8(api_version) || !is_utf8(kind))
        return err_bad(err, "proto: a string holds invalid UTF-8");
    struct decode c = {.d = d, .err = err};
    val *obj = val_new_obj(d);
    if (kind.n)
        val_set_s(d, obj, "kind", kind);
    if (api_version.n)
        val_set_s(d, obj, "apiVersion", api_version);
    if (decode_message(&c, s, raw, obj) < 0)
        return -1;
    schema_normalize(s, d, obj);
    *ret = obj;
    return 0;
}
