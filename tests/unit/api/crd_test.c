/* Custom resources: definitions and what they make the server serve. */
#include <unistd.h>

#include "api/core.h"
#include "api/crd/crd.h"
#include "server.h"

#define CRDS "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#define WIDGETS "/apis/shop.example.com/v1/namespaces/default/widgets"
#define WIDGET "{\"apiVersion\":\"shop.example.com/v1\",\"kind\":\"Widget\","

#define SCHEMA                                                                                     \
    "{\"type\":\"object\",\"properties\":{"                                                        \
    "\"spec\":{\"type\":\"object\",\"required\":[\"size\"],\"properties\":{"                       \
    "\"replicas\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":10,\"default\":1},"              \
    "\"size\":{\"type\":\"string\",\"enum\":[\"small\",\"large\"]},"                               \
    "\"code\":{\"type\":\"string\",\"pattern\":\"^[a-z]+$\",\"maxLength\":5},"                     \
    "\"port\":{\"x-kubernetes-int-or-string\":true},"                                              \
    "\"note\":{\"type\":\"string\",\"nullable\":true},"                                            \
    "\"free\":{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true},"                \
    "\"parts\":{\"type\":\"array\",\"x-kubernetes-list-type\":\"map\","                            \
    "\"x-kubernetes-list-map-keys\":[\"name\"],\"items\":{\"type\":\"object\","                    \
    "\"required\":[\"name\"],\"properties\":{\"name\":{\"type\":\"string\"},"                      \
    "\"count\":{\"type\":\"integer\"}}}}},"                                                        \
    "\"x-kubernetes-validations\":[{\"rule\":\"self.size != 'large' || self.replicas < 5\","       \
    "\"message\":\"large ones come in fours\"},{\"rule\":\"self.size == oldSelf.size\","           \
    "\"messageExpression\":\"'size was ' + oldSelf.size\"}]},"                                     \
    "\"status\":{\"type\":\"object\",\"properties\":{\"replicas\":{\"type\":\"integer\"},"         \
    "\"selector\":{\"type\":\"string\"}}}}}"

#define DEFINITION(versions)                                                                       \
    "{\"metadata\":{\"name\":\"widgets.shop.example.com\"},\"spec\":{\"group\":"                   \
    "\"shop.example.com\",\"scope\":\"Namespaced\",\"names\":{\"plural\":\"widgets\",\"kind\":"    \
    "\"Widget\",\"shortNames\":[\"wd\"],\"categories\":[\"all\"]},\"versions\":[" versions "]}}"

#define V1                                                                                         \
    "{\"name\":\"v1\",\"served\":true,\"storage\":true,\"schema\":{\"openAPIV3Schema\":" SCHEMA    \
    "},\"subresources\":{\"status\":{},\"scale\":{\"specReplicasPath\":\".spec.replicas\","        \
    "\"statusReplicasPath\":\".status.replicas\",\"labelSelectorPath\":\".status.selector\"}},"    \
    "\"additionalPrinterColumns\":[{\"name\":\"Size\",\"type\":\"string\",\"jsonPath\":"           \
    "\".spec.size\"},{\"name\":\"Replicas\",\"type\":\"integer\",\"jsonPath\":"                    \
    "\".spec.replicas\"}],\"selectableFields\":[{\"jsonPath\":\".spec.size\"}]}"

static void define(struct server *s)
{
    server_start(s);
    EXPECT(s,
           {"POST", CRDS, NULL, JSON, DEFINITION(V1), 201, "\"reason\":\"InitialNamesAccepted\""});
}

TEST(a_definition_is_established_at_once)
{
    struct server s;
    define(&s);
    EXPECT(&s,
           {"GET", CRDS "/widgets.shop.example.com", NULL, NULL, NULL, 200,
            "\"acceptedNames\":{\"plural\":\"widgets\",\"singular\":\"widget\","},
           {"GET", CRDS "/widgets.shop.example.com", NULL, NULL, NULL, 200,
            "\"storedVersions\":[\"v1\"]"},
           {"GET", "/apis", NULL, NULL, NULL, 200, "\"name\":\"shop.example.com\""},
           {"GET", "/apis/shop.example.com", NULL, NULL, NULL, 200,
            "\"preferredVersion\":{\"groupVersion\":\"shop.example.com/v1\""},
           {"GET", "/apis/shop.example.com/v1", NULL, NULL, NULL, 200,
            "{\"name\":\"widgets/scale\",\"singularName\":\"\",\"namespaced\":true,\"group\":"
            "\"autoscaling\",\"version\":\"v1\",\"kind\":\"Scale\""},
           {"GET", "/openapi/v3", NULL, NULL, NULL, 200, "\"apis/shop.example.com/v1\":{"},
           {"GET", "/openapi/v3/apis/shop.example.com/v1", NULL, NULL, NULL, 200,
            "\"com.example.shop.v1.Widget\":{"},
           {"GET", "/openapi/v2", NULL, NULL, NULL, 200, "\"com.example.shop.v1.WidgetList\":{"},
           {"GET", WIDGETS, NULL, NULL, NULL, 200, "{\"kind\":\"WidgetList\""},
           {"GET", "/apis/shop.example.com/v2/widgets", NULL, NULL, NULL, 404, "not found"});
    server_stop(&s);
}

TEST(objects_are_pruned_and_filled_in)
{
    struct server s;
    define(&s);
    EXPECT(&s,
           {"POST", WIDGETS, "fieldValidation=Ignore", JSON,
            "{\"apiVersion\":\"shop.example.com/v1\",\"kind\":\"Widget\",\"metadata\":{\"name\":"
            "\"a\"},\"spec\":{\"size\":\"small\",\"bad\":1,\"note\":null,\"code\":null,\"free\":{"
            "\"x\":[1,{}]},\"port\":\"http\"}}",
            201, "\"generation\":1,"},
           {"GET", WIDGETS "/a", NULL, NULL, NULL, 200,
            "\"spec\":{\"size\":\"small\",\"note\":null,\"free\":{\"x\":[1,{}]},\"port\":\"http\","
            "\"replicas\":1}"},
           {"POST", WIDGETS, "fieldValidation=Strict", JSON,
            WIDGET
            "\"metadata\":{\"name\":\"b\",\"foo\":1},\"spec\":{\"size\":\"small\",\"bad\":1}}",
            400,
            "strict decoding error: unknown field \\\"metadata.foo\\\", unknown field "
            "\\\"spec.bad\\\""});
    server_stop(&s);
}

TEST(values_are_judged_in_upstreams_words)
{
    struct server s;
    define(&s);
#define BAD(spec, words)                                                                           \
    {"POST", WIDGETS, NULL, JSON, WIDGET "\"metadata\":{\"name\":\"b\"},\"spec\":" spec "}",       \
     422,    words}
    EXPECT(&s,
           BAD("{\"size\":\"small\",\"replicas\":\"two\"}",
               "Widget.shop.example.com \\\"b\\\" is invalid: spec.replicas: Invalid value: "
               "\\\"string\\\": spec.replicas in body must be of type integer: \\\"string\\\""),
           BAD("{\"size\":\"huge\"}", "spec.size: Unsupported value: \\\"huge\\\": supported "
                                      "values: \\\"small\\\", \\\"large\\\""),
           BAD("{}", "spec.size: Required value"),
           BAD("{\"size\":\"small\",\"replicas\":11}",
               "spec.replicas: Invalid value: 11: spec.replicas in body should be less than or "
               "equal to 10"),
           BAD("{\"size\":\"small\",\"code\":\"A1\"}",
               "spec.code: Invalid value: \\\"A1\\\": spec.code in body should match '^[a-z]+$'"),
           BAD("{\"size\":\"small\",\"code\":\"abcdef\"}",
               "spec.code: Too long: may not be more than 5 bytes"),
           BAD("{\"size\":\"small\",\"port\":true}",
               "spec.port in body must be of type integer,string: \\\"boolean\\\""),
           BAD("{\"size\":\"small\",\"parts\":[{\"name\":\"a\"},{\"name\":\"a\"}]}",
               "spec.parts[1]: Duplicate value: {\\\"name\\\":\\\"a\\\"}"),
           BAD("{\"size\":\"large\",\"replicas\":5}",
               "spec: Invalid value: \\\"object\\\": large ones come in fours"));
    server_stop(&s);
}

TEST(rules_see_the_old_object)
{
    struct server s;
    define(&s);
    EXPECT(&s,
           {"POST", WIDGETS, NULL, JSON,
            WIDGET "\"metadata\":{\"name\":\"a\"},\"spec\":{\"size\":\"small\"}}", 201, NULL},
           {"PATCH", WIDGETS "/a", NULL, MERGE, "{\"spec\":{\"size\":\"large\"}}", 422,
            "spec: Invalid value: \\\"object\\\": size was small"},
           {"PATCH", WIDGETS "/a", NULL, STRATEGIC, "{\"spec\":{\"replicas\":2}}", 415,
            "application/merge-patch+json"},
           {"PATCH", WIDGETS "/a", NULL, MERGE, "{\"spec\":{\"replicas\":2}}", 200,
            "\"generation\":2"});
    server_stop(&s);
}

TEST(status_and_scale)
{
    struct server s;
    define(&s);
    EXPECT(&s,
           {"POST", WIDGETS, NULL, JSON,
            WIDGET
            "\"metadata\":{\"name\":\"a\"},\"spec\":{\"size\":\"small\"},\"status\":{\"replicas\":"
            "9}}",
            201, "!\"status\""},
           {"PATCH", WIDGETS "/a/status", NULL, MERGE,
            "{\"spec\":{\"replicas\":7},\"status\":{\"replicas\":3,\"selector\":\"a=b\"}}", 200,
            "\"status\":{\"replicas\":3,\"selector\":\"a=b\"}"},
           {"GET", WIDGETS "/a/scale", NULL, NULL, NULL, 200,
            "\"spec\":{\"replicas\":1},\"status\":{\"replicas\":3,\"selector\":\"a=b\"}"},
           {"PATCH", WIDGETS "/a/scale", NULL, MERGE, "{\"spec\":{\"replicas\":4}}", 200,
            "\"spec\":{\"replicas\":4}"},
           {"GET", WIDGETS "/a", NULL, NULL, NULL, 200, "\"replicas\":4"});
    server_stop(&s);
}

TEST(apply_merges_by_list_keys)
{
    struct server s;
    define(&s);
#define APPLIED(parts)                                                                             \
    "{\"apiVersion\":\"shop.example.com/v1\",\"kind\":\"Widget\",\"metadata\":{\"name\":\"a\"},"   \
    "\"spec\":{\"size\":\"small\",\"parts\":" parts "}}"
    EXPECT(&s,
           {"PATCH", WIDGETS "/a", "fieldManager=one", APPLY,
            APPLIED("[{\"name\":\"x\",\"count\":1}]"), 201, "k:{\\\"name\\\":\\\"x\\\"}"},
           {"PATCH", WIDGETS "/a", "fieldManager=two", APPLY,
            APPLIED("[{\"name\":\"y\",\"count\":2}]"), 200,
            "\"parts\":[{\"name\":\"x\",\"count\":1},{\"name\":\"y\",\"count\":2}]"},
           {"PATCH", WIDGETS "/a", "fieldManager=two", APPLY,
            APPLIED("[{\"name\":\"x\",\"count\":2}]"), 409, "conflict with \\\"one\\\""},
           {"PATCH", WIDGETS "/a", "fieldManager=one", APPLY, APPLIED("[]"), 200,
            "\"parts\":[{\"name\":\"y\",\"count\":2}]"});
    server_stop(&s);
}

TEST(columns_and_fields)
{
    struct server s;
    define(&s);
    EXPECT(&s,
           {"POST", WIDGETS, NULL, JSON,
            WIDGET "\"metadata\":{\"name\":\"a\"},\"spec\":{\"size\":\"small\"}}", 201, NULL},
           {"GET", WIDGETS, "fieldSelector=spec.size%3Dlarge", NULL, NULL, 200, "\"items\":[]"},
           {"GET", WIDGETS, "fieldSelector=spec.size%3Dsmall", NULL, NULL, 200, "\"name\":\"a\""},
           {"GET", WIDGETS, "fieldSelector=spec.code%3Dx", NULL, NULL, 400,
            "field label not supported: spec.code"});
    struct answer a =
        server_ask(&s, &(struct ask){.method = "GET",
                                     .path = WIDGETS,
                                     .accept = "application/json;as=Table;v=v1;g=meta.k8s.io"});
    CHECK_INT(a.status, 200);
    CHECK(str_find(bytes_str(a.body), STR("\"name\":\"Size\",\"type\":\"string\"")) >= 0);
    CHECK(str_find(bytes_str(a.body), STR("\"cells\":[\"a\",\"small\",1]")) >= 0);
    bytes_unref(a.body);
    server_stop(&s);
}

TEST(definitions_that_may_not_be)
{
    struct server s;
    server_start(&s);
#define VERSION(name, storage, schema)                                                             \
    "{\"name\":\"" name "\",\"served\":true,\"storage\":" storage                                  \
    ",\"schema\":{\"openAPIV3Schema\":" schema "}}"
#define REFUSED(versions, words) {"POST", CRDS, NULL, JSON, DEFINITION(versions), 422, words}
    EXPECT(&s,
           REFUSED(VERSION("v1", "false", "{\"type\":\"object\"}"),
                   "must have exactly one version marked as storage version"),
           REFUSED("{\"name\":\"v1\",\"served\":true,\"storage\":true}",
                   "spec.versions[0].schema.openAPIV3Schema: Required value"),
           REFUSED(VERSION("v1", "true", "{\"type\":\"object\",\"properties\":{\"a\":{}}}"),
                   "spec.validation.openAPIV3Schema.properties[a].type: Required value: "
                   "must not be empty for specified object fields"),
           REFUSED(VERSION("v1", "true",
                           "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\","
                           "\"pattern\":\"(\"}}}"),
                   "must be a valid regular expression, but isn't"),
           REFUSED(VERSION("v1", "true",
                           "{\"type\":\"object\",\"anyOf\":[{\"properties\":{\"b\":{}}}]}"),
                   "Required value: because it is defined in a value validation"),
           REFUSED(VERSION("v1", "true",
                           "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"array\","
                           "\"items\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
                           "\"x-kubernetes-validations\":[{\"rule\":"
                           "\"self.all(x, self.all(y, x == y))\"}]}}}"),
                   "Forbidden: estimated rule cost exceeds budget by factor of more than 100x"),
           REFUSED(VERSION("v1", "true",
                           "{\"type\":\"object\",\"x-kubernetes-validations\":[{\"rule\":"
                           "\"self.nothing == 1\"}]}"),
                   "x-kubernetes-validations[0].rule: Invalid value: "
                   "{\\\"Rule\\\":\\\"self.nothing == 1\\\""),
           {"POST", CRDS, NULL, JSON,
            "{\"metadata\":{\"name\":\"other\"},\"spec\":{\"group\":\"shop.example.com\",\"scope\":"
            "\"Cluster\",\"names\":{\"plural\":\"x\",\"kind\":\"X\"},\"versions\":[" VERSION(
                "v1", "true", "{\"type\":\"object\"}") "]}}",
            422, "must be spec.names.plural+\\\".\\\"+spec.group"});
    server_stop(&s);
}

TEST(names_are_given_once)
{
    struct server s;
    define(&s);
    EXPECT(
        &s,
        {"POST", CRDS, NULL, JSON,
         "{\"metadata\":{\"name\":\"others.shop.example.com\"},\"spec\":{\"group\":"
         "\"shop.example.com\",\"scope\":\"Cluster\",\"names\":{\"plural\":\"others\","
         "\"kind\":\"Widget\"},\"versions\":[" VERSION("v1", "true", "{\"type\":\"object\"}") "]}}",
         201,
         "\"reason\":\"ListKindConflict\",\"message\":\"\\\"WidgetList\\\" is already in use\""},
        {"GET", "/apis/shop.example.com/v1/others", NULL, NULL, NULL, 404, "not found"});
    EXPECT(&s, {"DELETE", CRDS "/widgets.shop.example.com", NULL, NULL, NULL, 200, NULL});
    for (int i = 0; i < 500; i++) {
        struct answer a = server_ask(
            &s, &(struct ask){.method = "GET", .path = "/apis/shop.example.com/v1/others"});
        int status = a.status;
        bytes_unref(a.body);
        if (status == 200)
            break;
        usleep(10000);
    }
    EXPECT(&s, {"GET", "/apis/shop.example.com/v1/others", NULL, NULL, NULL, 200, "WidgetList"});
    server_stop(&s);
}

TEST(versions_show_one_object)
{
    struct server s;
    server_start(&s);
#define LOOSE "{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true}"
    EXPECT(&s,
           {"POST", CRDS, NULL, JSON,
            DEFINITION(VERSION("v1beta1", "false", LOOSE) "," VERSION("v1", "true", LOOSE)), 201,
            NULL},
           {"GET", "/apis/shop.example.com", NULL, NULL, NULL, 200,
            "\"versions\":[{\"groupVersion\":\"shop.example.com/v1\",\"version\":\"v1\"},{"
            "\"groupVersion\":\"shop.example.com/v1beta1\""},
           {"POST", WIDGETS, NULL, JSON, WIDGET "\"metadata\":{\"name\":\"a\"},\"spec\":{\"x\":1}}",
            201, "\"apiVersion\":\"shop.example.com/v1\""},
           {"GET", "/apis/shop.example.com/v1beta1/namespaces/default/widgets/a", NULL, NULL, NULL,
            200, "\"apiVersion\":\"shop.example.com/v1beta1\""},
           {"PATCH", "/apis/shop.example.com/v1beta1/namespaces/default/widgets/a", NULL, MERGE,
            "{\"metadata\":{\"labels\":{\"l\":\"1\"}}}", 200, "\"generation\":1"});
    server_stop(&s);
}

#define MERGE_VERSIONS(versions)                                                                   \
    {                                                                                              \
        "PATCH", CRDS "/widgets.shop.example.com", NULL, MERGE,                                    \
            "{\"spec\":{\"versions\":[" versions "]}}", 200, NULL                                  \
    }

TEST(objects_are_shown_as_their_definition_has_it_now)
{
    struct server s;
    server_start(&s);
#define SPEC(members)                                                                              \
    "{\"type\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\",\"properties\":{" members  \
    "}}}}"
#define TEXT "{\"type\":\"string\"}"
    EXPECT(&s,
           {"POST", CRDS, NULL, JSON,
            DEFINITION(VERSION("v1", "true", SPEC("\"a\":" TEXT ",\"b\":" TEXT))), 201, NULL},
           {"POST", WIDGETS, NULL, JSON,
            WIDGET "\"metadata\":{\"name\":\"w\"},\"spec\":{\"a\":\"1\",\"b\":\"2\"}}", 201, NULL},
           MERGE_VERSIONS(VERSION("v1", "true",
                                  SPEC("\"a\":" TEXT ",\"c\":{\"type\":\"string\",\"default\":"
                                       "\"new\"}"))),
           {"GET", WIDGETS "/w", NULL, NULL, NULL, 200, "\"spec\":{\"a\":\"1\",\"c\":\"new\"}"},
           {"GET", WIDGETS, NULL, NULL, NULL, 200,
            "\"items\":[{\"kind\":\"Widget\",\"apiVersion\":\"shop.example.com/v1\""},
           {"GET", WIDGETS, NULL, NULL, NULL, 200, "\"spec\":{\"a\":\"1\",\"c\":\"new\"}"},
           {"GET", WIDGETS, "limit=1", NULL, NULL, 200, "\"spec\":{\"a\":\"1\",\"c\":\"new\"}"});
    server_stop(&s);
}

TEST(objects_are_stored_in_the_storage_version)
{
    struct server s;
    server_start(&s);
#define BETA "/apis/shop.example.com/v1beta1/namespaces/default/widgets"
    EXPECT(
        &s,
        {"POST", CRDS, NULL, JSON,
         DEFINITION(
             VERSION("v1beta1", "false", SPEC("\"old\":" TEXT ",\"both\":" TEXT)) "," VERSION(
                 "v1", "true", SPEC("\"both\":" TEXT))),
         201, NULL},
        {"POST", BETA, NULL, JSON,
         "{\"apiVersion\":\"shop.example.com/v1beta1\",\"kind\":\"Widget\",\"metadata\":{\"name\":"
         "\"w\"},\"spec\":{\"old\":\"1\",\"both\":\"2\"}}",
         201, "\"spec\":{\"both\":\"2\"}"},
        {"GET", BETA, NULL, NULL, NULL, 200, "\"apiVersion\":\"shop.example.com/v1beta1\""},
        {"GET", WIDGETS "/w", NULL, NULL, NULL, 200, "\"apiVersion\":\"shop.example.com/v1\""});
    struct store_snap *snap;
    struct store_kv kv;
    struct err err;
    CHECK_INT(store_snap_begin(s.store, 0, &snap, &err), 0);
    CHECK_INT(store_get(snap, STR("/registry/shop.example.com/widgets/default/w"), &kv), 1);
    CHECK(str_find(kv.value, STR("\"apiVersion\":\"shop.example.com/v1\"")) >= 0);
    store_snap_end(snap);
    server_stop(&s);
}

TEST(embedded_objects_have_types_and_metadata)
{
    struct server s;
    server_start(&s);
#define INNER(text) WIDGET "\"metadata\":{\"name\":\"w\"},\"spec\":{\"e\":" text "}}"
    EXPECT(&s,
           {"POST", CRDS, NULL, JSON,
            DEFINITION(VERSION("v1", "true",
                               SPEC("\"e\":{\"type\":\"object\",\"x-kubernetes-embedded-resource\":"
                                    "true,\"x-kubernetes-preserve-unknown-fields\":true}"))),
            201, NULL},
           {"POST", WIDGETS, NULL, JSON, INNER("{\"kind\":\"Pod\"}"), 422,
            "spec.e.apiVersion: Required value"},
           {"POST", WIDGETS, NULL, JSON, INNER("{\"kind\":\"Pod\",\"apiVersion\":\"a/b/c\"}"), 422,
            "unexpected GroupVersion string: a/b/c"},
           {"POST", WIDGETS, NULL, JSON, INNER("{\"kind\":1,\"apiVersion\":\"v1\"}"), 400,
            "spec.e.kind: Invalid value: 1: must be a string"},
           {"POST", WIDGETS, "fieldValidation=Strict", JSON,
            INNER("{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"foo\":1}}"), 400,
            "unknown field \\\"spec.e.metadata.foo\\\""});
    server_stop(&s);
}

static void wait_gone(struct server *s, const char *path)
{
    for (int i = 0; i < 500; i++) {
        struct answer a = server_ask(s, &(struct ask){.method = "GET", .path = path});
        int status = a.status;
        bytes_unref(a.body);
        if (status == 404)
            return;
        usleep(10000);
    }
    CHECK(!"gone");
}

TEST(a_deleted_definition_takes_its_objects_along)
{
    struct server s;
    define(&s);
    EXPECT(&s,
           {"POST", WIDGETS, NULL, JSON,
            WIDGET "\"metadata\":{\"name\":\"a\",\"finalizers\":[\"x.y/z\"]},\"spec\":{\"size\":"
                   "\"small\"}}",
            201, NULL},
           {"DELETE", CRDS "/widgets.shop.example.com", NULL, NULL, NULL, 200,
            "\"type\":\"Terminating\""},
           {"POST", WIDGETS, NULL, JSON,
            WIDGET "\"metadata\":{\"name\":\"b\"},\"spec\":{\"size\":\"small\"}}", 405,
            "create not allowed while custom resource definition is terminating"});
    usleep(100000);
    EXPECT(&s, {"GET", CRDS "/widgets.shop.example.com", NULL, NULL, NULL, 200, CRD_CLEANUP},
           {"PATCH", WIDGETS "/a", NULL, MERGE, "{\"metadata\":{\"finalizers\":null}}", 200, NULL});
    wait_gone(&s, CRDS "/widgets.shop.example.com");
    EXPECT(&s, {"GET", WIDGETS, NULL, NULL, NULL, 404, "404 page not found"},
           {"POST", CRDS, NULL, JSON, DEFINITION(V1), 201, NULL},
           {"GET", WIDGETS, NULL, NULL, NULL, 200, "\"items\":[]"});
    server_stop(&s);
}

TEST(what_a_custom_resource_owned_goes_with_it)
{
    struct server s;
    define(&s);
    struct answer a = server_ask(
        &s, &(struct ask){.method = "POST",
                          .path = WIDGETS,
                          .type = JSON,
                          .body = WIDGET "\"metadata\":{\"name\":\"a\"},\"spec\":{\"size\":"
                                         "\"small\"}}"});
    struct doc d;
    struct err err;
    val *owner;
    struct buf body = {0};
    doc_init(&d);
    CHECK_OK(doc_parse_json(&d, bytes_str(a.body), &owner, &err), &err);
    buf_printf(&body,
               "{\"metadata\":{\"name\":\"c\",\"ownerReferences\":[{\"apiVersion\":"
               "\"shop.example.com/v1\",\"kind\":\"Widget\",\"name\":\"a\",\"uid\":"
               "\"%.*s\"}]}}",
               STR_ARG(VAL_STR(owner, "metadata", "uid")));
    EXPECT(&s,
           {"POST", "/api/v1/namespaces/default/configmaps", NULL, JSON, buf_z(&body), 201, NULL},
           {"POST", "/api/v1/namespaces/default/configmaps", NULL, JSON,
            "{\"metadata\":{\"name\":\"other\"}}", 201, NULL},
           {"DELETE", WIDGETS "/a", NULL, NULL, NULL, 200, NULL});
    wait_gone(&s, "/api/v1/namespaces/default/configmaps/c");
    EXPECT(&s, {"GET", "/api/v1/namespaces/default/configmaps/other", NULL, NULL, NULL, 200, NULL});
    buf_done(&body);
    doc_done(&d);
    bytes_unref(a.body);
    server_stop(&s);
}

TEST(policies_of_deletion)
{
    static const char *const policies[] = {"Orphan", "Foreground"};
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        struct server s;
        define(&s);
        char query[64];
        snprintf(query, sizeof(query), "propagationPolicy=%s", policies[i]);
        EXPECT(&s,
               {"POST", WIDGETS, NULL, JSON,
                WIDGET "\"metadata\":{\"name\":\"a\"},\"spec\":{\"size\":\"small\"}}", 201, NULL},
               {"DELETE", WIDGETS "/a", query, NULL, NULL, 200, NULL});
        wait_gone(&s, WIDGETS "/a");
        server_stop(&s);
    }
}
