/* Namespaces: upstream's pkg/registry/core/namespace. A namespace goes when both lists of
 * finalizers are empty; the namespace controller empties spec.finalizers. */
#include "api/kinds/kinds.h"

#define NAME_LABEL_KEY "kubernetes.io/metadata.name"

static void defaults(struct strategy_ctx *c, val *obj)
{
    struct str name = VAL_STR(obj, "metadata", "name");
    if (name.n == 0)
        return;
    val *meta = val_ensure_obj(c->d, obj, "metadata");
    val_set_s(c->d, val_ensure_obj(c->d, meta, "labels"), NAME_LABEL_KEY, name);
}

static int prepare_create(struct strategy_ctx *c, val *obj, struct err *err)
{
    (void)err;
    defaults(c, obj); /* the name may have been generated since */
    val *finalizers = val_ensure_arr(c->d, val_ensure_obj(c->d, obj, "spec"), "finalizers");
    if (!val_str_list_has(finalizers, STR("kubernetes")))
        val_push(finalizers, val_new_z(c->d, "kubernetes"));
    val_set_z(c->d, val_set(c->d, obj, "status", val_new_obj(c->d)), "phase", "Active");
    return 0;
}

static void set_finalizers(struct strategy_ctx *c, val *obj, const val *from)
{
    const val *list = VAL_PATH(from, "spec", "finalizers");
    val *spec = val_ensure_obj(c->d, obj, "spec");
    val_del(spec, "finalizers");
    if (val_len(list) > 0)
        val_set(c->d, spec, "finalizers", val_copy(c->d, list));
}

static int prepare_update(struct strategy_ctx *c, val *obj, const val *old, struct err *err)
{
    (void)err;
    set_finalizers(c, obj, old);
    return 0;
}

static void check_finalizers(struct check *k, const val *obj)
{
    size_t in = check_in(k, "spec");
    VAL_FOR (VAL_PATH(obj, "spec", "finalizers"), finalizer) {
        struct str name = val_str(finalizer);
        check_name(k, "finalizers", NAME_QUALIFIED, name);
        if (str_find_char(name, '/') < 0 && !str_is(name, "kubernetes") &&
            !str_is(name, "orphan") && !str_is(name, "foregroundDeletion"))
            check_invalid(k, "finalizers", name,
                          "name is neither a standard finalizer name nor is it fully qualified");
    }
    check_out(k, in);
}

static void validate(struct strategy_ctx *c, const val *obj, val *causes)
{
    struct check k;
    check_new(&k, c, obj, causes);
    check_finalizers(&k, obj);
    check_done(&k);
}

static void validate_status(struct strategy_ctx *c, const val *obj, const val *old, val *causes)
{
    struct check k;
    struct str phase = VAL_STR(obj, "status", "phase");
    bool going = !val_is_null(VAL_PATH(old, "metadata", "deletionTimestamp"));
    check_init(&k, c, causes);
    size_t in = check_in(&k, "status");
    if (!going && !str_is(phase, "Active"))
        check_invalid(&k, "Phase", phase, "may only be 'Active' if `deletionTimestamp` is empty");
    if (going && !str_is(phase, "Terminating"))
        check_invalid(&k, "Phase", phase,
                      "may only be 'Terminating' if `deletionTimestamp` is not empty");
    check_out(&k, in);
    check_done(&k);
}

static bool held(const val *obj)
{
    return val_len(VAL_PATH(obj, "spec", "finalizers")) > 0;
}

/* The namespace that everything lives in cannot go; nor those of the system itself. */
static int64_t grace(struct strategy_ctx *c, val *obj, const val *options, struct err *err)
{
    static const char *const fixed[] = {"default", "kube-system", "kube-public", NULL};
    (void)options;
    struct str name = VAL_STR(obj, "metadata", "name");
    if (check_in_list(name, fixed))
        return err_set(err, 403, "Forbidden",
                       "namespaces \"%.*s\" is forbidden: this namespace may not be deleted",
                       STR_ARG(name));
    if (held(obj))
        val_set_z(c->d, val_ensure_obj(c->d, obj, "status"), "phase", "Terminating");
    return 0;
}

static int change_sub(struct strategy_ctx *c, val *obj, const val *body, struct err *err)
{
    if (strcmp(c->subresource, "finalize") != 0)
        return err_set(err, 404, "NotFound", "the server could not find the requested resource");
    set_finalizers(c, obj, body);
    return 0;
}

static const struct schema_column columns[] = {
    COLUMN_NAME,
    COLUMN("Status"),
    COLUMN_AGE,
    COLUMN_END,
};

static void row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    cell_name(d, cells, obj);
    cell_s(d, cells, VAL_STR(obj, "status", "phase"));
    cell_age(c, d, cells, obj);
}

static const char *const fields[] = {"status.phase", "name", NULL};

static struct str field(const val *obj, struct str name)
{
    return str_is(name, "name") ? VAL_STR(obj, "metadata", "name") : field_of(obj, name);
}

const struct strategy namespace_strategy = {
    .group = "",
    .resource = "namespaces",
    .defaults = defaults,
    .prepare_create = prepare_create,
    .prepare_update = prepare_update,
    .validate = validate,
    .validate_status = validate_status,
    .grace = grace,
    .held = held,
    .change_sub = change_sub,
    .fields = fields,
    .field = field,
    .columns = columns,
    .row = row,
    .name_form = NAME_LABEL,
    .has_status = true,
    .unconditional_update = true,
    .return_deleted = true,
};
