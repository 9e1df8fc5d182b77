/* Who may do what: the default policy, roles and bindings, nodes, escalation, reviews. */
#include <time.h>

#include "api/authz/authz.h"
#include "api/core.h"
#include "as.h"

#define ADMIN "admin system:masters system:authenticated"
#define JANE "jane devs system:authenticated"
#define BOB "bob ops system:authenticated"
#define CI "system:serviceaccount:default:ci system:serviceaccounts system:authenticated"
#define NOBODY "system:anonymous system:unauthenticated"
#define NODE "system:node:n1 system:nodes system:authenticated"
#define FAKE "system:node:n1 system:authenticated"
#define MANAGER "system:kube-controller-manager system:authenticated"
#define SCHEDULER "system:kube-scheduler system:authenticated"

#define RBAC "/apis/rbac.authorization.k8s.io/v1"
#define IN_DEFAULT RBAC "/namespaces/default"
#define OBJECT(kind, name, rest)                                                                   \
    "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"" kind                            \
    "\",\"metadata\":{\"name\":\"" name "\"}," rest "}"
#define REF(kind, name)                                                                            \
    "\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"" kind                     \
    "\",\"name\":\"" name "\"}"
#define TO(kind, name) "\"subjects\":[{\"kind\":\"" kind "\",\"name\":\"" name "\"}]"
#define PODS_READER                                                                                \
    "\"rules\":[{\"apiGroups\":[\"\"],\"resources\":[\"pods\",\"pods/log\"],\"verbs\":[\"get\","   \
    "\"list\"]}]"

/* "verb group resource[/sub] ns name" or "verb /path"; "-" stands for nothing. */
static bool may(struct server *s, const char *who, const char *request)
{
    struct arena arena = {0};
    struct str rest = str_of(request), words[5] = {0}, groups[8], name;
    size_t n = 0, g = 0;
    while (n < 5 && str_next(&rest, ' ', &words[n]))
        n++;
    for (size_t i = 0; i < 5; i++)
        if (str_is(words[i], "-"))
            words[i] = (struct str){0};
    rest = str_of(who);
    str_next(&rest, ' ', &name);
    while (g < 8 && str_next(&rest, ' ', &groups[g]))
        g++;
    struct api_user user = {.arena = &arena, .name = name, .groups = groups, .group_count = g};
    struct authz_attributes a = {.api = s->api, .verb = words[0]};
    if (n == 2) {
        a.path = words[1];
    } else {
        a.resource_request = true;
        a.group = words[1];
        str_cut(words[2], '/', &a.resource, &a.subresource);
        a.ns = words[3];
        a.name = words[4];
    }
    bool allowed = authz_check(&user, &a, NULL) == 1;
    arena_done(&arena);
    return allowed;
}

struct access {
    bool allowed;
    const char *who, *request;
};

static void check_access(struct server *s, const struct access *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (may(s, cases[i].who, cases[i].request) != cases[i].allowed)
            test_fail(__FILE__, __LINE__, "%s: %s is %s", cases[i].who, cases[i].request,
                      cases[i].allowed ? "denied" : "allowed");
}
#define ACCESS(server, ...)                                                                        \
    do {                                                                                           \
        const struct access cases_[] = {__VA_ARGS__};                                              \
        check_access(server, cases_, ARRAY_LEN(cases_));                                           \
    } while (0)

TEST(the_default_policy)
{
    struct server s;
    server_start(&s);
    ACCESS(&s, {true, ADMIN, "delete - secrets kube-system x"}, {true, ADMIN, "get /metrics"},
           {true, NOBODY, "get /readyz"}, {true, NOBODY, "get /version"},
           {false, NOBODY, "get /api"}, {false, NOBODY, "list - pods default -"},
           {true, JANE, "get /apis/apps/v1"}, {true, JANE, "get /openapi/v3"},
           {false, JANE, "get /metrics"}, {false, JANE, "get /apisx"},
           {true, JANE, "create authorization.k8s.io selfsubjectaccessreviews - -"},
           {true, JANE, "create authentication.k8s.io selfsubjectreviews - -"},
           {false, JANE, "create authorization.k8s.io subjectaccessreviews - -"},
           {false, JANE, "get - pods default web"}, {true, CI, "get /openid/v1/jwks"},
           {false, JANE, "get /openid/v1/jwks"}, {true, SCHEDULER, "create - pods/binding a b"},
           {false, SCHEDULER, "get - secrets default b"},
           {true, MANAGER, "create - serviceaccounts/token a b"},
           {false, MANAGER, "update rbac.authorization.k8s.io clusterroles - edit"});
    EXPECT_AS(
        &s,
        {ADMIN, "GET", RBAC "/clusterroles/admin", NULL, 200,
         "rbac.authorization.kubernetes.io/autoupdate\":\"true\""},
        {ADMIN, "GET", RBAC "/clusterroles/view", NULL, 200, "pods/log"},
        {ADMIN, "GET", RBAC "/clusterroles/edit", NULL, 200, "aggregate-to-edit\":\"true\"}}]}"},
        {ADMIN, "GET", RBAC "/clusterrolebindings/system:controller:replicaset-controller", NULL,
         200, "\"namespace\":\"kube-system\""},
        {ADMIN, "GET", "/apis/scheduling.k8s.io/v1/priorityclasses/system-node-critical", NULL, 200,
         "2000001000"});
    server_stop(&s);
}

TEST(a_role_gives_rights_where_it_is_bound)
{
    struct server s;
    server_start(&s);
    EXPECT_AS(
        &s, {ADMIN, "POST", IN_DEFAULT "/roles", OBJECT("Role", "r", PODS_READER), 201},
        {ADMIN, "POST", IN_DEFAULT "/rolebindings",
         OBJECT("RoleBinding", "b", REF("Role", "r") "," TO("User", "jane")), 201},
        {ADMIN, "POST", RBAC "/clusterrolebindings",
         OBJECT("ClusterRoleBinding", "ops", REF("ClusterRole", "view") "," TO("Group", "ops")),
         201},
        {ADMIN, "POST", IN_DEFAULT "/rolebindings",
         OBJECT("RoleBinding", "ci", REF("ClusterRole", "edit") "," TO("ServiceAccount", "ci")),
         201});
    ACCESS(&s, {true, JANE, "get - pods default web"}, {true, JANE, "list - pods default -"},
           {true, JANE, "get - pods/log default web"}, {false, JANE, "get - pods/exec default web"},
           {false, JANE, "delete - pods default web"}, {false, JANE, "list - pods other -"},
           {false, JANE, "list - pods - -"}, {false, JANE, "list apps pods default -"},
           {true, BOB, "list - pods - -"}, {true, BOB, "watch apps deployments x -"},
           {false, BOB, "list - secrets - -"}, {true, CI, "create - configmaps default -"},
           {true, CI, "delete apps deployments default x"}, {false, CI, "list - pods x -"});
    EXPECT_AS(&s, {ADMIN, "DELETE", IN_DEFAULT "/roles/r", NULL, 200});
    ACCESS(&s, {false, JANE, "get - pods default web"});
    EXPECT_AS(&s, {ADMIN, "POST", IN_DEFAULT "/roles", OBJECT("Role", "r", PODS_READER), 201});
    ACCESS(&s, {true, JANE, "get - pods default web"});
    EXPECT_AS(&s, {ADMIN, "DELETE", IN_DEFAULT "/rolebindings/b", NULL, 200});
    ACCESS(&s, {false, JANE, "get - pods default web"});
    server_stop(&s);
}

#define RULE(groups, resources, verbs, more)                                                       \
    "{\"apiGroups\":[" groups "],\"resources\":[" resources "],\"verbs\":[" verbs "]" more "}"

TEST(how_rules_match)
{
    struct server s;
    server_start(&s);
    EXPECT_AS(
        &s,
        {ADMIN, "POST", RBAC "/clusterroles",
         OBJECT("ClusterRole", "x",
                "\"rules\":[" RULE("\"*\"", "\"*/scale\"", "\"get\"", "") "," RULE(
                    "\"\"", "\"secrets\"", "\"*\"",
                    ",\"resourceNames\":[\"db\"]") ",{"
                                                   "\"nonResourceURLs\":[\"/logs/*\",\"/"
                                                   "metrics\"],\"verbs\":[\"get\"]}," RULE(
                                                       "\"apps\"", "\"*\"", "\"watch\"", "") "]"),
         201},
        {ADMIN, "POST", RBAC "/clusterrolebindings",
         OBJECT("ClusterRoleBinding", "x", REF("ClusterRole", "x") "," TO("User", "jane")), 201});
    ACCESS(&s, {true, JANE, "get apps deployments/scale a b"}, {false, JANE, "get apps scale a b"},
           {false, JANE, "get apps deployments/status a b"}, {true, JANE, "get - secrets a db"},
           {true, JANE, "delete - secrets a db"}, {false, JANE, "get - secrets a other"},
           {false, JANE, "list - secrets a -"}, {true, JANE, "get /logs/a/b"},
           {true, JANE, "get /logs/"}, {false, JANE, "get /logs"}, {true, JANE, "get /metrics"},
           {false, JANE, "get /metrics/x"}, {false, JANE, "post /metrics"},
           {true, JANE, "watch apps deployments/status a b"}, {false, JANE, "watch - pods a b"});
    /* a list of one name is a question about that name */
    EXPECT_AS(
        &s,
        {JANE, "GET", "/api/v1/namespaces/default/secrets?fieldSelector=metadata.name%3Ddb", NULL,
         200},
        {JANE, "GET", "/api/v1/namespaces/default/secrets?fieldSelector=metadata.name%3Dx", NULL,
         403},
        {JANE, "GET", "/api/v1/namespaces/default/secrets", NULL, 403,
         "secrets is forbidden: User \\\"jane\\\" cannot list resource \\\"secrets\\\" in API "
         "group \\\"\\\" in the namespace \\\"default\\\""});
    server_stop(&s);
}

TEST(nobody_grants_what_he_does_not_have)
{
    struct server s;
    server_start(&s);
    EXPECT_AS(
        &s,
        {ADMIN, "POST", IN_DEFAULT "/rolebindings",
         OBJECT("RoleBinding", "jane", REF("ClusterRole", "admin") "," TO("User", "jane")), 201},
        {JANE, "POST", IN_DEFAULT "/roles", OBJECT("Role", "mine", PODS_READER), 201},
        {JANE, "POST", IN_DEFAULT "/roles",
         OBJECT("Role", "more",
                "\"rules\":[" RULE("\"\"", "\"nodes\"", "\"get\",\"delete\"",
                                   "") "," RULE("\"\"", "\"pods\"", "\"get\"", "") "]"),
         403,
         "roles.rbac.authorization.k8s.io \\\"more\\\" is forbidden: user \\\"jane\\\" "
         "(groups=[\\\"devs\\\" \\\"system:authenticated\\\"]) is attempting to grant RBAC "
         "permissions not currently held:\\n{APIGroups:[\\\"\\\"], Resources:[\\\"nodes\\\"], "
         "Verbs:[\\\"get\\\" \\\"delete\\\"]}\""},
        {JANE, "POST", IN_DEFAULT "/rolebindings",
         OBJECT("RoleBinding", "b", REF("ClusterRole", "edit") "," TO("User", "bob")), 201},
        {JANE, "POST", IN_DEFAULT "/rolebindings",
         OBJECT("RoleBinding", "c", REF("ClusterRole", "cluster-admin") "," TO("User", "bob")), 403,
         "is attempting to grant RBAC permissions not currently held"},
        {JANE, "POST", IN_DEFAULT "/rolebindings",
         OBJECT("RoleBinding", "c", REF("Role", "gone") "," TO("User", "bob")), 404,
         "roles.rbac.authorization.k8s.io \\\"gone\\\" not found"},
        {JANE, "PATCH", IN_DEFAULT "/roles/mine",
         "{\"rules\":[" RULE("\"*\"", "\"*\"", "\"*\"", "") "]}", 403, "not currently held"},
        {JANE, "POST", RBAC "/clusterroles", OBJECT("ClusterRole", "x", PODS_READER), 403,
         "cannot create resource"},
        /* the verbs that lift it */
        {ADMIN, "POST", IN_DEFAULT "/roles",
         OBJECT("Role", "lift",
                "\"rules\":[" RULE("\"rbac.authorization.k8s.io\"", "\"roles\"", "\"escalate\"",
                                   "") "," RULE("\"rbac.authorization.k8s.io\"", "\"clusterroles\"",
                                                "\"bind\"",
                                                ",\"resourceNames\":[\"cluster-"
                                                "admin\"]") "]"),
         201},
        {ADMIN, "POST", IN_DEFAULT "/rolebindings",
         OBJECT("RoleBinding", "lift", REF("Role", "lift") "," TO("User", "jane")), 201},
        {JANE, "PATCH", IN_DEFAULT "/roles/mine",
         "{\"rules\":[" RULE("\"*\"", "\"*\"", "\"*\"", "") "]}", 200},
        {JANE, "POST", IN_DEFAULT "/rolebindings",
         OBJECT("RoleBinding", "c", REF("ClusterRole", "cluster-admin") "," TO("User", "bob")),
         201});
    server_stop(&s);
}

TEST(roles_and_bindings_are_validated)
{
    struct server s;
    server_start(&s);
    EXPECT_AS(
        &s,
        {ADMIN, "POST", IN_DEFAULT "/roles", OBJECT("Role", "r", "\"rules\":[{\"verbs\":[]}]"), 422,
         "rules[0].verbs: Required value: verbs must contain at least one value"},
        {ADMIN, "POST", IN_DEFAULT "/roles",
         OBJECT("Role", "r", "\"rules\":[{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/x\"]}]"), 422,
         "namespaced rules cannot apply to non-resource URLs"},
        {ADMIN, "POST", RBAC "/clusterrolebindings",
         OBJECT("ClusterRoleBinding", "r", REF("Role", "x")), 422,
         "roleRef.kind: Unsupported value: \\\"Role\\\": supported values: "
         "\\\"ClusterRole\\\""},
        {ADMIN, "POST", RBAC "/clusterrolebindings",
         OBJECT("ClusterRoleBinding", "r", REF("ClusterRole", "x") "," TO("ServiceAccount", "ci")),
         422, "subjects[0].namespace: Required value"});
    server_stop(&s);
}

#define LABELLED(name, label, resource)                                                            \
    "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"ClusterRole\",\"metadata\":{"     \
    "\"name\":\"" name "\",\"labels\":{\"" label                                                   \
    "\":\"true\"}},\"rules\":[" RULE("\"x.io\"", "\"" resource "\"", "\"get\"", "") "]}"

TEST(aggregated_roles_follow_what_they_gather)
{
    struct server s;
    server_start(&s);
    EXPECT_AS(&s, {ADMIN, "POST", IN_DEFAULT "/rolebindings",
                   OBJECT("RoleBinding", "b", REF("ClusterRole", "admin") "," TO("User", "jane")),
                   201});
    ACCESS(&s, {false, JANE, "get x.io things default a"});
    /* by way of edit into admin */
    EXPECT_AS(&s,
              {ADMIN, "POST", RBAC "/clusterroles",
               LABELLED("things", "rbac.authorization.k8s.io/aggregate-to-edit", "things"), 201});
    ACCESS(&s, {true, JANE, "get x.io things default a"},
           {false, JANE, "get x.io others default a"});
    EXPECT_AS(&s, {ADMIN, "GET", RBAC "/clusterroles/edit", NULL, 200, "\"things\""},
              {ADMIN, "PATCH", RBAC "/clusterroles/things",
               "{\"rules\":[" RULE("\"x.io\"", "\"others\"", "\"get\"", "") "]}", 200});
    ACCESS(&s, {false, JANE, "get x.io things default a"},
           {true, JANE, "get x.io others default a"});
    EXPECT_AS(&s, {ADMIN, "DELETE", RBAC "/clusterroles/things", NULL, 200, "Success"});
    ACCESS(&s, {false, JANE, "get x.io others default a"});
    server_stop(&s);
}

#define POD                                                                                        \
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"web\"},\"spec\":{"           \
    "\"nodeName\":\"n1\",\"serviceAccountName\":\"ci\",\"containers\":[{\"name\":\"a\","           \
    "\"image\":\"b\",\"envFrom\":[{\"secretRef\":{\"name\":\"db\"}}]}],\"volumes\":[{\"name\":"    \
    "\"c\",\"configMap\":{\"name\":\"conf\"}},{\"name\":\"d\",\"persistentVolumeClaim\":{"         \
    "\"claimName\":\"data\"}}]}}"

TEST(a_node_reads_what_its_pods_refer_to)
{
    struct server s;
    server_start(&s);
    ACCESS(&s, {false, NODE, "get - secrets default db"});
    EXPECT_AS(&s,
              {ADMIN, "POST", "/api/v1/namespaces/default/serviceaccounts",
               "{\"apiVersion\":\"v1\",\"kind\":\"ServiceAccount\",\"metadata\":{\"name\":\"ci\"}}",
               201},
              {ADMIN, "POST", "/api/v1/namespaces/default/pods", POD, 201});
    ACCESS(
        &s, {true, NODE, "get - secrets default db"}, {false, NODE, "get - secrets default x"},
        {false, NODE, "get - secrets other db"}, {false, NODE, "list - secrets default -"},
        {false, NODE, "update - secrets default db"}, {true, NODE, "get - configmaps default conf"},
        {true, NODE, "get - configmaps default kube-root-ca.crt"},
        {true, NODE, "get - persistentvolumeclaims default data"},
        {false, NODE, "list - persistentvolumeclaims default data"},
        {true, NODE, "create - serviceaccounts/token default ci"},
        {false, NODE, "create - serviceaccounts/token default default"},
        {true, NODE, "get - pods default web"}, {false, NODE, "list - pods - -"},
        {true, NODE, "patch - nodes/status - n1"}, {false, NODE, "delete - nodes - n1"},
        {true, NODE, "update coordination.k8s.io leases kube-node-lease n1"},
        {false, NODE, "update coordination.k8s.io leases kube-node-lease n2"},
        {false, NODE, "update coordination.k8s.io leases default n1"},
        {true, NODE, "patch - pods/status default web"}, {false, NODE, "update - pods default web"},
        {true, NODE, "watch discovery.k8s.io endpointslices - -"},
        {false, NODE, "create - pods/exec default web"}, {false, FAKE, "get - secrets default db"});
    EXPECT_AS(
        &s, {NODE, "GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1", NULL, 200},
        {NODE, "GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn2", NULL, 403,
         "can only list/watch pods with spec.nodeName field selector"},
        {NODE, "GET", "/api/v1/namespaces/default/secrets/x", NULL, 403,
         "no relationship found between node 'n1' and this object"},
        {ADMIN, "DELETE", "/api/v1/namespaces/default/pods/web?gracePeriodSeconds=0", NULL, 200});
    ACCESS(&s, {false, NODE, "get - secrets default db"});
    server_stop(&s);
}

#define REVIEW(kind, spec)                                                                         \
    "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"" kind "\",\"spec\":{" spec "}}"

TEST(reviews_tell_what_is_allowed_and_why)
{
    struct server s;
    server_start(&s);
    EXPECT_AS(
        &s, {ADMIN, "POST", IN_DEFAULT "/roles", OBJECT("Role", "r", PODS_READER), 201},
        {ADMIN, "POST", IN_DEFAULT "/rolebindings",
         OBJECT("RoleBinding", "b", REF("Role", "r") "," TO("User", "jane")), 201},
        {ADMIN, "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews",
         REVIEW("SubjectAccessReview",
                "\"user\":\"jane\",\"resourceAttributes\":{\"verb\":\"list\",\"resource\":\"pods\","
                "\"namespace\":\"default\"}"),
         201,
         "\"allowed\":true,\"reason\":\"RBAC: allowed by RoleBinding \\\"b/default\\\" of Role "
         "\\\"r\\\" to User \\\"jane\\\"\""},
        {JANE, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
         REVIEW("SelfSubjectAccessReview",
                "\"resourceAttributes\":{\"verb\":\"list\",\"resource\":\"pods\"}"),
         201, "\"allowed\":false"},
        {JANE, "POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
         REVIEW("SelfSubjectRulesReview", "\"namespace\":\"default\""), 201,
         "{\"verbs\":[\"get\",\"list\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\",\"pods/"
         "log\"]}"},
        {NODE, "POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
         REVIEW("SelfSubjectRulesReview", "\"namespace\":\"default\""), 201,
         "\"incomplete\":true"});
    server_stop(&s);
}

/* Who may read a thousand bindings' objects is answered by a few lookups. */
TEST(a_check_takes_microseconds)
{
    enum { BINDINGS = 300, CHECKS = 20000 };
    struct server s;
    struct timespec from, to;
    server_start(&s);
    for (int i = 0; i < BINDINGS; i++) {
        char body[512];
        snprintf(
            body, sizeof(body),
            OBJECT("ClusterRoleBinding", "b%d", REF("ClusterRole", "view") "," TO("User", "u%d")),
            i, i);
        EXPECT_AS(&s, {ADMIN, "POST", RBAC "/clusterrolebindings", body, 201});
    }
    CHECK(may(&s, "u299 system:authenticated", "list apps deployments x -"));
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < CHECKS; i++)
        CHECK(!may(&s, JANE, "delete apps deployments default x"));
    clock_gettime(CLOCK_MONOTONIC, &to);
    int64_t ns = (to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec - from.tv_nsec;
    CHECK(ns / CHECKS < 50000); /* also when it is instrumented and the machine is busy */
    server_stop(&s);
}
