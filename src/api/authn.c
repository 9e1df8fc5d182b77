/* Who asks: client certificates, bearer tokens, impersonation, and anonymous callers. */
#include "api/api.h"
#include "api/strategy.h"
#include "api/token.h"
#include "api/user.h"

enum { IMPERSONATED_GROUPS_MAX = 64 };

#define AUTHENTICATED "system:authenticated"

static int unauthorized(struct err *err)
{
    return err_set(err, 401, "Unauthorized", "Unauthorized");
}

static void from_certificate(struct api_user *u, const struct tls_peer *peer)
{
    struct str *groups = arena_alloc(u->arena, (peer->organization_count + 1) * sizeof(*groups));
    for (size_t i = 0; i < peer->organization_count; i++)
        groups[i] = arena_dup(u->arena, str_of(peer->organizations[i]));
    groups[peer->organization_count] = STR(AUTHENTICATED);
    u->name = arena_dup(u->arena, str_of(peer->common_name));
    u->groups = groups;
    u->group_count = peer->organization_count + 1;
}

static void anonymous(struct api_user *u)
{
    static const struct str groups[] = {STR_INIT("system:unauthenticated")};
    u->name = STR("system:anonymous");
    u->groups = groups;
    u->group_count = 1;
}

/* The token of "Authorization: Bearer TOKEN"; the scheme's case does not matter. */
static struct str bearer_token(const struct http_request *r)
{
    struct str scheme, token;
    str_cut(http_request_header(r, "authorization"), ' ', &scheme, &token);
    return str_eq_nocase(scheme, STR("bearer")) ? str_trim(token) : (struct str){0};
}

static int from_token(struct api *api, struct str token, struct api_user *u, struct err *err)
{
    struct strategy_ctx c;
    struct doc d;
    doc_init(&d);
    int rc = strategy_ctx_open(&c, api, &d, u->arena, err);
    if (rc == 0) {
        rc = token_verify(&c, token, NULL, 0, u, NULL, err) ? unauthorized(err) : 0;
        strategy_ctx_close(&c);
    }
    doc_done(&d);
    return rc;
}

/* --- impersonation: only those who may do everything anyway --- */
static struct str *impersonated_groups(struct api_user *u, const struct http_request *r,
                                       struct str name, size_t *ret_count)
{
    struct str *groups = arena_alloc(u->arena, (IMPERSONATED_GROUPS_MAX + 3) * sizeof(*groups));
    struct str prefix = STR("system:serviceaccount:"), ns, rest;
    size_t n = 0;
    for (size_t i = 0; i < r->header_count && n < IMPERSONATED_GROUPS_MAX; i++)
        if (str_is(r->headers[i].name, "impersonate-group"))
            groups[n++] = arena_dup(u->arena, r->headers[i].value);
    if (n == 0 && str_starts(name, prefix)) {
        str_cut(str_from(name, prefix.n), ':', &ns, &rest);
        groups[n++] = STR("system:serviceaccounts");
        groups[n++] = arena_printf(u->arena, "system:serviceaccounts:%.*s", STR_ARG(ns));
    }
    groups[n++] =
        str_is(name, "system:anonymous") ? STR("system:unauthenticated") : STR(AUTHENTICATED);
    *ret_count = n;
    return groups;
}

static int impersonate(struct api_user *u, const struct http_request *r, struct err *err)
{
    struct str name = http_request_header(r, "impersonate-user");
    if (name.n == 0)
        return 0;
    if (!api_user_in(u, "system:masters"))
        return err_set(err, 403, "Forbidden",
                       "users \"%.*s\" is forbidden: User \"%.*s\" cannot impersonate resource "
                       "\"users\" in API group \"\" at the cluster scope",
                       STR_ARG(name), STR_ARG(u->name));
    size_t count;
    u->name = arena_dup(u->arena, name);
    u->uid = arena_dup(u->arena, http_request_header(r, "impersonate-uid"));
    u->groups = impersonated_groups(u, r, u->name, &count);
    u->group_count = count;
    u->extra_count = 0;
    return 0;
}

int authn_request(struct api *api, const struct http_request *r, struct api_user *ret,
                  struct err *err)
{
    struct str token = bearer_token(r);
    if (r->peer && r->peer->verified && r->peer->common_name && *r->peer->common_name) {
        from_certificate(ret, r->peer);
    } else if (token.n) {
        if (from_token(api, token, ret, err))
            return -1;
    } else {
        anonymous(ret);
    }
    return impersonate(ret, r, err);
}
