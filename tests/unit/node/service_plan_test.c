#include "test.h"

#include <arpa/inet.h>

#include "node/service_plan.h"

struct made {
    struct arena arena;
    struct doc doc;
    struct plan plan;
};

static void plan_of(struct made *m, const char *service, const char *slice)
{
    struct err err;
    val *s, *e;
    doc_init(&m->doc);
    CHECK_OK(doc_parse_json(&m->doc, str_of(service), &s, &err), &err);
    CHECK_OK(doc_parse_json(&m->doc, str_of(slice), &e, &err), &err);
    const val *slices[] = {e};
    plan_service(&m->arena, s, slices, 1, "here", &m->plan);
}

static void done(struct made *m)
{
    arena_done(&m->arena);
    doc_done(&m->doc);
}

#define ENDPOINT(ip, node, conditions)                                                             \
    "{\"addresses\":[\"" ip "\"],\"nodeName\":\"" node "\",\"conditions\":{" conditions "}}"
#define SLICE(endpoints)                                                                           \
    "{\"addressType\":\"IPv4\",\"ports\":[{\"name\":\"http\",\"port\":8080}],\"endpoints\":"       \
    "[" endpoints "]}"
#define READY "\"ready\":true"
#define ENDING "\"ready\":false,\"serving\":true,\"terminating\":true"
#define PORT "\"ports\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\",\"nodePort\":30080}]"

TEST(ready_endpoints_are_chosen)
{
    struct made m = {0};
    plan_of(&m, "{\"spec\":{\"clusterIP\":\"10.96.0.9\"," PORT "}}",
            SLICE(ENDPOINT("10.0.0.1", "here", READY) "," ENDPOINT(
                "10.0.0.2", "there", "\"ready\":false") "," ENDPOINT("10.0.0.3", "there", ENDING)));
    CHECK_INT(m.plan.port_count, 1);
    CHECK_INT(m.plan.ports[0].count, 1);
    CHECK(m.plan.ports[0].endpoints[0].ip[3] == 1 &&
          ntohs(m.plan.ports[0].endpoints[0].port) == 8080);
    CHECK_INT(m.plan.ports[0].element_count, 2); /* the address and the node port */
    CHECK(m.plan.ports[0].external_chain);
    done(&m);
}

TEST(ending_endpoints_serve_when_none_is_ready)
{
    struct made m = {0};
    plan_of(&m, "{\"spec\":{\"clusterIP\":\"10.96.0.9\"," PORT "}}",
            SLICE(ENDPOINT("10.0.0.3", "there", ENDING)));
    CHECK_INT(m.plan.ports[0].count, 1);
    done(&m);
}

TEST(a_service_without_endpoints_is_refused)
{
    struct made m = {0};
    plan_of(&m, "{\"spec\":{\"clusterIP\":\"10.96.0.9\"," PORT "}}", SLICE(""));
    CHECK_INT(m.plan.ports[0].elements[0].map, PLAN_REJECTS);
    CHECK_INT(m.plan.ports[0].elements[1].map, PLAN_REJECT_PORTS);
    CHECK(!m.plan.ports[0].external_chain);
    done(&m);
}

TEST(external_traffic_policy_local_keeps_to_this_node)
{
    struct made m = {0};
    plan_of(&m,
            "{\"spec\":{\"clusterIP\":\"10.96.0.9\",\"externalTrafficPolicy\":\"Local\"," PORT "}}",
            SLICE(ENDPOINT("10.0.0.1", "here", READY) "," ENDPOINT("10.0.0.2", "there", READY)));
    CHECK_INT(m.plan.ports[0].count, 2);
    CHECK_INT(m.plan.ports[0].external_count, 1);
    CHECK(m.plan.ports[0].external_local);
    done(&m);
}

TEST(headless_and_external_name_services_have_no_rules)
{
    struct made m = {0};
    plan_of(&m, "{\"spec\":{\"clusterIP\":\"None\"," PORT "}}",
            SLICE(ENDPOINT("10.0.0.1", "here", READY)));
    CHECK_INT(m.plan.port_count, 0);
    done(&m);
    struct made e = {0};
    plan_of(&e, "{\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"x\"}}", SLICE(""));
    CHECK_INT(e.plan.port_count, 0);
    done(&e);
}

TEST(equal_plans_are_recognised)
{
    struct made a = {0}, b = {0}, c = {0};
    const char *service =
        "{\"spec\":{\"clusterIP\":\"10.96.0.9\",\"sessionAffinity\":\"ClientIP\"," PORT "}}";
    plan_of(&a, service, SLICE(ENDPOINT("10.0.0.1", "here", READY)));
    plan_of(&b, service, SLICE(ENDPOINT("10.0.0.1", "here", READY)));
    plan_of(&c, service, SLICE(ENDPOINT("10.0.0.2", "here", READY)));
    CHECK(plan_eq(&a.plan, &b.plan));
    CHECK(!plan_eq(&a.plan, &c.plan));
    CHECK_INT(a.plan.affinity_ms, 10800000);
    done(&a);
    done(&b);
    done(&c);
}
