#include "template/golayout.h"
#include "template/value.h"

static struct value no_items[1]; /* what an empty slice that is not nil points to */

struct value value_bytes(struct str s)
{
    return (struct value){.type = &type_bytes, .p = s.p ? s.p : "", .n = (uint32_t)s.n};
}

struct value value_slice(const struct gotype *type, struct value *items, size_t n)
{
    return (struct value){.type = type, .items = items ? items : no_items, .n = (uint32_t)n};
}

struct value value_slice_new(struct arena *a, const struct gotype *type, size_t n)
{
    return value_slice(type, n ? arena_zalloc(a, n * sizeof(struct value)) : NULL, n);
}

struct value value_map_new(struct arena *a, const struct gotype *type)
{
    return value_map(type, vmap_new(a, 0));
}

struct value value_map(const struct gotype *type, struct vmap *map)
{
    return (struct value){.type = type, .map = map};
}

struct value value_struct_new(struct arena *a, const struct gotype *type)
{
    const struct gotype *t = type->kind == KIND_PTR ? type->elem : type;
    size_t n = 0;
    while (t->fields && t->fields[n].name)
        n++;
    struct value v = {.type = type, .fields = arena_zalloc(a, (n + 1) * sizeof(struct value))};
    for (size_t i = 0; i < n; i++)
        v.fields[i] = value_zero(a, t->fields[i].type);
    return v;
}

struct value value_error(struct arena *a, struct str text)
{
    struct value v = value_struct_new(a, &type_error);
    v.fields[0] = value_str(arena_dup(a, text));
    return v;
}

struct str value_error_text(struct value error)
{
    return error.fields ? value_text(error.fields[0]) : (struct str){0};
}

struct value value_complex(struct arena *a, double re, double im)
{
    double *parts = arena_alloc(a, 2 * sizeof(double));
    parts[0] = re;
    parts[1] = im;
    return (struct value){.type = &type_complex128, .complex = parts};
}

struct value value_zero(struct arena *a, const struct gotype *type)
{
    if (type->kind == KIND_STRUCT)
        return type->fields ? value_struct_new(a, type) : (struct value){.type = type};
    if (type->kind == KIND_COMPLEX128)
        return value_complex(a, 0, 0);
    if (type->kind == KIND_STRING)
        return (struct value){.type = type, .p = ""};
    return (struct value){.type = type};
}

const char *value_type_name(struct value v)
{
    return v.type == NULL || v.type == &type_any ? "<nil>" : v.type->name;
}

bool value_is_nil(struct value v)
{
    switch (value_kind(v)) {
    case KIND_INVALID:
    case KIND_INTERFACE:
        return true;
    case KIND_SLICE:
    case KIND_MAP:
    case KIND_PTR:
    case KIND_FUNC:
        return v.opaque == NULL;
    default:
        return false;
    }
}

bool value_is_list(struct value v)
{
    return value_kind(v) == KIND_SLICE;
}

struct value value_at(struct value list, size_t i)
{
    if (list.type->elem->kind == KIND_UINT8)
        return (struct value){.type = list.type->elem, .u = (uint8_t)list.p[i]};
    struct value v = list.items[i];
    if (v.type == NULL)
        v = VALUE_NIL;
    v.boxed = list.type->elem == &type_any;
    return v;
}

bool value_truth(struct value v)
{
    enum gokind k = value_kind(v);
    if (k == KIND_BOOL)
        return v.b;
    if (k == KIND_STRING || k == KIND_SLICE)
        return v.n > 0;
    if (k == KIND_MAP)
        return vmap_len(v.map) > 0;
    if (gokind_is_int(k))
        return v.i != 0;
    if (gokind_is_uint(k))
        return v.u != 0;
    if (gokind_is_float(k))
        return v.f != 0;
    if (k == KIND_COMPLEX128)
        return v.complex[0] != 0 || v.complex[1] != 0;
    return k == KIND_STRUCT || !value_is_nil(v);
}

struct comparison {
    int depth;
    size_t *nodes; /* compared so far */
};

static struct comparison deeper(struct comparison c)
{
    return (struct comparison){c.depth + 1, c.nodes};
}

static bool deep_equal(struct value a, struct value b, struct comparison c);

static bool equal_maps(struct vmap *a, struct vmap *b, struct comparison c)
{
    if ((a == NULL) != (b == NULL) || vmap_len(a) != vmap_len(b))
        return false;
    for (size_t i = 0; a != b && i < vmap_len(a); i++)
        if (!str_eq(a->entries[i].key, b->entries[i].key) ||
            !deep_equal(a->entries[i].value, b->entries[i].value, deeper(c)))
            return false;
    return true;
}

static bool equal_times(struct gotime a, struct gotime b)
{
    struct gozone_span in_a = gozone_at(a.zone, a.sec), in_b = gozone_at(b.zone, b.sec);
    return a.sec == b.sec && a.nsec == b.nsec && in_a.offset == in_b.offset &&
           str_eq(in_a.abbreviation, in_b.abbreviation);
}

static bool equal_structs(struct value a, struct value b, struct comparison c)
{
    if (a.type == &type_time)
        return equal_times(gotime_of(a), gotime_of(b));
    const struct gotype *t = a.type->kind == KIND_PTR ? a.type->elem : a.type;
    if (a.fields == b.fields)
        return true;
    if (a.fields == NULL || b.fields == NULL || t->fields == NULL)
        return false;
    for (size_t i = 0; t->fields[i].name; i++)
        if (!deep_equal(a.fields[i], b.fields[i], deeper(c)))
            return false;
    return true;
}

static bool deep_equal(struct value a, struct value b, struct comparison c)
{
    if (c.depth > VALUE_MAX_DEPTH || ++*c.nodes > VALUE_MAX_NODES)
        return false;
    enum gokind k = value_kind(a);
    if (k == KIND_INVALID || k == KIND_INTERFACE)
        return b.type == NULL || b.type == &type_any;
    if (a.type != b.type)
        return false;
    if (k == KIND_STRING || a.type->elem == &type_uint8)
        return (a.p == NULL) == (b.p == NULL) && str_eq(value_text(a), value_text(b));
    if (k == KIND_SLICE) {
        if (a.n != b.n || (a.items == NULL) != (b.items == NULL))
            return false;
        for (size_t i = 0; a.items != b.items && i < a.n; i++)
            if (!deep_equal(a.items[i], b.items[i], deeper(c)))
                return false;
        return true;
    }
    if (k == KIND_MAP)
        return equal_maps(a.map, b.map, c);
    if (k == KIND_STRUCT || k == KIND_PTR)
        return equal_structs(a, b, c);
    if (k == KIND_BOOL)
        return a.b == b.b;
    if (gokind_is_float(k))
        return a.f == b.f;
    if (k == KIND_COMPLEX128)
        return a.complex[0] == b.complex[0] && a.complex[1] == b.complex[1];
    if (k == KIND_FUNC)
        return a.func == NULL && b.func == NULL;
    return a.u == b.u;
}

bool value_deep_equal(struct value a, struct value b)
{
    size_t nodes = 0;
    return deep_equal(a, b, (struct comparison){0, &nodes});
}

/* --- maps --- */

struct vmap *vmap_new(struct arena *a, size_t cap)
{
    struct vmap *m = ARENA_NEW(a, struct vmap);
    m->arena = a;
    m->cap = (uint32_t)cap;
    if (cap)
        m->entries = arena_alloc(a, cap * sizeof(struct vmap_entry));
    return m;
}

/* Where the key stands, or would. */
static size_t vmap_find(const struct vmap *m, struct str key, bool *ret_found)
{
    size_t low = 0, high = m->n;
    *ret_found = false;
    if (high && str_cmp(m->entries[high - 1].key, key) < 0)
        return high;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = str_cmp(m->entries[mid].key, key);
        if (c == 0) {
            *ret_found = true;
            return mid;
        }
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct value *vmap_get(const struct vmap *m, struct str key)
{
    bool found = false;
    size_t i = m ? vmap_find(m, key, &found) : 0;
    return found ? &m->entries[i].value : NULL;
}

/* Makes the entries ours to write to, with room for `need`. */
static void vmap_own(struct vmap *m, uint32_t need)
{
    if (m->pins == 0 && need <= m->cap)
        return;
    uint32_t cap = need <= m->cap ? m->cap : need < 4 ? 4 : need + need / 2;
    struct vmap_entry *entries = arena_alloc(m->arena, cap * sizeof(*entries));
    if (m->n)
        memcpy(entries, m->entries, m->n * sizeof(*entries));
    m->entries = entries;
    m->cap = cap;
    m->pins = 0;
}

void vmap_set(struct vmap *m, struct str key, struct value v)
{
    bool found;
    size_t i = vmap_find(m, key, &found);
    if (v.type == NULL)
        v = VALUE_NIL;
    v.boxed = false;
    vmap_own(m, m->n + !found);
    if (!found) {
        memmove(m->entries + i + 1, m->entries + i, (m->n - i) * sizeof(*m->entries));
        m->entries[i].key = key;
        m->n++;
    }
    m->entries[i].value = v;
}

bool vmap_del(struct vmap *m, struct str key)
{
    bool found = false;
    size_t i = m ? vmap_find(m, key, &found) : 0;
    if (!found)
        return false;
    vmap_own(m, m->n);
    m->n--;
    memmove(m->entries + i, m->entries + i + 1, (m->n - i) * sizeof(*m->entries));
    return true;
}

struct vmap_walk vmap_walk(struct vmap *m)
{
    if (vmap_len(m) == 0)
        return (struct vmap_walk){0};
    m->pins++;
    return (struct vmap_walk){.map = m, .entries = m->entries, .n = m->n};
}

struct vmap_entry *vmap_next(struct vmap_walk *w)
{
    if (w->at < w->n)
        return &w->entries[w->at++];
    if (w->map && w->map->entries == w->entries && w->map->pins > 0)
        w->map->pins--;
    w->map = NULL;
    return NULL;
}
