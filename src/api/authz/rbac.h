/* rbac.h: role-based access control, from the Roles and bindings in the store.
 *
 * The objects are kept compiled, indexed by whom they give rights to, and follow the store's events
 * (feed.h): a check costs a few hash lookups and comparisons. The rules are those of upstream's
 * plugin/pkg/auth/authorizer/rbac. All functions may be called on any thread. */
#pragma once

#include "api/authn/user.h"
#include "doc/val.h"
#include "store/store.h"

struct rbac;

#define RBAC_GROUP "rbac.authorization.k8s.io"

struct rbac_words {
    const struct str *at;
    size_t n;
};

struct rbac_rule { /* rbac.PolicyRule */
    struct rbac_words verbs, groups, resources, names, paths;
};

struct rbac_rules {
    struct rbac_rule *at;
    size_t n, cap;
};

/* Reads all there is and follows the store from there; the store outlives it. */
int rbac_new(struct store *store, struct rbac **ret, struct err *err);
void rbac_free(struct rbac *r);

/* ret_why (may be NULL) says which binding allowed it. */
bool rbac_allows(struct rbac *r, const struct api_user *user, const struct authz_attributes *a,
                 struct str *ret_why);

/* All rules that the user has in the namespace (empty: in the whole cluster only), copied to a. */
void rbac_rules_of(struct rbac *r, const struct api_user *user, struct str ns, struct arena *a,
                   struct rbac_rules *ret);

/* --- rules (rbac_rule.c) --- */
/* Appends the rules of a role object; words are copied to a. */
void rbac_rules_add(struct rbac_rules *rules, struct arena *a, const val *list);
void rbac_rules_push(struct rbac_rules *rules, struct arena *a, const struct rbac_rule *rule);
bool rbac_rule_allows(const struct rbac_rule *rule, const struct authz_attributes *a);
/* What of `wanted` the owner does not have, broken down to single grants; 0 when it has all. */
size_t rbac_missing(const struct rbac_rules *owner, const struct rbac_rules *wanted,
                    struct arena *a, struct rbac_rules *ret);
/* `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`, one a line, sorted, the verbs of
 * one resource together. */
void rbac_missing_write(const struct rbac_rules *missing, struct arena *a, struct buf *b);
