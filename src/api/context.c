/* What strategies see of a request: other objects, more changes for the write. */
#include "api/core.h"

enum { FIRST_OPS = 8 };

void strategy_add_op(struct strategy_ctx *c, enum store_op_type type, struct str key,
                     struct bytes *value, int64_t expect)
{
    size_t n = c->extra_count;
    if (n >= CALL_MAX_EXTRA_OPS) {
        bytes_unref(value);
        return;
    }
    if (n == 0 || (n >= FIRST_OPS && (n & (n - 1)) == 0)) {
        size_t cap = n ? n * 2 : FIRST_OPS;
        struct store_op *ops = arena_alloc(c->arena, cap * sizeof(*ops));
        if (n)
            memcpy(ops, c->extra_ops, n * sizeof(*ops));
        c->extra_ops = ops;
    }
    c->extra_ops[c->extra_count++] =
        (struct store_op){type, arena_dup(c->arena, key), value, -1, expect};
}

val *strategy_lookup(struct strategy_ctx *c, const char *group, const char *resource, struct str ns,
                     struct str name)
{
    struct store_kv kv;
    struct err ignored;
    val *v;
    if (!c->snap || store_get(c->snap, kind_key(c->arena, group, resource, ns, name), &kv) != 1)
        return NULL;
    return doc_parse_json(c->d, kv.value, &v, &ignored) == 0 ? v : NULL;
}

int strategy_ctx_open(struct strategy_ctx *c, struct api *api, struct doc *d, struct arena *arena,
                      struct err *err)
{
    *c = (struct strategy_ctx){
        .api = api, .d = d, .arena = arena, .world = api->world, .config = &api->strategy};
    return store_snap_begin(api->config.store, 0, &c->snap, err);
}

void strategy_ctx_close(struct strategy_ctx *c)
{
    store_snap_end(c->snap);
    c->snap = NULL;
}
