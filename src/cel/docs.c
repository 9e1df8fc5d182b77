/* Documents as values: what a schema says of a JSON value, in upstream's words where it does not
 * fit (k8s.io/apiserver/pkg/cel/common.UnstructuredToVal). */
#include "cel/containers.h"

#include <stdlib.h>

#include "base/map.h"
#include "cel/kube.h"

static struct cel_value misfit(struct arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static struct cel_value misfit(struct arena *a, const char *format, ...)
{
    struct buf b = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    struct cel_value v = {.kind = CEL_ERROR, .s = arena_dup(a, buf_str(&b))};
    buf_done(&b);
    return v;
}

static const char *go_type(const val *v)
{
    if (val_is_str(v))
        return "string";
    if (val_is_bool(v))
        return "bool";
    if (val_is_arr(v))
        return "[]interface {}";
    if (val_is_obj(v))
        return "map[string]interface {}";
    return val_is_int(v) ? "int64" : "float64";
}

static struct cel_value of_list(struct arena *a, const val *v, const struct cel_type *t)
{
    struct cel_list *l = ARENA_NEW(a, struct cel_list);
    l->form = LIST_DOC;
    l->doc = v;
    l->type = t;
    l->n = val_len(v);
    return cel_list_of(l);
}

static struct cel_value of_map(struct arena *a, const val *v, const struct cel_type *t)
{
    struct cel_map *m = ARENA_NEW(a, struct cel_map);
    m->doc = v;
    m->type = t;
    m->n = val_len(v);
    return (struct cel_value){.kind = CEL_MAP, .map = m};
}

static bool is_whole(const val *v)
{
    return val_is_int(v) &&
           !(yyjson_mut_is_uint((val *)v) && yyjson_mut_get_uint((val *)v) > (uint64_t)INT64_MAX);
}

static int base64_digit(unsigned char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

bool cel_base64_read(struct str s, struct buf *out)
{
    size_t pads = 0;
    uint32_t bits = 0;
    if (s.n % 4)
        return false;
    while (pads < 2 && s.n > pads && s.p[s.n - 1 - pads] == '=')
        pads++;
    for (size_t i = 0; i < s.n; i++) {
        int digit = i >= s.n - pads ? 0 : base64_digit((unsigned char)s.p[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 < 3)
            continue;
        size_t bytes = i + 1 == s.n ? 3 - pads : 3;
        for (size_t k = 0; k < bytes && out; k++)
            buf_putc(out, (char)(bits >> (16 - 8 * k)));
        bits = 0;
    }
    return true;
}

static struct cel_value of_bytes(struct arena *a, struct str s)
{
    struct buf b = {0};
    struct cel_value v = {.kind = CEL_BYTES};
    if (cel_base64_read(s, &b))
        v.s = arena_dup(a, buf_str(&b));
    else
        v = misfit(a, "Invalid byte formatted string %.*s: illegal base64 data at input byte 0",
                   STR_ARG(s));
    buf_done(&b);
    return v;
}

static struct cel_value of_text(struct arena *a, struct str s, enum cel_form form)
{
    struct cel_value v = {.kind = CEL_DURATION};
    char room[64];
    switch (form) {
    case CEL_FORM_DURATION:
        return cel_duration_parse(s, &v.i) ? v : misfit(a, "Invalid duration %.*s", STR_ARG(s));
    case CEL_FORM_DATE:
        snprintf(room, sizeof room, "%.*sT00:00:00Z", (int)(s.n > 20 ? 20 : s.n), s.p ? s.p : "");
        return s.n == 10 && cel_timestamp_parse(str_of(room), &v)
                   ? v
                   : misfit(a, "Invalid date formatted string %.*s", STR_ARG(s));
    case CEL_FORM_DATE_TIME:
        return cel_timestamp_parse(s, &v)
                   ? v
                   : misfit(a, "Invalid date-time formatted string %.*s", STR_ARG(s));
    case CEL_FORM_BYTE:
        return of_bytes(a, s);
    default:
        return cel_string(s);
    }
}

static struct cel_value of_int_or_string(struct arena *a, const val *v)
{
    if (val_is_str(v))
        return cel_string(val_str(v));
    if (is_whole(v))
        return cel_int(val_int(v));
    return misfit(a, "invalid data, expected XIntOrString value to be either a string or integer");
}

struct cel_value cel_of_doc(struct arena *a, const val *v, const struct cel_type *t)
{
    if (val_is_null(v))
        return t->nullable ? cel_null()
                           : misfit(a, "invalid data, got null for schema with nullable=false");
    if (t->form == CEL_FORM_INT_OR_STRING)
        return of_int_or_string(a, v);
    switch (t->kind) {
    case CEL_T_STRUCT:
    case CEL_T_MAP:
        return val_is_obj(v)
                   ? of_map(a, v, t)
                   : misfit(
                         a,
                         "invalid data, expected a map for the provided schema with type=object");
    case CEL_T_LIST:
        return val_is_arr(v) ? of_list(a, v, t)
                             : misfit(a, "invalid data, expected an array for the provided schema "
                                         "with type=array");
    case CEL_T_STRING:
    case CEL_T_BYTES:
    case CEL_T_TIMESTAMP:
    case CEL_T_DURATION:
        return val_is_str(v) ? of_text(a, val_str(v), t->form)
                             : misfit(a, "invalid data, expected string, got %s", go_type(v));
    case CEL_T_DOUBLE:
        return val_is_num(v) ? (struct cel_value){.kind = CEL_DOUBLE, .d = val_real(v)}
                             : misfit(a, "invalid data, expected float, got %s", go_type(v));
    case CEL_T_INT:
        return is_whole(v) ? cel_int(val_int(v))
                           : misfit(a, "invalid data, expected int, got %s", go_type(v));
    case CEL_T_BOOL:
        return val_is_bool(v) ? cel_bool(val_bool(v))
                              : misfit(a, "invalid data, expected bool, got %s", go_type(v));
    default:
        return cel_of_json(a, v);
    }
}

struct cel_value cel_of_json(struct arena *a, const val *v)
{
    if (val_is_null(v))
        return cel_null();
    if (val_is_bool(v))
        return cel_bool(val_bool(v));
    if (is_whole(v))
        return cel_int(val_int(v));
    if (val_is_num(v))
        return (struct cel_value){.kind = CEL_DOUBLE, .d = val_real(v)};
    if (val_is_str(v))
        return cel_string(val_str(v));
    return val_is_arr(v) ? of_list(a, v, NULL) : of_map(a, v, NULL);
}

/* --- indexes --- */
enum { SMALL = 16 };

struct doc_index {
    size_t n;
    val *items[]; /* an array's items, or an object's keys by name and place */
};

static int by_name(const void *x, const void *y)
{
    return str_cmp(val_str(*(val *const *)x), val_str(*(val *const *)y));
}

static struct doc_index *index_of(struct eval *ev, const val *container)
{
    struct str key = {(const char *)&container, sizeof container};
    if (!ev->indexes)
        ev->indexes = NEW(struct map);
    struct doc_index *x = map_get(ev->indexes, key);
    if (x)
        return x;
    x = arena_alloc(ev->a, sizeof *x + val_len(container) * sizeof *x->items);
    x->n = 0;
    if (val_is_arr(container)) {
        VAL_FOR (container, item)
            x->items[x->n++] = item;
    } else {
        VAL_EACH (container, name, member) {
            (void)member;
            x->items[x->n++] = name;
        }
        qsort(x->items, x->n, sizeof *x->items, by_name);
    }
    map_set(ev->indexes, key, x);
    return x;
}

const val *cel_doc_index_at(struct eval *ev, const val *arr, size_t i)
{
    return val_len(arr) <= SMALL ? val_at(arr, i) : index_of(ev, arr)->items[i];
}

const val *cel_doc_index_get(struct eval *ev, const val *obj, struct str name)
{
    if (val_len(obj) <= SMALL)
        return val_get_str(obj, name);
    struct doc_index *x = index_of(ev, obj);
    size_t low = 0, high = x->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = str_cmp(val_str(x->items[middle]), name);
        if (order == 0)
            return x->items[middle]->next;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

void cel_doc_indexes_done(struct eval *ev)
{
    if (!ev->indexes)
        return;
    map_done(ev->indexes);
    free(ev->indexes);
    ev->indexes = NULL;
}
