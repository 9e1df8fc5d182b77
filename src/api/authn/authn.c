/* Who asks: client certificates, bearer tokens, impersonation, and anonymous callers. */
#include "api/api.h"
#include "api/strategy.h"
#include "api/authn/token.h"
#include "api/authn/user.h"
#include "net/url.h"

enum { IMPERSONATED_GROUPS_MAX = 64, IMPERSONATED_EXTRA_MAX = 32 };

#define AUTHENTICATED "system:authenticated"
#define UNAUTHENTICATED "system:unauthenticated"
#define ANONYMOUS "system:anonymous"

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
    static const struct str groups[] = {STR_INIT(UNAUTHENTICATED)};
    u->name = STR(ANONYMOUS);
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

/* --- impersonation (upstream's filters/impersonation.go): each part of the other identity needs
 * the verb "impersonate" on it --- */
#define EXTRA_HEADER "impersonate-extra-"
#define ACCOUNT_PREFIX "system:serviceaccount:"

struct part {
    const char *group, *resource;
    struct str subresource, ns, name;
};

static int check_part(struct api *api, const struct api_user *u, const struct part *p,
                      struct err *err)
{
    struct authz_attributes a = {.api = api,
                                 .verb = STR("impersonate"),
                                 .resource_request = true,
                                 .group = str_of(p->group),
                                 .version = STR("v1"),
                                 .resource = str_of(p->resource),
                                 .subresource = p->subresource,
                                 .ns = p->ns,
                                 .name = p->name};
    struct str reason, where = STR("at the cluster scope");
    if (authz_check(u, &a, &reason) == 1)
        return 0;
    if (p->ns.n)
        where = arena_printf(u->arena, "in the namespace \"%.*s\"", STR_ARG(p->ns));
    return err_set(err, 403, "Forbidden",
                   "%s%s%s \"%.*s\" is forbidden: User \"%.*s\" cannot impersonate resource "
                   "\"%s%s%.*s\" in API group \"%s\" %.*s%s%.*s",
                   p->resource, *p->group ? "." : "", p->group, STR_ARG(p->name), STR_ARG(u->name),
                   p->resource, p->subresource.n ? "/" : "", STR_ARG(p->subresource), p->group,
                   STR_ARG(where), reason.n ? ": " : "", STR_ARG(reason));
}

/* Namespace and name of system:serviceaccount:NS:NAME. */
static bool is_account(struct str user, struct str *ret_ns, struct str *ret_name)
{
    struct str prefix = STR(ACCOUNT_PREFIX);
    return str_starts(user, prefix) && str_cut(str_from(user, prefix.n), ':', ret_ns, ret_name) &&
           ret_ns->n && ret_name->n && str_find_char(*ret_name, ':') < 0;
}

static bool has_group(const struct str *groups, size_t n, const char *group)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(groups[i], group))
            return true;
    return false;
}

static int other_name(struct api *api, const struct api_user *u, struct api_user *ret,
                      struct err *err)
{
    struct part p = {.group = "", .resource = "users", .name = ret->name};
    if (is_account(ret->name, &p.ns, &p.name))
        p.resource = "serviceaccounts";
    return check_part(api, u, &p, err);
}

static int other_groups(struct api *api, const struct api_user *u, const struct http_request *r,
                        struct api_user *ret, struct err *err)
{
    struct str *groups = arena_alloc(u->arena, (IMPERSONATED_GROUPS_MAX + 3) * sizeof(*groups));
    struct str ns, name;
    size_t n = 0;
    for (size_t i = 0; i < r->header_count; i++) {
        if (!str_is(r->headers[i].name, "impersonate-group"))
            continue;
        struct part p = {.group = "", .resource = "groups", .name = r->headers[i].value};
        if (n == IMPERSONATED_GROUPS_MAX)
            return err_bad(err, "more than %d groups to impersonate", IMPERSONATED_GROUPS_MAX);
        if (check_part(api, u, &p, err))
            return -1;
        groups[n++] = arena_dup(u->arena, p.name);
    }
    if (n == 0 && is_account(ret->name, &ns, &name)) {
        groups[n++] = STR("system:serviceaccounts");
        groups[n++] = arena_printf(u->arena, "system:serviceaccounts:%.*s", STR_ARG(ns));
    }
    bool outsider = has_group(groups, n, UNAUTHENTICATED);
    if (str_is(ret->name, ANONYMOUS) && !outsider)
        groups[n++] = STR(UNAUTHENTICATED);
    else if (!str_is(ret->name, ANONYMOUS) && !outsider && !has_group(groups, n, AUTHENTICATED))
        groups[n++] = STR(AUTHENTICATED);
    ret->groups = groups;
    ret->group_count = n;
    return 0;
}

static struct api_extra *extra_of(struct api_user *u, struct api_extra *list, struct str key)
{
    for (size_t i = 0; i < u->extra_count; i++)
        if (str_eq(list[i].key, key))
            return &list[i];
    if (u->extra_count == IMPERSONATED_EXTRA_MAX)
        return NULL;
    struct api_extra *e = &list[u->extra_count++];
    *e = (struct api_extra){.key = key};
    return e;
}

static int other_extra(struct api *api, const struct api_user *u, const struct http_request *r,
                       struct api_user *ret, struct err *err)
{
    struct str prefix = STR(EXTRA_HEADER);
    struct api_extra *list = arena_zalloc(u->arena, IMPERSONATED_EXTRA_MAX * sizeof(*list));
    ret->extra = list;
    for (size_t i = 0; i < r->header_count; i++) {
        const struct http_header *h = &r->headers[i];
        if (!str_starts(h->name, prefix))
            continue;
        struct str key = str_from(h->name, prefix.n), decoded;
        key = url_decode(u->arena, key, false, &decoded) ? decoded : arena_dup(u->arena, key);
        struct part p = {"authentication.k8s.io", "userextras", key, {0}, h->value};
        if (check_part(api, u, &p, err))
            return -1;
        struct api_extra *e = extra_of(ret, list, key);
        if (!e)
            return err_bad(err, "more than %d extra keys to impersonate", IMPERSONATED_EXTRA_MAX);
        struct str *values = arena_alloc(u->arena, (e->value_count + 1) * sizeof(*values));
        for (size_t v = 0; v < e->value_count; v++)
            values[v] = e->values[v];
        values[e->value_count++] = arena_dup(u->arena, h->value);
        e->values = values;
    }
    return 0;
}

static int other_uid(struct api *api, const struct api_user *u, struct api_user *ret,
                     struct err *err)
{
    struct part p = {.group = "authentication.k8s.io", .resource = "uids", .name = ret->uid};
    return p.name.n ? check_part(api, u, &p, err) : 0;
}

/* A part of an identity without its name. */
static int check_no_parts(const struct http_request *r, struct err *err)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (str_is(r->headers[i].name, "impersonate-group") ||
            str_is(r->headers[i].name, "impersonate-uid") ||
            str_starts(r->headers[i].name, STR(EXTRA_HEADER)))
            return err_internal(err, "requested %.*s without impersonating a user",
                                STR_ARG(r->headers[i].value));
    return 0;
}

static int impersonate(struct api *api, struct api_user *u, const struct http_request *r,
                       struct err *err)
{
    struct api_user other = {
        .arena = u->arena,
        .name = arena_dup(u->arena, http_request_header(r, "impersonate-user")),
        .uid = arena_dup(u->arena, http_request_header(r, "impersonate-uid")),
    };
    if (other.name.n == 0)
        return check_no_parts(r, err);
    if (other_name(api, u, &other, err) || other_groups(api, u, r, &other, err) ||
        other_extra(api, u, r, &other, err) || other_uid(api, u, &other, err))
        return -1;
    *u = other;
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
    return impersonate(api, ret, r, err);
}
