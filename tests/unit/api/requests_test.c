/* What the server answers: method, path, query, body -> status and words. */
#include <unistd.h>

#include "api/core.h"
#include "server.h"

#define CM "/api/v1/namespaces/default/configmaps"
#define DEPLOY "/apis/apps/v1/namespaces/default/deployments"

static const char deployment[] =
    "{\"metadata\":{\"name\":\"web\"},\"spec\":{\"replicas\":2,\"selector\":{\"matchLabels\":"
    "{\"app\":\"web\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"web\"}},\"spec\":"
    "{\"containers\":[{\"name\":\"c\",\"image\":\"nginx:1\"}]}}}}";

static const char pod[] =
    "{\"metadata\":{\"name\":\"p\",\"labels\":{\"app\":\"web\"}},\"spec\":"
    "{\"nodeName\":\"n1\",\"containers\":[{\"name\":\"c\",\"image\":\"x\"}]}}";

TEST(create_get_delete)
{
    struct server s;
    server_start(&s);
    EXPECT(&s,
           {"POST", CM, NULL, JSON, "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"v\"}}", 201,
            "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\""},
           {"POST", CM, NULL, JSON, "{\"metadata\":{\"name\":\"a\"}}", 409,
            "\"message\":\"configmaps \\\"a\\\" already exists\",\"reason\":\"AlreadyExists\","
            "\"details\":{\"name\":\"a\",\"kind\":\"configmaps\"},\"code\":409"},
           {"GET", CM "/a", NULL, NULL, NULL, 200, "\"data\":{\"k\":\"v\"}"},
           {"GET", CM "/b", NULL, NULL, NULL, 404,
            "\"message\":\"configmaps \\\"b\\\" not found\",\"reason\":\"NotFound\""},
           {"DELETE", CM "/a", NULL, NULL, NULL, 200,
            "\"status\":\"Success\",\"details\":{\"name\":\"a\",\"kind\":\"configmaps\""},
           {"DELETE", CM "/a", NULL, NULL, NULL, 404, "not found"});
    server_stop(&s);
}

TEST(paths_that_are_not_there)
{
    struct server s;
    server_start(&s);
    EXPECT(&s, {"GET", "/api/v1/nothing", NULL, NULL, NULL, 404, "404 page not found"},
           {"GET", "/apis/nothing/v1/x", NULL, NULL, NULL, 404, "404 page not found"},
           {"GET", "/nothing", NULL, NULL, NULL, 404, "404 page not found"},
           {"GET", CM "/a/status", NULL, NULL, NULL, 404, "404 page not found"},
           {"POST", CM "/a", NULL, JSON, "{}", 405, "\"reason\":\"MethodNotAllowed\""},
           {"PUT", CM, NULL, JSON, "{}", 405, "does not allow this method"},
           {"GET", "/version", NULL, NULL, NULL, 200, "\"gitVersion\": \"v1.34.4\""},
           {"GET", "/readyz", "verbose", NULL, NULL, 200, "[+]etcd ok\n"},
           {"GET", "/livez/ping", NULL, NULL, NULL, 200, "ok"},
           {"GET", "/api", NULL, NULL, NULL, 200, "\"versions\":[\"v1\"]"},
           {"GET", "/apis/apps", NULL, NULL, NULL, 200,
            "\"preferredVersion\":{\"groupVersion\":"
            "\"apps/v1\""},
           {"GET", "/api/v1", NULL, NULL, NULL, 200, "{\"name\":\"pods/log\""});
    server_stop(&s);
}

TEST(bodies_that_cannot_be)
{
    struct server s;
    server_start(&s);
    EXPECT(&s,
           {"POST", CM, NULL, JSON, "{\"metadata\":", 400,
            "the object provided is unrecognized (must be of type ConfigMap): couldn't get "
            "version/kind; json parse error: "},
           {"POST", CM, NULL, JSON, "{\"kind\":\"Pod\",\"apiVersion\":\"v1\"}", 400,
            "Pod in version \\\"v1\\\" cannot be handled as a ConfigMap"},
           {"POST", CM, NULL, JSON, "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v2\"}", 400,
            "the API version in the data (v2) does not match the expected API version (v1)"},
           {"POST", CM, NULL, "text/plain", "x", 415,
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json, application/yaml, application/vnd.kubernetes.protobuf"},
           {"POST", CM, NULL, "application/yaml", "metadata: {name: yaml}\ndata: {a: b}\n", 201,
            "\"data\":{\"a\":\"b\"}"},
           {"POST", DEPLOY, NULL, JSON,
            "{\"metadata\":{\"name\":\"w\"},\"spec\":{\"replicas\":"
            "\"x\"}}",
            400,
            "Deployment in version \\\"v1\\\" cannot be handled as a Deployment: json: cannot "
            "unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"},
           {"POST", CM, NULL, JSON, "{\"metadata\":{\"name\":\"n\",\"namespace\":\"other\"}}", 400,
            "the namespace of the provided object does not match the namespace sent on the "
            "request"},
           {"PUT", CM "/yaml", NULL, JSON, "{\"metadata\":{\"name\":\"z\"}}", 400,
            "the name of the object (z) does not match the name on the URL (yaml)"});
    server_stop(&s);
}

TEST(field_validation)
{
    static const char body[] = "{\"metadata\":{\"name\":\"f\"},\"wrong\":1}";
    struct server s;
    server_start(&s);
    EXPECT(&s,
           {"POST", CM, "fieldValidation=Strict", JSON, body, 400,
            "ConfigMap in version \\\"v1\\\" cannot be handled as a ConfigMap: strict decoding "
            "error: unknown field \\\"wrong\\\""},
           {"POST", CM, "fieldValidation=Ignore&dryRun=All", JSON, body, 201, "!wrong"},
           {"POST", CM, "fieldValidation=Never", JSON, body, 422,
            "fieldValidation: Unsupported value: \\\"Never\\\""},
           {"POST", CM, "dryRun=Some", JSON, body, 422, "dryRun: Unsupported value"});
    struct answer a = server_ask(&s, &(struct ask){"POST", CM, NULL, JSON, body, NULL});
    CHECK_INT(a.status, 201);
    CHECK_STR(str_of(a.warnings), "unknown field \"wrong\"\n");
    bytes_unref(a.body);
    server_stop(&s);
}

TEST(metadata_is_checked)
{
    struct server s;
    server_start(&s);
    EXPECT(
        &s,
        {"POST", CM, NULL, JSON, "{}", 422,
         "ConfigMap \\\"\\\" is invalid: metadata.name: Required value: name or "
         "generateName is required"},
        {"POST", CM, NULL, JSON, "{\"metadata\":{\"name\":\"A_b\"}}", 422,
         "metadata.name: Invalid value: \\\"A_b\\\": a lowercase RFC 1123 subdomain must"},
        {"POST", CM, NULL, JSON, "{\"metadata\":{\"name\":\"l\",\"labels\":{\"a\":\"not ok\"}}}",
         422, "metadata.labels: Invalid value: \\\"not ok\\\": a valid label must be an empty"},
        {"POST", CM, NULL, JSON,
         "{\"metadata\":{\"name\":\"o\",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":"
         "\"Pod\",\"name\":\"p\",\"uid\":\"\"}]}}",
         422, "metadata.ownerReferences.uid: Invalid value: \\\"\\\": must not be empty"},
        {"POST", CM, NULL, JSON, "{\"metadata\":{\"generateName\":\"g-\"}}", 201, "\"name\":\"g-"});
    server_stop(&s);
}

TEST(update_and_its_preconditions)
{
    struct server s;
    server_start(&s);
    EXPECT(&s, {"POST", CM, NULL, JSON, "{\"metadata\":{\"name\":\"u\"}}", 201, NULL},
           {"PUT", CM "/u", NULL, JSON, "{\"metadata\":{\"name\":\"u\"},\"data\":{\"a\":\"1\"}}",
            200, "\"data\":{\"a\":\"1\"}"},
           {"PUT", CM "/u", NULL, JSON, "{\"metadata\":{\"name\":\"u\",\"resourceVersion\":\"1\"}}",
            409,
            "Operation cannot be fulfilled on configmaps \\\"u\\\": the object has been modified; "
            "please apply your changes to the latest version and try again"},
           {"PUT", CM "/u", NULL, JSON, "{\"metadata\":{\"name\":\"u\",\"uid\":\"1\"}}", 409,
            "Precondition failed: UID in precondition: 1, UID in object meta: "},
           {"PUT", CM "/none", NULL, JSON, "{\"metadata\":{\"name\":\"none\"}}", 404, "not found"},
           {"PUT", CM "/u", "dryRun=All", JSON, "{\"metadata\":{\"name\":\"u\"},\"data\":{}}", 200,
            "!\"a\":\"1\""},
           {"GET", CM "/u", NULL, NULL, NULL, 200, "\"a\":\"1\""});
    server_stop(&s);
}

TEST(patches)
{
    struct server s;
    server_start(&s);
    EXPECT(&s, {"POST", DEPLOY, NULL, JSON, deployment, 201, "\"generation\":1"},
           {"PATCH", DEPLOY "/web", NULL, MERGE, "{\"spec\":{\"replicas\":3}}", 200,
            "\"generation\":2"},
           {"PATCH", DEPLOY "/web", NULL, MERGE, "{\"metadata\":{\"labels\":{\"x\":\"y\"}}}", 200,
            "\"generation\":2"},
           {"PATCH", DEPLOY "/web", NULL, STRATEGIC,
            "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":"
            "\"nginx:2\"}]}}}}",
            200, "\"image\":\"nginx:2\""},
           {"PATCH", DEPLOY "/web", NULL, JSON_PATCH,
            "[{\"op\":\"replace\",\"path\":\"/spec/replicas\",\"value\":7}]", 200,
            "\"replicas\":7"},
           {"PATCH", DEPLOY "/web", NULL, JSON, "{}", 415, "application/json-patch+json"},
           {"PATCH", DEPLOY "/web", "fieldValidation=Strict", MERGE, "{\"spec\":{\"foo\":1}}", 422,
            "strict decoding error: unknown field \\\"spec.foo\\\""},
           {"PATCH", DEPLOY "/web", NULL, MERGE, "{\"metadata\":{\"resourceVersion\":\"1\"}}", 409,
            "Operation cannot be fulfilled on deployments.apps \\\"web\\\""},
           {"PATCH", DEPLOY "/web/status", NULL, MERGE, "{\"metadata\":{\"uid\":\"other\"}}", 409,
            "Precondition failed: UID in precondition: other, UID in object meta: "},
           {"PATCH", DEPLOY "/web/status", NULL, MERGE,
            "{\"spec\":{\"replicas\":1},\"status\":{\"replicas\":7}}", 200,
            "\"status\":{\"replicas\":7}"},
           {"GET", DEPLOY "/web", NULL, NULL, NULL, 200, "\"replicas\":7"},
           {"PATCH", DEPLOY "/none", NULL, MERGE, "{}", 404, "deployments.apps \\\"none\\\" not"});
    server_stop(&s);
}

TEST(scale)
{
    struct server s;
    server_start(&s);
    EXPECT(&s, {"POST", DEPLOY, NULL, JSON, deployment, 201, NULL},
           {"GET", DEPLOY "/web/scale", NULL, NULL, NULL, 200, "\"selector\":\"app=web\""},
           {"PATCH", DEPLOY "/web/scale", NULL, MERGE, "{\"spec\":{\"replicas\":5}}", 200,
            "\"spec\":{\"replicas\":5}"},
           {"PUT", DEPLOY "/web/scale", NULL, JSON,
            "{\"kind\":\"Scale\",\"apiVersion\":\"autoscaling/v1\",\"metadata\":{\"name\":\"web\"},"
            "\"spec\":{\"replicas\":-1}}",
            422, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"},
           {"GET", DEPLOY "/web", NULL, NULL, NULL, 200, "\"replicas\":5"});
    server_stop(&s);
}

TEST(namespaces_come_and_go)
{
    struct server s;
    server_start(&s);
    EXPECT(&s,
           {"POST", "/api/v1/namespaces/gone/configmaps", NULL, JSON,
            "{\"metadata\":{\"name\":\"a\"}}", 404, "namespaces \\\"gone\\\" not found"},
           {"POST", "/api/v1/namespaces", NULL, JSON, "{\"metadata\":{\"name\":\"t\"}}", 201,
            "\"phase\":\"Active\""},
           {"DELETE", "/api/v1/namespaces/default", NULL, NULL, NULL, 403,
            "namespaces \\\"default\\\" is forbidden: this namespace may not be deleted"},
           {"DELETE", "/api/v1/namespaces/t", NULL, NULL, NULL, 200, "\"phase\":\"Terminating\""},
           {"POST", "/api/v1/namespaces/t/configmaps", NULL, JSON,
            "{\"metadata\":{\"name\":\"a\"}}", 403,
            "configmaps \\\"a\\\" is forbidden: unable to create new content in namespace t "
            "because it is being terminated"},
           {"PUT", "/api/v1/namespaces/t/finalize", NULL, JSON,
            "{\"metadata\":{\"name\":\"t\"},\"spec\":{}}", 200, NULL},
           {"GET", "/api/v1/namespaces/t", NULL, NULL, NULL, 404, "not found"});
    server_stop(&s);
}

TEST(finalizers_hold_an_object)
{
    struct server s;
    server_start(&s);
    EXPECT(&s,
           {"POST", CM, NULL, JSON,
            "{\"metadata\":{\"name\":\"f\",\"finalizers\":[\"example.com/x\"]}}", 201, NULL},
           {"DELETE", CM "/f", NULL, NULL, NULL, 200, "\"deletionTimestamp\":\""},
           {"PATCH", CM "/f", NULL, MERGE,
            "{\"metadata\":{\"finalizers\":[\"example.com/x\",\"example.com/y\"]}}", 422,
            "no new finalizers can be added if the object is being deleted, found new finalizers "
            "[]string{\\\"example.com/y\\\"}"},
           {"PATCH", CM "/f", NULL, MERGE, "{\"metadata\":{\"finalizers\":null}}", 200, NULL},
           {"GET", CM "/f", NULL, NULL, NULL, 404, NULL});
    server_stop(&s);
}

TEST(deletion_policies)
{
    struct server s;
    server_start(&s);
    EXPECT(&s, {"POST", DEPLOY, NULL, JSON, deployment, 201, NULL},
           {"DELETE", DEPLOY "/web", NULL, JSON, "{\"preconditions\":{\"uid\":\"1\"}}", 409,
            "the UID in the precondition (1) does not match the UID in record ("},
           {"DELETE", DEPLOY "/web", NULL, JSON, "{\"propagationPolicy\":\"Sideways\"}", 422,
            "propagationPolicy: Unsupported value: \\\"Sideways\\\""},
           {"DELETE", DEPLOY "/web", NULL, JSON, "{\"propagationPolicy\":\"Foreground\"}", 200,
            "\"finalizers\":[\"foregroundDeletion\"]"},
           {"DELETE", DEPLOY "/web", NULL, JSON, "{\"propagationPolicy\":\"Orphan\"}", 200,
            "\"finalizers\":[\"orphan\"]"},
           {"DELETE", DEPLOY "/web", NULL, JSON,
            "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"propagationPolicy\":"
            "\"Background\"}",
            200, "\"status\":\"Success\""},
           {"GET", DEPLOY "/web", NULL, NULL, NULL, 404, NULL});
    server_stop(&s);
}

TEST(pods_go_gracefully)
{
    static const char path[] = "/api/v1/namespaces/default/pods/p";
    struct server s;
    server_start(&s);
    EXPECT(
        &s,
        {"POST", "/api/v1/namespaces/default/serviceaccounts", NULL, JSON,
         "{\"metadata\":{\"name\":\"default\"}}", 201, NULL},
        {"POST", "/api/v1/namespaces/default/pods", NULL, JSON, pod, 201, "\"phase\":\"Pending\""},
        {"DELETE", path, NULL, NULL, NULL, 200, "\"deletionGracePeriodSeconds\":30"},
        {"DELETE", path, "gracePeriodSeconds=60", NULL, NULL, 200,
         "\"deletionGracePeriodSeconds\":30"},
        {"DELETE", path, "gracePeriodSeconds=5", NULL, NULL, 200,
         "\"deletionGracePeriodSeconds\":5"},
        {"DELETE", path, "gracePeriodSeconds=0", NULL, NULL, 200, "\"kind\":\"Pod\""},
        {"GET", path, NULL, NULL, NULL, 404, NULL});
    server_stop(&s);
}

TEST(selectors)
{
    struct server s;
    server_start(&s);
    EXPECT(&s,
           {"POST", "/api/v1/namespaces/default/serviceaccounts", NULL, JSON,
            "{\"metadata\":{\"name\":\"default\"}}", 201, NULL},
           {"POST", "/api/v1/namespaces/default/pods", NULL, JSON, pod, 201, NULL},
           {"GET", "/api/v1/pods", "labelSelector=app%3Dweb", NULL, NULL, 200, "\"name\":\"p\""},
           {"GET", "/api/v1/pods", "labelSelector=app%21%3Dweb", NULL, NULL, 200, "\"items\":[]"},
           {"GET", "/api/v1/pods", "fieldSelector=spec.nodeName%3Dn1", NULL, NULL, 200,
            "\"name\":\"p\""},
           {"GET", "/api/v1/pods", "fieldSelector=spec.nodeName%3Dn2", NULL, NULL, 200,
            "\"items\":[]"},
           {"GET", "/api/v1/pods", "fieldSelector=status.phase%21%3DFailed", NULL, NULL, 200,
            "\"name\":\"p\""},
           {"GET", "/api/v1/pods", "fieldSelector=spec.hostNetwork%3Dfalse", NULL, NULL, 200,
            "\"name\":\"p\""},
           {"GET", "/api/v1/pods", "fieldSelector=spec.hostNetwork%3Dtrue", NULL, NULL, 200,
            "\"items\":[]"},
           {"GET", "/api/v1/pods", "fieldSelector=status.nominatedNodeName%3D", NULL, NULL, 200,
            "\"name\":\"p\""},
           {"GET", "/api/v1/pods", "fieldSelector=status.nominatedNodeName%3Dn1", NULL, NULL, 200,
            "\"items\":[]"},
           {"GET", "/api/v1/pods", "labelSelector=app,app%20in%20(web,x),!other", NULL, NULL, 200,
            "\"name\":\"p\""},
           {"GET", "/api/v1/pods", "labelSelector=other", NULL, NULL, 200, "\"items\":[]"},
           {"GET", "/api/v1/pods", "fieldSelector=spec.nothing%3D1", NULL, NULL, 400,
            "field label not supported: spec.nothing"},
           {"GET", "/api/v1/pods", "labelSelector=a%3D%3D%3Db", NULL, NULL, 400,
            "unable to parse requirement: "});
    server_stop(&s);
}

/* Follows the pages of a list; the text of the last answer is in a->body. */
static struct answer next_page(struct server *s, const char *query)
{
    return server_ask(s, &(struct ask){.method = "GET", .path = CM, .query = query});
}

static void token_of(struct answer *a, char *ret, size_t size)
{
    struct str body = bytes_str(a->body), key = STR("\"continue\":\"");
    ssize_t at = str_find(body, key);
    CHECK(at >= 0);
    struct str rest = str_from(body, (size_t)at + key.n), token, tail;
    str_cut(rest, '"', &token, &tail);
    snprintf(ret, size, "%.*s", STR_ARG(token));
}

TEST(lists_in_pages)
{
    struct server s;
    char token[512], query[1024];
    server_start(&s);
    EXPECT(&s, {"POST", CM, NULL, JSON, "{\"metadata\":{\"name\":\"a\"}}", 201, NULL},
           {"POST", CM, NULL, JSON, "{\"metadata\":{\"name\":\"b\"}}", 201, NULL},
           {"POST", CM, NULL, JSON, "{\"metadata\":{\"name\":\"c\"}}", 201, NULL});
    struct answer a = next_page(&s, "limit=2");
    CHECK(str_find(bytes_str(a.body), STR("\"remainingItemCount\":1")) >= 0);
    CHECK(str_find(bytes_str(a.body), STR("\"name\":\"c\"")) < 0);
    token_of(&a, token, sizeof(token));
    bytes_unref(a.body);

    /* What happens between the pages is not seen by them. */
    EXPECT(&s, {"POST", CM, NULL, JSON, "{\"metadata\":{\"name\":\"d\"}}", 201, NULL});
    snprintf(query, sizeof(query), "limit=2&continue=%s", token);
    a = next_page(&s, query);
    CHECK_INT(a.status, 200);
    CHECK(str_find(bytes_str(a.body), STR("\"name\":\"c\"")) >= 0);
    CHECK(str_find(bytes_str(a.body), STR("\"name\":\"d\"")) < 0);
    CHECK(str_find(bytes_str(a.body), STR("continue")) < 0);
    bytes_unref(a.body);
    EXPECT(&s, {"GET", CM, "continue=%2F%2F", NULL, NULL, 400, "continue key is not valid"},
           {"GET", CM, "resourceVersion=99999", NULL, NULL, 504,
            "Too large resource version: 99999, current: "},
           {"GET", CM, "resourceVersion=1&resourceVersionMatch=Sometimes", NULL, NULL, 422,
            "resourceVersionMatch: Unsupported value"});
    server_stop(&s);
}

TEST(forms_of_an_answer)
{
    struct server s;
    server_start(&s);
    EXPECT(&s, {"POST", CM, NULL, JSON, "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"v\"}}",
                201, NULL});
    static const struct {
        const char *path, *accept;
        int status;
        const char *excerpt;
    } forms[] = {
        {CM, "application/json;as=Table;v=v1;g=meta.k8s.io,application/json", 200,
         "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\""},
        {CM "/a", "application/json;as=Table;v=v1;g=meta.k8s.io", 200,
         "\"object\":{\"kind\":\"PartialObjectMetadata\""},
        {CM, "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", 200,
         "{\"kind\":\"PartialObjectMetadataList\""},
        {CM "/a", "application/yaml", 200, "kind: ConfigMap\n"},
        {CM "/a", "application/vnd.kubernetes.protobuf,application/json", 200,
         "{\"kind\":\"ConfigMap\""},
        {CM "/a", "text/html", 406,
         "only the following media types are accepted: application/json, application/yaml"},
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct ask ask = {.method = "GET", .path = forms[i].path, .accept = forms[i].accept};
        struct answer a = server_ask(&s, &ask);
        CHECK_INT(a.status, forms[i].status);
        CHECK(str_find(bytes_str(a.body), str_of(forms[i].excerpt)) >= 0);
        bytes_unref(a.body);
    }
    server_stop(&s);
}

TEST(delete_collection)
{
    struct server s;
    server_start(&s);
    EXPECT(&s,
           {"POST", CM, NULL, JSON, "{\"metadata\":{\"name\":\"a\",\"labels\":{\"x\":\"1\"}}}", 201,
            NULL},
           {"POST", CM, NULL, JSON, "{\"metadata\":{\"name\":\"b\",\"labels\":{\"x\":\"1\"}}}", 201,
            NULL},
           {"POST", CM, NULL, JSON, "{\"metadata\":{\"name\":\"c\"}}", 201, NULL},
           {"DELETE", CM, "labelSelector=x%3D1", NULL, NULL, 200, "{\"kind\":\"ConfigMapList\""},
           {"GET", CM, NULL, NULL, NULL, 200, "\"name\":\"c\""},
           {"GET", CM "/a", NULL, NULL, NULL, 404, NULL},
           {"GET", CM "/b", NULL, NULL, NULL, 404, NULL});
    server_stop(&s);
}

TEST(server_side_apply)
{
    static const char one[] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\n"
                              "data: {a: '1', b: '1'}\n";
    static const char less[] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\n"
                               "data: {a: '1'}\n";
    static const char other[] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\n"
                                "data: {a: '2'}\n";
    struct server s;
    server_start(&s);
    EXPECT(&s, {"PATCH", CM "/s", NULL, APPLY, one, 422, "is required for apply patch"},
           {"PATCH", CM "/s", "fieldManager=m1", APPLY, one, 201,
            "\"fieldsV1\":{\"f:data\":{\"f:a\":{},\"f:b\":{}}}"},
           {"PATCH", CM "/s", "fieldManager=m1", APPLY, less, 200, "!\"b\":\"1\""},
           {"PATCH", CM "/s", "fieldManager=m2", APPLY, other, 409,
            "Apply failed with 1 conflict: conflict with \\\"m1\\\" using v1: .data.a"},
           {"PATCH", CM "/s", "fieldManager=m2&force=true", APPLY, other, 200, "\"a\":\"2\""},
           {"PATCH", CM "/s", "fieldManager=m1", APPLY, less, 409, "conflict with \\\"m2\\\""},
           {"PATCH", CM "/s", "fieldManager=m3", MERGE, "{\"data\":{\"a\":\"3\"}}", 200,
            "\"manager\":\"m3\",\"operation\":\"Update\""},
           {"PATCH", CM "/s", "fieldManager=m2", APPLY, other, 409, "conflict with \\\"m3\\\""});
    server_stop(&s);
}

TEST(apply_takes_declared_fields_only)
{
    struct server s;
    server_start(&s);
    EXPECT(
        &s,
        {"PATCH", CM "/s", "fieldManager=m&fieldValidation=Ignore", APPLY,
         "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"s\"},\"datum\":{}"
         "}",
         500,
         "\"message\":\"failed to create typed patch object (/s; /v1, Kind=ConfigMap): .datum: "
         "field "
         "not declared in schema\",\"code\":500"},
        {"PATCH", DEPLOY "/web", "fieldManager=m", APPLY,
         "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\"},"
         "\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"imago\":1}]}}}}",
         500,
         "(/web; apps/v1, Kind=Deployment): .spec.template.spec.containers[name=\\\"c\\\"].imago: "
         "field not declared in schema"});
    server_stop(&s);
}

TEST(apply_tells_where_a_key_stands_again)
{
    static const char twice[] = "\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: t}\ndata:\n"
                                "  a: x\n  b: w\n  a: z\n";
    static const char text[] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: u}\ndata:\n"
                               "  conf: |\n    a: x\n    a: z\n";
    struct server s;
    server_start(&s);
    EXPECT(&s,
           {"PATCH", CM "/t", "fieldManager=m&fieldValidation=Strict", APPLY, twice, 400,
            "line 8: key \\\"a\\\" already set in map"},
           {"PATCH", CM "/t", "fieldManager=m&fieldValidation=Ignore", APPLY, twice, 201, NULL},
           {"PATCH", CM "/u", "fieldManager=m&fieldValidation=Strict", APPLY, text, 201,
            "a: x\\na: z"});
    server_stop(&s);
}

#define CSRS "/apis/certificates.k8s.io/v1/certificatesigningrequests"

TEST(requests_for_certificates_are_approved_apart_from_their_status)
{
    struct server s;
    server_start(&s);
    EXPECT(
        &s,
        {"POST", CSRS, NULL, JSON,
         "{\"metadata\":{\"name\":\"c\"},\"spec\":{\"request\":\"eA==\",\"signerName\":\"x.io/s\","
         "\"usages\":[\"client auth\"]}}",
         201, NULL},
        {"GET", CSRS, "fieldSelector=spec.signerName%3Dx.io/s", NULL, NULL, 200, "\"name\":\"c\""},
        {"PATCH", CSRS "/c/approval", NULL, MERGE,
         "{\"metadata\":{\"annotations\":{\"by\":\"me\"}},\"spec\":{\"signerName\":\"x.io/t\"},"
         "\"status\":{\"conditions\":[{\"type\":\"Approved\",\"status\":\"True\"}]}}",
         200, "\"annotations\":{\"by\":\"me\"}"},
        {"GET", CSRS "/c", NULL, NULL, NULL, 200, "\"signerName\":\"x.io/s\""},
        {"PATCH", CSRS "/c/status", NULL, MERGE, "{\"status\":{\"certificate\":\"eA==\"}}", 200,
         "\"lastTransitionTime\""},
        {"GET", CSRS "/c/approval", NULL, NULL, NULL, 200, "\"type\":\"Approved\""});
    server_stop(&s);
}

TEST(who_creates_and_updates_owns)
{
    static const char applied[] =
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":"
        "\"o\"},\"data\":{\"a\":\"9\"}}";
    struct server s;
    server_start(&s);
    EXPECT(&s,
           {"POST", CM, "fieldManager=maker", JSON,
            "{\"metadata\":{\"name\":\"o\"},\"data\":{\"a\":\"1\",\"b\":\"2\"}}", 201,
            "{\"manager\":\"maker\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"time\":"},
           {"GET", CM "/o", NULL, NULL, NULL, 200,
            "\"fieldsV1\":{\"f:data\":{\"f:a\":{},\"f:b\":{},\".\":{}}}"},
           {"PATCH", CM "/o", "fieldManager=changer", MERGE, "{\"data\":{\"b\":\"3\"}}", 200,
            "\"fieldsV1\":{\"f:data\":{\"f:a\":{},\".\":{}}}},{\"manager\":\"changer\""},
           {"PATCH", CM "/o", "fieldManager=applier", APPLY, applied, 409,
            "Apply failed with 1 conflict: conflict with \\\"maker\\\" using v1"},
           {"PATCH", CM "/o", "fieldManager=changer", MERGE, "{\"data\":{\"b\":null}}", 200,
            "!changer"},
           {"PATCH", CM "/o", NULL, MERGE, "{\"metadata\":{\"managedFields\":[{}]}}", 200,
            "!managedFields"},
           {"PATCH", CM "/o", "fieldManager=changer", MERGE, "{\"data\":{\"b\":\"4\"}}", 200,
            "!managedFields"},
           {"PATCH", CM "/o", "fieldManager=applier", APPLY, applied, 409,
            "conflict with \\\"before-first-apply\\\" using v1"});
    server_stop(&s);
}

TEST(status_changes_take_metadata_along)
{
    struct server s;
    server_start(&s);
    EXPECT(
        &s,
        {"POST", "/api/v1/namespaces", NULL, JSON,
         "{\"metadata\":{\"name\":\"n\",\"labels\":{\"a\":\"1\"}}}", 201, NULL},
        {"PATCH", "/api/v1/namespaces/n/status", NULL, MERGE,
         "{\"metadata\":{\"annotations\":{\"seen\":\"yes\"}},\"status\":{\"conditions\":[{\"type\":"
         "\"X\",\"status\":\"True\"}]}}",
         200, "\"annotations\":{\"seen\":\"yes\"}"},
        {"POST", DEPLOY, NULL, JSON, deployment, 201, NULL},
        {"PATCH", DEPLOY "/web/status", NULL, MERGE,
         "{\"metadata\":{\"labels\":{\"x\":\"y\"}},\"spec\":{\"replicas\":7},\"status\":{"
         "\"replicas\":1}}",
         200, "\"spec\":{\"replicas\":2"});
    EXPECT(&s, {"GET", DEPLOY "/web", NULL, NULL, NULL, 200, "!\"labels\":{\"x\""});
    server_stop(&s);
}

#define OLD_EVENTS "/api/v1/namespaces/default/events"
#define NEW_EVENTS "/apis/events.k8s.io/v1/namespaces/default/events"

TEST(events_of_both_groups_are_the_same)
{
    struct server s;
    server_start(&s);
    EXPECT(
        &s,
        {"POST", OLD_EVENTS, NULL, JSON,
         "{\"metadata\":{\"name\":\"old\"},\"involvedObject\":{\"namespace\":\"default\",\"name\":"
         "\"p\"},\"message\":\"said\",\"source\":{\"component\":\"k\"},\"count\":3}",
         201, "\"message\":\"said\""},
        {"GET", NEW_EVENTS "/old", NULL, NULL, NULL, 200,
         "{\"kind\":\"Event\",\"apiVersion\":\"events.k8s.io/v1\""},
        {"GET", NEW_EVENTS "/old", NULL, NULL, NULL, 200, "\"note\":\"said\""},
        {"GET", NEW_EVENTS, "fieldSelector=regarding.name%3Dp", NULL, NULL, 200,
         "\"deprecatedCount\":3"},
        {"POST", NEW_EVENTS, NULL, JSON,
         "{\"metadata\":{\"name\":\"new\"},\"regarding\":{\"namespace\":\"default\",\"name\":\"q\"}"
         ","
         "\"note\":\"told\",\"eventTime\":\"2026-01-01T00:00:00.000000Z\",\"reportingController\":"
         "\"x.io/c\",\"reportingInstance\":\"i\",\"action\":\"a\",\"reason\":\"r\",\"type\":"
         "\"Normal\"}",
         201, "\"note\":\"told\""},
        {"GET", OLD_EVENTS, "fieldSelector=involvedObject.name%3Dq", NULL, NULL, 200,
         "\"message\":\"told\""},
        {"PATCH", OLD_EVENTS "/new", NULL, MERGE, "{\"metadata\":{\"labels\":{\"l\":\"m\"}}}", 200,
         "\"reportingComponent\":\"x.io/c\""},
        {"GET", NEW_EVENTS "/new", NULL, NULL, NULL, 200, "\"reportingController\":\"x.io/c\""},
        {"DELETE", NEW_EVENTS "/old", NULL, NULL, NULL, 200, NULL},
        {"GET", OLD_EVENTS "/old", NULL, NULL, NULL, 404, NULL});
    server_stop(&s);
}

TEST(answers_without_metadata_have_no_table)
{
    struct server s;
    server_start(&s);
    struct ask ask = {
        .method = "POST",
        .path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        .type = JSON,
        .body = "{\"spec\":{\"nonResourceAttributes\":{\"path\":\"/\",\"verb\":\"get\"}}}",
        .accept = "application/json;as=Table;v=v1;g=meta.k8s.io",
    };
    struct answer a = server_ask(&s, &ask);
    CHECK_INT(a.status, 406);
    bytes_unref(a.body);
    server_stop(&s);
}

TEST(eviction_and_binding)
{
    struct server s;
    server_start(&s);
    EXPECT(
        &s,
        {"POST", "/api/v1/namespaces/default/serviceaccounts", NULL, JSON,
         "{\"metadata\":{\"name\":\"default\"}}", 201, NULL},
        {"POST", "/api/v1/namespaces/default/pods", NULL, JSON,
         "{\"metadata\":{\"name\":\"b\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":"
         "\"x\"}]}}",
         201, NULL},
        {"POST", "/api/v1/namespaces/default/pods/b/binding", NULL, JSON,
         "{\"kind\":\"Binding\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"b\"},\"target\":"
         "{\"kind\":\"Node\",\"name\":\"n1\"}}",
         201, "\"status\":\"Success\""},
        {"GET", "/api/v1/namespaces/default/pods/b", NULL, NULL, NULL, 200, "\"nodeName\":\"n1\""},
        {"POST", "/api/v1/namespaces/default/pods/b/eviction", NULL, JSON,
         "{\"kind\":\"Eviction\",\"apiVersion\":\"policy/v1\",\"metadata\":{\"name\":\"b\"}}", 201,
         "\"status\":\"Success\""},
        {"GET", "/api/v1/namespaces/default/pods/b", NULL, NULL, NULL, 200,
         "\"deletionTimestamp\""});
    server_stop(&s);
}

/* A clock that the test moves; the rest is the machine's. */
struct shifted {
    struct world world;
    int64_t by_ns;
};

static int64_t shifted_mono(struct world *w)
{
    (void)w;
    return mono_ms(world_real());
}

static int64_t shifted_wall(struct world *w)
{
    return wall_ns(world_real()) + CONTAINER_OF(w, struct shifted, world)->by_ns;
}

static void shifted_random(struct world *w, void *p, size_t n)
{
    (void)w;
    world_real()->random(world_real(), p, n);
}

TEST(events_live_for_an_hour)
{
    static const char event[] = "{\"metadata\":{\"name\":\"e\"},\"involvedObject\":{\"kind\":"
                                "\"Pod\",\"namespace\":\"default\",\"name\":\"p\"},\"reason\":"
                                "\"R\",\"type\":\"Normal\"}";
    static const char path[] = "/api/v1/namespaces/default/events/e";
    const int64_t minute = (int64_t)60 * 1000000000;
    struct shifted clock = {{shifted_mono, shifted_wall, shifted_random}, 0};
    struct server s;
    server_start_world(&s, &clock.world);
    EXPECT(&s, {"POST", "/api/v1/namespaces/default/events", NULL, JSON, event, 201, NULL});
    clock.by_ns = 59 * minute;
    expire_pass(s.api);
    usleep(50000);
    EXPECT(&s, {"GET", path, NULL, NULL, NULL, 200, NULL});
    clock.by_ns = 61 * minute;
    expire_pass(s.api);
    struct answer a;
    for (int tries = 0; tries < 100; tries++) {
        a = server_ask(&s, &(struct ask){.method = "GET", .path = path});
        bytes_unref(a.body);
        if (a.status == 404)
            break;
        usleep(10000);
    }
    CHECK_INT(a.status, 404);
    server_stop(&s);
}

/* --- protobuf --- */
#define PROTO "application/vnd.kubernetes.protobuf"
#define AS_METADATA(kind) PROTO ";as=" kind ";g=meta.k8s.io;v=v1"

static struct answer ask_as(struct server *s, const char *path, const char *query,
                            const char *accept)
{
    struct ask ask = {.method = "GET", .path = path, .query = query, .accept = accept};
    return server_ask(s, &ask);
}

/* The JSON that a protobuf answer says. */
static void decoded(struct answer *a, const char *want_kind, struct buf *ret)
{
    struct str version, kind, raw;
    struct err err;
    struct doc d;
    val *v;
    doc_init(&d);
    struct str body = bytes_str(a->body);
    CHECK_OK(schema_proto_type(body, &version, &kind, &raw, &err), &err);
    CHECK_STR(kind, want_kind);
    CHECK_OK(schema_decode_proto(schema_of_kind(version, kind), &d, body, &v, &err), &err);
    buf_clear(ret);
    val_write_json(v, ret);
    doc_done(&d);
    bytes_unref(a->body);
}

TEST(protobuf_for_those_who_accept_nothing_else)
{
    static const struct {
        const char *path, *query, *accept;
        int status;
        const char *kind, *excerpt;
    } asked[] = {
        {CM "/a", NULL, PROTO, 200, "ConfigMap", "\"data\":{\"k\":\"v\"}"},
        {CM, NULL, PROTO, 200, "ConfigMapList", "\"data\":{\"k\":\"v\"}"},
        {CM, "limit=1", PROTO, 200, "ConfigMapList", "\"remainingItemCount\":1"},
        {CM, NULL, "text/html, " PROTO ";q=0.5", 200, "ConfigMapList", "\"name\":\"b\""},
        {CM "/none", NULL, PROTO, 404, "Status", "configmaps \\\"none\\\" not found"},
        {"/api/v1/none", NULL, PROTO, 404, NULL, "404 page not found"},
        {CM "/a", NULL, AS_METADATA("PartialObjectMetadata"), 200, "PartialObjectMetadata",
         "\"name\":\"a\""},
        {CM, NULL, AS_METADATA("PartialObjectMetadataList"), 200, "PartialObjectMetadataList",
         "\"name\":\"b\""},
        {CM, NULL, AS_METADATA("Table"), 406, "Status", "only the following media types"},
    };
    struct server s;
    struct buf json = {0};
    server_start(&s);
    EXPECT(&s,
           {"POST", CM, NULL, JSON, "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"v\"}}", 201,
            NULL},
           {"POST", CM, NULL, JSON, "{\"metadata\":{\"name\":\"b\"}}", 201, NULL});
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        struct answer a = ask_as(&s, asked[i].path, asked[i].query, asked[i].accept);
        CHECK_INT(a.status, asked[i].status);
        if (asked[i].kind) {
            decoded(&a, asked[i].kind, &json);
            CHECK(str_find(buf_str(&json), str_of(asked[i].excerpt)) >= 0);
        } else {
            CHECK(str_find(bytes_str(a.body), str_of(asked[i].excerpt)) >= 0);
            bytes_unref(a.body);
        }
    }
    buf_done(&json);
    server_stop(&s);
}

TEST(the_best_of_what_a_client_accepts)
{
    static const struct {
        const char *accept, *begin;
    } asked[] = {
        {PROTO ",application/json", "{\"kind\":\"ConfigMap\""},
        {PROTO ",*/*", "{\"kind\":\"ConfigMap\""},
        {"*/*,application/yaml", "apiVersion: v1\n"},
        {"application/json;q=0.1,application/yaml;q=0.9", "apiVersion: v1\n"},
        {"application/yaml;q=0,application/json", "{\"kind\":\"ConfigMap\""},
        {"application/json;stream=other,application/yaml", "apiVersion: v1\n"},
        {PROTO ";as=Table;g=meta.k8s.io;v=v1,application/json", "{\"kind\":\"ConfigMap\""},
        {PROTO ",application/json;as=Table;g=meta.k8s.io;v=v1", "k8s"},
    };
    struct server s;
    server_start(&s);
    EXPECT(&s, {"POST", CM, NULL, JSON, "{\"metadata\":{\"name\":\"a\"}}", 201, NULL});
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        struct answer a = ask_as(&s, CM "/a", NULL, asked[i].accept);
        CHECK_INT(a.status, 200);
        CHECK_STR(str_head(bytes_str(a.body), strlen(asked[i].begin)), asked[i].begin);
        bytes_unref(a.body);
    }
    server_stop(&s);
}
