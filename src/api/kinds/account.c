/* ServiceAccounts and Leases. */
#include "api/kinds/kinds.h"
#include "api/authn/token.h"

/* --- ServiceAccount --- */
static int post_sub(struct strategy_ctx *c, val *body, const val *parent, struct err *err)
{
    if (strcmp(c->subresource, "token") == 0)
        return token_request(c, body, parent, err);
    return err_set(err, 404, "NotFound", "the server could not find the requested resource");
}

static const struct schema_column account_columns[] = {
    COLUMN_NAME,
    COLUMN("Secrets"),
    COLUMN_AGE,
    COLUMN_END,
};

static void account_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    cell_name(d, cells, obj);
    cell_int(d, cells, (int64_t)val_len(val_get(obj, "secrets")));
    cell_age(c, d, cells, obj);
}

const struct strategy serviceaccount_strategy = {
    .group = "",
    .resource = "serviceaccounts",
    .validate = kind_validate_name,
    .post_sub = post_sub,
    .columns = account_columns,
    .row = account_row,
    .unconditional_update = true,
    .return_deleted = true,
};

/* --- Lease --- */
static void lease_validate(struct strategy_ctx *c, const val *obj, val *causes)
{
    struct check k;
    const val *spec = val_get(obj, "spec");
    const val *duration = val_get(spec, "leaseDurationSeconds");
    const val *transitions = val_get(spec, "leaseTransitions");
    check_new(&k, c, obj, causes);
    size_t in = check_in(&k, "spec");
    if (!val_is_null(duration) && val_int(duration) <= 0)
        check_invalid_val(&k, "leaseDurationSeconds", duration, "must be greater than 0");
    if (!val_is_null(transitions) && val_int(transitions) < 0)
        check_invalid_val(&k, "leaseTransitions", transitions,
                          "must be greater than or equal to 0");
    if (VAL_STR(spec, "preferredHolder").n && VAL_STR(spec, "strategy").n == 0)
        check_forbidden(&k, "preferredHolder", "may only be specified if `strategy` is defined");
    check_out(&k, in);
    check_done(&k);
}

static void lease_validate_update(struct strategy_ctx *c, const val *obj, const val *old,
                                  val *causes)
{
    (void)old;
    lease_validate(c, obj, causes);
}

static const struct schema_column lease_columns[] = {
    COLUMN_NAME,
    COLUMN("Holder"),
    COLUMN_AGE,
    COLUMN_END,
};

static void lease_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    cell_name(d, cells, obj);
    cell_s(d, cells, VAL_STR(obj, "spec", "holderIdentity"));
    cell_age(c, d, cells, obj);
}

const struct strategy lease_strategy = {
    .group = "coordination.k8s.io",
    .resource = "leases",
    .validate = lease_validate,
    .validate_update = lease_validate_update,
    .columns = lease_columns,
    .row = lease_row,
    .create_on_update = true,
};
