#include "control/meta.h"

#include <stdio.h>
#include <stdlib.h>

#include "doc/time.h"

val *condition_find(const val *conditions, const char *type)
{
    VAL_FOR (conditions, c)
        if (str_is(VAL_STR(c, "type"), type))
            return c;
    return NULL;
}

void condition_remove(val *conditions, const char *type)
{
    size_t at = 0;
    VAL_FOR (conditions, c) {
        if (str_is(VAL_STR(c, "type"), type)) {
            val_remove_at(conditions, at);
            return;
        }
        at++;
    }
}

void set_time(struct view *v, val *obj, const char *key, int64_t ns)
{
    char text[TIME_TEXT];
    time_write(ns, text);
    val_set_z(v->doc, obj, key, text);
}

bool condition_set(struct view *v, val *conditions, const char *type, const char *status,
                   const char *reason, struct str message, bool update_time)
{
    struct doc *d = v->doc;
    val *c = condition_find(conditions, type);
    if (c && str_is(VAL_STR(c, "status"), status) && str_is(VAL_STR(c, "reason"), reason) &&
        str_eq(VAL_STR(c, "message"), message))
        return false;
    bool moved = !c || !str_is(VAL_STR(c, "status"), status);
    if (!c) {
        c = val_new_obj(d);
        val_set_z(d, c, "type", type);
        val_push(conditions, c);
    } else if (update_time) {
        condition_remove(conditions, type);
        val_push(conditions, c);
    }
    val_set_z(d, c, "status", status);
    if (update_time)
        set_time(v, c, "lastUpdateTime", v->now);
    if (moved)
        set_time(v, c, "lastTransitionTime", v->now);
    val_set_z(d, c, "reason", reason);
    val_set_s(d, c, "message", message);
    return true;
}

val *owner_ref(struct view *v, const struct item *owner)
{
    struct doc *d = v->doc;
    val *o = val_new_obj(d);
    val_set_z(d, o, "apiVersion", kind_infos[owner->kind].api_version);
    val_set_z(d, o, "kind", kind_infos[owner->kind].kind);
    val_set_s(d, o, "name", owner->name);
    val_set_s(d, o, "uid", owner->uid);
    val_set_bool(d, o, "controller", true);
    val_set_bool(d, o, "blockOwnerDeletion", true);
    return o;
}

/* --- claiming --- */

bool selector_match_item(struct view *v, const struct selector *s, const struct item *i)
{
    if (s->nothing)
        return false;
    for (size_t r = 0; r < s->count; r++) {
        const struct requirement *q = &s->requirements[r];
        if (q->op != SELECT_EQUALS && !(q->op == SELECT_IN && q->value_count == 1))
            goto slow;
        bool found = false;
        for (size_t l = 0; l < i->labels.n && !found; l++)
            found =
                str_eq(i->labels.at[l].key, q->key) && str_eq(i->labels.at[l].value, q->values[0]);
        if (!found)
            return false;
    }
    return true;
slow:;
    val *labels = val_new_obj(v->doc);
    for (size_t l = 0; l < i->labels.n; l++)
        val_set_str(v->doc, labels, i->labels.at[l].key,
                    val_new_str(v->doc, i->labels.at[l].value));
    return selector_match_labels(s, labels);
}

size_t claimable(struct view *v, const struct item *owner, enum kind kind,
                 const struct selector *selector, const struct item ***ret)
{
    const struct item **owned, **orphans;
    size_t n = view_group(v, GROUP_OWNER, kind, owner->uid, &owned);
    size_t m = view_group(v, GROUP_ORPHANS, kind, owner->ns, &orphans);
    *ret = arena_alloc(v->arena, (n + m + 1) * sizeof **ret);
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (item_controlled_by(owned[i], owner->uid) && str_eq(owned[i]->ns, owner->ns))
            (*ret)[count++] = owned[i];
    for (size_t i = 0; i < m; i++)
        if (!orphans[i]->deleted && selector_match_item(v, selector, orphans[i]))
            (*ret)[count++] = orphans[i];
    items_sort(*ret, count);
    return count;
}

static void adopt(struct view *v, struct actions *a, const struct item *owner, const struct item *i)
{
    val *patch = val_new_obj(v->doc), *meta = val_ensure_obj(v->doc, patch, "metadata");
    val_push(val_ensure_arr(v->doc, meta, "ownerReferences"), owner_ref(v, owner));
    val_set_s(v->doc, meta, "uid", i->uid);
    act_patch(a, i, NULL, CLIENT_PATCH_STRATEGIC, patch);
}

static void release(struct view *v, struct actions *a, const struct item *owner,
                    const struct item *i)
{
    val *patch = val_new_obj(v->doc), *meta = val_ensure_obj(v->doc, patch, "metadata");
    val *gone = val_new_obj(v->doc);
    val_set_z(v->doc, gone, "$patch", "delete");
    val_set_s(v->doc, gone, "uid", owner->uid);
    val_push(val_ensure_arr(v->doc, meta, "ownerReferences"), gone);
    val_set_s(v->doc, meta, "uid", i->uid);
    act_patch(a, i, NULL, CLIENT_PATCH_STRATEGIC, patch)->optional = true;
}

size_t claim(struct view *v, struct actions *a, const struct item *owner,
             const struct selector *selector, const struct item **items, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        bool matches = selector_match_item(v, selector, items[i]);
        if (items[i]->controller) {
            if (matches)
                items[kept++] = items[i];
            else if (!owner->deleted)
                release(v, a, owner, items[i]);
        } else if (matches && !owner->deleted && !items[i]->deleted) {
            adopt(v, a, owner, items[i]);
            items[kept++] = items[i];
        }
    }
    return kept;
}

/* --- finalizers --- */

void finalizer_add(struct view *v, struct actions *a, const struct item *i, const char *name)
{
    val *obj = view_parse(v, i);
    if (!obj)
        return;
    val *list = val_ensure_arr(v->doc, val_ensure_obj(v->doc, obj, "metadata"), "finalizers");
    val_push(list, val_new_z(v->doc, name));
    act_update(a, i->kind, obj, NULL);
}

void finalizer_drop(struct view *v, struct actions *a, const struct item *i, const char *name)
{
    val *obj = view_parse(v, i), *list = VAL_PATH(obj, "metadata", "finalizers");
    size_t at = 0;
    VAL_FOR (list, f) {
        if (str_is(val_str(f), name)) {
            val_remove_at(list, at);
            act_update(a, i->kind, obj, NULL);
            return;
        }
        at++;
    }
}

/* --- small things --- */

static int by_member(const void *a, const void *b)
{
    return str_cmp(val_str(*(val *const *)a), val_str(*(val *const *)b));
}

/* FNV-1a over the values in a canonical order. */
static uint32_t fnv(uint32_t h, const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ ((const unsigned char *)p)[i]) * 16777619u;
    return h;
}

static uint32_t hash_tree(uint32_t h, const val *v)
{
    if (val_is_obj(v)) {
        size_t n = 0;
        val **keys = mem_alloc((val_len(v) + 1) * sizeof *keys);
        VAL_EACH (v, key, member) {
            (void)member;
            keys[n++] = key;
        }
        qsort(keys, n, sizeof *keys, by_member);
        h = fnv(h, "{", 1);
        for (size_t i = 0; i < n; i++) {
            h = fnv(h, val_str(keys[i]).p, val_str(keys[i]).n + 1);
            h = hash_tree(h, val_get_str(v, val_str(keys[i])));
        }
        free(keys);
        return fnv(h, "}", 1);
    }
    if (val_is_arr(v)) {
        h = fnv(h, "[", 1);
        VAL_FOR (v, item)
            h = hash_tree(h, item);
        return fnv(h, "]", 1);
    }
    struct buf b = {0};
    val_write_json(v, &b);
    h = fnv(h, b.p, b.n);
    buf_done(&b);
    return h;
}

void hash_val(const val *v, const val *also, char ret[12])
{
    static const char safe[] = "bcdfghjklmnpqrstvwxz2456789";
    uint32_t h = hash_tree(2166136261u, v);
    if (also)
        h = hash_tree(h, also);
    int n = snprintf(ret, 12, "%u", h);
    for (int i = 0; i < n; i++) /* SafeEncodeString: each byte modulo the alphabet */
        ret[i] = safe[(unsigned char)ret[i] % (sizeof safe - 1)];
}

int64_t int_or_percent(const val *v, int64_t total, bool up)
{
    if (val_is_num(v))
        return val_int(v);
    struct str s = val_str(v);
    int64_t percent;
    if (s.n < 2 || s.p[s.n - 1] != '%' || !str_to_i64(str_head(s, s.n - 1), &percent))
        return 0;
    return up ? (percent * total + 99) / 100 : percent * total / 100;
}
