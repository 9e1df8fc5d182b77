/* $(NAME) expansion, service variables, and what a pod may learn about itself. */
#include "doc/val.h"
#include "node/downward.h"
#include "node/env.h"
#include "test.h"

/* The table of k8s.io/kubernetes third_party/forked/golang/expansion. */
TEST(references_expand_as_upstream)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"$(A)", "1"},
        {"___$(A)___", "___1___"},
        {"$$(A)", "$(A)"},
        {"$$$(A)", "$1"},
        {"$$$$(A)", "$$(A)"},
        {"$(NO)", "$(NO)"},
        {"$(A)$(B)", "1two"},
        {"$(A", "$(A"},
        {"$A", "$A"},
        {"$", "$"},
        {"$$", "$"},
        {"", ""},
        {"$(A$(B))", "$(A$(B))"},
        {"a$()b", "a$()b"},
        {"$(EMPTY)x", "x"},
    };
    struct env e = {0};
    env_set(&e, STR("A"), STR("1"));
    env_set(&e, STR("B"), STR("two"));
    env_set(&e, STR("EMPTY"), STR(""));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b = {0};
        env_expand(&e, str_of(cases[i].text), &b);
        CHECK_STR(buf_str(&b), cases[i].want);
        buf_done(&b);
    }
    env_done(&e);
}

TEST(a_name_set_again_keeps_its_place)
{
    struct env e = {0};
    env_set(&e, STR("A"), STR("1"));
    env_set(&e, STR("B"), STR("2"));
    env_set(&e, STR("A"), STR("3"));
    CHECK_INT(e.count, 2);
    CHECK_STR(str_of(e.vars[0].value), "3");
    env_done(&e);
}

static val *parse(struct doc *d, const char *json)
{
    struct err err;
    val *v;
    CHECK_OK(doc_parse_json(d, str_of(json), &v, &err), &err);
    return v;
}

TEST(services_have_variables)
{
    static const struct {
        const char *name, *value;
    } want[] = {{"MY_DB_SERVICE_HOST", "10.0.0.5"},
                {"MY_DB_SERVICE_PORT", "5432"},
                {"MY_DB_SERVICE_PORT_SQL", "5432"},
                {"MY_DB_PORT", "tcp://10.0.0.5:5432"},
                {"MY_DB_PORT_5432_TCP", "tcp://10.0.0.5:5432"},
                {"MY_DB_PORT_5432_TCP_PROTO", "tcp"},
                {"MY_DB_PORT_5432_TCP_ADDR", "10.0.0.5"},
                {"MY_DB_PORT_53_UDP_PORT", "53"}};
    struct doc d = {0};
    struct env e = {0};
    env_add_service(
        &e, parse(&d, "{\"metadata\":{\"name\":\"my-db\"},\"spec\":{\"clusterIP\":\"10.0.0.5\","
                      "\"ports\":[{\"name\":\"sql\",\"port\":5432},{\"port\":53,"
                      "\"protocol\":\"UDP\"}]}}"));
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        CHECK_STR(str_of(env_get(&e, str_of(want[i].name))), want[i].value);
    size_t before = e.count;
    env_add_service(&e,
                    parse(&d, "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"clusterIP\":\"None\"}}"));
    CHECK_INT(e.count, before);
    env_done(&e);
    doc_done(&d);
}

TEST(fields_and_resources)
{
    struct doc d = {0};
    const val *pod = parse(
        &d,
        "{\"metadata\":{\"name\":\"p\",\"namespace\":\"ns\",\"uid\":\"u\",\"labels\":{\"b\":\"2\","
        "\"a\":\"say "
        "\\\"hi\\\"\\n\"}},\"spec\":{\"nodeName\":\"n\",\"containers\":[{\"name\":\"c\","
        "\"resources\":{\"limits\":{\"cpu\":\"250m\"},\"requests\":{\"memory\":\"1536Ki\"}}}]}}");
    const struct downward down = {.pod = pod,
                                  .host_ip = "192.168.0.1",
                                  .pod_ips = {"10.1.0.2", "fd00::2"},
                                  .pod_ip_count = 2,
                                  .node_milli_cpu = 2000,
                                  .node_memory = 4LL << 30};
    static const struct {
        const char *path, *want;
    } fields[] = {
        {"metadata.name", "p"},          {"metadata.labels['b']", "2"},
        {"metadata.labels['none']", ""}, {"metadata.labels", "a=\"say \\\"hi\\\"\\n\"\nb=\"2\""},
        {"spec.nodeName", "n"},          {"status.hostIP", "192.168.0.1"},
        {"status.podIP", "10.1.0.2"},    {"status.podIPs", "10.1.0.2,fd00::2"}};
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        struct buf b = {0};
        CHECK_OK(downward_field(&down, str_of(fields[i].path), &b, &err), &err);
        CHECK_STR(str_of(buf_z(&b)), fields[i].want);
        buf_done(&b);
    }
    CHECK(downward_field(&down, STR("spec.volumes"), &(struct buf){0}, &err) != 0);
    static const struct {
        const char *ref, *want;
    } resources[] = {
        {"{\"resource\":\"limits.cpu\"}", "1"},
        {"{\"resource\":\"limits.cpu\",\"divisor\":\"1m\"}", "250"},
        {"{\"resource\":\"limits.memory\"}", "4294967296"},
        {"{\"resource\":\"requests.memory\",\"divisor\":\"1Mi\"}", "2"},
        {"{\"resource\":\"requests.cpu\",\"divisor\":\"1m\"}", "250"},
        {"{\"resource\":\"limits.cpu\",\"containerName\":\"c\",\"divisor\":\"0\"}", "1"}};
    for (size_t i = 0; i < ARRAY_LEN(resources); i++) {
        struct buf b = {0};
        const val *c = val_at(VAL_PATH(pod, "spec", "containers"), 0);
        CHECK_OK(downward_resource(&down, c, parse(&d, resources[i].ref), &b, &err), &err);
        CHECK_STR(buf_str(&b), resources[i].want);
        buf_done(&b);
    }
    doc_done(&d);
}
