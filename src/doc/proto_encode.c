/* JSON values to Kubernetes protobuf: fields by number, map entries by key, as gogo's generated
 * marshalers write them. Members that are no pointers are written even when they are zero. */
#include "doc/proto_internal.h"
#include "doc/schema_internal.h"
#include "doc/time.h"

struct encode {
    struct buf *b;
    struct err *err;
};

static int encode_message(struct encode *c, const struct schema *s, const val *obj);
static int encode_value(struct encode *c, const struct schema *s, uint32_t number, const val *v);

static int encode_bytes(struct encode *c, uint32_t number, const val *v)
{
    CLEANUP(buf_done) struct buf bytes = {0};
    size_t bad;
    if (base64_read(val_str(v), &bytes, &bad) < 0)
        return err_bad(c->err, "illegal base64 data at input byte %zu", bad);
    wire_put_bytes(c->b, number, buf_str(&bytes));
    return 0;
}

static int encode_time(struct encode *c, const val *v, bool micro)
{
    static const int64_t second = 1000000000, microsecond = 1000;
    int64_t ns;
    if (!val_is_str(v))
        return 0; /* Go's zero time is an empty message */
    if (time_parse(val_str(v), &ns, c->err) < 0)
        return -1;
    if (ns == INT64_MIN || ns == INT64_MAX)
        return err_bad(c->err, "proto: a time is out of range");
    int64_t nanos = (ns % second + second) % second;
    wire_put_int(c->b, TIME_SECONDS, (uint64_t)(ns / second - (ns % second < 0)));
    wire_put_int(c->b, TIME_NANOS, micro ? (uint64_t)(nanos / microsecond * microsecond) : 0);
    return 0;
}

static int encode_duration(struct encode *c, const val *v)
{
    int64_t ns = 0;
    if (val_is_str(v) && duration_parse(val_str(v), &ns, c->err) < 0)
        return -1;
    wire_put_int(c->b, ONLY, (uint64_t)ns);
    return 0;
}

static void encode_int_or_string(struct encode *c, const val *v)
{
    wire_put_int(c->b, EITHER_TYPE, val_is_str(v));
    wire_put_int(c->b, EITHER_INT, (uint64_t)(val_is_str(v) ? 0 : val_int(v)));
    wire_put_bytes(c->b, EITHER_STRING, val_str(v));
}

static void encode_raw(struct encode *c, const val *v)
{
    if (val_is_null(v))
        return;
    CLEANUP(buf_done) struct buf json = {0};
    val_write_json(v, &json);
    wire_put_bytes(c->b, ONLY, buf_str(&json));
}

static int encode_boxed(struct encode *c, const struct schema *s, const val *v)
{
    VAL_FOR (v, item)
        if (encode_value(c, s->items, ONLY, item) < 0)
            return -1;
    return 0;
}

static int encode_props(struct encode *c, const struct schema *s, const val *v)
{
    bool either_bool = s->type == SCHEMA_PROPS_OR_BOOL;
    if (either_bool)
        wire_put_int(c->b, PROPS_ALLOWS, val_is_obj(v) || val_bool(v));
    if (val_is_obj(v))
        return encode_value(c, s->items, either_bool ? PROPS_BOOL_SCHEMA : PROPS_SCHEMA, v);
    VAL_FOR (v, item) {
        if (s->type == SCHEMA_PROPS_OR_STRINGS)
            wire_put_bytes(c->b, PROPS_ITEMS, val_str(item));
        else if (encode_value(c, s->items, PROPS_ITEMS, item) < 0)
            return -1;
    }
    return 0;
}

static int encode_content(struct encode *c, const struct schema *s, const val *v)
{
    switch (s->type) {
    case SCHEMA_OBJECT:
        return encode_message(c, s, v);
    case SCHEMA_QUANTITY:
        wire_put_bytes(c->b, ONLY, val_is_str(v) ? val_str(v) : STR("0"));
        return 0;
    case SCHEMA_TIME:
        return encode_time(c, v, false);
    case SCHEMA_MICRO_TIME:
        return encode_time(c, v, true);
    case SCHEMA_DURATION:
        return encode_duration(c, v);
    case SCHEMA_INT_OR_STRING:
        encode_int_or_string(c, v);
        return 0;
    case SCHEMA_FIELDS_V1:
    case SCHEMA_RAW:
        encode_raw(c, v);
        return 0;
    case SCHEMA_ARRAY:
        return encode_boxed(c, s, v);
    default:
        return encode_props(c, s, v);
    }
}

/* One value under a field number; NULL and null are the type's zero value. */
static int encode_value(struct encode *c, const struct schema *s, uint32_t number, const val *v)
{
    double real;
    uint64_t bits;
    switch (s->type) {
    case SCHEMA_STRING:
        wire_put_bytes(c->b, number, val_str(v));
        return 0;
    case SCHEMA_BYTES:
        return val_is_null(v) ? 0 : encode_bytes(c, number, v);
    case SCHEMA_BOOL:
        wire_put_int(c->b, number, val_bool(v));
        return 0;
    case SCHEMA_INT32:
    case SCHEMA_INT64:
        wire_put_int(c->b, number, (uint64_t)val_int(v));
        return 0;
    case SCHEMA_DOUBLE:
        real = val_real(v);
        memcpy(&bits, &real, sizeof(bits));
        wire_put_tag(c->b, number, WIRE_FIXED64);
        for (int i = 0; i < 8; i++)
            buf_putc(c->b, (char)(bits >> (8 * i)));
        return 0;
    default:
        break;
    }
    size_t start = wire_begin(c->b, number);
    if (encode_content(c, s, v) < 0)
        return -1;
    wire_end(c->b, start);
    return 0;
}

/* --- maps --- */
struct entry {
    struct str key;
    const val *value;
};

static int compare_entries(const void *a, const void *b)
{
    return str_cmp(((const struct entry *)a)->key, ((const struct entry *)b)->key);
}

static int encode_map(struct encode *c, const struct schema *s, uint32_t number, const val *v)
{
    size_t n = val_len(v), i = 0;
    if (n == 0)
        return 0;
    CLEANUP(mem_freep) struct entry *entries = mem_realloc_array(NULL, n, sizeof(*entries));
    VAL_EACH (v, key, member)
        entries[i++] = (struct entry){val_str(key), member};
    qsort(entries, n, sizeof(*entries), compare_entries);
    for (i = 0; i < n; i++) {
        size_t start = wire_begin(c->b, number);
        wire_put_bytes(c->b, MAP_KEY, entries[i].key);
        if (encode_value(c, s->items, MAP_VALUE, entries[i].value) < 0)
            return -1;
        wire_end(c->b, start);
    }
    return 0;
}

static int encode_field(struct encode *c, const struct schema_field *f, const val *obj)
{
    const struct schema *s = f->schema;
    if (f->name[0] == '\0')
        return encode_value(c, s, f->proto, obj);
    const val *v = val_get(obj, f->name);
    if (s->type == SCHEMA_MAP)
        return encode_map(c, s, f->proto, v);
    if (s->type == SCHEMA_ARRAY && !s->boxed) {
        VAL_FOR (v, item)
            if (encode_value(c, s->items, f->proto, item) < 0)
                return -1;
        return 0;
    }
    if (f->pointer && val_is_null(v))
        return 0;
    return encode_value(c, s, f->proto, v);
}

static int encode_message(struct encode *c, const struct schema *s, const val *obj)
{
    for (size_t i = 0; i < s->field_count; i++)
        if (s->fields[i].proto && encode_field(c, &s->fields[i], obj) < 0)
            return -1;
    return 0;
}

int schema_encode_proto(const struct schema *s, const val *v, struct buf *b, struct err *err)
{
    struct encode c = {.b = b, .err = err};
    buf_append(b, "k8s\0", 4);
    size_t type = wire_begin(b, UNKNOWN_TYPE);
    wire_put_bytes(b, TYPE_API_VERSION, VAL_STR(v, "apiVersion"));
    wire_put_bytes(b, TYPE_KIND, VAL_STR(v, "kind"));
    wire_end(b, type);
    size_t raw = wire_begin(b, UNKNOWN_RAW);
    if (encode_message(&c, s, v) < 0)
        return -1;
    wire_end(b, raw);
    wire_put_bytes(b, UNKNOWN_ENCODING, (struct str){0});
    wire_put_bytes(b, UNKNOWN_CONTENT_TYPE, (struct str){0});
    return 0;
}
