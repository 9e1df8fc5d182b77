/* From container specs to OCI configurations. */
#include <stdio.h>

#include "node/oci.h"
#include "test.h"

static val *parse(struct doc *d, const char *json)
{
    struct err err;
    val *v;
    CHECK_OK(doc_parse_json(d, str_of(json), &v, &err), &err);
    return v;
}

static struct oci_input input(struct doc *d, const char *pod, const char *container,
                              const char *image, const struct env *env)
{
    return (struct oci_input){.pod_spec = parse(d, pod),
                              .container = parse(d, container),
                              .image = parse(d, image),
                              .env = env,
                              .net = "/ns/net",
                              .ipc = "/ns/ipc",
                              .uts = "/ns/uts",
                              .shm = "/pod/shm",
                              .cgroup = "/tutti/pod/c",
                              .host_capabilities = ~(uint64_t)0,
                              .node_memory = 1000 << 20};
}

TEST(command_and_args_win_over_the_image)
{
    static const struct {
        const char *container, *image, *want; /* want NULL: no command */
    } cases[] = {
        {"{}", "{\"Entrypoint\":[\"/e\"],\"Cmd\":[\"c\"]}", "[\"/e\",\"c\"]"},
        {"{\"args\":[\"a\"]}", "{\"Entrypoint\":[\"/e\"],\"Cmd\":[\"c\"]}", "[\"/e\",\"a\"]"},
        {"{\"command\":[\"x\"]}", "{\"Entrypoint\":[\"/e\"],\"Cmd\":[\"c\"]}", "[\"x\"]"},
        {"{\"command\":[\"x\"],\"args\":[\"$(V)\"]}", "{\"Cmd\":[\"c\"]}", "[\"x\",\"val\"]"},
        {"{}", "{\"Cmd\":[\"$(V)\"]}", "[\"$(V)\"]"},
        {"{}", "{}", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct doc d = {0};
        struct env env = {0};
        struct err err = {0};
        struct buf b = {0};
        val *args;
        env_set(&env, STR("V"), STR("val"));
        struct oci_input in = input(&d, "{}", cases[i].container, cases[i].image, &env);
        int failed = oci_args(&in, &d, &args, &err);
        CHECK_INT(failed != 0, cases[i].want == NULL);
        if (cases[i].want) {
            val_write_json(args, &b);
            CHECK_STR(buf_str(&b), cases[i].want);
        }
        buf_done(&b);
        env_done(&env);
        doc_done(&d);
    }
}

static bool has_cap(const val *process, const char *name)
{
    VAL_FOR (VAL_PATH(process, "capabilities", "effective"), c)
        if (str_is(val_str(c), name))
            return true;
    return false;
}

TEST(capabilities_are_added_and_dropped)
{
    static const struct {
        const char *security;
        bool chown, admin, raw;
    } cases[] = {
        {"{}", true, false, true},
        {"{\"capabilities\":{\"drop\":[\"ALL\"]}}", false, false, false},
        {"{\"capabilities\":{\"drop\":[\"ALL\"],\"add\":[\"NET_RAW\"]}}", false, false, true},
        {"{\"capabilities\":{\"add\":[\"ALL\"],\"drop\":[\"CAP_NET_RAW\"]}}", true, true, false},
        {"{\"capabilities\":{\"add\":[\"sys_admin\"]}}", true, true, true},
        {"{\"privileged\":true}", true, true, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct doc d = {0};
        val *process = val_new_obj(&d);
        oci_capabilities(parse(&d, cases[i].security), ~(uint64_t)0, &d, process);
        CHECK_INT(has_cap(process, "CAP_CHOWN"), cases[i].chown);
        CHECK_INT(has_cap(process, "CAP_SYS_ADMIN"), cases[i].admin);
        CHECK_INT(has_cap(process, "CAP_NET_RAW"), cases[i].raw);
        doc_done(&d);
    }
}

TEST(what_the_machine_lacks_is_not_asked_for)
{
    struct doc d = {0};
    val *process = val_new_obj(&d);
    oci_capabilities(parse(&d, "{\"privileged\":true}"), ~((uint64_t)1 << 24), &d, process);
    CHECK(!has_cap(process, "CAP_SYS_RESOURCE"));
    CHECK(has_cap(process, "CAP_SYS_TIME"));
    doc_done(&d);
}

TEST(quality_of_service)
{
    static const struct {
        const char *pod, *qos;
    } cases[] = {
        {"{\"containers\":[{}]}", "BestEffort"},
        {"{\"containers\":[{\"resources\":{\"requests\":{\"cpu\":\"1\"}}}]}", "Burstable"},
        {"{\"containers\":[{\"resources\":{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"}}}]}",
         "Guaranteed"},
        {"{\"containers\":[{\"resources\":{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"},"
         "\"requests\":{"
         "\"cpu\":\"1000m\",\"memory\":\"1Gi\"}}}]}",
         "Guaranteed"},
        {"{\"containers\":[{\"resources\":{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"}}},{}]}",
         "Burstable"},
        {"{\"containers\":[{\"resources\":{\"limits\":{\"memory\":\"1Gi\"}}}]}", "Burstable"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct doc d = {0};
        CHECK_STR(str_of(oci_qos(parse(&d, cases[i].pod))), cases[i].qos);
        doc_done(&d);
    }
}

TEST(limits_become_cgroup_values)
{
    struct doc d = {0};
    struct env env = {0};
    struct err err;
    val *config;
    struct oci_input in = input(&d, "{}",
                                "{\"command\":[\"x\"],\"resources\":{\"limits\":{\"cpu\":\"250m\","
                                "\"memory\":\"64Mi\"},\"requests\":{\"cpu\":\"100m\"}}}",
                                "{}", &env);
    CHECK_OK(oci_config(&in, &d, &config, &err), &err);
    const val *r = VAL_PATH(config, "linux", "resources");
    CHECK_INT(VAL_INT(r, "cpu", "shares"), 102);
    CHECK_INT(VAL_INT(r, "cpu", "quota"), 25000);
    CHECK_INT(VAL_INT(r, "cpu", "period"), 100000);
    CHECK_INT(VAL_INT(r, "memory", "limit"), 64 << 20);
    doc_done(&d);
}

/* oom_score_adj: the share of the node's memory that was requested makes a pod a worse victim. */
TEST(oom_scores)
{
    static const struct {
        const char *container;
        int64_t score;
    } cases[] = {
        {"{}", 1000},
        {"{\"resources\":{\"requests\":{\"memory\":\"250Mi\"}}}", 750},
        {"{\"resources\":{\"requests\":{\"memory\":\"999Mi\"}}}", 3},
        {"{\"resources\":{\"requests\":{\"cpu\":\"1\"}}}", 999},
        {"{\"resources\":{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"}}}", -997},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct doc d = {0};
        char pod[256];
        snprintf(pod, sizeof(pod), "{\"containers\":[%s]}", cases[i].container);
        struct oci_input in = input(&d, pod, cases[i].container, "{}", NULL);
        CHECK_INT(oci_oom_score(&in), cases[i].score);
        doc_done(&d);
    }
}

/* The whole process object of a restricted container. */
TEST(a_restricted_process)
{
    struct doc d = {0};
    struct env env = {0};
    struct err err;
    struct buf b = {0};
    val *process;
    env_set(&env, STR("A"), STR("1"));
    struct oci_input in =
        input(&d, "{\"containers\":[{}]}",
              "{\"command\":[\"x\"],\"workingDir\":\"w\",\"securityContext\":{"
              "\"allowPrivilegeEscalation\":false,\"capabilities\":{\"drop\":[\"ALL\"],"
              "\"add\":[\"NET_BIND_SERVICE\"]}}}",
              "{\"WorkingDir\":\"/image\"}", &env);
    in.user = (struct oci_user){.uid = 1000, .gid = 3000, .groups = {3000, 4000}, .group_count = 2};
    CHECK_OK(oci_process(&in, NULL, false, &d, &process, &err), &err);
    val_write_json(process, &b);
    CHECK_STR(
        buf_str(&b),
        "{\"user\":{\"uid\":1000,\"gid\":3000,\"additionalGids\":[3000,4000]},\"args\":[\"x\"],"
        "\"env\":[\"A=1\"],\"cwd\":\"/"
        "w\",\"capabilities\":{\"bounding\":[\"CAP_NET_BIND_SERVICE\"],"
        "\"effective\":[\"CAP_NET_BIND_SERVICE\"],\"permitted\":[\"CAP_NET_BIND_SERVICE\"]},"
        "\"noNewPrivileges\":true,\"oomScoreAdj\":1000}");
    buf_done(&b);
    env_done(&env);
    doc_done(&d);
}
