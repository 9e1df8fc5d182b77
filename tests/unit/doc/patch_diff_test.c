/* The wanted patches are those of k8s.io/apimachinery (strategicpatch, jsonmergepatch) for the same
 * documents. */
#include "doc/patch.h"
#include "test.h"

static val *parse(struct doc *d, const char *text)
{
    struct err err = {0};
    val *v = NULL;
    CHECK_OK(doc_parse_json(d, str_of(text), &v, &err), &err);
    return v;
}

static void check_same(struct doc *d, const char *what, const val *got, const char *want)
{
    struct buf text = {0};
    val_write_json(got, &text);
    if (!val_eq(got, parse(d, want)))
        test_fail(__FILE__, __LINE__, "%s: %s, not %s", what, buf_z(&text), want);
    buf_done(&text);
}

static const struct strategic {
    const char *what, *api_version, *kind, *before, *after, *live;
    const char *want, *error; /* one of them */
} strategic[] = {
    {"what others changed is set back", "apps/v1", "Deployment", "{\"spec\":{\"replicas\":1}}",
     "{\"spec\":{\"replicas\":1}}", "{\"spec\":{\"paused\":true,\"replicas\":5}}",
     "{\"spec\":{\"replicas\":1}}", NULL},
    {"members that are gone are taken out", "apps/v1", "Deployment",
     "{\"spec\":{\"paused\":true,\"replicas\":1}}", "{\"spec\":{\"replicas\":1}}",
     "{\"spec\":{\"paused\":true,\"replicas\":1}}", "{\"spec\":{\"paused\":null}}", NULL},
    {"but not those of others", "apps/v1", "Deployment",
     "{\"metadata\":{\"labels\":{\"a\":\"x\",\"b\":true}}}",
     "{\"metadata\":{\"labels\":{\"a\":\"z\"}}}",
     "{\"metadata\":{\"labels\":{\"a\":\"x\",\"b\":true,\"own\":\"q\"}}}",
     "{\"metadata\":{\"labels\":{\"a\":\"z\",\"b\":null}}}", NULL},
    {"elements by their keys, deletions last", "apps/v1", "Deployment",
     "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"image\":\"x\",\"name\":\"a\"},{"
     "\"image\":\"x\",\"name\":\"b\"}]}}}}",
     "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"image\":true,\"name\":\"a\"},{"
     "\"image\":\"z\",\"name\":\"c\"}]}}}}",
     "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"image\":\"x\",\"name\":\"a\",\"tty\":"
     "true},{\"image\":\"x\",\"name\":\"b\"},{\"image\":\"q\",\"name\":\"injected\"}]}}}}",
     "{\"spec\":{\"template\":{\"spec\":{\"$setElementOrder/"
     "containers\":[{\"name\":\"a\"},{\"name\":\"c\"}],\"containers\":[{\"image\":true,\"name\":"
     "\"a\"},{\"image\":\"z\",\"name\":\"c\"},{\"$patch\":\"delete\",\"name\":\"b\"}]}}}}",
     NULL},
    {"an injected element stays, the order is told", "apps/v1", "Deployment",
     "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"image\":\"x\",\"name\":\"a\"}]}}}}",
     "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"image\":\"x\",\"name\":\"a\"}]}}}}",
     "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"image\":\"x\",\"name\":\"a\",\"tty\":"
     "true},{\"image\":\"q\",\"name\":\"injected\"}]}}}}",
     "{\"spec\":{\"template\":{\"spec\":{\"$setElementOrder/containers\":[{\"name\":\"a\"}]}}}}",
     NULL},
    {"lists inside elements", "apps/v1", "Deployment",
     "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"env\":[{\"name\":\"A\",\"value\":\"1\"}"
     ",{\"name\":\"B\",\"value\":\"2\"}],\"name\":\"a\"}]}}}}",
     "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"env\":[{\"name\":\"B\",\"value\":\"3\"}"
     ",{\"name\":\"C\",\"value\":\"4\"}],\"name\":\"a\"}]}}}}",
     "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"env\":[{\"name\":\"A\",\"value\":\"1\"}"
     ",{\"name\":\"B\",\"value\":\"2\"}],\"name\":\"a\"}]}}}}",
     "{\"spec\":{\"template\":{\"spec\":{\"$setElementOrder/"
     "containers\":[{\"name\":\"a\"}],\"containers\":[{\"$setElementOrder/"
     "env\":[{\"name\":\"B\"},{\"name\":\"C\"}],\"env\":[{\"name\":\"B\",\"value\":\"3\"},{"
     "\"name\":\"C\",\"value\":\"4\"},{\"$patch\":\"delete\",\"name\":\"A\"}],\"name\":\"a\"}]}}}}",
     NULL},
    {"retained keys clear the others", "apps/v1", "Deployment",
     "{\"spec\":{\"strategy\":{\"rollingUpdate\":{\"maxSurge\":1},\"type\":\"RollingUpdate\"}}}",
     "{\"spec\":{\"strategy\":{\"type\":\"Recreate\"}}}",
     "{\"spec\":{\"strategy\":{\"rollingUpdate\":{\"maxSurge\":1,\"maxUnavailable\":\"25%\"},"
     "\"type\":\"RollingUpdate\"}}}",
     "{\"spec\":{\"strategy\":{\"$retainKeys\":[\"type\"],\"rollingUpdate\":null,\"type\":"
     "\"Recreate\"}}}",
     NULL},
    {"unions of volumes", "apps/v1", "Deployment",
     "{\"spec\":{\"template\":{\"spec\":{\"volumes\":[{\"emptyDir\":{},\"name\":\"v\"}]}}}}",
     "{\"spec\":{\"template\":{\"spec\":{\"volumes\":[{\"configMap\":{\"name\":\"c\"},\"name\":"
     "\"v\"}]}}}}",
     "{\"spec\":{\"template\":{\"spec\":{\"volumes\":[{\"emptyDir\":{},\"name\":\"v\"}]}}}}",
     "{\"spec\":{\"template\":{\"spec\":{\"$setElementOrder/"
     "volumes\":[{\"name\":\"v\"}],\"volumes\":[{\"$retainKeys\":[\"configMap\",\"name\"],"
     "\"configMap\":{\"name\":\"c\"},\"emptyDir\":null,\"name\":\"v\"}]}}}}",
     NULL},
    {"sets of scalars", "apps/v1", "Deployment", "{\"metadata\":{\"finalizers\":[\"a\",\"b\"]}}",
     "{\"metadata\":{\"finalizers\":[\"b\",\"c\"]}}",
     "{\"metadata\":{\"finalizers\":[\"a\",\"b\",\"x\"]}}",
     "{\"metadata\":{\"$deleteFromPrimitiveList/finalizers\":[\"a\"],\"$setElementOrder/"
     "finalizers\":[\"b\",\"c\"],\"finalizers\":[\"c\"]}}",
     NULL},
    {"equal merge keys in pairs", "v1", "Service",
     "{\"spec\":{\"ports\":[{\"port\":53,\"protocol\":\"TCP\"},{\"port\":53,\"protocol\":\"UDP\"}]}"
     "}",
     "{\"spec\":{\"ports\":[{\"port\":53,\"protocol\":\"TCP\"},{\"name\":\"u\",\"port\":53,"
     "\"protocol\":\"UDP\"}]}}",
     "{\"spec\":{\"ports\":[{\"port\":53,\"protocol\":\"TCP\",\"targetPort\":53},{\"port\":53,"
     "\"protocol\":\"UDP\",\"targetPort\":53}]}}",
     "{\"spec\":{\"$setElementOrder/"
     "ports\":[{\"port\":53},{\"port\":53}],\"ports\":[{\"name\":\"u\",\"port\":53}]}}",
     NULL},
    {"lists without a key are replaced", "apps/v1", "Deployment",
     "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"args\":[\"x\",true],\"name\":\"a\"}]}}}"
     "}",
     "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"args\":[\"x\"],\"name\":\"a\"}]}}}}",
     "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"args\":[\"x\",true],\"name\":\"a\"}]}}}"
     "}",
     "{\"spec\":{\"template\":{\"spec\":{\"$setElementOrder/"
     "containers\":[{\"name\":\"a\"}],\"containers\":[{\"args\":[\"x\"],\"name\":\"a\"}]}}}}",
     NULL},
    {"nothing to merge with", "apps/v1", "Deployment",
     "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"a\"}]}}}}",
     "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"b\"},{\"name\":\"a\"}]}}}}",
     "{}",
     "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"b\"},{\"name\":\"a\"}]}}}}",
     NULL},
    {"objects that are gone", "apps/v1", "Deployment",
     "{\"spec\":{\"template\":{\"spec\":{\"nodeSelector\":{\"a\":\"b\"}}}}}",
     "{\"spec\":{\"template\":{\"spec\":{}}}}",
     "{\"spec\":{\"template\":{\"spec\":{\"nodeSelector\":{\"a\":\"b\",\"c\":\"d\"}}}}}",
     "{\"spec\":{\"template\":{\"spec\":{\"nodeSelector\":null}}}}", NULL},
    {"fields nobody knows", "apps/v1", "Deployment", "{}", "{\"spec\":{\"foo\":{\"a\":1}}}",
     "{\"spec\":{\"foo\":{\"a\":2}}}", NULL,
     "unable to find api field in struct DeploymentSpec for the json field \"foo\""},
    {"elements without their key", "apps/v1", "Deployment",
     "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"image\":\"x\"}]}}}}",
     "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"image\":true}]}}}}",
     "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"image\":\"x\",\"name\":\"a\"}]}}}}",
     NULL, "map: map[image:true] does not contain declared merge key: name"},
};

TEST(strategic_patches_bring_live_objects_to_the_new_document)
{
    for (size_t i = 0; i < ARRAY_LEN(strategic); i++) {
        const struct strategic *s = &strategic[i];
        struct doc d;
        struct err err = {0};
        val *patch = NULL;
        doc_init(&d);
        int rc = patch_three_way_strategic(
            &d, schema_of_kind(str_of(s->api_version), str_of(s->kind)), parse(&d, s->before),
            parse(&d, s->after), parse(&d, s->live), &patch, &err);
        if (s->error) {
            CHECK_INT(rc, -1);
            CHECK_STR(str_of(err.message), s->error);
        } else {
            CHECK_OK(rc, &err);
            check_same(&d, s->what, patch, s->want);
        }
        doc_done(&d);
    }
}

TEST(applied_patches_leave_nothing_to_patch)
{
    for (size_t i = 0; i < ARRAY_LEN(strategic); i++) {
        const struct strategic *s = &strategic[i];
        const struct schema *schema = schema_of_kind(str_of(s->api_version), str_of(s->kind));
        struct doc d;
        struct err err = {0};
        val *patch, *again, *now;
        doc_init(&d);
        val *before = parse(&d, s->before), *after = parse(&d, s->after),
            *live = parse(&d, s->live);
        if (!s->error) {
            CHECK_OK(patch_three_way_strategic(&d, schema, before, after, live, &patch, &err),
                     &err);
            CHECK_OK(patch_strategic(&d, schema, live, patch, &now, &err), &err);
            CHECK_OK(patch_three_way_strategic(&d, schema, after, after, now, &again, &err), &err);
            CHECK_OK(patch_strategic(&d, schema, now, again, &live, &err), &err);
            CHECK(val_eq(live, now));
        }
        doc_done(&d);
    }
}

TEST(merge_patches_keep_what_others_added)
{
    static const char *const table[][4] = {
        {"{\"spec\":{\"a\":1,\"b\":{\"c\":1,\"d\":2},\"list\":[1]}}",
         "{\"spec\":{\"a\":2,\"b\":{\"d\":2},\"list\":[1,2]}}",
         "{\"spec\":{\"a\":1,\"b\":{\"c\":7,\"d\":3,\"own\":4},\"list\":[1],\"mine\":true}}",
         "{\"spec\":{\"a\":2,\"b\":{\"c\":null,\"d\":2},\"list\":[1,2]}}"},
        {"{\"spec\":{\"a\":{}}}", "{\"spec\":{\"a\":{},\"e\":{}}}", "{\"spec\":{}}",
         "{\"spec\":{\"a\":{},\"e\":{}}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct doc d;
        struct err err = {0};
        val *patch;
        doc_init(&d);
        CHECK_OK(patch_three_way_merge(&d, parse(&d, table[i][0]), parse(&d, table[i][1]),
                                       parse(&d, table[i][2]), &patch, &err),
                 &err);
        check_same(&d, "three ways", patch, table[i][3]);
        doc_done(&d);
    }
}

TEST(merge_patches_of_two_documents)
{
    struct doc d;
    doc_init(&d);
    val *before = parse(&d, "{\"a\":1,\"b\":{\"c\":[1],\"d\":2},\"e\":3}");
    val *after = parse(&d, "{\"a\":1,\"b\":{\"c\":[2]},\"f\":{}}");
    val *patch = patch_two_way_merge(&d, before, after);
    check_same(&d, "two ways", patch, "{\"b\":{\"c\":[2],\"d\":null},\"f\":{},\"e\":null}");
    CHECK(val_eq(patch_merge(&d, before, patch), after));
    doc_done(&d);
}

TEST(a_merge_patch_never_changes_what_an_object_is)
{
    struct doc d;
    struct err err = {0};
    val *patch;
    doc_init(&d);
    val *a = parse(&d, "{\"kind\":\"A\"}"), *b = parse(&d, "{\"kind\":\"B\"}");
    CHECK_INT(patch_three_way_merge(&d, a, b, a, &patch, &err), -1);
    CHECK(strstr(err.message, "apiVersion, kind or name"));
    doc_done(&d);
}
