/* From the state of containers to the status of their pod. */
#include <stdio.h>
#include <string.h>

#include "node/pod.h"
#include "test.h"

struct lab {
    struct agent agent;
    struct pod pod;
    struct container containers[4];
    struct doc out;
    val *status;
};

static void setup(struct lab *l, const char *pod)
{
    struct err err;
    *l = (struct lab){0};
    l->agent.node_ip = (char *)"192.168.0.1";
    l->pod.agent = &l->agent;
    l->pod.phase = "Pending";
    l->pod.prepared = true;
    l->pod.start_ns = 1000000000;
    CHECK_OK(doc_parse_json(&l->pod.doc, str_of(pod), &l->pod.object, &err), &err);
    l->pod.spec = val_get(l->pod.object, "spec");
    l->pod.containers = l->containers;
}

static struct container *add(struct lab *l, const char *name, enum container_kind kind,
                             size_t index)
{
    struct container *c = &l->containers[l->pod.count++];
    c->pod = &l->pod;
    c->name = (char *)name;
    c->kind = kind;
    c->index = index;
    c->conn = -1;
    return c;
}

static const val *report(struct lab *l)
{
    l->status = pod_status(&l->pod, &l->out);
    return l->status;
}

static const val *condition(struct lab *l, const char *type)
{
    VAL_FOR (val_get(l->status, "conditions"), c)
        if (str_is(VAL_STR(c, "type"), type))
            return c;
    test_fail(__FILE__, __LINE__, "no condition %s", type);
}

static const val *container(struct lab *l, const char *list, size_t i)
{
    return val_at(val_get(l->status, list), i);
}

static void teardown(struct lab *l)
{
    doc_done(&l->pod.doc);
    doc_done(&l->out);
}

TEST(a_pod_that_starts)
{
    struct lab l;
    setup(&l, "{\"metadata\":{},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i:1\"}]}}");
    add(&l, "c", CONTAINER_MAIN, 0);
    l.pod.initialized = true;
    report(&l);
    CHECK_STR(VAL_STR(container(&l, "containerStatuses", 0), "state", "waiting", "reason"),
              "ContainerCreating");
    CHECK_STR(VAL_STR(container(&l, "containerStatuses", 0), "image"), "i:1");
    CHECK_STR(VAL_STR(condition(&l, "Ready"), "reason"), "ContainersNotReady");
    CHECK_STR(VAL_STR(condition(&l, "Ready"), "message"), "containers with unready status: [c]");
    CHECK_STR(VAL_STR(condition(&l, "Initialized"), "status"), "True");
    CHECK_STR(VAL_STR(l.status, "hostIP"), "192.168.0.1");
    CHECK_STR(VAL_STR(l.status, "qosClass"), "BestEffort");
    teardown(&l);
}

TEST(a_pod_that_is_ready)
{
    struct lab l;
    setup(
        &l,
        "{\"metadata\":{\"generation\":3},\"spec\":{\"containers\":[{\"name\":\"c\"}]},\"status\":{"
        "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"lastTransitionTime\":"
        "\"2026-01-02T03:04:05Z\"}]}}");
    struct container *c = add(&l, "c", CONTAINER_MAIN, 0);
    c->running = c->started = c->ready = true;
    strcpy(c->now.id, "abc");
    c->now.started_ns = 1000000000;
    l.pod.initialized = true;
    l.pod.phase = "Running";
    l.pod.addrs = (struct podnet_addrs){.ip = {"10.0.0.2"}, .count = 1};
    report(&l);
    CHECK_STR(VAL_STR(condition(&l, "Ready"), "status"), "True");
    CHECK_STR(VAL_STR(condition(&l, "Ready"), "lastTransitionTime"), "2026-01-02T03:04:05Z");
    CHECK_STR(VAL_STR(container(&l, "containerStatuses", 0), "containerID"), "crun://abc");
    CHECK_STR(VAL_STR(container(&l, "containerStatuses", 0), "state", "running", "startedAt"),
              "1970-01-01T00:00:01Z");
    CHECK_STR(VAL_STR(l.status, "podIP"), "10.0.0.2");
    CHECK_INT(VAL_INT(l.status, "observedGeneration"), 3);
    teardown(&l);
}

TEST(a_container_that_backs_off)
{
    struct lab l;
    setup(&l, "{\"metadata\":{},\"spec\":{\"containers\":[{\"name\":\"c\"}]}}");
    struct container *c = add(&l, "c", CONTAINER_MAIN, 0);
    strcpy(c->now.id, "abc");
    c->now.exit =
        (struct runtime_exit){.code = 137, .signal = 9, .oom_killed = true, .ended_ns = 1};
    strcpy(c->waiting, "CrashLoopBackOff");
    c->attempt = 2;
    l.pod.phase = "Running";
    l.pod.initialized = true;
    report(&l);
    const val *s = container(&l, "containerStatuses", 0);
    CHECK_STR(VAL_STR(s, "state", "waiting", "reason"), "CrashLoopBackOff");
    CHECK_STR(VAL_STR(s, "lastState", "terminated", "reason"), "OOMKilled");
    CHECK_INT(VAL_INT(s, "lastState", "terminated", "exitCode"), 137);
    CHECK_INT(VAL_INT(s, "restartCount"), 2);
    teardown(&l);
}

TEST(a_pod_that_is_done)
{
    struct lab l;
    setup(&l, "{\"metadata\":{},\"spec\":{\"containers\":[{\"name\":\"c\"}]}}");
    struct container *c = add(&l, "c", CONTAINER_MAIN, 0);
    strcpy(c->now.id, "abc");
    c->now.exit = (struct runtime_exit){.code = 0, .ended_ns = 1};
    l.pod.phase = "Succeeded";
    l.pod.initialized = true;
    report(&l);
    CHECK_STR(VAL_STR(container(&l, "containerStatuses", 0), "state", "terminated", "reason"),
              "Completed");
    CHECK_STR(VAL_STR(condition(&l, "Ready"), "reason"), "PodCompleted");
    CHECK_STR(VAL_STR(condition(&l, "PodReadyToStartContainers"), "status"), "False");
    teardown(&l);
}

TEST(init_containers_come_first)
{
    struct lab l;
    setup(&l, "{\"metadata\":{},\"spec\":{\"initContainers\":[{\"name\":\"a\"},{\"name\":\"b\"}],"
              "\"containers\":[{\"name\":\"c\"}]}}");
    struct container *a = add(&l, "a", CONTAINER_INIT, 0);
    add(&l, "b", CONTAINER_INIT, 1);
    add(&l, "c", CONTAINER_MAIN, 0);
    a->running = true;
    strcpy(a->now.id, "abc");
    report(&l);
    CHECK_STR(VAL_STR(condition(&l, "Initialized"), "message"),
              "containers with incomplete status: [a b]");
    CHECK_STR(VAL_STR(container(&l, "initContainerStatuses", 1), "state", "waiting", "reason"),
              "PodInitializing");
    CHECK_STR(VAL_STR(container(&l, "containerStatuses", 0), "state", "waiting", "reason"),
              "PodInitializing");
    a->running = false;
    report(&l);
    CHECK_STR(VAL_STR(condition(&l, "Initialized"), "message"),
              "containers with incomplete status: [b]");
    CHECK(VAL_BOOL(container(&l, "initContainerStatuses", 0), "ready"));
    teardown(&l);
}
