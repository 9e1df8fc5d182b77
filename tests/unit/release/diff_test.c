/* How manifests differ, line by line and object by object, and what counts as drift. */
#include "release/diff.h"
#include "release/drift.h"

#include "test.h"

/* --- lines --- */
static void check_lines(const char *before, const char *after, size_t around, const char *want)
{
    struct buf out = {0};
    linediff_put(str_of(before), str_of(after), (struct linediff_style){around, false}, &out);
    CHECK_STR(buf_str(&out), want);
    buf_done(&out);
}

TEST(hunks_are_those_of_diff_u)
{
    check_lines("a\nb\nc\n", "a\nb\nc\n", 3, "");
    check_lines("", "a\nb\n", 3, "@@ -0,0 +1,2 @@\n+a\n+b\n");
    check_lines("a\n", "", 3, "@@ -1 +0,0 @@\n-a\n");
    check_lines("a\nb\nc\n", "a\nx\nc\n", 1, "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n");
    check_lines("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\n5\n6\n7\n8\nX\n", 2,
                "@@ -7,3 +7,3 @@\n 7\n 8\n-9\n+X\n");
    check_lines("a\nb\nc\nd\ne\nf\n", "A\nb\nc\nd\ne\nF\n", 1,
                "@@ -1,2 +1,2 @@\n-a\n+A\n b\n@@ -5,2 +5,2 @@\n e\n-f\n+F\n");
    check_lines("a\nb\nc\nd\n", "A\nb\nc\nD\n", 1, "@@ -1,4 +1,4 @@\n-a\n+A\n b\n c\n-d\n+D\n");
    check_lines("a\nb\nc\nd\ne\nf\n", "a\nb\nc\nd\ne\nF\n", SIZE_MAX,
                "@@ -1,6 +1,6 @@\n a\n b\n c\n d\n e\n-f\n+F\n");
}

TEST(the_script_is_the_shortest_one)
{
    check_lines("a\nb\nc\na\nb\nb\na\n", "c\nb\na\nb\na\nc\n", 0,
                "@@ -1,2 +0,0 @@\n-a\n-b\n@@ -3,0 +2 @@\n+b\n@@ -6 +4,0 @@\n-b\n@@ -7,0 +6 "
                "@@\n+c\n");
}

TEST(what_differs_everywhere_is_one_change)
{
    struct buf before = {0}, after = {0}, out = {0};
    for (int i = 0; i < 3000; i++) {
        buf_printf(&before, "old %d\n", i);
        buf_printf(&after, "new %d\n", i);
    }
    linediff_put(buf_str(&before), buf_str(&after), (struct linediff_style){3, false}, &out);
    CHECK(str_starts(buf_str(&out), STR("@@ -1,3000 +1,3000 @@\n-old 0\n")));
    CHECK(str_ends(buf_str(&out), STR("+new 2999\n")));
    buf_done(&before);
    buf_done(&after);
    buf_done(&out);
}

/* --- manifests --- */
static void check_manifests(const char *before, const char *after, bool show_secrets,
                            const char *want)
{
    struct arena a = {0};
    struct chart_ctx cx = {.arena = &a};
    struct diff d = {0};
    struct buf out = {0};
    struct diff_side s = {str_of(before), STR("ns")}, t = {str_of(after), STR("ns")};
    if (diff_manifests(&cx, &s, &t, show_secrets, &d) != 0)
        test_fail(__FILE__, __LINE__, "%.*s", STR_ARG(cx.error));
    diff_put(&d, (struct linediff_style){1, false}, &out);
    CHECK_STR(buf_str(&out), want);
    buf_done(&out);
    arena_done(&a);
}

#define CONFIG(name, value)                                                                        \
    "---\n# Source: x\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " name                  \
    "\ndata:\n  k: " value "\n"

TEST(objects_are_added_removed_and_changed)
{
    check_manifests(CONFIG("same", "v") CONFIG("gone", "v") CONFIG("here", "1"),
                    CONFIG("here", "\"1\"") CONFIG("new", "v") CONFIG("same", "v"), false,
                    "ns, gone, ConfigMap has been removed:\n@@ -1,6 +0,0 @@\n-apiVersion: v1\n"
                    "-data:\n-  k: v\n-kind: ConfigMap\n-metadata:\n-  name: gone\n"
                    "ns, here, ConfigMap has changed:\n@@ -2,3 +2,3 @@\n data:\n-  k: 1\n"
                    "+  k: \"1\"\n kind: ConfigMap\n"
                    "ns, new, ConfigMap has been added:\n@@ -0,0 +1,6 @@\n+apiVersion: v1\n"
                    "+data:\n+  k: v\n+kind: ConfigMap\n+metadata:\n+  name: new\n");
}

TEST(comments_order_and_spelling_make_no_difference)
{
    check_manifests("# a\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n",
                    "kind: \"Deployment\"\nmetadata:\n    name: a # x\napiVersion: apps/v1\n",
                    false, "");
}

TEST(versions_of_a_group_are_the_same_object)
{
    check_manifests("apiVersion: apps/v1beta1\nkind: Deployment\nmetadata: {name: a}\n",
                    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: ns}\n",
                    false,
                    "ns, a, Deployment (apps) has changed:\n@@ -1,2 +1,2 @@\n"
                    "-apiVersion: apps/v1beta1\n+apiVersion: apps/v1\n kind: Deployment\n"
                    "@@ -4 +4,2 @@\n   name: a\n+  namespace: ns\n");
}

#define SECRET(data) "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {" data "}\n"

TEST(secrets_are_not_shown)
{
    check_manifests(SECRET("a: QQ==, b: QkI="), SECRET("a: QQ==, b: QkJC"), false,
                    "ns, s, Secret has changed:\n@@ -3,3 +3,3 @@\n"
                    "   a: 'REDACTED # (1 bytes)'\n"
                    "-  b: '-------- # (2 bytes)'\n+  b: '++++++++ # (3 bytes)'\n kind: Secret\n");
    check_manifests(SECRET("a: QQ=="), SECRET("a: QkI="), true,
                    "ns, s, Secret has changed:\n@@ -2,3 +2,3 @@\n data:\n-  a: QQ==\n"
                    "+  a: QkI=\n kind: Secret\n");
    check_manifests("", SECRET("a: QQ=="), false,
                    "ns, s, Secret has been added:\n@@ -0,0 +1,6 @@\n+apiVersion: v1\n+data:\n"
                    "+  a: 'REDACTED # (1 bytes)'\n+kind: Secret\n+metadata:\n+  name: s\n");
}

TEST(values_that_are_called_secret_are_not_shown)
{
    struct arena a = {0};
    struct chart_ctx cx = {.arena = &a};
    struct diff d = {0};
    struct buf out = {0};
    struct vmap *x = vmap_new(&a, 2), *y = vmap_new(&a, 2);
    vmap_set(x, STR("dbPassword"), value_z("old"));
    vmap_set(y, STR("dbPassword"), value_z("newer"));
    vmap_set(x, STR("size"), value_float(1));
    vmap_set(y, STR("size"), value_float(2));
    CHECK(diff_values(&cx, STR("values"), x, y, false, &d) == 0);
    CHECK(diff_values(&cx, STR("values"), x, x, false, &d) == 0);
    diff_put(&d, (struct linediff_style){3, false}, &out);
    CHECK_STR(buf_str(&out), "values:\n@@ -1,2 +1,2 @@\n"
                             "-dbPassword: '-------- # (3 bytes)'\n-size: 1\n"
                             "+dbPassword: '++++++++ # (5 bytes)'\n+size: 2\n");
    buf_done(&out);
    arena_done(&a);
}

/* --- drift --- */
/* One line a field: "path wanted live". */
static void check_drift(const char *api_version, const char *kind, const char *want,
                        const char *live, const char *fields)
{
    struct arena a = {0};
    struct chart_ctx cx = {.arena = &a};
    struct object o = {.api_version = str_of(api_version), .kind = str_of(kind)};
    struct drift_object found;
    struct buf out = {0};
    o.json = str_of(want);
    if (drift_of_object(&cx, &o, str_of(live), false, &found) != 0)
        test_fail(__FILE__, __LINE__, "%.*s", STR_ARG(cx.error));
    for (size_t i = 0; i < found.n; i++)
        buf_printf(&out, "%.*s %.*s %.*s\n", STR_ARG(found.fields[i].path),
                   STR_ARG(found.fields[i].wanted), STR_ARG(found.fields[i].live));
    CHECK_STR(buf_str(&out), fields);
    buf_done(&out);
    arena_done(&a);
}

TEST(only_what_is_wanted_counts)
{
    check_drift("apps/v1", "Deployment", "{\"spec\":{\"replicas\":1}}",
                "{\"spec\":{\"replicas\":1,\"paused\":true},\"status\":{\"replicas\":3}}", "");
    check_drift("apps/v1", "Deployment", "{\"spec\":{\"replicas\":1},\"status\":{\"replicas\":1}}",
                "{\"spec\":{\"replicas\":3}}", "spec.replicas 1 3\n");
    check_drift("v1", "ConfigMap", "{\"data\":{\"a.b/c\":\"x\",\"d\":\"y\"}}",
                "{\"data\":{\"d\":\"z\"}}", "data[\"a.b/c\"] \"x\" \ndata.d \"y\" \"z\"\n");
}

TEST(what_means_the_same_is_the_same)
{
    check_drift("v1", "Pod",
                "{\"spec\":{\"containers\":[{\"name\":\"c\",\"resources\":{\"limits\":{\"cpu\":"
                "\"1000m\",\"memory\":\"1024Mi\"},\"requests\":{\"cpu\":0.5}}}]}}",
                "{\"spec\":{\"containers\":[{\"name\":\"c\",\"resources\":{\"limits\":{\"cpu\":"
                "\"1\",\"memory\":\"1Gi\"},\"requests\":{\"cpu\":\"500m\"}}}]}}",
                "");
    check_drift(
        "v1", "Pod",
        "{\"spec\":{\"hostNetwork\":false,\"nodeName\":\"\",\"nodeSelector\":{},\"volumes\":"
        "null}}",
        "{\"spec\":{\"dnsPolicy\":\"ClusterFirst\"}}", "");
    check_drift("v1", "Service",
                "{\"spec\":{\"clusterIP\":\"\",\"ports\":[{\"port\":80,"
                "\"nodePort\":0}]}}",
                "{\"spec\":{\"clusterIP\":\"10.0.0.1\",\"ports\":[{\"port\":80,\"nodePort\":30001}"
                "]}}",
                "");
    check_drift("v1", "Pod", "{\"spec\":{\"hostNetwork\":false}}",
                "{\"spec\":{\"hostNetwork\":true}}", "spec.hostNetwork false true\n");
}

TEST(elements_are_matched_by_their_key)
{
    check_drift("v1", "Pod",
                "{\"spec\":{\"containers\":[{\"name\":\"web\",\"image\":\"a\",\"env\":[{\"name\":"
                "\"X\",\"value\":\"1\"}]}]}}",
                "{\"spec\":{\"containers\":[{\"name\":\"sidecar\",\"image\":\"s\"},{\"name\":"
                "\"web\",\"image\":\"b\",\"env\":[{\"name\":\"Y\"},{\"name\":\"X\",\"value\":\"2\"}"
                "]}]}}",
                "spec.containers[web].image \"a\" \"b\"\n"
                "spec.containers[web].env[X].value \"1\" \"2\"\n");
    check_drift("v1", "Service",
                "{\"spec\":{\"ports\":[{\"port\":53,\"protocol\":\"UDP\"},{\"port\":53,"
                "\"protocol\":\"TCP\"}]}}",
                "{\"spec\":{\"ports\":[{\"port\":53,\"protocol\":\"TCP\"},{\"port\":53,"
                "\"protocol\":\"UDP\"}]}}",
                "");
    check_drift("v1", "Pod", "{\"spec\":{\"containers\":[{\"name\":\"c\",\"args\":[\"a\"]}]}}",
                "{\"spec\":{\"containers\":[{\"name\":\"c\",\"args\":[\"a\",\"b\"]}]}}",
                "spec.containers[c].args [\"a\"] [\"a\",\"b\"]\n");
}

TEST(custom_resources_are_compared_as_they_are)
{
    check_drift("example.com/v1", "Thing",
                "{\"spec\":{\"cpu\":\"1000m\",\"l\":[{\"a\":1}],\"n\":"
                "null}}",
                "{\"spec\":{\"cpu\":\"1\",\"l\":[{\"a\":1,\"b\":2}]}}",
                "spec.cpu \"1000m\" \"1\"\n");
    check_drift("example.com/v1", "Thing", "{\"spec\":{\"l\":[1,2]}}", "{\"spec\":{\"l\":[2,1]}}",
                "spec.l[0] 1 2\nspec.l[1] 2 1\n");
}

TEST(secrets_that_drift_are_not_shown)
{
    check_drift("v1", "Secret", "{\"stringData\":{\"a\":\"A\",\"b\":\"BB\"}}",
                "{\"data\":{\"a\":\"QQ==\",\"b\":\"Yg==\"}}",
                "data.b \"REDACTED # (2 bytes)\" \"REDACTED # (1 bytes)\"\n");
    check_drift("v1", "Secret", "{\"data\":{\"a\":\"QQ==\"},\"type\":\"Opaque\"}",
                "{\"data\":{\"a\":\"QQ==\"},\"type\":\"x\"}", "type \"Opaque\" \"x\"\n");
}

TEST(what_is_not_there_is_missing)
{
    struct arena a = {0};
    struct chart_ctx cx = {.arena = &a};
    struct object o = {.json = STR("{}")};
    struct drift_object found;
    CHECK(drift_of_object(&cx, &o, STR(""), false, &found) == 0 && found.missing && found.n == 0);
    arena_done(&a);
}
