#include "little_api.h"

#define MAPS "/api/v1/namespaces/ns/configmaps"
#define MAP(name) "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " name "}\n"

static struct objects build(struct bench *b, const char *manifest)
{
    struct objects o;
    if (cluster_build(b->x.cluster, str_of(manifest), true, &o) != 0)
        test_fail(__FILE__, __LINE__, "%.*s", STR_ARG(b->cx.error));
    return o;
}

TEST(documents_become_objects_of_the_servers_kinds)
{
    struct bench b;
    bench_init(&b);
    struct objects o =
        build(&b, MAP("a") "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: all, "
                           "namespace: wrong}\n---\n# nothing\n---\napiVersion: "
                           "v1\nkind: List\nitems:\n- {apiVersion: apps/v1, kind: "
                           "Deployment, metadata: {name: d, namespace: other}}\n");
    CHECK_INT(o.n, 3);
    CHECK_STR(o.items[0].path, MAPS "/a");
    CHECK_STR(o.items[0].namespace, "ns");
    CHECK(str_find(o.items[0].json, STR("\"namespace\":\"ns\"")) > 0);
    CHECK_STR(o.items[1].path, "/api/v1/namespaces/all");
    CHECK_STR(o.items[1].namespace, "");
    CHECK(str_find(o.items[1].json, STR("wrong")) < 0);
    CHECK_STR(o.items[2].path, "/apis/apps/v1/namespaces/other/deployments/d");
    bench_done(&b);
}

TEST(all_documents_that_are_wrong_are_named_at_once)
{
    static const struct {
        const char *manifest, *error;
    } table[] = {
        {"kind: A\n", "error validating \"\": error validating data: apiVersion not set"},
        {"apiVersion: v1\n", "error validating \"\": error validating data: kind not set"},
        {"a: b\n",
         "error validating \"\": error validating data: [apiVersion not set, kind not set]"},
        {"apiVersion: v1\nkind: Foo\nmetadata: {name: a}\n---\napiVersion: w/v1\nkind: Bar\n",
         "[resource mapping not found for name: \"a\" namespace: \"\" from \"\": no matches for "
         "kind "
         "\"Foo\" in version \"v1\"\nensure CRDs are installed first, resource mapping not found "
         "for "
         "name: \"\" namespace: \"\" from \"\": no matches for kind \"Bar\" in version "
         "\"w/v1\"\nensure CRDs are installed first]"},
        {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {b: 1}}\n",
         "unable to decode \"\": json: cannot unmarshal number into Go struct field "
         "ObjectMeta.metadata.labels of type string"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct bench b;
        struct objects o;
        bench_init(&b);
        CHECK_INT(cluster_build(b.x.cluster, str_of(table[i].manifest), true, &o), -1);
        CHECK_STR(b.cx.error, table[i].error);
        bench_done(&b);
    }
}

TEST(capabilities_are_what_the_server_has)
{
    struct bench b;
    struct capabilities c;
    bench_init(&b);
    CHECK_INT(cluster_capabilities(b.x.cluster, &c), 0);
    CHECK_STR(c.version, "v1.34.4");
    static const char *const wanted[] = {"v1",
                                         "v1/ConfigMap",
                                         "apps/v1",
                                         "apps/v1/Deployment",
                                         "apps/v1/Scale",
                                         "example.com/v1/Thing"};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        bool found = false;
        for (size_t k = 0; k < c.api_versions.n; k++)
            found = found || str_is(c.api_versions.items[k], wanted[i]);
        CHECK(found);
    }
    bench_done(&b);
}

TEST(creating_tells_of_every_failure)
{
    struct bench b;
    bench_init(&b);
    struct objects o = build(&b, MAP("a") "---\n" MAP("b"));
    CHECK_INT(cluster_create(b.x.cluster, &o), 0);
    CHECK_INT(cluster_create(b.x.cluster, &o), CLUSTER_EXISTS);
    CHECK_STR(b.cx.error, "2 errors occurred:\n\t* it already exists\n\t* it already exists\n\n");
    o.n = 0;
    CHECK_INT(cluster_create(b.x.cluster, &o), -1);
    CHECK_STR(b.cx.error, "no objects visited");
    bench_done(&b);
}

TEST(an_update_creates_patches_and_deletes_and_leaves_alone_what_is_equal)
{
    struct bench b;
    struct updated done;
    bench_init(&b);
    struct objects before = build(&b, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: "
                                      "{x: '1', gone: '1'}\n---\n" MAP("same") "---\n" MAP("old"));
    CHECK_INT(cluster_create(b.x.cluster, &before), 0);
    little_set(&b.api, MAPS "/a",
               "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\","
               "\"namespace\":\"ns\"},\"data\":{\"x\":\"1\",\"gone\":\"1\",\"theirs\":\"1\"}}");
    buf_clear(&b.api.log);
    struct objects after = build(&b, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: "
                                     "{x: '2'}\n---\n" MAP("same") "---\n" MAP("new"));
    CHECK_INT(cluster_update(b.x.cluster, &before, &after, 0, &done), 0);
    CHECK_STR(buf_str(&b.api.log), "PATCH " MAPS "/a\nPOST " MAPS "\nDELETE " MAPS "/old\n");
    CHECK_INT(done.created.n, 1);
    CHECK_INT(done.updated.n, 2);
    CHECK(strstr(little_get(&b.api, MAPS "/a"), "\"theirs\":\"1\""));
    CHECK(strstr(little_get(&b.api, MAPS "/a"), "\"x\":\"2\""));
    CHECK(!strstr(little_get(&b.api, MAPS "/a"), "gone"));
    bench_done(&b);
}

TEST(what_is_to_be_kept_outlives_its_manifest)
{
    struct bench b;
    struct updated done;
    bench_init(&b);
    struct objects before =
        build(&b, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: "
                  "{helm.sh/resource-policy: keep}}\n");
    struct objects after = {0};
    CHECK_INT(cluster_create(b.x.cluster, &before), 0);
    CHECK_INT(cluster_update(b.x.cluster, &before, &after, 0, &done), 0);
    CHECK(little_get(&b.api, MAPS "/a")[0]);
    bench_done(&b);
}

TEST(an_update_goes_on_behind_an_object_that_cannot_be_changed)
{
    struct bench b;
    struct updated done;
    bench_init(&b);
    struct objects before = build(&b, MAP("a") "---\n" MAP("b"));
    CHECK_INT(cluster_create(b.x.cluster, &before), 0);
    struct objects after =
        build(&b, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: "
                  "'2'}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: "
                  "b}\ndata: {x: '2'}\n");
    b.api.refuse = "PATCH " MAPS "/a";
    CHECK_INT(cluster_update(b.x.cluster, &before, &after, 0, &done), -1);
    CHECK_STR(b.cx.error, "cannot patch \"a\" with kind ConfigMap: it is forbidden");
    CHECK(strstr(little_get(&b.api, MAPS "/b"), "\"x\":\"2\""));
    bench_done(&b);
}

/* --- waiting --- */
static void keep_line(void *arg, struct str line)
{
    struct buf *lines = arg;
    buf_printf(lines, "%.*s\n", STR_ARG(line));
}

TEST(a_wait_shows_what_holds_it_up)
{
    struct bench b;
    struct buf lines = {0};
    bench_init(&b);
    struct objects o = build(&b, "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n");
    struct cluster_watcher w = {.progress = keep_line, .arg = &lines};
    cluster_watch(b.x.cluster, &w);
    little_set(
        &b.api, "/api/v1/namespaces/ns/pods/p",
        "{\"metadata\":{\"name\":\"p\"},\"status\":{\"phase\":\"Pending\",\"containerStatuses\":"
        "[{\"state\":{\"waiting\":{\"reason\":\"ImagePullBackOff\",\"message\":\"Back-off\"}}}]}}");
    b.api.promote = "/api/v1/namespaces/ns/pods/p";
    b.api.status = "{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}";
    CHECK_INT(cluster_wait(b.x.cluster, &o, 0, 10000), 0);
    CHECK_STR(buf_str(&lines), "Pod p: ImagePullBackOff (Back-off)\n\n");
    buf_done(&lines);
    bench_done(&b);
}

TEST(a_wait_that_ends_in_vain_names_the_object)
{
    struct bench b;
    bench_init(&b);
    struct objects o = build(&b, "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n");
    little_set(&b.api, "/api/v1/namespaces/ns/services/s",
               "{\"spec\":{\"type\":\"LoadBalancer\",\"clusterIP\":\"10.0.0.1\"}}");
    CHECK_INT(cluster_wait(b.x.cluster, &o, 0, 1), -1);
    CHECK_STR(b.cx.error, "context deadline exceeded");
    CHECK(strstr(buf_z(&b.warnings), "Service s: no load balancer address"));
    bench_done(&b);
}

struct readiness {
    const char *what, *manifest, *path, *live;
    bool ready;
};

#define DEPLOYMENT "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n"
#define D_PATH "/apis/apps/v1/namespaces/ns/deployments/d"
#define JOB "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\n"
#define J_PATH "/apis/batch/v1/namespaces/ns/jobs/j"

TEST(each_kind_is_ready_in_its_own_way)
{
    static const struct readiness table[] = {
        {"others are ready when they are there", MAP("a"), MAPS "/a", "{}", true},
        {"a paused deployment", DEPLOYMENT, D_PATH, "{\"spec\":{\"paused\":true}}", true},
        {"a deployment without a replica set", DEPLOYMENT, D_PATH,
         "{\"spec\":{\"replicas\":1,\"selector\":{\"matchLabels\":{\"a\":\"b\"}}}}", false},
        {"a service with an address", "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n",
         "/api/v1/namespaces/ns/services/s", "{\"spec\":{\"clusterIP\":\"10.0.0.1\"}}", true},
        {"a job that is not done", JOB, J_PATH,
         "{\"spec\":{\"completions\":2,\"backoffLimit\":3},\"status\":{\"succeeded\":1}}", false},
        {"a job that is done", JOB, J_PATH,
         "{\"spec\":{\"completions\":2,\"backoffLimit\":3},\"status\":{\"succeeded\":2}}", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct bench b;
        bench_init(&b);
        struct objects o = build(&b, table[i].manifest);
        little_set(&b.api, table[i].path, table[i].live);
        if ((cluster_wait(b.x.cluster, &o, WAIT_JOBS, 1) == 0) != table[i].ready)
            test_fail(__FILE__, __LINE__, "%s", table[i].what);
        bench_done(&b);
    }
}

TEST(a_hook_ends_with_its_job_or_pod)
{
    static const struct {
        const char *status, *error;
    } table[] = {
        {"{\"conditions\":[{\"type\":\"Complete\",\"status\":\"True\"}]}", NULL},
        {"{\"conditions\":[{\"type\":\"Failed\",\"status\":\"True\",\"reason\":\"Enough\"}]}",
         "1 error occurred:\n\t* job j failed: Enough\n\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct bench b;
        bench_init(&b);
        struct objects o = build(&b, JOB);
        little_set(&b.api, J_PATH, "{\"metadata\":{\"name\":\"j\"}}");
        b.api.promote = J_PATH;
        b.api.status = table[i].status;
        CHECK_INT(cluster_wait_hook(b.x.cluster, &o, 10000), table[i].error ? -1 : 0);
        if (table[i].error)
            CHECK_STR(b.cx.error, table[i].error);
        bench_done(&b);
    }
}

static bool yes(void *arg)
{
    (void)arg;
    return true;
}

TEST(an_interruption_ends_a_wait)
{
    struct bench b;
    bench_init(&b);
    struct objects o = build(&b, JOB);
    struct cluster_watcher w = {.interrupted = yes};
    cluster_watch(b.x.cluster, &w);
    CHECK_INT(cluster_wait_hook(b.x.cluster, &o, 10000), -1);
    CHECK_STR(b.cx.error, "1 error occurred:\n\t* context canceled\n\n");
    bench_done(&b);
}
