/* Values as texts and as JSON. */
#include <math.h>

#include "cel/kube.h"
#include "cel/text.h"
#include "cel/type.h"

enum { MAX_TEXT_DEPTH = 64, MAX_TEXT = 16 * 1024 * 1024 };

/* strconv.FormatFloat(d, 'g', -1, 64). */
static void put_double(double d, struct buf *b)
{
    char digits[40];
    if (isnan(d)) {
        buf_puts(b, "NaN");
        return;
    }
    if (isinf(d)) {
        buf_puts(b, d < 0 ? "-Inf" : "+Inf");
        return;
    }
    int precision = 1;
    do
        snprintf(digits, sizeof digits, "%.*e", precision - 1, d);
    while (strtod(digits, NULL) != d && precision++ < 17);
    int exponent = atoi(strchr(digits, 'e') + 1);
    if (exponent < -4 || exponent >= 6) {
        buf_puts(b, digits);
        return;
    }
    int decimals = precision - 1 - exponent;
    snprintf(digits, sizeof digits, "%.*f", decimals > 0 ? decimals : 0, d);
    buf_puts(b, digits);
}

struct cel_value cel_to_string(struct eval *ev, struct cel_value v)
{
    if (v.kind == CEL_STRING)
        return v;
    if (v.kind == CEL_BYTES)
        return cel_utf8_is_valid(v.s)
                   ? cel_string(v.s)
                   : cel_error(ev, "invalid UTF-8 in bytes, cannot convert to string");
    struct buf b = {0};
    cel_put(v, &b);
    return cel_text(ev, &b);
}

void cel_put(struct cel_value v, struct buf *b)
{
    switch (v.kind) {
    case CEL_NULL:
        buf_puts(b, "null");
        break;
    case CEL_BOOL:
        buf_puts(b, v.b ? "true" : "false");
        break;
    case CEL_INT:
        buf_put_i64(b, v.i);
        break;
    case CEL_UINT:
        buf_put_u64(b, v.u);
        break;
    case CEL_DOUBLE:
        put_double(v.d, b);
        break;
    case CEL_STRING:
    case CEL_BYTES:
    case CEL_ERROR:
        buf_put(b, v.s);
        break;
    case CEL_TIMESTAMP:
        cel_timestamp_write(v, b);
        break;
    case CEL_DURATION:
        cel_duration_write(v.i, b);
        break;
    case CEL_TYPE: {
        struct cel_type name = *v.type;
        name.a = name.b = NULL;
        cel_type_write(&name, b);
        break;
    }
    case CEL_LIST:
    case CEL_MAP:
    case CEL_OPTIONAL:
        cel_value_write(v, b);
        break;
    default:
        cel_kube_write(v, b);
    }
}

static void write_value(struct eval *ev, struct cel_value v, struct buf *b, int depth);

static int by_text(const void *x, const void *y)
{
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

static void write_map(struct eval *ev, struct cel_value v, struct buf *b, int depth)
{
    struct str *lines = arena_alloc(ev->a, (v.map->n + 1) * sizeof *lines);
    struct map_walk w = cel_map_walk(v.map);
    struct cel_value key, value;
    size_t n = 0;
    while (n < v.map->n && cel_map_next(ev, &w, &key, &value)) {
        struct buf line = {0};
        write_value(ev, key, &line, depth);
        buf_puts(&line, ": ");
        write_value(ev, value, &line, depth);
        lines[n++] = arena_dup(ev->a, buf_str(&line));
        buf_done(&line);
    }
    qsort(lines, n, sizeof *lines, by_text);
    buf_putc(b, '{');
    for (size_t i = 0; i < n; i++) {
        buf_puts(b, i ? ", " : "");
        buf_put(b, lines[i]);
    }
    buf_putc(b, '}');
}

static void write_wrapped(struct cel_value v, const char *name, struct buf *b)
{
    buf_printf(b, "%s(", name);
    cel_put(v, b);
    buf_putc(b, ')');
}

static const char *const wrappers[] = {
    [CEL_DOUBLE] = "double",
    [CEL_TIMESTAMP] = "timestamp",
    [CEL_DURATION] = "duration",
    [CEL_TYPE] = "type",
    [CEL_QUANTITY] = "quantity",
    [CEL_URL] = "url",
    [CEL_IP] = "ip",
    [CEL_CIDR] = "cidr",
    [CEL_SEMVER] = "semver",
    [CEL_FORMAT] = "format",
    [CEL_AUTHORIZER] = "authorizer",
    [CEL_PATH_CHECK] = "check",
    [CEL_GROUP_CHECK] = "check",
    [CEL_RESOURCE_CHECK] = "check",
    [CEL_DECISION] = "decision",
};

static void write_value(struct eval *ev, struct cel_value v, struct buf *b, int depth)
{
    if (depth > MAX_TEXT_DEPTH || b->n > MAX_TEXT) {
        buf_puts(b, "…");
        return;
    }
    switch (v.kind) {
    case CEL_STRING:
        cel_quote_go(v.s, b);
        break;
    case CEL_BYTES:
        buf_puts(b, "bytes(");
        for (size_t i = 0; i < v.s.n; i++)
            buf_printf(b, "%02x", (unsigned char)v.s.p[i]);
        buf_putc(b, ')');
        break;
    case CEL_UINT:
        buf_put_u64(b, v.u);
        buf_putc(b, 'u');
        break;
    case CEL_LIST:
        buf_putc(b, '[');
        for (size_t i = 0; i < v.list->n; i++) {
            buf_puts(b, i ? ", " : "");
            write_value(ev, cel_list_at(ev, v.list, i), b, depth + 1);
        }
        buf_putc(b, ']');
        break;
    case CEL_MAP:
        write_map(ev, v, b, depth + 1);
        break;
    case CEL_OPTIONAL:
        buf_puts(b, v.optional ? "optional.of(" : "optional.none(");
        if (v.optional)
            write_value(ev, *v.optional, b, depth + 1);
        buf_putc(b, ')');
        break;
    case CEL_ERROR:
    case CEL_NULL:
    case CEL_BOOL:
    case CEL_INT:
        cel_put(v, b);
        break;
    default:
        write_wrapped(v, wrappers[v.kind], b);
    }
}

void cel_value_write(struct cel_value v, struct buf *b)
{
    struct arena a = {0};
    struct eval ev = {.a = &a};
    write_value(&ev, v, b, 0);
    arena_done(&a);
}

const char *cel_go_type(struct cel_value v)
{
    static const char *const names[] = {
        "*types.Err",      "types.Null",     "types.Bool",    "types.Int",        "types.Uint",
        "types.Double",    "types.String",   "types.Bytes",   "types.Timestamp",  "types.Duration",
        "*types.baseList", "*types.baseMap", "*types.Type",   "*types.Optional",  "cel.Quantity",
        "cel.URL",         "cel.IP",         "cel.CIDR",      "cel.Semver",       "*cel.Format",
        "authorizerVal",   "pathCheckVal",   "groupCheckVal", "resourceCheckVal", "decisionVal",
    };
    return names[v.kind];
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static val *bytes_to_doc(struct str s, struct doc *d)
{
    struct buf b = {0};
    for (size_t i = 0; i < s.n; i += 3) {
        uint32_t bits = 0;
        size_t n = s.n - i < 3 ? s.n - i : 3;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < n ? (unsigned char)s.p[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            buf_putc(&b, k <= n ? base64_digits[bits >> (18 - 6 * k) & 63] : '=');
    }
    val *v = val_new_str(d, buf_str(&b));
    buf_done(&b);
    return v;
}

static int to_doc(struct eval *ev, struct cel_value v, struct doc *d, val **ret, int depth,
                  struct err *err);

static int map_to_doc(struct eval *ev, struct cel_value v, struct doc *d, val **ret, int depth,
                      struct err *err)
{
    struct map_walk w = cel_map_walk(v.map);
    struct cel_value key, value;
    *ret = val_new_obj(d);
    while (cel_map_next(ev, &w, &key, &value)) {
        struct buf b = {0};
        val *member;
        if (to_doc(ev, value, d, &member, depth, err) != 0)
            return -1;
        cel_put(key, &b);
        val_set_str(d, *ret, buf_str(&b), member);
        buf_done(&b);
    }
    return 0;
}

static int to_doc(struct eval *ev, struct cel_value v, struct doc *d, val **ret, int depth,
                  struct err *err)
{
    if (depth > DOC_MAX_DEPTH)
        return err_bad(err, "value is nested too deeply");
    struct buf b = {0};
    switch (v.kind) {
    case CEL_NULL:
        *ret = val_new_null(d);
        return 0;
    case CEL_BOOL:
        *ret = val_new_bool(d, v.b);
        return 0;
    case CEL_INT:
        *ret = val_new_int(d, v.i);
        return 0;
    case CEL_UINT:
        *ret = v.u <= INT64_MAX ? val_new_int(d, v.i) : val_new_real(d, (double)v.u);
        return 0;
    case CEL_DOUBLE:
        *ret = val_new_real(d, v.d);
        return isfinite(v.d) ? 0 : err_bad(err, "unsupported value: %g", v.d);
    case CEL_BYTES:
        *ret = bytes_to_doc(v.s, d);
        return 0;
    case CEL_LIST:
        *ret = val_new_arr(d);
        for (size_t i = 0; i < v.list->n; i++) {
            val *item;
            if (to_doc(ev, cel_list_at(ev, v.list, i), d, &item, depth + 1, err) != 0)
                return -1;
            val_push(*ret, item);
        }
        return 0;
    case CEL_MAP:
        return map_to_doc(ev, v, d, ret, depth + 1, err);
    case CEL_OPTIONAL:
        return v.optional ? to_doc(ev, *v.optional, d, ret, depth + 1, err)
                          : to_doc(ev, cel_null(), d, ret, depth, err);
    case CEL_STRING:
    case CEL_TIMESTAMP:
    case CEL_DURATION:
        cel_put(v, &b);
        *ret = val_new_str(d, buf_str(&b));
        buf_done(&b);
        return 0;
    default:
        return err_bad(err, "type conversion error from '%.*s' to JSON",
                       STR_ARG(cel_type_name_of(v)));
    }
}

int cel_to_doc(struct cel_value v, struct doc *d, val **ret, struct err *err)
{
    struct arena a = {0};
    struct eval ev = {.a = &a};
    int status = to_doc(&ev, v, d, ret, 0, err);
    arena_done(&a);
    return status;
}
