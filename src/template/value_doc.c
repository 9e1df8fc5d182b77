/* value_doc.c: from documents to values and back. */
#include <math.h>

#include "template/value.h"

struct keyed {
    struct str key;
    uint32_t place; /* of duplicates the last one stands */
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    int c = str_cmp(x->key, y->key);
    return c != 0 ? c : (x->place > y->place) - (x->place < y->place);
}

static void sort_entries(struct vmap *m)
{
    struct keyed *order = mem_realloc_array(NULL, m->n, sizeof(*order));
    for (uint32_t i = 0; i < m->n; i++)
        order[i] = (struct keyed){m->entries[i].key, i};
    qsort(order, m->n, sizeof(*order), by_key);
    struct vmap_entry *sorted = arena_alloc(m->arena, m->cap * sizeof(*sorted));
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n; i++)
        if (i + 1 == m->n || !str_eq(order[i].key, order[i + 1].key))
            sorted[n++] = m->entries[order[i].place];
    free(order);
    m->entries = sorted;
    m->n = n;
}

static struct value map_from_val(struct arena *a, const val *v)
{
    struct vmap *m = vmap_new(a, val_len(v));
    bool sorted = true;
    VAL_EACH (v, key, member) {
        struct str k = val_str(key);
        sorted = sorted && (m->n == 0 || str_cmp(m->entries[m->n - 1].key, k) < 0);
        m->entries[m->n].key = arena_dup(a, k);
        m->entries[m->n++].value = value_from_val(a, member);
    }
    if (!sorted)
        sort_entries(m);
    return value_map(&type_map, m);
}

struct value value_from_val(struct arena *a, const val *v)
{
    if (val_is_null(v))
        return VALUE_NIL;
    if (val_is_bool(v))
        return value_bool(val_bool(v));
    if (val_is_num(v))
        return value_float(val_real(v));
    if (val_is_str(v))
        return value_str(arena_dup(a, val_str(v)));
    if (val_is_obj(v))
        return map_from_val(a, v);
    struct value list = value_slice_new(a, &type_list, val_len(v));
    size_t i = 0;
    VAL_FOR (v, item)
        list.items[i++] = value_from_val(a, item);
    return list;
}

/* --- encoding/json --- */

struct encoder {
    struct doc *doc;
    struct arena *arena;
    struct err *err;
    size_t nodes;
};

static int encode(struct encoder *e, struct value v, int depth, val **ret);

static val *encode_bytes(struct encoder *e, struct value v)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (v.p == NULL)
        return val_new_null(e->doc);
    size_t n = (v.n + (size_t)2) / 3 * 4, at = 0;
    char *text = arena_alloc(e->arena, n + 1);
    const unsigned char *p = (const unsigned char *)v.p;
    for (size_t i = 0; i < v.n; i += 3) {
        uint32_t left = v.n - (uint32_t)i;
        uint32_t w = (uint32_t)p[i] << 16;
        w |= left > 1 ? (uint32_t)p[i + 1] << 8 : 0;
        w |= left > 2 ? (uint32_t)p[i + 2] : 0;
        text[at++] = digits[w >> 18];
        text[at++] = digits[w >> 12 & 63];
        text[at++] = left > 1 ? digits[w >> 6 & 63] : '=';
        text[at++] = left > 2 ? digits[w & 63] : '=';
    }
    return val_new_str(e->doc, (struct str){text, at});
}

/* omitempty's idea of empty; a struct never is. */
static bool is_empty(struct value v)
{
    enum gokind k = value_kind(v);
    return k == KIND_PTR || k == KIND_INTERFACE ? value_is_nil(v) : !value_truth(v);
}

static int encode_fields(struct encoder *e, struct value v, int depth, val *obj)
{
    const struct gotype *t = v.type->kind == KIND_PTR ? v.type->elem : v.type;
    for (size_t i = 0; t->fields && t->fields[i].name; i++) {
        const struct gofield *f = &t->fields[i];
        if (!gofield_exported(f) || (f->json && strcmp(f->json, "-") == 0) ||
            (f->omitempty && is_empty(v.fields[i])))
            continue;
        if (f->json && f->json[0] == '\0') {
            if (!value_is_nil(v.fields[i]) && encode_fields(e, v.fields[i], depth + 1, obj) < 0)
                return -1;
            continue;
        }
        val *member;
        if (encode(e, v.fields[i], depth + 1, &member) < 0)
            return -1;
        val_set(e->doc, obj, f->json ? f->json : f->name, member);
    }
    return 0;
}

static int encode_container(struct encoder *e, struct value v, int depth, val **ret)
{
    if (v.type->kind == KIND_SLICE) {
        *ret = val_new_arr(e->doc);
        for (size_t i = 0; i < v.n; i++) {
            val *item;
            if (encode(e, v.items[i], depth + 1, &item) < 0)
                return -1;
            val_push(*ret, item);
        }
        return 0;
    }
    *ret = val_new_obj(e->doc);
    if (v.type->kind != KIND_MAP)
        return v.fields == NULL ? 0 : encode_fields(e, v, depth, *ret);
    for (size_t i = 0; i < vmap_len(v.map); i++) {
        val *member;
        if (encode(e, v.map->entries[i].value, depth + 1, &member) < 0)
            return -1;
        yyjson_mut_val *key = val_new_str(e->doc, v.map->entries[i].key);
        yyjson_mut_obj_add(*ret, key, member); /* keys are sorted and unique already */
    }
    return 0;
}

static int encode_number(struct encoder *e, struct value v, val **ret)
{
    enum gokind k = value_kind(v);
    if (gokind_is_int(k)) {
        *ret = val_new_int(e->doc, v.i);
    } else if (gokind_is_uint(k)) {
        *ret = val_new_int(e->doc, 0);
        yyjson_mut_set_uint(*ret, v.u);
    } else if (isfinite(v.f)) {
        *ret = val_new_real(e->doc, v.f);
    } else {
        return err_bad(e->err, "json: unsupported value: %s",
                       isnan(v.f) ? "NaN"
                       : v.f > 0  ? "+Inf"
                                  : "-Inf");
    }
    return 0;
}

static int encode(struct encoder *e, struct value v, int depth, val **ret)
{
    enum gokind k = value_kind(v);
    if (depth > VALUE_MAX_DEPTH)
        return err_bad(e->err, "json: unsupported value: encountered a cycle via %s",
                       value_type_name(v));
    if (++e->nodes > VALUE_MAX_NODES)
        return err_bad(e->err, "json: unsupported value: more than %d values", VALUE_MAX_NODES);
    if (k == KIND_INVALID || k == KIND_INTERFACE) {
        *ret = val_new_null(e->doc);
        return 0;
    }
    if (v.type->marshal_text && !value_is_nil(v)) {
        *ret = val_new_str(e->doc, v.type->marshal_text(e->arena, &v));
        return 0;
    }
    if (k == KIND_BOOL) {
        *ret = val_new_bool(e->doc, v.b);
        return 0;
    }
    if (k == KIND_STRING) {
        *ret = val_new_str(e->doc, value_text(v));
        return 0;
    }
    if (gokind_is_int(k) || gokind_is_uint(k) || gokind_is_float(k))
        return encode_number(e, v, ret);
    if (k == KIND_COMPLEX128 || k == KIND_FUNC)
        return err_bad(e->err, "json: unsupported type: %s", value_type_name(v));
    if (k == KIND_SLICE && v.type->elem->kind == KIND_UINT8) {
        *ret = encode_bytes(e, v);
        return 0;
    }
    if (k != KIND_STRUCT && value_is_nil(v)) {
        *ret = val_new_null(e->doc);
        return 0;
    }
    return encode_container(e, v, depth, ret);
}

int value_to_val(struct doc *d, struct arena *a, struct value v, val **ret, struct err *err)
{
    struct encoder e = {d, a, err, 0};
    return encode(&e, v, 0, ret);
}
