/* Equality, order, hashes and names of values. */
#include <math.h>

#include "cel/containers.h"
#include "cel/kube.h"
#include "cel/text.h"
#include "cel/type.h"
#include "doc/quantity.h"

struct cel_value cel_error(struct eval *ev, const char *format, ...)
{
    struct buf b = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    struct cel_value v = cel_text(ev, &b);
    v.kind = CEL_ERROR;
    return v;
}

struct cel_value cel_text(struct eval *ev, struct buf *b)
{
    struct cel_value v = cel_string(arena_dup(ev->a, buf_str(b)));
    buf_done(b);
    return v;
}

static bool is_number(struct cel_value v)
{
    return v.kind == CEL_INT || v.kind == CEL_UINT || v.kind == CEL_DOUBLE;
}

static int order_of(bool less, bool more)
{
    return more - less;
}

/* The order of a double and a whole number, which becomes a double where both have values; never
 * called with NaN. */
static int compare_double_int(double d, __int128 i, bool is_unsigned)
{
    if (d > (is_unsigned ? 18446744073709551616.0 : 9223372036854775808.0))
        return 1;
    if (d < (is_unsigned ? 0 : -9223372036854775808.0))
        return -1;
    return order_of(d<(double)i, d>(double) i);
}

static __int128 whole_of(struct cel_value v)
{
    return v.kind == CEL_UINT ? (__int128)v.u : (__int128)v.i;
}

static bool compare_numbers(struct cel_value x, struct cel_value y, int *ret)
{
    if (x.kind == CEL_DOUBLE && y.kind == CEL_DOUBLE) {
        if (isnan(x.d) || isnan(y.d))
            return false;
        *ret = order_of(x.d<y.d, x.d> y.d);
    } else if (x.kind == CEL_DOUBLE) {
        if (isnan(x.d))
            return false;
        *ret = compare_double_int(x.d, whole_of(y), y.kind == CEL_UINT);
    } else if (y.kind == CEL_DOUBLE) {
        if (isnan(y.d))
            return false;
        *ret = -compare_double_int(y.d, whole_of(x), x.kind == CEL_UINT);
    } else {
        *ret = order_of(whole_of(x) < whole_of(y), whole_of(x) > whole_of(y));
    }
    return true;
}

struct cel_value cel_compare(struct eval *ev, struct cel_value x, struct cel_value y)
{
    int order;
    if (is_number(x) && is_number(y))
        return compare_numbers(x, y, &order) ? cel_int(order)
                                             : cel_error(ev, "NaN values cannot be ordered");
    if (x.kind != y.kind)
        return cel_no_overload();
    switch (x.kind) {
    case CEL_BOOL:
        return cel_int(order_of(!x.b && y.b, x.b && !y.b));
    case CEL_STRING:
    case CEL_BYTES:
        order = str_cmp(x.s, y.s);
        return cel_int(order_of(order<0, order> 0));
    case CEL_DURATION:
        return cel_int(order_of(x.i<y.i, x.i> y.i));
    case CEL_TIMESTAMP:
        if (x.i != y.i)
            return cel_int(order_of(x.i<y.i, x.i> y.i));
        return cel_int(order_of(x.nanos<y.nanos, x.nanos> y.nanos));
    default:
        return cel_no_overload();
    }
}

static bool is_loose_list(struct cel_value v)
{
    return v.list->type &&
           (v.list->type->list == SCHEMA_LIST_SET || v.list->type->list == SCHEMA_LIST_MAP);
}

/* The members of a list-map's item that make its key, as one list. */
struct cel_value cel_doc_item_key(struct eval *ev, const struct cel_type *list,
                                  struct cel_value item)
{
    struct cel_value key = cel_list_new(ev, list->list_key_count);
    for (size_t i = 0; i < list->list_key_count; i++) {
        struct cel_value part = cel_null();
        if (item.kind == CEL_MAP)
            cel_map_find(ev, item.map, cel_string(list->list_keys[i]), &part);
        cel_list_push(ev, key, part);
    }
    return key;
}

/* Lists that are sets, or maps by key: equal in any order. */
static struct cel_value equal_loosely(struct eval *ev, struct cel_value x, struct cel_value y)
{
    const struct cel_type *t = x.list->type;
    bool keyed = t->list == SCHEMA_LIST_MAP;
    struct cel_value seen = cel_map_new(ev, x.list->n);
    for (size_t i = 0; i < x.list->n; i++) {
        struct cel_value item = cel_list_at(ev, x.list, i);
        cel_map_put(ev, seen, keyed ? cel_doc_item_key(ev, t, item) : item, item);
    }
    for (size_t i = 0; i < y.list->n; i++) {
        struct cel_value item = cel_list_at(ev, y.list, i), other;
        if (!cel_map_find(ev, seen.map, keyed ? cel_doc_item_key(ev, t, item) : item, &other))
            return cel_bool(false);
        struct cel_value eq = keyed ? cel_equal(ev, other, item) : cel_bool(true);
        if (eq.kind != CEL_BOOL || !eq.b)
            return eq;
    }
    return cel_bool(true);
}

static struct cel_value equal_lists(struct eval *ev, struct cel_value x, struct cel_value y)
{
    if (x.list->n != y.list->n)
        return cel_bool(false);
    if (is_loose_list(x))
        return equal_loosely(ev, x, y);
    for (size_t i = 0; i < x.list->n; i++) {
        struct cel_value eq = cel_equal(ev, cel_list_at(ev, x.list, i), cel_list_at(ev, y.list, i));
        if (eq.kind == CEL_BOOL ? !eq.b : x.list->form == LIST_DOC)
            return eq;
    }
    return cel_bool(true);
}

/* Members that no schema describes are compared as documents, where both objects have them. */
static bool equal_unknown(const struct cel_map *x, const struct cel_map *y)
{
    if (!x->doc || !y->doc || !x->type || !x->type->object)
        return true;
    VAL_EACH (x->doc, key, member) {
        bool known = false;
        for (size_t i = 0; i < x->type->field_count && !known; i++)
            known = str_eq(x->type->fields[i].json_name, val_str(key));
        const val *other = known ? NULL : val_get_str(y->doc, val_str(key));
        if (other && !val_eq(member, other))
            return false;
    }
    return true;
}

static struct cel_value equal_maps(struct eval *ev, struct cel_value x, struct cel_value y)
{
    if (x.map->n != y.map->n)
        return cel_bool(false);
    struct map_walk w = cel_map_walk(x.map);
    struct cel_value key, value, other;
    while (cel_map_next(ev, &w, &key, &value)) {
        /* An object's null is no value, though its key is walked. */
        bool there = !x.map->doc || cel_map_find(ev, x.map, key, &value);
        if (cel_map_find(ev, y.map, key, &other) != there)
            return cel_bool(false);
        if (!there)
            continue;
        struct cel_value eq = cel_equal(ev, value, other);
        if (eq.kind == CEL_BOOL ? !eq.b : x.map->doc != NULL)
            return eq;
    }
    return cel_bool(equal_unknown(x.map, y.map));
}

static struct cel_value equal_optionals(struct eval *ev, struct cel_value x, struct cel_value y)
{
    if (!x.optional || !y.optional)
        return cel_bool(x.optional == y.optional);
    return cel_equal(ev, *x.optional, *y.optional);
}

struct cel_value cel_equal(struct eval *ev, struct cel_value x, struct cel_value y)
{
    int order;
    if (!cel_work(ev))
        return cel_bool(false);
    if (is_number(x) && is_number(y))
        return cel_bool(compare_numbers(x, y, &order) && order == 0);
    if (x.kind == CEL_ERROR)
        return x;
    if (y.kind == CEL_ERROR)
        return y;
    if (x.kind != y.kind) {
        bool strict = x.kind >= CEL_QUANTITY || (x.kind == CEL_LIST && x.list->form == LIST_DOC) ||
                      (x.kind == CEL_MAP && x.map->doc);
        return strict && y.kind != CEL_NULL ? cel_no_overload() : cel_bool(false);
    }
    switch (x.kind) {
    case CEL_NULL:
        return cel_bool(true);
    case CEL_BOOL:
        return cel_bool(x.b == y.b);
    case CEL_STRING:
    case CEL_BYTES:
        return cel_bool(str_eq(x.s, y.s));
    case CEL_TIMESTAMP:
        return cel_bool(x.i == y.i && x.nanos == y.nanos);
    case CEL_DURATION:
        return cel_bool(x.i == y.i);
    case CEL_LIST:
        return equal_lists(ev, x, y);
    case CEL_MAP:
        return equal_maps(ev, x, y);
    case CEL_TYPE:
        return cel_bool(x.type->kind == y.type->kind && str_eq(x.type->name, y.type->name));
    case CEL_OPTIONAL:
        return equal_optionals(ev, x, y);
    default:
        return cel_kube_equal(x, y);
    }
}

bool cel_same(struct eval *ev, struct cel_value x, struct cel_value y)
{
    struct cel_value eq = cel_equal(ev, x, y);
    return eq.kind == CEL_BOOL && eq.b;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h ^= v;
    h *= 0x9e3779b97f4a7c15ULL;
    return h ^ (h >> 29);
}

static uint64_t hash_text(struct str s)
{
    uint64_t h = s.n;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3ULL;
    return mix(h, h >> 32);
}

/* Equal values have equal hashes: 1, 1u and 1.0 too. */
uint64_t cel_hash(struct eval *ev, struct cel_value v)
{
    uint64_t h = 17;
    if (!cel_work(ev))
        return 0;
    switch (v.kind) {
    case CEL_INT:
    case CEL_UINT:
        return mix(1, v.u);
    case CEL_DOUBLE:
        if (v.d >= -9223372036854775808.0 && v.d < 18446744073709551616.0 && v.d == floor(v.d))
            return mix(1, v.d < 0 ? (uint64_t)(int64_t)v.d : (uint64_t)v.d);
        return mix(2, v.u);
    case CEL_BOOL:
        return mix(3, v.b);
    case CEL_STRING:
    case CEL_BYTES:
        return hash_text(v.s);
    case CEL_TIMESTAMP:
        return mix(mix(4, v.u), (uint64_t)v.nanos);
    case CEL_DURATION:
        return mix(5, v.u);
    case CEL_LIST:
        if (is_loose_list(v))
            return mix(6, v.list->n);
        for (size_t i = 0; i < v.list->n; i++)
            h = mix(h, cel_hash(ev, cel_list_at(ev, v.list, i)));
        return h;
    case CEL_MAP:
        return mix(7, v.map->n);
    default:
        return mix(8, v.kind);
    }
}

uint64_t cel_size(struct cel_value v)
{
    switch (v.kind) {
    case CEL_STRING:
        return cel_utf8_count(v.s);
    case CEL_BYTES:
        return v.s.n;
    case CEL_LIST:
        return v.list->n;
    case CEL_MAP:
        return v.map->n;
    case CEL_IP:
    case CEL_CIDR:
        return cel_kube_ip_size(v);
    case CEL_OPTIONAL:
        return v.optional ? cel_size(*v.optional) : 1;
    default:
        return 1;
    }
}

const struct cel_type *cel_type_of_value(struct eval *ev, struct cel_value v)
{
    static const enum cel_type_kind kinds[] = {
        [CEL_ERROR] = CEL_T_ERROR,         [CEL_NULL] = CEL_T_NULL,
        [CEL_BOOL] = CEL_T_BOOL,           [CEL_INT] = CEL_T_INT,
        [CEL_UINT] = CEL_T_UINT,           [CEL_DOUBLE] = CEL_T_DOUBLE,
        [CEL_STRING] = CEL_T_STRING,       [CEL_BYTES] = CEL_T_BYTES,
        [CEL_TIMESTAMP] = CEL_T_TIMESTAMP, [CEL_DURATION] = CEL_T_DURATION,
    };
    static const char letters[] = {
        [CEL_QUANTITY] = 'Q',       [CEL_URL] = 'U',        [CEL_IP] = 'I',
        [CEL_CIDR] = 'C',           [CEL_SEMVER] = 'V',     [CEL_FORMAT] = 'F',
        [CEL_AUTHORIZER] = 'Z',     [CEL_PATH_CHECK] = 'P', [CEL_GROUP_CHECK] = 'G',
        [CEL_RESOURCE_CHECK] = 'R', [CEL_DECISION] = 'X',
    };
    const struct cel_type *dyn = cel_type_plain(CEL_T_DYN);
    if (v.kind <= CEL_DURATION)
        return cel_type_plain(kinds[v.kind]);
    switch (v.kind) {
    case CEL_LIST:
        return cel_type_list(ev->a, dyn);
    case CEL_MAP:
        return cel_type_map(ev->a, dyn, dyn);
    case CEL_TYPE:
        return cel_type_of_two(ev->a, CEL_T_TYPE, dyn, NULL);
    case CEL_OPTIONAL:
        return cel_type_optional(ev->a, dyn);
    default:
        return cel_type_named(letters[v.kind]);
    }
}

struct str cel_type_name_of(struct cel_value v)
{
    static const char *const names[] = {
        "error",
        "null_type",
        "bool",
        "int",
        "uint",
        "double",
        "string",
        "bytes",
        "google.protobuf.Timestamp",
        "google.protobuf.Duration",
        "list",
        "map",
        "type",
        "optional_type",
        "kubernetes.Quantity",
        "kubernetes.URL",
        "net.IP",
        "net.CIDR",
        "kubernetes.Semver",
        "kubernetes.NamedFormat",
        "kubernetes.authorization.Authorizer",
        "kubernetes.authorization.PathCheck",
        "kubernetes.authorization.GroupCheck",
        "kubernetes.authorization.ResourceCheck",
        "kubernetes.authorization.Decision",
    };
    return str_of(names[v.kind]);
}

struct cel_value cel_optional_of(struct arena *a, struct cel_value v)
{
    struct cel_value *inner = ARENA_NEW(a, struct cel_value);
    *inner = v;
    return (struct cel_value){.kind = CEL_OPTIONAL, .optional = inner};
}

struct cel_value cel_optional_none(void)
{
    return (struct cel_value){.kind = CEL_OPTIONAL};
}
