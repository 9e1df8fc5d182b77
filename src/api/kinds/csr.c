/* CertificateSigningRequests: who approves and who signs write conditions through different
 * subresources (pkg/registry/certificates/certificates/strategy.go). */
#include "api/kinds/other.h"

#include "api/authz/authz.h"
#include "doc/time.h"

static bool is_decision(const val *condition)
{
    struct str type = VAL_STR(condition, "type");
    return str_is(type, "Approved") || str_is(type, "Denied");
}

static const val *same_condition(const val *conditions, const val *like)
{
    VAL_FOR (conditions, c)
        if (str_eq(VAL_STR(c, "type"), VAL_STR(like, "type")) &&
            str_eq(VAL_STR(c, "status"), VAL_STR(like, "status")))
            return c;
    return NULL;
}

static void fill_times(struct strategy_ctx *c, val *conditions, const val *old)
{
    char now[TIME_TEXT];
    time_write(wall_ns(c->world) / 1000000000 * 1000000000, now);
    VAL_FOR (conditions, condition) {
        const val *was = same_condition(old, condition);
        struct str since = VAL_STR(was, "lastTransitionTime");
        if (!VAL_STR(condition, "lastUpdateTime").n)
            val_set_z(c->d, condition, "lastUpdateTime", now);
        if (!VAL_STR(condition, "lastTransitionTime").n)
            val_set_s(c->d, condition, "lastTransitionTime", since.n ? since : str_of(now));
    }
}

/* Of status, approval changes the conditions and nothing else. */
static int approve(struct strategy_ctx *c, val *obj, const val *body)
{
    static const char *const open[] = {"labels", "annotations"};
    const val *conditions = VAL_PATH(body, "status", "conditions");
    val *status = val_ensure_obj(c->d, obj, "status");
    const val *old = val_get(status, "conditions");
    const val *was = old ? val_copy(c->d, old) : NULL;
    for (size_t i = 0; i < ARRAY_LEN(open); i++)
        keep_metadata(c, obj, body, open[i]);
    val_del(status, "conditions");
    if (!val_len(conditions))
        return 0;
    val *now = val_set(c->d, status, "conditions", val_copy(c->d, conditions));
    fill_times(c, now, was);
    return 0;
}

static bool may_approve_as(struct strategy_ctx *c, struct str signer)
{
    const struct authz_attributes a = {
        .api = c->api,
        .verb = STR("approve"),
        .resource_request = true,
        .group = STR("certificates.k8s.io"),
        .version = STR("*"),
        .resource = STR("signers"),
        .name = signer,
    };
    struct str reason;
    return authz_check(c->user, &a, &reason) == 1;
}

/* Upstream's CertificateApproval: the verb approve on the signer, or on all of its domain. */
static bool may_approve(struct strategy_ctx *c, struct str signer)
{
    struct str domain, rest;
    str_cut(signer, '/', &domain, &rest);
    return may_approve_as(c, signer) ||
           may_approve_as(c, arena_printf(c->arena, "%.*s/*", STR_ARG(domain)));
}

int csr_change_sub(struct strategy_ctx *c, val *obj, const val *body, struct err *err)
{
    if (strcmp(c->subresource, "approval") != 0)
        return err_set(err, 404, "NotFound", "the server could not find the requested resource");
    struct str signer = VAL_STR(obj, "spec", "signerName");
    if (!may_approve(c, signer))
        return err_set(err, 403, "Forbidden",
                       "certificatesigningrequests.certificates.k8s.io \"%.*s\" is forbidden: user "
                       "not permitted to approve requests with signerName \"%.*s\"",
                       STR_ARG(VAL_STR(obj, "metadata", "name")), STR_ARG(signer));
    return approve(c, obj, body);
}

/* A signer leaves the decision as it was made. */
int csr_prepare_status(struct strategy_ctx *c, val *obj, const val *old, struct err *err)
{
    (void)err;
    val *conditions = VAL_PATH(obj, "status", "conditions");
    const val *was = VAL_PATH(old, "status", "conditions");
    for (size_t i = 0; i < val_len(conditions); i++) {
        const val *condition = val_at(conditions, i);
        const val *decided = is_decision(condition) ? same_condition(was, condition) : NULL;
        if (decided)
            val_replace_at(conditions, i, val_copy(c->d, decided));
    }
    fill_times(c, conditions, was);
    return 0;
}
