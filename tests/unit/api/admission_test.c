/* What admission changes and refuses: limits, quotas, pod security, classes, nodes. */
#include <pthread.h>

#include "api/admission/admission.h"
#include "as.h"

#define ADMIN "admin system:masters system:authenticated"
#define NODE "system:node:n1 system:nodes system:authenticated"
#define NS "/api/v1/namespaces/default"
#define V1(kind, name, rest)                                                                       \
    "{\"apiVersion\":\"v1\",\"kind\":\"" kind "\",\"metadata\":{\"name\":\"" name "\"}," rest "}"
#define RESOURCES(r) "\"containers\":[{\"name\":\"a\",\"image\":\"b\",\"resources\":{" r "}}]"
#define POD(name, r) V1("Pod", name, "\"spec\":{" RESOURCES(r) "}")

static void begin(struct server *s)
{
    server_start(s);
    EXPECT_AS(s, {ADMIN, "POST", NS "/serviceaccounts",
                  "{\"apiVersion\":\"v1\",\"kind\":\"ServiceAccount\",\"metadata\":{\"name\":"
                  "\"default\"},\"automountServiceAccountToken\":false}",
                  201});
}

TEST(limit_ranges_give_defaults_and_bounds)
{
    struct server s;
    begin(&s);
    EXPECT_AS(
        &s,
        {ADMIN, "POST", NS "/limitranges",
         V1("LimitRange", "l",
            "\"spec\":{\"limits\":[{\"type\":\"Container\",\"default\":{\"cpu\":\"500m\"},"
            "\"defaultRequest\":{\"cpu\":\"100m\"},\"min\":{\"cpu\":\"50m\"},\"max\":{\"cpu\":"
            "\"1\"},\"maxLimitRequestRatio\":{\"cpu\":\"10\"}},{\"type\":\"Pod\",\"max\":{"
            "\"memory\":\"1Gi\"}},{\"type\":\"PersistentVolumeClaim\",\"max\":{\"storage\":"
            "\"1Gi\"}}]}"),
         201},
        {ADMIN, "POST", NS "/pods", POD("a", "\"limits\":{\"memory\":\"1Gi\"}"), 201,
         "\"kubernetes.io/limit-ranger\":\"LimitRanger plugin set: cpu request for container a; "
         "cpu "
         "limit for container a\""},
        {ADMIN, "GET", NS "/pods/a", NULL, 200, "\"qosClass\":\"Burstable\""},
        {ADMIN, "POST", NS "/pods",
         POD("b", "\"limits\":{\"memory\":\"1Gi\",\"cpu\":\"2\"},\"requests\":{\"cpu\":\"100m\"}"),
         403,
         "pods \\\"b\\\" is forbidden: [maximum cpu usage per Container is 1, but limit is 2, cpu "
         "max limit to request ratio per Container is 10, but provided ratio is 20.000000]"},
        {ADMIN, "POST", NS "/pods", POD("b", "\"limits\":{\"memory\":\"2Gi\"}"), 403,
         "maximum memory usage per Pod is 1Gi, but limit is 2Gi"},
        {ADMIN, "POST", NS "/pods", POD("b", ""), 403,
         "maximum memory usage per Pod is 1Gi.  No limit is specified"},
        {ADMIN, "POST", NS "/persistentvolumeclaims",
         V1("PersistentVolumeClaim", "c",
            "\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{\"requests\":{"
            "\"storage\":\"2Gi\"}}}"),
         403, "maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi"});
    server_stop(&s);
}

#define QUOTA(name, hard, more) V1("ResourceQuota", name, "\"spec\":{\"hard\":{" hard "}" more "}")
#define ONE_CPU "\"requests\":{\"cpu\":\"1\"}"

TEST(quotas_count_what_is_used)
{
    struct server s;
    begin(&s);
    EXPECT_AS(
        &s, {ADMIN, "POST", NS "/pods", POD("a", ONE_CPU), 201},
        {ADMIN, "POST", NS "/resourcequotas",
         QUOTA("q", "\"pods\":\"2\",\"requests.cpu\":\"3\",\"count/deployments.apps\":\"0\"", ""),
         201, "\"used\":{\"pods\":\"1\",\"requests.cpu\":\"1\",\"count/deployments.apps\":\"0\"}"},
        {ADMIN, "POST", NS "/pods", POD("b", ""), 403,
         "pods \\\"b\\\" is forbidden: failed quota: q: must specify requests.cpu for: a"},
        {ADMIN, "POST", NS "/pods", POD("b", "\"requests\":{\"cpu\":\"2500m\"}"), 403,
         "pods \\\"b\\\" is forbidden: exceeded quota: q, requested: requests.cpu=2500m, used: "
         "requests.cpu=1, limited: requests.cpu=3"},
        {ADMIN, "POST", NS "/pods?dryRun=All", POD("b", ONE_CPU), 201},
        {ADMIN, "POST", NS "/pods", POD("b", ONE_CPU), 201},
        {ADMIN, "GET", NS "/resourcequotas/q", NULL, 200, "\"pods\":\"2\",\"requests.cpu\":\"2\""},
        {ADMIN, "POST", NS "/pods", POD("c", ONE_CPU), 403,
         "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2"},
        {ADMIN, "PATCH", NS "/pods/a/status", "{\"status\":{\"phase\":\"Succeeded\"}}", 200},
        {ADMIN, "GET", NS "/resourcequotas/q", NULL, 200, "\"pods\":\"1\",\"requests.cpu\":\"1\""},
        {ADMIN, "POST", NS "/pods", POD("c", ONE_CPU), 201},
        {ADMIN, "DELETE", NS "/pods/a?gracePeriodSeconds=0", NULL, 200, "\"name\":\"a\""},
        {ADMIN, "DELETE", NS "/pods/b?gracePeriodSeconds=0", NULL, 200, "\"name\":\"b\""},
        {ADMIN, "GET", NS "/resourcequotas/q", NULL, 200, "\"pods\":\"1\",\"requests.cpu\":\"1\""},
        {ADMIN, "PATCH", NS "/resourcequotas/q", "{\"spec\":{\"hard\":{\"pods\":\"5\"}}}", 200,
         "\"hard\":{\"pods\":\"5\",\"requests.cpu\":\"3\",\"count/deployments.apps\":\"0\"},"
         "\"used\":{\"pods\":\"1\""});
    server_stop(&s);
}

TEST(quotas_have_scopes)
{
    struct server s;
    begin(&s);
    EXPECT_AS(
        &s,
        {ADMIN, "POST", NS "/resourcequotas",
         QUOTA("best", "\"pods\":\"1\"", ",\"scopes\":[\"BestEffort\"]"), 201},
        {ADMIN, "POST", NS "/resourcequotas",
         QUOTA("high", "\"pods\":\"0\"",
               ",\"scopeSelector\":{\"matchExpressions\":[{\"scopeName\":\"PriorityClass\","
               "\"operator\":\"In\",\"values\":[\"system-node-critical\"]}]}"),
         201},
        {ADMIN, "POST", NS "/pods", POD("a", ONE_CPU), 201},
        {ADMIN, "POST", NS "/pods", POD("b", ""), 201},
        {ADMIN, "POST", NS "/pods", POD("c", ""), 403, "exceeded quota: best"},
        {ADMIN, "POST", NS "/pods", POD("d", ONE_CPU), 201},
        {ADMIN, "POST", NS "/pods",
         V1("Pod", "e",
            "\"spec\":{\"priorityClassName\":\"system-node-critical\"," RESOURCES(ONE_CPU) "}"),
         403, "exceeded quota: high"},
        {ADMIN, "POST", NS "/services", V1("Service", "s", "\"spec\":{\"ports\":[{\"port\":80}]}"),
         201},
        {ADMIN, "POST", NS "/resourcequotas", QUOTA("s", "\"services\":\"1\"", ""), 201,
         "\"used\":{\"services\":\"1\"}"},
        {ADMIN, "POST", NS "/services", V1("Service", "t", "\"spec\":{\"ports\":[{\"port\":80}]}"),
         403,
         "services \\\"t\\\" is forbidden: exceeded quota: s, requested: services=1, used: "
         "services=1, limited: services=1"});
    server_stop(&s);
}

TEST(a_pass_puts_a_quotas_status_right)
{
    struct server s;
    struct store_write flush = {0};
    begin(&s);
    EXPECT_AS(&s, {ADMIN, "POST", NS "/pods", POD("a", ""), 201},
              {ADMIN, "POST", NS "/resourcequotas", QUOTA("q", "\"pods\":\"2\"", ""), 201},
              {ADMIN, "PATCH", NS "/resourcequotas/q/status",
               "{\"status\":{\"hard\":{\"pods\":\"9\"},\"used\":{\"pods\":\"8\"}}}", 200,
               "\"used\":{\"pods\":\"8\"}"});
    quota_pass(s.api);
    store_commit(s.store, &flush); /* behind what the pass has submitted */
    EXPECT_AS(&s, {ADMIN, "GET", NS "/resourcequotas/q", NULL, 200,
                   "{\"hard\":{\"pods\":\"2\"},\"used\":{\"pods\":\"1\"}}"});
    server_stop(&s);
}

struct creator {
    struct server *s;
    int number, made;
};

static void *create_some(void *arg)
{
    struct creator *k = arg;
    for (int i = 0; i < 8; i++) {
        char body[256];
        snprintf(body, sizeof(body), POD("p-%d-%d", ""), k->number, i);
        struct ask ask = {"POST", NS "/pods", NULL, JSON, body, NULL};
        struct answer a = ask_as(k->s, ADMIN, &ask);
        k->made += a.status == 201;
        bytes_unref(a.body);
    }
    return NULL;
}

TEST(many_at_once_cannot_exceed_a_quota)
{
    enum { THREADS = 4 };
    struct server s;
    struct creator creators[THREADS];
    pthread_t threads[THREADS];
    int made = 0;
    begin(&s);
    EXPECT_AS(&s, {ADMIN, "POST", NS "/resourcequotas", QUOTA("q", "\"pods\":\"10\"", ""), 201});
    for (int i = 0; i < THREADS; i++) {
        creators[i] = (struct creator){&s, i, 0};
        CHECK(pthread_create(&threads[i], NULL, create_some, &creators[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        made += creators[i].made;
    }
    CHECK_INT(made, 10);
    EXPECT_AS(&s, {ADMIN, "GET", NS "/resourcequotas/q", NULL, 200, "\"used\":{\"pods\":\"10\"}"});
    server_stop(&s);
}

#define LABEL(l) "{\"metadata\":{\"labels\":{" l "}}}"
#define PSA(mode, level) "\"pod-security.kubernetes.io/" mode "\":\"" level "\""
#define GOOD                                                                                       \
    "\"spec\":{\"securityContext\":{\"runAsNonRoot\":true,\"seccompProfile\":{\"type\":"           \
    "\"RuntimeDefault\"}},\"containers\":[{\"name\":\"a\",\"image\":\"b\",\"securityContext\":{"   \
    "\"allowPrivilegeEscalation\":false,\"capabilities\":{\"drop\":[\"ALL\"]}}}]}"

TEST(pod_security_judges_by_the_namespaces_labels)
{
    struct server s;
    begin(&s);
    EXPECT_AS(
        &s,
        {ADMIN, "PATCH", "/api/v1/namespaces/default", LABEL(PSA("enforce", "strict")), 422,
         "must be one of privileged, baseline, restricted"},
        {ADMIN, "POST", NS "/pods", POD("old", ""), 201},
        {ADMIN, "PATCH", "/api/v1/namespaces/default", LABEL(PSA("enforce", "restricted")), 200,
         "existing pods in namespace \"default\" violate the new PodSecurity enforce level "
         "\"restricted:latest\"\nold: allowPrivilegeEscalation != false"},
        {ADMIN, "POST", NS "/pods", POD("x", ""), 403,
         "pods \\\"x\\\" is forbidden: violates PodSecurity \\\"restricted:latest\\\": "
         "allowPrivilegeEscalation != false (container \\\"a\\\" must set "
         "securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "
         "\\\"a\\\" must set securityContext.capabilities.drop=[\\\"ALL\\\"]), runAsNonRoot != "
         "true "
         "(pod or container \\\"a\\\" must set securityContext.runAsNonRoot=true), seccompProfile "
         "(pod or container \\\"a\\\" must set securityContext.seccompProfile.type to "
         "\\\"RuntimeDefault\\\" or \\\"Localhost\\\")"},
        {ADMIN, "POST", NS "/pods", V1("Pod", "good", GOOD), 201},
        {ADMIN, "POST", "/apis/apps/v1/namespaces/default/deployments",
         "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"d\"},"
         "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":{"
         "\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"b\"}]}}}"
         "}",
         201, "would violate PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false"},
        {ADMIN, "PATCH", "/api/v1/namespaces/default",
         LABEL(PSA("enforce", "baseline") "," PSA("enforce-version", "v1.30")), 200},
        {ADMIN, "POST", NS "/pods", POD("plain", ""), 201},
        {ADMIN, "POST", NS "/pods",
         V1("Pod", "y",
            "\"spec\":{\"hostNetwork\":true,\"volumes\":[{\"name\":\"h\",\"hostPath\":{\"path\":"
            "\"/"
            "\"}}],\"containers\":[{\"name\":\"a\",\"image\":\"b\",\"ports\":[{\"containerPort\":"
            "80,\"hostPort\":80}],\"securityContext\":{\"privileged\":true,\"capabilities\":{"
            "\"add\":[\"SYS_ADMIN\"]}}}]}"),
         403,
         "violates PodSecurity \\\"baseline:v1.30\\\": non-default capabilities (container "
         "\\\"a\\\" must not include \\\"SYS_ADMIN\\\" in securityContext.capabilities.add), host "
         "namespaces (hostNetwork=true), hostPath volumes (volume \\\"h\\\"), hostPort (container "
         "\\\"a\\\" uses hostPort 80), privileged (container \\\"a\\\" must not set "
         "securityContext.privileged=true)"});
    server_stop(&s);
}

TEST(classes_that_are_the_default)
{
    struct server s;
    begin(&s);
    EXPECT_AS(
        &s,
        {ADMIN, "POST", "/apis/storage.k8s.io/v1/storageclasses",
         "{\"apiVersion\":\"storage.k8s.io/v1\",\"kind\":\"StorageClass\",\"provisioner\":\"p\","
         "\"metadata\":{\"name\":\"fast\",\"annotations\":{\"storageclass.kubernetes.io/"
         "is-default-class\":\"true\"}}}",
         201},
        {ADMIN, "POST", NS "/persistentvolumeclaims",
         V1("PersistentVolumeClaim", "c",
            "\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{\"requests\":{"
            "\"storage\":\"2Gi\"}}}"),
         201, "\"storageClassName\":\"fast\""},
        {ADMIN, "GET", NS "/persistentvolumeclaims/c", NULL, 200,
         "\"finalizers\":[\"kubernetes.io/pvc-protection\"]"},
        {ADMIN, "POST", "/apis/networking.k8s.io/v1/ingressclasses",
         "{\"apiVersion\":\"networking.k8s.io/v1\",\"kind\":\"IngressClass\",\"spec\":{"
         "\"controller\":\"a.b/c\"},\"metadata\":{\"name\":\"edge\",\"annotations\":{"
         "\"ingressclass.kubernetes.io/is-default-class\":\"true\"}}}",
         201},
        {ADMIN, "POST", "/apis/networking.k8s.io/v1/namespaces/default/ingresses",
         "{\"apiVersion\":\"networking.k8s.io/v1\",\"kind\":\"Ingress\",\"metadata\":{\"name\":"
         "\"i\"},\"spec\":{\"defaultBackend\":{\"service\":{\"name\":\"s\",\"port\":{\"number\":80}"
         "}}}}",
         201, "\"ingressClassName\":\"edge\""},
        {ADMIN, "POST", "/apis/scheduling.k8s.io/v1/priorityclasses",
         "{\"apiVersion\":\"scheduling.k8s.io/v1\",\"kind\":\"PriorityClass\",\"metadata\":{"
         "\"name\":\"usual\"},\"value\":7,\"globalDefault\":true}",
         201},
        {ADMIN, "POST", "/apis/scheduling.k8s.io/v1/priorityclasses",
         "{\"apiVersion\":\"scheduling.k8s.io/v1\",\"kind\":\"PriorityClass\",\"metadata\":{"
         "\"name\":\"other\"},\"value\":8,\"globalDefault\":true}",
         403, "PriorityClass usual is already marked as default. Only one default can exist"},
        {ADMIN, "POST", NS "/pods", POD("p", ""), 201, "\"priorityClassName\":\"usual\""},
        {ADMIN, "GET", NS "/pods/p", NULL, 200, "\"priority\":7"},
        {ADMIN, "POST", "/apis/node.k8s.io/v1/runtimeclasses",
         "{\"apiVersion\":\"node.k8s.io/v1\",\"kind\":\"RuntimeClass\",\"metadata\":{\"name\":"
         "\"vm\"},\"handler\":\"vm\",\"overhead\":{\"podFixed\":{\"memory\":\"64Mi\"}}}",
         201},
        {ADMIN, "POST", NS "/pods",
         V1("Pod", "vm", "\"spec\":{\"runtimeClassName\":\"vm\"," RESOURCES("") "}"), 201,
         "\"overhead\":{\"memory\":\"64Mi\"}"},
        {ADMIN, "POST", NS "/pods",
         V1("Pod", "no", "\"spec\":{\"runtimeClassName\":\"no\"," RESOURCES("") "}"), 403,
         "pod rejected: RuntimeClass \\\"no\\\" not found"});
    server_stop(&s);
}

#define NODE_OBJECT(name, labels)                                                                  \
    "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"" name                      \
    "\",\"labels\":{" labels "}}}"

TEST(nodes_change_themselves_only)
{
    struct server s;
    begin(&s);
    EXPECT_AS(
        &s,
        {NODE, "POST", "/api/v1/nodes", NODE_OBJECT("n2", ""), 403,
         "node \\\"n1\\\" is not allowed to modify node \\\"n2\\\""},
        {NODE, "POST", "/api/v1/nodes",
         NODE_OBJECT("n1", "\"node-restriction.kubernetes.io/a\":"
                           "\"b\""),
         403, "is not allowed to set the following labels: node-restriction.kubernetes.io/a"},
        {NODE, "POST", "/api/v1/nodes", NODE_OBJECT("n1", "\"kubernetes.io/os\":\"linux\""), 201,
         "{\"key\":\"node.kubernetes.io/not-ready\",\"effect\":\"NoSchedule\"}"},
        {ADMIN, "POST", "/api/v1/nodes", NODE_OBJECT("n2", ""), 201},
        {NODE, "PATCH", "/api/v1/nodes/n1", "{\"spec\":{\"taints\":null}}", 403,
         "node \\\"n1\\\" is not allowed to modify taints"},
        {NODE, "PATCH", "/api/v1/nodes/n1",
         "{\"metadata\":{\"labels\":{\"node-role.kubernetes.io/x\":\"\"}}}", 403,
         "is not allowed to modify labels: node-role.kubernetes.io/x"},
        {NODE, "PATCH", "/api/v1/nodes/n1", "{\"metadata\":{\"labels\":{\"mine\":\"1\"}}}", 200},
        {NODE, "PATCH", "/api/v1/nodes/n2/status", "{\"status\":{\"phase\":\"x\"}}", 403,
         "node \\\"n1\\\" is not allowed to modify node \\\"n2\\\""},
        {NODE, "POST", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases",
         "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":"
         "\"n2\"}}",
         403, "can only access node lease with the same name as the requesting node"},
        {ADMIN, "POST", NS "/pods", POD("web", ""), 201},
        {NODE, "POST", NS "/pods/web/eviction",
         "{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"web\"}}",
         403, "node \\\"n1\\\" can only evict pods with spec.nodeName set to itself"});
    server_stop(&s);
}
