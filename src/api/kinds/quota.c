/* ResourceQuotas and LimitRanges; what they enforce is admission's (admission_quota.c,
 * admission_limits.c). */
#include "api/admission/admission.h"
#include "api/kinds/kinds.h"

/* --- ResourceQuota --- */
static int quota_create(struct strategy_ctx *c, val *obj, struct err *err)
{
    (void)err;
    quota_count(c, obj, true);
    return 0;
}

static int quota_update(struct strategy_ctx *c, val *obj, const val *old, struct err *err)
{
    (void)old, (void)err;
    quota_count(c, obj, false);
    return 0;
}

static const struct schema_column quota_columns[] = {
    COLUMN_NAME, COLUMN("Request"), COLUMN("Limit"), COLUMN_AGE, COLUMN_END,
};

static void quota_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    struct buf requests = {0}, limits = {0};
    VAL_EACH (VAL_PATH(obj, "status", "hard"), key, hard) {
        struct str name = val_str(key);
        struct str used = val_str(val_get_str(VAL_PATH(obj, "status", "used"), name));
        struct buf *b = str_starts(name, STR("limits.")) ? &limits : &requests;
        buf_printf(b, "%s%.*s: %.*s/%.*s", b->n ? ", " : "", STR_ARG(name),
                   STR_ARG(used.n ? used : STR("0")), STR_ARG(val_str(hard)));
    }
    cell_name(d, cells, obj);
    cell_s(d, cells, buf_str(&requests));
    cell_s(d, cells, buf_str(&limits));
    cell_age(c, d, cells, obj);
    buf_done(&requests);
    buf_done(&limits);
}

const struct strategy resourcequota_strategy = {
    .group = "",
    .resource = "resourcequotas",
    .prepare_create = quota_create,
    .prepare_update = quota_update,
    .validate = kind_validate_name,
    .columns = quota_columns,
    .row = quota_row,
    .has_status = true,
    .unconditional_update = true,
    .return_deleted = true,
};

/* --- LimitRange --- */
static void default_from(struct doc *d, val *limit, const char *member, const char *from)
{
    VAL_EACH (val_get(limit, from), key, v) {
        val *list = val_ensure_obj(d, limit, member);
        if (!val_get_str(list, val_str(key)))
            val_set_str(d, list, val_str(key), val_copy(d, v));
    }
}

/* SetDefaults_LimitRangeItem: what is said of a bound is said of what it bounds. */
static void limits_defaults(struct strategy_ctx *c, val *obj)
{
    VAL_FOR (VAL_PATH(obj, "spec", "limits"), limit) {
        if (!str_is(VAL_STR(limit, "type"), "Container"))
            continue;
        default_from(c->d, limit, "default", "max");
        default_from(c->d, limit, "defaultRequest", "default");
        default_from(c->d, limit, "defaultRequest", "min");
    }
}

const struct strategy limitrange_strategy = {
    .group = "",
    .resource = "limitranges",
    .defaults = limits_defaults,
    .validate = kind_validate_name,
    .create_on_update = true,
    .unconditional_update = true,
};
