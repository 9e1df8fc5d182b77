/* Evictions and the budgets that refuse them. */
#include "server.h"

#define NS "/api/v1/namespaces/default"
#define PDBS "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
#define EVICTION                                                                                   \
    "{\"kind\":\"Eviction\",\"apiVersion\":\"policy/v1\",\"metadata\":{\"name\":\"%s\"}}"

static void start(struct server *s)
{
    server_start(s);
    EXPECT(s, {"POST", NS "/serviceaccounts", NULL, JSON, "{\"metadata\":{\"name\":\"default\"}}",
               201, NULL});
}

static void pod(struct server *s, const char *name, const char *phase, bool ready)
{
    char body[512], path[128];
    snprintf(body, sizeof(body),
             "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"app\":\"web\"}},\"spec\":{\"nodeName\":"
             "\"n1\",\"containers\":[{\"name\":\"c\",\"image\":\"x\"}]}}",
             name);
    EXPECT(s, {"POST", NS "/pods", NULL, JSON, body, 201, NULL});
    snprintf(path, sizeof(path), NS "/pods/%s/status", name);
    snprintf(
        body, sizeof(body),
        "{\"status\":{\"phase\":\"%s\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"%s\"}]}"
        "}",
        phase, ready ? "True" : "False");
    EXPECT(s, {"PATCH", path, NULL, MERGE, body, 200, NULL});
}

static void budget(struct server *s, const char *name, const char *spec, const char *status)
{
    char body[512], path[128];
    snprintf(body, sizeof(body),
             "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"selector\":{\"matchLabels\":{\"app\":"
             "\"web\"}},%s}}",
             name, spec);
    EXPECT(s, {"POST", PDBS, NULL, JSON, body, 201, NULL});
    if (!status)
        return;
    snprintf(path, sizeof(path), PDBS "/%s/status", name);
    snprintf(body, sizeof(body), "{\"status\":{\"observedGeneration\":1,%s}}", status);
    EXPECT(s, {"PATCH", path, NULL, MERGE, body, 200, NULL});
}

static void evict(struct server *s, const char *name, const char *query, int status,
                  const char *says)
{
    char body[256], path[128];
    snprintf(path, sizeof(path), NS "/pods/%s/eviction", name);
    snprintf(body, sizeof(body), EVICTION, name);
    EXPECT(s, {"POST", path, query, JSON, body, status, says});
}

TEST(a_budget_allows_as_many_as_it_says)
{
    struct server s;
    start(&s);
    pod(&s, "a", "Running", true);
    pod(&s, "b", "Running", true);
    budget(&s, "web", "\"minAvailable\":1",
           "\"currentHealthy\":2,\"desiredHealthy\":1,\"expectedPods\":2,\"disruptionsAllowed\":1");
    evict(&s, "a", "dryRun=All", 201, "\"status\":\"Success\"");
    EXPECT(&s, {"GET", PDBS "/web", NULL, NULL, NULL, 200, "\"disruptionsAllowed\":1"});
    evict(&s, "a", NULL, 201, "\"status\":\"Success\"");
    EXPECT(&s, {"GET", PDBS "/web", NULL, NULL, NULL, 200, "\"disruptionsAllowed\":0"},
           {"GET", PDBS "/web", NULL, NULL, NULL, 200, "\"disruptedPods\":{\"a\":\""},
           {"GET", PDBS "/web", NULL, NULL, NULL, 200, "\"reason\":\"InsufficientPods\""},
           {"GET", NS "/pods/a", NULL, NULL, NULL, 200, "\"reason\":\"EvictionByEvictionAPI\""},
           {"GET", NS "/pods/a", NULL, NULL, NULL, 200, "\"deletionTimestamp\""});
    evict(
        &s, "b", NULL, 429,
        "\"message\":\"Cannot evict pod as it would violate the pod's disruption budget.\","
        "\"reason\":\"TooManyRequests\",\"details\":{\"causes\":[{\"reason\":\"DisruptionBudget\","
        "\"message\":\"The disruption budget web needs 1 healthy pods and has 2 currently\"}]},"
        "\"code\":429");
    server_stop(&s);
}

TEST(a_budget_that_no_controller_has_seen_allows_nothing)
{
    struct server s;
    start(&s);
    pod(&s, "a", "Running", true);
    budget(&s, "web", "\"maxUnavailable\":1", NULL);
    evict(&s, "a", NULL, 429, "The disruption budget web is still being processed by the server.");
    evict(&s, "a", NULL, 429, "\"retryAfterSeconds\":10");
    server_stop(&s);
}

TEST(pods_that_nobody_misses_may_go)
{
    struct server s;
    start(&s);
    budget(&s, "web", "\"minAvailable\":1",
           "\"currentHealthy\":1,\"desiredHealthy\":1,"
           "\"expectedPods\":2,\"disruptionsAllowed\":0");
    pod(&s, "pending", "Pending", false);
    pod(&s, "failed", "Failed", false);
    pod(&s, "unready", "Running", false);
    pod(&s, "ready", "Running", true);
    evict(&s, "pending", NULL, 201, NULL);
    evict(&s, "failed", NULL, 201, NULL);
    evict(&s, "unready", NULL, 201, NULL); /* the healthy ones suffice without it */
    evict(&s, "ready", NULL, 429, NULL);
    EXPECT(&s, {"GET", PDBS "/web", NULL, NULL, NULL, 200, "\"disruptionsAllowed\":0"});
    server_stop(&s);
}

TEST(unready_pods_go_always_when_the_budget_says_so)
{
    struct server s;
    start(&s);
    budget(&s, "web", "\"minAvailable\":2,\"unhealthyPodEvictionPolicy\":\"AlwaysAllow\"",
           "\"currentHealthy\":1,\"desiredHealthy\":2,\"expectedPods\":2,\"disruptionsAllowed\":0");
    pod(&s, "unready", "Running", false);
    evict(&s, "unready", NULL, 201, NULL);
    server_stop(&s);
}

TEST(two_budgets_of_one_pod_are_an_error)
{
    struct server s;
    start(&s);
    pod(&s, "a", "Running", true);
    budget(&s, "one", "\"minAvailable\":1", NULL);
    budget(&s, "two", "\"minAvailable\":1", NULL);
    evict(&s, "a", NULL, 500,
          "\"message\":\"This pod has more than one PodDisruptionBudget, which the eviction "
          "subresource does not support.\",\"code\":500");
    server_stop(&s);
}
