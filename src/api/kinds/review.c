/* Kinds that are questions: their answer is their status, and nothing is stored. */
#include "api/authz/authz.h"
#include "api/core.h"
#include "api/kinds/kinds.h"
#include "api/authz/rbac.h"
#include "api/authn/token.h"

static int invalid(struct err *err, const char *kind_group, const char *text)
{
    return err_set(err, 422, "Invalid", "%s \"\" is invalid: %s", kind_group, text);
}

static struct str attribute(const val *v, const char *member, bool star_is_empty)
{
    struct str s = VAL_STR(v, member);
    return star_is_empty && str_is(s, "*") ? (struct str){0} : s;
}

/* Answers spec's question about the user. */
static int answer_access(struct strategy_ctx *c, val *obj, const struct api_user *user,
                         const char *kind_group, struct err *err)
{
    const val *spec = val_get(obj, "spec");
    const val *r = val_get(spec, "resourceAttributes"), *p = val_get(spec, "nonResourceAttributes");
    if (val_is_null(r) == val_is_null(p))
        return invalid(err, kind_group,
                       "spec.resourceAttributes: Invalid value: null: exactly one of "
                       "nonResourceAttributes or resourceAttributes must be specified");
    struct authz_attributes a = {
        .api = c->api, .resource_request = !val_is_null(r), .explain = true};
    a.verb = VAL_STR(a.resource_request ? r : p, "verb");
    if (a.resource_request) {
        a.group = VAL_STR(r, "group");
        a.version = attribute(r, "version", true);
        a.resource = VAL_STR(r, "resource");
        a.subresource = VAL_STR(r, "subresource");
        a.ns = VAL_STR(r, "namespace");
        a.name = VAL_STR(r, "name");
    } else {
        a.path = VAL_STR(p, "path");
    }
    struct str reason;
    bool allowed = authz_check(user, &a, &reason) == 1;
    val *status = val_set(c->d, obj, "status", val_new_obj(c->d));
    val_set_bool(c->d, status, "allowed", allowed);
    if (reason.n)
        val_set_s(c->d, status, "reason", reason);
    return 0;
}

static int self_access(struct strategy_ctx *c, val *obj, struct err *err)
{
    return answer_access(c, obj, c->user, "SelfSubjectAccessReview.authorization.k8s.io", err);
}

static void user_from_spec(struct strategy_ctx *c, const val *spec, struct api_user *ret)
{
    const val *groups = val_get(spec, "groups");
    struct str *list = arena_alloc(c->arena, (val_len(groups) + 1) * sizeof(*list));
    size_t n = 0;
    VAL_FOR (groups, group) {
        list[n++] = val_str(group);
    }
    *ret = (struct api_user){.arena = c->arena,
                             .name = VAL_STR(spec, "user"),
                             .uid = VAL_STR(spec, "uid"),
                             .groups = list,
                             .group_count = n};
}

static int access_of(struct strategy_ctx *c, val *obj, const char *kind_group, struct err *err)
{
    const val *spec = val_get(obj, "spec");
    struct api_user user;
    if (VAL_STR(spec, "user").n == 0 && val_len(val_get(spec, "groups")) == 0)
        return invalid(err, kind_group,
                       "[spec.user: Invalid value: \"\": at least one of user or group must be "
                       "specified]");
    user_from_spec(c, spec, &user);
    return answer_access(c, obj, &user, kind_group, err);
}

static int subject_access(struct strategy_ctx *c, val *obj, struct err *err)
{
    return access_of(c, obj, "SubjectAccessReview.authorization.k8s.io", err);
}

static int local_access(struct strategy_ctx *c, val *obj, struct err *err)
{
    const char *kind_group = "LocalSubjectAccessReview.authorization.k8s.io";
    struct str ns = VAL_STR(obj, "spec", "resourceAttributes", "namespace");
    if (!str_eq(ns, c->ns))
        return err_bad(err, "spec.resourceAttributes.namespace must match namespace: %.*s",
                       STR_ARG(c->ns));
    return access_of(c, obj, kind_group, err);
}

static val *user_info(struct strategy_ctx *c, const struct api_user *u)
{
    struct doc *d = c->d;
    val *info = val_new_obj(d);
    val_set_s(d, info, "username", u->name);
    if (u->uid.n)
        val_set_s(d, info, "uid", u->uid);
    for (size_t i = 0; i < u->group_count; i++)
        val_push(val_ensure_arr(d, info, "groups"), val_new_str(d, u->groups[i]));
    for (size_t i = 0; i < u->extra_count; i++) {
        val *values = val_new_arr(d);
        for (size_t v = 0; v < u->extra[i].value_count; v++)
            val_push(values, val_new_str(d, u->extra[i].values[v]));
        val_set_str(d, val_ensure_obj(d, info, "extra"), u->extra[i].key, values);
    }
    return info;
}

static int self_review(struct strategy_ctx *c, val *obj, struct err *err)
{
    (void)err;
    val *status = val_set(c->d, obj, "status", val_new_obj(c->d));
    val_set(c->d, status, "userInfo", user_info(c, c->user));
    return 0;
}

static int token_review(struct strategy_ctx *c, val *obj, struct err *err)
{
    enum { AUDIENCES_MAX = 64 };
    const val *spec = val_get(obj, "spec");
    struct str audiences[AUDIENCES_MAX];
    size_t n = 0;
    struct api_user user = {.arena = c->arena};
    struct err why;
    val *matched;
    if (VAL_STR(spec, "token").n == 0)
        return err_bad(err, "token is required for TokenReview in authentication");
    VAL_FOR (val_get(spec, "audiences"), audience) {
        if (n < AUDIENCES_MAX)
            audiences[n++] = val_str(audience);
    }
    val *status = val_new_obj(c->d);
    if (token_verify(c, VAL_STR(spec, "token"), audiences, n, &user, &matched, &why)) {
        val_set(c->d, status, "user", val_new_obj(c->d));
        val_set_z(c->d, status, "error", why.message);
    } else {
        val_set_bool(c->d, status, "authenticated", true);
        val_set(c->d, status, "user", user_info(c, &user));
        val_set(c->d, status, "audiences", matched);
    }
    val_set(c->d, obj, "status", status);
    return 0;
}

/* --- SelfSubjectRulesReview --- */
static void set_words(struct doc *d, val *rule, const char *member, struct rbac_words words)
{
    for (size_t i = 0; i < words.n; i++)
        val_push(val_ensure_arr(d, rule, member), val_new_str(d, words.at[i]));
}

static int self_rules(struct strategy_ctx *c, val *obj, struct err *err)
{
    struct doc *d = c->d;
    struct str ns = VAL_STR(obj, "spec", "namespace");
    struct rbac_rules rules;
    if (ns.n == 0)
        return err_bad(err, "no namespace on request");
    val *resources = val_new_arr(d), *paths = val_new_arr(d);
    rbac_rules_of(c->api->rbac, c->user, ns, c->arena, &rules);
    for (size_t i = 0; i < rules.n; i++) {
        const struct rbac_rule *r = &rules.at[i];
        val *rule = val_new_obj(d);
        set_words(d, rule, "verbs", r->verbs);
        if (r->paths.n) {
            set_words(d, rule, "nonResourceURLs", r->paths);
            val_push(paths, rule);
            continue;
        }
        set_words(d, rule, "apiGroups", r->groups);
        set_words(d, rule, "resources", r->resources);
        set_words(d, rule, "resourceNames", r->names);
        val_push(resources, rule);
    }
    bool node = authz_node_of(c->user).n != 0;
    val *status = val_set(d, obj, "status", val_new_obj(d));
    val_set(d, status, "resourceRules", resources);
    val_set(d, status, "nonResourceRules", paths);
    val_set_bool(d, status, "incomplete", node);
    if (node)
        val_set_z(d, status, "evaluationError",
                  "node authorizer does not support user rule resolution");
    return 0;
}

/* The old way to bind, superseded by pods/NAME/binding. */
static int refuse_binding(struct strategy_ctx *c, val *obj, struct err *err)
{
    (void)c, (void)obj;
    return err_set(err, 405, "MethodNotAllowed",
                   "the server does not allow this method on the requested resource");
}

const struct strategy review_strategies[] = {
    {.group = "", .resource = "bindings", .review = refuse_binding},
    {.group = "authorization.k8s.io",
     .resource = "selfsubjectaccessreviews",
     .review = self_access},
    {.group = "authorization.k8s.io", .resource = "subjectaccessreviews", .review = subject_access},
    {.group = "authorization.k8s.io",
     .resource = "localsubjectaccessreviews",
     .review = local_access},
    {.group = "authorization.k8s.io", .resource = "selfsubjectrulesreviews", .review = self_rules},
    {.group = "authentication.k8s.io", .resource = "selfsubjectreviews", .review = self_review},
    {.group = "authentication.k8s.io", .resource = "tokenreviews", .review = token_review},
    {NULL},
};
