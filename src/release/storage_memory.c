/* storage_memory.c: records that end with the process (HELM_DRIVER=memory). */
#include "release/storage_internal.h"

#include "doc/selector.h"

static struct storage_record *find(struct storage *s, struct str key, struct str namespace)
{
    for (size_t i = 0; i < s->kept_n; i++)
        if (str_eq(s->kept[i].key, key) &&
            (namespace.n == 0 || str_eq(s->kept[i].namespace, namespace)))
            return &s->kept[i];
    return NULL;
}

static struct storage_record copy(struct arena *a, const struct storage_record *r)
{
    return (struct storage_record){arena_dup(a, r->key), arena_dup(a, r->namespace), r->labels,
                                   arena_dup(a, r->text)};
}

static int create(struct storage *s, const struct storage_record *r)
{
    if (find(s, r->key, r->namespace))
        return storage_fail_exists(s);
    if (s->kept_n == s->kept_cap) {
        size_t cap = s->kept_cap ? 2 * s->kept_cap : 16;
        struct storage_record *grown = arena_alloc(s->cx->arena, cap * sizeof(*grown));
        if (s->kept_n)
            memcpy(grown, s->kept, s->kept_n * sizeof(*grown));
        s->kept = grown;
        s->kept_cap = cap;
    }
    s->kept[s->kept_n++] = copy(s->cx->arena, r);
    return STORAGE_OK;
}

static int update(struct storage *s, const struct storage_record *r)
{
    struct storage_record *old = find(s, r->key, r->namespace);
    if (!old)
        return storage_fail_not_found(s);
    *old = copy(s->cx->arena, r);
    return STORAGE_OK;
}

static int remove_record(struct storage *s, struct str key)
{
    struct storage_record *old = find(s, key, s->namespace);
    if (!old)
        return storage_fail_not_found(s);
    size_t at = (size_t)(old - s->kept);
    memmove(old, old + 1, (s->kept_n - at - 1) * sizeof(*old));
    s->kept_n--;
    return STORAGE_OK;
}

static int get(struct storage *s, struct str key, storage_each *each, void *arg)
{
    const struct storage_record *r = find(s, key, s->namespace);
    if (!r)
        return storage_fail_not_found(s);
    return each(arg, r) == 0 ? STORAGE_OK : STORAGE_FAILED;
}

static bool fits(struct storage *s, const struct selector *selector, const struct storage_record *r)
{
    struct doc d;
    doc_init(&d);
    val *labels = val_new_obj(&d);
    for (size_t i = 0; i < vmap_len(r->labels); i++)
        val_set_str(&d, labels, r->labels->entries[i].key,
                    val_new_str(&d, value_text(r->labels->entries[i].value)));
    bool yes = (s->namespace.n == 0 || str_eq(s->namespace, r->namespace)) &&
               selector_match_labels(selector, labels);
    doc_done(&d);
    return yes;
}

static int list(struct storage *s, struct str text, const char *doing, storage_each *each,
                void *arg)
{
    struct selector selector;
    struct err err;
    (void)doing;
    if (selector_parse_labels(s->cx->arena, text, &selector, &err) != 0)
        return chart_fail(s->cx, "%s", err.message);
    for (size_t i = 0; i < s->kept_n; i++)
        if (fits(s, &selector, &s->kept[i]) && each(arg, &s->kept[i]) != 0)
            return STORAGE_FAILED;
    return STORAGE_OK;
}

const struct storage_driver storage_memory = {create, update, remove_record, get, list, false};
