/* Objects of every kind through its strategy: defaults, creation, validation, an update to itself
 * and its table row. The input is {"apiVersion", "kind", …} in JSON. */
#include "api/kinds/kinds.h"

static int64_t fixed_wall(struct world *w)
{
    (void)w;
    return 1767323045000000000;
}

static void fixed_random(struct world *w, void *p, size_t n)
{
    (void)w;
    memset(p, 7, n);
}

static const struct schema_kind *find_kind(const val *v)
{
    struct str api_version = VAL_STR(v, "apiVersion"), group, version;
    if (!str_cut(api_version, '/', &group, &version)) {
        version = api_version;
        group = (struct str){0};
    }
    for (const struct schema_kind *k = schema_kinds; k->kind; k++)
        if (str_is(VAL_STR(v, "kind"), k->kind) && str_is(group, k->group) &&
            str_is(version, k->version))
            return k;
    return NULL;
}

static void run(struct strategy_ctx *c, val *obj)
{
    const struct strategy *s = strategy_of(c->kind);
    struct err err;
    val *causes = val_new_arr(c->d), *cells = val_new_arr(c->d);
    if (s->review)
        return;
    schema_default(c->kind->schema, c->d, obj);
    if (s->defaults)
        s->defaults(c, obj);
    val *old = val_copy(c->d, obj);
    if (s->prepare_create)
        s->prepare_create(c, obj, &err);
    if (s->validate)
        s->validate(c, obj, causes);
    if (s->prepare_update)
        s->prepare_update(c, obj, old, &err);
    if (s->validate_update)
        s->validate_update(c, obj, old, causes);
    if (s->validate_status)
        s->validate_status(c, obj, old, causes);
    if (s->row)
        s->row(c, obj, c->d, cells);
    if (s->grace)
        s->grace(c, obj, NULL, &err);
    for (size_t i = 0; s->fields && s->fields[i]; i++)
        s->field(obj, str_of(s->fields[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct world world = {.wall_ns = fixed_wall, .random = fixed_random};
    struct doc d;
    struct arena arena = {0};
    struct buf strict = {0};
    struct err err;
    val *obj;
    doc_init(&d);
    if (doc_parse_json(&d, (struct str){(const char *)data, n}, &obj, &err) == 0) {
        struct strategy_ctx c = {.kind = find_kind(obj), .d = &d, .arena = &arena, .world = &world};
        c.ns = VAL_STR(obj, "metadata", "namespace");
        c.name = VAL_STR(obj, "metadata", "name");
        if (c.kind && schema_check(c.kind->schema, &d, obj, &strict, &err) == 0)
            run(&c, obj);
        for (size_t i = 0; i < c.extra_count; i++)
            bytes_unref(c.extra_ops[i].value);
    }
    buf_done(&strict);
    arena_done(&arena);
    doc_done(&d);
    return 0;
}
