/* Maps: entries with a hash table, or a document's object. */
#include "cel/containers.h"
#include "cel/eval.h"

enum { SMALL = 8 }; /* entries up to which a map is searched from end to end */

struct cel_value cel_map_new(struct eval *ev, size_t cap)
{
    struct cel_map *m = ARENA_NEW(ev->a, struct cel_map);
    m->cap = cap;
    if (cap)
        m->entries = arena_alloc(ev->a, cap * sizeof *m->entries);
    return (struct cel_value){.kind = CEL_MAP, .map = m};
}

static void add_slot(struct eval *ev, struct cel_map *m, uint32_t entry)
{
    size_t i = cel_hash(ev, m->entries[entry].key) & (m->slot_count - 1);
    while (m->slots[i])
        i = (i + 1) & (m->slot_count - 1);
    m->slots[i] = entry + 1;
}

static void rehash(struct eval *ev, struct cel_map *m)
{
    m->slot_count = m->slot_count ? m->slot_count : 32;
    while (m->slot_count < m->n * 2 + 2)
        m->slot_count *= 2;
    m->slots = arena_zalloc(ev->a, m->slot_count * sizeof *m->slots);
    for (size_t i = 0; i < m->n; i++)
        add_slot(ev, m, (uint32_t)i);
}

/* The entry with the key, or NULL. */
static struct cel_entry *find_entry(struct eval *ev, const struct cel_map *m, struct cel_value key)
{
    if (!m->slots) {
        for (size_t i = 0; i < m->n; i++)
            if (cel_same(ev, m->entries[i].key, key))
                return &m->entries[i];
        return NULL;
    }
    size_t i = cel_hash(ev, key) & (m->slot_count - 1);
    for (; m->slots[i]; i = (i + 1) & (m->slot_count - 1))
        if (cel_same(ev, m->entries[m->slots[i] - 1].key, key))
            return &m->entries[m->slots[i] - 1];
    return NULL;
}

bool cel_map_put(struct eval *ev, struct cel_value map, struct cel_value key,
                 struct cel_value value)
{
    struct cel_map *m = (struct cel_map *)map.map;
    struct cel_entry *e = find_entry(ev, m, key);
    if (e) {
        e->value = value;
        return false;
    }
    if (m->n == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 4;
        struct cel_entry *more = arena_alloc(ev->a, cap * sizeof *more);
        if (m->n)
            memcpy(more, m->entries, m->n * sizeof *more);
        m->entries = more;
        m->cap = cap;
    }
    m->entries[m->n++] = (struct cel_entry){key, value};
    if (m->n > SMALL && (!m->slots || m->n * 2 > m->slot_count))
        rehash(ev, m);
    else if (m->slots)
        add_slot(ev, m, (uint32_t)(m->n - 1));
    return true;
}

void cel_map_remove(struct eval *ev, struct cel_value map, struct cel_value key)
{
    struct cel_map *m = (struct cel_map *)map.map;
    struct cel_entry *e = find_entry(ev, m, key);
    if (!e)
        return;
    memmove(e, e + 1, (size_t)(m->entries + m->n - (e + 1)) * sizeof *e);
    m->n--;
    if (m->slots)
        rehash(ev, m);
}

static const struct cel_field *field_by_json(const struct cel_type *t, struct str name)
{
    for (size_t i = 0; i < t->field_count; i++)
        if (str_eq(t->fields[i].json_name, name))
            return &t->fields[i];
    return NULL;
}

static const struct cel_field *field_by_name(const struct cel_type *t, struct str name)
{
    size_t low = 0, high = t->field_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = str_cmp(t->fields[middle].name, name);
        if (order == 0)
            return &t->fields[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool find_in_doc(struct eval *ev, const struct cel_map *m, struct str name,
                        struct cel_value *ret)
{
    const struct cel_type *type = m->type ? m->type->b : NULL;
    bool object = m->type && m->type->object;
    if (object) {
        const struct cel_field *f = field_by_name(m->type, name);
        if (!f)
            f = field_by_json(m->type, name);
        if (!f)
            return false;
        name = f->json_name;
        type = f->type;
    }
    const val *v = cel_doc_index_get(ev, m->doc, name);
    if (!v || (object && val_is_null(v)))
        return false;
    *ret = m->type ? cel_of_doc(ev->a, v, type) : cel_of_json(ev->a, v);
    return true;
}

bool cel_map_find(struct eval *ev, const struct cel_map *m, struct cel_value key,
                  struct cel_value *ret)
{
    if (m->doc && key.kind == CEL_STRING)
        return find_in_doc(ev, m, key.s, ret);
    if (m->doc) {
        *ret = cel_no_overload();
        return m->type != NULL;
    }
    const struct cel_entry *e = find_entry(ev, m, key);
    if (e)
        *ret = e->value;
    return e;
}

struct map_walk cel_map_walk(const struct cel_map *m)
{
    return (struct map_walk){m, 0, val_walk_obj(m->doc)};
}

bool cel_map_next(struct eval *ev, struct map_walk *w, struct cel_value *ret_key,
                  struct cel_value *ret_value)
{
    const struct cel_map *m = w->map;
    if (!m->doc) {
        if (w->i == m->n)
            return false;
        *ret_key = m->entries[w->i].key;
        *ret_value = m->entries[w->i++].value;
        return true;
    }
    val *member, *key;
    while ((key = val_walk_next_key(&w->doc, &member))) {
        struct str name = val_str(key);
        if (!m->type || !m->type->object) {
            *ret_key = cel_string(name);
            *ret_value =
                m->type ? cel_of_doc(ev->a, member, m->type->b) : cel_of_json(ev->a, member);
            return true;
        }
        const struct cel_field *f = field_by_json(m->type, name);
        if (!f)
            continue;
        *ret_key = cel_string(f->name);
        *ret_value = cel_of_doc(ev->a, member, f->type);
        return true;
    }
    return false;
}
