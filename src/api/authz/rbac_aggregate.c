#include "api/authz/rbac_aggregate.h"

#include "api/core.h"
#include "api/authz/rbac.h"
#include "doc/selector.h"

enum { ROUNDS = 8, MAX_ROLES = 4096 };

struct member {
    val *obj;
    struct str key;
    int64_t mod_rev;
    struct selector *selectors;
    size_t selector_count;
    bool changed;
};

struct members {
    struct member *at;
    size_t n, cap;
};

static void add(struct strategy_ctx *c, struct members *m, struct str key, int64_t mod_rev,
                val *obj)
{
    if (m->n == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 128;
        struct member *at = arena_alloc(c->arena, cap * sizeof(*at));
        if (m->n)
            memcpy(at, m->at, m->n * sizeof(*at));
        m->at = at;
        m->cap = cap;
    }
    const val *list = VAL_PATH(obj, "aggregationRule", "clusterRoleSelectors");
    struct member *role = &m->at[m->n++];
    *role = (struct member){.obj = obj, .key = arena_dup(c->arena, key), .mod_rev = mod_rev};
    role->selectors = arena_alloc(c->arena, (val_len(list) + 1) * sizeof(*role->selectors));
    VAL_FOR (list, selector) {
        struct err ignored;
        if (selector_from_object(c->arena, selector, &role->selectors[role->selector_count],
                                 &ignored) == 0)
            role->selector_count++;
    }
}

/* All cluster roles, the one that is written as it will be; in the order of their names. */
static void collect(struct strategy_ctx *c, val *now, struct members *ret)
{
    struct str own = kind_key(c->arena, RBAC_GROUP, "clusterroles", (struct str){0}, c->name);
    struct str start = STR("/registry/" RBAC_GROUP "/clusterroles/");
    struct store_kv kv;
    struct err ignored;
    bool placed = now == NULL;
    struct store_iter *it =
        store_range(c->snap, start, STR("/registry/" RBAC_GROUP "/clusterroles0"));
    while (store_next(it, &kv) && ret->n < MAX_ROLES) {
        val *obj;
        int order = str_cmp(kv.key, own);
        if (!placed && order >= 0) {
            add(c, ret, own, -1, now);
            placed = true;
        }
        if (order != 0 && doc_parse_json(c->d, kv.value, &obj, &ignored) == 0)
            add(c, ret, kv.key, kv.mod_rev, obj);
    }
    store_iter_free(it);
    if (!placed)
        add(c, ret, own, -1, now);
}

static bool has_rule(const val *rules, const val *rule)
{
    VAL_FOR (rules, r) {
        if (val_eq(r, rule))
            return true;
    }
    return false;
}

/* true when the rules of the role became others. */
static bool gather(struct strategy_ctx *c, const struct members *m, struct member *role)
{
    val *rules = val_new_arr(c->d);
    for (size_t s = 0; s < role->selector_count; s++) {
        for (size_t i = 0; i < m->n; i++) {
            const val *from = m->at[i].obj;
            if (from == role->obj ||
                !selector_match_labels(&role->selectors[s], VAL_PATH(from, "metadata", "labels")))
                continue;
            VAL_FOR (val_get(from, "rules"), rule) {
                if (!has_rule(rules, rule))
                    val_push(rules, val_copy(c->d, rule));
            }
        }
    }
    const val *had = val_get(role->obj, "rules");
    if (val_len(rules) == val_len(had) && (val_len(rules) == 0 || val_eq(rules, had)))
        return false;
    val_set(c->d, role->obj, "rules", rules);
    role->changed = true;
    return true;
}

void rbac_aggregate(struct strategy_ctx *c, val *now)
{
    struct members m = {0};
    bool again = true;
    if (!c->api || !c->snap)
        return;
    collect(c, now, &m);
    for (int round = 0; again && round < ROUNDS; round++) {
        again = false;
        for (size_t i = 0; i < m.n; i++)
            again |= m.at[i].selector_count && gather(c, &m, &m.at[i]);
    }
    const struct kind *k =
        kinds_find(&c->api->kinds, STR(RBAC_GROUP), STR("v1"), STR("clusterroles"));
    for (size_t i = 0; i < m.n; i++) {
        int64_t at;
        size_t n = c->extra_count;
        if (!m.at[i].changed || m.at[i].obj == now)
            continue;
        struct bytes *json = meta_encode(NULL, k, m.at[i].obj, &at);
        strategy_add_op(c, STORE_PUT, m.at[i].key, json, m.at[i].mod_rev);
        if (c->extra_count > n)
            c->extra_ops[n].revision_at = at;
    }
}
