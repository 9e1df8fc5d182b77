/* What an attacker tries with the rights of a little user, or with none: docs/security.md. */
#include "as.h"

#define ADMIN "admin system:masters system:authenticated"
#define JANE "jane devs system:authenticated"
#define CI "system:serviceaccount:default:ci system:serviceaccounts system:authenticated"
#define NODE "system:node:n1 system:nodes system:authenticated"
#define NOBODY "system:anonymous system:unauthenticated"
#define NS "/api/v1/namespaces/default"
#define CM NS "/configmaps"
#define RBAC "/apis/rbac.authorization.k8s.io/v1"
#define CSRS "/apis/certificates.k8s.io/v1/certificatesigningrequests"

/* jane edits the namespace default, and no more. */
static void start(struct server *s)
{
    server_start(s);
    EXPECT_AS(s,
              {ADMIN, "POST", RBAC "/namespaces/default/rolebindings",
               "{\"metadata\":{\"name\":\"jane\"},\"roleRef\":{\"apiGroup\":"
               "\"rbac.authorization.k8s.io\",\"kind\":\"ClusterRole\",\"name\":\"edit\"},"
               "\"subjects\":[{\"kind\":\"User\",\"apiGroup\":\"rbac.authorization.k8s.io\","
               "\"name\":\"jane\"}]}",
               201},
              {ADMIN, "POST", NS "/serviceaccounts", "{\"metadata\":{\"name\":\"default\"}}", 201},
              {ADMIN, "POST", CSRS,
               "{\"metadata\":{\"name\":\"c\"},\"spec\":{\"request\":\"eA==\",\"signerName\":"
               "\"kubernetes.io/kube-apiserver-client\",\"usages\":[\"client auth\"]}}",
               201});
}

TEST(who_edits_a_namespace_rules_nothing_else)
{
    struct server s;
    start(&s);
    EXPECT_AS(
        &s, {JANE, "POST", CM, "{\"metadata\":{\"name\":\"mine\"}}", 201},
        {JANE, "POST", "/api/v1/namespaces/kube-system/configmaps",
         "{\"metadata\":{\"name\":\"x\"}}", 403, "cannot create resource"},
        {JANE, "POST", RBAC "/namespaces/default/roles",
         "{\"metadata\":{\"name\":\"r\"},\"rules\":[]}", 403,
         "cannot create resource \\\"roles\\\""},
        {JANE, "POST", RBAC "/clusterrolebindings",
         "{\"metadata\":{\"name\":\"r\"},\"roleRef\":{\"kind\":\"ClusterRole\",\"name\":\"cluster-"
         "admin\"}}",
         403, "cannot create resource \\\"clusterrolebindings\\\""},
        {JANE, "PATCH", CSRS "/c/approval",
         "{\"status\":{\"conditions\":[{\"type\":\"Approved\",\"status\":\"True\"}]}}", 403,
         "cannot patch resource \\\"certificatesigningrequests/approval\\\""},
        {JANE, "GET", "/api/v1/nodes/n1/proxy/pods", NULL, 403, "nodes/proxy"},
        {JANE, "GET", "/api/v1/secrets", NULL, 403, "at the cluster scope"},
        {JANE, "POST", NS "/pods/x/binding", "{\"target\":{\"kind\":\"Node\",\"name\":\"n1\"}}",
         403, "pods/binding"},
        {JANE, "PATCH", "/api/v1/namespaces/default",
         "{\"metadata\":{\"labels\":{\"pod-security.kubernetes.io/enforce\":\"privileged\"}}}", 403,
         "cannot patch resource \\\"namespaces\\\""});
    server_stop(&s);
}

TEST(who_updates_approvals_approves_for_his_signers_only)
{
    struct server s;
    start(&s);
    EXPECT_AS(
        &s,
        {ADMIN, "POST", RBAC "/clusterroles",
         "{\"metadata\":{\"name\":\"approver\"},\"rules\":[{\"apiGroups\":[\"certificates.k8s.io\"]"
         ","
         "\"resources\":[\"certificatesigningrequests/approval\"],\"verbs\":[\"patch\"]},"
         "{\"apiGroups\":[\"certificates.k8s.io\"],\"resources\":[\"signers\"],\"resourceNames\":["
         "\"example.com/*\"],\"verbs\":[\"approve\"]}]}",
         201},
        {ADMIN, "POST", RBAC "/clusterrolebindings",
         "{\"metadata\":{\"name\":\"jane\"},\"roleRef\":{\"apiGroup\":"
         "\"rbac.authorization.k8s.io\",\"kind\":\"ClusterRole\",\"name\":\"approver\"},"
         "\"subjects\":[{\"kind\":\"User\",\"apiGroup\":\"rbac.authorization.k8s.io\","
         "\"name\":\"jane\"}]}",
         201},
        {ADMIN, "POST", CSRS,
         "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"request\":\"eA==\",\"signerName\":"
         "\"example.com/a\",\"usages\":[\"client auth\"]}}",
         201},
        {JANE, "PATCH", CSRS "/d/approval",
         "{\"status\":{\"conditions\":[{\"type\":\"Approved\",\"status\":\"True\"}]}}", 200},
        {JANE, "PATCH", CSRS "/c/approval",
         "{\"status\":{\"conditions\":[{\"type\":\"Approved\",\"status\":\"True\"}]}}", 403,
         "user not permitted to approve requests with signerName"});
    server_stop(&s);
}

TEST(an_account_without_rights_makes_no_tokens)
{
    struct server s;
    start(&s);
    EXPECT_AS(&s,
              {CI, "POST", NS "/serviceaccounts/default/token", "{\"spec\":{}}", 403,
               "serviceaccounts/token"},
              {CI, "GET", NS "/secrets", NULL, 403, "cannot list resource \\\"secrets\\\""},
              {NODE, "POST", NS "/serviceaccounts/default/token", "{\"spec\":{}}", 403, NULL},
              {NOBODY, "GET", NS "/pods", NULL, 403, "system:anonymous"},
              {NOBODY, "GET", "/version", NULL, 200, NULL},
              {NOBODY, "GET", "/metrics", NULL, 403, "forbidden"});
    server_stop(&s);
}

/* The rights of a name are asked for the path that is served. */
TEST(paths_lead_where_they_are_judged)
{
    struct server s;
    start(&s);
    EXPECT_AS(
        &s, {JANE, "GET", NS "/configmaps/%2e%2e", NULL, 404, "not found"},
        {JANE, "GET", NS "/configmaps/../secrets", NULL, 403, "configmaps/secrets"},
        {JANE, "GET", NS "/configmaps/..%2f..%2f..%2fkube-system%2fsecrets", NULL, 403, NULL},
        {JANE, "GET", NS "/configmaps/%2e%2e/%2e%2e/kube-system/secrets", NULL, 403, NULL},
        {JANE, "GET", "/api/v1/namespaces/kube-system//configmaps", NULL, 403, NULL},
        {JANE, "GET", "/api/v1/namespaces/kube-system%2fconfigmaps", NULL, 403, NULL},
        {JANE, "GET", "//api//v1//namespaces//kube-system//configmaps", NULL, 403, NULL},
        {JANE, "GET", "/api/v1/watch/namespaces/kube-system/configmaps", NULL, 403, NULL},
        {JANE, "GET", NS "/configmaps/a%00b", NULL, 400, NULL},
        {JANE, "GET", NS "/configmaps/%zz", NULL, 400, NULL},
        {JANE, "POST", CM, "{\"metadata\":{\"name\":\"../secrets/x\"}}", 422, "Invalid value"},
        {JANE, "POST", CM, "{\"metadata\":{\"name\":\"x\",\"namespace\":\"kube-system\"}}", 400,
         "does not match the namespace"});
    server_stop(&s);
}

static char *repeat(const char *head, const char *part, size_t n, const char *tail)
{
    struct buf b = {0};
    buf_puts(&b, head);
    for (size_t i = 0; i < n; i++)
        buf_puts(&b, part);
    buf_puts(&b, tail);
    char *z = mem_strdup(buf_z(&b));
    buf_done(&b);
    return z;
}

static void refuse(struct server *s, const char *type, char *body, int status)
{
    EXPECT(s, {"POST", CM, NULL, type, body, status, NULL});
    free(body);
}

TEST(bodies_that_are_bombs)
{
    struct server s;
    start(&s);
    refuse(&s, JSON, repeat("", "[", 100000, ""), 400);
    refuse(&s, JSON, repeat("", "{\"a\":", 100000, ""), 400);
    refuse(&s, "application/yaml", repeat("a: ", "[", 100000, ""), 400);
    refuse(&s, "application/yaml", repeat("", "- ", 100000, ""), 400);
    refuse(
        &s, "application/yaml",
        mem_strdup("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,"
                   "*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,"
                   "*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f]"
                   "\n"),
        400);
    refuse(&s, JSON,
           repeat("{\"metadata\":{\"name\":\"big\"},\"data\":{\"a\":\"", "xxxxxxxxxxxxxxxx", 110000,
                  "\"}}"),
           422);
    EXPECT(&s, {"GET", CM, NULL, NULL, NULL, 200, "\"items\":[]"}); /* and it lives */
    server_stop(&s);
}
