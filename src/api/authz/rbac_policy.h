/* rbac_policy.h: the roles and bindings that every cluster begins with, as data.
 *
 * A role's rules are lines of VERBS|GROUPS|RESOURCES[|NAMES] or VERBS|URLS, each a list with
 * commas; "core" is the core group. */
#pragma once

#include <stddef.h>

struct rbac_default_role {
    const char *name;
    const char *ns;           /* a Role there; NULL: a ClusterRole */
    const char *aggregate_to; /* label: …/aggregate-to-THIS */
    const char *gathers;      /* aggregationRule: those with …/aggregate-to-THIS */
    const char *rules;        /* may be NULL */
};

struct rbac_default_binding {
    const char *name, *role;
    const char *subjects;  /* "User NAME,Group NAME,ServiceAccount NS NAME" */
    const char *ns;        /* a RoleBinding there; NULL: a ClusterRoleBinding */
    const char *role_kind; /* NULL: ClusterRole */
};

/* Both end in name NULL, and so does the second list of roles: each of its roles is bound to the
 * service account of kube-system that its name ends in. */
extern const struct rbac_default_role rbac_default_roles[], rbac_controller_roles[];
extern const struct rbac_default_binding rbac_default_bindings[];
