/* Error texts and defaults are those of kube-apiserver 1.34.4 with fieldValidation=Strict. */
#include <stdlib.h>

#include "doc/schema.h"
#include "test.h"

/* What becomes of a document: its JSON, or the error, or the strict errors. */
static void run(const char *json, bool with_defaults, struct buf *out)
{
    struct doc d;
    struct err err = {0};
    val *v;
    CLEANUP(buf_done) struct buf strict = {0};
    doc_init(&d);
    CHECK_OK(doc_parse_json(&d, str_of(json), &v, &err), &err);
    const struct schema *s = schema_of_kind(VAL_STR(v, "apiVersion"), VAL_STR(v, "kind"));
    CHECK(s != NULL);
    if (schema_check(s, &d, v, &strict, &err) < 0) {
        buf_puts(out, err.message);
    } else if (strict.n) {
        buf_put(out, buf_str(&strict));
    } else if (with_defaults) {
        schema_default(s, &d, v);
        val_write_json(VAL_PATH(v, "spec"), out);
    } else {
        val_write_json(v, out);
    }
    doc_done(&d);
}

#define POD(rest) "{\"apiVersion\":\"v1\",\"kind\":\"Pod\"," rest "}"
#define SPEC(rest) POD("\"spec\":{" rest "}")
#define CONTAINER(rest) SPEC("\"containers\":[{\"name\":\"a\",\"image\":\"b\"," rest "}]")

static const struct {
    const char *json, *want;
} errors[] = {
    {SPEC("\"restartPolicy\":5"), "json: cannot unmarshal number into Go struct field "
                                  "PodSpec.spec.restartPolicy of type v1.RestartPolicy"},
    {SPEC("\"containers\":[{\"name\":7}]"), "json: cannot unmarshal number into Go struct field "
                                            "Container.spec.containers.name of type string"},
    {SPEC("\"containers\":{}"), "json: cannot unmarshal object into Go struct field "
                                "PodSpec.spec.containers of type []v1.Container"},
    {SPEC("\"priority\":3000000000"), "json: cannot unmarshal number 3000000000 into Go struct "
                                      "field PodSpec.spec.priority of type int32"},
    {SPEC("\"priority\":1.5"), "json: cannot unmarshal number 1.5 into Go struct field "
                               "PodSpec.spec.priority of type int32"},
    {SPEC("\"hostNetwork\":\"yes\""), "json: cannot unmarshal string into Go struct field "
                                      "PodSpec.spec.hostNetwork of type bool"},
    {POD("\"spec\":[]"),
     "json: cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec"},
    {POD("\"metadata\":{\"labels\":{\"a\":1}}"), "json: cannot unmarshal number into Go struct "
                                                 "field ObjectMeta.metadata.labels of type string"},
    {POD("\"metadata\":{\"creationTimestamp\":5}"),
     "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.creationTimestamp of "
     "type string"},
    {POD("\"metadata\":{\"creationTimestamp\":\"abc\"}"),
     "parsing time \"abc\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"abc\" as \"2006\""},
    {CONTAINER("\"resources\":{\"limits\":{\"cpu\":true}}"),
     "quantities must match the regular expression "
     "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"},
    {CONTAINER("\"resources\":[]"),
     "json: cannot unmarshal array into Go struct field Container.spec.containers.resources of "
     "type v1.ResourceRequirements"},
    {CONTAINER("\"livenessProbe\":{\"httpGet\":{\"port\":true}}"),
     "json: cannot unmarshal bool into Go struct field "
     "HTTPGetAction.spec.containers.livenessProbe.httpGet.port of type int32"},
    {CONTAINER("\"livenessProbe\":{\"httpGet\":7}"),
     "json: cannot unmarshal number into Go struct field "
     "Probe.spec.containers.livenessProbe.httpGet of type v1.HTTPGetAction"},
    {CONTAINER("\"securityContext\":{\"capabilities\":{\"add\":[5]}}"),
     "json: cannot unmarshal number into Go struct field "
     "Capabilities.spec.containers.securityContext.capabilities.add of type v1.Capability"},
    {"{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"data\":{\"a\":\"a$b\"}}",
     "illegal base64 data at input byte 1"},
    {"{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"data\":{\"a\":5}}",
     "json: cannot unmarshal number into Go struct field Secret.data of type []uint8"},
    {SPEC("\"foo\":1,\"containers\":[{\"name\":\"a\",\"bar\":{\"x\":1},\"name\":\"c\"}]"),
     "unknown field \"spec.foo\"\nunknown field \"spec.containers[0].bar\"\n"
     "duplicate field \"spec.containers[0].name\"\n"},
    {POD("\"Spec\":{},\"metadata\":{\"labels\":{\"a\":\"1\",\"a\":\"2\"}}"),
     "unknown field \"Spec\"\nduplicate field \"metadata.labels.a\"\n"},
};

TEST(check_reports_what_upstream_reports)
{
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        CLEANUP(buf_done) struct buf out = {0};
        run(errors[i].json, false, &out);
        CHECK_STR(buf_str(&out), errors[i].want);
    }
}

TEST(check_writes_quantities_times_and_bytes_in_one_form)
{
    CLEANUP(buf_done) struct buf out = {0};
    run(CONTAINER(
            "\"resources\":{\"limits\":{\"cpu\":0.5,\"memory\":\"1024Mi\"},\"requests\":null}"),
        false, &out);
    CHECK_STR(buf_str(&out), CONTAINER("\"resources\":{\"limits\":{\"cpu\":\"500m\","
                                       "\"memory\":\"1Gi\"}}"));
    buf_clear(&out);
    run("{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"data\":{\"a\":\"YWI=\\n\"},"
        "\"stringData\":{\"b\":null}}",
        false, &out);
    CHECK_STR(buf_str(&out), "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"data\":{\"a\":\"YWI=\"},"
                             "\"stringData\":{\"b\":\"\"}}");
}

TEST(check_takes_the_zero_time_for_null_and_keeps_times_far_away)
{
    CLEANUP(buf_done) struct buf out = {0};
    run(POD("\"metadata\":{\"creationTimestamp\":\"0001-01-01T00:00:00Z\","
            "\"deletionTimestamp\":\"9999-12-31T23:59:59Z\"}"),
        false, &out);
    CHECK_STR(buf_str(&out), POD("\"metadata\":{\"creationTimestamp\":null,"
                                 "\"deletionTimestamp\":\"9999-12-31T23:59:59Z\"}"));
}

TEST(duplicates_and_unknown_fields_are_pruned)
{
    struct doc d;
    struct err err = {0};
    val *v;
    CLEANUP(buf_done) struct buf out = {0};
    doc_init(&d);
    CHECK_OK(doc_parse_json(&d, STR("{\"data\":{\"a\":\"1\",\"b\":\"2\",\"a\":\"3\"},\"x\":1}"), &v,
                            &err),
             &err);
    CHECK_OK(schema_check(schema_of_kind(STR("v1"), STR("ConfigMap")), &d, v, NULL, &err), &err);
    val_write_json(v, &out);
    CHECK_STR(buf_str(&out), "{\"data\":{\"b\":\"2\",\"a\":\"3\"}}");
    doc_done(&d);
}

static const struct {
    const char *json, *want;
} defaults[] = {
    {SPEC("\"containers\":[{\"name\":\"a\",\"livenessProbe\":{\"httpGet\":{\"port\":80}}}]"),
     "{\"containers\":[{\"name\":\"a\",\"livenessProbe\":{\"httpGet\":{\"port\":80,\"path\":\"/\","
     "\"scheme\":\"HTTP\"},\"failureThreshold\":3,\"periodSeconds\":10,\"successThreshold\":1,"
     "\"timeoutSeconds\":1},\"terminationMessagePath\":\"/dev/termination-log\","
     "\"terminationMessagePolicy\":\"File\"}],\"enableServiceLinks\":true,"
     "\"dnsPolicy\":\"ClusterFirst\",\"restartPolicy\":\"Always\","
     "\"schedulerName\":\"default-scheduler\",\"securityContext\":{},"
     "\"terminationGracePeriodSeconds\":30}"},
    {"{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"spec\":{\"replicas\":0,"
     "\"strategy\":{\"type\":\"Recreate\"}}}",
     "{\"replicas\":0,\"strategy\":{\"type\":\"Recreate\"},\"progressDeadlineSeconds\":600,"
     "\"revisionHistoryLimit\":10,\"template\":{\"spec\":{\"dnsPolicy\":\"ClusterFirst\","
     "\"restartPolicy\":\"Always\",\"schedulerName\":\"default-scheduler\",\"securityContext\":{},"
     "\"terminationGracePeriodSeconds\":30}}}"},
    {"{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"spec\":{\"ports\":[{\"port\":1}],"
     "\"sessionAffinity\":\"ClientIP\"}}",
     "{\"ports\":[{\"port\":1,\"protocol\":\"TCP\"}],\"sessionAffinity\":\"ClientIP\","
     "\"type\":\"ClusterIP\",\"internalTrafficPolicy\":\"Cluster\","
     "\"sessionAffinityConfig\":{\"clientIP\":{\"timeoutSeconds\":10800}}}"},
    {"{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"spec\":{\"type\":\"ExternalName\"}}",
     "{\"type\":\"ExternalName\",\"sessionAffinity\":\"None\"}"},
};

TEST(defaults_are_upstreams)
{
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
        CLEANUP(buf_done) struct buf out = {0};
        run(defaults[i].json, true, &out);
        CHECK_STR(buf_str(&out), defaults[i].want);
    }
}

TEST(validate_names_missing_members_and_unsupported_values)
{
    struct doc d;
    struct err err = {0};
    val *v;
    CLEANUP(buf_done) struct buf out = {0};
    doc_init(&d);
    CHECK_OK(doc_parse_json(&d,
                            STR("{\"spec\":{\"containers\":[{\"image\":\"b\",\"imagePullPolicy\":"
                                "\"X\"}]},\"status\":{\"podIPs\":[{}]}}"),
                            &v, &err),
             &err);
    val *causes = val_new_arr(&d);
    schema_validate(schema_of_kind(STR("v1"), STR("Pod")), v, "", &d, causes);
    val_write_json(causes, &out);
    CHECK_STR(buf_str(&out),
              "[{\"reason\":\"FieldValueRequired\",\"message\":\"Required value\","
              "\"field\":\"spec.containers[0].name\"},"
              "{\"reason\":\"FieldValueNotSupported\",\"message\":\"Unsupported value: \\\"X\\\": "
              "supported values: \\\"Always\\\", \\\"IfNotPresent\\\", \\\"Never\\\"\","
              "\"field\":\"spec.containers[0].imagePullPolicy\"}]");
    doc_done(&d);
}

/* --- the tables --- */
TEST(tables_are_sorted_and_whole)
{
    size_t kinds = 0;
    for (const struct schema_kind *k = schema_kinds; k->kind; k++, kinds++) {
        CHECK(schema_find(str_of(k->schema->name)) == k->schema);
        for (size_t i = 0; i < k->schema->by_name_count; i++) {
            const struct schema_field *f = k->schema->by_name[i];
            CHECK(schema_field(k->schema, str_of(f->name)) == f);
        }
        CHECK((k->list_kind == NULL) == (k->list_schema == NULL));
    }
    CHECK(kinds > 60);
}

static void check_defaults_parse(const struct schema *s, int depth)
{
    for (size_t i = 0; depth < 12 && i < s->by_name_count; i++) {
        const struct schema_field *f = s->by_name[i];
        struct doc d;
        struct err err = {0};
        val *v;
        doc_init(&d);
        if (f->default_json)
            CHECK_OK(doc_parse_json(&d, str_of(f->default_json), &v, &err), &err);
        doc_done(&d);
        const struct schema *in = f->schema;
        while (in->items)
            in = in->items;
        if (in->has_defaults && in != s)
            check_defaults_parse(in, depth + 1);
    }
}

TEST(every_default_is_json)
{
    for (const struct schema_kind *k = schema_kinds; k->kind; k++)
        check_defaults_parse(k->schema, 0);
}

TEST(embedded_members_are_found_through_their_outer_type)
{
    const struct schema *volume = schema_find(STR("io.k8s.api.core.v1.Volume"));
    CHECK(schema_field(volume, STR("hostPath")) != NULL);
    CHECK(schema_field(volume, STR("hostpath")) == NULL);
    CHECK(schema_of_kind(STR("policy/v1"), STR("Eviction")) != NULL);
    CHECK(schema_of_kind(STR("apps/v1"), STR("DeleteOptions")) ==
          schema_of_kind(STR("v1"), STR("DeleteOptions")));
    CHECK(schema_of_kind(STR("apps/v2"), STR("Deployment")) == NULL);
}
