/* What kubectl reads in the OpenAPI documents: explain, apply, and whether fieldValidation is a
 * parameter. */
#include <stdio.h>

#include "api/openapi/openapi.h"
#include "doc/val.h"
#include "test.h"

struct document {
    struct doc d;
    val *root;
};

static void parse(struct document *t, struct buf *b)
{
    struct err err = {0};
    doc_init(&t->d);
    CHECK_OK(doc_parse_json(&t->d, buf_str(b), &t->root, &err), &err);
    buf_done(b);
}

static void read_v3(struct document *t, const char *path)
{
    struct buf b = {0};
    CHECK_INT(openapi_v3(NULL, str_of(path), &b), 0);
    parse(t, &b);
}

static void check_json(const val *v, const char *want)
{
    CLEANUP(buf_done) struct buf b = {0};
    val_write_json(v, &b);
    CHECK_STR(buf_str(&b), want);
}

TEST(openapi_index_leads_to_each_group_version)
{
    struct document t;
    struct buf b = {0};
    char hash[OPENAPI_HASH_TEXT], want[128];
    CHECK_INT(openapi_v3_index(NULL, &b), 0);
    parse(&t, &b);
    CHECK_INT(openapi_v3_hash(NULL, STR("apis/apps/v1"), hash), 0);
    snprintf(want, sizeof(want), "/openapi/v3/apis/apps/v1?hash=%s", hash);
    CHECK_STR(VAL_STR(t.root, "paths", "apis/apps/v1", "serverRelativeURL"), want);
    CHECK(VAL_PATH(t.root, "paths", "api/v1") != NULL);
    CHECK_INT(val_len(VAL_PATH(t.root, "paths")), 21);
    doc_done(&t.d);
}

TEST(openapi_refuses_unknown_group_versions)
{
    struct buf b = {0};
    char hash[OPENAPI_HASH_TEXT];
    CHECK_INT(openapi_v3(NULL, STR("apis/apps/v2"), &b), -1);
    CHECK_INT(openapi_v3(NULL, STR(""), &b), -1);
    CHECK_INT(openapi_v3_hash(NULL, STR("apis"), hash), -1);
    CHECK_INT(b.n, 0);
}

TEST(openapi_v3_names_kinds_merge_keys_and_enums)
{
    struct document t;
    read_v3(&t, "apis/apps/v1");
    val *schemas = VAL_PATH(t.root, "components", "schemas");
    check_json(
        VAL_PATH(schemas, "io.k8s.api.apps.v1.Deployment", "x-kubernetes-group-version-kind"),
        "[{\"group\":\"apps\",\"kind\":\"Deployment\",\"version\":\"v1\"}]");
    check_json(VAL_PATH(schemas, "io.k8s.api.apps.v1.DeploymentStrategy", "properties", "type"),
               "{\"type\":\"string\",\"enum\":[\"Recreate\",\"RollingUpdate\"],"
               "\"default\":\"RollingUpdate\"}");
    check_json(VAL_PATH(schemas, "io.k8s.api.core.v1.PodSpec", "properties", "volumes"),
               "{\"items\":{\"$ref\":\"#/components/schemas/io.k8s.api.core.v1.Volume\"},"
               "\"type\":\"array\",\"x-kubernetes-list-map-keys\":[\"name\"],"
               "\"x-kubernetes-list-type\":\"map\",\"x-kubernetes-patch-merge-key\":\"name\","
               "\"x-kubernetes-patch-strategy\":\"merge,retainKeys\"}");
    check_json(VAL_PATH(schemas, "io.k8s.api.core.v1.PodSpec", "required"), "[\"containers\"]");
    check_json(VAL_PATH(schemas, "io.k8s.apimachinery.pkg.util.intstr.IntOrString"),
               "{\"format\":\"int-or-string\",\"oneOf\":[{\"type\":\"integer\"},"
               "{\"type\":\"string\"}]}");
    doc_done(&t.d);
}

TEST(openapi_v3_patch_has_the_parameters_that_kubectl_looks_for)
{
    struct document t;
    read_v3(&t, "apis/apps/v1");
    val *patch = VAL_PATH(t.root, "paths",
                          "/apis/apps/v1/namespaces/{namespace}/deployments/{name}", "patch");
    CHECK_STR(VAL_STR(patch, "operationId"), "patchAppsV1NamespacedDeployment");
    check_json(VAL_PATH(patch, "x-kubernetes-group-version-kind"),
               "{\"group\":\"apps\",\"kind\":\"Deployment\",\"version\":\"v1\"}");
    size_t found = 0;
    VAL_FOR (VAL_PATH(patch, "parameters"), p)
        found +=
            str_is(VAL_STR(p, "name"), "dryRun") || str_is(VAL_STR(p, "name"), "fieldManager") ||
            str_is(VAL_STR(p, "name"), "fieldValidation") || str_is(VAL_STR(p, "name"), "force");
    CHECK_INT(found, 4);
    val *scale = VAL_PATH(t.root, "paths",
                          "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale", "put");
    CHECK_STR(VAL_STR(scale, "x-kubernetes-group-version-kind", "kind"), "Scale");
    doc_done(&t.d);
}

/* Every reference of a document has its definition. */
static void check_refs(const val *v, const val *definitions, size_t prefix)
{
    struct str ref = VAL_STR(v, "$ref");
    if (ref.n)
        CHECK(val_get_str(definitions, str_from(ref, prefix)) != NULL);
    if (val_is_obj(v))
        VAL_EACH (v, key, member)
            check_refs(member, definitions, prefix);
    if (val_is_arr(v))
        VAL_FOR (v, item)
            check_refs(item, definitions, prefix);
}

TEST(openapi_references_are_whole)
{
    static const char *const paths[] = {"api/v1", "apis/apps/v1", "apis/apiextensions.k8s.io/v1",
                                        "apis/autoscaling/v2", "apis/authentication.k8s.io/v1"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct document t;
        read_v3(&t, paths[i]);
        check_refs(t.root, VAL_PATH(t.root, "components", "schemas"),
                   sizeof("#/components/schemas/") - 1);
        doc_done(&t.d);
    }
    struct document t;
    struct buf b = {0};
    CHECK_INT(openapi_v2(NULL, &b), 0);
    parse(&t, &b);
    CHECK_STR(VAL_STR(t.root, "swagger"), "2.0");
    check_refs(t.root, VAL_PATH(t.root, "definitions"), sizeof("#/definitions/") - 1);
    doc_done(&t.d);
}
